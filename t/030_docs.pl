# The documentation tells the truth: what it shows is what happens, what there
# is stands in it, and what it names is there.  So is the demo, which leaves the
# world behind in which the examples run.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Cwd qw(abs_path);
use DncDocs;
use DncTest;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = abs_path("$FindBin::RealBin/..");
my @files = map { substr $_, length "$top/" } glob("$top/*.md $top/*/README.md $top/docs/*.md");
my %text = map { $_ => PostgreSQL::Test::Utils::slurp_file("$top/$_") } @files;

my $dnc = DncTest->new;
my $node = $dnc->node;

# Before PostgreSQL 17, shared memory has to be asked for at the server's start.
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'dnc_fdw'\n") if $node->pg_version < 17;
$node->restart;
my %lists = ('alta/demo' => 2500, 'sendkit/demo' => 500, 'weya/demo' => 300);

# psql's output, both streams, of a file that is run in a directory.
sub psql_file
{
	my ($database, $directory, $file, @options) = @_;
	my $out = '';

	IPC::Run::run([ 'psql', '--no-psqlrc', '--set=ON_ERROR_STOP=1', "--set=url=" . $dnc->url, @options,
			'--dbname', $node->connstr($database), '--file', $file ],
		'<', \undef, '>', \$out, '2>&1', init => sub { chdir $directory })
	  or fail("$file runs") && diag($out);
	return $out;
}

# ----- the demo -----

$ENV{DNC_SANDBOX_URL} = $dnc->url;
$ENV{PGTZ} = 'UTC';
$node->safe_psql('postgres', 'CREATE DATABASE docs_empty');
psql_file('docs_empty', $top, 't/docs/redirect.sql', '--quiet');
$node->safe_psql('postgres', 'CREATE DATABASE docs_demo TEMPLATE docs_empty');
$dnc->control('POST', "$_/fill?count=$lists{$_}") for sort keys %lists;

my $demo = psql_file('docs_demo', "$top/scripts", 'demo.sql', '--quiet');
is(join("\n", grep { length > 100 } split /\n/, $demo), '', 'no line of the demo has more than 100 columns');
unlike($demo, qr/^(?:\S+ )?(?:ERROR|WARNING|FATAL)/m, 'nothing fails in the demo');
like($demo, qr/^ +3000 \| +2583 \| +417$/m, 'the demo has scrubbed the CRM');
# A contact without a country, which has no key, is found by a wide one.
like($demo, qr/^ cannot be told \| +43 \| +43\n listed +\| +417 \| +334\n may be called +\| +2540 \| +2540$/m,
	'a comparison of bytes would have called four of five who have opted out');
like($demo, qr/^ +15 \| \(555\) 000-0015 +\| US +\| \+15550000015$/m, 'and the demo shows some');
like($demo, qr/^ROLLBACK\n\n(?:--> alta: GET .*\n)+<-- 2 entries\n\n=== /m, 'after ROLLBACK nothing but reading was sent');
like($demo, qr/^--> alta: DELETE .*\n<-- 1 entry removed$/m, 'a deletion was sent');
# A line before each step says what it shows.
is(join(', ', grep { !/\A[^\n]+\n[^\n]+[.]\n\n/ } $demo =~ /^=== (.*?)(?=^=== |\z)/msg), '', 'each step has a line that says what it shows');
is(join("\n", grep { s/^\t\t//r =~ /.{101}/ } split /\n/, PostgreSQL::Test::Utils::slurp_file("$top/scripts/demo")), '',
	'nor has what scripts/demo says itself');

# What follows each other and differs in the cursor only is a line of scripts/demo-wire.
$node->safe_psql('docs_demo', "SELECT count(*) FROM dnc.communication_opt_outs WHERE identifier_type = '$_'") for 'email', 'sms';
my $list = '--> alta: GET /dnc/communication-opt-outs?limit=100&identifierType';
is(scalar `$top/scripts/demo-wire`,
	join('', map { "$list=$_\n$list=$_&cursor=...  (4 times)\n" } 'email', 'sms') . "<-- 834 entries\n", 'requests are counted');
is(scalar `$top/scripts/demo-wire`, "--- nothing was sent\n", 'and shown once');

# ----- the examples -----

my %left = map { $_ => $dnc->control('GET', "$_/entries") } keys %lists;
my ($count, $shown_only) = (0, 0);

# scripts/demo --psql says what else to try.
my ($banner) = PostgreSQL::Test::Utils::slurp_file("$top/scripts/demo") =~ /=== Your turn\n(.*?)\n\tEND/s;
my $try = { text => join("\n", $banner =~ /^\t\t  (.*)/mg) };
$node->safe_psql('postgres', 'CREATE DATABASE docs_try TEMPLATE docs_demo');
DncDocs::run($node, 'docs_try', 'docs_empty', '', $try);
unlike($try->{got}, qr/\b(?:ERROR|FATAL)\b/, 'what scripts/demo --psql says to try runs');
like($try->{got}, qr/^ listed\n.*^ waiting \| add +\| ann\@example\.com$/ms, 'and shows mirror and queue');

for my $file (@files)
{
	my ($examples, $not_run, $mistakes) = DncDocs::examples($text{$file});

	is(join("\n", @$mistakes), '', "$file keeps to the conventions of blocks");
	note("$file:$_->{line} is not run: " . ($_->{text} =~ /(.*)/)[0]) for @$not_run;
	$shown_only += @$not_run;
	next unless @$examples;

	# Each file finds the demo's database and lists.
	my $database = 'docs_' . (lc($file) =~ s/\.md$//r =~ tr{a-z0-9}{_}cr);
	my ($name) = $file =~ m{^(?:docs/)?(.*)\.md$};
	my $preparation = "$top/t/docs/" . ($name =~ tr{/}{-}r) . '.sql';
	for my $list (keys %lists)
	{
		$dnc->control('DELETE', $list);
		$dnc->control('PUT', "$list/entries", $left{$list});
	}
	$node->safe_psql('postgres', qq{CREATE DATABASE "$database" TEMPLATE docs_demo});
	my $prepared = DncDocs::run($node, $database, 'docs_empty',
		-f $preparation ? "\\set url '" . $dnc->url . "'\n\\set top '$top'\n\\i $preparation" : '', @$examples);
	unlike($prepared, qr/ERROR|FATAL/, "the preparation of $file runs") if -f $preparation;

	for my $example (@$examples)
	{
		$count++;
		if (defined $example->{output})
		{
			my ($got, $shown) = DncDocs::same($example->{got}, $example->{output});
			is($got, $shown, "$file:$example->{line} gives what it shows");
		}
		else
		{
			unlike($example->{got}, qr/^(?:\S+ )?(?:ERROR|FATAL|psql)\b.*/m, "$file:$example->{line} runs");
		}
	}
}
cmp_ok($count, '>', 10, 'there are examples');
diag("$count blocks of SQL were run; $shown_only are shown only");
cmp_ok($shown_only, '<=', $count / 10, 'few blocks are shown only');

$dnc->stop;
done_testing();
