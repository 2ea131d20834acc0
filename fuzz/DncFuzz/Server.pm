# DncFuzz::Server: an HTTP server on this machine that sends just the bytes
# that it gets from its caller.  It does not block, and lives in the caller's
# process.

package DncFuzz::Server;

use strict;
use warnings;

use DncFuzz::Http;
use IO::Socket::INET;
use Socket qw(IPPROTO_TCP SOL_SOCKET SO_LINGER TCP_NODELAY);

# answer: a function of a request's target; gives the bytes, and the number of
# pieces to send them in.
sub new
{
	my ($class, $answer) = @_;
	my $listener = IO::Socket::INET->new(
		LocalAddr => '127.0.0.1', Listen => 64, Proto => 'tcp', Blocking => 0)
		or die "cannot listen: $!";

	return bless { listener => $listener, answer => $answer, clients => {} }, $class;
}

sub port { return $_[0]{listener}->sockport }

# For select(): the sockets to read from, and those to write to.
sub handles
{
	my ($self) = @_;
	my @clients = values %{ $self->{clients} };

	return ([ $self->{listener}, map { $_->{socket} } @clients ],
		[ map { $_->{socket} } grep { @{ $_->{out} } } @clients ]);
}

# Reads from and writes to the sockets that are ready.
sub serve
{
	my ($self, $readable, $writable) = @_;

	for my $socket (@$readable)
	{
		if ($socket == $self->{listener}) { $self->accept }
		else { $self->read_from($self->{clients}{ fileno $socket }) if $self->{clients}{ fileno $socket } }
	}
	for my $socket (@$writable)
	{
		my $number = fileno $socket;
		$self->write_to($self->{clients}{$number}) if defined $number && $self->{clients}{$number};
	}
	return;
}

sub accept
{
	my ($self) = @_;

	while (my $socket = $self->{listener}->accept)
	{
		$socket->blocking(0);
		setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;
		$self->{clients}{ fileno $socket } = { socket => $socket, in => '', out => [] };
	}
	return;
}

sub drop
{
	my ($self, $client) = @_;

	delete $self->{clients}{ fileno $client->{socket} };
	close $client->{socket};
	return;
}

# Resets the connections with bytes left to send or to read, and those that
# were to end: the next case must not take these bytes for its own.
sub drop_unclean
{
	my ($self) = @_;
	my $readable = '';

	$self->accept;
	vec($readable, fileno $_->{socket}, 1) = 1 for values %{ $self->{clients} };
	select $readable, undef, undef, 0;
	for my $client (grep { @{ $_->{out} } || $_->{close} || length $_->{in} || vec $readable, fileno $_->{socket}, 1 } values %{ $self->{clients} })
	{
		setsockopt $client->{socket}, SOL_SOCKET, SO_LINGER, pack 'll', 1, 0;
		$self->drop($client);
	}
	return;
}

sub read_from
{
	my ($self, $client) = @_;
	my $count = sysread $client->{socket}, $client->{in}, 65536, length $client->{in};

	return if !defined $count && $!{EAGAIN};
	return $self->drop($client) unless $count;
	while ($client->{in} =~ s/\A(?:GET) (\S+) HTTP\/1\.1\r\n.*?\r\n\r\n//s)
	{
		my ($bytes, $pieces) = $self->{answer}->($1);
		my $size = int(length($bytes) / $pieces) + 1;

		push @{ $client->{out} }, unpack "(a$size)*", $bytes if length $bytes;
		$client->{close} = 1 unless DncFuzz::Http::read_answer($bytes)->{again};
	}
	$self->write_to($client);
	return;
}

# One piece at a time, so that the other side sees pieces.
sub write_to
{
	my ($self, $client) = @_;
	my $out = $client->{out};

	if (@$out)
	{
		my $count = syswrite $client->{socket}, $out->[0];
		return if !defined $count && $!{EAGAIN};
		return $self->drop($client) unless $count;
		substr $out->[0], 0, $count, '';
		shift @$out unless length $out->[0];
	}
	# Until the other side closes too, so that it can be reset.
	shutdown $client->{socket}, 1 if !@$out && $client->{close};
	return;
}

1;
