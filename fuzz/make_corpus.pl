# fuzz/make_corpus.pl: the lists of fuzz/corpus/, from the sandbox and from the
# vendors' documentation
#
#	make -s sandbox && scripts/with-sandbox perl fuzz/make_corpus.pl
#
# Writes each list anew: its answers as they come over the wire, each with the
# key that leads to it ("first", a cursor or a page number).

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin, "$FindBin::RealBin/../t/lib";

use DncFuzz::File;
use DncFuzz::Http;
use DncFuzz::Json;
use DncVendors;
use HTTP::Tiny;
use IO::Socket::INET;

my $url = $ENV{DNC_SANDBOX_URL} or die "DNC_SANDBOX_URL is not set\n";
my $page_size = 3;

# A request to the sandbox's control plane.
sub control
{
	my ($method, $path, $body) = @_;
	my $answer = HTTP::Tiny->new->request($method, "$url/sandbox/$path", { content => $body // '' });

	die "$method $path: $answer->{content}" unless $answer->{success};
	return;
}

# The bytes of an answer.
sub ask
{
	my ($vendor, $query) = @_;
	my $socket = IO::Socket::INET->new(PeerAddr => ($url =~ m{//(.*)})[0]) or die "cannot connect: $!";

	print $socket "GET $DncVendors::vendors{$vendor}{base}$DncVendors::vendors{$vendor}{path}?$query HTTP/1.1\r\n"
		. "Host: localhost\r\nConnection: close\r\n" . DncVendors::header($vendor, 'corpus') . "\r\n\r\n";
	local $/;
	my $bytes = <$socket>;
	$bytes =~ s/\r\n(?:Connection|Date): [^\r]*(?=\r\n)//gi;
	return $bytes;
}

sub save
{
	my ($name, $vendor, @pages) = @_;

	DncFuzz::File::write_file("$FindBin::RealBin/corpus/$name.list", [ [ vendor => $vendor ] ], \@pages);
	printf "%s: %d pages\n", $name, scalar @pages;
	return;
}

# Saves every page of the account's list, as it is now.
sub collect
{
	my ($name, $vendor) = @_;
	my ($cursors, $numbers, $asks) = @{ $DncVendors::vendors{$vendor} }{qw(cursors numbers asks)};
	my $query = "limit=$page_size" . ($cursors ? '' : "&$asks->{numbers}=1");
	my $key = 'first';
	my @pages;

	for (my $number = 2; defined $key; $number++)
	{
		push @pages, [ $key, ask($vendor, $query) ];
		my $answer = DncFuzz::Http::read_answer($pages[-1][1]);
		my ($tree) = eval { DncFuzz::Json::read_text($answer->{body}) };
		my $more = $tree && $cursors && DncFuzz::Json::get($tree, $cursors->{more});
		my $count = $tree && $numbers && DncFuzz::Json::get($tree, $numbers->{pages});

		$key = undef;
		if ($more && $more->[1]) { $key = DncFuzz::Json::get($tree, $cursors->{next})->[1] }
		elsif (!$more && $count && $number <= $count->[1]) { $key = $number }
		$query = "limit=$page_size&" . $asks->{ $more ? 'cursors' : 'numbers' } . "=$key" if defined $key;
	}
	save($name, $vendor, @pages);
	return;
}

# Makes a list of $count filled entries, or of the entries in a JSON array.
sub make
{
	my ($name, $vendor, $entries, @config) = @_;

	control('DELETE', "$vendor/corpus");
	control('PUT', "$vendor/corpus/config?" . join '&', @config) if @config;
	control('POST', "$vendor/corpus/fill?count=$entries") if $entries =~ /^[1-9]/;
	control('PUT', "$vendor/corpus/entries", $entries) if $entries =~ /^\[/;
	collect($name, $vendor);
	return;
}

# Makes a list whose answers have a fault.
sub refusal
{
	my ($name, $vendor, $fault) = @_;

	control('DELETE', "$vendor/corpus");
	control('POST', "$vendor/corpus/fault?kind=$fault&times=0");
	collect($name, $vendor);
	return;
}

# Saves an answer as the documentation prints it.
sub documented
{
	my ($name, $vendor, $status, $body) = @_;

	save($name, $vendor, [ first => sprintf "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
			$status, length $body, $body ]);
	return;
}

# Entries that are correct, and yet unexpected.
my $odd_alta = join ',', map { sprintf
		'{"id":"00000000-0000-4000-8000-%012d","objectType":"communication-opt-out","identifier":%s,"identifierType":%s,'
		. '"isManuallyAdded":%s,%s"createdAt":"2025-02-0%dT10:00:00.000Z","updatedAt":"2025-02-28T23:59:59Z"}',
		$_->[0], $_->[1], $_->[2], $_->[0] % 2 ? 'true' : 'false', $_->[3], $_->[0] }
	[ 1, '"J\u00fcrgen\ud83d\ude00@example.com"', '"email"', '"label":"\"quoted\" \\\\ \/ \n",' ],
	[ 2, "\"na\xc3\xafve\xe6\x97\xa5\xf0\x9f\x98\x80\"", '"web_chat"', '"label":null,' ],
	[ 3, '"+15550000003"', '"phone"', '"label":"","score":1.50e1,"tags":[1,-0.0,[],{"a":{}}],' ],
	[ 4, '"' . 'x' x 400 . '"', '"carrier_pigeon"', '' ],
	[ 5, '"NULL"', '"email"', '"":0,"Id":"other","ID":null,' ];
my $odd_weya = join ',', map { sprintf
		'{"_id":"%024d","phoneNumber":%s,"orgId":"o","batchId":"b","requestUUID":"u"%s,"createdAt":"2025-03-01T00:00:0%d.000Z"}',
		$_->[0], $_->[1], $_->[2], $_->[0] }
	[ 1, '"+1 (555) 000-0001"', ',"type":"' . "\xe6\x97\xa5\xe6\x9c\xac" . '"' ],
	[ 2, '"15550000002"', ',"type":null,"transcription":"line one\nline two\t\u0007"' ],
	[ 3, '"\u0031555"', ',"extra":{"deep":[[[[1e2]]]]}' ],
	[ 4, '"15550000004"', '' ];

# Each way of paging: the last page is short, or full, or the only one and empty.
for my $list (DncVendors::lists('corpus'))
{
	my %entries = (pages => 8, full => 6, empty => 0);

	make("$list->{name}-$_" =~ tr/_/-/r, $list->{vendor}, $entries{$_}, $list->{config} || ()) for sort keys %entries;
}
make('alta-keyset', 'alta', 7, 'cursors=keyset');
make('alta-limits', 'alta', 7, 'rate_limit=100');
make('alta-one-page', 'alta', 2);
make('alta-odd', 'alta', "[$odd_alta]");
make('sendkit-cursors', 'sendkit', 6, 'cursors=page');
make('weya-small-pages', 'weya', 5, 'max_limit=2');
make('weya-odd', 'weya', "[$odd_weya]");
for my $vendor (DncVendors::names())
{
	refusal("$vendor-status-$_", $vendor, "status&arg=$_") for 400, 401, 429, 500;
}
refusal('sendkit-not-success', 'sendkit', 'not_success');
refusal('weya-not-success', 'weya', 'not_success');
refusal('alta-web-page', 'alta', 'html');
refusal('alta-redirect', 'alta', 'redirect&arg=http://127.0.0.1:1/');

documented('alta-documented-error', 'alta', '429 Too Many Requests',
	'{"error": "TooManyRequests", "message": "Rate limit exceeded. Please retry after 60 seconds."}');
documented('sendkit-documented', 'sendkit', '200 OK', <<'END');
{
  "success": true,
  "data": [
    {
      "_id": "664a1b2c3d4e5f6a7b8c9d0e",
      "email": "unsubscribed@example.com",
      "entryType": "email",
      "workspaceId": "ws_123",
      "reason": "manual",
      "unsubscribedAt": "2024-06-01T10:00:00.000Z",
      "createdAt": "2024-06-01T10:00:00.000Z",
      "updatedAt": "2024-06-01T10:00:00.000Z"
    },
    {
      "_id": "664a1b2c3d4e5f6a7b8c9d0f",
      "email": "spamtrap.com",
      "entryType": "domain",
      "workspaceId": "ws_123",
      "reason": "manual",
      "unsubscribedAt": "2024-06-01T10:05:00.000Z",
      "createdAt": "2024-06-01T10:05:00.000Z",
      "updatedAt": "2024-06-01T10:05:00.000Z"
    }
  ],
  "pagination": {
    "total": 45,
    "page": 1,
    "limit": 20,
    "pages": 3
  }
}
END
documented('weya-documented', 'weya', '200 OK', <<'END');
{
"message": "DNC list fetched successfully",
"status": true,
"code": 200,
"errorMessage": "",
"data": {
"dncList": [
{
"_id": "64e5f12345abcdef98765432",
"phoneNumber": "12125551234",
"type": "customer_request",
"orgId": "64e5f12345abcdef12345678",
"batchId": "64e5f12345abcdef87654321",
"requestUUID": "550e8400-e29b-41d4-a716-446655440000",
"callRecording": "https://example.com/recording.mp3",
"transcription": "Customer requested to be removed from calling list",
"createdAt": "2025-05-15T10:30:00.000Z"
}
],
"pagination": {
"total": 42,
"page": 1,
"limit": 10,
"totalPages": 5
}
}
}
END
