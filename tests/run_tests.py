#!/usr/bin/env python3
"""Builds and runs every test in every configuration.

    tests/run_tests.py [WORD...]    only the jobs whose "configuration: program" has every WORD

A test program is a tests/test_*.c (C11 and C++17 both) or, as one program, tests/two_files/*.c; it
speaks TAP through cmocka. A tests/check_*.sh runs once and speaks TAP by itself.
Prints a line for each configuration, the full output of whatever failed, and at last

    N passed, M failed, K skipped

counting tests over all configurations. What cannot be built or run counts as a failed test; a
configuration this machine cannot build at all is named and, when CI=true, counts as a failure.
"""

import concurrent.futures
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = Path("build/tests")
TIMEOUT_SECONDS = 300
SCRIPT_TIMEOUT_SECONDS = 900  # a script builds what it runs

WARNINGS = """-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wundef -Wcast-align -Wunused
              -Werror""".split()
WARNINGS_C = "-Wstrict-prototypes -Wmissing-prototypes".split()
SANITIZE = "-O1 -g1 -fsanitize=address,undefined -fno-sanitize-recover=all -DVMM_DEBUG=1".split()
THREADS = "-O1 -g1 -fsanitize=thread -DVMM_DEBUG=1".split()

# Compiler, languages, bits, flags. Not the full product, but every value of every axis appears with
# both compilers. "C+C++" compiles the sources of a program in turn as C and as C++, and so makes
# sense for the program of several files alone. The thread sanitizer gets the programs named *_threads.
CONFIGURATIONS = [
    ("gcc", "C", 64, ["-O0"]),
    ("gcc", "C", 64, ["-O2"]),
    ("gcc", "C++", 64, ["-O3"]),
    ("gcc", "C", 32, ["-O3"]),
    ("gcc", "C++", 32, ["-O2"]),
    ("gcc", "C", 64, SANITIZE),
    ("gcc", "C", 64, THREADS),
    ("gcc", "C+C++", 64, ["-O2"]),
    ("clang", "C++", 64, ["-O0"]),
    ("clang", "C++", 64, ["-O2"]),
    ("clang", "C", 64, ["-O3"]),
    ("clang", "C", 32, ["-O2"]),
    ("clang", "C++", 32, ["-O0"]),
    ("clang", "C++", 64, SANITIZE),
    ("clang", "C++", 64, THREADS),
    ("clang", "C+C++", 64, ["-O2"]),
]

# Programs of Part II, large and not stamped, of single architectures, and those that take longest to compile: fewer
# configurations show as much. Still both compilers and languages, both widths, a sanitizer, and -O0 to -O3.
FEWER = """areas exec faults fork history huge maps merge replacement space_heap spaces stress
           arm32 arm64 emulators front fuzz mips pmp riscv_random segments tlb two_stage x86""".split()
FEWER_RUNS = ["gcc C 64-bit -O2", "gcc C++ 32-bit -O2", "gcc C 64-bit sanitizers", "clang C++ 64-bit -O0",
                 "clang C 64-bit -O3"]


class Configuration:
    def __init__(self, compiler, languages, bits, flags):
        self.languages = languages.split("+", 1) if languages == "C+C++" else [languages]
        self.mixed = len(self.languages) > 1
        self.c, self.cxx = (compiler, {"gcc": "g++", "clang": "clang++"}[compiler])
        self.threaded = flags is THREADS
        shown = "sanitizers" if flags is SANITIZE else "threads" if self.threaded else " ".join(flags)
        self.name = f"{compiler} {languages} {bits}-bit {shown}"
        self.directory = BUILD / re.sub(r"[^\w+]+", "-", self.name)
        self.flags = flags + (["-m32"] if bits == 32 else [])
        self.libraries = ["-lcmocka"]
        unpacked = list(ROOT.glob("build/i386/usr/lib/*/libcmocka.so.0"))  # by tests/deps.sh
        if bits == 32 and unpacked:
            self.libraries = [str(unpacked[0]), f"-Wl,-rpath,{unpacked[0].parent}"]

    def compile_command(self, language):
        if language == "C":
            start = [self.c, "-std=c11", *WARNINGS_C]
        else:
            start = [self.cxx, "-x", "c++", "-std=c++17"]
        return [*start, *WARNINGS, *self.flags, "-I.", "-Itests"]

    def link_command(self):
        return [self.c if self.languages == ["C"] else self.cxx, *self.flags]

    def why_unusable(self):
        """None, or the first complaint of the tools on an empty program."""
        self.directory.mkdir(parents=True, exist_ok=True)
        out = self.directory / "probe"
        source = "#include <stdint.h>\n#include <errno.h>\nint main(void) { return 0; }\n"
        try:
            for language in self.languages:
                command = self.compile_command(language)
                if language == "C":
                    command += ["-x", "c"]
                command += ["-c", "-o", f"{out}.o", "-"]
                subprocess.run(command, input=source, text=True, check=True, capture_output=True)
            command = [*self.link_command(), "-o", str(out), f"{out}.o", *self.libraries]
            subprocess.run(command, text=True, check=True, capture_output=True)
            subprocess.run([str(out)], check=True, capture_output=True)
        except FileNotFoundError as error:
            return f"{error.filename} is not installed"
        except subprocess.CalledProcessError as error:
            complaint = (error.stderr or b"") if isinstance(error.stderr, bytes) else error.stderr
            return f"{complaint}".strip().split("\n")[0] or f"{error}"
        return None


class Result:
    def __init__(self, passed=0, failed=0, skipped=0, output=""):
        self.passed, self.failed, self.skipped, self.output = passed, failed, skipped, output


def is_fresh(target, command, dependencies):
    """Was target made by this very command, from files no newer than it?"""
    made_by = target.with_suffix(".command")
    if not target.exists() or not made_by.exists() or made_by.read_text() != shlex.join(command):
        return False
    made = target.stat().st_mtime_ns
    return all(d.exists() and d.stat().st_mtime_ns <= made for d in dependencies)


def make(target, command, dependencies):
    """Runs command unless target is fresh; None, or what went wrong."""
    if is_fresh(target, command, dependencies):
        return None
    target.parent.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        target.unlink(missing_ok=True)
        return f"$ {shlex.join(command)}\n{done.stdout}"
    target.with_suffix(".command").write_text(shlex.join(command))
    return None


def headers_of(dependency_file):
    if not dependency_file.exists():
        return []
    rule = dependency_file.read_text().replace("\\\n", " ")
    return [Path(word) for word in rule.split(":", 1)[1].split()]


def build(configuration, name, sources):
    """The program's path and None, or None and the compiler's output."""
    objects = []
    for index, source in enumerate(sources):
        language = configuration.languages[index % len(configuration.languages)]
        target = configuration.directory / name / f"{source.stem}.o"
        dependency_file = target.with_suffix(".d")
        command = configuration.compile_command(language)
        command += ["-MMD", "-MF", str(dependency_file), "-c", "-o", str(target), str(source)]
        wrong = make(target, command, [source, *headers_of(dependency_file)])
        if wrong:
            return None, wrong
        objects.append(target)
    program = configuration.directory / name / name
    command = [*configuration.link_command(), "-o", str(program), *map(str, objects)]
    wrong = make(program, command + configuration.libraries, objects)
    return (None, wrong) if wrong else (program, None)


def read_tap(text):
    """(planned, passed, failed, skipped). cmocka writes a skipped test as `not ok 3 # SKIP name`."""
    planned = sum(int(n) for n in re.findall(r"^1\.\.(\d+)", text, re.MULTILINE))
    passed = failed = skipped = 0
    for negation, rest in re.findall(r"^(not )?ok\b(.*)$", text, re.MULTILINE):
        if re.search(r"#\s*skip\b", rest, re.IGNORECASE):
            skipped += 1
        elif negation:
            failed += 1
        else:
            passed += 1
    return planned, passed, failed, skipped


def run(command, timeout=TIMEOUT_SECONDS):
    environment = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP", UBSAN_OPTIONS="print_stacktrace=1")
    try:
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=timeout)
        status, output = done.returncode, done.stdout
    except subprocess.TimeoutExpired as expired:
        status, output = f"none within {timeout} s", expired.stdout or b""
    text = output.decode(errors="replace")
    planned, passed, failed, skipped = read_tap(text)
    reported = passed + failed + skipped
    failed += max(0, planned - reported)  # it ended before its last test
    if failed == 0 and (status != 0 or passed + skipped == 0):
        failed = 1
    if failed:
        text += f"(exit status: {status}; {reported} of {planned or reported} tests reported)\n"
    return Result(passed, failed, skipped, text)


def counts_in(text):
    """What an oracle says it compared: the names of its tests that tell a number of cases."""
    return re.findall(r"^ok \d+ - (.*\b\d+ (?:cases|pages|accesses|inputs)\b.*)$", text, re.MULTILINE)


def run_program(configuration, name, sources):
    program, wrong = build(configuration, name, sources)
    if wrong:
        return Result(failed=1, output=wrong)
    return run([str(program)])


def say(text):
    print(text, flush=True)


def main(words):
    os.chdir(ROOT)
    single = [(p.stem, [p]) for p in sorted(Path("tests").glob("test_*.c"))]
    several = [("two_files", sorted(Path("tests/two_files").glob("*.c")))]
    several = [(name, sources) for name, sources in several if sources]
    scripts = sorted(Path("tests").glob("check_*.sh"))

    def wanted(suite, name):
        return all(word in f"{suite}: {name}" for word in words)

    suites = []  # (suite's name, [(job's name, function, arguments)]), in the order of printing
    unusable = []
    for configuration in (Configuration(*row) for row in CONFIGURATIONS):
        programs = several if configuration.mixed else single + several
        if configuration.threaded:
            programs = [program for program in programs if program[0].endswith("_threads")]
        if configuration.name not in FEWER_RUNS:
            programs = [program for program in programs if program[0].removeprefix("test_") not in FEWER]
        jobs = [(name, run_program, (configuration, name, sources))
                for name, sources in programs if wanted(configuration.name, name)]
        why_not = configuration.why_unusable() if jobs else None
        if why_not:
            unusable.append(configuration.name)
            say(f"CANNOT RUN  {configuration.name}: {why_not}")
        elif jobs:
            suites.append((configuration.name, jobs))
    for script in scripts:
        if wanted(script.name, script.stem):
            suites.append((script.name, [(script.stem, run, ([str(script)], SCRIPT_TIMEOUT_SECONDS))]))

    total = Result()
    # Scripts go first: they are the longest single jobs. Lines are printed in the suites' order.
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        futures = {}
        for suite, jobs in sorted(suites, key=lambda s: not s[0].endswith(".sh")):
            for name, function, arguments in jobs:
                futures[suite, name] = pool.submit(function, *arguments)
        for suite, jobs in suites:
            sum_ = Result()
            results = []
            for name, _, _ in jobs:
                result = futures[suite, name].result()
                results.append(result)
                sum_.passed += result.passed
                sum_.failed += result.failed
                sum_.skipped += result.skipped
                if result.failed:
                    say(f"\nFAILED  {suite}: {name}\n{result.output}")
            say(f"{suite:32} {sum_.passed:6} passed {sum_.failed:4} failed {sum_.skipped:4} skipped")
            for counted in (line for result in results for line in counts_in(result.output)):
                say(f"    {counted}")
            total.passed += sum_.passed
            total.failed += sum_.failed
            total.skipped += sum_.skipped

    if unusable:
        say("could not run on this machine: " + "; ".join(unusable))
        if os.environ.get("CI") == "true":
            total.failed += len(unusable)
    if not suites:
        say("no test to run")
    say(f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped")
    return 1 if total.failed or not suites else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
