# Times and uuids are read without their input functions where they are in the
# form that the APIs write.  Whatever the text, value and error are those of the
# input function.  Random texts, near and far from that form; DNC_SEED repeats a run.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use Test::More;

my $seed = $ENV{DNC_SEED} // int(rand(1_000_000));
srand($seed);
note "DNC_SEED=$seed";

sub pick { return $_[ rand @_ ] }

sub digits
{
	my ($count) = @_;

	return join '', map { int rand 10 } 1 .. $count;
}

# One character of a text is another, gone, or there twice.
sub spoil
{
	my ($text) = @_;
	my $at = int rand(length($text) || 1);

	substr($text, $at, 1) = pick('', '0', '9', ' ', '-', ':', '.', 'T', 'Z', 'x', '+', '11');
	return $text;
}

sub random_time
{
	my $date = sprintf '%04d-%02d-%02d', pick(0, 1, 1582, 1600, 1900, 1999, 2000, 2024, 2025, 9999, int rand 10000),
	  rand 14, pick(0, 1, 28, 29, 30, 31, 32, int rand 32);
	my $time = sprintf '%02d:%02d:%02d', pick(0, 23, 24, int rand 25), rand 61, rand 62;
	my $fraction = pick('', '', '.', '.' . digits(3), '.' . digits(int rand 11), '.999999', '.9999995');
	my $zone = pick('Z', 'Z', 'z', '', sprintf('%s%02d:%02d', pick('+', '-'), rand 17, rand 62),
		sprintf('%s%02d', pick('+', '-'), rand 15), '+0530', ' UTC', '+05:30:10');
	my $text = $date . pick('T', 'T', 'T', 't', ' ') . $time . $fraction . $zone;

	return $text if rand() < 0.8;
	return pick('', 'infinity', '-infinity', 'epoch', 'today', '2025-01-01', '20250101T000000Z',
		'2025-01-01T00:00Z', '294277-01-01T00:00:00Z', '2025-01-01T00:00:00Z BC', ' 2025-01-01T00:00:00Z',
		spoil($text), spoil(spoil($text)));
}

sub random_uuid
{
	my $hex = join '', map { pick(0 .. 9, 'a' .. 'f', rand() < 0.2 ? ('A' .. 'F') : ()) } 1 .. 32;
	my $text = $hex =~ s/^(.{8})(.{4})(.{4})(.{4})(.{12})$/$1-$2-$3-$4-$5/r;

	return pick($text, $text, $text, $hex, "{$text}", uc $text, spoil($text), spoil(spoil($text)), "$text-");
}

my $count = 3000;
my @entries = map {
	sprintf '{"id":"%s","objectType":"communication-opt-out","identifier":"n%d","identifierType":"email",'
	  . '"isManuallyAdded":true,"createdAt":"%s","updatedAt":"2025-01-01T00:00:00Z"}',
	  $_ == 1 ? '' : random_uuid(), $_, random_time()
} 1 .. $count;

my $dnc = DncTest->new;
my $node = $dnc->node;
$dnc->make_server('datums', 0, "max_retries '0', requests_per_minute '0'");
$dnc->control('PUT', 'alta/datums/entries', '[' . join(',', @entries) . ']');
is($dnc->control('GET', 'alta/datums/count') + 0, $count, 'the list is as it was made');

$node->safe_psql('postgres', q{
	CREATE FOREIGN TABLE datums.typed (id uuid, identifier text, created_at timestamptz) SERVER datums;
	CREATE FOREIGN TABLE datums.texts (id text, identifier text, created_at text) SERVER datums;
	CREATE TABLE given AS SELECT * FROM datums.texts;

	-- what a query gives for a text: its value, or its error
	CREATE FUNCTION outcome(query text, argument text) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE value text;
	BEGIN
		EXECUTE query INTO value USING argument;
		RETURN coalesce(value, 'NULL');
	EXCEPTION WHEN OTHERS THEN
		RETURN SQLSTATE || ' ' || SQLERRM;
	END $$;

	CREATE FUNCTION differences() RETURNS TABLE (what text, given text, directly text, by_input text)
	LANGUAGE sql AS $$
		WITH outcomes AS (
			SELECT 'time' AS what, created_at AS given,
				outcome('SELECT created_at FROM datums.typed WHERE identifier = $1', identifier) AS directly,
				outcome('SELECT $1::timestamptz', created_at) AS by_input FROM given
			UNION ALL
			SELECT 'uuid', id, outcome('SELECT id FROM datums.typed WHERE identifier = $1', identifier),
				outcome('SELECT $1::uuid', id) FROM given)
		SELECT what, given, directly, by_input
		FROM outcomes WHERE directly <> by_input
	$$;
});

for my $zone ('UTC', 'America/St_Johns')
{
	is($node->safe_psql('postgres', qq{
			SET timezone = '$zone'; SET datestyle = 'German, DMY';
			SELECT what, given, directly, by_input FROM differences() LIMIT 10}),
		'', "read as by the input function, in $zone");
}

# The test is worth nothing if all texts are good, or all are bad.
my ($good, $bad) = split /\|/, $node->safe_psql('postgres', q{
	SELECT count(*) FILTER (WHERE o !~ '^22'), count(*) FILTER (WHERE o ~ '^22')
	FROM given, outcome('SELECT $1::timestamptz', created_at) o});
cmp_ok($good, '>', $count / 10, 'there are good times');
cmp_ok($bad, '>', $count / 10, 'there are bad times');

$dnc->stop;
done_testing();
