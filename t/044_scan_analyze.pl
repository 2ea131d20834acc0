# t/044_scan_analyze.pl: ANALYZE of lists
#
# A list that cannot be read is a WARNING, keeps its statistics, and ends nothing else.  A
# command reads each list once.  The key of entries is not needed where nobody reads it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $dnc = DncTest->new;
my $node = $dnc->node;

# The requests of an account's log, counted, and none left.
sub requests
{
	return scalar(my @lines = split /\n/, $dnc->take_log($_[0]));
}

# What statements say, without the place in psql's input.
sub says
{
	return $dnc->gives(@_) =~ s/^LOCATION: .*\n?//mgr =~ s/\n\z//r;
}

# The size of tables as the statistics have it, by name.
sub sizes
{
	return $dnc->gives(q{SELECT string_agg(relname || ' ' || reltuples, ', ' ORDER BY relname COLLATE "C") FROM pg_class
		WHERE relkind = 'f' OR relname IN ('people', 'local')});
}

$dnc->make_server('up', 250);
$dnc->make_server('down', 150, q{max_retries '0'});
$dnc->make_server('out', 50, q{analyze 'false'});
$node->safe_psql('postgres', q{
	CREATE TABLE people (identifier text, identifier_type text, source text) PARTITION BY LIST (source);
	CREATE FOREIGN TABLE a_down PARTITION OF people (identifier NOT NULL, source DEFAULT 'down', CHECK (identifier <> '')) FOR VALUES IN ('down') SERVER down;
	CREATE FOREIGN TABLE b_up PARTITION OF people FOR VALUES IN ('up') SERVER up;
	CREATE FOREIGN TABLE c_out PARTITION OF people FOR VALUES IN ('out') SERVER out OPTIONS (analyze 'true');
	CREATE TABLE local AS SELECT n FROM generate_series(1, 1000) n;
	DROP SCHEMA up, down, out CASCADE});

# ---- one reading a command

requests($_) for qw(up down out);
is(says('ANALYZE people'), '', 'a partitioned table with its partitions');
is(join(' ', map { requests($_) } qw(up down out)), '3 2 1', 'each list is read once');
is(says("ALTER FOREIGN TABLE c_out OPTIONS (DROP analyze); UPDATE pg_class SET reltuples = -1 WHERE relname = 'c_out'; ANALYZE people"),
	'WARNING:  01000: skipping "c_out" --- cannot analyze this foreign table', "analyze 'false'");
is(join(' ', map { requests($_) } qw(up down out)), '3 2 0', 'leaves a list out');
is(sizes(), 'a_down 150, b_up 250, c_out -1, local -1, people 400', 'the sizes are known');
is($dnc->gives(q{SELECT inherited, n_distinct FROM pg_stats WHERE tablename = 'people' AND attname = 'source'}), 't|2', 'and what the parts have in common');
says('ANALYZE people, b_up, b_up');
is(join(' ', map { requests($_) } qw(up down out)), '3 2 0', 'nor twice where one is named beside its parent');
says('ANALYZE b_up; ANALYZE b_up');
is(requests('up'), 6, 'the next command reads it again');
says(q{DO 'BEGIN ANALYZE b_up; ANALYZE b_up; END'});
is(requests('up'), 6, 'and so within one statement');
says('BEGIN; ANALYZE b_up; ROLLBACK; ANALYZE b_up');
is(requests('up'), 6, 'and after a rollback');
like($dnc->gives('ANALYZE VERBOSE b_up'), qr/INFO:  00000: "b_up": 3 requests, 250 entries read of 250, 250 rows in sample/, 'VERBOSE says how much was read');

# A smaller sample than the list has entries; the parent shares its sample out.
$node->safe_psql('postgres', 'ALTER TABLE b_up ALTER identifier SET STATISTICS 0; ALTER TABLE b_up ALTER source SET STATISTICS 0; ALTER TABLE b_up ALTER identifier_type SET STATISTICS 0');
like($dnc->gives('SET default_statistics_target = 1; ANALYZE VERBOSE b_up'), qr/250 entries read of 250, 100 rows in sample/, 'a row sample smaller than the list');
$node->safe_psql('postgres', 'ALTER TABLE b_up ALTER identifier SET STATISTICS -1; ALTER TABLE b_up ALTER source SET STATISTICS -1; ALTER TABLE b_up ALTER identifier_type SET STATISTICS -1');
is(join(' ', says('SET default_statistics_target = 1; ANALYZE VERBOSE people') =~ /(\d+) rows in sample/g), '100 200 150 250', 'shares of the parent, then each by itself');
is($dnc->gives(q{SELECT count(*), count(DISTINCT most_common_freqs) FROM pg_stats WHERE tablename = 'people' AND attname = 'source'}), '1|1', 'statistics of the parent');

# ---- a list that cannot be read

requests($_) for qw(up down out);
says('ANALYZE people');
my $before = $dnc->gives(q{SELECT md5(string_agg(s::text, '' ORDER BY attname)) FROM pg_stats s WHERE tablename = 'a_down'});
$dnc->control('POST', 'alta/down/fill?count=33&from=1000');
$dnc->control('POST', 'alta/up/fill?count=7&from=1000');
$dnc->control('POST', 'alta/down/fault?kind=status&arg=500&times=0');
requests($_) for qw(up down out);
my $warnings = says('ANALYZE people, local');
like($warnings, qr/^WARNING:  \w{5}: cannot read the list of foreign table "a_down" for ANALYZE: server "down" .*\n(?:DETAIL:  .+\n)?/, 'the reason is a WARNING');
unlike($warnings, qr/ERROR|sandbox-down/, 'no error, and no secret');
is(join(' ', $warnings =~ /skipping "(\w+)"/g), 'a_down c_out', 'PostgreSQL names the tables that are left out');
is(scalar(() = $warnings =~ /cannot read the list/g), 1, 'we say it once');
is(join(' ', map { requests($_) } qw(up down out)), '3 1 0', 'and ask once');
is(sizes() =~ s/, people .*//r, 'a_down 150, b_up 257, c_out -1, local 1000', 'the rest is analysed; the size of before stays');
is($dnc->gives(q{SELECT md5(string_agg(s::text, '' ORDER BY attname)) FROM pg_stats s WHERE tablename = 'a_down'}), $before, 'and so do the statistics');
$node->safe_psql('postgres', 'DELETE FROM local WHERE n > 500');
is(scalar(() = says('ANALYZE') =~ /^WARNING:  \w+: cannot read the list of foreign table "a_down"/mg), 1, 'the whole database');
is(join(' ', map { requests($_) } qw(up down out)), '3 1 0', 'reads the lists of partitions, once');
is(sizes() =~ s/, people .*//r, 'a_down 150, b_up 257, c_out -1, local 500', 'and all other tables');
is(says('BEGIN; ANALYZE a_down; SELECT 1; COMMIT') =~ s/\n\n?WARNING.*//sr, '1', 'a transaction goes on');
$dnc->control('DELETE', 'alta/down/fault');
$dnc->control('POST', 'alta/down/fault?kind=status&arg=429&retry_after=3600&times=0');
like(says('ANALYZE a_down, b_up'), qr/^WARNING:  53400: cannot read the list of foreign table "a_down" for ANALYZE: rate limit of server "down" reached/, 'nor may it be read for long');
is(requests('up'), 3, 'and the next list is read');
$dnc->control('DELETE', 'alta/down/fault');
$node->safe_psql('postgres', q{DROP USER MAPPING FOR CURRENT_USER SERVER down; CREATE USER MAPPING FOR CURRENT_USER SERVER down OPTIONS (token 'sandbox-down')});
is(says('ANALYZE a_down'), '', 'it can be read again');
is($dnc->gives(q{SELECT reltuples FROM pg_class WHERE relname = 'a_down'}), 183, 'and has its new size');

# Other reasons.
$node->safe_psql('postgres', 'CREATE ROLE someone; GRANT CREATE ON SCHEMA public TO someone; GRANT USAGE ON FOREIGN SERVER up TO someone;
	SET ROLE someone; CREATE FOREIGN TABLE without_token (identifier text) SERVER up');
like(says('ANALYZE without_token, local'), qr/^WARNING:  28000: cannot read the list of foreign table "without_token".*\nDETAIL: .*\nHINT: /, 'no token');
like(says('SET dnc_fdw.max_requests = 2; ANALYZE b_up, a_down'), qr/^WARNING:  54000: cannot read the list of foreign table "b_up" for ANALYZE: .*max_requests/m, 'max_requests');
$dnc->take_log($_) for qw(up down);

# A cancel is none of them.
$dnc->control('POST', 'alta/up/fault?kind=stall&times=0');
like(says(q{SET statement_timeout = '500ms'; ANALYZE b_up, local}), qr/^ERROR:  57014: canceling statement due to statement timeout\nCONTEXT:  request GET [^\n]*\z/, 'a timeout ends the command');
$dnc->control('DELETE', 'alta/up/fault');
is(says('ANALYZE b_up'), '', 'and nothing is left of it');

# ---- a list with a mirror

$dnc->make_server('mirrored', 150, q{search_match 'exact'});
$node->safe_psql('postgres', q{
	CREATE TABLE parent (who text, identifier_type text, k text, q text, gone int, label text) PARTITION BY LIST (identifier_type);
	CREATE FOREIGN TABLE child (q text OPTIONS (column_name 'search'), k text OPTIONS (column_name 'match_key'), gone int OPTIONS (column_name 'search'),
	  identifier_type text, who text OPTIONS (column_name 'identifier'), label text) SERVER mirrored;
	SELECT dnc_fdw_mirror_create('child')});
my $statistics = q{SELECT attname, null_frac, n_distinct, most_common_vals, most_common_freqs FROM pg_stats WHERE tablename = 'child' ORDER BY attname COLLATE "C"};
requests('mirrored');
says('ANALYZE child');
is(requests('mirrored'), 2, 'a mirror that is not filled yet is of no use');
my $of_list = $dnc->gives($statistics);
says(q{CALL dnc_fdw_mirror_refresh('child')});
requests('mirrored');
$dnc->control('POST', 'alta/mirrored/fill?count=50&from=1000');
like($dnc->gives('ANALYZE VERBOSE child'), qr/INFO:  00000: "child": 150 entries in its mirror, 150 rows in sample/, 'one that is filled is');
is($dnc->gives($statistics), $of_list, 'with the same statistics');
$node->safe_psql('postgres', q{UPDATE child_mirror SET gone_at = now() WHERE who = (SELECT min(who) FROM child_mirror); ALTER TABLE parent DROP COLUMN gone;
	ALTER FOREIGN TABLE child DROP COLUMN gone; ALTER TABLE parent ATTACH PARTITION child DEFAULT; DROP USER MAPPING FOR CURRENT_USER SERVER mirrored});
is(says('ANALYZE parent'), '', 'a partition that has one, and no token');
is($dnc->gives(q{SELECT reltuples FROM pg_class WHERE relname = 'child'; SELECT n_distinct FROM pg_stats WHERE tablename = 'parent' AND attname = 'who' AND inherited}),
	"149\n-1", 'without who is gone');
is(requests('mirrored'), 0, 'nothing was sent');
$node->safe_psql('postgres', q{CREATE USER MAPPING FOR CURRENT_USER SERVER mirrored OPTIONS (token 'sandbox-mirrored'); ALTER TABLE parent ADD COLUMN created_at timestamptz});
is(says('ANALYZE child'), '', 'a column that the mirror lacks');
is(requests('mirrored'), 2, 'is read from the list');
$node->safe_psql('postgres', q{ALTER TABLE parent DROP COLUMN created_at; ALTER FOREIGN TABLE child OPTIONS (ADD analyze 'false')});
like(says('ANALYZE child'), qr/skipping "child"/, "analyze 'false' goes for the mirror, too");
$node->safe_psql('postgres', 'ALTER FOREIGN TABLE child OPTIONS (DROP analyze); DROP VIEW child_known; DROP TABLE child_mirror');
is(says('ANALYZE child') . requests('mirrored'), 2, 'a mirror that was dropped by hand');

# ---- what runs as whom

# Types of columns may call functions: those run as the table's owner, and find no other functions.
$node->safe_psql('postgres', q{
	CREATE FUNCTION is_owner(text) RETURNS boolean LANGUAGE plpgsql AS
	  'BEGIN IF current_user <> ''someone'' THEN RAISE ''runs as %'', current_user; END IF; RETURN true; END';
	CREATE DOMAIN checked AS text CHECK (is_owner(VALUE));
	CREATE USER MAPPING FOR someone SERVER up OPTIONS (token 'sandbox-up');
	SET ROLE someone;
	CREATE FOREIGN TABLE of_domain (identifier checked) SERVER up});
is(says('ANALYZE of_domain; SELECT current_user'), 'postgres', 'the owner\'s privileges, and ours again');
$node->safe_psql('postgres', 'ALTER FOREIGN TABLE of_domain OWNER TO postgres');
like(says('ANALYZE of_domain; SELECT current_user'), qr/^postgres\nWARNING:  P0001: cannot read the list of foreign table "of_domain" for ANALYZE: runs as postgres\n/, 'another owner');

# ---- without the library for phone numbers

$node->safe_psql('postgres', q{IMPORT FOREIGN SCHEMA dnc FROM SERVER up INTO public;
	CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE NOTICE ''deletes %'', OLD; RETURN OLD; END';
	IMPORT FOREIGN SCHEMA dnc FROM SERVER down INTO public OPTIONS (table_name 'seen');
	CREATE TRIGGER see BEFORE DELETE ON seen FOR EACH ROW EXECUTE FUNCTION see();
	CREATE TABLE parts (LIKE communication_opt_outs) PARTITION BY LIST (identifier_type);
	ALTER TABLE parts DROP COLUMN created_at;
	IMPORT FOREIGN SCHEMA dnc FROM SERVER up INTO public OPTIONS (table_name 'part');
	ALTER FOREIGN TABLE part DROP COLUMN created_at;
	ALTER TABLE parts ATTACH PARTITION part FOR VALUES IN ('phone')});
SKIP:
{
	my $run = DncTest->without_phone_library($node, 'postgres') or skip 'an installation of another layout', 19;
	my $list = 'communication_opt_outs';
	my $lacks = qr/ERROR:  phone numbers cannot be compared without the library/;
	my @numbers = map { qq({"id":"00000000-0000-0000-0000-00000000000$_","objectType":"communication-opt-out","identifier":"+1555000000$_","identifierType":"phone","isManuallyAdded":true,"createdAt":"2025-02-03T04:05:06.789Z","updatedAt":"2025-02-03T04:05:06.789Z"}) } 1 .. 9;

	for my $account (qw(up down))
	{
		$dnc->control('DELETE', "alta/$account");
		$dnc->control('PUT', "alta/$account/entries", '[' . join(',', @numbers) . ']');
	}
	$node->stop;
	my $done = sub {
		my ($statement) = @_;
		my $said = $run->("BEGIN\n$statement\nSELECT string_agg(action || ' ' || identifier, ', ') AS pending FROM dnc_fdw_pending()\nROLLBACK");

		return $said =~ $lacks ? 'lacks the library' : join ', ', $said =~ /(?:pending|shown) = "(.*?)"/g;
	};
	is($done->("SELECT identifier AS shown FROM $list WHERE identifier LIKE '%1'"), '+15550000001', 'a query that does not read the key');
	is($done->("SELECT match_key AS shown FROM $list"), 'lacks the library', 'one that does');
	is($done->("SELECT $list AS shown FROM $list"), 'lacks the library', 'one that reads the row');
	is($done->("DELETE FROM $list WHERE identifier LIKE '%2'"), 'delete +15550000002', 'a DELETE by another condition');
	is($done->("DELETE FROM $list WHERE identifier_type = 'phone' AND created_at < now() AND identifier > '+15550000007' RETURNING identifier AS shown"),
		'+15550000008, +15550000009, delete +15550000008, delete +15550000009', 'RETURNING another column');
	is($done->("DELETE FROM $list WHERE identifier LIKE '%2' RETURNING match_key"), 'lacks the library', 'RETURNING the key');
	is($done->("DELETE FROM $list WHERE identifier LIKE '%2' RETURNING $list"), 'lacks the library', 'RETURNING the row');
	is($done->("DELETE FROM $list d WHERE identifier LIKE '%2' RETURNING (SELECT count(*) FROM local WHERE d.match_key IS NULL)"), 'lacks the library', 'RETURNING what a subquery makes of the key');
	is($done->("DELETE FROM $list WHERE match_key = 'tel:+15550000002'"), 'lacks the library', 'a condition on the key');
	is($done->("DELETE FROM $list d WHERE identifier LIKE '%2' AND d IS NOT NULL"), 'lacks the library', 'a condition on the row');
	is($done->("DELETE FROM $list d USING local WHERE identifier = '+1555000000' || n"), join(', ', map { "delete +1555000000$_" } 1 .. 9), 'a DELETE by a join');
	is($done->("DELETE FROM $list d USING local WHERE identifier = '+1555000000' || n AND match_key <> n::text"), 'lacks the library', 'a join that looks at the key');
	is($done->("DELETE FROM local USING $list WHERE identifier = '+1555000000' || n RETURNING n AS shown"), join(', ', 1 .. 9), 'a DELETE of others by the list');
	is($done->('DELETE FROM seen'), 'lacks the library', 'a trigger that sees the row');
	is($done->("DELETE FROM parts WHERE identifier LIKE '%3' RETURNING identifier AS shown"), '+15550000003, delete +15550000003', 'through a partitioned table');
	is($done->("DELETE FROM parts WHERE identifier LIKE '%3' RETURNING match_key"), 'lacks the library', 'with the key of the partitioned table');
	is($done->('DELETE FROM parts WHERE identifier LIKE \'%3\' RETURNING parts'), 'lacks the library', 'with its row');
	my $analyzed = $run->("ANALYZE $list\nSELECT n_distinct::text AS distinct FROM pg_stats WHERE tablename = '$list' AND attname = 'match_key'");
	like($analyzed, qr/distinct = "-1"/, 'ANALYZE knows that keys differ');
	unlike($analyzed, qr/WARNING|ERROR/, 'without a complaint');
}

$dnc->stop_sandbox;
done_testing();
