# DncFuzz::Http: reads an answer from these bytes, after which the connection
# is closed (RFC 9112).

package DncFuzz::Http;

use strict;
use warnings;

use Compress::Raw::Zlib;

# A client may refuse header lines beyond this.
my $max_head = 60_000;

# The body of a message in chunks; undef: it ends early.  Dies where the chunks
# are malformed.
sub unchunk
{
	my ($bytes) = @_;
	my $body = '';

	pos($bytes) = 0;
	for (;;)
	{
		return unless $bytes =~ /\G([0-9a-fA-F]{1,7})(?:;[\x20-\x7e]*)?\r\n/gc
			|| ($bytes =~ /\G[0-9a-fA-F]*(?:;[\x20-\x7e]*)?\r?\z/ ? return : die "bad chunk\n");
		my $size = hex $1;
		if ($size == 0)
		{
			$bytes =~ /\G(?:[A-Za-z0-9-]+: [\x20-\x7e]*\r\n)*/gc;
			# A client may do without one of the last two bytes (RFC 9112 2.2).
			die "bad chunk\n" if $bytes =~ /\G(?:\r\z|\n)/gc;
			$bytes =~ /\G\r\n/gc or return;
			return ($body, length($bytes) - pos $bytes);
		}
		return if length($bytes) - pos($bytes) < $size + 2;
		$body .= substr $bytes, pos $bytes, $size;
		pos($bytes) += $size;
		$bytes =~ /\G\r\n/gc or die "bad chunk\n";
	}
}

# The uncompressed bytes; undef: they end early.  Dies where they are not
# compressed.
sub inflate
{
	my ($body, $encoding) = @_;
	my ($stream, $status) = Compress::Raw::Zlib::Inflate->new(
		-WindowBits => $encoding eq 'gzip' ? WANT_GZIP : WANT_GZIP_OR_ZLIB, -ConsumeInput => 1);
	my $out;

	$status = $stream->inflate($body, $out);
	return if $status == Z_OK || $status == Z_BUF_ERROR;
	die "bad compression\n" if $status != Z_STREAM_END || length $body;
	return $out;
}

# Reads bytes into { status, body, broken, doubt, compressed, paces, again, age }:
#	body        undef: the body did not come whole, or cannot be told
#	broken      a client has to see that something is missing
#	doubt       the answer is malformed: a client may refuse it
#	compressed  the body is larger than it looks
#	paces       the answer may say when the next request may be sent
#	again       the connection can carry another answer
sub read_answer
{
	my ($bytes) = @_;
	my %answer = (status => 0, doubt => 0, broken => 0, again => 0);
	my %header;

	if ($bytes !~ /\A(.*?\r\n)\r\n/s)
	{
		$answer{broken} = 1;
		$answer{doubt} = 1 if $bytes =~ /\n/;
		return \%answer;
	}
	my $head = $1;
	my $rest = substr $bytes, length($head) + 2;
	my ($first, @lines) = split /\r\n/, $head;
	$answer{paces} = $head =~ /\A\S+ +429|retry|rate/i;
	$answer{doubt} = 1 if length $head > $max_head;
	if ($first =~ m{\AHTTP/1\.1 ([2-9]\d\d)(?: [\x20-\x7e]*)?\z}) { $answer{status} = $1 }
	else { $answer{doubt} = 1; $answer{status} = $1 if $first =~ m{\AHTTP/[\d.]+\s+(\d{3})\b} }
	for my $line (@lines)
	{
		if ($line =~ /\A([A-Za-z0-9-]+): ([\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)?\z/)
		{
			my ($name, $value) = (lc $1, $2 // '');

			$answer{doubt} = 1
				if exists $header{$name} && $name =~ /^(?:content-(?:length|encoding)|transfer-encoding)$/;
			$header{$name} = $value;
		}
		else { $answer{doubt} = 1 }
	}
	$answer{age} = $header{age};
	take_body(\%answer, \%header, $rest);
	return \%answer;
}

# Takes the body, as the head describes it.
sub take_body
{
	my ($answer, $header, $rest) = @_;
	my $length = $header->{'content-length'};
	my $transfer = $header->{'transfer-encoding'};
	my $encoding = $header->{'content-encoding'};
	my $excess = 0;

	$answer->{compressed} = defined $encoding;
	if ($answer->{status} == 204 || $answer->{status} == 304)
	{
		$answer->{body} = '';
		$answer->{doubt} = 1 if length $rest || defined $transfer || $length;
		return;
	}
	$answer->{doubt} = 1
		if defined $transfer && (defined $length || lc $transfer ne 'chunked')
		|| defined $length && $length !~ /\A\d{1,9}\z/
		|| defined $encoding && $encoding !~ /\A(?:gzip|deflate)\z/
		|| exists $header->{upgrade};
	if (defined $transfer && lc $transfer eq 'chunked')
	{
		($rest, $excess) = eval { unchunk($rest) };
		if ($@) { $answer->{doubt} = 1; return }
		$answer->{broken} = 1 unless defined $rest;
	}
	elsif (defined $length && $length =~ /\A\d{1,9}\z/)
	{
		$answer->{broken} = 1 if length $rest < $length;
		$excess = length($rest) > $length;
		$rest = substr $rest, 0, $length;
	}
	elsif (defined $length || defined $transfer) { return }
	else { $answer->{until_end} = 1 }
	# A client may take surplus bytes for the next answer.
	$answer->{doubt} = 1 if $excess && !$answer->{broken};
	return if $answer->{broken};
	if (defined $encoding)
	{
		return if $encoding !~ /\A(?:gzip|deflate)\z/;
		$rest = eval { inflate($rest, $encoding) };
		if ($@ || !defined $rest) { $answer->{doubt} = 1; return }
	}
	$answer->{body} = $rest;
	$answer->{again} = !$answer->{doubt} && !$answer->{until_end} && lc($header->{connection} // '') ne 'close';
	return;
}

1;
