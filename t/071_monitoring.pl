# What all sessions of the cluster do: dnc_fdw_totals() counts what they have sent, with
# shared_preload_libraries and without, and shows each role what it may see.

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
	$node->append_conf('postgresql.conf', "shared_preload_libraries = 'dnc_fdw'\n");
}
else
{
	$node->safe_psql('postgres', "SELECT count(*) FROM one.$list");
	is($node->safe_psql('postgres', $total), 'postgres one 3 0 250 0 0', 'another session has counted without preloading');
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

$dnc->stop;
done_testing();
