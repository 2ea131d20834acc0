# A scan that is run again gives the rows that it has found, also where they are more than
# work_mem and have gone to disk: the rows of a local copy of the list.  Nothing that
# outlives a row is made in the row's memory, and nothing of a row outlives it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $dnc = DncTest->new;
my $node = $dnc->node;

# The order of rows without ORDER BY is the list's on both sides.  Each temporary file is
# logged when it goes.
$node->append_conf('postgresql.conf', "synchronize_seqscans = off\nlog_temp_files = 0\nmax_parallel_workers_per_gather = 0\n");
$node->reload;

my @nested_loops = map { "SET enable_$_ = off" } qw(hashjoin mergejoin material memoize hashagg);

# A list of an account's name, as a table LIST and as a local copy of it.
my @accounts;
sub make_list
{
	my ($account, $count, $options) = @_;

	$dnc->make_server($account, $count, "estimated_rows '$count'" . ($options ? ", $options" : ''));
	$node->safe_psql('postgres', qq{
		ALTER FOREIGN TABLE $account.communication_opt_outs RENAME TO list;
		ALTER FOREIGN TABLE $account.list ADD COLUMN source text;
		CREATE TABLE $account.copy AS SELECT * FROM $account.list;
		ANALYZE $account.copy});
	is($dnc->gives("SELECT count(*) FROM $account.copy"), $count, "$account: the copy has $count entries");
	push @accounts, $account;
	return;
}

# How many list requests all accounts got since this was asked last.
sub take_requests
{
	my $count = 0;

	$count += () = $dnc->take_log($_) =~ /^GET /mg foreach @accounts;
	return $count;
}

# Statements on a list, LIST in their text, give what they give on its copy, and take so many
# requests at the most.
sub same_as_copy
{
	my ($name, $schema, $work_mem, $requests, @statements) = @_;
	my $script = join ";\n", "SET work_mem = '$work_mem'", @statements;

	take_requests();
	my ($got, $expected) = map { $dnc->gives($script =~ s/\bLIST\b/$schema.$_/gr) } qw(list copy);

	is($got, $expected, "$name: $schema, work_mem $work_mem");
	like($expected, qr/\A(?!ERROR|psql)./, 'gives rows');
	cmp_ok(take_requests(), '<=', $requests, "takes $requests requests at the most");
	return;
}

# The size of the largest temporary file that was logged since a position of the log.
sub largest_file
{
	my ($position) = @_;

	return (sort { $b <=> $a } slurp_file($node->logfile, $position) =~ /temporary file: .*, size (\d+)/g, 0)[0];
}

# ----- statements that run a scan again -----

# A name, how often the list is read, the statement, and the settings in front of it.  The
# conditions have parameters that change, and none of them is sent, so that the whole list
# is what is kept.
my @statements = (
	[ 'LATERAL', 1, 'SELECT o.n, s.* FROM generate_series(1, 3) o(n), LATERAL
		(SELECT count(*) FROM LIST d WHERE length(d.identifier) > o.n) s' ],
	[ 'timestamptz', 2, q{SELECT o.n, s.* FROM generate_series(0, 3) o(n), LATERAL
		(SELECT count(*), min(d.created_at), max(d.created_at) FROM LIST d
		 WHERE length(d.identifier) > o.n AND d.created_at > (SELECT min(created_at) FROM LIST) + o.n * interval '1 hour') s} ],
	[ 'a correlated subquery', 1, 'SELECT n, (SELECT max(identifier) FROM LIST d WHERE length(d.label) % 3 = n % 3) FROM generate_series(1, 6) n' ],
	[ 'whole rows', 1, q{SELECT o.n, s.* FROM generate_series(1, 3) o(n), LATERAL
		(SELECT count(*), md5(string_agg(d::text, ',' ORDER BY d.id)) FROM LIST d WHERE length(d.label) % 3 <> o.n % 3) s} ],
	[ 'an array', 1, 'SELECT n, cardinality(a), md5(a::text) FROM generate_series(1, 3) n, LATERAL
		(SELECT ARRAY(SELECT identifier || created_at FROM LIST d WHERE length(d.identifier) > n ORDER BY 1) OFFSET 0) s(a)' ],
	[ 'a nested loop', 1, 'SELECT n, count(d), max(d.identifier), min(d.created_at) FROM generate_series(1, 5) n
		LEFT JOIN LIST d ON length(d.identifier) % 5 = n % 5 GROUP BY n ORDER BY n', @nested_loops ],
	[ 'a LIMIT that grows', 1, 'SELECT n, s.* FROM unnest(ARRAY[900, 3, 1900, 2999, 7000]) n, LATERAL (SELECT count(*), count(DISTINCT (source, identifier)) FROM
		(SELECT source, identifier FROM LIST d WHERE length(d.identifier) > n * 0 LIMIT n) l) s' ],
	[ 'an anti join', 1, q{SELECT n FROM generate_series(1, 40, 13) n WHERE NOT EXISTS
		(SELECT FROM LIST d WHERE length(d.identifier) + 0 * n = n)}, @nested_loops ],
	[ 'UNION ALL', 2, q{SELECT n, s.* FROM generate_series(1, 3) n, LATERAL (SELECT count(*), count(DISTINCT i) FROM
		(SELECT identifier FROM LIST d WHERE length(d.identifier) > n UNION ALL SELECT label FROM LIST e WHERE length(e.label) > n) u(i)) s} ],
);

# The same where the order of the rows matters: it is the list's.
my @ordered = (
	[ 'a scan that goes on where it stopped', 1, q{SELECT n, s.* FROM unnest(ARRAY[300, 3, 900, 901, 40, 2999, 5000, 1]) n, LATERAL
		(SELECT id, identifier, created_at FROM LIST d WHERE d.identifier <> n::text OFFSET n - 1 LIMIT 2) s} ],
);

# Runs them, each with PostgreSQL's default for work_mem and with little.
sub run_statements
{
	my ($schema, $requests, @cases) = @_;

	for my $work_mem ('64kB', '4MB')
	{
		for (@cases)
		{
			my ($name, $scans, $statement, @settings) = @$_;

			same_as_copy($name, $schema, $work_mem, $scans * $requests, @settings, $statement);
		}
	}
	return;
}

make_list('small', 3_000);
make_list('large', 60_000);
make_list('huge', 300_000);
run_statements('small', 30, @statements, @ordered);
run_statements('large', 600, @statements, @ordered);
run_statements('huge', 3000, @statements[ 0, 1 ]);

# That was about rows on disk.
for my $work_mem ('64kB', '4MB')
{
	my $position = -s $node->logfile;

	same_as_copy('timestamptz', 'large', $work_mem, 1200, $statements[1][2]);
	cmp_ok(largest_file($position), '>', 2_000_000, 'its rows are on disk');
}

# ----- several lists at once -----

make_list('slow', 2_000, "page_size '50'");
$dnc->control('PUT', 'alta/slow/config?latency_ms=1');
$node->safe_psql('postgres', q{
	CREATE SCHEMA pair;
	CREATE TABLE pair.list (LIKE small.copy) PARTITION BY LIST (source);
	ALTER TABLE pair.list ATTACH PARTITION small.list FOR VALUES IN ('small');
	ALTER TABLE pair.list ATTACH PARTITION slow.list FOR VALUES IN ('slow');
	CREATE TABLE pair.copy AS TABLE small.copy UNION ALL TABLE slow.copy});
like($dnc->gives("EXPLAIN $statements[0][2]" =~ s/LIST/pair.list/r), qr/Async Foreign Scan on list .*Async Foreign Scan on list /s, 'two lists are read at once');
run_statements('pair', 70, @statements);

# ----- look-ups -----

# Entries that are remembered, and fall out, and are asked for again.
$node->safe_psql('postgres', q{
	CREATE TABLE contact AS SELECT n, CASE WHEN n % 7 = 0 THEN 'nobody' || n ELSE identifier END AS identifier
	  FROM (SELECT row_number() OVER (ORDER BY id) AS n, identifier FROM small.copy) c WHERE n <= 150;
	ANALYZE contact});
my $found = q{md5(string_agg(c.identifier || coalesce(s::text, 'none'), ',' ORDER BY r, c.n, s.id)), count(s)};
for my $case ([ '64kB', 450 ], [ '4MB', 150 ])
{
	my ($work_mem, $requests) = @$case;

	same_as_copy('look-ups', 'small', $work_mem, $requests, qq{SELECT $found FROM (generate_series(1, 3) r CROSS JOIN contact c) LEFT JOIN LATERAL
		(SELECT * FROM LIST d WHERE d.identifier = c.identifier OFFSET 0) s ON r > 0});
	same_as_copy('look-ups of several values', 'small', $work_mem, 2 * $requests, qq{SELECT $found FROM (generate_series(1, 3) r CROSS JOIN contact c
		JOIN contact f ON f.n = (c.n + r) % 150 + 1) LEFT JOIN LATERAL
		(SELECT * FROM LIST d WHERE d.identifier IN (c.identifier, f.identifier) OFFSET 0) s ON true});
	same_as_copy('look-ups that are large', 'large', $work_mem, $work_mem eq '4MB' ? 1200 : 1800, q{SELECT r, t.t, s.* FROM generate_series(1, 2) r,
		(VALUES ('phone'), ('email')) t(t), LATERAL (SELECT count(*), max(d.identifier), min(d.created_at) FROM LIST d
		 WHERE d.identifier_type = t.t AND length(d.identifier) > r) s});
}

# ----- cursors, subtransactions -----

# Two runs of a scan; the first one's rows go to disk behind some hundred.
my $twice = 'SELECT n, s.* FROM generate_series(1, 2) n, LATERAL
	(SELECT identifier, created_at FROM LIST d WHERE length(d.label) % 2 <> n - 1 OR n = 2 OFFSET 0) s';
my %cursors = (
	'a savepoint that is rolled back' => "BEGIN; DECLARE c CURSOR FOR $twice; SAVEPOINT s; FETCH 2 FROM c; MOVE 1100 FROM c; FETCH 2 FROM c;
		ROLLBACK TO s; FETCH 2 FROM c; SAVEPOINT t; MOVE 1500 FROM c; FETCH 2 FROM c; RELEASE t; FETCH 2 FROM c; SAVEPOINT u; SELECT 1 / 0;
		ROLLBACK TO u; FETCH 2 FROM c; MOVE ALL FROM c; FETCH BACKWARD 1 FROM c; ROLLBACK",
	'a cursor that is made in a savepoint' => "BEGIN; SAVEPOINT s; DECLARE c CURSOR FOR $twice; MOVE 1500 FROM c; RELEASE s; SAVEPOINT t;
		FETCH 2 FROM c; ROLLBACK TO t; MOVE 1000 FROM c; FETCH 2 FROM c; COMMIT",
	'a cursor that goes with a savepoint' => "BEGIN; SAVEPOINT s; DECLARE c CURSOR FOR $twice; MOVE 1500 FROM c; FETCH 2 FROM c; ROLLBACK TO s;
		DECLARE c CURSOR FOR $twice; MOVE 2500 FROM c; FETCH 2 FROM c; COMMIT",
	'back and forth' => "BEGIN; DECLARE c SCROLL CURSOR FOR $twice; FETCH 2 FROM c; FETCH LAST FROM c; FETCH FIRST FROM c;
		FETCH ABSOLUTE 2500 FROM c; FETCH BACKWARD 2 FROM c; MOVE BACKWARD ALL FROM c; FETCH 1 FROM c; FETCH RELATIVE 900 FROM c; COMMIT",
	'WITH HOLD' => "BEGIN; DECLARE c CURSOR WITH HOLD FOR $twice; MOVE 1500 FROM c; FETCH 1 FROM c; COMMIT; FETCH 2 FROM c; MOVE 2000 FROM c; FETCH 2 FROM c;
		BEGIN; DECLARE d SCROLL CURSOR WITH HOLD FOR $twice; MOVE 1500 FROM d; COMMIT; FETCH 1 FROM d; FETCH LAST FROM d; FETCH ABSOLUTE 2 FROM d",
);
$node->safe_psql('postgres', q{
	CREATE FUNCTION sum_of(statement text, OUT rows int, OUT sum bigint) LANGUAGE plpgsql AS $$
	  DECLARE found record;
	  BEGIN
	    rows := 0;
	    sum := 0;
	    FOR found IN EXECUTE statement LOOP
	      rows := rows + 1;
	      BEGIN
	        sum := sum + rows * length(found.identifier);
	        IF rows % 3 = 0 THEN RAISE division_by_zero; END IF;
	      EXCEPTION WHEN division_by_zero THEN sum := sum + 1;
	      END;
	    END LOOP;
	  END $$});
for my $work_mem ('64kB', '4MB')
{
	for (sort keys %cursors)
	{
		my $scans = () = $cursors{$_} =~ /DECLARE/g;

		same_as_copy($_, 'small', $work_mem, 30 * $scans, $cursors{$_});
	}
	same_as_copy('a loop with subtransactions', 'small', $work_mem, 30, "SELECT * FROM sum_of('$twice')");
}

# ----- what the transaction has written itself -----

my @writes = (
	'CREATE TEMP TABLE gone AS SELECT identifier FROM small.copy ORDER BY id LIMIT 40',
	'DELETE FROM LIST WHERE identifier IN (SELECT identifier FROM gone)',
	q{INSERT INTO LIST (identifier, identifier_type, label) SELECT 'own' || n || '@test', 'email', 'Own ' || n FROM generate_series(1, 2500) n},
	"DELETE FROM LIST WHERE identifier LIKE 'own%77%'");
my $rerun = q{SELECT n, s.* FROM generate_series(1, 4) n, LATERAL
	(SELECT count(*), md5(string_agg(identifier || label, ',' ORDER BY identifier)) FROM LIST d WHERE length(d.identifier) % 4 <> n % 4) s};
for my $work_mem ('64kB', '4MB')
{
	same_as_copy('own writes', 'small', $work_mem, 90, 'BEGIN', @writes, $rerun, 'ROLLBACK');
	same_as_copy('a DELETE whose subquery runs again', 'small', $work_mem, 60, 'BEGIN', qq{WITH gone AS (DELETE FROM LIST WHERE id IN
		(SELECT s.id FROM generate_series(1, 3) n, LATERAL (SELECT id FROM LIST e WHERE length(e.label) % 5 = n OFFSET 0) s)
		RETURNING identifier, created_at) SELECT count(*), md5(string_agg(gone::text, ',' ORDER BY identifier)) FROM gone}, 'ROLLBACK');
}

# ----- nothing of a row stays in the query's memory -----

# By how many bytes that memory grows while a cursor moves on.
sub growth
{
	my ($query, $first, $more, @settings) = @_;
	my $bytes = q{SELECT sum(used_bytes) FROM pg_backend_memory_contexts WHERE name = 'ExecutorState'};
	my ($before, $after) = split /\n/, $dnc->gives(join ";\n", @settings, 'BEGIN', "DECLARE c CURSOR FOR $query",
		"MOVE $first FROM c", $bytes, "MOVE $more FROM c", $bytes, 'COMMIT');

	return $after - $before;
}

$dnc->control('POST', 'alta/slow/fill?count=20000');
my %growing = (
	'a list' => [ 'SELECT * FROM large.list', 1000, 58000 ],
	'several lists at once' => [ 'SELECT * FROM pair.list', 1000, 23000 ],
	'rows on disk' => [ $twice =~ s/LIST/large.list/r, 62000, 27000, "SET work_mem = '64kB'" ],
	'look-ups' => [ q{SELECT s.* FROM generate_series(1, 10) r, contact c, LATERAL (SELECT * FROM small.list d WHERE d.identifier = c.identifier OFFSET 0) s}, 100, 1100 ],
);
for (sort keys %growing)
{
	my $bytes = growth(@{ $growing{$_} });

	note "$_: $bytes bytes";
	cmp_ok(abs $bytes, '<', 8192, "$_: the query's memory stays as it is");
}

$dnc->stop;
done_testing();
