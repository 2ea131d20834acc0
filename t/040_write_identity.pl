# What is added is what somebody goes by, and what is removed is the entry that was seen:
# key columns, blanks around identifiers, ids that no path can hold.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use DncVendors;
use PostgreSQL::Test::Utils;
use Test::More;

my $dnc = DncTest->new;
my $node = $dnc->node;

for my $name (DncVendors::names())
{
	my $now = "CREATE SCHEMA ${name}_now; IMPORT FOREIGN SCHEMA dnc FROM SERVER $name INTO ${name}_now;
		ALTER FOREIGN TABLE ${name}_now.communication_opt_outs OPTIONS (ADD write_mode 'immediate')";

	$node->safe_psql('postgres', DncVendors::server($name, $name, $dnc->url, 'ids', "max_retries '0', requests_per_minute '0'") . qq{
		CREATE SCHEMA $name;
		IMPORT FOREIGN SCHEMA dnc FROM SERVER $name INTO $name;
		$now;
	});
}

sub clear { my ($name) = @_; $dnc->control('DELETE', "$name/ids"); return }

# What has been written, a line a request.
sub written { my ($name) = @_; return join "\n", grep { !/^GET/ } split /\n/, $dnc->control('GET', "$name/ids/log?bodies=1") }

# The identifiers that are listed.
sub listed
{
	my ($name) = @_;
	my $member = DncVendors::members('identifier');
	my @found = $dnc->control('GET', "$name/ids/entries") =~ /"$member":"([^"]*)"/g;

	return join ' ', sort @found;
}

sub insert_of
{
	my ($name, $literal, $more) = @_;
	my $type = DncVendors::has_type($name, 'phone') ? "'phone'" : undef;

	return "INSERT INTO $name.communication_opt_outs (" . DncVendors::insert_columns($name) . ') VALUES (' . DncVendors::insert_values($name, $literal, $type) . ') ' . ($more // '');
}

# Is a message given, and nothing else?
sub refused
{
	my ($statements, $pattern, $what) = @_;

	like($dnc->gives($statements), qr/^ERROR:  $pattern/, $what);
	return;
}

# ---- blanks and invisible characters

my %around = ('blanks' => q{'  15550001  '}, 'a line break' => q{E'15550002\\r\\n'}, 'NBSP' => q{U&'15550003\00A0'},
	'zero-width space' => q{U&'\200B15550004'}, 'BOM and ideographic space' => q{U&'\FEFF\300015550005'},
	'a tag character' => q{U&'15550006\+0E0020'}, 'isolates' => q{U&'\2066' || '15550007' || U&'\2069'});

for my $name (DncVendors::names())
{
	my %want;

	clear($name);
	for my $what (sort keys %around)
	{
		my ($number) = $around{$what} =~ /(1555000\d)/;

		$want{$number} = 1;
		my $said = $dnc->gives(insert_of($name, $around{$what}, 'RETURNING identifier'));
		like($said, qr/^$number\n/, "$name: $what: RETURNING gives what was sent");
		like($said, qr/NOTICE:  00000: blanks or invisible characters around an identifier are taken off/, "$name: $what: said");
	}
	is(listed($name), join(' ', sort keys %want), "$name: listed without them");
	for my $nothing (q{'   '}, q{E'\\t\\n'}, q{U&'\00A0\200B\FEFF'}, q{''})
	{
		refused(insert_of($name, $nothing), '22023: empty value in column "identifier"', "$name: $nothing is refused");
		refused(insert_of("${name}", $nothing) =~ s/\Q$name.\E/${name}_now./r, '22023: empty value', "$name: $nothing is refused at once");
	}
	is(listed($name), join(' ', sort keys %want), "$name: and nothing of it was sent");
}

# Within an identifier all stays as it is; many rows are announced once.
clear('alta');
is($dnc->gives(insert_of('alta', q{'a b' || U&'\200D' || 'c'})), '', 'inside, nothing is taken off');
is(listed('alta'), "a b\xE2\x80\x8Dc", 'and it is listed so');
my $many = $dnc->gives(q{INSERT INTO alta.communication_opt_outs (identifier, identifier_type)
	SELECT ' ' || n || '@test ', 'email' FROM generate_series(1, 50) n});
is(scalar(() = $many =~ /NOTICE/g), 1, 'one NOTICE a statement');
is($dnc->gives("COPY alta.communication_opt_outs (identifier, identifier_type) FROM stdin;\n copied\@test \temail\n\\.\n") =~ /NOTICE/, 1, 'COPY says so too');
like(listed('alta'), qr/(?<![^ ])copied\@test(?![^ ])/, 'and trims');

# ---- key columns

for my $type ('bigint', 'numeric', 'varchar(20)', 'char(20)', 'name', 'bytea', 'json')
{
	$node->safe_psql('postgres', "DROP FOREIGN TABLE IF EXISTS typed; CREATE FOREIGN TABLE typed (identifier $type, identifier_type text) SERVER alta");
	refused("INSERT INTO typed SELECT NULL, 'phone'", 'HV005: cannot add entries through column "identifier" of foreign table "typed"', "identifier $type: refused");
	refused("COPY typed FROM stdin;\n\\.\n", 'HV005: cannot add', "identifier $type: COPY is refused");
}
$node->safe_psql('postgres', q{
	CREATE TYPE kind AS ENUM ('phone', 'email');
	CREATE DOMAIN address AS varchar CHECK (value <> 'nowhere');
	CREATE FOREIGN TABLE typed_type (identifier text, identifier_type varchar(5)) SERVER alta;
	CREATE FOREIGN TABLE good (identifier address, identifier_type kind) SERVER alta;
	CREATE TABLE parent (identifier bigint, identifier_type text, source text) PARTITION BY LIST (source);
	CREATE FOREIGN TABLE part PARTITION OF parent FOR VALUES IN ('alta') SERVER alta});
refused("INSERT INTO typed_type VALUES ('1', 'phone')", 'HV005: cannot add entries through column "identifier_type"', 'identifier_type varchar(5): refused');
refused("INSERT INTO parent VALUES (1, 'phone', 'alta')", 'HV005: cannot add', 'routed: refused');
clear('alta');
is($dnc->gives("INSERT INTO good VALUES ('+15550001', 'phone')"), '', 'a domain and an enum are texts');
is(listed('alta'), '+15550001', 'and what they hold is sent');

# ---- ids that no path can hold

for my $id ('a/b', '..', 'a\\\\b', 'a\\tb', 'long' x 600)
{
	clear('weya');
	$dnc->control('PUT', 'weya/ids/entries', '[' . join(',', map { qq({"_id":"$_","phoneNumber":"1555$_"}) } 'x1', 'x2', $id, 'x3') . ']');
	$dnc->control('DELETE', 'weya/ids/log');
	refused("$_; COMMIT", '22023: server "weya" cannot be asked for an entry with such an id', "$_: $id is refused")
	  for 'BEGIN; DELETE FROM weya.communication_opt_outs', "BEGIN; DELETE FROM weya_now.communication_opt_outs";
	is(written('weya'), '', 'and nothing was sent');
}

# ---- the entry that was seen is removed, whatever the table's columns

# An entry of alta's list, each with an id of its own.
my $made = 0;

sub entry
{
	my ($identifier, $type, $label) = @_;
	my $id = sprintf '00000000-0000-4000-8000-%012x', ++$made;

	return qq({"id":"$id","objectType":"communicationOptOut","identifier":"$identifier","identifierType":"$type",)
	  . qq("label":"@{[ $label // '' ]}","isManuallyAdded":true,"createdAt":"2025-01-01T00:00:00Z","updatedAt":"2025-01-01T00:00:00Z"});
}

sub fill_alta
{
	clear('alta');
	$dnc->control('PUT', 'alta/ids/entries', '[' . join(',', @_) . ']');
	$dnc->control('DELETE', 'alta/ids/log');
	return;
}

# The bodies of removals from alta, as "identifier type", sorted.
sub removed { return join ', ', sort map { /"identifier":"([^"]*)","identifierType":"([^"]*)"/ ? "$1 $2" : $_ } grep { /^DELETE|^\{/ } split /\n/, written('alta') }

$node->safe_psql('postgres', q{
	CREATE FOREIGN TABLE numbers (identifier bigint, identifier_type text) SERVER alta;
	CREATE FOREIGN TABLE cut (identifier varchar(3), label text) SERVER alta;
	CREATE FOREIGN TABLE labels (label text) SERVER alta;
	CREATE FOREIGN TABLE labels_now (label text) SERVER alta OPTIONS (write_mode 'immediate');
	CREATE FOREIGN TABLE ids (identifier text, label text) SERVER alta;
	CREATE TABLE contacts (identifier text, n int);
	INSERT INTO contacts SELECT 'p' || (n % 7) || '@test', n FROM generate_series(1, 30) n;
	ANALYZE contacts;
	CREATE FUNCTION keep_some() RETURNS trigger LANGUAGE plpgsql AS
	  $$ BEGIN IF OLD.label = 'kept' THEN RETURN NULL; END IF; RETURN OLD; END $$});
my @phones = (entry('+15550001', 'phone', 'a'), entry('15550001', 'phone', 'b'), entry('+15550002', 'phone', 'c'), entry('15550001', 'sms', 'd'));

fill_alta(@phones);
is($dnc->gives("WITH d AS (DELETE FROM numbers WHERE identifier_type = 'phone' RETURNING identifier) SELECT string_agg(identifier::text, ' ') FROM d"),
	'15550001 15550001 15550002', 'bigint: RETURNING gives what the column holds');
is(removed(), '+15550001 phone, +15550002 phone, 15550001 phone', 'and the entries go as they are listed');
is(listed('alta'), '15550001', 'the others stay');
fill_alta(@phones);
for my $table ('labels', 'labels_now')
{
	fill_alta(@phones);
	is($dnc->gives("DELETE FROM $table WHERE label IN ('a', 'd')"), '', "$table: no column of the key");
	is(removed(), '+15550001 phone, 15550001 sms', "$table: the entries that were seen go");
	fill_alta(map { entry("p$_\@test", 'email', $_) } 1 .. 3000);
	is($dnc->gives(qq{SET work_mem = '64kB'; ALTER SERVER alta OPTIONS (ADD page_size '100');
		WITH d AS (DELETE FROM $table USING (SELECT n FROM generate_series(1, 3000) n ORDER BY n % 7, n DESC) g
		  WHERE label::int + 1 = g.n + 1 AND label::int % 300 = 7 RETURNING label) SELECT string_agg(label, ' ' ORDER BY label::int) FROM d;
		ALTER SERVER alta OPTIONS (DROP page_size)}), '7 307 607 907 1207 1507 1807 2107 2407 2707', "$table: sorted and joined beyond work_mem");
	is(removed(), join(', ', sort map { "p$_\@test email" } 7, 307, 607, 907, 1207, 1507, 1807, 2107, 2407, 2707), "$table: the right ones");
}

# A nested loop that runs the scan again, from the rows that it has kept on disk.
fill_alta(map { entry("p$_\@test", 'email', $_) } 1 .. 3000);
is($dnc->gives(q{SET work_mem = '64kB'; SET enable_material = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_sort = off;
	WITH d AS (DELETE FROM labels USING generate_series(5, 7) g WHERE label::int = g * 400 RETURNING label) SELECT string_agg(label, ' ' ORDER BY label) FROM d}),
	'2000 2400 2800', 'a scan that is run again');
is(removed(), 'p2000@test email, p2400@test email, p2800@test email', 'and its kept rows are told apart');

# Lookups, one after the other, and again.
fill_alta(map { entry("p$_\@test", 'email', $_) } 1 .. 20);
is($dnc->gives(q{SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_memoize = off; ALTER SERVER alta OPTIONS (ADD estimated_rows '1000000');
	DELETE FROM ids USING contacts c WHERE ids.identifier = c.identifier AND c.n > 9; ALTER SERVER alta OPTIONS (DROP estimated_rows)}), '', 'lookups');
is(removed(), join(', ', map { "p$_\@test email" } 1 .. 6), 'each goes once');

# Row triggers, a prepared statement, additions of the transaction itself.
$node->safe_psql('postgres', 'CREATE TRIGGER keep BEFORE DELETE ON labels FOR EACH ROW EXECUTE FUNCTION keep_some()');
fill_alta(entry('x@test', 'email', 'kept'), entry('y@test', 'email', 'gone'), entry('z@test', 'sms', 'gone'));
is($dnc->gives(q{SET plan_cache_mode = force_generic_plan; PREPARE p(text) AS DELETE FROM labels WHERE label >= $1; EXECUTE p('gone')}), '', 'a row trigger');
is(removed(), 'y@test email, z@test sms', 'keeps what it keeps');
fill_alta(entry('x@test', 'email', 'listed'));
is($dnc->gives(q{BEGIN; INSERT INTO alta.communication_opt_outs (identifier, identifier_type, label) VALUES ('own@test', 'sms', 'own'), ('more@test', 'sms', 'more');
	DELETE FROM labels WHERE label = 'own' RETURNING *; COMMIT}), 'own', 'an addition of the transaction is taken back');
is(listed('alta'), 'more@test x@test', 'and that one only');

# ctid is nobody else's.
refused($_, '0A000: cannot use column "ctid"', $_) for 'SELECT ctid FROM labels', "DELETE FROM labels WHERE ctid = '(0,1)'",
	'DELETE FROM labels USING contacts c WHERE labels.ctid = c.ctid';

# ---- partitions without the key's columns

clear('weya');
$node->safe_psql('postgres', q{
	CREATE TABLE all_lists (identifier text, source text) PARTITION BY LIST (source);
	CREATE FOREIGN TABLE all_weya PARTITION OF all_lists FOR VALUES IN ('weya') SERVER weya;
	CREATE FOREIGN TABLE all_alta (source text, identifier text) SERVER alta;
	ALTER TABLE all_lists ATTACH PARTITION all_alta FOR VALUES IN ('alta');
	CREATE TABLE all_ours PARTITION OF all_lists FOR VALUES IN ('ours');
	INSERT INTO all_ours VALUES ('15550001', 'ours'), ('15550002', 'ours')});
$dnc->control('PUT', 'weya/ids/entries', '[' . join(',', map { qq({"_id":"65a00000000000000000000$_","phoneNumber":"1555000$_"}) } 1 .. 3) . ']');
fill_alta(@phones);
$dnc->control('DELETE', 'weya/ids/log');
is($dnc->gives(q{WITH d AS (DELETE FROM all_lists WHERE identifier LIKE '1555%1' RETURNING tableoid::regclass AS list, identifier)
	SELECT string_agg(list || ' ' || identifier, ', ' ORDER BY list::text, identifier) FROM d}),
	'all_alta 15550001, all_alta 15550001, all_ours 15550001, all_weya 15550001', 'a partitioned table: foreign and local ones');
is(written('weya') =~ s/ \d+.*//r, 'DELETE /api/dnc/delete/65a000000000000000000001', 'weya: by the id, without a column for it');
is(removed(), '15550001 phone, 15550001 sms', 'alta: by the type, without a column for it');
is($node->safe_psql('postgres', 'SELECT count(*) FROM all_ours'), '1', 'and the local row');

# ---- a removal that would take more than the statement means

sub sendkit_entry { my ($n, $email, $type) = @_; return qq({"_id":"id$n","email":"$email","entryType":"$type"}) }
$node->safe_psql('postgres', q{
	CREATE FOREIGN TABLE emails (identifier text) SERVER sendkit;
	CREATE TABLE by_type (identifier text, identifier_type text) PARTITION BY LIST (identifier_type);
	CREATE FOREIGN TABLE of_emails PARTITION OF by_type FOR VALUES IN ('email') SERVER sendkit});

sub fill_sendkit
{
	clear('sendkit');
	$dnc->control('PUT', 'sendkit/ids/entries', '[' . join(',', sendkit_entry(1, 'dup.example', 'domain'), sendkit_entry(2, 'Dup.example', 'email'),
		sendkit_entry(3, 'one.example', 'domain'), sendkit_entry(4, 'two@test', 'email')) . ']');
	$dnc->control('DELETE', 'sendkit/ids/log');
	return;
}

for my $schema ('sendkit', 'sendkit_now')
{
	my $list = "$schema.communication_opt_outs";

	for my $where ("identifier_type = 'email'", "identifier = 'dup.example' AND identifier_type = 'domain'", "id = 'id1'",
		"identifier_type = ANY (ARRAY['email', 'sms'])", "identifier LIKE 'Dup%'")
	{
		fill_sendkit();
		refused("BEGIN; DELETE FROM $list WHERE $where; COMMIT", '0A000: the deletion would take entries of server "sendkit" that it does not mean', "$schema: $where");
		is(written('sendkit'), '', "$schema: and nothing was sent");
	}
	for my $where ("lower(identifier) = 'dup.example'", "identifier_type IN ('email', 'domain')", 'true')
	{
		fill_sendkit();
		is($dnc->gives("DELETE FROM $list WHERE $where"), '', "$schema: $where takes all of it");
		is(listed('sendkit') =~ /dup/i, '', "$schema: and it is gone");
	}
	fill_sendkit();
	is($dnc->gives("DELETE FROM $list WHERE identifier_type = 'email' AND identifier <> 'Dup.example'"), '', "$schema: entries of one type only");
	is(listed('sendkit'), 'Dup.example dup.example one.example', "$schema: go alone");
}
fill_sendkit();
is($dnc->gives("DELETE FROM emails WHERE identifier IN ('one.example', 'two\@test')"), '', 'a table without a column for the type');
is(listed('sendkit'), 'Dup.example dup.example', 'takes what it has seen');
refused("DELETE FROM emails WHERE identifier = 'Dup.example'", '0A000: the deletion would take', 'and no more');
is($dnc->gives(q{BEGIN; DELETE FROM sendkit.communication_opt_outs WHERE lower(identifier) = 'dup.example';
	INSERT INTO sendkit.communication_opt_outs (identifier, identifier_type) VALUES ('dup.example', 'email');
	DELETE FROM sendkit.communication_opt_outs WHERE identifier_type = 'email'; COMMIT}), '', 'what the transaction has removed does not count');

# ---- a list behind a partition has entries of others

$node->safe_psql('postgres', q{
	CREATE TABLE parted (identifier text, identifier_type text, label text) PARTITION BY LIST (identifier_type);
	CREATE FOREIGN TABLE p_email PARTITION OF parted FOR VALUES IN ('email') SERVER alta;
	CREATE FOREIGN TABLE p_phone PARTITION OF parted FOR VALUES IN ('phone') SERVER alta;
	CREATE FOREIGN TABLE p_now PARTITION OF parted FOR VALUES IN ('sms') SERVER alta OPTIONS (write_mode 'immediate');
	CREATE TABLE wrong (identifier text, source text) PARTITION BY LIST (source);
	CREATE FOREIGN TABLE p_wrong PARTITION OF wrong FOR VALUES IN ('elsewhere') SERVER alta});
my @mixed = (entry('a@test', 'email', 'x'), entry('+1555', 'phone', 'x'), entry('+1556', 'phone', 'y'), entry('+1557', 'sms', 'x'));
my $rows = q{SELECT string_agg(identifier, ' ' ORDER BY identifier) FROM };

sub outside { my ($table) = @_; return qr/WARNING:  23514: foreign table "$table" has entries outside of its bound as a partition/ }

fill_alta(@mixed);
is($dnc->gives("$rows p_email"), 'a@test', 'a scan leaves out what is outside of the bound');
is($dnc->gives("$rows parted"), '+1555 +1556 +1557 a@test', 'through the parent, each comes once');
is($dnc->gives('SELECT count(*) FROM p_phone'), '2', 'counting follows');
is($dnc->gives("SELECT identifier FROM p_email LIMIT 1"), 'a@test', 'LIMIT');
is($dnc->gives("BEGIN; DELETE FROM p_phone WHERE label = 'y'; INSERT INTO parted VALUES ('b\@test', 'email'), ('+1558', 'phone'); $rows p_email; $rows p_phone; ROLLBACK"),
	"a\@test b\@test\n+1555 +1558", "and so do the transaction's own writes");
is($dnc->gives("ANALYZE p_phone; SELECT reltuples FROM pg_class WHERE relname = 'p_phone';
	SELECT n_distinct FROM pg_stats WHERE tablename = 'p_phone' AND attname = 'identifier_type'"), "2\n-0.5", 'ANALYZE: one type for two entries');
for my $statement ("DELETE FROM p_email WHERE identifier LIKE '+%'", "DELETE FROM p_email WHERE identifier_type = 'phone'",
	"DELETE FROM p_now WHERE identifier = '+1555' AND identifier_type = 'phone'")
{
	fill_alta(@mixed);
	is($dnc->gives($statement), '', $statement);
	is(written('alta'), '', 'removes nothing of other partitions');
}
is($dnc->gives("DELETE FROM p_email"), '', 'DELETE of all');
is(removed(), 'a@test email', 'removes what is within');
fill_alta(@mixed);
is($dnc->gives("DELETE FROM p_now WHERE identifier = '+1557' AND identifier_type = 'sms'"), '', 'by the key');
is(join(' ', map { (split)[0] } split /\n/, $dnc->control('GET', 'alta/ids/log')), 'DELETE', 'without a look, where the clauses imply the bound');

# An entry of a type that no vendor documents may be in no partition at all.
fill_alta(@mixed, entry('C@test', 'Email', 'x'));
like($dnc->gives("$rows p_email"), qr/^C\@test a\@test\n@{[ outside('p_email') ]}/, 'a type that is not documented is shown');
like($dnc->gives("DELETE FROM p_email WHERE label = 'x'"), qr/ERROR:  23514: cannot delete an entry outside of the bound of partition "p_email"/, 'and not removed');
is(written('alta'), '', 'nothing is');

# A bound that no entry can meet hides nothing.
fill_alta(@mixed);
like($dnc->gives("$rows p_wrong"), qr/^\+1555 \+1556 \+1557 a\@test\n@{[ outside('p_wrong') ]}/, 'a wrong source: all is shown');
like($dnc->gives('DELETE FROM p_wrong'), qr/ERROR:  23514: cannot delete/, 'and nothing is removed');
is(written('alta'), '', 'indeed');
fill_sendkit();
is($dnc->gives("$rows of_emails"), 'Dup.example two@test', 'sendkit: a partition of emails');
refused('DELETE FROM of_emails', '0A000: the deletion would take', 'which must not remove a domain');

# ---- numbers in all spellings: what has the key of an addition, or its text but for a plus, is not
# removed, all else is

# Keys are made for few of the writes, which must not show.  The list itself tells each spelling's key.
{
	my @forms = ('+1212555%04d', '1212555%04d', '+1 (212) 555-%04d', '0012125%06d', '212 555 %04d', '+1 212 555 %04d ext 5', 'tel:+1-212-555-%04d', '212.555.%04d',
		'+49 (0)30 90%04d', '+4930 90%04d', '004930-90%04d', '030/90%04d', '+44 20 7946 %04d', '+247 4%04d', '+2474%04d', '+247-4-%04d', '%04d', '+39 0%06d', '+49 %04d', '%04d@x.org', '+1 212 FLO %04d');
	my %key;
	my $table = 'alta.communication_opt_outs';
	my @spellings = map { my $form = $_; map { sprintf $form, $_ } 1 .. 12 } @forms;
	my $insert = sub { return "INSERT INTO $table (identifier, identifier_type) VALUES " . join ', ', map { "('$_', 'phone')" } @_ };
	my $seed = $ENV{DNC_MODEL_SEED} || 20251127;

	clear('alta');
	$node->safe_psql('postgres', $insert->(@spellings));
	%key = map { split /\|/ } split /\n/, $node->safe_psql('postgres', "SELECT identifier, match_key FROM $table");
	srand $seed;
	for my $part (0.05, 0.5, 0.95)
	{
		my @added = grep { rand() < $part } @spellings;
		my %added = map { $_ => 1 } @added;
		my @listed = grep { !$added{$_} } @spellings;
		my %is_added = map { $key{$_} => 1, lc s/^\++//r => 1 } @added;
		my @expected = sort grep { !$is_added{ $key{$_} } && !$is_added{ lc s/^\++//r } } @listed;

		cmp_ok(scalar @expected, '<', scalar @listed, scalar(@added) . ' additions have keys of ' . scalar(@listed) . ' removals');
		clear('alta');
		$node->safe_psql('postgres', $insert->(@listed));
		is($node->safe_psql('postgres', "BEGIN; DELETE FROM $table; @{[ $insert->(@added) ]};
			SELECT identifier FROM dnc_fdw_pending() WHERE action = 'delete' ORDER BY identifier COLLATE \"C\"; ROLLBACK"),
			join("\n", @expected), "all others are removed, seed $seed");
	}
}

# ---- without the library for numbers: what may be the same number is not removed

SKIP:
{
	my $run = DncTest->without_phone_library($node, 'postgres') or skip 'an installation of another layout', 2;
	my @spellings = ('+1 (212) 555-0003', '12125550003', '+12125550003 ext 5', '1-800-FLOWERS', '+12125550009', '5550003');
	my $list = 'alta.communication_opt_outs';
	my $insert = "INSERT INTO $list (identifier, identifier_type) VALUES";
	my $identifiers = join ', ', map { "('$_', 'phone')" } @spellings;
	my $delete = "DELETE FROM $list WHERE identifier IN (" . join(', ', map { "'$_'" } @spellings) . ", 'bob\@x.org')";

	clear('alta');
	$node->safe_psql('postgres', "$insert $identifiers, ('bob\@x.org', 'email')");
	$node->stop;
	my $deleted_and = sub {
		my ($added) = @_;
		my $out = $run->("BEGIN\n$delete\n$insert $added\nSELECT action || ' ' || identifier AS write FROM dnc_fdw_pending()");

		return join ', ', $out =~ /write = "(.*?)"/g;
	};
	is($deleted_and->("('+12125550003', 'sms')"), 'delete +12125550009, delete bob@x.org, add +12125550003', 'numbers with the same last digits stay, and those that have letters');
	is($deleted_and->("('+1 212 FLOWERS', 'phone'), ('Bob\@x.org', 'phone')"), 'add +1 212 FLOWERS, add Bob@x.org', 'and all numbers, if the one that is added has letters');
}

$dnc->stop;
done_testing();
