# Databases in other encodings: the API speaks UTF-8, the database what it
# speaks, and a character that it lacks is an error, never a shorter list.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use DncVendors;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

# All strings here are bytes, and UTF-8.
my $dnc = DncTest->new;
my $node = $dnc->node;
my $muller = "m\xc3\xbcller\@example.com";
my $label = "Gr\xc3\xb6\xc3\x9fe \"\\ \xc2\xa7";
my $euro = "\xe2\x82\xac\@example.com";
my $list = 'opt_outs.communication_opt_outs';
my $json_text = JSON::PP->new->canonical;
my $database;

# What a statement gives in the database at hand, to a client that speaks UTF-8.
sub gives
{
	my ($statement) = @_;
	my ($code, $stdout, $stderr) =
	  $node->psql($database, "\\set VERBOSITY verbose\nSET client_encoding = 'UTF8';\n$statement");

	return $stdout . $stderr;
}

# A database, and in it a server, its account empty, and a table with attrs.
sub make_database
{
	my ($encoding) = @_;

	$database = lc $encoding;
	$node->safe_psql('postgres',
		"CREATE DATABASE $database ENCODING '$encoding' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
	$node->safe_psql($database, qq{
		SET client_encoding = 'UTF8';
		CREATE EXTENSION dnc_fdw;
		CREATE SERVER "K\xc3\xa4se" FOREIGN DATA WRAPPER dnc_fdw
		  OPTIONS (provider 'alta', base_url '@{[ $dnc->url ]}/alta/v1', max_retries '0');
		CREATE USER MAPPING FOR CURRENT_USER SERVER "K\xc3\xa4se" OPTIONS (token 'sandbox-$database');
		CREATE SCHEMA opt_outs;
		IMPORT FOREIGN SCHEMA dnc FROM SERVER "K\xc3\xa4se" INTO opt_outs;
		CREATE FOREIGN TABLE opt_outs.whole (identifier text, attrs jsonb) SERVER "K\xc3\xa4se";
	});
	return;
}

sub control { return $dnc->control($_[0], "alta/$database$_[1]", $_[2]) }

# An entry as the API gives it, each with an id of its own.
my $entries = 0;

sub entry
{
	my ($identifier, $more) = @_;

	return sprintf('{"id":"00000000-0000-0000-0000-%012d","objectType":"communication-opt-out",', ++$entries)
	  . qq("identifier":"$identifier","identifierType":"email","isManuallyAdded":true,$more)
	  . '"createdAt":"2025-01-01T00:00:00Z","updatedAt":"2025-01-01T00:00:00Z"}';
}

# LATIN1: there and back again, and what goes over the wire is UTF-8.
make_database('LATIN1');
is(gives("INSERT INTO $list (identifier, identifier_type, label) VALUES ('$muller', 'email', '$label')"), '',
	'LATIN1: an entry is added');
(my $json = $label) =~ s/(["\\])/\\$1/g;
like(control('GET', '/log?bodies=1'), qr/"identifier":"\Q$muller\E".*"name":"\Q$json\E"/, 'LATIN1: added in UTF-8');
is(gives("SELECT identifier, label, length(identifier) FROM $list"), "$muller|$label|18", 'LATIN1: and read');
control('DELETE', '/log');
is(gives("SELECT count(*) FROM $list WHERE identifier = '$muller'"), 1, 'LATIN1: an entry is found');
like(control('GET', '/log'), qr/search=m%C3%BCller%40example\.com 200 entries=1$/, 'LATIN1: searched for in UTF-8');
like(gives("EXPLAIN SELECT * FROM $list WHERE identifier = '$muller'"), qr/search=m%C3%BCller%40example\.com/,
	'LATIN1: as EXPLAIN says');
is(gives("SELECT identifier, attrs ->> 'label', attrs ->> 'identifier' = identifier FROM opt_outs.whole"),
	"$muller|$label|t", 'LATIN1: attrs');
is(gives("SELECT dnc_fdw_mirror_create('$list'); CALL dnc_fdw_mirror_refresh('$list');
	SELECT sha256 = encode(sha256(convert_to(identity, 'UTF8') || '\\x00'), 'hex'), sha256 = encode(sha256(convert_to(identity, 'LATIN1') || '\\x00'), 'hex')
	FROM ${list}_mirror, dnc_fdw_passes; SELECT dnc_fdw_mirror_drop('$list')"), "\nt|f\n", 'LATIN1: the certificate of a mirror is over UTF-8');
is(gives("DELETE FROM $list WHERE identifier = '$muller'"), '', 'LATIN1: an entry is deleted');
is(control('GET', '/count'), "0\n", 'LATIN1: from the list');
like(gives("INSERT INTO $list (identifier, identifier_type) VALUES ('$euro', 'email')"), qr/22P05/,
	'LATIN1: what the database cannot hold cannot be added');

# An entry that LATIN1 cannot hold, between two that it can.
control('PUT', '/entries', '[' . join(',', map { entry($_, '') } 'a', $euro, 'b') . ']');
my $lacks = qr/^(SET\n)?psql:.*ERROR:  22P05: character with byte sequence 0xe2 0x82 0xac in encoding "UTF8"/;
my $context = qr/CONTEXT:  entry 2 of the page, column "identifier"\nrequest GET \S+ to server "K\xc3\xa4se"\npage 1 of the list of server "K\xc3\xa4se"/;
like(gives("SELECT identifier FROM $list"), $lacks, 'LATIN1: a character that it lacks is an error');
like(gives("SELECT identifier FROM $list"), $context, 'LATIN1: which names the entry and the server');
like(gives("SELECT count(identifier) FROM $list WHERE identifier <> 'a'"), $lacks, 'LATIN1: also of a clause');
like(gives("SELECT attrs FROM opt_outs.whole"), $lacks, 'LATIN1: also of attrs');
like(gives("SELECT attrs FROM opt_outs.whole"), qr/CONTEXT:  entry 2 of the page, column "attrs"\nrequest GET \S+ to server "\S+"\npage 1 of the list/, 'LATIN1: which names them too');
like(gives("ANALYZE $list"), qr/WARNING:  22P05: cannot read the list of foreign table "\S+" for ANALYZE: character with byte/, 'LATIN1: a WARNING of ANALYZE');
like(gives("DELETE FROM $list"), $lacks, 'LATIN1: also of a DELETE');
is(control('GET', '/count'), "3\n", 'LATIN1: which has deleted nothing');
is(gives("SELECT count(*), max(identifier_type) FROM $list"), '3|email', 'LATIN1: other columns can be read');
control('DELETE', '');
control('PUT', '/entries', '[' . entry('a', '"label":"\u20ac",') . ',' . entry('\u00fc', '"label":"\u00e4",') . ']');
is(gives("SELECT identifier FROM $list"), "a\n\xc3\xbc", 'LATIN1: escaped in JSON');
like(gives("SELECT label FROM $list"), qr/22P05/, 'LATIN1: escaped in JSON, a character that it lacks');
like(gives('SELECT attrs FROM opt_outs.whole'), qr/22P05.*entry 1 of the page, column "attrs"/s,
	'LATIN1: escaped in JSON, in attrs');
control('DELETE', '');

# What the API says about a mistake.
for my $case ([ "Ung\xc3\xbcltig", qr/Ung\xc3\xbcltig/, 'a message' ],
	[ 'Ung\u00fcltig', qr/Ung\xc3\xbcltig/, 'a message escaped in JSON' ],
	[ "\xc3\xa4" x 600, qr/[^\xa4](\xc3\xa4){500}\.\.\./, 'a message cut at 500 characters' ],
	[ "5 \xe2\x82\xac", qr/HTTP status 400: 5 \?\./, 'a message that the database cannot hold' ])
{
	my ($message, $pattern, $name) = @$case;

	control('POST', '/fault?kind=body&arg=400', qq({"message":"$message"}));
	like(gives("SELECT count(*) FROM $list"),
		qr/ERROR:  HV00L: server "K\xc3\xa4se" refused the request.*DETAIL:  .*$pattern/s, "LATIN1: $name");
}

# SQL_ASCII: bytes are bytes.
make_database('SQL_ASCII');
is(gives("INSERT INTO $list (identifier, identifier_type, label) VALUES ('$muller', 'email', '$label')"), '',
	'SQL_ASCII: an entry is added');
control('PUT', '/entries', '[' . entry($euro, '"label":"\u20ac",') . ']');
is(gives("SELECT identifier, label, length(identifier) FROM $list"),
	"$muller|$label|19\n$euro|\xe2\x82\xac|15", 'SQL_ASCII: bytes come unchanged');
is(gives("SELECT count(*) FROM $list WHERE identifier = '$euro'"), 1, 'SQL_ASCII: an entry is found');
like(control('GET', '/log'), qr/search=%E2%82%AC%40example\.com 200 entries=1$/, 'SQL_ASCII: searched for as it is');
like(gives("INSERT INTO $list (identifier, identifier_type) VALUES (E'm\\xfcller', 'email')"), qr/22021/,
	'SQL_ASCII: what is not UTF-8 is not sent');
is(control('GET', '/count'), "2\n", 'SQL_ASCII: and not added');
like(gives("SELECT * FROM $list WHERE identifier = E'm\\xfcller'"), qr/22021/, 'SQL_ASCII: nor searched for');
is(gives("SELECT attrs ->> 'label', attrs ->> 'identifier' FROM opt_outs.whole"),
	"$label|$muller\n\xe2\x82\xac|$euro", 'SQL_ASCII: attrs, escaped in JSON or not');
control('POST', '/fault?kind=body&arg=400', qq({"message":"5 \xe2\x82\xac"}));
like(gives("SELECT count(*) FROM $list"), qr/HTTP status 400: 5 \xe2\x82\xac\./, 'SQL_ASCII: a message');

# EUC_JP: what it holds takes one, two or three bytes.
my $nihon = "\xe6\x97\xa5\xe6\x9c\xac\@example.com";
make_database('EUC_JP');
is(gives("INSERT INTO $list (identifier, identifier_type, label) VALUES ('$nihon', 'email', '$muller')"), '',
	'EUC_JP: an entry is added');
like(control('GET', '/log?bodies=1'), qr/"identifier":"\Q$nihon\E".*"name":"\Q$muller\E"/, 'EUC_JP: added in UTF-8');
is(gives("SELECT identifier, label, length(identifier), octet_length(identifier) FROM $list"), "$nihon|$muller|14|16",
	'EUC_JP: and read');
control('DELETE', '/log');
is(gives("SELECT count(*) FROM $list WHERE identifier IN ('$nihon', 'a')"), 1, 'EUC_JP: an entry is found');
like(control('GET', '/log'), qr/search=%E6%97%A5%E6%9C%AC%40example\.com 200 entries=1$/m, 'EUC_JP: searched for in UTF-8');
like(gives("INSERT INTO $list (identifier, identifier_type) VALUES (convert_from('\\xa9a1', 'EUC_JP'), 'email')"), qr/22P05/,
	'EUC_JP: what UTF-8 does not have cannot be added');
is(control('GET', '/count'), "1\n", 'EUC_JP: and was not');
is(gives("DELETE FROM $list WHERE identifier = '$nihon'"), '', 'EUC_JP: an entry is deleted');
is(control('GET', '/count'), "0\n", 'EUC_JP: from the list');

# All providers, and another page than the first; with a column of free text, too.
for my $case ([ 'LATIN1', $muller, $euro, $lacks ], [ 'EUC_JP', $nihon, $euro, $lacks ], [ 'SQL_ASCII', $euro ])
{
	my ($encoding, $good, $bad, $error) = @$case;

	$database = lc $encoding;
	for my $provider (DncVendors::names())
	{
		my $facts = $DncVendors::vendors{$provider};
		my $note = $facts->{note};
		my $member = DncVendors::member($provider, $note);
		my $say = "$encoding, $provider";
		my $list_url = "$provider/more_$database";
		my ($numbered) = grep { $_->{vendor} eq $provider && $_->{config} eq '' && $_->{paging} eq 'numbers' } DncVendors::lists('');
		my $columns = DncVendors::insert_columns($provider);
		my $values = DncVendors::insert_values($provider, $facts->{types}[0] eq 'phone' ? "'1555'" : "'$good'");
		# The texts are bytes, and UTF-8 already.
		my $number = 1000;
		my $raw_entry = sub {
			my ($name, $text) = @_;

			return $json_text->encode(DncVendors::entry($provider, ++$number, identifier => $name, $note => 'TEXT')) =~ s/TEXT/$text/r;
		};

		gives(DncVendors::server($provider, $provider, $dnc->url, "more_$database", "max_retries '0', page_size '100'")
			. "CREATE FOREIGN TABLE $provider (" . join(', ', map { "$_ text" } split /, /, "$columns, $note") . ", attrs jsonb) SERVER $provider");
		is(gives("INSERT INTO $provider ($columns, $note) VALUES ($values, '$good')"), '', "$say: an entry is added");
		like($dnc->control('GET', "$list_url/log?bodies=1"), qr/^POST .*\Q$good\E/m, "$say: added in UTF-8");
		is(gives("SELECT $note, attrs ->> '$member' FROM $provider"), "$good|$good", "$say: and read");
		if ($facts->{searches_notes})
		{
			my $escaped = join '', map { /[\w.-]/ ? $_ : sprintf '%%%02X', ord } split //, $good;

			is(gives("SELECT $note FROM $provider WHERE $note = '$good'"), $good, "$say: and found");
			like($dnc->control('GET', "$list_url/log"), qr/$facts->{searches}=\Q$escaped\E[& ]/, "$say: searched for in UTF-8");
		}

		$dnc->control('DELETE', $list_url);
		$dnc->control('POST', "$list_url/fill?count=100");
		$dnc->control('PUT', "$list_url/entries", '['
			  . join(',', $raw_entry->('a', $good), $raw_entry->('b', $bad // $good), $raw_entry->('c', 'c')) . ']');
		is(gives("SELECT count(identifier) FROM $provider"), 103, "$say: what it holds of a list is read");
		for my $column ($note, 'attrs')
		{
			my $got = gives("SELECT identifier, $column FROM $provider");

			if ($bad)
			{
				like($got, $error, "$say: $column: what it does not hold is an error");
				# Numbered pages begin with the last entry of the page before.
				my $place = $numbered ? 3 : 2;

				like($got, qr/entry $place of the page, column "$column"\nrequest GET \S+ to server "$provider"\npage 2 of the list of server "$provider"/,
					"$say: $column: which names the entry and the page");
			}
			else
			{
				is(($got =~ tr/\n//) + 1, 103, "$say: $column: all is read");
			}
		}
	}
}

$dnc->stop;
done_testing();
