# Passes with mode 'delta', and what a mirror refuses: bad input, other roles, other columns,
# a list that was dropped.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncMirror;
use JSON::PP;
use Test::More;

set_up();

# ----- delta -----

begin('alta', 200);
control('PUT', '/config?order=newest');
control('DELETE', '');
control('PUT', '/config?order=newest');
control('POST', '/fill?count=200&types=email');
like(refresh("mode => 'delta'"), qr/ERROR:  55000: the mirror of "list" cannot be refreshed with mode 'delta'\nDETAIL:  There was no full pass yet/, 'no delta before a full pass');
full();
is(certificate('order_seen'), 'newest first', 'the order is seen');
control('POST', '/fill?count=15&types=email');
requests();
is(refresh("mode => 'delta'"), '', 'a delta');
is(certificate('mode, state, added'), 'delta|done|15', 'adds what is new');
cmp_ok(requests(), '<=', 6, 'with few requests');
is(known(), join(' ', sort(listed())), 'all are known');
is(mirror('added_as_of > complete_as_of'), 't', 'one clock moves');
remove_at_vendor((listed())[ 0, 100 ]);
refresh("mode => 'delta'");
is(scalar(split(/ /, known())), 215, 'a delta lets nobody go');

# Entries that claim to be of the future stay in front of those that are new.
my $json = JSON::PP->new->utf8;
my @entries = @{ $json->decode(control('GET', '/entries')) };
$entries[$_]{createdAt} = sprintf '2099-01-%02dT00:00:00.000Z', 25 - $_ for 0 .. 24;
control('DELETE', '');
control('PUT', '/entries', $json->encode(\@entries));
full();
is(certificate('order_seen'), 'newest first', 'a list with entries of the future');
splice @entries, 25, 0, { %{ $entries[25] }, id => 'new', identifier => 'new@example.com', createdAt => '2025-09-01T00:00:00.000Z' };
control('DELETE', '');
control('PUT', '/entries', $json->encode(\@entries));
refresh("mode => 'delta'");
is(certificate('mode, state, added'), 'delta|done|1', 'a delta finds what is new behind them');

control('PUT', '/config?order=oldest');
control('PUT', '/entries', '[]');
begin('alta', 200);
full();
like(refresh("mode => 'delta'"), qr/has not seen the list in the order/, 'behind cursors, none from the end');
# Numbered pages with the newest last.
begin('weya', 200);
full();
is(certificate('order_seen'), 'newest last', 'weya');
control('POST', '/fill?count=15');
requests();
is(refresh("mode => 'delta'"), '', 'a delta from the last page');
is(certificate('mode, state, added'), 'delta|done|15', 'adds what is new');
cmp_ok(requests(), '<=', 6, 'with few requests');
is(known(), join(' ', sort(listed())), 'all are known');

# The last page of the last full pass comes first: it tells how many there are now.
begin('weya', 200);
sql("ALTER SERVER s OPTIONS (SET page_size '20')");
full();
sub delta_takes
{
	my ($requests, $added, $what) = @_;

	requests();
	is(refresh("mode => 'delta'"), '', "a delta: $what");
	is(certificate('state, added'), "done|$added", 'adds what is new');
	is(requests(), $requests, "with $requests requests");
	my %known = map { $_ => 1 } split / /, known();
	is(join(' ', grep { !$known{$_} } listed()), '', 'all are known');
	return;
}
delta_takes(2, 0, 'nothing is new');
control('POST', '/fill?count=15');
delta_takes(3, 15, 'another last page');
control('POST', '/fill?count=30');
delta_takes(5, 30, 'three of them');
full();
remove_at_vendor((listed())[ 0 .. 59 ]);
delta_takes(4, 0, 'the list has got shorter');

# ----- many writes of our own -----

# A look-up reads each of them once, though no statistics say how many there are.
begin('alta', 20);
full();
sql(q{INSERT INTO s.list (identifier, identifier_type) SELECT 'own' || n || '@example.com', 'email' FROM generate_series(1, 500) n});
my $rows_read = q{SELECT pg_stat_force_next_flush(); SELECT coalesce(sum(idx_tup_read), 0) FROM pg_stat_all_indexes WHERE relname = 'dnc_fdw_queue_finished'};
my $earlier = (split /\n/, sql($rows_read))[-1];
like(sql(q{SELECT dnc_fdw_screen('s.list', 'own77@example.com', 'email'); SELECT pg_stat_force_next_flush()}), qr/^listed$/m, 'one of many additions of ours is known');
cmp_ok((split /\n/, sql($rows_read))[-1] - $earlier, '<', 10_000, 'and found without reading all of them for each');

# ----- a database that was restored -----

# Passes from before name OIDs that mean nothing, or other relations and roles.
sql('CREATE ROLE reader LOGIN; GRANT USAGE ON SCHEMA s TO reader; GRANT SELECT ON s.list_known TO reader; UPDATE dnc_fdw_pass_log SET source = 1, owner = 1');
cmp_ok(sql(q{SET ROLE reader; SELECT count(*) FROM dnc_fdw_passes WHERE source = 's.list'}), '>', 0, 'who may read the list sees certificates from before a restore');
is(sql(q{REVOKE SELECT ON s.list_known FROM reader; SET ROLE reader; SELECT count(*) FROM dnc_fdw_passes}), 0, 'and nobody else does');

# ----- bad input -----

begin('alta', 20);
full();
for my $bad (
	[ "SELECT dnc_fdw_mirror_create('pg_class')", '42809', 'no table of ours' ],
	[ "SELECT dnc_fdw_mirror_create('s.list')", '42710', 'a second mirror' ],
	[ "SELECT dnc_fdw_mirror_create('s.list', max_age => '-1 day')", '22023', 'max_age' ],
	[ "SELECT dnc_fdw_mirror_create('s.list', gone_after => -1)", '22023', 'gone_after' ],
	[ "SELECT dnc_fdw_mirror_create('s.list', max_loss => 'NaN')", '22023', 'max_loss' ],
	[ "CREATE TABLE s.other_known (); CREATE FOREIGN TABLE s.other ($columns) SERVER s;\nSELECT dnc_fdw_mirror_create('s.other')", '42P07', 'a table of that name' ],
	[ "SELECT dnc_fdw_mirror_drop('s.other')", '42704', 'no mirror to drop' ],
	[ "CALL dnc_fdw_mirror_refresh('s.other')", '42704', 'no mirror to refresh' ],
	[ "CALL dnc_fdw_mirror_refresh('s.list', mode => 'fast')", '22023', 'a mode' ],
	[ "CALL dnc_fdw_mirror_refresh('s.list', max_requests => 0)", '22023', 'max_requests' ],
	[ "CALL dnc_fdw_mirror_refresh(NULL)", '22004', 'NULL' ],
	[ "SET ROLE reader;\nCALL dnc_fdw_mirror_refresh('s.list')", '42501', 'another role' ],
	[ "ALTER TABLE s.list_mirror DROP COLUMN label;\nCALL dnc_fdw_mirror_refresh('s.list')", '2BP01|55000', 'a column that the view needs' ],
	[ "ALTER FOREIGN TABLE s.list ADD COLUMN updated_at timestamptz;\nCALL dnc_fdw_mirror_refresh('s.list')", '55000', 'another column' ])
{
	my ($statements, $sqlstate, $what) = @$bad;
	like(gives($statements), qr/ERROR:  (?:$sqlstate): /, "bad input: $what");
}
sql('ALTER FOREIGN TABLE s.list DROP COLUMN updated_at; CREATE INDEX here ON s.list_staging (identity)');
like(refresh(), qr/55000: the mirror of "list" does not fit its list\nDETAIL:  The staging table/, 'an index on the staging table');
sql('DROP INDEX s.here; ALTER FOREIGN TABLE s.list RENAME TO renamed');
is(gives("CALL dnc_fdw_mirror_refresh('s.renamed')"), '', 'a list that was renamed');
is(sql('SELECT count(*) FROM s.list_known'), 20, 'is read under the old name of the view');
sql('ALTER FOREIGN TABLE s.renamed RENAME TO list');
# A role without a token.
sql('ALTER FOREIGN TABLE s.list OWNER TO reader; ALTER TABLE s.list_mirror OWNER TO reader; ALTER TABLE s.list_staging OWNER TO reader; ALTER VIEW s.list_known OWNER TO reader; GRANT USAGE ON SCHEMA s TO reader; GRANT USAGE ON FOREIGN SERVER s TO reader');
like(gives("SET ROLE reader;\nCALL dnc_fdw_mirror_refresh('s.list')"), qr/ERROR:  \w{5}: user mapping not found|ERROR:  28/, 'a role without a token');
is(refresh(), '', 'a superuser refreshes for it');
sql('ALTER FOREIGN TABLE s.list OWNER TO CURRENT_USER; ALTER TABLE s.list_mirror OWNER TO CURRENT_USER; ALTER TABLE s.list_staging OWNER TO CURRENT_USER; ALTER VIEW s.list_known OWNER TO CURRENT_USER; REVOKE ALL ON FOREIGN SERVER s FROM reader');
# The remote fails.
control('POST', '/fault?kind=status&arg=401&times=0');
like(refresh(), qr/ERROR:  28000/, 'a token that the vendor refuses');
isnt(mirror('message'), '', 'dnc_fdw_mirrors has the message');
control('DELETE', '/fault');
is(refresh(), '', 'the pass goes on');
is(mirror('message'), '', 'and the message is gone');
# Another session.  Its pass outlasts what we look at meanwhile, also on a busy machine.
control('PUT', '/config?latency_ms=3000');
my $run = start();
wait_for('another session', sub { backend() ne '' && certificate('state') eq 'running' });
like(refresh(), qr/ERROR:  55006: another session is refreshing/, 'one session at a time');
my $waiting = q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'refresh' AND wait_event_type = 'Extension' AND backend_xmin IS };
wait_for('a wait without a snapshot', sub { sql("$waiting NULL") == 1 });
is(sql("$waiting NOT NULL"), 0, 'no snapshot is held while we wait for the vendor') for 1 .. 3;
$run->finish;
# Age.
sql("UPDATE dnc_fdw_mirror_lists SET complete_as_of = complete_as_of - interval '27 hours'");
like(gives('SELECT count(*) FROM s.list_known'), qr/ERROR:  55000: the mirror of "list" is too old/, 'a mirror that is too old refuses to be read');
is(mirror('refused'), 't', 'as the view of mirrors says');
# The source is dropped.
my $oid = sql("SELECT 's.list'::regclass::oid");
sql("UPDATE dnc_fdw_mirror_lists SET complete_as_of = clock_timestamp()");
is(mirror('refused'), 'f', 'a fresh mirror');
sql('DROP FOREIGN TABLE s.list CASCADE');
is(sql('SELECT refused FROM dnc_fdw_mirrors'), 't', 'is refused once its view is gone');
like(gives('SELECT dnc_fdw_mirror_guard(source) FROM dnc_fdw_mirrors'),
	qr/ERROR:  55000: .* has no view any more\n.*\nHINT:  SELECT dnc_fdw_mirror_drop\($oid\)/, 'as an alert says');
like(gives("CREATE FOREIGN TABLE s.list ($columns) SERVER s;\nSELECT dnc_fdw_mirror_create('s.list')"),
	qr/ERROR:  42P07: .*\n.*\nHINT:  SELECT dnc_fdw_mirror_drop\($oid\)/, 'what is left of it is in the way of a new mirror');
like(gives("SELECT dnc_fdw_mirror_drop($oid)"), qr/^$/, 'the mirror of a list that was dropped can be dropped');
is(sql('SELECT count(*) FROM dnc_fdw_mirrors'), 0, 'and is gone');
cmp_ok(sql("SELECT count(*) FROM dnc_fdw_passes WHERE source = 's.list'"), '>', 4, 'the certificates stay');

$dnc->stop;
done_testing();
