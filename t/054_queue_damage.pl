# A queue whose rows, clocks, tokens or accounts are not as they were: rows that came without
# their sequence or from another installation, times of a clock that was set back, and a server
# that is altered while its writes are sent.  Nothing is sent twice, and nothing waits for ever.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncLists qw(control listed reset_queue);
use DncTest;
use IPC::Run;
use Test::More;
use Time::HiRes qw(sleep time);

my $dnc = DncTest->new;
my $node = $dnc->node;

sub sql { my ($statements) = @_; return $node->safe_psql('postgres', $statements) }
sub deliver { my ($name) = @_; my $errors = ''; $node->psql('postgres', "CALL dnc_fdw_deliver('$name')", stderr => \$errors); return $errors }
sub start { my ($statement) = @_; my ($out, $errors) = ('', ''); return IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', $statement ], '>', \$out, '2>', \$errors) }
sub add { my ($table, $who) = @_; return "INSERT INTO $table (identifier, identifier_type) VALUES ('$who', 'email')" }
sub remove { my ($table, $who) = @_; return "DELETE FROM $table WHERE identifier = '$who'" }
sub states { my ($who) = @_; return join ' ', split /\n/, sql("SELECT action || ':' || state FROM dnc_fdw_queue WHERE identifier = '$who' ORDER BY queued_at") }
sub posts { my ($name) = @_; return scalar grep { /^POST/ } split /\n/, control('GET', $name, '/log') }
sub wait_for { my ($what, $condition) = @_; my $end = time + 60; while (time < $end) { return pass($what) if $condition->(); sleep 0.02 } fail($what); return }

DncLists::set_up($dnc, 'd', options => "max_retries '0', write_mode 'queue'", tables => { list => '', direct => "write_mode 'commit'" });
my $elsewhere = q{'00000000-0000-4000-8000-000000000000'};
my $one = $node->background_psql('postgres', on_error_stop => 0);

# ----- rows that came without their sequence -----

for my $adopts (1, 0)
{
	reset_queue();
	sql(add('alta.list', "first$_\@test")) for 1 .. 3;
	deliver('alta');
	sql(add('alta.list', 'waits@test'));
	if ($adopts)
	{
		sql("UPDATE dnc_fdw_queue_finished SET instance = $elsewhere; UPDATE dnc_fdw_queue_waiting SET instance = $elsewhere");
		sql('ALTER SEQUENCE dnc_fdw_queue_id RESTART 1');
		is(sql('SELECT dnc_fdw_queue_adopt()'), 1, 'a former subscriber adopts what waits');
	}
	else { sql('DELETE FROM dnc_fdw_queue_waiting; ALTER SEQUENCE dnc_fdw_queue_id RESTART 1') }
	control('DELETE', 'alta', '/log');
	sql(add('alta.list', $_)) for 'a@test', 'b@test';
	is(deliver('alta') . deliver('alta'), '', 'writes with numbers that were given already are sent');
	is(states('a@test') . ' ' . states('b@test'), 'add:done add:done', 'and recorded');
	is(posts('alta'), 1, 'once') if !$adopts;
	is(states('waits@test'), 'add:done', 'as are those that waited') if $adopts;
}

# ----- rows of another installation: its roles and tables have other numbers here -----

reset_queue();
sql(q{CREATE ROLE stranger; CREATE ROLE writer; GRANT USAGE ON SCHEMA alta TO writer, stranger});
sql(add('alta.list', 'copied@test'));
sql("UPDATE dnc_fdw_queue_waiting SET instance = $elsewhere, relation = 1, role = 'stranger'::regrole, role_name = 'writer'");
my $discard = q{SELECT dnc_fdw_queue_discard((SELECT array_agg(id) FROM dnc_fdw_queue_waiting), 'x')};
sql('GRANT SELECT (id) ON dnc_fdw_queue_waiting TO stranger, writer');
like($dnc->gives("SET ROLE stranger; $discard"), qr/ERROR:  42501/, 'a role that has the number of another one decides nothing');
like($dnc->gives("SET ROLE writer; $discard"), qr/ERROR:  42501/, 'nor does who may not write to the table');
sql(q{ALTER FOREIGN TABLE alta.list RENAME TO renamed});
is(sql(q{SET ROLE stranger; SELECT count(*) FROM dnc_fdw_queue}), 0, 'nor does it see the write, where no table has the name');
is(sql(q{SET ROLE writer; SELECT string_agg(role, ' ') FROM dnc_fdw_queue}), 'writer', 'as the role with the name does');
sql(q{ALTER FOREIGN TABLE alta.renamed RENAME TO list; GRANT INSERT ON alta.list TO writer});
is(sql("SET ROLE writer; $discard"), 1, 'who may write to the table of that name decides');

# ----- a clock that was ahead, and was set back -----

reset_queue();
sql(add('alta.list', 'removed@test'));
deliver('alta');
sql(add('alta.list', 'added@test'));
sql(remove('alta.list', 'removed@test'));
sql(q{UPDATE dnc_fdw_queue_waiting SET next_try = next_try + interval '30 days', queued_at = queued_at + interval '30 days', seen_at = seen_at + interval '30 days'});
deliver('alta');
is(states('added@test'), 'add:done', 'an addition of the future is sent now');
like(states('removed@test'), qr/delete:dead/, 'a deletion of the future is not sent');
like(listed('alta'), qr/removed\@test/, 'so nobody goes who may have opted out since');

reset_queue();
control('POST', 'alta', '/fault?kind=status&arg=503&retry_after=1732790000');
sql(add('alta.list', 'late@test'));
deliver('alta');
is(sql(q{SELECT next_try BETWEEN now() + interval '20 hours' AND now() + interval '25 hours' FROM dnc_fdw_queue_lanes WHERE next_try > '-infinity'}), 't', 'a vendor that asks for decades gets a day');
sql(q{UPDATE dnc_fdw_queue_lanes SET next_try = next_try + interval '30 days' WHERE next_try > '-infinity'; UPDATE dnc_fdw_queue_waiting SET next_try = now()});
deliver('alta');
is(states('late@test'), 'add:done', 'and a lane of the future is open');

# ----- a server that is altered while its writes are sent -----

# Runs a delivery whose first request is under way while $alter runs.
sub while_sending
{
	my ($name, $alter, $method) = @_;

	control('DELETE', $name, '/log');
	control('PUT', $name, '/config?latency_ms=1500');
	my $run = start("CALL dnc_fdw_deliver('$name')");
	$method //= 'POST';
	wait_for("$name: a request is under way", sub { control('GET', $name, '/log') =~ /^$method/m });
	$alter->();
	control('PUT', $name, '/config?latency_ms=0');
	$run->finish;
	return;
}

reset_queue();
control('POST', 'alta', '/fault?kind=status&arg=401');
sql(add('alta.list', 'rotated@test'));
while_sending('alta', sub { sql(q{ALTER USER MAPPING FOR CURRENT_USER SERVER alta OPTIONS (SET token 'sandbox-d-new')}) });
like(states('rotated@test'), qr/add:waiting/, 'the vendor refuses the old token');
deliver('alta');
is(states('rotated@test'), 'add:done', 'the new one, which came meanwhile, is used');

reset_queue();
sql(add('alta.list', 'optional@test'));
sql(q{UPDATE pg_foreign_table SET ftoptions = array_append(ftoptions, 'workspace_id=x') WHERE ftrelid = 'alta.list'::regclass});
deliver('alta');
sql(q{UPDATE pg_foreign_table SET ftoptions = array_remove(ftoptions, 'workspace_id=x') WHERE ftrelid = 'alta.list'::regclass});
is(sql(q{SELECT paused FROM dnc_fdw_queue_health WHERE server = 'alta'}), 'f', 'a table with an option that means nothing pauses nobody');
sleep 2;
deliver('alta');
is(states('optional@test'), 'add:done', 'and is sent when that is mended');

# The account of a server changes: another delivery may have its lock.
reset_queue();
sql(q{ALTER SERVER alta OPTIONS (ADD batch_size '1', ADD max_concurrency '1')});
sql(add('alta.list', "account$_\@test")) for 1 .. 12;
while_sending('alta', sub { sql(q{ALTER SERVER alta OPTIONS (ADD account 'moved')}) });
my ($done) = sql(q{SELECT count(*) FROM dnc_fdw_queue WHERE state = 'done'});
cmp_ok($done, '<', 12, 'a delivery ends when the account changes');
deliver('alta');
is(sql(q{SELECT count(*) FROM dnc_fdw_queue WHERE state = 'done'}), 12, 'the next one sends the rest');
sql(q{ALTER SERVER alta OPTIONS (DROP account, DROP batch_size, DROP max_concurrency)});

# ----- somebody who resumes a server, and does not end the transaction -----

reset_queue();
control('POST', 'alta', '/fault?kind=status&arg=503');
sql(add('alta.list', 'resumed@test'));
deliver('alta');
$one->query_safe(q{BEGIN; SELECT dnc_fdw_queue_resume('alta')});
sql(q{UPDATE dnc_fdw_queue_waiting SET next_try = now()});
sleep 1.1;
is($dnc->gives(q{SET lock_timeout = '10s'; CALL dnc_fdw_deliver('alta')}), '', 'a delivery does not wait for the transaction');
is(states('resumed@test'), 'add:done', 'and sends');
$one->query_safe('COMMIT');

# A token that is refused, or missing, while somebody has the lane: no loop without end.
reset_queue();
control('DELETE', 'alta', '/log');
control('POST', 'alta', '/fault?kind=status&arg=503');
sql(add('alta.list', 'refused@test'));
deliver('alta');
$one->query_safe(q{BEGIN; SELECT dnc_fdw_queue_resume('alta')});
sql(q{UPDATE dnc_fdw_queue_waiting SET next_try = now()});
control('POST', 'alta', '/fault?kind=status&arg=401&times=100');
is($dnc->gives(q{SET statement_timeout = '20s'; CALL dnc_fdw_deliver('alta')}), '', 'a delivery ends where a token is refused, and the lane is locked');
cmp_ok(posts('alta'), '<', 5, 'after a request or two');
sql(q{UPDATE dnc_fdw_queue_waiting SET next_try = now(); DROP USER MAPPING FOR CURRENT_USER SERVER alta});
is($dnc->gives(q{SET statement_timeout = '20s'; CALL dnc_fdw_deliver('alta')}), '', 'and where there is none');
$one->query_safe('COMMIT');

$one->quit;
$dnc->stop;
done_testing();
