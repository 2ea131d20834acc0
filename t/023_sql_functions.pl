# dnc_fdw_check() against servers that are down, slow, not what they should be, or
# at their limit: a row each time, in the words of a scan's error, and never an
# error; but it ends with its statement.  dnc_fdw_stats() knows what was sent.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use RawServer;
use DncTest;
use DncVendors;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my $raw = RawServer->new(
	nonsense => sub { $_[0]->say_bytes("nonsense\r\n\r\n") },
	headers  => sub { $_[0]->answer('{"data":[],"hasMore":false}', map { "X-$_: " . 'x' x 1000 } 1 .. 400) },
	cut      => sub { $_[0]->say_bytes("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{") },
	silent   => sub { $_[0]->stay(60) },
	escapes  => sub { $_[0]->answer_status('403 Forbidden', qq({"message":"sandbox-raw\\n\\u001b[2J\\u0007 no"})) });
my $dnc = DncTest->new;
my $node = $dnc->node;
my @shown;    # the lines of what statements show

# Runs statements, of which none is to fail; what they show.
sub good
{
	my ($statements) = @_;
	my ($code, $stdout, $stderr) = $node->psql('postgres', $statements);

	is($stderr, '', "no error: $statements");
	return $stdout;
}

# A server of some provider, its list with one entry, and a table of its name.
sub make_list
{
	my ($name, $provider, $base_url, $token, $options) = @_;

	$node->safe_psql('postgres', qq{
		CREATE SERVER $name FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider '$provider', base_url '$base_url',
		  max_retries '0', requests_per_minute '0', page_size '1', $options);
		CREATE USER MAPPING FOR CURRENT_USER SERVER $name OPTIONS (token '$token');
		CREATE FOREIGN TABLE $name (identifier text) SERVER $name});
	return;
}

sub check { return good("SELECT ok, http_status, latency > '0', message FROM dnc_fdw_check('$_[0]')") }

# Each fault of the sandbox: the words are those of the error that a scan gets,
# but for figures such as a time.
my %lists = map { $_->{name} => $_ } DncVendors::lists('check');
my @faults = ((map { "status&arg=$_" } 202, 206, 400, 401, 403, 404, 408, 429, 500, 502, 503, 504),
	'status&arg=429&retry_after=0', 'redirect&arg=http://127.0.0.1:1/?a=b', 'not_success', 'html', 'close', 'cut', 'stall',
	'stall_body', 'truncated', 'garbage', 'empty', 'big&arg=100000', 'slow&arg=10', 'no_next', 'no_has_more', 'wrong_type',
	'empty_page');

# The words of a scan that fails, as a check has them.
sub scan_words
{
	my ($name) = @_;
	my ($code, $stdout, $stderr) = $node->psql('postgres', "SELECT identifier FROM $name");

	return $stderr =~ /^psql:[^ ]* ERROR:  (.*)\nDETAIL:  (.*)\n/ ? "$1: $2" : $stdout . $stderr;
}

for my $name (sort keys %lists)
{
	my ($vendor, $account, $token, $config) = @{ $lists{$name} }{qw(vendor account token config)};
	my (@words, @statuses);

	make_list($name, $vendor, $dnc->url . $DncVendors::vendors{$vendor}{base}, $token, "request_timeout '300ms', max_response_size '64kB'");
	$dnc->control('POST', "$account/fill?count=1");
	$dnc->control('PUT', "$account/config?$config") if $config;
	like(check($name), qr/^t\|200\|t\|$/, "$name: a good list");
	for my $fault (@faults)
	{
		$dnc->control('POST', "$account/fault?kind=$fault&times=2");
		my ($ok, $status, $latency, $message) = split /\|/, check($name), 4;
		my $words = scan_words($name);

		# A list of one page never asks for the one behind.
		$words = '' if $words =~ /^\S+$/;
		is("$ok $latency " . $message =~ s/\d+/N/gr, ($words ? 'f' : 't') . ' t ' . $words =~ s/\d+/N/gr,
			"$name, $fault: as a scan");
		push @statuses, "$fault: $status" if $fault =~ /status&arg=(\d+)/ && $status != $1;
		$dnc->control('DELETE', "$account/fault");
	}
	is(join(', ', @statuses), '', "$name: the status that came");
	like(check($name), qr/^t\|200\|t\|$/, "$name: a good list again");
}

# What no HTTP library would say, and what is not there at all.
for my $case ([ 'nonsense', qr/^f\|\|t\|server "nonsense" broke the contract of its API: The answer is not HTTP/ ],
	[ 'headers', qr/^f\|200\|t\|server "headers" broke the contract of its API: .*its headers are too large\.$/ ],
	[ 'cut', qr/^f\|200\|t\|server "cut" cut its answer off: / ],
	[ 'silent', qr/^f\|\|t\|server "silent" did not answer: / ],
	[ 'escapes', qr/^f\|403\|t\|server "escapes" refused the token: HTTP status 403: \*+  \[2J  no\.$/ ])
{
	my ($name, $pattern) = @$case;

	make_list($name, 'alta', $raw->url($name), 'sandbox-raw', "request_timeout '300ms'");
	like(check($name), $pattern, "a server that says $name");
	is(scalar($raw->requests($name)), 1, "$name: is asked once");
}
my $down = DncTest->sandbox;
$down->stop_sandbox;
make_list('down', 'alta', $down->url . '/alta/v1', 'sandbox-down', "connect_timeout '5s'");
like(check('down'), qr/^f\|\|t\|could not connect to server "down": /, 'a server that is down');

# TLS: none, and a certificate that nobody vouches for.
my $dir = PostgreSQL::Test::Utils::tempdir();
my $output;
IPC::Run::run([ 'openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '3', '-subj', '/CN=check', '-addext',
		'subjectAltName = IP:127.0.0.1', '-keyout', "$dir/own.key", '-out', "$dir/own.crt" ], '>&', \$output)
  or die "openssl: $output";
my $tls = DncTest->sandbox('--tls', "$dir/own");
make_list('plain', 'alta', $dnc->url =~ s/http/https/r . '/alta/v1', 'sandbox-plain', "connect_timeout '5s'");
like(check('plain'), qr/^f\|\|t\|could not make a secure connection to server "plain": /, 'https where there is none');
make_list('tls', 'alta', $tls->url . '/alta/v1', 'sandbox-tls', "connect_timeout '5s'");
like(check('tls'), qr/^f\|\|t\|could not make a secure connection to server "tls": /, 'a certificate that is not trusted');
$node->safe_psql('postgres', "ALTER SERVER tls OPTIONS (ADD ca_file '$dir/own.crt')");
like(check('tls'), qr/^t\|200\|t\|$/, 'one that is');
$tls->stop_sandbox;

# The rate limit: a check counts, waits as any request, and says so where it would
# be for too long.  What it has waited is no latency.
$dnc->make_server('limited', 1, "max_wait '60s'");
$dnc->control('PUT', 'alta/limited/config?rate_limit=2&rate_window_ms=3600000');
@shown = split /\n/, good("SELECT ok FROM dnc_fdw_check('limited'); SELECT c.* FROM dnc_fdw_check('limited') c; SELECT c.* FROM dnc_fdw_check('limited') c");
like("@shown[0, 1]", qr/^t t\|200\|\|[\d:.]+\|2\|0$/, 'two are allowed, and the second tells that none is left');
like($shown[2], qr/^f\|\|rate limit of server "limited" reached: The next request may be sent in \d+ s, and max_wait is 60 s\.\|\|\|$/,
	'the third is not sent');
is(scalar(() = $dnc->take_log('limited') =~ /GET/g), 2, 'two requests arrived');
$dnc->make_server('pause', 1);
$dnc->control('POST', 'alta/pause/fault?kind=status&arg=429&retry_after=3');
like(good("SELECT (dnc_fdw_check('pause')).ok; SELECT ok, extract(epoch FROM latency) * 1000 AS ms FROM dnc_fdw_check('pause') \\gset
	SELECT :'ok', wait_ms > 1000, :ms < wait_ms, requests, retries, rate_limited FROM dnc_fdw_stats()"),
	qr/^f\nt\|t\|t\|2\|0\|1$/, 'a Retry-After is sat out by the next check');

# It ends with its statement.
$dnc->make_server('ended', 300, "page_size '100'");
$dnc->control('POST', 'alta/ended/fault?kind=stall&times=2');
my ($code, $stdout, $stderr) = $node->psql('postgres', "SET statement_timeout = '300ms'; SELECT dnc_fdw_check('ended')");
like($stderr, qr/canceling statement due to statement timeout/, 'statement_timeout ends it');
my $session = $node->background_psql('postgres', on_error_stop => 0);
my $pid = $session->query('SELECT pg_backend_pid()');
$session->query_until(qr/go/, "\\echo go\nBEGIN; SAVEPOINT s; SELECT dnc_fdw_check('ended');\n");
ok($node->poll_query_until('postgres',
		"SELECT count(*) = 1 FROM pg_stat_activity WHERE pid = $pid AND wait_event_type = 'Extension' AND wait_event = 'Extension'"),
	'pg_stat_activity shows the wait');
$node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
$session->query('ROLLBACK TO s');
like($session->{stderr}, qr/canceling statement due to user request/, 'a cancel ends it');
$session->{stderr} = '';
is($session->query("SELECT (dnc_fdw_check('ended')).ok; COMMIT"), 't', 'and the transaction can go on');
is($session->query('SELECT server, requests, rows_read, bytes_received > 0 FROM dnc_fdw_stats()'), 'ended|2|1|t',
	'both were sent; of the first nothing came');

# Beside a scan of the same server that has asked for pages ahead.
@shown = split /\n/, $session->query(q{BEGIN READ ONLY; DECLARE c CURSOR FOR SELECT identifier FROM ended.communication_opt_outs;
	MOVE 150 FROM c; SELECT (dnc_fdw_check('ended')).ok; FETCH ALL FROM c; COMMIT});
is(shift @shown, 't', 'a check in the midst of a scan');
is(scalar(@shown), 150, 'and the scan goes on');

# Of deletions that were under way when one failed, what has gone is counted.
$dnc->make_server('partly', 40, "max_concurrency '4'");
$dnc->control('POST', 'alta/partly/fault?kind=status&arg=400&at=7&method=DELETE');
$session->query('DELETE FROM partly.communication_opt_outs');
like($session->{stderr}, qr/server "partly" refused the request/, 'a deletion fails');
my $deleted = $session->query("SELECT rows_deleted FROM dnc_fdw_stats() WHERE server = 'partly'");
cmp_ok($deleted, '>=', 6, 'others were sent by then');
is($deleted + $dnc->control('GET', 'alta/partly/count'), 40, 'rows_deleted is what has gone');

# The query that docs/operations.md has for all servers, of which this test has many,
# beside one of another wrapper.
my ($query) = slurp_file("$FindBin::RealBin/../docs/operations.md") =~ /^(SELECT server, ok, .*?;)$/ms;
$node->safe_psql('postgres', 'CREATE FOREIGN DATA WRAPPER another; CREATE SERVER of_another FOREIGN DATA WRAPPER another');
my @servers = split /\n/, good($query);
is(scalar(@servers), $node->safe_psql('postgres', "SELECT count(*) - 1 FROM pg_foreign_server"), 'the query of docs/operations.md');
is(scalar(grep { /^(alta|partly|ended|sendkit_new)\|t\|200\|/ } @servers), 4, 'tells which of them are well');
$session->quit;

$dnc->stop;
done_testing();
