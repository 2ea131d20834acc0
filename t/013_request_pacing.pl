# The rate limit of an account is used, and not overrun: by one session and by
# several at once, with RateLimit headers and without.  Waits are told to the
# user, shown to the administrator, and refused where they would be too long.
#
# Windows here are of two seconds and 20 requests; what is asserted is which
# request fell into which window, as the sandbox's log has it, not how long
# anything took.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $dnc = DncTest->new;
my $node = $dnc->node;
my $window = 2000;
my $limit = 20;
my $limited = "rate_limit=$limit&rate_window_ms=$window";

# Before PostgreSQL 17, shared memory has to be asked for at the server's start.
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'dnc_fdw'\n")
  if $node->pg_version < 17;
$node->restart;

sub set_config { $dnc->control('PUT', "alta/$_[0]/config?$_[1]"); return; }

sub stat_of
{
	my ($account, $key) = @_;

	return $dnc->control('GET', "alta/$account/stats") =~ /^\Q$key\E (\d+)$/m ? $1 : die $key;
}

# When each request arrived, in ms.
sub arrivals { return sort { $a <=> $b } $dnc->control('GET', "alta/$_[0]/log?times=1") =~ /^(\d+) /mg; }

# The requests of each window, as the sandbox reckons: one opens with the first
# request after the last one's end.
sub windows
{
	my @counts;
	my $end = -1;

	for my $time (@_)
	{
		if ($time >= $end)
		{
			push @counts, 0;
			$end = $time + $window;
		}
		$counts[-1]++;
	}
	return @counts;
}

# Runs a statement in several sessions at once; what each of them gives.
sub run_at_once
{
	my ($count, $statement) = @_;
	my @sessions = map { $node->background_psql('postgres') } 1 .. $count;
	my @results;

	$_->query_until(qr/go/, "\\echo go\n$statement;\n") for @sessions;
	push @results, scalar $_->query(q(SELECT 1)) for @sessions;
	$_->quit for @sessions;
	s/\n.*//s for @results;
	return @results;
}

# A lookup of something that is not listed: one request.
sub lookup { return "SELECT count(*) FROM $_[0].communication_opt_outs WHERE identifier = 'none'"; }

# What runs for a minute runs beside the other tests: no more requests in any
# minute than requests_per_minute, whatever the server's answers leave unsaid.
$dnc->make_server('minute', 30, "requests_per_minute '6', page_size '5'");
my $minute_began = time;
my $minute = $node->background_psql('postgres');
$minute->query_until(qr/go/, "\\echo go\nSELECT count(*) FROM minute.communication_opt_outs;\n"
	  . lookup('minute') . ";\n");

# One session, two, and four read a list of 100 pages each in windows of 20
# requests.  A window may lack what is under way when it ends, at the most.
for my $sessions (1, 2, 4)
{
	my $account = "share$sessions";

	$dnc->make_server($account, 100 / $sessions, "page_size '1'");
	set_config($account, $limited);
	is(join(' ', run_at_once($sessions, "SELECT count(*) FROM $account.communication_opt_outs")),
		join(' ', (100 / $sessions) x $sessions), "$sessions at once: the lists are whole");
	is(stat_of($account, 'rate_limited'), 0, "$sessions at once earn no 429");

	my @counts = windows(arrivals($account));
	note "requests by window: @counts";
	is(join(' ', @counts), join(' ', ($limit) x 5), "$sessions at once use what the limit allows");
}

# Others on the same account use it up: a 429 is earned, and sat out.
$dnc->make_server('other', 30, "page_size '1'");
set_config('other', $limited);
my $http = HTTP::Tiny->new(default_headers => { Authorization => 'Bearer sandbox-other' });
my $other = $node->background_psql('postgres');
is($other->query(lookup('other')), 0, 'a first request shows the limit');
$http->get($dnc->url . '/alta/v1/dnc/communication-opt-outs') for 1 .. $limit - 1;
is($other->query('SELECT count(*) FROM other.communication_opt_outs'), 30, 'a list is read to its end where others use the limit up');
cmp_ok(stat_of('other', 'rate_limited'), '<=', 1, 'with one 429 at the most');

# A Retry-After that one session has earned pauses the others, but not those
# with a user mapping of their own.
$dnc->make_server('pause', 0);
$node->safe_psql('postgres', "CREATE ROLE other LOGIN; GRANT USAGE ON SCHEMA pause TO other;
	GRANT SELECT ON ALL TABLES IN SCHEMA pause TO other;
	CREATE USER MAPPING FOR other SERVER pause OPTIONS (token 'sandbox-pause')");
for my $status (429, 503)
{
	$dnc->control('POST', "alta/pause/fault?kind=status&arg=$status&retry_after=2");
	my $one = $node->background_psql('postgres');
	$one->query_until(qr/go/, "\\echo go\n" . lookup('pause') . ";\n");
	$dnc->poll(sub { $dnc->control('GET', 'alta/pause/log') =~ / $status/ });
	$node->safe_psql('postgres', 'SET ROLE other; ' . lookup('pause'));
	$node->safe_psql('postgres', lookup('pause'));
	is($one->query('SELECT 1') =~ /^0/, 1, "a $status is tried again");
	$one->quit;
	my ($earned, $others, @rest) = arrivals('pause');
	cmp_ok($others - $earned, '<', 1900, "another user mapping does not wait for a Retry-After of $status");
	is(scalar(@rest), 2, 'two more requests');
	cmp_ok($rest[0] - $earned, '>=', 1990, "another session waits for a Retry-After of $status");
	$dnc->control('DELETE', 'alta/pause/log');
}

# A wait over max_wait is an error, before anything is sent.
$dnc->make_server('long', 10, "page_size '1', max_wait '90s', requests_per_minute '8'");
set_config('long', 'rate_limit=8&rate_window_ms=120000');
my ($code, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nSELECT count(*) FROM long.communication_opt_outs");
like($err, qr/ERROR:  53400: rate limit of server "long" reached/, 'a wait over max_wait is an error');
like($err, qr/DETAIL:  The next request may be sent in \d+ s, and max_wait is 90 s\./, 'that says how long it would be');
is(stat_of('long', 'requests') . ' ' . stat_of('long', 'rate_limited'), '8 0', 'nothing was sent in vain');
($code, $out, $err) = $node->psql('postgres', lookup('long'));
like($err, qr/rate limit of server "long" reached/, 'the next session knows');
is(stat_of('long', 'requests'), 8, 'and sends nothing');

# Waits are announced, shown, and counted.
$dnc->make_server('told', 30, "page_size '1'");
set_config('told', $limited);
my $session = $node->background_psql('postgres');
my $pid = $session->query('SELECT pg_backend_pid()');
$session->query("SET dnc_fdw.wait_notice = '1s'");
$session->query_until(qr/go/, "\\echo go\nEXPLAIN (ANALYZE, COSTS OFF) SELECT * FROM told.communication_opt_outs;\n");
my $event = $node->pg_version < 17 ? 'Extension' : 'DncFdwRateLimit';
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity
	WHERE pid = $pid AND wait_event_type = 'Extension' AND wait_event = '$event'"),
	"pg_stat_activity shows $event");
my $plan = $session->query('SELECT 1');
like($session->{stderr}, qr/NOTICE:  waiting \d+ s for the rate limit of server "told"\nDETAIL:  So far 20 entries were read in 20 requests\./,
	'a long wait is announced');
is(scalar(() = $session->{stderr} =~ /NOTICE/g), 1, 'once');
$session->{stderr} = '';
like($plan, qr/Time Waited: \d{3,}\.\d+ ms/, 'EXPLAIN ANALYZE shows the time waited');
unlike($plan, qr/Retries/, 'and no retries');
$session->query("SET dnc_fdw.wait_notice = -1");
$session->query('SELECT count(*) FROM told.communication_opt_outs');
is($session->{stderr}, '', 'or not, with -1');
like($session->query('SHOW dnc_fdw.wait_notice; RESET dnc_fdw.wait_notice; SHOW dnc_fdw.wait_notice'),
	qr/-1\n5s/, 'the default is 5s');
$session->quit;

# More servers than there is room for in shared memory are read all the same.
$dnc->control('POST', 'alta/many/fill?count=1');
my @many = map { "many$_" } 1 .. 300;
my $url = $dnc->url;
$node->safe_psql('postgres', join '', map { qq{
	CREATE SERVER $_ FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url '$url/alta/v1');
	CREATE USER MAPPING FOR CURRENT_USER SERVER $_ OPTIONS (token 'sandbox-many');
	CREATE FOREIGN TABLE $_ (identifier text) SERVER $_;} } @many);
is($node->safe_psql('postgres', 'SELECT ' . join ' + ', map { "(SELECT count(*) FROM $_)" } @many),
	300, 'each of 300 servers is read');

# A server whose limit is used up does not hold up another under Append: all of
# the other is read before the limited one goes on.
$dnc->make_server('slow', 25, "page_size '1'");
$dnc->make_server('fast', 60, "page_size '1'");
set_config('slow', $limited);
set_config('fast', 'latency_ms=5');
is($node->safe_psql('postgres', 'SELECT count(*) FROM (SELECT id FROM slow.communication_opt_outs
	UNION ALL SELECT id FROM fast.communication_opt_outs) lists'), 85, 'both servers are read');
my @slow = arrivals('slow');
my @fast = arrivals('fast');
cmp_ok($fast[-1], '<', $slow[$limit], 'the one that waits does not hold up the other');

# A request that has to wait is interrupted like any other.
SKIP:
{
	skip 'the minute is over, on a slow machine', 1 if time > $minute_began + 50;
	($code, $out, $err) = $node->psql('postgres', "SET statement_timeout = '500ms'; " . lookup('minute'));
	like($err, qr/canceling statement due to statement timeout/, 'a wait for the allowance is interrupted');
}

# The minute is over now, or soon.
$minute->query('SELECT 1');
$minute->quit;
my @minute = arrivals('minute');
is(scalar(@minute), 7, 'all requests of the minute are there');
cmp_ok($minute[6] - $minute[0], '>=', 60_000, 'the seventh is sent a minute after the first');
cmp_ok($minute[5] - $minute[0], '<', 10_000, 'the six before it at once');

$dnc->stop;
done_testing();
