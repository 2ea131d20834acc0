# fuzz/run.pl: the part of scripts/test --fuzz that has a cluster
#
#	run.pl SECONDS SEED FINDS       cases for so many seconds; saves finds in FINDS
#	run.pl --replay FILE ...        saved cases
#	run.pl --bodies DIRECTORY       no cases: writes the bodies of the corpus, a file each
#	run.pl --identifiers DIRECTORY  the same with the identifiers of t/golden/keys.tsv
#
# The cluster is that of $PGHOST, $PGUSER and $PGDATABASE.  Exit status: 0 without
# a find, 1 with one.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin, "$FindBin::RealBin/../t/lib";

use DncFuzz;
use Time::HiRes qw(time);

$| = 1;
if (@ARGV == 2 && $ARGV[0] eq '--bodies')
{
	DncFuzz::write_bodies($ARGV[1]);
	exit 0;
}
if (@ARGV == 2 && $ARGV[0] eq '--identifiers')
{
	DncFuzz::write_identifiers($ARGV[1]);
	exit 0;
}
my $replay = @ARGV && $ARGV[0] eq '--replay' && shift @ARGV;
my ($seconds, $seed, $finds) = $replay ? (0, 0) : @ARGV;
my $fuzz = DncFuzz->new(
	pg => [ $ENV{PGHOST}, $ENV{PGPORT} // 5432, @ENV{qw(PGUSER PGDATABASE)} ], seed => $seed, finds => $finds,
	say => sub { print "$_[0]\n" });

if ($replay)
{
	my $bad = 0;

	for my $path (@ARGV)
	{
		my $wrong = $fuzz->replay($path);

		print "$path: ", $wrong // 'as it should be', "\n";
		$bad++ if $wrong;
	}
	exit($bad ? 1 : 0);
}

my $start = time;
my $told = $start;
my $found = $fuzz->run(
	1,
	sub {
		my ($number) = @_;

		if (time - $told > 60)
		{
			$told = time;
			printf "%d cases in %d min, %d finds\n", $number - 1, ($told - $start) / 60, $fuzz->{nfound};
		}
		return time - $start < $seconds;
	});
my $passed = time - $start;
printf "%s%d mutants in %.0f s, %.0f a minute, seed %d: %d finds\n", $fuzz->summary, $fuzz->{done}, $passed,
	$fuzz->{done} * 60 / $passed, $seed, $found;
exit($found ? 1 : 0);
