# write_mode 'immediate', max_deletes, and the memory that writes take while they wait: as
# docs/transactions.md has it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncLists qw(transaction here control reset_lists listed count writes emails gives);
use DncTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $dnc = DncTest->new;
my $node = $dnc->node;
DncLists::set_up($dnc, 'tx', here => 1, options => "max_retries '0', max_concurrency '4'", tables => { list => '', now => "write_mode 'immediate'" });

my $delete = q{DELETE FROM alta.list WHERE identifier LIKE 'person%'};
my $all = 'SELECT identifier FROM alta.list ORDER BY 1';
sub insert { my ($name, $table) = @_; return 'INSERT INTO ' . ($table // 'alta.list') . " (identifier, identifier_type) VALUES ('$name', 'email')" }

# ---- write_mode 'immediate'

reset_lists(alta => 25);
like(gives("BEGIN; INSERT INTO here VALUES ('x'); " . insert('c', 'alta.now') . '; ' . insert('d', 'alta.now') .
	q{; DELETE FROM alta.now WHERE identifier LIKE 'person00000%'; ROLLBACK}),
	qr/WARNING:  01000: server "alta" keeps what was sent to it at once \(additions: 2, deletions: 9\)\n/, 'immediate: ROLLBACK says what stays');
is(listed('alta'), 'c d ' . emails(10, 25), 'immediate: and it does');
is(here(), 0, 'immediate: nothing here');
unlike(gives('BEGIN;' . insert('e', 'alta.now') . '; COMMIT'), qr/./, 'immediate: COMMIT says nothing');

# All of the list is read before the first removal.
reset_lists(alta => 25);
gives(q{BEGIN; ALTER SERVER alta OPTIONS (ADD page_size '10'); DELETE FROM alta.now; COMMIT; ALTER SERVER alta OPTIONS (DROP page_size)});
is(join(' ', map { /^(\w+)/ } split /\n/, control('GET', 'alta', '/log')), join(' ', ('GET') x 3, ('DELETE') x 25),
	'immediate: removals go out when the scan is over');
is(count('alta'), 0, 'immediate: all of them');

# An error in the middle.
reset_lists();
control('POST', 'alta', '/fault?kind=status&arg=400&method=POST&at=3');
$node->safe_psql('postgres', q{ALTER FOREIGN TABLE alta.now OPTIONS (ADD batch_size '2')});
like(gives(q{INSERT INTO alta.now SELECT n || '@test', 'email' FROM generate_series(1, 9) n}),
	qr/DETAIL:  HTTP status 400.* Server "alta" had taken 4 additions of this transaction by then\./, 'immediate: DETAIL counts');
is(listed('alta'), join(' ', map { "$_\@test" } 1 .. 4), 'immediate: what was taken');
like(gives(q{INSERT INTO alta.now SELECT n || '@test', CASE WHEN n = 8 THEN 'fax' ELSE 'email' END FROM generate_series(5, 9) n}),
	qr/^(?=.*WARNING:  01000: server "alta" keeps what was sent to it at once \(additions: 2, deletions: 0\))(?=.*ERROR:  22023)/s, 'immediate: a bad row in the middle');
is(listed('alta'), join(' ', map { "$_\@test" } 1 .. 6), 'immediate: what was taken before it');
reset_lists(alta => 1);
$node->safe_psql('postgres', insert('z'));
is(gives(q{WITH d AS (DELETE FROM alta.now WHERE identifier = 'z' RETURNING *) INSERT INTO alta.now SELECT * FROM d}), '',
	'immediate: WITH deletes and adds again');
is(listed('alta'), emails(1, 1) . ' z', 'immediate: what is added again is listed');

# Writes that wait and writes that do not.
reset_lists(alta => 1);
like(gives('BEGIN;' . insert('c') . ';' . insert('d', 'alta.now') . '; COMMIT'), qr/ERROR:  0A000: cannot write to foreign table "now" at once/,
	'immediate: not after writes that wait');
like(gives('BEGIN;' . insert('c') . q{; DELETE FROM alta.now WHERE identifier = 'x' AND identifier_type = 'email'; COMMIT}), qr/ERROR:  0A000/,
	'immediate: nor by key');
is(listed('alta'), emails(1, 1), 'immediate: and nothing was sent');
is(gives('BEGIN;' . insert('c', 'alta.now') . ';' . insert('d') . "; $all; COMMIT"), "c\nd\n" . emails(1, 1), 'writes that wait, after others');

# ---- max_deletes: before anything is sent

reset_lists(alta => 8, sendkit => 8);
$node->safe_psql('postgres', q{ALTER SERVER alta OPTIONS (ADD max_deletes '5')});
like(gives(transaction(insert('c'), 'DELETE FROM sendkit.list', $delete)), qr/ERROR:  54000.*"alta".*\nDETAIL:  There are 8, and max_deletes is 5\. None of them was sent\./,
	'max_deletes at COMMIT');
is(join("\n", writes('alta'), writes('sendkit')), '', 'max_deletes: nothing was sent to any server');
is(here() . ' ' . count('alta') . ' ' . count('sendkit'), '0 8 8', 'max_deletes: nothing is done');
sub remove { my ($from, $to) = @_; return sprintf q{DELETE FROM alta.now WHERE identifier BETWEEN 'person%06d' AND 'person%06dz'}, $from, $to }
like(gives('BEGIN;' . remove(1, 3) . ';' . remove(4, 5) . ';' . remove(6, 6)),
	qr/^(?=.*ERROR:  54000.*\nDETAIL:  There are 6, 5 of them sent by earlier statements, and max_deletes is 5\. None of the others was sent\.)(?=.*keeps.*additions: 0, deletions: 5)/s,
	'max_deletes counts over the statements of a transaction');
is(listed('alta'), emails(6, 8), 'max_deletes: the first five are gone');
$node->safe_psql('postgres', q{ALTER SERVER alta OPTIONS (DROP max_deletes)});

# ---- memory

reset_lists();
my $session = $node->background_psql('postgres');
my $backend = $session->query('SELECT pg_backend_pid()');
$session->query(q{BEGIN; INSERT INTO alta.list SELECT format('firstname.lastname%s@mail.example.com', n), 'email' FROM generate_series(1, 1000000) n});
my $text = $session->query(q{SELECT sum(length(format('firstname.lastname%s@mail.example.com', n)) + length('email')) FROM generate_series(1, 1000000) n});
my $used = $session->query(q{SELECT sum(total_bytes) FROM pg_backend_memory_contexts WHERE name LIKE 'dnc_fdw%'});
cmp_ok(($used - $text) / 1e6, '<=', 200, sprintf 'a waiting entry takes %.0f bytes beyond its text', ($used - $text) / 1e6);
$session->query('COMMIT');
my ($peak) = slurp_file("/proc/$backend/status") =~ /^VmHWM:\s+(\d+) kB/m;
cmp_ok($peak, '<', 400 * 1024, sprintf '1,000,000 added entries commit within 400 MB: %.0f MB', $peak / 1024);
is(count('alta'), 1_000_000, 'all of them are listed');
is(scalar(writes('alta')), 2000, 'after 2,000 requests');
$session->quit;

$dnc->stop;
done_testing();
