# The reference is complete, and names nothing that is not there: options,
# columns, settings, functions, errors, files and links.  What there is comes from
# the tables of the source and from the catalog.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use DncDocs;
use DncTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = abs_path("$FindBin::RealBin/..");
my %docs = map { (substr $_, length "$top/") => PostgreSQL::Test::Utils::slurp_file($_) }
  glob("$top/*.md $top/*/*.md");
my %source = map { (substr $_, length "$top/") => PostgreSQL::Test::Utils::slurp_file($_) }
  glob("$top/*.[ch] $top/src/*.[ch] $top/src/*/*.[ch] $top/src/*/*/*.[ch]");
my $all_source = join '', map { $source{$_} } sort keys %source;
my $dnc = DncTest->new;
my $node = $dnc->node;

# Passes if both lists have the same elements; names what each has alone otherwise.
sub same_elements
{
	my ($documented, $there, $what) = @_;
	my %documented = map { $_ => 1 } @$documented;
	my %there = map { $_ => 1 } @$there;
	my @missing = grep { !$documented{$_} } sort keys %there;
	my @invented = grep { !$there{$_} } sort keys %documented;

	is(join("\n", (map { "not documented: $_" } @missing), (map { "documented, and not there: $_" } @invented),
			%there ? () : 'found none'), '', $what);
	return;
}

# The cells of a file's table rows, below headings that match; [] of cells a row.
sub rows
{
	my ($file) = @_;
	my @rows;

	for (split /\n/, $docs{$file})
	{
		next unless s/^\| *//;
		s/\s*\|\s*$//;
		push @rows, [ split / *\| */, $_ ];
	}
	return @rows;
}

# ----- options, columns, settings, functions: docs/options.md -----

my @rows = rows('docs/options.md');
my %place = (ON_SERVER => 'server', ON_TABLE => 'table', ON_COLUMN => 'column', ON_USER => 'user mapping');
my @options;

while ($source{'src/config/option.c'} =~ /^\t\{\.name = "(\w+)", \.catalogs = ([\w |]+),(.*?)\},$/msg)
{
	my ($name, $catalogs, $rest) = ($1, $2, $3);
	my $default = $rest =~ /\.initial = "([^"]*)"/ ? $1 : '';
	push @options, join(', ', map { $place{$_} } split / \| /, $catalogs) . " | $name | $default";
}
# A default that is the provider's, or none, is said in words.
my %words = map { (split / \| /)[1] => 1 } grep { / $/ } @options;
same_elements([ map { my $name = $_->[1] =~ tr/`//dr; "$_->[0] | $name | " . ($words{$name} ? '' : $_->[2] =~ tr/`//dr) }
		grep { $_->[0] =~ /^(?:server|server, table|server, user mapping|column|user mapping)$/ && $_->[1] =~ /^`/ } @rows ],
	\@options, 'options, where they may be set, and their defaults');
is(join("\n", map { $_->[1] } grep { $_->[0] =~ /^(?:server|column|user mapping)/ && $_->[1] =~ /^`/ && ($_->[3] // '') !~ /\w/ } @rows),
	'', 'each option has a meaning');

my ($columns) = $docs{'docs/options.md'} =~ /(\| column .*?)\n\n/s;
same_elements([ map { /^\| ((?:`\w+`(?:, )?)+)/ ? $1 =~ /(\w+)/g : () } split /\n/, $columns ],
	[ $source{'src/config/column.c'} =~ /^\t\[DNC_COL_\w+\] = "(\w+)"/mg ], 'columns');

my $settings = $node->safe_psql('postgres', q{
	LOAD 'dnc_fdw';
	SELECT name || ' | ' || CASE WHEN unit = 'ms' AND boot_val <> '-1'
	                             THEN boot_val::int / 1000 || 's'
	                             WHEN unit = 's' THEN boot_val::int / 86400 || 'd' ELSE boot_val END
	FROM pg_settings WHERE name LIKE 'dnc\_fdw.%'});
same_elements([ map { ($_->[0] =~ tr/`//dr) . " | $_->[1]" } grep { $_->[0] =~ /^`dnc_fdw\.\w+`$/ } @rows ],
	[ split /\n/, $settings ], 'settings and their defaults');

my $functions = $node->safe_psql('postgres', q{
	SELECT p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')'
	FROM pg_depend d JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
	WHERE d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'dnc_fdw') AND d.deptype = 'e'});
# Of these, arguments without OUT.
my @functions = map { s/\bIN //gr } map { s/OUT .*?(?=[,)])(?:, )?//gr =~ s/, \)/)/r } split /\n/, $functions;
same_elements([ map { $_->[0] =~ /`(dnc_fdw_\w+\(.*?\))`/g } @rows ],
	\@functions, 'functions');

# Each column that a function gives is named in the row of the function, or in the
# section that has its name.
my $given = $node->safe_psql('postgres', q{
	SELECT p.proname || ' ' || a.name
	FROM pg_depend d JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid,
	LATERAL unnest(p.proargnames, p.proargmodes) AS a (name, mode)
	WHERE d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'dnc_fdw') AND a.mode IN ('o', 't')});
my @unnamed;
for (split /\n/, $given)
{
	my ($function, $column) = split / /;
	my ($section) = $docs{'docs/options.md'} =~ /^### $function\n(.*?)(?=^#|\z)/ms;
	push @unnamed, "$function: $column"
	  unless ($section // '') =~ /^\|.*`$column`.*\|/m || grep { $_->[0] =~ /^`$function\(/ && "@$_[1..$#$_]" =~ /`$column`/ } @rows;
}
is(join("\n", @unnamed), '', 'columns that functions give');

# ----- errors: docs/errors.md -----

# SQLSTATEs by the names of PostgreSQL's own header.
my $header = PostgreSQL::Test::Utils::slurp_file(
	$node->config_data('--includedir-server') . '/utils/errcodes.h');
my %sqlstate = map { m/(\w+) MAKE_SQLSTATE\('(.)','(.)','(.)','(.)','(.)'\)/ ? ($1 => "$2$3$4$5$6") : () } split /\n/, $header;
my %known_state = reverse %sqlstate;

# A format of C as the documentation writes it.
sub shown
{
	my ($format) = @_;

	$format =~ s/"\s*"//g;
	$format =~ s/\\"/"/g;
	return $format =~ s/%(?:\.\d+)?(?:ll|z)?[a-z]/…/gr;
}

# What ereport raises: SQLSTATE (or WARNING) and message.  And what src/request/remote_error.c makes of
# the remote's problems, to be raised or to be shown.
my $string = qr/"((?:[^"\\]|\\.|"\s*")*)"/;
my @raised;
while ($all_source =~ /\bereport\(\s*(\w+),(.*?)\)\);/sg)
{
	my ($level, $rest) = ($1, $2);
	my $code = $rest =~ /\berrcode\((\w+)\)/ ? $sqlstate{$1} // $1 : $level;

	$code = 'WARNING' if $level eq 'level';
	next if $level !~ /^(?:ERROR|WARNING|level)$/;
	push @raised, map { "$code | " . shown($_) } $rest =~ /\berrmsg\(\s*$string/g;
}
my @messages;
while ($source{'src/request/remote_error.c'} =~ /\bmessage = psprintf\(\s*$string|\bmake_problem\((ERRCODE_\w+),\s*(?:psprintf\(\s*$string|message\b)/g)
{
	my ($kept, $code, $message) = ($1, $2, $3);

	push @messages, $kept // $message // ();
	next unless $code;
	push @raised, map { "$sqlstate{$code} | " . shown($_) } @messages;
	@messages = ();
}
# And what is kept as a problem elsewhere.
while ($all_source =~ /\.sqlstate = (ERRCODE_\w+)\};\s*problem\.message = psprintf\(\s*$string/g)
{
	push @raised, "$sqlstate{$1} | " . shown($2);
}
my @errors = grep { $_->[0] =~ /^(?:[0-9A-Z]{5}|WARNING)$/ && @$_ == 3 } rows('docs/errors.md');
same_elements([ map { "$_->[0] | $_->[1]" } @errors ], \@raised, 'messages and their SQLSTATEs');
is(join("\n", map { $_->[1] } grep { $_->[2] !~ /\w{3}/ } @errors), '', 'each has a remedy');
is(join(' ', grep { my $code = $sqlstate{$_}; !$code || !grep { $_->[0] eq $code } @errors }
			do { my %seen; grep { !$seen{$_}++ } $all_source =~ /\b(?:(?:errcode|make_problem)\(|sqlstate = )(ERRCODE_\w+)/g }),
	'', 'each SQLSTATE that the source raises stands in docs/errors.md');

# What is shown of messages outside of blocks that run is what the source says.
my @formats = map { my $f = shown($_); length($f) > 8 ? join '.*', map { quotemeta } split /…/, $f, -1 : () }
  $all_source =~ /\berr(?:msg|detail|hint)\(\s*$string/g, $source{'src/request/remote_error.c'} =~ /$string/g;
my $any_message = join '|', @formats;
my @strange;
for my $file (sort keys %docs)
{
	for my $block (grep { $_->{info} ne 'output' } DncDocs::blocks($docs{$file}))
	{
		push @strange, "$file: $_"
		  for grep { !/^(?:$any_message)$/ } $block->{text} =~ /^(?:ERROR|WARNING|NOTICE|DETAIL|HINT):  (.*)/mg;
	}
}
is(join("\n", @strange), '', 'messages that are shown are those of the source');

is(join(' ', grep { $docs{$_} =~ /^(?:<{7}|={7}|>{7})(?: |$)/m } sort keys %docs), '', 'no merge was left unfinished');

# ----- what the documentation names is there -----

my (%wrong, %anchors);

# GitHub's anchor of a heading.
sub anchor
{
	my ($heading) = @_;

	$heading =~ s/\[([^\]]*)\]\([^)]*\)/$1/g;
	return lc($heading) =~ s/[^\w\s-]//gr =~ tr/ /-/r;
}
for my $file (keys %docs)
{
	$anchors{$file} = { map { anchor($_) => 1 } $docs{$file} =~ /^#+ +(.*?)\s*$/mg };
}

my %function_names = map { s/\(.*//r => 1 } @functions;
my %setting_names = map { s/ \|.*//r => 1 } split /\n/, $settings;
for my $file (sort keys %docs)
{
	my $text = $docs{$file};

	for my $link ($text =~ /\]\(([^)\s]+)\)/g)
	{
		next if $link =~ /^https?:/;
		my ($path, $anchor) = $link =~ /^([^#]*)(?:#(.*))?$/;
		my $target = $path eq '' ? $file : join '/', grep { $_ ne '.' } dirname($file), $path;
		1 while $target =~ s{(?:^|(?<=/))(?!\.\./)[^/]+/\.\./}{};
		$wrong{"$file: link to $link"} = 1 if !-e "$top/$target" || ($anchor && !$anchors{$target}{$anchor});
	}
	for my $path ($text =~ m{`((?:t|sql|src|scripts|sandbox|docs|bench|fuzz|examples)/[\w/.-]+\.\w+|scripts/[\w-]+)[` ]}g)
	{
		next if $path =~ /\bNAME\b|NNN/;
		$wrong{"$file: file $path"} = 1 unless -e "$top/$path" || $path eq 'sandbox/dnc_sandbox';
	}
	$wrong{"$file: function $_()"} = 1 for grep { !$function_names{$_} } $text =~ /\b(dnc_fdw_\w+)\(/g;
	$wrong{"$file: setting $_"} = 1 for grep { !$setting_names{$_} } $text =~ /`(dnc_fdw\.(?!c`|control)\w+)/g;
	$wrong{"$file: SQLSTATE $_"} = 1 for grep { !$known_state{$_} } $text =~ /\bSQLSTATEs? ([0-9A-Z]{5})\b/g, $text =~ /\b(HV0\w\w)\b/g;
}
is(join("\n", sort keys %wrong), '', 'links, files, functions, settings and SQLSTATEs are there');

# Both the picture and the list of files have each file.  The picture shows the text of
# architecture.dot: dot writes each line of a box as a text of its own.
my @c_files = map { s{^src/}{}r } grep { m{^(?:src/.*|dnc_fdw)\.c$} } sort keys %source;
my %boxes = map { $_ => PostgreSQL::Test::Utils::slurp_file("$top/docs/architecture.$_") } qw(dot svg);
foreach my $form (sort keys %boxes)
{
	my %in_box = map { $_ => 1 } $boxes{$form} =~ /\b(?:providers\/)?\w+\.c\b/g;
	same_elements([ sort keys %in_box ], [ map { s{^(?!.*providers/).*/|^config/}{}r } @c_files ],
		"docs/architecture.$form: files");
}
my ($list) = $docs{'docs/architecture.md'} =~ /(\| file \|.*?)\n\n/s;
is(join(' ', grep { my $file = $_; $list !~ m{`(?:src/)?\Q$file\E`} } grep { !m{/providers/} } @c_files), '',
	'docs/architecture.md lists each file');

# Each provider has its column in the tables, a player in the sandbox, and is tried.
for my $provider (split /\n/, $node->safe_psql('postgres', 'SELECT provider FROM dnc_fdw_providers()'))
{
	for my $file ('docs/options.md', 'docs/providers.md', 'docs/transactions.md')
	{
		ok($docs{$file} =~ /^\|(?:[^|]*\|)* $provider \|/m, "$file has a column for $provider");
	}
	ok(-e "$top/sandbox/$provider.c", "the sandbox plays $provider");
	my @tried = grep { PostgreSQL::Test::Utils::slurp_file($_) =~ /provider '$provider'/ } glob("$top/sql/*.sql");
	cmp_ok(scalar @tried, '>', 0, "a regression test has a server of $provider");
}

# docs/security.md names C functions that hold its claims.
my %in_c = map { $_ => 1 } $docs{'docs/security.md'} =~ /`([a-z]\w+)\(\)`/g;
is(join(' ', map { "$_->[0]() in $_->[1]" } grep { ($source{ $_->[1] } // '') !~ /^\Q$_->[0]\E\(/m }
			map { [ /`(\w+)\(\)` in `([^`]+)`/ ] } $docs{'docs/security.md'} =~ /(`\w+\(\)` in `[^`]+`)/g),
	'', 'docs/security.md finds functions in their files');
is(join(' ', grep { $all_source !~ /^$_\(/m && $_ !~ /^(?:escape_json|pg_terminate_backend)$/ } sort keys %in_c),
	'', 'docs/security.md names functions that there are');

$dnc->stop;
done_testing();
