# DncSoakSession: one session of the load test, and the rules that it checks.
#
# Each session has keys of its own on every list, which nobody else writes to.
# So at any time it knows which of these have to be on the lists, whatever the
# others do:
#
# - a transaction that was committed is wholly there;
# - one that has failed before COMMIT has left nothing (write_mode 'commit'),
#   and one that has failed while it was sent may be there in part: then the
#   counts of the error's DETAIL have to agree with the list.  It is run again
#   until it is committed; what is there already does no harm then;
# - what is read of these keys is what is on the list: all of it, nothing
#   twice, or an error.
#
# We ask the sandbox for the contents of a list, past the extension.

package DncSoakSession;

use strict;
use warnings;

use HTTP::Tiny;
use List::Util qw(shuffle);
use Time::HiRes qw(sleep time);

use DncPsql;

# The errors that may come when the remote fails, or a session is cancelled or
# ended.
my %expected = map { $_ => 1 } qw(08P01 40001 53400 57014 57P01 HV00M HV00N);

# number of the session, url of the sandbox, lists (see DncSoak), until when.
sub new
{
	my ($class, %args) = @_;
	my $self = bless {%args}, $class;

	$self->{http} = HTTP::Tiny->new(timeout => 60);
	$self->{prefix} = { email => sprintf('s%02d-', $self->{number}), phone => sprintf('1777%02d', $self->{number}) };
	$self->{next_key} = 1;
	$self->{next_transaction} = 1;
	$self->{on_list} = { map { $_ => {} } keys %{ $self->{lists} } };
	$self->{failures} = [];
	$self->{count} = {};
	$self->{ms} = {};
	return $self;
}

# Reads and writes until it is time; gives back the results.
sub run
{
	my ($self) = @_;

	$self->{psql} = DncPsql->new;
	while (time < $self->{until} && @{ $self->{failures} } < 5)
	{
		rand() < 0.3 ? $self->read_own_keys : $self->write_until_committed;
	}
	$self->{psql}->finish;
	return { map { $_ => $self->{$_} } qw(on_list failures count ms) };
}

sub fail
{
	my ($self, $text) = @_;

	push @{ $self->{failures} }, "session $self->{number}: $text";
	return;
}

# Runs a statement, counts it and takes its time.  Connects again where the
# connection was lost.
sub query
{
	my ($self, $kind, $statement) = @_;
	my $answer = $self->{psql}->query($statement);

	push @{ $self->{ms}{$kind} }, $answer->{ms};
	$answer->{sqlstate} = '57P01' if $answer->{lost} && !$answer->{sqlstate};
	if (my $sqlstate = $answer->{sqlstate})
	{
		$self->{count}{"error $sqlstate"}++;
		$self->fail("$sqlstate: $answer->{message}: $answer->{detail}: $statement") unless $expected{$sqlstate};
	}
	$self->{psql} = DncPsql->new if $answer->{lost};
	return $answer;
}

# ----- what is on the lists -----

# The keys of this session that are on a list, as the sandbox says.  With
# $settle, after requests that may still be under way have arrived.
sub on_remote
{
	my ($self, $list, $settle) = @_;
	my $path = "$self->{url}/sandbox/$self->{lists}{$list}{account}/entries";
	my $before = '';

	for (1 .. 100)
	{
		my $answer = $self->{http}->get($path);

		die "$path: $answer->{status}" unless $answer->{success};
		my @keys = $answer->{content} =~ /"(s\d\d-\d{6}\@example\.com|1777\d{8})"/g;
		@keys = grep { index($_, $self->{prefix}{ $self->{lists}{$list}{type} }) == 0 } @keys;
		my $now = join ' ', sort @keys;
		my %there = map { $_ => 1 } @keys;

		if (!$settle || ($_ > 1 && $now eq $before))
		{
			$self->fail("$list: an entry is listed twice") if @keys > keys %there;
			return \%there;
		}
		$before = $now;
		sleep 0.05;
	}
	die "$list does not come to rest";
}

sub text { return join ' ', sort keys %{ $_[0] } }

sub new_keys
{
	my ($self, $list, $count) = @_;
	my $type = $self->{lists}{$list}{type};

	return map { sprintf($type eq 'email' ? '%s%06d@example.com' : '%s%06d', $self->{prefix}{$type}, $self->{next_key}++) }
	  1 .. $count;
}

sub array { return "'{" . join(',', @_) . "}'::text[]" }

# ----- reading -----

# Reads keys of this session from a list, in different ways.  Reading the whole
# list has to give all of them while others change it.  So alta's cursors are
# keyset cursors here: the cursors that are page numbers in disguise are known
# to miss entries when others vanish in front (docs/pushdown.md).  Lists with
# page numbers are read with scan_check 'reread'.
sub read_own_keys
{
	my ($self) = @_;
	my @names = sort keys %{ $self->{lists} };
	my $list = $names[ rand @names ];
	my $type = $self->{lists}{$list}{type};
	my $begins = "strpos(identifier, '$self->{prefix}{$type}') = 1";
	my @lists = ($list);
	my @ways = (
		"$list WHERE identifier = ANY(" . array(sort(keys %{ $self->{on_list}{$list} }), $self->new_keys($list, 1)) . ')',
		"$list WHERE identifier LIKE '$self->{prefix}{$type}%'",
		"$list WHERE $begins",
		"everything WHERE $begins");
	my $way = $ways[ rand @ways ];

	@lists = grep { $self->{lists}{$_}{type} eq $type } @names if $way =~ /^everything/;
	my $answer = $self->query('read', "SELECT identifier FROM $way");
	$self->{count}{reads}++;
	return if $answer->{sqlstate};
	my $given = join ' ', sort @{ $answer->{rows} };
	my $listed = join ' ', sort map { keys %{ $self->{on_list}{$_} } } @lists;
	$self->fail("given [$given], listed [$listed]: $way") if $given ne $listed;
	return;
}

# ----- writing -----

# Chooses what a transaction does to a list.
sub plan_part
{
	my ($self, $list) = @_;
	my $one_each = $self->{lists}{$list}{one_each};
	my @listed = shuffle(sort keys %{ $self->{on_list}{$list} });
	my $most = $one_each ? 4 : 25;
	my $part = { list => $list, add => [], remove => [], replace => [], fleeting => [], dropped => [] };

	# Lists grow to some forty entries a session, and then shrink again.
	push @{ $part->{add} }, $self->new_keys($list, 1 + rand $most) if @listed < 40;
	push @{ $part->{remove} }, splice(@listed, 0, 1 + rand($one_each ? 3 : 8)) if @listed > 10 && rand() < 0.6;
	push @{ $part->{replace} }, splice(@listed, 0, 1) if @listed && rand() < 0.15;
	push @{ $part->{fleeting} }, $self->new_keys($list, 1) if rand() < 0.15;
	push @{ $part->{dropped} }, $self->new_keys($list, 2) if rand() < 0.15;
	return $part;
}

sub insert
{
	my ($self, $part, @keys) = @_;
	my $more = $self->{lists}{ $part->{list} }{one_each};

	return "INSERT INTO $part->{table} (identifier, identifier_type) SELECT k, '$self->{lists}{$part->{list}}{type}' FROM unnest(" . array(@keys) . ') k' . ($more ? ' ON CONFLICT DO NOTHING' : '');
}

sub remove { return "DELETE FROM $_[1]->{table} WHERE identifier = ANY(" . array(@_[ 2 .. $#_ ]) . ') RETURNING identifier' }

# The statements of a part: [ kind, statement, keys, the rows that it has to
# give ].
sub statements
{
	my ($self, $part, $immediate) = @_;
	my ($list, $there) = ($part->{list}, $part->{before});
	my @statements;

	push @statements, [ 'insert', $self->insert($part, @{ $part->{add} }), $part->{add}, '' ] if @{ $part->{add} };
	push @statements,
	  [ 'read', "SELECT identifier FROM $part->{table} WHERE identifier = ANY(" . array(@{ $part->{add} }) . ')', [],
		join ' ', sort @{ $part->{add} } ]
	  if @{ $part->{add} } && rand() < 0.3;
	push @statements,
	  [ 'delete', $self->remove($part, @{ $part->{remove} }), $part->{remove},
		join ' ', sort grep { $there->{$_} } @{ $part->{remove} } ]
	  if @{ $part->{remove} };
	for my $key (@{ $part->{replace} })
	{
		push @statements, [ 'delete', $self->remove($part, $key), [$key], $there->{$key} ? $key : '' ];
		push @statements, [ 'insert', $self->insert($part, $key), [$key], '' ];
	}
	return @statements if $immediate;
	for my $key (@{ $part->{fleeting} })
	{
		push @statements, [ 'insert', $self->insert($part, $key), [], '' ], [ 'delete', $self->remove($part, $key), [], $key ];
	}
	push @statements, [ 'other', 'SAVEPOINT s', [], '' ],
	  [ 'insert', $self->insert($part, @{ $part->{dropped} }), [], '' ], [ 'other', 'ROLLBACK TO s', [], '' ]
	  if @{ $part->{dropped} };
	return @statements;
}

# Runs a transaction until it is committed.
sub write_until_committed
{
	my ($self) = @_;
	my @names = shuffle(sort keys %{ $self->{lists} });
	my $immediate = rand() < 0.25;
	my $hasty = rand() < 0.5 ? '_hasty' : '';
	my $rollback = rand() < 0.1;
	my @parts = map { $self->plan_part($_) } @names[ 0 .. (rand() < 0.2 ? 1 : 0) ];
	my $number = $self->{next_transaction}++;

	$_->{table} = "$_->{list}$hasty" . ($immediate ? '_now' : '') for @parts;
	for my $attempt (1 .. 200)
	{
		$_->{before} = $self->{on_list}{ $_->{list} } for @parts;
		my $end = $self->attempt(\@parts, $number, $immediate, $rollback);

		$self->{count}{attempts}++;
		if ($end->{done})
		{
			$self->check_done($_, $immediate || !$rollback) for @parts;
			$self->{count}{ $rollback ? 'rolled back' : 'committed' }++;
			return;
		}
		$self->check_failed($_, $end, $immediate) for @parts;
		return if @{ $self->{failures} };
	}
	$self->fail("transaction $number does not come through");
	return;
}

# Runs the transaction once.  Gives back done; or the error, whether it came
# from COMMIT, the keys of the statement that had it (sent), and those of the
# statements before it (acknowledged).
sub attempt
{
	my ($self, $parts, $number, $immediate, $rollback) = @_;
	my @acknowledged;
	my @statements = (
		[ 'other', 'BEGIN', [], '' ],
		(map { $self->statements($_, $immediate) } @$parts),
		[ 'other', "INSERT INTO done VALUES ($self->{number}, $number)", [], '' ],
		$rollback ? [ 'other', 'ROLLBACK', [], '' ] : [ 'commit', 'COMMIT', [], '' ]);

	for my $statement (@statements)
	{
		my ($kind, $sql, $keys, $rows) = @$statement;
		my $answer = $self->query($kind, $sql);

		if (!$answer->{sqlstate})
		{
			my $given = join ' ', sort @{ $answer->{rows} };
			$self->fail("given [$given], not [$rows]: $sql") if $given ne $rows;
			push @acknowledged, @$keys;
			next;
		}
		$self->roll_back unless $answer->{lost};
		return { done => 1 } if $kind eq 'commit' && $answer->{lost} && $self->was_committed($number);
		return {
			answer => $answer,
			commit => $kind eq 'commit',
			sent => { map { $_ => 1 } @$keys },
			acknowledged => { map { $_ => 1 } @acknowledged } };
	}
	return { done => 1 };
}

# Ends a transaction that has failed.  A cancel that was meant for its last
# statement may hit the ROLLBACK.
sub roll_back
{
	my ($self) = @_;

	for (1 .. 100)
	{
		return unless $self->query('other', 'ROLLBACK')->{sqlstate};
	}
	die 'ROLLBACK does not come through';
}

# After the connection was lost at COMMIT: has the transaction been committed?
sub was_committed
{
	my ($self, $number) = @_;

	for (1 .. 100)
	{
		my $answer = $self->query('other', "SELECT count(*) FROM done WHERE session = $self->{number} AND number = $number");
		return $answer->{rows}[0] unless $answer->{sqlstate};
	}
	die 'the local table cannot be read';
}

# Checks the list after a transaction is over: all of it is there, or, after
# ROLLBACK, nothing.
sub check_done
{
	my ($self, $part, $kept) = @_;
	my %there = %{ $part->{before} };

	if ($kept)
	{
		$there{$_} = 1 for @{ $part->{add} }, @{ $part->{replace} };
		delete $there{$_} for @{ $part->{remove} };
	}
	my $actual = $self->on_remote($part->{list});
	$self->fail("$part->{table}: listed [" . text($actual) . '], not [' . text(\%there) . ']')
	  if text($actual) ne text(\%there);
	$self->{on_list}{ $part->{list} } = $actual;
	return;
}

# What a server had taken, as the error's DETAIL says: additions and how many
# there were, deletions and how many there were, and entries whose outcome is
# not known.
sub told
{
	my ($detail, $server) = @_;
	my ($said) = $detail =~ /Server "$server" had taken ([^."]*)/ or return;
	my %told = (add => 0, remove => 0, unknown => 0);

	@told{qw(add adds)} = ($1, $2) if $said =~ /(\d+)(?: of (\d+))? additions/;
	@told{qw(remove removes)} = ($1, $2) if $said =~ /(\d+)(?: of (\d+))? deletions/;
	$told{unknown} = $1 if $detail =~ /Whether the last .*?with (\d+) of them/;
	return \%told;
}

# Checks the list after a transaction has failed: it has nothing of it, or what
# the error says.
sub check_failed
{
	my ($self, $part, $end, $immediate) = @_;
	my ($before, $actual) = ($part->{before}, $self->on_remote($part->{list}, 1));
	my $told = told($end->{answer}{detail}, $part->{table} =~ s/_now$//r);
	my @replace = @{ $part->{replace} };
	# To weya we send neither the removal nor the addition of an entry that is
	# replaced.
	my $renewed = $part->{table} =~ /^weya/ ? 0 : @replace;
	my (%may_change, $problem);

	if ($immediate)
	{
		%may_change = (%{ $end->{acknowledged} }, %{ $end->{sent} });
	}
	elsif ($end->{commit})
	{
		%may_change = map { $_ => 1 } @{ $part->{add} }, @{ $part->{remove} }, @replace;
	}
	my @changed = grep { !$before->{$_} != !$actual->{$_} } keys %{ { %$before, %$actual } };
	my @added = grep { $actual->{$_} } @{ $part->{add} };
	my @removed = grep { !$actual->{$_} } @{ $part->{remove} };
	my @foreign = grep { !$may_change{$_} } @changed;

	$problem = "changed [@foreign]" if @foreign;
	if ($told)
	{
		$self->{count}{'failed while sending'}++;
		$self->{count}{'with an unknown outcome'}++ if $told->{unknown};
		$problem = 'fewer additions than the error says' if @added < $told->{add} - @replace;
		$problem = 'fewer deletions than the error says' if @removed < $told->{remove} - @replace;
		$problem = 'more changes than the error says'
		  if @changed > $told->{add} + $told->{remove} + $told->{unknown};
		$problem = 'another number of additions'
		  if !$immediate && ($told->{adds} // 0) != @{ $part->{add} } + $renewed;
	}
	elsif ($immediate && !$end->{answer}{lost})
	{
		my @unsaid = grep { !$end->{acknowledged}{$_} } @changed;
		$problem = "changed without a word [@unsaid]" if @unsaid;
	}
	elsif ($end->{commit} && !$end->{answer}{lost} && @changed)
	{
		$problem = "changed without a word [@changed]";
	}
	$self->fail("$part->{table}: $problem; before [" . text($before) . '], now [' . text($actual)
		  . "], $end->{answer}{sqlstate}: $end->{answer}{message} $end->{answer}{detail}")
	  if $problem;
	$self->{on_list}{ $part->{list} } = $actual;
	return;
}

1;
