# Views over foreign tables: what may go into a request past a security barrier and what
# may not, whose token security_invoker takes, and what WITH CHECK OPTION keeps from being
# sent.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $dnc = DncTest->new;
my $node = $dnc->node;

$dnc->make_server('alta', 60, "max_retries '0'");
$dnc->control('PUT', 'alta/alta/config?search=substring');
$node->safe_psql('postgres', q{
	ALTER SERVER alta OPTIONS (ADD search_match 'substring');
	CREATE FOREIGN TABLE now (identifier text, identifier_type text, label text) SERVER alta
	  OPTIONS (write_mode 'immediate', batch_size '2');
	CREATE FUNCTION tell(text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS
	  $$ BEGIN RAISE NOTICE 'saw %', $1; RETURN true; END $$;
	CREATE VIEW phones WITH (security_barrier) AS
	  SELECT identifier, identifier_type, label FROM alta.communication_opt_outs WHERE identifier_type = 'phone';
	CREATE VIEW phones_of WITH (security_invoker, security_barrier) AS SELECT * FROM phones;
	CREATE VIEW emails AS SELECT identifier, identifier_type FROM alta.communication_opt_outs
	  WHERE identifier_type = 'email' WITH CHECK OPTION;
	CREATE VIEW emails_now AS SELECT identifier, identifier_type FROM now WHERE identifier_type = 'email';
	CREATE VIEW checked_now AS SELECT * FROM emails_now WHERE identifier <> '' WITH CASCADED CHECK OPTION;
	CREATE ROLE own; CREATE ROLE caller;
	GRANT USAGE ON SCHEMA alta TO own, caller;
	GRANT SELECT ON ALL TABLES IN SCHEMA alta TO own, caller;
	CREATE USER MAPPING FOR own SERVER alta OPTIONS (token 'sandbox-own');
	CREATE USER MAPPING FOR caller SERVER alta OPTIONS (token 'sandbox-caller');
	CREATE VIEW as_own AS SELECT identifier FROM alta.communication_opt_outs;
	CREATE VIEW as_caller WITH (security_invoker) AS SELECT identifier FROM alta.communication_opt_outs;
	ALTER VIEW as_own OWNER TO own; ALTER VIEW as_caller OWNER TO own;
	GRANT SELECT ON as_own, as_caller TO caller;
});

# ----- security_barrier -----

# Whoever asks sees nothing of what the view hides: no function of theirs gets it, and
# EXPLAIN ANALYZE does not count it.
my $shown = $dnc->gives(q{SELECT count(*) FROM phones WHERE tell(identifier)});
is(scalar(() = $shown =~ /saw \+1555/g), 10, 'a function sees what the view shows');
unlike($shown, qr/saw [^+]/, 'and nothing else');
like($dnc->take_log('alta'), qr/^GET \S*identifierType=phone [^\n]*\n$/, "the view's own condition goes into the request");
like($dnc->gives(q{SELECT label FROM phones WHERE identifier = '+15550000003' AND tell(identifier)}), qr/^Person 3\nNOTICE:  00000: saw \+15550000003\n/,
	'a condition on the view');
like($dnc->take_log('alta'), qr/^GET \S*identifierType=phone&search=%2B15550000003 [^\n]*\n$/, 'goes into it if its operator is leakproof');
for my $statement (q{SELECT * FROM phones WHERE identifier LIKE '%0003%'}, q{DELETE FROM phones WHERE identifier LIKE '%0003%'})
{
	unlike($dnc->gives("EXPLAIN $statement"), qr/search=/, "not otherwise: $statement");
}
like($dnc->gives(q{EXPLAIN DELETE FROM alta.communication_opt_outs WHERE identifier LIKE '%0003%'}), qr/search=0003/, 'as it does without a barrier');
is($dnc->gives(q{BEGIN; DELETE FROM phones WHERE identifier LIKE '%0000003' OR identifier LIKE 'person%'; SELECT identifier FROM dnc_fdw_pending(); ROLLBACK}),
	'+15550000003', 'DELETE through the view finds what the view shows');
like($dnc->gives(q{EXPLAIN (COSTS OFF) SELECT * FROM phones p JOIN (VALUES ('+15550000003')) v(n) ON p.identifier = v.n}), qr/search=/, 'a join through the barrier');
is($dnc->gives(q{SELECT count(*) FROM phones_of WHERE identifier = '+15550000003'}), 1, 'a view on the view');
like($dnc->gives('ALTER FOREIGN TABLE now ENABLE ROW LEVEL SECURITY'), qr/ERROR:  42809: /, 'row-level security is not for foreign tables: a view is');

# ----- whose token -----

$dnc->control('POST', 'alta/own/fill?count=3');
$dnc->control('POST', 'alta/caller/fill?count=5');
is($dnc->gives('SET ROLE caller; SELECT count(*) FROM as_own; SELECT count(*) FROM as_caller'), "3\n5", "a view reads its owner's list, with security_invoker the caller's");

# ----- WITH CHECK OPTION -----

$dnc->take_log('alta');
is($dnc->gives(q{INSERT INTO emails VALUES ('a@test', 'email'); DELETE FROM emails WHERE identifier = 'a@test' RETURNING identifier}), 'a@test', 'an updatable view');
is($dnc->take_methods('alta'), 'POST GET DELETE', 'adds, and removes');
is($dnc->gives(q{DELETE FROM emails WHERE identifier = '+15550000003' RETURNING identifier}), '', 'but not what it does not show');
$dnc->take_log('alta');

# PostgreSQL looks at the option only after we have the row, so that nothing may be sent
# until then, batches being full or not.
my $rows = q{SELECT n || '@test', CASE WHEN n = %d THEN 'phone' ELSE 'email' END FROM generate_series(1, 9) n};
for my $view ('emails', 'checked_now')
{
	for my $bad (2, 3, 9)
	{
		like($dnc->gives("INSERT INTO $view " . sprintf $rows, $bad), qr/^ERROR:  44000: new row violates check option/, "$view: row $bad is refused");
	}
}
is($dnc->take_log('alta'), '', 'nothing was sent, with write_mode immediate neither');
$dnc->gives('INSERT INTO checked_now ' . sprintf $rows, 0);
is($dnc->take_methods('alta'), 'POST POST POST POST POST', 'what holds is sent, by batches');

# Without the option, a view lets in what it does not show.
$dnc->gives(q{INSERT INTO emails_now VALUES ('+1', 'phone')});
is($dnc->take_methods('alta') . $dnc->gives(q{SELECT count(*) FROM emails_now WHERE identifier = '+1'}), 'POST0', 'without the option there is no check');

# ----- functions -----

# In a parallel worker, a list would be without what its transaction has written.
for my $label ('SAFE', 'RESTRICTED')
{
	my $parallel = "SET parallel_leader_participation = off; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;
		SET min_parallel_table_scan_size = 0;
		CREATE TABLE contact AS SELECT n || '\@test' AS email FROM generate_series(1, 10000) n; ANALYZE contact;
		CREATE FUNCTION is_listed(text) RETURNS boolean LANGUAGE plpgsql STABLE PARALLEL $label AS
		  \$\$ BEGIN RETURN EXISTS (SELECT FROM alta.communication_opt_outs WHERE identifier = \$1); END \$\$;";
	my $got = $dnc->gives("BEGIN; $parallel INSERT INTO emails VALUES ('77\@test', 'email');
		SELECT is_listed(email) FROM contact WHERE email = '77\@test'; ROLLBACK");

	like($got, $label eq 'RESTRICTED' ? qr/^t$/ : qr/ERROR:  0A000: cannot read a list of server "alta" in a parallel worker/,
		"a function that is PARALLEL $label");
}

# ----- partitions -----

$node->safe_psql('postgres', q{
	CREATE TABLE mixed (identifier text, identifier_type text, source text) PARTITION BY LIST (source);
	CREATE FOREIGN TABLE mixed_alta PARTITION OF mixed FOR VALUES IN ('alta') SERVER alta;
	CREATE TABLE mixed_here PARTITION OF mixed FOR VALUES IN ('here');
	INSERT INTO mixed VALUES ('moved@test', 'email', 'here');
});
$dnc->take_log('alta');
my $move = q{UPDATE mixed SET source = 'alta' WHERE source = 'here'};
is($dnc->gives("BEGIN; $move; SELECT count(*) FROM mixed_here; SELECT identifier FROM dnc_fdw_pending(); ROLLBACK; SELECT count(*) FROM mixed_here"),
	"0\nmoved\@test\n1", 'UPDATE moves a row to a list, not before COMMIT');
is($dnc->take_log('alta'), '', 'and ROLLBACK sends nothing');
$dnc->control('POST', 'alta/alta/fault?kind=status&arg=400&method=POST');
like($dnc->gives($move), qr/ERROR:  HV00L/, 'a row that the vendor refuses');
is($dnc->gives('SELECT count(*) FROM mixed_here'), 1, 'stays where it was');
is($dnc->gives("$move; SELECT count(*) FROM mixed_here; SELECT source FROM mixed WHERE identifier = 'moved\@test'"), "0\nalta", 'and is moved where it is taken');
like($dnc->gives(q{UPDATE mixed SET source = 'here' WHERE source = 'alta'}), qr/ERROR:  0A000: cannot update foreign table "mixed_alta"/, 'there is no way back');
like($dnc->gives(q{MERGE INTO mixed m USING (VALUES ('x@test')) v(i) ON m.identifier = i WHEN NOT MATCHED THEN INSERT VALUES (i, 'email', 'alta')}),
	qr/ERROR:  \w+: cannot execute MERGE on relation "mixed_alta"/, 'MERGE is refused');

$dnc->stop;
done_testing();
