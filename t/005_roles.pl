# Whose token is used: user mappings are looked up as postgres_fdw does it, and
# who may define servers and tables is PostgreSQL's to say.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my $dnc = DncTest->new;
my $node = $dnc->node;
my $list = 'SELECT count(*) FROM roles.communication_opt_outs';

# Each account has a list of another length, which tells whose token was sent.
my %entries = (ann => 11, bob => 22, public => 33);
for my $account (sort keys %entries)
{
	$dnc->control('POST', "alta/$account/fill?count=$entries{$account}");
}
$dnc->make_server('roles', 0);
$node->safe_psql('postgres', q{
	DROP USER MAPPING FOR CURRENT_USER SERVER roles;
	CREATE ROLE ann;
	CREATE ROLE bob;
	CREATE ROLE nobody;
	CREATE ROLE carl IN ROLE ann, bob;
	CREATE USER MAPPING FOR ann SERVER roles OPTIONS (token 'sandbox-ann');
	CREATE USER MAPPING FOR bob SERVER roles OPTIONS (token 'sandbox-bob');
	GRANT USAGE ON SCHEMA roles TO PUBLIC;
	GRANT SELECT, INSERT, DELETE ON roles.communication_opt_outs TO ann, bob, nobody;
	CREATE SCHEMA views;
	GRANT USAGE, CREATE ON SCHEMA views TO PUBLIC;
	SET ROLE ann;
	CREATE VIEW views.of_ann AS SELECT * FROM roles.communication_opt_outs;
	CREATE VIEW views.of_caller WITH (security_invoker) AS SELECT * FROM roles.communication_opt_outs;
	CREATE FUNCTION views.count_of_ann() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS
	  'SELECT count(*) FROM roles.communication_opt_outs';
	GRANT ALL ON ALL TABLES IN SCHEMA views TO PUBLIC;
});

# What a role's statements show last.
sub shows
{
	my ($role, $statements, $pattern, $name) = @_;
	my ($code, $stdout, $stderr) = $node->psql('postgres', "\\set VERBOSITY verbose\nSET ROLE $role;\n$statements");

	$stdout =~ s/.*\n//s;
	return like($stderr || $stdout, $pattern, "$role: $name");
}

# The identifiers on an account's list that a test has put there.
sub added
{
	my ($account) = @_;

	return join ' ', sort($dnc->control('GET', "alta/$account/entries") =~ /"identifier":"(\w+)\@test"/g);
}

sub insert { return "INSERT INTO $_[0] (identifier, identifier_type) VALUES ('$_[1]\@test', 'email')" }

shows('ann', $list, qr/^11$/, 'a token of her own');
shows('bob', $list, qr/^22$/, 'a token of his own');
for my $statement ($list, insert('roles.communication_opt_outs', 'never'), 'DELETE FROM roles.communication_opt_outs')
{
	shows('nobody', $statement,
		qr/ERROR:  28000: no token for server "roles".*HINT:  CREATE USER MAPPING FOR nobody SERVER roles OPTIONS/s,
		"no token: $statement");
}
shows('nobody', "EXPLAIN $list", qr/Estimated Requests: \d/, 'EXPLAIN needs no token');

# Views and functions: the role that the permissions are checked for.
shows('bob', 'SELECT count(*) FROM views.of_ann', qr/^11$/, "a view is read with its owner's token");
shows('nobody', 'SELECT count(*) FROM views.of_ann', qr/^11$/, "a view is read with its owner's token");
shows('bob', 'SELECT count(*) FROM views.of_caller', qr/^22$/, "a security_invoker view with the caller's");
shows('nobody', 'SELECT count(*) FROM views.of_caller', qr/28000/, "a security_invoker view with the caller's");
shows('bob', 'SELECT views.count_of_ann()', qr/^11$/, 'a SECURITY DEFINER function');
shows('bob', 'SELECT (SELECT count(*) FROM views.of_ann) || $$ $$ || (SELECT count(*) FROM views.of_caller)',
	qr/^11 22$/, 'both in one statement');
shows('bob', insert('views.of_ann', 'view') . ';' . insert('views.of_caller', 'invoker'), qr/^$/, 'INSERT through views');
is(added('ann'), 'view', "INSERT through a view goes to its owner's list");
is(added('bob'), 'invoker', "INSERT through a security_invoker view goes to the caller's list");
shows('bob', q{DELETE FROM views.of_ann WHERE identifier = 'view@test' RETURNING identifier}, qr/^view\@test$/,
	'DELETE through a view');
is(added('ann'), '', "DELETE through a view is from its owner's list");

# SET ROLE within a session: a plan is not tied to a role.
for my $mode ('force_custom_plan', 'force_generic_plan')
{
	shows('ann', "SET plan_cache_mode = $mode; PREPARE p AS $list; EXECUTE p; RESET ROLE; SET ROLE bob; EXECUTE p",
		qr/^23$/, "a prepared statement after SET ROLE, $mode");
	shows('carl', "SET plan_cache_mode = $mode; PREPARE p AS $list; EXECUTE p", qr/28000.*FOR carl/s,
		"a token is not inherited, $mode");
}
shows('ann', "BEGIN; DECLARE c CURSOR FOR $list; RESET ROLE; SET ROLE bob; FETCH c", qr/^11$/,
	'a cursor is read with the token of who declared it');

# What waits for COMMIT is sent with the token of who wrote it.
shows('ann', 'BEGIN;' . insert('roles.communication_opt_outs', 'first') . '; SET LOCAL ROLE bob;'
	  . insert('roles.communication_opt_outs', 'second') . '; SET LOCAL ROLE nobody; COMMIT', qr/^$/,
	'two roles write in one transaction, and a third one commits');
is(added('ann') . ', ' . added('bob'), 'first, invoker second', 'each to their own list');

# PUBLIC is for who has no mapping of their own, and a change is seen at once.
my $session = $node->background_psql('postgres', on_error_stop => 0);
$session->query("SET ROLE nobody; PREPARE p AS $list");
$session->query('EXECUTE p');
like($session->{stderr}, qr/no token for server "roles"/, 'nobody: no token yet');
$node->safe_psql('postgres', q{CREATE USER MAPPING FOR PUBLIC SERVER roles OPTIONS (token 'sandbox-public')});
is($session->query('EXECUTE p'), 33, 'nobody: the token of PUBLIC');
$node->safe_psql('postgres', q{ALTER USER MAPPING FOR PUBLIC SERVER roles OPTIONS (SET token 'sandbox-bob')});
is($session->query('EXECUTE p'), 24, 'nobody: the token of PUBLIC, changed');
$session->quit;
shows('ann', $list, qr/^12$/, 'her own token comes before that of PUBLIC');

# Definitions.
my $server = "CREATE SERVER mine FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta')";
my $table = 'CREATE FOREIGN TABLE views.mine (identifier text) SERVER roles';
shows('ann', $server, qr/42501: permission denied for foreign-data wrapper dnc_fdw/, 'no server without USAGE');
shows('ann', $table, qr/42501: permission denied for foreign server roles/, 'no table without USAGE');
shows('ann', 'IMPORT FOREIGN SCHEMA dnc FROM SERVER roles INTO views',
	qr/42501: permission denied for foreign server roles/, 'no IMPORT without USAGE');
shows('nobody', q{CREATE USER MAPPING FOR nobody SERVER roles OPTIONS (token 'x')},
	qr/42501: permission denied for foreign server roles/, 'no user mapping without USAGE');
$node->safe_psql('postgres',
	'GRANT USAGE ON FOREIGN DATA WRAPPER dnc_fdw TO ann; GRANT USAGE ON FOREIGN SERVER roles TO ann');
shows('ann', "$server; $table; SELECT count(*) FROM views.mine", qr/^12$/, 'server and table with USAGE');

# A file that the database server reads is for those who may have it read files.
my $ca_file = q{ALTER SERVER mine OPTIONS (ADD ca_file '/etc/ssl/certs/ca-certificates.crt')};
shows('ann', $ca_file, qr/42501: permission denied to set the option "ca_file"/, 'no ca_file without pg_read_server_files');
$node->safe_psql('postgres', 'GRANT pg_read_server_files TO ann');
shows('ann', $ca_file, qr/^$/, 'ca_file with pg_read_server_files');
shows('ann', q{ALTER SERVER mine OPTIONS (SET ca_file '/dev/zero')}, qr/HV024: .*\n.*not a regular file/,
	'no ca_file that is a device');
$node->safe_psql('postgres', 'REVOKE pg_read_server_files FROM ann');
shows('ann', q{ALTER SERVER mine OPTIONS (ADD max_retries '0')}, qr/42501: permission denied to set the option "ca_file"/,
	'nor altered then, as the options are checked as a whole');
$node->safe_psql('postgres', 'ALTER SERVER mine OPTIONS (DROP ca_file)');

# What the catalogs and a dump show of tokens: to their role, and of PUBLIC to the
# server's owner.  Who owns a server can have tokens sent anywhere, though.
sub tokens
{
	my ($role) = @_;
	my ($code, $stdout, $stderr) = $node->psql('postgres', "SET ROLE $role;
		SELECT string_agg(usename || ' ' || (umoptions)[1], ', ' ORDER BY usename) FROM pg_user_mappings");

	return $stdout;
}
$node->safe_psql('postgres', q{
	CREATE USER MAPPING FOR PUBLIC SERVER mine OPTIONS (token 'sandbox-of_mine');
	CREATE USER MAPPING FOR bob SERVER mine OPTIONS (token 'sandbox-bob');
	ALTER ROLE nobody LOGIN;
});
is(tokens('nobody'), '', 'nobody sees no token');
is(tokens('bob'), '', 'bob does not see his: he has no USAGE');
is(tokens('ann'), 'ann token=sandbox-ann, public token=sandbox-of_mine', 'ann sees hers, and that for PUBLIC of her server');
for my $case ([ 'nobody', qr/^(?!.*sandbox-)/s ], [ 'postgres', qr/sandbox-ann.*sandbox-bob/s ])
{
	my ($role, $dump) = ($case->[0], '');

	local $ENV{PGUSER} = $role eq 'postgres' ? $node->safe_psql('postgres', 'SELECT session_user') : $role;
	IPC::Run::run([ 'pg_dump', '--schema-only', '--exclude-schema=*', '-d', $node->connstr('postgres') ],
		'>', \$dump, '2>', \my $stderr);
	like($dump, qr/CREATE USER MAPPING/, "a dump by $role has the user mappings: $stderr");
	like($dump, $case->[1], $role eq 'postgres' ? 'with their tokens' : 'without their tokens');
}
$node->safe_psql('postgres', 'DROP USER MAPPING FOR PUBLIC SERVER mine');

# What waits for COMMIT is the session's; of tables that a role may not read it sees no identifiers.
$node->safe_psql('postgres', q{
	CREATE FUNCTION views.add_for_ann(text) RETURNS void LANGUAGE sql SECURITY DEFINER AS
	  $$INSERT INTO views.mine (identifier) VALUES ($1)$$;
	ALTER FUNCTION views.add_for_ann(text) OWNER TO ann;
	ALTER FOREIGN TABLE views.mine ADD identifier_type text DEFAULT 'email';
	ALTER FUNCTION views.add_for_ann(text) SET search_path = '';
});
my $pending = q{SELECT server, relation, action, coalesce(identifier, '-') FROM dnc_fdw_pending()};
for my $case ([ 'bob', '-' ], [ 'ann', 'hidden@test' ])
{
	my ($role, $identifier) = @$case;

	shows($role, "BEGIN; SELECT views.add_for_ann('hidden\@test'); $pending", qr/roles\|views\.mine\|add\|\Q$identifier\E$/,
		"what $role sees of what a SECURITY DEFINER function writes");
}

# ANALYZE reads with the token of the table's owner, whoever gives the order.
$dnc->control('DELETE', 'alta/ann/log');
$node->safe_psql('postgres', 'ANALYZE views.mine');
like($dnc->control('GET', 'alta/ann/log'), qr/^GET /, "ANALYZE reads with its owner's token");

# The same entry, deleted in one transaction by two roles, goes from both their lists.
sub counts { return map { $dnc->control('GET', "alta/$_/count") + 0 } 'ann', 'bob' }
my ($ann, $bob) = counts();
my $delete = "DELETE FROM roles.communication_opt_outs WHERE identifier = 'person000001\@example.com'";
$node->safe_psql('postgres', "BEGIN; SET ROLE ann; $delete; SET ROLE bob; $delete; COMMIT");
is_deeply([ counts() ], [ $ann - 1, $bob - 1 ], 'two roles delete the same entry, each from their list');

$dnc->stop;
done_testing();
