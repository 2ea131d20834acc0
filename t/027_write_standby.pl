# Where nothing may be written, nothing is sent: on a hot standby, and in read-only
# transactions of the primary.  Reading works there as anywhere.  Then the standby is
# promoted, and a snapshot of a list goes from one to the other by logical replication.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $dnc = DncTest->new;
my $node = $dnc->node;
my $list = 'alta.communication_opt_outs';
my $first = 'person000001@example.com';

$node->append_conf('postgresql.conf', "wal_level = logical\nmax_wal_senders = 5\nmax_replication_slots = 5\nautovacuum = off\n");
$node->restart;
$dnc->make_server('alta', 250);
$dnc->make_server('pace', 1, "max_wait '1s'");
$node->safe_psql('postgres', q{
	CREATE FOREIGN TABLE now (identifier text, identifier_type text) SERVER alta OPTIONS (write_mode 'immediate');
	CREATE TABLE contact (email text);
	INSERT INTO contact VALUES ('person000001@example.com'), ('nobody@example.com');
	CREATE VIEW emails AS SELECT identifier, identifier_type FROM now WHERE identifier_type = 'email';
	CREATE TABLE both_lists (identifier text, identifier_type text, source text) PARTITION BY LIST (source);
	CREATE FOREIGN TABLE both_alta PARTITION OF both_lists FOR VALUES IN ('alta') SERVER alta;
	CREATE TABLE keyed AS SELECT format('Person%s@Example.com', to_char(n, 'FM000000')) AS email FROM generate_series(1, 2000) n;
	CREATE INDEX by_key ON keyed (dnc_fdw_key(email, 'email'));
	CREATE MATERIALIZED VIEW seen AS SELECT identifier FROM now WITH NO DATA;
	CREATE FUNCTION add_one() RETURNS void LANGUAGE sql AS $$INSERT INTO now VALUES ('function@test', 'email')$$;
});

# What is not to be done in any of these places; by key, without reading, is how the
# last one would go.
my @writes = (
	[ INSERT => q{INSERT INTO now VALUES ('one@test', 'email')} ],
	[ INSERT => qq{INSERT INTO $list (identifier, identifier_type) VALUES ('one\@test', 'email')} ],
	[ INSERT => q{INSERT INTO both_lists VALUES ('one@test', 'email', 'alta')} ],
	[ INSERT => q{INSERT INTO emails VALUES ('one@test', 'email')} ],
	[ INSERT => 'SELECT add_one()' ],
	[ INSERT => q{PREPARE p AS INSERT INTO now VALUES ('one@test', 'email'); EXECUTE p} ],
	[ 'COPY FROM' => "COPY now FROM stdin;\none\@test\temail\n\\.\n" ],
	[ SELECT => q{WITH gone AS (DELETE FROM now RETURNING *) SELECT * FROM gone} ],
	[ DELETE => "DELETE FROM $list" ],
	[ DELETE => 'DELETE FROM now' ],
	[ DELETE => "DELETE FROM both_lists WHERE identifier = '$first'" ],
	[ DELETE => "DELETE FROM emails WHERE identifier = '$first'" ],
	[ DELETE => "DELETE FROM now WHERE identifier = '$first' AND identifier_type = 'email'" ]);

# Each of them is refused, and nothing is sent.
sub refuses_writes
{
	my ($where, $before, %at) = @_;

	for my $write (@writes)
	{
		my ($command, $statement) = @$write;

		like($dnc->gives("$before$statement", %at), qr/ERROR:  25006: cannot execute (?:$command in a read-only transaction|COPY during recovery)/,
			"$where: " . $statement =~ s/\n.*//sr);
	}
	is($dnc->take_log('alta'), '', "$where: nothing was sent");
	return;
}

# ----- read-only transactions -----

refuses_writes('READ ONLY', 'BEGIN READ ONLY;');
refuses_writes('default_transaction_read_only', 'SET default_transaction_read_only = on;');

# PostgreSQL excepts temporary tables.  What these stand for is not temporary.
my $temporary = q{CREATE FOREIGN TABLE pg_temp.t (identifier text, identifier_type text) SERVER alta;
	CREATE FOREIGN TABLE pg_temp.tn (identifier text, identifier_type text) SERVER alta OPTIONS (write_mode 'immediate');
	BEGIN READ ONLY;};
for my $table ('t', 'tn')
{
	for my $write ([ INSERT => "INSERT INTO $table VALUES ('one\@test', 'email')" ], [ 'COPY FROM' => "COPY $table FROM stdin;\none\@test\temail\n\\.\n" ],
		[ DELETE => "DELETE FROM $table WHERE identifier = '$first' AND identifier_type = 'email'" ])
	{
		like($dnc->gives("$temporary $write->[1]; COMMIT"), qr/ERROR:  25006: cannot execute $write->[0] in a read-only transaction/,
			'temporary foreign table: ' . $write->[1] =~ s/\n.*//sr);
	}
}
unlike($dnc->take_log('alta'), qr/POST|DELETE/, 'temporary foreign tables: nothing was sent');

# What was written before SET TRANSACTION READ ONLY is sent, as PostgreSQL keeps it too.
like($dnc->gives("BEGIN; INSERT INTO $list (identifier, identifier_type) VALUES ('before\@test', 'email'); SAVEPOINT s;
	SET TRANSACTION READ ONLY; DELETE FROM $list; ROLLBACK TO s; SELECT count(*) FROM dnc_fdw_pending(); SET TRANSACTION READ ONLY; COMMIT"),
	qr/^1\nERROR:  25006/, 'what was written before READ ONLY waits');
like($dnc->gives("SET default_transaction_read_only = on; CALL dnc_fdw_mirror_refresh('$list')"),
	qr/ERROR:  25006: cannot execute CALL dnc_fdw_mirror_refresh\(\) in a read-only transaction/, 'nor is a mirror refreshed');
is($dnc->take_log('alta'), "POST /dnc/communication-opt-outs 200 entries=1\n", 'and is sent at COMMIT, and nothing else');

# ----- a hot standby -----

$node->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->append_conf('postgresql.conf', "max_standby_streaming_delay = 0\nhot_standby_feedback = off\n"
	. ($node->pg_version < 17 ? "shared_preload_libraries = 'dnc_fdw'\n" : ''));
$standby->start;
my @standby = (node => $standby);

like($dnc->gives("CALL dnc_fdw_mirror_refresh('$list')", @standby),
	qr/^ERROR:  25006: cannot refresh a mirror on a standby\nHINT:  CALL dnc_fdw_mirror_refresh\(\) on the primary/, 'standby: a mirror is refreshed on the primary');
is($dnc->gives("SELECT count(*) FROM $list", @standby), 251, 'standby: a list is read');
is($dnc->take_methods('alta'), 'GET GET GET', 'standby: page by page');
is($dnc->gives("SELECT email FROM contact WHERE EXISTS (SELECT FROM $list WHERE identifier = email)", @standby), $first, 'standby: and joined');
$dnc->take_log('alta');
like($dnc->gives("EXPLAIN (COSTS OFF) SELECT * FROM $list; EXPLAIN (COSTS OFF) DELETE FROM now; EXPLAIN (COSTS OFF)
	DELETE FROM now WHERE identifier = 'x' AND identifier_type = 'email'; EXPLAIN INSERT INTO now VALUES ('x', 'email')", @standby),
	qr/Remote Request: GET .*Remote Request: DELETE .*Foreign Delete .*Remote Request: POST/s, 'standby: EXPLAIN, of writes too');
is($dnc->take_log('alta'), '', 'standby: sends nothing');
is($dnc->gives("PREPARE p AS SELECT identifier FROM $list WHERE identifier = \$1;" . "EXECUTE p('$first');" x 7, @standby),
	join("\n", ($first) x 7), 'standby: a prepared statement');
is(scalar(() = $dnc->take_log('alta') =~ /search=person000001/g), 7, 'standby: asks for its value each time');
my $by_key = q{SELECT email FROM keyed WHERE dnc_fdw_key(email, 'email') = 'email:person000007@example.com'};
like($dnc->gives("SET enable_seqscan = off; EXPLAIN (COSTS OFF) $by_key", @standby), qr/Scan (?:using|on) by_key/, 'standby: an index on keys');
is($dnc->gives("SET enable_seqscan = off; $by_key", @standby), 'Person000007@Example.com', 'standby: which finds');
is($dnc->gives("SELECT count(*) FROM keyed JOIN $list ON match_key = dnc_fdw_key(email, 'email')", @standby), 42, 'standby: a list is joined by its keys');
$dnc->take_log('alta');
is($dnc->gives("BEGIN; DECLARE c CURSOR FOR SELECT identifier_type FROM $list; FETCH 2 FROM c; CLOSE c; COMMIT", @standby),
	"email\nlinkedin", 'standby: a cursor');
is($dnc->gives('SELECT count(*) FROM dnc_fdw_pending(); SELECT count(*) > 0 FROM dnc_fdw_providers()', @standby), "0\nt", 'standby: functions');
$dnc->take_log('alta');
refuses_writes('standby', '', @standby);
refuses_writes('standby, READ WRITE', 'SET default_transaction_read_only = off;', @standby);
for my $statement ('ANALYZE now', 'REFRESH MATERIALIZED VIEW seen')
{
	like($dnc->gives($statement, @standby), qr/ERROR:  25006: cannot execute/, "standby: $statement is PostgreSQL's to refuse");
}
like($dnc->gives($temporary, @standby), qr/ERROR:  25006: cannot execute CREATE FOREIGN TABLE in a read-only transaction/, 'standby: no temporary foreign tables');
is($dnc->take_log('alta'), '', 'standby: nothing of that was sent');

# A token that the primary changes; what the standby has to replay ends a scan at once.
my $session = $standby->background_psql('postgres', on_error_stop => 0);
is($session->query("SELECT count(*) FROM $list"), 251, 'standby: a session');
$dnc->control('POST', 'alta/other/fill?count=7');
$node->safe_psql('postgres', q{ALTER USER MAPPING FOR CURRENT_USER SERVER alta OPTIONS (SET token 'sandbox-other')});
$node->wait_for_catchup($standby);
is($session->query("SELECT count(*) FROM $list"), 7, 'standby: speaks with the token that the primary has set meanwhile');
$dnc->control('POST', 'alta/other/fault?kind=stall');
$session->query_until(qr/go/, "\\echo go\nSELECT count(*) FROM now;\n");
$dnc->poll(sub { $dnc->control('GET', 'alta/other/log') =~ / -$/m });
$node->safe_psql('postgres', 'ALTER FOREIGN TABLE now ADD label text');
$node->wait_for_catchup($standby);
$session->query('SELECT 1');
like($session->{stderr}, qr/canceling statement due to conflict with recovery/, 'standby: a request does not hold up the recovery');
$session->quit;
$node->safe_psql('postgres', q{ALTER USER MAPPING FOR CURRENT_USER SERVER alta OPTIONS (SET token 'sandbox-alta')});
$node->wait_for_catchup($standby);

# The standby's sessions share what they know of the rate limit.
$dnc->control('PUT', 'alta/pace/config?rate_limit=2&rate_window_ms=120000');
my $lookup = q{SELECT count(*) FROM pace.communication_opt_outs WHERE identifier = 'none'};
is($dnc->gives($lookup, @standby), 0, "standby: a session uses the rate limit up, $_ of 2") for 1, 2;
like($dnc->gives($lookup, @standby), qr/ERROR:  53400: rate limit of server "pace" reached/, 'standby: the next one knows');
is(scalar(() = $dnc->take_log('pace') =~ /GET/g), 2, 'standby: and sends nothing');

# ----- promoted -----

$session = $standby->background_psql('postgres');
is($session->query("SELECT count(*) FROM $list"), 251, 'a session on the standby');
$standby->promote;
$dnc->take_log('alta');
$session->query("INSERT INTO $list (identifier, identifier_type) VALUES ('promoted\@test', 'email')");
$session->query("DELETE FROM now WHERE identifier = '$first' AND identifier_type = 'email'");
$session->quit;
is($dnc->take_methods('alta'), 'POST DELETE', 'writes once it is promoted');

# ----- logical replication -----

for my $table ($list, 'both_alta')
{
	like($dnc->gives("CREATE PUBLICATION lists FOR TABLE $table"), qr/ERROR:  22023: cannot add relation ".*" to publication\n.*foreign tables/,
		"$table cannot be published");
}
$node->safe_psql('postgres', q{
	CREATE TABLE dnc_snapshot (identifier_type text, identifier text, created_at timestamptz, PRIMARY KEY (identifier_type, identifier));
	DROP TABLE keyed;
	CREATE FOREIGN TABLE queued (identifier text, identifier_type text) SERVER alta OPTIONS (write_mode 'queue');
	CREATE PUBLICATION everything FOR ALL TABLES;
});
is($node->safe_psql('postgres', q{SELECT tablename FROM pg_publication_tables WHERE tablename NOT LIKE 'dnc\_fdw\_%' ORDER BY 1}), "contact\ndnc_snapshot", 'FOR ALL TABLES leaves foreign tables out');

# As in docs/integration.md.
my $refresh = qq{
	BEGIN;
	CREATE TEMP TABLE listed ON COMMIT DROP AS SELECT identifier_type, identifier, created_at FROM $list;
	DELETE FROM dnc_snapshot s WHERE NOT EXISTS
	  (SELECT FROM listed l WHERE l.identifier_type = s.identifier_type AND l.identifier = s.identifier);
	INSERT INTO dnc_snapshot SELECT * FROM listed ON CONFLICT DO NOTHING;
	COMMIT;
};
$node->safe_psql('postgres', $refresh);
$standby->safe_psql('postgres', 'CREATE DATABASE subscriber');
# The tables of the queue are published as well.
$node->safe_psql('postgres', q{INSERT INTO queued (identifier, identifier_type) VALUES ('queued@test', 'email')});
$standby->safe_psql('subscriber', 'CREATE EXTENSION dnc_fdw; CREATE TABLE dnc_snapshot (identifier_type text, identifier text, created_at timestamptz, PRIMARY KEY (identifier_type, identifier));
	CREATE TABLE contact (email text);' . sprintf q{CREATE SUBSCRIPTION snapshot CONNECTION '%s' PUBLICATION everything}, $node->connstr . ' dbname=postgres');
$standby->wait_for_subscription_sync($node, 'snapshot', 'subscriber');
my $snapshot = 'SELECT count(*), max(identifier) FROM dnc_snapshot';
is($standby->safe_psql('subscriber', $snapshot), '251|visitor-000246', 'the snapshot arrives');
is($standby->safe_psql('subscriber', 'SELECT server, relation IS NULL, action, identifier, state FROM dnc_fdw_queue'), 'alta|t|add|queued@test|held',
	'and the queue, which is held there');
$node->safe_psql('postgres', q{SELECT dnc_fdw_queue_discard(array_agg(id), 'for the test') FROM dnc_fdw_queue WHERE state = 'waiting'});

$node->safe_psql('postgres', "DELETE FROM $list WHERE identifier LIKE 'visitor%'; INSERT INTO $list (identifier, identifier_type) VALUES ('zoe\@test', 'email')");
$node->safe_psql('postgres', $refresh);
$node->wait_for_catchup('snapshot');
is($standby->safe_psql('subscriber', $snapshot), '211|zoe@test', 'and what changes');

# A list that cannot be read leaves the snapshot as it is.
$dnc->control('POST', 'alta/alta/fault?kind=status&arg=400&at=2');
like($dnc->gives($refresh), qr/ERROR:  HV00L/, 'a list that cannot be read');
is($node->safe_psql('postgres', $snapshot), '211|zoe@test', 'leaves the snapshot as it was');

$standby->safe_psql('subscriber', 'DROP SUBSCRIPTION snapshot');

# A partitioned table with a list among its partitions can be published, but not copied: the
# subscriber would never see a change.
$standby->safe_psql('subscriber', 'CREATE TABLE both_lists (identifier text, identifier_type text, source text); CREATE TABLE both_alta (LIKE both_lists)');
for my $published ([ 'FOR TABLE both_lists', 'true' ], [ 'FOR TABLE both_lists', 'false' ])
{
	my ($what, $root) = @$published;
	my $offset = -s $node->logfile;

	$dnc->take_log('alta');
	$node->safe_psql('postgres', "CREATE PUBLICATION lists $what WITH (publish_via_partition_root = $root)");
	$standby->safe_psql('subscriber', sprintf q{CREATE SUBSCRIPTION lists CONNECTION '%s' PUBLICATION lists}, $node->connstr . ' dbname=postgres');
	$node->wait_for_log(qr/ERROR:  cannot read the list of server "alta" over a replication connection/, $offset);
	is($standby->safe_psql('subscriber', 'SELECT (SELECT count(*) FROM both_lists) + (SELECT count(*) FROM both_alta)'), 0, "$what, $root: the list is not copied");
	is($dnc->take_log('alta'), '', 'nor asked for');
	$standby->safe_psql('subscriber', 'DROP SUBSCRIPTION lists');
	$node->safe_psql('postgres', 'DROP PUBLICATION lists');
}
my $replicating = $node->connstr . ' dbname=postgres replication=database';
like(($node->psql('postgres', 'SELECT * FROM now', connstr => $replicating))[2], qr/cannot read the list of server "alta" over a replication connection/, 'nor is it read that way');

# A list is no subscriber's table.
$dnc->take_log('alta');
$node->safe_psql('postgres', 'CREATE TABLE now_too (identifier text, identifier_type text); CREATE PUBLICATION too FOR TABLE now_too');
$standby->safe_psql('postgres', 'CREATE FOREIGN TABLE now_too (identifier text, identifier_type text) SERVER alta');
like($dnc->gives(sprintf(q{CREATE SUBSCRIPTION too CONNECTION '%s' PUBLICATION too}, $node->connstr . ' dbname=postgres'), @standby),
	qr/ERROR:  42809: cannot use relation "public\.now_too" as logical replication target/, 'a foreign table takes no subscription');
is($dnc->take_log('alta'), '', 'and nothing is sent to it');

# But the first copy of a table's data goes to foreign partitions too.
$node->safe_psql('postgres', q{INSERT INTO now_too VALUES ('copied@test', 'email')});
$standby->safe_psql('postgres', sprintf q{DROP FOREIGN TABLE now_too; CREATE TABLE now_too (identifier text, identifier_type text) PARTITION BY LIST (identifier_type);
	CREATE FOREIGN TABLE now_too_alta PARTITION OF now_too DEFAULT SERVER alta;
	CREATE SUBSCRIPTION too CONNECTION '%s' PUBLICATION too}, $node->connstr . ' dbname=postgres');
$standby->wait_for_subscription_sync($node, 'too');
is($dnc->take_methods('alta'), 'POST', 'a foreign partition takes the first copy');
$standby->safe_psql('postgres', 'DROP SUBSCRIPTION too');

# A trigger of a subscriber's table may write to a list, too.  What the vendor refuses is
# tried again, and is not lost.
$node->safe_psql('postgres', 'CREATE PUBLICATION contacts FOR TABLE contact');
$standby->append_conf('postgresql.conf', "wal_retrieve_retry_interval = '200ms'\n");
$standby->reload;
$standby->safe_psql('postgres', sprintf q{
	CREATE FUNCTION opt_out() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	  INSERT INTO alta.communication_opt_outs (identifier, identifier_type) VALUES (NEW.email, 'email'); RETURN NEW; END $$;
	CREATE TRIGGER opt_out AFTER INSERT ON contact FOR EACH ROW EXECUTE FUNCTION opt_out();
	ALTER TABLE contact ENABLE ALWAYS TRIGGER opt_out;
	CREATE SUBSCRIPTION opt_outs CONNECTION '%s' PUBLICATION contacts WITH (copy_data = false)}, $node->connstr . ' dbname=postgres');
$dnc->control('POST', 'alta/alta/fault?kind=status&arg=400&method=POST');
$node->safe_psql('postgres', q{INSERT INTO contact VALUES ('leave@test')});
$node->wait_for_catchup('opt_outs');
is(join(' ', $dnc->take_log('alta') =~ /^POST \S+ (\d+)/mg), '400 200', 'what a subscriber writes to a list is tried until it is taken');
is($standby->safe_psql('postgres', q{SELECT count(*) FROM contact WHERE email = 'leave@test'}), 1, 'and then done');
$standby->safe_psql('postgres', 'DROP SUBSCRIPTION opt_outs');

$standby->stop;
$dnc->stop;
done_testing();
