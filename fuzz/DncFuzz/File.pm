# DncFuzz::File: lists of the corpus and cases, as files.
#
# Lines of a name and a value, and pieces of bytes: "bytes LABEL LENGTH" on a line,
# then so many bytes and a line feed.

package DncFuzz::File;

use strict;
use warnings;

# Gives { value => { name => value }, pieces => [[label, bytes] ...] }.
sub read_file
{
	my ($path) = @_;
	my %file = (value => {}, pieces => []);

	open my $in, '<:raw', $path or die "$path: $!\n";
	while (my $line = <$in>)
	{
		if ($line =~ /^bytes (\S+) (\d+)$/)
		{
			my ($label, $length) = ($1, $2);
			my $bytes;
			read($in, $bytes, $length + 1) == $length + 1 && $bytes =~ s/\n\z//
				or die "$path: ends early\n";
			push @{ $file{pieces} }, [ $label, $bytes ];
		}
		elsif ($line =~ /^(\S+) (.*)$/) { $file{value}{$1} = $2 }
		else { die "$path: bad line: $line" }
	}
	return \%file;
}

# values: [[name, value] ...]; pieces as above.
sub write_file
{
	my ($path, $values, $pieces) = @_;

	open my $out, '>:raw', $path or die "$path: $!\n";
	print $out "$_->[0] $_->[1]\n" for @$values;
	printf $out "bytes %s %d\n%s\n", $_->[0], length $_->[1], $_->[1] for @$pieces;
	close $out or die "$path: $!\n";
	return;
}

1;
