# Hostile JSON: whatever an answer says, the statement ends in an error that says what is
# wrong, or gives the whole list: never a shorter one.  The session goes on, and its memory
# is what it was before.  Hostile HTTP is in 048_wire_hostile_http.pl.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncHostile;
use DncVendors;
use Test::More;

answers('a list', 1, undef, \&good);
answers('10000 levels of nesting', '08P01', qr/nested|not JSON/, sub { '[' x 10_000 . ']' x 10_000 });
answers('10000 levels in an entry', '08P01', qr/nested|not JSON/, has('"x":' . '[' x 10_000 . ']' x 10_000));
answers('10000 objects in an entry', '08P01', qr/nested|not JSON/, has('"x":' . '{"a":' x 10_000 . '1' . '}' x 10_000));
answers('900 levels in an entry', 1, undef, has('"x":' . '[' x 900 . ']' x 900));
answers('a string of 3 MB', 1, undef, sub { names('a' x 3_000_000)->(@_) }, @all[ 0, -1 ]);
answers('a string of 3 MB that nobody asks for', 1, undef, sub { has('"x":"' . '\u00e4' x 500_000 . '"')->(@_) }, @all[ 0, -1 ]);
answers('a string of 5 MB', '54000', qr/4194304/, sub { names('a' x 5_000_000)->(@_) });
answers('a million values', '08P01', qr/values/, sub { has('"x":[' . '0,' x 1_000_000 . '0]')->(@_) });
answers('200000 values', 1, undef, sub { has('"x":[' . '0,' x 199_900 . '0]')->(@_) });
answers('a million objects', '08P01', qr/values/, sub { '[' . '{},' x 1_000_000 . '{}]' }, $all[0]);
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
sub member { my ($flavour, $what, $value) = @_; return '"' . name_of($flavour, $what) . "\":\"$value\"" }
sub twice { my ($what, $first, $second) = @_; return sub { pages({ $what => "$first,\"" . name_of($_[0], $what) . "\":$second" })->(@_) } }
sub disguised { my ($name) = @_; return sprintf('\u%04x', ord $name) . substr $name, 1 }
answers('entries given twice', '08P01', qr/missing/, sub { my $name = name_of($_[0], 'list'); good(@_) =~ s/("$name":)(\[.*?\])/$1\[\],$1$2/r });
answers('entries given twice, once in disguise', '08P01', qr/missing/,
	sub { my $name = name_of($_[0], 'list'); my $other = disguised($name); good(@_) =~ s/("$name":\[.*?\])/$1,"$other":[]/r });
answers('an identifier twice', '08P01', qr/twice/, sub { has(member($_[0], 'identifier', 'b'))->(@_) });
answers('an identifier twice, once in disguise', '08P01', qr/twice/,
	sub { has('"' . disguised(name_of($_[0], 'identifier')) . '":"b"')->(@_) });
answers('an id twice', '08P01', qr/twice|missing/, sub { has(member($_[0], 'id', 2))->(@_) });
answers('another member twice', 1, undef, has('"x":1,"x":2'));
answers('more twice', '08P01', qr/missing/, twice('more', 'false', 'true'), those('more'));
answers('total twice', '08P01', qr/total.*missing/, twice('total', 1, 200), those('total'));
answers('pages twice', '08P01', qr/missing/, twice('pages', 1, 2), those('pages'));
answers('success twice', '08P01', qr/missing/, sub { my $name = name_of($_[0], 'success'); good(@_) =~ s/"$name":true/"$name":true,"$name":false/r }, those('success'));

# Numbers that count.
for my $number ('1e999', '-1', '1.5', '1e30', '"1"', 'null', 'true', '[1]', '0.9999999999', '9007199254740992', '9007199254740993')
{
	answers("total $number", '08P01', qr/total|add up/, pages({ total => $number }), those('total'));
	answers("$_ $number", '08P01', qr/\w/, pages({ $_ => $number }), those('pages')) for ('page', 'limit', 'pages');
}
# From 2^53 on, cJSON does not tell a number from the next one.
counts("a total of $_", '08P01', qr/total.*whole number/, pages({ total => $_ }), those('total'))
  for ('9007199254740992', '9007199254740993');
answers('a total of 2^53 - 1', '08P01', qr/9007199254740991/, pages({ total => '9007199254740991' }), those('total', 'more'));
answers('a total of 2^53 - 1', '08P01', qr/add up/, pages({ total => '9007199254740991', pages => '90071992547410' }), those('pages'));
answers('no entry of a total of one', '08P01', qr/\b0\b/, sub { page($_[0], '') }, those('total'));
answers('an entry of a total of none', '08P01', qr/\b0\b/, pages({ total => 0, pages => 0 }), those('total'));
counts('a total of 7', 7, undef, sub { my ($flavour) = @_; page($flavour, join(',', map { with_id(entry($flavour, $_), $_) } 1 .. 7), { total => 7 }) },
	those('total'));
counts('a total below what is there', '08P01', qr/\b0\b/, pages({ total => 0, pages => 0, more => 'true', next => '"x"' }),
	those('total'));
counts("a total of $_", '08P01', qr/total|add up/, pages({ total => $_ }), those('total')) for ('1e999', '-1', '1.5');
answers('a limit of 0', '08P01', qr/limit/, pages({ limit => 0 }), those('pages'));
answers('a limit of 2^40', '08P01', qr/limit/, pages({ limit => 1 << 40 }), those('pages'));
answers('a cursor of 3 MB', '08P01', qr/cursor|next|longer/i,
	sub { pages({ more => 'true', next => '"' . 'x' x 3_000_000 . '"' })->(@_) }, those('more'));
answers('a cursor that is a header', '08P01', qr/read before/,
	pages({ more => 'true', total => 5, next => '" HTTP/1.1\r\nX-Injected: 1\r\n\r\n#&?limit=1"' }), those('more'));

# Each answer comes from a process of its own.  An id of its own makes each page a new one.
my %endless = (more => 'true', total => 1 << 40);
answers('the same page again and again', '08P01', qr/^16 pages in a row/,
	sub { page($_[0], entry($_[0], 'a'), { %endless, next => "\"$$\"" }) }, those('more'));
answers('a list without end', '54000', qr/max_requests is 100/,
	sub { page($_[0], with_id(entry($_[0], 'a'), $$), { %endless, next => "\"$$\"" }) }, those('more'));

# An id is that of one entry.
my %two = (total => 2);
answers('two entries with one id', '08P01', qr/not the same identifier and type/,
	sub { page($_[0], entry($_[0], 'a') . ',' . entry($_[0], 'b'), \%two) });
answers('one entry twice on a page', 1, undef,
	sub { page($_[0], entry($_[0], 'a') . ',' . entry($_[0], 'a', '"reason":"customer_request"')) }, those('more'));
answers('one entry twice on a page', '08P01', qr/twice/,
	sub { page($_[0], entry($_[0], 'a') . ',' . entry($_[0], 'a'), \%two) }, those('pages'));
answers('two types with one id', '08P01', qr/not the same identifier and type/,
	sub { my ($flavour) = @_; my $name = name_of($flavour, 'type'); page($flavour, join(',', map { entry($flavour, 'a') =~ s/("$name":")[^"]*/$1$_/r } 'sms', 'domain'), \%two) },
	those('type'));

play();
my $asks = join '|', grep { defined } map { $DncVendors::vendors{$_}{asks}{cursors} } DncVendors::names();
is(scalar(grep { /^GET \S*[?&](?:$asks)=%20HTTP%2F1\.1%0D%0AX-Injected\S*$/ } requests_of()), 2 * those('more'),
	'a cursor stays one, in both rounds');
done_testing();
