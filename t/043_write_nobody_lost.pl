# A model with one rule: nobody is lost.  After any end of a transaction (commit, abort,
# refusal, lost answer, cancel, terminated or killed backend), nobody is off the list who was
# on it and whom no statement has removed, nor anybody whose addition was acknowledged.
#
# Random transactions write in both modes, through two servers of one account, as several
# roles, with triggers that add again what is deleted, in several spellings.  The vendor has
# bad days.  We know only what each statement is about, and in which order they came.  At
# times a second session writes to the list meanwhile: it may remove what the first one adds.
#
# The account has a mirror, so that acknowledged writes are recorded.  Who is hidden by such a
# record is off the list, or was added by a transaction that was not committed.
# DNC_MODEL_SEED sets the seed, DNC_MODEL_COUNT the number of transactions for each list.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use DncVendors;
use IPC::Open3;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $transactions = $ENV{DNC_MODEL_COUNT} || 120;
my $seed = $ENV{DNC_MODEL_SEED} || 20250601;
note("DNC_MODEL_SEED=$seed");
srand($seed);
sub pick { return $_[ int(rand(@_)) ] }
sub chance { return rand() < $_[0] }

my ($list, %person_of);    # the list at hand; people by spelling

# The list of each vendor, and who may be on it: spellings, by person.
my @lists = map { { name => $_, people => { DncVendors::people($_) }, asks_for_type => DncVendors::asks_for_type($_),
	tokens => [ DncVendors::token($_, 'lost'), DncVendors::token($_, 'lost-other') ],
	columns => DncVendors::asks_for_type($_) ? 'identifier, identifier_type' : 'identifier' } } DncVendors::names();

# The type of a new entry.
sub type_for
{
	my ($spelling) = @_;
	my $type = DncVendors::type_of($list->{name}, $spelling);

	return $type eq 'phone' && DncVendors::has_type($list->{name}, 'sms') ? pick('phone', 'phone', 'sms') : $type;
}

# Tables: f and t wait for COMMIT, fi and ti do not; t and ti are of another server.  What is deleted
# from a table with "b" or "a" is added again by a trigger, before or after that.
my @tables = qw(f fb fa fi fib fia t ti);
my $dnc = DncTest->new;
my $node = $dnc->node;
$node->append_conf('postgresql.conf', "restart_after_crash = on\n");
$node->restart;
my $json = JSON::PP->new->utf8;

sub is_immediate { return $_[0] =~ /i/ }
sub adds_again { return $_[0] =~ /[ab]$/ }

# ---- a session of psql

# Two sessions, each with psql's process, the pipes to and from it, the backend's process, and the
# steps of its transaction.
my @sessions = map { { errors => PostgreSQL::Test::Utils::tempdir() . "/psql_errors_$_" } } 0, 1;

sub start_psql
{
	my ($session) = @_;

	local @ENV{qw(PGHOST PGPORT PGDATABASE)} = ($node->host, $node->port, $list->{name});
	# After a crash the server takes a moment.
	for (1 .. 1200)
	{
		open my $file, '>', $session->{errors} or die "$session->{errors}: $!";
		$session->{psql} = open3($session->{in}, $session->{out}, '>&' . fileno($file), qw(psql -X -A -t -q)) or die "psql: $!";
		send_script($session, "SET client_min_messages = error;\nSET statement_timeout = '20s';\nSELECT 'pid ' || pg_backend_pid();");
		my ($out) = read_answer($session);
		($session->{backend}) = $out =~ /pid (\d+)/ and return;
		stop_psql($session);
		usleep(50_000);
	}
	die 'psql: ' . slurp_file($session->{errors});
}

sub stop_psql
{
	my ($session) = @_;

	close $session->{in};
	close $session->{out};
	waitpid $session->{psql}, 0;
	return;
}

sub send_script
{
	my ($session, $script) = @_;
	local $SIG{PIPE} = 'IGNORE';

	print { $session->{in} } "$script\n\\echo == over\n";
	$session->{in}->flush;
	return;
}

# What psql shows of a script, and whether it has come to its end.
sub read_answer
{
	my ($session) = @_;
	my $out = '';

	while (defined(my $line = readline $session->{out}))
	{
		return ($out, 1) if $line eq "== over\n";
		$out .= $line;
	}
	return ($out, 0);
}

# ---- a random transaction: steps, each with its SQL and the people that it is about

my @steps;

sub step { my ($kind, $sql, %about) = @_; push @steps, { kind => $kind, sql => $sql, %about }; return }
sub spelling { my ($person) = @_; return pick(@{ $list->{people}{$person} }) }
sub people { my ($count) = @_; return map { pick(sort keys %{ $list->{people} }) } 1 .. $count }

sub rows
{
	my (@spellings) = @_;

	return join ', ', map { "('$_'" . ($list->{asks_for_type} ? ", '" . type_for($_) . "'" : '') . ')' } @spellings;
}

sub conflict { return $DncVendors::vendors{ $list->{name} }{refuses} || chance(0.5) ? 'ON CONFLICT DO NOTHING' : '' }

# All spellings of some people, as a condition.
sub condition
{
	my (@spellings) = @_;

	return 'identifier IN (' . join(', ', map { "'$_'" } @spellings) . ')';
}

# A statement on a table: [add or remove, spelling, ...] in the order of commands.
sub statement
{
	my ($table) = @_;
	my $columns = $list->{columns};
	my @some = map { spelling($_) } people(1 + int(rand(3)));
	my @gone = map { @{ $list->{people}{$_} } } people(1 + int(rand(3)));
	my $insert = "INSERT INTO $table ($columns) VALUES " . rows(@some) . ' ' . conflict();
	my $delete = "DELETE FROM $table WHERE " . condition(@gone);
	# What a trigger adds again is as it was.
	my @remove = adds_again($table) ? () : ([ 'remove', @gone ]);
	my $outer = ($table =~ /([ft]i?)/)[0];
	my $what = rand();

	return ($insert, [ 'add', @some ]) if $what < 0.35;
	return ($delete, @remove) if $what < 0.6;
	return ("WITH d AS ($delete RETURNING 1), i AS ($insert RETURNING 1) SELECT count(*) FROM " . pick('i', 'd'), @remove, [ 'add', @some ]) if $what < 0.7;
	return ("WITH d AS (DELETE FROM $table WHERE " . condition(@gone) . " RETURNING $columns) INSERT INTO $outer ($columns) SELECT * FROM d " . conflict()) if $what < 0.78;
	return ("$delete RETURNING add_$outer('$some[0]')", @remove, [ 'maybe', $some[0] ]) if $what < 0.86;
	return ("$insert RETURNING remove_$outer('$gone[0]')", [ 'add', @some ], [ 'remove', $gone[0] ]) if $what < 0.94;
	return ("$delete RETURNING add_$outer(identifier)") if $what < 0.97;
	return ('DO $$ BEGIN ' . "$delete; $insert; RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN NULL; END \$\$",
		is_immediate($table) ? (@remove, [ 'maybe', @some ]) : ());
}

# Writes of one transaction, mostly in one mode.
sub transaction
{
	my @usual = chance(0.3) ? grep { is_immediate($_) } @tables : grep { !is_immediate($_) } @tables;
	my $savepoints = 0;

	@steps = ();
	step('begin', 'BEGIN');
	for (1 .. 1 + int(rand(6)))
	{
		my $table = chance(0.1) ? pick(@tables) : pick(@usual);
		my ($sql, @effects) = statement($table);
		my $role = pick(0, 0, 0, 1, 2);

		step('savepoint', 'SAVEPOINT s' . ++$savepoints) if chance(0.3);
		step('role', $role ? "SET LOCAL ROLE role_$role" : 'RESET ROLE');
		step('statement', $sql, table => $table, effects => \@effects, token => $role == 2 ? 1 : 0);
		step('query', 'SELECT count(*) FROM ' . pick(qw(f fi t ti))) if chance(0.2);
		next unless $savepoints && chance(0.25);
		my $name = 'SAVEPOINT s' . (1 + int(rand($savepoints)));
		step('rollback to', "ROLLBACK TO $name", to => $name);
	}
	step('role', 'RESET ROLE');
	step(chance(0.85) ? ('commit', 'COMMIT') : ('rollback', 'ROLLBACK'));
	return [@steps];
}

sub script
{
	my ($steps) = @_;
	my $number = 0;

	return join "\n", map { "$_->{sql};\n\\echo state " . $number++ . ' :SQLSTATE' } @$steps;
}

# ---- the rule

# The entry that the list has for a spelling.
sub entry { my ($spelling) = @_; return DncVendors::stored($list->{name}, $spelling) }

# Note what a statement does in a unit that is sent as one: additions that stand, by person and entry,
# and all removals, each with its place and token.
sub take_effects
{
	my ($unit, $step) = @_;

	for my $effect (@{ $step->{effects} })
	{
		my ($what, @spellings) = @$effect;
		my $place = ++$unit->{places};

		for my $spelling (@spellings)
		{
			my $added = $unit->{added}{ $person_of{$spelling} } //= {};
			my $write = { person => $person_of{$spelling}, entry => entry($spelling), place => $place, token => $step->{token} };

			if ($what eq 'add') { $added->{ $write->{entry} } = $write }
			elsif ($what eq 'remove')
			{
				push @{ $unit->{removed} }, $write;
				# What is added with another token is not seen.
				delete $added->{ $write->{entry} } if ($added->{ $write->{entry} } // $write)->{token} == $step->{token};
			}
		}
	}
	return;
}

# The entries that a unit may remove: not if an addition stands that the removal has not seen.
sub removed_by
{
	my ($unit) = @_;
	my @removed;

	for my $removal (@{ $unit->{removed} // [] })
	{
		my @additions = values %{ $unit->{added}{ $removal->{person} } };

		push @removed, $removal->{entry}
		  unless grep { $_->{place} > $removal->{place} || $_->{token} != $removal->{token} } @additions;
	}
	return @removed;
}

# The entries that a unit adds.
sub added_by
{
	my ($unit) = @_;

	return map { keys %$_ } values %{ $unit->{added} // {} };
}

# A unit was sent, and was good if it was acknowledged.
sub note_end
{
	my ($unit, $good, $lost, $listed) = @_;

	for my $entry (removed_by($unit))
	{
		delete $listed->{$entry};
		$lost->{$entry} = 1;
	}
	if ($good) { $listed->{$_} = 1 for added_by($unit) }
	return;
}

# The entries that may be lost, and those that must be listed, after a transaction.
# states: SQLSTATEs of the steps that were answered.
sub judge
{
	my ($steps, @states) = @_;
	my (%lost, %listed, @waiting, $aborted);

	for my $number (0 .. $#$steps)
	{
		my $step = $steps->[$number];
		my $state = $states[$number];
		my $good = defined $state && $state eq '00000';
		my $last = !defined $state;

		if ($step->{kind} eq 'rollback to' && $good)
		{
			my $place = 0;

			$aborted = 0;
			$place++ while $waiting[$place] ne $step->{to};
			splice @waiting, $place + 1;
		}
		elsif ($step->{kind} eq 'savepoint') { push @waiting, $step->{sql} if $good }
		elsif ($step->{kind} eq 'statement' && is_immediate($step->{table}))
		{
			my %unit;

			take_effects(\%unit, $step);
			note_end(\%unit, $good, \%lost, \%listed) unless $aborted;
		}
		elsif ($step->{kind} eq 'statement' && $good) { push @waiting, $step }
		elsif ($step->{kind} eq 'commit' && !$aborted)
		{
			my %unit;

			take_effects(\%unit, $_) for grep { ref } @waiting;
			note_end(\%unit, $good, \%lost, \%listed);
		}
		$aborted = 1 if defined $state && !$good && $step->{kind} ne 'commit';
		last if $last;
	}
	return (\%lost, \%listed);
}

# The entries of the list: what it has, without types.
sub listed
{
	my $entries = $json->decode($dnc->control('GET', "$list->{name}/lost/entries"));

	return map { entry(DncVendors::identifier_of($_)) => 1 } @$entries;
}

# ---- bad days

sub order_faults
{
	return if chance(0.5);
	for (1 .. 1 + int(rand(2)))
	{
		my $method = pick('POST', 'POST', 'DELETE', 'DELETE', 'GET');
		my $kind = pick('kind=status&arg=400', 'kind=status&arg=500', 'kind=status&arg=503', 'kind=close', 'kind=lost', 'kind=cut');
		my $at = 1 + int(rand(4));
		my $times = chance(0.2) ? 0 : 1 + int(rand(3));

		$dnc->control('POST', "$list->{name}/lost/fault?$kind&method=$method&at=$at&times=$times");
	}
	return;
}

# Ends a backend, or cancels its statement, a moment from now.  One that is killed takes the others
# with it.  Gives the process that does.
sub order_end
{
	my ($backend) = @_;
	my $signal = pick('TERM', 'TERM', 'INT', 'INT', 'KILL');
	my $moment = rand(0.04);
	my $child = fork // die "fork: $!";

	# A program of its own, so that it does not end the test's cluster when it ends.
	exec 'sh', '-c', "sleep $moment; kill -$signal $backend" unless $child;
	return $child;
}

# ---- the tables

sub set_up
{
	my ($name, $columns) = @$list{qw(name columns)};
	my $values = $list->{asks_for_type} ? 'OLD.identifier, OLD.identifier_type' : 'OLD.identifier';
	my ($other) = grep { !/@/ } map { @$_ } values %{ $list->{people} };
	my $type = !$list->{asks_for_type} ? '' : q{, CASE WHEN $1 LIKE '%@%' THEN 'email' ELSE '} . DncVendors::type_of($name, $other // '@') . "' END";
	my $server = sub { my ($server, $options) = @_; return DncVendors::server($server, $name, $dnc->url, 'lost', "account 'lost', requests_per_minute '0', $options") . qq{
		CREATE USER MAPPING FOR role_1 SERVER $server OPTIONS (token '$list->{tokens}[0]');
		CREATE USER MAPPING FOR role_2 SERVER $server OPTIONS (token '$list->{tokens}[1]');} };
	my $sql = 'CREATE EXTENSION dnc_fdw;' . $server->('main', "max_retries '0'") . $server->('twin', "max_retries '1'");

	for my $table (@tables)
	{
		my $outer = ($table =~ /([ft]i?)/)[0];
		my $timing = $table =~ /a$/ ? 'AFTER' : 'BEFORE';

		$sql .= "CREATE FOREIGN TABLE $table (" . DncVendors::table_columns($name) . ') SERVER ' . ($table =~ /^t/ ? 'twin' : 'main')
		  . (is_immediate($table) ? " OPTIONS (write_mode 'immediate'" . ($DncVendors::vendors{$name}{one_each} ? '' : ", batch_size '2'") . ')' : '') . ';';
		$sql .= "CREATE FUNCTION again_$table() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN
		    INSERT INTO $outer ($columns) VALUES ($values) ON CONFLICT DO NOTHING; RETURN OLD; END \$\$;
		  CREATE TRIGGER again $timing DELETE ON $table FOR EACH ROW EXECUTE FUNCTION again_$table();" if adds_again($table);
		$sql .= "CREATE FUNCTION add_$table(text) RETURNS bigint LANGUAGE plpgsql AS \$\$ BEGIN
		    INSERT INTO $table ($columns) VALUES (\$1$type) ON CONFLICT DO NOTHING; RETURN 1; END \$\$;
		  CREATE FUNCTION remove_$table(text) RETURNS bigint LANGUAGE plpgsql AS \$\$ BEGIN
		    DELETE FROM $table WHERE identifier = \$1; RETURN 1; END \$\$;" if $table =~ /^[ft]i?$/;
	}
	$node->safe_psql('postgres', "CREATE DATABASE $name");
	$node->safe_psql($name, "$sql GRANT ALL ON ALL TABLES IN SCHEMA public TO role_1, role_2;
		REVOKE ALL ON dnc_fdw_queue_waiting, dnc_fdw_queue_finished, dnc_fdw_mirror_lists FROM role_1, role_2;
		INSERT INTO dnc_fdw_mirror_lists (source, mirror, staging, known, server, account, owner, read_by, max_age, gone_after, max_loss)
		  VALUES ('f', 'f', 'f', 'f', 'main', '$name/lost', 'postgres', 'postgres', '1 day', 2, 0.1)");
	$dnc->control('PUT', "$name/lost/config?latency_ms=1");
	%person_of = map { my $person = $_; map { $_ => $person } @{ $list->{people}{$person} } } keys %{ $list->{people} };
	start_psql($_) for @sessions;
	return;
}

# The entries whose last record is that they were removed.  All records are taken away.
sub hidden
{
	my @rows = split /\n/, $node->safe_psql($list->{name}, q{WITH r AS (DELETE FROM dnc_fdw_queue_finished RETURNING *)
		SELECT DISTINCT ON (identifier) action || ' ' || identifier FROM r WHERE identifier IS NOT NULL ORDER BY identifier, done_at DESC, action});
	my %last;

	for (@rows) { my ($action, $identifier) = split / /, $_, 2; push @{ $last{ entry($identifier) } }, $action }
	return grep { !grep { $_ eq 'add' } @{ $last{$_} } } sort keys %last;
}

my (%ends, $wrong);

# How a session's transaction has ended, by step.
sub note_states
{
	my ($steps, @states) = @_;

	$ends{ !defined $states[$#$steps] ? 'killed' : $steps->[-1]{kind} . " $states[$#$steps]" }++;
	$ends{"statement $states[$_]"}++ for grep { $steps->[$_]{kind} eq 'statement' && defined $states[$_] } 0 .. $#$steps;
	return;
}

# One transaction, or two at a time, and what is wrong after that.
sub try_one
{
	my %before = listed();
	my @running = @sessions[ 0 .. (chance(0.4) ? 1 : 0) ];
	my (@lost, @must, @told, %uncertain);

	$_->{steps} = transaction() for @running;
	order_faults();
	my $child = chance(0.3) ? order_end($sessions[0]{backend}) : 0;
	send_script($_, script($_->{steps})) for @running;
	for my $session (@running)
	{
		my ($out, $over) = read_answer($session);
		my @states;

		$session->{ended} = !$over;
		$states[$1] = $2 while $out =~ /^state (\d+) (\w+)/mg;
		my ($lost, $must) = judge($session->{steps}, @states);
		push @lost, $lost;
		push @must, $must;
		if (grep { !defined $_ || $_ ne '00000' } @states[ 0 .. $#{ $session->{steps} } ] or $session->{steps}[-1]{kind} ne 'commit')
		{
			$uncertain{ entry($_) } = 1 for map { my ($what, @who) = @$_; @who } map { @{ $_->{effects} // [] } } @{ $session->{steps} };
			# What triggers add again is among what they delete.
			$uncertain{all} = 1 if grep { $_->{kind} eq 'statement' && ($_->{sql} =~ /INSERT INTO \S+ \(\S+?\) SELECT|add_\w+\(identifier\)/ || adds_again($_->{table})) } @{ $session->{steps} };
		}
		push @told, 'a session:', map { ($states[$_] // '-') . "  $session->{steps}[$_]{sql}" } 0 .. $#{ $session->{steps} };
		note_states($session->{steps}, @states);
	}
	waitpid $child, 0 if $child;
	# A cancel may come late, and a crash ends the session that was idle, too.
	my @over = $child ? @sessions : grep { $_->{ended} } @running;
	stop_psql($_) for @over;
	usleep(20_000) if @over;
	$dnc->control('DELETE', "$list->{name}/lost/fault");
	my %after = listed();
	my %removed = map { %$_ } @lost;
	my @added = map { my $session = $_; grep { my $entry = $_; !grep { $_ != $session && $lost[$_]{$entry} } 0 .. $#lost } keys %{ $must[$session] } } 0 .. $#must;
	my @missing = ((map { "$_ was listed" } grep { !$after{$_} && !$removed{$_} } sort keys %before),
		(map { "$_ was added" } grep { !$after{$_} } sort @added));

	start_psql($_) for @over;
	my @hidden = hidden();
	push @missing, map { "$_ is hidden by a record" } grep { $after{$_} && !$uncertain{$_} } @hidden unless @running > 1 || $uncertain{all};
	return '' unless @missing;
	return join "\n", @missing, @told, 'before: ' . join(' ', sort keys %before),
		'after: ' . join(' ', sort keys %after), $dnc->control('GET', "$list->{name}/lost/log?bodies=1") =~ s/^GET.*\n//mgr;
}

$node->safe_psql('postgres', 'CREATE ROLE role_1; CREATE ROLE role_2');
for my $one (@lists)
{
	my $done = 0;

	$list = $one;
	set_up();
	$wrong = '';
	while ($done++ < $transactions && $wrong eq '')
	{
		$dnc->control('DELETE', "$list->{name}/lost/log");
		$wrong = try_one();
	}
	is($wrong, '', "$list->{name}: nobody is lost in $transactions transactions") or diag("DNC_MODEL_SEED=$seed, transaction ", $done - 1);
	note('ended: ' . join ', ', map { "$_: $ends{$_}" } sort keys %ends);
	%ends = ();
	stop_psql($_) for @sessions;
}

$dnc->stop;
done_testing();
