# What docs/transactions.md promises, walked through, with the sandbox's log and
# list as witness: a backend that is killed at each point of a transaction, sending
# that fails or is cancelled, requests beside each other, cursors and savepoints,
# triggers, write_mode 'immediate', limits, memory.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use IPC::Run;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $dnc = DncTest->new;
my $node = $dnc->node;
my $json = JSON::PP->new->utf8->canonical;
$node->append_conf('postgresql.conf', qq{
	restart_after_crash = on
	wal_level = replica
	max_wal_senders = 2
});
$node->restart;

# ---- servers, each with a table list, of which now is written to at once

my %identifier = (alta => 'identifier', sendkit => 'email', weya => 'phoneNumber');
my $url = $dnc->url;

for my $name (sort keys %identifier)
{
	my $path = { alta => '/alta/v1', sendkit => '/sendkit', weya => '/weya' }->{$name};
	my $token = $name eq 'sendkit' ? 'sk_tx' : 'sandbox-tx';
	my $columns = 'identifier text, identifier_type text'
		. ($name eq 'weya' ? q{, id text, batch_id text DEFAULT 'b', request_uuid text DEFAULT 'u'} : '');

	$node->safe_psql('postgres', qq{
		CREATE SERVER $name FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider '$name', base_url '$url$path',
		  max_retries '0', max_concurrency '4', requests_per_minute '0');
		CREATE USER MAPPING FOR CURRENT_USER SERVER $name OPTIONS (token '$token');
		CREATE SCHEMA $name;
		CREATE FOREIGN TABLE $name.list ($columns) SERVER $name;
		CREATE FOREIGN TABLE $name.now ($columns) SERVER $name OPTIONS (write_mode 'immediate');
	});
}
$node->safe_psql('postgres', 'CREATE TABLE here (what text)');

sub control { my ($method, $name, $what) = @_; return $dnc->control($method, "$name/tx$what") }

# An empty list, or one of so many emails (weya: phone numbers), and an empty log.
sub reset_lists
{
	my (%counts) = @_;

	for my $name (sort keys %identifier)
	{
		my $types = $name eq 'weya' ? '' : '&types=email';

		control('DELETE', $name, '');
		control('POST', $name, "/fill?count=$counts{$name}$types") if $counts{$name};
	}
	$node->safe_psql('postgres', 'SET synchronous_commit = local; TRUNCATE here');
	return;
}

sub entries { my ($name) = @_; return @{ $json->decode(control('GET', $name, '/entries')) } }
sub listed { my ($name) = @_; return join ' ', sort map { $_->{ $identifier{$name} } } entries($name) }
sub count { my ($name) = @_; return control('GET', $name, '/count') + 0 }
sub here { return $node->safe_psql('postgres', 'SELECT count(*) FROM here') }

# The writes in the log, a line each, with their status.
sub writes { my ($name) = @_; return grep { !/^GET / } split /\n/, control('GET', $name, '/log') }

# What statements give: rows and messages.
sub gives
{
	my ($statements) = @_;
	my ($stdout, $stderr) = ('', '');

	$node->psql('postgres', $statements, stdout => \$stdout, stderr => \$stderr, on_error_stop => 0,
		extra_params => ['-v', 'VERBOSITY=verbose']);
	return $stdout . $stderr;
}

sub emails { my ($from, $to) = @_; return join ' ', map { sprintf 'person%06d@example.com', $_ } $from .. $to }
sub numbers { my ($from, $to) = @_; return join ' ', map { sprintf '1555%07d', $_ } $from .. $to }

# A condition that comes true soon, of what is not ours to wait for.
sub wait_until
{
	my ($what, $condition) = @_;
	my $end = time + 60;

	until ($condition->())
	{
		die "waited for: $what" if time > $end;
		sleep 0.02;
	}
	return;
}

# A psql that works on its own, by the name of $name.
sub start
{
	my ($name, $statements) = @_;
	my $session = { out => '', err => '' };
	my $file = PostgreSQL::Test::Utils::tempdir() . "/$name.sql";

	append_to_file($file, $statements);
	$session->{run} = IPC::Run::start(
		[ 'psql', '-XAtq', '-v', 'VERBOSITY=verbose', '-d', $node->connstr('postgres') . " application_name=$name", '-f', $file ],
		'>', \$session->{out}, '2>', \$session->{err});
	return $session;
}

sub finish { my ($session) = @_; $session->{run}->finish; return $session->{out} . $session->{err} }

# The process of a session that waits for something of that kind.
sub waiting
{
	my ($name, $event) = @_;
	my $pid;

	wait_until("$name waits for $event", sub {
		$pid = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity
		  WHERE application_name = '$name' AND state = 'active' AND coalesce(wait_event, '') ~ '$event'") });
	return $pid;
}

# ---- a backend is killed; what is here and what is there afterwards

my $delete = q{DELETE FROM alta.list WHERE identifier LIKE 'person%'};
my $add = q{INSERT INTO alta.list (identifier, identifier_type) VALUES ('new1@test', 'email'), ('new2@test', 'email')};

sub transaction { my (@statements) = @_; return join ";\n", 'BEGIN', q{INSERT INTO here VALUES ('x')}, @statements, 'COMMIT;' }

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

# ---- sending fails: DETAIL is exact

# How many of what the message says was taken, and how many are not known.
sub told
{
	my ($message, $what) = @_;
	my ($taken) = $message =~ /(\d+) of \d+ $what/;
	my ($unknown) = $message =~ /Whether the last (?:request|\d+ requests), with (\d+) of them/;

	return ($taken // -1, $unknown // 0);
}

# One, or some, of many removals fail, beside others that do not.  A connection that is closed once without
# an answer is not enough: libcurl sends on a new one what it had sent on one that was kept.
for my $fault ('kind=status&arg=400&at=7', 'kind=status&arg=400&at=20', 'kind=status&arg=500&at=3', 'kind=lost&at=5&times=0',
	'kind=close&at=2&times=0', 'kind=cut&at=6', 'kind=cut&at=5&times=3', 'kind=status&arg=403&at=1&times=0')
{
	reset_lists(alta => 20);
	control('PUT', 'alta', '/config?latency_ms=5');
	control('POST', 'alta', "/fault?method=DELETE&$fault");
	my $message = gives(transaction($delete));
	my ($taken, $unknown) = told($message, 'deletions');
	my $gone = 20 - count('alta');

	# They were made, which a look at the list shows.
	if ($fault =~ /lost|cut/)
	{
		is($gone . ' ' . here(), '20 1', "$fault: all is gone, and committed") or diag($message);
		next;
	}
	# What was not sent at all cannot be unknown.
	cmp_ok($taken, '<=', $gone, "$fault: DETAIL counts nothing that is still there");
	cmp_ok($gone, '<=', $taken + $unknown, "$fault: and all that is gone") or diag($message);
	cmp_ok($unknown, '<=', 4, "$fault: not known is what was under way") or diag($message);
	is($unknown, 0, "$fault: a refusal is known") if $fault =~ /arg=4/;
	cmp_ok($unknown, '>', 0, "$fault: a lost answer is not known") if $fault =~ /close/;
	like($message, qr/HINT:.*The local transaction is rolled back; what the remote has taken is not\./, "$fault: HINT");
	is(here(), 0, "$fault: nothing here");
}

# Additions one by one.
my $add_numbers = q{INSERT INTO weya.list (identifier) SELECT n::text FROM generate_series(1, 20) n};
for my $fault ('kind=status&arg=403&at=7', 'kind=lost&at=5', 'kind=close&at=5', 'kind=garbage&at=4')
{
	reset_lists();
	control('PUT', 'weya', '/config?latency_ms=5');
	control('POST', 'weya', "/fault?method=POST&$fault");
	my $message = gives(transaction($add_numbers));
	my ($taken, $unknown) = told($message, 'additions');
	cmp_ok($taken, '<=', count('weya'), "weya, $fault: DETAIL counts nothing that is not there") or diag($message);
	cmp_ok(count('weya'), '<=', $taken + $unknown, "weya, $fault: and all that is") or diag($message);
	is($unknown, 0, "weya, $fault: a refusal is known") if $fault =~ /arg=4/;
	is(here(), 0, "weya, $fault: nothing here");
}

# Cancelled in the midst of it.
reset_lists(alta => 40);
control('PUT', 'alta', '/config?latency_ms=100');
my $cancelled = start('cancelled', transaction($delete));
wait_until('some removals', sub { 4 < grep { / 200 / } writes('alta') });
my $pid = waiting('cancelled', '');
$node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
my $message = finish($cancelled);
control('PUT', 'alta', '/config?latency_ms=0');
my ($taken, $unknown) = told($message, 'deletions');
like($message, qr/ERROR:  57014: canceling statement due to user request\nDETAIL:  Server "alta" had taken/, 'cancelled at COMMIT');
cmp_ok($taken, '<=', 40 - count('alta'), 'cancelled: DETAIL counts nothing that is still there');
cmp_ok(40 - count('alta'), '<=', $taken + $unknown, 'cancelled: and all that is gone');
cmp_ok($taken, '>', 0, 'cancelled: some are');
is(here(), 0, 'cancelled: nothing here');

# One addition fails, and the three beside it get no answer: statement_timeout ends the wait for these.
my $four = q{(identifier) SELECT n::text FROM generate_series(1, 4) n};
for my $case ([ list => 'had taken 0 of 4 additions' ], [ now => 'had taken 0 additions of this transaction by then' ])
{
	my ($table, $counts) = @$case;

	reset_lists();
	control('POST', 'weya', '/fault?kind=status&arg=500&method=POST');
	control('POST', 'weya', '/fault?kind=stall&method=POST&times=3');
	my $start = time;
	my $said = gives("SET statement_timeout = '2s'; INSERT INTO weya.$table $four");
	cmp_ok(time - $start, '<', 20, "weya.$table: statement_timeout ends the wait after a failure");
	like($said, qr/ERROR:  57014: canceling statement due to statement timeout\nDETAIL:  The sending had failed before: server "weya" failed to serve the request\. Server "weya" $counts\. Whether the last 4 requests, with 4 of them, were taken is not known\.\n/,
		"weya.$table: DETAIL has the failure, and counts");
}

# The answers beside a failure are read like all others: none of these says that anything was taken.
reset_lists();
control('POST', 'weya', '/fault?kind=status&arg=500&method=POST');
control('POST', 'weya', '/fault?kind=not_success&method=POST&times=3');
like(gives("INSERT INTO weya.list $four"), qr/Server "weya" had taken 0 of 4 additions\. Whether the last 4 requests, with 4 of them, were taken is not known\.\n/,
	'weya: success is what the body says');

# An addition is refused, and the look whether it is listed fails, or is cancelled.
reset_lists();
control('POST', 'weya', '/fault?kind=status&arg=400&method=POST&times=2');
control('POST', 'weya', "/fault?kind=$_&method=GET") for 'status&arg=500', 'stall';
like(gives(q{INSERT INTO weya.list (identifier) VALUES ('1')}),
	qr{ERROR:  HV00M: server "weya" failed to serve the request\nDETAIL:  HTTP status 500.* Server "weya" had taken 0 of 1 additions\.\nHINT:  .*\nCONTEXT:  request GET /api/dnc/list to server "weya"\n},
	'weya: a look that fails is the error');
like(gives(q{SET statement_timeout = '1s'; INSERT INTO weya.list (identifier) VALUES ('1')}),
	qr/ERROR:  57014: .*\nDETAIL:  Server "weya" had taken 0 of 1 additions\.\n/, 'weya: a look that is cancelled');

# Three servers, of which the last, and the first, fails.
my @three = (
	q{DELETE FROM alta.list WHERE identifier = 'person000001@example.com'},
	q{INSERT INTO alta.list (identifier, identifier_type) SELECT n || '@test', 'email' FROM generate_series(1, 501) n},
	q{INSERT INTO sendkit.list (identifier, identifier_type) VALUES ('a@test', 'email'), ('b@test', 'email'), ('c.test', 'domain')},
	q{INSERT INTO weya.list (identifier) VALUES ('1'), ('2')});
reset_lists(alta => 1);
control('POST', 'weya', '/fault?kind=status&arg=403&method=POST&times=2');
like(gives(transaction(@three)), qr/ERROR:  28000: server "weya" refused the token\nDETAIL:  .*Server "alta" had taken 501 of 501 additions and 0 of 1 deletions\. Server "sendkit" had taken 3 of 3 additions\. Server "weya" had taken 0 of 2 additions\.\n/,
	'three servers, the last fails: DETAIL has each');
is(join(' ', here(), count('alta'), count('sendkit'), count('weya')), '0 502 3 0', 'three servers: as DETAIL says');
reset_lists(alta => 1);
control('POST', 'weya', '/fault?kind=status&arg=403&method=POST&times=2');
like(gives(transaction(reverse @three)), qr/Server "weya" had taken 0 of 2 additions\. Server "sendkit" had taken 0 of 3 additions\. Server "alta" had taken 0 of 501 additions and 0 of 1 deletions\.\n/,
	'three servers, the first fails: DETAIL has each');
is(join(' ', here(), count('alta'), count('sendkit'), count('weya')), '0 1 0 0', 'three servers: nothing was sent to the others');
is(gives(transaction(@three)), '', 'three servers: the same transaction again');
is(join(' ', here(), count('alta'), count('sendkit'), count('weya')), '1 501 3 2', 'three servers: all have theirs');

# ---- requests beside each other

# The most that were under way at once while statements ran.
sub in_flight
{
	my ($name, $count, $statements) = @_;

	reset_lists($name => $count);
	control('PUT', $name, '/config?latency_ms=20');
	is(gives($statements), '', "$name: $statements");
	return control('GET', $name, '/stats') =~ /^in_flight_max (\d+)/m ? $1 : die;
}
my $batches = q{BEGIN; ALTER SERVER alta OPTIONS (ADD batch_size '5');
	INSERT INTO alta.list (identifier, identifier_type) SELECT n || '@test', 'email' FROM generate_series(1, 20) n; COMMIT;
	ALTER SERVER alta OPTIONS (DROP batch_size)};
is(in_flight('alta', 20, $delete), 4, 'alta: removals go max_concurrency at a time');
is(in_flight('alta', 0, $batches), 1, 'alta: batches of additions one at a time');
is(in_flight('weya', 0, $add_numbers), 4, 'weya: additions go max_concurrency at a time');
is(in_flight('weya', 20, 'DELETE FROM weya.list'), 4, 'weya: removals go max_concurrency at a time');
is(in_flight('sendkit', 40, 'DELETE FROM sendkit.list'), 1, 'sendkit: a batch of removals');
$node->safe_psql('postgres', q{ALTER SERVER weya OPTIONS (SET max_concurrency '1')});
is(in_flight('weya', 0, $add_numbers), 1, 'weya: one at a time with max_concurrency 1');
$node->safe_psql('postgres', q{ALTER SERVER weya OPTIONS (SET max_concurrency '8')});

# Each number goes and comes again, once or twice: it is on the list all the time.
reset_lists(weya => 12);
control('PUT', 'weya', '/config?latency_ms=10');
my $again = join '; ', map {
	my $number = $_;
	my $pair = qq{DELETE FROM weya.list WHERE identifier = '$number'; INSERT INTO weya.list (identifier) VALUES ('$number')};
	$number =~ /[02468]$/ ? "$pair; $pair" : $pair } split / /, numbers(1, 12);
is(gives("BEGIN; $again; COMMIT"), '', 'weya: each number is deleted and added again');
is(join(' ', grep { !/GET/ } split /\n/, control('GET', 'weya', '/log')), '', 'weya: none of that is sent');
is(listed('weya'), numbers(1, 12), 'weya: all are listed in the end');
$node->safe_psql('postgres', q{ALTER SERVER weya OPTIONS (SET max_concurrency '4')});

# ---- visibility: cursors, savepoints, chains

my $all = 'SELECT identifier FROM alta.list ORDER BY 1';
sub insert { my ($name, $table) = @_; return 'INSERT INTO ' . ($table // 'alta.list') . " (identifier, identifier_type) VALUES ('$name', 'email')" }

# A list of a\@test and b\@test; what statements show, spaces between; the list afterwards.
sub walk
{
	my ($name, $statements, $shown, $after) = @_;

	reset_lists();
	$node->safe_psql('postgres', insert('a') . ';' . insert('b'));
	is(join(' ', split /\n/, gives($statements)), $shown, $name);
	is(listed('alta'), $after, "$name: the list");
	return;
}
walk('a cursor sees what was written before it was declared',
	"BEGIN; DECLARE before CURSOR FOR $all;" . insert('c') . "; DECLARE after CURSOR FOR $all; DELETE FROM alta.list WHERE identifier = 'a';
	 FETCH ALL FROM before; FETCH ALL FROM after; $all; COMMIT", 'a b a b c b c', 'b c');
walk('WITH HOLD keeps what it saw',
	"BEGIN; DECLARE before CURSOR WITH HOLD FOR $all;" . insert('c') . "; DECLARE after CURSOR WITH HOLD FOR $all;
	 DELETE FROM alta.list WHERE identifier = 'a'; COMMIT; FETCH ALL FROM before; FETCH ALL FROM after; $all", 'a b a b c b c', 'b c');
walk('a cursor that scrolls',
	'BEGIN;' . insert('c') . "; DECLARE c SCROLL CURSOR FOR SELECT identifier FROM alta.list; MOVE ALL FROM c;" . insert('d') .
	"; FETCH BACKWARD 1 FROM c; FETCH FIRST FROM c; FETCH ABSOLUTE 3 FROM c; FETCH NEXT FROM c; COMMIT", 'c a c', 'a b c d');
walk('a cursor that is open while a savepoint is rolled back',
	'BEGIN;' . insert('c') . "; DECLARE c CURSOR FOR SELECT identifier FROM alta.list; FETCH 2 FROM c; SAVEPOINT s;" . insert('d') .
	"; DELETE FROM alta.list WHERE identifier = 'c'; ROLLBACK TO s; FETCH ALL FROM c; $all; COMMIT", 'a b c a b c', 'a b c');
walk('a cursor of a savepoint that is rolled back',
	'BEGIN; SAVEPOINT s;' . insert('c') . "; DECLARE c CURSOR FOR $all; ROLLBACK TO s; DECLARE c CURSOR FOR $all;" . insert('d') .
	'; FETCH ALL FROM c; COMMIT', 'a b', 'a b d');
walk('COMMIT AND CHAIN', 'BEGIN;' . insert('c') . "; COMMIT AND CHAIN; SELECT count(*) FROM dnc_fdw_pending();"
	. insert('d') . "; $all; ROLLBACK", '0 a b c d', 'a b c');
walk('ROLLBACK AND CHAIN', 'BEGIN;' . insert('c') . "; ROLLBACK AND CHAIN; SELECT count(*) FROM dnc_fdw_pending();"
	. insert('d') . "; $all; COMMIT", '0 a b d', 'a b d');
walk('exceptions in nesting', 'DO $$ BEGIN ' . insert('c') . '; BEGIN ' . insert('d') . "; DELETE FROM alta.list WHERE identifier = 'c';
	 BEGIN " . insert('e') . '; RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN ' . insert('f') . '; END;
	 RAISE unique_violation; EXCEPTION WHEN unique_violation THEN ' . insert('g') . "; END; END \$\$; $all", 'a b c g', 'a b c g');
walk('a procedure that commits', 'DO $$ BEGIN FOR i IN 1 .. 3 LOOP ' . insert('c') . "; UPDATE here SET what = 'y'; INSERT INTO alta.list
	 SELECT i || identifier, identifier_type FROM alta.list WHERE identifier = 'c'; IF i = 2 THEN ROLLBACK; ELSE COMMIT; END IF; END LOOP; END \$\$",
	'', '1c 3c a b c');
walk('a function that writes while the statement reads',
	'CREATE FUNCTION twin(text) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN ' . "INSERT INTO alta.list VALUES (\$1 || \$1, 'email');
	 RETURN (SELECT count(*) FROM alta.list); END \$\$; BEGIN; SELECT identifier, twin(identifier) FROM alta.list; $all; COMMIT",
	'a|3 b|4 a aa b bb', 'a aa b bb');
walk('parts of a statement see the same', "WITH d AS (DELETE FROM alta.list WHERE identifier = 'a' RETURNING identifier),
	 i AS (INSERT INTO alta.list SELECT identifier || 2, 'email' FROM d RETURNING identifier)
	 SELECT identifier FROM alta.list UNION ALL SELECT identifier FROM i ORDER BY 1", 'a a2 b', 'a2 b');

# LIMIT asks for small pages, of which a transaction may hide what is on them.
reset_lists(alta => 250);
my $limit = gives("BEGIN; DELETE FROM alta.list WHERE identifier < 'person000240';
	SELECT identifier FROM alta.list LIMIT 1; ROLLBACK");
is($limit, 'person000240@example.com', 'LIMIT counts what is seen');
is(scalar(grep { /^GET/ } split /\n/, control('GET', 'alta', '/log')), 6, 'and does not read the rest entry by entry');

# ---- triggers

$node->safe_psql('postgres', q{
	CREATE TABLE contact (name text, unwanted boolean);
	CREATE FUNCTION opt_out() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	  INSERT INTO alta.list (identifier, identifier_type) VALUES (TG_NAME || '_' || NEW.name, 'email'); RETURN NEW; END $$;
	CREATE TRIGGER b BEFORE INSERT ON contact FOR EACH ROW WHEN (NEW.unwanted) EXECUTE FUNCTION opt_out();
	CREATE TRIGGER a AFTER INSERT ON contact FOR EACH ROW WHEN (NEW.unwanted) EXECUTE FUNCTION opt_out();
	CREATE CONSTRAINT TRIGGER d AFTER INSERT ON contact DEFERRABLE INITIALLY DEFERRED
	  FOR EACH ROW WHEN (NEW.unwanted) EXECUTE FUNCTION opt_out();
	CREATE FOREIGN TABLE alta.watched (identifier text, identifier_type text, label text) SERVER alta;
	CREATE TABLE seen (n serial, what text);
	CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	  INSERT INTO seen (what) VALUES (concat_ws(' ', TG_WHEN, TG_OP, TG_LEVEL, OLD.identifier, NEW.identifier, NEW.label));
	  IF TG_LEVEL = 'ROW' AND TG_WHEN = 'BEFORE' THEN
	    IF coalesce(NEW.identifier, OLD.identifier) LIKE 'skip%' THEN RETURN NULL; END IF;
	    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
	    NEW.identifier = lower(NEW.identifier);
	    NEW.identifier_type = 'email';
	  END IF;
	  RETURN NEW; END $$;
	CREATE TRIGGER before_row BEFORE INSERT OR DELETE ON alta.watched FOR EACH ROW EXECUTE FUNCTION watch();
	CREATE TRIGGER after_row AFTER INSERT OR DELETE ON alta.watched FOR EACH ROW EXECUTE FUNCTION watch();
	CREATE TRIGGER before_all BEFORE INSERT OR DELETE ON alta.watched EXECUTE FUNCTION watch();
	CREATE TRIGGER after_all AFTER INSERT OR DELETE ON alta.watched EXECUTE FUNCTION watch();
});
walk('triggers of a local table', "BEGIN; INSERT INTO contact VALUES ('x', true), ('y', false); $all; COMMIT", 'a a_x b b_x', 'a a_x b b_x d_x');
walk('triggers of a local table, rolled back', "BEGIN; INSERT INTO contact VALUES ('x', true); SET CONSTRAINTS ALL IMMEDIATE; $all; ROLLBACK",
	'a a_x b b_x d_x', 'a b');
my $seen = 'SELECT what FROM seen ORDER BY n; TRUNCATE seen';
sub seen { return join '; ', split /\n/, gives($seen) }
walk('triggers of the foreign table, INSERT', q{INSERT INTO alta.watched VALUES ('C', NULL, 'see'), ('skip', 'email', NULL) RETURNING identifier},
	'c', 'a b c');
is(seen(), 'BEFORE INSERT STATEMENT; BEFORE INSERT ROW C see; BEFORE INSERT ROW skip; AFTER INSERT ROW c see; AFTER INSERT STATEMENT',
	'triggers of the foreign table, INSERT: what they get');
is((grep { $_->{identifier} eq 'c' } entries('alta'))[0]{label}, 'see', 'triggers of the foreign table: the other columns');
walk('triggers of the foreign table, COPY', "COPY alta.watched FROM stdin;\nD\tfax\t\\N\nskip\temail\t\\N\n\\.\n", '', 'a b d');
is(seen(), 'BEFORE INSERT STATEMENT; BEFORE INSERT ROW D; BEFORE INSERT ROW skip; AFTER INSERT ROW d; AFTER INSERT STATEMENT',
	'triggers of the foreign table, COPY: what they get');
walk('triggers of the foreign table, DELETE', insert('skip') . "; DELETE FROM alta.watched WHERE identifier <> 'a' RETURNING identifier",
	'b', 'a skip');
is(seen(), 'BEFORE DELETE STATEMENT; BEFORE DELETE ROW b; BEFORE DELETE ROW skip; AFTER DELETE ROW b; AFTER DELETE STATEMENT',
	'triggers of the foreign table, DELETE: what they get');
$node->safe_psql('postgres', q{ALTER FOREIGN TABLE alta.watched OPTIONS (ADD write_mode 'immediate')});
walk('a trigger keeps a DELETE by key from going without reading', insert('skip') .
	q{; DELETE FROM alta.watched WHERE identifier = 'skip' AND identifier_type = 'email'}, '', 'a b skip');
$node->safe_psql('postgres', q{CREATE FOREIGN TABLE alta.filled (identifier text, identifier_type text DEFAULT 'email',
	label text GENERATED ALWAYS AS (upper(identifier)) STORED) SERVER alta});
walk('defaults and generated columns', q{INSERT INTO alta.filled VALUES ('c') RETURNING *; SELECT identifier, label FROM alta.filled WHERE label = 'C'},
	'c|email|C c|C', 'a b c');

# ---- write_mode 'immediate'

reset_lists(alta => 25);
like(gives("BEGIN; INSERT INTO here VALUES ('x'); " . insert('c', 'alta.now') . '; ' . insert('d', 'alta.now') .
	q{; DELETE FROM alta.now WHERE identifier LIKE 'person00000%'; ROLLBACK}),
	qr/WARNING:  01000: server "alta" keeps what was sent to it at once \(additions: 2, deletions: 9\)\n/, 'immediate: ROLLBACK says what stays');
is(listed('alta'), 'c d ' . emails(10, 25), 'immediate: and it does');
is(here(), 0, 'immediate: nothing here');
unlike(gives('BEGIN;' . insert('e', 'alta.now') . '; COMMIT'), qr/./, 'immediate: COMMIT says nothing');

# All of the list is read before the first removal.
reset_lists(alta => 25);
gives(q{BEGIN; ALTER SERVER alta OPTIONS (ADD page_size '10'); DELETE FROM alta.now; COMMIT; ALTER SERVER alta OPTIONS (DROP page_size)});
is(join(' ', map { /^(\w+)/ } split /\n/, control('GET', 'alta', '/log')), join(' ', ('GET') x 3, ('DELETE') x 25),
	'immediate: removals go out when the scan is over');
is(count('alta'), 0, 'immediate: all of them');

# An error in the middle.
reset_lists();
control('POST', 'alta', '/fault?kind=status&arg=400&method=POST&at=3');
$node->safe_psql('postgres', q{ALTER FOREIGN TABLE alta.now OPTIONS (ADD batch_size '2')});
like(gives(q{INSERT INTO alta.now SELECT n || '@test', 'email' FROM generate_series(1, 9) n}),
	qr/DETAIL:  HTTP status 400.* Server "alta" had taken 4 additions of this transaction by then\./, 'immediate: DETAIL counts');
is(listed('alta'), join(' ', map { "$_\@test" } 1 .. 4), 'immediate: what was taken');
like(gives(q{INSERT INTO alta.now SELECT n || '@test', CASE WHEN n = 8 THEN 'fax' ELSE 'email' END FROM generate_series(5, 9) n}),
	qr/^(?=.*WARNING:  01000: server "alta" keeps what was sent to it at once \(additions: 2, deletions: 0\))(?=.*ERROR:  22023)/s, 'immediate: a bad row in the middle');
is(listed('alta'), join(' ', map { "$_\@test" } 1 .. 6), 'immediate: what was taken before it');
reset_lists(alta => 1);
$node->safe_psql('postgres', insert('z'));
is(gives(q{WITH d AS (DELETE FROM alta.now WHERE identifier = 'z' RETURNING *) INSERT INTO alta.now SELECT * FROM d}), '',
	'immediate: WITH deletes and adds again');
is(listed('alta'), emails(1, 1) . ' z', 'immediate: what is added again is listed');

# Writes that wait and writes that do not.
reset_lists(alta => 1);
like(gives('BEGIN;' . insert('c') . ';' . insert('d', 'alta.now') . '; COMMIT'), qr/ERROR:  0A000: cannot write to foreign table "now" at once/,
	'immediate: not after writes that wait');
like(gives('BEGIN;' . insert('c') . q{; DELETE FROM alta.now WHERE identifier = 'x' AND identifier_type = 'email'; COMMIT}), qr/ERROR:  0A000/,
	'immediate: nor by key');
is(listed('alta'), emails(1, 1), 'immediate: and nothing was sent');
is(gives('BEGIN;' . insert('c', 'alta.now') . ';' . insert('d') . "; $all; COMMIT"), "c\nd\n" . emails(1, 1), 'writes that wait, after others');

# ---- max_deletes: before anything is sent

reset_lists(alta => 8, sendkit => 8);
$node->safe_psql('postgres', q{ALTER SERVER alta OPTIONS (ADD max_deletes '5')});
like(gives(transaction(insert('c'), 'DELETE FROM sendkit.list', $delete)), qr/ERROR:  54000.*"alta".*\nDETAIL:  There are 8, and max_deletes is 5\. None of them was sent\./,
	'max_deletes at COMMIT');
is(join("\n", writes('alta'), writes('sendkit')), '', 'max_deletes: nothing was sent to any server');
is(here() . ' ' . count('alta') . ' ' . count('sendkit'), '0 8 8', 'max_deletes: nothing is done');
sub remove { my ($from, $to) = @_; return sprintf q{DELETE FROM alta.now WHERE identifier BETWEEN 'person%06d' AND 'person%06dz'}, $from, $to }
like(gives('BEGIN;' . remove(1, 3) . ';' . remove(4, 5) . ';' . remove(6, 6)),
	qr/^(?=.*ERROR:  54000.*\nDETAIL:  There are 6, 5 of them sent by earlier statements, and max_deletes is 5\. None of the others was sent\.)(?=.*keeps.*additions: 0, deletions: 5)/s,
	'max_deletes counts over the statements of a transaction');
is(listed('alta'), emails(6, 8), 'max_deletes: the first five are gone');
$node->safe_psql('postgres', q{ALTER SERVER alta OPTIONS (DROP max_deletes)});

# ---- memory

reset_lists();
my $session = $node->background_psql('postgres');
my $backend = $session->query('SELECT pg_backend_pid()');
$session->query(q{BEGIN; INSERT INTO alta.list SELECT format('firstname.lastname%s@mail.example.com', n), 'email' FROM generate_series(1, 1000000) n});
my $text = $session->query(q{SELECT sum(length(format('firstname.lastname%s@mail.example.com', n)) + length('email')) FROM generate_series(1, 1000000) n});
my $used = $session->query(q{SELECT sum(total_bytes) FROM pg_backend_memory_contexts WHERE name LIKE 'dnc_fdw%'});
cmp_ok(($used - $text) / 1e6, '<=', 200, sprintf 'a waiting entry takes %.0f bytes beyond its text', ($used - $text) / 1e6);
$session->query('COMMIT');
my ($peak) = slurp_file("/proc/$backend/status") =~ /^VmHWM:\s+(\d+) kB/m;
cmp_ok($peak, '<', 400 * 1024, sprintf '1,000,000 added entries commit within 400 MB: %.0f MB', $peak / 1024);
is(count('alta'), 1_000_000, 'all of them are listed');
is(scalar(writes('alta')), 2000, 'after 2,000 requests');
$session->quit;

$dnc->stop;
done_testing();
