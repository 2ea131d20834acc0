# DncStatements: random statements on a list, for the model of t/017_write_model.pl
#
# In a statement LIST is the table, SIDE the end of a function's name, and CONFLICT an
# ON CONFLICT clause.  What is on a list is in $list: types, identifiers; folds if a list
# is in lower case.  There are tables pool (n, identifier, identifier_type), audit_SIDE and
# late_SIDE, which write to the list, and functions write_SIDE() and count_SIDE().

package DncStatements;

use strict;
use warnings;

use Exporter qw(import);

our @EXPORT = qw($list pick chance identifier type_of row rows several pattern condition add remove renew block add_in_block remove_in_block query);

our $list;    # the list at hand

sub pick { return $_[ int(rand(@_)) ] }
sub chance { return rand() < $_[0] }

sub identifier { return pick(@{ $list->{identifiers} }) }
# A transaction must not add an entry of sendkit's with two types.
sub type_of { return $list->{folds} || chance(0.85) ? $list->{types}[ length($_[0]) % @{ $list->{types} } ] : pick(@{ $list->{types} }) }
sub row { my $identifier = identifier(); return "('$identifier', '" . type_of($identifier) . "')" }
sub rows { my ($count) = @_; return join ', ', map { row() } 1 .. $count }
sub several { return join ', ', map { "'" . identifier() . "'" } 1 .. 2 + int(rand(4)) }
sub pattern { my $text = identifier(); return pick('', '%') . substr($text, int(rand(3)), 1 + int(rand(4))) . pick('%', '%', '_', '') }

# A condition on a row, with the columns' names.
sub condition
{
	return pick(
		"identifier = '" . identifier() . "'", "identifier = '" . identifier() . "'",
		'identifier IN (' . several() . ')',
		"identifier = ANY (ARRAY[" . several() . "])",
		"identifier LIKE '" . pattern() . "'",
		"identifier ILIKE '" . pattern() . "'",
		"identifier_type = '" . pick(@{ $list->{types} }) . "'",
		"identifier = '" . identifier() . "' AND identifier_type = '" . pick(@{ $list->{types} }) . "'",
		"identifier_type IN ('email', 'domain', 'phone') AND identifier > 'a'",
		"identifier = '" . identifier() . "' OR identifier = '" . identifier() . "'",
		'length(identifier) % 3 = 1',
		"identifier IN (SELECT identifier FROM pool WHERE n % 3 = " . int(rand(3)) . ')',
		"EXISTS (SELECT FROM pool p WHERE p.identifier = LIST.identifier AND p.n % 2 = 0)",
		"NOT EXISTS (SELECT FROM pool p WHERE p.identifier = LIST.identifier AND p.n % 4 > 0)");
}

# A statement that adds.
sub add
{
	my $into = 'INSERT INTO LIST (identifier, identifier_type)';

	return pick(
		"$into VALUES " . row() . ' CONFLICT', "$into VALUES " . row() . ' CONFLICT',
		"$into VALUES " . rows(2 + int(rand(7))) . ' CONFLICT',
		"$into SELECT identifier, identifier_type FROM pool WHERE n % 5 = " . int(rand(5)) . ' ORDER BY n CONFLICT',
		"$into SELECT '9' || identifier, identifier_type FROM LIST WHERE length(identifier) < 9 CONFLICT",
		"SELECT write_SIDE" . row(),
		"INSERT INTO audit_SIDE (what, identifier, identifier_type) SELECT 'add', * FROM (VALUES " . rows(3) . ') v',
		"INSERT INTO late_SIDE (what, identifier, identifier_type) SELECT 'add', * FROM (VALUES " . rows(2) . ') v');
}

# A statement that removes.
sub remove
{
	return pick(
		"DELETE FROM LIST WHERE " . condition(), "DELETE FROM LIST WHERE " . condition(),
		"DELETE FROM LIST WHERE identifier = '" . identifier() . "'",
		"DELETE FROM LIST WHERE identifier LIKE '9%'",
		"DELETE FROM LIST USING pool p WHERE p.identifier = LIST.identifier AND p.n % 7 = " . int(rand(7)),
		"DELETE FROM LIST USING pool p WHERE p.n < 3 AND LIST.identifier LIKE p.identifier || '%'",
		"DELETE FROM LIST WHERE identifier_type = '" . pick(@{ $list->{types} }) . "' AND length(identifier) % 2 = 0",
		"INSERT INTO audit_SIDE (what, identifier, identifier_type) SELECT 'delete', * FROM (VALUES " . rows(3) . ') v');
}

# The same again after a removal: ends listed.
sub renew
{
	my $where = condition();

	return (
		pick("WITH d AS (DELETE FROM LIST WHERE $where RETURNING identifier, identifier_type)
		  INSERT INTO LIST (identifier, identifier_type) SELECT * FROM d CONFLICT",
		"WITH d AS (DELETE FROM LIST WHERE $where RETURNING identifier, identifier_type),
		  i AS (INSERT INTO LIST (identifier, identifier_type) SELECT * FROM d CONFLICT RETURNING identifier)
		  SELECT count(*) FROM d",
		"DO \$\$ DECLARE r record; BEGIN
		  FOR r IN SELECT identifier, identifier_type FROM LIST WHERE $where LOOP
		    DELETE FROM LIST WHERE identifier = r.identifier AND identifier_type = r.identifier_type;
		    INSERT INTO LIST (identifier, identifier_type) VALUES (r.identifier, r.identifier_type) CONFLICT;
		  END LOOP; END \$\$"));
}

# A block whose part is taken back, in nesting; fails in the middle or at the end.
sub block
{
	my ($depth) = @_;
	my $inner = $depth > 0 && chance(0.5) ? block($depth - 1) : 'NULL;';
	my $fail = chance(0.6) ? pick('RAISE division_by_zero;', 'PERFORM 1 / 0;') : 'NULL;';

	return 'BEGIN ' . add_in_block() . remove_in_block() . " $inner $fail " . add_in_block()
		. ' EXCEPTION WHEN division_by_zero THEN ' . pick('NULL;', add_in_block(), remove_in_block()) . ' END;';
}

sub add_in_block { return 'INSERT INTO LIST (identifier, identifier_type) VALUES ' . rows(1 + int(rand(3))) . ' CONFLICT;' }
sub remove_in_block { return 'DELETE FROM LIST WHERE ' . condition() . ';' }

# A query for what a list holds.
sub query
{
	my $where = condition();

	return pick(
		'SELECT identifier, identifier_type FROM LIST',
		'SELECT count(*) FROM LIST',
		"SELECT count(*) FROM LIST WHERE identifier_type = '" . pick(@{ $list->{types} }) . "'",
		"SELECT identifier, identifier_type FROM LIST WHERE $where",
		"SELECT count(*) FROM LIST WHERE $where",
		"SELECT identifier_type, count(*), min(identifier COLLATE \"C\") FROM LIST GROUP BY 1",
		'SELECT p.n, LIST.identifier_type FROM pool p JOIN LIST ON LIST.identifier = p.identifier WHERE p.n < 5',
		'SELECT p.n, LIST.identifier FROM pool p LEFT JOIN LIST ON LIST.identifier = p.identifier',
		'SELECT p.n FROM pool p WHERE EXISTS (SELECT FROM LIST WHERE LIST.identifier = p.identifier)',
		'SELECT p.n FROM pool p WHERE NOT EXISTS (SELECT FROM LIST WHERE LIST.identifier = p.identifier AND LIST.identifier_type = p.identifier_type)',
		'SELECT p.n, (SELECT count(*) FROM LIST WHERE LIST.identifier = p.identifier) FROM pool p WHERE p.n < 6',
		"SELECT identifier FROM LIST WHERE $where ORDER BY identifier COLLATE \"C\", identifier_type COLLATE \"C\" LIMIT 2",
		"SELECT identifier FROM LIST UNION ALL SELECT identifier_type FROM LIST WHERE $where",
		'SELECT a.identifier, b.identifier_type FROM LIST a JOIN LIST b USING (identifier)',
		"EXECUTE lookup_SIDE('" . identifier() . "')",
		'SELECT count_SIDE(), (SELECT count(*) FROM LIST)');
}

1;
