# Sessions write to queues on a vendor's bad days, one request in twenty spoilt, while
# background processes deliver and refresh mirrors, and sessions and background processes are
# ended at random.  Whoever was on a list from the start is in its mirror all the time.  In the
# end nothing is lost, and nothing is doubled.  DNC_SOAK_SECONDS makes it longer, and
# DNC_SOAK_SESSIONS gives it more sessions.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncPsql;
use DncTest;
use DncVendors;
use PostgreSQL::Test::Utils;
use POSIX qw(WNOHANG);
use Storable qw(nstore retrieve);
use Test::More;
use Time::HiRes qw(sleep time);

my $seconds = $ENV{DNC_SOAK_SECONDS} // 20;
my $sessions = $ENV{DNC_SOAK_SESSIONS} // 6;
my $base = 120;    # entries of each list from the start
my $dnc = DncTest->sandbox;
my $node = DncTest->cluster('main');

$node->append_conf('postgresql.conf', "fsync = off\ntimezone = 'UTC'\nmax_worker_processes = 20\n"
	. "shared_preload_libraries = 'dnc_fdw'\ndnc_fdw.databases = 'postgres'\ndnc_fdw.naptime = '1s'\n");
$node->start;
local @ENV{qw(PGHOST PGPORT)} = ($node->host, $node->port);

sub sql { my ($statements) = @_; return $node->safe_psql('postgres', $statements) }

my %facts = %DncVendors::vendors;
my @faults = ([ 'kind=status&arg=500', 8 ], [ 'kind=status&arg=503', 8 ], [ 'kind=status&arg=429', 6 ], [ 'kind=close', 8 ], [ 'kind=lost', 8 ],
	[ 'kind=cut', 6 ], [ 'kind=garbage', 3 ], [ 'kind=stall', 1 ], [ 'kind=slow&arg=200000', 2 ]);

sql('CREATE EXTENSION dnc_fdw; CREATE TABLE done (session int, number int)');
for my $name (DncVendors::names())
{
	my ($list) = grep { $_->{vendor} eq $name } DncVendors::lists('soak');
	my $server = DncVendors::server($name, $name, $dnc->url, 'soak', "request_timeout '1s', requests_per_minute '0', max_retries '1', max_deletes '0', write_mode 'queue'");
	my $columns = DncVendors::table_columns($name);

	$dnc->control('DELETE', "$name/soak");
	$dnc->control('PUT', "$name/soak/config?latency_ms=10&fault_seed=1" . ($list->{steady} && "&$list->{steady}"));
	$dnc->control('POST', "$name/soak/fill?count=$base");
	sql(qq{
		$server
		CREATE FOREIGN TABLE $name ($columns) SERVER $name;
		SELECT dnc_fdw_mirror_create('$name', max_age => '10 min');
	});
	$node->safe_psql('postgres', "CALL dnc_fdw_mirror_refresh('$name')");
	sql(qq{
		CREATE TABLE base_$name AS SELECT match_key FROM ${name}_known;
		SELECT dnc_fdw_mirror_schedule('$name', '3 s', '1 s');
	});
	$dnc->control('POST', "$name/soak/fault?$_->[0]&chance=$_->[1]&times=0") for @faults;
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
		my $list = (DncVendors::names())[ rand keys %facts ];
		my $type = $facts{$list}{types}[0];
		my @add = map { $number++; sprintf $type eq 'email' ? 's%02d-%06d@example.com' : '1777%02d%06d', $session, $number } 1 .. 1 + rand 5;
		my @old = $facts{$list}{by_id} ? () : @{ $listed{$list} // [] };
		my $remove = @old && rand() < 0.4 ? $old[ rand @old ] : undef;
		my @statements = ("INSERT INTO $list (identifier, identifier_type) VALUES " . join(', ', map { "('$_', '$type')" } @add));
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
		# Those who write as fast as they can for an hour leave no time for the mirrors.
		sleep rand $seconds / 600;
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

# Looks until a time whether all who were on the lists from the start are known; gives back how
# often, and what was wrong.
sub run_reader
{
	my ($until) = @_;
	my $psql = DncPsql->new;
	my %seen = (looks => 0, wrong => []);

	while (time < $until)
	{
		sleep rand $seconds / 600;
		for my $name (DncVendors::names())
		{
			my $answer = $psql->query("SELECT count(*) FROM base_$name b WHERE EXISTS (SELECT FROM ${name}_known k WHERE k.match_key = b.match_key)");

			# 57P01: it is ended, and psql has not seen that the connection is gone.
			if ($answer->{lost} || ($answer->{sqlstate} // '') eq '57P01') { $psql = DncPsql->new; next }
			$seen{looks}++;
			push @{ $seen{wrong} }, "$name: " . ($answer->{message} // $answer->{rows}[0]) unless ($answer->{rows}[0] // '') eq $base;
		}
	}
	$psql->finish;
	return \%seen;
}

my $dir = PostgreSQL::Test::Utils::tempdir();
my $until = time + $seconds;
my %running;
for my $session (0 .. $sessions)    # 0: who only reads
{
	my $pid = fork // die "fork: $!";

	if ($pid == 0)
	{
		srand $session;
		$ENV{PGAPPNAME} = 'soak';
		nstore($session ? run_session($session, $until) : run_reader($until), "$dir/$session");
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
	# The lists grow, and a merge with them: it has to end between two kills.
	sleep 0.7 + ($seconds - ($until - time)) / 600;
	while ((my $pid = waitpid -1, WNOHANG) > 0) { delete $running{$pid} }
	die 'a session does not end' if time > $until + 120;
}
note "$_: ended $ended{$_} times" for sort keys %ended;
my $reader = retrieve("$dir/0");
my $passes = sql(q{SELECT count(*) FROM dnc_fdw_passes WHERE state = 'done'});
note "$reader->{looks} looks at the mirrors, $passes passes done, " . sql(q{SELECT coalesce(sum(resumes), 0) FROM dnc_fdw_passes}) . ' times taken up again';
cmp_ok($passes, '>', 3, 'mirrors were refreshed by themselves');
is(join("\n", @{ $reader->{wrong} }[ 0 .. ($#{ $reader->{wrong} } > 9 ? 9 : $#{ $reader->{wrong} }) ]), '', 'whoever was listed from the start is known all the time');
cmp_ok($reader->{looks}, '>', 10, 'as often as we looked');

# ----- nothing fails any more, and all is delivered -----

# Two full passes, so that whoever has left is gone for good; a background process may be at it.
sub wait_until_refreshed
{
	my ($name) = @_;

	for my $pass (1 .. 2)
	{
		my ($status, $error) = (1, '');
		for (1 .. 300) { $status = $node->psql('postgres', "CALL dnc_fdw_mirror_refresh('$name', mode => 'full')", stderr => \$error); last if $status == 0 || $error !~ /another session/; sleep 0.1 }
		is($status, 0, "$name: pass $pass over the whole list") or diag($error);
	}
	return;
}

$dnc->control('DELETE', "$_/soak/fault") for DncVendors::names();
my $waiting = q{SELECT count(*) FROM dnc_fdw_queue WHERE state IN ('waiting', 'sending')};
my $end = time + 120 + $seconds;
while (sql($waiting) && time < $end)
{
	sql(q{SELECT dnc_fdw_queue_resume(srvname) FROM pg_foreign_server;
		SELECT dnc_fdw_queue_retry(array_agg(id)) FROM dnc_fdw_queue WHERE state = 'waiting' AND next_try > now() + interval '1 s'});
	sleep 1;
}
is(sql($waiting), 0, 'all is delivered');
is(sql(q{SELECT count(*) FROM dnc_fdw_queue WHERE state = 'dead' AND action = 'add'}), 0, 'no addition was given up');

# Those of whom a deletion waits, was given up, or is not known to have been made.
sub undecided
{
	my ($name) = @_;

	return sql("SELECT identifier FROM dnc_fdw_queue WHERE server = '$name' AND action = 'delete' AND state <> 'done'");
}

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
for my $name (DncVendors::names())
{
	my %listed;
	$listed{$_}++ for $dnc->control('GET', "$name/soak/entries") =~ /"(s\d\d-\d{6}\@example\.com|1777\d{8})"/g;
	my %undecided = map { $_ => 1 } split /\n/, undecided($name);

	for my $identifier (sort keys %{ $expected{$name} })
	{
		my $action = $expected{$name}{$identifier};

		push @failures, "$name: $identifier is lost" if $action eq 'add' && !$listed{$identifier};
		push @failures, "$name: $identifier is still there" if $action eq 'delete' && $listed{$identifier} && !$undecided{$identifier};
	}
	push @failures, map { "$name: $_ was never committed" } grep { !$expected{$name}{$_} } sort keys %listed;
	push @failures, map { "$name: $_ is doubled" } grep { $name ne 'weya' && $listed{$_} > 1 } sort keys %listed;
}
# Each mirror knows the list, once a pass is over that began when all was delivered.  Whoever a
# deletion of unknown outcome may have taken stays known.
for my $name (DncVendors::names())
{
	my $entries = $dnc->control('GET', "$name/soak/entries");
	my %listed = map { s/^\+//r => 1 } $entries =~ /"(?:identifier|email|phoneNumber)": ?"([^"]+)"/g;

	sql("SELECT dnc_fdw_mirror_schedule('$name', NULL)");
	wait_until_refreshed($name);
	my %known = map { s/^\+//r => 1 } split /\n/, sql("SELECT identifier FROM ${name}_known");
	cmp_ok(scalar(keys %listed), '>', $base, "$name: the vendor tells its list");
	push @failures, map { "$name: $_ is not known" } grep { !$known{$_} } sort keys %listed;
	my %undecided = map { s/^\+//r => 1 } split /\n/, undecided($name);
	push @failures, map { "$name: $_ is known, and not listed" } grep { !$listed{$_} && !$undecided{$_} } sort keys %known;
}
note "$_: $count{$_}" for sort keys %count;
is(join("\n", @failures), '', 'nothing is lost, and nothing is doubled');
cmp_ok($count{$_} // 0, '>', 0, "there was: $_") for map({ "$_ add" } DncVendors::names()), 'alta delete';
cmp_ok($ended{"dnc_fdw $_"} // 0, '>', 0, "a $_ was ended") for $seconds >= 20 ? 'delivery' : ();

# They end when there is nothing to do.
for (1 .. 300) { last if sql(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'dnc_fdw delivery'}) == 0; sleep 0.1 }
is(sql(q{SELECT string_agg(kind || ' ' || state, ', ' ORDER BY kind) FROM dnc_fdw_workers}), 'launcher running, scheduler running', 'only those are left that wait for work');
is(sql(q{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'}), 0, 'no lock is left');
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal/, 'no process has crashed');

$dnc->stop_sandbox;
$node->stop;
done_testing();
