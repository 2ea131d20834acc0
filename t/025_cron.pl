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

# ---- two clusters, whose names are those of their accounts too

sub make_site
{
	my ($name, $conf) = @_;
	my $node = DncTest->cluster($name);

	$node->append_conf('postgresql.conf', "fsync = off\ntimezone = 'UTC'\n$conf");
	$node->append_conf('postgresql.conf', "cron.host = '" . $node->host . "'\n");
	$node->start;
	for my $recipe (qw(setup nightly_snapshot scrub stale_snapshot_alert push_unsubscribes reconcile))
	{
		run_sql($node, PostgreSQL::Test::Utils::slurp_file("$examples/$recipe.sql"), "$name: $recipe.sql");
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

my $workers = make_site('workers', "shared_preload_libraries = 'pg_cron,dnc_fdw'\ncron.use_background_workers = on\nmax_worker_processes = 20\n");
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
like(error($workers, 'SELECT * FROM dnc.may_be_contacted'), qr/ERROR:  55000: .*not been populated/, 'nobody may be mailed before the first snapshot');
schedule($workers, 'push to alta once more', q{CALL dnc_fdw_deliver('alta')});
query($workers, q{CREATE FOREIGN TABLE dnc.sendkit_at_once (identifier text, identifier_type text) SERVER sendkit OPTIONS (write_mode 'immediate')});
schedule($workers, 'fails after writing at once', q{INSERT INTO dnc.sendkit_at_once VALUES ('wrote@crm.example', 'email'); SELECT 1 / 0});

# One who is on both lists in another spelling, and one to be pushed who is on both, so
# that nothing depends on the order of jobs.
query($sessions, q{INSERT INTO dnc.alta (identifier, identifier_type) VALUES ('<PERSON000003@example.com>', 'email')});
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

start_jobs($workers, 'snapshot of alta', 'snapshot of sendkit', 'push to alta', 'push to alta once more', 'push to sendkit',
	'fails after writing at once');
start_jobs($sessions, 'reconcile alta and sendkit', 'push to alta', 'push to alta once more', 'push to sendkit', 'alert of old snapshots');
my %done = wait_for_jobs($workers);
my %done_here = wait_for_jobs($sessions);

for my $job ('snapshot of alta', 'snapshot of sendkit', 'push to alta', 'push to alta once more', 'push to sendkit')
{
	is($done{$job}, $job =~ /^push/ ? 'succeeded: CALL' : 'succeeded: SELECT 1', "workers: $job");
}
like($done{'fails after writing at once'}, qr/^failed: ERROR: division by zero$/, 'what stays of a failed job does not make it look like success');
like(PostgreSQL::Test::Utils::slurp_file($workers->{node}->logfile),
	qr/LOG:  server "sendkit" keeps what was sent to it at once \(additions: 1, deletions: 0\)/, 'but it is in the log');
for my $job ('push to alta', 'push to alta once more', 'push to sendkit')
{
	is($done_here{$job}, 'succeeded: CALL', "sessions: $job");
}
is($done_here{'reconcile alta and sendkit'}, 'succeeded: 1 row', 'sessions: reconcile');
like($done_here{'alert of old snapshots'},
	qr/^failed: ERROR:  snapshots of .* too old\nDETAIL:  These: "alta", never taken; "sendkit", never taken\.\nHINT:  /,
	'an alert of a snapshot that was never taken');

# Snapshots: those who were on the list all the time, and nobody who never was.  (They also have
# what waited in the queue just then, without an id.)
for my $api ('alta', 'sendkit')
{
	my %in = map { $_ => 1 } split /\n/, query($workers, "SELECT id FROM dnc.snapshot_$api WHERE id IS NOT NULL");
	my %after = map { $_ => 1 } split / /, ids($workers, $api);

	is(scalar(grep { !$in{$_} } split / /, $before{$api}), 0, "$api: the snapshot has all entries");
	is(scalar(grep { !$after{$_} } keys %in), 0, "$api: and no others");
	is(query($workers, "SELECT entries FROM dnc.snapshots WHERE list = '$api'"), query($workers, "SELECT count(*) FROM dnc.snapshot_$api"), "$api: they are counted");
}
is(query($workers, 'SELECT bool_and(fresh) FROM dnc.snapshot_status'), 't', 'the snapshots are fresh');
is(query($workers, 'SELECT string_agg(email, $$ $$ ORDER BY email) FROM dnc.may_be_contacted'), 'free@crm.example p4@crm.example person000002@example.com',
	'who is on no list by any channel, nor their domain, nor has unsubscribed may be contacted');
is(query($workers, 'SELECT string_agg(name, $$; $$ ORDER BY id) FROM dnc.cannot_be_told'), 'local; no country; nothing', 'who cannot be told is apart');
is(query($workers, q{SELECT string_agg(coalesce(name, email), '; ' ORDER BY id) FROM dnc.screened_contacts WHERE status = 'listed'}),
	'Person000001@example.com; a@domain000002.example; one@crm.example; listed phone; listed sms; listed WhatsApp; listed, and local; a subdomain; unsubscribed',
	'who is listed, however they are spelled');

# As it says: who reads the view needs no right to what it reads.
$workers->{node}->safe_psql('postgres', q{
	CREATE ROLE marketing;
	GRANT USAGE ON SCHEMA dnc TO marketing;
	GRANT SELECT ON dnc.may_be_contacted TO marketing;
});
is($workers->{node}->safe_psql('postgres', 'SET ROLE marketing; SELECT count(*) FROM dnc.may_be_contacted'), 3, 'by a role that may see no more');
like(error($workers, 'RESET ROLE; SET ROLE marketing; SELECT * FROM dnc.snapshot_alta'), qr/ERROR:  42501/, 'which it may not');

# Pushes: each once, and the one that is refused does not hold up the others.
is(join('; ', additions($workers, 'alta')), join('; ', 'One@crm.example bad@crm.example four@crm.example two@crm.example 400',
	'One@crm.example two@crm.example 200', 'bad@crm.example four@crm.example 400', 'bad@crm.example 400', 'four@crm.example 200'),
	'what is refused is found by halves');
is(query($workers, q{SELECT string_agg(concat_ws(' ', identifier, state, message), ', ' ORDER BY id) FROM dnc_fdw_queue WHERE server = 'alta'})
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
my ($code, $stdout, $stderr) = $workers->{node}->psql('restored', 'SELECT * FROM dnc.may_be_contacted');
like($stderr, qr/ERROR:  materialized view "snapshot_alta" has not been populated/, 'nobody may be mailed there');
is($workers->{node}->safe_psql('restored', 'SELECT dnc.take_snapshot($$alta$$) > 0'), 't', 'until a snapshot is taken');

# ---- the second minute

# APIs down.
my $state = q{SELECT string_agg(s::text, ' ' ORDER BY list) FROM dnc.snapshots s;
	SELECT md5(string_agg(o::text, ' ' ORDER BY source, id)) FROM dnc.known_opt_outs o;
	SELECT count(*) FROM dnc_fdw_queue WHERE state = 'done'; SELECT count(*) FROM dnc.reconciled};
my $old = query($workers, $state);
$workers->{node}->safe_psql('postgres', q{INSERT INTO crm.unsubscribes (email) VALUES ('five@crm.example')});
$dnc->control('POST', "$_/workers/fault?kind=status&arg=503&times=0") for 'alta', 'sendkit';

# Sessions: nothing new to send, but the lists have changed since the first snapshot.
query($sessions, "SELECT dnc.take_snapshot('alta'), dnc.take_snapshot('sendkit')");
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

my @all = ('snapshot of alta', 'snapshot of sendkit', 'push to alta', 'push to sendkit', 'alert of old snapshots',
	'alert of unsubscribes not on alta');
start_jobs($workers, @all, 'reconcile alta and sendkit', 'fails at COMMIT');
start_jobs($sessions, @all, 'nowhere', 'forget old runs');
%done = wait_for_jobs($workers);
%done_here = wait_for_jobs($sessions);

for my $job ('snapshot of alta', 'snapshot of sendkit', 'reconcile alta and sendkit', 'fails at COMMIT')
{
	my ($server) = $job =~ / of alta/ ? 'alta' : $job =~ /^reconcile/ ? '(?:alta|sendkit)' : 'sendkit';

	like($done{$job}, qr{^failed:\ ERROR:\ server\ "$server"\ failed\ to\ serve\ the\ request\n
		DETAIL:\ HTTP\ status\ 503:\ .*\ Tried\ 2\ times\ in\ .*\n
		HINT:\ .*\n
		CONTEXT:\ request\ \w+\ \S+\ to\ server\ "$server"}x, "API down: $job");
}
is(query($workers, $state), $old, 'snapshots, their times and what was sent stay as they were');
is("$done{'push to alta'}, $done{'push to sendkit'}", 'succeeded: CALL, succeeded: CALL', 'API down: what is to be pushed');
is(query($workers, q{SELECT string_agg(concat_ws(' ', server, state, http_status), ', ' ORDER BY server) FROM dnc_fdw_queue WHERE identifier = 'five@crm.example'}),
	'alta waiting 503, sendkit waiting 503', 'waits');
is($done{'alert of old snapshots'}, 'succeeded: SELECT 1', 'no alert yet');
like($done{'alert of unsubscribes not on alta'},
	qr/^failed: ERROR: unsubscribes are missing on the list "alta": 1\nDETAIL: The first of them have these ids in dnc_fdw_queue: 3\.\n/,
	'an alert of the unsubscribe that was refused');

for my $job (@all)
{
	is($done_here{$job}, $job =~ /^push/ ? 'succeeded: CALL' : 'succeeded: 1 row', "sessions: $job");
}
like($done_here{nowhere},
	qr/^failed: ERROR:  could not connect to server "nowhere"\nDETAIL:  .*\nHINT:  .*\nCONTEXT:  request GET /, 'the error has all its parts');
for my $api ('alta', 'sendkit')
{
	is(query($sessions, "SELECT string_agg(id, ' ' ORDER BY id COLLATE \"C\") FROM dnc.snapshot_$api"),
		ids($sessions, $api), "$api: the snapshot is the list as it is now");
}
is($done_here{'forget old runs'}, 'succeeded: DELETE 3', 'old runs are forgotten');
unlike(requests($sessions), qr/POST|DELETE/, 'nothing new, nothing sent');

# ---- examples/README.md

$dnc->control('DELETE', "$_/workers/fault") for 'alta', 'sendkit';
my @blocks = PostgreSQL::Test::Utils::slurp_file("$examples/README.md") =~ /^```sql\n(.*?)^```$/msg;
cmp_ok(scalar(@blocks), '>', 2, 'README.md has SQL');
run_sql($workers->{node}, $_, 'README.md: ' . s/\n.*//sr) for @blocks;

# ---- what the recipes refuse, without pg_cron

# Old snapshots cannot be read, by whatever plan, nor if there is nobody in them.
$workers->{node}->safe_psql('postgres', q{UPDATE dnc.snapshots SET taken_at = taken_at - interval '26 hours' WHERE list = 'alta'});
like(error($workers, 'SELECT dnc.check_snapshots()'),
	qr/ERROR:  55000: snapshots of .* too old\nDETAIL:  These: "alta" of [^;]*\.\n/, 'an alert of an old snapshot');
my $not_fresh = qr/ERROR:  55000: the snapshot of the list "alta" is not fresh\nDETAIL:  The last complete one is of .*, and may be 26:00:00 old/;
for my $settings ('', 'SET enable_hashjoin = off; SET enable_mergejoin = off', 'SET enable_nestloop = off; SET enable_hashjoin = off')
{
	like(error($workers, "$settings; SELECT * FROM dnc.may_be_contacted"), $not_fresh, "an old snapshot cannot be used: $settings");
}
like(error($workers, "SELECT count(*) FROM dnc.known_opt_outs WHERE identifier = 'nobody'"), $not_fresh, 'nor looked into');
is(query($workers, q{SELECT count(*) > 0 FROM dnc.known_opt_outs WHERE source = 'sendkit'}), 't', 'but the other list can');

# Keys of other rules than today's are not compared.
$workers->{node}->safe_psql('postgres', q{UPDATE dnc.snapshots SET taken_at = now(), key_version = 'another'});
like(error($workers, 'SELECT * FROM dnc.may_be_contacted'),
	qr/ERROR:  55000: the snapshot of the list "\w+" is not fresh\nDETAIL:  Its keys were made by other rules than those of today\./, 'nor keys of another version');
like(error($workers, 'SELECT dnc.check_snapshots()'), qr/DETAIL:  These: "alta" of .*, with keys of other rules than today's; "sendkit" of/, 'an alert of them');

# A list that is suddenly empty.
my $count = $dnc->control('GET', 'alta/sessions/count') + 0;
$dnc->control('DELETE', 'alta/sessions');
like(error($sessions, q{SELECT dnc.take_snapshot('alta')}),
	qr/ERROR:  P0001: the list "alta" has lost more than a tenth of its entries\nDETAIL:  There were $count on .*, and there are 0\. /,
	'a list that has lost its entries is not believed');
is(query($sessions, 'SELECT count(*) FROM dnc.snapshot_alta'), $count, 'the old snapshot stays');
is(query($sessions, q{SELECT dnc.take_snapshot('alta', accept_loss => true)}), '0', 'unless somebody says so');
$sessions->{node}->safe_psql('postgres', q{UPDATE dnc.snapshots SET taken_at = NULL WHERE list = 'alta'});
like(error($sessions, 'SELECT * FROM dnc.known_opt_outs'), qr/ERROR:  55000: .*\nDETAIL:  None was ever taken\./,
	'an empty snapshot can be too old');

# If the vendor refuses all, it is not the rows.
$dnc->control('POST', 'alta/sessions/fault?kind=status&arg=404&times=0');
$sessions->{node}->safe_psql('postgres', q{INSERT INTO crm.unsubscribes (email) SELECT n || '@crm.example' FROM generate_series(1, 50) n});
query($sessions, q{CALL dnc_fdw_deliver('alta')});
is(query($sessions, q{SELECT state, count(*) FROM dnc_fdw_queue WHERE server = 'alta' GROUP BY state ORDER BY state}), "done|1\nwaiting|50", 'and they wait');
$dnc->control('DELETE', 'alta/sessions/fault');
query($sessions, q{SELECT dnc_fdw_queue_resume('alta'), dnc_fdw_queue_retry(array_agg(id)) FROM dnc_fdw_queue WHERE state = 'waiting'});
query($sessions, q{CALL dnc_fdw_deliver('alta')});
is(query($sessions, q{SELECT count(*) FROM dnc_fdw_queue WHERE server = 'alta' AND state = 'done'}), 51, 'later they are sent');

$_->{node}->stop for $workers, $sessions;
$dnc->stop_sandbox;
done_testing();
