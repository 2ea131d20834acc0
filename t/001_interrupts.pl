# statement_timeout and cancel end a request that does not go on, in every
# phase, and the session goes on.  The times are bounds for "is interrupted at
# all": a request that was sat out would take a minute.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $dnc = DncTest->new;
my $node = $dnc->node;
$dnc->make_server('interrupts', 250, "request_timeout '60s', max_wait '10min'");

my $list = 'SELECT count(*) FROM interrupts.communication_opt_outs';
my $add = "INSERT INTO interrupts.communication_opt_outs (identifier, identifier_type)
	VALUES ('a\@example.com', 'email')";

my $new_mapping = "DROP USER MAPPING FOR CURRENT_USER SERVER interrupts;
	CREATE USER MAPPING FOR CURRENT_USER SERVER interrupts OPTIONS (token 'sandbox-interrupts')";

# Each phase: what the sandbox does, the statement, and what it is called.
my @phases = (
	[ 'kind=stall',           $list, 'no answer' ],
	[ 'kind=stall&at=2',      $list, 'no answer to the second page' ],
	[ 'kind=stall_body',      $list, 'an answer that stops half way' ],
	[ 'kind=slow&arg=10',     $list, 'an answer of ten bytes a second' ],
	[ 'kind=status&arg=429&retry_after=60', $list, 'a wait for the rate limit' ],
	[ 'kind=stall&method=POST', $add, 'COMMIT' ]);

for my $phase (@phases)
{
	my ($fault, $statement, $name) = @$phase;

	for my $how ('statement_timeout', 'cancel')
	{
		my $session = $node->background_psql('postgres', on_error_stop => 0);
		my $pid = $session->query('SELECT pg_backend_pid()');
		my ($start, $errors);

		$dnc->control('POST', "alta/interrupts/fault?$fault");
		if ($how eq 'statement_timeout')
		{
			$session->query(q(SET statement_timeout = '500ms'));
			$start = time;
			$session->query($statement);
		}
		else
		{
			$session->query_until(qr/go/, "\\echo go\n$statement;\n");
			$node->poll_query_until('postgres',
				"SELECT count(*) = 1 FROM pg_stat_activity
				 WHERE pid = $pid AND state = 'active' AND wait_event_type IS NOT NULL")
			  or die 'the statement does not wait';
			$start = time;
			$node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
			$session->query('SELECT 1');
		}
		my $took = time - $start;
		$errors = $session->{stderr};
		$session->{stderr} = '';
		my $reason = $how eq 'cancel' ? 'user request' : 'statement timeout';
		like($errors, qr/canceling statement due to $reason/, "$how ends $name");
		cmp_ok($took, '<', 5, "$how ends $name, and does not sit it out");

		$session->query("RESET statement_timeout");

		# What the server has asked for is kept to by all who come later.
		$node->safe_psql('postgres', $new_mapping) if $name =~ /rate limit/;
		is($session->query($list), 250, "the session goes on after $how of $name");
		is($session->query('SELECT pg_backend_pid()'), $pid, 'it is the same session');
		$session->quit;
	}
}
unlike($dnc->take_log('interrupts'), qr/^POST \S+ 200/m, 'no cancelled addition was taken');

# A session that is terminated, and one whose server is shut down, end at once.
for my $how ('terminate', 'shutdown')
{
	$dnc->control('POST', 'alta/interrupts/fault?kind=stall');
	my $session = $node->background_psql('postgres', on_error_stop => 0);
	my $pid = $session->query('SELECT pg_backend_pid()');
	$session->query_until(qr/go/, "\\echo go\n$list;\n");
	$node->poll_query_until('postgres',
		"SELECT count(*) = 1 FROM pg_stat_activity
		 WHERE pid = $pid AND state = 'active' AND wait_event_type IS NOT NULL")
	  or die 'the statement does not wait';

	my $start = time;
	if ($how eq 'terminate')
	{
		$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
		$node->poll_query_until('postgres',
			"SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid");
	}
	else
	{
		$node->stop('fast');
	}
	cmp_ok(time - $start, '<', 5, "$how ends a request that is under way");
	$session->{run}->finish;
}

done_testing();
