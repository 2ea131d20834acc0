# What runs by itself: launcher, schedulers, deliveries.  What is committed is sent; and
# nothing that is wrong with one database, role or server harms another, or hangs.

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

$node->append_conf('postgresql.conf', "fsync = off\ntimezone = 'UTC'\nmax_prepared_transactions = 2\nmax_worker_processes = 20\n"
	. "shared_preload_libraries = 'dnc_fdw'\ndnc_fdw.databases = 'crm, \"Other\", nowhere'\ndnc_fdw.naptime = '1s'\n");
$node->start;

sub sql { my ($statements, $database) = @_; return $node->safe_psql($database // 'crm', $statements) }
sub set { my ($name, $value) = @_; $node->append_conf('postgresql.conf', "$name = $value\n"); $node->reload; return }
sub wait_until { my ($query, $name, $database) = @_; my $end = time + 60; my $got = ''; while (time < $end) { $got = sql($query, $database); return pass($name) if $got eq 't'; sleep 0.05 } fail($name); diag("$query: $got"); diag(sql('TABLE dnc_fdw_workers', 'crm')); return }
sub wait_for { my ($what, $condition) = @_; my $end = time + 60; while (time < $end) { return pass($what) if $condition->(); sleep 0.02 } fail($what); diag(sql('TABLE dnc_fdw_workers')); return }
sub control { my ($method, $name, $what) = @_; return $dnc->control($method, "alta/$name$what") }
sub listed { my ($name) = @_; return join ' ', sort map { $_->{identifier} } @{ $json->decode(control('GET', $name, '/entries')) } }
sub add { my ($who, $name) = @_; $name //= 'alta'; return "INSERT INTO $name.list (identifier, identifier_type) VALUES ('$who', 'email')" }
# A column of the one process of a kind in a database.
sub process { my ($kind, $database, $column) = @_; return sql("SELECT $column FROM dnc_fdw_workers WHERE kind = '$kind' AND database = '$database'") }
# What runs in a database, by pg_stat_activity.
sub running { my ($database) = @_; return $node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE datname = '$database' AND backend_type LIKE 'dnc_fdw %'") }

# Makes a server in a database, with a schema of its name; its account is of that name too.
sub make_server
{
	my ($name, $database, $more) = @_;

	sql(qq{
		CREATE SERVER $name FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url '@{[$dnc->url]}/alta/v1',
		  max_retries '0', requests_per_minute '0', write_mode 'queue'@{[$more // '']});
		CREATE USER MAPPING FOR CURRENT_USER SERVER $name OPTIONS (token 'sandbox-$name');
		CREATE SCHEMA $name;
		CREATE FOREIGN TABLE $name.list (identifier text, identifier_type text) SERVER $name;
	}, $database);
	return;
}

# ----- databases that are not there, and those that have no extension -----

$node->safe_psql('postgres', 'CREATE DATABASE crm; CREATE DATABASE "Other"');
sql('CREATE EXTENSION dnc_fdw');
wait_until(q{SELECT pid IS NOT NULL FROM dnc_fdw_workers WHERE kind = 'scheduler' AND database = 'crm'}, 'a database that is made later gets a scheduler');
is(process('scheduler', 'nowhere', q{sqlstate || ': ' || message || coalesce(pid::text, '')}), '3D000: database "nowhere" does not exist', 'a database that does not exist');
wait_until(q{SELECT pid IS NULL AND message ~ 'is not installed in this database' AND next_start IS NOT NULL FROM dnc_fdw_workers
	WHERE kind = 'scheduler' AND database = 'Other'}, 'a database without the extension');
is(sql(q{SELECT state, message IS NULL, pid IS NOT NULL FROM dnc_fdw_workers WHERE kind = 'launcher'}), 'running|t|t', 'the launcher');

# ----- delivery -----

make_server('alta', 'crm');
my $began = time;
sql(add('first@test'));
wait_for('what is committed is on the list', sub { listed('alta') eq 'first@test' });
note sprintf 'within %.0f ms', 1000 * (time - $began);
$began = time;
sql(add('second@test'));
wait_for('and what follows', sub { listed('alta') eq 'first@test second@test' });
note sprintf 'within %.0f ms', 1000 * (time - $began);
wait_until(q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'dnc_fdw delivery' AND application_name = 'dnc_fdw delivery to alta'
	AND state = 'idle' AND backend_xmin IS NULL}, 'pg_stat_activity shows the delivery');

wait_until(q{SELECT count(*) = 0 FROM dnc_fdw_workers WHERE kind = 'delivery'}, 'a delivery that has nothing to do ends');

sql('BEGIN; ' . add('rolled@test') . '; ROLLBACK');
sql('BEGIN; ' . add('prepared@test') . q{; PREPARE TRANSACTION 'p'});
sql(add('third@test'));
wait_for('what is committed later', sub { listed('alta') eq 'first@test second@test third@test' });
sql(q{COMMIT PREPARED 'p'});
wait_for('COMMIT PREPARED', sub { listed('alta') eq 'first@test prepared@test second@test third@test' });
sql(q{DELETE FROM alta.list WHERE identifier <> 'third@test'});
wait_for('deletions', sub { listed('alta') eq 'third@test' });

# ----- a vendor's bad days, a bad token: they harm nobody else, and pass by themselves -----

make_server('beta', 'crm');
control('POST', 'beta', '/fault?kind=status&arg=401&times=0');
sql('BEGIN; ' . add('beta@test', 'beta') . '; ' . add('other@test') . '; COMMIT');
wait_for('another server is served', sub { listed('alta') eq 'other@test third@test' });
wait_until(q{SELECT paused FROM dnc_fdw_queue_health WHERE server = 'beta'}, 'a token that is refused pauses its server');
control('DELETE', 'beta', '/fault');
sql(q{ALTER USER MAPPING FOR CURRENT_USER SERVER beta OPTIONS (SET token 'sandbox-beta-new')});
wait_for('a new token ends the pause', sub { listed('beta') eq 'beta@test' });
control('POST', 'alta', '/fault?kind=status&arg=503&method=POST');
sql(add('again@test'));
wait_for('what has failed is sent again', sub { listed('alta') eq 'again@test other@test third@test' });

# ----- processes that are ended -----

# Ends a process, and waits for the next one in its place.
sub replace_process
{
	my ($kind, $name) = @_;
	my $pid = sql("SELECT pid FROM dnc_fdw_workers WHERE kind = '$kind' AND (database = 'crm' OR kind = 'launcher')");

	sql("SELECT pg_terminate_backend($pid)");
	wait_until("SELECT pid IS NOT NULL AND pid <> $pid FROM dnc_fdw_workers WHERE kind = '$kind' AND (database = 'crm' OR kind = 'launcher')", $name);
	return;
}
my $scheduler = process('scheduler', 'crm', 'pid');
replace_process('launcher', 'a launcher that is ended comes back');
is(process('scheduler', 'crm', 'pid'), $scheduler, 'and finds the schedulers of the last one');
replace_process('scheduler', 'a scheduler that is ended comes back');
sql(add('after@test'));
wait_for('and goes on', sub { listed('alta') =~ /after\@test/ });

# Waits until a request of an account is under way.
sub wait_for_request { my ($name) = @_; wait_for("$name: a request is under way", sub { control('GET', $name, '/log') =~ /^POST/m }); return }
sub slow { my ($name, $ms) = @_; control('DELETE', $name, '/log'); control('PUT', $name, "/config?latency_ms=$ms"); return }

slow('alta', 3000);
sql(add('killed@test'));
wait_for_request('alta');
sql(q{SELECT pg_terminate_backend(pid) FROM dnc_fdw_workers WHERE kind = 'delivery' AND server = 'alta'});
wait_until(q{SELECT message ~ 'administrator command' AND failures = 1 FROM dnc_fdw_workers WHERE kind = 'delivery' AND server = 'alta'}, 'the view says how a delivery has ended');
slow('alta', 0);
wait_until(q{SELECT state = 'done' FROM dnc_fdw_queue WHERE identifier = 'killed@test'}, 'the next one takes up what it has left');
wait_until(q{SELECT count(*) = 0 FROM dnc_fdw_workers WHERE message IS NOT NULL AND server = 'alta'}, 'and then nothing is wrong any more');

my $crashed = sql(q{SELECT pid FROM dnc_fdw_workers WHERE kind = 'launcher'});
$node->append_conf('postgresql.conf', "restart_after_crash = on\n");
$node->reload;
kill 'KILL', $crashed;
wait_for('a launcher that is killed restarts the cluster', sub { $node->psql('crm', "SELECT 1 WHERE pg_postmaster_start_time() < now()") == 0
	  && ($node->psql('crm', q{SELECT pid FROM dnc_fdw_workers WHERE kind = 'launcher'}))[1] =~ /^(?!$crashed$)\d+$/ });
sql(add('crash@test'));
wait_for('and all goes on', sub { listed('alta') =~ /crash\@test/ });

# ----- switches -----

set('dnc_fdw.background', 'off');
wait_for('dnc_fdw.background off ends all but the launcher', sub { running('crm') == 0 });
is(sql(q{SELECT string_agg(concat_ws(' ', kind, state, message), ', ') FROM dnc_fdw_workers}), 'launcher running dnc_fdw.background is off', 'the view says so');
sql(add('off@test'));
sleep 1.5;
unlike(listed('alta'), qr/off\@test/, 'nothing is sent');
set('dnc_fdw.background', 'on');
wait_for('until it is on', sub { listed('alta') =~ /off\@test/ });
set('dnc_fdw.databases', q{'"Other"'});
wait_for('a database that is not named any more is left', sub { running('crm') == 0 });
set('dnc_fdw.databases', q{'crm, "Other"'});
wait_until(q{SELECT pid IS NOT NULL FROM dnc_fdw_workers WHERE kind = 'scheduler' AND database = 'crm'}, 'and comes back');
like($dnc->gives(q{ALTER SYSTEM SET dnc_fdw.databases = '"'}, node => $node), qr/ERROR:  22023: invalid value for parameter "dnc_fdw.databases".*\nDETAIL:  It is a list of names/, 'a list that is none');

# ----- statements that want a database for themselves -----

# Makes the database Other busy: a request of its queue is under way.
sub make_busy
{
	my ($who, $database) = @_;

	slow('gamma', 20000);
	sql(add($who, 'gamma'), $database);
	wait_for_request('gamma');
	return;
}
sub at_postgres { my ($statements) = @_; my ($out, $err) = ('', ''); $node->psql('postgres', $statements, stdout => \$out, stderr => \$err, on_error_stop => 0); return $err }

sql('CREATE EXTENSION dnc_fdw', 'Other');
make_server('gamma', 'Other');
make_busy('busy@test', 'Other');
is(at_postgres('CREATE DATABASE copied TEMPLATE "Other"'), '', 'CREATE DATABASE TEMPLATE');
make_busy('busy2@test', 'Other');
my $pid = process('scheduler', 'Other', 'pid');
my $refused = at_postgres('CREATE ROLE nobody CREATEDB; SET ROLE nobody; DROP DATABASE "Other"; ALTER DATABASE "Other" RENAME TO o; CREATE DATABASE o TEMPLATE "Other"');
is(scalar(() = $refused =~ /ERROR:  (?:must be owner|permission denied)/g), 3, 'a role without the right to do so');
is(process('scheduler', 'Other', 'pid'), $pid, 'stops nobody');
is(at_postgres('ALTER DATABASE "Other" RENAME TO renamed; ALTER DATABASE renamed RENAME TO "Other"'), '', 'ALTER DATABASE RENAME');
make_busy('busy3@test', 'Other');
is(at_postgres('ALTER DATABASE "Other" SET TABLESPACE pg_default'), '', 'ALTER DATABASE SET TABLESPACE');
make_busy('busy4@test', 'Other');
is(at_postgres('DROP DATABASE "Other"'), '', 'DROP DATABASE');
wait_until(q{SELECT message ~ 'does not exist' FROM dnc_fdw_workers WHERE kind = 'scheduler' AND database = 'Other'}, 'which the view shows');

# What came with a copy waits for nobody but us: the log says so.
slow('gamma', 0);
control('DELETE', 'gamma', '');
set('dnc_fdw.databases', q{'crm, "Other", nowhere, copied'});
wait_for('a copy with held additions: the log warns', sub { slurp_file($node->logfile) =~ /WARNING:  1 additions in the queue of server "gamma" are held\n/ });
is(control('GET', 'gamma', '/log'), '', 'and nothing is sent');
sql('SELECT dnc_fdw_queue_adopt()', 'copied');
wait_for('adopted, they are sent', sub { listed('gamma') =~ /busy\@test/ });

# ----- DROP EXTENSION -----

sub busy_alta { my ($who) = @_; slow('alta', 20000); sql(add($who)); wait_for_request('alta'); return }
my $limits = q{SET statement_timeout = '20s'; SET client_min_messages = warning;};

busy_alta('dropped@test');
is($dnc->gives("$limits BEGIN; DROP EXTENSION dnc_fdw CASCADE; SELECT pg_sleep(2.5); ROLLBACK", node => $node, database => 'crm'), '',
	'DROP EXTENSION does not wait for a delivery');
slow('alta', 0);
wait_for('after ROLLBACK all goes on', sub { listed('alta') =~ /dropped\@test/ });
busy_alta('gone@test');
is($dnc->gives("$limits DROP EXTENSION dnc_fdw CASCADE", node => $node, database => 'crm'), '', 'DROP EXTENSION');
wait_for('ends all in its database', sub { running('crm') == 0 });
slow('alta', 0);
sql('DROP SCHEMA alta, beta CASCADE; CREATE EXTENSION dnc_fdw');
make_server('alta', 'crm');
sql(add('new@test'));
wait_for('the next work has the scheduler started again', sub { listed('alta') =~ /new\@test/ });

my $log = slurp_file($node->logfile);
unlike($log, qr/PANIC|TRAP|terminated by signal (?!9)/, 'no process has crashed');
$dnc->stop_sandbox;
$node->stop;
done_testing();
