# What only some versions of PostgreSQL have, where it meets a list: generated
# columns of both kinds, RETURNING of the old and the new row, transaction_timeout.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use Test::More;

my $dnc = DncTest->new;
my $node = $dnc->node;
my $version = $node->pg_version;
my $pending = 'SELECT action, identifier FROM dnc_fdw_pending()';

$dnc->make_server('versions', 0);
$node->safe_psql('postgres', q{INSERT INTO versions.communication_opt_outs (identifier, identifier_type, label)
	VALUES ('a@one.example', 'email', 'A'), ('b@two.example', 'email', NULL)});

# What a session gives, rows separated by blanks; an error is its message and detail.
sub gives
{
	my ($sql) = @_;
	my ($status, $out, $err) = $node->psql('postgres', "SET search_path = versions, public; $sql");

	$err =~ s/^psql:\S+ //mg;
	return $err ne '' ? $err : join ' ', split /\n/, $out;
}

# ---- a generated column that is stored: sent by INSERT, read from the list

gives(q{CREATE FOREIGN TABLE stored (identifier text, identifier_type text,
	label text GENERATED ALWAYS AS (upper(identifier)) STORED) SERVER versions});
is(gives('SELECT identifier, label FROM stored ORDER BY 1'), 'a@one.example|A b@two.example|', 'stored: read from the list');
is(gives("BEGIN; INSERT INTO stored VALUES ('c\@x', 'email') RETURNING label; ROLLBACK"), 'C@X', 'stored: computed by INSERT');
gives("INSERT INTO stored VALUES ('c\@x', 'email')");
is($node->safe_psql('postgres', "SELECT label FROM versions.communication_opt_outs WHERE identifier = 'c\@x'"), 'C@X',
	'stored: and sent');
gives("DELETE FROM stored WHERE identifier = 'c\@x'");

# ---- a generated column that is virtual: no column of the list

SKIP:
{
	skip 'virtual generated columns come with PostgreSQL 18', 9 if $version < 18;

	gives(q{CREATE FOREIGN TABLE virtual (identifier text, identifier_type text,
		domain text GENERATED ALWAYS AS (split_part(identifier, '@', 2)) VIRTUAL) SERVER versions});
	is(gives('SELECT identifier, domain FROM virtual ORDER BY 1'), 'a@one.example|one.example b@two.example|two.example',
		'virtual: computed when it is read');
	is(gives("SELECT virtual FROM virtual WHERE domain = 'two.example'"), '(b@two.example,email,two.example)',
		'virtual: in a condition, and in a whole row');
	is(gives("BEGIN; INSERT INTO virtual VALUES ('c\@x', 'email') RETURNING domain; SELECT domain FROM virtual WHERE identifier = 'c\@x'; ROLLBACK"),
		'x x', 'virtual: of a row that is inserted, and waits');
	is(gives("BEGIN; DELETE FROM virtual WHERE domain = 'one.example' RETURNING domain; $pending; ROLLBACK"),
		'one.example delete|a@one.example', 'virtual: of a row that is deleted');
	is(gives('ANALYZE virtual; SELECT count(*), count(domain) FROM virtual'), '2|2', 'virtual: ANALYZE and count');

	gives(q{CREATE FOREIGN TABLE hiding (identifier text, identifier_type text GENERATED ALWAYS AS ('email') VIRTUAL) SERVER versions});
	gives(q{CREATE FOREIGN TABLE renamed (identifier text, t text OPTIONS (column_name 'identifier_type')
		GENERATED ALWAYS AS ('email') VIRTUAL) SERVER versions});
	like(gives('SELECT * FROM hiding'),
		qr/"identifier_type" of foreign table "hiding" cannot be a virtual generated column\n.*would neither be read nor sent/,
		'virtual: not in place of a column of the list');
	like(gives("INSERT INTO hiding VALUES ('c\@x')"), qr/cannot be a virtual/, 'virtual: nor for INSERT');
	like(gives('DELETE FROM hiding'), qr/cannot be a virtual/, 'virtual: nor for DELETE');
	like(gives('SELECT identifier FROM renamed'), qr/"t" of foreign table "renamed" cannot be a virtual.*\n.*"identifier_type"/,
		'virtual: nor under another name');
}

# ---- RETURNING old and new

SKIP:
{
	skip 'RETURNING knows old and new from PostgreSQL 18 on', 7 if $version < 18;

	gives('CREATE FOREIGN TABLE plain (id text, identifier text, identifier_type text, source text) SERVER versions');
	is(gives("BEGIN; INSERT INTO plain (identifier, identifier_type) VALUES ('c\@x', 'email')
		RETURNING old.*, new.identifier, new.source, old IS NULL; ROLLBACK"), '||||c@x|versions|t',
		'INSERT RETURNING old: there was none');
	like(gives("INSERT INTO plain (identifier, identifier_type) VALUES ('c\@x', 'email') RETURNING new.id"),
		qr/INSERT cannot return column "id"/, 'INSERT RETURNING new: not what only the remote knows');
	like(gives("INSERT INTO plain (identifier, identifier_type) VALUES ('c\@x', 'email') RETURNING new"),
		qr/INSERT cannot return column "id"/, 'INSERT RETURNING new: nor within the whole row');
	is(gives('SELECT count(*) FROM plain'), 2, 'what was refused was not sent');
	is(gives("BEGIN; DELETE FROM plain WHERE identifier LIKE 'a%' RETURNING identifier, old.identifier, old.source, new.identifier, new IS NULL; ROLLBACK"),
		'a@one.example|a@one.example|versions||t', 'DELETE RETURNING old and new');
	gives("ALTER SERVER versions OPTIONS (ADD write_mode 'immediate')");
	is(gives("DELETE FROM plain WHERE identifier = 'a\@one.example' AND identifier_type = 'email' RETURNING old.identifier, new.identifier"),
		'a@one.example|', 'DELETE RETURNING old and new, at once');
	gives('ALTER SERVER versions OPTIONS (DROP write_mode)');
	is(gives('SELECT identifier FROM plain'), 'b@two.example', 'and it is deleted');
}

# ---- transaction_timeout

SKIP:
{
	skip 'transaction_timeout comes with PostgreSQL 17', 1 if $version < 17;

	$dnc->control('POST', 'alta/versions/fault?kind=stall');
	like(gives("SET transaction_timeout = '300ms'; BEGIN;
		INSERT INTO communication_opt_outs (identifier, identifier_type) VALUES ('d\@x', 'email'); COMMIT"),
		qr/FATAL:  terminating connection due to transaction timeout/, 'transaction_timeout counts the sending, too');
}

# ---- pg_get_loaded_modules()

SKIP:
{
	skip 'pg_get_loaded_modules() comes with PostgreSQL 18', 1 if $version < 18;

	my ($control) = $node->safe_psql('postgres', "SELECT extversion FROM pg_extension WHERE extname = 'dnc_fdw'");
	is($node->safe_psql('postgres', "LOAD 'dnc_fdw'; SELECT version FROM pg_get_loaded_modules() WHERE module_name = 'dnc_fdw'"),
		$control, 'the module has the version of the extension');
}

$dnc->stop;
done_testing();
