# RawServer: a small server that sends whatever bytes a test wants.
#
# The sandbox can send only what its HTTP library can.  This server sends the
# rest: a status line that is not HTTP, a wrong Content-Length, headers without
# end.  The first part of a request's path names the play:
#
#	my $raw = RawServer->new(nonsense => sub { $_[0]->say_bytes("nonsense") });
#	... base_url $raw->url('nonsense') ...
#
# Make it before you start anything else, since other processes inherit open
# files.  It ends with the test, however that ends.

package RawServer;

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use POSIX ();
use PostgreSQL::Test::Utils;
use Socket qw(SHUT_WR SOL_SOCKET SO_LINGER);

# Starts a server with these plays.  A play gets a connection whose request was
# read; when it returns, the connection is closed.
sub new
{
	my ($class, %plays) = @_;
	my $listener = IO::Socket::INET->new(Listen => 128, LocalAddr => '127.0.0.1')
	  or die "could not listen: $!";
	my $log = PostgreSQL::Test::Utils::tempdir() . '/requests';
	my $self = bless { port => $listener->sockport, log => $log }, $class;

	append_to_file($log, '');
	pipe(my $lifeline, my $end) or die "could not make a pipe: $!";
	defined(my $pid = fork) or die "could not fork: $!";
	if ($pid == 0)
	{
		close $end;
		local $SIG{CHLD} = 'IGNORE';
		serve($listener, $lifeline, $log, \%plays);
		POSIX::_exit(0);
	}
	$self->{lifeline} = $end;
	return $self;
}

# The URL of a play.
sub url
{
	my ($self, $play) = @_;

	return "http://127.0.0.1:$self->{port}/$play";
}

# The request lines to a play so far.
sub requests
{
	my ($self, $play) = @_;

	return grep { m{^\w+ /\Q$play\E[/ ]} } split /\n/, slurp_file($self->{log});
}

# Hands each connection to a process of its own, until the lifeline is cut.
sub serve
{
	my ($listener, $lifeline, $log, $plays) = @_;
	my $either = IO::Select->new($listener, $lifeline);

	while (1)
	{
		for my $ready ($either->can_read)
		{
			return if $ready == $lifeline;
			my $socket = $listener->accept or next;
			if (fork == 0)
			{
				play(bless({ socket => $socket, lifeline => $lifeline }, __PACKAGE__), $log, $plays);
				POSIX::_exit(0);
			}
		}
	}
	return;
}

# Reads a request, with its body if it has a Content-Length, and plays.
sub play
{
	my ($self, $log, $plays) = @_;
	my $request = '';

	while ($request !~ /\r\n\r\n/)
	{
		return unless sysread $self->{socket}, $request, 65536, length $request;
	}
	my ($head, $body) = split /\r\n\r\n/, $request, 2;
	my $wanted = $head =~ /^Content-Length: (\d+)/mi ? $1 : 0;
	while (length $body < $wanted)
	{
		return unless sysread $self->{socket}, $body, 65536, length $body;
	}
	append_to_file($log, $head =~ /^(\S+ \S+)/ ? "$1\n" : "?\n");
	my ($name) = $head =~ m{^\S+ /([^/ ?]+)};
	$plays->{$name}->($self, $head, $body) if $plays->{$name};
	return;
}

# Sends bytes; ends the process if nobody takes them.
sub say_bytes
{
	my ($self, $bytes) = @_;
	my $sent = 0;

	local $SIG{PIPE} = 'DEFAULT';
	while ($sent < length $bytes)
	{
		$self->{socket}->blocking(0);
		my $now = syswrite $self->{socket}, $bytes, length($bytes) - $sent, $sent;
		$sent += $now // 0;
		next if $now;
		POSIX::_exit(0) unless $!{EAGAIN};
		IO::Select->new($self->{socket})->can_write(1);
		$self->stay(0);
	}
	return;
}

# Does nothing for so many seconds.  If the client or the test goes away, the
# process ends.
sub stay
{
	my ($self, $seconds) = @_;
	my $until = time + $seconds;

	do
	{
		for my $ready (IO::Select->new($self->{socket}, $self->{lifeline})->can_read($seconds))
		{
			$self->{socket}->blocking(0);
			my $got = sysread $ready, my $rest, 65536;
			POSIX::_exit(0) if defined $got && $got == 0;
		}
	} while (time < $until);
	return;
}

# A whole answer with a body; more header lines come first.
sub answer
{
	my ($self, $body, @headers) = @_;

	return $self->answer_status('200 OK', $body, 'Content-Type: application/json', @headers);
}

# A whole answer with a status and a body, without a Content-Type.
sub answer_status
{
	my ($self, $status, $body, @headers) = @_;

	return $self->say_bytes(join("\r\n", "HTTP/1.1 $status", @headers, 'Content-Length: ' . length $body,
			'Connection: close', '', $body));
}

1;
