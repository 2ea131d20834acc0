# DncFuzz::Mutate: makes answers that no vendor gives, from answers that they
# do give.
#
# A list is { name, pages => { key => page } }; the key is "first", a cursor or a
# page number, and a page { status, headers => [[name, value] ...], body }.  All
# choices at random use rand(), so that srand() repeats them.

package DncFuzz::Mutate;

use strict;
use warnings;
no warnings qw(qw recursion);

use Compress::Zlib ();
use DncFuzz::Json;
use DncVendors;
use List::Util qw(shuffle);

sub pick { return $_[ int rand @_ ] }
sub chance { return rand() < $_[0] }

# ---- replacements

my @numbers = (qw(0 -0 -1 1 2 3 4 6 7 8 9 10 11 12 45 100 1e0 1E2 0.9e1 70e-1 1.0 2.5 -3e0 1e999 -1e999 1e-999
	9007199254740992 9007199254740993 9223372036854775807 9223372036854775808 18446744073709551616
	2147483647 2147483648 4294967296 1e15 0.1e16 1e16 1e30 00 01 1. .5 +1 0x10 1e 1e+ - 1-2 1e5e5 NaN
	Infinity -Infinity 1_000 1,5), '9' x 63, '9' x 64, '1' . '0' x 200, '0.' . '0' x 80 . '1');

my @strings = (
	'""', '"a"', '"email"', '"phone"', '"domain"', '"customer_request"', '"true"', '"null"', '"0"', '" "', '"\u0000"',
	'"a\u0000b"', '"\\\\u0000"', '"\ud800"', '"\udc00"', '"\udfff\ud800"', '"\ud83d\ude00"', '"\ud83dx"',
	'"\uD83D\uDE00"', '"\ud83d\ud83d"', '"\u00e4"', '"\u0001"', '"\uffff"', '"\u12g4"', '"\u12"',
	'"\u"', '"\uZZZZ"', '"a\uZZZZb"', '"\x41"', '"\\\'"', '"\n"', '"\\/"', '"\\\\"', '"\\""', '"\\', '"',
	"\"\x01\"", "\"a\nb\"", "\"a\tb\"", "\"\x7f\"", "\"\x80\"", "\"\xff\xfe\"", "\"\xc0\x80\"",
	"\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xe2\x82\"", "\"\xef\xbb\xbf\"", "\"\xef\xbf\xbf\"",
	"\"\xc3\xa4\xf0\x9f\x98\x80\"", "\"a\0b\"", "'a'", '"%s%n"', '"../../"', '"\r\n"', '"&cursor=1"', '"1&page=2"',
	'"#"', '"2024-02-30T00:00:00Z"', '"infinity"', '"now"', '"-infinity"', '"2025-01-01"', '"yesterday"',
	'"0000-01-01T00:00:00Z"', '"{664a1b2c-3d4e-5f6a-7b8c-9d0e664a1b2c}"', '"' . 'x' x 3000 . '"',
	'"' . '\u00e4' x 2000 . '"', '"' . "\xf0\x9f\x98\x80" x 500 . '"', '"' . 'y' x 70_000 . '"');

my @others = ('null', 'true', 'false', 'True', 'nul', 'nullx', 'TRUE', 'undefined', '{}', '[]', '[[]]', '[null]',
	'[{}]', '{"":{}}', '{"a":1,"a":2}', '[1,]', '[,1]', '{,}', '{"a"}', '{"a":}', '{a:1}', '{1:1}', '[1 2]', '//', '/**/',
	'', ',', ':', '}', ']', '{', '[', "\xef\xbb\xbf", "\0", "\x0b", "\xa0", "\xc2\xa0", "\xe2\x80\xa8", "\x1e");

# A deeply nested value.
sub nested
{
	my $depth = pick(2, 10, 100, 500, 990, 1003, 5000);

	return pick('[' x $depth . ']' x $depth, '{"a":' x $depth . '1' . '}' x $depth, '[' x $depth,
		'[{"a":' x ($depth / 2) . '0' . '}]' x ($depth / 2));
}

sub any_value
{
	return pick(@numbers) if chance(0.3);
	return pick(@strings) if chance(0.6);
	return chance(0.9) ? pick(@others) : nested();
}

# ---- bytes

sub bytes
{
	my ($text) = @_;
	my $length = length $text;
	my $at = int rand($length + 1);
	my $some = int(rand(1 + rand 40));
	my $what = int rand 7;

	if ($what == 0 && $length)
	{
		for (0 .. int rand 4)
		{
			substr($text, int rand $length, 1) ^= chr(1 << int rand 8);
		}
	}
	elsif ($what == 1) { substr $text, $at, 0, pick(@others, @strings, @numbers) }
	elsif ($what == 2) { substr $text, $at, $some, '' }
	elsif ($what == 3) { substr $text, $at, 0, substr $text, int rand($length + 1), $some }
	elsif ($what == 4) { $text = substr $text, 0, $at }
	elsif ($what == 5) { substr $text, $at, 1, chr int rand 256 if $at < $length }
	else { substr $text, $at, 0, join '', map { chr int rand 256 } 0 .. $some }
	return $text;
}

# ---- tokens

sub tokens
{
	my ($text) = @_;
	my @tokens = $text =~ /"(?:[^"\\]++|\\.)*+"|[-+.0-9eE]*[0-9][-+.0-9eE]*|[a-z]+|\s+|./gs;
	my $at = int rand(@tokens || 1);
	my $what = int rand 6;

	return $text unless @tokens;
	if ($what == 0) { splice @tokens, $at, 1 }
	elsif ($what == 1) { splice @tokens, $at, 0, $tokens[$at] }
	elsif ($what == 2)
	{
		my $other = int rand @tokens;
		@tokens[ $at, $other ] = @tokens[ $other, $at ];
	}
	else
	{
		# A scalar, if there is one near.
		$at++ while $at < $#tokens && $tokens[$at] =~ /^[\s\[\]{},:]/;
		$tokens[$at] = $tokens[$at] =~ /^"/ && chance(0.5) ? pick(@strings)
			: $tokens[$at] =~ /^[-0-9]/ && chance(0.7) ? pick(@numbers)
			:                                              any_value();
	}
	return join '', @tokens;
}

# ---- trees

# All objects and arrays of a tree.
sub holders
{
	my ($value) = @_;

	return ($value, map { holders($_->[1]) } @{ $value->[1] }) if $value->[0] eq 'o';
	return ($value, map { holders($_) } @{ $value->[1] }) if $value->[0] eq 'a';
	return ();
}

# A value as text, from its parts; with $loose, written in another way.
sub text_of
{
	my ($value, $loose) = @_;
	my $gap = $loose ? sub { pick('', '', '', ' ', "\n", "\t", "\r\n  ") } : sub { '' };

	return $gap->() . '{' . join(',', map { $gap->() . ($loose ? rewritten($_->[2]) : $_->[2]) . $gap->() . ':'
				. text_of($_->[1], $loose) } @{ $value->[1] }) . $gap->() . '}' if $value->[0] eq 'o';
	return $gap->() . '[' . join(',', map { text_of($_, $loose) } @{ $value->[1] }) . $gap->() . ']'
		if $value->[0] eq 'a';
	return $gap->() . ($loose && $value->[0] eq 's' ? rewritten($value->[2]) : $value->[2]) . $gap->();
}

# A string with some of its characters escaped.
sub rewritten
{
	my ($raw) = @_;

	return $raw if $raw =~ /\\/ || chance(0.7);
	$raw =~ s/(?<=.)([\x20-\x21\x23-\x5b\x5d-\x7e])(?=.)/chance(0.3) ? sprintf(pick('\\u%04x', '\\u%04X'), ord $1) : $1/ge;
	return $raw;
}

# A name that is nearly the same.
sub near_name
{
	my ($raw) = @_;
	my ($name) = $raw =~ /\A"(.*)"\z/s;

	return pick(qq{"\U$name"}, qq{"\u$name"}, qq{"$name "}, qq{"$name\\u0020"}, '""', '"data"', '"pagination"', '"_id"',
		qq{"$name.$name"}, sprintf('"\\u%04x%s"', ord($name || 'a'), substr($name || 'a', 1)), '"total"');
}

sub tree
{
	my ($text) = @_;
	my ($tree) = eval { DncFuzz::Json::read_text($text) };
	my @holders = $tree ? grep { @{ $_->[1] } } holders($tree) : ();

	return $text unless @holders;
	my $holder = pick(@holders);
	my $list = $holder->[1];
	my $at = int rand @$list;
	my $what = int rand 8;

	if ($what == 0) { splice @$list, $at, 1 }
	elsif ($what == 1) { splice @$list, int rand(@$list + 1), 0, $list->[$at] }
	elsif ($what == 2)
	{
		my $other = int rand @$list;
		@$list[ $at, $other ] = @$list[ $other, $at ];
	}
	elsif ($what == 3 && $holder->[0] eq 'o')
	{
		$list->[$at] = [ '', $list->[$at][1], near_name($list->[$at][2]) ];
	}
	elsif ($what == 4)
	{
		# Into another object or array, which must not be a part of it.
		my $moved = splice @$list, $at, 1;
		my @alike = grep { $_->[0] eq $holder->[0] } holders($tree);
		push @{ pick(@alike)->[1] }, $moved;
	}
	else
	{
		my $value = $what == 5 ? pick(@holders) : [ 'x', undef, any_value() ];

		# A member comes twice, or gets another value.
		$value = [ 'x', undef, text_of($value) ];
		if ($holder->[0] eq 'o' && $what == 6)
		{
			splice @$list, int rand(@$list + 1), 0, [ '', $value, $list->[$at][2] ];
		}
		elsif ($holder->[0] eq 'o') { $list->[$at] = [ '', $value, $list->[$at][2] ] }
		else { $list->[$at] = $value }
	}
	return text_of($tree);
}

# Writes the same in another way, or adds members that a client has to pass
# over.
sub harmless
{
	my ($text) = @_;
	my ($tree) = eval { DncFuzz::Json::read_text($text) };

	my @objects = $tree ? grep { $_->[0] eq 'o' } holders($tree) : ();

	return $text unless @objects;
	for (0 .. int rand 3)
	{
		my $members = pick(@objects)->[1];

		if (chance(0.5)) { @$members = shuffle(@$members) }
		else
		{
			my $value = pick(grep { eval { DncFuzz::Json::read_text($_); 1 } } @numbers, @strings, @others, '[{"a":[1]}]');
			splice @$members, int rand(@$members + 1), 0, [ '', [ 'x', undef, $value ], qq{"extra${\int rand 1e6}"} ];
		}
	}
	return text_of($tree, 1);
}

# ---- the facts of pages about themselves

# Replaces the value at a path by a text, if it is there.
sub put_at
{
	my ($text, $path, $new) = @_;
	my ($tree) = eval { DncFuzz::Json::read_text($text) };
	my $value = $tree && DncFuzz::Json::get($tree, $path);

	return $text unless $value;
	@$value = ('x', undef, $new);
	return text_of($tree);
}

sub meaning
{
	my ($list, $page, $vendor) = @_;
	my @keys = sort keys %{ $list->{pages} };
	my @paths = map { $_ ? values %$_ : () } $vendor->{cursors}, $vendor->{numbers};
	my $path = pick(sort @paths);
	my $other = $list->{pages}{ pick(@keys) };
	my $what = int rand 6;

	if ($what == 0) { @$page{qw(body)} = $other->{body} }
	elsif ($what == 1) { ($page->{body}, $other->{body}) = ($other->{body}, $page->{body}) }
	elsif ($what == 2)
	{
		$page->{body} = put_at($page->{body}, $path, pick(any_value(), map { qq{"$_"} } @keys));
	}
	elsif ($what == 3)
	{
		# The same on all pages, so that it does not contradict itself.
		my $new = pick(@numbers[ 0 .. 14 ]);
		$_->{body} = put_at($_->{body}, $path, $new) for values %{ $list->{pages} };
	}
	elsif ($what == 4)
	{
		$page->{body} = put_at($page->{body}, $vendor->{list}, pick('[]', 'null', '{}', '[[]]', '[{}]'));
	}
	else { entries($page, $other, $vendor) }
	return;
}

# Entries that are missing, come twice, or belong to another page.
sub entries
{
	my ($page, $other, $vendor) = @_;
	my ($one) = eval { DncFuzz::Json::read_text($page->{body}) };
	my ($two) = eval { DncFuzz::Json::read_text($other->{body}) };
	my ($to, $from) = map { $_ ? DncFuzz::Json::get($_, $vendor->{list}) : undef } $one, $two;

	return unless $to && $from && $to->[0] eq 'a' && $from->[0] eq 'a' && @{ $from->[1] };
	my $entry = pick(@{ $from->[1] });
	my $what = int rand 4;

	if ($what == 0) { splice @{ $to->[1] }, int rand @{ $to->[1] }, 1 if @{ $to->[1] } }
	elsif ($what == 1) { splice @{ $to->[1] }, int rand(@{ $to->[1] } + 1), 0, $entry }
	elsif ($what == 2) { $to->[1][ int rand(@{ $to->[1] } || 1) ] = $entry }
	else { @{ $to->[1] } = reverse @{ $to->[1] } }
	$page->{body} = text_of($one);
	return;
}

# ---- HTTP

my @statuses = (200, 200, 201, 202, 203, 204, 206, 226, 299, 300, 301, 302, 303, 304, 307, 400, 401, 403, 404,
	405, 408, 409, 413, 418, 422, 429, 451, 500, 501, 502, 503, 504, 520, 599, 600, 999);

my @lines = (
	[ 'Retry-After', '1' ], [ 'Retry-After', '0' ], [ 'Retry-After', '-1' ], [ 'Retry-After', '99999999999999999999' ],
	[ 'Retry-After', '1e9' ], [ 'Retry-After', 'Fri, 31 Dec 9999 23:59:59 GMT' ], [ 'Retry-After', 'Wed, 21 Oct 2015 07:28:00 GMT' ],
	[ 'Retry-After', 'soon' ], [ 'Retry-After', '' ], [ 'Retry-After', '60, 120' ], [ 'RateLimit-Remaining', '-1' ],
	[ 'RateLimit-Remaining', '18446744073709551616' ], [ 'RateLimit-Remaining', 'x' ], [ 'RateLimit-Limit', '0' ],
	[ 'RateLimit-Limit', '1e300' ], [ 'RateLimit-Reset', 'never' ], [ 'RateLimit-Reset', '-99' ], [ 'RateLimit-Reset', '' ],
	[ 'X-RateLimit-Remaining', '0' ], [ 'Content-Type', 'text/html' ], [ 'Content-Type', '' ],
	[ 'Content-Type', 'x' x 5000 ], [ 'Set-Cookie', 'a=b; Path=/' ], [ 'Location', 'file:///etc/passwd' ],
	[ 'Location', 'http://127.0.0.1:1/' ], [ 'Alt-Svc', 'h3=":443"' ], [ 'Strict-Transport-Security', 'max-age=1' ],
	[ 'Link', '<https://x.example/>; rel="next"' ], [ 'X-Long', 'y' x 20_000 ], [ 'X-Longer', 'y' x 110_000 ],
	[ 'Content-Range', 'bytes 0-9/1000' ], [ 'Trailer', 'Content-Length' ], [ 'Date', 'x' ], [ 'Age', '99999999999' ],
	[ 'Content-Encoding', 'gzip' ], [ 'Content-Encoding', 'identity' ], [ 'Content-Encoding', 'br' ], [ 'Connection', 'close' ],
	[ 'Connection', 'Upgrade' ], [ 'Transfer-Encoding', 'gzip, chunked' ], [ 'Transfer-Encoding', 'identity' ],
	[ 'Content-Length', '0' ], [ 'Content-Length', '10' ], [ 'Content-Length', '-1' ], [ 'Content-Length', '99999999999999999999' ],
	[ 'Keep-Alive', 'timeout=0' ], [ 'WWW-Authenticate', 'Negotiate' ], [ 'Proxy-Authenticate', 'Basic' ]);

sub http
{
	my ($page) = @_;
	my $what = int rand 12.5;

	if ($what < 2) { $page->{status} = pick(@statuses) }
	elsif ($what < 5) { push @{ $page->{headers} }, pick(@lines) }
	elsif ($what == 5) { $page->{chunks} = 1 }
	elsif ($what == 6) { $page->{compress} = pick('gzip', 'deflate') }
	elsif ($what == 7) { $page->{cut} = rand }
	elsif ($what == 8) { $page->{flip_head} = 1 }
	elsif ($what == 9) { $page->{length_off} = pick(-100, -2, -1, 1, 2, 100) }
	elsif ($what == 10) { $page->{no_length} = 1 }
	elsif ($what == 12)
	{
		# More than max_response_size allows, or just as much.
		$page->{body} .= ' ' x pick(200_000, 3_000_000);
		$page->{body} = substr $page->{body}, 0, pick(262_144, 262_145) if chance(0.5);
		$page->{compress} = 'gzip' if chance(0.7);
	}
	else { $page->{flip} = 1 }
	return;
}

# A body in chunks of any size.
sub chunked
{
	my ($body) = @_;
	my $out = '';

	for (my $at = 0; $at < length $body;)
	{
		my $piece = substr $body, $at, 1 + int rand(chance(0.2) ? 5 : 1500);

		$at += length $piece;
		$out .= sprintf pick("%x\r\n%s\r\n", "%X\r\n%s\r\n", "%04x;a=b\r\n%s\r\n", "%x\r\n%s\r\n"), length $piece, $piece;
	}
	return $out . "0\r\n" . (chance(0.2) ? "X-Trailer: 1\r\n" : '') . "\r\n";
}

# A page as the bytes of an answer.
sub answer_of
{
	my ($page) = @_;
	my $body = $page->{body};
	my @headers = @{ $page->{headers} };

	if ($page->{compress})
	{
		push @headers, [ 'Content-Encoding', $page->{compress} ];
		$body = $page->{compress} eq 'gzip' ? Compress::Zlib::memGzip($body) : Compress::Zlib::compress($body);
	}
	if ($page->{chunks})
	{
		$body = chunked($body);
		push @headers, [ 'Transfer-Encoding', 'chunked' ];
	}
	elsif (!$page->{no_length})
	{
		my $length = length($body) + ($page->{length_off} // 0);
		push @headers, [ 'Content-Length', $length < 0 ? 0 : $length ];
	}
	my $head = join '', "HTTP/1.1 $page->{status} X\r\n", map { "$_->[0]: $_->[1]\r\n" } @headers;
	$head = bytes($head) if $page->{flip_head};
	my $bytes = "$head\r\n$body";
	$bytes = bytes($bytes) if $page->{flip};
	$bytes = substr $bytes, 0, $page->{cut} * length $bytes if $page->{cut};
	return $bytes;
}

# ---- all

# Changes a list's pages, in place.
sub mutate
{
	my ($list, $vendor_name) = @_;
	my $vendor = $DncVendors::vendors{$vendor_name};
	my @keys = sort keys %{ $list->{pages} };
	my $times = chance(0.6) ? 1 : chance(0.7) ? 2 : 3;

	for (1 .. $times)
	{
		my $page = $list->{pages}{ chance(0.5) ? pick(@keys) : $list->{first} };
		my $kind = rand;

		if ($kind < 0.10) { $page->{body} = harmless($page->{body}) }
		elsif ($kind < 0.30) { $page->{body} = tree($page->{body}) }
		elsif ($kind < 0.50) { $page->{body} = tokens($page->{body}) }
		elsif ($kind < 0.62) { $page->{body} = bytes($page->{body}) }
		elsif ($kind < 0.85) { meaning($list, $page, $vendor) }
		else { http($page) }
	}
	return;
}

1;
