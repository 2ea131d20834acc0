# A write counts as made only if its answer says so in the vendor's words, and a removal
# whose answer was lost is not sent again before we have looked.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use DncVendors;
use PostgreSQL::Test::Utils;
use Test::More;
use POSIX ();
use Time::HiRes qw(sleep time);

my $dnc = DncTest->new;
my $node = $dnc->node;

for my $name (DncVendors::names())
{
	$node->safe_psql('postgres', DncVendors::server($name, $name, $dnc->url, 'answers', "requests_per_minute '0', max_retries '2'") . qq{
		CREATE SCHEMA $name; CREATE SCHEMA ${name}_now;
		IMPORT FOREIGN SCHEMA dnc FROM SERVER $name INTO $name;
		IMPORT FOREIGN SCHEMA dnc FROM SERVER $name INTO ${name}_now;
		ALTER FOREIGN TABLE ${name}_now.communication_opt_outs OPTIONS (ADD write_mode 'immediate')});
}

# A list of entries, and no faults.
sub begin_with
{
	my ($name, $count) = @_;

	$dnc->control('DELETE', "$name/answers");
	$dnc->control('POST', "$name/answers/fill?count=$count") if $count;
	return;
}

sub fault { my ($name, $fault, $body) = @_; $dnc->control('POST', "$name/answers/fault?$fault", $body); return }
sub count { my ($name) = @_; return $dnc->control('GET', "$name/answers/count") + 0 }
sub methods { my ($name) = @_; return join ' ', $dnc->control('GET', "$name/answers/log") =~ /^(\w+)/mg }

# The command tag of a statement, or its error.
sub tag
{
	my ($statements) = @_;
	my ($stdout, $stderr) = ('', '');

	$node->psql('postgres', $statements, stdout => \$stdout, stderr => \$stderr, on_error_stop => 0,
		extra_params => [ '-v', 'QUIET=off', '-v', 'VERBOSITY=verbose' ]);
	return "$stdout\n$stderr";
}

my $add = q{(identifier, identifier_type) VALUES ('new@example.com', 'email')};
my $key = q{identifier = 'person000001@example.com' AND identifier_type = 'email'};

# ---- success is what the vendor says it is

my @unbelieved = (
	[ 'kind=html', '', 'a web page' ],
	[ 'kind=not_success', '', 'the API says that it has failed' ],
	[ 'kind=body', '{"error":"nope"}', 'an error in the body' ],
	[ 'kind=body', '{"success":false}', 'no success in the body' ],
	[ 'kind=body', '{"success":"true"', 'half a body' ],
	[ 'kind=body&arg=202', '{"success":true}', 'accepted is not done' ]);
for my $case (@unbelieved)
{
	my ($fault, $body, $what) = @$case;

	for my $schema ('alta', 'alta_now')
	{
		begin_with('alta', 3);
		fault('alta', "$fault&method=POST", $body);
		like(tag("INSERT INTO $schema.communication_opt_outs $add"), qr/ERROR:  08P01: server "alta" broke the contract/,
			"$schema, INSERT: $what");
		begin_with('alta', 3);
		fault('alta', "$fault&method=DELETE&times=9", $body);
		like(tag("DELETE FROM $schema.communication_opt_outs WHERE $key"), qr/ERROR:  08P01: server "alta" broke the contract/,
			"$schema, DELETE: $what");
		is(count('alta'), 3, 'and the entry is listed');
	}
}
for my $believed ([ 'kind=empty', '' ], [ 'kind=body', 'OK' ], [ 'kind=body', '{"success":true,"error":null}' ])
{
	begin_with('alta', 3);
	fault('alta', "$believed->[0]&method=POST", $believed->[1]);
	like(tag("INSERT INTO alta_now.communication_opt_outs $add"), qr/^INSERT 0 1\n/, "$believed->[0] $believed->[1] is success");
}
for my $name (grep { $DncVendors::vendors{$_}{success} } DncVendors::names())
{
	my $columns = '(' . DncVendors::insert_columns($name) . ') VALUES (' . DncVendors::insert_values($name, "'+15559990001'") . ')';

	begin_with($name, 3);
	fault($name, 'kind=body&arg=202&method=POST', '{"success":true,"status":true,"message":"queued"}');
	like(tag("INSERT INTO ${name}_now.communication_opt_outs $columns"), qr/ERROR:  08P01/, "$name: accepted is not done");
}

# ---- a 404 is the vendor's, or counts for nothing

for my $body ([ 'kind=html&arg=404', '' ], [ 'kind=body&arg=404', '{"message":"no Route matched with those values"}' ],
	[ 'kind=body&arg=404', '' ])
{
	for my $statement ("DELETE FROM alta.communication_opt_outs WHERE $key", "DELETE FROM alta_now.communication_opt_outs WHERE $key",
		'DELETE FROM weya.communication_opt_outs WHERE identifier IN (SELECT min(identifier) FROM weya.communication_opt_outs)')
	{
		my ($name) = $statement =~ /FROM ([a-z]+)/;

		begin_with($name, 3);
		fault($name, "$body->[0]&method=DELETE&times=9", $body->[1]);
		like(tag($statement), qr/ERROR:  08P01: .*in the form of the API's errors/s, "a 404 of somebody else, '$body->[1]': $statement");
		is(count($name), 3, 'the entry is listed');
	}
}
begin_with('alta', 3);
like(tag(q{DELETE FROM alta_now.communication_opt_outs WHERE identifier = 'nobody@example.com' AND identifier_type = 'email'}),
	qr/^DELETE 0\n$/, "the vendor's own 404");

# ---- skipped additions

begin_with('sendkit', 3);
fault('sendkit', 'kind=skip');
like(tag(q{INSERT INTO sendkit.communication_opt_outs (identifier, identifier_type) VALUES ('acme.example', 'email')}),
	qr/WARNING:  01000: server "sendkit" has skipped 1 of 1 additions/, 'what is skipped is said');
like(tag(q{INSERT INTO sendkit.communication_opt_outs (identifier, identifier_type) VALUES ('acme.example', 'email');
	INSERT INTO sendkit.communication_opt_outs (identifier, identifier_type) VALUES ('acme.example', 'domain')}),
	qr/WARNING:  01000: server "sendkit" has skipped 1 of 1 additions/, 'a domain that is listed as an email is skipped');
begin_with('sendkit', 0);
for my $more ('', ' ON CONFLICT DO NOTHING')
{
	like(tag(qq{BEGIN; INSERT INTO sendkit.communication_opt_outs (identifier, identifier_type) VALUES ('acme.example', 'email');
		INSERT INTO sendkit.communication_opt_outs (identifier, identifier_type) VALUES ('acme.example', 'domain')$more; COMMIT}),
		qr/ERROR:  23505: an entry is added with two types/, "one transaction knows of both$more");
}
is(count('sendkit'), 0, 'nothing was sent');
like(tag(q{INSERT INTO sendkit.communication_opt_outs (identifier, identifier_type) VALUES ('a@example.com', 'email')}),
	qr/^INSERT 0 1\n$/, 'no warning where nothing is skipped');

# ---- a removal whose answer is lost

for my $kind ('lost', 'status&arg=503', 'status&arg=500')
{
	begin_with('alta', 3);
	$dnc->control('DELETE', 'alta/answers/log');
	fault('alta', "kind=$kind&method=DELETE");
	like(tag("DELETE FROM alta_now.communication_opt_outs WHERE $key"), qr/^DELETE 1\n$/, "$kind: the entry is removed");
	is(methods('alta'), $kind eq 'lost' ? 'DELETE GET' : 'DELETE GET DELETE', 'we look, and send it again only where the entry is still listed');
	is(count('alta'), 2, 'once');
}

# Somebody adds it again before we know.
begin_with('alta', 3);
$dnc->control('PUT', 'alta/answers/config?latency_ms=700');
fault('alta', 'kind=lost&method=DELETE');
{
	my $pid = fork // die "fork: $!";

	if ($pid == 0)
	{
		my $result = tag("DELETE FROM alta_now.communication_opt_outs WHERE $key");

		append_to_file("$PostgreSQL::Test::Utils::tmp_check/removal", $result);
		POSIX::_exit(0);
	}
	$dnc->poll(sub { count('alta') == 2 });
	my $now = POSIX::strftime('%Y-%m-%dT%H:%M:%S.000Z', gmtime);
	$dnc->control('PUT', 'alta/answers/entries', qq{[{"id":"00000000-0000-4000-8000-000000000001","objectType":"communication_opt_out",
		"identifier":"person000001\@example.com","identifierType":"email","isManuallyAdded":true,"createdAt":"$now","updatedAt":"$now"}]});
	waitpid $pid, 0;
	like(slurp_file("$PostgreSQL::Test::Utils::tmp_check/removal"), qr/ERROR:  HV00N: .*taken is not known/s, 'it is not known whether that is the entry that was meant');
}
is(count('alta'), 3, 'who was added again stays');
$dnc->control('PUT', 'alta/answers/config?latency_ms=0');

# Weya's removals are by id, so sent again they take nothing else.
begin_with('weya', 3);
fault('weya', 'kind=lost&method=DELETE');
like(tag('DELETE FROM weya_now.communication_opt_outs WHERE id = (SELECT min(id) FROM weya_now.communication_opt_outs)'), qr/^DELETE 1\n$/, 'weya: a 404 to the second try');
is(count('weya'), 2, 'it was removed');

# No request of sendkit's looks an email up.
begin_with('sendkit', 3);
fault('sendkit', 'kind=lost&method=DELETE');
$dnc->control('DELETE', 'sendkit/answers/log');
like(tag('DELETE FROM sendkit.communication_opt_outs'), qr/ERROR:  HV00N: .*Whether the last request, with 3 of them, was taken is not known/s, 'sendkit: it is said that it is not known');
unlike(methods('sendkit'), qr/DELETE.*DELETE/, 'and not sent again');

# Additions that the second try skips may be those of the first one, whose answer was lost.
begin_with('sendkit', 3);
fault('sendkit', 'kind=lost&method=POST');
fault('sendkit', 'kind=status&arg=400&method=DELETE');
like(tag(q{BEGIN; INSERT INTO sendkit.communication_opt_outs (identifier, identifier_type) VALUES ('n1@x.org', 'email'), ('n2@x.org', 'email');
	DELETE FROM sendkit.communication_opt_outs WHERE identifier LIKE 'person%'; COMMIT}),
	qr/had taken 0 of 2 additions and 0 of 2 deletions\. Whether the last request, with 2 of them, was taken is not known\./, 'sendkit: additions that were skipped after a lost answer');
is(count('sendkit'), 5, 'which were made');

# ---- counts

begin_with('weya', 0);
fault('weya', 'kind=status&arg=500&method=POST');
fault('weya', 'kind=not_success&method=POST&times=3');
like(tag(q{INSERT INTO weya.communication_opt_outs (identifier, batch_id, request_uuid)
	SELECT '+1555999000' || n, 'b', 'u' || n FROM generate_series(1, 4) n}), qr/DETAIL:  [^\n]*had taken 0 of 4 additions/, 'what failed is not counted');

begin_with('alta', 3);
my $nobody = join '; ', map { "DELETE FROM alta_now.communication_opt_outs WHERE identifier = 'nobody$_\@example.com' AND identifier_type = 'email'" } 1 .. 5;
unlike(tag("BEGIN; $nobody; SELECT 1/0; COMMIT"), qr/keeps/, 'what was not listed is not kept');
like(tag("BEGIN; $nobody; DELETE FROM alta_now.communication_opt_outs WHERE $key; SELECT 1/0; COMMIT"),
	qr/WARNING:  01000: server "alta" keeps what was sent to it at once \(additions: 0, deletions: 1\)/, 'what was removed is');
begin_with('alta', 3);
like(tag("ALTER SERVER alta OPTIONS (ADD max_deletes '1'); BEGIN; $nobody; DELETE FROM alta_now.communication_opt_outs WHERE $key; COMMIT"),
	qr/DELETE 1\nCOMMIT\n$/, 'and uses up max_deletes');
$node->safe_psql('postgres', 'ALTER SERVER alta OPTIONS (DROP max_deletes)');

# ---- interrupts

begin_with('weya', 0);
fault('weya', 'kind=status&arg=500&method=POST');
fault('weya', 'kind=stall&method=POST&times=3');
my $begin = time;
like(tag(q{SET statement_timeout = '2s'; INSERT INTO weya.communication_opt_outs (identifier, batch_id, request_uuid)
	SELECT '+1555999000' || n, 'b', 'u' || n FROM generate_series(1, 4) n}), qr/ERROR:  57014: canceling statement due to statement timeout/, 'a failure, and others stall');
cmp_ok(time - $begin, '<', 20, 'it ends');

begin_with('alta', 3);
$begin = time;
like(tag(q{BEGIN; INSERT INTO alta.communication_opt_outs (identifier, identifier_type)
	SELECT 'same@example.com', 'email' FROM generate_series(1, 100000);
	SELECT count(*) FROM alta.communication_opt_outs WHERE identifier = 'same@example.com'; ROLLBACK}), qr/\n1\nROLLBACK/, 'an entry is added 100,000 times');
cmp_ok(time - $begin, '<', 60, 'that is not quadratic');

# ---- a session that is terminated

my %at_once = (
	'alta' => 'DELETE FROM alta.communication_opt_outs', 'alta_now' => 'DELETE FROM alta_now.communication_opt_outs',
	'in a subtransaction' => 'BEGIN; SAVEPOINT s; DELETE FROM alta_now.communication_opt_outs; COMMIT');
for my $schema (sort keys %at_once)
{
	my $offset = -s $node->logfile;
	my $pid;

	begin_with('alta', 3);
	fault('alta', 'kind=stall&method=DELETE&at=2');
	$pid = fork // die "fork: $!";
	if ($pid == 0)
	{
		tag("SET application_name = 'terminated'; $at_once{$schema}");
		POSIX::_exit(0);
	}
	$node->safe_psql('postgres', "ALTER SERVER alta OPTIONS (SET max_retries '0')");
	$dnc->poll(sub { count('alta') == 1 });
	$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'terminated'");
	waitpid $pid, 0;
	like(slurp_file($node->logfile, $offset), qr/LOG:  writes to Do-Not-Contact lists were cut off, since the session was terminated\n.*DETAIL:  Server "alta" had taken 2 (?:of 3 )?deletions/,
		"$schema: the log says what was taken");
}

$dnc->stop;
done_testing();
