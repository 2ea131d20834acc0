# DncFuzz::Json: a reader of JSON (RFC 8259) that shares nothing with the
# reader that it judges, and keeps what others drop: members that come twice,
# numbers as they are written, the place of a value in the text.
#
# A value is [kind, value, raw text]; kind is one of
#	o  object; value: list of [name, value, raw name]
#	a  array; value: list of values
#	s  string; value: its bytes, UTF-8
#	n  number; value: as written
#	b  boolean; value: 0 or 1
#	z  null

package DncFuzz::Json;

use strict;
use warnings;
no warnings 'recursion';

# The deepest nesting that a text may have.
our $max_depth = 1000;

# Beyond so many digits of a number a client may give up, and ours does.
our $max_number = 63;

my %escapes = (
	'"' => '"', '\\' => '\\', '/' => '/', b => "\b", f => "\f", n => "\n", r => "\r", t => "\t");

# Is a text well-formed UTF-8, without NUL?
sub is_utf8
{
	my ($text) = @_;

	pos($text) = 0;
	1 while $text =~ /\G(?:[\x01-\x7f]+|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]
		|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}
		|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2})/gcx;
	return pos($text) == length $text;
}

# A code point as UTF-8.
sub utf8_of
{
	my ($code) = @_;
	my $char = chr $code;

	utf8::encode($char);
	return $char;
}

# The bytes inside of a string; dies where an escape is malformed, or half a
# pair.
sub unescape
{
	my ($inside) = @_;
	my $out = '';

	return $inside if index($inside, '\\') < 0;
	pos($inside) = 0;
	while (pos($inside) < length $inside)
	{
		if ($inside =~ /\G([^\\]+)/gc) { $out .= $1 }
		elsif ($inside =~ /\G\\(["\\\/bfnrt])/gc) { $out .= $escapes{$1} }
		elsif ($inside =~ /\G\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})/gc)
		{
			$out .= utf8_of(0x10000 + ((hex($1) - 0xd800) << 10) + hex($2) - 0xdc00);
		}
		elsif ($inside =~ /\G\\u(?![dD][89a-fA-F])([0-9a-fA-F]{4})/gc)
		{
			die "escaped NUL\n" if $1 eq '0000';
			$out .= utf8_of(hex $1);
		}
		else { die "bad escape\n" }
	}
	return $out;
}

# A string, its opening quote included, at the text's pos.
sub string
{
	my ($text) = @_;

	$$text =~ /\G"((?:[^"\\\x00-\x1f]++|\\.)*+)"/gcs or die "bad string\n";
	return (unescape($1), qq{"$1"});
}

# A value at the text's pos, within so many objects and arrays.  The reader notes
# facts about all values.
sub value
{
	my ($text, $depth, $reader) = @_;
	my $from;

	$$text =~ /\G[ \t\n\r]+/gc;
	$from = pos $$text;
	if ($$text =~ /\G(?=")/gc)
	{
		my ($value, $raw) = string($text);
		return [ 's', $value, $raw ];
	}
	if ($$text =~ /\G(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)/gc)
	{
		$reader->{long_number} = 1 if length $1 > $max_number;
		return [ 'n', $1, $1 ];
	}
	return [ 'b', $1 eq 'true' ? 1 : 0, $1 ] if $$text =~ /\G(true|false)/gc;
	return [ 'z', undef, 'null' ] if $$text =~ /\Gnull/gc;
	die "nested too deep\n" if $depth >= $max_depth;
	my ($kind, $list)
		= $$text =~ /\G\{/gc ? ('o', members($text, $depth, $reader))
		: $$text =~ /\G\[/gc ? ('a', elements($text, $depth, $reader))
		:                      die "no value\n";
	return [ $kind, $list, substr($$text, $from, pos($$text) - $from) ];
}

# The members of an object, up to its closing brace.
sub members
{
	my ($text, $depth, $reader) = @_;
	my @members;

	return [] if $$text =~ /\G[ \t\n\r]*\}/gc;
	do
	{
		$$text =~ /\G[ \t\n\r]+/gc;
		my ($name, $raw) = string($text);
		$$text =~ /\G[ \t\n\r]*:/gc or die "no colon\n";
		push @members, [ $name, value($text, $depth + 1, $reader), $raw ];
	} while ($$text =~ /\G[ \t\n\r]*,/gc);
	$$text =~ /\G[ \t\n\r]*\}/gc or die "object does not end\n";
	return \@members;
}

# The elements of an array, up to its closing bracket.
sub elements
{
	my ($text, $depth, $reader) = @_;
	my @elements;

	return [] if $$text =~ /\G[ \t\n\r]*\]/gc;
	do
	{
		push @elements, value($text, $depth + 1, $reader);
	} while ($$text =~ /\G[ \t\n\r]*,/gc);
	$$text =~ /\G[ \t\n\r]*\]/gc or die "array does not end\n";
	return \@elements;
}

# Reads a text; dies where it is no JSON, or JSON that PostgreSQL cannot store.
# In list context the second value says whether a client may give up the text
# all the same, because of a long number.
sub read_text
{
	my ($text) = @_;
	my $reader = {};

	die "not UTF-8\n" unless is_utf8($text);
	# A reader may ignore a byte order mark (RFC 8259 8.1), and ours does.
	$text =~ s/\A\xef\xbb\xbf//;
	pos($text) = 0;
	my $value = value(\$text, 0, $reader);
	$text =~ /\G[ \t\n\r]*\z/gc or die "trailing garbage\n";
	return ($value, $reader->{long_number});
}

# The value at a path such as "pagination.total"; undef: the path is not there, or
# twice.
sub get
{
	my ($value, $path) = @_;

	for my $name (split /\./, $path)
	{
		return if !defined $value || $value->[0] ne 'o';
		my @found = grep { $_->[0] eq $name } @{ $value->[1] };
		return if @found != 1;
		$value = $found[0][1];
	}
	return $value;
}

# ---- as the type jsonb shows it

# A number as numeric shows it: digits without an exponent.
sub numeric
{
	my ($raw) = @_;
	my ($sign, $whole, $fraction, $exponent) =
		$raw =~ /^(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([-+]?[0-9]+))?$/;

	$fraction //= '';
	$exponent //= 0;
	if ($exponent >= 0)
	{
		$fraction .= '0' x ($exponent - length $fraction) if $exponent > length $fraction;
		$whole .= substr $fraction, 0, $exponent, '';
	}
	else
	{
		$whole = '0' x (-$exponent + 1 - length $whole) . $whole if -$exponent >= length $whole;
		$fraction = substr($whole, $exponent, -$exponent, '') . $fraction;
	}
	$whole =~ s/^0+(?=[0-9])//;
	$sign = '' unless "$whole$fraction" =~ /[1-9]/;
	return $sign . $whole . ($fraction eq '' ? '' : ".$fraction");
}

my %controls = ("\b" => '\b', "\f" => '\f', "\n" => '\n', "\r" => '\r', "\t" => '\t');

# A string as jsonb shows it.
sub quoted
{
	my ($bytes) = @_;

	$bytes =~ s/(["\\])/\\$1/g;
	$bytes =~ s/([\x01-\x1f])/$controls{$1} || sprintf '\\u%04x', ord $1/ge;
	return qq{"$bytes"};
}

# A value as jsonb shows it; dies where numeric may not take a number.
sub jsonb
{
	my ($value) = @_;
	my ($kind, $what) = @$value;

	if ($kind eq 'o')
	{
		my %last = map { $_->[0] => $_->[1] } @$what;

		return '{' . join(', ', map { quoted($_) . ': ' . jsonb($last{$_}) }
				sort { length $a <=> length $b || $a cmp $b } keys %last) . '}';
	}
	return '[' . join(', ', map { jsonb($_) } @$what) . ']' if $kind eq 'a';
	return quoted($what) if $kind eq 's';
	return $what ? 'true' : 'false' if $kind eq 'b';
	return 'null' if $kind eq 'z';
	die "out of numeric's range\n" if $what =~ /[eE][-+]?0*[0-9]{4}/;
	return numeric($what);
}

1;
