# An oracle for what a scan costs: shapes that run a scan again give the same rows as a local
# table, and take no more requests than they may.  A prepared lookup asks the same each time.
# DNC_ORACLE_SEED is another seed, DNC_ORACLE_SHAPES how many shapes there are.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncOracle;
use List::Util qw(shuffle);
use Test::More;

set_up();
$dnc->control('PUT', 'sendkit/oracle/config?generation=old');

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
