# What all sessions of the cluster do: dnc_fdw_totals() counts what they have sent, with
# shared_preload_libraries and without; dnc_fdw_progress has what runs now, and nothing
# after its end, however it ends.  Both show each role what it may see.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $dnc = DncTest->new;
my $node = $dnc->node;
my $list = 'communication_opt_outs';
my $total = q{SELECT coalesce(string_agg(concat_ws(' ', database, server, requests, retries, rows_read, rows_added, rows_deleted),
	E'\n' ORDER BY database, server), 'none') FROM dnc_fdw_totals()};

$dnc->make_server('one', 250);
$node->safe_psql('postgres', 'CREATE DATABASE other');

# ----- without shared_preload_libraries -----

if ($node->pg_version < 17)
{
	like($dnc->gives("SELECT count(*) FROM one.$list; SELECT * FROM dnc_fdw_totals()"),
		qr/^250\nERROR:  55000: the cluster's requests are not counted\n.*\nHINT:  Set shared_preload_libraries = 'dnc_fdw'/,
		'nothing is counted without shared memory');
	like($dnc->gives('SELECT * FROM dnc_fdw_progress'), qr/^ERROR:  55000: the cluster's requests are not counted\n/, 'nor shown');
	$node->append_conf('postgresql.conf', "shared_preload_libraries = 'dnc_fdw'\n");
}
else
{
	$node->safe_psql('postgres', "SELECT count(*) FROM one.$list");
	is($node->safe_psql('postgres', $total), 'postgres one 3 0 250 0 0', 'another session has counted without preloading');
	is($node->safe_psql('postgres', 'SELECT count(*) FROM dnc_fdw_progress'), 0, 'and can be seen');
	$node->append_conf('postgresql.conf', "shared_preload_libraries = 'dnc_fdw'\n");
}

# ----- with it -----

$node->restart;
is($node->safe_psql('postgres', $total), 'none', 'a restart begins anew');
$node->safe_psql('postgres', "SELECT count(*) FROM one.$list") for 1, 2;
is($node->safe_psql('postgres', $total), 'postgres one 6 0 500 0 0', 'sessions that have ended are counted');
$dnc->control('POST', 'alta/one/fault?kind=status&arg=503');
$dnc->gives("BEGIN; INSERT INTO one.$list (identifier, identifier_type) VALUES ('a\@example.com', 'email'); COMMIT;
	DELETE FROM one.$list WHERE identifier = 'a\@example.com' AND identifier_type = 'email'");
is($node->safe_psql('postgres', $total), 'postgres one 10 1 501 1 1', 'retries, additions and deletions');
is($node->safe_psql('postgres', 'SELECT bytes_received > 0, wait_ms > 0, now() - since BETWEEN interval $$0$$ AND interval $$5 min$$
	FROM dnc_fdw_totals()'), 't|t|t', 'bytes, waits and the beginning');
$dnc->gives("BEGIN; SELECT count(*) FROM one.$list; ROLLBACK");
is($node->safe_psql('postgres', 'SELECT requests FROM dnc_fdw_totals()'), 13, 'a rollback takes nothing back');
$node->safe_psql('postgres', 'SELECT dnc_fdw_stats_reset()');
is($node->safe_psql('postgres', 'SELECT requests FROM dnc_fdw_totals()'), 13, 'nor does dnc_fdw_stats_reset()');

# Many sessions at once lose nothing.
my @sessions = map { $node->background_psql('postgres') } 1 .. 4;
$_->query_until(qr/go/, "\\echo go\nSELECT count(*) FROM one.$list, generate_series(1, 3);\n") for @sessions;
$_->query('SELECT 1') for @sessions;
$_->quit for @sessions;
is($node->safe_psql('postgres', 'SELECT requests, rows_read FROM dnc_fdw_totals()'), '25|1751', 'sessions at once');

# A server of the same name in another database; one that is renamed, dropped, and made again.
my $make = sub {
	my ($name) = @_;

	return "CREATE SERVER $name FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url '@{[ $dnc->url ]}/alta/v1');
		CREATE USER MAPPING FOR CURRENT_USER SERVER $name OPTIONS (token 'sandbox-none')";
};
$node->safe_psql('other', "CREATE EXTENSION dnc_fdw; @{[ $make->('one') ]}; SELECT * FROM dnc_fdw_check('one')");
is($node->safe_psql('other', q{SELECT database, server, requests FROM dnc_fdw_totals() ORDER BY 1}), "other|one|1\npostgres|one|25",
	'of all databases');
$node->safe_psql('other', "SELECT * FROM dnc_fdw_check('one'); ALTER SERVER one RENAME TO two; SELECT * FROM dnc_fdw_check('two');
	DROP SERVER two CASCADE; @{[ $make->('one') ]}; SELECT * FROM dnc_fdw_check('one')");
is($node->safe_psql('other', q{SELECT server, requests FROM dnc_fdw_totals() WHERE database = 'other' ORDER BY 1}), "one|3\ntwo|1",
	'names are the labels');

# ----- who sees what -----

$node->safe_psql('postgres', "CREATE ROLE watcher IN ROLE pg_monitor; CREATE ROLE user_of_one; CREATE ROLE nobody;
	GRANT USAGE ON FOREIGN SERVER one TO user_of_one");
is($node->safe_psql('postgres', "SET ROLE watcher; SELECT count(*) FROM dnc_fdw_totals()"), 3, 'pg_monitor sees all');
is($node->safe_psql('postgres', "SET ROLE user_of_one; SELECT database, server FROM dnc_fdw_totals()"), 'postgres|one', 'a user of a server its row');
is($node->safe_psql('other', "SET ROLE user_of_one; SELECT count(*) FROM dnc_fdw_totals()"), 0, 'and not that of another database');
is($node->safe_psql('postgres', "SET ROLE nobody; SELECT count(*) FROM dnc_fdw_totals()"), 0, 'others see nothing');

# ----- more servers than there is room for -----

$node->safe_psql('other', qq{DO \$\$ BEGIN FOR i IN 1 .. 260 LOOP
	EXECUTE format('CREATE SERVER s%s FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider ''alta'', base_url ''@{[ $dnc->url ]}/alta/v1'', requests_per_minute ''0'');
	  CREATE USER MAPPING FOR CURRENT_USER SERVER s%s OPTIONS (token ''sandbox-none'')', i, i);
	PERFORM dnc_fdw_check('s' || i); END LOOP; END \$\$});
is($node->safe_psql('other', q{SELECT count(*), count(server), sum(requests), sum(requests) FILTER (WHERE server IS NULL) FROM dnc_fdw_totals()}),
	'257|256|289|7', 'the last ones are counted together');
is($node->safe_psql('other', q{SELECT count(*) FROM dnc_fdw_totals() WHERE server IS NULL AND database IS NULL}), 1, 'in a row without names');
is($node->safe_psql('other', q{SET ROLE user_of_one; SELECT count(*) FROM dnc_fdw_totals()}), 0, 'which is for pg_read_all_stats only');
like($node->safe_psql('postgres', "SELECT * FROM dnc_fdw_check('one'); SELECT requests FROM dnc_fdw_totals() WHERE database = 'postgres'"),
	qr/^26$/m, 'servers that were there keep their rows');

# ----- what runs now -----

$node->safe_psql('postgres', 'CREATE ROLE reader; GRANT USAGE ON SCHEMA one TO reader; GRANT ALL ON ALL TABLES IN SCHEMA one TO reader;
	CREATE USER MAPPING FOR reader SERVER one OPTIONS (token $$sandbox-one$$)');
$dnc->control('POST', 'alta/one/fill?count=450');
my $session;

# What the view shows of the session, but for times.
my $columns = q{concat_ws(' ', datname, server, relation, action, pages, rows, expected_rows, requests, waiting_until IS NOT NULL)};
sub shown
{
	my ($role) = @_;

	return $node->safe_psql('postgres', "SET ROLE $role; SELECT pid = $session->{pid}, $columns FROM dnc_fdw_progress");
}

# Runs a statement in a new session; it is to hang at the request with this number.
sub begin
{
	my ($statement, $at, $role, $fault) = @_;

	$dnc->control('DELETE', 'alta/one/fault');
	$dnc->control('POST', "alta/one/fault?kind=" . ($fault // 'stall') . "&at=$at");
	$session = $node->background_psql('postgres', on_error_stop => 0);
	$session->{pid} = $session->query('SELECT pg_backend_pid()');
	$session->query("SET SESSION AUTHORIZATION $role");
	my $before = () = $dnc->control('GET', 'alta/one/log') =~ /\n/g;
	$session->query_until(qr/go/, "\\echo go\n$statement;\n");
	$dnc->poll(sub { my @all = $dnc->control('GET', 'alta/one/log') =~ /\n/g; return @all >= $before + $at });
	return;
}

# Ends the statement, and finds nothing left of it.
sub ends
{
	my ($how, $name) = @_;

	$node->safe_psql('postgres', "SELECT $how($session->{pid})");
	$node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM dnc_fdw_progress') or fail("$name: still there");
	is($node->safe_psql('postgres', 'SELECT count(*) FROM dnc_fdw_progress'), 0, "$name: nothing is left");
	$session->query('SELECT 1') if $how eq 'pg_cancel_backend';
	eval { $session->quit };
	return;
}

$node->safe_psql('postgres', "ALTER SERVER one OPTIONS (ADD estimated_rows '900', ADD max_concurrency '1')");
begin("SELECT count(*) FROM one.$list", 4, 'reader');
is(shown('reader'), "t|postgres one one.$list scan 3 300 900 4 f", 'a scan, to its own role');
is(shown('watcher'), "t|postgres one one.$list scan 3 300 900 4 f", 'and to pg_monitor');
is(shown('nobody'), 't|postgres f', 'others see that there is something');
is($node->safe_psql('other', "SELECT relation IS NULL, relid IS NOT NULL, datname FROM dnc_fdw_progress"), 't|t|postgres',
	'from another database without the name of the table');
ends('pg_cancel_backend', 'a scan that is cancelled');

begin("ANALYZE one.$list", 2, 'CURRENT_USER');
is(shown('watcher'), "t|postgres one one.$list analyze 1 100 900 2 f", 'ANALYZE');
ends('pg_terminate_backend', 'a backend that is terminated');

my $insert = "INSERT INTO one.$list (identifier, identifier_type) SELECT format('%s\@example.org', i), 'email' FROM generate_series(1, 1200) i";
begin("BEGIN; $insert; COMMIT", 2, 'reader');
is(shown('reader'), "t|postgres one one.$list commit 0 500 1200 2 f", 'COMMIT');
ends('pg_cancel_backend', 'a COMMIT that is cancelled');

$node->safe_psql('postgres', "ALTER SERVER one OPTIONS (ADD write_mode 'immediate')");
begin($insert, 1, 'reader');
like(shown('reader'), qr/^t\|postgres one one.$list write 0 0 \d+ 1 f$/, 'a statement that sends at once');
ends('pg_cancel_backend', 'which is cancelled');

# A delivery of the queue, and a pass of a mirror.
$node->safe_psql('postgres', "ALTER SERVER one OPTIONS (SET write_mode 'queue'); SET ROLE reader; $insert");
begin("CALL dnc_fdw_deliver('one')", 1, 'CURRENT_USER');
is(shown('watcher'), 't|postgres one deliver 0 0 500 1 f', 'a round of a delivery');
ends('pg_cancel_backend', 'a delivery that is cancelled');
$node->safe_psql('postgres', "ALTER SERVER one OPTIONS (SET write_mode 'commit'); SELECT dnc_fdw_mirror_create('one.$list')");
begin("CALL dnc_fdw_mirror_refresh('one.$list')", 3, 'CURRENT_USER');
like(shown('watcher'), qr/^t\|postgres one one\.$list mirror 2 200 \d* ?3 f$/, 'a pass of a mirror');
ends('pg_terminate_backend', 'a pass that is terminated');
$node->safe_psql('postgres', "SELECT dnc_fdw_mirror_drop('one.$list')");

# A wait for the rate limit; a statement that fails; a subtransaction; a cursor that is left open.
begin("SELECT count(*) FROM one.$list", 2, 'reader', 'status&arg=429&retry_after=60');
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM dnc_fdw_progress WHERE waiting_until IS NOT NULL") or fail('does not wait');
is($node->safe_psql('postgres', q{SELECT waiting_until BETWEEN now() + interval '40 s' AND now() + interval '80 s',
	started_at BETWEEN now() - interval '1 min' AND now() FROM dnc_fdw_progress}), 't|t', 'until when it waits');
ends('pg_cancel_backend', 'a wait');
$node->safe_psql('postgres', "ALTER SERVER one OPTIONS (ADD max_retries '0', SET write_mode 'commit')");
$node->restart;    # the rate limit is forgotten
my $now = "SELECT count(*) FROM dnc_fdw_progress";
my $fails = "DO \$\$ BEGIN PERFORM count(*) FROM one.$list; EXCEPTION WHEN OTHERS THEN RAISE NOTICE '%', SQLSTATE; END \$\$";
$dnc->control('DELETE', 'alta/one/fault');
$dnc->control('POST', 'alta/one/fault?kind=garbage&at=2');
like($dnc->gives("BEGIN; $fails; $now; COMMIT"), qr/^0\nNOTICE:  00000: 08P01/m, 'an error in a subtransaction');
$dnc->control('POST', 'alta/one/fault?kind=garbage&at=2');
like($dnc->gives("SELECT count(*) FROM one.$list; $now"), qr/^0\nERROR:  08P01/m, 'an error');
like($dnc->gives("BEGIN; DECLARE c CURSOR FOR SELECT 1 FROM one.$list; FETCH c; $now; CLOSE c; $now; COMMIT"), qr/^1\n1\n0$/m, 'a cursor');
like($dnc->gives("BEGIN; DECLARE c CURSOR FOR SELECT 1 FROM one.$list; FETCH c; $now; ROLLBACK; $now"), qr/^1\n1\n0$/m,
	'a cursor that ROLLBACK closes');

# More than there is room for: what finds none runs unseen.
my $cursors = join ' ', map { "DECLARE c$_ CURSOR FOR SELECT 1 FROM one.$list LIMIT 1; FETCH c$_;" } 1 .. 260;
like($dnc->gives("BEGIN; $cursors $now; COMMIT; $now"), qr/\n256\n0$/, 'no more than 256 are shown');

$dnc->stop;
done_testing();
