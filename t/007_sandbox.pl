# The sandbox plays Alta as documented: what is refused, paging, rate limit and
# search; a narrow line and compression; and the faults that the other tests order are what they are called.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use HTTP::Tiny;
use IO::Socket::INET;
use IO::Uncompress::Gunzip qw(gunzip);
use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep time);

my $dnc = DncTest->sandbox;
my $path = '/dnc/communication-opt-outs';
my $account;

# A request to the API, as the account at hand unless the headers say otherwise.
sub api
{
	my ($method, $target, $body, %headers) = @_;

	%headers = (Authorization => "Bearer sandbox-$account", 'Content-Type' => 'application/json', %headers);
	delete @headers{ grep { !defined $headers{$_} } keys %headers };
	return HTTP::Tiny->new(timeout => 4, max_redirect => 0)->request($method, $dnc->url . "/alta/v1$target",
		{ headers => \%headers, content => ref $body ? encode_json($body) : $body // '' });
}

# The identifiers of a list read page by page; after the first page, whatever
# is handed in is done.
sub read_list
{
	my ($query, $meanwhile) = @_;
	my ($next, @identifiers);

	do
	{
		my $page = decode_json(api('GET', "$path?$query" . ($next ? "&cursor=$next" : ''))->{content});
		push @identifiers, map { $_->{identifier} } @{ $page->{data} };
		$meanwhile->() if $meanwhile && !$next;
		$next = $page->{hasMore} ? $page->{next} : undef;
	} while ($next);
	return @identifiers;
}

sub page { return decode_json(api('GET', "$path?$_[0]")->{content}) }
sub listed { return map { $_->{identifier} } @{ decode_json($dnc->control('GET', "alta/$account/entries")) } }
sub config { return $dnc->control('PUT', "alta/$account/config?$_[0]") }
sub fault { return $dnc->control('POST', "alta/$account/fault?$_[0]", $_[1]) }

# What the vendor's documents do not allow is refused, in the vendor's form.
$account = 'strict';
$dnc->control('POST', "alta/$account/fill?count=20&types=email");
my $cursor = page('limit=5&identifierType=email')->{next};
my $one = { identifier => 'a@example.com', identifierType => 'email' };
for my $case (
	(map { [ "limit $_", 400, 'GET', "$path?limit=$_" ] } 0, 101, 'x'),
	[ 'an unknown parameter', 400, 'GET', "$path?page=1" ],
	[ 'an unknown type', 400, 'GET', "$path?identifierType=fax" ],
	[ 'a search that is not UTF-8', 400, 'GET', "$path?search=%FF" ],
	[ 'a cursor of nobody', 400, 'GET', "$path?limit=5&cursor=eyJ2IjoxfQ" ],
	[ 'a cursor without its filter', 400, 'GET', "$path?limit=5&cursor=$cursor" ],
	[ 'a cursor with another filter', 400, 'GET', "$path?limit=5&identifierType=sms&cursor=$cursor" ],
	[ 'a cursor with another limit', 400, 'GET', "$path?limit=6&identifierType=email&cursor=$cursor" ],
	[ '501 identifiers', 400, 'POST', $path, { identifiers => [ ($one) x 501 ] } ],
	[ 'an empty identifier', 400, 'POST', $path, { identifiers => [ $one, { %$one, identifier => '' } ] } ],
	[ 'an unknown member', 400, 'POST', $path, { identifiers => [$one], dryRun => \1 } ],
	[ 'an unknown member of an identifier', 400, 'POST', $path, { identifiers => [ { %$one, label => 'x' } ] } ],
	[ 'another content type', 400, 'POST', $path, { identifiers => [$one] }, 'Content-Type' => 'text/plain' ],
	[ 'a body that is no JSON', 400, 'POST', $path, '{"identifiers":[' ],
	[ 'two entries in a deletion', 400, 'DELETE', $path, [ $one, $one ] ],
	[ 'a deletion of what is not listed', 404, 'DELETE', $path, $one ],
	(map { [ $_ ? 'a wrong token' : 'no token', 401, 'GET', $path, undef, Authorization => $_ ] } undef, 'Bearer strict'),
	[ 'another path', 404, 'GET', "$path/1" ],
	[ 'another method', 405, 'PUT', $path, $one ])
{
	my ($name, $status, @request) = @$case;
	my $answer = api(@request);

	like("$answer->{status} $answer->{content}", qr/^$status {"error":"\w+","message":".+"}$/, "refused: $name");
}
is(scalar(listed()), 20, 'nothing of what was refused was done');
is(api('GET', "$path?limit=5&identifierType=email&cursor=$cursor")->{status}, 200, 'the cursor itself is good');
api('POST', $path, { identifiers => [ map { { %$one, identifier => "$_\@example.com" } } 1 .. 500 ] });
is(scalar(listed()), 520, '500 identifiers are taken');
unlike($dnc->control('GET', 'alta/strict/log?bodies=1'), qr/sandbox-strict|Bearer/, 'the log holds no token');

# Pages to the end are the list; but page numbers are no places on it.
for my $cursors ('page', 'keyset')
{
	$account = "paging_$cursors";
	$dnc->control('POST', "alta/$account/fill?count=95");
	config("cursors=$cursors");
	my @before = listed();
	is_deeply([ read_list('limit=47') ], \@before, "$cursors cursors: the pages are the list");
	is_deeply([ read_list('limit=4&identifierType=email') ], [ grep { /\@/ } @before ],
		"$cursors cursors: the pages of a type are the entries of that type");
	my $remove_some = sub { api('DELETE', $path, { %$one, identifier => $_ }) for (grep { /\@/ } @before)[ 0 .. 4 ] };
	is_deeply([ read_list('limit=50', $remove_some) ],
		[ $cursors eq 'page' ? @before[ 0 .. 49, 55 .. 94 ] : @before ],
		"$cursors cursors: removed in front, " . ($cursors eq 'page' ? 'as many are missed' : 'none is missed'));
}

# Vendors differ: cursors for one use, pages that do not lead back, a filter that is not exact,
# a clock that is off, entries in no order, a limit that is refused.
$account = 'kinds';
$dnc->control('POST', "alta/$account/fill?count=20");
my $next = sub { return decode_json(api('GET', "$path?limit=5" . ($_[0] ? "&cursor=$_[0]" : ''))->{content}) };
my $second = $next->()->{next};
is($next->($second)->{previous} && $next->($second)->{next}, $next->($second)->{next}, 'a cursor can be used again');
config('cursor_use=once&previous=none');
ok(!exists $next->($second)->{previous}, 'no cursor leads back');
like($next->($second)->{message}, qr/used before/, 'a cursor for one use');
is(scalar(() = read_list('limit=5')), 20, 'which is enough to read the list');
config('type_filter=loose');
is(join(' ', map { $_->{identifierType} } @{ decode_json(api('GET', "$path?limit=5&identifierType=phone")->{content})->{data} }),
	'phone sms phone sms phone', 'a loose filter lets the next type through');
config('clock_offset=-7200');
my $date = api('GET', $path)->{headers}{date};
cmp_ok(abs(HTTP::Tiny->new->_parse_http_date($date) - time + 7200), '<', 60, 'a clock that is off');
$dnc->control('DELETE', "alta/$account");
config('order=random');
$dnc->control('POST', "alta/$account/fill?count=20&types=email");
my @random = listed();
isnt("@random", join(' ', sort @random), 'entries in no order');
isnt("@random", join(' ', reverse sort @random), 'nor backwards');
$dnc->control('PUT', 'weya/kinds/config?max_limit=10&over_limit=refuse');
is(join(' ', map { HTTP::Tiny->new->get($dnc->url . "/weya/api/dnc/list?limit=$_", { headers => { Authorization => 'Bearer sandbox-kinds' } })->{status} }
		10, 11),
	'200 400', 'a limit that is refused');

# The rate limit is the account's, whatever the token.
$account = 'limited';
config('rate_limit=3&rate_window_ms=3000');
my @answers = map { api('GET', $path, undef, Authorization => "Bearer sandbox-limited-$_") } 1 .. 4;
is(join(' ', map { "$_->{status}:$_->{headers}{'ratelimit-remaining'}" } @answers), '200:2 200:1 200:0 429:0',
	'headers count down, and one request too many is refused');
like($answers[3]{headers}{'retry-after'}, qr/^[123]$/, 'the refusal says when to come again');
sleep $answers[3]{headers}{'retry-after'};
is(api('GET', $path)->{status}, 200, 'who comes again then is served');

# A body is compressed for who takes that, and its bytes take their time.
$account = 'line';
$dnc->control('POST', "alta/$account/fill?count=50");
my $plain = api('GET', $path)->{content};
my $compressed = '';
config('compress=1');
for my $case ([ 'gzip', 1 ], [ 'deflate, gzip;q=0.5', 1 ], [ 'deflate, gzip;q=0', 0 ], [ 'gzipped', 0 ], [ undef, 0 ])
{
	my $answer = api('GET', $path, undef, 'Accept-Encoding' => $case->[0]);
	my $content = $answer->{content};

	gunzip(\$answer->{content}, \$content) if $case->[1];
	$compressed = $answer->{content} if $case->[1];
	is(($answer->{headers}{'content-encoding'} // 'plain') . " $content", ($case->[1] ? 'gzip' : 'plain') . " $plain",
		'Accept-Encoding ' . ($case->[0] // 'not given'));
}
cmp_ok(length $compressed, '<', length($plain) / 3, 'what is compressed is smaller');
config('bandwidth=' . 10 * length $compressed);
for my $case ([ 'gzip', 0.2 ], [ undef, 0.2 * length($plain) / length $compressed ])
{
	my $start = time;

	api('GET', $path, undef, 'Accept-Encoding' => $case->[0]) for 1 .. 2;
	cmp_ok(time - $start, '>=', $case->[1], 'two answers do not come faster than the line lets them');
}

# What search matches is not documented, so there is a setting.
$account = 'faults';
$dnc->control('POST', "alta/$account/fill?count=30&types=email");
for my $case ([ 'exact', 'person000012@example.com', 1 ], [ 'exact', 'Person000012@example.com', 0 ],
	[ 'prefix', 'person00001', 10 ], [ 'prefix', 'erson00001', 0 ], [ 'substring', '2@ex', 3 ])
{
	config("search=$case->[0]");
	is(scalar(read_list("limit=2&search=$case->[1]")), $case->[2], "search=$case->[0] with $case->[1]");
}

# Faults: what comes, and whether the work was done.  For ever, because the
# client tries an idempotent request again by itself.
my $first = page('limit=10');
for my $case (
	[ 'status&arg=503', qr/^503 .*"ServiceUnavailable"/ ], [ 'body&arg=403', qr/^403 \{"ordered":true\}$/ ],
	[ 'cut', qr/^599 Unexpected end/ ], [ 'close', qr/^599 / ], [ 'stall', qr/^599 Timed out/ ],
	[ 'garbage', qr/^200 [^{]/ ], [ 'truncated', qr/^200 \{"data":\[.*[^}]$/ ],
	[ 'no_next', qr/^200 .*"hasMore":true}$/ ], [ 'empty_page', qr/^200 \{"data":\[\],"hasMore":true,"next":"$first->{next}"/ ])
{
	fault("kind=$case->[0]&times=0", $case->[0] =~ /^body/ ? '{"ordered":true}' : '');
	my $answer = api('GET', "$path?limit=10");
	like("$answer->{status} $answer->{content}", $case->[1], "fault $case->[0]");
	$dnc->control('DELETE', "alta/$account/fault");
}
fault('kind=status&arg=500&method=POST&at=2');
fault('kind=lost&method=POST&at=3');
is(join(' ', map { api('POST', $path, { identifiers => [ { %$one, identifier => $_ } ] })->{status} } 'a' .. 'c'),
	'200 500 599', 'faults strike the requests they were ordered for');
is(join(' ', (listed())[ 30 .. 31 ]), 'a c', 'an answer that is lost leaves its work done');

# Answers to writes that must not be believed: nothing is added or removed, whatever they say.
$account = 'writes';
$dnc->control('POST', "alta/$account/fill?count=5&types=email");
my @all = listed();
for my $case (
	[ 'body', '{"success":false}', qr/^200 application\/json \{"success":false\}$/ ],
	[ 'body', '{"error":"nope"}', qr/^200 application\/json \{"error":"nope"\}$/ ],
	[ 'body', '', qr/^200 application\/json $/ ],
	[ 'body&arg=202', '{"success":true}', qr/^202 application\/json \{"success":true\}$/ ],
	[ 'html', '', qr/^200 text\/html; charset=utf-8 <!DOCTYPE html>/ ],
	[ 'html&arg=404', '', qr/^404 text\/html; charset=utf-8 <!DOCTYPE html>/ ])
{
	my ($kind, $body, $expected) = @$case;

	for my $write ([ 'POST', { identifiers => [$one] } ], [ 'DELETE', { %$one, identifier => $all[0] } ])
	{
		my ($method, $content) = @$write;

		fault("kind=$kind&method=$method", $body);
		is(page('limit=1')->{data}[0]{identifier}, $all[0], "$kind for $method: not for GET");
		my $answer = api($method, $path, $content);
		like("$answer->{status} $answer->{headers}{'content-type'} $answer->{content}", $expected, "$kind to $method");
		is_deeply([ listed() ], \@all, "$kind to $method '$body': the list is as before");
	}
}

# A deletion whose answer is lost is done.  The client tries it again by itself, and finds nothing.
fault('kind=lost&method=DELETE&at=2');
$dnc->control('DELETE', "alta/$account/log");
is(join(' ', map { api('DELETE', $path, { %$one, identifier => $_ })->{status} } @all[ 0 .. 2 ]), '200 404 200',
	'the answer to the second deletion is lost, the others come');
is($dnc->control('GET', "alta/$account/log") =~ s/^DELETE \S+ //gmr,
	"200 entries=1\n- entries=1\n404 entries=0\n200 entries=1\n", 'each try is in the log');
is_deeply([ listed() ], [ @all[ 3, 4 ] ], 'all three are done');

# With latency, somebody else adds the entry again before the client knows that the answer is lost.
config('latency_ms=500');
fault('kind=lost&method=DELETE');
my $host = $dnc->url =~ s{^http://}{}r;
my $body = encode_json({ %$one, identifier => $all[3] });
my $id = decode_json($dnc->control('GET', "alta/$account/entries"))->[0]{id};
my $socket = IO::Socket::INET->new(PeerAddr => $host) or die "could not connect to $host: $!";
print $socket "DELETE /alta/v1$path HTTP/1.1\r\nHost: $host\r\nAuthorization: Bearer sandbox-$account\r\n",
	"Content-Type: application/json\r\nContent-Length: ", length $body, "\r\n\r\n$body";
$socket->flush;
1 until $dnc->control('GET', "alta/$account/count") == 1;
api('POST', $path, { identifiers => [ { %$one, identifier => $all[3] } ] });
is(join('', <$socket>), '', 'the connection is closed without an answer');
is_deeply([ listed() ], [ @all[ 4, 3 ] ], 'meanwhile the entry was added again');
isnt(decode_json($dnc->control('GET', "alta/$account/entries"))->[1]{id}, $id, 'under another id');
config('latency_ms=0');

# SendKit counts an entry as skipped that is not listed; a second try adds it.
sub import_emails
{
	return HTTP::Tiny->new->post($dnc->url . '/sendkit/v1/dnc/import',
		{ headers => { 'X-Api-Key' => 'sk_skips', 'Content-Type' => 'application/json' },
			content => encode_json({ entries => [ map { { email => $_, type => 'email' } } @_ ] }) })->{content};
}
$dnc->control('POST', 'sendkit/skips/fault?kind=skip&at=2');
is(import_emails('a@example.com'), '{"success":true,"data":{"imported":1,"skipped":0}}', 'skip waits for its turn');
is(import_emails(map { "$_\@example.com" } 'a' .. 'c'), '{"success":true,"data":{"imported":1,"skipped":2}}',
	'one is listed, one is skipped although it is not, one is added');
is($dnc->control('GET', 'sendkit/skips/count'), "2\n", 'what was skipped is not listed');
is(import_emails('b@example.com'), '{"success":true,"data":{"imported":1,"skipped":0}}', 'the fault is over');
for my $provider ('alta', 'weya')
{
	ok(!eval { $dnc->control('POST', "$provider/skips/fault?kind=skip") }, "$provider does not count what it skips");
	like($@, qr/ 400 no such kind; one of status, .* empty_page$/m, 'and the message names the other kinds');
}

# Weya: of four additions one gets 500, three are refused with status 200.
$dnc->control('POST', "weya/writes/fault?kind=$_&method=POST") for 'status&arg=500', 'not_success&times=3';
my @taken = map {
	HTTP::Tiny->new->post($dnc->url . '/weya/api/dnc/add',
		{ headers => { Authorization => 'Bearer sandbox-writes', 'Content-Type' => 'application/json' },
			content => encode_json({ phoneNumber => "1555000000$_", batchId => 'b', requestUUID => 'u' }) })
} 1 .. 5;
is(join(' ', map { $_->{status} . (decode_json($_->{content})->{status} ? ':true' : ':false') } @taken),
	'500:false 200:false 200:false 200:false 200:true', 'status and body of five additions');
is($dnc->control('GET', 'weya/writes/count'), "1\n", 'only the last was taken');
$account = 'faults';

# With a chance: as often as that, and with the same seed the same ones.
sub struck
{
	config("fault_seed=$_[0]");
	fault('kind=status&arg=503&times=0&chance=200');
	my $statuses = join '', map { api('GET', "$path?limit=1")->{status} == 503 ? 'x' : '.' } 1 .. 200;
	$dnc->control('DELETE', "alta/$account/fault");
	return $statuses;
}
my $once = struck(7);
cmp_ok(abs(($once =~ tr/x//) - 40), '<', 20, 'a chance of 200 in 1,000 strikes about 40 of 200 requests');
is(struck(7), $once, 'the same ones with the same seed');
isnt(struck(8), $once, 'others with another');
like($dnc->control('GET', "alta/$account/stats"), qr/^fault_status \d\d\d$/m, 'and they are counted');
$dnc->control('DELETE', "alta/$account");
is(page('search=x')->{hasMore} . ' ' . $dnc->control('GET', "alta/$account/log"),
	"0 GET $path?search=x 200 entries=0\n", 'reset: an empty list and an empty log');

$dnc->stop_sandbox;
done_testing();
