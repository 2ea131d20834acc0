# Cancel, statement_timeout, pg_terminate_backend() and the postmaster's death end
# a request in every phase: connecting, TLS handshake, waiting for headers, body,
# the waits between two tries, COMMIT.
#
# The times are bounds for "is interrupted at all", with room for slow machines: a
# request that was sat out would take a minute.  (The contract is 250 ms; the
# latencies are noted.)  Name lookup is not played: which resolver is asked is for
# the whole machine to say, not for a test.  How it was tried by hand stands in
# docs/reliability.md.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use IO::Socket::INET;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $bound = 2;    # seconds

my $dnc = DncTest->new;
my $node = $dnc->node;
$dnc->make_server('interrupts', 250, "connect_timeout '60s', request_timeout '60s', max_wait '10min'");

# Without any root, no handshake is begun; this one need not have signed anything.
my $root = PostgreSQL::Test::Utils::tempdir() . '/root';
my $output;
IPC::Run::run([ qw(openssl req -x509 -newkey rsa:2048 -nodes -days 3 -subj /CN=root -keyout), "$root.key", '-out', "$root.crt" ],
	'>', \$output, '2>&1')
  or die "openssl: $output";

# A server that takes connections, or rather its kernel does, and says nothing.
my $mute = IO::Socket::INET->new(Listen => 128, LocalAddr => '127.0.0.1') or die "could not listen: $!";
make_table('handshake', 'https://127.0.0.1:' . $mute->sockport);
make_table('headers', 'http://127.0.0.1:' . $mute->sockport);

# A server whose queue of connections is full: the next one has to wait.
my $full = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') or die "could not listen: $!";
listen $full, 0;
my @queued = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $full->sockport, Blocking => 0) } 1 .. 5;
make_table('connecting', 'http://127.0.0.1:' . $full->sockport);

sub make_table
{
	my ($name, $url) = @_;

	$node->safe_psql('postgres', qq{
		CREATE SERVER $name FOREIGN DATA WRAPPER dnc_fdw
		  OPTIONS (provider 'alta', base_url '$url', connect_timeout '60s', request_timeout '60s',
			ca_file '$root.crt');
		CREATE USER MAPPING FOR CURRENT_USER SERVER $name OPTIONS (token 'interrupts');
		CREATE FOREIGN TABLE $name (identifier text) SERVER $name;
	});
	return;
}

# How many connections to a port of this machine wait for an answer to their SYN.
sub unanswered
{
	my ($port) = @_;
	my $place = sprintf '0100007F:%04X', $port;

	return scalar(() = slurp_file('/proc/net/tcp') =~ /: \w+:\w+ $place 02 /g);
}

# A server to which the second request goes a minute after the first.
$node->safe_psql('postgres', qq{
	CREATE SERVER paced FOREIGN DATA WRAPPER dnc_fdw
	  OPTIONS (provider 'alta', base_url '} . $dnc->url . q{/alta/v1', requests_per_minute '1');
	CREATE USER MAPPING FOR CURRENT_USER SERVER paced OPTIONS (token 'sandbox-interrupts');
	CREATE FOREIGN TABLE paced (identifier text) SERVER paced;
});

my $list = 'SELECT count(*) FROM interrupts.communication_opt_outs';
my $add = "INSERT INTO interrupts.communication_opt_outs (identifier, identifier_type)
	VALUES ('a\@example.com', 'email')";

# Each phase: its name, the statement, what the sandbox does, and how many
# requests it has got by then.
my @phases = (
	[ 'connecting',                       'SELECT count(*) FROM connecting' ],
	[ 'TLS handshake',                    'SELECT count(*) FROM handshake' ],
	[ 'waiting for headers',              'SELECT count(*) FROM headers' ],
	[ 'no answer',                        $list, 'kind=stall',                             1 ],
	[ 'no answer to the second page',     $list, 'kind=stall&at=2',                        2 ],
	[ 'an answer that stops half way',    $list, 'kind=stall_body',                        1 ],
	[ 'an answer of ten bytes a second',  $list, 'kind=slow&arg=10',                       1 ],
	[ 'backoff',                          $list, 'kind=status&arg=503&times=0',            3 ],
	[ 'a wait that the server asks for',  $list, 'kind=status&arg=503&retry_after=60',     1 ],
	[ 'a wait for the rate limit',        $list, 'kind=status&arg=429&retry_after=60',     1 ],
	[ 'waiting for its turn',             'SELECT count(*) FROM paced' ],
	[ 'COMMIT',                           $add,  'kind=stall&method=POST',                 1 ],
	[ 'backoff at COMMIT',                $add,  'kind=status&arg=503&times=0&method=POST', 3 ]);

my %slowest;
my $control = $node->background_psql('postgres');

sub background { return $node->background_psql('postgres', on_error_stop => 0) }

sub pid_of { return scalar $_[0]->query('SELECT pg_backend_pid()') }

# Begins a statement that will not end, and waits until it has come to its phase.
sub begin_phase
{
	my ($session, $pid, $phase) = @_;
	my ($name, $statement, $fault, $requests) = @$phase;

	$dnc->take_log('interrupts');
	$dnc->control('POST', "alta/interrupts/fault?$fault") if $fault;
	$session->query_until(qr/go/, "\\echo go\n$statement;\n");
	for (1 .. 1000)
	{
		my $waits = $control->query("SELECT wait_event_type = 'Extension' FROM pg_stat_activity
			WHERE pid = $pid AND state = 'active'");
		my $log = $dnc->control('GET', 'alta/interrupts/log');

		return if $waits eq 't' && ($log =~ tr/\n//) >= ($requests // 0);
		sleep 0.02;
	}
	$session->query('SELECT 1');
	die "$name: the statement does not wait: $session->{stderr}";
}

# What the server has asked for is kept to by all who come later with the same mapping.
sub end_phase
{
	$dnc->control('DELETE', 'alta/interrupts/fault');
	$node->safe_psql('postgres', "DROP USER MAPPING FOR CURRENT_USER SERVER interrupts;
		CREATE USER MAPPING FOR CURRENT_USER SERVER interrupts OPTIONS (token 'sandbox-interrupts')");
	return;
}

# Is a process gone, or dead and only not buried yet?
sub is_gone
{
	my ($pid) = @_;

	open my $file, '<', "/proc/$pid/stat" or return 1;
	my $state = readline $file;
	return !defined $state || $state =~ /\) Z /;
}

# Seconds until a process is gone; at most twice the bound.
sub time_to_die
{
	my ($pid, $start) = @_;

	sleep 0.005 until is_gone($pid) || time - $start > 2 * $bound;
	return time - $start;
}

sub check_time
{
	my ($how, $name, $took) = @_;

	$slowest{$how} = [ $took, $name ] if $took > ($slowest{$how} // [0])->[0];
	return cmp_ok($took, '<', $bound, "$how ends $name at once");
}

for my $phase (@phases)
{
	my ($name, $statement, $fault) = @$phase;
	my $session = background();
	my $pid = pid_of($session);
	my $start;

	# Cancel: the session goes on.
	my $unanswered = unanswered($full->sockport);
	begin_phase($session, $pid, $phase);
	is(unanswered($full->sockport), $unanswered + 1, 'nobody has answered its SYN') if $name eq 'connecting';
	$start = time;
	$control->query("SELECT pg_cancel_backend($pid)");
	$session->query('SELECT 1');
	check_time('cancel', $name, time - $start);
	like($session->{stderr}, qr/canceling statement due to user request/, "... and says so");
	$session->{stderr} = '';
	end_phase();
	is($session->query($list), 250, '... and the session goes on');

	# statement_timeout
	$dnc->control('POST', "alta/interrupts/fault?$fault") if $fault;
	$session->query(q(SET statement_timeout = '500ms'));
	$start = time;
	$session->query($statement);
	check_time('statement_timeout', $name, time - $start - 0.5);
	like($session->{stderr}, qr/canceling statement due to statement timeout/, "... and says so");
	$session->{stderr} = '';
	end_phase();
	$session->query('RESET statement_timeout');
	is($session->query($list), 250, '... and the session goes on');
	is(pid_of($session), $pid, '... which is the same one');

	# pg_terminate_backend()
	begin_phase($session, $pid, $phase);
	$start = time;
	$control->query("SELECT pg_terminate_backend($pid)");
	check_time('pg_terminate_backend()', $name, time_to_die($pid, $start));
	$session->{run}->finish;
	like($session->{stderr}, qr/terminating connection due to administrator command/, "... and says so");
	end_phase();
}
unlike($dnc->control('GET', 'alta/interrupts/entries'), qr/a\@example\.com/, 'no addition that was ended was taken');

# A shutdown ends what is under way.
my $session = background();
begin_phase($session, pid_of($session), $phases[2]);
$control->quit;
my $start = time;
$node->stop('fast');
cmp_ok(time - $start, '<', 5, 'a shutdown ends a request that is under way');
$session->{run}->finish;

# So does the death of the postmaster, which tells nobody.
for my $phase (grep { $_->[0] =~ /^(connecting|TLS handshake|waiting for headers|backoff|COMMIT)$/ } @phases)
{
	for (1 .. 100)
	{
		last if $node->start(fail_ok => 1);
		undef $node->{_pid};    # of the one that died, whose other processes are still there
		sleep 0.1;
	}
	$control = background();
	$session = background();
	my $pid = pid_of($session);
	begin_phase($session, $pid, $phase);
	$start = time;
	$node->kill9;
	check_time('the postmaster\'s death', $phase->[0], time_to_die($pid, $start));
	kill 'KILL', $pid;    # if it is still there, no cluster could be started
	$session->{run}->finish;
	$control->{run}->finish;
	$dnc->control('DELETE', 'alta/interrupts/fault');
}
sleep 0.1 until $node->start(fail_ok => 1) || (undef $node->{_pid});
is($node->safe_psql('postgres', $list), 250, 'after all that the list is read');

note sprintf('slowest %s: %.0f ms (%s)', $_, $slowest{$_}[0] * 1000, $slowest{$_}[1]) for sort keys %slowest;
$dnc->stop;
done_testing();
