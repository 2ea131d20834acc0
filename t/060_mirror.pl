# What docs/mirror.md promises: a reader sees a whole list or the one before, an addition
# counts at once, a removal only when it is proven, and no pass that breaks begins anew.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use IPC::Run;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $dnc = DncTest->new;
my $node = $dnc->node;
my $url = $dnc->url;
my $json = JSON::PP->new->utf8->canonical;
$node->append_conf('postgresql.conf', "restart_after_crash = on\n");
$node->restart;

my %path = (alta => '/alta/v1', sendkit => '/sendkit', weya => '/weya');
my %member = (alta => 'identifier', sendkit => 'email', weya => 'phoneNumber');
my %type = (alta => 'email', sendkit => 'email', weya => 'phone');
my ($vendor, $columns);

sub control { my ($method, $what, $body) = @_; return $dnc->control($method, "$vendor/m$what", $body) }
sub sql { my ($statements, $database) = @_; return $node->safe_psql($database // 'postgres', $statements) }
sub gives { return $dnc->gives(@_) }
sub refresh { my ($arguments) = @_; return gives('CALL dnc_fdw_mirror_refresh(\'s.list\'' . ($arguments ? ", $arguments" : '') . ')') }
sub full { my ($what) = @_; is(refresh($what), '', 'a full pass'); return }
sub known { return join ' ', split /\n/, sql('SELECT identifier FROM s.list_known ORDER BY 1') }
sub listed { return map { $_->{ $member{$vendor} } } @{ $json->decode(control('GET', '/entries')) } }
sub certificate { my ($what) = @_; return sql("SELECT $what FROM dnc_fdw_passes WHERE source = 's.list' ORDER BY id DESC LIMIT 1") }
sub mirror { my ($what) = @_; return sql("SELECT $what FROM dnc_fdw_mirrors WHERE source = 's.list'::regclass") }
sub requests { my $log = control('GET', '/log'); control('DELETE', '/log'); return scalar(() = $log =~ /^GET /mg) }

# A server of a vendor whose list has $count entries, and a mirror of it.
sub begin
{
	my ($name, $count, $options, $terms) = @_;

	if ($vendor)
	{
		sql("SELECT dnc_fdw_mirror_drop('s.list'); DROP SERVER s CASCADE; DROP SCHEMA s CASCADE");
		sql('TRUNCATE dnc_fdw_queue_waiting, dnc_fdw_queue_finished, dnc_fdw_pass_log');
	}
	$vendor = $name;
	control('DELETE', '');
	control('POST', "/fill?count=$count" . ($name eq 'weya' ? '' : '&types=email')) if $count;
	$columns = 'id text, identifier text, identifier_type text, created_at timestamptz'
		. ($name eq 'weya' ? q{, batch_id text DEFAULT 'b', request_uuid text DEFAULT 'u'} : $name eq 'alta' ? ', label text' : '');
	my $token = $name eq 'sendkit' ? 'sk_m' : 'sandbox-m';
	sql(qq{
		CREATE SERVER s FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider '$name', base_url '$url$path{$name}',
		  max_retries '0', requests_per_minute '0', page_size '10'@{[ $options ? ", $options" : '' ]});
		CREATE USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (token '$token');
		CREATE SCHEMA s;
		CREATE FOREIGN TABLE s.list ($columns) SERVER s;
		SELECT dnc_fdw_mirror_create('s.list'@{[ $terms ? ", $terms" : '' ]});
	});
	return;
}
sub remove_at_vendor
{
	my (@who) = @_;
	my %gone = map { $_ => 1 } @who;
	my @entries = grep { !$gone{ $_->{ $member{$vendor} } } } @{ $json->decode(control('GET', '/entries')) };

	# PUT appends, so that the list is emptied first; settings are lost with it.
	control('DELETE', '');
	control('PUT', '/entries', $json->encode(\@entries));
	return;
}
# The vendor lists somebody again: as another entry, where it has ids.
sub put_again
{
	my ($who, $type) = @_;
	my $entry = (@{ $json->decode(control('GET', '/entries')) })[0];

	$entry->{$_} = "again-$who" for grep { exists $entry->{$_} } qw(id _id);
	$entry->{ $member{$vendor} } = $who;
	$entry->{identifierType} = $type if $type;
	$entry->{$_} = '2025-09-01T00:00:00.000Z' for grep { exists $entry->{$_} } qw(createdAt updatedAt addedAt);
	control('PUT', '/entries', $json->encode([$entry]));
	return;
}
sub add { my ($who, $type) = @_; $type //= $type{$vendor}; return "INSERT INTO s.list (identifier, identifier_type) VALUES ('$who', '$type')" }
sub remove { my ($who) = @_; return "DELETE FROM s.list WHERE identifier = '$who'" }

# Starts a refresh in the background, gives its process.
sub start
{
	my ($arguments, $settings) = @_;
	my ($out, $errors) = ('', '');
	my $run = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres') . ' application_name=refresh',
		'-c', $settings // 'SELECT 1', '-c', "CALL dnc_fdw_mirror_refresh('s.list'" . ($arguments ? ", $arguments" : '') . ')' ],
		'>', \$out, '2>', \$errors);
	return $run;
}
sub backend { return sql("SELECT pid FROM pg_stat_activity WHERE application_name = 'refresh'") }
sub pages { return certificate('pages') || 0 }
sub wait_for { my ($what, $condition) = @_; my $end = time + 60; until ($condition->()) { die "waited for $what" if time > $end; sleep 0.02 } return }

# ----- a mirror is not filled, then it is -----

for my $name (qw(alta sendkit weya))
{
	begin($name, 95);
	like(gives('SELECT count(*) FROM s.list_known'), qr/ERROR:  55000: the mirror of "list" is not filled yet/, "$name: not to be read before the first pass");
	like(gives('SELECT * FROM s.list_known WHERE false AND identifier IS NULL'), qr/^$|55000/, 'nor otherwise');
	requests();
	full();
	is(known(), join(' ', sort(listed())), 'the whole list is known');
	is(certificate('mode, state, rows, added, missing, gone, sha256 ~ \'^[0-9a-f]{64}$\', pages'),
		'full|done|95|95|0|0|t|' . ($name eq 'weya' ? pages() : 20), 'its certificate');
	cmp_ok(requests(), $name eq 'weya' ? '<' : '==', 20, $name eq 'weya' ? 'numbered pages are read once' : 'the first fill behind cursors reads the list twice');
	my $sha = certificate('sha256');
	full();
	is(certificate('added, changed, missing, gone'), '0|0|0|0', 'another pass changes nothing');
	is(certificate('sha256'), $sha, 'and certifies the same');
	is(sql(q{SELECT encode(sha256(string_agg(convert_to(identity, 'UTF8') || '\x00', '' ORDER BY identity COLLATE "C")), 'hex') FROM s.list_mirror}), $sha,
		'anybody can compute it again');
	is(sql('SELECT count(*) FROM s.list_staging'), 0, 'nothing is left in the staging table');
	my ($one) = sort(listed());
	is(sql("SELECT dnc_fdw_screen('s.list', '$one', '$type{$name}'), dnc_fdw_screen('s.list', '" . ($name eq 'weya' ? '+15559999999' : 'free@example.com') . "', '$type{$name}'),
		dnc_fdw_screen('s.list', 'x', 'phone'), dnc_fdw_screen('s.list', NULL, 'email')"), 'listed|free|unknown|unknown', 'screening has three answers');
}

# ----- where CALL may stand -----

begin('alta', 25);
requests();
for my $statements ("BEGIN; CALL dnc_fdw_mirror_refresh('s.list'); COMMIT", "DO \$\$ BEGIN CALL dnc_fdw_mirror_refresh('s.list'); END \$\$; SELECT 1")
{
	my ($out, $errors) = ('', '');
	IPC::Run::run([ 'psql', '-XAtq', '-v', 'VERBOSITY=verbose', '-d', $node->connstr('postgres'), '-c', $statements ], '>', \$out, '2>', \$errors);
	like($errors, qr/ERROR:  25001: CALL dnc_fdw_mirror_refresh\(\) must be a statement of its own/, 'not within another statement: ' . substr($statements, 0, 20));
}
is(requests(), 0, 'refused before anything is done');
is(sql("SELECT count(*) FROM dnc_fdw_passes WHERE source = 's.list' AND state = 'running'"), 0, 'no pass has begun');

# ----- interruptions -----

begin('alta', 300);
for (1 .. 100)
{
	is(refresh('max_requests => 4'), '', 'a call ends quietly') if $_ == 1;
	refresh('max_requests => 4');
	last if certificate('state') eq 'done';
}
is(certificate('state, rows, restarts'), 'done|300|0', 'a pass of many small calls');
cmp_ok(certificate('resumes'), '>', 10, 'each goes on');
my $sha = certificate('sha256');
full();
is(certificate('sha256'), $sha, 'and ends as an uninterrupted one does');

begin('alta', 3000);
control('PUT', '/config?latency_ms=25');
my $calls = 0;
while ($calls++ < 60 && (certificate('state') || '') ne 'done')
{
	gives(qq{SET statement_timeout = '2s';\nCALL dnc_fdw_mirror_refresh('s.list')});
}
is(certificate('state, rows, restarts'), 'done|3000|0', 'statement_timeout of 2 s, called again and again, finishes a list of 300 pages');
cmp_ok($calls, '>', 3, 'it has struck');

# A list that has moved by more than a page in between.
begin('alta', 0);
control('PUT', '/config?order=newest&cursors=page');
control('POST', '/fill?count=200&types=email');
refresh('max_requests => 8');
control('POST', '/fill?count=35&types=email');
is(refresh(), '', 'a pass goes on in a list that has moved by several pages');
is(certificate('state, restarts'), 'done|0', 'and does not begin anew');
is(known(), join(' ', sort(listed())), 'the second reading of a first fill has what is new');

begin('alta', 3000);
full();
# kill -9 of the backend, at pages and in the merge, and of the postmaster: while it goes on, readers see all.
control('PUT', '/config?latency_ms=10');
control('POST', '/fill?count=50&types=email');
for my $what ('KILL', 'STOP')
{
	my $run = start();
	wait_for('a page', sub { pages() > 5 && backend() ne '' });
	is(sql('SELECT count(*) FROM s.list_known'), 3000, 'while a pass runs, the old list is known');
	if ($what eq 'KILL') { kill 'KILL', backend() } else { $node->stop('immediate') }
	$run->finish;
	$node->start if $what eq 'STOP';
	wait_for('the cluster', sub { $node->psql('postgres', 'SELECT 1') == 0 });
	is(sql('SELECT count(*) FROM s.list_known'), 3000, "and after kill -9 ($what)");
	is(certificate('state'), 'running', 'the pass waits to go on');
}
is(refresh(), '', 'the pass goes on');
is(certificate('state, rows, restarts, added, missing'), 'done|3050|0|50|0', 'to its end');
cmp_ok(certificate('resumes'), '>=', 2, 'where it was');
control('PUT', '/config?latency_ms=0');

# ----- a removal has to be proven -----

for my $name (qw(alta sendkit))
{
	begin($name, 95);
	full();
	my @who = sort(listed());
	remove_at_vendor(@who[ 0 .. 9 ]);
	full();
	is(certificate('missing, gone'), '10|0', "$name: missing once");
	is(scalar(split(/ /, known())), 95, 'all are known');
	is(sql('SELECT count(*) FROM s.list_known WHERE missed = 1 AND last_seen < (SELECT complete_as_of FROM dnc_fdw_mirrors)'), 10, 'and when they were seen');
	put_again($who[0]) if $name eq 'alta';
	requests();
	full();
	is(certificate('missing, gone'), '10|10', 'missing twice: gone');
	is(known(), join(' ', sort(listed())), 'from the view');
	is(requests(), ($name eq 'alta' ? 9 + 9 : 9), $name eq 'alta' ? 'each was looked up, but the one that is there under another id' : 'without a lookup where the API has none');
	is(sql("SELECT count(*) FROM s.list_mirror WHERE gone_at IS NOT NULL AND first_seen < gone_at"), 10, 'the mirror keeps them');
	cmp_ok(sql("SELECT count(*) FROM s.list_mirror WHERE first_seen <= now() AND coalesce(gone_at, 'infinity') > (SELECT min(began_at) FROM dnc_fdw_passes WHERE source = 's.list' AND state = 'done') + interval '1 us'"),
		'>=', 95, 'so that one can ask who was listed then');
}

# An entry that is listed but that no pass shows stays, since it is looked up.
begin('alta', 95);
full();
my @all = sort(listed());
sql("UPDATE s.list_mirror SET identity = 'phantom', missed = 5 WHERE identifier = '$all[3]'");
sql("UPDATE s.list_mirror SET match_key = 'email:other\@example.com' WHERE identity = 'phantom'");
full();
is(sql("SELECT missed, gone_at IS NULL FROM s.list_mirror WHERE identity = 'phantom'"), '0|t', 'a lookup that finds the entry keeps it');

# ----- a list that is suddenly another one -----

begin('alta', 95);
full();
my $before = known();
my @keep = sort(listed());
remove_at_vendor(@keep[ 0 .. 39 ]);
like(refresh(), qr/ERROR:  55000: the pass over "list" failed\nDETAIL:  40 of 95 entries are missing/, 'max_loss');
is(known(), $before, 'the mirror stays as it was');
is(certificate('state, sqlstate'), 'failed|55000', 'the pass says why');
like(mirror('message'), qr/40 of 95/, 'and the view of mirrors');
full('accept_loss => true');
is(certificate('state, missing, loss_accepted'), 'done|40|t', 'accepted');
full();
is(scalar(split(/ /, known())), 55, 'then they go');
control('DELETE', '');
like(refresh(), qr/DETAIL:  The list is empty/, 'a list that is suddenly empty');
is(scalar(split(/ /, known())), 55, 'changes nothing');
begin('alta', 0);
like(refresh(), qr/DETAIL:  The list is empty/, 'one that is empty from the first');
like(gives('SELECT 1 FROM s.list_known'), qr/55000/, 'fills no mirror');
full('accept_loss => true');
is(sql('SELECT count(*) FROM s.list_known'), 0, 'unless that is right');
# A little each night.
begin('alta', 200, undef, 'gone_after => 1');
full();
my @rest = sort(listed());
my $failed;
for my $night (1 .. 4)
{
	remove_at_vendor(splice @rest, 0, 8);
	$failed = $night, last if refresh() =~ /within the last 7 days/;
}
is($failed, 3, 'a list that loses a little each night is noticed');

# ----- own writes -----

for my $mode (qw(commit immediate queue))
{
	begin('alta', 30, "write_mode '$mode'");
	full();
	sql(add('Own@Example.com'));
	is(sql("SELECT dnc_fdw_screen('s.list', 'own\@example.com', 'email')"), 'listed', "$mode: our own addition is known at once");
	is(sql("SELECT count(*) FROM s.list_known"), 31, 'once');
	is($mode eq 'queue' ? sql("SELECT count(*) FROM dnc_fdw_queue WHERE state = 'waiting'") : 1, 1, 'waiting or not');
	sql("CALL dnc_fdw_deliver('s')") if $mode eq 'queue';
	is(sql("SELECT count(*) FROM s.list_known"), 31, 'also when it is sent');
	full();
	is(sql("SELECT count(*) FROM s.list_known WHERE id IS NOT NULL"), 31, 'until the vendor shows it');
	sql(remove('person000003@example.com'));
	is(sql("SELECT count(*) FROM s.list_known WHERE identifier = 'person000003\@example.com'"), 1, 'a removal that waits hides nothing') if $mode eq 'queue';
	sql("CALL dnc_fdw_deliver('s')") if $mode eq 'queue';
	is(sql("SELECT count(*) FROM s.list_known WHERE identifier = 'person000003\@example.com'"), 0, 'a confirmed removal hides the entry');
	sql(add('person000003@example.com'));
	sql("CALL dnc_fdw_deliver('s')") if $mode eq 'queue';
	is(sql("SELECT count(*) FROM s.list_known WHERE identifier = 'person000003\@example.com'"), 1, 'who is added again is known again');
	full();
	is(sql("SELECT count(*), count(*) FILTER (WHERE identifier = 'person000003\@example.com') FROM s.list_known"), '31|1', 'after the next pass, too');
	sql(remove('person000005@example.com'));
	sql("CALL dnc_fdw_deliver('s')") if $mode eq 'queue';
	full();
	is(sql("SELECT count(*) FROM s.list_known"), 30, 'who was removed is gone with the next pass');
	is(sql("SELECT missed, gone_at IS NULL FROM s.list_mirror WHERE identifier = 'person000005\@example.com'"), '0|f', 'proven by us and by the pass');
}
# An acknowledged addition that the vendor never shows.
begin('alta', 30);
full();
control('POST', '/fault?kind=body&method=POST', '{"success":true}');
sql(add('never@example.com'));
full() for 1 .. 3;
is(sql("SELECT dnc_fdw_screen('s.list', 'never\@example.com', 'email')"), 'listed', 'an addition that the vendor never shows stays known');
is(mirror('unshown'), 1, 'and is reported');
# Another role sees the same through the view alone.
sql('CREATE ROLE reader LOGIN; GRANT USAGE ON SCHEMA s TO reader; GRANT SELECT ON s.list_known TO reader');
is($node->safe_psql('postgres', 'SELECT count(*) FROM s.list_known', connstr => $node->connstr('postgres') . ' user=reader'), 31, 'own writes do not depend on who reads');
like(gives("SET ROLE reader;\nSELECT * FROM dnc_fdw_mirror_added('s.list')"), qr/never/, 'to whom the view is granted');
sql('REVOKE SELECT ON s.list_known FROM reader');
like(gives("SET ROLE reader;\nSELECT * FROM dnc_fdw_mirror_added('s.list')"), qr/42501/, 'and to nobody else');
sql('REVOKE ALL ON SCHEMA s FROM reader');

# During a pass: an opt-out that is delivered, and one who was removed by us and opts out again.
for my $name (qw(alta sendkit))
{
	begin($name, 100);
	full();
	control('PUT', '/config?latency_ms=100');
	my ($first, $last) = (sort(listed()))[ 0, 99 ];
	my $run = start();
	wait_for('pages', sub { pages() > 1 && backend() ne '' });
	sql(add('during@example.com'));
	sql(remove($last));
	is(sql("SELECT count(*) FROM s.list_known WHERE identifier = '$last'"), 0, "$name: removed during a pass");
	control('PUT', '/config?latency_ms=5');
	put_again($last);
	$run->finish;
	is(certificate('state'), 'done', 'the pass ends');
	is(sql("SELECT count(*) FROM s.list_known WHERE identifier = 'during\@example.com'"), 1, 'an opt-out that was delivered during the pass');
	# The first entry may have been read while the removal was under way: then it goes once it is missed twice.
	full() for 1 .. 2;
	is(sql("SELECT string_agg(identifier, ' ' ORDER BY identifier COLLATE \"C\") FROM s.list_known WHERE identifier IN ('during\@example.com', '$last')"), "during\@example.com $last", 'and who was removed by us and opts out again');
}

# ----- restarts -----

begin('alta', 100);
refresh('max_requests => 4');
sql("ALTER SERVER s OPTIONS (SET page_size '20')");
like(refresh(), qr/NOTICE:  00000: the pass over "list" begins anew\nDETAIL:  The server's options, or the version of the keys, have changed/, 'another page size');
is(certificate('state, restarts, rows'), 'done|1|100', 'counted');
control('PUT', '/config?cursor_use=once');
refresh('max_requests => 4');
like(refresh(), qr/begins anew\nDETAIL:  The server refuses to give the last page/, 'a cursor that the vendor no longer takes');
is(certificate('state, rows'), 'done|100', 'is no loss');
control('PUT', '/config?cursor_use=any');
refresh('max_requests => 4');
sql("UPDATE dnc_fdw_pass_log SET began_at = began_at - interval '25 hours' WHERE state = 'running'");
like(refresh(), qr/begins anew\nDETAIL:  It is older than a day/, 'an old pass');

# ----- keys -----

begin('alta', 1);
put_again('030 123456', 'phone');
put_again('+15550000003', 'phone');
full();
is(certificate('wide_keys'), 1, 'a number in national form has a wide key');
sql("ALTER SERVER s OPTIONS (ADD default_country 'DE')");
like(gives('SELECT 1 FROM s.list_known'), qr/ERROR:  55000: the mirror of "list" has keys of another country/, 'another default_country');
full();
is(sql("SELECT match_key FROM s.list_known WHERE identifier LIKE '030%'"), 'tel:+4930123456', 'the next pass makes keys anew');
sql("UPDATE dnc_fdw_mirror_lists SET key_version = 'old'; UPDATE s.list_mirror SET match_key = 'old'; INSERT INTO s.list_mirror (identifier, identifier_type, match_key, first_seen, missed, gone_at, identity) VALUES ('Old\@Example.com', 'email', 'old', now() - interval '2 days', 2, now() - interval '1 day', 'old')");
like(gives('SELECT 1 FROM s.list_known'), qr/ERROR:  55000: the mirror of "list" has keys of another version/, 'another version of the rules');
full();
is(sql("SELECT string_agg(match_key, ' ' ORDER BY match_key) FROM s.list_mirror"), 'email:old@example.com email:person000001@example.com tel:+15550000003 tel:+4930123456', 'of what is gone, too');

# ----- delta -----

begin('alta', 200);
control('PUT', '/config?order=newest');
control('DELETE', '');
control('PUT', '/config?order=newest');
control('POST', '/fill?count=200&types=email');
like(refresh("mode => 'delta'"), qr/ERROR:  55000: the mirror of "list" cannot be refreshed with mode 'delta'\nDETAIL:  There was no full pass yet/, 'no delta before a full pass');
full();
is(certificate('order_seen'), 'newest first', 'the order is seen');
control('POST', '/fill?count=15&types=email');
requests();
is(refresh("mode => 'delta'"), '', 'a delta');
is(certificate('mode, state, added'), 'delta|done|15', 'adds what is new');
cmp_ok(requests(), '<=', 6, 'with few requests');
is(known(), join(' ', sort(listed())), 'all are known');
is(mirror('added_as_of > complete_as_of'), 't', 'one clock moves');
remove_at_vendor((listed())[ 0, 100 ]);
refresh("mode => 'delta'");
is(scalar(split(/ /, known())), 215, 'a delta lets nobody go');
control('PUT', '/config?order=oldest');
control('PUT', '/entries', '[]');
begin('alta', 200);
full();
like(refresh("mode => 'delta'"), qr/has not seen the list in the order/, 'behind cursors, none from the end');
# Numbered pages with the newest last.
begin('weya', 200);
full();
is(certificate('order_seen'), 'newest last', 'weya');
control('POST', '/fill?count=15');
requests();
is(refresh("mode => 'delta'"), '', 'a delta from the last page');
is(certificate('mode, state, added'), 'delta|done|15', 'adds what is new');
cmp_ok(requests(), '<=', 6, 'with few requests');
is(known(), join(' ', sort(listed())), 'all are known');

# The last page of the last full pass comes first: it tells how many there are now.
begin('weya', 200);
sql("ALTER SERVER s OPTIONS (SET page_size '20')");
full();
sub delta_takes
{
	my ($requests, $added, $what) = @_;

	requests();
	is(refresh("mode => 'delta'"), '', "a delta: $what");
	is(certificate('state, added'), "done|$added", 'adds what is new');
	is(requests(), $requests, "with $requests requests");
	my %known = map { $_ => 1 } split / /, known();
	is(join(' ', grep { !$known{$_} } listed()), '', 'all are known');
	return;
}
delta_takes(2, 0, 'nothing is new');
control('POST', '/fill?count=15');
delta_takes(3, 15, 'another last page');
control('POST', '/fill?count=30');
delta_takes(5, 30, 'three of them');
full();
remove_at_vendor((listed())[ 0 .. 59 ]);
delta_takes(4, 0, 'the list has got shorter');

# ----- many writes of our own -----

# A look-up reads each of them once, though no statistics say how many there are.
begin('alta', 20);
full();
sql(q{INSERT INTO s.list (identifier, identifier_type) SELECT 'own' || n || '@example.com', 'email' FROM generate_series(1, 500) n});
my $rows_read = q{SELECT pg_stat_force_next_flush(); SELECT coalesce(sum(idx_tup_read), 0) FROM pg_stat_all_indexes WHERE relname = 'dnc_fdw_queue_finished'};
my $earlier = (split /\n/, sql($rows_read))[-1];
like(sql(q{SELECT dnc_fdw_screen('s.list', 'own77@example.com', 'email'); SELECT pg_stat_force_next_flush()}), qr/^listed$/m, 'one of many additions of ours is known');
cmp_ok((split /\n/, sql($rows_read))[-1] - $earlier, '<', 10_000, 'and found without reading all of them for each');

# ----- a database that was restored -----

# Passes from before name OIDs that mean nothing, or other relations and roles.
sql('GRANT USAGE ON SCHEMA s TO reader; GRANT SELECT ON s.list_known TO reader; UPDATE dnc_fdw_pass_log SET source = 1, owner = 1');
cmp_ok(sql(q{SET ROLE reader; SELECT count(*) FROM dnc_fdw_passes WHERE source = 's.list'}), '>', 0, 'who may read the list sees certificates from before a restore');
is(sql(q{REVOKE SELECT ON s.list_known FROM reader; SET ROLE reader; SELECT count(*) FROM dnc_fdw_passes}), 0, 'and nobody else does');

# ----- bad input -----

begin('alta', 20);
full();
for my $bad (
	[ "SELECT dnc_fdw_mirror_create('pg_class')", '42809', 'no table of ours' ],
	[ "SELECT dnc_fdw_mirror_create('s.list')", '42710', 'a second mirror' ],
	[ "SELECT dnc_fdw_mirror_create('s.list', max_age => '-1 day')", '22023', 'max_age' ],
	[ "SELECT dnc_fdw_mirror_create('s.list', gone_after => -1)", '22023', 'gone_after' ],
	[ "SELECT dnc_fdw_mirror_create('s.list', max_loss => 'NaN')", '22023', 'max_loss' ],
	[ "CREATE TABLE s.other_known (); CREATE FOREIGN TABLE s.other ($columns) SERVER s;\nSELECT dnc_fdw_mirror_create('s.other')", '42P07', 'a table of that name' ],
	[ "SELECT dnc_fdw_mirror_drop('s.other')", '42704', 'no mirror to drop' ],
	[ "CALL dnc_fdw_mirror_refresh('s.other')", '42704', 'no mirror to refresh' ],
	[ "CALL dnc_fdw_mirror_refresh('s.list', mode => 'fast')", '22023', 'a mode' ],
	[ "CALL dnc_fdw_mirror_refresh('s.list', max_requests => 0)", '22023', 'max_requests' ],
	[ "CALL dnc_fdw_mirror_refresh(NULL)", '22004', 'NULL' ],
	[ "SET ROLE reader;\nCALL dnc_fdw_mirror_refresh('s.list')", '42501', 'another role' ],
	[ "ALTER TABLE s.list_mirror DROP COLUMN label;\nCALL dnc_fdw_mirror_refresh('s.list')", '2BP01|55000', 'a column that the view needs' ],
	[ "ALTER FOREIGN TABLE s.list ADD COLUMN updated_at timestamptz;\nCALL dnc_fdw_mirror_refresh('s.list')", '55000', 'another column' ])
{
	my ($statements, $sqlstate, $what) = @$bad;
	like(gives($statements), qr/ERROR:  (?:$sqlstate): /, "bad input: $what");
}
sql('ALTER FOREIGN TABLE s.list DROP COLUMN updated_at; CREATE INDEX here ON s.list_staging (identity)');
like(refresh(), qr/55000: the mirror of "list" does not fit its list\nDETAIL:  The staging table/, 'an index on the staging table');
sql('DROP INDEX s.here; ALTER FOREIGN TABLE s.list RENAME TO renamed');
is(gives("CALL dnc_fdw_mirror_refresh('s.renamed')"), '', 'a list that was renamed');
is(sql('SELECT count(*) FROM s.list_known'), 20, 'is read under the old name of the view');
sql('ALTER FOREIGN TABLE s.renamed RENAME TO list');
# A role without a token.
sql('ALTER FOREIGN TABLE s.list OWNER TO reader; ALTER TABLE s.list_mirror OWNER TO reader; ALTER TABLE s.list_staging OWNER TO reader; ALTER VIEW s.list_known OWNER TO reader; GRANT USAGE ON SCHEMA s TO reader; GRANT USAGE ON FOREIGN SERVER s TO reader');
like(gives("SET ROLE reader;\nCALL dnc_fdw_mirror_refresh('s.list')"), qr/ERROR:  \w{5}: user mapping not found|ERROR:  28/, 'a role without a token');
is(refresh(), '', 'a superuser refreshes for it');
sql('ALTER FOREIGN TABLE s.list OWNER TO CURRENT_USER; ALTER TABLE s.list_mirror OWNER TO CURRENT_USER; ALTER TABLE s.list_staging OWNER TO CURRENT_USER; ALTER VIEW s.list_known OWNER TO CURRENT_USER; REVOKE ALL ON FOREIGN SERVER s FROM reader');
# The remote fails.
control('POST', '/fault?kind=status&arg=401&times=0');
like(refresh(), qr/ERROR:  28000/, 'a token that the vendor refuses');
isnt(mirror('message'), '', 'dnc_fdw_mirrors has the message');
control('DELETE', '/fault');
is(refresh(), '', 'the pass goes on');
is(mirror('message'), '', 'and the message is gone');
# Another session.
control('PUT', '/config?latency_ms=300');
my $run = start();
wait_for('another session', sub { backend() ne '' && certificate('state') eq 'running' });
like(refresh(), qr/ERROR:  55006: another session is refreshing/, 'one session at a time');
my $waiting = q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'refresh' AND wait_event_type = 'Extension' AND backend_xmin IS };
wait_for('a wait without a snapshot', sub { sql("$waiting NULL") == 1 });
is(sql("$waiting NOT NULL"), 0, 'no snapshot is held while we wait for the vendor') for 1 .. 3;
$run->finish;
# Age.
sql("UPDATE dnc_fdw_mirror_lists SET complete_as_of = complete_as_of - interval '27 hours'");
like(gives('SELECT count(*) FROM s.list_known'), qr/ERROR:  55000: the mirror of "list" is too old/, 'a mirror that is too old refuses to be read');
is(mirror('refused'), 't', 'as the view of mirrors says');
# The source is dropped.
my $oid = sql("SELECT 's.list'::regclass::oid");
sql('DROP FOREIGN TABLE s.list CASCADE');
like(gives("SELECT dnc_fdw_mirror_drop($oid)"), qr/^$/, 'the mirror of a list that was dropped can be dropped');
is(sql('SELECT count(*) FROM dnc_fdw_mirrors'), 0, 'and is gone');
cmp_ok(sql("SELECT count(*) FROM dnc_fdw_passes WHERE source = 's.list'"), '>', 4, 'the certificates stay');

$dnc->stop;
done_testing();
