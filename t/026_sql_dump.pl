# pg_dump and restore, in all forms, of a database with everything that can hang on
# foreign tables: the restored database is the original, and nothing is sent, except
# where a materialized view is refreshed or foreign data is asked for.

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
my $url = $dnc->url;
my $dir = PostgreSQL::Test::Utils::tempdir();

$dnc->control('POST', 'alta/dump/fill?count=25&types=email');
$node->safe_psql('postgres', 'CREATE DATABASE crm; CREATE ROLE reader; CREATE ROLE writer');
$node->safe_psql('crm', qq{
	CREATE EXTENSION dnc_fdw;
	CREATE SERVER alta FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url '$url/alta/v1',
	  page_size '10', batch_size '50', max_concurrency '2', requests_per_minute '0', connect_timeout '3s',
	  request_timeout '20s', max_retries '0', max_wait '1min', max_requests '100', max_response_size '1MB',
	  write_mode 'commit', max_deletes '7', pause_active_prospects 'false', search_match 'exact',
	  estimated_rows '25', request_cost '50', updatable 'true', async_capable 'false');
	CREATE SERVER sendkit FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'sendkit', base_url '$url/sendkit', scan_check 'reread');
	CREATE SERVER weya FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'weya', base_url '$url/weya');
	CREATE USER MAPPING FOR CURRENT_USER SERVER alta OPTIONS (token 'sandbox-dump');
	CREATE USER MAPPING FOR PUBLIC SERVER alta OPTIONS (token 'sandbox-dump-public');
	CREATE USER MAPPING FOR reader SERVER sendkit OPTIONS (token 'sk_user_it''s\\"one"', workspace_id 'ws_reader');
	CREATE USER MAPPING FOR writer SERVER alta OPTIONS (token_file '/run/secrets/dnc-writer', max_requests '3');
	GRANT USAGE ON FOREIGN SERVER alta TO reader WITH GRANT OPTION;
	COMMENT ON SERVER alta IS 'who must not be called';

	CREATE SCHEMA dnc;
	IMPORT FOREIGN SCHEMA dnc FROM SERVER alta INTO dnc;
	CREATE FOREIGN TABLE dnc.own (
	  "who's" text OPTIONS (column_name 'identifier') NOT NULL CHECK ("who's" <> ''),
	  kind text OPTIONS (column_name 'identifier_type') COLLATE "C" DEFAULT 'email',
	  label text GENERATED ALWAYS AS (upper("who's")) STORED,
	  attrs jsonb)
	  SERVER alta OPTIONS (page_size '5', batch_size '2', write_mode 'immediate', max_deletes '0', estimated_rows '9',
	  updatable 'false', async_capable 'true');
	ALTER FOREIGN TABLE dnc.own ALTER kind SET STATISTICS 50;
	COMMENT ON FOREIGN TABLE dnc.own IS 'names of our own';
	COMMENT ON COLUMN dnc.own.kind IS 'of what kind';
	GRANT SELECT ON dnc.own TO reader;
	GRANT SELECT ("who's"), INSERT ON dnc.own TO writer;
	CREATE FUNCTION dnc.watch() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN RETURN NEW; END \$\$;
	CREATE TRIGGER watch BEFORE INSERT ON dnc.own FOR EACH ROW EXECUTE FUNCTION dnc.watch();

	CREATE TABLE dnc.opt_outs (identifier text, identifier_type text, source text) PARTITION BY LIST (source);
	CREATE FOREIGN TABLE dnc.opt_outs_alta PARTITION OF dnc.opt_outs FOR VALUES IN ('alta') SERVER alta OPTIONS (page_size '20');
	CREATE FOREIGN TABLE dnc.opt_outs_weya PARTITION OF dnc.opt_outs FOR VALUES IN ('weya') SERVER weya;
	CREATE TABLE dnc.opt_outs_here PARTITION OF dnc.opt_outs FOR VALUES IN ('here');
	INSERT INTO dnc.opt_outs VALUES ('a', 'email', 'here');
	CREATE VIEW dnc.all_lists WITH (security_barrier) AS SELECT identifier, 'alta' AS list FROM dnc.opt_outs_alta
	  UNION ALL SELECT identifier, 'weya' FROM dnc.opt_outs_weya;
	CREATE VIEW dnc.emails WITH (security_invoker) AS SELECT identifier, identifier_type FROM dnc.communication_opt_outs
	  WHERE identifier_type = 'email' WITH LOCAL CHECK OPTION;
	CREATE MATERIALIZED VIEW dnc.snapshot AS SELECT identifier, identifier_type FROM dnc.communication_opt_outs;
	CREATE UNIQUE INDEX ON dnc.snapshot (identifier_type, identifier);
	CREATE MATERIALIZED VIEW dnc.empty AS SELECT identifier FROM dnc.opt_outs WITH NO DATA;
	ANALYZE dnc.communication_opt_outs;

	CREATE SCHEMA kept;
	CREATE TABLE kept.contacts (phone text, country text, key text GENERATED ALWAYS AS (dnc_fdw_key(phone, 'phone', country)) STORED);
	INSERT INTO kept.contacts SELECT format('(212) 555-%s', to_char(n, 'FM0000')), 'US' FROM generate_series(1, 2000) n;
	CREATE INDEX by_key ON kept.contacts (dnc_fdw_key(phone, 'phone', country));
});
$dnc->take_log('dump');

# Runs a program; what it wrote to stdout and stderr, and whether it ended well.
sub run
{
	my ($stdout, $stderr);
	my $done = IPC::Run::run(\@_, '>', \$stdout, '2>', \$stderr);

	return ($stdout, $stderr, $done);
}

# A dump of a database as text; options may say of what, and how.
sub dump_of
{
	my ($database, @options) = @_;
	my ($stdout, $stderr, $done) = run('pg_dump', @options, '-d', $node->connstr($database));

	ok($done && $stderr eq '', "pg_dump $database @options: $stderr");
	return $stdout;
}

# What a dump says, without its comments and the key that is drawn anew each time.
sub essence { return join "\n", grep { !/^(--|\\(un)?restrict|$)/ } split /\n/, $_[0] }

# Restores an archive of crm into a new database.
sub restore
{
	my ($database, @options) = @_;

	$node->safe_psql('postgres', "CREATE DATABASE $database") unless $options[0] eq '--section=post-data';
	my ($stdout, $stderr, $done) = run('pg_restore', '--exit-on-error', @options, '-d', $node->connstr($database), "$dir/crm.dump");
	ok($done && $stderr eq '', "pg_restore into $database @options: $stderr");
	return;
}

sub populated { return $node->safe_psql($_[0], q{SELECT relname || ' ' || relispopulated FROM pg_class WHERE relkind = 'm' ORDER BY 1}) }

# ----- dumps send nothing -----

my $original = essence(dump_of('crm'));
dump_of('crm', '-Fc', '-f', "$dir/crm.dump");
my ($globals) = run('pg_dumpall', '--globals-only', '-d', $node->connstr('postgres'));
is($dnc->take_log('dump'), '', 'dumps send nothing');
for my $part ('CREATE EXTENSION IF NOT EXISTS dnc_fdw', q{token 'sandbox-dump'}, q{token 'sandbox-dump-public'}, q{token_file '/run/secrets/dnc-writer'}, q{max_requests '3'}, q{workspace_id 'ws_reader'},
	q{'sk_user_it''s}, q{column_name 'identifier'}, q{GENERATED ALWAYS AS}, q{write_mode 'immediate'}, 'COMMENT ON SERVER alta',
	'GRANT ALL ON FOREIGN SERVER alta TO reader WITH GRANT OPTION', 'CHECK OPTION', 'security_barrier', 'CREATE TRIGGER watch',
	'REFRESH MATERIALIZED VIEW dnc.snapshot')
{
	like($original, qr/\Q$part\E/, "the dump has: $part");
}
unlike($original, qr/REFRESH MATERIALIZED VIEW dnc\.empty|COPY dnc\.(?!opt_outs_here)/, 'and nothing of lists');
like($globals, qr/CREATE ROLE reader/, 'pg_dumpall --globals-only has the roles');
unlike($globals, qr/sandbox-dump|SERVER/, 'and neither servers nor tokens');

# ----- restored, it is the original -----

# REFRESH reads the list: 25 entries by pages of 10.
my $refresh = 'GET GET GET';

$node->safe_psql('postgres', 'CREATE DATABASE from_text');
append_to_file("$dir/crm.sql", dump_of('crm'));
my ($stdout, $stderr, $done) = run('psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/crm.sql", '-d', $node->connstr('from_text'));
ok($done && $stderr eq '', "psql restores it: $stderr");
is($dnc->take_methods('dump'), $refresh, 'a restore refreshes what was populated');
is(essence(dump_of('from_text')), $original, 'a restored dump dumps the same');
is($node->safe_psql('from_text', 'SELECT count(*) FROM dnc.snapshot'), 25, 'and has the list');
my $by_key = q{SET enable_seqscan = off; SELECT phone, key FROM kept.contacts WHERE dnc_fdw_key(phone, 'phone', country) = 'tel:+12125550007'};
like($node->safe_psql('from_text', $by_key =~ s/SELECT/EXPLAIN SELECT/r), qr/Index Scan using by_key|Bitmap Index Scan on by_key/, 'and an index on keys');
is($node->safe_psql('from_text', $by_key), '(212) 555-0007|tel:+12125550007', 'which finds, as stored keys are there');

restore('from_archive', '--exclude-schema=none');
is($dnc->take_methods('dump'), $refresh, 'pg_restore refreshes likewise');
is(essence(dump_of('from_archive')), $original, 'a restored archive dumps the same');

restore('sections', '--section=pre-data', '--section=data');
is($dnc->take_log('dump'), '', 'the sections pre-data and data send nothing');
is(populated('sections'), "empty false\nsnapshot false", 'and populate nothing');
like($dnc->gives('SELECT * FROM dnc.snapshot', database => 'sections'), qr/^ERROR:  55000: materialized view "snapshot" has not been populated/,
	'which PostgreSQL says, rather than to show an empty list');
restore('sections', '--section=post-data');
is($dnc->take_methods('dump'), $refresh, 'post-data does');
is(essence(dump_of('sections')), $original, 'and all sections are the original');

# ----- without requests -----

my ($contents) = run('pg_restore', '--list', "$dir/crm.dump");
append_to_file("$dir/contents", join '', grep { !/MATERIALIZED VIEW DATA|USER MAPPING/ } split /^/, $contents);
restore('quiet', '-L', "$dir/contents");
is($dnc->take_log('dump') . populated('quiet'), "empty false\nsnapshot false", 'pg_restore -L leaves out what would be sent');
like($dnc->gives('REFRESH MATERIALIZED VIEW dnc.snapshot', database => 'quiet'), qr/^ERROR:  28000: /, 'and the tokens, so that a copy can do no harm');
unlike(dump_of('crm', '--exclude-table-data=dnc.snapshot'), qr/REFRESH/, 'so does pg_dump --exclude-table-data');
is($dnc->take_log('dump'), '', 'none of it sends anything');

# ----- foreign data, where it is asked for -----

my $list = dump_of('crm', '--include-foreign-data=alta', '--data-only', '--table=dnc.communication_opt_outs');
is($dnc->take_methods('dump'), $refresh, '--include-foreign-data reads the list');
is(scalar(() = $list =~ /\@example\.com\temail\t/g), 25, 'all of it');
append_to_file("$dir/list.sql", $list);
like($dnc->gives("\\i $dir/list.sql", database => 'crm'), qr/ERROR:  22023: /, 'what the API sets by itself is not restored');
is($dnc->take_log('dump'), '', 'nor is anything else of it sent');

# A table of what can be added is: the vendor is asked to add all of it again.
my $addable = dump_of('crm', '--include-foreign-data=alta', '--data-only', '--table=dnc.opt_outs_alta');
like($addable, qr/^COPY dnc\.opt_outs_alta \(identifier, identifier_type, source\) FROM stdin/m, 'a partition is dumped likewise');
append_to_file("$dir/addable.sql", $addable);
$dnc->control('DELETE', 'alta/dump');
unlike($dnc->gives("\\i $dir/addable.sql", database => 'crm'), qr/ERROR/, 'and restored');
is($dnc->take_log('dump'), "POST /dnc/communication-opt-outs 200 entries=25\n", 'by adding all that was listed');

# A list that cannot be read to its end is not dumped.
$dnc->control('POST', 'alta/dump/fault?kind=status&arg=500&at=2');
($stdout, $stderr, $done) = run('pg_dump', '--include-foreign-data=alta', '--table=dnc.communication_opt_outs', '-d', $node->connstr('crm'));
ok(!$done, 'pg_dump fails where the list cannot be read');
like($stderr, qr/server "alta"/, 'and says so');

$dnc->stop;
done_testing();
