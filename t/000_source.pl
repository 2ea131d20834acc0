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

find(
	{
		no_chdir => 1,
		wanted   => sub {
			return unless -f && /\.[ch]$/;
			open my $file, '<', $_ or die "could not read $_: $!";
			local $/;
			$text{ substr($_, length("$top/")) } = <$file>;
		}
	},
	"$top/dnc_fdw.c", "$top/src", "$top/sandbox", "$top/bench");

my @all = sort keys %text;
my @extension = grep { !m{^(sandbox|bench)/} } @all;

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

nowhere('only src/wire/http.c and src/wire/url.c include curl',
	qr{^\s*#\s*include\s*[<"]curl/}, \@extension, qr{^src/(http|url)\.c$});
nowhere('only src/wire/json.c includes cJSON',
	qr{^\s*#\s*include\s*[<"](cjson/)?cJSON\.h}i, \@extension, qr{^src/json\.c$});
my $providers = join '|', map { m{^src/providers/(\w+)\.c$} ? $1 : () } @extension;
nowhere('only the registry and the providers name a provider',
	qr{$providers}i, \@extension, qr{^src/provider\.c$|^src/providers/});
nowhere('only src/compat.h depends on the version of PostgreSQL',
	qr{\b(PG|CATALOG)_(MAJOR)?VERSION(_NUM|_NO)?\b}, \@extension, qr{^src/compat\.h$});
nowhere('nothing is left to do', qr{\b(TODO|FIXME|XXX)\b}, \@all, qr{^$});

is(join(' ', grep { $text{$_} !~ m{\A/\*[\s*-]*(\S*/)?\Q${\ basename($_)}\E\b} } @all),
	'', 'files begin with a comment that names them');
is(join(' ', grep { ($text{$_} =~ tr/\n//) > 600 } @all),
	'', 'files have 600 lines at most');

done_testing();
