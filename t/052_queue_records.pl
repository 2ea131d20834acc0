# t/052_queue_records.pl: acknowledged writes are recorded where the account has a mirror
#
# The records are what a mirror knows of our own writes before its next pass.  So each is
# there with COMMIT, and none without the vendor's answer.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use DncVendors;
use Test::More;

my $dnc = DncTest->new;
my $node = $dnc->node;

$node->append_conf('postgresql.conf', "max_prepared_transactions = 2\n");
$node->restart;
$node->safe_psql('postgres', 'CREATE ROLE clerk');

# Servers by name; those of an equal account are one list.  f waits for COMMIT, fi does not, fq is the queue's.
my %lists = (
	twin => { provider => 'alta', token => 'rec', account => 'main' },
	other => { provider => 'alta', token => 'rec-other', account => 'other' },
	map { $_ => { provider => $_, token => 'rec', account => 'main' } } DncVendors::names());
my %modes = (f => 'commit', fi => 'immediate', fq => 'queue');

for my $server (sort keys %lists)
{
	my $list = $lists{$server};
	my $columns = DncVendors::table_columns($list->{provider}) =~ s/identifier_type text/$& DEFAULT '$DncVendors::vendors{$list->{provider}}{types}[0]'/r;
	my $server_sql = DncVendors::server($server, $list->{provider}, $dnc->url, $list->{token}, "account '$list->{account}', max_retries '0', requests_per_minute '0'");

	$node->safe_psql('postgres', qq{
		@{[ $server_sql =~ s/CURRENT_USER/PUBLIC/r ]}
		CREATE SCHEMA $server; GRANT USAGE ON SCHEMA $server TO clerk;} . join ' ', map {
			"CREATE FOREIGN TABLE $server.$_ ($columns) SERVER $server OPTIONS (write_mode '$modes{$_}'); GRANT ALL ON $server.$_ TO clerk;" } sort keys %modes);
}

# What runs, and what has been recorded by it: action and identifier, with the message if there is one.
sub records
{
	my ($sql) = @_;

	$node->safe_psql('postgres', 'DELETE FROM dnc_fdw_queue_finished');
	$node->psql('postgres', $sql);
	return $node->safe_psql('postgres', "SELECT string_agg(concat(action, ' ', coalesce(identifier, entry_id), ': ' || message), ', ' ORDER BY done_at, id)
		FROM dnc_fdw_queue_finished WHERE state = 'done' AND attempts = 1 AND requested_at < done_at AND done_at <= clock_timestamp()");
}

sub insert { my ($table, @who) = @_; return "INSERT INTO $table (identifier) VALUES " . join(', ', map { "('$_')" } @who) . '; ' }
sub remove { my ($table, @who) = @_; return "DELETE FROM $table WHERE identifier IN (" . join(', ', map { "'$_'" } @who) . '); ' }

# ---- without a mirror

is(records(insert('alta.f', 'ann@x.org') . insert('alta.fi', 'bo@x.org')), '', 'nothing is recorded where there is no mirror');
$node->safe_psql('postgres', "INSERT INTO dnc_fdw_mirror_lists (source, mirror, staging, known, server, account, owner, read_by, max_age, gone_after, max_loss)
	SELECT t, t, t, t, s, s || '/main', 'postgres'::regrole, 'postgres'::regrole, '1 day', 2, 0.1 FROM unnest(ARRAY['alta', 'sendkit', 'weya']) s, to_regclass(s || '.f') t");
is(records(insert('other.f', 'ann@x.org')), '', 'nor where another account has one');

# ---- write_mode 'commit'

my @times = $node->safe_psql('postgres', 'SELECT clock_timestamp()');
is(records(insert('alta.f', 'cy@x.org', 'Dan@X.org') . remove('alta.f', 'ann@x.org')), 'add cy@x.org, add Dan@X.org, delete ann@x.org', 'alta: additions and a deletion');
is($node->safe_psql('postgres', "SELECT string_agg(DISTINCT concat_ws(' ', server, relation::regclass, role_name, account, match_key, http_status, xid IS NULL), ', ') FROM dnc_fdw_queue_finished
	WHERE requested_at > '$times[0]' AND action = 'add'"),
	'alta alta.f postgres alta/main email:cy@x.org 200 f, alta alta.f postgres alta/main email:dan@x.org 200 f', 'with table, role, account, key, and times of the requests');
is(records("BEGIN ISOLATION LEVEL SERIALIZABLE; SET LOCAL ROLE clerk; " . insert('twin.f', 'eve@x.org') . 'COMMIT'), 'add eve@x.org',
	'another server of the account, and a role without privileges on the records');
is(records("BEGIN; " . insert('alta.f', 'fay@x.org') . 'ROLLBACK'), '', 'what is rolled back was not sent');
$dnc->control('POST', 'alta/rec/fault?kind=status&arg=500&method=DELETE&at=2');
is(records("BEGIN; " . remove('alta.f', 'cy@x.org') . remove('alta.f', 'Dan@X.org') . insert('alta.f', 'gil@x.org') . 'COMMIT'), '',
	'a COMMIT that fails half way records nothing: who was removed counts as listed');
$dnc->control('POST', 'alta/rec/fault?kind=lost&method=POST');
is(records(insert('alta.f', 'hal@x.org')), '', 'nor does one whose outcome is not known');
is(records(insert('sendkit.f', 'ann@x.org') . insert('sendkit.f', 'ann@x.org', 'bo@x.org')), 'add ann@x.org, add ann@x.org, add bo@x.org', 'sendkit: what is skipped is listed');
is(records(remove('sendkit.f', 'ann@x.org', 'bo@x.org')), 'delete ann@x.org, delete bo@x.org', 'sendkit: a request that removes several');
is(records(insert('weya.f', '12125550001', '12125550002')), 'add 12125550001, add 12125550002', 'weya: additions');
is(records("BEGIN; INSERT INTO weya.f (identifier) VALUES ('+12125550001') ON CONFLICT DO NOTHING; " . remove('weya.f', '12125550002') . 'COMMIT'),
	'add +12125550001: was on the list already, delete 12125550002', 'weya: what the vendor has already');
is($node->safe_psql('postgres', "SELECT match_key, entry_id IS NULL FROM dnc_fdw_queue_finished WHERE action = 'delete'"), 'tel:+12125550002|f', 'a removal has the id that it took');

# ---- write_mode 'immediate'

is(records("BEGIN; " . insert('alta.fi', 'ida@x.org') . 'DO $$ BEGIN ' . insert('alta.fi', 'jo@x.org') . 'END $$; COMMIT'), 'add ida@x.org, add jo@x.org', 'at once: recorded by the transaction');
is(records("BEGIN; " . insert('alta.fi', 'kim@x.org') . 'ROLLBACK'), '', 'its end takes the records with it');
is(records("DELETE FROM alta.fi WHERE identifier = 'nobody\@x.org' AND identifier_type = 'email'"), 'delete nobody@x.org: was not on the list any more', 'a deletion of whom the list does not have');
my $id = $node->safe_psql('postgres', "SELECT id FROM weya.f WHERE identifier = '12125550001'");
is(records("DELETE FROM weya.fi WHERE id = '$id'"), "delete $id", 'weya: by id alone');

# A removal that is recorded, and an addition that came later and is on the list, whatever has become of its savepoint.
my $again = 'SAVEPOINT a; ' . insert('alta.fi', 'ida@x.org');
is(records('BEGIN; ' . remove('alta.fi', 'ida@x.org') . "$again ROLLBACK TO a; COMMIT"), 'delete ida@x.org, add ida@x.org', 'a savepoint does not take back that somebody is listed again');
is(records('BEGIN; ' . remove('alta.fi', 'ida@x.org') . "$again SAVEPOINT b; RELEASE a; COMMIT"), 'delete ida@x.org, add ida@x.org', 'one that is released has one record');
is(records('BEGIN; SAVEPOINT o; ' . remove('alta.fi', 'ida@x.org') . "$again RELEASE a; ROLLBACK TO o; COMMIT"), 'add ida@x.org', 'but it takes back the record of a deletion');
is(records('BEGIN; ' . remove('alta.fi', 'ida@x.org') . "$again ROLLBACK TO a; PREPARE TRANSACTION 'p'; COMMIT PREPARED 'p'"), 'delete ida@x.org, add ida@x.org', 'with PREPARE TRANSACTION');
is(records('BEGIN; ' . remove('alta.fi', 'ida@x.org') . "$again ROLLBACK TO a; ROLLBACK"), '', 'and without COMMIT there is none');
is(records('SELECT 1'), '', 'nothing comes later');
is(records("BEGIN; " . insert('alta.f', 'lea@x.org') . 'DROP FOREIGN TABLE alta.fi; DROP FOREIGN TABLE twin.f; COMMIT'), 'add lea@x.org', 'a table that is dropped meanwhile');

# ---- the queue's own rows, and what is kept

is(records(insert('alta.fq', 'max@x.org') . "CALL dnc_fdw_deliver('alta')"), 'add max@x.org', 'the queue has the times, too');
is(records(insert('weya.fq', '12125550009') . insert('weya.f', '12125550008') . insert('weya.fq', '12125550008') . "CALL dnc_fdw_deliver('weya')"),
	'add 12125550008, add 12125550009, add 12125550008: was on the list already', 'of what it has found on the list as well');
$node->safe_psql('postgres', "UPDATE dnc_fdw_queue_finished SET done_at = done_at - interval '40 days'; UPDATE dnc_fdw_mirror_lists SET needs_since = now() - interval '41 days'");
$node->safe_psql('postgres', "CALL dnc_fdw_deliver('weya')");
is($node->safe_psql('postgres', 'SELECT count(*) FROM dnc_fdw_queue_finished'), '3', 'records that a mirror needs stay');
$node->safe_psql('postgres', "UPDATE dnc_fdw_mirror_lists SET needs_since = now() - interval '39 days' WHERE server = 'weya'; CALL dnc_fdw_deliver('alta')");
is($node->safe_psql('postgres', 'SELECT count(*) FROM dnc_fdw_queue_finished'), '3', 'another account does not clean up');
$node->safe_psql('postgres', "CALL dnc_fdw_deliver('weya')");
is($node->safe_psql('postgres', 'SELECT count(*) FROM dnc_fdw_queue_finished'), '0', 'records that no mirror needs go after dnc_fdw.keep_done');

# ---- decisions about many writes at once: they look for each by its id

$node->safe_psql('postgres', "INSERT INTO alta.fq (identifier) SELECT 'many' || n || '\@x.org' FROM generate_series(1, 10000) n");
for my $decision ('retry(array_agg(id))', "discard(array_agg(id), 'too many')")
{
	my $blocks = 'SELECT idx_blks_hit + idx_blks_read FROM pg_statio_user_tables WHERE relname = $$dnc_fdw_queue_waiting$$;';
	my ($before, $count, $after) = split /\n/, $node->safe_psql('postgres', "$blocks SELECT dnc_fdw_queue_$decision FROM dnc_fdw_queue_waiting;
		SELECT 1 FROM pg_stat_force_next_flush(); $blocks") =~ s/^1\n//mr;

	is($count, 10_000, "$decision: all are meant");
	cmp_ok($after - $before, '<', 500_000, "$decision: fewer than 50 pages of the indexes for each");
}

$dnc->stop;
done_testing();
