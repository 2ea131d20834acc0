# Where a rate limit is not enough for all, the most needed requests go first, and background
# processes leave some to people.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use IPC::Run;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $dnc = DncTest->sandbox;
my $node = DncTest->cluster('main');
my $json = JSON::PP->new->utf8;

$node->append_conf('postgresql.conf', "fsync = off\ntimezone = 'UTC'\nmax_worker_processes = 20\n"
	. "shared_preload_libraries = 'dnc_fdw'\ndnc_fdw.databases = 'postgres'\ndnc_fdw.naptime = '1s'\n");
$node->start;

sub sql { my ($statements) = @_; return $node->safe_psql('postgres', $statements) }
sub wait_for { my ($what, $condition) = @_; my $end = time + 60; while (time < $end) { return pass($what) if $condition->(); sleep 0.05 } fail($what); return }
sub requests { my ($name, $method) = @_; return scalar(() = $dnc->control('GET', "alta/$name/log") =~ /^$method /mg) }
sub listed { my ($name) = @_; return join ' ', map { $_->{identifier} } @{ $json->decode($dnc->control('GET', "alta/$name/entries")) } }

# Makes a server of an account with so many entries, a table "NAME", and "NAME_queue".
sub make_server
{
	my ($name, $count, $per_minute) = @_;

	$dnc->control('POST', "alta/$name/fill?count=$count");
	sql(qq{
		CREATE SERVER $name FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url '@{[$dnc->url]}/alta/v1', requests_per_minute '$per_minute', max_wait '10min', max_deletes '0', page_size '10');
		CREATE USER MAPPING FOR CURRENT_USER SERVER $name OPTIONS (token 'sandbox-$name');
		CREATE FOREIGN TABLE $name (identifier text, identifier_type text) SERVER $name;
		CREATE FOREIGN TABLE ${name}_queue (identifier text, identifier_type text) SERVER $name OPTIONS (write_mode 'queue');
	});
	return;
}
sql('CREATE EXTENSION dnc_fdw');

# ----- the reserve -----

# An entry a request.
make_server('reserve', 90, 20);
sql(q{ALTER SERVER reserve OPTIONS (ADD batch_size '1'); INSERT INTO reserve_queue SELECT n || '@test', 'email' FROM generate_series(1, 30) n});
wait_for('a long queue uses what it may', sub { requests('reserve', 'POST') >= 10 });
sleep 2;
is(requests('reserve', 'POST'), 10, 'and no more');
like($dnc->gives(qq{SET statement_timeout = '20s'; SELECT count(*) FROM reserve WHERE identifier = 'nobody\@test'}, node => $node), qr/^0$/, 'a person is served at once') for 1 .. 5;
sql('SELECT dnc_fdw_queue_discard(array_agg(id), $$test$$) FROM dnc_fdw_queue WHERE state = $$waiting$$');

# ----- additions before reading -----

# Two requests in three seconds: those who read a long list would take them all.  One of the two
# is the reserve, and the other one goes to additions as long as there are some.
make_server('crowd', 1000, 0);
sql(q{ALTER SERVER crowd OPTIONS (ADD batch_size '1')});
$dnc->control('PUT', 'alta/crowd/config?rate_limit=2&rate_window_ms=3000');
my @readers = map { my ($read, $errors) = ('', ''); IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres') . ' application_name=reader', '-c', 'SELECT max(identifier) FROM crowd' ],
	'>', \$read, '2>', \$errors) } 1 .. 3;
wait_for('some read a long list', sub { requests('crowd', 'GET') >= 3 });
sql(q{INSERT INTO crowd_queue SELECT n || '@test', 'email' FROM generate_series(1, 6) n});
wait_for('the first addition', sub { requests('crowd', 'POST') >= 1 });
my $before = requests('crowd', 'GET');
wait_for('all additions', sub { requests('crowd', 'POST') >= 6 });
my $reads = requests('crowd', 'GET') - $before;
note "$reads reads meanwhile";
cmp_ok($reads, '<=', 9, 'additions go before reading');
is(sql(q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'reader' AND state = 'active'}), 3, 'while the list is still being read');
wait_for('and reading goes on', sub { requests('crowd', 'GET') > $before + $reads });
sql(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'reader'});
$_->finish for @readers;

$dnc->stop_sandbox;
$node->stop;
done_testing();
