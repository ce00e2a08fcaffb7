# What check scripts that print TAP share; sourced, in the project's root.

count=0
# shellcheck disable=SC2034 # the script ends with it
failed=0

# tell RESULT NAME OUTPUT: one line of TAP, with the output when the result is not 0
tell() {
    ((count += 1))
    if [ "$1" = 0 ]; then
        echo "ok $count - $2"
    else
        failed=1
        printf 'not ok %s - %s\n%s\n' "$count" "$2" "$(head -n 60 <<<"$3" | sed 's/^/# /')"
    fi
}

# same NAME A B: two texts are the same, and not empty
same() {
    local output
    output=$(diff <(echo "$2") <(echo "$3")) && [ -n "$2" ]
    tell $? "$1" "$output"
}
