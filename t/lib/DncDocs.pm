# DncDocs: runs the examples of the documentation, and looks things up in it.
#
# The conventions, as CONTRIBUTING.md tells them to authors:
#
#	```sql            runs in psql, and nothing of it may fail
#	```output         right behind a block of sql: what psql prints for it, to the
#	                  letter; an error too, with or without its SQLSTATE
#	```sql not-run    is only shown: it needs what a test does not have, and the
#	                  text around it says what
#
# The blocks of a file run in their order, in one session.  Its database is that
# of scripts/demo --psql, as scripts/demo.sql leaves it.  A block that creates
# the extension begins in a new, empty database, as a reader does.  If there is a
# file t/docs/NAME.sql, it runs before the first block of NAME.md.

package DncDocs;

use strict;
use warnings;

# Differences between runs, machines and releases of PostgreSQL that we allow.
# We make nothing else equal before we compare texts.
my @normalisations = (
	sub { s/[ \t]+$//mg },                                      # psql pads names of columns
	sub { s/\n*\z/\n/ },                                        # and ends with a blank line
	sub { s/127\.0\.0\.1:\d+/127.0.0.1:8089/g },                # the sandbox's port
	sub { s/^psql:\S+ //mg },
	sub { s/^LOCATION: .*\n//mg },

	# EXPLAIN: the head is as wide as the longest line; ANALYZE measures times; PostgreSQL
	# 18 counts rows in fractions, and shows buffers without being asked.
	sub { s/^ *QUERY PLAN *\n-+\n(.*?\n)\(\d+ rows?\)\n/QUERY PLAN\n$1/msg },
	sub { s/actual time=[\d.]+\.\.[\d.]+ rows/actual time=0.0..0.0 rows/g },
	sub { s/(\(actual [^()]*rows=\d+)\.00\b/$1/g },
	sub { s/\b((?:Planning|Execution) Time|Time Waited): [\d.]+ ms/$1: 0.0 ms/g },
	sub { s/^ +(?:Buffers: .*|Planning:)\n//mg },

	# The headers of a rate limit, as dnc_fdw_probe() has read them.
	sub { s/headers: \d+ requests a window, \d+ left, \d+ s to the next( *)/headers: N requests a window, N left, N s to the next/g },

	# Releases differ in which side of a join condition they put first.
	sub { s/\(([\w.]+) = ([\w.]+)\)/'(' . join(' = ', sort $1, $2) . ')'/ge });

# A text in the form that we compare.
sub normalised
{
	local ($_) = @_;

	foreach my $make_equal (@normalisations)
	{
		$make_equal->();
	}
	return $_;
}

# The output of psql and that of the documentation, in the form that we
# compare.  The documentation may leave out the SQLSTATE of an error.
sub same
{
	my ($got, $shown) = map { normalised($_) } @_;

	$got =~ s/^((?:ERROR|WARNING|NOTICE):  )\w{5}: /$1/mg unless $shown =~ /^ERROR:  [0-9A-Z]{5}: /m;
	return ($got, $shown);
}

# The fenced blocks of a text, in order: line of the fence, info string, text
# without the indentation of the fence.  "behind" has the text between this
# block and the next.
sub blocks
{
	my ($markdown) = @_;
	my (@blocks, $open);
	my $number = 0;

	for my $line (split /\n/, $markdown)
	{
		$number++;
		if ($open && $line =~ /^\s*```\s*$/)
		{
			undef $open;
		}
		elsif ($open)
		{
			$line =~ s/^$open->{indent}//;
			$open->{text} .= "$line\n";
		}
		elsif ($line =~ /^(\s*)```(.*?)\s*$/)
		{
			$open = { line => $number, indent => $1, info => $2, text => '', behind => '' };
			push @blocks, $open;
		}
		elsif (@blocks)
		{
			$blocks[-1]{behind} .= "$line\n";
		}
	}
	return @blocks;
}

# Three lists from a text: the blocks of sql to run, each with the output that it
# shows, if any; the blocks that are marked as not to be run; and what breaks the
# conventions, a sentence each.
sub examples
{
	my ($markdown) = @_;
	my (@examples, @not_run, @mistakes);
	my $before;

	for my $block (blocks($markdown))
	{
		if ($block->{info} eq 'sql')
		{
			push @examples, $block;
		}
		elsif ($block->{info} eq 'output')
		{
			if ($before && $before->{info} eq 'sql' && $before->{behind} !~ /\S/)
			{
				$before->{output} = $block->{text};
			}
			else
			{
				push @mistakes, "line $block->{line}: output without the sql that it comes from";
			}
		}
		elsif ($block->{info} eq 'sql not-run')
		{
			push @not_run, $block;
		}
		elsif ($block->{info} =~ /^sql/)
		{
			push @mistakes, "line $block->{line}: \"$block->{info}\" is no kind of block";
		}
		elsif ($block->{text} =~ /^(?:\w*[=-][*#>]+ )?((?:SELECT|INSERT|DELETE|COPY|CREATE|ALTER|DROP|IMPORT|EXPLAIN|ANALYZE|GRANT|SET|BEGIN|COMMIT)\b.*)/m)
		{
			push @mistakes, "line $block->{line}: SQL outside of a block of sql: $1";
		}
		$before = $block;
	}
	return (\@examples, \@not_run, \@mistakes);
}

# Runs statements in psql, connected to a database, like a reader who pastes one
# block after the other.  Each example gets its output as "got".  Where an
# example creates the extension, we copy the empty database.
sub run
{
	my ($node, $database, $empty, $preparation, @examples) = @_;
	my $mark = '===== end of block';
	my $script = "\\set VERBOSITY verbose\n$preparation\n\\echo $mark\n";
	my $copies = 0;

	for my $example (@examples)
	{
		if ($example->{text} =~ /^CREATE EXTENSION dnc_fdw;/m)
		{
			my $copy = "${database}_" . ++$copies;
			$node->safe_psql('postgres', qq{CREATE DATABASE "$copy" TEMPLATE "$empty"});
			$script .= "\\c $copy\n\\set VERBOSITY verbose\n";
		}
		# Each block begins after the mark; psql's answer to \c stands before
		# the mark.
		$script .= "\\echo $mark\n$example->{text}\n\\echo $mark\n";
	}
	my ($out, $psql) = ('', [ 'psql', '--no-psqlrc', '--dbname', $node->connstr($database) ]);
	local $ENV{PGTZ} = 'UTC';
	IPC::Run::run($psql, '<', \$script, '>', \$out, '2>&1');

	my @pieces = split /^\Q$mark\E\n/m, $out, -1;
	my $prepared = shift @pieces;
	for my $example (@examples)
	{
		shift @pieces;
		$example->{got} = shift(@pieces) // "psql has ended before this block\n";
	}
	return $prepared;
}

1;
