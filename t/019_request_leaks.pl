# A thousand failures of all kinds in one session, of scans, of COMMITs and of
# writes that are sent at once, leave no memory, no file descriptor and no
# socket behind; nor do those that a transaction goes on after.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncPsql;
use DncTest;
use DncVendors;
use List::Util qw(max);
use PostgreSQL::Test::Utils;
use Test::More;

my $dnc = DncTest->new;
local @ENV{qw(PGHOST PGPORT)} = ($dnc->node->host, $dnc->node->port);
my $psql = DncPsql->new;

# A statement that may fail; its answer.
sub query { return $psql->query($_[0]) }

# One that may not; its first row.
sub good
{
	my ($statement) = @_;
	my $answer = query($statement);

	die "$answer->{message} $answer->{detail}: $statement" if $answer->{sqlstate};
	return $answer->{rows}[0];
}

my %lists = map { $_->{name} => $_ } DncVendors::lists('leaks');

for my $name (sort keys %lists)
{
	my ($vendor, $account, $config) = @{ $lists{$name} }{qw(vendor account config)};
	my $columns = DncVendors::table_columns($vendor);

	$dnc->control('POST', "$account/fill?count=250");
	$dnc->control('PUT', "$account/config?$config") if $config;
	good($_) for split /;\s*/, DncVendors::server($name, $vendor, $dnc->url, $account =~ s/.*\///r,
		"max_retries '0', requests_per_minute '0', request_timeout '60ms', max_response_size '1MB'");
	good("CREATE FOREIGN TABLE $name ($columns) SERVER $name");
	good("CREATE FOREIGN TABLE ${name}_now ($columns) SERVER $name OPTIONS (write_mode 'immediate')");
}

# Memory of the session: what PostgreSQL knows of, and what the process has;
# and its descriptors.
my $pid = good('SELECT pg_backend_pid()');
sub measure
{
	my @files = glob "/proc/$pid/fd/*";
	my @sockets = grep { (readlink $_ // '') =~ /^socket/ } @files;

	slurp_file("/proc/$pid/status") =~ /^VmRSS:\s+(\d+) kB/m or die 'no VmRSS';
	return { rss => $1 * 1024, files => scalar @files, sockets => scalar @sockets,
		contexts => good('SELECT sum(used_bytes) FROM pg_backend_memory_contexts') };
}

# Runs a failing statement for each fault and list, over and over, $times in all
# after each fault has been seen three times to warm up.  What the process has
# goes up and down by some megabytes as the C library gives memory back, so the
# most of the warm-up's end is what counts.
sub check_leaks
{
	my ($what, $times, $faults, $statement, @names) = @_;
	my ($errors, $runs, $before) = (0, 0, {});
	my @cases = map { my $name = $_; map { [ $name, $_ ] } @$faults } @names;
	my $warm_up = 3 * @cases;

	while ($runs < $warm_up + $times)
	{
		my ($name, $fault) = @{ $cases[ $runs++ % @cases ] };
		$dnc->control('POST', "$lists{$name}{account}/fault?kind=$fault");
		my $answer = query($statement->($name));

		$errors++ if $answer->{sqlstate};
		diag "$name, $fault: no error" unless $answer->{sqlstate};
		query('ROLLBACK') if $statement->($name) =~ /^BEGIN/;
		$dnc->control('DELETE', "$lists{$name}{account}/fault") if $fault =~ /at=|times=/;
		next if $runs <= $warm_up / 2 || $runs > $warm_up || $runs % 5 > 0;
		my $now = measure();
		$before->{$_} = max($now->{$_}, $before->{$_} // 0) for keys %$now;
	}
	my $after = measure();

	is($errors, $runs, "$what: each fault is an error");
	note "$what, $times: ", join ', ', map { "$_ $before->{$_} to $after->{$_}" } sort keys %$after;
	cmp_ok($after->{contexts} - $before->{contexts}, '<', 64 * 1024, "$what: $times leave no memory context behind");
	cmp_ok($after->{rss} - $before->{rss}, '<', 1024 * 1024, "$what: $times leave no memory behind");
	# libcurl keeps a few connections, now more, now fewer.
	cmp_ok($after->{files}, '<=', $before->{files} + 10, "$what: $times leave no descriptor behind");
	return;
}

# Faults that any request fails by, and those of lists.  (Where a connection that
# was kept turns out to be dead, libcurl tries again by itself.)
my @any = ('status&arg=500', 'status&arg=503&retry_after=0', 'status&arg=429', 'status&arg=401',
	'status&arg=400', 'redirect&arg=http://127.0.0.1:1/', 'close&times=0', 'lost&times=0', 'cut', 'stall');
my @list = (@any, 'html', 'garbage', 'truncated', 'empty', 'not_success', 'stall_body', 'big&arg=2000000', 'slow&arg=1000',
	'no_next&at=2', 'repeat_cursor&at=2', 'no_has_more', 'wrong_type', 'truncated&at=2', 'cut&at=2');

check_leaks('scans', 1000, \@list, sub { "SELECT count(DISTINCT identifier) FROM $_[0]" }, sort keys %lists);

# Additions that the API counts or not, and more of them than go into a request.
sub add
{
	my ($name, $table) = @_;
	my $vendor = $lists{$name}{vendor};

	return "INSERT INTO $table (" . DncVendors::insert_columns($vendor) . ') SELECT '
		. DncVendors::insert_values($vendor, q{'never' || i || '@example.com'}) . ' FROM generate_series(1, 600) i';
}

check_leaks('COMMITs', 200, \@any, sub { add($_[0], $_[0]) }, sort keys %lists);
check_leaks('writes at once', 200, \@any, sub { add($_[0], "$_[0]_now") }, sort keys %lists);
check_leaks('deletions at once', 100, \@any, sub { "DELETE FROM $_[0]_now WHERE identifier LIKE 'never1%'" }, 'alta', 'weya');

# In one transaction that goes on after each error: the bytes that PostgreSQL's
# contexts have grown by.  Each subtransaction takes some, whatever it fails by.
sub growth
{
	my ($what, $statement) = @_;
	my $answer = query("DO \$\$ DECLARE before bigint; after bigint; errors int := 0; BEGIN
		FOR i IN 1..350 LOOP
			BEGIN $statement; EXCEPTION WHEN OTHERS THEN errors := errors + 1; END;
			IF i = 50 THEN SELECT sum(used_bytes) INTO before FROM pg_backend_memory_contexts; END IF;
		END LOOP;
		SELECT sum(used_bytes) INTO after FROM pg_backend_memory_contexts;
		IF errors <> 350 THEN RAISE 'only % errors', errors; END IF;
		CREATE TEMP TABLE grown AS SELECT after - before AS bytes;
		END \$\$");

	is($answer->{message}, undef, "$what in one transaction: all fail");
	my $bytes = good('SELECT bytes FROM grown');
	good('DROP TABLE grown');
	note "$what in one transaction: 300 failures take $bytes bytes";
	return $bytes;
}

$dnc->control('POST', 'alta/leaks/fault?kind=cut&times=0');
my $least = growth('divisions by zero', 'PERFORM 1 / 0');
for my $case ([ 'scans', 'PERFORM count(identifier) FROM alta' ], [ 'writes at once', add('alta', 'alta_now') ],
	[ 'deletions at once', q{DELETE FROM alta_now WHERE identifier = 'a' AND identifier_type = 'email'} ])
{
	cmp_ok(growth(@$case), '<', $least + 8192, "$case->[0] in one transaction leave nothing behind");
}
$dnc->control('DELETE', 'alta/leaks/fault');
for my $fault ('cut', 'html')
{
	$dnc->control('POST', "alta/leaks/fault?kind=$fault&times=0");
	cmp_ok(growth("checks ($fault)", q{IF NOT (dnc_fdw_check('alta')).ok THEN PERFORM 1 / 0; END IF}), '<', $least + 8192,
		"checks in one transaction leave nothing behind ($fault)");
	$dnc->control('DELETE', 'alta/leaks/fault');
}

good("ALTER SERVER alta OPTIONS (SET request_timeout '60s')");
is(good('SELECT count(*) FROM alta'), 0 + $dnc->control('GET', 'alta/leaks/count'), 'the session goes on');
is(good("SELECT count(*) FROM pg_backend_memory_contexts WHERE name LIKE 'dnc_fdw%'
	AND name NOT IN ('dnc_fdw requests of a statement', 'dnc_fdw allowances', 'dnc_fdw servers of the session')"),
	0, 'no memory context of ours is left, but for what counts requests');

$psql->finish;
$dnc->stop;
done_testing();
