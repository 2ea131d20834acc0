# The memory of a mirror's passes and merges does not grow with the list.
# DNC_MEMORY_ENTRIES sets the length of the long list.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $entries = $ENV{DNC_MEMORY_ENTRIES} || 100_000;
my $dnc = DncTest->new;
my $node = $dnc->node;

# VmHWM counts the shared buffers that a backend has touched, so there are few of them.  A merge
# ends with ANALYZE: 300 rows for each unit of the statistics target, which both lists have.
$node->append_conf('postgresql.conf', "shared_buffers = '1MB'\nwork_mem = '1MB'\ndefault_statistics_target = 30\n");
$node->restart;

# What VmHWM of a session is, in kB, after a full pass of an account's mirror.
sub peak_of_pass
{
	my ($account, $mode) = @_;
	my $session = $node->background_psql('postgres');
	my $pid = $session->query('SELECT pg_backend_pid()');

	is($session->query("CALL dnc_fdw_mirror_refresh('$account.communication_opt_outs'$mode)"), '', "$account: a pass");
	my ($peak) = slurp_file("/proc/$pid/status") =~ /^VmHWM:\s+(\d+) kB/m;
	$session->quit;
	return $peak;
}

# The peaks of the first fill, of a pass that merges many differences, and of a delta.
sub peaks
{
	my ($account, $count) = @_;
	my $known = "SELECT count(*) FROM $account.communication_opt_outs_known";
	my @peaks;

	$dnc->make_server($account, $count);
	$dnc->control('PUT', "alta/$account/config?order=newest");
	$node->safe_psql('postgres', "SELECT dnc_fdw_mirror_create('$account.communication_opt_outs', max_loss => 1.0)");
	push @peaks, peak_of_pass($account, '');
	is($node->safe_psql('postgres', $known), $count, "$account: all of $count entries are known");
	# Nobody is on the list who was on it, and as many others are.
	$dnc->control('DELETE', "alta/$account");
	$dnc->control('PUT', "alta/$account/config?order=newest");
	$dnc->control('POST', "alta/$account/fill?count=$count&from=" . ($count + 1));
	push @peaks, peak_of_pass($account, '');
	is($node->safe_psql('postgres', $known), 2 * $count, "$account: and $count more");
	push @peaks, peak_of_pass($account, ", mode => 'delta'");
	return @peaks;
}

my @small = peaks('small', 10_000);
my @large = peaks('large', $entries);
for my $pass ('the first fill', 'a pass with other entries', 'a delta')
{
	my ($small, $large) = (shift @small, shift @large);

	note "$pass: $small kB at 10,000 entries, $large kB at $entries";
	cmp_ok($large - $small, '<', 8 * 1024, "$pass: a longer list takes no more memory");
}

# A session that screens one contact with each statement, and gets errors, keeps nothing.
my $session = $node->background_psql('postgres');
my $memory = 'SELECT sum(total_bytes) FROM pg_backend_memory_contexts';
my $screens = q{DO $$ BEGIN FOR i IN 1 .. %d LOOP BEGIN EXECUTE 'SELECT dnc_fdw_screen(''small.communication_opt_outs'', ''a@b.c'', ''email'')'; EXCEPTION WHEN object_not_in_prerequisite_state THEN NULL; END; END LOOP; END $$};
for my $term ('26 hours', '1 microsecond')
{
	$node->safe_psql('postgres', "SELECT dnc_fdw_mirror_alter('small.communication_opt_outs', max_age => '$term')");
	$session->query_safe(sprintf $screens, 20);
	my $before = $session->query_safe($memory);
	$session->query_safe(sprintf $screens, 1000);
	cmp_ok($session->query_safe($memory) - $before, '<', 1024 * 1024, "1,000 screenings in a session, max_age $term: no memory is kept");
}
$session->quit;

$dnc->stop;
done_testing();
