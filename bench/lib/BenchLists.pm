# BenchLists: lists in the sandbox, the servers and tables that lead to them, and
# the variants that read a whole list.

package BenchLists;

use strict;
use warnings;

use Bench;
use DncVendors;
use Exporter qw(import);

our @EXPORT = qw(%base_url %api $one_by_one make_server make_list forget_allowance warm latest count_all download floor_scan);

our %base_url = map { $_ => $ENV{DNC_SANDBOX_URL} . $DncVendors::vendors{$_}{base} } DncVendors::names();
our %api = (alta => "$base_url{alta}$DncVendors::vendors{alta}{path}?limit=100");

# The options for requests "one after the other".
our $one_by_one = "max_concurrency '1', async_capable 'false'";

# Makes a server and a schema of that name, with the tables NAME.communication_opt_outs
# and NAME.without_keys, which has no match_key.  Only the sandbox sets a pace, if it
# has a rate limit.
sub make_server
{
	my ($name, $list, $options) = @_;
	my ($provider, $account) = split m{/}, $list;
	my $server = DncVendors::server($name, $provider, $ENV{DNC_SANDBOX_URL}, $account, "requests_per_minute '0'" . ($options ? ", $options" : ''));

	psql(qq{
		$server
		CREATE SCHEMA $name;
		IMPORT FOREIGN SCHEMA dnc FROM SERVER $name INTO $name;
		IMPORT FOREIGN SCHEMA dnc FROM SERVER $name INTO $name OPTIONS (table_name 'without_keys');
		ALTER FOREIGN TABLE $name.without_keys DROP COLUMN match_key;
	});
	return;
}

# Makes a list anew, with so many filled entries of one type and settings.
sub make_list
{
	my ($list, $count, $settings) = @_;
	my $types = DncVendors::fill_type($list =~ s{/.*}{}r);

	control('DELETE', $list);
	control('POST', "$list/fill?count=$count$types") if $count;
	control('PUT', "$list/config?$settings") if $settings;
	return;
}

# A new list begins a window of its rate limit, but all sessions still share what they know of
# the old list's window.  A new user mapping begins without that.
sub forget_allowance
{
	my ($server, $list) = @_;

	psql("DROP USER MAPPING FOR CURRENT_USER SERVER $server;
		CREATE USER MAPPING FOR CURRENT_USER SERVER $server OPTIONS (token '@{[DncVendors::token(split m{/}, $list)]}')");
	return;
}

# Statements that connect, and load what a session loads once.
sub warm
{
	my @names = @_;
	return join "\n", 'SET jit = off;', map { "SELECT 1 FROM $_.communication_opt_outs LIMIT 1;" } @names;
}

# createdAt of the last of so many filled entries, as PostgreSQL prints it.
sub latest
{
	my ($count) = @_;
	my @time = gmtime(1735689600 + 60 * $count);
	return sprintf '%04d-%02d-%02d %02d:%02d:00+00', $time[5] + 1900, $time[4] + 1, @time[ 3, 2, 1 ];
}

# A variant that reads a whole list, counts the entries and takes the latest time.
sub count_all
{
	my ($name, $title, $server, $list, $entries, %more) = @_;

	return {
		name => $name,
		title => $title,
		run => sub {
			control('PUT', "$list/config?$more{settings}") if $more{settings};
			return session_run(
				first => warm($server),
				sql => "SELECT count(*), max(created_at) FROM $server.communication_opt_outs;",
				gives => "$entries|" . latest($entries),
				accounts => [$list]);
		},
		%more
	};
}

# The download alone, for alta: the list's first page as often as the list has pages, one request
# after the other.  Nobody looks at the answers, so no program that reads pages one at a time can
# be faster.
sub download
{
	my ($account, $entries) = @_;

	return {
		name => 'download',
		title => 'the limit: the download alone',
		run => sub { return floor_run(0, 'get', $api{alta}, "sandbox-$account", $entries / 100) }
	};
}

# The floor program's variant of a whole read, for alta.
sub floor_scan
{
	my ($account, $entries) = @_;

	return {
		name => 'floor',
		title => 'one after the other: libcurl and cJSON, nothing else',
		run => sub { return floor_run($entries, 'scan', $api{alta}, "sandbox-$account") }
	};
}

1;
