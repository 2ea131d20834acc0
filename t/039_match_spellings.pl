# t/039_match_spellings.pl: identifiers are compared by what they mean
#
# The rule that must never break: an entry's key is among the keys of whoever it is for,
# or that contact has no key.  It is tried with spellings made at random
# (t/lib/DncSpellings.pm).  t/golden/keys.tsv has identifiers with their sources.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncSpellings;
use DncTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = "$FindBin::RealBin/..";
my $tmp = PostgreSQL::Test::Utils::tempdir();
my $seed = $ENV{DNC_SEED} // 20260214;
my $pairs = $ENV{DNC_PAIRS} // 20_000;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\nclient_encoding = 'UTF8'\n");
$node->start;

# A database in an encoding, with the extension.
sub make_database
{
	my ($name, $encoding) = @_;

	$node->safe_psql('postgres', "CREATE DATABASE $name ENCODING '$encoding' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
	$node->safe_psql($name, 'CREATE EXTENSION dnc_fdw');
	return;
}

# What a statement gives, as characters; an error's message, too.
sub gives
{
	my ($database, $statement) = @_;
	my ($stdout, $stderr) = ('', '');

	utf8::encode($statement);
	$node->psql($database, $statement, stdout => \$stdout, stderr => \$stderr);
	my $text = $stdout . ($stderr =~ s/^psql:<stdin>:\d+: //mgr);
	utf8::decode($text);
	return $text =~ s/\n\z//r;
}

# As is(), of texts that may have any character.
sub same
{
	my @texts = @_;

	utf8::encode($_) for grep { defined } @texts;
	return is($texts[0], $texts[1], $texts[2]);
}

# Rows into a table, by COPY; undef is NULL.
sub load_rows
{
	my ($database, $table, @rows) = @_;
	my %escape = ("\\" => '\\\\', "\t" => '\t', "\n" => '\n', "\r" => '\r');
	my $text = join '', map { join("\t", map { defined ? s/([\\\t\n\r])/$escape{$1}/gr : '\N' } @$_) . "\n" } @rows;

	utf8::encode($text);
	open my $file, '>', "$tmp/rows" or die "could not write: $!";
	print $file $text;
	close $file;
	$node->safe_psql($database, "COPY $table FROM '$tmp/rows'");
	return;
}

make_database('matching', 'UTF8');

# ----- the golden file -----

my (@golden, %sources, $source);
for my $line (split /\n/, slurp_file("$top/t/golden/keys.tsv"))
{
	utf8::decode($line);
	if ($line =~ /^# (.*)/) { $source = $1; next }
	next unless $line =~ /\t/;
	my ($key, $type, $country, $identifier) = split /\t/, $line, -1;
	my %escape = (t => "\t", n => "\n", r => "\r", "\\" => "\\");
	$identifier =~ s/\\(?:u\{([0-9A-F]+)\}|(.))/defined $1 ? chr hex $1 : $escape{$2}/ge;
	push @golden, [ $identifier, $type eq '-' ? undef : $type, $country eq '-' || $country eq '' ? undef : $country, $key eq '-' ? undef : $key, $source ];
	$sources{$source} = 1;
}
cmp_ok(scalar @golden, '>=', 300, 'the golden file has 300 identifiers at least');
cmp_ok(scalar keys %sources, '>', 20, 'of many sources');
$node->safe_psql('matching', 'CREATE TABLE golden (identifier text, type text, country text, key text, source text)');
load_rows('matching', 'golden', @golden);
same(gives('matching', q{SELECT format('%s | %s | %s: %s, not %s (%s)', identifier, type, country, coalesce(dnc_fdw_key(identifier, type, country), 'NULL'),
	coalesce(key, 'NULL'), source) FROM golden WHERE dnc_fdw_key(identifier, type, country) IS DISTINCT FROM key}), '',
	'keys of ' . @golden . ' identifiers');
same(gives('matching', q{SELECT identifier FROM golden WHERE key IS NOT NULL AND NOT key = ANY (dnc_fdw_keys(identifier, type, country))}), '',
	'a key is among the keys');

# The key of what stands in a key is the key: of numbers, emails, domains, profiles.
same(gives('matching', q{SELECT DISTINCT key FROM golden, LATERAL (SELECT substr(key, strpos(key, ':') + 1) AS canonical, CASE split_part(key, ':', 1)
	WHEN 'tel' THEN 'phone' ELSE split_part(key, ':', 1) END AS t) c WHERE key IS NOT NULL AND dnc_fdw_key(canonical, t) IS DISTINCT FROM key}), '',
	'keys are their own canonical forms');

# ----- spellings at random -----

# The keys of entries, which only foreign tables have, as a function.
my @cc = split ' ', $node->config_data('--cc');
my @objects = grep { !/phone_module/ } glob "$top/src/match/*.c";
system_or_bail(@cc, '-O1', '-shared', '-fPIC', '-D_GNU_SOURCE', '-Wall', '-Wextra', '-Werror', '-Wno-unused-parameter', '-Wl,-Bsymbolic', "-I$top/src",
	'-I' . $node->config_data('--includedir-server'), '-o', "$tmp/entry_key.so", "$top/t/lib/entry_key.c", @objects, '-lidn2');
$node->safe_psql('matching', qq{CREATE FUNCTION entry_key(text, text, text, bool) RETURNS text AS '$tmp/entry_key.so' LANGUAGE C;
	CREATE TABLE pairs (contact text, contact_type text, contact_country text, entry text, entry_type text, default_country text, international bool)});
load_rows('matching', 'pairs', DncSpellings::cases($pairs, $seed));
$node->safe_psql('matching', q{CREATE TABLE keyed AS SELECT *, dnc_fdw_key(contact, contact_type, contact_country) AS key,
	dnc_fdw_keys(contact, contact_type, contact_country) AS keys, entry_key(entry, entry_type, default_country, international) AS entry_key FROM pairs});
my $lost = q{SELECT contact, contact_type, contact_country, key, entry, entry_type, default_country, international, entry_key FROM keyed
	WHERE key IS NOT NULL AND NOT coalesce(entry_key = ANY (keys), false)};
same(gives('matching', "$lost LIMIT 20"), '', "$pairs pairs, seed $seed: nobody who is listed comes out as free");
same(gives('matching', 'SELECT count(*) FROM keyed WHERE entry_key IS NULL'), 0, 'each entry has a key');
same(gives('matching', q{SELECT entry FROM keyed WHERE cardinality(keys) > 0 AND key IS NOT NULL AND NOT key = ANY (keys)}), '', 'keys include the key');
# The generator tries what it says: most are found, some cannot be told, few are alike.
my ($found, $unknown, $alike) = split /\|/, gives('matching',
	'SELECT count(*) FILTER (WHERE entry_key = ANY (keys)), count(*) FILTER (WHERE key IS NULL), count(*) FILTER (WHERE contact = entry) FROM keyed');
cmp_ok($found, '>', $pairs * 0.9, 'most are found');
cmp_ok($unknown, '>', $pairs * 0.02, 'some cannot be told');
cmp_ok($alike, '<', $pairs * 0.2, 'few are spelled the same');

# Idempotent, for contacts made at random.
same(gives('matching', q{SELECT DISTINCT contact, contact_type, key, again FROM keyed, LATERAL (SELECT substr(key, strpos(key, ':') + 1) AS canonical,
	CASE split_part(key, ':', 1) WHEN 'tel' THEN 'phone' ELSE split_part(key, ':', 1) END AS t) c, LATERAL (SELECT dnc_fdw_key(canonical, t) AS again) a
	WHERE key IS NOT NULL AND again IS DISTINCT FROM key LIMIT 20}), '', 'keys of keys');

# One key for each way of writing a number with its calling code, or an address.
same(gives('matching', q{SELECT contact_type, array_agg(DISTINCT key) FROM keyed WHERE contact ~ '^\+49' AND regexp_replace(contact, '\D', '', 'g') ~ '^493029?\d{6}$'
	AND key IS NOT NULL GROUP BY contact_type, regexp_replace(contact, '\D', '', 'g') HAVING count(DISTINCT key) > 1}), '', 'one key for all spellings');

# Nothing throws: texts of all kinds of characters, as all types, in all countries.
srand $seed;
my @alphabets = ([ 0x20 .. 0x7e ], [ 0x20 .. 0x3f, 0x40 ], [ 0x80 .. 0x24f ], [ 0x300 .. 0x36f, 0x61 ], [ 0x600 .. 0x6ff ], [ 0x2000 .. 0x206f, 0x40, 0x31 ],
	[ 0xfe00 .. 0xffef ], [ 0x1d400 .. 0x1d7ff ], [ map { ord } split //, '+0123456789()-./;,x#@ %:=?&' ], [ map { ord } split //, 'linkedin.com/in/%:@"<>()\\' ]);
my @texts = map {
	my $alphabet = $alphabets[ rand @alphabets ];
	my $text = join '', map { chr $alphabet->[ rand @$alphabet ] } 0 .. rand rand 120;
	[ rand() < 0.3 ? (qw(mailto: tel:+ in/ https://www.linkedin.com/in/ xn-- + 00))[ rand 7 ] . $text : $text, $text ]
} 1 .. 3000;
$node->safe_psql('matching', 'CREATE TABLE noise (identifier text, country text)');
load_rows('matching', 'noise', map { [ $_->[0], (undef, 'DE', 'US', 'BR', 'IT')[ rand 5 ] ] } @texts);
same(gives('matching', q{SELECT count(*), count(*) FILTER (WHERE key IS NOT NULL AND NOT key = ANY (keys)), count(*) FILTER (WHERE keys IS NULL AND key IS NOT NULL),
	count(*) FILTER (WHERE key IS NOT NULL AND NOT entry = ANY (keys)), count(*) FILTER (WHERE octet_length(entry) > 1024)
	FROM noise, unnest(ARRAY['email', 'domain', 'phone', 'linkedin', 'web_chat', NULL]) AS t, LATERAL (SELECT dnc_fdw_key(identifier, t, country) AS key,
	dnc_fdw_keys(identifier, t, country) AS keys, entry_key(identifier, t, country, country = 'US') AS entry, dnc_fdw_spellings(identifier, t, country)) k}),
	'18000|0|0|0|0', 'noise');
same(gives('matching', q{SELECT identifier, t, key, again FROM noise, unnest(ARRAY['email', 'domain', 'linkedin', 'web_chat', 'phone']) AS t,
	LATERAL (SELECT dnc_fdw_key(identifier, t, country) AS key) k, LATERAL (SELECT dnc_fdw_key(substr(key, strpos(key, ':') + 1),
	CASE split_part(key, ':', 1) WHEN 'tel' THEN 'phone' ELSE split_part(key, ':', 1) END) AS again) a WHERE key IS NOT NULL AND again IS DISTINCT FROM key}), '',
	"noise, seed $seed: keys of keys");

# ----- the cases that the issue names -----

# Of a contact and an entry: listed, free or unknown.
sub screened
{
	my ($contact, $entry) = @_;
	my ($c, $e) = map { my $arguments = $_; join ', ', map { defined ? "'$_'" : 'NULL::text' } @$arguments[ 0 .. 2 ] } $contact, $entry;
	my $digits = $entry->[3] ? 'true' : 'false';

	return gives('matching', "SELECT CASE WHEN entry_key($e, $digits) = ANY (dnc_fdw_keys($c)) THEN 'listed' WHEN dnc_fdw_key($c) IS NULL THEN 'unknown' ELSE 'free' END");
}
same(screened([ '+12125550003', 'phone' ], [ '555-0003', 'phone', 'US' ]), 'listed', 'a local number is listed');
same(screened([ '555-0003', 'phone', 'US' ], [ '+12125550003', 'phone' ]), 'unknown', 'a contact has a local number');
same(screened([ '491701234567', 'phone', 'DE' ], [ '+491701234567', 'phone' ]), 'listed', 'a contact without + in DE');
same(screened([ '+491701234567', 'phone' ], [ '491701234567', 'phone', 'DE' ]), 'listed', 'an entry without + in DE');
same(screened([ '+49 30 901820', 'phone' ], [ '030 901820', 'phone' ]), 'listed', 'an entry in national form, without default_country');
same(screened([ undef, 'phone' ], [ '+12125550003', 'phone' ]), 'unknown', 'a contact is NULL');
same(screened([ '+12125550003', 'phone' ], [ undef, 'phone' ]), 'free', 'an entry is NULL: nobody');
same(screened([ '+12125550003', undef ], [ '12125550003', 'phone', undef, 1 ]), 'listed', 'a contact without a type');
same(screened([ '(212) 555-0003', 'Phone', 'US' ], [ '12125550003', 'phone', undef, 1 ]), 'listed', 'Phone');
same(screened([ '(212) 555-0003', 'mobile', 'US' ], [ '+1 212 555 0003', 'mobile' ]), 'listed', 'mobile');
same(screened([ 'bob@mail.acme.com', 'email' ], [ $_, 'domain' ]), 'listed', "a domain is listed: $_") for 'acme.com', '@acme.com', '*.acme.com', 'mail.acme.com';
same(screened([ 'bob@acme.com', 'email' ], [ 'mail.acme.com', 'domain' ]), 'free', 'a domain below it is listed');
same(screened([ 'bob@acme.com', 'email' ], [ 'acme.com', 'email' ]), 'listed', 'a domain among emails');
for my $domain ('*.acme.com', '*@*.acme.com', '@*.acme.com', '@.acme.com', 'acme.com.', 'acme.com;', '<acme.com>', '"acme.com"', 'mailto:acme.com', 'https://acme.com/', 'ftp://acme.com', 'acme.com:443', 'acme.com!', '“acme.com”', 'acme.com、', '@acme.com」')
{
	for my $type (qw(email domain))
	{
		same(screened([ 'bob@acme.com', 'email' ], [ $domain, $type ]), 'listed', "a domain with something around it, as $type: $domain");
		isnt(screened([ $domain, $_ ], [ $domain, $type ]), 'free', "the same text as a contact: $domain") for 'email', 'domain', undef;
	}
}
same(screened([ 'bob@acme.com', 'email' ], [ $_, 'email' ]), 'listed', "a plain domain in a list of emails: $_") for 'acme.com', 'Acme.COM';
same(screened([ 'bob@acme.com', 'email' ], [ 'acme.com or x.org', 'email' ]), 'free', 'words that are no domain');
# Texts that may mean somebody else than a domain block that person on.
same(screened([ '+4915112345678', 'phone' ], [ $_, 'email' ]), 'listed', "a number, as email: $_")
  for 'wa.me/015112345678', 'https://api.whatsapp.com/send?phone=015112345678', '0151.12345678.privat';
same(screened([ 'https://www.linkedin.com/in/john.smith', 'linkedin' ], [ 'john.smith', 'email' ]), 'listed', "a profile's name, as email");
for my $type (qw(email domain web_chat linkedin phone))
{
	isnt(screened([ $_, $type ], [ $_, 'email' ]), 'free', "the same text as $type: $_") for 'acme.com;', '"acme.com"', '*@*.acme.com', '[dead.beef]';
}
same(screened([ 'bob@acme.com', 'email' ], [ $_, 'email' ]), 'listed', "an entry with words: $_") for 'Bob: bob@acme.com', 'bob @ acme.com', 'bob@acme.com, unsubscribed', 'SMTP:bob@acme.com', 'bob@acme.com!', 'bob@acme.com?', 'bob@acme.com*', 'bob@acme.com、', '「bob@acme.com」', 'bob@acme.com…';
same(screened([ '+15550000003', 'phone' ], [ '15550000003', 'email' ]), 'listed', 'a number among emails');
same(screened([ 'bob@acme.com', 'email' ], [ 'bob@acme.com', 'phone' ]), 'listed', 'an email among numbers');
same(screened([ '+18003569377', 'phone' ], [ '1-800-FLOWERS', 'phone' ]), 'listed', 'letters of a phone');
same(screened([ '+4930901820', 'phone' ], [ '030 901820 mobil', 'phone' ]), 'listed', 'words that are none');
same(screened([ 'https://linkedin.com/in/Person-2', 'linkedin' ], [ 'person-2', 'linkedin' ]), 'listed', "the name of a profile alone");
same(screened([ '+12125550003', 'phone' ], [ '+12125550004', 'phone' ]), 'free', 'another number');
same(screened([ 'bob@acme.com', 'email' ], [ 'alice@acme.com', 'email' ]), 'free', 'another address');

# A profile with something around it, or behind it.
for my $text ('<U>', '"U"', 'LinkedIn: U', 'Bob U', '[Bob](U)', '(U)', 'https://U', 'https://www.linkedin.com/in/U', '“U”', 'U and U')
{
	my $entry = $text =~ s{U}{https://www.linkedin.com/in/person-2}gr;

	same(screened([ 'in/Person-2', 'linkedin' ], [ $entry, $_ ]), 'listed', "a profile in a text, as $_: $entry") for qw(linkedin profile email);
	isnt(screened([ $entry, 'linkedin' ], [ 'in/person-2', 'linkedin' ]), 'free', "as a contact: $entry");
	isnt(screened([ $entry, $_ ], [ $entry, 'linkedin' ]), 'free', "the same text as a contact: $entry") for qw(linkedin email phone domain web_chat), undef;
}
same(screened([ 'in/person-2', 'linkedin' ], [ 'https%3A%2F%2Fwww.linkedin.com%2Fin%2Fperson-2', 'linkedin' ]), 'listed', 'a profile that is encoded as a whole');
same(screened([ 'in/person-2', 'linkedin' ], [ $_, 'linkedin' ]), 'free', "no profile: $_") for 'https://notlinkedin.com/in/person-2', 'see linkedin.com';
for my $end ('.', '...', '&trk=x', "''", '!', '*', '`', '=', '’', '”', '…')
{
	isnt(screened([ "https://www.linkedin.com/in/person-2$end", 'linkedin' ], [ 'in/person-2', 'linkedin' ]), 'free', "a contact's profile with $end behind it");
	next if $end eq '…';    # a letter of a name, for all we know
	same(screened([ 'in/person-2', 'linkedin' ], [ "https://www.linkedin.com/in/person-2$end", 'linkedin' ]), 'listed', "an entry's profile with $end behind it");
}

# ----- long texts -----

for my $length (16_000, 1_000_000)
{
	for my $unit ("1", "a\@", "\x{e9}\x{301}\x{316}", "+1 ", "%41", "<", "in/", "\x{fdfa}")
	{
		my $repeat = int($length / length($unit));
		my $got = gives('matching', "SET statement_timeout = '20s'; SELECT dnc_fdw_key(repeat('$unit', $repeat), t, 'US') IS NULL,
			cardinality(dnc_fdw_keys(repeat('$unit', $repeat), t, 'US')), octet_length(entry_key(repeat('$unit', $repeat), t, 'US', true))
			FROM unnest(ARRAY['email', 'phone', 'domain', 'linkedin']) AS t");
		same(join(' ', sort { $a cmp $b } do { my %seen; grep { !$seen{$_}++ } split /\n/, $got }), 't|1|75', "$length of $unit: no key, one wide key of 75 bytes");
	}
}
same(gives('matching', q{SELECT dnc_fdw_key(repeat('1', 251), 'phone', 'US') IS NULL, dnc_fdw_key(repeat('x', 1100), 'web_chat') IS NULL}), 't|t', 'shorter ones');

# ----- indexes and parallel scans -----

$node->safe_psql('matching', q{
	CREATE TABLE contacts AS SELECT n AS id, CASE WHEN n % 2 = 0 THEN 'Person' || n || '@Example.com' ELSE '(212) 555-' || lpad(n::text, 4, '0') END AS identifier,
	  CASE WHEN n % 2 = 0 THEN 'email' ELSE 'phone' END AS type FROM generate_series(1, 9999) n;
	ALTER TABLE contacts SET (parallel_workers = 2);
	CREATE INDEX ON contacts (dnc_fdw_key(identifier, type, 'US'));
	CREATE INDEX emails ON contacts (dnc_fdw_key(identifier, 'email')) WHERE type = 'email';
	ANALYZE contacts});
like(gives('matching', q{EXPLAIN (COSTS OFF) SELECT id FROM contacts WHERE dnc_fdw_key(identifier, type, 'US') = 'tel:+12125550007'}), qr/Index Cond: \(dnc_fdw_key\(identifier, type, 'US'::text\) =/,
	'an index on keys is used');
same(gives('matching', q{SELECT id FROM contacts WHERE dnc_fdw_key(identifier, type, 'US') = dnc_fdw_key('+1 212 555 0007', 'sms')}), 7, 'and finds');
like(gives('matching', q{EXPLAIN (COSTS OFF) SELECT id FROM contacts WHERE type = 'email' AND dnc_fdw_key(identifier, 'email') = 'email:person8@example.com'}),
	qr/Index Scan using emails/, 'an index on keys of emails');
my $parallel = q{SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET enable_indexscan = off; SET enable_bitmapscan = off; };
my $count = q{SELECT count(DISTINCT dnc_fdw_key(identifier, type, 'US')), count(*) FILTER (WHERE dnc_fdw_keys(identifier, type, 'US') && '{tel:+12125550007}') FROM contacts WHERE dnc_fdw_key(identifier, type, 'US') <> ''};
like(gives('matching', "$parallel EXPLAIN (COSTS OFF) $count"), qr/Parallel Seq Scan on contacts/, 'keys are made in parallel');
same(gives('matching', "$parallel $count"), '9999|1', 'the same ones');

# ----- encodings -----

# Keys are the same in each database; what it cannot hold stands as a code point.
my $key = q{SELECT dnc_fdw_key('Jörg@Bücher.example', 'email')};
make_database('latin1', 'LATIN1');
make_database('euc_jp', 'EUC_JP');
make_database('sql_ascii', 'SQL_ASCII');
same(gives('matching', $key), 'email:jörg@xn--bcher-kva.example', 'UTF8');
same(gives('latin1', $key), 'email:jörg@xn--bcher-kva.example', 'LATIN1');
same(gives('sql_ascii', $key), 'email:jörg@xn--bcher-kva.example', 'SQL_ASCII with UTF-8');
same(gives('sql_ascii', q{SELECT dnc_fdw_key(E'J\xf6rg@example.com', 'email') IS NULL, dnc_fdw_keys(E'J\xf6rg@example.com', 'email') IS NULL, dnc_fdw_key('x', E'\xf6') IS NULL}),
	't|t|f', 'SQL_ASCII with bytes of another encoding: cannot be told');
same(gives('latin1', q{SELECT dnc_fdw_key('https://www.linkedin.com/in/%E4%BE%8B-%C3%A9', 'linkedin'), dnc_fdw_key('https://www.linkedin.com/in/%E4%BE%8B-%C3%A9', 'linkedin') = ANY (dnc_fdw_keys('in/%E4%BE%8B-%C3%A9', 'linkedin'))}),
	'linkedin:in/\u4f8b-é|t', 'LATIN1 cannot hold a character of a key');
same(gives('latin1', q{SELECT dnc_fdw_key(' bob@example.com' || chr(160), 'email'), dnc_fdw_key('j' || chr(214) || 'rg@example.com', 'email')}), 'email:bob@example.com|email:jörg@example.com', 'LATIN1: blanks, case');
same(gives('euc_jp', q{SELECT dnc_fdw_key('例え.テスト', 'domain'), dnc_fdw_key('ｂｏｂ＠ｅｘａｍｐｌｅ．ｃｏｍ', 'email'), dnc_fdw_key('０３－１２３４－５６７８', 'phone', 'JP'), dnc_fdw_key('https://www.linkedin.com/in/jos%C3%A9', 'linkedin')}),
	'domain:xn--r8jz45g.xn--zckzah|email:bob@example.com|tel:+81312345678|linkedin:in/josé', 'EUC_JP');
same(gives('euc_jp', q{SELECT dnc_fdw_spellings('https://www.linkedin.com/in/%F0%9F%98%80', 'linkedin')}), '{https://www.linkedin.com/in/%F0%9F%98%80}', 'EUC_JP: spellings that it cannot hold');
like(gives('latin1', q{SELECT dnc_fdw_key('x', 'phone', 'Österreich')}), qr/country "Österreich" does not exist/, 'an error in the encoding');

# No result depends on the locale.
SKIP:
{
	my $locales = gives('postgres', q{SELECT string_agg(collname, ' ') FROM pg_collation WHERE collname IN ('tr_TR.utf8', 'de_DE.utf8')});
	skip 'no other locales here', 1 unless $locales;
	my ($locale) = split / /, $locales;
	$node->safe_psql('postgres', "CREATE DATABASE locale TEMPLATE template0 LOCALE '$locale'");
	$node->safe_psql('locale', 'CREATE EXTENSION dnc_fdw');
	same(gives('locale', q{SELECT dnc_fdw_key('INFO@EXAMPLE.COM', 'EMAIL'), dnc_fdw_key('IN/INFO', 'LINKEDIN')}), 'email:info@example.com|linkedin:in/info', "locale $locale");
}

# ----- versions -----

like(gives('matching', 'SELECT dnc_fdw_key_version()'), qr/^[0-9a-f]{16}$/, 'a version of keys');
same(gives('latin1', 'SELECT dnc_fdw_key_version()'), gives('matching', 'SELECT dnc_fdw_key_version()'), 'the same in each database');
like(gives('matching', 'SELECT libcurl FROM dnc_fdw_version()'), qr{ libidn2/\d[\d.]* libphonenumber/\d[\d.]*$}, 'dnc_fdw_version() tells the libraries');

# ----- the wall: exceptions of C++ -----

my $cxx = $ENV{CXX} // 'c++';
my @cflags = ('-O1', '-Wall', '-Wextra', '-Werror', "-I$top/src");
system_or_bail(@cc, @cflags, '-c', '-o', "$tmp/phone_wall.o", "$top/t/lib/phone_wall.c");
system_or_bail($cxx, '-std=c++17', @cflags, '-rdynamic', '-o', "$tmp/phone_wall", "$tmp/phone_wall.o", "$top/src/match/phone.cpp", "$top/t/lib/throwing_phone.cpp", '-lphonenumber', '-ldl');
my ($stdout, $stderr) = run_command([ "$tmp/phone_wall" ]);
my @calls = qw(read is_valid plan forms);
is($stdout, join("\n", map { my $what = $_; map { "$_ $what" } @calls } '3 thrown on purpose', '2 ', '3 an unknown exception', '3 an unknown exception', '3 ' . 'x' x 255),
	'no exception passes the wall');
is($stderr, '', 'and nothing is written');

# ----- without the library for numbers -----

SKIP:
{
	my $run = DncTest->without_phone_library($node, 'matching') or skip 'an installation of another layout', 5;
	my $major = $node->config_data('--version') =~ s/^PostgreSQL (\d+).*/$1/sr;

	$node->stop;
	my $got = $run->(q{SELECT dnc_fdw_key('+12125550003', 'phone')});
	like($got, qr/ERROR: +phone numbers cannot be compared without the library dnc_fdw_phone/, 'a number without the library');
	like($got, qr/HINT: +On Debian, install the package postgresql-$major-dnc-fdw-phone\. Elsewhere, build dnc_fdw with libphonenumber/, 'says what to do');
	like($run->(q{SELECT dnc_fdw_key('Bob@Example.com', 'email')}), qr/email:bob\@example\.com/, 'an email does without');
	like($run->(q{SELECT libcurl FROM dnc_fdw_version()}), qr{libphonenumber/none}, 'and so does the version');

	# It is looked for beside our own library, wherever that is: Debian tests packages so.
	mkdir "$tmp/elsewhere" or die "could not make a directory: $!";
	system_or_bail('cp', (map { $node->config_data('--pkglibdir') . "/$_.so" } 'dnc_fdw', 'dnc_fdw_phone'), "$tmp/elsewhere/");
	like($run->("CREATE FUNCTION pg_temp.key_of(text, text, text) RETURNS text LANGUAGE c AS '$tmp/elsewhere/dnc_fdw.so', 'dnc_fdw_key'\n"
		. q{SELECT pg_temp.key_of('+12125550003', 'phone', 'US')}), qr/tel:\+12125550003/, 'the library stands beside ours');
}
done_testing();
