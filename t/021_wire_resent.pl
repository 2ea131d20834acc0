# A connection that was kept may be dead by the time of the next request.  libcurl
# then sends that again by itself; whether the first one arrived is not known, even
# if the answer to the second one says that it was not acted on.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use Test::More;

my $dnc = DncTest->new;
my $node = $dnc->node;
my $list = 'resent.communication_opt_outs';

$dnc->make_server('resent', 10, "max_retries '0'");

# What a deletion shows after a scan, whose connection is kept, under faults.
sub delete_under
{
	my (@faults) = @_;

	$dnc->control('DELETE', 'alta/resent/log');
	$dnc->control('POST', "alta/resent/fault?method=DELETE&$_") for @faults;
	my ($code, $stdout, $stderr) = $node->psql('postgres',
		"DELETE FROM $list WHERE identifier = 'person000001\@example.com' AND identifier_type = 'email'");
	$dnc->control('DELETE', 'alta/resent/fault');
	return $stderr;
}

sub sent { return scalar(() = $dnc->control('GET', 'alta/resent/log') =~ /^DELETE/mg) }

my $refused = 'kind=status&arg=429';
like(delete_under($refused), qr/0 of 1 deletions\.\n/, 'what is refused at once was surely not taken');
is(sent(), 1, 'it was sent once');
is($dnc->control('GET', 'alta/resent/count'), "10\n", 'and the entry is there');

is(delete_under('kind=lost', $refused), '', 'refused after a dead connection: we look, and it was removed');
is(sent(), 2, 'it was sent twice');
is($dnc->control('GET', 'alta/resent/count'), "9\n", 'and the entry is gone');

# What libcurl sends again by itself is counted.
$dnc->control('DELETE', 'alta/resent/log');
$dnc->control('POST', 'alta/resent/fault?method=DELETE&kind=lost');
my $counted = $node->safe_psql('postgres', "DELETE FROM $list WHERE identifier = 'person000007\@example.com' AND identifier_type = 'email';
	SELECT requests, retries FROM dnc_fdw_stats() WHERE server = 'resent'");
is($counted, scalar(() = $dnc->control('GET', 'alta/resent/log') =~ /^\w/mg) . '|1', 'each of them is counted');

$dnc->stop;
done_testing();
