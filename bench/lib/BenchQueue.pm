# BenchQueue: rows of write_mode 'queue': storing writes, COMMIT while the vendor is slow, and
# the pace of delivery.

package BenchQueue;

use strict;
use warnings;

use Bench;
use BenchLists;
use Exporter qw(import);

our @EXPORT_OK = qw(queue_rows);

my $rows = 100_000;

# The rows that the queue makes of insertions into a table, for one that is plain.
my $plain_rows = q{
	SELECT i.instance, nextval('plain_id'), d.oid, c.system_identifier, c.timeline, 'queued', t.oid, 'queued.communication_opt_outs',
	  r.oid, r.rolname, 'alta/queued', md5('alta/queued'), 'add', NULL, u.identifier, 'email', NULL, NULL, NULL, NULL, 'email:' || u.identifier,
	  pg_current_xact_id(), NULL, NULL, 'waiting', 0, false, now(), NULL, NULL, NULL, now(), NULL, NULL
	FROM dnc_fdw_instance i, dnc_fdw_cluster() c, pg_database d, pg_roles r, pg_class t, new_opt_outs u
	WHERE d.datname = current_database() AND r.rolname = current_user AND t.oid = 'queued.communication_opt_outs'::regclass};

sub insert
{
	my $variant = sub {
		my ($name, $title, $sql, $table) = @_;
		return {
			name => $name,
			title => $title,
			run => sub {
				psql('TRUNCATE plain, dnc_fdw_queue_waiting');
				my $sample = session_run(first => warm('queued'), sql => "INSERT INTO $sql;", gives => '', accounts => ['alta/queued']);
				check("rows of $table", psql("SELECT count(DISTINCT id) FROM $table"), $rows);
				return $sample;
			}
		};
	};

	return {
		name => 'queue_insert',
		title => '100,000 insertions that are stored',
		entries => $rows,
		warm_up => 1,
		prepare => sub {
			make_list('alta/queued', 1);
			make_server('queued', 'alta/queued', q{write_mode 'queue'});
			psql(qq{
				CREATE TABLE new_opt_outs AS SELECT 'new' || n || '\@example.com' AS identifier FROM generate_series(1, $rows) n;
				CREATE TABLE plain (LIKE dnc_fdw_queue_waiting INCLUDING ALL) WITH (fillfactor = 70);
				CREATE SEQUENCE plain_id CACHE 32});
		},
		clean_up => sub { psql('TRUNCATE dnc_fdw_queue_waiting; DROP TABLE plain, new_opt_outs; DROP SEQUENCE plain_id') },
		variants => [
			$variant->('plain', 'into a plain table with the same columns and indexes', "plain $plain_rows", 'plain'),
			$variant->('queue', "dnc_fdw, `write_mode 'queue'`",
				"queued.communication_opt_outs (identifier, identifier_type) SELECT identifier, 'email' FROM new_opt_outs", 'dnc_fdw_queue_waiting')
		]
	};
}

sub commit
{
	my $list = 'alta/slow';
	my $sql = join "\n", map { "INSERT INTO slow.communication_opt_outs (identifier, identifier_type) VALUES ('new$_\@example.com', 'email');" } 1 .. 500;
	my $variant = sub {
		my ($name, $title, $settings) = @_;
		return {
			name => $name,
			title => $title,
			run => sub {
				psql('TRUNCATE dnc_fdw_queue_waiting');
				control('PUT', "$list/config?latency_ms=0");
				my $first = warm('slow');
				control('PUT', "$list/config?$settings");
				return session_run(first => $first, sql => $sql, gives => '', accounts => [$list]);
			}
		};
	};

	return {
		name => 'queue_commit',
		title => '500 transactions with an insertion each',
		entries => 500,
		warm_up => 1,
		prepare => sub { make_list($list, 1); make_server('slow', $list, q{write_mode 'queue'}) },
		clean_up => sub { psql('TRUNCATE dnc_fdw_queue_waiting') },
		variants => [
			$variant->('none', 'a vendor without latency', 'latency_ms=0'),
			$variant->('default', 'a vendor with 1 s latency', 'latency_ms=1000')
		]
	};
}

# 301 requests of 10 entries each, where 100 may be sent in 6 s: as the row rate_limit.
sub deliver
{
	my $list = 'alta/delivered';
	my $share = sub {
		my ($text, $sample) = @_;
		my @arrived = control('GET', "$list/log?times=1") =~ /^(\d+) /mg;
		$sample->{share} = 18_000 / ($arrived[-1] - $arrived[0]);
	};

	return {
		name => 'queue_deliver',
		title => 'delivery of 3,010 additions by 10, 100 requests per 6 s allowed',
		entries => 3010,
		most => 2,
		prepare => sub { make_server('delivered', $list, q{write_mode 'queue', batch_size '10'}) },
		clean_up => sub { psql('TRUNCATE dnc_fdw_queue_waiting') },
		variants => [
			{
				name => 'default',
				title => 'dnc_fdw',
				run => sub {
					make_list($list, 0, 'rate_limit=100&rate_window_ms=6000');
					forget_allowance('delivered', $list);
					psql(q{INSERT INTO delivered.communication_opt_outs (identifier, identifier_type)
						SELECT 'new' || n || '@example.com', 'email' FROM generate_series(1, 3010) n});
					my $sample = session_run(
						first => 'SET jit = off;', sql => "CALL dnc_fdw_deliver('delivered');", gives => '', accounts => [$list], peek => $share);
					check('delivering', control('GET', "$list/count"), 3010);
					return $sample;
				}
			}
		]
	};
}

sub queue_rows { return (insert(), commit(), deliver()) }

1;
