# Hostile answers: whatever a server says, the statement ends in an error that
# says what is wrong, or gives the whole list: never a shorter one.  The session
# goes on, and its memory is what it was before.
#
# A list is read through all columns, attrs among them, in one session.  Each
# case says which SQLSTATE is to come, and what has to be in the DETAIL; or how
# many entries, where the answer is odd but whole.  How the network can fail is
# played in 001_interrupts.pl, 002_memory.pl and sql/errors.sql, and who is
# trusted in 004_tls.pl.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use IO::Compress::Gzip qw(gzip);
use PostgreSQL::Test::Utils;
use RawServer;
use Test::More;

# What an answer may have, and what a session may grow by at its worst moment:
# the answer, its tree, its values.
my $max_response_size = 4 * 1024 * 1024;
my $max_growth_kb = 64 * 1024;

# ----- what a good answer looks like -----

# The ways of paging; each with a server of its name.
my %provider = (alta => 'alta', sendkit => 'sendkit', sendkit_old => 'sendkit', weya => 'weya');
my @all = sort keys %provider;

# An entry; %set replaces members (raw JSON), undef leaves one out.
sub entry
{
	my ($flavour, $identifier, $more) = @_;
	my $name = { alta => 'identifier', sendkit => 'email', weya => 'phoneNumber' }->{ $provider{$flavour} };
	my $own = {
		alta => '"id":"00000000-0000-0000-0000-000000000001","objectType":"communication-opt-out",'
		  . '"identifierType":"email","isManuallyAdded":true,"createdAt":"2025-01-01T00:00:00Z",'
		  . '"updatedAt":"2025-01-01T00:00:00Z"',
		sendkit => '"_id":"1","entryType":"email"',
		weya    => '"_id":"1"'
	}->{ $provider{$flavour} };

	return "{$own,\"$name\":\"$identifier\"" . ($more ? ",$more" : '') . '}';
}

# A page of entries (raw JSON), which is the whole list; $set replaces what it
# says of the paging, by names of sendkit_old.
sub page
{
	my ($flavour, $entries, $set) = @_;
	my %say = (total => 1, page => 1, limit => 100, pages => 1, hasMore => 'false', next => 'null',
		%{ $set // {} });

	return "{\"data\":[$entries],\"hasMore\":$say{hasMore},\"next\":$say{next}}" if $flavour eq 'alta';
	return "{\"success\":true,\"data\":[$entries],\"pagination\":{\"limit\":100,\"total\":$say{total},"
	  . "\"hasMore\":$say{hasMore},\"nextCursor\":$say{next}}}"
	  if $flavour eq 'sendkit';
	return "{\"success\":true,\"data\":[$entries],\"pagination\":{\"page\":$say{page},"
	  . "\"limit\":$say{limit},\"total\":$say{total},\"pages\":$say{pages}}}"
	  if $flavour eq 'sendkit_old';
	return "{\"status\":true,\"data\":{\"dncList\":[$entries],\"pagination\":{\"page\":$say{page},"
	  . "\"limit\":$say{limit},\"total\":$say{total},\"totalPages\":$say{pages}}}}";
}

# A list of one entry.
sub good { return page($_[0], entry($_[0], 'a')) }

# ----- the cases -----

my %plays;    # by the name's place in a URL, for the server
my @cases;    # [ name, place, flavour, SQLSTATE or count, pattern in DETAIL, aggregate ]
my @writes;   # [ name, place, flavour, SQLSTATE, pattern in DETAIL ]

# Keeps a case: its play is found under a number.
sub keep
{
	my ($name, $flavour, $expected, $pattern, $play, $aggregate) = @_;
	my $place = 'play' . @cases;

	$plays{$place} = $play;
	push @cases, [ $name, $place, $flavour, $expected, $pattern, $aggregate // 'count(x.identifier)' ];
	return;
}

# Bytes that are said to whoever asks.
sub says
{
	my ($name, $expected, $pattern, $play) = @_;

	return keep($name, 'alta', $expected, $pattern, $play);
}

# An answer in good HTTP, in each flavour: $body is called with it.
sub answers
{
	my ($name, $expected, $pattern, $body, @flavours) = @_;

	for my $flavour (@flavours ? @flavours : @all)
	{
		keep("$name ($flavour)", $flavour, $expected, $pattern, sub { $_[0]->answer($body->($flavour)) });
	}
	return;
}

# An answer whose only entry is called so, or has these members as well.
sub names { my ($identifier) = @_; return sub { page($_[0], entry($_[0], $identifier)) } }
sub has   { my ($more) = @_;       return sub { page($_[0], entry($_[0], 'a', $more)) } }
sub pages { my ($set) = @_;        return sub { page($_[0], entry($_[0], 'a'), $set) } }

# An answer in good HTTP to a count(*) that the API's total is asked for.
sub counts
{
	my ($name, $expected, $pattern, $body, @flavours) = @_;

	for my $flavour (@flavours)
	{
		keep("$name ($flavour)", $flavour, $expected, $pattern, sub { $_[0]->answer($body->($flavour)) }, 'count(*)');
	}
	return;
}

# Bytes that are said to an addition.
sub takes
{
	my ($name, $flavour, $expected, $pattern, $play) = @_;
	my $place = 'write' . @writes;

	$plays{$place} = $play;
	push @writes, [ $name, $place, $flavour, $expected, $pattern ];
	return;
}

# ----- JSON -----

my $not_json = qr/not JSON/;

answers('a list', 1, undef, \&good);
answers('10000 levels of nesting', '08P01', qr/nested|not JSON/, sub { '[' x 10_000 . ']' x 10_000 });
answers('10000 levels in an entry', '08P01', qr/nested|not JSON/, has('"x":' . '[' x 10_000 . ']' x 10_000));
answers('10000 objects in an entry', '08P01', qr/nested|not JSON/, has('"x":' . '{"a":' x 10_000 . '1' . '}' x 10_000));
answers('900 levels in an entry', 1, undef, has('"x":' . '[' x 900 . ']' x 900));
answers('a string of 3 MB', 1, undef, sub { names('a' x 3_000_000)->(@_) }, 'alta', 'weya');
answers('a string of 3 MB that nobody asks for', 1, undef, sub { has('"x":"' . '\u00e4' x 500_000 . '"')->(@_) }, 'alta', 'weya');
answers('a string of 5 MB', '54000', qr/4194304/, sub { names('a' x 5_000_000)->(@_) });
answers('a million values', '08P01', qr/values/, sub { has('"x":[' . '0,' x 1_000_000 . '0]')->(@_) });
answers('200000 values', 1, undef, sub { has('"x":[' . '0,' x 199_900 . '0]')->(@_) });
answers('a million objects', '08P01', qr/values/, sub { '[' . '{},' x 1_000_000 . '{}]' }, 'alta');
answers('not UTF-8', '08P01', qr/UTF-8/, names("a\xff"));
answers('LATIN1', '08P01', qr/UTF-8/, names("m\xfcller"));
answers('overlong UTF-8', '08P01', qr/UTF-8/, names("a\xc0\x80"));
answers('surrogates in UTF-8', '08P01', qr/UTF-8/, names("a\xed\xa0\xbd\xed\xb8\x80"));
answers('beyond Unicode', '08P01', qr/UTF-8/, names("a\xf4\x90\x80\x80"));
answers('UTF-8 that ends early', '08P01', qr/UTF-8/, sub { good(@_) . "\xc3" });
answers('UTF-16', '08P01', qr/UTF-8/, sub { "\xff\xfe" . join('', map { "$_\0" } split //, good(@_)) });
answers('a NUL', '08P01', qr/UTF-8/, names("a\0b"));
answers('a NUL behind', '08P01', qr/UTF-8/, sub { good(@_) . "\0" });
answers('a NUL escaped', '08P01', qr/\\u0000/, names('a\u0000b'));
answers('a NUL escaped where nobody looks', '08P01', qr/\\u0000/, has('"x":["\u0000"]'));
answers('a NUL escaped in a name', '08P01', qr/\\u0000/, has('"x\u0000":1'));
answers('a backslash and u0000', 1, undef, names('a\\\\u0000b'));
answers('a surrogate pair', 1, undef, names('a\ud83d\ude00'));
answers('a high surrogate', '08P01', $not_json, names('a\ud83d'));
answers('a high surrogate in front of a letter', '08P01', $not_json, names('a\ud83db'));
answers('a high surrogate where nobody looks', '08P01', $not_json, has('"x":"\ud83d"'));
answers('a low surrogate', '08P01', $not_json, names('a\ude00'));
answers('surrogates reversed', '08P01', $not_json, names('a\ude00\ud83d'));
answers('two high surrogates', '08P01', $not_json, names('a\ud83d\ud83d'));
answers('a bad escape', '08P01', $not_json, names('a\x41'));
answers('a short escape', '08P01', $not_json, names('a\u00"'));
answers('a line break in a string', '08P01', qr/control character/, names("a\nb"));
answers('a control character in a string', '08P01', qr/control character/, has("\"x\":\"\e[2J\""));
answers('a control character between values', '08P01', qr/control character/, sub { good(@_) . "\x01" });
answers('white space', 1, undef, sub { " \t\r\n" . (good(@_) =~ s/":/" \t\r\n:\r /gr =~ s/,"/ \t,\n"/gr =~ s/([][{}])/ \n$1\t/gr) . "\r\n" });
answers('a byte order mark', 1, undef, sub { "\xef\xbb\xbf" . good(@_) });
answers('two byte order marks', '08P01', $not_json, sub { "\xef\xbb\xbf" x 2 . good(@_) });
answers('two answers', '08P01', $not_json, sub { good(@_) . good(@_) });
answers('a trailing comma', '08P01', $not_json, sub { page($_[0], entry($_[0], 'a') . ',') });
answers('a comment', '08P01', $not_json, sub { good(@_) . '/* all of it */' });
answers('quotation marks', '08P01', $not_json, has("'x':1"));
answers('the half of it', '08P01', $not_json, sub { substr(good(@_), 0, 60) });
answers('all but the last', '08P01', $not_json, sub { substr(good(@_), 0, -1) });
answers('white space alone', '08P01', $not_json, sub { "\n" });
answers('nothing', '08P01', qr/empty/, sub { '' });
answers("$_ for all", '08P01', qr/missing/, do { my $body = $_; sub { $body } }) for ('null', '7', '"a"', '[]', '{}');
answers("the number $_", '08P01', $not_json, has("\"x\":$_"))
  for ('NaN', 'Infinity', '-Infinity', '-', '+1', '.5', '-.5', '1.', '1e', '1e+', '01', '-01', '0x1', '1-2', '1e1.5', '1_000');
answers("the number $_", 1, undef, has("\"x\":$_"))
  for ('0', '-0', '1e999', '-1e-999', '1.5E+3', '123456789012345678901234567890', '9' x 70);
answers('a number that PostgreSQL cannot hold', '22003', undef, has('"x":1e999999'));

# What a page says twice could mean either.
answers('entries given twice', '08P01', qr/missing/, sub { good(@_) =~ s/("(?:data|dncList)":)(\[.*?\])/$1\[\],$1$2/r });
answers('entries given twice, once in disguise', '08P01', qr/missing/,
	sub { good(@_) =~ s/"(data|dncList)":(\[.*?\])/"$1":$2,"\\u0064$1":[]/r =~ s/\\u0064d/\\u0064/r });
answers('an identifier twice', '08P01', qr/twice/, has('"identifier":"b","email":"b","phoneNumber":"b"'));
answers('an identifier twice, once in disguise', '08P01', qr/twice/,
	has('"identifi\u0065r":"b","em\u0061il":"b","phoneNumb\u0065r":"b"'));
answers('an id twice', '08P01', qr/twice|missing/, has('"id":"2","_id":"2"'));
answers('another member twice', 1, undef, has('"x":1,"x":2'));
answers('hasMore twice', '08P01', qr/hasMore.*missing/, pages({ hasMore => 'false,"hasMore":true' }), 'alta');
answers('hasMore twice', '08P01', qr/missing/, pages({ hasMore => 'false,"hasMore":true' }), 'sendkit');
answers('total twice', '08P01', qr/total.*missing/, pages({ total => '1,"total":200' }), 'sendkit', 'sendkit_old', 'weya');
answers('pages twice', '08P01', qr/missing/, pages({ pages => '1,"pages":2,"totalPages":2' }), 'sendkit_old', 'weya');
answers('success twice', '08P01', qr/missing/, sub { good(@_) =~ s/("success"|"status"):true/$1:true,$1:false/r },
	'sendkit', 'sendkit_old', 'weya');

# Numbers that count.
for my $number ('1e999', '-1', '1.5', '1e30', '"1"', 'null', 'true', '[1]', '0.9999999999', '9007199254740992', '9007199254740993')
{
	answers("total $number", '08P01', qr/total|add up/, pages({ total => $number }), 'sendkit', 'sendkit_old', 'weya');
	answers("$_ $number", '08P01', qr/\w/, pages({ $_ => $number }), 'sendkit_old', 'weya') for ('page', 'limit', 'pages');
}
# From 2^53 on, cJSON does not tell a number from the next one.
counts("a total of $_", '08P01', qr/total.*whole number/, pages({ total => $_ }), 'sendkit', 'sendkit_old', 'weya')
  for ('9007199254740992', '9007199254740993');
answers('a total of 2^53 - 1', '08P01', qr/9007199254740991/, pages({ total => '9007199254740991' }), 'sendkit');
answers('a total of 2^53 - 1', '08P01', qr/add up/, pages({ total => '9007199254740991', pages => '90071992547410' }), 'sendkit_old', 'weya');
answers('no entry of a total of one', '08P01', qr/\b0\b/, sub { page($_[0], '') }, 'sendkit', 'sendkit_old', 'weya');
answers('an entry of a total of none', '08P01', qr/\b0\b/, pages({ total => 0, pages => 0 }), 'sendkit', 'sendkit_old', 'weya');
counts('a total of 7', 7, undef, sub { page($_[0], join(',', map { entry($_[0], $_) =~ s/("_id":")/$1$_/r } 1 .. 7), { total => 7 }) },
	'sendkit', 'sendkit_old', 'weya');
counts('a total below what is there', '08P01', qr/\b0\b/, pages({ total => 0, pages => 0, hasMore => 'true', next => '"x"' }),
	'sendkit', 'sendkit_old', 'weya');
counts("a total of $_", '08P01', qr/total|add up/, pages({ total => $_ }), 'sendkit', 'sendkit_old', 'weya') for ('1e999', '-1', '1.5');
answers('a limit of 0', '08P01', qr/limit/, pages({ limit => 0 }), 'sendkit_old', 'weya');
answers('a limit of 2^40', '08P01', qr/limit/, pages({ limit => 1 << 40 }), 'sendkit_old', 'weya');
answers('a cursor of 3 MB', '08P01', qr/cursor|next|longer/i,
	sub { pages({ hasMore => 'true', next => '"' . 'x' x 3_000_000 . '"' })->(@_) }, 'alta', 'sendkit');
answers('a cursor that is a header', '08P01', qr/read before/,
	pages({ hasMore => 'true', total => 5, next => '" HTTP/1.1\r\nX-Injected: 1\r\n\r\n#&?limit=1"' }), 'alta', 'sendkit');

# Each answer comes from a process of its own.  An id of its own makes each page a new one.
sub with_id { my ($entry, $id) = @_; return $entry =~ s/("_?id":")[^"]*/$1$id/r }
my %endless = (hasMore => 'true', total => 1 << 40);
answers('the same page again and again', '08P01', qr/^16 pages in a row/,
	sub { page($_[0], entry($_[0], 'a'), { %endless, next => "\"$$\"" }) }, 'alta', 'sendkit');
answers('a list without end', '54000', qr/max_requests is 100/,
	sub { page($_[0], with_id(entry($_[0], 'a'), $$), { %endless, next => "\"$$\"" }) }, 'alta', 'sendkit');

# An id is that of one entry.
my %two = (total => 2);
answers('two entries with one id', '08P01', qr/not the same identifier and type/,
	sub { page($_[0], entry($_[0], 'a') . ',' . entry($_[0], 'b'), \%two) });
answers('one entry twice on a page', 1, undef,
	sub { page($_[0], entry($_[0], 'a') . ',' . entry($_[0], 'a', '"reason":"customer_request"')) }, 'alta', 'sendkit');
answers('one entry twice on a page', '08P01', qr/twice/,
	sub { page($_[0], entry($_[0], 'a') . ',' . entry($_[0], 'a'), \%two) }, 'sendkit_old', 'weya');
answers('two types with one id', '08P01', qr/not the same identifier and type/,
	sub { page('alta', join ',', map { entry('alta', 'a') =~ s/email/$_/r } 'phone', 'sms') }, 'alta');

# ----- HTTP -----

my $json = 'Content-Type: application/json';
my $good = good('alta');
my $length = length $good;
my $head = "HTTP/1.1 200 OK\r\n$json\r\nConnection: close\r\n";

sub chunk { return sprintf("%x\r\n%s\r\n", length $_[0], $_[0]) }

sub zip
{
	my ($plain) = @_;

	gzip(\$plain, \my $zipped) or die 'gzip failed';
	return $zipped;
}

# The body.
says('a body without end', '54000', qr/4194304/,
	sub { $_[0]->say_bytes("$head\r\n{\"data\":["); $_[0]->say_bytes('{},' x 10_000) while 1; });
says('chunks without end', '54000', qr/4194304/,
	sub { $_[0]->say_bytes("${head}Transfer-Encoding: chunked\r\n\r\n"); $_[0]->say_bytes(chunk(' ') x 1000) while 1; });
says('a body announced as a petabyte', '54000', qr/4194304/,
	sub { $_[0]->say_bytes("${head}Content-Length: 1125899906842624\r\n\r\n"); $_[0]->say_bytes(' ' x 100_000) while 1; });
says('a byte a second', 'HV00N', qr/time/i,
	sub { $_[0]->say_bytes("${head}Content-Length: $length\r\n\r\n"); for (split //, $good) { $_[0]->say_bytes($_); $_[0]->stay(1) } });
says('a byte of a header a second', 'HV00N', qr/time/i, sub { for (split //, $head) { $_[0]->say_bytes($_); $_[0]->stay(1) } });
says('a body that ends with the connection', 1, undef, sub { $_[0]->say_bytes("$head\r\n$good") });
says('half a body that ends with the connection', '08P01', $not_json,
	sub { $_[0]->say_bytes("$head\r\n" . substr($good, 0, 100)) });
says('a gzip bomb', '54000', qr/4194304/, do { my $zip = zip(' ' x 64_000_000); sub { $_[0]->answer($zip, 'Content-Encoding: gzip') } });
says('a gzip bomb, twice', '54000', qr/4194304/,
	do { my $zip = zip(zip(' ' x 64_000_000)); sub { $_[0]->answer($zip, 'Content-Encoding: gzip, gzip') } });
says('a gzip bomb behind a list', '54000', qr/4194304/,
	do { my $zip = zip($good . ' ' x 64_000_000); sub { $_[0]->answer($zip, 'Content-Encoding: gzip') } });
says('a gzip bomb in an error', '54000', qr/4194304/,
	do { my $zip = zip(' ' x 64_000_000); sub { $_[0]->answer_status('400 Bad Request', $zip, 'Content-Encoding: gzip') } });
says('gzip', 1, undef, do { my $zip = zip($good); sub { $_[0]->answer($zip, 'Content-Encoding: gzip') } });
says('gzip of 3 MB', 1, undef, do { my $zip = zip($good . ' ' x 3_000_000); sub { $_[0]->answer($zip, 'Content-Encoding: gzip') } });
says('half of gzip', '08P01', qr/./,
	do { my $zip = zip(join ',', map { rand } 1 .. 1000); sub { $_[0]->answer(substr($zip, 0, 500), 'Content-Encoding: gzip') } });
says('no gzip', '08P01', qr/./, sub { $_[0]->answer($good, 'Content-Encoding: gzip') });
says('gzip with a mistake', '08P01', qr/./,
	do { my $zip = zip($good); substr($zip, 40, 8) = 'XXXXXXXX'; sub { $_[0]->answer($zip, 'Content-Encoding: gzip') } });
says('gzip that does not say so', '08P01', qr/UTF-8/, do { my $zip = zip($good); sub { $_[0]->answer($zip) } });
says('an unknown encoding', '08P01', qr/./, sub { $_[0]->answer($good, 'Content-Encoding: rot13') });
says('encodings without end', '08P01', qr/./, sub { $_[0]->answer(zip($good), 'Content-Encoding: ' . join ', ', ('gzip') x 100) });

# Its length.
says('a Content-Length too small', '08P01', $not_json, sub { $_[0]->say_bytes("${head}Content-Length: 50\r\n\r\n$good") });
says('a Content-Length too large', '08P01', qr/./, sub { $_[0]->say_bytes("${head}Content-Length: 5000\r\n\r\n$good") });
says('a Content-Length too large, and silence', 'HV00N', qr/time/i,
	sub { $_[0]->say_bytes("${head}Content-Length: 5000\r\n\r\n$good"); $_[0]->stay(60) });
says('a Content-Length below zero', '08P01', qr/./, sub { $_[0]->say_bytes("${head}Content-Length: -5\r\n\r\n$good") });
says('a Content-Length that is no number', '08P01', qr/./, sub { $_[0]->say_bytes("${head}Content-Length: many\r\n\r\n$good") });
says('a Content-Length of 1e30', '1|08P01', undef, sub { $_[0]->say_bytes("${head}Content-Length: 1" . '0' x 30 . "\r\n\r\n$good") });
says('Content-Length and chunks', 1, undef,
	sub { $_[0]->say_bytes("${head}Content-Length: 50\r\nTransfer-Encoding: chunked\r\n\r\n" . chunk($good) . "0\r\n\r\n") });
says('chunks and Content-Length', 1, undef,
	sub { $_[0]->say_bytes("${head}Transfer-Encoding: chunked\r\nContent-Length: 5000\r\n\r\n" . chunk($good) . "0\r\n\r\n") });
says('a chunk size that is no number', '08P01', qr/./, sub { $_[0]->say_bytes("${head}Transfer-Encoding: chunked\r\n\r\nall\r\n$good\r\n0\r\n\r\n") });
says('a chunk size below zero', '08P01', qr/./, sub { $_[0]->say_bytes("${head}Transfer-Encoding: chunked\r\n\r\n-1\r\n$good\r\n0\r\n\r\n") });
says('a chunk size without end', '08P01', qr/./, sub { $_[0]->say_bytes("${head}Transfer-Encoding: chunked\r\n\r\n" . 'f' x 100 . "\r\n$good\r\n0\r\n\r\n") });
says('a chunk too short', '08P01', qr/./, sub { $_[0]->say_bytes("${head}Transfer-Encoding: chunked\r\n\r\n5\r\n$good\r\n0\r\n\r\n") });
says('a chunk too long', '08P01', qr/./, sub { $_[0]->say_bytes("${head}Transfer-Encoding: chunked\r\n\r\nfff\r\n$good\r\n0\r\n\r\n") });
says('no last chunk', '08P01', qr/./, sub { $_[0]->say_bytes("${head}Transfer-Encoding: chunked\r\n\r\n" . chunk($good)) });
says('trailers without end', '08P01', qr/headers/,
	sub { $_[0]->say_bytes("${head}Transfer-Encoding: chunked\r\n\r\n" . chunk($good) . "0\r\n"); $_[0]->say_bytes("X: y\r\n" x 1000) while 1; });

# Headers.
my $bytes = 1_000_000;
says('a header of a megabyte', '08P01', qr/./, sub { $_[0]->answer($good, 'X: ' . 'x' x $bytes) });
says('a status line of a megabyte', '08P01', qr/./, sub { $_[0]->say_bytes('HTTP/1.1 200 ' . 'x' x $bytes . "\r\n\r\n$good") });
says('a megabyte of headers', '08P01', qr/./, sub { $_[0]->answer($good, ('X: ' . 'x' x 95) x ($bytes / 100)) });
says('thousands of headers', '08P01', qr/./, sub { $_[0]->answer($good, map { "X-$_: " . 'x' x 60 } 1 .. 4_000) });
says('a hundred headers', 1, undef, sub { $_[0]->answer($good, map { "X-$_: y" } 1 .. 100) });
says('headers without end', '08P01', qr/./, sub { $_[0]->say_bytes($head); $_[0]->say_bytes('X: ' . 'x' x 95 . "\r\n") while 1; });
says('a folded header', 1, undef, sub { $_[0]->answer($good, "X: a\r\n b\r\n\tc") });
says('a header without a colon', '08P01', qr/./, sub { $_[0]->answer($good, 'nonsense') });
says('a header with a NUL', '08P01', qr/./, sub { $_[0]->answer($good, "X: a\0b") });
says('cookies', 1, undef, sub { $_[0]->answer($good, 'Set-Cookie: a=b; Domain=127.0.0.1', 'Alt-Svc: h2="127.0.0.1:1"; ma=9999') });

# The status.
says('a status line that is not HTTP', '08P01', qr/./, sub { $_[0]->say_bytes("SSH-2.0-OpenSSH_9.2\r\n") });
says('a bare body', '08P01', qr/./, sub { $_[0]->say_bytes($good) });
says('a mail server', '08P01', qr/./, sub { $_[0]->say_bytes("220 mail.example.com ESMTP\r\n"); $_[0]->stay(60) });
says('binary nonsense', '08P01', qr/./, sub { $_[0]->say_bytes(join '', map { chr(($_ * 7) % 256) } 1 .. 10_000) });
says('HTTP/0.9', '08P01', qr/./, sub { $_[0]->say_bytes("<html>$good</html>") });
says('HTTP/1.0', 1, undef, sub { $_[0]->say_bytes("HTTP/1.0 200 OK\r\n$json\r\n\r\n$good") });
says('HTTP/3.0', '08P01', qr/status line|HTTP version/i, sub { $_[0]->say_bytes("HTTP/3.0 200 OK\r\n$json\r\n\r\n$good") });
says('a status without a number', '08P01', qr/./, sub { $_[0]->say_bytes("HTTP/1.1 OK\r\n$json\r\n\r\n$good") });
says('a status that something sticks to', '08P01', qr/status line/, sub { $_[0]->say_bytes("HTTP/1.1 200OK\r\n$json\r\n\r\n$good") });
says("status $_", /^[69]../ ? 'HV00M' : '08P01', qr/./, do { my $status = $_; sub { $_[0]->say_bytes("HTTP/1.1 $status X\r\n$json\r\nContent-Length: $length\r\nConnection: close\r\n\r\n$good") } })
  for ('000', '99', '2000', '20', '600', '999', '201', '202', '203', '205', '206', '226', '299');
says('status 204', '08P01', qr/204/, sub { $_[0]->say_bytes("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n") });
says('status 304', 'HV00L', qr/304/, sub { $_[0]->say_bytes("HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n") });
says('status 101', '08P01', qr/101/, sub { $_[0]->say_bytes("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n$good") });
says('status 100 and 200', 1, undef, sub { $_[0]->say_bytes("HTTP/1.1 100 Continue\r\n\r\n"); $_[0]->answer($good) });
says('status 100 without end', '08P01', qr/./, sub { $_[0]->say_bytes("HTTP/1.1 100 Continue\r\nX: y\r\n\r\n" x 1000) while 1 });
says('status 103 now and then', 'HV00N', qr/time/i, sub { while (1) { $_[0]->say_bytes("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"); $_[0]->stay(1) } });
says('closed at once', 'HV00N', qr/./, sub { });

# The content type: the body decides.
says("content type $_", 1, undef, do { my $type = $_; sub { $_[0]->answer_status('200 OK', $good, "Content-Type: $type") } })
  for ('text/html', 'application/octet-stream', 'application/json; charset=utf-16', 'nonsense', '');
says('no content type', 1, undef, sub { $_[0]->answer_status('200 OK', $good) });
says('two content types', 1, undef, sub { $_[0]->answer($good, 'Content-Type: text/html') });
says('a web page', '08P01', qr{not JSON.*text/html},
	sub { $_[0]->answer_status('200 OK', '<!DOCTYPE html><html></html>', 'Content-Type: text/html') });

# Redirections are not followed, and the error says where they lead.
for my $status (300, 301, 302, 303, 307, 308)
{
	says("redirected by $status", 'HV00L', qr{\Q$status\E.*127\.0\.0\.2}, sub { $_[0]->answer_status("$status X", '', 'Location: http://127.0.0.2:1/trap') });
	says("redirected by $status to another path", 'HV00L', qr{\Q$status\E.*/trap}, sub { $_[0]->answer_status("$status X", '', 'Location: /trap') });
}
says('redirected to a file', 'HV00L', qr{302.*file:///etc/passwd}, sub { $_[0]->answer_status('302 Found', '', 'Location: file:///etc/passwd') });
says('redirected to nonsense', 'HV00L', qr/302/, sub { $_[0]->answer_status('302 Found', '', 'Location: http://[::::::/' . 'x' x 10_000) });
says('redirected with a list', 'HV00L', qr/302/, sub { $_[0]->answer_status('302 Found', $good, $json, 'Location: /trap') });
says('refreshed', 1, undef, sub { $_[0]->answer($good, 'Refresh: 0; url=/trap') });
$plays{trap} = sub { $_[0]->answer($good) };

# Errors that are more than an error.
says('a message of a megabyte', 'HV00L', qr/400: x{500}\.\.\./,
	sub { $_[0]->answer_status('400 Bad Request', '{"message":"' . 'x' x $bytes . '"}') });
says('a message with control characters', 'HV00L', qr/400: a b \[2Jc d\.$/m,
	sub { $_[0]->answer_status('400 Bad Request', '{"message":"a\nb\u001b[2Jc\u007fd"}') });
says('a message with the token', 'HV00L', qr/400: \*{12}-1 twice \*{12}-1\.$/m,
	sub { $_[0]->answer_status('400 Bad Request', '{"message":"raw-password-1 twice raw-password-1"}') });
says('a Retry-After of 1e999', '53400|HV00L', qr/429/, sub { $_[0]->answer_status('429 X', '', 'Retry-After: 1e999') });
says('a Retry-After of centuries', '53400', qr/429/, sub { $_[0]->answer_status('429 X', '', 'Retry-After: 9999999999') });
says('a Retry-After below zero', '53400', qr/429/, sub { $_[0]->answer_status('429 X', '', 'Retry-After: -5') });
says('a Retry-After that is nonsense', '53400', qr/429/, sub { $_[0]->answer_status('429 X', '', 'Retry-After: soon') });

# An addition that such an answer comes to is an error: it may or may not be taken.
takes('no JSON', 'sendkit', '08P01', $not_json, sub { $_[0]->answer('OK') });
takes('success that is false', 'sendkit', '08P01', qr/false/, sub { $_[0]->answer('{"success":false}') });
takes("a count of $_", 'sendkit', '08P01', qr/imported|speaks of/,
	do { my $n = $_; sub { $_[0]->answer("{\"success\":true,\"data\":{\"imported\":$n,\"skipped\":0}}") } })
  for ('1e999', '-1', '0.5', '2', '0', '"1"', '9007199254740991', '9007199254740992');
takes('a count twice', 'sendkit', '08P01', qr/imported/, sub { $_[0]->answer('{"success":true,"data":{"imported":1,"imported":0,"skipped":0}}') });
takes('a body without end', 'alta', '54000', qr/4194304/, $plays{ (grep { $_->[0] eq 'a body without end' } @cases)[0][1] });
takes('a gzip bomb', 'alta', '54000', qr/4194304/, $plays{ (grep { $_->[0] eq 'a gzip bomb' } @cases)[0][1] });
takes('headers without end', 'alta', '08P01', qr/headers/, $plays{ (grep { $_->[0] eq 'headers without end' } @cases)[0][1] });
takes('no HTTP', 'alta', '08P01', qr/HTTP/, sub { $_[0]->say_bytes("250 OK\r\n") });
takes('a byte a second', 'alta', 'HV00N', qr/time/i, $plays{ (grep { $_->[0] eq 'a byte a second' } @cases)[0][1] });
takes('half an answer', 'alta', '08P01', qr/./, sub { $_[0]->say_bytes("${head}Content-Length: 5000\r\n\r\n$good") });
takes("redirected by $_", 'alta', 'HV00L', qr{$_.*/trap}, do { my $status = $_; sub { $_[0]->answer_status("$status X", '', 'Location: /trap') } })
  for (301, 302, 307, 308);

# ----- played -----

my $raw = RawServer->new(%plays);
my $dnc = DncTest->new;
my $node = $dnc->node;

$node->safe_psql('postgres', "CREATE DATABASE hostile ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
$node->safe_psql('hostile', 'CREATE EXTENSION dnc_fdw');
for my $name (@all)
{
	$node->safe_psql('hostile', qq{
		CREATE SERVER $name FOREIGN DATA WRAPPER dnc_fdw
		  OPTIONS (provider '$provider{$name}', base_url 'http://127.0.0.1:1', max_retries '0',
			request_timeout '2s', max_requests '100', requests_per_minute '0', max_response_size '$max_response_size');
		CREATE USER MAPPING FOR CURRENT_USER SERVER $name OPTIONS (token 'raw-password');
		CREATE FOREIGN TABLE $name (identifier text, identifier_type text, reason text, created_at text, attrs jsonb) SERVER $name;
	});
}
$node->safe_psql('hostile', q{
	CREATE FUNCTION play(server text, url text, aggregate text, OUT outcome text, OUT message text, OUT detail text,
		OUT hint text, OUT context text) LANGUAGE plpgsql AS $$
	BEGIN
	  EXECUTE format('ALTER SERVER %I OPTIONS (SET base_url %L)', server, url);
	  IF aggregate = 'count(*)' THEN
	    EXECUTE format('SELECT count(*) FROM %I', server) INTO outcome;
	  ELSE
	    EXECUTE format('SELECT %s FROM (SELECT * FROM %I OFFSET 0) x WHERE x.attrs IS NOT NULL', aggregate, server)
	      INTO outcome;
	  END IF;
	EXCEPTION WHEN OTHERS THEN
	  GET STACKED DIAGNOSTICS outcome = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
	    detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
	  IF outcome = '53400' THEN -- a Retry-After is kept to, but not with another user mapping
	    EXECUTE format('DROP USER MAPPING FOR CURRENT_USER SERVER %I', server);
	    EXECUTE format('CREATE USER MAPPING FOR CURRENT_USER SERVER %I OPTIONS (token %L)', server, 'raw-password');
	  END IF;
	END $$;
});

my $session = $node->background_psql('hostile', on_error_stop => 0);
$session->set_query_timer_restart;
my $pid = $session->query('SELECT pg_backend_pid()');

# A line of the session's /proc/PID/status, in kB.
sub status_kb
{
	my ($line) = @_;

	slurp_file("/proc/$pid/status") =~ /^$line:\s+(\d+) kB/m or die "no $line";
	return $1;
}

# Our memory contexts that are left after a statement, their bytes; but for what
# is kept of each user mapping.
sub contexts
{
	return $session->query(
		"SELECT string_agg(name || ' ' || total_bytes, ', ' ORDER BY name) FROM pg_backend_memory_contexts
		 WHERE name LIKE 'dnc_fdw%' AND name <> 'dnc_fdw allowances'");
}

# VmHWM begins anew where the kernel lets us; else it is the peak of all so far.
sub reset_peak
{
	open my $file, '>', "/proc/$pid/clear_refs" or return;
	print $file "5\n";
	close $file;
	return;
}

my ($contexts, $memory);
my @worst = (0, 'none');

# What is waited for in vain need not warm up.
for my $round ('warm up', 'count')
{
	for my $case ($round eq 'count' ? @cases : grep { $_->[3] ne 'HV00N' } @cases)
	{
		my ($name, $place, $flavour, $expected, $pattern, $aggregate) = @$case;

		reset_peak();
		my $before = status_kb('VmRSS');
		my $got = $session->query("SELECT concat_ws(E'\\n', outcome, 'MESSAGE: ' || message, 'DETAIL: ' || detail, 'HINT: ' || hint,
			'CONTEXT: ' || context) FROM play('$flavour', '" . $raw->url($place) . "', '$aggregate')");
		my $growth = status_kb('VmHWM') - $before;

		@worst = ($growth, $name) if $growth > $worst[0];
		next if $round eq 'warm up';
		my ($code) = $got =~ /\A(\w*)/;
		my ($detail) = $got =~ /^DETAIL: (.*?)^HINT: /ms;
		note "$name: $got (+$growth kB)\n";
		like($code, qr/^($expected)$/, "$name: $expected") or diag($got);
		like($detail, $pattern, "$name: the error says why") if $pattern;
		unlike($got, qr/raw-password/, "$name: the token is not told");
	}
	$contexts //= contexts();
	$memory //= status_kb('VmRSS');
}

# Additions are sent at COMMIT.  One that is not surely refused may have arrived.
$session->query('\set VERBOSITY verbose');
for my $case (@writes)
{
	my ($name, $place, $flavour, $expected, $pattern) = @$case;

	$session->query("ALTER SERVER $flavour OPTIONS (SET base_url '" . $raw->url($place) . "')");
	$session->query("INSERT INTO $flavour (identifier, identifier_type) VALUES ('a\@example.com', 'email')");
	like($session->{stderr}, qr/ERROR:  \Q$expected\E: /, "adding, $name: $expected");
	like($session->{stderr}, qr/^DETAIL:  .*$pattern/m, "adding, $name: the error says why");
	my $clear = $expected eq 'HV00L';    # it was refused
	my $says = $session->{stderr} =~ /Whether the last request, with 1 of them, was taken is not known\./;
	is(!!$says, !$clear, "adding, $name: whether it may have been taken");
	$session->{stderr} = '';
}
note "largest growth: $worst[0] kB, in $worst[1]";
cmp_ok($worst[0], '<', $max_growth_kb, 'no answer takes much more memory than it may have bytes');
is(contexts(), $contexts, 'no answer leaves a memory context behind');
cmp_ok(status_kb('VmRSS') - $memory, '<', 2 * 1024, 'nor memory');
is($session->query('SELECT pg_backend_pid()'), $pid, 'it is the same session');
is(scalar($raw->requests('trap')), 0, 'nothing was sent where a redirection leads');
is(scalar(grep { /^GET \S*cursor=%20HTTP%2F1\.1%0D%0AX-Injected\S*$/ } map { $raw->requests($_->[1]) } @cases), 2 * 2,
	'a cursor stays one, in both rounds');
is($session->{stderr}, '', 'nothing else was said');
$session->quit;
unlike(slurp_file($node->logfile), qr/PANIC|was terminated by signal|TRAP:/, 'nothing crashed');

$dnc->stop;
done_testing();
