# Random transactions through the queue, with senders and clusters that are killed, answers
# that are lost, all isolation levels, and commits in another order than statements.  Two tables
# of each list have different keys for the same number, and on alta somebody else opts in, at
# the vendor.  In the end each list has to be what a model of the promises in docs/queue.md says.
#
# DNC_MODEL_SEED repeats a run, DNC_MODEL_SECONDS makes it longer.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use DncVendors;
use IPC::Run;
use JSON::PP;
use POSIX qw(strftime);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $seconds = $ENV{DNC_MODEL_SECONDS} // 8;    # for each list
my $seed = $ENV{DNC_MODEL_SEED} // time ^ $$;
diag("DNC_MODEL_SEED=" . int($seed));
srand(int($seed));
sub pick { return $_[ int(rand(@_)) ] }
sub chance { return rand() < $_[0] }

my $dnc = DncTest->new;
my $node = $dnc->node;
my $url = $dnc->url;
my $json = JSON::PP->new->utf8;
$node->append_conf('postgresql.conf', "restart_after_crash = on\nmax_prepared_transactions = 8\n");
$node->restart;

my %written = (email => [ map { my $name = $_; map { "$name$_" } '@x.org', '@X.org' } qw(ann bob cid dan eve) ], domain => [],
	phone => [qw(0301234561 0301234562 0301234563 0301234564)]);
my @lists = map {
	my $facts = $DncVendors::vendors{$_};
	my $numbers_only = !DncVendors::has_type($_, 'email');

	{ name => $_, member => $facts->{identifier}, folds => $facts->{folds}, columns => DncVendors::table_columns($_),
		# A look tells us whether somebody is listed, before a removal whose outcome is not known is sent again.
		looks => $facts->{searches} && !$facts->{by_id},
		entries => $numbers_only ? [ map { "1555000000$_" } 1 .. 6 ] : [ map { @{ $written{$_} // [] } } @{ $facts->{types} } ] }
} DncVendors::names();
my ($list, $now, @sessions, %added, %spelling, @removals, $adds, @opted);

sub person { my ($entry) = @_; return lc $entry }

# What tells an entry from the others of the list: sendkit lists emails in lower case.
sub key { my ($entry) = @_; return $list->{folds} ? lc $entry : $entry }
sub control { my ($method, $what, $body) = @_; return $dnc->control($method, "$list->{name}/model$what", $body) }
sub type_of { my ($entry) = @_; return $entry =~ /\@/ ? 'email' : 'phone' }
sub sql { my ($statements) = @_; return $node->safe_psql('postgres', $statements) }

# ----- sessions, each with a transaction of its own -----

sub connect_session { return { psql => $node->background_psql('postgres', on_error_stop => 0), writes => undef } }

# What a statement gives in a session; undef if it fails.  The connection may be gone.
sub run_in
{
	my ($session, $statement) = @_;

	$session->{psql}{stderr} = '';
	my $out = eval { $session->{psql}->query($statement) };
	return undef if !defined $out || $session->{psql}{stderr} =~ /ERROR|FATAL|server closed|connection/;
	return $out;
}

# Takes a transaction as committed: what it has written holds from now on.
sub committed
{
	my ($writes) = @_;

	$now++;
	for my $write (@$writes)
	{
		$write->{at} = $now;
		$adds++ if $write->{add};
		push @{ $added{ key($write->{entry}) } }, $now if $write->{add};
		$spelling{ key($write->{entry}) } = $write->{entry} if $write->{add};
		push @removals, $write unless $write->{add};
	}
	return;
}

# Ends a session's transaction, or what an error has left of it.
sub end_transaction
{
	my ($session, $failed) = @_;
	my $writes = $session->{writes};

	$session->{writes} = undef;
	if ($failed || chance(0.15)) { run_in($session, 'ROLLBACK') }
	elsif (chance(0.1))
	{
		my $name = 'p' . int(rand(1e9));
		run_in($session, "PREPARE TRANSACTION '$name'");
		committed($writes) if $node->psql('postgres', "COMMIT PREPARED '$name'") == 0;
	}
	else
	{
		# One that fails, by a serialization failure, says so.
		my $out = run_in($session, "COMMIT; SELECT 'over'");
		committed($writes) if defined $out && $out eq 'over';
	}
	return;
}

sub begin
{
	my ($session) = @_;

	$session->{fixed} = chance(0.5);
	run_in($session, 'BEGIN ISOLATION LEVEL ' . ($session->{fixed} ? pick('REPEATABLE READ', 'SERIALIZABLE') : 'READ COMMITTED') . '; SELECT 1');
	$session->{begun} = $now;
	$session->{writes} = [];
	$session->{persons} = {};
	return;
}

# A random write; each transaction writes on a person once.
sub write_something
{
	my ($session) = @_;
	my $entry = pick(@{ $list->{entries} });

	return if $session->{persons}{ person($entry) }++;
	my $table = pick('list', 'list2');
	if (chance(0.6))
	{
		defined run_in($session, "INSERT INTO $table (identifier, identifier_type) VALUES ('$entry', '" . type_of($entry) . "')")
			or return end_transaction($session, 1);
		push @{ $session->{writes} }, { add => 1, entry => $entry };
		return;
	}
	my $seen = $session->{fixed} ? $session->{begun} : $now;
	my $count = run_in($session, "WITH d AS (DELETE FROM $table WHERE identifier = '$entry' RETURNING 1) SELECT count(*) FROM d");
	return end_transaction($session, 1) unless defined $count && $count =~ /^\d+$/;
	push @{ $session->{writes} }, { entry => $entry, seen => $seen, count => $count };
	return;
}

# ----- somebody else -----

# Has alta list an entry that is not from here, since so many seconds; gives its id.
sub list_elsewhere
{
	my ($entry, $seconds) = @_;
	my $id = sprintf '00000000-0000-4000-8000-%012d', int(rand(1e12));
	my $time = strftime('%Y-%m-%dT%H:%M:%S.000Z', gmtime(time - $seconds));

	control('PUT', '/entries', $json->encode([ { id => $id, objectType => 'communication-opt-out', identifier => $entry, identifierType => type_of($entry),
		isManuallyAdded => JSON::PP::false, createdAt => $time, updatedAt => $time } ]));
	return $id;
}

# Somebody opts in again at the vendor who is off the list, best of all one with a deletion that
# the vendor may have made.  Such deletions must not take the entry.  No sender is at work.
sub opt_in
{
	my %listed = map { $_->{identifier} => 1 } @{ $json->decode(control('GET', '/entries')) };
	my @unclear = grep { !$listed{$_} } split /\n/, sql(q{SELECT DISTINCT identifier FROM dnc_fdw_queue_waiting WHERE action = 'delete' AND (unclear OR state = 'sending')});
	my $entry = @unclear ? pick(@unclear) : pick(@{ $list->{entries} });

	return if $listed{$entry};
	my %over = map { $_ => 1 } split /\n/, sql("SELECT id FROM dnc_fdw_queue_waiting WHERE action = 'delete' AND identifier = '$entry' AND (unclear OR state = 'sending')");
	my $at = sql('SELECT clock_timestamp()');
	push @opted, { entry => $entry, over => \%over, at => $at, id => list_elsewhere($entry, 0) };
	return;
}

# ----- the sender -----

my $sender;

sub start_sender
{
	my ($out, $errors) = ('', '');

	$sender = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres') . ' application_name=sender', '-c', "CALL dnc_fdw_deliver('$list->{name}')" ],
		'>', \$out, '2>', \$errors);
	return;
}

# Lets the sender end, or ends it.  A killed one takes all sessions with it.
sub end_sender
{
	my ($signal) = @_;

	if ($signal)
	{
		my $pid = $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE application_name = 'sender'});
		kill $signal, $pid if $pid;
	}
	$sender->finish;
	undef $sender;
	after_crash() if $signal && $signal eq 'KILL';
	return;
}

sub after_crash
{
	for (1 .. 300)
	{
		last if $node->psql('postgres', 'SELECT 1') == 0;
		sleep 0.1;
	}
	eval { $_->{psql}{run}->kill_kill } for @sessions;
	@sessions = map { connect_session() } 1 .. 4;
	return;
}

# Does what the message of a deletion says that is dead, since nobody knows whether it was made:
# deletes again, unless somebody has opted in again.
sub delete_again
{
	for my $row (split /\n/, sql(q{SELECT id || ' ' || identifier FROM dnc_fdw_queue WHERE state = 'dead' AND message LIKE 'it is not known%, delete again, and discard this'}))
	{
		my ($id, $entry) = split / /, $row, 2;

		sql("SELECT dnc_fdw_queue_discard(ARRAY[$id], 'delete again')");
		sql("DELETE FROM list WHERE identifier = '$entry'") unless grep { $_->{entry} eq $entry } @opted;
	}
	return;
}

# Lets the queue be sent to its end, by a vendor without faults.  Deletions of which nobody knows
# whether they were made are dead; we say that they are still meant.
sub settle
{
	control('DELETE', '/fault');
	end_sender() if $sender;
	for (1 .. 30)
	{
		$node->safe_psql('postgres', "SELECT dnc_fdw_queue_resume('$list->{name}'), dnc_fdw_queue_retry(array_agg(id)) FROM dnc_fdw_queue
		  WHERE state = 'waiting' OR (state = 'dead' AND action = 'delete' AND message LIKE 'it is not known%')");
		$node->psql('postgres', "CALL dnc_fdw_deliver('$list->{name}')");
		delete_again();
		last if $node->safe_psql('postgres', "SELECT count(*) FROM dnc_fdw_queue WHERE state IN ('waiting', 'sending', 'dead')") == 0;
	}
	return;
}

# ----- the model -----

sub last_of { my $last = 0; $last = $_ > $last ? $_ : $last for @_; return $last }

# What is wrong with the list in the end, in words.
sub mistakes
{
	my %listed = map { $_->{ $list->{member} } => 1 } @{ $json->decode(control('GET', '/entries')) };
	my (%person, @wrong);

	push @{ $person{ person($_) } }, @{ $added{$_} } for keys %added;
	for my $entry (sort keys %added)
	{
		my $last = last_of(@{ $added{$entry} });
		my @later = grep { key($_->{entry}) eq $entry && $_->{seen} >= $last } @removals;

		push @wrong, "$entry was added at $last and is off the list" if !@later && !$listed{$entry};
		# Once it is sent, a vendor that folds shows another spelling than the queue has.
		push @wrong, "$entry was added at $last, and a deletion at $later[0]{seen} has not seen it"
			if $spelling{$entry} eq $entry && !(grep { $_->{count} } @later) && grep { $_->{entry} eq $entry } @later;
	}
	for my $removal (grep { $_->{count} } @removals)
	{
		next if grep { $_->{entry} eq $removal->{entry} } @opted;
		push @wrong, "$removal->{entry} was deleted at $removal->{seen} and is still listed"
			if $listed{ key($removal->{entry}) } && $removal->{seen} >= last_of(@{ $person{ person($removal->{entry}) } // [] });
	}
	return @wrong, taken_back();
}

# Who has opted in at the vendor, and was removed by no deletion that was sent first since then.
sub taken_back
{
	my %ids = map { ($_->{id} // $_->{_id}) => 1 } @{ $json->decode(control('GET', '/entries')) };
	my @wrong;

	for my $opted (grep { !$ids{ $_->{id} } } @opted)
	{
		my @may = grep { !$opted->{over}{$_} } split /\n/,
			sql("SELECT id FROM dnc_fdw_queue WHERE action = 'delete' AND identifier = '$opted->{entry}' AND attempts > 0 AND coalesce(done_at, 'infinity') > '$opted->{at}'");
		push @wrong, "$opted->{entry} has opted in at $opted->{at}, and is off the list" unless @may;
	}
	return @wrong;
}

# ----- a run -----

for (@lists)
{
	$list = $_;
	($now, $adds, @removals, %added) = (0, 0);
	@opted = ();
	my $server = DncVendors::server($list->{name}, $list->{name}, $url, 'model', "max_retries '0', requests_per_minute '0', write_mode 'queue', request_timeout '1s'");
	$node->safe_psql('postgres', qq{
		$server
		CREATE FOREIGN TABLE list ($list->{columns}) SERVER $list->{name} OPTIONS (default_country 'DE');
		CREATE FOREIGN TABLE list2 ($list->{columns}) SERVER $list->{name} OPTIONS (default_country 'AT');
	});
	if ($list->{looks})
	{
		list_elsewhere($_, 3600) for grep { chance(0.5) } @{ $list->{entries} };
		control('POST', '/fault?kind=lost&chance=250&method=DELETE&times=0');
	}
	control('POST', "/fault?kind=$_&times=0") for map { my $fault = $_; map { "$fault&method=$_" } qw(POST DELETE) }
		'lost&chance=60', 'cut&chance=30', 'status&arg=503&chance=60', 'status&arg=429&chance=30', 'close&chance=30', 'stall&chance=10';
	control('PUT', '/config?latency_ms=20');
	@sessions = map { connect_session() } 1 .. 4;
	my ($end, $steps, $kills, $crashes) = (time + $seconds, 0, 0, 0);
	while (time < $end)
	{
		my $session = pick(@sessions);

		$steps++;
		if (!$session->{writes}) { begin($session) }
		elsif (chance(0.4)) { end_transaction($session) }
		else { write_something($session) }
		opt_in() if $list->{looks} && !$sender && chance(0.5);
		next unless chance(0.2);
		if (!$sender)
		{
			my $states = chance(0.3) ? q{'waiting', 'dead'} : q{'waiting'};

			sql("SELECT dnc_fdw_queue_resume('$list->{name}'), dnc_fdw_queue_retry(array_agg(id)) FROM dnc_fdw_queue WHERE state IN ($states)");
			# It happens that a look does not tell, either.
			control('POST', '/fault?kind=status&arg=503&method=GET') if $list->{looks} && chance(0.7);
			start_sender();
		}
		elsif ($crashes < 2 && chance(0.05)) { $crashes++; end_sender('KILL') }
		elsif (chance(0.3)) { $kills++; end_sender('TERM') }
		elsif (chance(0.5)) { end_sender() }
	}
	end_transaction($_) for grep { $_->{writes} } @sessions;
	settle();
	note("$list->{name}: $steps steps, $adds additions, " . scalar(@removals) . " deletions, " . scalar(@opted) . " opted in elsewhere, $kills senders ended, $crashes crashes");
	is(join("\n", mistakes()), '', "$list->{name}: the list is what was promised");
	is($node->safe_psql('postgres', "SELECT count(*) FROM dnc_fdw_queue WHERE server = '$list->{name}' AND action = 'add' AND state = 'done'"), $adds,
		"$list->{name}: no addition is lost, and none is there twice");
	is($node->safe_psql('postgres', "SELECT string_agg(concat_ws(' ', action, identifier, state, message), ', ') FROM dnc_fdw_queue WHERE server = '$list->{name}' AND state NOT IN ('done', 'superseded', 'discarded')"), '',
		"$list->{name}: nothing is left");
	cmp_ok($adds, '>', 0, "$list->{name}: something was added");
	$_->{psql}->quit for @sessions;
	$node->safe_psql('postgres', "DROP SERVER $list->{name} CASCADE");
}

$dnc->stop;
done_testing();
