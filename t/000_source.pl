# t/000_source.pl: rules that the source tree keeps
#
# The walls between the modules are drawn by what a file may include or name.
# They are checked here, on the text, so that they hold when nobody looks.
use strict;
use warnings;
use File::Basename qw(basename);
use File::Find;
use FindBin;
use Test::More;

my $top = "$FindBin::RealBin/..";
my %text;    # the C files' contents, by path below the top

# A file's contents.
sub slurp
{
	my ($path) = @_;

	open my $file, '<', $path or die "could not read $path: $!";
	local $/;
	return <$file>;
}

find(
	{
		no_chdir => 1,
		wanted   => sub {
			$text{ substr($_, length("$top/")) } = slurp($_) if -f && /\.[ch]$/;
		}
	},
	"$top/dnc_fdw.c", "$top/src", "$top/sandbox", "$top/bench", "$top/t/modules");

my @all = sort keys %text;
my @extension = grep { !m{^(sandbox|bench|t)/} } @all;

cmp_ok(scalar(@extension), '>', 10, 'the extension has its files');
cmp_ok(scalar(grep { m{^sandbox/} } @all), '>', 2, 'the sandbox has its files');

# Passes if no file but the exempt ones has a match; names the places otherwise.
sub nowhere
{
	my ($rule, $pattern, $files, $exempt) = @_;
	my @found;

	foreach my $path (grep { !/$exempt/ } @$files)
	{
		my @lines = split /\n/, $text{$path};
		push @found, map { "$path:" . ($_ + 1) . ": $lines[$_]" }
			grep { $lines[$_] =~ $pattern } 0 .. $#lines;
	}
	is(join("\n", @found), '', $rule);
}

nowhere('only src/wire/http.c, src/wire/http_session.c and src/wire/url.c include curl',
	qr{^\s*#\s*include\s*[<"]curl/}, \@extension, qr{^src/wire/(http|http_session|url)\.c$});
nowhere('only src/wire/json.c includes cJSON',
	qr{^\s*#\s*include\s*[<"](cjson/)?cJSON\.h}i, \@extension, qr{^src/wire/json\.c$});
my $providers = join '|', map { m{^src/config/providers/(\w+)\.c$} ? $1 : () } @extension;
nowhere('only the registry and the providers name a provider',
	qr{$providers}i, \@extension, qr{^src/config/registry\.c$|^src/config/providers/});
nowhere('only src/compat.h depends on the version of PostgreSQL',
	qr{\b(PG|CATALOG)_(MAJOR)?VERSION(_NUM|_NO)?\b}, \@extension, qr{^src/compat\.h$});

# ----- who may include whom -----

# The modules on a way from a module back to itself; nothing if there is none.  $needs has, by
# module (a file without its suffix), the modules that it includes.
sub circle
{
	my ($needs, $module, @way) = @_;

	for my $i (0 .. $#way)
	{
		return (@way[ $i .. $#way ], $module) if $way[$i] eq $module;
	}
	foreach my $next (sort keys %{ $needs->{$module} // {} })
	{
		my @found = circle($needs, $next, @way, $module);
		return @found if @found;
	}
	delete $needs->{$module};    # no circle leads through it
	return;
}

# The first circle among modules, for people; '' if there is none.
sub circles
{
	my ($needs) = @_;

	foreach my $module (sort keys %$needs)
	{
		my @found = circle($needs, $module);
		return join ' -> ', @found if @found;
	}
	return '';
}

# The folders of src/ in their order: a file includes headers of its own folder and of
# those before it.  The front door, dnc_fdw.c and settings.c, comes last.
my @folders =
	('', qw(match wire config request list plan write scan queue mirror worker sql));
my %rank = map { $folders[$_] => $_ } 0 .. $#folders;
my %front_door = map { $_ => 1 } qw(dnc_fdw.c src/settings.c);

# The rank of a file's folder; undef where the folder is not in the list.
sub rank
{
	my ($path) = @_;

	return scalar @folders if $front_door{$path};
	return $path =~ m{^src/(?:(\w+)/)?[^/]+(?:/[^/]+)?$} ? $rank{ $1 // '' } : undef;
}

# What a file of the extension includes of the extension, as paths below the top.
sub own_includes
{
	my ($path) = @_;

	return grep { exists $text{$_} } map { "src/$_" }
		$text{$path} =~ /^\s*#\s*include\s*"([\w\/]+\.h)"/mg;
}

is(join("\n", grep { !defined rank($_) } @extension), '', 'files are in folders that we know');
my @upward;
my %needs;    # by module, a file without its suffix: the modules that it includes
foreach my $path (grep { defined rank($_) } @extension)
{
	foreach my $header (own_includes($path))
	{
		push @upward, "$path includes $header" if (rank($header) // 0) > rank($path);
		my ($from, $to) = map { s/\.[ch]$//r } $path, $header;
		$needs{$from}{$to} = 1 if $from ne $to;
	}
}
cmp_ok(scalar(keys %needs), '>', 40, 'includes were found');
is(join("\n", @upward), '', 'files include headers of their own folder and of those above only');

is(circles(\%needs), '', 'no modules include each other in a circle');

# The sandbox's files are in one folder.  Their order is a table in its README: a row's files may
# include each other and what is in the rows before.
my ($table) = slurp("$top/sandbox/README.md") =~ /^## How it is made$(.*)/ms;
my @rows = grep { /^\| `/ } split /\n/, $table // '';
my %row;      # by module of the sandbox: the number of its row
foreach my $i (0 .. $#rows)
{
	my ($files) = $rows[$i] =~ /^\| ([^|]+)/;
	$row{$_} = $i foreach $files =~ /`(\w+)`/g;
}
is(join(' ', sort keys %row),
	join(' ', sort keys %{ { map { basename($_) =~ s/\.[ch]$//r => 1 } grep { m{^sandbox/} } @all } }),
	'the table in sandbox/README.md has the files of the sandbox');
@upward = ();
my %sandbox_needs;
foreach my $path (grep { m{^sandbox/} } @all)
{
	my $from = basename($path) =~ s/\.[ch]$//r;

	foreach my $to ($text{$path} =~ /^\s*#\s*include\s*"(\w+)\.h"/mg)
	{
		push @upward, "$path includes $to.h" if ($row{$to} // -1) > ($row{$from} // -1);
		$sandbox_needs{$from}{$to} = 1 if $from ne $to;
	}
}
cmp_ok(scalar(keys %sandbox_needs), '>', 30, 'includes of the sandbox were found');
is(join("\n", @upward), '', 'files of the sandbox include what stands before them in the table');
is(circles(\%sandbox_needs), '', 'no files of the sandbox include each other in a circle');

# A header that declares another file's function would hide a circle of calls.
my @foreign;
foreach my $path (grep { m{^sandbox/.*\.h$} } @all)
{
	my $own = $text{ $path =~ s/h$/c/r } // '';

	push @foreign, map { $own =~ /^(const .*)?\b$_\b/m ? () : "$path: $_" }
		$text{$path} =~ /^extern [^;]*?\b(sb_\w+)/mg;
}
is(join("\n", @foreign), '', 'headers of the sandbox declare only what the file of their name defines');

# ----- the rest -----

nowhere('nothing is left to do', qr{\b(TODO|FIXME|XXX)\b}, \@all, qr{^$});

is(join(' ', grep { $text{$_} !~ m{\A/\*[\s*-]*(\S*/)?\Q${\ basename($_)}\E\b} } @all),
	'', 'files begin with a comment that names them');
is(join("\n", map { my $lines = $text{$_} =~ tr/\n//; $lines > 500 ? "$_: $lines lines" : () } @all),
	'', 'files have 500 lines at most');
is(join("\n", map { my $lines = slurp($_) =~ tr/\n//; $lines > 500 ? substr($_, length "$top/") . ": $lines lines" : () }
		map { glob "$top/$_" } qw(t/*.pl t/lib/* fuzz/*.pl fuzz/*/*.pm bench/run bench/lib/*)),
	'', 'so do tests and what they share');

# TAP files have the number and the folder of src/ whose code they try, or another of our parts.
my $subsystems = join '|', grep({ $_ } @folders), qw(source docs package sandbox);
is(join(' ', grep { !m{/\d{3}_(?:$subsystems)(?:_\w+)?\.pl$} } glob "$top/t/*.pl"), '', 'TAP files are named by subsystem');

# A function's body is from a line { to a line }, both alone in column 0, and both are counted.
my $functions = 0;
my @long;
foreach my $path (@all)
{
	my @lines = split /\n/, $text{$path};
	my $begin;

	foreach my $i (0 .. $#lines)
	{
		$begin = $i if $lines[$i] eq '{';
		next unless defined $begin && $lines[$i] =~ /^\}/;
		my $length = $i - $begin + 1;
		if ($lines[$i] eq '}')
		{
			$functions++;
			push @long, "$path:$begin: $length lines, after $lines[$begin - 1]" if $length > 60;
		}
		undef $begin;
	}
}
cmp_ok($functions, '>', 500, 'functions were found');
is(join("\n", @long), '', 'functions have 60 lines at most');

# ----- scripts -----

my %defined;
$defined{$_}++ foreach map { slurp("$top/scripts/$_") =~ /^(\w+)\(\)$/mg } 'lib.sh', 'chroots.sh';
cmp_ok(scalar(keys %defined), '>', 30, 'functions that scripts share were found');
is(join(' ', grep { $defined{$_} > 1 } sort keys %defined), '', 'each is defined once');

# ----- tests -----

# Tests pass whatever the superuser and the operating system's user are called.
is(join(' ', map { basename($_) } grep { slurp($_) =~ /\bpostgres\b/ } glob "$top/expected/*.out"),
	'', 'no expected output has the name of a superuser');
is(join(' ', map { basename($_) } grep { my $test = slurp($_); $test =~ /->init\b/ && $test =~ /CREATE (?:ROLE|USER (?!MAPPING))/ } glob "$top/t/*.pl"),
	'', 'who makes roles has a cluster from DncTest, whose superuser is called postgres');

done_testing();
