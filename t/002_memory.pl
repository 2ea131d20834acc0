# The memory of a scan does not grow with the list, and a scan that fails
# leaves nothing behind.

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

sub open_files
{
	my ($pid) = @_;
	my @files = glob "/proc/$pid/fd/*";

	return scalar @files;
}

# One session each, so that VmHWM is what one list takes at the most.
sub peak_after
{
	my ($account, $count) = @_;

	$dnc->make_server($account, $count);
	my $session = $node->background_psql('postgres');
	my $pid = $session->query('SELECT pg_backend_pid()');
	is($session->query(
			"SELECT count(*), max(created_at) > min(created_at) FROM $account.communication_opt_outs"),
		"$count|t", "all of $count entries are read");
	my $peak = status_kb($pid, 'VmHWM');
	$session->quit;
	return $peak;
}

my $small = peak_after('small', 10_000);
my $large = peak_after('large', 1_000_000);
note "peak: $small kB at 10,000 entries, $large kB at 1,000,000";
cmp_ok($large - $small, '<', 8 * 1024, 'a list a hundred times as long takes no more memory');
is(scalar(split /\n/, $dnc->take_log('small')), 100, '10,000 entries take 100 requests');

# Failures of each kind, again and again in one session.
$dnc->make_server('failing', 250, "max_retries '0', request_timeout '1s'");
my @faults = ('status&arg=500', 'cut', 'html', 'truncated', 'no_next', 'no_has_more',
	'repeat_cursor&at=2', 'status&arg=429', 'redirect&arg=http://127.0.0.1:1/');
my $session = $node->background_psql('postgres', on_error_stop => 0);
my $pid = $session->query('SELECT pg_backend_pid()');
my ($memory, $files);
my $errors = 0;

for my $round (1 .. 30)
{
	for my $fault (@faults)
	{
		$dnc->control('POST', "alta/failing/fault?kind=$fault");
		$session->query('SELECT count(*) FROM failing.communication_opt_outs');
		$errors++ if $session->{stderr} =~ /ERROR:/;
		$session->{stderr} = '';
	}
	if ($round == 10)
	{
		$memory = status_kb($pid, 'VmRSS');
		$files = open_files($pid);
	}
}
is($errors, 30 * @faults, 'every fault is an error');
cmp_ok(status_kb($pid, 'VmRSS') - $memory, '<', 1024, '180 failing scans leave no memory behind');
cmp_ok(open_files($pid), '<=', $files, '180 failing scans leave no file descriptor behind');
is($session->query('SELECT count(*) FROM failing.communication_opt_outs'), 250, 'the session goes on');
is($session->query("SELECT string_agg(name, ', ') FROM pg_backend_memory_contexts
		WHERE name LIKE 'dnc_fdw%' AND name NOT IN ('dnc_fdw allowances', 'dnc_fdw requests of a statement')"),
	'', 'no memory context of ours outlives its query, but for what counts requests');
$session->quit;

$dnc->stop;
done_testing();
