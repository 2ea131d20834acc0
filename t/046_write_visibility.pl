# A transaction sees its own writes, as docs/transactions.md says: through cursors, savepoints,
# chains of transactions, functions and triggers.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncLists qw(control reset_lists entries listed gives);
use DncTest;
use IPC::Run;
use Test::More;

my $dnc = DncTest->new;
my $node = $dnc->node;
DncLists::set_up($dnc, 'tx', here => 1, options => "max_retries '0', max_concurrency '4'", tables => { list => '' });

# ---- visibility: cursors, savepoints, chains

my $all = 'SELECT identifier FROM alta.list ORDER BY 1';
sub insert { my ($name, $table) = @_; return 'INSERT INTO ' . ($table // 'alta.list') . " (identifier, identifier_type) VALUES ('$name', 'email')" }

# A list of a\@test and b\@test; what statements show, spaces between; the list afterwards.
sub walk
{
	my ($name, $statements, $shown, $after) = @_;

	reset_lists();
	$node->safe_psql('postgres', insert('a') . ';' . insert('b'));
	is(join(' ', split /\n/, gives($statements)), $shown, $name);
	is(listed('alta'), $after, "$name: the list");
	return;
}
walk('a cursor sees what was written before it was declared',
	"BEGIN; DECLARE before CURSOR FOR $all;" . insert('c') . "; DECLARE after CURSOR FOR $all; DELETE FROM alta.list WHERE identifier = 'a';
	 FETCH ALL FROM before; FETCH ALL FROM after; $all; COMMIT", 'a b a b c b c', 'b c');
walk('WITH HOLD keeps what it saw',
	"BEGIN; DECLARE before CURSOR WITH HOLD FOR $all;" . insert('c') . "; DECLARE after CURSOR WITH HOLD FOR $all;
	 DELETE FROM alta.list WHERE identifier = 'a'; COMMIT; FETCH ALL FROM before; FETCH ALL FROM after; $all", 'a b a b c b c', 'b c');
walk('a cursor that scrolls',
	'BEGIN;' . insert('c') . "; DECLARE c SCROLL CURSOR FOR SELECT identifier FROM alta.list; MOVE ALL FROM c;" . insert('d') .
	"; FETCH BACKWARD 1 FROM c; FETCH FIRST FROM c; FETCH ABSOLUTE 3 FROM c; FETCH NEXT FROM c; COMMIT", 'c a c', 'a b c d');
walk('a cursor that is open while a savepoint is rolled back',
	'BEGIN;' . insert('c') . "; DECLARE c CURSOR FOR SELECT identifier FROM alta.list; FETCH 2 FROM c; SAVEPOINT s;" . insert('d') .
	"; DELETE FROM alta.list WHERE identifier = 'c'; ROLLBACK TO s; FETCH ALL FROM c; $all; COMMIT", 'a b c a b c', 'a b c');
walk('a cursor of a savepoint that is rolled back',
	'BEGIN; SAVEPOINT s;' . insert('c') . "; DECLARE c CURSOR FOR $all; ROLLBACK TO s; DECLARE c CURSOR FOR $all;" . insert('d') .
	'; FETCH ALL FROM c; COMMIT', 'a b', 'a b d');
walk('COMMIT AND CHAIN', 'BEGIN;' . insert('c') . "; COMMIT AND CHAIN; SELECT count(*) FROM dnc_fdw_pending();"
	. insert('d') . "; $all; ROLLBACK", '0 a b c d', 'a b c');
walk('ROLLBACK AND CHAIN', 'BEGIN;' . insert('c') . "; ROLLBACK AND CHAIN; SELECT count(*) FROM dnc_fdw_pending();"
	. insert('d') . "; $all; COMMIT", '0 a b d', 'a b d');
walk('exceptions in nesting', 'DO $$ BEGIN ' . insert('c') . '; BEGIN ' . insert('d') . "; DELETE FROM alta.list WHERE identifier = 'c';
	 BEGIN " . insert('e') . '; RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN ' . insert('f') . '; END;
	 RAISE unique_violation; EXCEPTION WHEN unique_violation THEN ' . insert('g') . "; END; END \$\$; $all", 'a b c g', 'a b c g');
walk('a procedure that commits', 'DO $$ BEGIN FOR i IN 1 .. 3 LOOP ' . insert('c') . "; UPDATE here SET what = 'y'; INSERT INTO alta.list
	 SELECT i || identifier, identifier_type FROM alta.list WHERE identifier = 'c'; IF i = 2 THEN ROLLBACK; ELSE COMMIT; END IF; END LOOP; END \$\$",
	'', '1c 3c a b c');
walk('a function that writes while the statement reads',
	'CREATE FUNCTION twin(text) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN ' . "INSERT INTO alta.list VALUES (\$1 || \$1, 'email');
	 RETURN (SELECT count(*) FROM alta.list); END \$\$; BEGIN; SELECT identifier, twin(identifier) FROM alta.list; $all; COMMIT",
	'a|3 b|4 a aa b bb', 'a aa b bb');
walk('parts of a statement see the same', "WITH d AS (DELETE FROM alta.list WHERE identifier = 'a' RETURNING identifier),
	 i AS (INSERT INTO alta.list SELECT identifier || 2, 'email' FROM d RETURNING identifier)
	 SELECT identifier FROM alta.list UNION ALL SELECT identifier FROM i ORDER BY 1", 'a a2 b', 'a2 b');

# LIMIT asks for small pages, of which a transaction may hide what is on them.
reset_lists(alta => 250);
my $limit = gives("BEGIN; DELETE FROM alta.list WHERE identifier < 'person000240';
	SELECT identifier FROM alta.list LIMIT 1; ROLLBACK");
is($limit, 'person000240@example.com', 'LIMIT counts what is seen');
is(scalar(grep { /^GET/ } split /\n/, control('GET', 'alta', '/log')), 6, 'and does not read the rest entry by entry');

# ---- triggers

$node->safe_psql('postgres', q{
	CREATE TABLE contact (name text, unwanted boolean);
	CREATE FUNCTION opt_out() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	  INSERT INTO alta.list (identifier, identifier_type) VALUES (TG_NAME || '_' || NEW.name, 'email'); RETURN NEW; END $$;
	CREATE TRIGGER b BEFORE INSERT ON contact FOR EACH ROW WHEN (NEW.unwanted) EXECUTE FUNCTION opt_out();
	CREATE TRIGGER a AFTER INSERT ON contact FOR EACH ROW WHEN (NEW.unwanted) EXECUTE FUNCTION opt_out();
	CREATE CONSTRAINT TRIGGER d AFTER INSERT ON contact DEFERRABLE INITIALLY DEFERRED
	  FOR EACH ROW WHEN (NEW.unwanted) EXECUTE FUNCTION opt_out();
	CREATE FOREIGN TABLE alta.watched (identifier text, identifier_type text, label text) SERVER alta;
	CREATE TABLE seen (n serial, what text);
	CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	  INSERT INTO seen (what) VALUES (concat_ws(' ', TG_WHEN, TG_OP, TG_LEVEL, OLD.identifier, NEW.identifier, NEW.label));
	  IF TG_LEVEL = 'ROW' AND TG_WHEN = 'BEFORE' THEN
	    IF coalesce(NEW.identifier, OLD.identifier) LIKE 'skip%' THEN RETURN NULL; END IF;
	    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
	    NEW.identifier = lower(NEW.identifier);
	    NEW.identifier_type = 'email';
	  END IF;
	  RETURN NEW; END $$;
	CREATE TRIGGER before_row BEFORE INSERT OR DELETE ON alta.watched FOR EACH ROW EXECUTE FUNCTION watch();
	CREATE TRIGGER after_row AFTER INSERT OR DELETE ON alta.watched FOR EACH ROW EXECUTE FUNCTION watch();
	CREATE TRIGGER before_all BEFORE INSERT OR DELETE ON alta.watched EXECUTE FUNCTION watch();
	CREATE TRIGGER after_all AFTER INSERT OR DELETE ON alta.watched EXECUTE FUNCTION watch();
});
walk('triggers of a local table', "BEGIN; INSERT INTO contact VALUES ('x', true), ('y', false); $all; COMMIT", 'a a_x b b_x', 'a a_x b b_x d_x');
walk('triggers of a local table, rolled back', "BEGIN; INSERT INTO contact VALUES ('x', true); SET CONSTRAINTS ALL IMMEDIATE; $all; ROLLBACK",
	'a a_x b b_x d_x', 'a b');
my $seen = 'SELECT what FROM seen ORDER BY n; TRUNCATE seen';
sub seen { return join '; ', split /\n/, gives($seen) }
walk('triggers of the foreign table, INSERT', q{INSERT INTO alta.watched VALUES ('C', NULL, 'see'), ('skip', 'email', NULL) RETURNING identifier},
	'c', 'a b c');
is(seen(), 'BEFORE INSERT STATEMENT; BEFORE INSERT ROW C see; BEFORE INSERT ROW skip; AFTER INSERT ROW c see; AFTER INSERT STATEMENT',
	'triggers of the foreign table, INSERT: what they get');
is((grep { $_->{identifier} eq 'c' } entries('alta'))[0]{label}, 'see', 'triggers of the foreign table: the other columns');
walk('triggers of the foreign table, COPY', "COPY alta.watched FROM stdin;\nD\tfax\t\\N\nskip\temail\t\\N\n\\.\n", '', 'a b d');
is(seen(), 'BEFORE INSERT STATEMENT; BEFORE INSERT ROW D; BEFORE INSERT ROW skip; AFTER INSERT ROW d; AFTER INSERT STATEMENT',
	'triggers of the foreign table, COPY: what they get');
walk('triggers of the foreign table, DELETE', insert('skip') . "; DELETE FROM alta.watched WHERE identifier <> 'a' RETURNING identifier",
	'b', 'a skip');
is(seen(), 'BEFORE DELETE STATEMENT; BEFORE DELETE ROW b; BEFORE DELETE ROW skip; AFTER DELETE ROW b; AFTER DELETE STATEMENT',
	'triggers of the foreign table, DELETE: what they get');
$node->safe_psql('postgres', q{ALTER FOREIGN TABLE alta.watched OPTIONS (ADD write_mode 'immediate')});
walk('a trigger keeps a DELETE by key from going without reading', insert('skip') .
	q{; DELETE FROM alta.watched WHERE identifier = 'skip' AND identifier_type = 'email'}, '', 'a b skip');
$node->safe_psql('postgres', q{CREATE FOREIGN TABLE alta.filled (identifier text, identifier_type text DEFAULT 'email',
	label text GENERATED ALWAYS AS (upper(identifier)) STORED) SERVER alta});
walk('defaults and generated columns', q{INSERT INTO alta.filled VALUES ('c') RETURNING *; SELECT identifier, label FROM alta.filled WHERE label = 'C'},
	'c|email|C c|C', 'a b c');

# ---- a row that another session changes while the list is read

$node->safe_psql('postgres', 'CREATE TABLE leads (email text, state text)');

# What a statement says of a lead that gets a listed address before the statement can lock it.
sub changed_meanwhile
{
	my ($statement) = @_;
	my ($out, $errors) = ('', '');

	$node->safe_psql('postgres', q{TRUNCATE leads; INSERT INTO leads VALUES ('free', 'new')});
	my $other = $node->background_psql('postgres');
	$other->query_safe(q{BEGIN; UPDATE leads SET email = 'listed'});
	my $run = IPC::Run::start([ 'psql', '-XAtq', '-v', 'VERBOSITY=verbose', '-d', $node->connstr('postgres'), '-c', $statement ], '>', \$out, '2>', \$errors);
	$dnc->poll(sub { $node->safe_psql('postgres', 'SELECT count(*) FROM pg_locks WHERE NOT granted') });
	$other->query_safe('COMMIT');
	$other->quit;
	$run->finish;
	return "$out$errors" . $node->safe_psql('postgres', 'SELECT state FROM leads');
}

reset_lists();
$node->safe_psql('postgres', insert('listed'));
for my $joins ('', 'SET enable_hashjoin = off; SET enable_mergejoin = off;')
{
	for my $statement (q{UPDATE leads l SET state = 'ready' WHERE NOT EXISTS (SELECT FROM alta.list d WHERE d.identifier = l.email)},
		q{SELECT 'ready' FROM leads l WHERE NOT EXISTS (SELECT FROM alta.list d WHERE d.identifier = l.email) FOR UPDATE OF l},
		q{UPDATE leads l SET state = 'ready' FROM leads k LEFT JOIN alta.list d ON d.identifier = k.email WHERE k.ctid = l.ctid AND d.identifier IS NULL})
	{
		like(changed_meanwhile("$joins $statement"), qr/^ERROR:  40001: cannot compare a changed row with the list of server "alta"\nDETAIL:  Another session has changed the row.*new$/s, "not compared anew: $statement");
	}
	is(changed_meanwhile("$joins UPDATE leads SET state = 'ready' WHERE email NOT IN (SELECT identifier FROM alta.list)"), 'new', 'NOT IN compares anew');
}

$dnc->stop;
done_testing();
