# DncSoak: many sessions at once on an unreliable vendor; nothing may be lost,
# nothing doubled.
#
# scripts/test --soak runs it for a long time, t/018_write_soak.pl for a short time.  Both
# bring a cluster (in the environment: PGHOST, ...) and the URL of a sandbox.
# DncSoakSession has the work of a session, and the rules that have to hold.

package DncSoak;

use strict;
use warnings;

use File::Temp qw(tempdir);
use HTTP::Tiny;
use POSIX qw(WNOHANG);
use Storable qw(nstore retrieve);
use Time::HiRes qw(sleep time);

use DncPsql;
use DncSoakSession;
use DncVendors;

# One account each, by the list's name.  one_each: the API adds one entry a request, wants more
# columns, and refuses entries that are listed.
my %lists = map { $_->{name} => { %$_, one_each => $DncVendors::vendors{ $_->{vendor} }{one_each} } } DncVendors::lists('soak');

# Faults, with their chances in 1,000: together 50.
my @faults = (
	[ 'kind=status&arg=500', 6 ], [ 'kind=status&arg=502', 5 ], [ 'kind=status&arg=503', 5 ],
	[ 'kind=status&arg=503&retry_after=1', 3 ], [ 'kind=status&arg=429', 3 ],
	[ 'kind=status&arg=429&retry_after=1', 3 ], [ 'kind=close', 6 ], [ 'kind=lost', 6 ], [ 'kind=cut', 4 ],
	[ 'kind=truncated', 2 ], [ 'kind=garbage', 2 ], [ 'kind=stall', 1 ], [ 'kind=stall_body', 1 ],
	[ 'kind=slow&arg=200000', 3 ]);

# Requests that an account allows in a window of this many milliseconds.
my ($rate_limit, $rate_window_ms) = (100, 1000);

# url of the sandbox, sessions, seconds, seed.  Gives back a report, whose
# failures should be none.
sub run
{
	my (%args) = @_;
	my $self = bless { %args, http => HTTP::Tiny->new(timeout => 60) }, __PACKAGE__;
	my $begin = time;

	$self->set_up;
	my $results = $self->run_sessions;
	my $report = $self->merge($results);
	$report->{count}{seconds} = int(time - $begin);
	$self->add_figures($report);
	$self->check_lists($report);
	return $report;
}

# A request to the sandbox's control plane; its answer's body.
sub control
{
	my ($self, $method, $path) = @_;
	my $answer = $self->{http}->request($method, "$self->{url}/sandbox/$path");

	die "$method $path: $answer->{status} $answer->{content}" unless $answer->{success};
	return $answer->{content};
}

# Statements that have to succeed; the rows of the last one.
sub sql
{
	my ($self, @statements) = @_;
	my $psql = DncPsql->new;
	my $answer;

	for my $statement (@statements)
	{
		$answer = $psql->query($statement);
		die "$answer->{message} $answer->{detail}: $statement" if $answer->{sqlstate};
	}
	$psql->finish;
	return @{ $answer->{rows} };
}

# Each list has a patient server and a hasty one.  The hasty server gives up
# sooner and sends smaller batches, so that more fails in the midst of a
# transaction.  Each of these servers has a table for either write_mode.
sub set_up
{
	my ($self) = @_;
	my @everything;

	$self->sql('CREATE TABLE done (session int, number int)');
	for my $name (sort keys %lists)
	{
		my $list = $lists{$name};
		my $columns = DncVendors::table_columns($list->{vendor});
		my $check = ", requests_per_minute '0'" . ($DncVendors::vendors{ $list->{vendor} }{numbers} ? ", scan_check 'reread'" : '');

		$self->control('DELETE', $list->{account});
		for my $server ($name, "${name}_hasty")
		{
			my $hasty = $server eq $name ? '' : ", max_retries '1'" . ($list->{one_each} ? '' : ", batch_size '7'");

			$self->sql(split(/;\s*/, DncVendors::server($server, $list->{vendor}, $self->{url}, $list->{account} =~ s/.*\///r,
					"request_timeout '1s', max_deletes '0'$check$hasty")),
				"CREATE FOREIGN TABLE $server ($columns) SERVER $server",
				"CREATE FOREIGN TABLE ${server}_now ($columns) SERVER $server OPTIONS (write_mode 'immediate')");
		}
		push @everything, "SELECT identifier FROM $name";
		$self->control('PUT', "$list->{account}/config?$_") for grep { $_ } @$list{qw(config steady)};
		$self->control('PUT', "$list->{account}/config?latency_ms=15&rate_limit=$rate_limit"
			  . "&rate_window_ms=$rate_window_ms&fault_seed=$self->{seed}");
		$self->control('POST', "$list->{account}/fault?$_->[0]&chance=$_->[1]&times=0") for @faults;
	}
	$self->sql('CREATE VIEW everything AS ' . join ' UNION ALL ', @everything);
	return;
}

# Runs the sessions, and meanwhile cancels and ends some of them; gives back their
# results.
sub run_sessions
{
	my ($self) = @_;
	my $dir = tempdir(CLEANUP => 1);
	my $until = time + $self->{seconds};
	my (%running, @results);

	for my $number (1 .. $self->{sessions})
	{
		my $pid = fork // die "fork: $!";

		if ($pid == 0)
		{
			srand $self->{seed} * 1000 + $number;
			$ENV{PGAPPNAME} = 'soak';
			my $session = DncSoakSession->new(number => $number, url => $self->{url}, lists => \%lists, until => $until);
			my $result = eval { $session->run } // { failures => ["session $number: $@"] };
			nstore $result, "$dir/$number";
			POSIX::_exit(0);
		}
		$running{$pid} = $number;
	}
	srand $self->{seed};
	my $psql = DncPsql->new;
	while (%running)
	{
		$self->disturb($psql) if time < $until;
		sleep 0.1 + rand 0.3;
		while ((my $pid = waitpid -1, WNOHANG) > 0)
		{
			my $number = delete $running{$pid} // next;
			push @results, -s "$dir/$number" ? retrieve("$dir/$number") : { failures => ["session $number: no result"] };
		}
		if (time > $until + 180)
		{
			push @results, map { { failures => ["session $_: does not end"] } } sort values %running;
			kill 'KILL', keys %running;
			last;
		}
	}
	$psql->finish;
	return \@results;
}

# Cancels a statement that is running in one of the sessions, or ends the session.
sub disturb
{
	my ($self, $psql) = @_;
	my $what = rand() < 0.75 ? 'cancel' : 'terminate';
	my $answer = $psql->query("SELECT pg_${what}_backend(pid) FROM pg_stat_activity
		WHERE application_name = 'soak' AND state = 'active' ORDER BY random() LIMIT 1");

	die $answer->{message} if $answer->{sqlstate};
	$self->{disturbed}{$what}++ if @{ $answer->{rows} };
	return;
}

# Puts the results of the sessions together.
sub merge
{
	my ($self, $results) = @_;
	my $report = { failures => [], count => {}, ms => {}, on_list => {} };

	for my $result (@$results)
	{
		push @{ $report->{failures} }, @{ $result->{failures} };
		$report->{count}{$_} += $result->{count}{$_} for keys %{ $result->{count} // {} };
		push @{ $report->{ms}{$_} }, @{ $result->{ms}{$_} } for keys %{ $result->{ms} // {} };
		for my $list (keys %{ $result->{on_list} // {} })
		{
			push @{ $report->{on_list}{$list} }, keys %{ $result->{on_list}{$list} };
		}
	}
	$report->{count}{"sessions: $_"} = $self->{disturbed}{$_} for keys %{ $self->{disturbed} // {} };
	return $report;
}

# Adds the sandbox's counts.
sub add_figures
{
	my ($self, $report) = @_;

	for my $list (values %lists)
	{
		my %stats = $self->control('GET', "$list->{account}/stats") =~ /^(\w+) (\d+)$/mg;

		for my $name (grep { /^(?:requests|rate_limited|fault_)/ } keys %stats)
		{
			$report->{count}{$name} += $stats{$name};
			$report->{count}{faults} += $stats{$name} if $name =~ /^fault_/;
		}
	}
	return;
}

# Checks that the lists have the entries that the sessions know: in the
# sandbox, and when they are read once nothing fails any more.
sub check_lists
{
	my ($self, $report) = @_;

	for my $name (sort keys %lists)
	{
		my $list = $lists{$name};
		my $known = join ' ', sort @{ $report->{on_list}{$name} // [] };
		my $entries = $self->control('GET', "$list->{account}/entries");
		my $listed = join ' ', sort $entries =~ /"(?:identifier|email|phoneNumber)":"([^"]+)"/g;

		$self->control('DELETE', "$list->{account}/fault");
		$self->control('PUT', "$list->{account}/config?rate_limit=0");
		my $read = join ' ', sort $self->sql("SELECT identifier FROM $name");
		push @{ $report->{failures} }, "$name: the list is [$listed], and has to be [$known]" if $listed ne $known;
		push @{ $report->{failures} }, "$name: the list is [$listed], and reads as [$read]" if $read ne $listed;
		$report->{count}{"entries on $name"} = () = $known =~ /\S+/g;
	}
	return;
}

# A report as text, a figure a line.
sub text
{
	my ($report) = @_;
	my $text = '';

	$text .= sprintf "%-28s %9d\n", $_, $report->{count}{$_} for sort keys %{ $report->{count} };
	for my $kind (sort keys %{ $report->{ms} })
	{
		my @ms = sort { $a <=> $b } @{ $report->{ms}{$kind} };

		$text .= sprintf "%-28s %9d, ms: p50 %.1f, p99 %.1f, most %.1f\n", "statements: $kind", scalar @ms,
		  $ms[ $#ms * 0.5 ], $ms[ $#ms * 0.99 ], $ms[-1];
	}
	return $text;
}

1;
