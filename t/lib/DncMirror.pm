# DncMirror: a mirror of a list, s.list, of one vendor after the other, and what it shows

package DncMirror;

use strict;
use warnings;

use DncTest;
use DncVendors;
use Exporter qw(import);
use IPC::Run;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

our @EXPORT = qw($dnc $node $columns set_up control sql gives refresh full known listed certificate mirror requests
	begin remove_at_vendor put_again add remove start backend pages wait_for);

my $json = JSON::PP->new->utf8->canonical;
my $vendor;
our ($dnc, $node, $columns);    # the columns of s.list

# A cluster and a sandbox.
sub set_up
{
	$dnc = DncTest->new;
	$node = $dnc->node;
	$node->append_conf('postgresql.conf', "restart_after_crash = on\n");
	$node->restart;
	return;
}

sub control { my ($method, $what, $body) = @_; return $dnc->control($method, "$vendor/m$what", $body) }
sub sql { my ($statements, $database) = @_; return $node->safe_psql($database // 'postgres', $statements) }
sub gives { return $dnc->gives(@_) }
sub refresh { my ($arguments) = @_; return gives('CALL dnc_fdw_mirror_refresh(\'s.list\'' . ($arguments ? ", $arguments" : '') . ')') }
sub full { my ($what) = @_; is(refresh($what), '', 'a full pass'); return }
sub known { return join ' ', split /\n/, sql('SELECT identifier FROM s.list_known ORDER BY 1') }
sub listed { return map { DncVendors::identifier_of($_) } @{ $json->decode(control('GET', '/entries')) } }
sub certificate { my ($what) = @_; return sql("SELECT $what FROM dnc_fdw_passes WHERE source = 's.list' ORDER BY id DESC LIMIT 1") }
sub mirror { my ($what) = @_; return sql("SELECT $what FROM dnc_fdw_mirrors WHERE source = 's.list'::regclass") }
sub requests { my $log = control('GET', '/log'); control('DELETE', '/log'); return scalar(() = $log =~ /^GET /mg) }

# A server of a vendor whose list has $count entries, and a mirror of it.
sub begin
{
	my ($name, $count, $options, $terms) = @_;

	if ($vendor)
	{
		sql("SELECT dnc_fdw_mirror_drop('s.list'); DROP SERVER s CASCADE; DROP SCHEMA s CASCADE");
		sql('TRUNCATE dnc_fdw_queue_waiting, dnc_fdw_queue_finished, dnc_fdw_pass_log');
	}
	$vendor = $name;
	control('DELETE', '');
	control('POST', "/fill?count=$count" . DncVendors::fill_type($name)) if $count;
	my %needs = %{ $DncVendors::vendors{$name}{needs} };
	$columns = join ', ', 'id text, identifier text, identifier_type text, created_at timestamptz', $name eq 'alta' ? 'label text' : (),
		map { "$_ text DEFAULT '$needs{$_}'" } sort keys %needs;
	sql(DncVendors::server('s', $name, $dnc->url, 'm', "max_retries '0', requests_per_minute '0', page_size '10'" . ($options ? ", $options" : '')) . qq{
		CREATE SCHEMA s;
		CREATE FOREIGN TABLE s.list ($columns) SERVER s;
		SELECT dnc_fdw_mirror_create('s.list'@{[ $terms ? ", $terms" : '' ]});
	});
	return;
}

# Has the vendor take people off the list.
sub remove_at_vendor
{
	my (@who) = @_;
	my %gone = map { $_ => 1 } @who;
	my @entries = grep { !$gone{ DncVendors::identifier_of($_) } } @{ $json->decode(control('GET', '/entries')) };

	# PUT appends, so that the list is emptied first; settings are lost with it.
	control('DELETE', '');
	control('PUT', '/entries', $json->encode(\@entries));
	return;
}

# The vendor lists somebody again: as another entry, where it has ids.
sub put_again
{
	my ($who, $type) = @_;
	my $entry = (@{ $json->decode(control('GET', '/entries')) })[0];

	$entry->{$_} = "again-$who" for grep { exists $entry->{$_} } qw(id _id);
	$entry->{ $DncVendors::vendors{$vendor}{identifier} } = $who;
	$entry->{identifierType} = $type if $type;
	$entry->{$_} = '2025-09-01T00:00:00.000Z' for grep { exists $entry->{$_} } qw(createdAt updatedAt addedAt);
	control('PUT', '/entries', $json->encode([$entry]));
	return;
}

sub add { my ($who, $type) = @_; $type //= $DncVendors::vendors{$vendor}{types}[0]; return "INSERT INTO s.list (identifier, identifier_type) VALUES ('$who', '$type')" }
sub remove { my ($who) = @_; return "DELETE FROM s.list WHERE identifier = '$who'" }

# Starts a refresh in the background, gives its process.
sub start
{
	my ($arguments, $settings) = @_;
	my ($out, $errors) = ('', '');
	my $run = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres') . ' application_name=refresh',
		'-c', $settings // 'SELECT 1', '-c', "CALL dnc_fdw_mirror_refresh('s.list'" . ($arguments ? ", $arguments" : '') . ')' ],
		'>', \$out, '2>', \$errors);
	return $run;
}

sub backend { return sql("SELECT pid FROM pg_stat_activity WHERE application_name = 'refresh'") }
sub pages { return certificate('pages') || 0 }
sub wait_for { my ($what, $condition) = @_; my $end = time + 60; until ($condition->()) { die "waited for $what" if time > $end; sleep 0.02 } return }

1;
