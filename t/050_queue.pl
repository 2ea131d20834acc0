# What docs/queue.md promises, with several sessions, crashes, lost answers and copies of
# the database.  The sandbox's lists and logs are the witness.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncLists qw(control reset_lists listed writes wait_until);
use DncTest;
use DncVendors;
use IPC::Run;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $dnc = DncTest->new;
my $node = $dnc->node;
my $json = JSON::PP->new->utf8;
$node->append_conf('postgresql.conf', "max_prepared_transactions = 2\nrestart_after_crash = on\n");
$node->restart;

sub servers { return DncLists::statements(options => "max_retries '0', write_mode 'queue'", tables => { list => '' }) }
DncLists::set_up($dnc, 'q', options => "max_retries '0', write_mode 'queue'", tables => { list => '' });

sub wrote { my ($name) = @_; return scalar writes($name) }
sub sql { my ($statements, $database) = @_; return $node->safe_psql($database // 'postgres', $statements) }
sub add { my ($name, @who) = @_; return "INSERT INTO $name.list (identifier, identifier_type) VALUES " . join(', ', map { "('$_', '$DncVendors::vendors{$name}{types}[0]')" } @who) }
sub remove { my ($name, $who) = @_; return "DELETE FROM $name.list WHERE identifier = '$who'" }
sub deliver { my ($name, $database) = @_; my ($out, $err) = ('', ''); $node->psql($database // 'postgres', "CALL dnc_fdw_deliver('$name')", stdout => \$out, stderr => \$err); return $err }
# The states of the writes on an identifier, in their order.
sub states { my ($who, $database) = @_; return join ' ', split /\n/, sql("SELECT action || ':' || state FROM dnc_fdw_queue WHERE identifier = '$who' ORDER BY queued_at", $database) }

# ----- several sessions: who was added later stays -----

my ($one, $other) = map { $node->background_psql('postgres', on_error_stop => 0) } 1 .. 2;
for my $level ('READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE')
{
	for my $delivered (0, 1)
	{
		reset_lists();
		sql(add('alta', 'x@test'));
		deliver('alta');
		$one->query("BEGIN ISOLATION LEVEL $level");
		$one->query(remove('alta', 'x@test'));
		$other->query(add('alta', 'X@Test'));
		deliver('alta') if $delivered;
		$one->query('COMMIT');
		deliver('alta') for 1 .. 2;
		my $when = $delivered ? 'sent before' : 'not sent yet';
		like(listed('alta'), qr/x\@test/, "$level: added after a deletion that commits later ($when)");
		sql('SELECT dnc_fdw_queue_discard(array_agg(id), $$over$$) FROM dnc_fdw_queue WHERE state IN ($$waiting$$, $$dead$$)');
	}
}
# A snapshot that is older than the addition which the deletion finds on the list.
reset_lists();
$one->query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
sql(add('alta', 'y@test'));
deliver('alta');
$one->query(remove('alta', 'y@test'));
$one->query('COMMIT');
deliver('alta');
is(listed('alta'), 'y@test', 'a deletion by an older snapshot than the addition');
is(states('y@test'), 'add:done delete:superseded', 'is not sent');
# One that has seen it, and was committed by another role or table, goes after it.
sql('CREATE FOREIGN TABLE alta.again (identifier text, identifier_type text) SERVER alta');
sql(add('alta', 'z@test'));
sql("DELETE FROM alta.again WHERE identifier = 'z\@test'");
deliver('alta');
is(states('z@test'), 'add:done delete:done', 'through another table');
# Writers do not wait for each other, and a renamed server is the same list.
sql(add('alta', 'r@test'));
deliver('alta');
$one->query('BEGIN');
$one->query(remove('alta', 'r@test'));
$other->query('BEGIN');
$other->query(add('alta', 'r@test'));
$other->query('COMMIT');
$one->query('COMMIT');
sql('ALTER SERVER alta RENAME TO alta_eu');
sql(add('alta', 's@test'));
deliver('alta_eu');
is(states('r@test'), 'add:done add:done delete:superseded', 'a renamed server');
is(states('s@test'), 'add:done', 'goes on');
sql('ALTER SERVER alta_eu RENAME TO alta');

# ----- PREPARE TRANSACTION -----

reset_lists();
sql("BEGIN; " . add('alta', 'p@test') . "; PREPARE TRANSACTION 'p'");
deliver('alta');
is(listed('alta'), '', 'nothing is sent before COMMIT PREPARED');
sql("COMMIT PREPARED 'p'");
deliver('alta');
is(listed('alta'), 'p@test', 'but afterwards');
sql("BEGIN; " . add('alta', 'q@test') . "; PREPARE TRANSACTION 'q'; ROLLBACK PREPARED 'q'");
deliver('alta');
is(listed('alta'), 'p@test', 'ROLLBACK PREPARED takes back');

# ----- one sender, and what it holds while it waits -----

sql(add('alta', 'w@test'));
control('PUT', 'alta', '/config?latency_ms=3000');
control('DELETE', 'alta', '/log');
my $sender = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres') . ' application_name=sender', '-c', q{CALL dnc_fdw_deliver('alta')} ],
	'>', \my $sent, '2>', \my $sent_errors);
wait_until('a request', sub { control('GET', 'alta', '/log') =~ /^POST/m });
is(sql(q{SELECT backend_xmin IS NULL AND backend_xid IS NULL FROM pg_stat_activity WHERE application_name = 'sender'}), 't',
	'no snapshot and no transaction number while a request is under way');
is(sql(q{SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE application_name = 'sender' AND locktype = 'relation'}), 0,
	'nor a lock on a table');
is(states('w@test'), 'add:sending', 'the write is being sent');
like(deliver('alta'), qr/NOTICE:  another session is sending the queue of server "alta"/, 'a second sender');
is(sql("SELECT count(*) FROM alta.list WHERE identifier = 'w\@test'"), 1, 'scans show it');
$sender->finish;
is(states('w@test'), 'add:done', 'done') or diag($sent_errors);
control('PUT', 'alta', '/config?latency_ms=0');

# A cancel ends the wait, and the sender's locks with it.
reset_lists();
control('PUT', 'alta', '/config?latency_ms=3000');
sql(add('alta', 'c@test'));
my $cancelled = $dnc->gives("SET statement_timeout = '500ms'; CALL dnc_fdw_deliver('alta'); SET statement_timeout = 0; CALL dnc_fdw_deliver('alta')");
like($cancelled, qr/ERROR:  57014: canceling statement due to statement timeout/, 'a timeout ends a delivery');
unlike($cancelled, qr/another session/, 'which leaves no lock');
is(listed('alta') . ' ' . states('c@test'), 'c@test add:done', 'the next one goes on');
control('PUT', 'alta', '/config?latency_ms=0');

# ----- additions by another write_mode -----

# Runs a statement in the background; the last request of Alta's log is its.
sub start
{
	my ($statement, $method) = @_;
	my $run = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', $statement ], '>', \my $out, '2>', \my $errors);

	control('DELETE', 'alta', '/log');
	wait_until("a $method", sub { control('GET', 'alta', '/log') =~ /^$method/m });
	return $run;
}
sql(q{CREATE FOREIGN TABLE alta.direct (identifier text, identifier_type text) SERVER alta OPTIONS (write_mode 'commit')});
sql(add('alta', 'g@test', 'h@test'));
deliver('alta');
sql(remove('alta', 'g@test'));
control('PUT', 'alta', '/config?latency_ms=2000');
my $run = start(q{CALL dnc_fdw_deliver('alta')}, 'DELETE');
like($dnc->gives(q{INSERT INTO alta.direct VALUES ('G@test', 'email')}), qr/ERROR:  55006: a deletion of somebody who is to be added is on its way to server "alta"/,
	'an addition while the deletion is on its way');
$run->finish;
sql(remove('alta', 'h@test'));
$run = start(q{INSERT INTO alta.direct VALUES ('H@test', 'email')}, 'POST');
deliver('alta');
$run->finish;
deliver('alta');
control('PUT', 'alta', '/config?latency_ms=0');
like(listed('alta'), qr/h\@test/, 'a deletion is not sent while somebody adds the person at COMMIT');
is(states('h@test'), 'add:done delete:superseded', 'nor afterwards');

# A deletion by another write_mode does not overtake an addition that waits, in whatever spelling and state.
reset_lists();
sql(add('alta', 'i@test', 'k@test'));
my $too_early = qr/ERROR:  55006: an addition of somebody who is to be deleted is in the queue of server "alta"/;
like($dnc->gives(q{DELETE FROM alta.direct WHERE identifier = 'i@test'}), $too_early, 'a deletion while the addition waits');
like($dnc->gives(q{ALTER FOREIGN TABLE alta.direct OPTIONS (SET write_mode 'immediate'); DELETE FROM alta.direct WHERE identifier = 'i@test' AND identifier_type = 'email'}), $too_early, 'at once');
is(wrote('alta'), 0, 'nothing is sent');
deliver('alta');
sql(add('alta', 'I@test'));
sql("DELETE FROM alta.direct WHERE identifier = 'k\@test'");
like($dnc->gives(q{DELETE FROM alta.direct WHERE identifier = 'i@test'}), $too_early, 'in another spelling; others are deleted');
is(listed('alta'), 'i@test', 'indeed');
deliver('alta');
sql(q{DELETE FROM alta.direct WHERE identifier IN ('i@test', 'I@test')});
is(listed('alta'), '', 'when it was delivered, it can be deleted');
sql('DROP FOREIGN TABLE alta.direct');

# ----- a sender that is killed, and a cluster that crashes -----

# Kills the sender of a server with a signal while its request is under way.
sub kill_sender
{
	my ($name, $signal) = @_;
	my ($out, $errors) = ('', '');

	control('PUT', $name, '/config?latency_ms=2000');
	my $before = control('GET', $name, '/log') =~ tr/\n//;
	my $run = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres') . ' application_name=victim', '-c', "CALL dnc_fdw_deliver('$name')" ],
		'>', \$out, '2>', \$errors);
	wait_until('a request of the victim', sub { (control('GET', $name, '/log') =~ tr/\n//) > $before });
	kill $signal, sql(q{SELECT pid FROM pg_stat_activity WHERE application_name = 'victim'});
	$run->finish;
	control('PUT', $name, '/config?latency_ms=0');
	wait_until('the cluster', sub { $node->psql('postgres', 'SELECT 1') == 0 });
	return;
}
for my $signal ('TERM', 'KILL')
{
	for my $name (DncVendors::names())
	{
		reset_lists();
		my $who = DncVendors::has_type($name, 'email') ? 'k@test' : '15550000001';
		sql(add($name, $who));
		kill_sender($name, $signal);
		deliver($name);
		is(listed($name), $who, "$name: added although the sender was killed ($signal)");
		is(sql("SELECT count(*) FROM dnc_fdw_queue WHERE state IN ('waiting', 'sending', 'dead')"), 0, 'nothing is left');
		like(control('GET', 'weya', '/stats'), qr/^admin_mails 1$/m, 'and only once') if $name eq 'weya';
		sql(remove($name, $who));
		kill_sender($name, $signal);
		deliver($name);
		if ($name eq 'sendkit')
		{
			is(sql("SELECT count(*) FROM dnc_fdw_queue WHERE state = 'dead'"), 1, 'sendkit: a deletion that may have been taken is reported');
			sql("SELECT dnc_fdw_queue_retry(array_agg(id)) FROM dnc_fdw_queue WHERE state = 'dead'");
			deliver($name);
		}
		is(listed($name), '', "$name: removed although the sender was killed ($signal)");
	}
	($one, $other) = map { $node->background_psql('postgres', on_error_stop => 0) } 1 .. 2 if $signal eq 'KILL';
}
sql(add('alta', 'durable@test'));
$node->stop('immediate');
$node->start;
deliver('alta');
is(listed('alta'), 'durable@test', 'what was committed outlives a crash');

# ----- the vendor's bad days -----

# A lost answer, a cut one: sent again.
for my $fault ('lost', 'cut', 'status&arg=503', 'status&arg=500', 'status&arg=429', 'close')
{
	reset_lists();
	sql(add('alta', 'f@test'));
	control('POST', 'alta', "/fault?kind=$fault&method=POST");
	deliver('alta');
	is(sql(q{SELECT state || ' ' || (next_try > queued_at) FROM dnc_fdw_queue WHERE state <> 'done' AND identifier = 'f@test'}), 'waiting true', "$fault: waits");
	sql(q{UPDATE dnc_fdw_queue_waiting SET next_try = next_try + interval '1 hour'});
	my $before = wrote('alta');
	deliver('alta');
	is(wrote('alta'), $before, 'and is not sent before its time');
	sql("SELECT dnc_fdw_queue_resume('alta'), dnc_fdw_queue_retry(array_agg(id)) FROM dnc_fdw_queue WHERE state = 'waiting'");
	deliver('alta');
	is(listed('alta'), 'f@test', 'then it is');
}
reset_lists();
sql(add('alta', 'f@test'));
control('POST', 'alta', '/fault?kind=status&arg=503&method=POST&retry_after=100');
deliver('alta');
is(sql(q{SELECT next_try > now() + interval '90 s' FROM dnc_fdw_queue_lanes WHERE failures > 0}), 't', 'Retry-After is kept');
sql("SELECT dnc_fdw_queue_resume('alta'), dnc_fdw_queue_retry(array_agg(id)) FROM dnc_fdw_queue WHERE state = 'waiting'");
deliver('alta');

# A token that is refused for a while: no write is dead.
reset_lists();
sql(add('alta', map { "t$_\@test" } 1 .. 20));
control('POST', 'alta', '/fault?kind=status&arg=401&times=0');
deliver('alta') for 1 .. 5;
is(wrote('alta'), 1, 'one request by a token that is refused');
is(sql(q{SELECT count(*), max(attempts) FROM dnc_fdw_queue WHERE state = 'waiting'}), '20|0', 'all wait, and no attempt counts');
control('DELETE', 'alta', '/fault');
sql(q{ALTER USER MAPPING FOR CURRENT_USER SERVER alta OPTIONS (SET token 'sandbox-q-new')});
deliver('alta');
is(control('GET', 'alta', '/count') + 0, 20, 'a new token sends them');

# Another role's bad token holds up nobody else.
reset_lists();
sql(q{CREATE ROLE unlucky; GRANT USAGE ON SCHEMA alta TO unlucky; GRANT INSERT ON alta.list TO unlucky;
	CREATE USER MAPPING FOR unlucky SERVER alta OPTIONS (token 'nonsense')});
sql('SET ROLE unlucky; ' . add('alta', 'u1@test'));
sql(add('alta', 'u2@test'));
deliver('alta');
is(listed('alta'), 'u2@test', 'the writes of another role are sent');
is(sql(q{SELECT role, state, http_status FROM dnc_fdw_queue WHERE identifier = 'u1@test'}), 'unlucky|waiting|401', 'the others wait');
sql(q{ALTER USER MAPPING FOR unlucky SERVER alta OPTIONS (SET token 'sandbox-q-unlucky')});
deliver('alta');
is(listed('alta'), 'u1@test u2@test', 'until they have a good token');

# A poison row among 500: Alta refuses what is listed here.
reset_lists();
sql(add('alta', 'poison@test'));
deliver('alta');
control('PUT', 'alta', '/config?on_duplicate=error');
control('DELETE', 'alta', '/log');
sql(q{INSERT INTO alta.list SELECT CASE n WHEN 137 THEN 'poison@test' ELSE n || '@test' END, 'email' FROM generate_series(1, 500) n});
deliver('alta');
is(control('GET', 'alta', '/count') + 0, 500, '499 of 500 are delivered');
cmp_ok(wrote('alta'), '<=', 21, 'within 20 requests more');
is(sql(q{SELECT identifier, http_status FROM dnc_fdw_queue WHERE state = 'dead'}), 'poison@test|400', 'the other one is dead');
sql(q{SELECT dnc_fdw_queue_discard(array_agg(id), 'is listed') FROM dnc_fdw_queue WHERE state = 'dead'});

# A refusal that may be the fault of one entry, or of our address: the others go on.
reset_lists();
sql(add('weya', '15550000011'));
sql(q{INSERT INTO weya.list (identifier, identifier_type, batch_id) VALUES ('15550000012', 'phone', 'unknown1')});
sql(add('weya', map { "1555000001$_" } 3 .. 8));
deliver('weya');
is(listed('weya'), join(' ', map { "1555000001$_" } 1, 3 .. 8), 'weya: a batch that is not known holds up nobody');
is(sql(q{SELECT identifier, state, http_status FROM dnc_fdw_queue WHERE state = 'waiting'}), '15550000012|waiting|404', 'and waits');
sql(q{SELECT dnc_fdw_queue_discard(array_agg(id), 'no such batch') FROM dnc_fdw_queue WHERE state = 'waiting'});
control('POST', 'weya', '/fault?kind=status&arg=404&times=0&method=POST');
sql(add('weya', map { "1555000002$_" } 1 .. 8));
deliver('weya') for 1 .. 2;
cmp_ok(wrote('weya'), '<=', 8 + 6, 'where all are refused, few are sent');
is(sql(q{SELECT count(*) FROM dnc_fdw_queue WHERE state = 'waiting'}), 8, 'and all wait');
control('DELETE', 'weya', '/fault');
sql("SELECT dnc_fdw_queue_resume('weya'), dnc_fdw_queue_retry(array_agg(id)) FROM dnc_fdw_queue WHERE state = 'waiting'");
deliver('weya');
is(sql(q{SELECT count(*) FROM dnc_fdw_queue WHERE state = 'waiting'}), 0, 'until it takes them');

# weya: what is listed already is done.
reset_lists();
control('POST', 'weya', '/fill?count=1');
sql(add('weya', '15550000001', '15550000002'));
deliver('weya');
is(sql(q{SELECT identifier, state, message FROM dnc_fdw_queue WHERE identifier LIKE '1555%' AND queued_at > now() - interval '1 minute' AND message IS NOT NULL AND state = 'done' AND action = 'add' ORDER BY id DESC LIMIT 1}),
	'15550000001|done|was on the list already', 'weya: what is listed already');
control('POST', 'weya', '/fault?kind=lost&method=POST');
sql(add('weya', '15550000003'));
deliver('weya');
is(states('15550000003'), 'add:waiting', 'weya: an answer is lost');
sql("SELECT dnc_fdw_queue_resume('weya'), dnc_fdw_queue_retry(array_agg(id)) FROM dnc_fdw_queue WHERE state = 'waiting'");
my $posts = wrote('weya');
deliver('weya');
is(states('15550000003') . ' ' . (wrote('weya') - $posts), 'add:done 0', 'it is looked up, and not sent again');

# An addition with a uuid of its own is looked up by that: the requests of its second delivery.
sub second_delivery
{
	my ($who, $uuid) = @_;

	control('POST', 'weya', '/fault?kind=close&method=POST');
	sql("INSERT INTO weya.list (identifier, identifier_type, request_uuid) VALUES ('$who', 'phone', '$uuid')");
	deliver('weya');
	return sub {
		sql("SELECT dnc_fdw_queue_resume('weya'), dnc_fdw_queue_retry(array_agg(id)) FROM dnc_fdw_queue WHERE state = 'waiting'");
		control('DELETE', 'weya', '/log');
		deliver('weya');
		return join ', ', map { /^(\w+) \S+?(?:[?&]search=([^&\s]+)\S*)? / ? $1 . ($2 ? " $2" : '') : () } split /\n/, control('GET', 'weya', '/log');
	};
}
my @uuids = map { "00000000-0000-4000-8000-00000000000$_" } 0 .. 2;
is(second_delivery('15550000004', $uuids[0])->(), "GET $uuids[0], POST", 'weya: looked up by request_uuid, and sent');
my $again = second_delivery('15550000005', $uuids[0]);
is($again->(), "GET $uuids[0], POST", 'one that somebody else has used proves nothing');
like(listed('weya'), qr/15550000005/, 'the number is added');
$again = second_delivery('15550000006', 'call 6');
like($again->(), qr{^GET 15550000006.*POST}, 'what is no uuid is not looked for');
$again = second_delivery('15550000007', $uuids[1]);
$dnc->control('PUT', 'weya/q/entries', $json->encode([ { _id => 'a' x 24, phoneNumber => '+1 (555) 000-0007', type => 'x', orgId => 'o', batchId => 'b',
	requestUUID => $uuids[1], createdAt => '2026-01-01T00:00:00.000Z' } ]));
is($again->(), "GET $uuids[1]", 'one that the vendor writes in another way is known by its uuid');
is(states('15550000007'), 'add:done', 'and done');

# ----- copies -----

reset_lists();
$one->quit;
$other->quit;
sql(add('alta', 'old@test', 'opted@test'));
deliver('alta');
sql(remove('alta', 'old@test'));
sql(remove('alta', 'opted@test'));
sql(add('alta', 'new@test'));
my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump.sql';
command_ok([ 'pg_dump', '--file', $dump, $node->connstr('postgres') ], 'a dump');
# A role that is no superuser, with what the documentation says it needs.
sql('CREATE ROLE dumper LOGIN; GRANT USAGE ON SCHEMA alta, sendkit, weya TO dumper');
command_fails_like([ 'pg_dump', '--username', 'dumper', $node->connstr('postgres') ], qr/permission denied for (?:table|sequence) dnc_fdw_|failed to get data for sequence "dnc_fdw_/, 'a dump by a role without privileges');
my ($grant) = PostgreSQL::Test::Utils::slurp_file("$FindBin::RealBin/../docs/queue.md") =~ /`(GRANT SELECT ON [^`]* TO) …`/;
sql("$grant dumper");
command_like([ 'pg_dump', '--username', 'dumper', $node->connstr('postgres') ], qr/new\@test/, 'and with them');
sql('CREATE DATABASE restored TEMPLATE template0');
command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '--file', $dump, '-d', $node->connstr('restored') ], 'is restored');
sql('CREATE DATABASE copied TEMPLATE postgres');
control('DELETE', 'alta', '/log');
for my $copy ('restored', 'copied')
{
	is(states('new@test', $copy) . ' ' . states('old@test', $copy), 'add:held add:done delete:held', "$copy: all is held");
	like(deliver('alta', $copy), qr/WARNING:  1 additions in the queue of server "alta" are held/, 'a delivery warns');
	like(sql(q{SELECT warning FROM dnc_fdw_queue_health WHERE server = 'alta'}, $copy), qr/1 additions are held/, 'the view too');
	is(control('GET', 'alta', '/log'), '', 'and no request is sent');
	is(sql(q{SELECT count(*) FROM alta.list WHERE identifier = 'new@test'}, $copy), 1, 'scans show what is held');
	control('DELETE', 'alta', '/log');
}
# What is added in the copy before it adopts the queue is not removed by what comes from there.
sql(add('alta', 'opted@test'), 'restored');
is(sql('SELECT dnc_fdw_queue_adopt()', 'restored'), 2, 'adopted: one is dropped');
deliver('alta', 'restored');
is(listed('alta'), 'new@test opted@test', 'and sent');
like(states('opted@test', 'restored'), qr/delete:superseded/, 'but nobody is removed who was added there');
is(sql('SELECT dnc_fdw_queue_adopt()', 'copied'), 3, 'a template database adopts');
sql(q{UPDATE dnc_fdw_queue_waiting SET timeline = timeline + 1});
is(states('new@test') . ' ' . (split / /, states('old@test'))[-1], 'add:waiting delete:held', 'a clone or a promoted standby: additions go on');
deliver('alta');
is(states('new@test') . ' ' . (split / /, states('old@test'))[-1], 'add:done delete:held', 'deletions do not');
sql('SELECT dnc_fdw_queue_adopt()');
deliver('alta');
is((split / /, states('old@test'))[-1], 'delete:done', 'before they are adopted');

# ----- the library with older SQL objects -----

sql('CREATE DATABASE older');
sql(q{CREATE EXTENSION dnc_fdw VERSION '1.1'; } . servers(), 'older');
like($dnc->gives(add('alta', 'v@test'), database => 'older'), qr/ERROR:  55000: the queue is not installed in this database\nDETAIL.*\nHINT:  ALTER EXTENSION dnc_fdw UPDATE;/,
	'SQL objects of 1.1');
is(sql(q{SELECT count(*) > 0 FROM alta.list}, 'older'), 't', 'do not hinder reading');
sql('ALTER EXTENSION dnc_fdw UPDATE', 'older');
sql(add('alta', 'v@test'), 'older');
deliver('alta', 'older');
like(listed('alta'), qr/v\@test/, 'after the update it works');

# ---- an entry that waits in two spellings is found by either

$node->safe_psql('postgres', qq{CREATE SERVER spelled FOREIGN DATA WRAPPER dnc_fdw
	  OPTIONS (provider 'sendkit', base_url '@{[ $dnc->url ]}/sendkit', write_mode 'queue', requests_per_minute '0');
	CREATE USER MAPPING FOR CURRENT_USER SERVER spelled OPTIONS (token 'sk_spelled');
	CREATE FOREIGN TABLE spelled (identifier text, identifier_type text) SERVER spelled;
	INSERT INTO spelled VALUES ('Ann\@x.org', 'email');
	INSERT INTO spelled VALUES ('ann\@x.org', 'email');
	INSERT INTO spelled VALUES ('ann\@x.org', 'email')});
is($node->safe_psql('postgres', "SELECT count(*) FROM spelled WHERE identifier = '$_'"), 1, "$_ waits") for 'Ann@x.org', 'ann@x.org';

$dnc->stop;
done_testing();
