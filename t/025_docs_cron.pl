# The recipes of examples/, as they stand there, run by the real pg_cron: in
# background workers, and in sessions that it connects to itself.
#
# pg_cron begins jobs at full minutes, so the test waits for two of them.  The
# jobs are given the schedule "each minute" and taken from it when they have begun.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use IPC::Run;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $library = qx(pg_config --pkglibdir);
chomp $library;
unless (glob "$library/pg_cron.*")
{
	# Not skip_all: what does not run at all has failed for scripts/test.
	SKIP: { skip 'pg_cron is not installed', 1 }
	done_testing();
	exit;
}

my $dnc = DncTest->sandbox;
my $examples = "$FindBin::RealBin/../examples";
my $json = JSON::PP->new->utf8->canonical;

# The settings, and after them the recipes, in the order in which README has them.
my ($settings, $command) = PostgreSQL::Test::Utils::slurp_file("$examples/README.md")
  =~ /^```\n(shared_preload_libraries = .*?)^```\n.*^```\n(psql -d crm -v ON_ERROR_STOP=1 .*?)^```\n.*^```sql\n/ms;
my @recipes = $command =~ /-f (\w+\.sql)/g;
is($recipes[0], 'setup.sql', 'README begins with setup.sql');
is($settings =~ s/^cron\.database_name = 'crm'.*\n//m, 1, 'README names the database of the jobs');

# ---- two clusters, whose names are those of their accounts too

sub make_site
{
	my ($name, $conf) = @_;
	my $node = DncTest->cluster($name);

	$node->append_conf('postgresql.conf', "fsync = off\ntimezone = 'UTC'\n$conf");
	$node->append_conf('postgresql.conf', "cron.host = '" . $node->host . "'\n");
	$node->start;
	for my $recipe (@recipes)
	{
		run_sql($node, PostgreSQL::Test::Utils::slurp_file("$examples/$recipe"), "$name: $recipe");
	}
	# As it says itself.
	my $push = PostgreSQL::Test::Utils::slurp_file("$examples/push_unsubscribes.sql");
	$push =~ s/alta/sendkit/g;
	$push =~ s/Alta/SendKit/g;
	run_sql($node, $push, "$name: push_unsubscribes.sql for SendKit");
	$node->safe_psql('postgres', qq{
		ALTER USER MAPPING FOR dnc_jobs SERVER alta OPTIONS (SET token 'sandbox-$name');
		ALTER USER MAPPING FOR dnc_jobs SERVER sendkit OPTIONS (SET token 'sk_$name');
		ALTER SERVER alta OPTIONS (ADD base_url '@{[$dnc->url]}/alta/v1', ADD requests_per_minute '0', ADD max_retries '1');
		ALTER SERVER sendkit OPTIONS (ADD base_url '@{[$dnc->url]}/sendkit', ADD max_retries '1');
		SELECT cron.alter_job(jobid, schedule => '0 0 31 2 *') FROM cron.job;
	});
	$dnc->control('POST', "alta/$name/fill?count=250");
	$dnc->control('POST', "sendkit/$name/fill?count=120");
	return { name => $name, node => $node };
}

# A file as a person would run it: with psql.
sub run_sql
{
	my ($node, $sql, $name) = @_;
	my ($out, $err);

	IPC::Run::run([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres') ], '<', \$sql, '>', \$out, '2>', \$err);
	unlike($err, qr/ERROR/, $name);
	return;
}

sub query { my ($site, $sql) = @_; return $site->{node}->safe_psql('postgres', "SET ROLE dnc_jobs; $sql") }

# The error of a statement, with its SQLSTATE.
sub error
{
	my ($site, $sql) = @_;
	my ($code, $out, $err) = $site->{node}->psql('postgres', "\\set VERBOSITY verbose\nSET ROLE dnc_jobs;\n$sql");

	return $err;
}

# What somebody does in the account of a site that the site does not know of: from another one.
sub at_vendor
{
	my ($site, $other, $api, $sql) = @_;
	my $token = ($api eq 'alta' ? 'sandbox-' : 'sk_') . $site->{name};

	$other->{node}->safe_psql('postgres', "CREATE USER MAPPING FOR CURRENT_USER SERVER $api OPTIONS (token '$token')");
	$other->{node}->safe_psql('postgres', $sql);
	$other->{node}->safe_psql('postgres', "DROP USER MAPPING FOR CURRENT_USER SERVER $api");
	return;
}

# Brings a mirror up to date.
sub refresh { my ($site, $list, $how) = @_; return query($site, "CALL dnc_fdw_mirror_refresh('dnc.$list'" . ($how // '') . ')') }

sub schedule { my ($site, $name, $command) = @_; return query($site, "SELECT cron.schedule('$name', '0 0 31 2 *', \$\$$command\$\$)") }

# ---- what the vendors have, and were asked

sub entries { my ($site, $api) = @_; return @{ $json->decode($dnc->control('GET', "$api/$site->{name}/entries")) } }

sub emails
{
	my ($site, $api) = @_;
	my ($identifier, $type) = $api eq 'alta' ? ('identifier', 'identifierType') : ('email', 'entryType');

	return join ' ', sort map { $_->{$identifier} } grep { $_->{$type} eq 'email' } entries($site, $api);
}

sub ids { my ($site, $api) = @_; return join ' ', sort map { $_->{ $api eq 'alta' ? 'id' : '_id' } } entries($site, $api) }

# The emails of each addition, in the order in which they arrived, and its status.
sub additions
{
	my ($site, $api) = @_;
	my $log = $dnc->control('GET', "$api/$site->{name}/log?bodies=1");

	return map { my ($status) = /^POST \S+ (\S+)/; join(' ', sort(/"(?:identifier|email)":"([^"]+)"/g), $status) } grep { /^POST/ } split /\n/, $log;
}

sub forget_requests { my ($site) = @_; $dnc->control('DELETE', "$_/$site->{name}/log") for 'alta', 'sendkit'; return }

sub requests { my ($site) = @_; return join '', map { $dnc->control('GET', "$_/$site->{name}/log") } 'alta', 'sendkit' }

# ---- runs

# Has these jobs begin at the next full minute.
sub start_jobs
{
	my ($site, @names) = @_;
	my $names = join ', ', map { "'$_'" } @names;

	$site->{jobs} = [ sort @names ];
	$site->{first_run} = $site->{node}->safe_psql('postgres', 'SELECT coalesce(max(runid), 0) + 1 FROM cron.job_run_details');
	is($site->{node}->safe_psql('postgres', qq{
		WITH a AS MATERIALIZED (SELECT cron.alter_job(jobid, schedule => '* * * * *') FROM cron.job WHERE jobname IN ($names))
		SELECT count(*) FROM a}), scalar(@names), "$site->{name}: the jobs are there");
	return;
}

# The runs of a site, by the name of their job, once they are over.  A background
# worker says that its command is done before COMMIT is: so it has to be gone.
sub wait_for_jobs
{
	my ($site) = @_;
	my $node = $site->{node};
	my $runs = "FROM cron.job_run_details r JOIN cron.job USING (jobid) WHERE runid >= $site->{first_run}";

	$dnc->poll(sub { $node->safe_psql('postgres', "SELECT count(DISTINCT jobid) $runs") == @{ $site->{jobs} } });
	$node->safe_psql('postgres', "SELECT cron.alter_job(jobid, schedule => '0 0 31 2 *') FROM cron.job");
	$dnc->poll(sub {
		$node->safe_psql('postgres', "SELECT count(*) $runs AND r.status NOT IN ('succeeded', 'failed')") == 0
		  && $node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'pg_cron' OR application_name = 'pg_cron'}) == 0;
	});
	# And the launcher has to have read what the worker said last.
	my $rows = $json->decode($node->safe_psql('postgres', qq{
		SELECT pg_sleep(1.5);
		SELECT json_agg(json_build_array(jobname, r.status, return_message) ORDER BY runid) $runs}) =~ s/^\s*//r);
	is(join(', ', sort map { $_->[0] } @$rows), join(', ', @{ $site->{jobs} }), "$site->{name}: each job has run once");
	note "$site->{name}: $_->[0]: $_->[1]: $_->[2]" for @$rows;
	return map { $_->[0] => "$_->[1]: $_->[2]" } @$rows;
}

my $workers = make_site('workers', "${settings}max_worker_processes = 20\n");
my $sessions = make_site('sessions', "shared_preload_libraries = 'pg_cron'\n");

# ---- the first minute

# Four unsubscribe; the vendor refuses the third whenever it is among those sent.
$workers->{node}->safe_psql('postgres', q{
	INSERT INTO crm.contacts (email) VALUES ('Person000001@example.com'), ('person000002@example.com'), ('a@domain000002.example'),
	  ('one@crm.example'), ('free@crm.example');
	INSERT INTO crm.contacts (name, email, phone, sms, whatsapp, country) VALUES
	  ('listed phone', 'p1@crm.example', '(555) 000-0003', NULL, NULL, 'US'), ('listed sms', 'p2@crm.example', '001 556 000 0004', '', NULL, 'DE'),
	  ('listed WhatsApp', NULL, NULL, NULL, '15570000005@c.us', NULL), ('listed, and local', '<PERSON000001@Example.com>', '555-0003', NULL, NULL, 'US'),
	  ('a subdomain', 'b@mail.Domain000002.example', NULL, NULL, NULL, NULL), ('unsubscribed', '"One" <one@CRM.example>', NULL, NULL, NULL, NULL),
	  ('local', 'p3@crm.example', '555-0003', NULL, NULL, 'US'), ('no country', NULL, NULL, '030 901820', NULL, ''), ('nothing', '', NULL, NULL, NULL, NULL),
	  ('free', 'p4@crm.example', '+49 30 901820', '0171 1234567', '491711234567@c.us', 'DE');
	INSERT INTO crm.unsubscribes (email) VALUES ('One@crm.example'), ('two@crm.example'), ('bad@crm.example'), ('four@crm.example');
});
$dnc->control('POST', "alta/workers/fault?kind=status&arg=400&method=POST&at=$_") for 1, 3, 4;
my %before = map { $_ => ids($workers, $_) } 'alta', 'sendkit';
my $not_filled = qr/ERROR:  55000: the mirror of "\w+" is not filled yet/;
like(error($workers, 'SELECT * FROM dnc.may_be_contacted'), $not_filled, 'nobody may be mailed before the first pass');
like(error($workers, 'SELECT dnc_fdw_mirror_guard(source) FROM dnc_fdw_mirrors'), $not_filled, 'which is what the alert says');
schedule($workers, 'push to alta once more', q{CALL dnc_fdw_deliver('alta')});
query($workers, q{CREATE FOREIGN TABLE dnc.sendkit_at_once (identifier text, identifier_type text) SERVER sendkit OPTIONS (write_mode 'immediate')});
schedule($workers, 'fails after writing at once', q{INSERT INTO dnc.sendkit_at_once VALUES ('wrote@crm.example', 'email'); SELECT 1 / 0});

# One who is on both lists in another spelling, and one to be pushed who is on both, so
# that nothing depends on the order of jobs.
query($sessions, q{INSERT INTO dnc.alta (identifier, identifier_type) VALUES ('<PERSON000003@example.com>', 'email')});
refresh($sessions, $_) for 'alta', 'sendkit';
forget_requests($sessions);
$sessions->{node}->safe_psql('postgres', q{INSERT INTO crm.unsubscribes (email) VALUES ('person000001@example.com')});
my @on_alta = split / /, emails($sessions, 'alta');
my @on_sendkit = split / /, emails($sessions, 'sendkit');
my %on_alta = map { lc(s/[<>]//gr) => 1 } @on_alta;
my %on_sendkit = map { $_ => 1 } @on_sendkit;
my @only_alta = grep { !$on_sendkit{ lc(s/[<>]//gr) } } @on_alta;
my @only_sendkit = grep { !$on_alta{$_} } @on_sendkit;
cmp_ok(scalar(@$_), '>', 10, 'there are some to be added') for \@only_alta, \@only_sendkit;
schedule($sessions, 'push to alta once more', q{CALL dnc_fdw_deliver('alta')});

start_jobs($workers, 'mirror of alta', 'mirror of sendkit', 'push to alta', 'push to alta once more', 'push to sendkit',
	'fails after writing at once');
start_jobs($sessions, 'reconcile alta and sendkit', 'push to alta', 'push to alta once more', 'push to sendkit', 'alert of old mirrors');
my %done = wait_for_jobs($workers);
my %done_here = wait_for_jobs($sessions);

for my $job ('mirror of alta', 'mirror of sendkit', 'push to alta', 'push to alta once more', 'push to sendkit')
{
	is($done{$job}, 'succeeded: CALL', "workers: $job");
}
like($done{'fails after writing at once'}, qr/^failed: ERROR: division by zero$/, 'what stays of a failed job does not make it look like success');
like(PostgreSQL::Test::Utils::slurp_file($workers->{node}->logfile),
	qr/LOG:  server "sendkit" keeps what was sent to it at once \(additions: 1, deletions: 0\)/, 'but it is in the log');
for my $job ('push to alta', 'push to alta once more', 'push to sendkit')
{
	is($done_here{$job}, 'succeeded: CALL', "sessions: $job");
}
is($done_here{'reconcile alta and sendkit'}, 'succeeded: 1 row', 'sessions: reconcile');
is($done_here{'alert of old mirrors'}, 'succeeded: 2 rows', 'no alert where the mirrors were filled');

# Mirrors: those who were on the list all the time, and nobody who never was.
for my $api ('alta', 'sendkit')
{
	my %in = map { $_ => 1 } split /\n/, query($workers, "SELECT id FROM dnc.${api}_mirror WHERE gone_at IS NULL");
	my %after = map { $_ => 1 } split / /, ids($workers, $api);

	is(scalar(grep { !$in{$_} } split / /, $before{$api}), 0, "$api: the mirror has all entries");
	is(scalar(grep { !$after{$_} } keys %in), 0, "$api: and no others");
	is(query($workers, "SELECT entries FROM dnc_fdw_mirrors WHERE source = 'dnc.$api'::regclass"), scalar(keys %in), "$api: they are counted");
}
is(query($workers, 'SELECT NOT bool_or(refused) FROM dnc_fdw_mirrors'), 't', 'the mirrors are fresh');
is(query($workers, 'SELECT string_agg(email, $$ $$ ORDER BY email) FROM dnc.may_be_contacted'), 'free@crm.example p4@crm.example person000002@example.com',
	'who is on no list by any channel, nor their domain, nor has unsubscribed may be contacted');
is(query($workers, 'SELECT string_agg(name, $$; $$ ORDER BY id) FROM dnc.cannot_be_told'), 'local; no country; nothing', 'who cannot be told is apart');
is(query($workers, q{SELECT string_agg(coalesce(name, email), '; ' ORDER BY id) FROM dnc.screened_contacts WHERE status = 'listed'}),
	'Person000001@example.com; a@domain000002.example; one@crm.example; listed phone; listed sms; listed WhatsApp; listed, and local; a subdomain; unsubscribed',
	'who is listed, however they are spelled');

# As it says: who reads the view needs a right to the mirrors' views, and to nothing else.
$workers->{node}->safe_psql('postgres', q{
	CREATE ROLE marketing;
	GRANT USAGE ON SCHEMA dnc TO marketing;
	GRANT SELECT ON dnc.may_be_contacted TO marketing;
});
like(error($workers, 'RESET ROLE; SET ROLE marketing; SELECT * FROM dnc.may_be_contacted'),
	qr/ERROR:  42501: permission denied for view \w+_known\nDETAIL:  .*\nHINT:  GRANT SELECT ON dnc\.\w+_known/, 'a role without them is told so');
$workers->{node}->safe_psql('postgres', 'GRANT SELECT ON dnc.alta_known, dnc.sendkit_known TO marketing');
is($workers->{node}->safe_psql('postgres', 'SET ROLE marketing; SELECT count(*) FROM dnc.may_be_contacted'), 3, 'by a role that may see no more');
like(error($workers, 'RESET ROLE; SET ROLE marketing; SELECT * FROM dnc.alta_mirror'), qr/ERROR:  42501/, 'which it may not');

# Pushes: each once, and the one that is refused does not hold up the others.
is(join('; ', additions($workers, 'alta')), join('; ', 'One@crm.example bad@crm.example four@crm.example two@crm.example 400',
	'One@crm.example two@crm.example 200', 'bad@crm.example four@crm.example 400', 'bad@crm.example 400', 'four@crm.example 200'),
	'what is refused is found by halves');
is(query($workers, q{SELECT string_agg(concat_ws(' ', identifier, state, message), ', ' ORDER BY id) FROM dnc_fdw_queue WHERE relation = 'dnc.alta_queued'::regclass})
	=~ s/HTTP status 400: .*?(?=,)/.../r, 'One@crm.example done, two@crm.example done, bad@crm.example dead server "alta" refused the request: ..., four@crm.example done',
	'all are sent, but the refused one, which has the reason');
is(join('; ', grep { !/wrote/ } additions($workers, 'sendkit')), 'One@crm.example bad@crm.example four@crm.example two@crm.example 200',
	'the other vendor got all at once, once');
is(join('; ', grep { $_ eq 'person000001@example.com 200' } additions($sessions, 'alta')), 'person000001@example.com 200',
	'two runs at the same time send each once');

# Reconciliation: who was on one list is on both, and nobody else was sent.
is(emails($sessions, 'alta'), join(' ', sort @on_alta, @only_sendkit), 'alta has those of sendkit, too');
is(emails($sessions, 'sendkit'), join(' ', sort @on_sendkit, @only_alta), 'sendkit has those of alta, too');
my %lacked = (alta => \@only_sendkit, sendkit => \@only_alta);
for my $api (sort keys %lacked)
{
	is(join('; ', grep { $_ ne 'person000001@example.com 200' } additions($sessions, $api)),
		join(' ', sort @{ $lacked{$api} }) . ' 200', "to $api went those whom it lacked");
}
is(query($sessions, q{SELECT string_agg(added_to || ' ' || n, ', ' ORDER BY added_to)
		FROM (SELECT added_to, count(*) AS n FROM dnc.reconciled GROUP BY added_to) c}),
	'alta ' . @only_sendkit . ', sendkit ' . @only_alta, 'and it is noted');
is(query($sessions, 'SELECT count(*) FROM dnc.missing_emails'), 0, 'nothing is left to add, before the mirrors have seen it');

# Who was removed from one list waits for a decision: by us, or by somebody at the vendor.
my ($ours, $theirs) = @only_alta[0, 1];
refresh($sessions, $_) for 'alta', 'sendkit';
query($sessions, "DELETE FROM dnc.sendkit WHERE identifier = '$ours'");
at_vendor($sessions, $workers, 'sendkit', "DELETE FROM dnc.sendkit WHERE identifier = '$theirs'");
refresh($sessions, $_) for 'alta', 'sendkit', 'sendkit';
forget_requests($sessions);
query($sessions, 'SELECT dnc.reconcile()');
is(requests($sessions), '', 'who was removed is not added again');
is(query($sessions, q{SELECT string_agg(email || ' ' || removed_from, ', ' ORDER BY email) FROM dnc.removed_emails}),
	join(', ', map { "$_ sendkit" } sort $ours, $theirs), 'but stands in a view');
query($sessions, qq{INSERT INTO dnc.decisions (email, list, add, why) VALUES (upper('$ours'), 'sendkit', true, 'by mistake'), ('$theirs', 'sendkit', false, 'has asked for it')});
query($sessions, 'SELECT dnc.reconcile()');
is(join('; ', additions($sessions, 'sendkit')), "$ours 200", 'who is to be added by a decision, is');
is(query($sessions, 'SELECT count(*) FROM dnc.removed_emails'), 0, 'and nobody waits');
query($sessions, "DELETE FROM dnc.sendkit WHERE identifier = '$ours'");
query($sessions, 'SELECT dnc.reconcile()');
is(query($sessions, 'SELECT email FROM dnc.removed_emails'), $ours, 'a decision to add counts once');
query($sessions, "INSERT INTO dnc.decisions (email, list, add, why) VALUES ('$ours', 'sendkit', false, 'again')");

# ---- the last look

my $last_look = q{SELECT string_agg(c.email, ' ' ORDER BY c.email)
	FROM dnc.last_look(ARRAY(SELECT id FROM dnc.may_be_contacted)) AS id JOIN crm.contacts c USING (id)};
forget_requests($workers);
is(query($workers, $last_look), 'free@crm.example p4@crm.example person000002@example.com', 'the last look finds nobody');
like(requests($workers), qr/GET \S*search=\S+ 200.*GET \S+sendkit|GET \S*search=/s, 'it has looked them up');
at_vendor($workers, $sessions, 'alta', q{INSERT INTO dnc.alta (identifier, identifier_type) VALUES ('+4930901820', 'phone')});
at_vendor($workers, $sessions, 'sendkit', q{INSERT INTO dnc.sendkit (identifier, identifier_type) VALUES ('Free@crm.example', 'email')});
is(query($workers, $last_look), 'person000002@example.com', 'and those who have opted out meanwhile, in whatever spelling');
is(query($workers, 'SELECT count(*) FROM dnc.may_be_contacted'), 3, 'of whom the mirrors cannot know');

# ---- history and certificate

is(query($workers, q{SELECT string_agg(concat_ws(' ', list, listed, entry), ', ' ORDER BY list) FROM dnc.listed_on(now(), '"P" <PERSON000001@Example.com>', 'email')}),
	'dnc.alta t person000001@example.com, dnc.sendkit t person000001@example.com', 'history: who is listed');
is(query($workers, q{SELECT string_agg(concat_ws(' ', list, listed, pass IS NOT NULL, sha256 ~ '^[0-9a-f]{64}$'), ', ' ORDER BY list) FROM dnc.listed_on(now(), 'p4@crm.example', 'email')}),
	'dnc.alta f t t, dnc.sendkit f t t', 'who is not, with what proves it');
is(query($workers, q{SELECT string_agg(concat_ws(' ', list, coalesce(listed::text, '?')), ', ' ORDER BY list) FROM dnc.listed_on('2020-01-01', 'p4@crm.example', 'email')}),
	'dnc.alta ?, dnc.sendkit ?', 'and what nobody knows');
is(query($sessions, qq{SELECT bool_or(listed) FILTER (WHERE list = 'dnc.sendkit') FROM dnc.listed_on(now(), '$theirs', 'email')}), 'f', 'who was removed is not listed');
is(query($sessions, qq{SELECT count(*) FILTER (WHERE list = 'dnc.sendkit' AND listed) FROM dnc.listed_on(
		(SELECT gone_at - interval '1 microsecond' FROM dnc.sendkit_mirror WHERE identifier = '$theirs'), '$theirs', 'email')}), 1, 'but was');

my ($page, $complaint) = ('', '');
IPC::Run::run([ 'psql', '-X', '-d', $workers->{node}->connstr('postgres'), '-v', 'list=dnc.alta', '-f', "$examples/certificate.sql" ],
	'>', \$page, '2>', \$complaint);
is($complaint, '', 'the certificate is printed');
my $sha256 = query($workers, q{SELECT sha256 FROM dnc_fdw_passes WHERE source = 'dnc.alta' AND state = 'done' ORDER BY id DESC LIMIT 1});
like($page, qr/\A<!DOCTYPE html>.*<td[^>]*>$sha256<\/td>.*<h2>.*<td[^>]*>full<\/td>.*<\/body><\/html>\s*\z/s, 'and has the hash, and the passes');

# ---- a dump, restored, calls no API, and has no list that anybody could take for one

forget_requests($workers);
$workers->{node}->safe_psql('postgres', 'CREATE DATABASE restored');
# Jobs and their runs are pg_cron's, which this database cannot have too: psql would take their rows for SQL.
IPC::Run::run([ 'pg_dump', '--exclude-table-data=cron.*', '-d', $workers->{node}->connstr('postgres') ], '>', \my $dump, '2>', \my $dump_error);
is($dump_error, '', 'the database is dumped');
like($dump, qr/sandbox-workers/, 'with the tokens');
IPC::Run::run([ 'psql', '-X', '-q', '-d', $workers->{node}->connstr('restored') ], '<', \$dump, '>', \my $out, '2>', \my $err);
is(join("\n", grep { /ERROR/ && !/cron|can only create extension in database postgres/ } split /\n/, $err), '', 'and restored, but for the jobs');
is(requests($workers), '', 'without a request');
my $free = 'SELECT string_agg(email, $$ $$ ORDER BY email) FROM dnc.may_be_contacted';
is($workers->{node}->safe_psql('restored', $free), query($workers, $free), 'what is restored can be read');
$workers->{node}->safe_psql('restored', q{UPDATE dnc_fdw_mirror_lists SET complete_as_of = complete_as_of - interval '26 hours'});
my ($code, $stdout, $stderr) = $workers->{node}->psql('restored', $free);
like($stderr, qr/ERROR:  the mirror of "\w+" is too old/, 'until it is too old');
is(requests($workers), '', 'without a request either');
$workers->{node}->safe_psql('restored', "SET ROLE dnc_jobs; CALL dnc_fdw_mirror_refresh('dnc.$_')") for 'alta', 'sendkit';
is($workers->{node}->safe_psql('restored', $free), 'person000002@example.com', 'and it is brought up to date there, too');

# ---- the second minute

# APIs down.
my $state = q{SELECT string_agg(concat_ws(' ', source, complete_as_of, entries), ', ' ORDER BY source) FROM dnc_fdw_mirrors;
	SELECT md5(string_agg(o::text, ' ' ORDER BY source, identifier)) FROM dnc.known_opt_outs o WHERE identifier <> 'five@crm.example';
	SELECT count(*) FROM dnc_fdw_queue WHERE state = 'done'; SELECT count(*) FROM dnc.reconciled};
my $old = query($workers, $state);
$workers->{node}->safe_psql('postgres', q{INSERT INTO crm.unsubscribes (email) VALUES ('five@crm.example')});
$dnc->control('POST', "$_/workers/fault?kind=status&arg=503&times=0") for 'alta', 'sendkit';

# Sessions: nothing new to send, but the lists have changed since the last pass.
refresh($sessions, $_) for 'alta', 'sendkit';
$dnc->control('POST', "$_/sessions/fill?count=7&types=email") for 'alta', 'sendkit';
$sessions->{node}->safe_psql('postgres', q{
	CREATE SERVER nowhere FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url 'http://127.0.0.1:1', max_retries '0');
	CREATE USER MAPPING FOR dnc_jobs SERVER nowhere OPTIONS (token 'nobody');
	CREATE FOREIGN TABLE dnc.nowhere (identifier text) SERVER nowhere;
	GRANT SELECT ON dnc.nowhere TO dnc_jobs;
});
$sessions->{node}->safe_psql('postgres', q{
	INSERT INTO cron.job_run_details (jobid, runid, username, end_time)
	SELECT 0, -days, 'dnc_jobs', now() - days * interval '1 day' FROM generate_series(29, 33) days;
});
schedule($workers, 'fails at COMMIT', q{INSERT INTO dnc.sendkit (identifier, identifier_type) VALUES ('late@crm.example', 'email')});
schedule($sessions, 'nowhere', 'SELECT count(*) FROM dnc.nowhere');
forget_requests($_) for $workers, $sessions;

my @all = ('mirror of alta', 'mirror of sendkit', 'push to alta', 'push to sendkit', 'alert of old mirrors',
	'alert of unsubscribes not on alta');
start_jobs($workers, @all, 'reconcile alta and sendkit', 'fails at COMMIT');
start_jobs($sessions, @all, 'nowhere', 'forget old runs');
%done = wait_for_jobs($workers);
%done_here = wait_for_jobs($sessions);

for my $job ('mirror of alta', 'mirror of sendkit', 'reconcile alta and sendkit', 'fails at COMMIT')
{
	my ($server) = $job =~ / of alta/ ? 'alta' : $job =~ /^reconcile/ ? '(?:alta|sendkit)' : 'sendkit';

	like($done{$job}, qr{^failed:\ ERROR:\ server\ "$server"\ failed\ to\ serve\ the\ request\n
		DETAIL:\ HTTP\ status\ 503:\ .*\ Tried\ 2\ times\ in\ .*\n
		HINT:\ .*\n
		CONTEXT:\ request\ \w+\ \S+\ to\ server\ "$server"}x, "API down: $job");
}
is(query($workers, $state), $old, 'mirrors, their times and what was sent stay as they were');
is("$done{'push to alta'}, $done{'push to sendkit'}", 'succeeded: CALL, succeeded: CALL', 'API down: what is to be pushed');
is(query($workers, q{SELECT string_agg(concat_ws(' ', server, state, http_status), ', ' ORDER BY server) FROM dnc_fdw_queue WHERE identifier = 'five@crm.example'}),
	'alta waiting 503, sendkit waiting 503', 'waits');
is($done{'alert of old mirrors'}, 'succeeded: SELECT 2', 'no alert yet');
like($done{'alert of unsubscribes not on alta'},
	qr/^failed: ERROR: unsubscribes are missing on the list "alta": 1\nDETAIL: The first of them have these ids in dnc_fdw_queue: 3\.\n/,
	'an alert of the unsubscribe that was refused');

for my $job (@all)
{
	is($done_here{$job}, 'succeeded: ' . ($job =~ /^(?:push|mirror)/ ? 'CALL' : $job =~ /mirrors/ ? '2 rows' : '1 row'), "sessions: $job");
}
like($done_here{nowhere},
	qr/^failed: ERROR:  could not connect to server "nowhere"\nDETAIL:  .*\nHINT:  .*\nCONTEXT:  request GET /, 'the error has all its parts');
for my $api ('alta', 'sendkit')
{
	is(query($sessions, "SELECT string_agg(id::text, ' ' ORDER BY id::text COLLATE \"C\") FROM dnc.${api}_mirror WHERE gone_at IS NULL"),
		ids($sessions, $api), "$api: the mirror is the list as it is now");
}
is($done_here{'forget old runs'}, 'succeeded: DELETE 3', 'old runs are forgotten');
unlike(requests($sessions), qr/POST|DELETE/, 'nothing new, nothing sent');

# ---- examples/README.md

$dnc->control('DELETE', "$_/workers/fault") for 'alta', 'sendkit';
my @blocks = PostgreSQL::Test::Utils::slurp_file("$examples/README.md") =~ /^```sql\n(.*?)^```$/msg;
cmp_ok(scalar(@blocks), '>', 2, 'README.md has SQL');
run_sql($workers->{node}, $_, 'README.md: ' . s/\n.*//sr) for @blocks;

# ---- what the recipes refuse, without pg_cron

# Old mirrors cannot be read, by whatever plan, nor if there is nobody in them.
my $age = sub { return $workers->{node}->safe_psql('postgres', "UPDATE dnc_fdw_mirror_lists SET $_[0]") };
$age->(q{complete_as_of = complete_as_of - interval '26 hours' WHERE source = 'dnc.alta'::regclass});
my $too_old = qr/ERROR:  55000: the mirror of "alta" is too old\nDETAIL:  Its last complete pass began at .*, and max_age is 26:00:00/;
like(error($workers, 'SELECT dnc_fdw_mirror_guard(source) FROM dnc_fdw_mirrors'), $too_old, 'an alert of an old mirror');
for my $settings ('', 'SET enable_hashjoin = off; SET enable_mergejoin = off', 'SET enable_nestloop = off; SET enable_hashjoin = off')
{
	like(error($workers, "$settings; SELECT * FROM dnc.may_be_contacted"), $too_old, "an old mirror cannot be used: $settings");
}
like(error($workers, "SELECT count(*) FROM dnc.known_opt_outs WHERE identifier = 'nobody'"), $too_old, 'nor looked into');
like(error($workers, 'SELECT dnc.reconcile()'), $too_old, 'nor reconciled');
is(query($workers, q{SELECT count(*) > 0 FROM dnc.known_opt_outs WHERE source = 'sendkit'}), 't', 'but the other list can');
is(query($workers, 'SELECT NOT bool_or(refused) FROM dnc_fdw_mirrors'), 'f', 'which a monitor sees');

# Keys of other rules than today's are not compared.
$age->(q{complete_as_of = now(), key_version = 'another'});
like(error($workers, 'SELECT * FROM dnc.may_be_contacted'), qr/ERROR:  55000: the mirror of "\w+" has keys of another version/, 'nor keys of another version');

# A list that is suddenly empty.
my $count = $dnc->control('GET', 'alta/sessions/count') + 0;
$dnc->control('DELETE', 'alta/sessions');
my ($status, $none, $loss) = $sessions->{node}->psql('postgres', "\\set VERBOSITY verbose\nSET ROLE dnc_jobs;\nCALL dnc_fdw_mirror_refresh('dnc.alta');");
like($loss, qr/ERROR:  55000: the pass over "alta" failed\nDETAIL:  The list is empty\./, 'a list that has lost its entries is not believed');
is(query($sessions, 'SELECT count(*) FROM dnc.alta_mirror WHERE gone_at IS NULL'), $count, 'the mirror stays as it was');
refresh($sessions, 'alta', ', accept_loss => true');
is(query($sessions, q{SELECT loss_accepted FROM dnc_fdw_passes WHERE source = 'dnc.alta' AND state = 'done' ORDER BY id DESC LIMIT 1}), 't', 'unless somebody says so');

# If the vendor refuses all, it is not the rows.
$dnc->control('POST', 'alta/sessions/fault?kind=status&arg=404&times=0');
$sessions->{node}->safe_psql('postgres', q{INSERT INTO crm.unsubscribes (email) SELECT n || '@crm.example' FROM generate_series(1, 50) n});
query($sessions, q{CALL dnc_fdw_deliver('alta')});
is(query($sessions, q{SELECT state, count(*) FROM dnc_fdw_queue WHERE relation = 'dnc.alta_queued'::regclass GROUP BY state ORDER BY state}), "done|1\nwaiting|50", 'and they wait');
$dnc->control('DELETE', 'alta/sessions/fault');
query($sessions, q{SELECT dnc_fdw_queue_resume('alta'), dnc_fdw_queue_retry(array_agg(id)) FROM dnc_fdw_queue WHERE state = 'waiting'});
query($sessions, q{CALL dnc_fdw_deliver('alta')});
is(query($sessions, q{SELECT count(*) FROM dnc_fdw_queue WHERE relation = 'dnc.alta_queued'::regclass AND state = 'done'}), 51, 'later they are sent');

$_->{node}->stop for $workers, $sessions;
$dnc->stop_sandbox;
done_testing();
