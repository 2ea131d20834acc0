# Mutated answers through the reading path of a backend, in short; scripts/test --fuzz is
# the long form.  Each result is compared with what an independent reader makes of
# the same bytes: an error with a documented SQLSTATE where a list breaks off or
# contradicts itself, all rows otherwise.
#
# The finds of longer runs come first, then the corpus as it is, then mutants
# with a fixed seed.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib", "$FindBin::RealBin/../fuzz";

use DncFuzz;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $mutants = 6000;
my $seed = 20250321;
my $finds = PostgreSQL::Test::Utils::tempdir();

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\ntimezone = 'UTC'\n");
$node->start;
$node->safe_psql('postgres', "CREATE DATABASE fuzz TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'");

my $fuzz = DncFuzz->new(
	pg => [ $node->host, $node->port, $ENV{PGUSER} // (getpwuid $>)[0], 'fuzz' ], seed => $seed,
	finds => $finds, say => sub { diag(substr $_[0], 0, 400) });

my @saved = sort glob "$FindBin::RealBin/../fuzz/finds/*.case";
cmp_ok(scalar @saved, '>', 3, 'there are finds to repeat');
for my $path (@saved)
{
	is($fuzz->replay($path), undef, $path =~ s{.*/}{}r);
}

# Without mutations: the judge and the extension agree on what is right, too.
my @wrong = grep { defined } map { $fuzz->run_case($_) } $fuzz->plain_cases;
is("@wrong", '', 'the corpus reads as it should');

my $before = { %{ $fuzz->{states} } };
my $done = $fuzz->{done};
is($fuzz->run(1, sub { $_[0] <= $mutants }), 0, "$mutants mutants, seed $seed");
is($fuzz->{done} - $done, $mutants, 'all of them were run');

# What is found depends on what is tried: results and errors of each kind.
my %tried = map { $_ => $fuzz->{states}{$_} - ($before->{$_} // 0) } keys %{ $fuzz->{states} };
cmp_ok($tried{result}, '>', $mutants / 10, 'many mutants are lists that read well');
cmp_ok($tried{$_} // 0, '>', 0, "some end in $_") for qw(08P01 28000 40001 53400 HV00L HV00M HV00N);

is($fuzz->growth, undef, 'nothing is left behind in the session');
$node->stop;
done_testing();
