use strict;
use warnings;

my (%count, %lines, %follows, $before);
open my $in, '<', $ARGV[0] or die;
while (my $line = <$in>) {
    chomp $line;
    $line =~ s/\s+/ /g;
    for my $word (map { lc } $line =~ /([A-Za-z_]\w+)/g) {
        $count{$word}++;
        push @{$lines{$word}}, $.;
        $follows{$before}{$word}++ if defined $before;
        $before = $word;
    }
}
my $report = '';
for my $word (sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count) {
    my $next = $follows{$word} || {};
    my @best = sort { $next->{$b} <=> $next->{$a} || $a cmp $b } keys %$next;
    splice @best, 3 if @best > 3;
    $report .= sprintf "%-24s %5d %s: %s\n", $word, $count{$word}, join(',', @{$lines{$word}}), join(' ', @best);
}
print length $report, " bytes\n", substr($report, 0, 400);
