# DncDocs: the documentation as something that can be run and looked up.
#
# The conventions, which CONTRIBUTING.md tells authors:
#
#	```sql            runs in psql, and nothing of it may fail
#	```output         right behind a block of sql: what psql prints for it, to the
#	                  letter; an error too, with or without its SQLSTATE
#	```sql not-run    is only shown: it needs what a test does not have, and the
#	                  text around it says what
#
# The blocks of a file run in their order, in one session.  Its database is that
# of scripts/demo --psql: what scripts/demo.sql leaves behind.  A block that
# creates the extension begins in a new database that is empty, as a reader does.
# If there is a file t/docs/NAME.sql, it runs before the first block of NAME.md.

package DncDocs;

use strict;
use warnings;

# What may differ between runs, machines and releases of PostgreSQL.  Nothing
# else is made equal before texts are compared.
my @normalisations = (
	sub { s/[ \t]+$//mg },                                      # psql pads names of columns
	sub { s/\n*\z/\n/ },                                        # and ends with a blank line
	sub { s/127\.0\.0\.1:\d+/127.0.0.1:8089/g },                # the sandbox's port
	sub { s/^psql:\S+ //mg },
	sub { s/^LOCATION: .*\n//mg },

	# EXPLAIN: its head is as wide as its longest line; ANALYZE measures times; PostgreSQL
	# 18 counts rows in fractions, and shows buffers without being asked.
	sub { s/^ *QUERY PLAN *\n-+\n(.*?\n)\(\d+ rows?\)\n/QUERY PLAN\n$1/msg },
	sub { s/actual time=[\d.]+\.\.[\d.]+ rows/actual time=0.0..0.0 rows/g },
	sub { s/(\(actual [^()]*rows=\d+)\.00\b/$1/g },
	sub { s/\b((?:Planning|Execution) Time|Time Waited): [\d.]+ ms/$1: 0.0 ms/g },
	sub { s/^ +(?:Buffers: .*|Planning:)\n//mg },

	# What dnc_fdw_probe() has read in the headers of a rate limit.
	sub { s/headers: \d+ requests a window, \d+ left, \d+ s to the next( *)/headers: N requests a window, N left, N s to the next/g },

	# Releases differ in which side of a join condition they put first.
	sub { s/\(([\w.]+) = ([\w.]+)\)/'(' . join(' = ', sort $1, $2) . ')'/ge });

# A text as it is compared.
sub normalised
{
	local ($_) = @_;

	foreach my $make_equal (@normalisations)
	{
		$make_equal->();
	}
	return $_;
}

# Is what psql has printed what the documentation shows?  What it shows of an
# error may leave the SQLSTATE out.
sub same
{
	my ($got, $shown) = map { normalised($_) } @_;

	$got =~ s/^((?:ERROR|WARNING|NOTICE):  )\w{5}: /$1/mg unless $shown =~ /^ERROR:  [0-9A-Z]{5}: /m;
	return ($got, $shown);
}

# The fenced blocks of a text, in order: line of the fence, info string, text
# without the indentation of the fence, and behind, what stands between this
# block and the next one.
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

# What is to be run of a text: blocks of sql, each with the output that it shows,
# if it shows any.  Second, the blocks that are marked as not to be run; third,
# what breaks the conventions, a sentence each.
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
# block after the other.  Each example gets what was printed for it as got.  The
# empty database is copied where an example creates the extension.
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
		# Each block begins behind the mark; psql's word on \c is before it.
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
