# Where background processes do not run: without shared_preload_libraries, on a standby until its
# promotion, in single-user mode, under pg_upgrade.  And where there is no room for them.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use IPC::Run;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $dnc = DncTest->sandbox;
my $node = DncTest->cluster('main');
my $json = JSON::PP->new->utf8;

$node->append_conf('postgresql.conf', "fsync = off\ntimezone = 'UTC'\nwal_level = replica\nmax_wal_senders = 5\ndnc_fdw.databases = 'postgres'\ndnc_fdw.naptime = '1s'\n");
$node->start;

sub listed { my ($name) = @_; return join ' ', sort map { $_->{identifier} } @{ $json->decode($dnc->control('GET', "alta/$name/entries")) } }
sub wait_for { my ($what, $condition) = @_; my $end = time + 60; while (time < $end) { return pass($what) if $condition->(); sleep 0.05 } fail($what); return }
sub workers { my ($at, $columns) = @_; return $at->safe_psql('postgres', "SELECT $columns FROM dnc_fdw_workers ORDER BY kind") }
sub processes { my ($at) = @_; return $at->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'dnc_fdw %'}) }
sub add { my ($who, $name) = @_; return $node->safe_psql('postgres', "INSERT INTO $name (identifier, identifier_type) VALUES ('$who', 'email')") }

$node->safe_psql('postgres', 'CREATE EXTENSION dnc_fdw;' . join '', map { qq{
	CREATE SERVER $_ FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url '@{[$dnc->url]}/alta/v1', max_retries '0', requests_per_minute '0', write_mode 'queue');
	CREATE USER MAPPING FOR CURRENT_USER SERVER $_ OPTIONS (token 'sandbox-$_');
	CREATE FOREIGN TABLE $_ (identifier text, identifier_type text) SERVER $_; } } 'one', 'two');
$dnc->control('DELETE', "alta/$_") for 'one', 'two';

# ----- not preloaded: as ever -----

add('first@test', 'one');
is(workers($node, q{concat_ws(' ', kind, state, message)}), 'launcher ended dnc_fdw is not in shared_preload_libraries', 'the view says why nothing runs');
is($node->safe_psql('postgres', q{CALL dnc_fdw_deliver('one')}), '', 'a delivery by CALL');
is(listed('one'), 'first@test', 'works as ever');
add('second@test', 'one');

# ----- pg_upgrade, single-user mode -----

$node->append_conf('postgresql.conf', "shared_preload_libraries = 'dnc_fdw'\n");
$node->stop;
PostgreSQL::Test::Utils::system_or_bail('pg_ctl', '-w', '-D', $node->data_dir, '-l', $node->logfile, '-o', '-b', 'start');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'dnc_fdw %'}), 0, 'pg_upgrade has no launcher');
PostgreSQL::Test::Utils::system_or_bail('pg_ctl', '-w', '-D', $node->data_dir, 'stop');
my $out = '';
IPC::Run::run([ 'postgres', '--single', '-D', $node->data_dir, 'postgres' ], '<', \"SELECT count(*) FROM dnc_fdw_queue WHERE state = 'waiting'\n", '>', \$out, '2>&1');
like($out, qr/count = "1"/, 'single-user mode runs');
unlike($out, qr/background|launcher|WARNING|ERROR/, 'and has none either');
is(listed('one'), 'first@test', 'nothing was sent');

# ----- preloaded, and not installed any more: docs/install.md -----

SKIP:
{
	my $run = DncTest->without_phone_library($node, 'postgres', 'dnc_fdw') or skip 'an installation of another layout', 1;

	like($run->('SELECT 1'), qr/^[^\n]*FATAL:  could not access file "dnc_fdw": No such file or directory$/m, 'the server does not start, as docs/install.md says');
}

# ----- no room -----

# The launcher of logical replication has a place, too.
my $room = sub { my ($places) = @_; $node->append_conf('postgresql.conf', "max_worker_processes = $places\n"); $node->restart if $node->psql('postgres', 'SELECT 1') == 0; return };
$node->append_conf('postgresql.conf', "max_worker_processes = 3\n");
$node->start;
wait_for('without room for a delivery the view says so', sub { workers($node, q{concat_ws(' ', kind, sqlstate, message)}) =~ /^delivery 53400 .*max_worker_processes is too low/m });
like(slurp_file($node->logfile), qr/WARNING:  could not start "dnc_fdw delivery to one"\n.*HINT:  Raise max_worker_processes/s, 'and the log');
is($node->safe_psql('postgres', q{CALL dnc_fdw_deliver('one')}), '', 'all else works');
is(listed('one'), 'first@test second@test', 'CALL too');
wait_for('then nothing is wrong any more', sub { workers($node, 'kind') !~ /delivery/ });
$room->(4);
add("turn$_\@test", $_ % 2 ? 'one' : 'two') for 1 .. 4;
wait_for('one place serves two servers in turn', sub { listed('one') eq 'first@test second@test turn1@test turn3@test' && listed('two') eq 'turn2@test turn4@test' });
$room->(2);
wait_for('without room for the scheduler', sub { workers($node, q{concat_ws(' ', kind, sqlstate)}) =~ /^scheduler 53400/m });
is($node->safe_psql('postgres', 'SELECT count(*) FROM one'), 4, 'all else works');
$room->(20);
wait_for('with room it runs', sub { workers($node, q{concat_ws(' ', kind, state)}) =~ /^scheduler running/m });

# ----- a standby, and its promotion -----

$node->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->start;
$node->append_conf('postgresql.conf', "dnc_fdw.background = off\n");
$node->reload;
wait_for('the primary is switched off', sub { processes($node) == 1 });
add('standby@test', 'one');
$node->wait_for_catchup($standby);
sleep 2;
is(processes($standby), 0, 'nothing runs on a standby');
is(workers($standby, q{concat_ws(' ', kind, state)}), 'launcher ended', 'as its view shows');
unlike(listed('one'), qr/standby/, 'nothing is sent');
$node->stop;
$standby->promote;
wait_for('a promotion starts it', sub { listed('one') =~ /standby\@test/ });
wait_for('with its processes', sub { workers($standby, q{concat_ws(' ', kind, state)}) =~ /scheduler running/ });
unlike(slurp_file($_->logfile), qr/PANIC|TRAP|terminated by signal/, 'no process has crashed') for $node, $standby;

$standby->stop;
$dnc->stop_sandbox;
done_testing();
