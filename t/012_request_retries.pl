# What is tried again, how often, after how long, and what is not: the table of
# docs/errors.md, a line at a time.  The sandbox's log says how often a request
# came and when; times are bounds, never measurements.

use strict;
use warnings;

use FindBin;
use IO::Socket::INET;
use lib "$FindBin::RealBin/lib";

use DncTest;
use DncVendors;
use PostgreSQL::Test::Utils;
use POSIX qw(strftime);
use Test::More;
use Time::HiRes qw(time);

my $dnc = DncTest->new;
my $node = $dnc->node;
my $url = $dnc->url;

$dnc->make_server('retries', 3, "request_timeout '500ms', max_wait '20s', max_retries '5'");
$dnc->control('POST', 'weya/retries/fill?count=3');
my $servers = join ' ', map { DncVendors::server($_, $_, $url, 'retries', "request_timeout '500ms'") } 'sendkit', 'weya';
$node->safe_psql('postgres', qq{
	$servers
	CREATE SCHEMA sendkit; IMPORT FOREIGN SCHEMA dnc FROM SERVER sendkit INTO sendkit;
	CREATE SCHEMA weya; IMPORT FOREIGN SCHEMA dnc FROM SERVER weya INTO weya;
});

my $read = 'SELECT count(*) FROM retries.communication_opt_outs';
my ($out, $err);

# Runs a statement with faults ordered before it; the requests' statuses in order.
sub statuses
{
	my ($provider, $statement, @faults) = @_;

	$dnc->control('DELETE', "$provider/retries/fault");
	$dnc->control('DELETE', "$provider/retries/log");
	$dnc->control('POST', "$provider/retries/fault?$_") for @faults;
	(undef, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n$statement");
	$dnc->control('DELETE', "$provider/retries/fault");
	return join ' ', $dnc->control('GET', "$provider/retries/log") =~ /^\S+ \S+ (\S+)/mg;
}

# The ms between the requests of the last statement on alta.
sub gaps
{
	my @times = sort { $a <=> $b } $dnc->control('GET', 'alta/retries/log?times=1') =~ /^(\d+) /mg;

	return map { $times[$_] - $times[ $_ - 1 ] } 1 .. $#times;
}

# Reads: what may pass by itself is tried again, the rest is an error at once.
is(statuses('alta', $read, "kind=status&arg=$_"), "$_ 200", "a $_ is tried again")
  for 408, 429, 500, 502, 503, 504;
is(statuses('alta', $read, "kind=status&arg=$_"), $_, "a $_ is not tried again")
  for 400, 401, 403, 404, 409, 501, 505;
is(statuses('alta', $read, "kind=$_"), '- 200', "$_: tried again") for 'close', 'stall', 'lost';
like(statuses('alta', $read, "kind=$_"), qr/^\S+ 200$/, "$_: tried again") for 'cut', 'stall_body';
like(statuses('alta', $read, "kind=$_"), qr/^\S+$/, "$_: not tried again")
  for 'html', 'garbage', 'truncated', 'empty', 'redirect&arg=http://127.0.0.1:1/';
is($out, '', 'and an error, not a list');

# So often, and no more; the error tells.
my $for_ever = 'kind=status&arg=503&times=0&retry_after=0';
is(statuses('alta', $read, $for_ever), join(' ', (503) x 6), 'as often as max_retries says, beyond the first');
like($err, qr/ERROR:  HV00M: server "retries" failed to serve the request/, 'then it is an error');
like($err, qr/DETAIL:  HTTP status 503: .*\. Tried 6 times in \d+\.\d s\./, 'that tells how often, and over what time');
statuses('alta', $read, 'kind=status&arg=429&times=0&retry_after=0');
like($err, qr/ERROR:  53400: rate limit of server "retries" reached\nDETAIL:  HTTP status 429: .*\. Tried 6 times in/, 'likewise a 429');
statuses('alta', $read, 'kind=status&arg=503', 'kind=status&arg=400&at=2');
like($err, qr/refused the request\nDETAIL:  HTTP status 400: .* Tried 2 times in/, 'a last try that is refused tells too');
$node->safe_psql('postgres', "ALTER SERVER retries OPTIONS (SET max_retries '2')");
is(statuses('alta', $read, 'kind=close&times=0'), '- - -', 'broken connections');
like($err, qr/ERROR:  HV00N: server "retries" did not answer\nDETAIL:  .*\. Tried 3 times in/, 'are told too');
$node->safe_psql('postgres', "ALTER SERVER retries OPTIONS (SET base_url 'http://127.0.0.1:1')");
statuses('alta', $read);
like($err, qr/ERROR:  HV00N: could not connect to server "retries"\nDETAIL:  .*\. Tried 3 times in/, 'no connection is tried again, and told');
my $root = PostgreSQL::Test::Utils::tempdir() . '/root';
PostgreSQL::Test::Utils::system_or_bail('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-batch',
	'-subj', '/CN=root', '-keyout', "$root.key", '-out', "$root.crt");
my $listener = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1') or die "no listener: $!";
$node->safe_psql('postgres', "ALTER SERVER retries OPTIONS (SET base_url 'https://127.0.0.1:" . $listener->sockport . "', ca_file '$root.crt')");
my $child = fork() // die "no fork: $!";
if ($child == 0)
{
	local $SIG{TERM} = 'DEFAULT';	# not the parent's, which stops the cluster
	close $listener->accept while 1;
}
statuses('alta', $read);
kill 'TERM', $child;
waitpid $child, 0;
like($err, qr/ERROR:  HV00N: could not make a secure connection to server "retries"\nDETAIL:  .*\. Tried 3 times in/, 'so is a handshake that breaks');
$node->safe_psql('postgres', "ALTER SERVER retries OPTIONS (SET base_url '$url/alta/v1', SET max_retries '0')");
is(statuses('alta', $read, $for_ever), '503', 'max_retries 0: once');
unlike($err, qr/Tried/, 'and nothing is said of tries');

# Backoff: by chance, up to a bound that doubles; max_wait bounds it too.
$node->safe_psql('postgres', "ALTER SERVER retries OPTIONS (SET max_retries '4')");
statuses('alta', $read, 'kind=status&arg=500&times=4');
my @gaps = gaps();
my $slack = 1000;
note "backoff: @gaps ms";
is(scalar(grep { $gaps[$_] > 500 * 2**$_ + $slack } 0 .. $#gaps), 0, 'backoff is up to 500 ms, doubled with each try');
$node->safe_psql('postgres', "ALTER SERVER retries OPTIONS (SET max_retries '12', SET max_wait '50ms')");
is(statuses('alta', $read, 'kind=status&arg=500&times=0'), join(' ', (500) x 13), 'many tries');
@gaps = gaps();
note "backoff within 50 ms: @gaps";
is(scalar(grep { $_ > 50 + $slack } @gaps), 0, 'and no longer than max_wait');
my %different = map { $_ => 1 } @gaps;
cmp_ok(scalar(keys %different), '>', 3, 'and by chance');

# Retry-After: seconds, or a date in any of HTTP's three forms.
$node->safe_psql('postgres', "ALTER SERVER retries OPTIONS (SET max_retries '5', SET max_wait '20s')");
for my $status (408, 429, 500, 502, 503, 504)
{
	is(statuses('alta', $read, "kind=status&arg=$status&retry_after=1"), "$status 200", "Retry-After with $status");
	@gaps = gaps();
	cmp_ok($gaps[0], '>=', 995, 'is obeyed');
}
for my $form ('%a, %d %b %Y %H:%M:%S GMT', '%A, %d-%b-%y %H:%M:%S GMT', '%a %b %e %H:%M:%S %Y')
{
	my $date = strftime($form, gmtime(time + 3));

	$date =~ s/([ ,:])/sprintf '%%%02X', ord $1/ge;
	is(statuses('alta', $read, "kind=status&arg=503&retry_after=$date"), '503 200', "Retry-After: $form");
	@gaps = gaps();
	cmp_ok($gaps[0], '>=', 1000, 'is obeyed');
}
my $past = 'Sun,%2006%20Nov%201994%2008:49:37%20GMT';
is(statuses('alta', $read, "kind=status&arg=503&times=5&retry_after=$past"), '503 503 503 503 503 200', 'a date in the past');
my $sum = 0;
$sum += $_ for gaps();
cmp_ok($sum, '<', 2000, 'means now');
is(statuses('alta', $read, 'kind=status&arg=503&retry_after=soon'), '503 200', 'what is no date and no number is not obeyed');

# What asks for longer than max_wait is an error at once.  (Others would be kept
# from sending by that: see 013_request_pacing.pl.  A new user mapping is not.)
my $new_mapping = "DROP USER MAPPING FOR CURRENT_USER SERVER retries;
	CREATE USER MAPPING FOR CURRENT_USER SERVER retries OPTIONS (token 'sandbox-retries')";
is(statuses('alta', $read, 'kind=status&arg=429&retry_after=21'), '429', 'a Retry-After over max_wait is not sat out');
like($err, qr/ERROR:  53400: .*\nDETAIL:  It asks to wait for 21 s, and max_wait is 20 s\. HTTP status 429/, 'but an error');
$node->safe_psql('postgres', $new_mapping);
is(statuses('alta', $read, 'kind=status&arg=503&retry_after=99999999999999999999'), '503', 'however long it is');
like($err, qr/ERROR:  HV00M: .*\nDETAIL:  It asks to wait for 1000000000 s, and max_wait is 20 s\. HTTP status 503/, 'of a 503 too');
$node->safe_psql('postgres', $new_mapping);

# A 429 without Retry-After: RateLimit-Reset counts in its place.
my $http = HTTP::Tiny->new(default_headers => { Authorization => 'Bearer sandbox-retries' });
for my $headers ('ratelimit', 'retry_after', 'none')
{
	$dnc->control('PUT', "alta/retries/config?rate_limit=1&rate_window_ms=2000&rate_headers=$headers");
	$http->get("$url/alta/v1/dnc/communication-opt-outs");
	like(statuses('alta', $read), $headers eq 'none' ? qr/^(429 )+200$/ : qr/^429 200$/, "a 429 with headers: $headers");
	sleep 2;
}
$dnc->control('PUT', 'alta/retries/config?rate_limit=1&rate_window_ms=60000&rate_headers=ratelimit');
$http->get("$url/alta/v1/dnc/communication-opt-outs");
is(statuses('alta', $read), '429', 'one that is over max_wait is not sat out');
like($err, qr/ERROR:  53400: .*\nDETAIL:  It asks to wait for \d+ s, and max_wait is 20 s\. HTTP status 429/, 'but an error');
$node->safe_psql('postgres', $new_mapping);
$dnc->control('PUT', 'alta/retries/config?rate_limit=0');

# Writes are tried again where a repetition is harmless.
my $add = "INSERT INTO retries.communication_opt_outs (identifier, identifier_type) VALUES ('a\@example.com', 'email')";
my $delete = "DELETE FROM retries.communication_opt_outs WHERE identifier = 'a\@example.com'";
is(statuses('alta', $add, 'kind=lost&method=POST', 'kind=stall&method=POST', 'kind=status&arg=503&method=POST'),
	'- - 503 200', 'alta: an addition is tried again');
is($dnc->control('GET', 'alta/retries/count') + 0, 4, 'and is listed once');
is(statuses('alta', $delete, 'kind=lost&method=DELETE'), '200 - 404', 'a removal that was taken without our knowing is done');
is($err, '', 'and no error');
is($dnc->control('GET', 'alta/retries/count') + 0, 3, 'and it is gone');

$add = "INSERT INTO sendkit.communication_opt_outs (identifier, identifier_type) VALUES ('a\@example.com', 'email')";
like(statuses('sendkit', $add, 'kind=lost&method=POST', 'kind=status&arg=500&method=POST'), qr/^- 500 200$/, 'sendkit: an addition is tried again');
is($dnc->control('GET', 'sendkit/retries/count') + 0, 1, 'and is listed once');

$add = "INSERT INTO weya.communication_opt_outs (identifier, batch_id, request_uuid) VALUES ('+15559', 'b', 'r')";
for my $fault ('lost', 'close', 'stall', 'status&arg=500', 'status&arg=503')
{
	my $statuses = statuses('weya', $add, "kind=$fault&method=POST");

	like($statuses, qr/^\S+$/, "weya: an addition is not repeated after $fault");
	like($err, qr/DETAIL:  .*Server "weya" had taken 0 of 1 additions\. Whether the last request, with 1 of them, was taken is not known\./,
		'and the error says what is not known');
	$dnc->control('DELETE', 'weya/retries');
}
is(statuses('weya', $add, 'kind=status&arg=429&method=POST', 'kind=status&arg=408&method=POST'), '429 408 200',
	'but where it surely was not taken');
is($err, '', 'without an error');

$dnc->stop;
done_testing();
