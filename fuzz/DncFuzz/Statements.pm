# DncFuzz::Statements: the servers and tables of a run, and the statements that
# read them.

package DncFuzz::Statements;

use strict;
use warnings;

use DncFuzz::Mutate;
use DncVendors;

# How many entries we ask for on a page: as in the corpus.
our $page_size = 3;

# The servers of a vendor: one asks for a page at a time, the other for several at once.
sub servers
{
	my ($vendor) = @_;

	return ($vendor, "${vendor}_ahead");
}

# The statements that make the servers and tables; $port is the fuzzing
# server's.
sub setup
{
	my ($port, $max_requests, $max_response_size) = @_;
	my $columns = join ', ', map { "$_ " . ($_ eq 'attrs' ? 'jsonb' : 'text') } @DncVendors::columns;
	my @sql = ('CREATE EXTENSION IF NOT EXISTS dnc_fdw', 'SET client_encoding = utf8');

	for my $server (map { servers($_) } sort keys %DncVendors::vendors)
	{
		my $vendor = $server =~ s/_ahead$//r;
		my $concurrency = $server eq $vendor ? 1 : 4;

		push @sql,
			"CREATE SERVER $server FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider '$vendor',
				base_url 'http://127.0.0.1:$port/$vendor', page_size '$page_size', max_retries '0', max_wait '1ms',
				max_concurrency '$concurrency', requests_per_minute '0', request_timeout '5s',
				max_requests '$max_requests', max_response_size '${max_response_size}B')",
			mapping($vendor, $server),
			"CREATE FOREIGN TABLE text_$server ($columns) SERVER $server",
			"CREATE SCHEMA typed_$server",
			"IMPORT FOREIGN SCHEMA dnc FROM SERVER $server INTO typed_$server";
		push @sql, "CREATE FOREIGN TABLE total_$server ($columns) SERVER $server OPTIONS (scan_check 'total')"
			if $DncVendors::vendors{$vendor}{numbers};
	}
	return @sql;
}

# The statement that makes a user mapping.
sub mapping
{
	my ($vendor, $server) = @_;

	return "CREATE USER MAPPING FOR CURRENT_USER SERVER $server OPTIONS (token '" . DncVendors::token($vendor, 'fuzz') . "')";
}

# The statements that make sessions forget how long a vendor asked to wait: new
# user mappings.
sub forget
{
	my ($vendor) = @_;

	return map { ("DROP USER MAPPING FOR CURRENT_USER SERVER $_", mapping($vendor, $_)) } servers($vendor);
}

my %all = map { $_ => 1 } @DncVendors::columns;
my @few = qw(id identifier identifier_type);

# The statement with a name; after "ahead_" it may ask for several pages at once, and after
# "total_" numbered pages do not overlap.  Beside sql it has the columns that it gives,
# those that it needs of an entry, and the facts for DncFuzz::Reader.
sub make
{
	my ($vendor, $name, $argument) = @_;
	my ($ahead, $by_total, $kind) = $name =~ /^(ahead_)?(total_)?(.*)$/;
	my $server = (servers($vendor))[ $ahead ? 1 : 0 ];
	my $table = $by_total ? "total_$server" : "text_$server";
	my $numbers = $DncVendors::vendors{$vendor}{numbers};
	my $quoted = defined $argument ? "'" . ($argument =~ s/'/''/gr) . "'" : '';
	my $few = join ', ', @few;
	my %total = $numbers ? (from_total => 1) : (counts => 1);
	my %statement = (
		rows => { sql => "SELECT * FROM $table", needs => \%all },
		few => { sql => "SELECT $few FROM $table", columns => \@few },
		typed => {
			sql => "SELECT identifier, identifier_type, l.* FROM typed_$server.communication_opt_outs l",
			columns => [ 'identifier', 'identifier_type' ], typed => 1, needs => { %all, attrs => 0 } },
		count => { sql => "SELECT count(*) FROM $table", columns => ['count'], needs => {}, %total },
		limit => { sql => "SELECT $few FROM $table LIMIT 2", columns => \@few, limit => 2 },
		lookup => {
			sql => "SELECT * FROM $table WHERE identifier = $quoted", needs => \%all,
			keeps => { identifier => [$argument] } },
		type => {
			sql => "SELECT $few FROM $table WHERE identifier_type = $quoted", columns => \@few,
			keeps => { identifier_type => [$argument] } },
		count_type => {
			sql => "SELECT count(*) FROM $table WHERE identifier_type = $quoted", columns => ['count'],
			needs => { identifier_type => 1 }, keeps => { identifier_type => [$argument] }, %total },
		either => {
			sql => "SELECT $few FROM $table WHERE identifier IN ($quoted, 'nobody')", columns => \@few,
			keeps => { identifier => [ $argument // '', 'nobody' ] },
			in => { parameter => $DncVendors::vendors{$vendor}{searches}, member => $DncVendors::vendors{$vendor}{identifier},
				values => [ searched($vendor, $argument // ''), 'nobody' ] } },
		either_type => {
			sql => "SELECT $few FROM $table WHERE identifier_type IN ($quoted, 'email')", columns => \@few,
			keeps => { identifier_type => [ $argument // '', 'email' ] },
			in => { parameter => $DncVendors::vendors{$vendor}{type_parameter},
				member => $DncVendors::vendors{$vendor}{type}, values => [ $argument // '', 'email' ] } },
		analyze => { sql => "ANALYZE $table", free => 1 });
	my $statement = $statement{$kind} or die "no such statement: $name\n";

	$statement->{name} = $name;
	$statement->{server} = $server;
	$statement->{ahead} = $ahead ? 4 : 1;
	$statement->{by_total} = 1 if $by_total && $kind ne 'typed';
	$statement->{columns} //= \@DncVendors::columns;
	$statement->{needs} //= { map { $_ => 1 } @few };
	return $statement;
}

# The text to search for an identifier.
sub searched
{
	my ($vendor, $identifier) = @_;

	return $DncVendors::vendors{$vendor}{ignores_plus} ? $identifier =~ s/^\+//r : $identifier;
}

# The names of the statements that take no argument.
sub plain
{
	my ($vendor) = @_;

	return map { ($_, "ahead_$_") } qw(rows few typed count limit),
		$DncVendors::vendors{$vendor}{numbers} ? 'total_rows' : ();
}

# A name and an argument for make(), at random, that fit a list.
sub any_of
{
	my ($list) = @_;
	my $vendor = $list->{vendor};
	my $numbers = $DncVendors::vendors{$vendor}{numbers};
	my @names = (('rows') x 8, ('few') x 3, ('typed') x 2, ('count') x 2, 'limit');
	my ($body) = map { $list->{pages}{$_}{body} } DncFuzz::Mutate::pick(sort keys %{ $list->{pages} });
	my ($identifier) = $body =~ /"$DncVendors::vendors{$vendor}{identifier}":\s*"([\x20-\x21\x23-\x5b\x5d-\x7e]+)"/;

	push @names, 'type', 'count_type', 'either_type' if $DncVendors::vendors{$vendor}{type_parameter};
	push @names, 'lookup', 'either' if $DncVendors::vendors{$vendor}{searches} && defined $identifier;
	push @names, 'lookup' if defined $identifier;
	my $name = rand() < 0.02 ? 'analyze' : DncFuzz::Mutate::pick(@names);
	my $ahead = rand() < 0.4 ? 'ahead_' : '';
	$ahead .= 'total_' if $numbers && rand() < 0.4;
	return ("$ahead$name", $identifier) if $name =~ /lookup|either$/;
	my @types = grep { DncVendors::has_type($vendor, $_) } 'email', 'phone', 'domain';
	shift @types if $name eq 'either_type' && @types > 1;    # it asks for emails, too
	return ("$ahead$name", DncFuzz::Mutate::pick(@types)) if $name =~ /type$/;
	return ("$ahead$name");
}

1;
