# PgWire: a client of PostgreSQL's extended query protocol, message by message.
#
# psql and libpq hide what drivers such as JDBC do: they read portals a few rows at a
# time, several of them at once, and send statements ahead of the answers to earlier
# ones.  Here the caller sends each message by name, and gets the server's messages:
#
#	$wire->parse('', 'SELECT $1::int')->bind_portal('', '', [ '1' ])->execute('', 0)->sync;
#	my @answers = $wire->answers;	# ParseComplete BindComplete DataRow ...
#
# We keep messages until sync() or flush(), and send all of them at once.

package PgWire;

use strict;
use warnings;

use IO::Select;
use IO::Socket::UNIX;

my %names = (
	1 => 'ParseComplete', 2 => 'BindComplete', 3 => 'CloseComplete', n => 'NoData', s => 'PortalSuspended',
	t => 'ParameterDescription', A => 'NotificationResponse', C => 'CommandComplete', D => 'DataRow', E => 'ErrorResponse', I => 'EmptyQueryResponse',
	K => 'BackendKeyData', N => 'NoticeResponse', R => 'Authentication', S => 'ParameterStatus', T => 'RowDescription', Z => 'ReadyForQuery');

# A session of database postgres on a cluster's node; the cluster needs no password.
sub new
{
	my ($class, $node) = @_;
	my $path = $node->host . '/.s.PGSQL.' . $node->port;
	my $socket = IO::Socket::UNIX->new(Peer => $path) or die "could not connect to $path: $!";
	my $self = bless { socket => $socket, unsent => '' }, $class;
	my $startup = pack 'N (Z*)4 x', 196608, user => scalar getpwuid($<), database => 'postgres';

	$self->transmit(pack('N', 4 + length $startup) . $startup);
	$self->answers;
	return $self;
}

# ----- sending -----

# Adds a message to those that we shall send.
sub add
{
	my ($self, $type, $body) = @_;

	$self->{unsent} .= pack 'a N a*', $type, 4 + length $body, $body;
	return $self;
}

sub transmit
{
	my ($self, $bytes) = @_;

	while (length $bytes)
	{
		my $sent = syswrite $self->{socket}, $bytes;

		die "could not send: $!" unless defined $sent;
		substr $bytes, 0, $sent, '';
	}
	return $self;
}

# Parses a statement under a name ('' for the unnamed one); its parameters have these
# types, as OIDs.  PostgreSQL finds the types that are not given.
sub parse
{
	my ($self, $name, $sql, @types) = @_;

	return $self->add(P => pack '(Z*)2 n N*', $name, $sql, scalar @types, @types);
}

# Binds a portal to a statement with values, undef for NULL.  format: 1 for values and
# results in binary, 0 for text.
sub bind_portal
{
	my ($self, $portal, $statement, $values, $format) = @_;
	my $body = pack '(Z*)2 n2 n', $portal, $statement, 1, $format // 0, scalar @{ $values // [] };

	$body .= defined $_ ? pack 'N/a*', $_ : pack 'N', 0xffffffff for @{ $values // [] };
	return $self->add(B => $body . pack 'n2', 1, $format // 0);
}

sub describe_statement { my ($self, $name) = @_; return $self->add(D => pack 'a Z*', 'S', $name) }
sub close_portal { my ($self, $name) = @_; return $self->add(C => pack 'a Z*', 'P', $name) }

# Runs a portal for at most so many rows; 0: to its end.
sub execute { my ($self, $portal, $rows) = @_; return $self->add(E => pack 'Z* N', $portal, $rows) }

sub flush { my ($self) = @_; $self->add(H => ''); return $self->send_all }
sub sync { my ($self) = @_; $self->add(S => ''); return $self->send_all }

sub send_all
{
	my ($self) = @_;
	my $bytes = $self->{unsent};

	$self->{unsent} = '';
	return $self->transmit($bytes);
}

# Statements by the simple protocol; the answers to them.
sub query
{
	my ($self, $sql) = @_;

	$self->add(Q => pack 'Z*', $sql)->send_all;
	return $self->answers;
}

# Ends the session, as a driver does.
sub terminate
{
	my ($self) = @_;

	$self->add(X => '')->send_all;
	1 while sysread $self->{socket}, my $rest, 8192;
	close $self->{socket};
	return;
}

# ----- receiving -----

sub receive
{
	my ($self, $length) = @_;
	my $bytes = '';

	while (length $bytes < $length)
	{
		IO::Select->new($self->{socket})->can_read(180) or die 'no answer';
		my $got = sysread $self->{socket}, $bytes, $length - length $bytes, length $bytes;

		die 'the server has closed the connection' unless $got;
	}
	return $bytes;
}

# The next message: its name and its contents.
sub answer
{
	my ($self) = @_;
	my ($type, $length) = unpack 'a N', $self->receive(5);
	my $body = $self->receive($length - 4);
	my $answer = { name => $names{$type} // $type };

	if ($type eq 'D')
	{
		my ($count, $rest) = unpack 'n a*', $body;

		for (1 .. $count)
		{
			my $size = unpack 'N', substr $rest, 0, 4, '';

			push @{ $answer->{values} }, $size == 0xffffffff ? undef : substr $rest, 0, $size, '';
		}
	}
	elsif ($type eq 'E' || $type eq 'N')
	{
		$answer->{fields} = { map { substr($_, 0, 1) => substr $_, 1 } grep { length } split /\0/, $body };
	}
	elsif ($type eq 't')
	{
		(undef, @{ $answer->{types} }) = unpack 'n N*', $body;
	}
	elsif ($type eq 'T')
	{
		my ($count, $rest) = unpack 'n a*', $body;

		for (1 .. $count)
		{
			(my $name, undef, undef, my $oid, undef, undef, undef, $rest) = unpack 'Z* N n N n N n a*', $rest;
			push @{ $answer->{columns} }, $name;
			push @{ $answer->{types} }, $oid;
		}
	}
	elsif ($type eq 'C')
	{
		$answer->{tag} = unpack 'Z*', $body;
	}
	elsif ($type eq 'Z')
	{
		$answer->{state} = $body;
	}
	return $answer;
}

# The messages up to and with the count-th of a name, or an error; without a name, up to
# ReadyForQuery.  Leaves out the server's settings, and notices.
sub answers
{
	my ($self, $last, $count) = @_;
	my $left = $count // 1;
	my @answers;

	$last //= 'ReadyForQuery';
	while ($left > 0)
	{
		my $answer = $self->answer;

		push @answers, $answer unless $answer->{name} =~ /^(?:ParameterStatus|BackendKeyData|Authentication|NoticeResponse)$/;
		$left-- if $answer->{name} eq $last;
		last if $answer->{name} eq 'ErrorResponse' && $last ne 'ReadyForQuery';
	}
	return @answers;
}

1;
