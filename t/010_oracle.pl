# An oracle: the same entries in a foreign table and in a local copy of it give
# the same rows, whatever is asked, and however the planner goes about it.  The
# identifiers are parts of each other and full of what patterns, URLs and SQL
# give a meaning to; clauses and joins are random, with a seed.  Shapes that run a
# scan again take no more requests than they may.  DNC_ORACLE_SEED is another seed,
# DNC_ORACLE_SHAPES how many shapes there are.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use JSON::PP;
use List::Util qw(shuffle);
use PostgreSQL::Test::Utils;
use Test::More;

my $clauses = 260;    # for each table and setting
my $settings = 3;      # for each kind of join and table

# All strings here are bytes, and UTF-8.
no warnings 'qw';
my @pieces = (
	qw(a an anna Anna ANNA nna + +1 1555 15550001 % _ %% an_a a%a \ \\\\ \% & = a&b=c ? # / ; ' '' " {a,b} null
	   %25 %20 @ anna@example.com ANNA@example.com example.com .com 0 00 000), ' ', '  ', ',', "\t", "\n",
	"\xc3\xa4", "\xc3\x84", "stra\xc3\x9fe", "\xc4\xb0", "\xe2\x84\xaa", "\xc5\xbf", "e\xcc\x81", "\xc3\xa9",
	"\xe6\x97\xa5", "\xf0\x9f\x98\x80", "\xc2\xa0", 'k', 'i');
my @types = qw(email linkedin phone sms whatsapp web_chat);
my @reasons = ('customer_request', 'Customer_Request', 'STOP', 'stop', '1555', 'anna', 'a%a', '');
my (%texts, @script, %told);    # texts of a column; what psql is to do; clauses by number
my %bound;    # requests at the most, by number of the clause

srand($ENV{DNC_ORACLE_SEED} // 20250301);
sub pick { return $_[ int(rand(@_)) ] }
sub chance { return rand() < $_[0] }

# ---- the lists

my @identifiers = (@pieces, '', 'x' x 1030, 'anna ', ' anna');
push @identifiers, join('', map { pick(@pieces) } 1 .. 2 + int(rand(2))) for 1 .. 190;
push @identifiers, map { pick(0, 1) ? uc : lc } map { pick(@identifiers) } 1 .. 40;

my $dnc = DncTest->new;
my $node = $dnc->node;
my $json = JSON::PP->new->canonical;
my $number = 0;

# Puts entries on an account's list; the member that has a time is the same for all.
sub put
{
	my ($account, @entries) = @_;

	$_->{createdAt} = '2025-01-01T00:00:00.000Z' for @entries;
	$dnc->control('PUT', "$account/entries", $json->encode(\@entries));
	return;
}

# As Perl's characters, which JSON::PP makes UTF-8 of; NULL stays NULL.
sub characters
{
	my ($bytes) = @_;

	utf8::decode($bytes) if defined $bytes;
	return $bytes;
}

$json->utf8;
$dnc->control('POST', "$_/oracle/fill?count=60") for 'alta', 'weya', 'sendkit';
put('alta/oracle', map { {
	id => sprintf('00000000-0000-4000-8000-%012d', ++$number), objectType => 'CommunicationOptOut',
	identifier => characters($_), identifierType => pick(@types, @types, 'telegram', 'Email'),
	label => characters(pick(undef, @identifiers)), isManuallyAdded => JSON::PP::false,
	updatedAt => '2025-01-01T00:00:00.000Z' } } @identifiers, @identifiers[ 0 .. 30 ]);
put('weya/oracle', map { {
	_id => sprintf('%024x', ++$number), phoneNumber => characters($_), orgId => 'org', batchId => 'batch',
	type => characters(pick(undef, @reasons)),
	requestUUID => characters(pick(undef, @identifiers)) } } @identifiers);
put('weya/oracle', { _id => 'f' x 24, phoneNumber => '', orgId => 'org', batchId => 'batch', requestUUID => 'a' });
put('sendkit/oracle', map { {
	_id => sprintf('%024x', ++$number), email => characters($_), entryType => pick('email', 'domain', 'Email'),
	reason => characters(pick(undef, @reasons)) } } @identifiers);

# ---- the tables: foreign ones, and in schema local a copy of each

my $url = $dnc->url;
my $create = q{CREATE DATABASE oracle TEMPLATE template0 ENCODING 'UTF8' LOCALE };
$node->safe_psql('postgres', "$create 'C'")
	if $node->psql('postgres', "$create 'C.UTF-8'") != 0;
my $enum = join ', ', map { "'$_'" } @types, 'telegram', 'Email', 'domain', 'fax';
my $alta = 'identifier text, identifier_type text, label text, id text) SERVER alta OPTIONS (search_match';
$node->safe_psql('oracle', qq{
	ALTER DATABASE oracle SET jit = off;
	CREATE EXTENSION dnc_fdw;
	CREATE DOMAIN address AS varchar CHECK (value <> 'nowhere');
	CREATE TYPE kind AS ENUM ($enum);
	CREATE SERVER alta FOREIGN DATA WRAPPER dnc_fdw
	  OPTIONS (provider 'alta', base_url '$url/alta/v1', requests_per_minute '0');
	CREATE SERVER weya FOREIGN DATA WRAPPER dnc_fdw
	  OPTIONS (provider 'weya', base_url '$url/weya', page_size '130');
	CREATE SERVER sendkit FOREIGN DATA WRAPPER dnc_fdw
	  OPTIONS (provider 'sendkit', base_url '$url/sendkit', page_size '90');
	CREATE USER MAPPING FOR CURRENT_USER SERVER alta OPTIONS (token 'sandbox-oracle');
	CREATE USER MAPPING FOR CURRENT_USER SERVER weya OPTIONS (token 'sandbox-oracle');
	CREATE USER MAPPING FOR CURRENT_USER SERVER sendkit OPTIONS (token 'sk_oracle');
	CREATE SCHEMA local;
	CREATE FOREIGN TABLE alta_exact ($alta 'exact');
	CREATE FOREIGN TABLE alta_prefix ($alta 'prefix');
	CREATE FOREIGN TABLE alta_substring ($alta 'substring');
	CREATE FOREIGN TABLE alta_small ($alta 'exact', estimated_rows '390');
	CREATE FOREIGN TABLE alta_typed (identifier address, identifier_type kind, label varchar(2000), id uuid)
	  SERVER alta OPTIONS (search_match 'substring');
	CREATE FOREIGN TABLE weya (identifier text, identifier_type text, reason text, request_uuid varchar, id text)
	  SERVER weya;
	CREATE FOREIGN TABLE sendkit (identifier text, identifier_type text, reason text, id text) SERVER sendkit;
} . join '', map { "CREATE TABLE local.$_ AS SELECT * FROM $_; ANALYZE local.$_;" }
	qw(alta_exact alta_prefix alta_substring alta_small alta_typed weya sendkit));
my %columns = (alta => [qw(identifier identifier identifier_type identifier_type label)],
	weya => [qw(identifier identifier identifier_type reason request_uuid)],
	sendkit => [qw(identifier identifier_type identifier_type reason)]);

%texts = (identifier => \@identifiers, identifier_type => [ @types, 'domain', 'telegram', 'Email', 'fax' ],
	label => \@identifiers, reason => [ @reasons, 'anna ' ], request_uuid => [ @identifiers ]);

# ---- random clauses

my ($typed, $parameters);    # the table with an enum; values of $1..., or undef for none

sub quoted
{
	my ($text) = @_;

	return 'NULL' unless defined $text;
	return "'" . $text =~ s/'/''/gr . "'";
}

# A text that a column has, or almost, or not.
sub text_for
{
	my ($column) = @_;
	my $text = pick(@{ $texts{$column} });

	return $text if chance(0.7) || ($typed && $column eq 'identifier_type');
	return pick(undef, '', lc $text, uc $text, "$text ", substr($text, 0, 3) =~ s/[\x80-\xff]+//gr,
		pick(@pieces), pick(@identifiers));
}

# An expression for a text: a constant of some type, a parameter, a subquery.
sub value
{
	my ($text, $type) = @_;
	my $constant = quoted($text);

	if ($parameters && chance(0.6))
	{
		push @$parameters, [ $constant, $type ];
		return '$' . @$parameters . "::$type";
	}
	return pick($constant, $constant, "$constant\::$type", "(SELECT $constant\::$type)") if $type eq 'kind';
	return pick($constant, $constant, "$constant\::text", "$constant\::varchar", "(SELECT $constant\::text)",
		"format('%s', $constant\::text)", "lower($constant)", "$constant COLLATE \"C\"",
		"$constant\::char(6)", "coalesce($constant, 'anna')", "$constant\::name");
}

# A LIKE pattern made of a column's texts; it does not end in a lone backslash.
sub pattern
{
	my ($column) = @_;
	my $text = text_for($column) // 'anna';

	$text = substr($text, 0, 1 + int(rand(6))) if $text !~ /[\x80-\xff]/ && chance(0.5);
	$text =~ s/([%_\\])/\\$1/g if chance(0.5);
	$text =~ s/([a-z])/pick("\\$1", '_', '%', $1)/ie if chance(0.3);
	$text = pick('', '', '', '%', '_', '%%') . $text . pick('', '%', '%', '_', '%_');
	$text .= '%' if $text =~ /(?<!\\)(\\\\)*\\\z/;
	return $text;
}

# A condition on one column.
sub condition
{
	my ($name) = @_;
	my $type = $typed && $name eq 'identifier_type' && chance(0.6) ? 'kind' : 'text';
	my $column = $type eq 'kind' ? $name : $typed ? "$name\::text" : $name;
	my @some = map { text_for($name) } 1 .. 1 + int(rand(5));
	my $list = join ', ', map { value($_, $type) =~ s/ COLLATE "C"//r } @some;
	my $array = 'ARRAY[' . join(', ', map { quoted($_) } @some) . "]::$type\[]";
	my $one = value(text_for($name), $type);
	my $like = value(pattern($name), 'text') =~ s/(?<=')::(name|char\(6\))//r;

	$column = "$name\::" . pick('text', 'varchar') if $type eq 'text' && chance(0.15);
	return pick("$column = $one", "$one = $column", "$column IN ($list)", "$column = ANY ($array)",
		"$column = ANY ((SELECT $array)::$type\[])") if chance(0.5);
	return pick("$column <> $one", "$column NOT IN ($list)", "$column <> ALL ($array)", "$column = ALL ($array)",
		"$name IS NULL", "$name IS NOT NULL", "$column IS NOT DISTINCT FROM $one", "$column > $one",
		"($column = $one) IS NOT TRUE", "($column = $one) IS NOT FALSE", "($column = $one) IS NULL",
		"$column IN (SELECT unnest($array))", "CASE WHEN $column = $one THEN true END")
		if $type eq 'kind' || chance(0.4);
	return pick(("$column LIKE $like") x 9, ("$column ILIKE $like") x 4, "$column NOT LIKE $like",
		"$column NOT ILIKE $like", "$column LIKE ANY (ARRAY[$like, $like])", "$column LIKE $like ESCAPE ''",
		"lower($column) = $one", "length($column) < 5", "left($column, 3) = $one", "$column ^@ $one",
		"$column BETWEEN 'a' AND $one", "$column\::char(5) = $one", "$column\::varchar(4) = $one",
		"$column = label_or_reason", "$column || 'a' = $one", "$column COLLATE \"POSIX\" = 'anna'");
}

# A WHERE clause of up to so many levels.
sub clause
{
	my ($columns, $depth) = @_;
	my @arms;

	return condition(pick(@$columns)) if $depth == 0 || chance(0.25);
	return 'NOT (' . clause($columns, $depth - 1) . ')' if chance(0.1);
	return pick('true', 'false', 'NULL::boolean') if chance(0.02);
	if (chance(0.2))    # arms that all ask for the same column
	{
		my $name = pick(@$columns);
		@arms = map { condition($name) . (chance(0.3) ? ' AND ' . condition(pick(@$columns)) : '') } 1 .. 3;
		return '(' . join(' OR ', @arms) . ')';
	}
	@arms = map { clause($columns, $depth - 1) } 1 .. 2 + int(rand(2));
	return '(' . join(pick(' AND ', ' OR '), @arms) . ')';
}

# ---- asking both

my $sum = q{count(*) || ' ' || coalesce(md5(string_agg(r::text, '|' ORDER BY r::text COLLATE "C")), '-')};

# Adds to the script a statement for the foreign table, and the same for the local copy.
sub ask_both
{
	my ($statement, $table, $what) = @_;

	$told{ scalar keys %told } = $what;
	for my $side (qw(foreign local))
	{
		my $from = $side eq 'local' ? "local.$table" : $table;

		push @script, "\\echo == $#{[ keys %told ]} $side", $statement =~ s/\bLIST\b/$from/gr;
	}
	return;
}

# Adds a query for random rows of a table, as it is or prepared.
sub ask_clause
{
	my ($table) = @_;
	my ($provider) = $table =~ /^([a-z]+)/;

	$typed = $table eq 'alta_typed';
	$parameters = chance(0.35) ? [] : undef;
	my $where = clause($columns{$provider}, pick(0, 0, 1, 2)) =~ s/label_or_reason/$provider eq 'alta' ? 'label' : 'reason'/egr;
	my $query = "SELECT $sum FROM (SELECT " . pick('*', '*', '*', 'id', 'identifier', '1') .
		" FROM LIST WHERE $where) r";

	# What the API can count itself.
	$query = "SELECT count(*) FROM LIST WHERE $where" if chance(0.2);
	if ($parameters && @$parameters)
	{
		my $values = join ', ', map { $_->[0] } @$parameters;
		my $declared = join ', ', map { $_->[1] } @$parameters;

		push @script, 'SET plan_cache_mode = ' . pick(qw(force_generic_plan force_custom_plan));
		ask_both("PREPARE p ($declared) AS $query; EXECUTE p ($values); EXECUTE p ($values); DEALLOCATE p", $table,
			"$where -- ($values)");
	}
	else
	{
		ask_both($query, $table, $where);
	}
	return;
}

# Runs the script; ok if both sides gave the same rows, and no error, each time, and no statement
# took more requests than it may.
sub same_rows
{
	my ($name) = @_;
	my ($out, $err, %rows, @wrong);

	$node->psql('oracle', join(";\n", @script) =~ s/^(\\echo[^\n]*);$/$1/mgr . ";\n",
		on_error_stop => 0, stdout => \$out, stderr => \$err);
	$out .= "\n";
	$rows{$1}{$2} = $3 while $out =~ /^== (\d+) (\w+)\n((?:(?!==).*\n?)*)/mg;
	for my $n (sort { $a <=> $b } keys %told)
	{
		my ($foreign, $local) = map { $rows{$n}{$_} // '' } qw(foreign local);

		push @wrong, "$told{$n}\n  foreign: $foreign  local:   $local" if $foreign ne $local || $local !~ /\d/;
	}
	for my $n (sort { $a <=> $b } keys %bound)
	{
		my $taken = ($rows{$n}{after} // 1e9) - ($rows{$n}{before} // 0);

		push @wrong, "$told{$n}\n  $taken requests, $bound{$n} at the most" if $taken > $bound{$n};
	}
	is(@wrong . " of " . keys(%told) . " differ", "0 of " . keys(%told) . " differ", $name);
	diag(join "\n", @wrong[ 0 .. ($#wrong < 3 ? $#wrong : 3) ], substr($err, 0, 1500)) if @wrong;
	@script = ();
	%told = %bound = ();
	return;
}

# What the remote matches has to be at least what search_match says.
my @matches = qw(exact prefix substring);
for my $at_least (0 .. 2)
{
	for my $search (@matches[ $at_least .. 2 ])
	{
		for my $case (qw(sensitive insensitive))
		{
			$dnc->control('PUT', "alta/oracle/config?search=$search&search_case=$case");
			ask_clause("alta_$matches[$at_least]") for 1 .. $clauses;
			same_rows("alta, search_match $matches[$at_least], the remote matches $search, $case");
		}
	}
}
ask_clause('alta_typed') for 1 .. 2 * $clauses;
same_rows('alta, an enum and a domain');
ask_clause('weya') for 1 .. 4 * $clauses;
same_rows('weya');
for my $generation (qw(new old))
{
	$dnc->control('PUT', "sendkit/oracle/config?generation=$generation");
	ask_clause('sendkit') for 1 .. $clauses;
	same_rows("sendkit, $generation generation");
}

# ---- joins

# Few and many rows that match, do not match, are NULL, and are there twice.
my @contacts = map { [ map { my $column = $_; chance(0.15) ? undef : chance(0.8) ? pick(@{ $texts{$column} }) : 'none' }
		qw(identifier identifier identifier_type) ] } 1 .. 60;
unshift @contacts, [ 'a', 'a', 'email' ], [ 'a', 'anna', 'phone' ], [ 'an', 'a', 'email' ], [ '', 'a', 'sms' ];
push @contacts, @contacts[ 0 .. 14 ];
$node->safe_psql('oracle', "CREATE TABLE $_->[0] (n serial, x text, y text, kind text); CREATE INDEX ON $_->[0] (x);
	INSERT INTO $_->[0] (x, y, kind) VALUES " . join(', ', map { '(' . join(', ', map { quoted($_) } @$_) . ')' } @{ $_->[1] })
	. "; ANALYZE $_->[0]")
	for [ 'many', \@contacts ], [ 'few', [ @contacts[ 0 .. 6 ] ] ];

my @joins = (
	'SELECT c.n, f.id FROM OUTER c JOIN LIST f ON f.identifier = c.x',
	'SELECT c.n, f.id FROM OUTER c JOIN LIST f ON f.identifier = c.x AND f.identifier_type = c.kind',
	'SELECT c.n, f.* FROM OUTER c JOIN LIST f ON f.identifier IN (c.x, c.y)',
	'SELECT c.n, f.id FROM OUTER c JOIN LIST f ON f.identifier = c.x OR f.identifier = c.y',
	'SELECT c.n, f.id FROM OUTER c LEFT JOIN LIST f ON f.identifier = ANY (ARRAY[c.x, c.y, upper(c.x)])',
	"SELECT c.n, f.id FROM OUTER c JOIN LIST f ON f.identifier LIKE c.x || '%'",
	'SELECT c.n, f.id FROM OUTER c JOIN LIST f ON f.identifier_type = c.kind WHERE c.n < 9',
	"SELECT c.n, f.id FROM OUTER c LEFT JOIN LIST f ON f.identifier = c.x AND f.identifier_type = 'email'",
	'SELECT c.* FROM OUTER c LEFT JOIN LIST f ON f.identifier = c.x WHERE f.id IS NULL',
	'SELECT c.* FROM OUTER c LEFT JOIN LIST f ON f.identifier = c.x AND f.OTHER = c.y WHERE f.id IS NULL',
	'SELECT c.* FROM OUTER c WHERE EXISTS (SELECT FROM LIST f WHERE f.identifier = c.x)',
	'SELECT c.* FROM OUTER c WHERE EXISTS (SELECT FROM LIST f WHERE f.identifier = c.x AND f.identifier_type <> c.kind)',
	'SELECT c.* FROM OUTER c WHERE NOT EXISTS (SELECT FROM LIST f WHERE f.identifier = c.x)',
	'SELECT c.* FROM OUTER c WHERE NOT EXISTS (SELECT FROM LIST f WHERE f.identifier IN (c.x, c.y))',
	'SELECT c.* FROM OUTER c WHERE EXISTS (SELECT FROM LIST f WHERE f.identifier = c.x) OR c.n % 3 = 0',
	'SELECT c.* FROM OUTER c WHERE x NOT IN (SELECT identifier FROM LIST)',
	'SELECT c.* FROM OUTER c WHERE x NOT IN (SELECT OTHER FROM LIST WHERE identifier = c.y)',
	'SELECT c.* FROM OUTER c WHERE x IN (SELECT identifier FROM LIST)',
	'SELECT f.* FROM LIST f WHERE identifier IN (SELECT x FROM OUTER)',
	'SELECT f.* FROM LIST f WHERE identifier = ANY (ARRAY(SELECT x FROM OUTER))',
	'SELECT f.* FROM LIST f WHERE identifier NOT IN (SELECT x FROM OUTER WHERE x IS NOT NULL)',
	'SELECT c.n, l.* FROM OUTER c, LATERAL (SELECT id FROM LIST f WHERE f.identifier = c.x OFFSET 0) l',
	'SELECT c.n, l.* FROM OUTER c, LATERAL (SELECT id FROM LIST f WHERE f.identifier IN (c.x, c.y) OFFSET 0) l',
	'SELECT c.n, l.* FROM OUTER c LEFT JOIN LATERAL (SELECT id, c.y FROM LIST f WHERE f.identifier = c.x
	  ORDER BY id LIMIT 1) l ON true',
	'SELECT c.n, l.* FROM OUTER c, LATERAL (SELECT id, c.kind FROM LIST f WHERE f.identifier = c.x
	  UNION ALL SELECT id, c.y FROM LIST f WHERE f.OTHER = c.y) l',
	'SELECT c.n, (SELECT count(*) FROM LIST f WHERE f.identifier = c.x) FROM OUTER c',
	'SELECT c.n, (SELECT min(id) FROM LIST f WHERE f.identifier IN (c.x, c.y) AND f.identifier_type = c.kind) FROM OUTER c',
	'SELECT c.n, (SELECT max(id) FROM LIST WHERE identifier = (SELECT min(identifier) FROM LIST f
	  WHERE f.identifier = c.y)) FROM OUTER c',
	'SELECT c.n, f.id FROM OUTER c FULL JOIN LIST f ON f.identifier = c.x',
	"SELECT c.n, f.id FROM OUTER c FULL JOIN (SELECT * FROM LIST WHERE identifier_type = 'email') f ON f.identifier = c.x",
	'SELECT c.n, f.id FROM OUTER c JOIN (SELECT id, identifier FROM LIST UNION ALL SELECT y, x FROM OUTER) f
	  ON f.identifier = c.x',
	'SELECT c.n, f.id, g.id AS g FROM OUTER c JOIN LIST f ON f.identifier = c.x JOIN LIST g ON g.identifier = c.y',
	'SELECT c.n, f.id, g.id AS g FROM OUTER c JOIN LIST f ON f.identifier = c.x LEFT JOIN LIST g
	  ON g.identifier = f.OTHER',
	'SELECT f.id, g.id AS g FROM LIST f JOIN LIST g ON f.identifier = g.OTHER',
	'SELECT c.n, d.n AS d, f.id FROM OUTER c LEFT JOIN (OUTER d JOIN LIST f ON f.identifier = d.x) ON c.y = d.y AND f.id > c.x',
	'SELECT c.n, f.id FROM OUTER c LEFT JOIN LIST f ON f.identifier = coalesce(c.x, c.y) AND c.n % 2 = 0',
	'SELECT c.n, f.id FROM OUTER c JOIN LIST f ON f.identifier = c.x AND f.OTHER = c.x',
	'SELECT c.n, f.id FROM OUTER c JOIN LIST f ON f.OTHER = c.x OR f.OTHER = c.y',
	"SELECT c.n, f.id FROM OUTER c JOIN LIST f ON f.identifier IN (c.x, c.y) AND f.CALL IN (nullif(c.x, ''), c.y)",
	'SELECT c.n, f.id FROM OUTER c RIGHT JOIN LIST f ON f.identifier = c.x AND c.kind = f.identifier_type',
	'SELECT DISTINCT f.identifier COLLATE "C" FROM LIST f, OUTER c WHERE f.identifier = c.x',
	'SELECT c.n, count(*) FROM OUTER c JOIN LIST f ON f.identifier = lower(c.x) GROUP BY c.n HAVING count(*) > 1');

# All on; and one or two of them off.
my @ways = map { "enable_$_" } qw(hashjoin mergejoin nestloop material memoize indexscan seqscan hashagg);
my @off = ([], map { my $n = $_; map { [ $n == $_ ? $ways[$n] : @ways[ $n, $_ ] ] } $n .. $#ways } 0 .. $#ways);
my @lookups = (['enable_hashjoin', 'enable_mergejoin'], [qw(enable_hashjoin enable_mergejoin enable_material)],
	[qw(enable_hashjoin enable_mergejoin enable_memoize)]);

$dnc->control('PUT', 'alta/oracle/config?search=substring&search_case=insensitive');
for my $table (qw(alta_exact alta_small alta_substring weya sendkit))
{
	for my $outer (qw(few many))
	{
		for my $join (@joins)
		{
			my $other = $table =~ /alta/ ? 'label' : 'reason';
			my $call = $table eq 'weya' ? 'request_uuid' : $other;
			my $query = $join =~ s/OUTER/$outer/gr =~ s/OTHER/pick($other, $call)/egr =~ s/CALL/$call/gr;

			for my $off ((shuffle(@off))[ 1 .. $settings ], pick(@lookups))
			{
				my $set = join '; ', "SET work_mem = '" . pick('64kB', '4MB') . "'", map { "SET $_ = off" } @$off;

				push @script, "RESET ALL; $set";
				ask_both("SELECT $sum FROM ($query) r", $table, "$query -- $set");
			}
		}
		same_rows("$table, joins with $outer rows");
	}
}

# ---- shapes that run a scan again, with the number of their requests

# The remote search matches as little as it may, so that a lookup is one page.
$dnc->control('PUT', 'alta/oracle/config?search=exact&search_case=sensitive');
my $shapes = $ENV{DNC_ORACLE_SHAPES} // 900;
my $requests = 'SELECT coalesce(sum(requests), 0) FROM dnc_fdw_stats()';
my %pages;    # of the list
my %expected_pages = (alta_exact => 100, alta_small => 4, sendkit => 112);

# How many texts there are in some columns of the rows of an outer table, and two more.
sub texts_of
{
	my ($outer, @indexes) = @_;
	my %texts = map { ($_ // '') => 1 } map { @$_[@indexes] } $outer eq 'few' ? @contacts[ 0 .. 6 ] : @contacts;

	return 2 + keys %texts;
}

# Requests at the most, where a scan reads the list; where it looks up so many values, one of
# which may need the list, and the list takes the place of lookups.
sub if_read { return $pages{ $_[0] } }
sub if_looked_up
{
	my ($table, $values) = @_;
	my $expected = $expected_pages{$table};

	# It looks up its two types only, and one that cannot be sent reads the list again.
	return 2 * $pages{$table} + 2 if $table eq 'sendkit';
	return ($values < $expected ? $values : $expected) + 2 * $pages{$table};
}

# An array of texts as a constant, with a NULL now and then.
sub array_of
{
	my $texts = join ',', map { chance(0.1) ? 'NULL' : quoted(text_for('identifier')) } 1 .. 1 + int(rand($_[0]));

	return "ARRAY[$texts]::text[]";
}

# Shapes: how many scans of the list, as which columns of the outer table look values up (undef:
# none do), the query, and how many more requests filters, and totals that do not agree, may take.  OTHER is another column of the
# list; PAIRS, ARMS and TYPES are constants.
my @shapes = (
	[ 1, undef, 'SELECT c.n, s.* FROM OUTER c, LATERAL (SELECT count(*), max(f.id) FROM LIST f WHERE length(f.identifier) > c.n) s' ],
	[ 1, undef, 'SELECT c.n, (SELECT max(r) FROM (SELECT rank() OVER (ORDER BY f.id COLLATE "C") r FROM LIST f WHERE length(f.identifier) > c.n) w) FROM OUTER c' ],
	[ 1, undef, 'SELECT c.n, (SELECT min(f.id) FROM LIST f JOIN local.LOCAL l USING (id) WHERE length(l.identifier) <> c.n) FROM OUTER c' ],
	[ 1, undef, 'SELECT c.n, (SELECT f.id FROM LIST f WHERE length(f.identifier) > c.n % 5 ORDER BY f.id COLLATE "C" LIMIT 1) FROM OUTER c' ],
	[ 2, undef, 'SELECT c.n, s.* FROM OUTER c, LATERAL (SELECT count(*), count(DISTINCT i) FROM (SELECT f.identifier i FROM LIST f WHERE length(f.identifier) > c.n
	  UNION ALL SELECT g.OTHER FROM LIST g WHERE length(g.identifier) < c.n) u) s' ],
	[ 2, undef, 'SELECT c.n, s.* FROM OUTER c, LATERAL (SELECT count(*) FROM (SELECT f.id FROM LIST f WHERE length(f.identifier) > c.n
	  EXCEPT SELECT g.id FROM LIST g WHERE length(g.identifier) > c.n + 2) u) s' ],
	[ 1, undef, 'SELECT c.n FROM OUTER c WHERE c.x NOT IN (SELECT f.identifier FROM LIST f WHERE length(f.identifier) > c.n % 3)' ],
	[ 1, undef, 'WITH RECURSIVE r AS (SELECT 1 AS n, 0::bigint AS k UNION ALL SELECT r.n + 1, s.k FROM r, LATERAL (SELECT count(*) k FROM LIST f
	  WHERE length(f.identifier) > r.n) s WHERE r.n < 6) SELECT * FROM r' ],
	[ 1, undef, 'SELECT c.n, (SELECT count(*) FROM LIST f WHERE c.n % 2 = 0) FROM OUTER c' ],
	[ 1, undef, 'SELECT c.n, f.id FROM OUTER c LEFT JOIN LIST f ON length(f.identifier) = c.n' ],
	[ 1, [0], 'SELECT c.n FROM OUTER c WHERE EXISTS (SELECT FROM LIST f WHERE f.identifier = c.x)' ],
	[ 1, [0], 'SELECT c.n FROM OUTER c WHERE NOT EXISTS (SELECT FROM LIST f WHERE f.identifier = c.x OFFSET 0)' ],
	[ 1, [0], 'SELECT c.n, (SELECT min(f.id) FROM (SELECT id FROM LIST f WHERE f.identifier = c.x ORDER BY id COLLATE "C" LIMIT 1) f) FROM OUTER c, generate_series(1, 3)' ],
	[ 1, [ 0, 1 ], 'SELECT c.n, l.* FROM OUTER c, LATERAL (SELECT id FROM LIST f WHERE f.identifier IN (c.x, c.y) OFFSET 0) l' ],
	[ 1, [ 0, 1 ], "SELECT c.n, l.* FROM OUTER c, LATERAL (SELECT id FROM LIST f WHERE (c.kind = 'email' AND f.identifier = c.x) OR (c.kind <> 'email' AND f.identifier = c.y) OFFSET 0) l" ],
	[ 1, [0], 'SELECT f.id FROM LIST f WHERE (f.identifier, f.identifier_type) IN (SELECT x, kind FROM OUTER)' ],
	[ 1, [0], 'SELECT f.id FROM LIST f WHERE f.identifier = ANY (ARRAY(SELECT x FROM OUTER))' ],
	[ 1, [0], 'SELECT f.id FROM LIST f, unnest(ARRAY(SELECT x FROM OUTER)) u(x) WHERE f.identifier = u.x' ],
	[ 1, [0], 'SELECT m.n, f.id FROM OUTER_more() m JOIN LIST f ON f.identifier = m.x' ],
	[ 1, [0], 'SELECT m.n FROM OUTER_more() m WHERE NOT EXISTS (SELECT FROM LIST f WHERE f.identifier = m.x AND f.identifier_type = m.kind)' ],
	[ 1, [0], 'WITH m AS MATERIALIZED (SELECT * FROM OUTER_more()) SELECT m.n, f.id FROM m LEFT JOIN LIST f ON f.identifier = m.x' ],
	[ 1, [0], 'WITH RECURSIVE r AS (SELECT n, x FROM OUTER WHERE n < 4 UNION SELECT r.n + 1, c.x FROM r JOIN OUTER c ON c.n = r.n + 1
	  WHERE EXISTS (SELECT FROM LIST f WHERE f.identifier = c.x) OR r.n % 2 = 0) SELECT * FROM r' ],
	[ 1, [0], 'SELECT f.id FROM LIST f WHERE (f.identifier, f.identifier_type) IN (PAIRS)' ],
	[ 1, [0], 'SELECT f.id FROM LIST f WHERE ARMS' ],
	[ 1, [0], 'SELECT c.n, f.id FROM OUTER c LEFT JOIN LIST f ON f.identifier = c.x AND (ARMS)' ],
	[ 1, undef, 'SELECT f.id FROM LIST f ORDER BY (SELECT 1) FETCH FIRST 1 ROW WITH TIES' ],
	[ 1, undef, 'SELECT f.id FROM LIST f ORDER BY f.identifier_type COLLATE "C" FETCH FIRST 2 ROWS WITH TIES' ],
	[ 1, undef, q{SELECT count(*) + 1, count(*)::int, 'x', count(1) FROM LIST f HAVING count(*) > 3} ],
	[ 1, undef, 'SELECT f.identifier_type, count(*) FROM LIST f GROUP BY 1', 3 ],
	[ 1, undef, 'SELECT count(*), max(f.identifier_type) FROM LIST f GROUP BY f.identifier_type HAVING count(*) > 20', 3 ],
	[ 1, undef, 'SELECT f.id FROM LIST f WHERE f.identifier_type IN (TYPES)', 5 ],
	[ 1, undef, 'SELECT c.n, (SELECT count(*) FROM LIST f WHERE f.identifier_type IN (TYPES) AND length(f.identifier) > c.n) FROM OUTER c', 5 ],
);
$node->safe_psql('oracle', "CREATE FUNCTION $_\_more() RETURNS SETOF $_ LANGUAGE sql VOLATILE ROWS 1 AS 'SELECT * FROM $_'") for 'few', 'many';

# Random pairs of a text and a type, as texts by a format.
sub pairs
{
	my ($format) = @_;

	return map { sprintf $format, quoted(text_for('identifier') // 'none'), quoted(pick(@types)) } 1 .. 1 + int(rand(6));
}

# Adds a query, of a shape or with an array, and remembers the bound of its requests.
sub ask_shape
{
	my ($table, $outer) = @_;
	my $other = $table =~ /alta/ ? 'label' : 'reason';
	my $set = join '; ', "SET work_mem = '" . pick('64kB', '64kB', '128kB', '1MB', '4MB') . "'",
		map { "SET $_ = off" } grep { chance(0.3) } @ways;
	my $number = keys %told;
	my ($query, $what);

	if (chance(0.2))
	{
		my @arrays = map { array_of(pick(3, 40)) } 1, 2;

		$what = "= ANY (@arrays)";
		$query = "PREPARE p (text[]) AS SELECT $sum FROM (SELECT id FROM LIST WHERE identifier = ANY (\$1)) r;"
			. join('', map { "EXECUTE p ($_);" } @arrays, 'NULL') . 'DEALLOCATE p';
		$bound{$number} = 3 * if_looked_up($table, 40);
		$set .= '; SET plan_cache_mode = ' . pick(qw(force_generic_plan force_custom_plan));
	}
	else
	{
		my ($scans, $columns, $shape, $more) = @{ pick(@shapes) };

		$what = $shape =~ s/OUTER/$outer/gr =~ s/OTHER/$other/gr =~ s/LOCAL/$table/gr
			=~ s/PAIRS/join ', ', pairs('(%s, %s)')/er =~ s/ARMS/join ' OR ', pairs('(f.identifier = %s AND f.identifier_type = %s)')/er
			=~ s/TYPES/join ', ', map { quoted($_) } (shuffle(@types))[ 0 .. rand @types ]/er;
		# OFFSET 0 keeps PostgreSQL from evaluating a subquery in two places.
		$query = "SELECT $sum FROM (SELECT * FROM ($what) q OFFSET 0) r";
		$bound{$number} = $scans * ($columns ? if_looked_up($table, texts_of($outer, @$columns)) : if_read($table) + ($more // 0));
	}
	push @script, "RESET ALL; $set", "\\echo == $number before", $requests;
	ask_both($query, $table, "$what -- $table, $set");
	splice @script, -2, 0, "\\echo == $number after", $requests;
	return;
}

for my $table (sort keys %expected_pages)
{
	$pages{$table} = (split /\n/, $node->safe_psql('oracle', "SELECT count(id) FROM $table WHERE id > ''; $requests"))[1];
	$typed = $parameters = undef;
	for my $outer (qw(few many))
	{
		ask_shape($table, $outer) for 1 .. $shapes / 6;
		same_rows("$table, shapes with $outer rows");
	}
}
$dnc->control('PUT', 'alta/oracle/config?search=substring&search_case=insensitive');

# ---- a prepared lookup asks the same each time, with a generic plan or without

my %prepared = (
	'one value' => ['(text) AS SELECT id FROM LIST WHERE identifier = $1', q{'anna'}],
	'a value and a type' => ['(text, text) AS SELECT id FROM LIST WHERE identifier = $1 AND identifier_type = $2',
		q{'anna', 'email'}],
	'an array' => ['(text[]) AS SELECT id FROM LIST WHERE identifier = ANY ($1)', q{'{anna,+1,%}'}],
	'a join' => ['(int) AS SELECT f.id FROM few c JOIN LIST f ON f.identifier = c.x WHERE c.n <= $1', '3']);
for my $mode (qw(auto force_generic_plan))
{
	for my $name (sort keys %prepared)
	{
		my ($statement, $values) = @{ $prepared{$name} };
		my %requests;

		$dnc->control('DELETE', 'alta/oracle/log');
		$node->safe_psql('oracle', "SET plan_cache_mode = $mode; PREPARE p " . $statement =~ s/LIST/alta_exact/r . ';'
			. "EXECUTE p ($values);" x 8);
		$requests{$_}++ for split /\n/, $dnc->control('GET', 'alta/oracle/log');
		is(scalar(grep { $requests{$_} % 8 } keys %requests), 0, "$mode, $name: the same requests each time")
			or diag(join "\n", map { "$requests{$_} times $_" } sort keys %requests);
		is(scalar(grep { !/search=/ } keys %requests), 0, "$mode, $name: lookups only");
	}
}

$dnc->stop;
done_testing();
