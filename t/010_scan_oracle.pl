# An oracle: the same entries in a foreign table and in a local copy of it give
# the same rows, whatever is asked, and however the planner goes about it.  Clauses and
# joins are random, with a seed: DNC_ORACLE_SEED is another one.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncOracle;
use List::Util qw(shuffle);
use Test::More;

my $clauses = 260;    # for each table and setting
my $settings = 3;      # for each kind of join and table

set_up();

# ---- clauses

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

$dnc->stop;
done_testing();
