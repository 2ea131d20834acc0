# Lists that change while they are read.  Of numbered pages every entry that is on the
# list during the whole scan comes exactly once, or the scan fails with 40001.  Behind a
# cursor every entry comes once.  The sandbox adds and removes entries between any two
# pages, at random with a seed.
#
# DNC_MOVING_RUNS=2000 PG_TEST_TIMEOUT_DEFAULT=3600 reads so many lists whose changes cancel each
# other out.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use DncVendors;
use PostgreSQL::Test::Utils;
use Test::More;

my $entries = 230;
my $page_size = 20;
my $seeds = 15;
my $cancelling_runs = $ENV{DNC_MOVING_RUNS} // 60;

my $dnc = DncTest->new;
my $node = $dnc->node;

# Where pages have numbers, lists are tried with them, and with either scan_check; elsewhere cursors count pages.
my (%config, @numbered, @tables);
for my $vendor (DncVendors::names())
{
	my ($list) = grep { $_->{vendor} eq $vendor && $_->{paging} eq 'numbers' } DncVendors::lists('moving');

	$node->safe_psql('postgres', DncVendors::server($vendor, $vendor, $dnc->url, 'moving', "page_size '$page_size', requests_per_minute '0'"));
	push @numbered, $vendor if $list;
	$config{$vendor} = $list ? $list->{config} : '';
	for my $scan_check ($list ? ('total', 'reread') : 'cursor')
	{
		push @tables, "${vendor}_$scan_check";
		$node->safe_psql('postgres', "CREATE FOREIGN TABLE $tables[-1] (id text) SERVER $vendor" . ($list ? " OPTIONS (scan_check '$scan_check')" : ''));
	}
}
my $session = $node->background_psql('postgres', on_error_stop => 0);
$session->query('\set VERBOSITY sqlstate');

# The ids that are on the list now.
sub listed_ids
{
	my ($vendor) = @_;

	return $dnc->control('GET', "$vendor/moving/entries") =~ /"@{[ DncVendors::members('id') ]}":\s*"([0-9a-f-]+)"/g;
}

# A fresh list that moves as $drift says; the ids on it.
sub begin_run
{
	my ($vendor, $drift, $seed) = @_;

	$dnc->control('DELETE', "$vendor/moving");
	$dnc->control('POST', "$vendor/moving/fill?count=$entries");
	$dnc->control('PUT', "$vendor/moving/config?$config{$vendor}") if $config{$vendor};
	my @ids = listed_ids($vendor);
	$dnc->control('PUT', "$vendor/moving/config?$drift&drift_seed=$seed");
	return @ids;
}

# What is wrong with the ids that a scan has given: lost or doubled ones.
sub verdict
{
	my ($vendor, $before, $given) = @_;
	my %gone = map { $_ => 1 } $dnc->control('GET', "$vendor/moving/changes") =~ /^- (\S+)/mg;
	my %count;

	$count{$_}++ for @$given;
	my @doubled = grep { $count{$_} > 1 } keys %count;
	my @lost = grep { !$gone{$_} && !$count{$_} } @$before;
	return (scalar @lost, scalar @doubled, scalar keys %gone);
}

# Ways to read a whole list; each gives the ids.
my %ways = (
	'SELECT' => sub {
		my ($table) = @_;
		return split /\n/, $session->query("SELECT id FROM $table");
	},
	'DECLARE and FETCH' => sub {
		my ($table) = @_;
		my @ids;

		$session->query("BEGIN; DECLARE c CURSOR FOR SELECT id FROM $table");
		for (1 .. 100)
		{
			my @some = split /\n/, $session->query('FETCH 33 FROM c');

			last unless @some;
			push @ids, @some;
		}
		$session->query('COMMIT');
		return @ids;
	},
	'the second of two rescans' => sub {
		my ($table) = @_;
		my $rows = $session->query("SELECT v.n || ' ' || l.id FROM (VALUES (1), (2)) v (n),
			LATERAL (SELECT id FROM $table WHERE id <> v.n::text) l");

		return $rows =~ /^2 (\S+)$/mg;
	});

my ($given_up, $runs, $changed) = (0, 0, 0);

# Reads a moving list once for each seed.
sub check
{
	my ($vendor, $scan_check, $drift, $way, $times) = @_;
	my ($lost, $doubled, $failed) = (0, 0, 0);

	$times //= $seeds;
	for my $seed (1 .. $times)
	{
		my @before = begin_run($vendor, $drift, $seed);
		my @given = $ways{$way}->("${vendor}_$scan_check");
		my $errors = $session->{stderr};

		$session->{stderr} = '';
		$runs++;
		if ($errors =~ /ERROR/)
		{
			$failed++;
			$given_up++;
			die "unexpected: $errors" unless $errors =~ /ERROR:\s+40001/;
			next;
		}
		my ($run_lost, $run_doubled, $run_gone) = verdict($vendor, \@before, \@given);
		$lost += $run_lost;
		$doubled += $run_doubled;
		$changed++ if $run_gone > 0 || $drift =~ /drift_add/;
	}
	is("$lost lost, $doubled doubled", '0 lost, 0 doubled',
		"$vendor, $scan_check, $drift, $way ($failed of $times failed with 40001)");
	return $failed;
}

# 'total' sees every change that moves the total.
my @moving_total = (
	'drift_remove=1&drift_at=front', 'drift_remove=1&drift_at=random',
	'drift_remove=3&drift_at=random', 'drift_add=2&drift_at=random',
	'drift_add=1&drift_remove=2&drift_at=random', 'drift_add=9&drift_at=front',
	'drift_remove=25&drift_at=front');

# 'reread' sees every change, also those that leave the total as it is.
my @any_change = (@moving_total, 'drift_add=1&drift_remove=1&drift_at=random',
	'drift_add=5&drift_remove=5&drift_at=random');

for my $vendor (@numbered)
{
	check($vendor, 'total', $_, 'SELECT') for @moving_total;
	check($vendor, 'reread', $_, 'SELECT') for @any_change;
	for my $way ('DECLARE and FETCH', 'the second of two rescans')
	{
		check($vendor, 'total', 'drift_remove=1&drift_at=random', $way);
		check($vendor, 'reread', 'drift_add=2&drift_remove=2&drift_at=random', $way);
	}
}

# As many entries come as go, and pages that are asked for at once are answered in any
# order: the total tells nothing, and a page that was asked for later may be the older one.
for my $vendor (@numbered)
{
	for my $drift ('drift_add=1&drift_remove=1', 'drift_add=10&drift_remove=10')
	{
		my $failed = check($vendor, 'reread', "$drift&drift_at=random&think_ms=3", 'SELECT', $cancelling_runs / 4);
		note "$vendor, $drift: $failed of @{[$cancelling_runs / 4]} failed with 40001";
	}
}
note "$runs scans, $given_up given up with 40001, $changed with a list that changed";
cmp_ok($given_up, '<', $runs / 10, 'few scans are given up');
cmp_ok($changed, '>', $runs / 2, 'the lists did change');

# LIMIT stops early; what it gives is on the list, and nothing twice.
for my $vendor (@numbered)
{
	begin_run($vendor, 'drift_remove=2&drift_at=random', 1);
	my @given = split /\n/, $session->query("SELECT id FROM ${vendor}_total LIMIT 70");
	my %seen = map { $_ => 1 } @given;

	is(scalar @given, 70, "$vendor: LIMIT gives as many as it says");
	is(scalar keys %seen, 70, "$vendor: LIMIT gives nothing twice");
}

# How a list that does not move is read: with 'total' a page a request.  Pages that overlap
# are 16 where others are 12: no page of 20 entries or less reaches further at any of the
# places.  They are asked for ahead all the same.
begin_run('weya', 'drift_add=0', 1);
$session->query('SELECT count(id) FROM weya_total');
is(scalar(split /\n/, $dnc->control('GET', 'weya/moving/log')), 12,
	'total: a list that does not move takes a request a page');
$dnc->control('DELETE', 'weya/moving/log');
$dnc->control('PUT', 'weya/moving/config?latency_ms=20');
$session->query('SELECT count(id) FROM weya_reread');
is(scalar(split /\n/, $dnc->control('GET', 'weya/moving/log')), 16, 'reread: as few as can be');
like($dnc->control('GET', 'weya/moving/stats'), qr/^in_flight_max 4$/m, 'four of them at once');
my $default = $node->safe_psql('postgres', q{
	CREATE FOREIGN TABLE weya_default (id text) SERVER weya;
	SELECT count(id) FROM weya_default});
is($default, $entries, 'without the option ...');
is(scalar(split /\n/, $dnc->control('GET', 'weya/moving/log')), 32, '... pages overlap');

# ----- cursors that count pages -----

# Entries come at the front: the next page begins with some that were given.
for my $vendor (map { /(.*)_cursor$/ } @tables)
{
	check($vendor, 'cursor', $_, 'SELECT')
		for 'drift_add=3&drift_at=front', 'drift_add=15&drift_at=front', 'drift_add=5&drift_at=random';
}

# ----- one id twice, on pages that are far from each other -----

for my $table (@tables)
{
	my ($vendor) = $table =~ /^([a-z]+)/;

	begin_run($vendor, 'drift_add=0', 1);
	my ($entry) = $dnc->control('GET', "$vendor/moving/entries") =~ /(\{[^{}]*\})/;
	$dnc->control('PUT', "$vendor/moving/entries", "[$entry]");
	my @given = split /\n/, $session->query("SELECT id FROM $table");
	is(scalar @given, $entries, "$table: an entry that stands twice comes once");
	begin_run($vendor, 'drift_add=0', 1);
	$entry =~ s/("@{[ DncVendors::members('identifier') ]}":\s*")/${1}9/ or die "no identifier: $entry";
	$dnc->control('PUT', "$vendor/moving/entries", "[$entry]");
	$session->query("SELECT id FROM $table");
	like($session->{stderr}, qr/ERROR:\s+08P01/, "$table: two entries with one id are an error");
	$session->{stderr} = '';
}

# One that never settles is an error that says so.
begin_run('weya', 'drift_remove=60&drift_add=60&drift_at=front', 1);
$session->query('\set VERBOSITY default');
$session->query('SELECT id FROM weya_reread');
like($session->{stderr}, qr/ERROR:  the list of server "weya" kept changing while it was read/,
	'a list that does not settle is an error');
$session->{stderr} = '';

$session->quit;
$dnc->stop;
done_testing();
