# DncLists: a server of each vendor with its tables, and what the sandbox has on their lists
#
#	my $dnc = DncTest->new;
#	DncLists::set_up($dnc, 'account', options => "max_retries '0'", tables => { list => '' });
#
# Servers and schemas have the vendors' names.  With here => 1 there is a local table, here, which shows
# what has become of the local half of a transaction.  There is one set of lists in a test, so that
# the functions know them; each has a vendor as its first argument.

package DncLists;

use strict;
use warnings;

use DncVendors;
use Exporter qw(import);
use IPC::Run;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(sleep time);

our @EXPORT_OK = qw(transaction here control clear reset_lists reset_queue entries listed count writes
	emails numbers gives wait_until start finish waiting);

my $json = JSON::PP->new->utf8->canonical;
my ($dnc, $node, $account, $has_here, @vendors);

# Statements that make the servers; options are more options of each, and tables has for
# each table its options.
sub statements
{
	my (%of) = @_;

	return join '', map {
		my $vendor = $_;
		my $columns = DncVendors::table_columns($vendor);

		DncVendors::server($vendor, $vendor, $dnc->url, $account, $of{options} . ", requests_per_minute '0'") . "CREATE SCHEMA $vendor;" . join '',
			map { "CREATE FOREIGN TABLE $vendor.$_ ($columns) SERVER $vendor" . ($of{tables}{$_} ? " OPTIONS ($of{tables}{$_})" : '') . ';' } sort keys %{ $of{tables} }
	} @vendors;
}

# Makes the servers in database postgres, of all vendors or of some; and table here, if that is asked for.
sub set_up
{
	my ($test, $name, %of) = @_;

	($dnc, $node, $account) = ($test, $test->node, $name);
	@vendors = @{ $of{vendors} // [ DncVendors::names() ] };
	$has_here = $of{here};
	$node->safe_psql('postgres', ($has_here ? 'CREATE TABLE here (what text);' : '') . statements(%of));
	return;
}

# ----- both halves of a transaction -----

# Statements as a transaction that also writes to table here; the rows that are there.
sub transaction { my (@statements) = @_; return join ";\n", 'BEGIN', q{INSERT INTO here VALUES ('x')}, @statements, 'COMMIT;' }
sub here { return $node->safe_psql('postgres', 'SELECT count(*) FROM here') }

# ----- the sandbox's lists -----

# A request to the control plane about an account; what follows the account's name in the path.
sub control { my ($method, $vendor, $what, $body) = @_; return $dnc->control($method, "$vendor/$account$what", $body) }

# An empty list and an empty log.
sub clear { my ($vendor) = @_; control('DELETE', $vendor, ''); return }

# Empty lists, or lists of so many entries, each of the vendor's first type; empty logs; nothing in table here.
sub reset_lists
{
	my (%counts) = @_;

	for my $vendor (@vendors)
	{
		clear($vendor);
		control('POST', $vendor, "/fill?count=$counts{$vendor}" . DncVendors::fill_type($vendor)) if $counts{$vendor};
	}
	$node->safe_psql('postgres', 'SET synchronous_commit = local; TRUNCATE here') if $has_here;
	return;
}

# Empty lists, empty logs, and an empty queue that nothing holds up.
sub reset_queue
{
	reset_lists();
	$node->safe_psql('postgres', join ';', 'TRUNCATE dnc_fdw_queue_waiting, dnc_fdw_queue_finished', map { "SELECT dnc_fdw_queue_resume('$_')" } @vendors);
	return;
}

sub entries { my ($vendor) = @_; return @{ $json->decode(control('GET', $vendor, '/entries')) } }

# The identifiers on a list, with blanks between them.
sub listed { my ($vendor) = @_; return join ' ', sort map { DncVendors::identifier_of($_) } entries($vendor) }
sub count { my ($vendor) = @_; return control('GET', $vendor, '/count') + 0 }

# The writes in the log, a line each, with their status.
sub writes { my ($vendor) = @_; return grep { !/^GET / } split /\n/, control('GET', $vendor, '/log') }

# The identifiers that the sandbox fills lists with.
sub emails { my ($from, $to) = @_; return join ' ', map { sprintf 'person%06d@example.com', $_ } $from .. $to }
sub numbers { my ($from, $to) = @_; return join ' ', map { sprintf '1555%07d', $_ } $from .. $to }

# ----- sessions -----

# What statements give: rows and messages.
sub gives
{
	my ($statements) = @_;
	my ($stdout, $stderr) = ('', '');

	$node->psql('postgres', $statements, stdout => \$stdout, stderr => \$stderr, on_error_stop => 0,
		extra_params => ['-v', 'VERBOSITY=verbose']);
	return $stdout . $stderr;
}

# A condition that comes true soon, of what is not ours to wait for.
sub wait_until
{
	my ($what, $condition) = @_;
	my $end = time + 60;

	until ($condition->())
	{
		die "waited for: $what" if time > $end;
		sleep 0.02;
	}
	return;
}

# A psql that works on its own, by the name of $name.
sub start
{
	my ($name, $statements) = @_;
	my $session = { out => '', err => '' };
	my $file = PostgreSQL::Test::Utils::tempdir() . "/$name.sql";

	append_to_file($file, $statements);
	$session->{run} = IPC::Run::start(
		[ 'psql', '-XAtq', '-v', 'VERBOSITY=verbose', '-d', $node->connstr('postgres') . " application_name=$name", '-f', $file ],
		'>', \$session->{out}, '2>', \$session->{err});
	return $session;
}

sub finish { my ($session) = @_; $session->{run}->finish; return $session->{out} . $session->{err} }

# The process of a session that waits for something of that kind.
sub waiting
{
	my ($name, $event) = @_;
	my $pid;

	wait_until("$name waits for $event", sub {
		$pid = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity
		  WHERE application_name = '$name' AND state = 'active' AND coalesce(wait_event, '') ~ '$event'") });
	return $pid;
}

1;
