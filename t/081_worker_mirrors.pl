# Mirrors that are refreshed by themselves: on their schedules, as their roles.  What is wrong
# with one of them is in the view, and holds up no other.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $dnc = DncTest->sandbox;
my $node = DncTest->cluster('main');

$node->append_conf('postgresql.conf', "fsync = off\ntimezone = 'UTC'\nmax_worker_processes = 20\n"
	. "shared_preload_libraries = 'dnc_fdw'\ndnc_fdw.databases = 'postgres'\ndnc_fdw.naptime = '1s'\n");
$node->start;

sub sql { my ($statements, %at) = @_; return $node->safe_psql('postgres', ($at{role} ? "SET ROLE $at{role}; " : '') . $statements) }
sub gives { my ($statements) = @_; return $dnc->gives($statements, node => $node) }
sub wait_until { my ($query, $name) = @_; my $end = time + 60; my $got = ''; while (time < $end) { $got = sql($query); return pass($name) if $got eq 't'; sleep 0.1 } fail($name); diag("$query: $got"); diag(sql('TABLE dnc_fdw_workers')); diag(sql('TABLE dnc_fdw_schedules; SELECT * FROM dnc_fdw_passes ORDER BY id DESC LIMIT 4')); return }
# A column of the schedule of a list.
sub schedule { my ($name, $column) = @_; return sql("SELECT $column FROM dnc_fdw_schedules WHERE source = '$name.list'::regclass") }
sub wait_for_schedule { my ($name, $condition, $what) = @_; wait_until("SELECT $condition FROM dnc_fdw_schedules WHERE source = '$name.list'::regclass", $what); return }

# Makes a list of an account, with its owner and its mirror.
sub make_list
{
	my ($name, $count) = @_;

	$dnc->control('PUT', "alta/$name/config?order=newest");
	$dnc->control('POST', "alta/$name/fill?count=$count");
	sql(qq{
		CREATE ROLE ${name}_owner LOGIN;
		GRANT CREATE ON DATABASE postgres TO ${name}_owner;
		CREATE SERVER $name FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url '@{[$dnc->url]}/alta/v1', max_retries '0', requests_per_minute '0');
		GRANT USAGE ON FOREIGN SERVER $name TO ${name}_owner;
		CREATE USER MAPPING FOR PUBLIC SERVER $name OPTIONS (token 'sandbox-$name');
		SET ROLE ${name}_owner;
		CREATE SCHEMA $name;
		IMPORT FOREIGN SCHEMA dnc FROM SERVER $name INTO $name;
		ALTER FOREIGN TABLE $name.communication_opt_outs RENAME TO list;
		SELECT dnc_fdw_mirror_create('$name.list');
	});
	return;
}

sql('CREATE EXTENSION dnc_fdw');
make_list('one', 250);
make_list('two', 30);

# ----- who may say so, and what -----

sql('CREATE ROLE nologin; CREATE ROLE other LOGIN; CREATE ROLE helper LOGIN; GRANT one_owner TO helper');
my @refused = (
	[ 'one_owner', "'one.list', '1 day', run_as => 'nologin'", qr/42501: cannot have the mirror.*\nDETAIL:  role "nologin" is not permitted to log in/ ],
	[ 'one_owner', "'one.list', '1 day', run_as => 'other'", qr/42501: .*\nDETAIL:  role "other" neither owns foreign table "list" nor is a member/ ],
	[ 'one_owner', "'one.list', '1 day', run_as => 'helper'", qr/42501: .*\nDETAIL:  the caller is no member of role "helper"/ ],
	[ 'postgres', "'one.list', '1 day'", qr/42501: .*\nDETAIL:  role "postgres" is a superuser, and the owner of foreign table "list" is not/ ],
	[ 'other', "'one.list', '1 day'", qr/42501: (?:must be owner of|permission denied)/ ],
	[ 'one_owner', "'one.list', '-1 day'", qr/22023: invalid value for argument "full_every"/ ],
	[ 'one_owner', "'one.list', '1 day', '0 s'", qr/22023: invalid value for argument "delta_every"/ ],
	[ 'one_owner', "'one.list', '1 day', '2 days'", qr/22023: delta_every must be shorter than full_every/ ],
	[ 'one_owner', "'one.bare', '1 day'", qr/42704: foreign table "bare" has no mirror\nHINT:  SELECT dnc_fdw_mirror_create\('one\.bare'\);/ ]);

sql('CREATE FOREIGN TABLE one.bare (identifier text, identifier_type text) SERVER one; GRANT USAGE ON SCHEMA one TO other; ALTER FOREIGN TABLE one.bare OWNER TO one_owner');
for my $case (@refused)
{
	my ($role, $arguments, $error) = @$case;

	like(gives("SET ROLE $role; SELECT dnc_fdw_mirror_schedule($arguments)"), $error, "$role: $arguments");
}
is(sql('SELECT count(*) FROM dnc_fdw_schedules'), 0, 'nothing is scheduled');

# ----- on schedule -----

sql(q{SELECT dnc_fdw_mirror_schedule('one.list', '1 day', '1 s')}, role => 'one_owner');
wait_for_schedule('one', q{ended_at IS NOT NULL AND message IS NULL}, 'a mirror is filled as soon as it has a schedule');
is(sql('SELECT count(*) FROM one.list_known'), 250, 'and can be read');
# Somebody else adds to the list: another account, for all that we know.
sql(qq{CREATE SERVER elsewhere FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url '@{[$dnc->url]}/alta/v1', account 'elsewhere');
	CREATE USER MAPPING FOR PUBLIC SERVER elsewhere OPTIONS (token 'sandbox-one');
	CREATE FOREIGN TABLE elsewhere (identifier text, identifier_type text) SERVER elsewhere;
	INSERT INTO elsewhere VALUES ('new\@test', 'email')});
wait_until(q{SELECT count(*) = 1 FROM one.list_known WHERE identifier = 'new@test'}, 'what is new comes with the next delta');
is(schedule('one', 'mode'), 'delta', 'which the view says');
sql(q{SELECT dnc_fdw_mirror_schedule('one.list', '2 s', run_as => 'helper')}, role => 'helper');
wait_until(q{SELECT count(*) >= 3 FROM dnc_fdw_passes WHERE source = 'one.list' AND mode = 'full'}, 'full passes, every two seconds, as a member of the owner');
is(schedule('one', 'run_as'), 'helper', 'whose name is in the view');
is(sql('SELECT count(*) FROM dnc_fdw_schedules', role => 'other'), 0, 'which shows only what one may read');

# ----- what is wrong with one holds up no other -----

sql(q{SELECT dnc_fdw_mirror_schedule('two.list', '2 s')}, role => 'two_owner');
wait_for_schedule('two', 'ended_at IS NOT NULL', 'another mirror');
sql('ALTER ROLE helper NOLOGIN');
wait_for_schedule('one', q{failures > 0 AND sqlstate = '28000' AND message = 'role "helper" is not permitted to log in'}, 'a role that cannot log in');
my $ended = schedule('two', 'ended_at');
wait_for_schedule('two', "ended_at > '$ended' AND failures = 0", 'holds up no other mirror');
sql('ALTER ROLE helper LOGIN; REVOKE CONNECT ON DATABASE postgres FROM PUBLIC');
sql(q{SELECT dnc_fdw_mirror_schedule('one.list', '2 s', run_as => 'helper')}, role => 'helper');
wait_for_schedule('one', q{failures > 0 AND sqlstate = '42501'}, 'a role that may not connect');
sql('GRANT CONNECT ON DATABASE postgres TO PUBLIC');
sql(q{SELECT dnc_fdw_mirror_schedule('one.list', '2 s', run_as => 'helper')}, role => 'helper');
wait_for_schedule('one', 'failures = 0 AND message IS NULL AND ended_at > began_at', 'until it may again');
sql('DROP ROLE helper');
wait_for_schedule('one', q{failures > 0 AND sqlstate = '42704' AND message ~ 'does not exist'}, 'a role that was dropped');
sql(q{SELECT dnc_fdw_mirror_schedule('one.list', '2 s')}, role => 'one_owner');
$dnc->control('POST', 'alta/two/fault?kind=status&arg=401&times=0');
wait_for_schedule('two', q{failures > 0 AND sqlstate = '28000' AND message ~ 'refused the token'}, 'a token that is refused');
$ended = schedule('one', 'coalesce(ended_at, now())');
wait_for_schedule('one', "ended_at > '$ended' AND failures = 0", 'holds up no other either');
$dnc->control('DELETE', 'alta/two/fault');
wait_for_schedule('two', 'failures = 0', 'and passes by itself');

# ----- somebody has a schedule in a transaction that stays open -----

sql(qq{CREATE SERVER queue FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url '@{[$dnc->url]}/alta/v1', requests_per_minute '0', write_mode 'queue');
	CREATE USER MAPPING FOR CURRENT_USER SERVER queue OPTIONS (token 'sandbox-queue');
	CREATE FOREIGN TABLE queue (identifier text, identifier_type text) SERVER queue});
my $open = $node->background_psql('postgres');
for my $statement (q{dnc_fdw_mirror_schedule('one.list', '2 s')}, q{dnc_fdw_mirror_schedule('one.list', NULL)})
{
	my $who = $statement =~ /NULL/ ? 'ended@test' : 'set@test';

	$open->query_safe("BEGIN; SET LOCAL ROLE one_owner; SELECT $statement");
	sleep 4;    # a pass has ended, or is due
	sql("INSERT INTO queue (identifier, identifier_type) VALUES ('$who', 'email')");
	wait_until("SELECT state = 'done' FROM dnc_fdw_queue WHERE identifier = '$who'", "$statement: what others write is sent meanwhile");
	$open->query_safe('ROLLBACK');
}
$open->quit;
$ended = schedule('one', 'coalesce(ended_at, now())');
wait_for_schedule('one', "ended_at > '$ended' AND failures = 0", 'and then the mirror is refreshed again');
sql(q{UPDATE dnc_fdw_mirror_schedules SET next_full = next_full + interval '30 days'});
$ended = schedule('one', 'coalesce(ended_at, now())');
wait_for_schedule('one', "ended_at > '$ended'", 'a pass that a clock has put off is due now');

# ----- a pass that is cut off goes on -----

$dnc->control('PUT', 'alta/one/config?latency_ms=1500');
my $slow = sql('SELECT clock_timestamp()');
wait_until("SELECT count(*) = 1 FROM dnc_fdw_passes WHERE source = 'one.list' AND ended_at IS NULL AND began_at > '$slow' AND pages >= 1", 'a pass is on its way');
sql(q{SELECT pg_terminate_backend(pid) FROM dnc_fdw_workers WHERE kind = 'mirror' AND relation = 'one.list'::regclass});
wait_for_schedule('one', q{failures > 0 AND message ~ 'administrator command'}, 'it is ended');
$dnc->control('PUT', 'alta/one/config?latency_ms=0');
wait_until(q{SELECT bool_or(resumes > 0) FROM dnc_fdw_passes WHERE source = 'one.list'}, 'the next worker goes on with it');

# ----- no schedule any more -----

is(gives(q{SET ROLE other; SELECT dnc_fdw_mirror_schedule('one.list', NULL)}) =~ /42501/, 1, 'not everybody may end it');
sql(q{SELECT dnc_fdw_mirror_schedule('one.list', NULL)});
is(schedule('one', 'count(*)'), 0, 'full_every NULL ends it, for a superuser too, who could not be run_as');
is(sql(q{SELECT dnc_fdw_mirror_drop('two.list'); SELECT count(*) FROM dnc_fdw_mirror_schedules}), "\n0", 'and so does the end of the mirror');
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal/, 'no process has crashed');

$dnc->stop_sandbox;
$node->stop;
done_testing();
