# Eight sessions at once read and write lists of all APIs, while the sandbox
# limits rates and spoils one request in twenty, and sessions are cancelled and
# ended at random: nothing is lost, nothing doubled, and each error says what
# the remote has taken.  scripts/test --soak does the same for long.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncSoak;
use DncTest;
use Test::More;

my $dnc = DncTest->new;
local @ENV{qw(PGHOST PGPORT)} = ($dnc->node->host, $dnc->node->port);

my $report = DncSoak::run(url => $dnc->url, sessions => 8, seconds => 20, seed => 1);
my $count = $report->{count};

note DncSoak::text($report);
is(join("\n", @{ $report->{failures} }), '', 'the lists are what they have to be, at all times');

# It did happen.
cmp_ok($count->{$_} // 0, '>', 0, $_)
  for 'committed', 'rolled back', 'reads', 'failed while sending', 'with an unknown outcome', 'faults', 'sessions: cancel',
  'sessions: terminate';
cmp_ok($count->{attempts}, '>', $count->{committed} + $count->{'rolled back'}, 'some had to be tried again');

$dnc->stop;
done_testing();
