# What a mirror must not take for its own: removals from another list of the same account,
# removals that have found nothing, and other spellings; and what makes somebody free who is
# listed if it is believed: passes of two readers, cut pages, clocks, and tables that were changed.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $dnc = DncTest->new;
my $node = $dnc->node;

sub value { return $node->safe_psql('postgres', $_[0]) }
sub gives { return $dnc->gives($_[0]) }
sub refresh { my ($list, $more) = @_; return gives("CALL dnc_fdw_mirror_refresh('$list'" . ($more ? ", $more" : '') . ')') }
sub screen { my ($list, $who, $type) = @_; return value("SELECT dnc_fdw_screen('$list', '$who', '$type')") }

# ----- an account with a token for each of two lists -----

$dnc->make_server('a', 25, q{account 'both'});
$dnc->control('DELETE', 'alta/b');
$dnc->control('POST', 'alta/b/fill?count=25');
my $list = 'a.communication_opt_outs';
my $who = 'person000001@example.com';
value(qq{
	CREATE ROLE bob LOGIN; CREATE ROLE carl LOGIN;
	GRANT USAGE ON SCHEMA a TO bob, carl; GRANT USAGE ON FOREIGN SERVER a TO bob, carl;
	GRANT SELECT, INSERT, DELETE ON $list TO bob, carl;
	CREATE USER MAPPING FOR bob SERVER a OPTIONS (token 'sandbox-b');
	CREATE USER MAPPING FOR carl SERVER a OPTIONS (token 'sandbox-a');
	SELECT dnc_fdw_mirror_create('$list')});
is(refresh($list), '', 'a mirror of the one list');
value("SET ROLE bob; DELETE FROM $list WHERE identifier = '$who'");
unlike($dnc->control('GET', 'alta/b/entries'), qr/\Q$who/, 'a removal from the other list');
is(screen($list, $who, 'email'), 'listed', 'hides nobody here');
value("INSERT INTO $list (identifier, identifier_type) VALUES ('new\@x.org', 'email')");
value("SET ROLE bob; INSERT INTO $list (identifier, identifier_type) VALUES ('new\@x.org', 'email')");
value("SET ROLE bob; DELETE FROM $list WHERE identifier = 'new\@x.org'");
is(screen($list, 'new@x.org', 'email'), 'listed', 'nor takes back what we have added to this one');
value("SET ROLE carl; DELETE FROM $list WHERE identifier = 'person000007\@example.com'");
is(screen($list, 'person000007@example.com', 'email'), 'free', 'a removal by another role with the same token counts');

value(qq{ALTER ROLE bob SUPERUSER});
like(gives("SET ROLE bob; CALL dnc_fdw_mirror_refresh('$list')"), qr/^ERROR:  55000: the mirror of "communication_opt_outs" was read with the token of another role\nDETAIL:  .*"bob".*"postgres"/,
	'another token does not refresh it');
like(gives("SET ROLE carl; CALL dnc_fdw_mirror_refresh('$list')"), qr/^ERROR:  42501/, 'nor does who is no owner');
is(refresh($list), '', 'the same token does');
is(screen($list, $who, 'email') . screen($list, 'new@x.org', 'email'), 'listedlisted', 'and all is as it was');
is(gives("SET ROLE bob; CALL dnc_fdw_mirror_refresh('$list', accept_loss => true)"), '', 'unless a loss is accepted');
is(value(q{SELECT read_by FROM dnc_fdw_mirror_lists}), 'bob', 'from then on that token counts');

# ----- a removal that has found nothing -----

my $base = $dnc->url . '/weya';
$dnc->control('DELETE', 'weya/w');
value(qq{
	CREATE SERVER w FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'weya', base_url '$base', requests_per_minute '0', max_retries '0');
	CREATE USER MAPPING FOR CURRENT_USER SERVER w OPTIONS (token 'sandbox-w');
	CREATE FOREIGN TABLE numbers (id text, identifier text, identifier_type text, reason text, batch_id text, request_uuid text) SERVER w;
	INSERT INTO numbers (identifier, batch_id, request_uuid) VALUES ('15550000001', 'b', 'u'), ('15550000002', 'b', 'u')});
value("SELECT dnc_fdw_mirror_create('numbers', max_loss => 1)");
is(refresh('numbers'), '', 'a mirror of numbers');
my $one = $node->background_psql('postgres');
$one->query_safe("BEGIN; DELETE FROM numbers WHERE identifier = '15550000001'");
value("DELETE FROM numbers WHERE identifier = '15550000001'");
value("INSERT INTO numbers (identifier, batch_id, request_uuid) VALUES ('15550000001', 'b', 'u2')");
$one->query_safe('COMMIT');
$one->quit;
like($dnc->control('GET', 'weya/w/entries'), qr/15550000001/, 'the number that was added again is listed');
is(screen('numbers', '+15550000001', 'phone'), 'listed', 'and known');

# ----- other spellings -----

$dnc->make_server('s', 0);
$list = 's.communication_opt_outs';
value("INSERT INTO $list (identifier, identifier_type) VALUES ('+1 212 555 0007', 'phone'), ('+12125550008', 'phone')");
value("SELECT dnc_fdw_mirror_create('$list', max_loss => 1)");
is(refresh($list), '', 'a mirror of spellings');
$dnc->control('POST', 'alta/s/fault?kind=body&method=POST');
value("INSERT INTO $list (identifier, identifier_type) VALUES ('+12125550007', 'phone')");
is(refresh($list), '', 'the vendor does not show what it has acknowledged');
value("DELETE FROM $list WHERE identifier = '+1 212 555 0007'");
is(refresh($list), '', 'and the other spelling goes');
is(screen($list, '+12125550007', 'phone'), 'listed', 'the acknowledged one stays known');

# ----- a column that does not tell case apart -----

$dnc->make_server('c', 0);
value(q{
	CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
	CREATE FOREIGN TABLE folded (identifier text COLLATE ci, identifier_type text) SERVER c;
	INSERT INTO c.communication_opt_outs (identifier, identifier_type) VALUES ('Ann@x.example', 'email'), ('ann@x.example', 'email')});
value("SELECT dnc_fdw_mirror_create('folded', max_loss => 1)");
is(refresh('folded'), '', 'a mirror with a collation');
value(q{DELETE FROM c.communication_opt_outs WHERE identifier = 'Ann@x.example'});
like($dnc->control('GET', 'alta/c/entries'), qr/ann\@x\.example/, 'one of two entries is left');
is(screen('folded', 'ann@x.example', 'email'), 'listed', 'and known');

# ----- a pass that was left by a reader with the token of another list -----

$dnc->make_server('r', 25, q{page_size '10'});
$dnc->control('DELETE', 'alta/r2');
$dnc->control('POST', 'alta/r2/fill?count=25');
$list = 'r.communication_opt_outs';
value(qq{
	GRANT USAGE ON SCHEMA r TO bob; GRANT USAGE ON FOREIGN SERVER r TO bob;
	CREATE USER MAPPING FOR bob SERVER r OPTIONS (token 'sandbox-r2');
	SELECT dnc_fdw_mirror_create('$list')});
value("SET ROLE bob; INSERT INTO $list (identifier, identifier_type) VALUES ('only\@x.org', 'email')");
$one = $node->background_psql('postgres');
$one->query_safe("BEGIN; LOCK TABLE ${list}_mirror IN SHARE ROW EXCLUSIVE MODE");
like(gives("SET lock_timeout = '1s'; CALL dnc_fdw_mirror_refresh('$list')"), qr/55P03/, 'a pass that has read one list is not merged');
$one->query_safe('COMMIT');
$one->quit;
like(gives("SET ROLE bob; CALL dnc_fdw_mirror_refresh('$list')"), qr/NOTICE:  00000: the pass .* begins anew\nDETAIL:  .*the token/, 'a role with the token of another list begins it anew');
is(value("SELECT count(*) FROM ${list}_known WHERE identifier = 'only\@x.org' AND last_seen IS NOT NULL"), 1, 'and reads all of that one');

# ----- a delta that has seen somebody since a pass passed over him -----

$dnc->control('DELETE', 'sendkit/k');
$dnc->control('PUT', 'sendkit/k/config?order=newest&cursors=page');
$dnc->control('POST', 'sendkit/k/fill?count=40&types=email');
$base = $dnc->url . '/sendkit';
value(qq{
	CREATE SERVER k FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'sendkit', base_url '$base', page_size '10', requests_per_minute '0', max_retries '0');
	CREATE USER MAPPING FOR CURRENT_USER SERVER k OPTIONS (token 'sk_k');
	CREATE FOREIGN TABLE k (identifier text, identifier_type text) SERVER k;
	SELECT dnc_fdw_mirror_create('k', gone_after => 1, max_loss => 1)});
is(refresh('k'), '', 'a mirror without look-ups');
$dnc->control('PUT', 'sendkit/k/config?drift_remove=1');
refresh('k', 'max_requests => 2');
$dnc->control('PUT', 'sendkit/k/config?drift_remove=0');
is(refresh('k', "mode => 'delta'"), '', 'a delta while a pass is left');
is(refresh('k'), '', 'that goes on');
like($dnc->control('GET', 'sendkit/k/entries'), qr/person000030/, 'one whom it has passed over is listed');
is(screen('k', 'person000030@example.com', 'email'), 'listed', 'and known, since the delta has seen him');

# ----- a delta and a page that is not as it says -----

$dnc->control('DELETE', 'weya/d');
$dnc->control('POST', 'weya/d/fill?count=35');
$base = $dnc->url . '/weya';
value(qq{
	CREATE SERVER d FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'weya', base_url '$base', page_size '10', requests_per_minute '0', max_retries '0');
	CREATE USER MAPPING FOR CURRENT_USER SERVER d OPTIONS (token 'sandbox-d');
	CREATE FOREIGN TABLE d (identifier text, identifier_type text) SERVER d;
	SELECT dnc_fdw_mirror_create('d')});
is(refresh('d'), '', 'a mirror of numbered pages');
$dnc->control('POST', 'weya/d/fill?count=12');
$dnc->control('POST', 'weya/d/fault?kind=empty_page&at=2');
like(refresh('d', "mode => 'delta'"), qr/08P01/, 'a last page without entries is no end of a delta');
is(refresh('d', "mode => 'delta'") . value('SELECT count(*) FROM d_known'), 47, 'the next one reads it');

# ----- a clock that was set back -----

$dnc->make_server('t', 25);
$dnc->make_server('others', 0);
value(q{ALTER USER MAPPING FOR CURRENT_USER SERVER others OPTIONS (SET token 'sandbox-t')});
$list = 't.communication_opt_outs';
value("SELECT dnc_fdw_mirror_create('$list', gone_after => 1)");
is(refresh($list), '', 'a mirror');
value("UPDATE dnc_fdw_mirror_lists SET complete_as_of = complete_as_of + interval '1 hour' WHERE source = '$list'::regclass");
like(gives("SELECT count(*) FROM ${list}_known"), qr/^ERROR:  55000: the mirror of "communication_opt_outs" is of the future\nDETAIL:  Its last complete pass began at /, 'a pass of the future is not believed');
value("DELETE FROM others.communication_opt_outs WHERE identifier = '$who'");
is(refresh($list) . screen($list, $who, 'email'), 'free', 'the next one mends that');
value("INSERT INTO $list (identifier, identifier_type) VALUES ('$who', 'email'), ('late\@x.org', 'email')");
is(screen($list, 'late@x.org', 'email'), 'listed', 'an addition after it is known at once');
is(screen($list, $who, 'email'), 'listed', 'as is that of somebody who was seen in the future, and is gone');

# ----- a removal by a server of the account at another address, which may be another list -----

$dnc->make_server('here', 25, q{account 'moved'});
my $elsewhere = $dnc->url =~ s/127\.0\.0\.1/localhost/r;
value(qq{
	CREATE SERVER there FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url '$elsewhere/alta/v1', account 'moved', requests_per_minute '0');
	CREATE USER MAPPING FOR CURRENT_USER SERVER there OPTIONS (token 'sandbox-here');
	CREATE FOREIGN TABLE of_there (identifier text, identifier_type text) SERVER there;
	SELECT dnc_fdw_mirror_create('here.communication_opt_outs')});
is(refresh('here.communication_opt_outs'), '', 'a mirror of an account with two addresses');
value("DELETE FROM of_there WHERE identifier = 'person000001\@example.com'; DELETE FROM here.communication_opt_outs WHERE identifier = 'person000007\@example.com'");
is(screen('here.communication_opt_outs', 'person000001@example.com', 'email'), 'listed', 'a removal at the other one hides nobody');
is(screen('here.communication_opt_outs', 'person000007@example.com', 'email'), 'free', 'and one at its own does');

# ----- a table that does not have what the last pass has left -----

value("GRANT USAGE ON SCHEMA t TO carl; GRANT SELECT ON ${list}_mirror, ${list}_known TO carl; ALTER TABLE ${list}_mirror ENABLE ROW LEVEL SECURITY");
is(gives("SET ROLE carl; SELECT dnc_fdw_screen('$list', '$who', 'email')"), 'listed', 'policies that the view does not obey');
value("ALTER VIEW ${list}_known SET (security_invoker)");
like(gives("SET ROLE carl; SELECT dnc_fdw_screen('$list', '$who', 'email')"), qr/55000: the mirror of "communication_opt_outs" has policies\nDETAIL:  .*\nHINT:  Disable row-level security/, 'policies that it does');
value("ALTER TABLE ${list}_mirror DISABLE ROW LEVEL SECURITY; TRUNCATE ${list}_mirror");
like(gives("SELECT dnc_fdw_screen('$list', '$who', 'email')"), qr/55000: the mirror of "communication_opt_outs" has lost its entries/, 'a table that was emptied');
is(value("SELECT refused FROM dnc_fdw_mirrors WHERE source = '$list'::regclass"), 't', 'which dnc_fdw_mirrors knows');
is(refresh($list) . screen($list, $who, 'email'), 'listed', 'a pass fills it again');

# ----- removals that the vendor does not say that it has made -----

# A list of sendkit's with a mirror, and a table of it that bears its name.
sub make_sendkit
{
	my ($name, $count, $config) = @_;

	$dnc->control('DELETE', "sendkit/$name");
	$dnc->control('PUT', "sendkit/$name/config?$config") if $config;
	$dnc->control('POST', "sendkit/$name/fill?count=$count&types=email");
	value(qq{
		CREATE SERVER $name FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'sendkit', base_url '@{[ $dnc->url ]}/sendkit', page_size '10', requests_per_minute '0', max_retries '0', write_mode 'commit');
		CREATE USER MAPPING FOR CURRENT_USER SERVER $name OPTIONS (token 'sk_$name');
		CREATE FOREIGN TABLE $name (identifier text, identifier_type text) SERVER $name;
		SELECT dnc_fdw_mirror_create('$name', gone_after => 2, max_loss => 1)});
	is(refresh($name), '', "$name: a mirror");
	return;
}

sub persons { return map { sprintf 'person%06d@example.com', $_ } @_ }
sub screens { my ($name, @who) = @_; return join ' ', map { screen($name, $_, 'email') } @who }

make_sendkit('n', 40);
my $next = 1;
for my $mode (qw(commit immediate queue))
{
	my @who = persons($next .. $next + 3);
	my $deliver = $mode eq 'queue' ? "; CALL dnc_fdw_deliver('n')" : '';
	my $answers = sub { $dnc->control('POST', 'sendkit/n/fault?kind=body&method=DELETE', qq({"success":true,"data":{"deleted":$_[0]}})); return };
	my $removes = sub { gives(qq{DELETE FROM n WHERE identifier IN (} . join(', ', map { "'$_'" } @_) . qq{)}); gives($deliver =~ s/^; //r) if $deliver; return };

	$next += 4;
	value("ALTER SERVER n OPTIONS (SET write_mode '$mode')");
	$answers->(0);
	$removes->($who[0]);
	is(screens('n', $who[0]), 'listed', "$mode: a removal of none hides nobody");
	$answers->(1);
	$removes->(@who[ 1, 2 ]);
	is(screens('n', @who[ 1, 2 ]), 'listed listed', 'nor does a removal of one where we have named two');
	$removes->($who[3]);
	is(screens('n', $who[3]), 'free', 'one that is made does');
	value("INSERT INTO n (identifier, identifier_type) VALUES ('$mode\@x.org', 'email')");
	gives(q{CALL dnc_fdw_deliver('n')}) if $deliver;
	$answers->(0);
	gives("DELETE FROM n WHERE identifier = '$mode\@x.org' AND identifier_type = 'email'");
	gives(q{CALL dnc_fdw_deliver('n')}) if $deliver;
	is(screens('n', "$mode\@x.org"), 'listed', 'nor does one of none take back an addition');
	is(value(q{SELECT count(*) FROM dnc_fdw_queue WHERE state NOT IN ('done', 'superseded')}), 0, 'all is over');
}
value(q{ALTER SERVER n OPTIONS (SET write_mode 'commit')});
my @gone = persons(1);
value("DELETE FROM n WHERE identifier = '$gone[0]'");
is(refresh('n') . refresh('n') . screens('n', @gone), 'free', 'when it is made, the person is free');

# ----- a mirror that was emptied, or may be of another list, is filled by two readings -----

for my $case ('TRUNCATE %s_mirror', "UPDATE %s_mirror SET identifier = 'x' || identifier, match_key = 'email:x' || identifier, identity = identity || 'x'")
{
	my $name = $case =~ /TRUNCATE/ ? 'emptied' : 'exchanged';
	my $accept = $name eq 'emptied' ? '' : ', accept_loss => true';

	make_sendkit($name, 40, 'order=newest&cursors=page');
	value(sprintf $case, $name);
	$dnc->control('PUT', "sendkit/$name/config?drift_remove=1");
	refresh($name, "max_requests => 2$accept");
	$dnc->control('PUT', "sendkit/$name/config?drift_remove=0");
	is(refresh($name, "max_requests => NULL$accept"), '', "$name: a pass in a list that moves");
	like($dnc->control('GET', "sendkit/$name/entries"), qr/person000030/, 'one whom the first reading has passed over is listed');
	is(screens($name, persons(30)), 'listed', 'and known');
}

# ----- rows that somebody takes out of the staging table -----

make_sendkit('staged', 45);
value(q{SELECT dnc_fdw_mirror_drop('staged'); SELECT dnc_fdw_mirror_create('staged')});
refresh('staged', 'max_requests => 4');
value('DELETE FROM staged_staging WHERE ctid IN (SELECT ctid FROM staged_staging LIMIT 1)');
like(refresh('staged', 'accept_loss => true'), qr/^ERROR:  55000: the pass over "staged" failed\nDETAIL:  The staging table .*staged_staging has \d+ rows, and the pass has stored \d+\.\nHINT:  The mirror stays as it was\. CALL/, 'a pass that has lost a row is not merged');
like(gives('SELECT count(*) FROM staged_known'), qr/^ERROR:  55000: .* is not filled yet/, 'nor does its mirror count');
is(refresh('staged') . value('SELECT count(*) FROM staged_known'), 45, 'the next pass begins anew');
value('ALTER TABLE staged_staging SET UNLOGGED');
like(refresh('staged'), qr/^ERROR:  55000: .*\nDETAIL:  The staging table is no plain, logged table/, 'a staging table that a crash would empty');
value('ALTER TABLE staged_staging SET LOGGED');
is(refresh('staged'), '', 'a logged one is fine');

$dnc->stop;
done_testing();
