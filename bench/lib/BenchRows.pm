# BenchRows: the rows of the benchmark.
#
# rows() gives the rows in their order, as Bench::run_row takes them.  Each
# makes what it needs, in accounts of the sandbox and in servers and tables of
# its own, so that it can run alone.

package BenchRows;

use strict;
use warnings;

use Bench;
use BenchKeys qw(key_rows);
use BenchLists;
use BenchMirror qw(mirror_rows);
use BenchQueue qw(queue_rows);
use BenchWorkers qw(deliver_row);
use Exporter qw(import);

our @EXPORT_OK = qw(rows);

# ----- full scans -----

my @sizes = (
	[ '10k', 10_000 ], [ '30k', 30_000, most => 3 ], [ '100k', 100_000 ],
	[ '300k', 300_000, most => 3 ], [ '1m', 1_000_000, most => 3, warm_up => 0 ]);

# The alternatives of a user: plpython3u, and (only for the shortest list, since
# it takes so long) the shell.
sub others
{
	my ($account, $entries) = @_;
	my $python = "python_opt_outs('$base_url{alta}', 'sandbox-$account')";
	my @long = $entries > 100_000 ? (most => 1) : ();
	my $run = sub {
		my ($sql, $gives) = @_;
		return session_run(
			first => 'SET jit = off; SELECT python_start();',
			sql => $sql,
			gives => $gives,
			accounts => ["alta/$account"]);
	};
	my @variants = (
		{
			name => 'python_count',
			title => 'plpython3u, `count(*), max(created_at)`',
			run => sub { return $run->("SELECT count(*), max(created_at) FROM $python;", "$entries|" . latest($entries)) },
			@long
		},
		{
			name => 'python_table',
			title => 'plpython3u, into a temporary table',
			run => sub { return $run->("CREATE TEMP TABLE copied AS SELECT * FROM $python;", '') },
			@long
		});

	push @variants, {
		name => 'shell',
		title => 'curl, jq and COPY, into a temporary table',
		run => sub {
			return shell_run("$entries|" . latest($entries), "alta/$account", $api{alta} =~ s/\?.*//r, "sandbox-$account");
		},
		most => 3
	} if $entries <= 10_000;
	return @variants;
}

# A list as a table of ours, with all columns of one of its foreign tables.
sub copy_all
{
	my ($name, $title, $server, $table, $list) = @_;

	return {
		name => $name,
		title => $title,
		run => sub {
			return session_run(
				first => warm($server),
				sql => "CREATE TEMP TABLE copied AS SELECT * FROM $server.$table;",
				gives => '',
				accounts => [$list]);
		}
	};
}

sub scan
{
	my ($name, $entries, %more) = @_;
	my $list = "alta/scan_$name";
	my $server = "scan_$name";

	return {
		name => $server,
		title => 'full scan',
		entries => $entries,
		warm_up => 1,
		%more,
		prepare => sub { make_list($list, $entries); make_server($server, $list) },
		clean_up => sub { control('DELETE', $list) },
		variants => [
			floor_scan($server, $entries),
			download($server, $entries),
			count_all('count', 'dnc_fdw, `count(*), max(created_at)`', $server, $list, $entries),
			copy_all('table', 'dnc_fdw, into a temporary table', $server, 'without_keys', $list),
			copy_all('table_keys', 'the same with `match_key`', $server, 'communication_opt_outs', $list),
			($name =~ /^3/ ? () : others($server, $entries))
		]
	};
}

# ----- latency -----

# A list, read with one request after the other, and as by default.
sub latency
{
	my ($name, $title, $list, $entries, $sql, $gives) = @_;
	my $run = sub {
		my ($server) = @_;
		return session_run(
			first => warm($server),
			sql => $sql =~ s/\bLIST\b/$server.communication_opt_outs/r,
			gives => $gives,
			accounts => [$list]);
	};

	return {
		name => "latency_$name",
		title => "100 ms latency, $title",
		entries => $entries,
		prepare => sub {
			make_list($list, $entries, 'latency_ms=100');
			make_server("late_${name}_one", $list, $one_by_one);
			make_server("late_$name", $list);
		},
		variants => [
			{ name => 'one', title => 'one after the other', run => sub { return $run->("late_${name}_one") } },
			{ name => 'default', title => 'dnc_fdw', run => sub { return $run->("late_$name") } }
		]
	};
}

sub latency_rows
{
	my $all = 'SELECT count(*), max(created_at) FROM LIST;';
	my $in = join ', ', map { sprintf "'person%06d\@example.com'", 250 * $_ } 1 .. 40;

	return (
		latency('cursor', 'a chain of 10 pages', 'alta/cursor', 1000, $all, '1000|' . latest(1000)),
		latency('pages', '6,000 entries on numbered pages', 'weya/pages', 6000, $all, '6000|' . latest(6000)),
		latency('in', 'an IN list of 40', 'alta/in_list', 10_000,
			"SELECT count(id) FROM LIST WHERE identifier IN ($in);", 40));
}

sub three_servers
{
	my @providers = DncVendors::names();
	my @lists = map { "$_/three" } @providers;
	my $partitions = sub {
		my ($table, $suffix) = @_;
		return "CREATE TABLE $table (created_at timestamptz, source text) PARTITION BY LIST (source);" . join ' ',
			map { "CREATE FOREIGN TABLE ${table}_$_ PARTITION OF $table FOR VALUES IN ('$_$suffix') SERVER $_$suffix;" } @providers;
	};
	my $run = sub {
		my ($table, $entries, @names) = @_;
		return session_run(
			first => warm(@names),
			sql => "SELECT count(*), max(created_at) FROM $table;",
			gives => "$entries|" . latest(1000),
			accounts => \@lists);
	};
	my @single = map {
		my $provider = $_;
		+{
			name => $provider,
			title => "$provider alone",
			base => 'slowest',
			run => sub { return $run->("three_$provider", 1000, $provider) }
		}
	} @providers;
	my $slowest = sub {
		my ($round) = @_;
		my ($slow) = sort { $b->{seconds} <=> $a->{seconds} } map { $_->{sample}[$round] } @single;
		return $slow;
	};

	return {
		name => 'three_servers',
		title => '100 ms latency, three servers with 10 pages each',
		entries => 3000,
		prepare => sub {
			for my $list (@lists)
			{
				make_list($list, 1000, 'latency_ms=100');
				make_server($list =~ s{/.*}{}r, $list);
				make_server($list =~ s{/.*}{_one}r, $list, $one_by_one);
			}
			psql($partitions->('three', '') . $partitions->('three_by_one', '_one'));
		},
		variants => [
			@single,
			{ name => 'slowest', title => 'the slowest of them', base => 'slowest', derive => $slowest },
			{
				name => 'one', title => 'one after the other', base => 'slowest',
				run => sub { return $run->('three_by_one', 3000, map { "${_}_one" } @providers) }
			},
			{
				name => 'default', title => 'dnc_fdw, Async Append', base => 'slowest',
				run => sub { return $run->('three', 3000, @providers) }
			}
		]
	};
}

# ----- joins, and queries that end early -----

my $join = 'SELECT count(d.id) FROM contacts c JOIN crm.communication_opt_outs d ON d.identifier = c.email';
my %query = (
	join_3 => "$join WHERE c.id IN (3, 5000, 20000)",
	join_20000 => $join,
	limit => 'SELECT count(id) FROM (SELECT id FROM crm.communication_opt_outs LIMIT 10) AS l');

# A CRM of 20,000 contacts, each second one on the list of 100,000.
sub make_crm
{
	make_list('alta/crm', 100_000);
	make_server('crm', 'alta/crm');
	psql(q{
		CREATE TABLE contacts (id int PRIMARY KEY, email text);
		INSERT INTO contacts SELECT n, 'person' || lpad((n + CASE n % 2 WHEN 0 THEN 0 ELSE 500000 END)::text, 6, '0') ||
		  '@example.com' FROM generate_series(1, 20000) n;
		ANALYZE contacts;
		ANALYZE crm.communication_opt_outs;
	});
	return;
}

sub crm_variant
{
	my ($name, $title, $gives) = @_;

	return {
		name => $name,
		title => $title,
		run => sub {
			return session_run(first => warm('crm'), sql => "$query{$name};", gives => $gives, accounts => ['alta/crm']);
		}
	};
}

# The median of a session's planning times.
sub planning
{
	my ($name, $title) = @_;

	return {
		name => "planning_$name",
		title => $title,
		base => "planning_$name",
		run => sub {
			return session_run(
				first => warm('crm'),
				sql => "EXPLAIN (SUMMARY) $query{$name};\n" x 21,
				accounts => ['alta/crm'],
				peek => sub {
					my ($text, $sample) = @_;
					my @ms = $text =~ /^Planning Time: ([\d.]+) ms/mg;
					$sample->{seconds} = median(@ms[ 1 .. $#ms ]) / 1000;
					$sample->{cpu} = undef;
				});
		}
	};
}

sub join_rows
{
	my $made = 0;
	my $prepare = sub { make_crm() unless $made++ };

	return (
		{
			name => 'join',
			title => 'CRM of 20,000 joined with a list of 100,000',
			entries => 100_000,
			warm_up => 1,
			prepare => $prepare,
			variants => [
				floor_scan('crm', 100_000),
				crm_variant('join_20000', 'dnc_fdw, all contacts', 10_000),
				crm_variant('join_3', 'dnc_fdw, 3 contacts', 2),
				crm_variant('limit', 'dnc_fdw, `LIMIT 10` of the list', 10)
			]
		},
		{
			name => 'planning',
			title => 'planning that join, no more',
			entries => 100_000,
			prepare => $prepare,
			variants => [ planning('join_20000', 'all contacts'), planning('join_3', '3 contacts') ]
		});
}

# Single look-ups by a nested loop, and the same requests without anything else.
sub lookup
{
	my $sql = 'SELECT count(d.id) FROM wanted w JOIN looked_up d ON d.identifier = w.email;';

	return {
		name => 'lookup',
		title => '1,000 look-ups of one entry each',
		entries => 10_000,
		warm_up => 1,
		prepare => sub {
			make_list('alta/lookup', 10_000);
			make_server('lookup', 'alta/lookup');
			# A list so long that nobody would read it.
			psql(q{
				CREATE FOREIGN TABLE looked_up (id uuid, identifier text) SERVER lookup OPTIONS (estimated_rows '1000000000');
				CREATE TABLE wanted AS SELECT 'person' || lpad(n::text, 6, '0') || '@example.com' AS email
				  FROM generate_series(1, 1000) n;
				ANALYZE wanted;
			});
		},
		variants => [
			{
				name => 'bare',
				title => 'bare requests over one connection',
				run => sub { return floor_run(0, 'get', "$api{alta}&search=person%d%40example.com", 'sandbox-lookup', 1000) }
			},
			{
				name => 'default',
				title => 'dnc_fdw, nested loop',
				run => sub {
					return session_run(first => warm('lookup'), sql => $sql, gives => 1000, accounts => ['alta/lookup']);
				}
			}
		]
	};
}

# ----- writing -----

sub add
{
	my $variant = sub {
		my ($provider) = @_;
		my $list = "$provider/add";
		return {
			name => $provider,
			title => $provider,
			base => $provider,
			run => sub {
				make_list($list, 0);
				my $sample = session_run(
					first => warm("add_$provider"),
					sql => "INSERT INTO add_$provider.communication_opt_outs (identifier, identifier_type)
						SELECT identifier, 'email' FROM unsubscribes;",
					gives => '',
					accounts => [$list]);
				check("adding to $provider", control('GET', "$list/count"), 100_000);
				return $sample;
			}
		};
	};

	return {
		name => 'add',
		title => 'add 100,000 entries',
		entries => 100_000,
		warm_up => 1,
		prepare => sub {
			make_server("add_$_", "$_/add") for qw(alta sendkit);
			psql(q{
				CREATE TABLE unsubscribes AS SELECT 'new' || n || '@example.com' AS identifier
				  FROM generate_series(1, 100000) n
			});
		},
		variants => [ map { $variant->($_) } qw(alta sendkit) ]
	};
}

sub delete_row
{
	my $list = 'alta/remove';
	my $variant = sub {
		my ($name, $title, $server) = @_;
		return {
			name => $name,
			title => $title,
			run => sub {
				make_list($list, 1000, 'latency_ms=20');
				my $sample = session_run(
					first => warm($server),
					sql => "DELETE FROM $server.communication_opt_outs;",
					gives => '',
					accounts => [$list]);
				check('deleting', control('GET', "$list/count"), 0);
				return $sample;
			}
		};
	};

	return {
		name => 'delete',
		title => '20 ms latency, delete 1,000 entries',
		entries => 1000,
		most => 2,
		prepare => sub { make_server('remove_one', $list, $one_by_one); make_server('remove', $list) },
		variants => [ $variant->('one', 'one after the other', 'remove_one'), $variant->('default', 'dnc_fdw', 'remove') ]
	};
}

# ----- the rate limit, and a real line -----

# 301 pages where 100 requests may be sent in 6 s.  A client that uses the
# whole allowance sends the last request 18 s after the first.  So the share
# that was used is 18 s, divided by the time from the first to the last
# request.
sub rate_limit
{
	my $list = 'alta/limited';
	my $share = sub {
		my ($text, $sample) = @_;
		my @arrived = control('GET', "$list/log?times=1") =~ /^(\d+) /mg;
		$sample->{share} = 18_000 / ($arrived[-1] - $arrived[0]);
	};

	return {
		name => 'rate_limit',
		title => '301 pages, 100 requests per 6 s allowed',
		entries => 30_100,
		most => 2,
		prepare => sub { make_server('limited', $list) },
		variants => [
			{
				name => 'default',
				title => 'dnc_fdw',
				run => sub {
					# No warming up: that would open the first window.
					make_list($list, 30_100, 'rate_limit=100&rate_window_ms=6000');
					forget_allowance('limited', $list);
					return session_run(
						first => 'SET jit = off;',
						sql => 'SELECT count(*), max(created_at) FROM limited.communication_opt_outs;',
						gives => '30100|' . latest(30_100),
						accounts => [$list],
						peek => $share);
				}
			}
		]
	};
}

sub line
{
	my $list = 'alta/line';
	my $variant = sub {
		my ($name, $title, $base, $settings) = @_;
		return count_all($name, $title, 'line', $list, 10_000, base => $base, settings => $settings);
	};

	return {
		name => 'line',
		title => 'full scan over a line of 10 Mbit/s',
		entries => 10_000,
		prepare => sub { make_list($list, 10_000); make_server('line', $list) },
		variants => [
			$variant->('plain', 'answers as they are', 'plain', 'bandwidth=1250000&compress=0'),
			$variant->('gzip', 'compressed answers', 'plain', 'bandwidth=1250000&compress=1'),
			$variant->('loopback', 'loopback, answers as they are', 'loopback', 'bandwidth=0&compress=0'),
			$variant->('loopback_gzip', 'loopback, compressed answers', 'loopback', 'bandwidth=0&compress=1')
		]
	};
}

sub rows
{
	return (
		(map { scan(@$_) } @sizes), latency_rows(), three_servers(), join_rows(), lookup(),
		add(), delete_row(), rate_limit(), line(), queue_rows(), deliver_row(), key_rows(), mirror_rows());
}

1;
