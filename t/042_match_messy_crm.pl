# t/042_match_messy_crm.pl: a CRM of 20,000 contacts in all spellings against all three lists
#
# The lists have identifiers as their APIs give them, and some that were added by hand in
# another form.  Contacts are made of the lists' entries, each in a spelling at random.  A
# control group is made in the same way of people who are not on any list, so that a scrub that
# blocks everybody fails, too.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use DncVendors;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = $ENV{DNC_SEED} // 20260214;
my $contacts = $ENV{DNC_CONTACTS} // 20_000;
my $dnc = DncTest->new;
my $node = $dnc->node;
my $tmp = PostgreSQL::Test::Utils::tempdir();
my $json = JSON::PP->new->utf8;

srand $seed;
sub pick { return $_[ rand @_ ] }
sub maybe { return rand() < $_[0] }

# ----- people -----

# Country, calling code, trunk prefix, and national numbers, x being any digit.
my @countries = ([ 'US', '1', '1', '212 55x xxxx' ], [ 'US', '1', '1', '415 55x xxxx' ], [ 'DE', '49', '0', '30 2xx xxxx' ], [ 'DE', '49', '0', '171 2xx xxxx' ],
	[ 'GB', '44', '0', '20 7031 3xxx' ], [ 'FR', '33', '0', '6 12 xx xx xx' ], [ 'BR', '55', '0', '11 9 81xx xxxx' ], [ 'ES', '34', '', '612 xxx xxx' ]);

# A person of a kind.  Those of the control group have numbers, names and domains of their own: a digit that is even in the
# one group is odd in the other.
sub person
{
	my ($kind, $number, $control) = @_;
	my $local = ($control ? 'free' : 'listed') . ".person$number";

	if ($kind eq 'phone')
	{
		my ($country, $code, $trunk, $form) = @{ $countries[ $number % @countries ] };
		my $digits = sprintf '%07d', 2 * $number + ($control ? 1 : 0);
		my $count = () = $form =~ /x/g;
		my @rest = split //, substr $digits, -$count;

		$form =~ s/x/shift @rest/ge;
		return { kind => $kind, country => $country, code => $code, trunk => $trunk, groups => $form };
	}
	return { kind => $kind, slug => lc("$local-é") } if $kind eq 'linkedin';
	return { kind => $kind, domain => $control ? "open$number.example" : "blocked$number.example" } if $kind eq 'domain';
	my $domain = ('example.com', 'gmail.com', 'outlook.com', 'acme.co.uk', 'bücher.example')[ $number % 5 ];
	return { kind => $kind, local => $domain eq 'gmail.com' ? $local =~ s/\.//gr : $local, domain => $domain };
}

# The digits of a number with its calling code.
sub digits { my ($person) = @_; return $person->{code} . $person->{groups} =~ s/ //gr }

# ----- spellings -----

sub any_case { return join '', map { maybe(0.3) ? uc : $_ } split //, $_[0] }

sub disguised
{
	my ($text) = @_;

	substr($text, 1 + int rand(length($text) - 1), 0) = pick("\x{200b}", "\x{ad}", "\x{feff}", "\x{2060}") if maybe(0.1);
	return (maybe(0.1) ? pick(' ', "\t", "\x{a0}") : '') . $text . (maybe(0.1) ? pick(' ', "\x{a0}", "\x{200b}") : '');
}

# A number: text and the country that the CRM has for it, if any.
sub phone_spelling
{
	my ($person) = @_;
	my @groups = split ' ', $person->{groups};
	my $text = join pick(' ', '-', '.', '', ' - '), @groups;
	my $code = $person->{code};
	my $digits = digits($person);

	$text = "($groups[0]) " . join '-', @groups[ 1 .. $#groups ] if maybe(0.2);
	return @{ pick([ disguised("+$code $text") ], [ disguised("$person->{trunk}$text"), $person->{country} ], [ $digits, $person->{country} ],
		["+$digits"], [ "00$digits", 'DE' ], ["$digits\@c.us"], ["$digits\@s.whatsapp.net"], ["https://wa.me/$digits"], ["tel:+$digits"],
		[ "+$code $text ext. 12" ]) };
}

sub email_spelling
{
	my ($person) = @_;
	my ($local, $domain) = @$person{qw(local domain)};

	if ($domain eq 'gmail.com')
	{
		$local =~ s/(?<=\w)(?=\w)/maybe(0.2) ? '.' : ''/ge;
		$domain = pick('gmail.com', 'googlemail.com');
	}
	$local .= '+' . pick('news', 'x', '2026') if maybe(0.2) && $domain =~ /^(?:gmail|googlemail|outlook)/;
	$domain = 'xn--bcher-kva.example' if $domain =~ /ü/ && maybe(0.5);
	my $address = any_case($local) . '@' . ($domain =~ /ü/ ? $domain : any_case($domain));
	return pick("mailto:$address", "<$address>", qq{"Doe, J." <$address>}, "$address;") if maybe(0.2);
	return disguised($address);
}

sub profile_spelling
{
	my ($person) = @_;
	my $slug = maybe(0.5) ? $person->{slug} : $person->{slug} =~ s/é/%C3%A9/gr;
	my $path = $slug =~ /%/ ? "in/$slug" : any_case("in/$slug");

	return disguised(pick("https://www.linkedin.com/$path", "linkedin.com/$path/", "https://uk.linkedin.com/$path/en", "www.linkedin.com/$path?trk=x", $path));
}

# A contact: email, phone, profile, country; one of the first three.
sub contact
{
	my ($person) = @_;
	my $kind = $person->{kind};

	return (undef, (phone_spelling($person))[0, 1], undef)[ 0, 1, 3, 2 ] if $kind eq 'phone';
	return (undef, undef, profile_spelling($person), undef) if $kind eq 'linkedin';
	return (any_case('someone' . int rand 1000) . '@' . pick('', 'mail.', 'a.b.') . any_case($person->{domain}), undef, undef, undef) if $kind eq 'domain';
	return (email_spelling($person), undef, undef, undef);
}

# An entry of a list: mostly as the API gives it, sometimes as somebody has typed it.
sub entry_text
{
	my ($person, $plus) = @_;

	return $person->{domain} if $person->{kind} eq 'domain';
	return 'https://www.linkedin.com/in/' . $person->{slug} if $person->{kind} eq 'linkedin';
	return $person->{local} . '@' . $person->{domain} if $person->{kind} eq 'email';
	# In national form, and without the list's country: such an entry has a wide key.
	return $person->{trunk} . $person->{groups} if $plus && maybe(0.1);
	return ($plus ? '+' : '') . digits($person);
}

# ----- the lists -----

my $next = 0;

# An entry of a vendor's list for a person.
sub entry
{
	my ($vendor, $person) = @_;
	my $type = $person->{kind} eq 'phone' && DncVendors::has_type($vendor, 'sms') ? pick('phone', 'sms', 'whatsapp') : $person->{kind};
	my $plus = !$DncVendors::vendors{$vendor}{ignores_plus} || $next % 3 == 0;

	return DncVendors::entry($vendor, $next, identifier => entry_text($person, $plus), identifier_type => $type,
		map { $_ => 'x' } keys %{ $DncVendors::vendors{$vendor}{needs} });
}

my (@listed, @free);
for my $api (DncVendors::names())
{
	my @kinds = grep { DncVendors::has_type($api, $_) } qw(email domain phone linkedin);
	my @entries;

	for (1 .. 1000)
	{
		my $kind = $kinds[ ++$next % @kinds ];
		my $person = person($kind, $next, 0);

		push @listed, $person;
		push @free, person($kind, $next, 1);
		push @entries, entry($api, $person);
	}
	$dnc->control('DELETE', "$api/messy");
	$dnc->control('PUT', "$api/messy/entries", $json->encode(\@entries));
}

# ----- the CRM -----

my @rows = map {
	my $group = $_ % 2 ? 'listed' : 'free';
	my $person = $group eq 'listed' ? pick(@listed) : pick(@free);
	[ $_, $group, contact($person) ]
} 1 .. $contacts - 500;
# Of people who may be listed or not, but whom nobody can tell.
push @rows, map {
	[ $_, 'unknown', @{ pick([ undef, '555-01' . (10 + $_ % 90), undef, 'US' ], [ undef, '030 90182' . $_ % 10, undef, undef ], [ 'no address', undef, undef, undef ],
				[ undef, undef, 'https://www.linkedin.com/in/ACoAABcdefghijklmnopqrstuvwxyz01234' . $_, undef ], [ undef, '+1 212 555 0100 / +1 212 555 0101', undef, undef ]) } ]
} $contacts - 499 .. $contacts;

my $text = join '', map { join("\t", map { defined ? s/([\\\t\n\r])/\\$1/gr : '\N' } @$_) . "\n" } @rows;
utf8::encode($text);
PostgreSQL::Test::Utils::append_to_file("$tmp/contacts", $text);
$node->safe_psql('postgres', 'CREATE EXTENSION IF NOT EXISTS dnc_fdw; CREATE SCHEMA dnc; CREATE SCHEMA crm');
for my $api (DncVendors::names())
{
	$node->safe_psql('postgres', DncVendors::server("messy_$api", $api, $dnc->url, 'messy')
		. "IMPORT FOREIGN SCHEMA dnc FROM SERVER messy_$api INTO dnc OPTIONS (table_name '$api')");
}
$node->safe_psql('postgres', qq{
	CREATE TABLE crm.contacts (id int PRIMARY KEY, who text, email text, phone text, profile text, country text);
	COPY crm.contacts FROM '$tmp/contacts' (ENCODING 'UTF8');
	ANALYZE crm.contacts});

# ----- the scrub, as docs/matching.md and examples/scrub.sql have it -----

# A column of all lists.
sub listed_by { my ($column) = @_; return join ' UNION ALL ', map { "SELECT $column FROM dnc.$_" } DncVendors::names() }

my $scrub = q{
	WITH identifiers AS (
	  SELECT c.id, i.identifier, i.identifier_type, c.country
	  FROM crm.contacts c
	  CROSS JOIN LATERAL (VALUES (c.email, 'email'), (c.phone, 'phone'), (c.profile, 'linkedin')) AS i (identifier, identifier_type)
	  WHERE i.identifier <> ''
	), blocked AS (
	  LISTED
	), listed AS (
	  SELECT DISTINCT i.id
	  FROM identifiers i
	  CROSS JOIN LATERAL unnest(dnc_fdw_keys(i.identifier, i.identifier_type, i.country)) AS k (match_key)
	  JOIN blocked USING (match_key)
	), told AS (
	  SELECT id, bool_and(dnc_fdw_key(identifier, identifier_type, country) IS NOT NULL) AS all_have_keys FROM identifiers GROUP BY id
	)
	SELECT c.*, CASE WHEN listed.id IS NOT NULL THEN 'listed' WHEN told.all_have_keys THEN 'free' ELSE 'unknown' END AS status
	FROM crm.contacts c LEFT JOIN listed USING (id) LEFT JOIN told USING (id)} =~ s/LISTED/listed_by('match_key')/er;
# A person's spelling may be none that can be told, but that is never free.
$node->safe_psql('postgres', "CREATE TABLE crm.screened AS $scrub");
my $got = sub { my ($sql) = @_; return $node->safe_psql('postgres', $sql) };
my $wrong = sub { my ($who, $status) = @_; return $got->("SELECT concat_ws(' | ', email, phone, profile, country) FROM crm.screened WHERE who = '$who' AND status = '$status' LIMIT 10") };

is($got->('SELECT count(*) FROM crm.screened'), $contacts, "$contacts contacts, seed $seed");
is($wrong->('listed', 'free'), '', 'nobody who is listed may be contacted');
is($wrong->('free', 'listed'), '', 'nobody who is not listed is taken for listed');
is($wrong->('unknown', 'free'), '', 'nobody who cannot be told may be contacted');
cmp_ok($got->(q{SELECT count(*) FROM crm.screened WHERE who = 'listed' AND status = 'listed'}), '>', 0.97 * $contacts / 2, 'most of those who are listed are found');
cmp_ok($got->(q{SELECT count(*) FROM crm.screened WHERE who = 'free' AND status = 'free'}), '>', 0.97 * ($contacts / 2 - 500), 'most of the others are free');
cmp_ok($got->(q{SELECT count(*) FROM crm.screened WHERE who = 'unknown' AND status = 'unknown'}), '>', 400, 'those who cannot be told are apart');

# Most of them are lost where bytes are compared.
cmp_ok($got->("SELECT count(*) FROM crm.contacts c WHERE who = 'listed' AND NOT EXISTS (
	SELECT FROM (" . listed_by('identifier') . ') l WHERE identifier IN (c.email, c.phone, c.profile))'), '>', 0.5 * $contacts / 2, 'a comparison of bytes would contact most of them');

# The same by other plans, and in parallel.
my $digest = q{SELECT md5(string_agg(id || status, ' ' ORDER BY id)) FROM };
my $expected = $got->("$digest crm.screened");
$node->safe_psql('postgres', 'ALTER TABLE crm.contacts SET (parallel_workers = 2)');
for my $settings ('SET enable_hashjoin = off', 'SET enable_mergejoin = off; SET enable_hashagg = off',
	'SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0')
{
	is($got->("$settings; $digest ($scrub) s"), $expected, "the same: $settings");
}
$node->safe_psql('postgres', 'ANALYZE ' . join ', ', map { "dnc.$_" } DncVendors::names());
is($got->("$digest ($scrub) s"), $expected, 'the same after ANALYZE');

# The recipe for a few contacts says the same as that for many.
is($got->(q{SELECT count(*) FROM crm.screened c WHERE id <= 60 AND phone IS NOT NULL AND (status = 'free') IS DISTINCT FROM (
	dnc_fdw_key(phone, 'phone', country) IS NOT NULL
} . join(' ', map { "AND NOT EXISTS (SELECT FROM dnc.$_ d WHERE d.match_key = ANY (dnc_fdw_keys(phone, 'phone', country)))" }
		grep { DncVendors::has_type($_, 'phone') } DncVendors::names()) . ')'), 0, 'one by one');

$dnc->stop;
done_testing();
