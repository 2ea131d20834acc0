# What the owner of a mirror adds to its tables: whatever could keep entries out of it, or take
# them away, ends a refresh with an error that names it; what cannot may stay.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use IPC::Run;
use Test::More;

my $dnc = DncTest->new;
my $node = $dnc->node;
my $list = 'm.communication_opt_outs';
my ($mirror, $staging) = map { "${list}_$_" } 'mirror', 'staging';

sub value { return $node->safe_psql('postgres', $_[0]) }
sub refresh { my ($more) = @_; return $dnc->gives("CALL dnc_fdw_mirror_refresh('$list'" . ($more ? ", $more" : '') . ')') }
sub known { return value("SELECT count(*) FROM ${list}_known") }

$dnc->make_server('m', 25, q{page_size '10', max_retries '0'});
value(qq{
	SELECT dnc_fdw_mirror_create('$list');
	CALL dnc_fdw_mirror_refresh('$list');
	CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
	CREATE TABLE audit (what text);
	CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.audit VALUES (TG_OP); RETURN NULL; END';
	CREATE TABLE contacts (match_key text PRIMARY KEY);
	CREATE FUNCTION forbid() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION USING MESSAGE = ''no''; END'});
is(known(), 25, 'a mirror');

# ----- what could lose entries -----

my $added = 0;

# The refresh is refused while it is there; then the next one brings what is new.
sub refused_with
{
	my ($name, $make, $detail, $undo) = @_;

	value($make);
	$dnc->control('POST', 'alta/m/fill?count=' . ++$added);
	my $before = known();
	like(refresh(), qr/^ERROR:  55000: a merge could lose entries of the mirror of "communication_opt_outs"\nDETAIL:  $detail\nHINT:  /, "$name: refused");
	is(known(), $before, 'and the mirror is as it was');
	value($undo);
	is(refresh() . known(), $before + $added, 'without it, the next pass brings all');
	return;
}

for my $event (qw(INSERT UPDATE))
{
	refused_with("a trigger before $event", "CREATE TRIGGER swallow BEFORE $event ON $mirror FOR EACH ROW EXECUTE FUNCTION swallow()",
		qr/Trigger "swallow" of table "communication_opt_outs_mirror" runs before each row, and could drop or change it\./, "DROP TRIGGER swallow ON $mirror");
}
refused_with('a trigger of the staging table', "CREATE TRIGGER swallow BEFORE INSERT ON $staging FOR EACH ROW EXECUTE FUNCTION swallow()",
	qr/Trigger "swallow" of table "communication_opt_outs_staging" .*/, "ALTER TABLE $staging DISABLE TRIGGER swallow");
refused_with('a trigger for replicas', "CREATE TRIGGER swallow BEFORE INSERT ON $mirror FOR EACH ROW EXECUTE FUNCTION swallow(); ALTER TABLE $mirror ENABLE REPLICA TRIGGER swallow",
	qr/Trigger "swallow" .*/, "ALTER TABLE $mirror DISABLE TRIGGER swallow");
refused_with('a rule', "CREATE RULE nothing AS ON INSERT TO $mirror DO INSTEAD NOTHING",
	qr/Table "communication_opt_outs_mirror" has a rule, which could do something else instead\./, "ALTER TABLE $mirror DISABLE RULE nothing");
refused_with('a foreign key', "ALTER TABLE $mirror ADD CONSTRAINT of_contacts FOREIGN KEY (match_key) REFERENCES contacts ON DELETE CASCADE NOT VALID",
	qr/Table "communication_opt_outs_mirror" has a foreign key: .*/, "ALTER TABLE $mirror DROP CONSTRAINT of_contacts");
refused_with('a child', "CREATE TABLE child () INHERITS ($mirror)",
	qr/Other tables inherit from table "communication_opt_outs_mirror": .*/, 'DROP TABLE child');

# ----- what comes while a pass is under way -----

$dnc->control('POST', 'alta/m/fill?count=3');
my $before = known();
is(refresh('max_requests => 2'), '', 'a pass that is left');
value("ALTER TABLE $mirror ENABLE TRIGGER swallow");
like(refresh(), qr/could lose entries/, 'does not go on with a trigger');
value("ALTER TABLE $mirror DISABLE TRIGGER swallow");
my $holder = $node->background_psql('postgres');
$holder->query_safe("BEGIN; ALTER TABLE $mirror ENABLE TRIGGER swallow");
my $said = '';
my $call = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', "CALL dnc_fdw_mirror_refresh('$list')" ], '2>', \$said);
$dnc->poll(sub { value(q{SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'CALL%'}) });
$holder->query_safe('COMMIT');
$holder->quit;
$call->finish;
like($said, qr/could lose entries/, 'and then sees it');
is(known(), $before, 'the mirror is as it was');
value("DROP TRIGGER swallow ON $mirror");
is(refresh() . known(), $before + 3, 'until it is gone');

# ----- what may stay -----

value(qq{
	CREATE TRIGGER note AFTER INSERT OR UPDATE ON $mirror FOR EACH ROW EXECUTE FUNCTION note();
	CREATE TRIGGER statements BEFORE INSERT ON $mirror FOR EACH STATEMENT EXECUTE FUNCTION note();
	CREATE TRIGGER forbid BEFORE INSERT ON $mirror FOR EACH ROW EXECUTE FUNCTION forbid();
	ALTER TABLE $mirror DISABLE TRIGGER forbid;
	ALTER TABLE $mirror ADD shouted text GENERATED ALWAYS AS (upper(identifier)) STORED, ADD note text DEFAULT 'x'});
$dnc->control('POST', 'alta/m/fill?count=2');
is(refresh() . known(), $before + 5, 'triggers after rows and of statements, and columns of your own, may stay');
is(value(q{SELECT count(*) FROM audit}), 3, 'and run');

# ----- errors of PostgreSQL's own -----

value("ALTER TABLE $mirror ADD CONSTRAINT short CHECK (length(identifier) < 5) NOT VALID");
$dnc->control('POST', 'alta/m/fill?count=1');
like(refresh(), qr/^ERROR:  23514: new row for relation "communication_opt_outs_mirror" violates check constraint "short"/, 'an entry that a constraint refuses is an error');
is(known(), $before + 5, 'that changes nothing');
value("ALTER TABLE $mirror DROP CONSTRAINT short");
is(refresh() . known(), $before + 6, 'and the pass goes on without it');

# ----- defaults -----

value("ALTER TABLE $mirror ALTER gone_at SET DEFAULT now(), ALTER seen_at SET DEFAULT '-infinity', ALTER last_seen SET DEFAULT now()");
$dnc->control('POST', 'alta/m/fill?count=1');
is(refresh() . known(), $before + 7, 'defaults of our columns do not matter');

$dnc->stop;
done_testing();
