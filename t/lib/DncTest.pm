# DncTest: a cluster with the extension, and a sandbox server for it.
#
# Every TAP test that needs both begins with DncTest->new.  $DNC_SANDBOX names
# the sandbox's program; both end with the test.

package DncTest;

use strict;
use warnings;

use File::Basename qw(basename);
use DncVendors;
use HTTP::Tiny;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

# All servers are on this machine, so no proxy may come in between.
delete @ENV{ grep { /_proxy$/i } keys %ENV };

# The superuser of our clusters is postgres, not the user who runs the tests: a
# test may make a role of that name.
$ENV{PGUSER} = 'postgres';

# The clusters of this process, whose logs are looked at in the end.
my @clusters;
my $process = $$;

# A new cluster that is not started, with databases in UTF-8 whatever the environment says.
sub cluster
{
	my ($class, $name) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(extra => [ '--username', $ENV{PGUSER}, '--encoding', 'UTF8', '--locale', 'C' ]);
	push @clusters, $node;
	return $node;
}

# A sandbox without a cluster; arguments go to its command line.
sub sandbox
{
	my ($class, @sandbox_args) = @_;
	my $self = bless { http => HTTP::Tiny->new(timeout => 60) }, $class;

	$self->start_sandbox(@sandbox_args);
	return $self;
}

# A started cluster with the extension in database postgres, and a sandbox;
# more arguments go to the sandbox's command line.
sub new
{
	my ($class, @sandbox_args) = @_;
	my $self = $class->sandbox(@sandbox_args);

	$self->{node} = $class->cluster('main');
	$self->{node}->append_conf('postgresql.conf', "fsync = off\ntimezone = 'UTC'\n");
	$self->{node}->start;
	$self->{node}->safe_psql('postgres', 'CREATE EXTENSION dnc_fdw');
	return $self;
}

sub node { return $_[0]->{node} }
sub url  { return $_[0]->{url} }

# The file with the output of this test's sandboxes, stdout and stderr.
sub sandbox_output_file
{
	return $PostgreSQL::Test::Utils::log_path . '/sandbox_' . basename($0, '.pl') . '.log';
}

# The sandbox ends when its standard input does: with us, however we end.
sub start_sandbox
{
	my ($self, @args) = @_;
	my $port_file = PostgreSQL::Test::Utils::tempdir() . '/port';
	my $binary = $ENV{DNC_SANDBOX} or die 'DNC_SANDBOX names no sandbox binary';

	$self->{sandbox_stdin} = '';
	$self->{sandbox} = IPC::Run::start(
		[ $binary, '--port', 0, '--port-file', $port_file, '--exit-on-eof', @args ],
		'<pipe', my $stdin = IO::Handle->new,
		'>>', sandbox_output_file(), '2>&1');
	$self->{sandbox_pipe} = $stdin;
	for (1 .. 100)
	{
		last if -s $port_file;
		sleep 0.1;
	}
	my $port = PostgreSQL::Test::Utils::slurp_file($port_file);
	chomp $port;
	my $scheme = (grep { $_ eq '--tls' } @args) ? 'https' : 'http';
	$self->{url} = "$scheme://127.0.0.1:$port";
	return;
}

# A request to the sandbox's control plane; its answer's body.
sub control
{
	my ($self, $method, $path, $body) = @_;
	my $answer = $self->{http}->request($method, "$self->{url}/sandbox/$path",
		{ content => $body // '' });

	die "$method $path: $answer->{status} $answer->{content}" unless $answer->{success};
	return $answer->{content};
}

# Makes a server and a schema of the account's name; its list has $count
# entries.  The sandbox limits no rates unless it is told to, and so neither do
# we.
sub make_server
{
	my ($self, $account, $count, $options) = @_;
	my @options = (grep({ $_ } $options), ($options // '') =~ /requests_per_minute/ ? () : "requests_per_minute '0'");
	my $server = DncVendors::server($account, 'alta', $self->{url}, $account, join ', ', @options);

	$self->control('DELETE', "alta/$account");
	$self->control('POST', "alta/$account/fill?count=$count") if $count;
	$self->{node}->safe_psql('postgres', qq{
		$server
		CREATE SCHEMA $account;
		IMPORT FOREIGN SCHEMA dnc FROM SERVER $account INTO $account;
	});
	return;
}

# Takes the account's request log, a line a request; the log is empty
# afterwards.
sub take_log
{
	my ($self, $account) = @_;
	my $log = $self->control('GET', "alta/$account/log");

	$self->control('DELETE', "alta/$account/log");
	return $log;
}

# Takes the methods of the account's requests so far, in their order, as "GET
# POST POST"; the log is empty afterwards.
sub take_methods
{
	my ($self, $account) = @_;

	return join ' ', $self->take_log($account) =~ /^(\w+)/mg;
}

# The output of statements, rows and then messages with their SQLSTATEs: on our own
# node or another one, in database postgres or another one.  An error does not end
# them.
sub gives
{
	my ($self, $statements, %at) = @_;
	my ($stdout, $stderr) = ('', '');

	($at{node} // $self->{node})->psql($at{database} // 'postgres', $statements, stdout => \$stdout,
		stderr => \$stderr, on_error_stop => 0, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	$stderr =~ s/^psql:<stdin>:\d+: //mg;
	return $stdout . ($stderr ne '' && $stdout ne '' ? "\n" : '') . $stderr;
}

# Waits until a sub gives true; dies if it never does.
sub poll
{
	my ($self, $sub) = @_;

	for (1 .. 1800)
	{
		return if $sub->();
		sleep 0.1;
	}
	die 'waited in vain';
}

# Gives back a sub that runs statements, one a line, in a stopped cluster without the
# library for phone numbers (or another one), and gives the server's output; undef where
# PostgreSQL's directories do not allow that.  PostgreSQL looks for its files beside its
# program.  So we run a copy of the program, with links to all other files.
sub without_phone_library
{
	my ($class, $node, $database, $library) = @_;
	my $left_out = $library // 'dnc_fdw_phone';
	my ($bindir, $libdir, $sharedir) = map { $node->config_data($_) } '--bindir', '--pkglibdir', '--sharedir';
	my ($common) = $bindir =~ m{^(.*?)/(?:usr/)?lib/};

	return unless defined $common && $libdir =~ m{^\Q$common\E/} && $sharedir =~ m{^\Q$common\E/};
	my $copy = PostgreSQL::Test::Utils::tempdir();
	my ($bin, $lib, $share) = map { "$copy/" . substr $_, length "$common/" } $bindir, $libdir, $sharedir;

	PostgreSQL::Test::Utils::system_or_bail('mkdir', '-p', $bin, $lib, $share =~ s{/[^/]+$}{}r);
	PostgreSQL::Test::Utils::system_or_bail('cp', "$bindir/postgres", "$bin/postgres");
	symlink $sharedir, $share;
	symlink $_, "$lib/" . s{.*/}{}r for grep { !m{/\Q$left_out\E\.[^/]+$} } glob "$libdir/*";
	return sub {
		my ($statements) = @_;
		my $said = '';

		IPC::Run::run([ "$bin/postgres", '--single', '-D', $node->data_dir, $database ], '<', \"$statements\n", '>', \$said, '2>&1');
		return $said;
	};
}

sub stop_sandbox
{
	my ($self) = @_;

	close $self->{sandbox_pipe};
	$self->{sandbox}->finish;
	return;
}

sub stop
{
	my ($self) = @_;

	$self->{node}->stop;
	$self->stop_sandbox;
	return;
}

# A test fails if the log of a cluster has a crash, or PostgreSQL's warning about something that a
# transaction has left behind: a snapshot, a lock, a buffer.
END
{
	for my $node ($$ == $process ? grep { -e $_->logfile } @clusters : ())
	{
		my @left = grep { /WARNING:.*(?:still (?:active|referenced)|leak|not closed|non-empty|do(?:es)?n't own|problem in alloc)|terminated by signal (?:6|11)\b/ }
		  split /\n/, slurp_file($node->logfile);

		next unless @left;
		diag(join "\n", 'The log of cluster ' . $node->name . ' has', @left[ 0 .. ($#left > 4 ? 4 : $#left) ]);
		$? ||= 1;
	}
}

1;
