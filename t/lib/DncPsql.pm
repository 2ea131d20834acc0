# DncPsql: a session of psql on two pipes.
#
# The background sessions of PostgreSQL::Test look at their pipes again and
# again; with twenty sessions at once that takes most of the machine.  Here a
# query blocks until its answer is there.  The environment says where to
# connect, as usual (PGHOST, PGPORT, PGUSER, PGAPPNAME).

package DncPsql;

use strict;
use warnings;

use IO::Handle;
use IPC::Open3 qw(open3);
use Time::HiRes qw(time);

my $marker = 'end of answer';

# Begins a session; dies if a few tries have brought none.
sub new
{
	my ($class) = @_;
	my $self = bless {}, $class;

	for (1 .. 20)
	{
		$self->{pid} = open3($self->{in}, $self->{out}, undef, $ENV{PSQL} || 'psql', '--no-psqlrc', '--quiet',
			'--no-align', '--tuples-only', '--dbname=postgres');
		$self->{in}->autoflush(1);
		my $answer = $self->query('\set VERBOSITY verbose');

		return $self unless $answer->{lost};
		select undef, undef, undef, 0.2;
	}
	die 'no connection';
}

# Runs a statement, without a semicolon.  Its answer: rows; sqlstate, message,
# detail and hint of an error; warning; lost: the connection is gone; ms: the
# time that it took.
sub query
{
	my ($self, $statement) = @_;
	my $answer = { rows => [], detail => '', hint => '', warning => '' };
	my $begin = time;
	my ($ended, $severity) = (0, '');
	local $SIG{PIPE} = 'IGNORE';

	print { $self->{in} } $statement, $statement =~ /^\\/ ? '' : ';', "\n\\echo $marker\n";
	while (defined(my $line = readline $self->{out}))
	{
		chomp $line;
		if ($line eq $marker)
		{
			$ended = 1;
			last;
		}
		if ($line =~ /^(?:psql\S* )?(ERROR|FATAL|PANIC|WARNING|NOTICE):  (?:(\w{5}): )?(.*)/)
		{
			$severity = $1;
			if ($severity eq 'WARNING')
			{
				$answer->{warning} .= $3;
			}
			elsif ($severity ne 'NOTICE')
			{
				@$answer{qw(sqlstate message)} = ($2, $3);
			}
		}
		elsif ($severity && $line =~ /^(DETAIL|HINT|CONTEXT|LOCATION|LINE \d+):\s+(.*)/)
		{
			$answer->{ lc $1 } = $2 if $severity ne 'WARNING';
		}
		elsif ($line =~ /^(?:psql\S* )?(?:error: )?(?:server closed|connection to server|SSL SYSCALL)/)
		{
			$severity = 'lost';
		}
		else
		{
			push @{ $answer->{rows} }, $line unless $severity =~ /ERROR|FATAL|PANIC|lost/;
		}
	}
	$answer->{ms} = (time - $begin) * 1000;
	unless ($ended)
	{
		$answer->{lost} = 1;
		$self->finish;
	}
	return $answer;
}

# Ends the session.
sub finish
{
	my ($self) = @_;

	return unless $self->{pid};
	close $self->{in};
	close $self->{out};
	waitpid $self->{pid}, 0;
	$self->{pid} = 0;
	return;
}

1;
