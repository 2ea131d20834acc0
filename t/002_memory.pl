# The memory of a scan does not grow with the list.  (What failures leave behind:
# t/019_leaks.pl.)

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

$dnc->stop;
done_testing();
