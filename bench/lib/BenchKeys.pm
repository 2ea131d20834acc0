# BenchKeys: rows of keys, and of a scrub by them.  The lists are local tables, since
# we measure the comparison.

package BenchKeys;

use strict;
use warnings;

use Bench;
use Exporter qw(import);

our @EXPORT_OK = qw(key_rows);

my $count = 1_000_000;
my $numbers = 200_000;    # a key of a number takes 30 times as long: more rounds of fewer

# A variant that counts the values of an expression over the rows of a table.
sub counted
{
	my ($name, $title, $expression, $table, $rows) = @_;

	return {
		name => $name,
		title => $title,
		run => sub {
			return session_run(
				first => "SET jit = off; SET max_parallel_workers_per_gather = 0;
					SELECT dnc_fdw_key('+1 212 555 0003', 'phone'), dnc_fdw_key('a\@example.com', 'email'), count(*) FROM $table;",
				sql => "SELECT count($expression) FROM $table;",
				gives => $rows,
				accounts => []);
		}
	};
}

sub emails
{
	return {
		name => 'keys_emails',
		title => 'keys of 1,000,000 emails',
		entries => $count,
		most => 5,
		prepare => sub {
			psql(qq{CREATE TABLE emails AS SELECT format('Person.%s\@Example%s.com', n, n % 100) AS email FROM generate_series(1, $count) n});
			psql('VACUUM ANALYZE emails');
		},
		clean_up => sub { psql('DROP TABLE emails') },
		variants => [
			counted('sql', '`lower(regexp_replace(…))`', q{lower(regexp_replace(email, '^\s+|\s+$', '', 'g'))}, 'emails', $count),
			counted('key', '`dnc_fdw_key(…)`', q{dnc_fdw_key(email, 'email')}, 'emails', $count)
		]
	};
}

# The numbers as they stand in the table, parsed and formatted by libphonenumber in a loop.
sub floor_of_numbers
{
	my ($file) = @_;

	open my $out, '-|', "'$ENV{BENCH_PHONE_FLOOR}' US <'$file'" or die "$ENV{BENCH_PHONE_FLOOR}: $!";
	my $line = <$out> // '';
	close $out or die 'the floor failed';
	$line =~ /^(\d+) of \d+ numbers, ([\d.]+) us each$/ or die "the floor gave $line";
	check('the floor of numbers', $1, $numbers);
	return { seconds => $2 * $numbers / 1e6 };
}

sub numbers
{
	my $file = "$ENV{BENCH_DIR}/numbers";

	return {
		name => 'keys_numbers',
		title => 'keys of 200,000 numbers',
		entries => $numbers,
		most => 7,
		prepare => sub {
			psql(qq{
				CREATE TABLE numbers AS
				  SELECT CASE n % 4 WHEN 0 THEN '+1212' || d WHEN 1 THEN format('(212) %s-%s', left(d, 3), right(d, 4))
				         WHEN 2 THEN '+49 30 ' || d ELSE format('+44 20 7%s %s', left(d, 3), right(d, 4)) END AS number
				  FROM (SELECT n, (2000000 + n)::text AS d FROM generate_series(1, $numbers) n) digits});
			psql('VACUUM ANALYZE numbers');
			open my $out, '>', $file or die "$file: $!";
			print $out psql('SELECT number FROM numbers');
			close $out or die "$file: $!";
		},
		clean_up => sub { psql('DROP TABLE numbers'); unlink $file },
		variants => [
			{ name => 'floor', title => "libphonenumber's parse and format, in a loop of C++", run => sub { return floor_of_numbers($file) } },
			counted('key', '`dnc_fdw_key(…)`', q{dnc_fdw_key(number, 'phone', 'US')}, 'numbers', $numbers)
		]
	};
}

# A variant of the scrub: how many contacts are free.
sub scrub_variant
{
	my ($name, $title, $condition) = @_;

	return {
		name => $name,
		title => $title,
		run => sub {
			return session_run(
				first => "SET jit = off; SET max_parallel_workers_per_gather = 0; SET work_mem = '1GB'; SELECT count(*), max(keys) FROM contacts_keyed, dnc_fdw_key('a\@example.com', 'email');",
				sql => "SELECT count(*) FROM contacts_keyed c WHERE $condition;",
				gives => $count / 2,
				accounts => []);
		}
	};
}

sub scrub
{
	my $cleaned = sub { return qq{lower(regexp_replace($_[0], '^\\s+|\\s+\$', '', 'g'))} };

	return {
		name => 'scrub',
		title => '1,000,000 contacts against a list of 1,000,000',
		entries => $count,
		most => 3,
		prepare => sub {
			psql(qq{
				CREATE TABLE contacts_keyed AS
				  SELECT email, dnc_fdw_key(email, 'email') AS key, dnc_fdw_keys(email, 'email') AS keys
				  FROM (SELECT format('person%s\@example%s.com', n, n % 100) AS email FROM generate_series(1, $count) n) e;
				CREATE TABLE list_keyed AS
				  SELECT identifier, dnc_fdw_key(identifier, 'email') AS match_key
				  FROM (SELECT format('person%s\@example%s.com', n, n % 100) AS identifier
				        FROM generate_series($count / 2 + 1, $count * 3 / 2) n) e});
			psql("VACUUM ANALYZE $_") for qw(contacts_keyed list_keyed);
		},
		clean_up => sub { psql('DROP TABLE contacts_keyed, list_keyed') },
		variants => [
			scrub_variant('text', 'hash anti join of plain texts', 'NOT EXISTS (SELECT FROM list_keyed l WHERE l.identifier = c.email)'),
			scrub_variant('key', 'the same of stored keys', 'c.key IS NOT NULL AND NOT EXISTS (SELECT FROM list_keyed l WHERE l.match_key = c.key)'),
			scrub_variant('all_keys', 'of all keys of a contact, stored', 'c.key IS NOT NULL AND NOT EXISTS (SELECT FROM (SELECT DISTINCT k.ctid
				FROM contacts_keyed k CROSS JOIN unnest(k.keys) AS one JOIN list_keyed l ON l.match_key = one) listed WHERE listed.ctid = c.ctid)'),
			scrub_variant('sql', '`lower(regexp_replace(…))` of both',
				"NOT EXISTS (SELECT FROM list_keyed l WHERE @{[$cleaned->('l.identifier')]} = @{[$cleaned->('c.email')]})")
		]
	};
}

sub key_rows { return (emails(), numbers(), scrub()) }

1;
