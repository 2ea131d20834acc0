# Several servers read at once give what they give one after the other, however
# late each of them answers and whatever the conditions leave of their rows.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $dnc = DncTest->new;
my $node = $dnc->node;
my $url = $dnc->url;
my @lists = ('alta/one', 'alta/two', 'sendkit/three', 'weya/four');
my %sizes = ('alta/one' => 40, 'alta/two' => 130, 'sendkit/three' => 95, 'weya/four' => 61);

$dnc->control('POST', "$_/fill?count=$sizes{$_}") for @lists;
$dnc->control('PUT', 'sendkit/three/config?generation=old');
$node->safe_psql('postgres', qq{
	CREATE SERVER one FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url '$url/alta/v1', requests_per_minute '0', page_size '7');
	CREATE SERVER two FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url '$url/alta/v1', requests_per_minute '0', page_size '11');
	CREATE SERVER three FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'sendkit', base_url '$url/sendkit', page_size '10');
	CREATE SERVER four FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'weya', base_url '$url/weya', page_size '13');
	CREATE USER MAPPING FOR CURRENT_USER SERVER one OPTIONS (token 'sandbox-one');
	CREATE USER MAPPING FOR CURRENT_USER SERVER two OPTIONS (token 'sandbox-two');
	CREATE USER MAPPING FOR CURRENT_USER SERVER three OPTIONS (token 'sk_three');
	CREATE USER MAPPING FOR CURRENT_USER SERVER four OPTIONS (token 'sandbox-four');
	CREATE TABLE opt_outs (id text, identifier text, identifier_type text, source text) PARTITION BY LIST (source);
	CREATE FOREIGN TABLE p_one PARTITION OF opt_outs FOR VALUES IN ('one') SERVER one;
	CREATE FOREIGN TABLE p_two PARTITION OF opt_outs FOR VALUES IN ('two') SERVER two;
	CREATE FOREIGN TABLE p_three PARTITION OF opt_outs FOR VALUES IN ('three') SERVER three;
	CREATE FOREIGN TABLE p_four PARTITION OF opt_outs FOR VALUES IN ('four') SERVER four;
	CREATE TABLE p_local PARTITION OF opt_outs FOR VALUES IN ('local');
	INSERT INTO p_local SELECT n::text, 'local' || n, 'email', 'local' FROM generate_series(1, 20) n;
});

my $session = $node->background_psql('postgres');
my @conditions = (
	'true', 'false', "identifier_type = 'phone'", "identifier_type = 'email'",
	"identifier_type = 'domain'", "identifier_type = 'telegram'", "identifier LIKE '%3%'",
	"source IN ('one', 'three', 'local')", "source <> 'local'", "identifier LIKE '%000001%'",
	"length(identifier) % 2 = 0 AND identifier_type <> 'email'", "source = 'four'",
	"source IN ('two', 'four') AND identifier > '1555'");

# Both ways to read, for each condition and several patterns of latency.
srand(20250101);
my $all = 'SELECT count(*), md5(string_agg(source || id, $$,$$ ORDER BY source, id)) FROM opt_outs WHERE ';
for my $condition (@conditions)
{
	my $same = 1;

	for my $round (1 .. 4)
	{
		my $together = $session->query($all . $condition);

		$session->query('SET enable_async_append = off');
		my $one_by_one = $session->query($all . $condition);
		$session->query('RESET enable_async_append');
		$same = 0 if $together ne $one_by_one;
		$dnc->control('PUT', "$_/config?latency_ms=" . int(rand(4))) for @lists;
	}
	ok($same, "the same rows at once and one by one where $condition");
}
is($session->query('SELECT count(*) FROM opt_outs'), 40 + 130 + 95 + 61 + 20, 'all rows are there');

# A nested loop runs the Append again and again; a cursor stops in the middle.
$session->query('SET enable_material = off; SET enable_hashjoin = off; SET enable_mergejoin = off');
is($session->query("SELECT count(*) FROM (VALUES (1), (2), (3)) v (n)
		LEFT JOIN opt_outs o ON length(o.identifier) % 3 = v.n % 3"), 346, 'rescans give all rows');
is($session->query('RESET ALL; BEGIN; DECLARE c CURSOR FOR SELECT id FROM opt_outs; MOVE 17 IN c;
		CLOSE c; COMMIT; SELECT 1') =~ /1$/, 1, 'an Append can be left in the middle');
is($session->query('SELECT count(*) FROM (SELECT id FROM opt_outs LIMIT 9) l'), 9, 'LIMIT ends it early');

# An error of one server is an error of the whole, and the session goes on.
$dnc->control('POST', 'weya/four/fault?kind=status&arg=400&at=3');
my ($status, $out, $err) = $node->psql('postgres', 'SELECT count(*) FROM opt_outs');
isnt($status, 0, 'a server that fails fails the query');
like($err, qr/server "four" refused the request/, 'and is named');
is($session->query('SELECT count(*) FROM opt_outs'), 346, 'the next query is whole');

# At 100 ms a request, reading all takes about as long as the slowest, not the sum.
$dnc->control('PUT', "$_/config?latency_ms=100") for @lists;
like($session->query('EXPLAIN (COSTS OFF) SELECT * FROM opt_outs'), qr/Async Foreign Scan on p_four/,
	'EXPLAIN says so');
my $start = time;
$session->query('SELECT count(*) FROM opt_outs');
my $together = time - $start;
$session->query('SET enable_async_append = off');
$start = time;
$session->query('SELECT count(*) FROM opt_outs');
my $one_by_one = time - $start;
note sprintf('at once %.2f s, one by one %.2f s', $together, $one_by_one);
cmp_ok($together, '<', $one_by_one * 0.7, 'servers are read at the same time');

$session->quit;
$dnc->stop;
done_testing();
