# BenchReport: the table, the file of figures, and the targets.

package BenchReport;

use strict;
use warnings;

use Bench;
use Exporter qw(import);
use List::Util qw(first max min sum);

our @EXPORT_OK = qw(table figures targets);

# Columns of the file of figures; empty where there is no value.
my @columns = qw(row variant entries rounds median min max ratio cpu peak requests);

# ----- the table -----

# Seconds, with as many digits as are meaningful.
sub seconds
{
	my ($s) = @_;

	return '' unless defined $s;
	return sprintf '%.2f ms', $s * 1000 if $s < 0.01;
	return sprintf '%.0f ms', $s * 1000 if $s < 1;
	return sprintf $s < 10 ? '%.2f s' : '%.1f s', $s;
}

# Seconds in milliseconds; undef stays so.
sub milliseconds { return defined $_[0] ? 1000 * $_[0] : undef }

# A ratio, with two or three meaningful digits.
sub digits
{
	my ($ratio) = @_;
	return sprintf $ratio >= 100 ? '%.0f' : $ratio >= 10 ? '%.1f' : $ratio >= 0.1 ? '%.2f' : '%.3f', $ratio;
}

# A whole number with commas.
sub commas
{
	my ($n) = @_;

	return '' unless defined $n;
	1 while $n =~ s/^(\d+)(\d{3})/$1,$2/;
	return $n;
}

# The lines of a row: the first has its title; ratios are to the line with "=".
sub table_row
{
	my ($row, @results) = @_;
	my $entries = $row->{title} =~ /scan$/ ? ' of ' . commas($row->{entries}) : '';
	my @lines = ("| **$row->{title}$entries** | | | | | | | | |");
	my %is_base = map { $_->{base} => 1 } grep { defined $_->{ratio} } @results;

	for my $r (@results)
	{
		push @lines, '| ' . join(' | ',
			$r->{title},
			(map { seconds($r->{$_}) } qw(median min max)),
			defined $r->{ratio} ? digits($r->{ratio}) : $is_base{ $r->{title} } ? '= 1' : '',
			defined $r->{cpu} ? seconds($r->{cpu}) : '',
			defined $r->{peak} ? sprintf('%.1f MB', $r->{peak} / 1024) : '',
			!defined $r->{requests} ? '' : join('–', map { commas($_) } $r->{fewest} == $r->{requests}
				? $r->{requests} : ($r->{fewest}, $r->{requests})),
			$r->{rounds}) . ' |';
	}
	return @lines;
}

# The Markdown table of all rows: [row, results ...].
sub table
{
	return join "\n",
		'| | median | min | max | ratio | CPU | peak memory | requests | rounds |',
		'| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
		(map { table_row(@$_) } @_), '';
}

# The file of figures: a line a variant, seconds and kB, tabs between.
sub figures
{
	my @lines = (join "\t", @columns);

	for my $result (map { @$_[ 1 .. $#$_ ] } @_)
	{
		push @lines, join "\t", map {
			my $value = $result->{$_} // '';
			$value =~ /^[\d.]+(e-?\d+)?$/ ? sprintf('%.6g', $value) : $value;
		} @columns;
	}
	return join "\n", @lines, '';
}

# ----- targets -----

# The line of a target: its name, the figure, the bound, and whether it is met.
sub target
{
	my ($what, $format, $figure, $relation, $bound) = @_;
	my %holds = ('<=' => sub { $_[0] <= $_[1] }, '>=' => sub { $_[0] >= $_[1] }, '<' => sub { $_[0] < $_[1] });
	my $met = !defined $figure ? 'not measured' : $holds{$relation}->($figure, $bound) ? 'ok' : 'not reached';

	return sprintf '%-12s  %-62s %12s  (%s %s)', $met, $what,
		defined $figure ? sprintf($format, $figure) : '-', $relation, sprintf($format, $bound);
}

# The ratio of a variant of a row to another one, round by round; undef if one of them was not
# measured.
sub against
{
	my ($result, $row, $variant, $base) = @_;
	my ($of, $to) = map { $result->{"$row.$_"} } $variant, $base;

	return undef unless $of && $to && $of->{rounds} && $to->{rounds};
	my $rounds = min($of->{rounds}, $to->{rounds});
	return median(map { $of->{samples}[$_]{seconds} / $to->{samples}[$_]{seconds} } 0 .. $rounds - 1);
}

# How many times as fast.
sub faster
{
	my $ratio = against(@_);
	return $ratio ? 1 / $ratio : undef;
}

# By how many requests the measured variants exceed their allowance; undef if none was measured.
sub surplus
{
	my ($result, %may) = @_;
	my @measured = grep { $result->{$_} && defined $result->{$_}{requests} } sort keys %may;

	return @measured ? sum(map { max(0, $result->{$_}{requests} - $may{$_}) } @measured) : undef;
}

# The time, in ms, that a look-up takes beyond the bare request.
sub overhead
{
	my ($result) = @_;
	my ($with, $bare) = map { $result->{"lookup.$_"} } qw(default bare);

	return undef unless $with && $with->{rounds};
	return median(map { $with->{samples}[$_]{seconds} - $bare->{samples}[$_]{seconds} } 0 .. $with->{rounds} - 1);
}

# A line for each target.
sub targets
{
	my %result = map { my ($row, @r) = @$_; map { ("$_->{row}.$_->{variant}" => $_) } @r } @_;
	my $value = sub { my ($key, $field) = @_; return $result{$key} ? $result{$key}{$field} : undef };
	my $sample = sub {
		my ($key, $field) = @_;
		return $result{$key} ? median(map { $_->{$field} } @{ $result{$key}{samples} }) : undef;
	};
	my ($small, $large) = map { $value->("scan_$_.count", 'peak') } qw(10k 1m);
	my $planning = max(grep { defined } map { $value->("planning.planning_join_$_", 'median') } 3, 20000);
	my $table = 'into a temporary table';

	return (
		target('full scan of 100,000 / floor', '%.2f', against(\%result, 'scan_100k', 'count', 'floor'), '<=', 0.9),
		target("full scan of 100,000 $table / floor", '%.2f', against(\%result, 'scan_100k', 'table', 'floor'), '<=', 1.75),
		target('full scan of 100,000, times as fast as plpython3u', '%.1f',
			faster(\%result, 'scan_100k', 'count', 'python_count'), '>=', 4),
		target("full scan of 100,000 $table, the same", '%.1f',
			faster(\%result, 'scan_100k', 'table', 'python_table'), '>=', 4),
		target('peak memory at 1,000,000 entries beyond that at 10,000', '%.1f MB',
			$small && $large ? ($large - $small) / 1024 : undef, '<=', 8),
		target('page numbers at latency, times as fast as one by one', '%.2f',
			faster(\%result, 'latency_pages', 'default', 'one'), '>=', 3.5),
		target('IN list at latency, the same', '%.2f', faster(\%result, 'latency_in', 'default', 'one'), '>=', 3.5),
		target('deletions at latency, the same', '%.2f', faster(\%result, 'delete', 'default', 'one'), '>=', 3.5),
		target('a session that commits, until the vendor has it, when idle', '%.0f ms', milliseconds($value->('deliver.cold', 'median')), '<', 200),
		target('three servers / the slowest of them', '%.2f',
			against(\%result, 'three_servers', 'default', 'slowest'), '<=', 1.15),
		target('share of the allowance that was used', '%.1f %%',
			$result{'rate_limit.default'} ? 100 * $sample->('rate_limit.default', 'share') : undef, '>=', 98),
		target('requests answered with 429', '%.0f', $sample->('rate_limit.default', 'limited'), '<=', 0),
		target('insertions that the queue stores / into a plain table', '%.2f', against(\%result, 'queue_insert', 'queue', 'plain'), '<=', 1.5),
		target('transactions with the queue at 1 s latency / without', '%.2f', against(\%result, 'queue_commit', 'default', 'none'), '<=', 1.1),
		target('share of the allowance that a delivery used', '%.1f %%',
			$result{'queue_deliver.default'} ? 100 * $sample->('queue_deliver.default', 'share') : undef, '>=', 98),
		target('requests of a delivery answered with 429', '%.0f', $sample->('queue_deliver.default', 'limited'), '<=', 0),
		target('planning time of the CRM join', '%.2f ms', defined $planning ? 1000 * $planning : undef, '<', 1),
		target('CPU of a key of an email, of 1,000,000', '%.2f us', $value->('keys_emails.key', 'cpu'), '<', 1),
		target("keys of numbers / libphonenumber's parse and format", '%.2f', against(\%result, 'keys_numbers', 'key', 'floor'), '<=', 1.2),
		target('scrub by stored keys / by plain texts', '%.2f', against(\%result, 'scrub', 'key', 'text'), '<=', 1.2),
		target('scrub by stored keys / by lower(regexp_replace())', '%.2f', against(\%result, 'scrub', 'key', 'sql'), '<', 1),
		target('a full pass of a mirror / a scan into a temporary table', '%.2f', against(\%result, 'mirror_full', 'full', 'scan'), '<=', 1.3),
		target('the same at 100 ms latency', '%.2f', against(\%result, 'mirror_latency', 'full', 'scan'), '<=', 1.3),
		target('requests of a delta of 100 new entries', '%.0f', $value->('mirror_delta.delta', 'requests'), '<=', 3),
		target('a look-up beyond the bare request', '%.3f ms', overhead(\%result), '<', 0.2),
		target('requests beyond the fewest possible, all rows but rate_limit', '%.0f',
			surplus(\%result,
				'scan_10k.count' => 100, 'scan_100k.count' => 1000, 'scan_1m.count' => 10_000,
				'latency_cursor.default' => 10, 'latency_pages.default' => 68, 'latency_in.default' => 40,
				'three_servers.default' => 30, 'lookup.default' => 1000,
				'join.join_20000' => 1000, 'join.join_3' => 3, 'join.limit' => 1,
				'add.alta' => 200, 'add.sendkit' => 10, 'delete.default' => 1010, 'queue_insert.queue' => 0, 'queue_commit.default' => 0,
				'queue_deliver.default' => 301),
			'<=', 0));
}

1;
