# Bench: measures, and sums up the results.
#
# A row of the benchmark is a list of variants that we compare with one
# another.  Rounds are interleaved: each runs every variant once, so that a
# disturbance of the machine hits all of them.  A run is a sample:
#
#	seconds   wall clock
#	cpu       seconds of CPU, of whoever does the work (not of the sandbox)
#	peak      kB of memory at the most, of the same
#	requests  that the sandbox got
#
# This module does not know what it measures: BenchRows does.

package Bench;

use strict;
use warnings;

use Exporter qw(import);
use HTTP::Tiny;
use IPC::Open2;
use List::Util qw(max min);
use POSIX ();
use Time::HiRes qw(time);

our @EXPORT = qw(control stats session_run shell_run floor_run run_row summaries median check psql);

my $sandbox = HTTP::Tiny->new(timeout => 120);
my @psql = ("$ENV{BENCH_BINDIR}/psql", qw(--no-psqlrc --quiet --no-align --tuples-only --set=ON_ERROR_STOP=1));

$ENV{PGOPTIONS} = '-c timezone=UTC -c client_min_messages=warning';

# ----- the sandbox -----

# A request to the sandbox's control plane; its answer's body.
sub control
{
	my ($method, $path) = @_;
	my $answer = $sandbox->request($method, "$ENV{DNC_SANDBOX_URL}/sandbox/$path");

	die "$method $path: $answer->{status} $answer->{content}" unless $answer->{success};
	return $answer->{content};
}

# The sandbox's figures, summed up over accounts (PROVIDER/NAME).
sub stats
{
	my %sum;

	for my $account (@_)
	{
		my $text = control('GET', "$account/stats");

		$sum{$1} += $2 while $text =~ /^(\w+) (\d+)$/mg;
	}
	return \%sum;
}

# ----- the backend -----

# Runs statements in a session of its own, without measuring; gives back their
# output.
sub psql
{
	my ($sql) = @_;

	open my $out, '-|', @psql, "--command=$sql" or die "psql: $!";
	local $/;
	my $text = <$out>;
	close $out or die "psql failed: $sql";
	return $text;
}

# Sends statements to a session; gives back their output, and the seconds that they took by psql's
# clock.
sub ask
{
	my ($session, $sql) = @_;
	my ($text, $ms) = ('', 0);

	print { $session->{in} } "$sql\n\\echo :::\n";
	$session->{in}->flush;
	while (defined(my $line = readline $session->{out}))
	{
		return ($text, $ms / 1000) if $line eq ":::\n";
		if ($line =~ /^Time: ([\d.]+) ms/)
		{
			$ms += $1;
		}
		else
		{
			$text .= $line;
		}
	}
	die "the session ended at: $sql";
}

# Seconds of CPU that a process has used.  Where the kernel counts nanoseconds, this is the sum
# over the threads that run; elsewhere it is in ticks of (mostly) 10 ms.
sub cpu_of
{
	my ($pid) = @_;
	my ($ns, $ticks);

	for my $file (glob "/proc/$pid/task/*/schedstat")
	{
		open my $in, '<', $file or next;
		$ns += $1 if <$in> =~ /^(\d+)/;
	}
	return $ns / 1e9 if $ns;
	open my $in, '<', "/proc/$pid/stat" or die "/proc/$pid/stat: $!";
	my @field = split ' ', <$in> =~ s/.*\)//r;
	return ($field[11] + $field[12]) / POSIX::sysconf(POSIX::_SC_CLK_TCK());
}

# The peak memory of a process, in kB.
sub peak_of
{
	my ($pid) = @_;

	open my $in, '<', "/proc/$pid/status" or die "/proc/$pid/status: $!";
	local $/;
	return <$in> =~ /^VmHWM:\s+(\d+) kB/m ? $1 : die 'no VmHWM';
}

# Dies if a run has another result than it should: wrong results are not worth a
# time.
sub check
{
	my ($what, $got, $expected) = @_;

	chomp $got;
	$got eq $expected or die "$what gave $got, not $expected";
	return;
}

# A sample of statements in a fresh session.  %run: sql; first (statements that we do not measure:
# they connect, and load what a session loads once); accounts whose requests count; gives (the
# output that the statements must have); peek (a function of their output, which adds to the
# sample).
sub session_run
{
	my (%run) = @_;
	my %session;
	my $psql = open2($session{out}, $session{in}, @psql);
	my ($pid) = ask(\%session, 'SELECT pg_backend_pid();');

	chomp $pid;
	ask(\%session, $run{first}) if $run{first};
	my $before = stats(@{ $run{accounts} });
	my $cpu = cpu_of($pid);
	my ($text, $seconds) = ask(\%session, "\\timing on\n$run{sql}\n\\timing off");
	my %sample = (seconds => $seconds, cpu => cpu_of($pid) - $cpu, peak => peak_of($pid));
	my $after = stats(@{ $run{accounts} });

	close $session{in};
	waitpid $psql, 0;
	check($run{sql}, $text, $run{gives}) if defined $run{gives};
	$sample{requests} = $after->{requests} - $before->{requests} if $before->{requests} || $after->{requests};
	$sample{limited} = $after->{rate_limited} - $before->{rate_limited} if $after->{requests};
	$run{peek}->($text, \%sample) if $run{peek};
	return \%sample;
}

# ----- other programs -----

# A sample of the floor program; arguments go to it.
sub floor_run
{
	my ($entries, @args) = @_;

	open my $out, '-|', $ENV{BENCH_FLOOR}, @args or die "$ENV{BENCH_FLOOR}: $!";
	my $line = <$out> // '';
	close $out or die 'the floor failed';
	my %sample;
	(@sample{qw(seconds cpu peak requests)}, my $got) = split ' ', $line;
	check("the floor of @args", $got, $entries);
	return \%sample;
}

# A sample of the shell loop, its processes and psql, without the backend's CPU.
sub shell_run
{
	my ($gives, $account, @args) = @_;
	my $before = stats($account);
	my ($start, @times) = (time, times);

	open my $out, '-|', "$ENV{BENCH_DIR}/shell", @args or die "shell: $!";
	my $text = do { local $/; <$out> };
	close $out or die 'the shell loop failed';
	my $seconds = time - $start;
	my @now = times;
	check('the shell loop', $text, $gives);
	return {
		seconds => $seconds,
		cpu => $now[2] + $now[3] - $times[2] - $times[3],
		requests => stats($account)->{requests} - $before->{requests}
	};
}

# ----- rounds -----

sub median
{
	my @sorted = sort { $a <=> $b } @_;
	my $middle = int(@sorted / 2);

	return undef unless @sorted;
	return @sorted % 2 ? $sorted[$middle] : ($sorted[ $middle - 1 ] + $sorted[$middle]) / 2;
}

# Runs a row, and gives each variant its samples, by round (1 and up).  A row or
# a variant may take fewer rounds than asked for (most).  A row that warms up
# has a round 0 that does not count, for variants that take all rounds.
sub run_row
{
	my ($row, $rounds) = @_;
	my @variants = grep { $_->{run} } @{ $row->{variants} };

	$rounds = min($rounds, $row->{most}) if $row->{most};
	$row->{prepare}->() if $row->{prepare};
	for my $round (($row->{warm_up} ? 0 : 1) .. $rounds)
	{
		# Each round begins with another variant.
		push @variants, shift @variants;
		for my $variant (@variants)
		{
			next if $variant->{most} && ($round == 0 || $round > $variant->{most});
			my $sample = $variant->{run}->();
			$variant->{sample}[$round] = $sample if $round > 0;
		}
		next if $round == 0;
		$_->{sample}[$round] = $_->{derive}->($round) for grep { $_->{derive} } @{ $row->{variants} };
	}
	$row->{clean_up}->() if $row->{clean_up};
	return;
}

# The ratios of a variant to another one, round by round where both ran, else of their medians.
sub ratio
{
	my ($variant, $base) = @_;
	my @rounds = grep { $variant->{sample}[$_] && $base->{sample}[$_] }
		1 .. min($#{ $variant->{sample} }, $#{ $base->{sample} });

	return median(map { $variant->{sample}[$_]{seconds} / $base->{sample}[$_]{seconds} } @rounds);
}

# The results of a row: for each variant a hash of row, variant, entries,
# title, base (the title of the variant that it is compared with), rounds,
# median, min, max (seconds), ratio, cpu, peak, fewest and requests (the fewest
# and the most requests), and the samples.
sub summaries
{
	my ($row) = @_;
	my ($default) = @{ $row->{variants} };
	my %by_name = map { $_->{name} => $_ } @{ $row->{variants} };
	my @results;

	for my $variant (@{ $row->{variants} })
	{
		my @samples = grep { defined } @{ $variant->{sample} };
		my $base = $variant->{base} ? $by_name{ $variant->{base} } : $default;
		my @requests = grep { defined } map { $_->{requests} } @samples;

		push @results, {
			row => $row->{name},
			variant => $variant->{name},
			entries => $row->{entries},
			title => $variant->{title},
			base => $base->{title},
			rounds => scalar @samples,
			median => median(map { $_->{seconds} } @samples),
			min => min(map { $_->{seconds} } @samples),
			max => max(map { $_->{seconds} } @samples),
			ratio => $base == $variant ? undef : ratio($variant, $base),
			cpu => median(grep { defined } map { $_->{cpu} } @samples),
			peak => max(grep { defined } map { $_->{peak} } @samples),
			fewest => min(@requests),
			requests => max(@requests),
			samples => \@samples
		};
	}
	return @results;
}

1;
