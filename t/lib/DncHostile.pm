# DncHostile: answers that no vendor should give, and what a statement makes of them
#
# A list is read through all columns, attrs among them, in one session.  Each case says
# which SQLSTATE is to come, and what has to be in the DETAIL; or how many entries, where
# the answer is odd but whole.  A test adds its cases, and plays them all at the end:
#
#	answers('a list', 1, undef, \&good);
#	play();

package DncHostile;

use strict;
use warnings;

use DncTest;
use DncVendors;
use Exporter qw(import);
use JSON::PP;
use PostgreSQL::Test::Utils;
use RawServer;
use Test::More;

our @EXPORT = qw(@all $not_json those name_of entry page good with_id answers counts says takes offers play_of
	names has pages play requests_of);

# What an answer may have, and what a session may grow by at its worst moment:
# the answer, its tree, its values.
my $max_response_size = 4 * 1024 * 1024;
my $max_growth_kb = 64 * 1024;

our $not_json = qr/not JSON/;

# ----- what a good answer looks like -----

# The ways of paging; each with a server of its name.
my %list = map { $_->{name} => $_ } DncVendors::lists('raw');
our @all = sort keys %list;

# The last part of a path in a list's answer: of list, success, total, page, limit, pages, more or
# next; or the member that is an id, identifier or type.  undef where there is none.
sub name_of
{
	my ($flavour, $what) = @_;
	my $facts = $DncVendors::vendors{ $list{$flavour}{vendor} };
	my $path = $facts->{ $list{$flavour}{paging} }{$what} // $facts->{$what};

	return defined $path ? $path =~ s/.*\.//r : undef;
}

# Those that have all of this in their answers.
sub those
{
	my (@names) = @_;

	return grep { my $flavour = $_; @names == grep { defined name_of($flavour, $_) } @names } @all;
}

# An entry; members (raw JSON) that it has as well.
sub entry
{
	my ($flavour, $identifier, $more) = @_;
	my $entry = JSON::PP->new->canonical->encode(DncVendors::entry($list{$flavour}{vendor}, 1, identifier => 'IDENTIFIER'));

	$entry =~ s/IDENTIFIER/$identifier/;
	$entry =~ s/\}\z/,$more}/ if $more;
	return $entry;
}

# The same entry with another id.
sub with_id { my ($entry, $id) = @_; return $entry =~ s/("@{[ DncVendors::members('id') ]}":")[^"]*/$1$id/r }

# A page of entries (raw JSON), which is the whole list; $set replaces what it
# says of the paging.
sub page { my ($flavour, $entries, $set) = @_; return DncVendors::page($list{$flavour}, $entries, $set) }

# A list of one entry.
sub good { return page($_[0], entry($_[0], 'a')) }

# ----- the cases -----

my %plays;    # by the name's place in a URL, for the server
my @cases;    # [ name, place, flavour, SQLSTATE or count, pattern in DETAIL, aggregate ]
my @writes;   # [ name, place, flavour, SQLSTATE, pattern in DETAIL ]

# Keeps a case: its play is found under a number.
sub keep
{
	my ($name, $flavour, $expected, $pattern, $play, $aggregate) = @_;
	my $place = 'play' . @cases;

	$plays{$place} = $play;
	push @cases, [ $name, $place, $flavour, $expected, $pattern, $aggregate // 'count(x.identifier)' ];
	return;
}

# Bytes that are said to whoever asks.
sub says
{
	my ($name, $expected, $pattern, $play) = @_;

	return keep($name, $all[0], $expected, $pattern, $play);
}

# An answer in good HTTP, in each flavour: $body is called with it.
sub answers
{
	my ($name, $expected, $pattern, $body, @flavours) = @_;

	for my $flavour (@flavours ? @flavours : @all)
	{
		keep("$name ($flavour)", $flavour, $expected, $pattern, sub { $_[0]->answer($body->($flavour)) });
	}
	return;
}

# An answer whose only entry is called so, or has these members as well.
sub names { my ($identifier) = @_; return sub { page($_[0], entry($_[0], $identifier)) } }
sub has   { my ($more) = @_;       return sub { page($_[0], entry($_[0], 'a', $more)) } }
sub pages { my ($set) = @_;        return sub { page($_[0], entry($_[0], 'a'), $set) } }

# An answer in good HTTP to a count(*) that the API's total is asked for.
sub counts
{
	my ($name, $expected, $pattern, $body, @flavours) = @_;

	for my $flavour (@flavours)
	{
		keep("$name ($flavour)", $flavour, $expected, $pattern, sub { $_[0]->answer($body->($flavour)) }, 'count(*)');
	}
	return;
}

# Bytes that are said to an addition.
sub takes
{
	my ($name, $flavour, $expected, $pattern, $play) = @_;
	my $place = 'write' . @writes;

	$plays{$place} = $play;
	push @writes, [ $name, $place, $flavour, $expected, $pattern ];
	return;
}

# Bytes that are said elsewhere; the play of a case that was added before.
sub offers { my ($place, $play) = @_; $plays{$place} = $play; return }
sub play_of { my ($name) = @_; return $plays{ (grep { $_->[0] eq $name } @cases)[0][1] } }

# ----- played -----

my ($raw, $dnc, $session, $pid, $contexts, $memory);
my @worst = (0, 'none');

# Servers in a database of their own, a function that reads a list, and the session.
sub set_up
{
	my $node = $dnc->node;

	$node->safe_psql('postgres', "CREATE DATABASE hostile ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
	$node->safe_psql('hostile', 'CREATE EXTENSION dnc_fdw');
	for my $name (@all)
	{
		$node->safe_psql('hostile', qq{
			CREATE SERVER $name FOREIGN DATA WRAPPER dnc_fdw
			  OPTIONS (provider '$list{$name}{vendor}', base_url 'http://127.0.0.1:1', max_retries '0',
				request_timeout '2s', max_requests '100', requests_per_minute '0', max_response_size '$max_response_size');
			CREATE USER MAPPING FOR CURRENT_USER SERVER $name OPTIONS (token 'raw-password');
			CREATE FOREIGN TABLE $name (identifier text, identifier_type text, reason text, created_at text, attrs jsonb) SERVER $name;
		});
	}
	$node->safe_psql('hostile', q{
		CREATE FUNCTION play(server text, url text, aggregate text, OUT outcome text, OUT message text, OUT detail text,
			OUT hint text, OUT context text) LANGUAGE plpgsql AS $$
		BEGIN
		  EXECUTE format('ALTER SERVER %I OPTIONS (SET base_url %L)', server, url);
		  IF aggregate = 'count(*)' THEN
		    EXECUTE format('SELECT count(*) FROM %I', server) INTO outcome;
		  ELSE
		    EXECUTE format('SELECT %s FROM (SELECT * FROM %I OFFSET 0) x WHERE x.attrs IS NOT NULL', aggregate, server)
		      INTO outcome;
		  END IF;
		EXCEPTION WHEN OTHERS THEN
		  GET STACKED DIAGNOSTICS outcome = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
		    detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
		  IF outcome = '53400' THEN -- a Retry-After is kept to, but not with another user mapping
		    EXECUTE format('DROP USER MAPPING FOR CURRENT_USER SERVER %I', server);
		    EXECUTE format('CREATE USER MAPPING FOR CURRENT_USER SERVER %I OPTIONS (token %L)', server, 'raw-password');
		  END IF;
		END $$;
	});
	$session = $node->background_psql('hostile', on_error_stop => 0);
	$session->set_query_timer_restart;
	$pid = $session->query('SELECT pg_backend_pid()');
	return;
}

# A line of the session's /proc/PID/status, in kB.
sub status_kb
{
	my ($line) = @_;

	slurp_file("/proc/$pid/status") =~ /^$line:\s+(\d+) kB/m or die "no $line";
	return $1;
}

# Our memory contexts that are left after a statement, their bytes; but for what
# is kept of each user mapping.
sub contexts
{
	return $session->query(
		"SELECT string_agg(name || ' ' || total_bytes, ', ' ORDER BY name) FROM pg_backend_memory_contexts
		 WHERE name LIKE 'dnc_fdw%' AND name <> 'dnc_fdw allowances'");
}

# VmHWM begins anew where the kernel lets us; else it is the peak of all so far.
sub reset_peak
{
	open my $file, '>', "/proc/$pid/clear_refs" or return;
	print $file "5\n";
	close $file;
	return;
}

# One case; reports on it in the second round, the first one warms up.
sub play_case
{
	my ($case, $counts) = @_;
	my ($name, $place, $flavour, $expected, $pattern, $aggregate) = @$case;

	reset_peak();
	my $before = status_kb('VmRSS');
	my $got = $session->query("SELECT concat_ws(E'\\n', outcome, 'MESSAGE: ' || message, 'DETAIL: ' || detail, 'HINT: ' || hint,
		'CONTEXT: ' || context) FROM play('$flavour', '" . $raw->url($place) . "', '$aggregate')");
	my $growth = status_kb('VmHWM') - $before;

	@worst = ($growth, $name) if $growth > $worst[0];
	return unless $counts;
	my ($code) = $got =~ /\A(\w*)/;
	my ($detail) = $got =~ /^DETAIL: (.*?)^HINT: /ms;
	note "$name: $got (+$growth kB)\n";
	like($code, qr/^($expected)$/, "$name: $expected") or diag($got);
	like($detail, $pattern, "$name: the error says why") if $pattern;
	unlike($got, qr/raw-password/, "$name: the token is not told");
	return;
}

# Additions are sent at COMMIT.  One that is not surely refused may have arrived.
sub play_write
{
	my ($name, $place, $flavour, $expected, $pattern) = @_;

	$session->query("ALTER SERVER $flavour OPTIONS (SET base_url '" . $raw->url($place) . "')");
	$session->query("INSERT INTO $flavour (identifier, identifier_type) VALUES ('a\@example.com', 'email')");
	like($session->{stderr}, qr/ERROR:  \Q$expected\E: /, "adding, $name: $expected");
	like($session->{stderr}, qr/^DETAIL:  .*$pattern/m, "adding, $name: the error says why");
	my $clear = $expected eq 'HV00L';    # it was refused
	my $says = $session->{stderr} =~ /Whether the last request, with 1 of them, was taken is not known\./;
	is(!!$says, !$clear, "adding, $name: whether it may have been taken");
	$session->{stderr} = '';
	return;
}

# Plays what was added; reports on each case, and on what all of them together have left.
sub play
{
	$raw = RawServer->new(%plays);
	$dnc = DncTest->new;
	set_up();
	# What is waited for in vain need not warm up.
	play_case($_, 0) for grep { $_->[3] ne 'HV00N' } @cases;
	$contexts = contexts();
	$memory = status_kb('VmRSS');
	play_case($_, 1) for @cases;
	$session->query('\set VERBOSITY verbose');
	play_write(@$_) for @writes;
	note "largest growth: $worst[0] kB, in $worst[1]";
	cmp_ok($worst[0], '<', $max_growth_kb, 'no answer takes much more memory than it may have bytes');
	is(contexts(), $contexts, 'no answer leaves a memory context behind');
	cmp_ok(status_kb('VmRSS') - $memory, '<', 2 * 1024, 'nor memory');
	is($session->query('SELECT pg_backend_pid()'), $pid, 'it is the same session');
	is($session->{stderr}, '', 'nothing else was said');
	$session->quit;
	unlike(slurp_file($dnc->node->logfile), qr/PANIC|was terminated by signal|TRAP:/, 'nothing crashed');
	$dnc->stop;
	return;
}

# The requests for a place, or for all cases, in both rounds.
sub requests_of { my (@places) = @_; return map { $raw->requests($_) } @places ? @places : map { $_->[1] } @cases }

1;
