# From version 1.0 of the extension's SQL, the first that was released, to the one
# of now: the catalogs come out as those of a fresh CREATE EXTENSION, and tables go
# on working meanwhile.  A database with 1.0 works with the library of now, and can be
# dumped and restored, and brought to a new cluster by pg_upgrade.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Digest::SHA qw(sha256_hex);
use DncTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = "$FindBin::RealBin/..";
my $dnc = DncTest->new;
my $node = $dnc->node;
my $newest = $node->safe_psql('postgres', q{SELECT default_version FROM pg_available_extensions WHERE name = 'dnc_fdw'});

# Scripts that were released are not changed any more: who has installed one has
# what it made then.
my %released = ('dnc_fdw--1.0.sql' => '0f7bc3662755871791447d6440df318c057e7e85a6818f8c5bd2a2972aee68e6',
	'dnc_fdw--1.0--1.1.sql' => '89670ac5c6ff54ee21f3b2a136b353e56559401a5900a4ca7af0b77fe6868193');
for my $script (sort keys %released)
{
	is(sha256_hex(slurp_file("$top/$script")), $released{$script}, "$script is as it was released");
}

# The version has the same name everywhere.
my ($makefile) = slurp_file("$top/Makefile") =~ /^EXTVERSION = (\S+)$/m;
is($makefile, $newest, 'the version in the Makefile and in the control file');
my @meta = slurp_file("$top/META.json") =~ /^\s*"version": "(\d+\.\d+)\.\d+",?$/mg;
is("@meta[0, 1]", "$newest $newest", 'the version in META.json');
like(slurp_file("$top/CHANGELOG.md"), qr/^## \[\Q$newest\E\.\d+\]/m, 'the version in the CHANGELOG');

# All there is to know of an extension's objects, without OIDs.  Newer versions of PostgreSQL
# have the row types of its tables among them, which take no comments.
my $catalog = q{
	SELECT pg_describe_object(classid, objid, objsubid) || E'\n  comment: ' || coalesce(obj_description(objid, classid::regclass::name), '-')
	  || coalesce(E'\n  ' || (SELECT concat_ws(' ', pg_get_function_arguments(p.oid), 'returns', pg_get_function_result(p.oid), p.provolatile,
		p.proparallel, p.proisstrict, p.proretset, p.prosecdef, p.proleakproof, p.procost, p.prorows, p.probin, p.prosrc, p.proacl, p.proconfig,
		p.proowner::regrole, p.pronamespace::regnamespace) FROM pg_proc p WHERE p.oid = objid AND classid = 'pg_proc'::regclass), '')
	  || coalesce(E'\n  ' || (SELECT concat_ws(' ', w.fdwhandler::regproc, w.fdwvalidator::regproc, w.fdwowner::regrole, w.fdwacl, w.fdwoptions)
		FROM pg_foreign_data_wrapper w WHERE w.oid = objid AND classid = 'pg_foreign_data_wrapper'::regclass), '')
	FROM pg_depend WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
	  AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'dnc_fdw') AND classid <> 'pg_type'::regclass
	ORDER BY pg_describe_object(classid, objid, objsubid) COLLATE "C"};
my $extension = q{SELECT extversion, extrelocatable, extnamespace::regnamespace, extconfig::regclass[], obj_description(oid, 'pg_extension')
	FROM pg_extension WHERE extname = 'dnc_fdw'};

my $url = $dnc->url;
my $tables = qq{
	CREATE SERVER up FOREIGN DATA WRAPPER dnc_fdw
	  OPTIONS (provider 'alta', base_url '$url/alta/v1', requests_per_minute '0', page_size '50');
	COMMENT ON SERVER up IS 'the list of 1.0';
	CREATE USER MAPPING FOR CURRENT_USER SERVER up OPTIONS (token 'sandbox-up');
	CREATE SCHEMA up;
	IMPORT FOREIGN SCHEMA dnc FROM SERVER up INTO up;
	ALTER FOREIGN TABLE up.communication_opt_outs OPTIONS (ADD max_deletes '5');
	CREATE FOREIGN TABLE up.by_hand (who text OPTIONS (column_name 'identifier'), source text) SERVER up;
	CREATE VIEW up.people AS SELECT identifier FROM up.communication_opt_outs WHERE identifier_type = 'email';
	CREATE VIEW up.waiting AS SELECT * FROM dnc_fdw_pending()};
$dnc->control('POST', 'alta/up/fill?count=120&types=email');

# Reads and writes in a database, with what 1.0 has.
sub works
{
	my ($database, $name) = @_;

	is($node->safe_psql($database, 'SELECT count(*) FROM up.people'), 120, "$name: a list is read");
	is($node->safe_psql($database, "SELECT count(*) || ' ' || min(source) FROM up.by_hand"), '120 up', "$name: another table");
	is($node->safe_psql($database, q{BEGIN;
		INSERT INTO up.communication_opt_outs (identifier, identifier_type) VALUES ('new@example.com', 'email');
		SELECT server, relation, action, identifier FROM up.waiting; COMMIT}),
		'up|up.communication_opt_outs|add|new@example.com', "$name: an addition waits");
	is($node->safe_psql($database, q{WITH gone AS
		(DELETE FROM up.communication_opt_outs WHERE identifier = 'new@example.com' AND identifier_type = 'email' RETURNING 1)
		SELECT count(*) FROM gone}), 1, "$name: was sent, and is removed");
	is($node->safe_psql($database, 'SELECT count(*) FROM dnc_fdw_providers()'), 3, "$name: dnc_fdw_providers()");
	return;
}

sub version { return $node->safe_psql($_[0], q{SELECT extversion FROM pg_extension WHERE extname = 'dnc_fdw'}) }

# A dump of a database into a new one.
sub restore
{
	my ($from, $to) = @_;
	my $file = PostgreSQL::Test::Utils::tempdir() . "/$to.sql";

	$node->safe_psql('postgres', "CREATE DATABASE $to");
	$node->command_ok([ 'pg_dump', '--no-sync', '-f', $file, '-d', $node->connstr($from) ], "$from is dumped");
	$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $file, '-d', $node->connstr($to) ],
		"and restored as $to");
	return;
}

# 1.0, with the library of now.
$node->safe_psql('postgres', 'CREATE DATABASE old');
$node->safe_psql('old', "CREATE EXTENSION dnc_fdw VERSION '1.0'; $tables");
is(version('old'), '1.0', '1.0 can still be installed');
works('old', '1.0');
for my $function ("dnc_fdw_check('up')", 'dnc_fdw_stats()', 'dnc_fdw_stats_reset()', 'dnc_fdw_version()')
{
	my ($code, $stdout, $stderr) = $node->psql('old', "SELECT $function");
	like($stderr, qr/ERROR:  function dnc_fdw_\w+\(.*\) does not exist/, "1.0 has no $function");
}
# 1.1 was relocatable; the update carries what the control file says now.
$node->safe_psql('postgres', 'CREATE DATABASE middle');
$node->safe_psql('middle', "CREATE SCHEMA elsewhere; CREATE EXTENSION dnc_fdw VERSION '1.1' SCHEMA elsewhere; ALTER EXTENSION dnc_fdw UPDATE");
is($node->safe_psql('middle', q{SELECT extversion, extrelocatable FROM pg_extension WHERE extname = 'dnc_fdw'}), "$newest|f", '1.1 is updated');
is($node->safe_psql('middle', q{SELECT elsewhere.dnc_fdw_key('(212) 555-0003', 'phone', 'US')}), 'tel:+12125550003', 'in its schema');

# Keys in an index outlive a dump and pg_upgrade.
$node->safe_psql('middle', q{CREATE TABLE keyed AS SELECT n, '(212) 555-' || lpad(n::text, 4, '0') AS number FROM generate_series(1, 3000) n;
	CREATE INDEX keyed_key ON keyed (elsewhere.dnc_fdw_key(number, 'phone', 'US'))});
my $by_key = q{SET enable_seqscan = off; SELECT n FROM keyed WHERE elsewhere.dnc_fdw_key(number, 'phone', 'US') = 'tel:+12125550007'};
# So does what waits in the queue.
$dnc->control('POST', 'alta/queue/fill?count=1&types=email');
$node->safe_psql('middle', qq{
	CREATE SERVER queue FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url '@{[ $dnc->url ]}/alta/v1', requests_per_minute '0', write_mode 'queue');
	CREATE USER MAPPING FOR CURRENT_USER SERVER queue OPTIONS (token 'sandbox-queue');
	CREATE FOREIGN TABLE queued (identifier text, identifier_type text) SERVER queue;
	INSERT INTO queued VALUES ('queued\@test', 'email');
	DELETE FROM queued WHERE identifier LIKE 'person%';
});
my $queue = q{SELECT string_agg(server || ' ' || relation || ' ' || action || ' ' || state, ', ' ORDER BY id) FROM elsewhere.dnc_fdw_queue};
is($node->safe_psql('middle', $queue), 'queue queued add waiting, queue queued delete waiting', 'the queue is in the schema of the extension, too');
restore('middle', 'middle_restored');
is($node->safe_psql('middle_restored', $queue), 'queue queued add held, queue queued delete held', 'a dump has it, held');
is($node->safe_psql('middle_restored', $by_key), 7, 'a dump with an index on keys');
restore('old', 'old_restored');
is(version('old_restored'), $newest, 'a dump names no version: the newest is installed');
works('old_restored', 'a dump of 1.0');

# pg_upgrade brings 1.0 over as it is, into a new cluster (here of the same version),
# in which the rest is done.
my $new = DncTest->cluster('new');
$new->append_conf('postgresql.conf', "fsync = off\n");
$node->stop;
chdir PostgreSQL::Test::Utils::tempdir() or die "chdir: $!";    # where it leaves its scripts
my $bindir = $node->config_data('--bindir');
command_ok([ "$bindir/pg_upgrade", '--no-sync', '--old-bindir', $bindir, '--new-bindir', $bindir, '--old-datadir', $node->data_dir,
		'--new-datadir', $new->data_dir, '--old-port', $node->port, '--new-port', $new->port, '--socketdir', $new->host ],
	'pg_upgrade');
($node = $new)->start;
is($node->safe_psql('middle', $by_key), 7, 'pg_upgrade with an index on keys');
is($node->safe_psql('middle', $queue), 'queue queued add waiting, queue queued delete held', 'pg_upgrade with a queue: deletions are held');
$node->safe_psql('middle', q{CALL elsewhere.dnc_fdw_deliver('queue')});
$node->safe_psql('middle', 'SELECT elsewhere.dnc_fdw_queue_adopt()');
$node->safe_psql('middle', q{CALL elsewhere.dnc_fdw_deliver('queue')});
is($node->safe_psql('middle', $queue) . ' ' . $dnc->control('GET', 'alta/queue/count'), "queue queued add done, queue queued delete done 1\n", 'which goes on');
is(version('old'), '1.0', 'pg_upgrade keeps the version');
works('old', 'pg_upgrade');

# The update, while a session has used 1.0.
my $session = $node->background_psql('old', on_error_stop => 0);
is($session->query('PREPARE p AS SELECT count(*) FROM up.people; EXECUTE p'), 120, 'a session before the update');
$node->safe_psql('old', 'ALTER EXTENSION dnc_fdw UPDATE');
is($session->query('EXECUTE p'), 120, 'and after it');
is($session->query("SELECT ok FROM dnc_fdw_check('up'); SELECT server, requests > 0 FROM dnc_fdw_stats()"), "t\nup|t",
	'with the new functions');
$session->quit;
is(version('old'), $newest, 'the newest version is installed');
works('old', 'the update');
is($node->safe_psql('old', $extension), $node->safe_psql('postgres', $extension), 'the extension is as a fresh one');
is($node->safe_psql('old', $catalog), $node->safe_psql('postgres', $catalog), 'its objects are as fresh ones');
like($node->safe_psql('postgres', $catalog), qr/^function dnc_fdw_check\(name\)\n  comment: \w/m, 'which are looked at');
unlike($node->safe_psql('postgres', $catalog), qr/^  comment: -$/m, 'and have a comment each');
is($node->safe_psql('old', q{SELECT obj_description(oid, 'pg_foreign_server') FROM pg_foreign_server}), 'the list of 1.0',
	"a user's own comment stays");

# From each version on, there is a way to the newest, and none back.
is($node->safe_psql('postgres', "SELECT string_agg(source, ' ') FROM pg_extension_update_paths('dnc_fdw')
	WHERE target = '$newest' AND path IS NOT NULL"),
	$node->safe_psql('postgres', "SELECT string_agg(version, ' ') FROM pg_available_extension_versions
	WHERE name = 'dnc_fdw' AND version <> '$newest'"), 'each version can be updated');
restore('old', 'updated_restored');
is($node->safe_psql('updated_restored', $catalog), $node->safe_psql('postgres', $catalog), 'an updated database can be restored');
works('updated_restored', 'a dump after the update');

# Nobody but the owner; and all of it goes with DROP EXTENSION.
my ($code, $stdout, $stderr) = $node->psql('old', 'DROP EXTENSION dnc_fdw');
like($stderr, qr/cannot drop extension dnc_fdw because other objects depend on it/, 'tables keep the extension');
$node->safe_psql('old', 'DROP EXTENSION dnc_fdw CASCADE');
is($node->safe_psql('old', "SELECT count(*) FROM pg_proc WHERE proname LIKE 'dnc%'"), 0, 'nothing is left of it');

$node->stop;
$dnc->stop_sandbox;
done_testing();
