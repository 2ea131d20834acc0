# The extended query protocol, as drivers such as JDBC's use it: prepared statements
# with values and results in binary, portals that are read a few rows at a time, several
# of them at once, pipelines.  The sandbox's log says when what was asked for.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use JSON::PP qw(decode_json);
use PgWire;
use PostgreSQL::Test::Utils;
use Test::More;

my $dnc = DncTest->new;
my $node = $dnc->node;
my $list = 'alta.communication_opt_outs';
my $insert = "INSERT INTO $list (identifier, identifier_type) VALUES (\$1, 'email')";

$dnc->make_server('alta', 350, "max_retries '0'");
$node->safe_psql('postgres', q{
	CREATE FOREIGN TABLE whole (attrs jsonb, identifier text) SERVER alta;
	CREATE FOREIGN TABLE now (identifier text, identifier_type text) SERVER alta OPTIONS (write_mode 'immediate');
});

my $wire = PgWire->new($node);

# Answers as text: names; of rows, errors and ends also what they say.
sub told
{
	return join ' ', map {
		my $answer = $_;
		$answer->{name} eq 'DataRow' ? join('|', map { $_ // 'NULL' } @{ $answer->{values} })
		: $answer->{name} eq 'ErrorResponse' ? "error $answer->{fields}{C}"
		: $answer->{name} eq 'CommandComplete' ? "[$answer->{tag}]"
		: $answer->{name} eq 'ReadyForQuery' ? "ready $answer->{state}"
		: $answer->{name};
	} @_;
}

sub names { return join ' ', map { $_->{name} } grep { $_->{name} ne 'DataRow' } @_ }
sub rows { return scalar grep { $_->{name} eq 'DataRow' } @_ }

# Gets so many rows of a portal, and how it ended.
sub fetch
{
	my ($portal, $count) = @_;
	my @answers;

	$wire->execute($portal, $count)->flush;
	push @answers, $wire->answer until @answers && $answers[-1]{name} =~ /^(?:PortalSuspended|CommandComplete|ErrorResponse)$/;
	return @answers;
}

# How many requests there were by now, and the log is empty again.
sub requests { return scalar(() = $dnc->take_log('alta') =~ /^GET /mg) }

# ----- values -----

$wire->parse('one', "SELECT id, identifier, is_manually_added, created_at, label FROM $list WHERE identifier = \$1");
my ($parameters, $columns) = grep { $_->{types} } $wire->describe_statement('one')->sync->answers;
is("@{ $parameters->{types} }", '25', 'Describe knows the type of the parameter');
is("@{ $columns->{types} }", '2950 25 16 1184 25', 'and those of the columns');
is($dnc->take_log('alta'), '', 'Parse and Describe send nothing');

$wire->bind_portal('', 'one', [ 'person000001@example.com' ], 1)->execute('', 0)->sync;
my ($row) = grep { $_->{values} } $wire->answers;
my ($id, $identifier, $manual, $created, $label) = @{ $row->{values} };
like(unpack('H*', $id), qr/^[0-9a-f]{32}$/, 'binary: uuid');
is($identifier, 'person000001@example.com', 'binary: text');
is(unpack('C', $manual), 1, 'binary: boolean');
is(unpack('q>', $created), (1735689660 - 946684800) * 1_000_000, 'binary: timestamptz, microseconds since 2000');
is($label, undef, 'binary: NULL');
$wire->bind_portal('', 'one', [ 'person000001@example.com' ])->execute('', 0)->sync;
($row) = grep { $_->{values} } $wire->answers;
is($row->{values}[0] =~ tr/-//dr, unpack('H*', $id), 'text: the same uuid');
is(join('|', @{ $row->{values} }[ 2, 3 ]), 't|2025-01-01 00:01:00+00', 'text: boolean and timestamptz');
$wire->parse('', 'SELECT attrs FROM whole WHERE identifier = $1')->bind_portal('', '', [ 'person000001@example.com' ], 1)->execute('', 0)->sync;
($row) = grep { $_->{values} } $wire->answers;
my ($version, $text) = unpack 'C a*', $row->{values}[0];
is("$version " . decode_json($text)->{identifier}, '1 person000001@example.com', 'binary: jsonb');

# ----- a prepared statement's values go into each request -----

$dnc->take_log('alta');
my $answers = '';
for my $number (1 .. 7)
{
	$wire->bind_portal('', 'one', [ "visitor-$number" ], 1)->execute('', 0)->sync;
	$answers .= names($wire->answers) . "\n";
}
is($answers, "BindComplete CommandComplete ReadyForQuery\n" x 7, 'seven executions');
is(join(' ', $dnc->take_log('alta') =~ /search=(\S+)/g), join(' ', map { "visitor-$_" } 1 .. 7), 'each asks for its value');
like(told($wire->query(q{SELECT generic_plans > 0 FROM pg_prepared_statements WHERE name = 'one'})), qr/ t /, 'of a generic plan in the end');
for my $mode ('force_generic_plan', 'force_custom_plan')
{
	$wire->query("SET plan_cache_mode = $mode");
	$wire->bind_portal('', 'one', [$mode])->execute('', 0)->sync->answers;
	like($dnc->take_log('alta'), qr/^GET \S*search=\Q$mode\E [^\n]*\n$/, $mode);
}
$wire->query('RESET plan_cache_mode');
$wire->bind_portal('', 'one', [undef])->execute('', 0)->sync;
is(told($wire->answers) . $dnc->take_log('alta'), 'BindComplete [SELECT 0] ready I', 'of NULL nothing is asked');

# ----- portals -----

$wire->query('BEGIN');
$wire->parse('all', "SELECT identifier FROM $list")->bind_portal('p', 'all')->flush->answers('BindComplete');
is($dnc->take_log('alta'), '', 'Bind sends nothing');
my @some = fetch(p => 40);
is(rows(@some) . ' ' . names(@some), '40 PortalSuspended', 'a portal gives as many rows as are asked for');
is(requests(), 1, 'of one page');
@some = fetch(p => 60);
is(rows(@some) . ' ' . names(@some) . ' ' . requests(), '60 PortalSuspended 0', 'all of it, without another request');
@some = fetch(p => 1);
is(rows(@some), 1, 'the next row takes the next page');
cmp_ok(requests(), '<=', 2, 'and asks for one ahead at the most');
@some = fetch(p => 0);
is(rows(@some) . ' ' . names(@some), '249 CommandComplete', 'drained to its end');
is(told(fetch(p => 5)), '[SELECT 0]', 'where nothing follows');
$dnc->take_log('alta');

# Two at once, in turns; one is closed early, and the other one read to its end.
$wire->bind_portal('a', 'all')->bind_portal('b', 'all')->flush->answers('BindComplete', 2);
my %seen;
for my $round (1 .. 3)
{
	for my $portal ('a', 'b')
	{
		push @{ $seen{$portal} }, map { $_->{values}[0] } grep { $_->{values} } fetch($portal => 30);
	}
}
is(requests(), 2, 'two portals read a page each');
is_deeply($seen{a}, $seen{b}, 'the same one');
is(scalar(@{ $seen{a} }), 90, 'in turns');
$wire->close_portal('a')->flush->answers('CloseComplete');
@some = fetch(b => 0);
is(rows(@some) . ' ' . names(@some), '260 CommandComplete', 'one is closed, the other read to its end');
is(requests(), 3, 'by three more pages, none of them for the closed one');
is(told($wire->sync->answers), 'ready T', 'the transaction is well');
$wire->query('COMMIT');

# COMMIT, ROLLBACK and errors with portals open, a page being under way.
for my $end ('COMMIT', 'ROLLBACK')
{
	$wire->query('BEGIN');
	$wire->bind_portal('p', 'all')->flush->answers('BindComplete');
	fetch(p => 120);
	is(told($wire->query($end)), "[$end] ready I", "$end with an open portal");
	like(told($wire->execute('p', 1)->sync->answers), qr/^error 34000 ready I$/, "$end has closed it");
}
$dnc->take_log('alta');

# A portal does not outlive Sync where there is no transaction block.
$wire->bind_portal('p', 'all')->execute('p', 10)->sync;
@some = $wire->answers;
is(rows(@some) . ' ' . names(@some) . ' ' . requests(), '10 BindComplete PortalSuspended ReadyForQuery 1', 'ten rows, one request, and Sync');

# An error in the midst of a portal: nothing is done until Sync.
$wire->query('BEGIN');
$wire->bind_portal('p', 'all')->flush->answers('BindComplete');
fetch(p => 100);
$dnc->control('POST', 'alta/alta/fault?kind=status&arg=400');
is(told(fetch(p => 0)), 'error HV00L', 'an error on the second page');
$wire->execute('p', 0)->bind_portal('q', 'all')->sync;
is(told($wire->answers), 'ready E', 'what follows is not done before Sync');
is(told($wire->query('ROLLBACK')), '[ROLLBACK] ready I', 'and ROLLBACK is');

# statement_timeout, of a page that does not come.
$wire->query('BEGIN');
$wire->bind_portal('p', 'all')->flush->answers('BindComplete');
is(rows(fetch(p => 100)), 100, 'a first page');
$wire->query("SET statement_timeout = '1s'");
$dnc->control('POST', 'alta/alta/fault?kind=stall');
is(told(fetch(p => 0), $wire->sync->answers), 'error 57014 ready E', 'statement_timeout ends a portal whose page does not come');
$wire->query('ROLLBACK; RESET statement_timeout');

# ----- writes -----

$dnc->control('DELETE', 'alta/alta');
$wire->parse('add', $insert)->sync->answers;

# Several before one Sync are one transaction, which ends with it.
$wire->bind_portal('', 'add', ["$_\@test"])->execute('', 0) for 'a', 'b', 'c';
$wire->flush;
is(told($wire->answers('CommandComplete', 3)), join(' ', ('BindComplete [INSERT 0 1]') x 3), 'three rows, before Sync');
is($dnc->take_log('alta'), '', 'nothing is sent before Sync');
is(told($wire->sync->answers), 'ready I', 'Sync');
is($dnc->take_log('alta'), "POST /dnc/communication-opt-outs 200 entries=3\n", 'sends them, in one request');

# A bad one among them takes them all back.
$wire->bind_portal('', 'add', [$_])->execute('', 0) for 'd@test', '', 'e@test';
is(told($wire->sync->answers), 'BindComplete [INSERT 0 1] BindComplete error 22023 ready I', 'a bad row: the rest is not done');
is($dnc->take_log('alta'), '', 'and nothing is sent');

# Sending fails at Sync: the answers to the statements are there already.
$dnc->control('POST', 'alta/alta/fault?kind=status&arg=400&method=POST');
$wire->bind_portal('', 'add', ['f@test'])->execute('', 0)->sync;
is(told($wire->answers), 'BindComplete [INSERT 0 1] error HV00L ready I', 'an error of sending comes after CommandComplete');
$dnc->control('POST', 'alta/alta/fault?kind=stall&method=POST');
$wire->query("SET statement_timeout = '2s'");
$wire->bind_portal('', 'add', ['f@test'])->execute('', 0)->sync;
is(told($wire->answers), 'BindComplete [INSERT 0 1] error 57014 ready I', 'so does a timeout');
$wire->query('RESET statement_timeout');
$dnc->take_log('alta');

# A row limit does not stop a write in its middle.
$wire->parse('', "INSERT INTO $list (identifier, identifier_type) SELECT n || '\@many', 'email' FROM generate_series(1, 5) n RETURNING identifier");
$wire->bind_portal('', '')->execute('', 2)->sync;
is(told($wire->answers), 'ParseComplete BindComplete 1@many 2@many PortalSuspended ready I', 'two rows of RETURNING');
is($dnc->take_log('alta'), "POST /dnc/communication-opt-outs 200 entries=5\n", 'of five that are added');

# Reading between writes of a pipeline.
$wire->bind_portal('', 'add', ['g@test'])->execute('', 0)->parse('', "SELECT identifier FROM $list WHERE identifier = 'g\@test'")
  ->bind_portal('', '')->execute('', 0)->parse('', "DELETE FROM $list WHERE identifier = 'g\@test'")->bind_portal('', '')->execute('', 0)->sync;
is(told($wire->answers), 'BindComplete [INSERT 0 1] ParseComplete BindComplete g@test [SELECT 1] ParseComplete BindComplete [DELETE 1] ready I',
	'a pipeline sees what it has written');
unlike($dnc->take_log('alta'), qr/POST|DELETE/, 'what was taken back is not sent');

# Immediate writes of a pipeline go out one after the other, and stay.
$wire->parse('', q{DELETE FROM now WHERE identifier = $1 AND identifier_type = 'email'});
$wire->bind_portal('', '', [$_])->execute('', 0) for 'a@test', 'nobody@test', 'b@test';
is(told($wire->sync->answers), 'ParseComplete BindComplete [DELETE 1] BindComplete [DELETE 0] BindComplete [DELETE 1] ready I', 'removals by key, with values');
is($dnc->take_methods('alta'), 'DELETE DELETE DELETE', 'a request each');

# Whoever goes away without COMMIT has written nothing.
$wire->query('BEGIN');
is(told($wire->bind_portal('', 'add', ['gone@test'])->execute('', 0)->sync->answers), 'BindComplete [INSERT 0 1] ready T', 'a row');
$wire->terminate;
is($dnc->take_log('alta'), '', 'is not sent where the client goes away');

$dnc->stop;
done_testing();
