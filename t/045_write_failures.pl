# Sending that fails, is cancelled, or goes on with several requests beside each other: the
# message of docs/transactions.md counts exactly what the list has taken.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncLists qw(transaction here control reset_lists listed count writes numbers gives wait_until start finish waiting);
use DncTest;
use Test::More;
use Time::HiRes qw(time);

my $dnc = DncTest->new;
my $node = $dnc->node;
DncLists::set_up($dnc, 'tx', here => 1, options => "max_retries '0', max_concurrency '4'", tables => { list => '', now => "write_mode 'immediate'" });

my $delete = q{DELETE FROM alta.list WHERE identifier LIKE 'person%'};

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

$dnc->stop;
done_testing();
