# BenchMirror: full passes of a mirror and deltas, in relation to a scan of the same list into
# a temporary table; and reading a mirror by its view, in relation to its table.

package BenchMirror;

use strict;
use warnings;

use Bench;
use BenchLists;
use Exporter qw(import);

our @EXPORT_OK = qw(mirror_rows);

# A list with a mirror that was filled once.
sub make_mirror
{
	my ($list, $name, $entries, $settings) = @_;

	make_list($list, $entries);
	make_server($name, $list);
	psql("SELECT dnc_fdw_mirror_create('$name.communication_opt_outs')");
	psql("CALL dnc_fdw_mirror_refresh('$name.communication_opt_outs')");
	control('PUT', "$list/config?$settings") if $settings;
	return;
}

# A full pass over a list that has not changed.
sub full
{
	my ($name, $title, $entries, %more) = @_;
	my $list = "alta/mirror_$name";
	my $server = "mirror_$name";
	my $run = sub {
		my ($sql) = @_;
		return session_run(first => warm($server), sql => $sql, gives => '', accounts => [$list]);
	};

	return {
		name => "mirror_$name",
		title => $title,
		entries => $entries,
		%more,
		prepare => sub { make_mirror($list, $server, $entries, $more{settings}) },
		clean_up => sub { psql("SELECT dnc_fdw_mirror_drop('$server.communication_opt_outs')"); control('DELETE', $list) },
		variants => [
			{ name => 'scan', title => 'a scan into a temporary table', run => sub { return $run->("CREATE TEMP TABLE copied AS SELECT * FROM $server.communication_opt_outs;") } },
			{ name => 'full', title => 'a full pass', run => sub { return $run->("CALL dnc_fdw_mirror_refresh('$server.communication_opt_outs');") } }
		]
	};
}

# 100 new entries at the end of numbered pages.
sub delta
{
	my ($list, $server, $entries) = ('weya/mirror_delta', 'mirror_delta', 100_000);

	return {
		name => 'mirror_delta',
		title => '100 new entries on a mirrored list of 100,000',
		entries => $entries,
		most => 3,
		prepare => sub { make_mirror($list, $server, $entries) },
		clean_up => sub { psql("SELECT dnc_fdw_mirror_drop('$server.communication_opt_outs')"); control('DELETE', $list) },
		variants => [
			{
				name => 'delta',
				title => "`mode => 'delta'`",
				run => sub {
					psql("CALL dnc_fdw_mirror_refresh('$server.communication_opt_outs')");
					control('POST', "$list/fill?count=100");
					return session_run(first => warm($server), sql => "CALL dnc_fdw_mirror_refresh('$server.communication_opt_outs', mode => 'delta');",
						gives => '', accounts => [$list]);
				}
			}
		]
	};
}

# Reading a mirror of 100,000 through its view, which has the guard and our own writes, and
# from its table, which has neither.  $sql makes the statements for the name of a relation.
sub reading
{
	my ($row, $title, $sql) = @_;
	my ($list, $server) = ("alta/$row", $row);
	my $variant = sub {
		my ($name, $variant_title, $from) = @_;
		return {
			name => $name,
			title => $variant_title,
			run => sub {
				my ($statements, $gives) = $sql->($from);
				return session_run(first => "SET jit = off; SET work_mem = '1GB'; SELECT count(*) FROM $server.communication_opt_outs_known LIMIT 1;",
					sql => $statements, gives => $gives, accounts => []);
			}
		};
	};

	return {
		name => $row,
		title => $title,
		entries => 100_000,
		most => 3,
		prepare => sub {
			make_mirror($list, $server, 100_000);
			psql("CREATE TABLE contacts_mirrored AS SELECT match_key AS key FROM $server.communication_opt_outs_known
				UNION ALL SELECT 'email:nobody' || n || '\@example.com' FROM generate_series(1, 900000) n");
			psql('VACUUM ANALYZE contacts_mirrored');
		},
		clean_up => sub {
			psql("DROP TABLE contacts_mirrored; SELECT dnc_fdw_mirror_drop('$server.communication_opt_outs')");
			control('DELETE', $list);
		},
		variants => [
			$variant->('table', 'its table', "(SELECT * FROM $server.communication_opt_outs_mirror WHERE gone_at IS NULL)"),
			$variant->('known', 'its view', "$server.communication_opt_outs_known")
		]
	};
}

# 10,000 look-ups, a statement each.
sub look_ups
{
	my ($from) = @_;

	return ("DO \$\$ DECLARE r record; n int := 0; BEGIN
		FOR r IN SELECT key FROM contacts_mirrored LIMIT 10000 LOOP
			PERFORM FROM $from m WHERE m.match_key = r.key;
			n := n + CASE WHEN FOUND THEN 1 ELSE 0 END;
		END LOOP; IF n <> 10000 THEN RAISE 'only % of 10,000 are known', n; END IF; END \$\$;", '');
}

sub mirror_rows
{
	return (
		full('full', 'a mirror of 100,000, the list has not changed', 100_000, most => 3, warm_up => 1),
		full('latency', 'a mirror of 10,000, 100 ms latency', 10_000, most => 2, settings => 'latency_ms=100'),
		delta(),
		reading('mirror_guard', '10,000 look-ups in a mirror of 100,000', \&look_ups),
		reading('mirror_scrub', '1,000,000 contacts against a mirror of 100,000',
			sub { return ("SELECT count(*) FROM contacts_mirrored c WHERE NOT EXISTS (SELECT FROM $_[0] m WHERE m.match_key = c.key);", 900_000) }));
}

1;
