# Whose token is used: user mappings are looked up as postgres_fdw does it, and
# who may define servers and tables is PostgreSQL's to say.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use IPC::Run;
use POSIX qw(mkfifo);
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
		qr/ERROR:  28000: no token for server "roles".*HINT:  CREATE USER MAPPING FOR nobody SERVER roles OPTIONS \(token '\.\.\.'\); Only role "\w+", which owns the server, or a superuser can do that\.\n/s,
		"no token: $statement");
}
my $hint = qr/HINT:  CREATE USER MAPPING FOR nobody SERVER roles OPTIONS \(token '\.\.\.'\);$/m;
$node->safe_psql('postgres', 'GRANT USAGE ON FOREIGN SERVER roles TO nobody');
shows('nobody', $list, $hint, 'with USAGE, the role can make its mapping');
$node->safe_psql('postgres', 'REVOKE USAGE ON FOREIGN SERVER roles FROM nobody; ALTER SERVER roles OWNER TO carl');
shows('nobody', $list, qr/Only role "carl", which owns the server, or a superuser can do that\.$/m, 'the HINT names the owner');
$node->safe_psql('postgres', 'ALTER SERVER roles OWNER TO CURRENT_USER');
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

# The account of a transaction.  Options and token are those of the statement: what a
# savepoint has rolled back is not used, and a transaction keeps to one account.
my $set_token = 'ALTER USER MAPPING FOR ann SERVER roles OPTIONS (SET token';
my $foreign = 'roles.communication_opt_outs';
my $remove = "DELETE FROM $foreign WHERE identifier =";
my $changed = qr/55000: the account of server "roles" has changed in this transaction/;

sub on_list { return join ' ', map { $dnc->control('GET', "alta/$_/count") + 0 } @_ }

sub as_ann
{
	my ($statements, $pattern, $name) = @_;

	return like($dnc->gives("SET SESSION AUTHORIZATION DEFAULT; SET ROLE ann; RESET ROLE;\n$statements") =~ s/^(?:SET|RESET)\n//mgr,
		$pattern, "account: $name");
}
my $by_ann = 'SET LOCAL ROLE ann';
my $admin = 'SET LOCAL ROLE NONE';

is(on_list('ann', 'bob'), '12 24', 'account: two lists');
as_ann(qq{BEGIN; SAVEPOINT s; $set_token 'sandbox-bob'); $by_ann;
	$remove 'person000001\@example.com'; ROLLBACK TO s; $by_ann;
	} . insert($foreign, 'kept') . qq{; $remove '+15550000003'; COMMIT}, qr/^$/,
	'what a savepoint has rolled back is not used');
is(on_list('ann', 'bob'), '12 24', "account: one added to and one removed from ann's list, and none of bob's");
like($dnc->control('GET', 'alta/ann/entries'), qr/kept\@test/, "account: the addition is on ann's list");
unlike($dnc->control('GET', 'alta/ann/entries'), qr/15550000003/, "account: the removal was from ann's list");

for my $case (
	[ 'SELECT', $list, $list ],
	[ 'reading and then writing', $list, "$remove 'person000005\@example.com'" ],
	[ 'writing and then reading', insert($foreign, 'never'), $list ],
	[ 'writing twice', insert($foreign, 'never'), insert($foreign, 'never2') ])
{
	my ($name, $first, $second) = @$case;

	as_ann("BEGIN; $by_ann; $first; $admin; $set_token 'sandbox-bob'); $by_ann; $second; COMMIT", $changed,
		"$name: refused after the token has changed");
	as_ann("BEGIN; $by_ann; $first; $admin; ALTER SERVER roles OPTIONS (SET base_url 'http://127.0.0.1:1/'); $by_ann; $second; COMMIT",
		$changed, "$name: refused after the address has changed");
	as_ann("BEGIN; $by_ann; $first; $admin; DROP USER MAPPING FOR ann SERVER roles; $by_ann; $second; COMMIT",
		$changed, "$name: refused after the mapping for PUBLIC has taken over");
	as_ann("BEGIN; $by_ann; $first; SAVEPOINT s; $admin; $set_token 'sandbox-bob'); $by_ann; SAVEPOINT t; $second;
		ROLLBACK TO t; ROLLBACK TO s; $second; ROLLBACK", qr/^(?:\d+\n)*ERROR: .*$changed(?!.*ERROR)/s,
		"$name: allowed again after the change was rolled back");
	as_ann("BEGIN; $by_ann; SAVEPOINT s; $first; ROLLBACK TO s; $admin; $set_token 'sandbox-bob'); $by_ann; $second; ROLLBACK",
		qr/^(?!.*ERROR)/s, "$name: what was rolled back binds nobody");
	as_ann("BEGIN; SAVEPOINT s; $by_ann; $first; RELEASE s; $admin; $set_token 'sandbox-bob'); $by_ann; $second; ROLLBACK",
		$changed, "$name: what was released does");
}
is(on_list('ann', 'bob'), '12 24', 'account: nothing of these was sent');
as_ann("BEGIN; ALTER SERVER roles OPTIONS (ADD page_size '3'); $by_ann; DECLARE c CURSOR FOR SELECT 'row' FROM $foreign; FETCH c; $admin;
	$set_token 'sandbox-bob'); FETCH ALL FROM c; ROLLBACK", qr/^(?:row\n?){12}$/, 'a cursor goes on with what it began with');

# Options other than the account's may change: each write keeps those of its statement.
as_ann("BEGIN; $by_ann; " . insert($foreign, 'one') . "; SAVEPOINT s; $admin; ALTER SERVER roles OPTIONS (ADD batch_size '1'); $by_ann; "
	  . insert($foreign, 'two') . '; ROLLBACK TO s;' . insert($foreign, 'three') . '; COMMIT', qr/^$/, 'a batch size that is rolled back');
like($dnc->take_log('ann'), qr/^POST [^\n]* entries=2\n\z/m, 'account: one request for both that are left');
as_ann("BEGIN; $by_ann; $remove 'one\@test'; $admin; ALTER SERVER roles OPTIONS (ADD max_deletes '1'); $by_ann; $remove 'two\@test'; $remove 'three\@test'; COMMIT",
	qr/54000: too many deletions/, 'the strictest limit of the statements counts');
$node->safe_psql('postgres', "ALTER SERVER roles OPTIONS (ADD max_deletes '1')");
as_ann("BEGIN; ALTER SERVER roles OPTIONS (SET max_deletes '5'); $by_ann; $remove 'one\@test'; $remove 'three\@test'; COMMIT", qr/^$/,
	'a limit that the transaction itself has raised');
$node->safe_psql('postgres', 'ALTER SERVER roles OPTIONS (DROP max_deletes)');

# A change from elsewhere: what waits was written with the token of its statement.
my $writer = $node->background_psql('postgres', on_error_stop => 0);
$writer->query('SET ROLE ann; BEGIN; ' . insert($foreign, 'before'));
$node->safe_psql('postgres', "$set_token 'sandbox-bob')");
$writer->query($list);
like($writer->{stderr}, qr/has changed in this transaction/, 'account: a change by another session is noticed');
$writer->{stderr} = '';
$writer->query('ROLLBACK; BEGIN; ' . insert($foreign, 'for_bob') . '; COMMIT');
is($writer->{stderr}, '', 'account: the next transaction has the new token');
$node->safe_psql('postgres', "$set_token 'sandbox-ann')");
$writer->query('BEGIN; ' . insert($foreign, 'for_ann'));
$node->safe_psql('postgres', "$set_token 'sandbox-bob')");
$writer->query('COMMIT');
is($writer->{stderr}, '', 'account: COMMIT needs no new statement');
$writer->quit;
$node->safe_psql('postgres', "$set_token 'sandbox-ann')");
like($dnc->control('GET', 'alta/bob/entries'), qr/for_bob\@test/, 'account: by the token of its statement');
like($dnc->control('GET', 'alta/ann/entries'), qr/for_ann\@test/, 'account: likewise');
$node->safe_psql('postgres', "SET ROLE $_->[0]; DELETE FROM $foreign WHERE identifier = '$_->[1]\@test'")
  for [ ann => 'for_ann' ], [ bob => 'for_bob' ];

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

# A token in a file: read when it is used, and its contents are shown nowhere.
my $file = PostgreSQL::Test::Utils::tempdir() . '/token';
my $use_file = "ALTER USER MAPPING FOR ann SERVER filed OPTIONS (DROP token, ADD token_file '$file')";
my $by_file = q{SELECT count(*) FROM views.filed};

sub write_file
{
	my ($content) = @_;

	open my $handle, '>:raw', $file or die "$file: $!";
	print $handle $content;
	close $handle or die "$file: $!";
	return;
}
write_file("sandbox-ann\n");
$node->safe_psql('postgres', q{CREATE SERVER filed FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url '} . $dnc->url
	  . q{/alta/v1', requests_per_minute '0', max_retries '0'); GRANT USAGE ON FOREIGN SERVER filed TO ann;
	CREATE USER MAPPING FOR ann SERVER filed OPTIONS (token 'unused');
	CREATE FOREIGN TABLE views.filed (identifier text) SERVER filed; GRANT SELECT ON views.filed TO ann});
shows('ann', $use_file, qr/42501: permission denied to set the option "token_file"/, 'no token_file without pg_read_server_files');
$node->safe_psql('postgres', 'GRANT pg_read_server_files TO ann');
for my $case (
	[ "ADD token_file '$file'", qr/HV00D: a user mapping cannot have both options "token" and "token_file"\nHINT:  Leave out one/ ],
	[ 'DROP token', qr/HV00J: a user mapping needs the option "token"/ ],
	[ "DROP token, ADD token_file 'sk_S3cret'", qr/^(?!.*S3cret).*HV024: invalid value for option "token_file"\nDETAIL:  It takes the absolute path/s ],
	[ "DROP token, ADD token_file ''", qr/HV024: .*\n.*absolute path/ ],
	[ "DROP token, ADD token_file '/dev/zero'", qr/HV024: .*\n.*not a regular file/ ],
	[ "DROP token, ADD token_file '/'", qr/HV024: .*\n.*not a regular file/ ])
{
	shows('ann', "ALTER USER MAPPING FOR ann SERVER filed OPTIONS ($case->[0])", $case->[1], "token_file: $case->[0]");
}
shows('ann', "$use_file; $by_file", qr/^12$/, 'a token of a file');
$node->safe_psql('postgres', 'REVOKE pg_read_server_files FROM ann');
shows('ann', $by_file, qr/^12$/, 'which is used by a role that may not read files');
unlike($node->safe_psql('postgres', 'SELECT umoptions FROM pg_user_mappings WHERE srvname = $$filed$$'), qr/sandbox-ann/,
	'no catalog has the token');
for my $case (
	[ 'no line break', 'sandbox-bob', qr/^24$/ ],
	[ 'a line break of DOS', "sandbox-bob\r\n", qr/^24$/ ],
	[ 'two line breaks', "sandbox-bob\n\n" ],
	[ 'two lines', "S3cret\nsandbox-bob\n" ],
	[ 'a blank', 'S3cret sandbox-bob' ],
	[ 'nothing', '' ],
	[ 'an empty line', "\n" ],
	[ 'a NUL', "sandbox-bob\0" ],
	[ 'no ASCII', "S3cret\xc3\xa4" ],
	[ '8 kB', 's' x 8192, qr/refused the token/ ],
	[ 'more than 8 kB', 's' x 8193, qr/28000: no token for server "filed"\nDETAIL:  The file .* is larger than 8192 bytes\./ ])
{
	my ($name, $content, $pattern) = @$case;

	write_file($content);
	$pattern //= qr/28000: no token for server "filed"\nDETAIL:  The file .* does not hold a token: one line of printable ASCII.*\.\nHINT:  Put the vendor's key/;
	shows('ann', $by_file, qr/^(?!.*S3cret)(?s:.*)$pattern/m, "token_file of $name");
}
unlink $file;
shows('ann', $by_file, qr/28000: no token.*\nDETAIL:  The file that token_file of the user mapping names cannot be opened: No such file/,
	'a token_file that is gone');
mkfifo($file, oct 600) or die "mkfifo: $!";
shows('ann', "SET statement_timeout = '20s'; $by_file", qr/28000: no token.*\nDETAIL:  The file .* is not a regular file\./, 'a FIFO in its place');
unlink $file;
write_file("sandbox-ann\n");
shows('ann', $by_file, qr/^12$/, 'and the file again');
unlike(slurp_file($node->logfile), qr/S3cret(?!')/, 'nothing of the contents is in the log');
$node->safe_psql('postgres', 'DROP SERVER filed CASCADE');

# max_requests of a mapping: the role cannot lift it, and the mapping cannot lift the server's.
my $capped = qr/54000: statement needs more requests.*\n.*max_requests is 2\./;
$node->safe_psql('postgres', "ALTER USER MAPPING FOR bob SERVER roles OPTIONS (ADD max_requests '2'); ALTER SERVER roles OPTIONS (ADD page_size '5')");
shows('bob', "$list", $capped, 'a limit of the mapping');
shows('bob', "SET dnc_fdw.max_requests = $_; $list", $capped, "which SET dnc_fdw.max_requests = $_ does not lift") for 0, 1000;
shows('bob', "SET dnc_fdw.max_requests = 1; $list", qr/54000.*\n.*max_requests is 1\./, 'but lowers');
shows('bob', 'SELECT 1 FROM dnc_fdw_version(); SET dnc_fdw.log_requests = on', qr/42501: permission denied to set parameter "dnc_fdw.log_requests"/, 'who has requests logged is a superuser');
shows('bob', 'SELECT count(*) FROM views.of_ann', qr/^12$/, "a view is read with its owner's limit");
shows('bob', "SELECT (SELECT count(*) FROM views.of_ann), (SELECT count(*) FROM views.of_caller)", $capped, 'which lifts no other');
shows('bob', "BEGIN; DECLARE c CURSOR FOR SELECT 1 FROM $foreign; SELECT count(*) FROM views.of_ann; FETCH ALL FROM c", $capped,
	'nor that of a cursor');
shows('bob', "DELETE FROM $foreign", $capped, 'for DELETE, too');
$node->safe_psql('postgres', "ALTER USER MAPPING FOR bob SERVER roles OPTIONS (SET max_requests '0'); ALTER SERVER roles OPTIONS (ADD max_requests '2')");
shows('bob', $list, $capped, "nor does a mapping lift the server's");
$node->safe_psql('postgres', "ALTER SERVER roles OPTIONS (DROP max_requests, DROP page_size)");
is(on_list('ann', 'bob'), '12 24', 'none of these has written');

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
