# A backend that is killed at each point of a transaction, and a COMMIT that PostgreSQL itself
# refuses: docs/transactions.md says what is here and what is there then.  The sandbox's log and
# list are the witness.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncLists qw(transaction here control reset_lists listed writes emails gives wait_until start finish waiting);
use DncTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $dnc = DncTest->new;
my $node = $dnc->node;
$node->append_conf('postgresql.conf', qq{
	restart_after_crash = on
	wal_level = replica
	max_wal_senders = 2
});
$node->restart;
DncLists::set_up($dnc, 'tx', here => 1, options => "max_retries '0', max_concurrency '4'", tables => { list => '' });

# ---- a backend is killed; what is here and what is there afterwards

my $delete = q{DELETE FROM alta.list WHERE identifier LIKE 'person%'};
my $add = q{INSERT INTO alta.list (identifier, identifier_type) VALUES ('new1@test', 'email'), ('new2@test', 'email')};

# Runs statements until $ready gives their process, kills that, and waits until the cluster is up again.
sub kill_when
{
	my ($statements, $ready) = @_;
	my $log = -s $node->logfile;
	my $session = start('victim', $statements);

	kill 'KILL', $ready->($session);
	like(finish($session), qr/server closed the connection unexpectedly/, 'the backend is killed');
	wait_until('the cluster is up again', sub {
		slurp_file($node->logfile, $log) =~ /reinitializing.*ready to accept connections/s });
	return;
}

sub victim { return waiting('victim', '') }

reset_lists(alta => 3);
kill_when(transaction($add, $delete, 'SELECT pg_sleep(100)'), sub { waiting('victim', 'PgSleep') });
is(here(), 0, 'killed while writes wait: nothing here');
is(join("\n", writes('alta')), '', 'killed while writes wait: nothing sent');
is(listed('alta'), emails(1, 3), 'killed while writes wait: nothing there');

# One removal at a time, so that the log tells which; the last may be seen and not answered.
reset_lists(alta => 30);
$node->safe_psql('postgres', q{ALTER SERVER alta OPTIONS (SET max_concurrency '1')});
control('PUT', 'alta', '/config?latency_ms=100');
my $removals = transaction($add, $delete);
kill_when($removals, sub { wait_until('some removals', sub { 4 < grep { / 200 / } writes('alta') }); victim() });
my @sent = map { /^DELETE (?:.*) (\d+|-).*"identifier":"(.*?)"/ ? [ $1, $2 ] : () }
	split /\n/, control('GET', 'alta', '/log?bodies=1');
my %there = map { $_ => 1 } split / /, listed('alta');
is(here(), 0, 'killed while removals are sent: nothing here');
cmp_ok(scalar @sent, '<', 30, 'killed while removals are sent: not all are');
is(scalar(grep { $_->[0] eq '200' && $there{ $_->[1] } } @sent), 0, 'what the log has taken is gone');
is(join(' ', sort grep { /person/ } keys %there, map { $there{ $_->[1] } ? () : $_->[1] } @sent), emails(1, 30),
	'and nothing else is');
ok($there{'new1@test'} && $there{'new2@test'}, 'what was sent before is there');
control('PUT', 'alta', '/config?latency_ms=0');
is(gives($removals), '', 'the same transaction again');
is(here() . ' ' . listed('alta'), '1 new1@test new2@test', 'completes both');
$node->safe_psql('postgres', q{ALTER SERVER alta OPTIONS (SET max_concurrency '4')});

# An addition is under way: not arrived, or taken.
for my $case ([ stall => '' ], [ stall_body => 'new1@test new2@test' ])
{
	my ($kind, $list) = @$case;

	reset_lists();
	control('POST', 'alta', "/fault?kind=$kind&method=POST");
	kill_when(transaction($add), sub { wait_until('the addition', sub { writes('alta') }); victim() });
	is(here(), 0, "killed while an addition is sent, $kind: nothing here");
	is(listed('alta'), $list, "killed while an addition is sent, $kind: as the sandbox has it");
	is(gives(transaction($add)), '', "$kind: the same transaction again");
	is(here() . ' ' . listed('alta'), '1 new1@test new2@test', "$kind: completes both");
}

# One server has taken all, the other nothing.
reset_lists(alta => 2);
control('POST', 'weya', '/fault?kind=stall&method=POST&times=4');
my $two = transaction($delete, $add, q{INSERT INTO weya.list (identifier) VALUES ('1'), ('2') ON CONFLICT DO NOTHING});
kill_when($two, sub { wait_until('the addition', sub { writes('weya') }); victim() });
is(here(), 0, 'killed between two servers: nothing here');
is(listed('alta') . ', ' . listed('weya'), 'new1@test new2@test person000001@example.com person000002@example.com, ',
	'killed between two servers: the first has its additions, and nobody has been removed');
control('DELETE', 'weya', '/fault');
is(gives($two), '', 'two servers: the same transaction again');
is(here() . ' ' . listed('alta') . ', ' . listed('weya'), '1 new1@test new2@test, 1 2', 'two servers: completes both');

# All is sent, and COMMIT waits for a lock that another transaction has for its NOTIFY,
# which itself waits for a standby that never comes.
sub await_standby
{
	my ($names) = @_;

	$node->safe_psql('postgres', "ALTER SYSTEM SET synchronous_standby_names = '$names'");
	$node->reload;
	wait_until('the setting', sub { $node->safe_psql('postgres', 'SHOW synchronous_standby_names') eq $names });
	return;
}
reset_lists(alta => 2);
$node->safe_psql('postgres', 'CREATE TABLE other (what text)');
await_standby('nobody');
my $blocker = start('blocker', q{BEGIN; INSERT INTO other VALUES ('x'); NOTIFY other; COMMIT;});
waiting('blocker', 'SyncRep');
kill_when("SET synchronous_commit = local; " . transaction($delete, $add, 'NOTIFY here'), sub { waiting('victim', 'object') });
finish($blocker);
is(here(), 0, 'killed between sending and commit: nothing here');
is(listed('alta'), 'new1@test new2@test', 'killed between sending and commit: all is there');

# The local commit is written, and not acknowledged.
reset_lists(alta => 2);
kill_when(transaction($delete, $add), sub { waiting('victim', 'SyncRep') });
await_standby('');
is(here(), 1, 'killed after the commit: it is here');
is(listed('alta'), 'new1@test new2@test', 'killed after the commit: and there');

# ---- PostgreSQL fails to commit after the sending: as documented, the remote has the writes

reset_lists();
$node->safe_psql('postgres', 'CREATE TABLE pair (n int, value int); INSERT INTO pair VALUES (1, 0), (2, 0)');
my @pair = map { $node->background_psql('postgres', on_error_stop => 0) } 0, 1;
$_->query('BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT sum(value) FROM pair') for @pair;
$pair[0]->query('UPDATE pair SET value = 1 WHERE n = 1');
$pair[1]->query("UPDATE pair SET value = 1 WHERE n = 2; INSERT INTO here VALUES ('x'); $add");
$pair[0]->query('COMMIT');
$pair[1]->query('COMMIT');
like($pair[1]->{stderr}, qr/could not serialize access/, 'a serialization failure at COMMIT');
is(here() . ' ' . listed('alta'), '0 new1@test new2@test', 'comes after the sending');
$_->{stderr} = '', $_->quit for @pair;

$dnc->stop;
done_testing();
