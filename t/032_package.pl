# t/032_package.pl: what is distributed: META.json, the versions, make dist's archive
#
# The archive is made, unpacked and built in another directory; what is installed from
# there is compared with what the archive has, and removed again.  scripts/release refuses
# a tree that is not ready for it.  No server is needed.
use strict;
use warnings;
use File::Find;
use File::Temp;
use FindBin;
use IPC::Run;
use JSON::PP;
use Test::More;

my $top = "$FindBin::RealBin/..";
my $dir = File::Temp->newdir;

# The make that runs us has settings for its own directory.
delete @ENV{ 'VPATH', grep { /^(GIT_|MAKE|MFLAGS|DESTDIR)/ } keys %ENV };
$ENV{GIT_CONFIG_GLOBAL} = $ENV{GIT_CONFIG_SYSTEM} = '/dev/null';

sub slurp
{
	my ($path) = @_;
	open my $file, '<', $path or die "could not read $path: $!";
	local $/;
	return scalar <$file>;
}

# What a command writes, and its exit code.
sub output_of
{
	my @command = @_;
	IPC::Run::run(\@command, '<', '/dev/null', '>&', \my $output);
	return ($output, $? >> 8);
}

# Passes if the command succeeds; what it wrote.
sub run_ok
{
	my ($name, @command) = @_;
	my ($output, $status) = output_of(@command);

	is($status, 0, $name) or diag($output);
	return $output;
}

# The files below a directory, one a line.
sub files
{
	my ($below) = @_;
	my @found;

	find({ no_chdir => 1, wanted => sub { push @found, substr($_, 1 + length $below) if -f } }, $below);
	return join "\n", sort @found;
}

# ----- META.json, by the PGXN Meta Spec 1.0.0 -----

my $meta = decode_json(slurp("$top/META.json"));
my $semver = qr/\A(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:-[0-9A-Za-z-]+)?\z/;
my $term = qr{\A[^\s/\\[:cntrl:]]{2,}\z};
my %known = map { $_ => 1 } qw(name version abstract maintainer license provides meta-spec
	description generated_by no_index prereqs release_status resources tags);

is(join(' ', grep { !$known{$_} } sort keys %$meta), '', 'META.json has no key that the spec has not');
like($meta->{name}, $term, 'name');
like($meta->{version}, $semver, 'version');
ok(!ref $meta->{$_} && $meta->{$_} =~ /\S/, $_) foreach qw(abstract maintainer description);
is($meta->{license}, 'postgresql', 'license');
is($meta->{'meta-spec'}{version}, '1.0.0', 'meta-spec');
like($meta->{release_status}, qr/\A(?:stable|testing|unstable)\z/, 'release_status');
is(join(' ', grep { ref || !length || length > 256 || m{[/\\[:cntrl:]]} } @{ $meta->{tags} }), '', 'tags');
is(join(' ', sort keys %{ $meta->{provides} }), 'dnc_fdw', 'provides dnc_fdw');

my $provided = $meta->{provides}{dnc_fdw};
is(join(' ', sort keys %$provided), 'abstract docfile file version', 'provides: its keys');
like($provided->{version}, $semver, 'provides: version');
ok(-f "$top/$provided->{$_}", "provides: $_") foreach qw(file docfile);
while (my ($phase, $relations) = each %{ $meta->{prereqs} })
{
	like($phase, qr/\A(?:configure|build|test|runtime|develop)\z/, "prereqs: $phase");
	while (my ($relation, $needs) = each %$relations)
	{
		like($relation, qr/\A(?:requires|recommends|suggests|conflicts)\z/, "prereqs: $relation");
		is(join(' ', grep { $_ !~ $semver } values %$needs), '', 'prereqs: versions');
	}
}

# ----- the version is the same wherever it stands (CONTRIBUTING has the list) -----

my ($extversion) = slurp("$top/Makefile") =~ /^EXTVERSION = (\S+)$/m;
my ($default) = slurp("$top/dnc_fdw.control") =~ /^default_version = '(.*)'$/m;
my ($packaged) = slurp("$top/debian/changelog") =~ /\Adnc-fdw \((.*)-[^-]+\) /;
my ($changed) = slurp("$top/CHANGELOG.md") =~ /^## \[(.*?)\]/m;

is($default, $extversion, "dnc_fdw.control has the Makefile's version");
like($provided->{version}, qr/\A\Q$extversion\E\.\d+\z/, "META.json provides the Makefile's version");
is($packaged, $meta->{version}, "debian/changelog has META.json's version");
like($changed, qr/\A(?:Unreleased|\Q$meta->{version}\E)\z/, "CHANGELOG.md begins with META.json's version");
is(join(' ', grep { !/\A\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d\z/ && $_ ne '[Unreleased]' } slurp("$top/CHANGELOG.md") =~ /^## (.*)$/mg),
	'', 'each version in it has a date');

(my $control = slurp("$top/debian/control.in")) =~ s/PGVERSION/15/g;
is(slurp("$top/debian/control"), $control, 'debian/control is made of control.in, for bookworm');

# The library for phone numbers has a package of its own, which the error names that says
# what to install.  The main package recommends it.
my ($phone) = $control =~ /^Package: (postgresql-15-dnc-fdw-phone)$/m;
like($control, qr/^Package: postgresql-15-dnc-fdw\n(?:.+\n)*Recommends:\n(?: .*\n)* \Q$phone\E \(= \$\{binary:Version\}\),$/m,
	'the main package recommends the one for phone numbers');
like(slurp("$top/src/compat.h"), qr/PHONE_PACKAGE "postgresql-" PG_MAJORVERSION "-dnc-fdw-phone"$/m, 'an error names it');

# ----- make dist -----

my $dist = "$meta->{name}-$meta->{version}";
my @missing = grep { system("command -v $_ >/dev/null") != 0 } qw(git unzip);
if (@missing)
{
	SKIP: { skip "no @missing", 1 }
	done_testing();
	exit;
}

# A clone of the tree as it is now.
{
	my @git = ('git', '-c', 'user.name=t', '-c', 'user.email=t@example.com');
	local $ENV{GIT_DIR} = "$dir/tree.git";
	local $ENV{GIT_WORK_TREE} = $top;

	run_ok('git init', @git, 'init', '--quiet');
	run_ok('git add', @git, 'add', '--all', $top);
	run_ok('git commit', @git, 'commit', '--quiet', '--message=t');
}
run_ok('git clone', 'git', 'clone', '--quiet', "$dir/tree.git", "$dir/clone");
run_ok('make dist', 'make', '-s', '-C', "$dir/clone", 'dist');

my @archived = grep { !m{/\z} } split /\n/, run_ok('a zip', 'unzip', '-Z1', "$dir/clone/$dist.zip");
is(join(' ', grep { index($_, "$dist/") != 0 } @archived), '', 'all is below one directory');
my $archived = join "\n", sort map { substr $_, 1 + length $dist } @archived;
is($archived,
	join("\n", sort grep { !m{\A\.ci/|\A\.gitattributes\z} }
			split /\n/, run_ok('git ls-files', 'git', '-C', "$dir/clone", 'ls-files')),
	'the archive has what git has, but what serves the repository alone');
is(join(' ', grep { m{\.(?:o|so|bc|d|zip|deb)$|/dnc_sandbox$|/tmp_check/|/results/} } @archived),
	'', 'the archive has nothing that is built');

# ----- the archive, unpacked, builds from another directory -----

run_ok('unzip', 'unzip', '-q', "$dir/clone/$dist.zip", '-d', "$dir");
mkdir "$dir/build" or die "could not make a directory: $!";
my $pg_config = $ENV{PG_CONFIG} // 'pg_config';
my @make = ('make', '-s', '-j2', '-C', "$dir/build", '-f', "$dir/$dist/Makefile",
	"PG_CONFIG=$pg_config", "DESTDIR=$dir/installed", 'with_llvm=no', 'WERROR=', 'COPT=-O0');

run_ok('make', @make, 'all', 'sandbox');
run_ok('make install', @make, 'install');
is(files("$dir/$dist"), $archived, 'the source directory stays as it was');

my %place = map { $_ => run_ok("pg_config --$_", $pg_config, "--$_") =~ s{\A/|\n\z}{}gr } qw(sharedir pkglibdir);
is(files("$dir/installed"),
	join("\n", sort((map { "$place{pkglibdir}/$_.so" } qw(dnc_fdw dnc_fdw_phone)),
			map { "$place{sharedir}/extension/$_" } $archived =~ /^(dnc_fdw(?:--.*\.sql|\.control))$/mg)),
	'the libraries, the control file and all scripts are installed');
for my $library (qw(dnc_fdw dnc_fdw_phone))
{
	my @needs = run_ok("readelf $library", 'readelf', '-d', "$dir/installed/$place{pkglibdir}/$library.so") =~ /NEEDED.*\[lib(phonenumber)/g;
	is("@needs", $library eq 'dnc_fdw_phone' ? 'phonenumber' : '', "$library: who needs libphonenumber");
}
run_ok('make uninstall', @make, 'uninstall');
is(files("$dir/installed"), '', 'nothing of it is left');

my $help = run_ok('the sandbox', "$dir/build/sandbox/dnc_sandbox", '--help');
my $manual = slurp("$top/sandbox/dnc_sandbox.1");
is(join(' ', $manual =~ /^\.It Fl -(\S+)/mg), join(' ', $help =~ /^  --(\S+)/mg),
	'the manual page has each option of the sandbox');
run_ok('make clean', @make, 'clean');
is(files("$dir/build"), '', 'nothing of the build is left');

my ($refusal, $status) = output_of('make', '-C', "$dir/$dist", "PG_CONFIG=$pg_config", 'dist');
isnt($status, 0, 'make dist takes a clone');
like($refusal, qr/the archive is made of what git has, and this is no clone/, 'and says so');

# ----- scripts/release -----

# What it says of the clone, with files edited and committed; the edits stay.
sub release_of
{
	my (%edits) = @_;
	my @git = ('git', '-C', "$dir/clone", '-c', 'user.name=t', '-c', 'user.email=t@example.com');

	while (my ($file, $edit) = each %edits)
	{
		local $_ = slurp("$dir/clone/$file");
		$edit->();
		open my $out, '>', "$dir/clone/$file" or die "could not write $file: $!";
		print $out $_;
		close $out;
	}
	run_ok('git commit', @git, 'commit', '--quiet', '--all', '--allow-empty', '--message=edited');
	my ($said, $code) = output_of("$dir/clone/scripts/release");
	isnt($code, 0, 'scripts/release makes no release here');
	return $said;
}

my $ready = release_of(
	'CHANGELOG.md' => sub { $_ = "# Changelog\n\n## [Unreleased]\n\n## [$meta->{version}] - 2026-02-01\n\n- Released.\n" },
	'debian/changelog' => sub { $_ = "dnc-fdw ($meta->{version}-1) unstable; urgency=low\n\n  * x\n\n -- x <x\@example.com>  Sun, 01 Feb 2026 00:00:00 +0000\n" });
like($ready, qr/^release: takes root:/, 'the tree is ready, but it takes root');
like((output_of("$dir/clone/scripts/release", '--tag', '15'))[0], qr/a release that is tagged has all versions/, 'no tag for one version');
like((output_of("$dir/clone/scripts/release", '14'))[0], qr/usage: /, 'a version that has no Debian release');
open my $stray, '>', "$dir/clone/stray" or die "could not write: $!";
like((output_of("$dir/clone/scripts/release"))[0], qr/there is something that is not committed/, 'a file that is not committed');
unlink "$dir/clone/stray";
for my $case (
	[ 'CHANGELOG.md', sub { s/^## .Unreleased.\n\K/\n- More.\n/m }, qr/has entries that are not released yet/ ],
	[ 'CHANGELOG.md', sub { s/^- More.\n//m; s/2026-02-01/2026-02-02/ }, qr/the date of \S+ is 2026-02-01 in debian\/changelog, and 2026-02-02 in CHANGELOG/ ],
	[ 'CHANGELOG.md', sub { s/ - 2026-02-02// }, qr/CHANGELOG\.md has "## \[[\d.]+\]" where "## \[\Q$meta->{version}\E\] - DATE" has to be/ ],
	[ 'CHANGELOG.md', sub { s/^## \[\d.*\n//m }, qr/CHANGELOG\.md has "" where/ ],
	[ 'dnc_fdw.control', sub { s/(?<=default_version = ')[^']*/9.9/ }, qr/default_version in dnc_fdw\.control is not/ ],
	[ 'Makefile', sub { s/^EXTVERSION = \K.*/9.9/m }, qr/EXTVERSION in Makefile is not/ ],
	[ 'META.json', sub { s/^      "version": "\K[^"]*/9.9.9/m }, qr/META\.json provides another version/ ])
{
	my ($file, $edit, $refusal) = @$case;
	like(release_of($file => $edit), $refusal, "$file: $refusal");
}

done_testing();
