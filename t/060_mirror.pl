# What docs/mirror.md promises: a reader sees a whole list or the one before, an addition
# counts at once, a removal only when it is proven, and no pass that breaks begins anew.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncMirror;
use DncVendors;
use IPC::Run;
use Test::More;

set_up();

# ----- a mirror is not filled, then it is -----

for my $list (grep { $_->{config} eq '' } DncVendors::lists('m'))
{
	my ($name, $type) = @$list{qw(vendor type)};
	my $numbered = $list->{paging} eq 'numbers';

	begin($name, 95);
	like(gives('SELECT count(*) FROM s.list_known'), qr/ERROR:  55000: the mirror of "list" is not filled yet/, "$name: not to be read before the first pass");
	like(gives('SELECT * FROM s.list_known WHERE false AND identifier IS NULL'), qr/^$|55000/, 'nor otherwise');
	requests();
	full();
	is(known(), join(' ', sort(listed())), 'the whole list is known');
	is(certificate('mode, state, rows, added, missing, gone, sha256 ~ \'^[0-9a-f]{64}$\', pages'),
		'full|done|95|95|0|0|t|' . ($numbered ? pages() : 20), 'its certificate');
	cmp_ok(requests(), $numbered ? '<' : '==', 20, $numbered ? 'numbered pages are read once' : 'the first fill behind cursors reads the list twice');
	my $sha = certificate('sha256');
	full();
	is(certificate('added, changed, missing, gone'), '0|0|0|0', 'another pass changes nothing');
	is(certificate('sha256'), $sha, 'and certifies the same');
	is(sql(q{SELECT encode(sha256(string_agg(convert_to(identity, 'UTF8') || '\x00', '' ORDER BY identity COLLATE "C")), 'hex') FROM s.list_mirror}), $sha,
		'anybody can compute it again');
	is(sql('SELECT count(*) FROM s.list_staging'), 0, 'nothing is left in the staging table');
	my ($one) = sort(listed());
	is(sql("SELECT dnc_fdw_screen('s.list', '$one', '$type'), dnc_fdw_screen('s.list', '" . ($type eq 'phone' ? '+15559999999' : 'free@example.com') . "', '$type'),
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
my $resumes = 0;
for my $what ('KILL', 'STOP')
{
	my $run = start();
	wait_for('a page', sub { pages() > 5 && certificate('resumes') >= $resumes && backend() ne '' });
	$resumes++;
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
	control('PUT', '/config?latency_ms=300');
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
like(refresh(), qr/NOTICE:  00000: the pass over "list" begins anew\nDETAIL:  The server's options, the token, or the version of the keys, have changed/, 'another page size');
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

$dnc->stop;
done_testing();
