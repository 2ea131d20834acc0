# A list that is read in many sessions, a page each: each stores its position, and the
# next one takes it up.  Together they give every entry that is on the list all the time,
# or they are told that they have to begin anew.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use DncVendors;
use File::Basename qw(dirname);
use PostgreSQL::Test::Utils;
use Test::More;

my $entries = 230;
my $page_size = 20;

# ----- the functions, from the directory that the extension was built in -----

my $build = $ENV{TESTDIR} // dirname($ENV{TESTDATADIR} // "$FindBin::RealBin/../tmp_check");
my $library = 't/modules/positions.so';
system_or_bail('make', '-s', '-C', $build, '-f', "$FindBin::RealBin/../Makefile",
	'PG_CONFIG=' . ($ENV{PG_CONFIG} || 'pg_config'), $library);

my $dnc = DncTest->new;
my $node = $dnc->node;
$node->safe_psql('postgres', qq{
	CREATE TYPE place AS (generation text, pages int, page_size int, cursor text, place bigint,
	  total bigint, moved bool, given bigint, ids text[], at_end bool);
	CREATE TYPE pages_read AS (at place, ids text[], problem text);
	CREATE FUNCTION read_pages(source regclass, at place, count int) RETURNS pages_read
	  AS '$build/$library' LANGUAGE c;
	CREATE TABLE pass (at place, steps int, anew int, problem text);
	CREATE TABLE staged (id text, step int);
});

# A step of a pass: what it reads and where it is then are stored together.
$node->safe_psql('postgres', q{
	CREATE FUNCTION step(source regclass, count int) RETURNS bool LANGUAGE plpgsql AS $$
	DECLARE
	  now pass;
	  this pages_read;
	BEGIN
	  SELECT * INTO STRICT now FROM pass;
	  this := read_pages(source, now.at, count);
	  IF this.problem IS NOT NULL THEN
	    DELETE FROM staged;
	  END IF;
	  INSERT INTO staged SELECT unnest(this.ids), now.steps;
	  UPDATE pass SET at = this.at, steps = steps + 1, problem = this.problem,
	    anew = anew + (this.problem IS NOT NULL)::int;
	  RETURN (this.at).at_end;
	END $$;
});

# The lists, each kind that the sandbox plays; numbered pages with either scan_check: vendor, the
# account's settings, options of the table.  Nobody is missed on the steady ones.
my (%lists, @steady);
for my $vendor (DncVendors::names())
{
	for my $kind (@{ $DncVendors::vendors{$vendor}{settings} })
	{
		for my $scan_check ($kind->{paging} eq 'numbers' ? ('total', 'reread') : '')
		{
			my $name = join '_', grep { $_ ne '' && $_ ne 'numbers' } $vendor, $kind->{name}, $scan_check;

			$lists{$name} = [ $vendor, $kind->{config}, $scan_check && "scan_check '$scan_check'" ];
			push @steady, $name unless $kind->{misses};
		}
	}
}

my %account;
for my $list (sort keys %lists)
{
	my ($vendor, undef, $options) = @{ $lists{$list} };

	$account{$list} = "$vendor/$list";
	$options = "OPTIONS ($options)" if $options;
	$node->safe_psql('postgres', DncVendors::server($list, $vendor, $dnc->url, $list, "page_size '$page_size', requests_per_minute '0', max_concurrency '1'") . qq{
		CREATE FOREIGN TABLE $list (id text) SERVER $list $options;
	});
}

# The ids that are on a list now.
sub listed_ids
{
	my ($list) = @_;

	return $dnc->control('GET', "$account{$list}/entries") =~ /"_?id":\s*"([0-9a-f-]+)"/g;
}

# A fresh list, and a pass that has not begun; more settings of the account.
sub begin_pass
{
	my ($list, $count, $settings) = @_;
	my $config = join '&', grep { $_ } $lists{$list}[1], $settings // '';

	$dnc->control('DELETE', $account{$list});
	$dnc->control('POST', "$account{$list}/fill?count=$count") if $count;
	my @ids = listed_ids($list);
	$dnc->control('PUT', "$account{$list}/config?$config") if $config;
	$node->safe_psql('postgres',
		'DELETE FROM staged; DELETE FROM pass; INSERT INTO pass VALUES (NULL, 0, 0)');
	$dnc->control('DELETE', "$account{$list}/log");
	return @ids;
}

# A step; is the list read then?  In a session of its own, or in the one that is given.
my $session;
sub step
{
	my ($list, $count) = @_;
	my $step = "SELECT step('$list', @{[$count // 1]})";

	return $node->safe_psql('postgres', $step) eq 't' unless $session;
	my $done = $session->query($step);
	die "$list: $session->{stderr}" if $session->{stderr} =~ /ERROR/;
	return $done eq 't';
}

# Steps until the list is read; how many they were.
sub finish_pass
{
	my ($list) = @_;
	my $steps = 1;

	$steps++ until step($list) || $steps == 200;
	return $steps;
}

sub pass { return $node->safe_psql('postgres', "SELECT $_[0] FROM pass") }
sub requests { return scalar split /\n/, $dnc->control('GET', "$account{$_[0]}/log") }

# What is wrong with the ids that are staged: those that are lost, and doubled ones.
sub verdict
{
	my ($list, @before) = @_;
	my %gone = map { $_ => 1 } $dnc->control('GET', "$account{$list}/changes") =~ /^- (\S+)/mg;
	my %count;

	$count{$_}++ for split /\n/, $node->safe_psql('postgres', 'SELECT id FROM staged');
	my $lost = grep { !$gone{$_} && !$count{$_} } @before;
	my $doubled = grep { $_ > 1 } values %count;
	return "$lost lost, $doubled doubled";
}

# ----- lists that do not move -----

for my $list (sort keys %lists)
{
	my @ids = begin_pass($list, $entries);
	is(scalar @ids, $entries, "$list: the list is there");
	my $steps = finish_pass($list);
	is(verdict($list, @ids), '0 lost, 0 doubled', "$list: a page a session gives all");
	is(pass("anew || '|' || (at).given || '|' || (at).at_end"), "0|$entries|true",
		"$list: nothing began anew");
	my $requests = requests($list);
	cmp_ok($requests, '<=', 2 * 12 - 1, "$list: no page is read more than twice ($requests, $steps steps)");
	$node->safe_psql('postgres', "SELECT step('$list', 5)");
	is(requests($list), $requests, "$list: behind the end nothing is asked");
	is(pass("problem IS NULL AND (at).at_end AND (at).given = $entries"), 't',
		"$list: and it is still the end");

	# Two pages, then all the rest.
	@ids = begin_pass($list, $entries);
	step($list, 2);
	ok(step($list, 1000), "$list: a session goes on to the end");
	is(verdict($list, @ids), '0 lost, 0 doubled', "$list: which gives all, too");

	# No entry, one page.
	for my $count (0, 7)
	{
		@ids = begin_pass($list, $count);
		is(finish_pass($list), 1, "$list of $count: one step");
		step($list);
		is(requests($list), 1, "$list of $count: one request");
		is(verdict($list, @ids), '0 lost, 0 doubled', "$list of $count: all");
	}
}

# ----- lists that move between pages and between sessions -----

# Where pages are numbered an entry may come again, which whoever keeps them by id
# does not see; behind a cursor none does.
my ($runs, $anew) = (0, 0);
sub check
{
	my ($list, $drift) = @_;
	my ($lost, $doubled, $unfinished) = (0, 0, 0);

	for my $seed (1 .. 4)
	{
		my @before = begin_pass($list, $entries, "$drift&drift_seed=$seed");
		$unfinished++ if finish_pass($list) == 200;
		my ($run_lost, $run_doubled) = verdict($list, @before) =~ /(\d+) lost, (\d+) doubled/;

		$runs++;
		$anew += pass('anew');
		$lost += $run_lost;
		$doubled += $run_doubled if $list =~ /keyset|new/;
	}
	is("$lost lost, $doubled doubled, $unfinished unfinished",
		'0 lost, 0 doubled, 0 unfinished', "$list, $drift");
	return;
}
$session = $node->background_psql('postgres', on_error_stop => 0);
for my $list (@steady)
{
	check($list, $_)
		for 'drift_remove=1&drift_at=random', 'drift_add=2&drift_at=random',
		'drift_remove=3&drift_at=front', 'drift_add=3&drift_at=front',
		'drift_add=1&drift_remove=2&drift_at=random', 'drift_remove=15&drift_at=front';
}
note "$runs passes, $anew times begun anew";
$session->quit;
undef $session;

# ----- positions that cannot be taken up -----

# What a step says, and what is staged behind it, after the position was changed.
sub resumed
{
	my ($list, $change) = @_;

	begin_pass($list, $entries);
	step($list, 3);
	$node->safe_psql('postgres', $change) if $change;
	step($list, 1);
	return pass('problem') . '|' . $node->safe_psql('postgres', 'SELECT count(*) FROM staged');
}
my $moved = 'The last page that was read is not where it was: the list has moved.';
my $refused = 'The server refuses to give the last page that was read.';
my $otherwise = 'The list is paged in another way now.';

is(resumed('alta_page'), '|80', 'a good position');
is(resumed('alta_page', "UPDATE pass SET at.page_size = 7"), "$refused|20",
	'a cursor that belongs to another page size is refused, and the first page is read');
is(resumed('alta_page', "UPDATE pass SET at.cursor = 'none'"), "$refused|20", 'so is one that is none');
is(resumed('alta_page', "UPDATE pass SET at.generation = 'none'"), "$otherwise|20", 'an unknown paging');
is(resumed($_, "UPDATE pass SET at.ids = '{x,y}'"), "$moved|20", "$_: other entries")
	for 'alta_page', 'sendkit_new', 'sendkit_old_total', 'weya_total', 'weya_reread';

# Whatever is on the last page is gone.
for my $list ('alta_page', 'alta_keyset', 'weya_total')
{
	begin_pass($list, $entries);
	step($list, 3);
	my @page = split /\n/, $node->safe_psql('postgres', 'SELECT unnest((at).ids) FROM pass');
	is(scalar @page, $page_size, "$list: the last page");
	$dnc->control('PUT', "$account{$list}/config?drift_remove=60&drift_at=front");
	$node->safe_psql('postgres', "SELECT id FROM $list LIMIT 1");
	$dnc->control('PUT', "$account{$list}/config?drift_remove=0");
	my @gone = $dnc->control('GET', "$account{$list}/changes") =~ /^- (\S+)/mg;
	is(scalar @gone, 60, "$list: entries have gone");
	step($list, 1);
	is(pass('problem'), $moved, "$list: so that the last page is not found");
	my @now = listed_ids($list);
	finish_pass($list);
	is(verdict($list, @now), '0 lost, 0 doubled', "$list: and all is read from the first page on");
}

# A server that speaks the other generation by now.
for my $list ('sendkit_new', 'sendkit_old_total')
{
	my $other = $list eq 'sendkit_new' ? 'old' : 'new';

	begin_pass($list, $entries);
	step($list, 3);
	$dnc->control('PUT', "$account{$list}/config?generation=$other");
	finish_pass($list);
	is(pass('anew'), 1, "$list: begins anew where pages are asked for in another way");
	is($node->safe_psql('postgres', 'SELECT count(DISTINCT id) FROM staged'), $entries,
		"$list: and reads all");
}

# What is no refusal is an error, and the position stays.
begin_pass('alta_page', $entries);
step('alta_page', 3);
$node->safe_psql('postgres', "ALTER SERVER alta_page OPTIONS (ADD max_retries '0')");
$dnc->control('POST', "$account{alta_page}/fault?kind=status&arg=500");
like($dnc->gives("SELECT step('alta_page', 1)"), qr/ERROR:  HV00M/, 'a server that fails is an error');
step('alta_page', 1);
is(pass("problem IS NULL AND (at).given = 80"), 't', 'and the next step goes on');

$dnc->stop;
done_testing();
