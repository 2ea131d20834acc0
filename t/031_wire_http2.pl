# HTTP/2, spoken by nginx in front of the sandbox: requests side by side share one
# connection, which is kept for the session.  Without it they have as many as there
# may be requests at once, kept likewise.  What the server, or the proxy, does to a
# connection or a request on it costs no row.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncPsql;
use DncTest;
use DncVendors;
use IO::Socket::INET;
use List::Util qw(uniq);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my ($nginx) = grep { -x } map { "$_/nginx" } split(/:/, $ENV{PATH}), '/usr/sbin', '/usr/local/sbin';
plan skip_all => 'there is no nginx' unless $nginx;

my $dnc = DncTest->new;
my $node = $dnc->node;
my $dir = PostgreSQL::Test::Utils::tempdir;

# ----- nginx -----

# How a server block asks for HTTP/2: since 1.25.1 with a directive of its own.
my ($major, $minor) = `$nginx -v 2>&1` =~ /nginx\/(\d+)\.(\d+)/ or die "no version of $nginx";
my ($with_http2, $http2_on) = $major > 1 || $minor > 25 ? ('', 'http2 on;') : (' http2', '');

# What is played, each on a port of its own: with HTTP/2 or not, and what else is set.
my %plays = (
	h2 => [ 1, '' ],
	h1 => [ 0, '' ],
	h2_few => [ 1, 'keepalive_requests 5; http2_max_concurrent_streams 3;' ],
	h1_few => [ 0, 'keepalive_requests 5;' ],
	h2_hasty => [ 1, 'keepalive_timeout 1ms;' ],
	h1_hasty => [ 0, 'keepalive_timeout 1ms;' ],
	h2_gzip => [ 1, 'gzip on; gzip_proxied any; gzip_types application/json;' ],
	h1_gzip => [ 0, 'gzip on; gzip_proxied any; gzip_types application/json;' ],
	h2_late => [ 1, 'proxy_read_timeout 500ms;' ]);
my %ports = map { $_ => PostgreSQL::Test::Cluster::get_free_port() } sort keys %plays;

# The configuration of a play, as nginx takes it.
sub server_block
{
	my ($name) = @_;
	my ($http2, $more) = @{ $plays{$name} };
	my ($with, $on) = $http2 ? ($with_http2, $http2_on) : ('', '');

	return "server { listen 127.0.0.1:$ports{$name} ssl$with; $on $more location / { proxy_pass @{[$dnc->url]}; } }\n";
}

system_or_bail('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', 3, '-subj', '/CN=nginx',
	'-addext', 'subjectAltName = IP:127.0.0.1', '-keyout', "$dir/nginx.key", '-out', "$dir/nginx.crt");
append_to_file("$dir/nginx.conf", <<"END" . join('', map { server_block($_) } sort keys %plays) . "}\n");
daemon off;
worker_processes 1;
pid $dir/nginx.pid;
error_log $dir/error.log info;
events { worker_connections 256; }
http {
	log_format test '\$server_port \$server_protocol \$connection \$status \$sent_http_content_encoding';
	access_log $dir/access.log test;
	client_body_temp_path $dir/body;
	proxy_temp_path $dir/proxy;
	fastcgi_temp_path $dir/fastcgi;
	uwsgi_temp_path $dir/uwsgi;
	scgi_temp_path $dir/scgi;
	proxy_http_version 1.1;
	lingering_timeout 100ms;
	ssl_certificate $dir/nginx.crt;
	ssl_certificate_key $dir/nginx.key;
END

# nginx ends when its guard's standard input does: with us, however we end.
my $guard_stdin = IO::Handle->new;
my $guard = IPC::Run::start(
	[ 'sh', '-c', '"$@" & child=$!; read -r end; kill "$child"; wait "$child"', 'sh',
		$nginx, '-p', $dir, '-e', "$dir/error.log", '-c', "$dir/nginx.conf" ],
	'<pipe', $guard_stdin, '>>', "$dir/output.log", '2>&1');
$dnc->poll(sub { !grep { !IO::Socket::INET->new(PeerAddr => "127.0.0.1:$_") } values %ports });

# The process that serves connections: the last one that was started.
sub worker
{
	my @started = slurp_file("$dir/error.log") =~ /start worker process (\d+)/g;

	return $started[-1];
}

# A new one takes over.  The old one, which is returned, closes connections that are
# idle, with HTTP/2 after a GOAWAY, and ends when the last request is answered.
sub hand_over
{
	my $before = worker();

	kill HUP => slurp_file("$dir/nginx.pid");
	$dnc->poll(sub { worker() != $before });
	return $before;
}

# What nginx has logged of a play since this was asked last, a hash a request, when
# there are so many.  A request is logged when all of its answer is sent.
my %seen;

sub logged
{
	my ($name, $count) = @_;
	my @lines;

	$dnc->poll(sub {
		@lines = grep { /^$ports{$name} / } split /\n/, slurp_file("$dir/access.log");
		@lines >= ($seen{$name} // 0) + $count;
	});
	my @new = @lines[ $seen{$name} // 0 .. $#lines ];
	$seen{$name} = @lines;
	return map { my %entry; @entry{qw(port protocol connection status encoding)} = split ' '; \%entry } @new;
}

# The distinct values of a field, in the order in which they were first seen.
sub values_of
{
	my ($field, @entries) = @_;

	return uniq(map { $_->{$field} } @entries);
}

# ----- lists -----

my $entries = 600;
my $page_size = 50;
my $pages = $entries / $page_size;

# Of each API an account with a list of that length; an answer takes a moment, so
# that requests overlap.
sub fill
{
	for my $account ('alta/list', 'weya/list')
	{
		$dnc->control('DELETE', $account);
		$dnc->control('POST', "$account/fill?count=$entries");
		$dnc->control('PUT', "$account/config?latency_ms=50");
	}
	return;
}

fill();
my %urls = (direct => $dnc->url, map { $_ => "https://127.0.0.1:$ports{$_}" } keys %plays);
for my $name (sort keys %urls)
{
	for my $vendor ('alta', 'weya')
	{
		my $more = $DncVendors::vendors{$vendor}{numbers} ? ", scan_check 'total'" : '';    # pages that do not overlap

		$node->safe_psql('postgres', DncVendors::server("${vendor}_$name", $vendor, $urls{$name}, 'list',
			"ca_file '$dir/nginx.crt', page_size '$page_size', requests_per_minute '0', max_concurrency '4'$more") . qq{
			CREATE SCHEMA ${vendor}_$name; IMPORT FOREIGN SCHEMA dnc FROM SERVER ${vendor}_$name INTO ${vendor}_$name;
			ALTER FOREIGN TABLE ${vendor}_$name.communication_opt_outs RENAME TO list;
		});
	}
}

local @ENV{qw(PGHOST PGPORT)} = ($node->host, $node->port);
my $psql = DncPsql->new;

# The rows of a statement, or its error.
sub shows
{
	my $answer = $psql->query($_[0]);

	return defined $answer->{message} ? "$answer->{sqlstate} $answer->{message} $answer->{detail}" : join "\n", @{ $answer->{rows} };
}

# A list as its length and all that is in it; some of it.
sub whole { return "SELECT count(id), md5(string_agg(list::text, ',' ORDER BY id)) FROM $_[0].list" }
my $some = q{SELECT string_agg(identifier, ' ' ORDER BY identifier) FROM %s.list WHERE identifier IN (}
  . join(', ', map { sprintf "'1555%07d'", $_ * 7 } 1 .. 12) . ')';
my $found = join ' ', map { sprintf '1555%07d', $_ * 7 } 1 .. 12;

# The most requests that the sandbox had at once since the list was filled.
sub at_once { return $dnc->control('GET', 'weya/list/stats') =~ /^in_flight_max (\d+)/m ? $1 : die 'no in_flight_max' }

# How many requests for pages the sandbox has got since this was asked last.
sub asked
{
	my @requests = $dnc->control('GET', 'weya/list/log') =~ /^GET/mg;

	$dnc->control('DELETE', 'weya/list/log');
	return scalar @requests;
}

# ----- one connection, or as many as there are requests at once -----

my $all = shows(whole('weya_direct'));
like($all, qr/^$entries\|/, 'the list, without nginx');
fill();

# Two servers at one address: their first requests wait for the same connection.
my $both = 'SELECT count(id) FROM (SELECT id::text FROM alta_h2.list UNION ALL SELECT id FROM weya_h2.list) l';
is(shows($both), 2 * $entries, 'two lists at once over HTTP/2');
my @scan = logged('h2', 2 * $pages);
is(scalar(@scan), 2 * $pages, 'a request for each page');
is(join(' ', values_of('protocol', @scan)), 'HTTP/2.0', 'it is HTTP/2');
my @connections = values_of('connection', @scan);
is(scalar(@connections), 1, 'all over one connection');
cmp_ok(at_once(), '>', 1, 'several at once');
cmp_ok(at_once(), '<=', 4, 'no more than max_concurrency');

is(shows(sprintf $some, 'weya_h2'), $found, 'an IN list over HTTP/2');
my @lookups = logged('h2', 12);
is(scalar(@lookups), 12, 'a request for each value');
is(join(' ', values_of('connection', @lookups)), "@connections", 'over the connection that was kept');
is(shows(whole('weya_h2')), $all, 'a list over HTTP/2');
is(join(' ', values_of('connection', logged('h2', $pages))), "@connections", 'over the same');

is(shows('BEGIN; DECLARE c CURSOR FOR SELECT id FROM weya_h2.list; MOVE 60 FROM c; COMMIT'), '', 'a scan that ends early');
$dnc->control('PUT', 'weya/list/config?latency_ms=60000');
like(shows("SET statement_timeout = '300ms'; " . whole('weya_h2')), qr/^57014 /, 'one that is cancelled');
$dnc->control('PUT', 'weya/list/config?latency_ms=50');
shows('RESET statement_timeout');
is(shows(whole('weya_h2')), $all, 'the list afterwards');
is(join(' ', values_of('connection', logged('h2', $pages))), "@connections", 'all over the same connection');

fill();
is(shows(whole('weya_h1')), $all, 'the same list over HTTP/1.1');
@scan = logged('h1', $pages);
is(join(' ', values_of('protocol', @scan)), 'HTTP/1.1', 'it is HTTP/1.1');
cmp_ok(at_once(), '>', 1, 'several at once');
@connections = values_of('connection', @scan);
cmp_ok(scalar(@connections), '>', 1, 'over several connections');
is(shows(sprintf $some, 'weya_h1'), $found, 'the same IN list over HTTP/1.1');
@lookups = logged('h1', 12);
cmp_ok(scalar(uniq(@connections, values_of('connection', @lookups))), '<=', 4, 'over those that were kept: no more than max_concurrency');

# ----- connections that the server closes -----

for my $name ('h2', 'h1')
{
	my $old = hand_over();

	$dnc->poll(sub { !-e "/proc/$old" });
	is(shows(whole("weya_$name")), $all, "$name: after the server has closed the connection");
	my @rows = split /\n/, shows("BEGIN; DECLARE c CURSOR FOR SELECT id FROM weya_$name.list; FETCH 60 FROM c");
	hand_over();
	push @rows, split /\n/, shows('FETCH ALL FROM c');
	is(scalar(uniq(@rows)), $entries, "$name: the server closes it in the midst of a scan");
	shows('COMMIT');
}

for my $name (sort grep { /few|hasty/ } keys %plays)
{
	fill();
	is(join(' ', uniq(map { shows(whole("weya_$name")) } 1 .. 3)), $all, "$name: a list, three times");
	is(shows(sprintf $some, "weya_$name"), $found, "$name: an IN list");
	cmp_ok(scalar(values_of('connection', logged($name, 3 * $pages + 12))), '>', 1, "$name: it takes several connections");
	is(shows("DELETE FROM alta_$name.list WHERE identifier_type = 'email'"), '', "$name: deletions");
	is($dnc->control('GET', 'alta/list/count'), $entries * 5 / 6 . "\n", "$name: all are gone, and no other");
	# Who is hasty may close a connection that is just made; what must not be sent twice
	# is an error then.
	next if $name =~ /hasty/;
	is(shows("INSERT INTO weya_$name.list (identifier, batch_id, request_uuid) SELECT '1666000000' || n, 'b', 'r' FROM generate_series(1, 9) n"),
		'', "$name: additions");
	is($dnc->control('GET', 'weya/list/count'), $entries + 9 . "\n", "$name: all are listed");
}

# ----- what a proxy does to answers -----

fill();
for my $name ('h2_gzip', 'h1_gzip')
{
	is(shows(whole("weya_$name")), $all, "$name: compressed by the proxy");
	my @entries = logged($name, $pages);
	is(join(' ', values_of('encoding', @entries)), 'gzip', "$name: it was");
}

# nginx says 502 where the sandbox says nothing, and breaks off where the sandbox
# does: with HTTP/2 it resets the one stream.
for my $name ('h2', 'h1')
{
	for my $fault ('close', 'cut')
	{
		asked();
		$dnc->control('POST', "weya/list/fault?kind=$fault&at=3");
		is(shows(whole("weya_$name")), $all, "$name: $fault");
		is(asked(), $pages + 1, "$name: $fault: one request was tried again");
	}
	$node->safe_psql('postgres', "ALTER SERVER weya_$name OPTIONS (max_retries '0')");
	$dnc->control('POST', 'weya/list/fault?kind=cut&at=3');
	like(shows(whole("weya_$name")), qr/^08P01 server "weya_$name" cut its answer off/, "$name: an answer that breaks off");
}
$dnc->control('POST', 'weya/list/fault?kind=stall&at=3');
is(shows(whole('weya_h2_late')), $all, 'an answer that the proxy waits for in vain');
ok((grep { $_->{status} == 504 } logged('h2_late', $pages + 1)), 'it said 504');

$dnc->stop_sandbox;
$node->safe_psql('postgres', "ALTER SERVER weya_h2_few OPTIONS (max_retries '1')");
like(shows(whole('weya_h2_few')), qr/^HV00M server "weya_h2_few" failed to serve the request HTTP status 502\. Tried 2 times/, 'nobody behind the proxy');

$psql->finish;
close $guard_stdin;
$guard->finish;
$node->stop;
done_testing();
