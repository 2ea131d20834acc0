# Sessions write to queues on a vendor's bad days, one request in twenty spoilt, while
# background processes deliver, and sessions and background processes are ended at random.
# In the end nothing is lost, and nothing is doubled.  DNC_SOAK_SECONDS makes it longer.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncPsql;
use DncTest;
use PostgreSQL::Test::Utils;
use POSIX qw(WNOHANG);
use Storable qw(nstore retrieve);
use Test::More;
use Time::HiRes qw(sleep time);

my $seconds = $ENV{DNC_SOAK_SECONDS} // 20;
my $sessions = 6;
my $dnc = DncTest->sandbox;
my $node = DncTest->cluster('main');

$node->append_conf('postgresql.conf', "fsync = off\ntimezone = 'UTC'\nmax_worker_processes = 20\n"
	. "shared_preload_libraries = 'dnc_fdw'\ndnc_fdw.databases = 'postgres'\ndnc_fdw.naptime = '1s'\n");
$node->start;
local @ENV{qw(PGHOST PGPORT)} = ($node->host, $node->port);

sub sql { my ($statements) = @_; return $node->safe_psql('postgres', $statements) }

my %lists = (alta => [ 'alta/v1', 'sandbox-soak', 'email' ], sendkit => [ 'sendkit', 'sk_soak', 'email' ], weya => [ 'weya', 'sandbox-soak', 'phone' ]);
my @faults = ([ 'kind=status&arg=500', 8 ], [ 'kind=status&arg=503', 8 ], [ 'kind=status&arg=429', 6 ], [ 'kind=close', 8 ], [ 'kind=lost', 8 ],
	[ 'kind=cut', 6 ], [ 'kind=garbage', 3 ], [ 'kind=stall', 1 ], [ 'kind=slow&arg=200000', 2 ]);

sql('CREATE EXTENSION dnc_fdw; CREATE TABLE done (session int, number int)');
for my $name (sort keys %lists)
{
	my ($path, $token, $type) = @{ $lists{$name} };
	my $columns = 'identifier text, identifier_type text' . ($name eq 'weya' ? q{, id text, batch_id text DEFAULT 'b', request_uuid text} : '');

	$dnc->control('DELETE', "$name/soak");
	$dnc->control('PUT', "$name/soak/config?latency_ms=10&fault_seed=1" . ($name eq 'alta' ? '&cursors=keyset' : ''));
	$dnc->control('POST', "$name/soak/fault?$_->[0]&chance=$_->[1]&times=0") for @faults;
	sql(qq{
		CREATE SERVER $name FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider '$name', base_url '@{[$dnc->url]}/$path', request_timeout '1s',
		  requests_per_minute '0', max_retries '1', max_deletes '0', write_mode 'queue');
		CREATE USER MAPPING FOR CURRENT_USER SERVER $name OPTIONS (token '$token');
		CREATE FOREIGN TABLE $name ($columns) SERVER $name;
	});
}

# ----- the sessions -----

# Writes until a time; gives back what was committed: [list, action, identifier].
sub run_session
{
	my ($session, $until) = @_;
	my $psql = DncPsql->new;
	my ($number, @written, %listed) = (0);

	while (time < $until)
	{
		my $list = (sort keys %lists)[ rand keys %lists ];
		my $type = $lists{$list}[2];
		my @add = map { $number++; sprintf $type eq 'email' ? 's%02d-%06d@example.com' : '1777%02d%06d', $session, $number } 1 .. 1 + rand 5;
		my @old = $list eq 'weya' ? () : @{ $listed{$list} // [] };
		my $remove = @old && rand() < 0.4 ? $old[ rand @old ] : undef;
		my $columns = $list eq 'weya' ? ', request_uuid' : '';
		my @statements = ("INSERT INTO $list (identifier, identifier_type$columns) VALUES "
			  . join(', ', map { "('$_', '$type'" . ($list eq 'weya' ? ", '$_'" : '') . ')' } @add));
		push @statements, "DELETE FROM $list WHERE identifier = '$remove' AND identifier_type = '$type'" if $remove;
		my $answer;
		for my $statement ('BEGIN', @statements, "INSERT INTO done VALUES ($session, $number)", rand() < 0.1 ? 'ROLLBACK' : 'COMMIT')
		{
			$answer = $psql->query($statement);
			last if $answer->{lost} || $answer->{sqlstate};
		}
		$psql = DncPsql->new if $answer->{lost};
		$psql->query('ROLLBACK') if $answer->{sqlstate} && !$answer->{lost};
		# A session that is ended with its COMMIT does not know.
		my $asked = $psql->query("SELECT count(*) FROM done WHERE session = $session AND number = $number");
		while ($asked->{lost})
		{
			$psql = DncPsql->new;
			$asked = $psql->query("SELECT count(*) FROM done WHERE session = $session AND number = $number");
		}
		next unless $asked->{rows}[0];
		push @written, map { [ $list, 'add', $_ ] } @add;
		push @{ $listed{$list} }, @add;
		next unless $remove;
		push @written, [ $list, 'delete', $remove ];
		$listed{$list} = [ grep { $_ ne $remove } @{ $listed{$list} } ];
	}
	$psql->finish;
	return \@written;
}

my $dir = PostgreSQL::Test::Utils::tempdir();
my $until = time + $seconds;
my %running;
for my $session (1 .. $sessions)
{
	my $pid = fork // die "fork: $!";

	if ($pid == 0)
	{
		srand $session;
		$ENV{PGAPPNAME} = 'soak';
		nstore(run_session($session, $until), "$dir/$session");
		POSIX::_exit(0);
	}
	$running{$pid} = 1;
}
my %ended;
srand 1;
while (%running)
{
	my $what = rand() < 0.3 ? "application_name = 'soak'" : "backend_type LIKE 'dnc_fdw %'";

	$ended{$_}++ for split /\n/, time < $until
	  ? sql("SELECT backend_type FROM (SELECT backend_type, pid FROM pg_stat_activity WHERE $what ORDER BY random() LIMIT 1) v WHERE pg_terminate_backend(pid)") : '';
	sleep 0.7;
	while ((my $pid = waitpid -1, WNOHANG) > 0) { delete $running{$pid} }
	die 'a session does not end' if time > $until + 120;
}
note "$_: ended $ended{$_} times" for sort keys %ended;

# ----- nothing fails any more, and all is delivered -----

$dnc->control('DELETE', "$_/soak/fault") for sort keys %lists;
my $waiting = q{SELECT count(*) FROM dnc_fdw_queue WHERE state IN ('waiting', 'sending')};
my $end = time + 120;
while (sql($waiting) && time < $end)
{
	sql(q{SELECT dnc_fdw_queue_resume(srvname), (SELECT dnc_fdw_queue_retry(array_agg(id)) FROM dnc_fdw_queue WHERE state = 'waiting') FROM pg_foreign_server});
	sleep 1;
}
is(sql($waiting), 0, 'all is delivered');
is(sql(q{SELECT count(*) FROM dnc_fdw_queue WHERE state = 'dead' AND action = 'add'}), 0, 'no addition was given up');

my (%expected, %count, @failures);
for my $session (1 .. $sessions)
{
	for my $write (@{ retrieve("$dir/$session") })
	{
		my ($list, $action, $identifier) = @$write;

		$count{"$list $action"}++;
		$expected{$list}{$identifier} = $action;
	}
}
for my $name (sort keys %lists)
{
	my %listed;
	$listed{$_}++ for $dnc->control('GET', "$name/soak/entries") =~ /"(s\d\d-\d{6}\@example\.com|1777\d{8})"/g;
	my %undecided = map { $_ => 1 } split /\n/, sql("SELECT identifier FROM dnc_fdw_queue WHERE server = '$name' AND action = 'delete' AND state <> 'done'");

	for my $identifier (sort keys %{ $expected{$name} })
	{
		my $action = $expected{$name}{$identifier};

		push @failures, "$name: $identifier is lost" if $action eq 'add' && !$listed{$identifier};
		push @failures, "$name: $identifier is still there" if $action eq 'delete' && $listed{$identifier} && !$undecided{$identifier};
	}
	push @failures, map { "$name: $_ was never committed" } grep { !$expected{$name}{$_} } sort keys %listed;
	push @failures, map { "$name: $_ is doubled" } grep { $name ne 'weya' && $listed{$_} > 1 } sort keys %listed;
}
note "$_: $count{$_}" for sort keys %count;
is(join("\n", @failures), '', 'nothing is lost, and nothing is doubled');
cmp_ok($count{$_} // 0, '>', 0, "there was: $_") for map({ "$_ add" } sort keys %lists), 'alta delete';
cmp_ok($ended{"dnc_fdw $_"} // 0, '>', 0, "a $_ was ended") for $seconds >= 20 ? 'delivery' : ();

# They end when there is nothing to do.
for (1 .. 300) { last if sql(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'dnc_fdw delivery'}) == 0; sleep 0.1 }
is(sql(q{SELECT string_agg(kind || ' ' || state, ', ' ORDER BY kind) FROM dnc_fdw_workers}), 'launcher running, scheduler running', 'only those are left that wait for work');
is(sql(q{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'}), 0, 'no lock is left');
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal/, 'no process has crashed');

$dnc->stop_sandbox;
$node->stop;
done_testing();
