# Dumps of a database with mirrors and certificates: a restored database knows as much as was
# restored, is as old as that, and refuses to be read where a part is missing.

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
my $dir = PostgreSQL::Test::Utils::tempdir();
my $url = $dnc->url;

sub value { my ($database, $sql) = @_; return $node->safe_psql($database, $sql) }
sub gives { my ($database, $sql) = @_; return $dnc->gives($sql, database => $database) }

# Dumps database postgres with options into a file.
sub dump_to
{
	my ($name, @options) = @_;

	$node->command_ok([ 'pg_dump', '-d', $node->connstr('postgres'), '-f', "$dir/$name.sql", @options ], "pg_dump @options");
	return;
}

# Restores files into a database, which is made if it is new.
sub restore
{
	my ($database, @names) = @_;

	value('postgres', "CREATE DATABASE $database") unless value('postgres', "SELECT count(*) FROM pg_database WHERE datname = '$database'");
	$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($database), '-f', "$dir/$_.sql" ], "$_ is restored into $database") for @names;
	return;
}

# A list with the newest entry last on numbered pages, so that deltas are allowed.
$dnc->control('DELETE', 'weya/m');
$dnc->control('POST', 'weya/m/fill?count=45');
value('postgres', qq{
	CREATE SERVER m FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'weya', base_url '$url/weya', page_size '10', requests_per_minute '0', max_retries '0');
	CREATE USER MAPPING FOR CURRENT_USER SERVER m OPTIONS (token 'sandbox-m');
	CREATE FOREIGN TABLE list (id text, identifier text, identifier_type text, batch_id text, request_uuid text) SERVER m;
	SELECT dnc_fdw_mirror_create('list');
	CALL dnc_fdw_mirror_refresh('list');
	CALL dnc_fdw_mirror_refresh('list', mode => 'delta');
	INSERT INTO list (identifier, batch_id, request_uuid) VALUES ('+15559990001', 'b', 'u');
	DELETE FROM list WHERE id = (SELECT id FROM list_known WHERE id IS NOT NULL ORDER BY id LIMIT 1)});
my $passes = 'SELECT * FROM dnc_fdw_passes ORDER BY id';
my $mirrors = 'SELECT source, complete_as_of, added_as_of, refused, entries, unshown, delta_allowed FROM dnc_fdw_mirrors ORDER BY source::text';
my $known = q{SELECT string_agg(match_key, ' ' ORDER BY match_key) FROM list_known};
my $delta = q{CALL dnc_fdw_mirror_refresh('list', mode => 'delta')};
my $full = q{CALL dnc_fdw_mirror_refresh('list')};

# ----- all of it -----

dump_to('all');
restore('whole', 'all');
is(value('whole', $passes), value('postgres', $passes), 'the certificates are the same, to the last column');
is(value('whole', $mirrors), value('postgres', $mirrors), 'the mirror is as old as it was, no younger');
is(value('whole', $known), value('postgres', $known), 'and knows the same, our own addition and removal too');
is(value('whole', q{SELECT sha256 = (SELECT encode(sha256(string_agg(convert_to(m.identity, 'UTF8') || '\x00', ''::bytea ORDER BY m.identity COLLATE "C")), 'hex')
	FROM list_mirror m WHERE m.gone_at IS NULL AND m.missed = 0 AND m.first_seen <= p.began_at) FROM dnc_fdw_passes p WHERE mode = 'full' ORDER BY id LIMIT 1}), 't', 'which the certificate proves');
value('whole', q{SELECT dnc_fdw_mirror_alter('list', max_age => '1 microsecond')});
like(gives('whole', $known), qr/^ERROR:  55000: the mirror of "list" is too old/, 'its age counts');
value('whole', q{SELECT dnc_fdw_mirror_alter('list', max_age => '1 day')});
is(gives('whole', $delta), '', 'a delta goes on from it');
is(gives('whole', $full), '', 'and a pass');
is(value('whole', 'SELECT count(DISTINCT id) = count(*) FROM dnc_fdw_passes'), 't', 'whose numbers are new');

# ----- the schema, then the data -----

dump_to('schema', '--schema-only');
dump_to('data', '--data-only');
restore('parts', 'schema');
is(value('parts', 'SELECT count(*) FROM dnc_fdw_passes') . value('parts', 'SELECT count(*) FROM dnc_fdw_mirrors'), '00', 'the schema alone has no certificates and no mirrors');
like(gives('parts', $known), qr/^ERROR:  42704: foreign table "list" has no mirror/, 'and its view is not read');
like(gives('parts', $full), qr/^ERROR:  42704: /, 'nor refreshed');
restore('parts', 'data');
is(value('parts', $passes), value('postgres', $passes), 'the data brings the certificates');
is(value('parts', $mirrors), value('postgres', $mirrors), 'and the mirror');
is(value('parts', $known), value('postgres', $known), 'which knows the same');

# ----- without the entries -----

dump_to('without', '--exclude-table-data=list_mirror');
restore('hollow', 'without');
like(gives('hollow', $known), qr/^ERROR:  55000: the mirror of "list" has lost its entries/, 'a mirror without its entries is not read');
$dnc->control('POST', 'weya/m/fill?count=3');
like(gives('hollow', $delta), qr/^ERROR:  55000: .*'delta'\nDETAIL:  The mirror has lost its entries/, 'a delta does not make a whole list of what is new');
like(gives('hollow', $known), qr/^ERROR:  55000: the mirror of "list" has lost its entries/, 'so it is still not read');
is(gives('hollow', $full) . value('hollow', 'SELECT count(*) FROM list_known'), 48, 'a full pass brings all');

# ----- a server that was renamed while an addition waited -----

$dnc->control('POST', 'alta/m/fill?count=5&types=email');
value('postgres', qq{
	CREATE SERVER q FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url '$url/alta/v1', requests_per_minute '0', max_retries '0', write_mode 'queue');
	CREATE USER MAPPING FOR CURRENT_USER SERVER q OPTIONS (token 'sandbox-m');
	CREATE FOREIGN TABLE queued (identifier text, identifier_type text) SERVER q;
	SELECT dnc_fdw_mirror_create('queued');
	INSERT INTO queued VALUES ('waits\@x.org', 'email');
	ALTER SERVER q RENAME TO renamed;
	CALL dnc_fdw_mirror_refresh('queued')});
my $screen = q{SELECT dnc_fdw_screen('queued', 'waits@x.org', 'email')};
is(value('postgres', $screen), 'listed', 'an addition that waits under the old name of its server');
dump_to('renamed');
value('postgres', 'CREATE DATABASE other');
value('other', 'CREATE TABLE pad ()');    # so that OIDs differ
restore('other', 'renamed');
is(value('other', $screen), 'listed', 'is known in a copy, too');
is(value('other', q{SELECT count(*) FROM queued WHERE identifier = 'waits@x.org'}), 1, 'and scans show it');
is(value('other', 'SELECT dnc_fdw_queue_adopt()') . gives('other', q{CALL dnc_fdw_deliver('renamed')}) . value('other', $screen), '1listed', 'it is sent once it is adopted');

# ----- a copy whose clock is behind that of the original -----

for my $adopts (0, 1)
{
	my $database = "behind$adopts";

	value('postgres', q{INSERT INTO list (identifier, batch_id, request_uuid) VALUES ('+15559990002', 'b', 'u'); CALL dnc_fdw_mirror_refresh('list');
		DELETE FROM list WHERE id = (SELECT id FROM list WHERE identifier IN ('15559990002', '+15559990002'))});
	dump_to($database);
	restore($database, $database);
	value($database, q{SELECT dnc_fdw_queue_adopt()}) if $adopts;
	value($database, q{UPDATE dnc_fdw_queue_finished SET requested_at = clock_timestamp() + interval '2 s', done_at = clock_timestamp() + interval '2 s' WHERE action = 'delete';
		INSERT INTO list (identifier, batch_id, request_uuid) VALUES ('+15559990002', 'b', 'u');
		SELECT pg_sleep(2.5)});
	is(value($database, q{SELECT dnc_fdw_screen('list', '+15559990002', 'phone')}), 'listed', 'a removal of the original does not undo what the copy has added since' . ($adopts ? ', once adopted' : ''));
	value($database, q{DELETE FROM list WHERE id IN (SELECT id FROM list WHERE identifier IN ('15559990002', '+15559990002'))});
	is(value($database, q{SELECT dnc_fdw_screen('list', '+15559990002', 'phone')}), 'free', 'and one of the copy does');
}

# Who was removed and added again, while the original's clock was set back: the times say the contrary.
value('postgres', q{INSERT INTO list (identifier, batch_id, request_uuid) VALUES ('+15559990003', 'b', 'u'); CALL dnc_fdw_mirror_refresh('list')});
value('postgres', q{DELETE FROM list WHERE id = (SELECT id FROM list WHERE identifier IN ('15559990003', '+15559990003'))});
value('postgres', q{INSERT INTO list (identifier, batch_id, request_uuid) VALUES ('+15559990003', 'b', 'u')});
value('postgres', q{UPDATE dnc_fdw_queue_finished SET requested_at = clock_timestamp(), done_at = clock_timestamp() WHERE action = 'delete'});
$screen = q{SELECT dnc_fdw_screen('list', '+15559990003', 'phone')};
is(value('postgres', $screen), 'listed', 'who was added again after a removal is listed, whatever the times say');
dump_to('again');
restore('again', 'again');
value('again', 'SELECT dnc_fdw_queue_adopt()');
is(value('again', $screen), 'listed', 'also in a copy that has adopted the writes');

$dnc->stop;
done_testing();
