# What is added is what somebody goes by, and what is removed is the entry that was seen:
# key columns, blanks around identifiers, ids that no path can hold.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $dnc = DncTest->new;
my $node = $dnc->node;

# The columns that IMPORT FOREIGN SCHEMA would not need for a row of each.
my %lists = (
	alta => { path => '/alta/v1', token => 'sandbox-ids', insert => '(identifier, identifier_type)', type => 'phone' },
	sendkit => { path => '/sendkit', token => 'sk_ids', insert => '(identifier, identifier_type)', type => 'email' },
	weya => { path => '/weya', token => 'sandbox-ids', insert => '(identifier, batch_id, request_uuid)' });

for my $name (sort keys %lists)
{
	my $now = "CREATE SCHEMA ${name}_now; IMPORT FOREIGN SCHEMA dnc FROM SERVER $name INTO ${name}_now;
		ALTER FOREIGN TABLE ${name}_now.communication_opt_outs OPTIONS (ADD write_mode 'immediate')";

	$node->safe_psql('postgres', qq{
		CREATE SERVER $name FOREIGN DATA WRAPPER dnc_fdw
		  OPTIONS (provider '$name', base_url '@{[ $dnc->url ]}$lists{$name}{path}', max_retries '0', requests_per_minute '0');
		CREATE USER MAPPING FOR CURRENT_USER SERVER $name OPTIONS (token '$lists{$name}{token}');
		CREATE SCHEMA $name;
		IMPORT FOREIGN SCHEMA dnc FROM SERVER $name INTO $name;
		$now;
	});
}

sub clear { my ($name) = @_; $dnc->control('DELETE', "$name/ids"); return }

# What has been written, a line a request.
sub written { my ($name) = @_; return join "\n", grep { !/^GET/ } split /\n/, $dnc->control('GET', "$name/ids/log?bodies=1") }

# The identifiers that are listed.
sub listed
{
	my ($name) = @_;
	my @found = $dnc->control('GET', "$name/ids/entries") =~ /"(?:identifier|email|phoneNumber)":"([^"]*)"/g;

	return join ' ', sort @found;
}

sub insert_of
{
	my ($name, $literal, $more) = @_;
	my $rest = $name eq 'weya' ? "'b', 'u'" : "'$lists{$name}{type}'";

	return "INSERT INTO $name.communication_opt_outs $lists{$name}{insert} VALUES ($literal, $rest) " . ($more // '');
}

# Is a message given, and nothing else?
sub refused
{
	my ($statements, $pattern, $what) = @_;

	like($dnc->gives($statements), qr/^ERROR:  $pattern/, $what);
	return;
}

# ---- blanks and invisible characters

my %around = ('blanks' => q{'  15550001  '}, 'a line break' => q{E'15550002\\r\\n'}, 'NBSP' => q{U&'15550003\00A0'},
	'zero-width space' => q{U&'\200B15550004'}, 'BOM and ideographic space' => q{U&'\FEFF\300015550005'},
	'a tag character' => q{U&'15550006\+0E0020'}, 'isolates' => q{U&'\2066' || '15550007' || U&'\2069'});

for my $name (sort keys %lists)
{
	my %want;

	clear($name);
	for my $what (sort keys %around)
	{
		my ($number) = $around{$what} =~ /(1555000\d)/;

		$want{$number} = 1;
		my $said = $dnc->gives(insert_of($name, $around{$what}, 'RETURNING identifier'));
		like($said, qr/^$number\n/, "$name: $what: RETURNING gives what was sent");
		like($said, qr/NOTICE:  00000: blanks or invisible characters around an identifier are taken off/, "$name: $what: said");
	}
	is(listed($name), join(' ', sort keys %want), "$name: listed without them");
	for my $nothing (q{'   '}, q{E'\\t\\n'}, q{U&'\00A0\200B\FEFF'}, q{''})
	{
		refused(insert_of($name, $nothing), '22023: empty value in column "identifier"', "$name: $nothing is refused");
		refused(insert_of("${name}", $nothing) =~ s/\Q$name.\E/${name}_now./r, '22023: empty value', "$name: $nothing is refused at once");
	}
	is(listed($name), join(' ', sort keys %want), "$name: and nothing of it was sent");
}

# Within an identifier all stays as it is; many rows are announced once.
clear('alta');
is($dnc->gives(insert_of('alta', q{'a b' || U&'\200D' || 'c'})), '', 'inside, nothing is taken off');
is(listed('alta'), "a b\xE2\x80\x8Dc", 'and it is listed so');
my $many = $dnc->gives(q{INSERT INTO alta.communication_opt_outs (identifier, identifier_type)
	SELECT ' ' || n || '@test ', 'email' FROM generate_series(1, 50) n});
is(scalar(() = $many =~ /NOTICE/g), 1, 'one NOTICE a statement');
is($dnc->gives("COPY alta.communication_opt_outs (identifier, identifier_type) FROM stdin;\n copied\@test \temail\n\\.\n") =~ /NOTICE/, 1, 'COPY says so too');
like(listed('alta'), qr/(?<![^ ])copied\@test(?![^ ])/, 'and trims');

# ---- key columns

for my $type ('bigint', 'numeric', 'varchar(20)', 'char(20)', 'name', 'bytea', 'json')
{
	$node->safe_psql('postgres', "DROP FOREIGN TABLE IF EXISTS typed; CREATE FOREIGN TABLE typed (identifier $type, identifier_type text) SERVER alta");
	refused("INSERT INTO typed SELECT NULL, 'phone'", 'HV005: cannot add entries through column "identifier" of foreign table "typed"', "identifier $type: refused");
	refused("COPY typed FROM stdin;\n\\.\n", 'HV005: cannot add', "identifier $type: COPY is refused");
}
$node->safe_psql('postgres', q{
	CREATE TYPE kind AS ENUM ('phone', 'email');
	CREATE DOMAIN address AS varchar CHECK (value <> 'nowhere');
	CREATE FOREIGN TABLE typed_type (identifier text, identifier_type varchar(5)) SERVER alta;
	CREATE FOREIGN TABLE good (identifier address, identifier_type kind) SERVER alta;
	CREATE TABLE parent (identifier bigint, identifier_type text, source text) PARTITION BY LIST (source);
	CREATE FOREIGN TABLE part PARTITION OF parent FOR VALUES IN ('alta') SERVER alta});
refused("INSERT INTO typed_type VALUES ('1', 'phone')", 'HV005: cannot add entries through column "identifier_type"', 'identifier_type varchar(5): refused');
refused("INSERT INTO parent VALUES (1, 'phone', 'alta')", 'HV005: cannot add', 'routed: refused');
clear('alta');
is($dnc->gives("INSERT INTO good VALUES ('+15550001', 'phone')"), '', 'a domain and an enum are texts');
is(listed('alta'), '+15550001', 'and what they hold is sent');

# ---- ids that no path can hold

for my $id ('a/b', '..', 'a\\\\b', 'a\\tb')
{
	clear('weya');
	$dnc->control('PUT', 'weya/ids/entries', '[' . join(',', map { qq({"_id":"$_","phoneNumber":"1555$_"}) } 'x1', 'x2', $id, 'x3') . ']');
	$dnc->control('DELETE', 'weya/ids/log');
	refused("$_; COMMIT", '22023: server "weya" cannot be asked for an entry with such an id', "$_: $id is refused")
	  for 'BEGIN; DELETE FROM weya.communication_opt_outs', "BEGIN; DELETE FROM weya_now.communication_opt_outs";
	is(written('weya'), '', 'and nothing was sent');
}

$dnc->stop;
done_testing();
