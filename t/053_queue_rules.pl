# Who must not be removed by a deletion that waits in the queue: who was added after its first
# request, who was added under another key, and whoever is on the list of another account.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use IPC::Run;
use JSON::PP;
use POSIX qw(strftime);
use Test::More;
use Time::HiRes qw(sleep time);

my $dnc = DncTest->new;
my $node = $dnc->node;
my $json = JSON::PP->new->utf8;
$node->append_conf('postgresql.conf', "max_prepared_transactions = 2\n");
$node->restart;

my %path = (alta => '/alta/v1', sendkit => '/sendkit');
my %token = (alta => 'sandbox-q', sendkit => 'sk_q');
my $columns = 'identifier text, identifier_type text';

sub sql { my ($statements, $database) = @_; return $node->safe_psql($database // 'postgres', $statements) }
sub control { my ($method, $name, $what) = @_; return $dnc->control($method, "$name/q$what") }
sub listed { my ($name) = @_; return join ' ', sort map { $_->{identifier} // $_->{email} } @{ $json->decode(control('GET', $name, '/entries')) } }
sub deliver { my ($name) = @_; my $err = ''; $node->psql('postgres', "CALL dnc_fdw_deliver('$name')", stderr => \$err); return $err }
sub add { my ($table, $who, $type) = @_; return "INSERT INTO $table (identifier, identifier_type) VALUES ('$who', '" . ($type // 'email') . "')" }
sub remove { my ($table, $who) = @_; return "DELETE FROM $table WHERE identifier = '$who'" }
sub states { my ($who) = @_; return join ' ', split /\n/, sql("SELECT action || ':' || state FROM dnc_fdw_queue WHERE identifier = '$who' ORDER BY queued_at") }
sub wait_for { my ($what, $condition) = @_; my $end = time + 60; until ($condition->()) { die "waited for $what" if time > $end; sleep 0.05 } return }
sub retry { my ($name) = @_; return sql("SELECT dnc_fdw_queue_resume('$name'), dnc_fdw_queue_retry(array_agg(id)) FROM dnc_fdw_queue WHERE state IN ('waiting', 'dead')") }

# Empties the lists and the queue.
sub begin
{
	control('DELETE', $_, '') for sort keys %path;
	sql(q{TRUNCATE dnc_fdw_queue_waiting, dnc_fdw_queue_finished});
	sql("SELECT dnc_fdw_queue_resume('$_')") for sort keys %path;
	return;
}

# Has the vendor list a person, since some time; nobody of ours has added the person.
sub list_since
{
	my ($who, $seconds) = @_;

	return control('PUT', 'alta', '/entries?since', $json->encode([])) if !defined $who;
	return $dnc->control('PUT', 'alta/q/entries', $json->encode([ { id => 'e' . int(rand 1e9), identifier => $who, identifierType => 'email', manual => JSON::PP::false,
		createdAt => strftime('%Y-%m-%dT%H:%M:%S.000Z', gmtime(time - $seconds)) } ]));
}

for my $name (sort keys %path)
{
	sql(qq{
		CREATE SERVER $name FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider '$name', base_url '@{[ $dnc->url ]}$path{$name}',
		  max_retries '0', requests_per_minute '0', write_mode 'queue');
		CREATE USER MAPPING FOR CURRENT_USER SERVER $name OPTIONS (token '$token{$name}');
		CREATE SCHEMA $name;
		CREATE FOREIGN TABLE $name.list ($columns) SERVER $name;
	});
}
