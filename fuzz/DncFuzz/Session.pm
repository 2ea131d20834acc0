# DncFuzz::Session: a session of PostgreSQL over its socket, by the protocol
# itself.  So there is nothing to install, and each error has its SQLSTATE.  The
# session does not block: while the caller waits for its answer, the caller also
# has to serve its requests.

package DncFuzz::Session;

use strict;
use warnings;

use IO::Socket::UNIX;
use Time::HiRes qw(sleep);

# A session as $user in $database, through the socket in $directory.
sub new
{
	my ($class, $directory, $port, $user, $database) = @_;
	my $self = bless { in => '' }, $class;
	my $startup = pack 'N', 196608;

	$self->{socket} = IO::Socket::UNIX->new(Peer => "$directory/.s.PGSQL.$port") or return;
	$startup .= join '', map { "$_\0" } 'user', $user, 'database', $database, '';
	syswrite $self->{socket}, pack('N', length($startup) + 4) . $startup;
	my $answer = $self->wait(60);
	return unless $answer && !$answer->{error};
	return $self;
}

sub socket { return $_[0]{socket} }

# Sends statements; {rows} and {error} of the answer are those of the last one.
sub send
{
	my ($self, $sql) = @_;

	$self->{answer} = { rows => [], error => undef, message => '' };
	my $message = 'Q' . pack('N', length($sql) + 5) . "$sql\0";
	my $written = syswrite $self->{socket}, $message;
	return defined $written && $written == length $message;
}

# Takes the bytes that have come.  Gives back the answer if it is complete, 0
# if not yet, undef if the connection has ended.
sub receive
{
	my ($self) = @_;

	sysread $self->{socket}, $self->{in}, 1 << 20, length $self->{in} or return;
	my $at = 0;
	my $complete = 0;
	while (length($self->{in}) - $at >= 5)
	{
		my ($type, $length) = unpack 'aN', substr $self->{in}, $at, 5;
		last if length($self->{in}) - $at < $length + 1;
		$complete = 1 if $self->message($type, substr $self->{in}, $at + 5, $length - 4);
		$at += $length + 1;
	}
	substr $self->{in}, 0, $at, '';
	return $complete ? $self->{answer} : 0;
}

# One message; true: the session is ready for the next statement.
sub message
{
	my ($self, $type, $body) = @_;
	my $answer = $self->{answer} //= { rows => [], error => undef, message => '' };

	if ($type eq 'D')
	{
		my @values;
		my $at = 2;
		for (1 .. unpack 'n', $body)
		{
			my $length = unpack 'l>', substr $body, $at, 4;
			push @values, $length < 0 ? undef : substr $body, $at + 4, $length;
			$at += 4 + ($length < 0 ? 0 : $length);
		}
		push @{ $answer->{rows} }, \@values;
	}
	elsif ($type eq 'E')
	{
		my %field = map { substr($_, 0, 1) => substr($_, 1) } grep { length } split /\0/, $body;
		$answer->{error} = $field{C};
		$answer->{fatal} = $field{V} ne 'ERROR';
		$answer->{message} = join '; ', grep { defined } @field{qw(M D W)};
	}
	return $type eq 'Z';
}

# Waits for the answer, serving nobody meanwhile; undef: none has come.
sub wait
{
	my ($self, $seconds) = @_;
	my $until = time + $seconds;

	while (time < $until)
	{
		vec(my $bits = '', fileno $self->{socket}, 1) = 1;
		next unless select $bits, undef, undef, 1;
		my $answer = $self->receive;
		return unless defined $answer;
		return $answer if $answer;
	}
	return;
}

# Runs statements that send no requests; dies where they fail.
sub run
{
	my ($self, $sql) = @_;

	$self->send($sql);
	my $answer = $self->wait(60);
	die "$sql: " . ($answer ? "$answer->{error} $answer->{message}" : 'no answer') . "\n"
		if !$answer || $answer->{error};
	return $answer->{rows};
}

1;
