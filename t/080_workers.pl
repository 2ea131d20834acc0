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
note sql("SELECT backend_type, application_name, state, query, backend_xmin, datname FROM pg_stat_activity");
wait_until(q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'dnc_fdw delivery' AND application_name = 'dnc_fdw delivery to alta'
	AND state = 'idle' AND backend_xmin IS NULL}, 'pg_stat_activity shows the delivery');

$dnc->stop_sandbox;
$node->stop;
done_testing();
