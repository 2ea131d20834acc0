# The memory of a scan does not grow with the list.  (What failures leave behind:
# t/019_request_leaks.pl.)

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $dnc = DncTest->new;
my $node = $dnc->node;

# A line of a process's /proc/PID/status, in kB.
sub status_kb
{
	my ($pid, $line) = @_;

	slurp_file("/proc/$pid/status") =~ /^$line:\s+(\d+) kB/m or die "no $line";
	return $1;
}

# What VmHWM is after a query that gives a result, in a session of its own.
sub peak_of
{
	my ($query, $result, $name) = @_;
	my $session = $node->background_psql('postgres');
	my $pid = $session->query('SELECT pg_backend_pid()');

	is($session->query($query), $result, $name);
	my $peak = status_kb($pid, 'VmHWM');
	$session->quit;
	return $peak;
}

# The peak of one scan of a new list.
sub peak_after
{
	my ($account, $count) = @_;

	$dnc->make_server($account, $count);
	return peak_of("SELECT count(*), max(created_at) > min(created_at) FROM $account.communication_opt_outs",
		"$count|t", "all of $count entries are read");
}

my $small = peak_after('small', 10_000);
my $large = peak_after('large', 1_000_000);
note "peak: $small kB at 10,000 entries, $large kB at 1,000,000";
cmp_ok($large - $small, '<', 8 * 1024, 'a list a hundred times as long takes no more memory');
is(scalar(split /\n/, $dnc->take_log('small')), 100, '10,000 entries take 100 requests');

# A scan that is run again keeps its rows on disk; so does a nested loop that reads the list in
# place of lookups, with an index that is bounded.
my $again = peak_of(q{SET work_mem = '64kB'; SELECT n, s.* FROM generate_series(1, 2) n,
	LATERAL (SELECT count(*) FROM large.communication_opt_outs WHERE length(identifier) > n) s}, "1|1000000\n2|1000000", 'a list is kept');
note "peak: $again kB where the list is kept";
cmp_ok($again - $large, '<', 8 * 1024, 'rows that are kept take no more memory');

# Values of an array take memory in proportion: some 200 bytes each.
my $values = peak_of(q{SELECT count(*) FROM small.communication_opt_outs WHERE identifier = ANY (ARRAY(SELECT 'nobody' || n FROM generate_series(1, 50000) n))}, 0, '50,000 values');
note "peak: $values kB with 50,000 values";
cmp_ok($values - $large, '<', 16 * 1024, 'values take little memory');
$dnc->make_server('looked', 200_000, "estimated_rows '1000'");
$node->safe_psql('postgres', q{CREATE FUNCTION a_few() RETURNS SETOF text LANGUAGE sql VOLATILE ROWS 1
	AS $$SELECT 'person' || lpad((6 * n + 1)::text, 6, '0') || '@example.com' FROM generate_series(1, 20) n$$});
my $looked = peak_of(q{SET work_mem = '64kB'; SELECT count(d) FROM a_few() LEFT JOIN looked.communication_opt_outs d ON identifier = a_few},
	20, 'a list is read in place of lookups');
note "peak: $looked kB where the list is stored for lookups";
# The index may have 4 MB, and half as much again while it grows.
cmp_ok($looked - $large, '<', 8 * 1024 + 6 * 1024, 'a list that is stored takes no more memory than its index may have');
cmp_ok(scalar(split /\n/, $dnc->take_log('looked')), '<=', 2010, 'and 2,000 requests, with 10 before it');

$dnc->stop;
done_testing();
