# A mirror where it is hard: passes that are killed at each step of the merge, writes that
# come at the worst moment, lists and servers that change meanwhile, and copies.  Each of
# these has shown somebody as free who was listed, or could have.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use HTTP::Tiny;
use IPC::Run;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $dnc = DncTest->new;
my $node = $dnc->node;
my $json = JSON::PP->new->utf8;
my $http = HTTP::Tiny->new(timeout => 60);
$node->append_conf('postgresql.conf', "restart_after_crash = on\n");
$node->restart;

sub value { return $node->safe_psql('postgres', $_[0]) }
sub gives { return $dnc->gives($_[0]) }
sub list { return "$_[0].communication_opt_outs" }
sub refresh { my ($name, $more) = @_; return gives("CALL dnc_fdw_mirror_refresh('" . list($name) . "'" . ($more ? ", $more" : '') . ')') }
sub known { my ($name) = @_; return value('SELECT count(*) FROM ' . list($name) . '_known') }
sub is_known { my ($name, $who) = @_; return value("SELECT dnc_fdw_screen('" . list($name) . "', '$who', 'email')") }
sub last_pass { my ($name, $columns) = @_; return value("SELECT concat_ws('|', $columns) FROM dnc_fdw_passes WHERE source = '" . list($name) . "' ORDER BY id DESC LIMIT 1") }

# A list of $count emails, ten a page, with a mirror.
sub make_mirror
{
	my ($name, $count, $terms, $settings) = @_;

	$dnc->make_server($name, 0, "page_size '10', max_retries '0'");
	$dnc->control('PUT', "alta/$name/config?$settings") if $settings;
	$dnc->control('POST', "alta/$name/fill?count=$count&types=email") if $count;
	value("SELECT dnc_fdw_mirror_create('" . list($name) . "'" . ($terms ? ", $terms" : '') . ')');
	return;
}

sub api
{
	my ($name, $method, $body) = @_;
	my $answer = $http->request($method, $dnc->url . '/alta/v1/dnc/communication-opt-outs',
		{ content => $json->encode($body), headers => { Authorization => "Bearer sandbox-$name-vendor", 'Content-Type' => 'application/json' } });

	die "$answer->{status} $answer->{content}" unless $answer->{success};
	return;
}

# The vendor's side adds or removes emails.
sub vendor_adds { my ($name, @who) = @_; api($name, 'POST', { identifiers => [ map { { identifier => $_, identifierType => 'email' } } @who ] }); return }
sub vendor_removes { my ($name, @who) = @_; api($name, 'DELETE', { identifier => $_, identifierType => 'email' }) for @who; return }
sub person { return map { sprintf 'person%06d@example.com', $_ } @_ }

# ----- passes -----

make_mirror('plain', 35);
like(gives('SELECT count(*) FROM plain.communication_opt_outs_known'), qr/^ERROR:  55000: the mirror of "communication_opt_outs" is not filled yet/, 'an empty mirror is not read');
like(gives("SELECT dnc_fdw_screen('plain.communication_opt_outs', 'a\@x.org', 'email')"), qr/55000/, 'nor screened by');
is(refresh('plain'), '', 'a full pass');
is(known('plain'), 35, 'gives all');
is(last_pass('plain', "mode, state, rows, pages, resumes, restarts, added, missing, gone, wide_keys, order_seen"), 'full|done|35|8|0|0|35|0|0|0|newest last',
	'and a certificate; the first fill reads the list twice');
my $hash = last_pass('plain', 'sha256');
like($hash, qr/^[0-9a-f]{64}$/, 'with a hash');
is(refresh('plain') . last_pass('plain', 'sha256, pages, added, changed, missing, gone'), "$hash|4|0|0|0|0", 'the same list, the same hash, nothing changed');
vendor_adds('plain', 'new@x.org');
vendor_removes('plain', person(1));
is(refresh('plain') . last_pass('plain', 'added, changed, missing, gone'), '1|0|1|0', 'an entry that is missing once');
isnt(last_pass('plain', 'sha256'), $hash, 'another list, another hash');
is(join(' ', known('plain'), is_known('plain', person(1))), '36 listed', 'stays known');
is(refresh('plain') . last_pass('plain', 'missing, gone'), '1|1', 'that of one missing twice, and looked up, is gone');
is(join(' ', known('plain'), is_known('plain', person(1))), '35 free', 'and free');
vendor_adds('plain', person(1));
refresh('plain');
is(value("SELECT count(*) || ' ' || count(gone_at) || ' ' || bool_and(last_seen <= gone_at) FROM plain.communication_opt_outs_mirror WHERE identifier = 'person000001\@example.com'"),
	'2 1 true', 'who comes back has two periods');
is(value("SELECT count(*) FROM plain.communication_opt_outs_mirror WHERE last_seen < first_seen"), 0, 'nobody was seen last before first');

# A lookup finds who was passed over.
make_mirror('over', 12, 'gone_after => 1', 'cursors=page');
refresh('over');
refresh('over', 'max_requests => 2');
$dnc->control('DELETE', 'alta/over/log');
vendor_removes('over', person(1));
is(refresh('over') . is_known('over', person(11)), 'listed', 'an entry that was passed over is looked up, and stays');
like($dnc->take_log('over'), qr/search=person000001/, 'as is the one that is gone');
is(is_known('over', person(1)), 'free', 'and goes');

# ----- interrupted passes -----

make_mirror('parts', 45);
my $calls = 0;
while (last_pass('parts', 'state') ne 'done' && $calls++ < 20) { is(refresh('parts', 'max_requests => 2'), '', 'a part of a pass') }
is(join(' ', known('parts'), last_pass('parts', 'restarts')), '45 0', "a pass in $calls parts");
cmp_ok($calls, '>', 5, 'each of two requests');
cmp_ok(last_pass('parts', 'resumes'), '>', 3, 'and resumes are counted');
like(refresh('parts', 'max_requests => 1'), qr/22023: max_requests must be at least 2/, 'one request is not enough');

# Options that decide what is read, between two parts.
for my $change ([ "SERVER parts OPTIONS (SET page_size '7')", 'page_size' ], [ "SERVER parts OPTIONS (ADD default_country 'US')", 'default_country' ])
{
	refresh('parts', 'max_requests => 2');
	value("ALTER $change->[0]");
	like(refresh('parts'), qr/NOTICE:  00000: the pass over "communication_opt_outs" begins anew/, "another $change->[1]: the pass begins anew");
	is(join(' ', known('parts'), last_pass('parts', 'restarts')), '45 1', 'and is counted');
}
value("ALTER SERVER parts OPTIONS (SET default_country 'DE')");
like(gives('SELECT count(*) FROM parts.communication_opt_outs_known'), qr/55000: the mirror of "communication_opt_outs" has keys of another country/, 'keys of another country are not read');
like(refresh('parts', "mode => 'delta'"), qr/55000/, 'nor added to by a delta');
is(refresh('parts') . known('parts'), 45, 'a full pass makes them anew');

# A cursor that the vendor takes no more.
refresh('parts', 'max_requests => 2');
$dnc->control('POST', 'alta/parts/fault?kind=status&arg=400');
like(refresh('parts'), qr/begins anew.*refuses/s, 'a cursor that is refused: the pass begins anew');
is(known('parts'), 45, 'and ends well');

# statement_timeout, again and again.
make_mirror('slow', 300, undef, 'latency_ms=20');
value("ALTER SERVER slow OPTIONS (SET page_size '1')");
my $errors = 0;
for ($calls = 0; $calls < 100 && last_pass('slow', 'state') ne 'done'; $calls++)
{
	my $said = gives("SET statement_timeout = '2s'; CALL dnc_fdw_mirror_refresh('slow.communication_opt_outs')");
	$errors++ if $said =~ /57014/;
}
is(join(' ', known('slow'), last_pass('slow', 'state, restarts')), '300 done|0', "a list of 300 pages, read twice, in $calls calls of two seconds");
cmp_ok($errors, '>', 1, 'that were cancelled');

# No snapshot while it waits.
$dnc->control('PUT', 'alta/plain/config?latency_ms=1500');
sub in_background
{
	my ($sql) = @_;
	my ($out, $said) = ('', '');
	my $run = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres') . ' application_name=refresh', '-c', $sql ], '>', \$out, '2>', \$said);

	return { run => $run, said => \$said };
}
my $call = in_background("CALL dnc_fdw_mirror_refresh('plain.communication_opt_outs')");
my $looks = 0;
for (1 .. 100)
{
	my $state = value(q{SELECT concat_ws(' ', wait_event_type, backend_xmin, backend_xid) FROM pg_stat_activity WHERE application_name = 'refresh' AND wait_event_type IN ('Extension', 'Client', 'IPC')});
	$looks++ if $state ne '';
	if ($state =~ /\d/) { fail("holds $state"); last }
	last if $looks > 5;
	sleep 0.1;
}
ok($looks > 0, 'no xmin is held while a page is awaited');
like(refresh('plain'), qr/55006: another session is refreshing the mirror/, 'another session has to wait');
$call->{run}->finish;
$dnc->control('PUT', 'alta/plain/config?latency_ms=0');

# Killed: after pages, and at places in the merge that another session holds up.
make_mirror('kill', 45, undef, 'latency_ms=30');
refresh('kill');
sub backend { return value(q{SELECT pid FROM pg_stat_activity WHERE application_name = 'refresh'}) }
sub recovered { $dnc->poll(sub { $node->psql('postgres', 'SELECT 1') == 0 }); return }
my $number = 0;
for my $hold ('', '', 'LOCK TABLE kill.communication_opt_outs_mirror IN SHARE ROW EXCLUSIVE MODE', 'LOCK TABLE dnc_fdw_queue_finished IN SHARE MODE',
	"SELECT 1 FROM dnc_fdw_mirror_lists WHERE source = 'kill.communication_opt_outs'::regclass FOR UPDATE")
{
	my ($gone, $new) = (person($number + 1), "new$number\@x.org");
	my $before = known('kill');

	$number++;
	vendor_adds('kill', $new);
	refresh('kill', 'max_requests => 2') if $hold;    # so that a pass has begun
	my $holder = $hold && $node->background_psql('postgres');
	$holder->query_safe("BEGIN; $hold") if $hold;
	# Without a lock that holds it up, the pass has to be slow enough to be killed.
	$dnc->control('PUT', 'alta/kill/config?latency_ms=' . ($hold ? 30 : 500));
	$call = in_background("CALL dnc_fdw_mirror_refresh('kill.communication_opt_outs')");
	if ($hold) { $dnc->poll(sub { value(q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'refresh' AND wait_event_type = 'Lock'}) }) }
	else { sleep 0.1 * $number }
	like(gives("SET lock_timeout = '100ms'; SELECT count(*) > 1 FROM kill.communication_opt_outs_mirror; DELETE FROM kill.communication_opt_outs_mirror"), qr/^t\nERROR:  55P03:/, 'meanwhile the mirror can be read, and nobody deletes')
	  if $hold =~ /mirror_lists/;
	my $pid = backend();
	if ($hold && $number % 2) { $node->stop('immediate') }
	elsif ($pid) { kill 'KILL', $pid }
	$call->{run}->finish;
	$holder->{run}->kill_kill if $hold;
	$node->start if $hold && $number % 2;
	recovered();
	$dnc->control('PUT', 'alta/kill/config?latency_ms=30');
	is(known('kill'), $before, "killed $number: the mirror is as it was");
	is(refresh('kill') . join(' ', known('kill') - $before, is_known('kill', $new)), '1 listed', 'and the next call ends the pass');
	is(last_pass('kill', 'state, rows'), 'done|' . (45 + $number), 'with all rows');
}

# pg_dump holds locks on all tables for as long as it runs.
my $dumper = $node->background_psql('postgres');
$dumper->query_safe('BEGIN; LOCK TABLE kill.communication_opt_outs_staging, kill.communication_opt_outs_mirror, kill.communication_opt_outs_known IN ACCESS SHARE MODE');
for my $pass (1 .. 2)
{
	vendor_adds('kill', "dumped$pass\@x.org");
	is(gives("SET lock_timeout = '10s'; CALL dnc_fdw_mirror_refresh('kill.communication_opt_outs')"), '', "pass $pass does not wait for a dump");
	is(is_known('kill', "dumped$pass\@x.org"), 'listed', 'and is complete');
	is(value('SELECT count(*) FROM kill.communication_opt_outs_staging'), 0, 'with nothing left in the staging table');
}
$dumper->query_safe('COMMIT');
$dumper->quit;
refresh('kill');
is(value("SELECT pg_relation_size('kill.communication_opt_outs_staging')"), 0, 'whose room comes back with the next pass');

# Nothing reads the view without asking the guard, and asks it for each row.
value('SELECT pg_stat_reset()');
gives("SET track_functions = 'all'; SELECT count(last_seen) FROM plain.communication_opt_outs_known");
my $asked = value("SELECT coalesce(sum(calls), 0) FROM pg_stat_user_functions WHERE funcname = 'dnc_fdw_mirror_guard'");
ok($asked >= 1 && $asked <= 3, 'a statement asks the guard, but not for each row') or diag("$asked times");

# One id twice, on pages that are too far from each other for a scan to see that, of two persons.
make_mirror('twice', 8500);
value(q{ALTER SERVER twice OPTIONS (SET page_size '100')});
my $one = $json->decode($dnc->control('GET', 'alta/twice/entries'))->[0];
$dnc->control('PUT', 'alta/twice/entries', $json->encode([ { %$one, identifier => 'twin@x.org' } ]));
is(refresh('twice') . known('twice'), 8501, 'a list has one id twice: the mirror has both');
is(join(' ', map { is_known('twice', $_) } $one->{identifier}, 'twin@x.org'), 'listed listed', 'and knows both persons');

# A reader sees one version or the next one.
my $reader = in_background(q{DO $$ DECLARE seen text[] = '{}'; now text; BEGIN
	FOR i IN 1 .. 100000 LOOP
		SELECT format('%s %s', count(*), count(*) FILTER (WHERE identifier LIKE 'v2%')) INTO now FROM plain.communication_opt_outs_known;
		IF now <> ALL (seen) THEN seen := seen || now; END IF;
		EXIT WHEN now LIKE '% 500';
		COMMIT;
	END LOOP;
	RAISE NOTICE 'seen %', seen; END $$});
vendor_adds('plain', map { "v2$_\@x.org" } 1 .. 500);
refresh('plain');
$reader->{run}->finish;
like(${ $reader->{said} }, qr/seen \{"36 0","536 500"\}/, 'a reader sees the mirror before a merge or after it');

# ----- own writes -----

make_mirror('own', 25);
my $own = list('own');
refresh('own');
value("INSERT INTO $own (identifier, identifier_type) VALUES ('me\@x.org', 'email')");
is(is_known('own', 'me@x.org'), 'listed', 'an addition is known at once');
value("DELETE FROM $own WHERE identifier = 'me\@x.org'");
is(is_known('own', 'me@x.org'), 'free', 'as is its removal');
value("DELETE FROM $own WHERE identifier = 'person000003\@example.com'");
is(is_known('own', person(3)), 'free', 'one of somebody whom a pass has seen');
vendor_adds('own', person(3));
refresh('own');
is(is_known('own', person(3)), 'listed', 'who opts out again at the vendor is known with the next pass');

# In another spelling: the removal hides the row, and the row must not speak for the addition.
value("DELETE FROM $own WHERE identifier = 'person000004\@example.com'");
value("INSERT INTO $own (identifier, identifier_type) VALUES ('Person000004\@Example.com', 'email')");
is(is_known('own', person(4)), 'listed', 'who is removed and added in another spelling is known');
refresh('own') for 1, 2;
is(is_known('own', person(4)), 'listed', 'and stays so');
is(value("SELECT unshown FROM dnc_fdw_mirrors WHERE source = '$own'::regclass"), 0, 'the vendor has shown that');

# Added while the pass that lets an old entry go is behind the place.
make_mirror('late', 25, 'gone_after => 1', 'order=newest&search=exact');
refresh('late');
vendor_removes('late', person(20));
refresh('late', 'max_requests => 2');
my $holder = $node->background_psql('postgres');
$holder->query_safe('BEGIN; LOCK TABLE late.communication_opt_outs_mirror IN SHARE ROW EXCLUSIVE MODE');
$call = in_background("CALL dnc_fdw_mirror_refresh('late.communication_opt_outs')");
$dnc->poll(sub { value(q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'refresh' AND wait_event_type = 'Lock'}) });
value("INSERT INTO late.communication_opt_outs (identifier, identifier_type) VALUES ('person000020\@example.com', 'email')");
is(is_known('late', person(20)), 'listed', 'who is added during a merge is known');
$holder->query_safe('COMMIT');
$holder->quit;
$call->{run}->finish;
is(is_known('late', person(20)), 'listed', 'and when the merge is over, which has found the old entry missing');
refresh('late');
is(is_known('late', person(20)), 'listed', 'with the next pass, too');

# An addition that the vendor never shows.
make_mirror('never', 5, 'gone_after => 1');
refresh('never');
vendor_removes('never', person(2));
value("INSERT INTO never.communication_opt_outs (identifier, identifier_type) VALUES ('person000002\@example.com', 'email')");
vendor_removes('never', person(2));
refresh('never') for 1 .. 3;
is(join(' ', is_known('never', person(2)), value("SELECT unshown FROM dnc_fdw_mirrors WHERE source = 'never.communication_opt_outs'::regclass")), 'listed 1', 'an acknowledged addition that no pass shows stays known, and is reported');

# The queue; a server that was renamed.
value("ALTER SERVER own OPTIONS (ADD write_mode 'queue')");
value("INSERT INTO $own (identifier, identifier_type) VALUES ('queued\@x.org', 'email')");
is(is_known('own', 'queued@x.org'), 'listed', 'an addition that waits is known');
value("UPDATE dnc_fdw_queue_waiting SET match_key = 'email:of-older-rules\@x.org'");
is(is_known('own', 'queued@x.org'), 'listed', 'even if its key was made by other rules');
value('ALTER SERVER own RENAME TO renamed');
like(gives("SELECT count(*) FROM ${own}_known"), qr/55000: the mirror of "communication_opt_outs" is of another account/, 'a server that was renamed may be that of another list');
is(refresh('own') . is_known('own', 'queued@x.org'), 'listed', 'a pass later, what waits under the old name is known');
value("CALL dnc_fdw_deliver('renamed')");
is(is_known('own', 'queued@x.org'), 'listed', 'and when it is sent');
value("ALTER SERVER renamed OPTIONS (SET write_mode 'commit')");
value("INSERT INTO $own (identifier, identifier_type) VALUES ('direct\@x.org', 'email')");
is(is_known('own', 'direct@x.org'), 'listed', 'as what is written under the new one');
value("DELETE FROM $own WHERE identifier = 'person000005\@example.com'");
is(is_known('own', person(5)), 'free', 'and removals');
refresh('own');
is(join(' ', map { is_known('own', $_) } 'queued@x.org', 'direct@x.org', person(5)), 'listed listed free', 'a pass later');

# What waits, after its table was dropped and its server renamed: nobody can tell which list it is for.
value("ALTER SERVER renamed OPTIONS (SET write_mode 'queue')");
value("CREATE FOREIGN TABLE own.other (identifier text, identifier_type text) SERVER renamed; INSERT INTO own.other VALUES ('stray\@x.org', 'email')");
value('DROP FOREIGN TABLE own.other; ALTER SERVER renamed RENAME TO own');
is(refresh('own') . is_known('own', 'stray@x.org'), 'listed', 'an addition whose server cannot be told counts on each list');
is(value("SELECT count(*) FROM $own WHERE identifier = 'stray\@x.org'"), 1, 'and scans show it');
value("CALL dnc_fdw_deliver('own')");
is(is_known('own', 'stray@x.org'), 'listed', 'it is not sent');
like(value("SELECT warning FROM dnc_fdw_queue_health WHERE server = 'renamed'"), qr/^This server was dropped or renamed: its writes are not sent/, 'which is reported');
value('ALTER SERVER own RENAME TO renamed');
value("CALL dnc_fdw_deliver('renamed')");
is(refresh('own') . is_known('own', 'stray@x.org') . value("SELECT state FROM dnc_fdw_queue WHERE identifier = 'stray\@x.org'"), 'listeddone', 'until a server has the name');

# An addition that no pass has shown, made under the server's old name, is not forgotten.
value('ALTER SERVER never RENAME TO ever');
$node->append_conf('postgresql.conf', 'dnc_fdw.keep_done = 0');
$node->reload;
$dnc->poll(sub { value("LOAD 'dnc_fdw'; SHOW dnc_fdw.keep_done") eq '0' });
refresh('never') for 1 .. 2;
is(is_known('never', person(2)), 'listed', 'the server gets another name, and finished writes are forgotten: the addition stays known');
$node->append_conf('postgresql.conf', 'dnc_fdw.keep_done = 2592000');
$node->reload;

# ----- what must not be believed -----

make_mirror('loss', 100);
$dnc->control('DELETE', 'alta/loss');
like(refresh('loss'), qr/55000: the pass over "communication_opt_outs" failed\nDETAIL:  The list is empty\./, 'an empty list, the first time');
$dnc->control('POST', 'alta/loss/fill?count=300&types=email');
refresh('loss');
vendor_removes('loss', person(1 .. 31));
like(refresh('loss'), qr/55000: .*failed\nDETAIL:  31 of 300 entries are missing/, 'more than 10 % at once');
is(join(' ', known('loss'), last_pass('loss', 'state, sqlstate')), '300 failed|55000', 'the mirror is as it was');
is(refresh('loss', 'accept_loss => true') . join(' ', known('loss'), last_pass('loss', 'loss_accepted, missing')), '300 t|31', 'unless it is accepted');
refresh('loss');
is(known('loss'), 269, 'and then they go');
my $said = '';
for my $night (1 .. 10)
{
	vendor_removes('loss', person(31 + 6 * $night - 5 .. 31 + 6 * $night));
	$said = refresh('loss');
	last if $said;
}
like($said, qr/are missing that were on the list within the last 7 days/, 'a little each night');
$dnc->control('DELETE', 'alta/loss');
like(refresh('loss'), qr/The list is empty/, 'an empty list, later');

# Objects that changed.
make_mirror('broken', 5);
refresh('broken');
value('CREATE INDEX ON broken.communication_opt_outs_staging (identity)');
like(refresh('broken'), qr/55000: the mirror of "communication_opt_outs" does not fit its list\nDETAIL:  The staging table is no plain, logged table without indexes/, 'an index on the staging table, which would miss rows');
value('DROP INDEX broken.communication_opt_outs_staging_identity_idx');
is(refresh('broken'), '', 'without it, it goes on');
value('ALTER FOREIGN TABLE broken.communication_opt_outs DROP COLUMN label');
like(refresh('broken'), qr/55000: the mirror of "communication_opt_outs" does not fit its list/, 'columns of the list that changed');
is(known('broken'), 5, 'the mirror is as it was');
value('ALTER FOREIGN TABLE broken.communication_opt_outs RENAME TO other');
is(value("SELECT dnc_fdw_screen('broken.other', 'person000001\@example.com', 'email')"), 'listed', 'a list that was renamed');
value('ALTER VIEW broken.communication_opt_outs_known RENAME TO seen');
is(value("SELECT dnc_fdw_screen('broken.other', 'person000001\@example.com', 'email')"), 'listed', 'and a view');
like(gives('DROP FOREIGN TABLE broken.other'), qr/2BP01/, 'a list that has a mirror is not dropped by mistake');
value('DROP FOREIGN TABLE broken.other CASCADE');
is(value("SELECT count(*) FROM broken.communication_opt_outs_mirror"), 5, 'its history stays');
$node->safe_psql('postgres', 'SELECT dnc_fdw_mirror_drop(source::oid) FROM dnc_fdw_mirror_lists WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = source)');
is(value("SELECT to_regclass('broken.communication_opt_outs_mirror') IS NULL"), 't', 'until it is dropped');

# ----- delta -----

make_mirror('delta', 200, undef, 'cursors=keyset&order=newest');
like(refresh('delta', "mode => 'delta'"), qr/55000: .*\nDETAIL:  There was no full pass yet/, 'no delta before a full pass');
refresh('delta');
$dnc->control('DELETE', 'alta/delta/log');
like(refresh('delta', "mode => 'delta'") . scalar(split / /, $dnc->take_methods('delta')), qr/^[34]$/,
	'a delta of nothing: an entry a minute, so two pages are of the last ten minutes, and one is behind; one more is asked for ahead');
vendor_adds('delta', map { "d$_\@x.org" } 1 .. 25);
vendor_removes('delta', person(7));
is(refresh('delta', "mode => 'delta'") . join(' ', known('delta'), last_pass('delta', 'mode, state, added'), is_known('delta', person(7))), '225 delta|done|25 listed', 'a delta adds only');
vendor_adds('delta', map { "e$_\@x.org" } 1 .. 45);
is(refresh('delta', "mode => 'delta', max_requests => 2") . join(' ', known('delta'), last_pass('delta', 'state, added')), '245 partial|20', 'one that ends early says so, and keeps what it has');
refresh('delta', "mode => 'delta'");
is(known('delta'), 270, 'the next one reads the rest');
$dnc->control('PUT', 'alta/delta/config?order=random');
vendor_adds('delta', map { "f$_\@x.org" } 1 .. 25);
refresh('delta');
like(refresh('delta', "mode => 'delta'"), qr/55000: .*\nDETAIL:  The last full pass has not seen the list in the order of created_at/, 'no delta without an order');

# Numbered pages with the newest last.
$dnc->control('DELETE', 'weya/numbers');
$dnc->control('POST', 'weya/numbers/fill?count=95');
my $url = $dnc->url;
value(qq{CREATE SERVER numbers FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'weya', base_url '$url/weya', page_size '10', requests_per_minute '0');
	CREATE USER MAPPING FOR CURRENT_USER SERVER numbers OPTIONS (token 'sandbox-numbers');
	CREATE SCHEMA numbers; IMPORT FOREIGN SCHEMA dnc FROM SERVER numbers INTO numbers;});
my ($table) = value(q{SELECT foreign_table_name FROM information_schema.foreign_tables WHERE foreign_table_schema = 'numbers'});
value("SELECT dnc_fdw_mirror_create('numbers.$table'); CALL dnc_fdw_mirror_refresh('numbers.$table')");
$dnc->control('POST', 'weya/numbers/fill?count=3');
$dnc->control('DELETE', 'weya/numbers/log');
value("CALL dnc_fdw_mirror_refresh('numbers.$table', mode => 'delta')");
is(join(' ', value("SELECT count(*) FROM numbers.${table}_known"), scalar(() = $dnc->control('GET', 'weya/numbers/log') =~ /GET/g)), '98 3', 'numbered pages: a delta begins with what was the last one');
value("INSERT INTO numbers.$table (identifier, batch_id, request_uuid) VALUES ('+15559990001', 'b', 'u')");
is(value("SELECT count(*) FROM numbers.${table}_known WHERE match_key = 'tel:+15559990001'"), 1, 'an addition with a plus');
value("CALL dnc_fdw_mirror_refresh('numbers.$table')");
is(value("SELECT count(*) || ' ' || (SELECT unshown FROM dnc_fdw_mirrors WHERE source = 'numbers.$table'::regclass) FROM numbers.${table}_known WHERE match_key = 'tel:+15559990001'"), '1 0', 'that a pass shows');
value("DELETE FROM numbers.$table WHERE identifier LIKE '%15559990001'");
is(value("SELECT count(*) FROM numbers.${table}_known WHERE match_key = 'tel:+15559990001'"), 0, 'and that we remove');

# ----- who may -----

value(q{CREATE ROLE reader; CREATE ROLE above; CREATE ROLE nobody; CREATE ROLE holder;
	GRANT USAGE ON SCHEMA own TO reader, above, nobody; GRANT SELECT ON own.communication_opt_outs_known TO reader, holder;
	CREATE VIEW own.above AS SELECT identifier FROM own.communication_opt_outs_known; GRANT SELECT ON own.above TO above});
my $all = known('own');
is(gives('SET ROLE reader; SELECT count(*) FROM own.communication_opt_outs_known'), $all, 'a role that may read the view sees all');
is(gives("SET ROLE reader; SELECT dnc_fdw_screen('own.communication_opt_outs', 'direct\@x.org', 'email')"), 'listed', 'and screens');
like(gives('SET ROLE above; SELECT count(*) FROM own.above'), qr/42501: permission denied for view communication_opt_outs_known/, 'one that may read a view above gets an error, not fewer rows');
like(gives("SET ROLE above; SELECT count(*) FROM own.above WHERE identifier = 'nobody'"), qr/42501/, 'whatever it looks for');
like(gives('SET ROLE nobody; SELECT count(*) FROM own.communication_opt_outs_known'), qr/42501/, 'others may not');
like(gives("SET ROLE nobody; SELECT dnc_fdw_screen('own.communication_opt_outs', 'direct\@x.org', 'email')"), qr/42501/, 'nor screen');
like(gives("SET ROLE reader; CALL dnc_fdw_mirror_refresh('own.communication_opt_outs')"), qr/42501: must be owner of foreign table/, 'a reader does not refresh');
like(gives("SET ROLE reader; SELECT dnc_fdw_mirror_drop('own.communication_opt_outs')"), qr/42501/, 'nor drop');
is(gives("SET ROLE nobody; SELECT count(*) FROM dnc_fdw_mirrors"), 0, 'nor does anybody see mirrors of others');

# ----- a copy -----

my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump.sql';
$node->command_ok([ 'pg_dump', '-d', $node->connstr('postgres'), '-f', $dump ], 'a database with mirrors is dumped');
value('CREATE DATABASE copy');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('copy'), '-f', $dump ], 'and restored');
is($node->safe_psql('copy', 'SELECT count(*) FROM own.communication_opt_outs_known'), $all, 'the copy knows all, our own writes too');
is($node->safe_psql('copy', "SELECT count(*) FROM dnc_fdw_mirrors WHERE NOT refused"), value("SELECT count(*) FROM dnc_fdw_mirrors WHERE NOT refused"), 'its mirrors are as fresh');
vendor_removes('kill', person(10 .. 40));
like($dnc->gives("CALL dnc_fdw_mirror_refresh('kill.communication_opt_outs')", database => 'copy'), qr/DETAIL:  31 of 52 entries are missing/, 'and its passes are compared with what it has');

$dnc->stop;
done_testing();
