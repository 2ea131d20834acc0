# The token of a user mapping is shown nowhere: in no log however talkative, no
# message, no view, no process title; nor is an identifier that is searched for.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use MIME::Base64 qw(encode_base64);
use PostgreSQL::Test::Utils;
use Test::More;

my $dnc = DncTest->new;
my $node = $dnc->node;
my $right = 'sandbox-secrets-R1ghtT0ken';
my $wrong = 'Wr0ngT0ken';
my $token = qr/R1ghtT0ken|Wr0ngT0ken/;
my $list = 'SELECT count(*) FROM secrets.communication_opt_outs';
my $shown = '';    # all that psql wrote

# What a statement shows; it is to match, so that it did what it is here for.
sub shows
{
	my ($statement, $pattern, $name) = @_;
	my ($code, $stdout, $stderr) = $node->psql('postgres', $statement);

	like("$stdout\n$stderr", $pattern, $name);
	$shown .= "$stdout\n$stderr\n";
	return $stderr;
}

sub fault { return $dnc->control('POST', "alta/secrets/fault?$_[0]", $_[1]) }

# The tokens are set before the log is asked for everything.
$dnc->make_server('secrets', 250, "max_retries '0'");
$node->safe_psql('postgres', qq{
	ALTER USER MAPPING FOR CURRENT_USER SERVER secrets OPTIONS (SET token '$right');
	CREATE SERVER refused FOREIGN DATA WRAPPER dnc_fdw
	  OPTIONS (provider 'alta', base_url '@{[ $dnc->url ]}/alta/v1', max_retries '0');
	CREATE USER MAPPING FOR CURRENT_USER SERVER refused OPTIONS (token '$wrong');
	CREATE SCHEMA refused;
	IMPORT FOREIGN SCHEMA dnc FROM SERVER refused INTO refused;
	CREATE SERVER platform FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'sendkit');
	CREATE USER MAPPING FOR CURRENT_USER SERVER platform OPTIONS (token 'sk_user_$wrong');
	CREATE FOREIGN TABLE platform (identifier text) SERVER platform;
	CREATE SERVER workspace FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'sendkit');
	CREATE USER MAPPING FOR CURRENT_USER SERVER workspace OPTIONS (token 'sk_$wrong', workspace_id 'ws_$wrong');
	CREATE FOREIGN TABLE workspace (identifier text) SERVER workspace;
	CREATE SERVER by_id FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'weya', base_url '@{[ $dnc->url ]}/weya');
	CREATE USER MAPPING FOR CURRENT_USER SERVER by_id OPTIONS (token '$right');
	CREATE FOREIGN TABLE by_id (identifier text) SERVER by_id;
	CREATE TABLE wanted (identifier text);
	CREATE ROLE somebody;
	GRANT SELECT ON wanted TO somebody;
	GRANT USAGE ON FOREIGN SERVER secrets TO somebody;
});
$node->append_conf('postgresql.conf', q{
	log_statement = 'none'
	log_min_messages = 'debug5'
	log_min_error_statement = 'debug5'
	log_error_verbosity = 'verbose'
	log_min_duration_statement = 0
	log_parameter_max_length_on_error = -1
	debug_print_parse = on
	debug_print_rewritten = on
	debug_print_plan = on
	dnc_fdw.log_requests = on
});
$node->restart;
my $offset = -s $node->logfile;

# Everything that talks to the vendor, well or badly.
shows($list, qr/^250$/m, 'a scan');
shows("EXPLAIN (VERBOSE, ANALYZE) $list", qr/Requests: 3/, 'EXPLAIN');
my $add = q{INSERT INTO secrets.communication_opt_outs (identifier, identifier_type)
	VALUES ('a@example.com', 'email') RETURNING identifier};
shows($add, qr/^a\@example.com$/m, 'a write');
shows('SELECT count(*) FROM refused.communication_opt_outs', qr/refused the token.*HTTP status 401/s,
	'a wrong token');
for my $case (
	[ 'a message that repeats the token', 'body&arg=403', qr/Key \*+ \(\*+\) may not/,
		qq({"error":"Forbidden","message":"Key $right ($right) may not"}) ],
	[ 'a message in which it goes beyond what is shown', 'body&arg=400', qr/refused the request.*x\*+\.\.\./s,
		'{"message":"' . 'x' x 490 . qq($right"}) ],
	[ 'a redirection', "redirect&arg=http://127.0.0.1:1/?key=$right", qr/answered with a redirection/ ],
	[ 'an answer that is cut off', 'cut', qr/cut its answer off/ ],
	[ 'no answer', 'close', qr/did not answer/ ])
{
	my ($name, $fault, $pattern, $body) = @$case;

	fault("kind=$fault", $body);
	shows($list, $pattern, "$name, to a scan");
	fault("kind=$fault&method=POST", $body);
	shows($add, $pattern, "$name, to a write");
}

# What SECURITY.md asks for in a report.
fault('kind=body&arg=403', qq({"error":"Forbidden","message":"Key $right ($right) may not"}));
shows('SELECT * FROM dnc_fdw_check()', qr/^secrets\|f\|403\|.*Key \*+ \(\*+\) may not/m, 'dnc_fdw_check(), and a message that repeats the token');
shows('SELECT * FROM dnc_fdw_check(); SELECT * FROM dnc_fdw_version(); SELECT version()', qr/^refused\|f\|401\|.*^secrets\|t\|200\|.*PostgreSQL/ms,
	'dnc_fdw_check() of servers that are well and that are not, and the versions');

# A vendor's message that has the token in another form, or a large part of it.
for my $case (
	[ 'in upper case', uc $right ],
	[ 'in lower case', lc $right ],
	[ 'percent-encoded', join '', map { sprintf '%%%02x', ord } split //, $right ],
	[ 'percent-encoded twice, in part', $right =~ s/-/%252D/gr ],
	[ 'in base64', encode_base64($right, '') ],
	[ 'in base64, behind a user name', encode_base64("me:$right", '') ],
	[ 'in base64, behind another', encode_base64("api:$right", '') ],
	[ 'in base64 for URLs, upper case', uc(encode_base64("x$right", '') =~ tr{+/}{-_}r) ],
	[ 'in hexadecimal digits', unpack 'H*', $right ],
	[ 'with invisible characters in it', $right =~ s/(.)/$1\\u200b/gr ],
	[ 'cut at its end', substr $right, 0, -6 ],
	[ 'cut at its beginning', substr $right, 6 ])
{
	my ($name, $form) = @$case;

	fault('kind=body&arg=403', qq({"message":"Key <$form> may not"}));
	my $message = shows($list, qr/refused the token/, "the token $name");
	like($message, qr/Key <[* a-z0-9=]*> may not/i, "the token $name: the rest is shown");
	my ($left) = $message =~ /Key <(.*?)> may not/;
	cmp_ok(length($left =~ s/[*\s=]//gr), '<', 8, "the token $name is blotted out: $left");
}
fault('kind=body&arg=403', '{"message":"Key sand...0ken and sandbox may not"}');
shows($list, qr/Key sand\.\.\.0ken and sandbox may not/, 'a few characters that tell which key is meant are shown');
fault('kind=garbage');
shows($list, qr/The body is not/, 'an answer that is no JSON');
fault('kind=body', qq({"data":"$right"}));
shows($list, qr/broke the contract/, 'an answer that repeats the token and is no list');
fault('kind=body', qq({"data":[{"id":"1"}],"hasMore":true,"next":"$right"}));
shows($list, qr/broke the contract/, 'a cursor that is the token');
fault("kind=status&arg=429&retry_after=$right");
shows($list, qr/rate limit|refused/, 'a Retry-After that is the token');
fault('kind=stall');
shows("SET statement_timeout = '500ms'; $list", qr/canceling statement due to statement timeout/, 'a timeout');

# A session that is waiting for an answer, looked at from outside and inside.
fault('kind=stall');
my $session = $node->background_psql('postgres', on_error_stop => 0);
my $pid = $session->query('SELECT pg_backend_pid()');
$session->query_until(qr/go/, "\\echo go\n$list;\n");
$node->poll_query_until('postgres',
	"SELECT count(*) = 1 FROM pg_stat_activity WHERE pid = $pid AND wait_event = 'Extension'")
  or die 'the statement does not wait';
shows('SELECT query, backend_type FROM pg_stat_activity', qr/communication_opt_outs/, 'pg_stat_activity');
like(slurp_file("/proc/$pid/cmdline") =~ tr/\0/ /r, qr/postgres.*SELECT/, 'the process title');
unlike(slurp_file("/proc/$pid/cmdline"), $token, 'no token in the process title');
$node->safe_psql('postgres', "SELECT pg_log_backend_memory_contexts($pid), pg_cancel_backend($pid)");
$session->query('SELECT 1');
$shown .= $session->{stderr};
$session->quit;

# All forms of EXPLAIN, plans that are kept, and what a session can look at of itself.
for my $format ('text', 'xml', 'json', 'yaml')
{
	shows("EXPLAIN (VERBOSE, ANALYZE, SETTINGS, BUFFERS, WAL, FORMAT $format) $list WHERE identifier = 'a'", qr/Remote.Request/,
		"EXPLAIN, format $format");
	shows("EXPLAIN (VERBOSE, FORMAT $format) DELETE FROM secrets.communication_opt_outs WHERE identifier = 'a'",
		qr/Remote/, "EXPLAIN DELETE, format $format");
}
shows("LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_analyze = on;
	SET auto_explain.log_verbose = on; SET client_min_messages = log; $list", qr/Remote Request/, 'auto_explain');
shows("SET plan_cache_mode = force_generic_plan; PREPARE p(text) AS $list WHERE identifier = \$1;
	EXPLAIN (VERBOSE) EXECUTE p('a'); EXECUTE p('a'); TABLE pg_prepared_statements", qr/search=\$1/, 'a generic plan');
shows("BEGIN; DECLARE c CURSOR FOR SELECT * FROM secrets.communication_opt_outs; FETCH 1 FROM c; $add;
	TABLE pg_cursors; TABLE pg_backend_memory_contexts; SELECT * FROM dnc_fdw_pending()",
	qr/dnc_fdw/, 'the memory contexts of a session in the midst of a scan');
shows("SELECT * FROM pg_foreign_server, pg_foreign_table; SELECT * FROM pg_settings WHERE name LIKE 'dnc%'", qr/provider=alta/,
	'catalogs and settings');

# Our own tables: the queue's, and those of mirrors, which have a hash.
shows("SELECT dnc_fdw_mirror_create('secrets.communication_opt_outs'); CALL dnc_fdw_mirror_refresh('secrets.communication_opt_outs');
	$add", qr/^a\@example.com$/m, 'a mirror, and a write');
shows("ALTER SERVER secrets OPTIONS (ADD write_mode 'queue'); $add; TABLE dnc_fdw_queue_waiting; CALL dnc_fdw_deliver('secrets');
	TABLE dnc_fdw_queue_finished; TABLE dnc_fdw_mirror_lists; TABLE dnc_fdw_pass_log; ALTER SERVER secrets OPTIONS (DROP write_mode)",
	qr/waiting.*done.*\|[0-9a-f]{32}\n.*secrets\.communication_opt_outs/s, 'the tables of the queue and of mirrors');

# A token that does not go with its workspace is refused without being shown.
shows('SELECT * FROM platform', qr/needs the option "workspace_id"/, 'a platform key without its workspace');
shows('SELECT * FROM workspace', qr/must not have the option "workspace_id"/, 'a workspace where none goes');

# Others see that there is a user mapping, and not what is in it.
shows("SET ROLE somebody; TABLE $_", qr/secrets/, "$_ for another role")
  for 'pg_user_mappings', 'information_schema.user_mapping_options';
shows('SET ROLE somebody; SELECT count(*), count(umoptions) FROM pg_user_mappings', qr/^5\|0$/m,
	'another role sees umoptions as NULL');
shows('SET ROLE somebody; TABLE pg_user_mapping', qr/permission denied/, 'another role does not see pg_user_mapping');

# Members of pg_read_all_data do: docs/security.md says so, and what to do.
like($node->safe_psql('postgres', 'CREATE ROLE reader IN ROLE pg_read_all_data; SET ROLE reader; TABLE pg_user_mapping'), $token,
	'a member of pg_read_all_data sees pg_user_mapping');
unlike($node->safe_psql('postgres', 'SET ROLE reader; TABLE pg_user_mappings'), $token, 'and not pg_user_mappings');

# An identifier that stands in a table is searched for, or written: the request
# is named in the error, but not the identifier.
my $person = 'somebody.searched@example.com';
$node->safe_psql('postgres', "INSERT INTO wanted VALUES ('$person')");
my ($after_insert, $errors) = (-s $node->logfile, '');
$dnc->take_log('secrets');
for my $fault ('status&arg=503', 'garbage', 'cut')
{
	for my $clause ('WHERE identifier = (SELECT identifier FROM wanted)', 'NATURAL JOIN wanted')
	{
		fault("kind=$fault");
		$errors .= shows("$list $clause", qr/CONTEXT:.*page 1 of the list of server "secrets"/s,
			"$fault to a search: $clause");
	}
}
like($dnc->control('GET', 'alta/secrets/log'), qr/search=somebody.searched/, 'it was searched for');
fault('kind=status&arg=503&method=POST');
$errors .= shows(q{INSERT INTO secrets.communication_opt_outs (identifier, identifier_type)
	SELECT identifier, 'email' FROM wanted}, qr/CONTEXT:.*request POST/s, 'status 503 to a write');
unlike($errors, qr/somebody.searched/, 'no identifier in an error');
my $log_after_insert = slurp_file($node->logfile, $after_insert);
unlike($log_after_insert, qr/somebody.searched/, 'no identifier in the log');
is(scalar(() = $log_after_insert =~ /LOG:  00000: request to server "secrets": /g),
	scalar(() = $dnc->control('GET', 'alta/secrets/log') =~ /^\w/mg), 'a line a request');

# An id in a path is not shown either.
$dnc->control('POST', 'weya/secrets/fill?count=1');
my ($id) = $dnc->control('GET', 'weya/secrets/entries') =~ /"_id":"(\w+)"/;
my $before_delete = -s $node->logfile;
shows('WITH gone AS (DELETE FROM by_id RETURNING 1) SELECT count(*) FROM gone', qr/^1$/m, 'a removal by id');
like($dnc->control('GET', 'weya/secrets/log'), qr{^DELETE /api/dnc/delete/$id }m, 'its id was sent');
my $of_delete = slurp_file($node->logfile, $before_delete);
like($of_delete, qr/request to server "by_id": DELETE \/api\/dnc\/delete\/\{\}, status 200, /, 'the line of it');
unlike($of_delete, qr/$id/, 'no id in the log');

my $requests = $dnc->control('GET', 'alta/secrets/log?bodies=1');
$dnc->stop_sandbox;
shows($list, qr/could not connect to server "secrets"/, 'a server that is down');

my $log = slurp_file($node->logfile, $offset);
like($log, qr/DEBUG:.*\{FOREIGNSCAN.*HTTP status 401.*LOCATION: /s, 'the log has everything');
unlike($log, $token, 'no token in the log');

# dnc_fdw.log_requests: a line a request, in the log only.
my $line = qr{LOG:  00000: request to server "secrets": (?:GET|POST) /dnc/communication-opt-outs};
like($log, qr/$line, $_, \d+\.\d ms, \d+ bytes\n/, "a request is logged: $_")
  for 'status 200', 'status 403', 'status 503', 'answer cut off', 'connection broken', 'no connection', 'given up';
unlike($log, qr/LOG:  00000: request to server .*\n(?:.*LOCATION: .*\n)?.*(?:STATEMENT|CONTEXT): /, 'without statement and context');
unlike($shown, qr/request to server "secrets": /, 'and not on the screen');
unlike($shown, $token, 'no token on the screen');
unlike($requests, $token, "no token in the sandbox's log");
unlike(slurp_file(DncTest::sandbox_output_file()), $token, "no token in the sandbox's output");

$node->stop;
done_testing();
