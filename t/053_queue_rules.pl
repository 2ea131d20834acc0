# Who must not be removed by a deletion that waits in the queue: who was added after its first
# request, who was added under another key or by another write_mode, and whoever is on the list
# of another account.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncLists qw(control listed reset_queue wait_until);
use DncTest;
use DncVendors;
use IPC::Run;
use JSON::PP;
use POSIX qw(strftime);
use Test::More;
use Time::HiRes qw(sleep time);

my $dnc = DncTest->new;
my $node = $dnc->node;
my $json = JSON::PP->new->utf8;
$node->append_conf('postgresql.conf', "max_prepared_transactions = 2\n");
$node->restart;

sub sql { my ($statements, $database) = @_; return $node->safe_psql($database // 'postgres', $statements) }
sub deliver { my ($name) = @_; my $err = ''; $node->psql('postgres', "CALL dnc_fdw_deliver('$name')", stderr => \$err); return $err }
sub add { my ($table, $who, $type) = @_; return "INSERT INTO $table (identifier, identifier_type) VALUES ('$who', '" . ($type // 'email') . "')" }
sub add_phone { my ($table, $who) = @_; return add($table, $who, 'phone') }
sub remove { my ($table, $who) = @_; return "DELETE FROM $table WHERE identifier = '$who'" }
sub states { my ($who) = @_; return join ' ', split /\n/, sql("SELECT action || ':' || state FROM dnc_fdw_queue WHERE identifier = '$who' ORDER BY queued_at") }
sub deletions { my ($name) = @_; return scalar grep { /^DELETE/ } split /\n/, control('GET', $name, '/log') }
sub message { my ($who) = @_; return sql("SELECT message FROM dnc_fdw_queue WHERE action = 'delete' AND identifier = '$who'") }
sub retry { my ($name) = @_; return sql("SELECT dnc_fdw_queue_resume('$name'), dnc_fdw_queue_retry(array_agg(id)) FROM dnc_fdw_queue WHERE state IN ('waiting', 'dead')") }

# Has the vendor list a person, since so many seconds; nobody of ours has added the person.
sub list_since
{
	my ($who, $seconds) = @_;
	my $time = strftime('%Y-%m-%dT%H:%M:%S.000Z', gmtime(time - $seconds));

	control('PUT', 'alta', '/entries', $json->encode([ { id => sprintf('00000000-0000-4000-8000-%012d', int(rand 1e9)), objectType => 'communicationOptOut',
		identifier => $who, identifierType => 'email', isManuallyAdded => JSON::PP::false, createdAt => $time, updatedAt => $time } ]));
	return;
}

DncLists::set_up($dnc, 'q', options => "max_retries '0', write_mode 'queue'", tables => { list => '', direct => "write_mode 'commit'" });
sql("CREATE FOREIGN TABLE alta.$_ (identifier text, identifier_type text) SERVER alta OPTIONS (default_country '$_')") for 'de', 'at';
my ($one, $other) = map { $node->background_psql('postgres', on_error_stop => 0) } 1 .. 2;

# ----- a deletion whose outcome is not known -----

# Sends a deletion of somebody, listed since so many seconds, that meets a fault.
sub unclear_deletion
{
	my ($who, $seconds, $fault) = @_;

	reset_queue();
	list_since($who, $seconds);
	sql(remove('alta.list', $who));
	control('POST', 'alta', "/fault?kind=$fault&method=DELETE");
	# Nor does the look tell that comes at once.
	control('POST', 'alta', '/fault?kind=status&arg=503&method=GET');
	deliver('alta');
	is(states($who) . ' ' . deletions('alta'), 'delete:waiting 1', "$fault: $who waits");
	return;
}
unclear_deletion('gone@test', 3600, 'lost');
retry('alta');
deliver('alta');
is(states('gone@test') . ' ' . deletions('alta'), 'delete:done 1', 'who is off the list is not removed twice');

unclear_deletion('old@test', 3600, 'close');
retry('alta');
deliver('alta');
is(listed('alta') . states('old@test') . ' ' . deletions('alta'), 'delete:done 2', 'an entry that is older than the first request is removed');

my $perhaps_new = qr/^it is not known whether the entry was removed, and who is listed now may have been added since: look at the list; .*delete again, and discard this$/;
unclear_deletion('back@test', 3600, 'lost');
list_since('back@test', 0);
for my $try (1 .. 2)
{
	retry('alta');
	deliver('alta');
	is(listed('alta') . ' ' . states('back@test'), 'back@test delete:dead', "who has opted out again stays: try $try");
	like(message('back@test'), $perhaps_new, 'and the message says what to do');
}
is(deletions('alta'), 1, 'nothing was sent again');
sql(q{SELECT dnc_fdw_queue_discard(array_agg(id), 'again') FROM dnc_fdw_queue WHERE state = 'dead'; } . remove('alta.list', 'back@test'));
deliver('alta');
is(listed('alta') . states('back@test'), 'delete:discarded delete:done', 'what it says works');

unclear_deletion('young@test', 300, 'close');
retry('alta');
deliver('alta');
is(listed('alta') . ' ' . states('young@test'), 'young@test delete:dead', 'an entry that may be younger, as clocks are off, stays');

# The first request counts that the vendor may have had.
reset_queue();
list_since('first@test', 3600);
sql(remove('alta.list', 'first@test'));
control('POST', 'alta', "/fault?kind=status&arg=$_&method=DELETE") for 429, 500, 500;
my @requested;
for (1 .. 3)
{
	deliver('alta');
	retry('alta');
	push @requested, sql(q{SELECT coalesce(requested_at::text, '-') FROM dnc_fdw_queue_waiting});
}
is($requested[0], '-', 'a request that the vendor has refused was none');
ok($requested[1] ne '-' && $requested[2] eq $requested[1], 'of others the first one counts') or diag("@requested");
deliver('alta');
is(states('first@test'), 'delete:done', 'then it is done');

# A sender that is gone has told nobody when it began.
reset_queue();
list_since('crash@test', 300);
sql(remove('alta.list', 'crash@test'));
control('POST', 'alta', '/fault?kind=stall&method=DELETE');
my $sender = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres') . ' application_name=victim', '-c', q{CALL dnc_fdw_deliver('alta')} ], '>', \my $out, '2>', \my $err);
wait_until('a request', sub { deletions('alta') });
sql(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'victim'});
$sender->finish;
deliver('alta');
is(listed('alta') . ' ' . states('crash@test') . ' ' . deletions('alta'), 'crash@test delete:dead 1', 'a sender that ends takes nobody with it');

# ----- the same identifier under two keys -----

my $number = '0301234567';
isnt(sql("SELECT dnc_fdw_key('$number', 'phone', 'DE')"), sql("SELECT dnc_fdw_key('$number', 'phone', 'AT')"), 'one text has two keys');
reset_queue();
sql(add_phone('alta.de', $number));
deliver('alta');
$one->query('BEGIN; ' . remove('alta.de', $number));
$other->query(add_phone('alta.at', $number));
$one->query('COMMIT');
deliver('alta');
is(listed('alta') . ' ' . states($number), "$number add:done add:done delete:superseded", 'a deletion does not take who was added later through another table');

# Until it is known that nobody needs the addition.
reset_queue();
sql(add_phone('alta.de', $number));
deliver('alta');
$one->query('BEGIN; ' . remove('alta.de', $number));
$other->query(add_phone('alta.at', $number));
deliver('alta');
$one->query('COMMIT');
sql(q{UPDATE dnc_fdw_queue_waiting SET state = 'dead'; UPDATE dnc_fdw_queue_finished SET done_at = done_at - interval '40 days'});
deliver('alta');
retry('alta');
deliver('alta');
is(listed('alta') . ' ' . (states($number) =~ /superseded/ ? 'superseded' : states($number)), "$number superseded", 'an addition is kept as long as such a deletion waits');

reset_queue();
sql(add_phone('alta.at', $number));
sql(remove('alta.de', $number));
sql(q{UPDATE dnc_fdw_queue_waiting SET next_try = next_try + interval '1 hour' WHERE action = 'add'});
deliver('alta');
is(states($number) . ' ' . deletions('alta'), 'add:waiting delete:waiting 0', 'a deletion waits for an addition through another table');
retry('alta');
deliver('alta');
is(listed('alta') . ' ' . states($number), ' add:done delete:done', 'and comes after it');

reset_queue();
isnt(sql(q{SELECT dnc_fdw_key('x.org', 'domain')}), sql(q{SELECT dnc_fdw_key('x.org', 'web_chat')}), 'with another type');
sql(add('sendkit.list', 'x.org', 'domain'));
deliver('sendkit');
$one->query('BEGIN; ' . remove('sendkit.list', 'x.org'));
$other->query(add('sendkit.list', 'X.org', 'domain'));
$one->query('COMMIT');
sql(q{UPDATE dnc_fdw_queue_waiting SET match_key = 'web_chat:x.org' WHERE action = 'add'});
deliver('sendkit');
is(listed('sendkit') . ' ' . (states('x.org') =~ /superseded/ ? 'superseded' : states('x.org')), 'x.org superseded', 'an identifier is compared without its type');

reset_queue();
sql(add_phone('alta.de', $number));
sql('ALTER FOREIGN TABLE alta.at OPTIONS (ADD write_mode $$commit$$)');
like($dnc->gives(remove('alta.at', $number)), qr/ERROR:  55006: an addition of somebody who is to be deleted is in the queue/, 'another write_mode: a deletion');
deliver('alta');
sql(remove('alta.de', $number));
sql(add_phone('alta.at', $number));
deliver('alta');
is(listed('alta') . ' ' . states($number), "$number add:done delete:superseded", 'and an addition');
sql('ALTER FOREIGN TABLE alta.at OPTIONS (DROP write_mode)');

reset_queue();
sql(add_phone('alta.de', $number));
deliver('alta');
sql('BEGIN; ' . remove('alta.de', $number) . '; ' . add('alta.at', $number, 'sms') . '; COMMIT');
deliver('alta');
is(listed('alta'), "$number $number", 'one transaction');

# ----- the list of another account -----

my $elsewhere = qr/^the account, base_url or workspace_id was changed since: set it back, and call dnc_fdw_queue_retry\(\); or look at the list, delete again, and discard this$/;
(my $url = $dnc->url) =~ s/127\.0\.0\.1/localhost/;
for my $change ([ "SET base_url '$url/alta/v1'", "SET base_url '@{[ $dnc->url ]}/alta/v1'" ], [ q{ADD account 'other'}, 'DROP account' ])
{
	reset_queue();
	list_since('acct@test', 3600);
	sql(remove('alta.list', 'acct@test') . '; ' . add('alta.list', 'new@test'));
	sql("ALTER SERVER alta OPTIONS ($change->[0])");
	deliver('alta');
	is(listed('alta') . ' ' . states('acct@test') . ' ' . states('new@test'), 'acct@test new@test delete:dead add:done', "$change->[0]: nobody is removed there");
	like(message('acct@test'), $elsewhere, 'the message says what to do');
	retry('alta');
	deliver('alta');
	is(states('acct@test') . ' ' . deletions('alta'), 'delete:dead 0', 'to retry alone does not help');
	sql("ALTER SERVER alta OPTIONS ($change->[1])");
	retry('alta');
	deliver('alta');
	is(listed('alta') . ' ' . states('acct@test'), 'new@test delete:done', 'when it is set back, the deletion is made');
}
reset_queue();
list_since('name@test', 3600);
sql(remove('alta.list', 'name@test') . '; ALTER SERVER alta RENAME TO alta_eu');
deliver('alta_eu');
is(listed('alta') . states('name@test'), 'delete:done', 'a server that has another name by now is for the same list');
sql('ALTER SERVER alta_eu RENAME TO alta');
reset_queue();
sql(q{ALTER USER MAPPING FOR CURRENT_USER SERVER sendkit OPTIONS (SET token 'sk_user_q', ADD workspace_id 'ws_q')});
sql(add('sendkit.list', 'ws@test'));
deliver('sendkit');
sql(remove('sendkit.list', 'ws@test'));
sql(q{ALTER USER MAPPING FOR CURRENT_USER SERVER sendkit OPTIONS (SET token 'sk_user_q2', SET workspace_id 'ws_q2')});
deliver('sendkit');
is((split / /, states('ws@test'))[-1], 'delete:dead', 'nor is a deletion sent to another workspace');
sql("ALTER USER MAPPING FOR CURRENT_USER SERVER sendkit OPTIONS (SET token '" . DncVendors::token('sendkit', 'q') . "', DROP workspace_id)");

# ----- deletions of transactions that are still open -----

$node->append_conf('postgresql.conf', 'dnc_fdw.keep_done = 0');
$node->reload;
wait_until('keep_done', sub { sql('SHOW dnc_fdw.keep_done') eq '0' });

# Adds a person again, has the addition sent, and wants it to be forgotten.
sub add_and_forget
{
	my ($who) = @_;

	sql(add('alta.list', $who));
	deliver('alta') for 1 .. 2;
	return;
}
for my $level ('READ COMMITTED', 'REPEATABLE READ', 'PREPARE')
{
	reset_queue();
	list_since('open@test', 3600);
	$one->query('BEGIN' . ($level eq 'REPEATABLE READ' ? ' ISOLATION LEVEL REPEATABLE READ; SELECT 1' : ''));
	$one->query(remove('alta.list', 'open@test')) if $level ne 'REPEATABLE READ';
	$one->query("PREPARE TRANSACTION 'p'") if $level eq 'PREPARE';
	add_and_forget('open@test');
	$one->query(remove('alta.list', 'open@test')) if $level eq 'REPEATABLE READ';
	$one->query($level eq 'PREPARE' ? "COMMIT PREPARED 'p'" : 'COMMIT');
	deliver('alta');
	like(listed('alta') . ' ' . states('open@test'), qr/open\@test.* delete:superseded/, "$level: an addition is not forgotten before the deletion is there");
}
reset_queue();
$one->query('BEGIN; SAVEPOINT s; ' . remove('alta.list', 'nobody@test') . '; ROLLBACK TO s');
add_and_forget('kept@test');
$one->query('COMMIT');
add_and_forget('forgotten@test');
deliver('alta');
is(sql('SELECT count(*) FROM dnc_fdw_queue'), 0, 'then it is');
$node->append_conf('postgresql.conf', 'dnc_fdw.keep_done = 2592000');
$node->reload;
wait_until('keep_done', sub { sql('SHOW dnc_fdw.keep_done') ne '0' });

# ----- additions by another write_mode, while a deletion is not there yet -----

reset_queue();
list_since('mixed@test', 3600);
$one->query('BEGIN; ' . remove('alta.list', 'mixed@test'));
$other->query(add('alta.direct', 'mixed@test'));
$one->query('COMMIT');
deliver('alta');
like(listed('alta') . ' ' . states('mixed@test'), qr/mixed\@test.* delete:superseded/, 'a deletion does not take whom another write_mode has added since its statement');

# The deletion is committed while the other transaction waits for its answer.
reset_queue();
list_since('during@test', 3600);
$one->query('BEGIN; ' . remove('alta.list', 'during@test'));
control('PUT', 'alta', '/config?latency_ms=3000');
my $adding = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', add('alta.direct', 'during@test') ], '>', \my $added, '2>', \my $add_errors);
wait_until('an addition', sub { control('GET', 'alta', '/log') =~ /^POST/m });
control('PUT', 'alta', '/config?latency_ms=0');
$one->query('COMMIT');
deliver('alta');
is(deletions('alta'), 0, 'no deletion is sent while another write_mode adds');
$adding->finish;
deliver('alta');
like(listed('alta') . ' ' . states('during@test'), qr/during\@test.* delete:superseded/, 'nor of this person afterwards') or diag($add_errors);

# ----- max_delete_age -----

reset_queue();
list_since('aged@test', 3600);
sql(q{ALTER FOREIGN TABLE alta.list OPTIONS (ADD max_delete_age '1s')});
$one->query('BEGIN; ' . remove('alta.list', 'aged@test'));
sleep 1.1;
$one->query('COMMIT');
deliver('alta');
is(listed('alta') . ' ' . states('aged@test'), 'aged@test delete:dead', 'a deletion is as old as its statement');
sql(q{ALTER FOREIGN TABLE alta.list OPTIONS (DROP max_delete_age)});
retry('alta');
deliver('alta');
is(listed('alta') . states('aged@test'), 'delete:done', 'to retry says that it is meant');

# ----- a copy that is adopted while somebody adds -----

for my $who ('first', 'second')
{
	reset_queue();
	list_since("$_\@test", 3600) for 'first', 'second';
	sql(remove('alta.list', 'first@test') . '; ' . remove('alta.list', 'second@test'));
	sql(q{UPDATE dnc_fdw_queue_waiting SET instance = '00000000-0000-4000-8000-000000000000'});
	if ($who eq 'first')
	{
		sql(add('alta.list', 'first@test'));
		# Whoever adopts waits for this row, with a snapshot in which nobody has added the second one.
		$one->query(q{BEGIN; SELECT FROM dnc_fdw_queue_waiting WHERE identifier = 'first@test' AND action = 'delete' FOR UPDATE});
		my $adopting = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres') . ' application_name=adopting', '-c', 'SELECT dnc_fdw_queue_adopt()' ], '>', \my $count, '2>', \my $errors);
		wait_until('a lock', sub { sql(q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'adopting' AND wait_event_type = 'Lock'}) });
		sql(add('alta.list', 'second@test'));
		$one->query('COMMIT');
		$adopting->finish;
	}
	else
	{
		# Its number is below those that are over by then, so that it does not look as if it came later.
		$one->query('BEGIN; CREATE TEMP TABLE t (); ' . add('alta.list', 'second@test'));
		sql('CREATE TABLE later ()');
		$one->query('SELECT dnc_fdw_queue_adopt(); COMMIT');
	}
	deliver('alta');
	like(states('second@test'), qr/delete:superseded/, $who eq 'first' ? 'who is added while somebody adopts is not removed' : 'nor whom the transaction adds that adopts');
}

# ----- other write_modes, and the queue -----

sql("CREATE FOREIGN TABLE alta.now (identifier text, identifier_type text) SERVER alta OPTIONS (write_mode 'immediate', batch_size '1')");

# A savepoint takes back what overtook a deletion, and not the addition, which the vendor has.
for my $how ('ROLLBACK TO', 'a statement that fails')
{
	reset_queue();
	list_since('taken@test', 3600);
	sql(remove('alta.list', 'taken@test'));
	control('POST', 'alta', '/fault?kind=status&arg=400&method=POST&at=2') if $how ne 'ROLLBACK TO';
	$one->query('BEGIN; ' . ($how eq 'ROLLBACK TO' ? 'SAVEPOINT s; ' . add('alta.now', 'taken@test') . '; ROLLBACK TO s'
		: q{DO $$BEGIN INSERT INTO alta.now (identifier, identifier_type) VALUES ('taken@test', 'email'), ('refused@test', 'email'); EXCEPTION WHEN OTHERS THEN NULL; END$$}) . '; COMMIT');
	deliver('alta');
	like(listed('alta') . ' ' . states('taken@test'), qr/^taken\@test .*delete:superseded/, "$how: a deletion does not take whom the vendor has been told to list");
}

# An addition that is committed while another write_mode deletes comes after the deletion.
reset_queue();
list_since("$_\@test", 3600) for 'before', 'again';
sql(q{ALTER SERVER alta OPTIONS (ADD max_concurrency '1')});
control('PUT', 'alta', '/config?latency_ms=2000');
my $deleting = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', q{DELETE FROM alta.direct WHERE identifier IN ('before@test', 'again@test')} ], '>', \my $deleted, '2>', \my $delete_errors);
wait_until('a deletion', sub { deletions('alta') });
control('PUT', 'alta', '/config?latency_ms=0');
sql(add('alta.list', 'again@test'));
deliver('alta');
$deleting->finish;
deliver('alta');
is(listed('alta') . ' ' . states('again@test'), 'again@test add:done', 'a deletion by another write_mode does not take who was added since') or diag($delete_errors);
sql(q{ALTER SERVER alta OPTIONS (DROP max_concurrency)});
reset_queue();
list_since('idle@test', 3600);
$one->query('BEGIN; ' . remove('alta.now', 'idle@test'));
sql(add('alta.list', 'idle@test'));
deliver('alta');
is(listed('alta') . ' ' . states('idle@test'), 'idle@test add:done', 'no addition waits once such a deletion is made');
$one->query('COMMIT');

# The server gets another name, and so its account, while another write_mode adds.
reset_queue();
list_since('named@test', 3600);
$one->query('BEGIN; ' . remove('alta.list', 'named@test'));
$other->query('BEGIN; ' . add('alta.now', 'named@test'));
$one->query('COMMIT');
sql('ALTER SERVER alta RENAME TO alta_eu');
deliver('alta_eu');
$other->query('COMMIT');
deliver('alta_eu');
like(listed('alta') . ' ' . states('named@test'), qr/^named\@test.*delete:superseded/, 'a server with another name: no deletion takes who is being added');
sql('ALTER SERVER alta_eu RENAME TO alta');

# ----- rows that somebody else has locked -----

# Delivers, but does not wait for a lock.
sub deliver_at_once
{
	my $errors = '';

	$node->psql('postgres', q{SET lock_timeout = '20s'; CALL dnc_fdw_deliver('alta')}, stderr => \$errors);
	return $errors;
}
sub decide { my ($call, $who) = @_; $call =~ s/\(/(array_agg(id)/; return "SELECT dnc_fdw_queue_$call FROM dnc_fdw_queue WHERE identifier = '$who'" }

reset_queue();
sql(add('alta.list', 'locked@test'));
sql(add('alta.de', 'free@test'));
$one->query('BEGIN; ' . decide('retry()', 'locked@test'));
is(deliver_at_once() . listed('alta'), 'free@test', 'a row that is locked does not hold up those of other tables');
$one->query('COMMIT');
deliver('alta');
is(listed('alta'), 'free@test locked@test', 'and comes later');

reset_queue();
list_since($_, 3600) for 'old@test', 'moved@test';
sql(q{ALTER FOREIGN TABLE alta.list OPTIONS (ADD max_delete_age '1s')});
sql(remove('alta.list', 'old@test'));
sleep 1.1;
$one->query('BEGIN; ' . decide(q{discard(, 'again')}, 'old@test'));
is(deliver_at_once(), '', 'nor one that is too old');
$one->query(add('alta.now', 'mixed@test') . '; COMMIT');
is(states('old@test') . ' ' . listed('alta'), 'delete:discarded mixed@test moved@test old@test', 'and whoever has it can add by another write_mode');
sql(q{ALTER FOREIGN TABLE alta.list OPTIONS (DROP max_delete_age)});

reset_queue();
list_since('twice@test', 3600);
$one->query('BEGIN; ' . remove('alta.list', 'twice@test'));
sql(add('alta.list', 'twice@test'));
$one->query('COMMIT');
sql(add('alta.list', 'free@test'));
$other->query('BEGIN; ' . add('alta.now', 'twice@test'));
is(deliver_at_once(), '', 'nor one that was overtaken');
like(listed('alta'), qr/free\@test/, 'others are sent');
$other->query('COMMIT');

# ----- rows that go by no table, or came without their sequence -----

reset_queue();
sql("CREATE FOREIGN TABLE alta.dropped (identifier text, identifier_type text) SERVER alta");
sql(add('alta.dropped', 'shown@test'));
sql(q{DROP FOREIGN TABLE alta.dropped; ALTER SERVER alta OPTIONS (ADD account 'other')});
is(sql('SELECT identifier FROM alta.list'), 'shown@test', 'an addition is shown after its table was dropped, and the account changed');
like($dnc->gives(remove('alta.direct', 'shown@test')), qr/ERROR:  55006/, 'and no other write_mode overtakes it');
deliver('alta');
is(listed('alta'), 'shown@test', 'as it is sent');
sql(q{ALTER SERVER alta OPTIONS (DROP account)});

reset_queue();
sql(add('alta.list', 'ours@test'));
sql(q{INSERT INTO dnc_fdw_queue_waiting SELECT (jsonb_populate_record(w, '{"instance": "00000000-0000-4000-8000-000000000000", "identifier": "theirs@test", "match_key": "email:theirs@test"}')).* FROM dnc_fdw_queue_waiting w});
is(sql(decide(q{discard(, 'misspelled')}, 'ours@test')) . ' ' . states('theirs@test'), '1 add:held', 'to discard a write leaves that of another installation with its number');

$_->quit for $one, $other;
$dnc->stop;
done_testing();
