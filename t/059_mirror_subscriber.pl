# A copy of a mirror on another server, by logical replication, made as docs/mirror.md says: it is
# refused until it is whole, and as soon as it does not follow any more.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $dnc = DncTest->sandbox;
my ($publisher, $subscriber) = map { DncTest->cluster($_) } 'publisher', 'subscriber';
for my $node ($publisher, $subscriber)
{
	$node->append_conf('postgresql.conf', "fsync = off\ntimezone = 'UTC'\nwal_level = logical\nmax_wal_senders = 5\nwal_retrieve_retry_interval = '100ms'\n");
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION dnc_fdw; CREATE SCHEMA dnc');
}
my ($section) = slurp_file("$FindBin::RealBin/../docs/mirror.md") =~ /^### Other servers, by logical replication$(.*?)\z/ms;
my ($publish, $freshness, $subscribe) = $section =~ /^```sql[^\n]*\n(.*?)^```$/msg;
$subscribe =~ s/CONNECTION '[^']*'/"CONNECTION '" . ($publisher->connstr('postgres') =~ s{'}{''}gr) . "'"/e or die 'no connection';

sub publisher { return $publisher->safe_psql('postgres', $_[0]) }
sub subscriber { return $subscriber->safe_psql('postgres', $_[0]) }
sub known { my ($out, $errors) = ('', ''); $subscriber->psql('postgres', 'SELECT count(*) FROM dnc.communication_opt_outs_known', stdout => \$out, stderr => \$errors); return $out . $errors }

# A full pass, and its time for the copies.
sub refresh
{
	publisher(q{CALL dnc_fdw_mirror_refresh('dnc.communication_opt_outs')});
	publisher($freshness);
	return;
}

$dnc->control('POST', 'alta/copy/fill?count=30');
publisher(qq{
	CREATE SERVER alta FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url '@{[ $dnc->url ]}/alta/v1', requests_per_minute '0');
	CREATE USER MAPPING FOR CURRENT_USER SERVER alta OPTIONS (token 'sandbox-copy');
	IMPORT FOREIGN SCHEMA dnc FROM SERVER alta INTO dnc;
	SELECT dnc_fdw_mirror_create('dnc.communication_opt_outs')});
publisher($publish);
refresh();

# A copy whose table has lost a column is never filled, and the other table is.
my $schema = PostgreSQL::Test::Utils::tempdir() . '/schema.sql';
command_ok([ 'pg_dump', '--schema-only', '--no-owner', '--no-publications', '-t', 'dnc.communication_opt_outs_mirror', '-t', 'dnc.freshness', '--file', $schema, $publisher->connstr('postgres') ], 'the tables');
command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '--file', $schema, '-d', $subscriber->connstr('postgres') ], 'on the subscriber');
subscriber('ALTER TABLE dnc.communication_opt_outs_mirror DROP COLUMN label');
for my $statement (split /(?<=;)\n\n/, $subscribe) { subscriber($_) for $statement =~ /\$\$/ ? $statement : split /(?<=;)\n/, $statement }
$subscriber->poll_query_until('postgres', 'SELECT count(*) = 1 FROM dnc.freshness') or fail('no freshness');
like(known(), qr/ERROR: .*is not whole/, 'a copy that is not filled is refused, though its list is fresh');
subscriber('ALTER TABLE dnc.communication_opt_outs_mirror ADD COLUMN label text');
$subscriber->poll_query_until('postgres', q{SELECT bool_and(srsubstate = 'r') FROM pg_subscription_rel}) or fail('not synchronized');
is(known(), 30, 'when it is filled, it is read');
$dnc->control('POST', 'alta/copy/fill?count=3&from=100');
refresh();
$publisher->wait_for_catchup('opt_outs');
is(known(), 33, 'it follows');

# A mirror that is created anew is no part of the publication any more.
publisher(q{SELECT dnc_fdw_mirror_drop('dnc.communication_opt_outs'); SELECT dnc_fdw_mirror_create('dnc.communication_opt_outs')});
refresh();
$publisher->wait_for_catchup('opt_outs');
like(known(), qr/ERROR: .*is not whole/, 'a copy of a mirror that was created anew is refused');
subscriber('ALTER SUBSCRIPTION opt_outs REFRESH PUBLICATION');
subscriber('TRUNCATE dnc.communication_opt_outs_mirror');
publisher('ALTER PUBLICATION opt_outs ADD TABLE dnc.communication_opt_outs_mirror');
subscriber('ALTER SUBSCRIPTION opt_outs REFRESH PUBLICATION');
$subscriber->poll_query_until('postgres', q{SELECT count(*) = 2 AND bool_and(srsubstate = 'r') FROM pg_subscription_rel}) or fail('not synchronized');
is(known(), 33, 'until it is copied again');

subscriber('DROP SUBSCRIPTION opt_outs');
$dnc->stop_sandbox;
$_->stop for $subscriber, $publisher;
done_testing();
