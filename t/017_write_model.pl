# A model: random transactions go through a foreign table and through a local
# table at the same time, and both show the same rows: after random statements
# within a transaction, and the sandbox's list after each COMMIT.
#
# The local table has a unique index on what a provider tells entries apart by, and
# its additions say ON CONFLICT DO NOTHING: adding what is listed does nothing.
# PostgreSQL itself is the oracle for visibility, cursors, savepoints, triggers.
# The seed is printed, and DNC_MODEL_SEED sets it; DNC_MODEL_COUNT sets the number of
# transactions for each list.  Refusals, lost answers and killed backends are in
# t/043_write_nobody_lost.pl.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncStatements;
use DncTest;
use DncVendors;
use IPC::Open3;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my $transactions = $ENV{DNC_MODEL_COUNT} || 200;    # for each list
my $most = 120;            # entries; beyond that everything is deleted

my $seed = $ENV{DNC_MODEL_SEED} || 20250601;
diag("DNC_MODEL_SEED=$seed") if $ENV{DNC_MODEL_SEED};
note("DNC_MODEL_SEED=$seed");
srand($seed);

# Each list, with the types and identifiers that may be on it.  Identifiers are parts of each other, and
# differ in case alone.
my @addresses = map { my $name = $_; map { $name . $_ } '@x.org', '@xx.org', '@X.org' } qw(a an ann Ann anna bo);
my @lists = DncVendors::lists('model');
for my $one (@lists)
{
	my $facts = $DncVendors::vendors{ $one->{vendor} };
	my @numbers = $facts->{ignores_plus} ? map { $_, "1$_", "${_}5" } qw(155 1550 1551 15500 15510 15555) : qw(+1555 +15550 +15551 1555);
	my %identifiers = (email => \@addresses, domain => [qw(x.org X.org xx.org)], phone => \@numbers);

	$one->{$_} = $facts->{$_} for qw(folds refuses identity);
	$one->{types} = [ grep { DncVendors::has_type($one->{vendor}, $_) } qw(email domain phone sms) ];
	$one->{identifiers} = [ map { @{ $identifiers{$_} // [] } } @{ $one->{types} } ];
	# A person can be there in several spellings.
	$one->{spellings} = !$facts->{folds} && !$facts->{ignores_plus};
}

my $dnc = DncTest->new;
my $node = $dnc->node;
my $json = JSON::PP->new->utf8;
my $immediate;    # is the write_mode of the list's table 'immediate'?

# ---- a session of psql, a script at a time

my ($to_psql, $from_psql);
my $errors = PostgreSQL::Test::Utils::tempdir() . '/psql_errors';

sub start_psql
{
	my ($database) = @_;

	local @ENV{qw(PGHOST PGPORT PGDATABASE)} = ($node->host, $node->port, $database);
	open my $file, '>', $errors or die "$errors: $!";
	open3($to_psql, $from_psql, '>&' . fileno($file), qw(psql -X -A -t -q)) or die "psql: $!";
	return;
}

# What psql shows of a script.
sub run_script
{
	my ($script) = @_;
	my $out = '';

	print $to_psql "$script\n\\echo == over\n";
	$to_psql->flush;
	while (my $line = <$from_psql>)
	{
		return $out if $line eq "== over\n";
		$out .= $line;
	}
	die 'psql has ended: ' . slurp_file($errors);
}

# ---- the script of a transaction

my (@script, %told);    # its lines; statements by number

# A statement for one side: LIST is the table, SIDE what its functions end in.  The table may
# be another server's, of the same account.
sub for_side
{
	my ($statement, $side) = @_;
	my $foreign = $immediate ? 'fi' : 'f';
	# Additions go out server by server, and the first one of an entry gives sendkit its type.
	my $table = chance(0.7) || ($list->{folds} && $statement =~ /INSERT/) ? $foreign : $foreign =~ tr/f/t/r;
	my $conflict = $side eq 'm' || $list->{refuses} || chance(0.3) ? 'ON CONFLICT DO NOTHING' : '';

	$statement =~ s/\bLIST\b/$side eq 'm' ? 'm' : $table/eg;
	$statement =~ s/SIDE\b/$side eq 'm' ? 'm' : $foreign/eg;
	$statement =~ s/\bCONFLICT\b/$conflict/g;
	return $statement;
}

# Both sides do the same, and what they show, in whatever order, has to be the same.  The model
# may need another statement for it, or one more.
sub both
{
	my ($statement, %how) = @_;
	my $number = keys %told;

	$told{$number} = $statement;
	for my $side (qw(f m))
	{
		push @script, "\\echo == $number $side", for_side($side eq 'm' && $how{model} || $statement, $side) . ';',
			'\echo state :SQLSTATE', $how{counts} ? '\echo rows :ROW_COUNT' : ();
	}
	plain(for_side("$how{then};", 'm')) if $how{then};
	fold() if $immediate;
	return;
}

sub plain { push @script, @_; return }

# What was sent is on the list as the provider stores it.
sub fold
{
	# A removal is held back if the same person is added, in another spelling or as another type.
	plain(q{INSERT INTO m (identifier, identifier_type) SELECT l.identifier, l.identifier_type FROM listed l
		WHERE (l.identifier, l.identifier_type) IN (SELECT identifier, identifier_type FROM f)
		  AND EXISTS (SELECT FROM m WHERE person(m.identifier) = person(l.identifier)) ON CONFLICT DO NOTHING;}) if $list->{spellings};
	plain('UPDATE m SET identifier = lower(identifier) WHERE identifier <> lower(identifier);') if $list->{folds};
	keep();
	return;
}

# An entry that is removed and added again before anything is sent stays as it was.
sub keep
{
	plain('UPDATE m SET identifier_type = l.identifier_type FROM listed l'
		. ' WHERE lower(m.identifier) = lower(l.identifier) AND m.identifier_type <> l.identifier_type;') if $list->{folds};
	plain('DELETE FROM listed; INSERT INTO listed SELECT identifier, identifier_type FROM m;');
	return;
}

# ---- statements that the model needs another one for

# Parts of one statement delete and add the same: it stays, whichever comes first.  A local table
# would look at what the part before has done.
sub renew_in_parts
{
	my $row = row();
	my ($identifier) = $row =~ /'(.*?)'/;
	my @parts = ("d AS (DELETE FROM LIST WHERE identifier = '$identifier' RETURNING identifier)",
		"i AS (INSERT INTO LIST (identifier, identifier_type) VALUES $row CONFLICT RETURNING identifier)");

	both('WITH ' . join(', ', chance(0.5) ? @parts : reverse @parts) . ' SELECT count(*) FROM d',
		then => "INSERT INTO LIST (identifier, identifier_type) VALUES $row CONFLICT");
	return;
}

# A row trigger adds again what is deleted: all stays.
sub renew_by_trigger
{
	my $where = condition();
	my $table = ($immediate ? 'fi' : 'f') . pick('b', 'a');

	both("WITH d AS (DELETE FROM $table AS LIST WHERE $where RETURNING 1) SELECT count(*) FROM d",
		model => "SELECT count(*) FROM LIST WHERE $where", then => "UPDATE LIST SET id = nextval('m_id_seq') WHERE $where");
	return;
}

# ---- a random transaction

my (%cursors, @savepoints, $names);    # by name, the savepoints that there were; names

sub open_cursor
{
	my $name = 'c' . $names++;
	my $hold = chance(0.3) ? 'WITH HOLD ' : '';

	$cursors{$name} = { hold => $hold, depth => scalar @savepoints };
	both("DECLARE ${name}_SIDE CURSOR ${hold}FOR SELECT identifier, identifier_type FROM LIST WHERE " . pick('true', condition()));
	# Begun: what is read by then is read.
	both("MOVE 0 FROM ${name}_SIDE") if chance(0.3);
	return;
}

sub read_cursor
{
	my $name = pick(sort keys %cursors);

	both("FETCH ALL FROM ${name}_SIDE");
	both("CLOSE ${name}_SIDE");
	delete $cursors{$name};
	return;
}

sub roll_back_to
{
	my $index = int(rand(@savepoints));

	plain("ROLLBACK TO SAVEPOINT $savepoints[$index];");
	delete @cursors{ grep { $cursors{$_}{depth} > $index } keys %cursors };
	splice @savepoints, $index + 1;
	return;
}

sub release
{
	my $index = int(rand(@savepoints));

	plain("RELEASE SAVEPOINT $savepoints[$index];");
	splice @savepoints, $index;
	$_->{depth} = $_->{depth} > $index ? $index : $_->{depth} for values %cursors;
	return;
}

# What only a transaction whose writes wait can do, since nothing else can be taken back.
sub step_back
{
	if (@savepoints && chance(0.5)) { chance(0.6) ? roll_back_to() : release() }
	elsif (chance(0.4)) { both('DO $$ ' . block(2) . ' $$') }
	elsif (%cursors && chance(0.4)) { read_cursor() }
	elsif (chance(0.4)) { open_cursor() }
	else
	{
		push @savepoints, 's' . $names++;
		plain("SAVEPOINT $savepoints[-1];");
	}
	return;
}

sub copy
{
	my @rows = map { row() =~ /'(.*)', '(.*)'/ ? "$1\t$2" : () } 1 .. 4;
	my $data = join "\n", @rows;
	my $foreign = $immediate ? 'fi' : 'f';

	# COPY knows no ON CONFLICT.
	return both(add(), counts => 0) if $list->{refuses};
	plain("COPY $foreign (identifier, identifier_type) FROM stdin;\n$data\n\\.",
		"TRUNCATE copied; COPY copied FROM stdin;\n$data\n\\.",
		'INSERT INTO m (identifier, identifier_type) SELECT * FROM copied ON CONFLICT DO NOTHING;');
	fold() if $immediate;
	return;
}

sub step
{
	my $what = rand();

	if ($what < 0.26) { both(add()) }
	elsif ($what < 0.46) { my $statement = remove(); both($statement, counts => scalar($statement =~ /^DELETE/)) }
	elsif ($what < 0.52) { both(renew()) }
	elsif ($what < 0.54) { renew_in_parts() }
	elsif ($what < 0.56) { renew_by_trigger() }
	elsif ($what < 0.60) { copy() }
	elsif ($what < 0.63)
	{
		my $row = row();
		both("INSERT INTO LIST (identifier, identifier_type) SELECT * FROM (VALUES $row) v (i, t)
		  WHERE NOT EXISTS (SELECT FROM LIST WHERE lower(identifier) = lower(i))" . ($list->{refuses} ? '' : ' CONFLICT'), counts => 1);
	}
	elsif ($what < 0.66) { both('SELECT count(touch_SIDE(identifier, identifier_type)) FROM LIST WHERE ' . condition()) unless $immediate }
	elsif ($what < 0.86 && !$immediate) { step_back() }
	elsif ($what < 0.89) { plain(pick('SET LOCAL ROLE other;', 'RESET ROLE;')) }
	both(query()) for 1 .. int(rand(3));
	return;
}

# Without ON CONFLICT, such an addition is refused at COMMIT, unless its entry is deleted until then.
sub add_what_is_listed
{
	plain('SELECT coalesce((SELECT id FROM m ORDER BY id * 7919 % 13 LIMIT 1), 0) AS listed \gset',
		q{INSERT INTO f (identifier, identifier_type) SELECT identifier, 'phone' FROM m WHERE id = :listed;});
	return;
}

# Writes of a transaction that is taken back, or not.
sub transaction
{
	my ($chained) = @_;

	%told = %cursors = ();
	@script = @savepoints = ();
	$names = 0;
	$immediate = chance(0.15);
	plain('BEGIN;') unless $chained;
	plain("SELECT count(*) > $most AS full FROM m \\gset", '\if :full',
		map({ 'DELETE FROM ' . ($immediate ? 'fi' : 'f') . ';', 'DELETE FROM m;' } 1), '\endif');
	my $refusal = $list->{refuses} && !$immediate && chance(0.1);
	add_what_is_listed() if $refusal;
	step() for 1 .. 2 + int(rand(9));
	both('SELECT identifier, identifier_type FROM LIST');
	plain('\echo == end x');
	if (!$immediate && chance(0.25))
	{
		plain(pick('SELECT 1 / 0; COMMIT;', 'ROLLBACK;', 'ROLLBACK;', 'ROLLBACK AND CHAIN; COMMIT;'));
		%cursors = ();
	}
	else
	{
		plain($refusal ? 'SELECT count(*) > 0 AS refused FROM m WHERE id = :listed \gset' : '\set refused f');
		my $chain = chance(0.25);
		plain($chain ? 'COMMIT AND CHAIN;' : 'COMMIT;', '\echo commit :SQLSTATE :refused', $chain ? 'ROLLBACK;' : ());
		%cursors = () if $refusal;
		# What the list had taken by then stays.
		plain('\if :refused', 'DELETE FROM m; INSERT INTO m SELECT identifier, identifier_type FROM f;', '\endif');
	}
	fold();
	for my $name (sort grep { $cursors{$_}{hold} } keys %cursors)
	{
		both("FETCH ALL FROM ${name}_SIDE");
		both("CLOSE ${name}_SIDE");
	}
	plain('CLOSE ALL;', '\echo == all m', 'SELECT identifier, identifier_type FROM m;');
	return;
}

# ---- comparing

# The sandbox's list, as psql shows the model.
sub listed
{
	my $entries = $json->decode($dnc->control('GET', "$list->{account}/entries"));

	return join "\n", sort map { DncVendors::identifier_of($_) . '|' . DncVendors::entry_type($list->{vendor}, $_) } @$entries;
}

# What differs between the sides, in words; empty: nothing.
sub differences
{
	my ($out) = @_;
	my (%shown, @wrong);

	$shown{$1}{$2} = join "\n", sort split /\n/, $3
		while $out =~ /^== (\w+) (\w)\n((?:(?!== ).*\n)*)/mg;
	for my $number (0 .. keys(%told) - 1)
	{
		my ($f, $m) = map { $shown{$number}{$_} // 'nothing' } qw(f m);

		push @wrong, "$told{$number}\n-- foreign:\n$f\n-- model:\n$m" if $f ne $m;
		push @wrong, "$told{$number}\n-- fails: $m" if $m =~ /^state (?!00000)/m;
	}
	push @wrong, "COMMIT: $1, refused: $2"
		if $out =~ /^commit (\w+) (\w)/m && $1 ne ($2 eq 't' ? '23505' : '00000');
	push @wrong, "after the transaction:\n-- list:\n" . listed() . "\n-- model:\n$shown{all}{m}"
		if $shown{all}{m} ne listed();
	return @wrong;
}

# ---- the tables

sub set_up
{
	my ($name, $vendor, $account) = @$list{qw(name vendor account)};
	my $columns = DncVendors::table_columns($vendor);
	my $number = 0;
	my $pool = join ', ', map { '(' . $number++ . ", '$_', '" . type_of($_) . "')" } @{ $list->{identifiers} };
	my $functions = '';

	# What touch_f() and touch_m() delete is never what they add: rows come in any order.
	for my $side (qw(f fi m))
	{
		my $body = "IF NEW.what = 'add' THEN
		    INSERT INTO $side (identifier, identifier_type) VALUES (NEW.identifier, NEW.identifier_type) ON CONFLICT DO NOTHING;
		  ELSE
		    DELETE FROM $side WHERE identifier = NEW.identifier;
		  END IF; RETURN NULL;";
		$functions .= qq{
			CREATE TABLE audit_$side (what text, identifier text, identifier_type text);
			CREATE TABLE late_$side (LIKE audit_$side);
			CREATE FUNCTION audited_$side() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN $body END \$\$;
			CREATE TRIGGER audited AFTER INSERT ON audit_$side FOR EACH ROW EXECUTE FUNCTION audited_$side();
			CREATE CONSTRAINT TRIGGER late AFTER INSERT ON late_$side DEFERRABLE INITIALLY DEFERRED
			  FOR EACH ROW EXECUTE FUNCTION audited_$side();
			CREATE FUNCTION write_$side(text, text) RETURNS bigint LANGUAGE plpgsql AS \$\$ BEGIN
			  INSERT INTO $side (identifier, identifier_type) VALUES (\$1, \$2) ON CONFLICT DO NOTHING;
			  RETURN (SELECT count(*) FROM $side); END \$\$;
			CREATE FUNCTION touch_$side(text, text) RETURNS bigint LANGUAGE plpgsql AS \$\$ BEGIN
			  IF length(\$1) % 3 = 0 AND \$1 NOT LIKE '9%' THEN DELETE FROM $side WHERE identifier = \$1;
			  ELSIF length(\$1) < 9 THEN
			    INSERT INTO $side (identifier, identifier_type) VALUES ('9' || \$1, \$2) ON CONFLICT DO NOTHING;
			  END IF; RETURN 1; END \$\$;
			CREATE FUNCTION count_$side() RETURNS bigint STABLE LANGUAGE sql AS 'SELECT count(*) FROM $side';
			};
	}
	# What is deleted from these is added again.
	for my $table (qw(fb fa fib fia))
	{
		my ($outer, $when) = $table =~ /^(.*)(.)$/;

		$functions .= "CREATE FOREIGN TABLE $table ($columns) SERVER $name" . ($outer eq 'fi' ? " OPTIONS (write_mode 'immediate')" : '') . ";
			CREATE FUNCTION again_$table() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN
			  INSERT INTO $outer (identifier, identifier_type) VALUES (OLD.identifier, OLD.identifier_type) ON CONFLICT DO NOTHING;
			  RETURN OLD; END \$\$;
			CREATE TRIGGER again " . ($when eq 'b' ? 'BEFORE' : 'AFTER') . " DELETE ON $table FOR EACH ROW EXECUTE FUNCTION again_$table();";
	}
	$dnc->control('PUT', "$account/config?$list->{config}") if $list->{config};
	my $servers = join "\n", map {
		DncVendors::server($_, $vendor, $dnc->url, $account =~ s/.*\///r, "account 'model', page_size '20', estimated_rows '60', requests_per_minute '0'")
		. "CREATE USER MAPPING FOR other SERVER $_ OPTIONS (token '$list->{token}');" } $name, 'twin';
	$node->safe_psql('postgres', "CREATE DATABASE $name");
	$node->safe_psql($name, qq{
		CREATE EXTENSION dnc_fdw;
		$servers
		CREATE FOREIGN TABLE f ($columns) SERVER $name;
		CREATE FOREIGN TABLE fi ($columns) SERVER $name OPTIONS (write_mode 'immediate');
		CREATE FOREIGN TABLE t ($columns) SERVER twin;
		CREATE FOREIGN TABLE ti ($columns) SERVER twin OPTIONS (write_mode 'immediate');
		CREATE TABLE m (identifier text, identifier_type text, id bigserial);
		CREATE UNIQUE INDEX ON m ($list->{identity});
		CREATE FUNCTION person(text) RETURNS text IMMUTABLE LANGUAGE sql AS \$\$ SELECT replace(lower(\$1), '+', '') \$\$;
		CREATE TABLE pool (n int, identifier text, identifier_type text);
		CREATE TABLE listed (identifier text, identifier_type text);
		CREATE TABLE copied (identifier text, identifier_type text);
		INSERT INTO pool VALUES $pool;
		$functions
		GRANT ALL ON ALL TABLES IN SCHEMA public TO other;
		GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO other;
	});
	start_psql($name);
	run_script("SET client_min_messages = warning; \\set VERBOSITY verbose\n" . join '', map { qq{
		PREPARE lookup_$_(text) AS SELECT identifier, identifier_type FROM $_ WHERE identifier = \$1;} } qw(f fi m));
	return;
}

$node->safe_psql('postgres', 'CREATE ROLE other');
for my $one (@lists)
{
	my ($done, @wrong) = (0);

	$list = $one;
	set_up();
	while ($done < $transactions && !@wrong)
	{
		transaction();
		@wrong = differences(run_script(join "\n", @script));
		$done++;
	}
	is(scalar @wrong, 0, "$list->{name}: $transactions transactions leave the model's list")
		or diag("DNC_MODEL_SEED=$seed, transaction $done:\n", join("\n", @script), "\n\n", join("\n\n", @wrong[ 0 .. ($#wrong > 2 ? 2 : $#wrong) ]),
			"\n\n", substr(join("\n", grep { !/25P02|exec_simple_query/ } split /\n/, slurp_file($errors)), -1500));
	close $to_psql;
}

$dnc->stop;
done_testing();
