# dnc_fdw_probe() finds out what kind of vendor the sandbox plays: all combinations of the
# settings that it has for what vendors' documents leave open, within 12 requests, which only
# read; with the statements that set the options; and without showing an identifier.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use DncVendors;
use PostgreSQL::Test::Utils;
use Test::More;

my $dnc = DncTest->new;
my $node = $dnc->node;
$node->safe_psql('postgres', DncVendors::server($_, $_, $dnc->url, 'probe', "requests_per_minute '0'")) for DncVendors::names();

# One session for all of it.
my $session = $node->background_psql('postgres');

# Makes the vendor another one, with so many entries.
sub set_up
{
	my ($vendor, $settings, $count, $more) = @_;

	$dnc->control('DELETE', "$vendor/probe");
	$dnc->control('PUT', "$vendor/probe/config?" . join '&', map { "$_=$settings->{$_}" } sort keys %$settings) if %$settings;
	$dnc->control('POST', "$vendor/probe/fill?count=$count" . ($more // '')) if $count;
	return;
}

# What the probe finds, by topic: finding, and setting behind a bar.  Second, its requests.
sub probe
{
	my ($server) = @_;
	my %found;
	my $requests = 0;

	for (split /\n/, $session->query("SELECT topic, finding || '|' || coalesce(setting, ''), requests FROM dnc_fdw_probe('$server')"))
	{
		my ($topic, $finding, $setting, $of_topic) = split /\|/;
		$found{$topic} = "$finding|$setting";
		$requests += $of_topic;
	}
	return (\%found, $requests);
}

# All combinations of some settings, each with its values.
sub combinations
{
	my (%values) = @_;
	my @all = ({});

	for my $key (sort keys %values)
	{
		@all = map { my $one = $_; map { { %$one, $key => $_ } } @{ $values{$key} } } @all;
	}
	return @all;
}

sub option { return "ALTER SERVER $_[0] OPTIONS (ADD $_[1] '$_[2]');" }

# What is to be found where the settings are these.
my %order = (oldest => 'the oldest entries come first', newest => 'the newest entries come first', random => 'not by created_at');
my %search = (exact => 'finds an identifier by the whole of it only|',
	prefix => 'finds an identifier by its beginning|' . option('alta', 'search_match', 'prefix'),
	substring => 'finds an identifier by any part of it|' . option('alta', 'search_match', 'substring'));

sub expected_cursors
{
	my ($s) = @_;

	return ($s->{cursor_use} eq 'any' ? 'can be used again' : 'can be used once only') .
	  ($s->{cursors} eq 'page' ? '; they seem to count pages: read while nobody removes entries' : '');
}

sub expected
{
	my ($vendor, $s, $count) = @_;
	my $max = $s->{max_limit} // 100;
	my %found = (token => 'the server takes it|', order => "$order{ $s->{order} }|",
		rate_limit => $s->{rate_limit} ? 'answers have RateLimit headers|' : 'answers have no RateLimit headers|',
		clock => $s->{clock_offset} == 0 ? 'agrees with ours|' : 'is about N s ' . ($s->{clock_offset} > 0 ? 'ahead of' : 'behind') . ' ours|');
	my $total = "answers tell it: $count entries|" . option($vendor, 'estimated_rows', $count);
	my $pages = '|';

	if ($vendor eq 'alta')
	{
		return { %found, generation => 'a page leads to the next by a cursor (answers have "hasMore")|',
			page_size => '100, the most that may be asked for|', total => 'answers do not tell it|',
			types => 'the types of 100 entries are documented|', cursors => expected_cursors($s) . '|',
			previous => ($s->{previous} eq 'given' ? 'leads back to the page before' : 'pages do not lead back') . '|',
			search => $search{ $s->{search} }, search_case => $s->{search_case} eq 'insensitive' ? 'does not matter|' : 'matters|',
			type_filter => $s->{type_filter} eq 'exact' ? 'exact|' : 'lets other types through|' };
	}
	if ($vendor eq 'sendkit')
	{
		my $new = $s->{generation} eq 'new';
		my $size = $max < 100 ? "$max, though 100 were asked for|" . option($vendor, 'page_size', $max) : '100, the most that may be asked for|';
		return { %found, generation => ($new ? 'a page leads to the next by a cursor (answers have "pagination.hasMore")|'
				: 'pages are numbered (answers have "pagination.pages")|'),
			page_size => $size, total => $total, types => "the types of $max entries are documented|",
			cursors => ($new ? expected_cursors($s) : 'none, pages are numbered, and entries keep their order') . '|',
			($new ? (previous => 'not documented|') : ()), search => 'the API has none|',
			type_filter => $s->{type_filter} eq 'exact' ? 'exact|' : 'lets other types through|' };
	}
	my $works = $s->{over_limit} eq 'cut' || $max >= 1000 ? $max : $max >= 100 ? 100 : 10;
	my $size = $max >= 1000 ? '1000, the most that may be asked for' : $s->{over_limit} eq 'cut' ? "$max, though 1000 were asked for"
	  : "$works, and " . ($max >= 100 ? 1000 : 100) . ' is refused';
	return { %found, generation => 'pages are numbered (answers have "data.pagination.totalPages")|',
		page_size => "$size|" . ($works == 100 ? '' : option($vendor, 'page_size', $works)), total => $total,
		types => 'entries have no type|', cursors => 'none, pages are numbered, and entries keep their order|',
		search => 'finds an identifier by any part of it|', type_filter => 'the API has none|',
		search_case => 'cannot be told|' };
}

# What is found without figures, and without explanations behind a colon or comma where there are any.
sub plain
{
	my ($found) = @_;
	my %plain = %$found;

	$plain{clock} =~ s/about \d+ s/about N s/;
	$plain{rate_limit} =~ s/headers[,:].*\|/headers|/;
	$plain{$_} && $plain{$_} =~ s/^([^:,]*)[:,].*\|/$1|/ for 'search_case', 'type_filter';
	return join "\n", map { "$_: $plain{$_}" } sort keys %plain;
}

my %headers = (rate_limit => [ 0, 1000000 ], clock_offset => [ 0, -3600 ], order => [ 'oldest', 'newest', 'random' ]);
my %kinds = (
	alta => [ combinations(%headers, search => [ 'exact', 'prefix', 'substring' ], search_case => [ 'sensitive', 'insensitive' ],
			cursors => [ 'page', 'keyset' ], cursor_use => [ 'any', 'once' ], previous => [ 'given', 'none' ],
			type_filter => [ 'exact', 'loose' ]) ],
	sendkit => [ combinations(%headers, generation => ['new'], cursors => [ 'page', 'keyset' ], cursor_use => [ 'any', 'once' ],
			max_limit => [ 100, 40, 7 ], type_filter => [ 'exact', 'loose' ]),
		combinations(%headers, generation => ['old'], max_limit => [ 100, 40, 7 ], type_filter => [ 'exact', 'loose' ]) ],
	weya => [ combinations(%headers, max_limit => [ 1000, 100, 30 ], over_limit => [ 'cut', 'refuse' ]) ]);
my %entries = (alta => 120, sendkit => 120, weya => 1001);

for my $vendor (sort keys %kinds)
{
	my ($wrong, $most, $writes, $off) = ('', 0, 0, 0);

	for my $settings (@{ $kinds{$vendor} })
	{
		set_up($vendor, $settings, $entries{$vendor});
		my ($found, $requests) = probe($vendor);
		my $log = $dnc->control('GET', "$vendor/probe/log");
		my $sent = () = $log =~ /\n/g;
		my ($plain, $expected) = (plain($found), plain(expected($vendor, $settings, $entries{$vendor})));

		$most = $sent if $sent > $most;
		$writes++ if $log =~ /^(?!GET )/m;
		$off++ if $settings->{clock_offset} && $found->{clock} !~ /about (?:359\d|360\d) s/;
		next if $plain eq $expected && $requests == $sent && $sent <= 12;
		$wrong .= join(' ', map { "$_=$settings->{$_}" } sort keys %$settings) . ": $requests requests, $sent sent\n$plain\n--- and not\n$expected\n\n"
		  if length $wrong < 3000;
	}
	is($wrong, '', "$vendor: everything is found, in all " . scalar(@{ $kinds{$vendor} }) . ' combinations');
	cmp_ok($most, '<=', 12, "$vendor: within 12 requests");
	is("$writes $off", '0 0', "$vendor: which only read, and clocks are read to some seconds");
}

# ----- lists that tell less -----

my %some = (search => 'substring', cursors => 'keyset');
my @identifiers;    # none of them is to be shown
my $shown = '';

# What a probe shows of some topics, of a list that is set up already.
sub shows
{
	my ($server, @topics) = @_;
	my ($found) = probe($server);

	push @identifiers, $dnc->control('GET', "$server/probe/entries") =~ /"(?:identifier|email|phoneNumber)":"([^"]{4,})"/g;
	$shown .= join "\n", '', %$found;
	return join "\n", map { "$_: " . ($found->{$_} // 'none') } @topics;
}

set_up('alta', \%some, 0);
is(shows('alta', qw(page_size order types cursors previous search search_case type_filter)),
	"page_size: 0 at least: the list has no more entries|\norder: cannot be told from 0 entries|\ntypes: the types of 0 entries are documented|\n" .
	"cursors: cannot be told without a second page|\nprevious: cannot be told without a second page|\n" .
	"search: cannot be told: the first page has no identifier to search for|\nsearch_case: none\n" .
	'type_filter: cannot be told: the first page has entries of one type|', 'an empty list');
set_up('alta', \%some, 2, '&types=sms');
is(shows('alta', qw(page_size order cursors search search_case type_filter)),
	"page_size: 2 at least: the list has no more entries|\norder: cannot be told from 2 entries|\ncursors: can be used again|\n" .
	"search: finds an identifier by any part of it|" . option('alta', 'search_match', 'substring') .
	"\nsearch_case: cannot be told: no identifier on the first page has letters|\n" .
	'type_filter: cannot be told: the first page has entries of one type|', 'two entries of one type');
set_up('weya', {}, 1);
is(shows('weya', qw(total cursors)), "total: answers tell it: 1 entries|" . option('weya', 'estimated_rows', 1) .
	"\ncursors: none, pages are numbered; their order cannot be told from fewer than two entries|", 'one entry');

# Types that are not documented are named, if they look like types.
set_up('alta', \%some, 4);
$dnc->control('PUT', 'alta/probe/entries', '[' . join(',', map { my ($n, $type) = @$_;
	qq({"id":"$n","objectType":"communication-opt-out","identifier":"somebody-$n","identifierType":"$type","isManuallyAdded":true,"createdAt":"2025-01-02","updatedAt":"2025-01-02"}) }
	[ 1, 'fax' ], [ 2, 'fax' ], [ 3, 'Some Where' ], [ 4, 'eve@example.com' ], [ 5, '+15550001234' ], [ 6, 'x' x 31 ]) . ']');
push @identifiers, 'eve@example.com', '+15550001234', 'x' x 31;
is(shows('alta', qw(types order)), "types: 6 of 10 entries have a type that is not documented: fax, Some Where|\norder: cannot be told from 10 entries|",
	'types that no document has');

# ----- vendors that are not what they should be -----

# Orders what the N-th request of a probe gets; which requests there are, in order: the first
# page, two pages and the second again, back, four searches, the type.
sub fault { return $dnc->control('POST', "alta/probe/fault?$_[0]", $_[1]) }

set_up('alta', {}, 12);
fault('kind=body&at=6', '{"data":[],"hasMore":false}');
is(shows('alta', 'search'), 'search: does not find an entry by its own identifier: a look-up (identifier = ...) would take it for not listed. ' .
	'Read the list instead, and ask the vendor|', 'a search that loses entries');
set_up('alta', {}, 12);
fault('kind=body&at=10', '{"data":[],"hasMore":false}');
is(shows('alta', 'type_filter'), 'type_filter: leaves entries out: 2 of type email on the first page are missing, so a condition on identifier_type ' .
	'loses them. Ask the vendor|', 'a filter that loses entries');
set_up('alta', {}, 12);
fault("kind=body&arg=400&at=$_", '{"message":"person000001@example.com is no good"}') for 3 .. 8;
is(shows('alta', qw(cursors previous search search_case type_filter)), "cursors: cannot be used: the answer has HTTP status 400|\n" .
	"previous: cannot be told without a second page|\nsearch: cannot be told: the answer has HTTP status 400|\n" .
	"search_case: cannot be told: the answer has HTTP status 400|\ntype_filter: cannot be told: the answer has HTTP status 400|", 'refusals are findings');
for my $at (7, 8)
{
	set_up('alta', {}, 12);
	fault("kind=status&arg=503&at=$at");
	is(shows('alta', qw(search search_case)), "search: cannot be told: the answer has HTTP status 503|\nsearch_case: matters: look identifiers up in " .
		'their usual spellings (dnc_fdw_spellings())|', "request $at of a search fails");
}
for my $case ([ 'status&arg=401', 'the server refuses it (HTTP status 401)' ], [ 'status&arg=503', 'cannot be told, and nothing else: the answer has HTTP status 503' ],
	[ 'cut', 'cannot be told, and nothing else: no whole answer came: server "alta" cut its answer off' ],
	[ 'garbage', 'cannot be told, and nothing else: the answer is not what the API documents' ],
	[ 'no_has_more', 'cannot be told, and nothing else: the answer does not say whether the list goes on' ],
	[ 'status&arg=202', 'cannot be told, and nothing else: the answer has HTTP status 202' ])
{
	my ($fault, $words) = @$case;

	set_up('alta', {}, 12);
	fault("kind=$fault");
	is(shows('alta', qw(token generation)), "token: $words|\ngeneration: none", "a first answer: $fault");
	is($dnc->control('GET', 'alta/probe/log') =~ tr/\n//, 1, "$fault: one request");
}
set_up('weya', { max_limit => 5, over_limit => 'refuse' }, 20);
is(shows('weya', 'token'), 'token: cannot be told, and nothing else: the answer has HTTP status 400|', 'no page size will do');

# ----- the settings can be pasted, and then there are none -----

set_up('sendkit', { max_limit => 40 }, 120);
set_up('alta', { search => 'prefix' }, 120);
for my $server ('sendkit', 'alta')
{
	my ($found) = probe($server);
	my @settings = map { /\|(ALTER .*)/ ? $1 : () } values %$found;

	cmp_ok(scalar @settings, '>', 0, "$server: there are settings");
	$node->safe_psql('postgres', join ' ', @settings);
	($found) = probe($server);
	is(join(' ', grep { /\|ALTER/ } values %$found), '', "$server: none is left");
}
set_up('alta', { search => 'exact' }, 120);
is(shows('alta', 'search'), "search: finds an identifier by the whole of it only|ALTER SERVER alta OPTIONS (SET search_match 'exact');",
	'a vendor that has changed');
$node->safe_psql('postgres', 'ALTER SERVER alta RENAME TO "al Ta"');
set_up('alta', { search => 'substring' }, 120);
like((probe('al Ta'))[0]->{search}, qr/\|ALTER SERVER "al Ta" OPTIONS \(SET search_match 'substring'\);$/, 'a name that needs quotes');
$node->safe_psql('postgres', 'ALTER SERVER "al Ta" RENAME TO alta');

# ----- rights and limits -----

like($dnc->gives("CREATE ROLE stranger; SET ROLE stranger; SELECT * FROM dnc_fdw_probe('alta')"), qr/42501: permission denied for foreign server alta/,
	'USAGE is needed');
like($dnc->gives("SELECT * FROM dnc_fdw_probe('nowhere')"), qr/42704: server "nowhere" does not exist/, 'a server that is not there');
like($dnc->gives("SET dnc_fdw.max_requests = 3; SELECT * FROM dnc_fdw_probe('alta')"), qr/54000: statement needs more requests/, 'max_requests');
$dnc->control('DELETE', 'alta/probe/log');
fault('kind=stall&at=2');
like($dnc->gives("SET statement_timeout = '500ms'; SELECT * FROM dnc_fdw_probe('alta')"), qr/57014: canceling statement/, 'it can be cancelled');

# ----- nothing shows an identifier -----

my %all = map { $_ => 1 } @identifiers;
cmp_ok(scalar(keys %all), '>', 100, 'there were identifiers');
is(join(' ', grep { index(lc $shown, lc $_) >= 0 } sort keys %all), '', 'none was shown');
unlike($shown, qr/person000001/, 'nor in the words of a vendor');
is(join(' ', grep { index(slurp_file($node->logfile), $_) >= 0 } (sort keys %all)[ 0 .. 20 ]), '', "nor in the server's log");

$session->quit;
$dnc->stop;
done_testing();
