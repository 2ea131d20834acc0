# What people have at hand besides SELECT: COPY in both directions and all formats, psql's
# \copy and FETCH_COUNT, pgTAP, what ORMs and poolers send, and programs with libpq.

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
my $list = 'alta.communication_opt_outs';
my $dir = PostgreSQL::Test::Utils::tempdir();

$dnc->make_server('alta', 250, "max_retries '0'");
$node->safe_psql('postgres', q{
	CREATE FOREIGN TABLE short (identifier text, identifier_type text, label text) SERVER alta;
	CREATE FOREIGN TABLE short_now (identifier text, identifier_type text, label text) SERVER alta OPTIONS (write_mode 'immediate');
});

sub listed { return $dnc->control('GET', 'alta/alta/count') + 0 }

# ----- COPY -----

like($dnc->gives("COPY $list TO STDOUT"), qr/ERROR:  42809: cannot copy from foreign table .*\nHINT:  Try the COPY \(SELECT \.\.\.\) TO variant\./, 'COPY table TO is refused by PostgreSQL');
my $copy = $dnc->gives("COPY (SELECT identifier, label FROM $list) TO STDOUT (FORMAT csv, HEADER)");
like($copy, qr/^identifier,label\nperson000001\@example\.com,\n/, 'COPY (SELECT) TO, csv');
is($copy =~ tr/\n//, 250, 'all of it');
is($dnc->take_methods('alta'), 'GET GET GET', 'page by page');
for my $format ('text', 'csv', 'binary')
{
	my $options = "(FORMAT $format)";

	$dnc->gives("COPY (SELECT identifier, identifier_type, label FROM $list) TO '$dir/$format' $options");
	$dnc->control('DELETE', 'alta/alta');
	is($dnc->gives("COPY short FROM '$dir/$format' $options"), '', "$format: COPY FROM a file");
	is($dnc->take_log('alta'), "POST /dnc/communication-opt-outs 200 entries=250\n", "$format: one request");
	is($dnc->gives("SELECT label FROM short WHERE identifier = '+15550000003'"), 'Person 3', "$format: it is what it was");
	$dnc->take_log('alta');
}
$dnc->control('DELETE', 'alta/alta');
is($dnc->gives("COPY short FROM STDIN (FORMAT csv, HEADER);\nidentifier,identifier_type,label\n\"a,b\@test\",email,\"one \"\"A\"\"\"\nc\@test,email,\n\\.\n"), '', 'COPY FROM STDIN, csv');
is($dnc->gives('SELECT * FROM short'), "a,b\@test|email|one \"A\"\nc\@test|email|", 'with its quotes');
$dnc->take_log('alta');
like($dnc->gives("COPY short FROM STDIN (FORMAT csv);\nd\@test,email,\ne\@test,pigeon,\n\\.\n"), qr/ERROR:  22023: .*CONTEXT: .*COPY short, line 2/s, 'a bad line is named');
is($dnc->take_log('alta'), '', 'and nothing is sent');
like($dnc->gives("COPY short_now FROM STDIN (FORMAT csv);\nd\@test,email,\ne\@test,email\n\\.\n"), qr/ERROR:  22P04: .*CONTEXT: .*COPY short_now, line 2/s, 'so is one that is no line');
is($dnc->take_log('alta'), '', 'nor is the batch that it ends, with write_mode immediate');

# What was written to a file before an error stays there: only success means the list.
$dnc->control('POST', 'alta/alta/fill?count=250');
$dnc->control('POST', 'alta/alta/fault?kind=status&arg=400&at=3');
like($dnc->gives("COPY (SELECT identifier FROM $list) TO '$dir/part'"), qr/ERROR:  HV00L/, 'COPY TO a file ends with an error');
cmp_ok(scalar(() = slurp_file("$dir/part") =~ /\n/g), '<', 252, 'with a part of the list in the file');
$dnc->control('DELETE', 'alta/alta');
$dnc->gives(q{INSERT INTO short VALUES ('a,b@test', 'email'), ('c@test', 'email')});

# ----- psql -----

$dnc->control('POST', 'alta/alta/fill?count=250');
$dnc->gives("\\copy (SELECT identifier, identifier_type FROM $list WHERE identifier_type = 'sms') TO '$dir/sms.csv' (FORMAT csv)");
is(scalar(() = slurp_file("$dir/sms.csv") =~ /^\+1556\d{7},sms$/mg), 42, '\copy TO');
$dnc->take_log('alta');
$dnc->gives("BEGIN;\nDELETE FROM short WHERE identifier_type = 'sms';\n\\copy short (identifier, identifier_type) FROM '$dir/sms.csv' (FORMAT csv)\nCOMMIT;");
is(listed(), 252, '\copy FROM, in a transaction that removes it all first');
like($dnc->gives("SELECT * FROM short \\gdesc"), qr/^identifier\|text\nidentifier_type\|text\nlabel\|text$/, '\gdesc');
$dnc->take_log('alta');
is(scalar(split /\n/, $dnc->gives("\\set FETCH_COUNT 30\nSELECT identifier FROM $list")), 252, 'FETCH_COUNT');
is($dnc->take_methods('alta'), 'GET GET GET', 'reads the list once');
$dnc->control('POST', 'alta/alta/fault?kind=status&arg=400&at=3');
my @lines = split /\n/, $dnc->gives("\\set FETCH_COUNT 30\nSELECT identifier FROM $list");
like("@lines", qr/ERROR:  HV00L/, 'FETCH_COUNT shows rows before the error that ends them');
is(scalar(grep { !/^[A-Z]+:|^page \d+ of/ } @lines), 180, 'and only whole fetches');
is($dnc->gives("BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT identifier FROM $list WHERE identifier_type = 'sms'; COMMIT; MOVE 40 FROM c; FETCH ALL FROM c; CLOSE c") =~ tr/\n//, 1,
	'a cursor WITH HOLD has all of it at COMMIT');

# ----- pgTAP -----

SKIP:
{
	skip 'pgTAP is not installed', 4
	  unless $node->safe_psql('postgres', q{SELECT count(*) FROM pg_available_extensions WHERE name = 'pgtap'});

	# throws_ok() and lives_ok() run in subtransactions, results_eq() reads cursors.
	$node->safe_psql('postgres', 'CREATE EXTENSION pgtap');
	$dnc->control('DELETE', 'alta/alta');
	$dnc->control('POST', 'alta/alta/fill?count=3');
	append_to_file("$dir/list.sql", q{
		\set ON_ERROR_STOP 1
		BEGIN;
		SELECT plan(14);
		SELECT has_foreign_table('alta'::name, 'communication_opt_outs'::name);
		SELECT has_column('alta'::name, 'communication_opt_outs'::name, 'created_at'::name, 'a column');
		SELECT col_type_is('alta'::name, 'communication_opt_outs'::name, 'id'::name, 'uuid'::text, 'its type');
		SELECT results_eq('SELECT identifier_type FROM short', ARRAY['email', 'linkedin', 'phone'], 'in order');
		SELECT set_eq('SELECT identifier_type FROM short', ARRAY['phone', 'linkedin', 'email'], 'as a set');
		SELECT bag_has('SELECT identifier_type FROM short', $$VALUES ('phone')$$, 'some');
		SELECT is_empty($$SELECT 1 FROM short WHERE identifier = 'nobody@test'$$, 'nothing');
		SELECT throws_ok($$INSERT INTO short VALUES ('a@test', 'email'), ('', 'email')$$, '22023', NULL, 'a bad row');
		SELECT throws_ok($$INSERT INTO short VALUES (NULL, 'email')$$, '23502', NULL, 'none');
		SELECT throws_ok('UPDATE short SET label = 1', '0A000', 'cannot update foreign table "short"', 'no UPDATE');
		SELECT is_empty('SELECT * FROM dnc_fdw_pending()', 'subtransactions that fail leave nothing to be sent');
		SELECT lives_ok($$INSERT INTO short VALUES ('a@test', 'email')$$, 'a good row');
		SELECT results_eq('SELECT identifier, identifier_type FROM short WHERE identifier LIKE ''%@test''', $$VALUES ('a@test', 'email')$$, 'is seen');
		SELECT results_eq('SELECT action, identifier FROM dnc_fdw_pending()', $$VALUES ('add', 'a@test')$$, 'and waits');
		SELECT * FROM finish();
	});
	$dnc->take_log('alta');
	my $results = $dnc->gives("\\i $dir/list.sql\nROLLBACK");
	is(scalar(() = $results =~ /^ok /mg) . ($results =~ /^not ok|ERROR/m ? $results : ''), 14, 'pgTAP');
	unlike($dnc->take_log('alta'), qr/POST/, 'with ROLLBACK sends nothing');
	$dnc->gives("\\i $dir/list.sql\nCOMMIT");
	is(scalar(() = $dnc->take_log('alta') =~ /POST \S+ 200 entries=1$/mg), 1, 'with COMMIT what waits');
	is(listed(), 4, 'and nothing else');
}

# ----- what ORMs send (docs/clients.md) -----

sub requests { return scalar(split / /, $dnc->take_methods('alta')) }

$dnc->control('DELETE', 'alta/alta');
$dnc->control('POST', 'alta/alta/fill?count=2500');
$dnc->take_log('alta');
$dnc->gives("BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT identifier FROM $list; COMMIT;\n" . "FETCH 50 FROM c;\n" x 10);
is(requests(), 25, 'ten screens of 50 by a cursor');
$dnc->gives(join "\n", map { "SELECT identifier FROM $list LIMIT 50 OFFSET " . 50 * $_ . ';' } 0 .. 9);
is(requests(), 30, 'by OFFSET');
$dnc->gives(join "\n", map { "SELECT identifier FROM $list ORDER BY identifier LIMIT 50 OFFSET " . 50 * $_ . ';' } 0 .. 9);
is(requests(), 250, 'by OFFSET with ORDER BY');

my $insert = "INSERT INTO $list (identifier, identifier_type) VALUES ('orm\@test', 'email')";
like($dnc->gives("$insert RETURNING $_"), qr/ERROR:  0A000: /, "RETURNING $_ is refused") for 'id', 'created_at', '*';
like($dnc->gives("$insert ON CONFLICT (identifier) DO NOTHING"), qr/ERROR:  42P10: /, 'ON CONFLICT (identifier)');
like($dnc->gives("UPDATE $list SET label = 'x' WHERE identifier = 'orm\@test'"), qr/ERROR:  0A000: cannot update foreign table.*^HINT:  /ms, 'UPDATE has a HINT');
is($dnc->take_log('alta') =~ /POST|DELETE/ ? 'sent' : '', '', 'nothing of these is sent');
is($dnc->gives("$insert ON CONFLICT DO NOTHING RETURNING identifier, identifier_type"), 'orm@test|email', 'what works instead');

my $three = join ', ', map { "('+15559990001', '$_')" } 'phone', 'sms', 'whatsapp';
$dnc->gives("INSERT INTO short (identifier, identifier_type) VALUES $three");
is(listed(), 2504, 'a person with three entries');
$dnc->gives("DELETE FROM short WHERE identifier = '+15559990001' AND identifier_type = 'sms'");
is(listed(), 2503, 'the key of two columns takes one');
$dnc->gives("DELETE FROM short WHERE identifier = '+15559990001'");
is(listed(), 2501, 'a key of identifier alone takes the others too');

# ----- what poolers do to a session -----

is($dnc->gives("LOAD 'dnc_fdw'; BEGIN; SET LOCAL dnc_fdw.max_requests = 1; COMMIT; SHOW dnc_fdw.max_requests"), 0, 'SET LOCAL ends with the transaction');
like($dnc->gives("BEGIN; SET LOCAL dnc_fdw.max_requests = 1; SELECT max(identifier) FROM $list"), qr/ERROR: .*max_requests/s, 'in which it holds');
is($dnc->gives("SELECT 1 FROM $list WHERE identifier = 'orm\@test';\nDISCARD ALL;\nSELECT requests FROM dnc_fdw_stats() WHERE server = 'alta'"), "1\n1",
	'dnc_fdw_stats() counts for the server connection, after DISCARD ALL too');

# ----- libpq -----

sub config { my ($option) = @_; my $value = qx($ENV{PG_CONFIG} $option); chomp $value; return $value }

$ENV{PG_CONFIG} ||= 'pg_config';
my $client = "$dir/client";
my $compiler = $ENV{CC} || 'cc';
system_or_bail(split(/ /, $compiler), split(' ', $ENV{CFLAGS} // ''), '-Wall', '-Wextra', '-Werror', '-o', $client, '-I' . config('--includedir'), "$FindBin::RealBin/lib/client.c",
	'-L' . config('--libdir'), '-Wl,-rpath,' . config('--libdir'), '-lpq');
sub client
{
	my ($stdout, $stderr);

	IPC::Run::run([ $client, $node->connstr('postgres'), $list ], '>', \$stdout, '2>', \$stderr);
	return $stdout . $stderr;
}
my $sent = "PGRES_COMMAND_OK INSERT 0 1\n" x 3;
$dnc->control('DELETE', 'alta/alta');
$dnc->control('POST', 'alta/alta/fill?count=250');
is(client(), "250 rows, PGRES_TUPLES_OK SELECT 250\n${sent}PGRES_PIPELINE_SYNC \n", 'libpq: single rows, a pipeline');
is($dnc->take_methods('alta'), 'GET GET GET POST', 'in as many requests as that takes');
$dnc->control('POST', 'alta/alta/fault?kind=status&arg=400&at=2&method=GET');
$dnc->control('POST', 'alta/alta/fault?kind=status&arg=400&method=POST');
is(client(), "100 rows, PGRES_FATAL_ERROR HV00L\n${sent}PGRES_FATAL_ERROR HV00L\nPGRES_PIPELINE_SYNC \n",
	'libpq: errors after rows, and after statements of a pipeline that were fine');

$dnc->stop;
done_testing();
