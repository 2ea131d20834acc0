# DncOracle: the same entries in foreign tables and in local copies of them, in database
# oracle, and random clauses on them
#
# A test adds statements with ask_both() or ask_clause(), and same_rows() runs them: both
# sides have to give the same rows.  The identifiers are parts of each other and full of
# what patterns, URLs and SQL give a meaning to.  DNC_ORACLE_SEED is another seed.

package DncOracle;

use strict;
use warnings;

use DncTest;
use DncVendors;
use Exporter qw(import);
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw($dnc $node pick chance quoted text_for @types %columns %texts @contacts @ways $sum
	$typed $parameters @script %told %bound set_up ask_both ask_clause same_rows);

# All strings here are bytes, and UTF-8.
no warnings 'qw';
my @pieces = (
	qw(a an anna Anna ANNA nna + +1 1555 15550001 % _ %% an_a a%a \ \\\\ \% & = a&b=c ? # / ; ' '' " {a,b} null
	   %25 %20 @ anna@example.com ANNA@example.com example.com .com 0 00 000), ' ', '  ', ',', "\t", "\n",
	"\xc3\xa4", "\xc3\x84", "stra\xc3\x9fe", "\xc4\xb0", "\xe2\x84\xaa", "\xc5\xbf", "e\xcc\x81", "\xc3\xa9",
	"\xe6\x97\xa5", "\xf0\x9f\x98\x80", "\xc2\xa0", 'k', 'i');
our @types = qw(email linkedin phone sms whatsapp web_chat);
my @reasons = ('customer_request', 'Customer_Request', 'STOP', 'stop', '1555', 'anna', 'a%a', '');
our (%texts, @script, %told);    # texts of a column; what psql is to do; clauses by number
our %bound;    # requests at the most, by number of the clause

srand($ENV{DNC_ORACLE_SEED} // 20250301);
sub pick { return $_[ int(rand(@_)) ] }
sub chance { return rand() < $_[0] }

# ---- the lists

my @identifiers = (@pieces, '', 'x' x 1030, 'anna ', ' anna');
push @identifiers, join('', map { pick(@pieces) } 1 .. 2 + int(rand(2))) for 1 .. 190;
push @identifiers, map { pick(0, 1) ? uc : lc } map { pick(@identifiers) } 1 .. 40;

our ($dnc, $node);
my $json = JSON::PP->new->canonical->utf8;
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

sub fill_lists
{
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
	return;
}

# ---- the tables: foreign ones, and in schema local a copy of each

sub make_tables
{
	my %options = (alta => "requests_per_minute '0'", weya => "page_size '130'", sendkit => "page_size '90'");
	my $servers = join "\n", map { DncVendors::server($_, $_, $dnc->url, 'oracle', $options{$_}) } sort keys %options;
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
		$servers
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
	return;
}

our %columns = (alta => [qw(identifier identifier identifier_type identifier_type label)],
	weya => [qw(identifier identifier identifier_type reason request_uuid)],
	sendkit => [qw(identifier identifier_type identifier_type reason)]);

%texts = (identifier => \@identifiers, identifier_type => [ @types, 'domain', 'telegram', 'Email', 'fax' ],
	label => \@identifiers, reason => [ @reasons, 'anna ' ], request_uuid => [ @identifiers ]);

# ---- random clauses

our ($typed, $parameters);    # the table with an enum; values of $1..., or undef for none

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

our $sum = q{count(*) || ' ' || coalesce(md5(string_agg(r::text, '|' ORDER BY r::text COLLATE "C")), '-')};

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

# ---- tables to join with, and ways to join

# Few and many rows that match, do not match, are NULL, and are there twice.
our @contacts = map { [ map { my $column = $_; chance(0.15) ? undef : chance(0.8) ? pick(@{ $texts{$column} }) : 'none' }
		qw(identifier identifier identifier_type) ] } 1 .. 60;
unshift @contacts, [ 'a', 'a', 'email' ], [ 'a', 'anna', 'phone' ], [ 'an', 'a', 'email' ], [ '', 'a', 'sms' ];
push @contacts, @contacts[ 0 .. 14 ];

# What can be turned off.
our @ways = map { "enable_$_" } qw(hashjoin mergejoin nestloop material memoize indexscan seqscan hashagg);

# Begins a test: a cluster, the lists, and the tables.
sub set_up
{
	$dnc = DncTest->new;
	$node = $dnc->node;
	fill_lists();
	make_tables();
	$node->safe_psql('oracle', "CREATE TABLE $_->[0] (n serial, x text, y text, kind text); CREATE INDEX ON $_->[0] (x);
		INSERT INTO $_->[0] (x, y, kind) VALUES " . join(', ', map { '(' . join(', ', map { quoted($_) } @$_) . ')' } @{ $_->[1] })
		. "; ANALYZE $_->[0]")
		for [ 'many', \@contacts ], [ 'few', [ @contacts[ 0 .. 6 ] ] ];
	return;
}

1;
