# postgres_fdw from another database on top of our foreign tables: what it hands on
# reaches our request, its transactions are ours, errors come through, and what it would
# do by ctid is refused, since it would remove the whole list.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $dnc = DncTest->new;
my $node = $dnc->node;
my $first = 'person000001@example.com';
my $list = 'b.communication_opt_outs';

$dnc->make_server('alta', 350, "max_retries '0'");
$node->safe_psql('postgres', q{
	CREATE FOREIGN TABLE alta.now (identifier text, identifier_type text) SERVER alta OPTIONS (write_mode 'immediate');
	CREATE TABLE alta.types (identifier_type text, what text);
	INSERT INTO alta.types VALUES ('phone', 'calls');
	CREATE DATABASE above;
});
$node->safe_psql('above', sprintf q{
	CREATE EXTENSION postgres_fdw;
	CREATE SERVER below FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '%s', port '%s', dbname 'postgres');
	CREATE USER MAPPING FOR CURRENT_USER SERVER below;
	CREATE SCHEMA b;
	IMPORT FOREIGN SCHEMA alta FROM SERVER below INTO b;
	CREATE TABLE contact (email text);
	INSERT INTO contact VALUES ('person000001@example.com'), ('nobody@example.com');
	ANALYZE contact;
	CREATE TABLE here (what text);
}, $node->host, $node->port);

sub above { return $dnc->gives($_[0], database => 'above') }
sub listed { return $dnc->control('GET', 'alta/alta/count') + 0 }

# ----- reading -----

is(above(q{SELECT relname FROM pg_class WHERE relkind = 'f' ORDER BY 1}), "communication_opt_outs\nnow\ntypes", 'IMPORT FOREIGN SCHEMA takes our tables');
is($dnc->take_log('alta'), '', 'and sends nothing');
is(above("SELECT label FROM $list WHERE identifier = '+15550000003' AND identifier_type = 'phone'"), 'Person 3', 'a condition');
like($dnc->take_log('alta'), qr/^GET \S*&identifierType=phone&search=%2B15550000003 [^\n]*\n$/, 'reaches the request');
is(above("PREPARE p(text) AS SELECT count(*) FROM $list WHERE identifier = ANY (ARRAY[\$1, 'x']); EXECUTE p('$first')"), 1, 'so does a parameter');
like($dnc->take_log('alta'), qr/search=person000001.*search=x/s, 'and each value of an array');
is(above("SELECT count(*) FROM $list"), 350, 'the list');
is($dnc->take_methods('alta'), 'GET GET GET GET', 'is read to its end');
is(above("SELECT string_agg(identifier, ' ' ORDER BY identifier) FROM $list WHERE upper(label) = 'PERSON 3' OR random() < 0"), '+15550000003', 'with what is left for above');
is($dnc->take_methods('alta'), 'GET GET GET GET', 'likewise, by fetches of 100');
is(above("SELECT what FROM b.types JOIN $list USING (identifier_type) LIMIT 1"), 'calls', 'a join that is done below');
$dnc->take_log('alta');
is(above("SELECT email FROM contact WHERE EXISTS (SELECT FROM $list WHERE identifier = email)"), $first, 'a join that is done above');
$dnc->take_log('alta');
is(above("SELECT identifier FROM $list LIMIT 1"), $first, 'LIMIT');
like($dnc->take_log('alta'), qr/^GET \S*limit=1 [^\n]*\n$/, 'reaches the request');
is(above("SELECT identifier FROM $list WHERE random() < 2 LIMIT 1"), $first, 'LIMIT above what is left for above');
is($dnc->take_methods('alta'), 'GET', 'closes the cursor early, and reads no more than was fetched');
is(above("SET enable_material = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
	SELECT count(*) FROM (VALUES (1), (2)) v(n) LEFT JOIN $list d ON length(d.identifier) > n + random()"), 700, 'a scan that is run again');
$dnc->take_log('alta');
above(q{ALTER SERVER below OPTIONS (ADD use_remote_estimate 'true')});
like(above("EXPLAIN VERBOSE SELECT * FROM $list WHERE identifier = 'x'; EXPLAIN SELECT * FROM contact JOIN $list ON identifier = email"),
	qr/Remote SQL: SELECT .* WHERE/, 'EXPLAIN with use_remote_estimate');
is($dnc->take_log('alta'), '', 'sends nothing');
is(above("SELECT email FROM contact JOIN $list ON identifier = email"), $first, 'a join with use_remote_estimate');
is(scalar(() = $dnc->take_log('alta') =~ /search=/g), 2, 'looks its few contacts up');
is(above("ANALYZE $list; SELECT reltuples FROM pg_class WHERE oid = '$list'::regclass"), 350, 'ANALYZE from above');
is($dnc->take_methods('alta'), 'GET GET GET GET', 'reads the list');

# What is read twice is read anew: a list is no snapshot.
like(above("BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT count(*) FROM $list;\n\\! curl -s -X POST @{[ $dnc->url ]}/sandbox/alta/alta/fill?count=1\nSELECT count(*) FROM $list; COMMIT"),
	qr/^350\n1\n?351$/, 'in whatever isolation');
$dnc->take_log('alta');

# ----- errors -----

$dnc->control('POST', 'alta/alta/fault?kind=status&arg=400&at=3');
like(above("SELECT count(identifier) FROM $list WHERE random() < 2"),
	qr/ERROR:  HV00L: .*"alta".*CONTEXT:.*remote SQL command:/s, 'an error on the third page comes through, with its SQLSTATE');
like(above("INSERT INTO $list (identifier, identifier_type) VALUES ('x', 'pigeon')"), qr/ERROR:  22023: .*HINT:.*CONTEXT:  .*remote SQL command: INSERT/s, 'so does that of a bad row');
like(above("INSERT INTO $list (id, identifier, identifier_type) VALUES (gen_random_uuid(), 'x', 'email')"), qr/ERROR:  22023: /, 'and that of a column that the API sets');
like(above("UPDATE $list SET label = 'x' WHERE identifier = '$first'"), qr/ERROR:  0A000: cannot update foreign table/, 'UPDATE is refused');
like(above("TRUNCATE $list"), qr/ERROR:  (?:0A000|42809|55000): .*truncate/, 'TRUNCATE is refused');
unlike($dnc->take_log('alta'), qr/POST|DELETE/, 'nothing of that was sent');

# ----- writing -----

my $before = listed();
is(above("BEGIN; INSERT INTO $list (identifier, identifier_type) SELECT n || '\@test', 'email' FROM generate_series(1, 25) n;
	SELECT count(*) FROM $list WHERE identifier LIKE '%\@test'; ROLLBACK"), 25, 'what is written is seen');
unlike($dnc->take_log('alta'), qr/POST|DELETE/, 'ROLLBACK above sends nothing');
my $session = $node->background_psql('above');
$session->query("BEGIN; INSERT INTO here VALUES ('one'); INSERT INTO $list (identifier, identifier_type) SELECT n || '\@test', 'email' FROM generate_series(1, 25) n");
$session->query("SAVEPOINT s; INSERT INTO $list (identifier, identifier_type) VALUES ('taken back\@test', 'email'); ROLLBACK TO s");
$session->query("SAVEPOINT s; DELETE FROM $list WHERE identifier = '$first'; RELEASE s");
unlike($dnc->take_log('alta'), qr/POST|DELETE/, 'nothing is sent before COMMIT above');
$session->query('COMMIT');
$session->quit;
like($dnc->take_log('alta'), qr/^POST \S+ 200 entries=25\nDELETE \S+ 200 entries=1\n$/, 'COMMIT above sends it, in one request, without what a savepoint took back');
is(listed(), $before + 24, 'the list has it');
above(q{ALTER SERVER below OPTIONS (ADD batch_size '10')});
is(above("INSERT INTO $list (identifier, identifier_type) SELECT n || '\@batch', 'email' FROM generate_series(1, 25) n RETURNING 1") =~ tr/1//, 25, 'batch_size and RETURNING');
is($dnc->take_log('alta'), "POST /dnc/communication-opt-outs 200 entries=25\n", 'are one request too');
is(above("COPY $list (identifier, identifier_type) FROM stdin;\nc1\@test\temail\nc2\@test\temail\n\\.\n"), '', 'COPY');
is($dnc->take_log('alta'), "POST /dnc/communication-opt-outs 200 entries=2\n", 'is one request');

# Sending fails: what was done above is not done either.
$dnc->control('POST', 'alta/alta/fault?kind=status&arg=400&method=POST');
like(above("BEGIN; INSERT INTO here VALUES ('two'); INSERT INTO $list (identifier, identifier_type) VALUES ('x\@test', 'email'); COMMIT"),
	qr/ERROR:  HV00L: .*CONTEXT:.*remote SQL command: COMMIT TRANSACTION/s, 'COMMIT below fails');
is(above('SELECT what FROM here'), 'one', 'and COMMIT above');
$dnc->take_log('alta');

# ----- no ctid -----

# postgres_fdw sends a DELETE as a whole where it can.  Where it cannot, it asks for the
# ctid of each row, and then deletes by that.
$before = listed();
for my $delete ("DELETE FROM $list WHERE identifier = '2\@test' AND random() < 2",
	"DELETE FROM b.now WHERE identifier = '2\@test' AND random() < 2",
	"DELETE FROM $list USING (VALUES ('2\@test'), ('nobody')) v(email) WHERE identifier = email")
{
	like(above("BEGIN; $delete; COMMIT"), qr/ERROR:  0A000: cannot use column "ctid" of foreign table .*\nDETAIL: .*\nHINT: .*postgres_fdw/, "refused: $delete");
}
my @tables = ('alta.communication_opt_outs', 'alta.now');
for my $table (@tables)
{
	for my $statement ("SELECT ctid FROM $table", "SELECT 1 FROM $table WHERE xmin = '1'", "DELETE FROM $table WHERE ctid = '(4294967295,0)'",
		"DELETE FROM $table WHERE ctid = ANY (ARRAY(SELECT ctid FROM $table LIMIT 1))", "DELETE FROM $table a USING $table b WHERE a.ctid = b.ctid")
	{
		like($dnc->gives($statement), qr/ERROR:  0A000: cannot use column "(?:ctid|xmin)"/, "refused: $statement");
	}
}
unlike($dnc->take_log('alta'), qr/DELETE/, 'nothing is removed');
is(listed(), $before, 'from the list');

# Partitions of both kinds: what the planner asks for by itself is no harm.
is($dnc->gives(q{
	CREATE TABLE mixed (identifier text, identifier_type text, source text) PARTITION BY LIST (source);
	CREATE FOREIGN TABLE mixed_alta PARTITION OF mixed FOR VALUES IN ('alta') SERVER alta;
	CREATE TABLE mixed_here PARTITION OF mixed FOR VALUES IN ('here');
	CREATE TABLE contact (email text);
	INSERT INTO mixed VALUES ('a', 'email', 'here');
	INSERT INTO contact VALUES ('a'), ('person000007@example.com');
	SELECT tableoid::regclass FROM mixed WHERE identifier IN ('a', 'person000007@example.com') ORDER BY 1 FOR UPDATE;
	BEGIN; WITH gone AS (DELETE FROM contact USING mixed WHERE identifier = email RETURNING email) SELECT count(*) FROM gone; ROLLBACK;
	WITH gone AS (DELETE FROM mixed USING contact WHERE identifier = email RETURNING email) SELECT count(*) FROM gone;
}), "mixed_alta\nmixed_here\n2\n2", 'partitions of both kinds are locked, joined and deleted from');
for my $statement ('SELECT ctid FROM mixed', 'DELETE FROM mixed a USING mixed b WHERE a.ctid = b.ctid AND a.identifier < b.identifier',
	q{DELETE FROM mixed WHERE ctid = '(0,1)'})
{
	like($dnc->gives($statement), qr/ERROR:  0A000: cannot use column "ctid" of foreign table "mixed_alta"/, "refused: $statement");
}

$dnc->stop;
done_testing();
