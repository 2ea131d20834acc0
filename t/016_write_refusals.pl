# Every way to write refuses the same bad rows with the same SQLSTATE, and nothing
# is sent.  The database's encoding is SQL_ASCII, so that a row can have bytes that are
# no text.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use DncVendors;
use PostgreSQL::Test::Utils;
use Test::More;

my @columns = qw(identifier identifier_type label reason batch_id request_uuid id created_at source workspace_id);

# A good row of a provider; a type that only another one has; a column that only another one has.
sub facts_of
{
	my ($name) = @_;
	my $facts = $DncVendors::vendors{$name};
	my $type = $facts->{types}[0];
	my %has = map { $_->[0] => 1 } values %{ $facts->{fields} };

	return { needs => [ sort keys %{ $facts->{needs} } ],
		good => { identifier => $type eq 'phone' ? '1555' : 'a@test', identifier_type => $type, $facts->{note} => 'asked', %{ $facts->{needs} } },
		of_another => (grep { !DncVendors::has_type($name, $_) } map { @{ $DncVendors::vendors{$_}{types} } } DncVendors::names())[0],
		lacks => (grep { !$has{$_} } qw(label reason batch_id))[0],
		asks_for_type => DncVendors::asks_for_type($name) };
}

# What is wrong with a row: columns that are other than in a good one, undef for NULL;
# the SQLSTATE.  A column without a value is left out.
sub cases
{
	my ($provider) = @_;

	return (
		[ 'NULL identifier', { identifier => undef }, '23502' ],
		[ 'no identifier', { identifier => 'left out' }, '23502' ],
		[ 'empty identifier', { identifier => '' }, '22023' ],
		$provider->{asks_for_type} ? ([ 'NULL type', { identifier_type => undef }, '23502' ], [ 'no type', { identifier_type => 'left out' }, '23502' ]) : (),
		[ 'empty type', { identifier_type => '' }, '22023' ],
		[ 'unknown type', { identifier_type => 'fax' }, '22023' ],
		[ 'a type of another provider', { identifier_type => $provider->{of_another} }, '22023' ],
		[ 'a type in capitals', { identifier_type => uc $provider->{good}{identifier_type} }, '22023' ],
		[ 'id given', { id => '4711' }, '22023' ],
		[ 'created_at given', { created_at => '2025-01-01 00:00:00Z' }, '22023' ],
		[ 'a column that it has not', { $provider->{lacks} => 'x' }, '22023' ],
		[ 'another source', { source => 'elsewhere' }, '22023' ],
		map({ ([ "NULL $_", { $_ => undef }, '23502' ], [ "no $_", { $_ => 'left out' }, '23502' ], [ "empty $_", { $_ => '' }, '22023' ]) } @{ $provider->{needs} }),
		[ 'no text', { identifier => "m\xfcller" }, '22021' ]);
}

# ---- ways to write a row: columns and values, into a table

sub literal
{
	my ($value) = @_;

	return 'NULL' unless defined $value;
	return "'$value'" unless $value =~ s/([\x80-\xff])/sprintf '\\x%02x', ord $1/ge;
	return "E'$value'";
}

my ($list, %row);    # whose list it is; the row by column
my $others = 0;      # good rows that there were
sub names { return join ', ', grep { exists $row{$_} } @columns }
sub values_of { my ($row) = @_; return join ', ', map { literal($row->{$_}) } grep { exists $row{$_} } @columns }
sub insert { my ($table) = @_; return "INSERT INTO $table (" . names() . ') VALUES (' . values_of(\%row) . ')' }

# A good row with the same columns, as far as there can be one.
sub good_values
{
	my %good = (%{ $list->{good} }, map { $_ => undef } grep { !exists $list->{good}{$_} } @columns);

	return values_of({ %good, identifier => 'good' . $others++ });
}

sub copy
{
	my ($table) = @_;
	my $data = join "\t", map { $row{$_} // '\N' } grep { exists $row{$_} } @columns;

	return "COPY $table (" . names() . ") FROM stdin;\n$data\n\\.\n";
}

my @ways = (
	[ 'INSERT', sub { insert('list') } ],
	[ 'INSERT ... SELECT', sub { 'INSERT INTO list (' . names() . ') SELECT ' . values_of(\%row) } ],
	[ 'INSERT of many', sub { 'INSERT INTO list (' . names() . ') VALUES (' . good_values() . '), (' . values_of(\%row) . ')' } ],
	[ 'INSERT ... RETURNING', sub { insert('list') . ' RETURNING identifier' } ],
	[ 'INSERT ... ON CONFLICT', sub { insert('list') . ' ON CONFLICT DO NOTHING' } ],
	[ 'COPY', sub { copy('list') } ],
	[ 'INSERT, routed', sub { insert('parent') } ],
	[ 'COPY, routed', sub { copy('parent') } ],
	[ 'WITH', sub { 'WITH i AS (' . insert('list') . ' RETURNING identifier) SELECT count(*) FROM i' } ],
	[ 'WITH, not read', sub { 'WITH i AS (' . insert('list') . ') SELECT 1' } ],
	[ 'a trigger', sub { insert('intake') } ],
	[ 'a deferred trigger', sub { insert('late_intake') } ],
	[ 'PL/pgSQL', sub { 'DO $$ BEGIN ' . insert('list') . '; END $$' } ],
	[ 'an SQL function', sub { 'SELECT take(r) FROM (SELECT ' . row_of_intake() . ' AS r) s' } ],
	[ 'a prepared statement', sub { 'PREPARE p AS INSERT INTO list (' . names() . ') VALUES (' . parameters() . '); EXECUTE p (' . values_of(\%row) . ')' } ],
	[ 'a view', sub { insert('view') } ],
	[ 'at once: INSERT', sub { insert('now') } ],
	[ 'at once: INSERT of many', sub { 'INSERT INTO now (' . names() . ') VALUES (' . good_values() . '), (' . values_of(\%row) . ')' } ],
	[ 'at once: COPY', sub { copy('now') } ],
	[ 'at once: INSERT, routed', sub { insert('parent_now') } ],
	[ 'at once: WITH', sub { 'WITH i AS (' . insert('now') . ' RETURNING identifier) SELECT count(*) FROM i' } ],
	[ 'at once: a prepared statement', sub { 'PREPARE p AS INSERT INTO now (' . names() . ') VALUES (' . parameters() . '); EXECUTE p (' . values_of(\%row) . ')' } ]);

sub parameters { my $n = 0; return join ', ', map { $n++; "\$$n" } grep { exists $row{$_} } @columns }
sub row_of_intake { return 'ROW(' . join(', ', map { literal($row{$_}) } @columns) . ')::intake' }

# ---- the tables

my $dnc = DncTest->new;
my $node = $dnc->node;
my $database;

sub set_up
{
	my ($name) = @_;
	my $columns = join ', ', map { $_ eq 'created_at' ? 'created_at timestamptz' : "$_ text" } @columns;
	my $new = join ', ', map { "NEW.$_" } @columns;
	my $given = join ', ', map { "(\$1).$_" } @columns;
	my $all = join ', ', @columns;
	my $server = DncVendors::server($name, $name, $dnc->url, 'rows', "max_retries '0', requests_per_minute '0'");

	$database = "db_$name";
	$node->safe_psql('postgres', "CREATE DATABASE $database ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
	$node->safe_psql($database, qq{
		CREATE EXTENSION dnc_fdw;
		$server
		CREATE TABLE parent ($columns) PARTITION BY LIST (workspace_id);
		CREATE TABLE parent_now ($columns) PARTITION BY LIST (workspace_id);
		CREATE FOREIGN TABLE list PARTITION OF parent DEFAULT SERVER $name;
		CREATE FOREIGN TABLE now PARTITION OF parent_now DEFAULT SERVER $name OPTIONS (write_mode 'immediate');
		CREATE VIEW view WITH (security_invoker) AS SELECT * FROM list;
		CREATE TABLE intake ($columns);
		CREATE TABLE late_intake ($columns);
		CREATE FUNCTION take() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN
		  INSERT INTO list ($all) VALUES ($new); RETURN NULL; END \$\$;
		CREATE TRIGGER take AFTER INSERT ON intake FOR EACH ROW EXECUTE FUNCTION take();
		CREATE CONSTRAINT TRIGGER take AFTER INSERT ON late_intake DEFERRABLE INITIALLY DEFERRED
		  FOR EACH ROW EXECUTE FUNCTION take();
		CREATE FUNCTION take(intake) RETURNS void LANGUAGE sql AS 'INSERT INTO list ($all) VALUES ($given)';
		GRANT ALL ON ALL TABLES IN SCHEMA public TO stranger;
	});
	return;
}

# What each statement of a script is refused with, by its number.
sub refusals
{
	my ($setting, @statements) = @_;
	my ($script, $err) = ("$setting\n\\set VERBOSITY sqlstate\n", '');
	my %refused;

	for my $number (0 .. $#statements)
	{
		$script .= "\\warn == $number\n$statements[$number]" . ($statements[$number] =~ /\n\z/ ? '' : ';') . "\nDEALLOCATE ALL;\n";
	}
	$node->psql($database, $script, on_error_stop => 0, stderr => \$err);
	while ($err =~ /^== (\d+)\n?((?:(?!== ).*\n?)*)/mg)
	{
		my ($number, $messages) = ($1, $2);

		$refused{$number} = join ' ', $messages =~ /ERROR:  (\w{5})/g;
	}
	return map { $refused{$_} } 0 .. $#statements;
}

# The ways to write the row that are not refused with this SQLSTATE alone, and with what they are.
sub other_refusals
{
	my ($state, $setting) = @_;
	my @refused = refusals($setting, map { $_->[1]->() } @ways);

	return join ', ', map { $refused[$_] eq $state ? () : "$ways[$_][0]: $refused[$_]" } 0 .. $#ways;
}

# ---- each case in each way

$node->safe_psql('postgres', 'CREATE ROLE stranger');
for my $name (DncVendors::names())
{
	$list = facts_of($name);
	set_up($name);
	for my $case (cases($list))
	{
		my ($what, $wrong, $state) = @$case;

		%row = (%{ $list->{good} }, %$wrong);
		delete @row{ grep { ($row{$_} // '') eq 'left out' } keys %row };
		is(other_refusals($state, ''), '', "$name: $what is $state");
	}
	%row = %{ $list->{good} };
	is(other_refusals('28000', 'SET ROLE stranger;'), '', "$name: no token is 28000");
	is($dnc->control('GET', "$name/rows/log"), '', "$name: and nothing was sent");

	# None of the ways is shut to good rows.
	my @good = map { $row{identifier} = "9$_"; $ways[$_][1]->() } 0 .. $#ways;
	is(join(' ', refusals('', @good)), join(' ', ('') x @ways), "$name: good rows are not refused");
	my %listed = map { $_ => 1 } $dnc->control('GET', "$name/rows/entries") =~ /"(9\d+)"/g;
	is(scalar keys %listed, scalar @ways, "$name: and all are sent");
}

$dnc->stop;
done_testing();
