# What is put into options and values stays in its place in a request: a token in
# its header, a value in its parameter or string, an id in its segment of the path.
# And what a request cannot hold is refused before anything is sent.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use HTTP::Tiny;
use IO::Select;
use IO::Socket::INET;
use PostgreSQL::Test::Utils;
use Test::More;

my $dnc = DncTest->new;
my $node = $dnc->node;
my $dir = PostgreSQL::Test::Utils::tempdir;

# What statements show last, or the error.
sub shows
{
	my ($code, $stdout, $stderr) = $node->psql('postgres', "\\set VERBOSITY verbose\n$_[0]");

	return $stderr || $stdout;
}

# A text as a literal of SQL.
sub literal { return "E'" . $_[0] =~ s/([\\'])/\\$1/gr =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ger . "'" }

# ----- base_url -----

sub base_url
{
	return shows('SET client_min_messages = warning; DROP SERVER IF EXISTS url; CREATE SERVER url FOREIGN DATA WRAPPER dnc_fdw
		OPTIONS (provider \'alta\', base_url ' . literal($_[0]) . ')');
}

my @refused = ('http://localhost.example.com', 'http://127.0.0.1.example.com', 'http://127.0.0.1%2eexample.com',
	'http://localhost%00.example.com', 'http://localhost@example.com', 'http://127.0.0.1:80@example.com',
	'http://localhost\\@example.com', 'http://localhost\\.example.com', 'https:\\\\example.com', 'https://a\\b.example.com',
	'https://@example.com', 'https://:@example.com', 'https://user@example.com', 'http://example.com/../127.0.0.1',
	'http://0/', 'http://0.0.0.0', 'http://[::]', 'http://[::ffff:127.0.0.1]', 'http://[::127.0.0.1]', 'http://[fe80::1]',
	'http://2130706432.1', 'http://3232235777', 'http://0xc0a80101', 'http://10.1', 'http://128.1', 'http://localhost.',
	'//localhost', 'localhost:8089/http', 'file://localhost/etc/passwd', 'ftp://127.0.0.1', 'gopher://127.0.0.1',
	'https://', 'https://example.com:99999', "https://example.com/\r\nX: y", "https://example.com/\x01",
	"https://ex\xc3\xa4mple.com", 'https://example.com?a=b', 'https://example.com/#a', 'https://example.com;localhost',
	# what libcurl would mend
	'https:///v1', 'https:////v1', 'https:/v1.example/x', 'https:v1.example/x', 'https://v1.example:0', 'https://v1.example:00000/',
	'https://v1.example:65536', 'https://v1.example:', 'https://v1.example:/x', 'https://v1.example:44 3', 'https://v1.example:+443',
	'https://v1.example:-1', 'https://v1.example:443:443', 'https://v1.example:4294967739', 'https://:443/v1', 'http://:80',
	'https://v1.example/..', 'https://v1.example/../x', 'https://v1.example/a/../../x', 'https://v1.example/./x', 'https://v1.example/x/.',
	'https://v1.example/%2e%2E/x', 'https://v1.example/.%2e/x', 'https://v1.example/%2e', 'https://v1.example/a\\..\\b',
	'https://v1.example/a%5c..%5Cb', 'https://v1.example/a%2F..', 'https://v1.example/%', 'https://v1.example/%2', 'https://v1.example/%zz',
	'https://v1..example', 'https://.v1.example', 'https://.', 'https://..', 'https://v1.example.', 'https://v1.example.:443',
	'https://v1%2eexample', 'https://' . 'a' x 64 . '.example', 'https://' . 'a.' x 130 . 'example', 'https://[::1%25lo]', 'http://[::1%lo]',
	'http://[::1%25lo]:80', 'https://[fe80::1%25eth0]/', 'https://[::1', 'https://[]', 'https://::1', 'https://[::1]x', 'https://[::1]:0');
my @errors = map { base_url($_) } @refused;
is(join(' ', @refused[ grep { $errors[$_] !~ /HV024: invalid value for option "base_url"/ } 0 .. $#refused ]),
	'', 'URLs that are refused');
is(join(' ', @refused[ grep { $refused[$_] =~ /@/ && $errors[$_] =~ /\Q$refused[$_]/ } 0 .. $#refused ]),
	'', 'and not repeated, if they may hold a password');

# Other ways to write an address of this machine are what they are.
my @taken = ('http://127.1:8089', 'http://2130706433', 'http://0x7f000001', 'http://0177.0.0.1', 'http://[0:0:0:0:0:0:0:1]',
	'http://LocalHost/v1', 'http://127.255.255.254', 'HTTPS://EXAMPLE.COM/', 'https://example.com/%0d%0aX:%20y',
	'https://v1.example:65535', 'https://v1.example:1/x', 'https://v1.example:0443', 'https://[::1]:8443/v1', 'https://[2001:db8::1]',
	'https://v1.example/...', 'https://v1.example/.x/x./..x/x..', 'https://v1.example/%2ex', 'https://v1.example/v1//', 'https://a-b_c.example',
	'https://' . 'a' x 63 . '.example');
is(join(' ', grep { base_url($_) ne '' } @taken), '', 'URLs that are taken');

# ----- tokens -----

my $nobody = 'http://127.0.0.1:1/v1';    # nothing is to be sent
$node->safe_psql('postgres', "CREATE SERVER kit FOREIGN DATA WRAPPER dnc_fdw
	OPTIONS (provider 'sendkit', base_url '$nobody', max_retries '0');
	CREATE USER MAPPING FOR CURRENT_USER SERVER kit OPTIONS (token 'sk_user_x', workspace_id 'ws');
	CREATE FOREIGN TABLE kit (identifier text) SERVER kit");
for my $value ("secret\r\nX-Evil: 1", "secret\n", "\tsecret", 'secret 1', "secret\x7f", "secret\xc3\xa4", '', "\x01secret")
{
	for my $option ('token', 'workspace_id')
	{
		my $error = shows("ALTER USER MAPPING FOR CURRENT_USER SERVER kit OPTIONS (SET $option " . literal($value) . ')');

		like($error, qr/ERROR:  HV024: invalid value for option "$option"\nDETAIL:  It takes printable ASCII/,
			"$option refused: " . $value =~ s/[^ -~]/?/gr);
		unlike($error =~ s/\nLINE .*//sr, qr/secret/, 'and not repeated');
	}
}

# Nor is one used that got into the catalog past the validator.
like(shows(q{SET allow_system_table_mods = on;
	UPDATE pg_user_mapping SET umoptions = ARRAY[E'token=sk_user_x\r\nX-Evil: 1', 'workspace_id=ws'];
	SELECT * FROM kit}), qr/HV024: invalid value for option "token"/, 'a token in the catalog is checked again');

# ----- the bytes of a request -----

# Takes the requests of one session, each with an empty list, into $dir/requests.
sub listen_once
{
	my $listener = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1') or die "listen: $!";
	my $pid = fork // die "fork: $!";

	if ($pid == 0)
	{
		local $SIG{TERM} = 'DEFAULT';	# not the parent's, which stops the cluster
		my $body = '{"data":[],"hasMore":false}';
		my $select = IO::Select->new($listener);
		my %bytes;

		open my $file, '>:raw', "$dir/requests" or die $!;
		$file->autoflush(1);
		while (my @ready = $select->can_read(60))
		{
			for my $socket (@ready)
			{
				if ($socket == $listener)
				{
					$select->add(scalar $listener->accept);
				}
				elsif (!sysread $socket, $bytes{$socket}, 65536, length($bytes{$socket} // ''))
				{
					$select->remove($socket);
				}
				elsif ($bytes{$socket} =~ /\r\n\r\n/)
				{
					print $file delete $bytes{$socket};
					syswrite $socket, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
					  . length($body) . "\r\n\r\n$body";
				}
			}
		}
		POSIX::_exit(0);
	}
	my $port = $listener->sockport;
	close $listener;
	return ($pid, $port);
}

my ($pid, $port) = listen_once();
my $token = q{!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~%0d%0aX-Evil:1};
$node->safe_psql('postgres', "CREATE SERVER raw FOREIGN DATA WRAPPER dnc_fdw
	OPTIONS (provider 'alta', base_url 'http://127.0.0.1:$port/v1');
	CREATE USER MAPPING FOR CURRENT_USER SERVER raw OPTIONS (token " . literal($token) . ');
	CREATE FOREIGN TABLE raw (identifier text, identifier_type text, search text) SERVER raw');
my $evil = "a\r\nX-Evil: 1\r\n\r\nGET /evil HTTP/1.1\r\n&identifierType=sms#\x{1}?;%00%0d%0a\\\"'+ \xc3\xa4";
is(shows('SELECT count(*) FROM raw WHERE identifier = ' . literal($evil)), 0, 'a lookup of an evil identifier');
is(shows('SELECT count(*) FROM raw WHERE search = ' . literal($evil)), 0, 'a search for it');
like(shows("SELECT count(*) FROM raw WHERE identifier_type = 'x&search=y\r\nX-Evil: 1'"), qr{^psql:\S+ WARNING:  01000: no vendor documents the identifier type "x&search=y}, 'a type of that kind');
my @requests = split /\r\n\r\n/, slurp_file("$dir/requests");
kill 'TERM', $pid;
waitpid $pid, 0;

(my $escaped = $evil) =~ s/([^A-Za-z0-9._~-])/sprintf '%%%02X', ord $1/ge;
my $target = '/v1/dnc/communication-opt-outs\?limit=100';
is(scalar @requests, 3, 'three requests');
like($requests[$_], qr/^GET $target&search=\Q$escaped\E HTTP\/1\.1\r\n/, "request $_: the value is in its parameter") for 0, 1;
like($requests[2], qr/^GET $target HTTP\/1\.1\r\n/, 'request 2: a type that no provider has is not sent');
for my $request (@requests)
{
	my ($line, @headers) = split /\r\n/, $request;

	is(join(' ', sort map { /^([^:]+)/ } @headers), 'Accept Accept-Encoding Authorization Cache-Control Host User-Agent', 'the headers');
	is((grep { /^Authorization/ } @headers)[0], "Authorization: Bearer $token", 'the token, as it is');
}

# ----- values, there and back -----

$dnc->make_server('wire', 3);
my @identifiers = ($evil, "'); DROP TABLE x; --", '","identifierType":"sms"},{"identifier":"b', '\\', '\\u0000', '%00', '%s%n',
	'..', '../..', '/', '?limit=1', '&cursor=x', "a\tb", "a\x{1}\x{1f}\x7fb", '{}', '[]', 'null', 'a  b', "\xf0\x9f\x98\x80", "a\xe2\x80\xaeb");
$node->safe_psql('postgres', 'INSERT INTO wire.communication_opt_outs (identifier, identifier_type, label) VALUES '
	  . join ', ', map { '(' . literal($_) . ", 'email', " . literal($_) . ')' } @identifiers);
is($dnc->control('GET', 'alta/wire/count'), 3 + @identifiers . "\n", 'all are added, each as one entry');
for my $identifier (@identifiers)
{
	my $where = 'identifier = ' . literal($identifier);

	is(shows("SELECT count(*), bool_and(label = identifier) FROM wire.communication_opt_outs WHERE $where"), '1|t',
		'found: ' . $identifier =~ s/[^ -~]/?/gr);
	$node->safe_psql('postgres', "DELETE FROM wire.communication_opt_outs WHERE $where");
}
is($dnc->control('GET', 'alta/wire/count'), "3\n", 'all are deleted, and nothing else');

# An id is a segment of the path, and stays one.
$dnc->control('POST', 'weya/wire/fill?count=3');
$node->safe_psql('postgres', "CREATE SERVER weya FOREIGN DATA WRAPPER dnc_fdw
	OPTIONS (provider 'weya', base_url '@{[ $dnc->url ]}/weya', write_mode 'immediate');
	CREATE USER MAPPING FOR CURRENT_USER SERVER weya OPTIONS (token 'sandbox-wire');
	CREATE FOREIGN TABLE weya (id text, identifier text) SERVER weya");
for my $id ('.', '..', '../list', '/', 'a/b', '..\\x', "a\nb", "\x7f", 'x' x 2049)
{
	like(shows('DELETE FROM weya WHERE id = ' . literal($id)),
		qr/22023: server "weya" cannot be asked for an entry with such an id/, 'refused: ' . $id =~ s/[^ -~]/?/gr);
}
is($dnc->control('GET', 'weya/wire/log'), '', 'none of these was sent');
like(shows("DELETE FROM weya WHERE id = $_"), qr/HTTP status 400: Invalid DNC entry ID/, "sent: $_")
  for q{'a?b#c%2e&d e'}, q{'...'}, q{'%2e%2e'}, "repeat('%', 2048)";
is($dnc->control('GET', 'weya/wire/log'),
	join('', map { "DELETE /api/dnc/delete/$_ 400\n" } 'a%3Fb%23c%252e%26d%20e', '...', '%252e%252e', '%25' x 2048), 'as one segment each');

# ----- what the remote says -----

$dnc->control('POST', 'alta/wire/fault?kind=body&arg=400',
	'{"message":"red \u001b[31m\u009b1m, bell \u0007,\r\nLOG:  forged\u007f \u00e4"}');
my $error = shows('SELECT count(*) FROM wire.communication_opt_outs');
like($error, qr/DETAIL:  HTTP status 400: red  \[31m 1m, bell  ,  LOG:  forged  \xc3\xa4\.$/m, 'control characters are blanks');

# So is whatever is not seen, or turns the text around: U+202E, U+2066, U+2028, U+00AD, U+200B, U+FEFF, U+E0041.
$dnc->control('POST', 'alta/wire/fault?kind=body&arg=400',
	'{"message":"a\u202eb\u2066c\u2028d\u2029e\u00adf\u200bg\ufeffh\udb40\udc41i\u061cj\u00e4\u2014k"}');
like(shows('SELECT count(*) FROM wire.communication_opt_outs'),
	qr/DETAIL:  HTTP status 400: a b c d e f g h i j\xc3\xa4\xe2\x80\x94k\.$/m, 'invisible characters are blanks');

# ----- proxies -----

# What goes to this machine passes none; https goes through the one that the
# postmaster's environment names, which gets to see the host, and no more.
($pid, $port) = listen_once();
{
	local @ENV{qw(http_proxy https_proxy all_proxy)} = ("http://127.0.0.1:$port") x 3;
	$node->restart;
}
is(shows('SELECT count(*) FROM wire.communication_opt_outs'), 3, 'http to this machine passes no proxy');
$node->safe_psql('postgres', q{CREATE SERVER far FOREIGN DATA WRAPPER dnc_fdw
	OPTIONS (provider 'alta', base_url 'https://api.example.com/v1', max_retries '0', request_timeout '10s');
	CREATE USER MAPPING FOR CURRENT_USER SERVER far OPTIONS (token 'secret');
	CREATE FOREIGN TABLE far (identifier text) SERVER far});
like(shows('SELECT count(*) FROM far'), qr/HV00N: could not make a secure connection to server "far"/, 'https passes the proxy');
my $seen = slurp_file("$dir/requests");
kill 'TERM', $pid;
waitpid $pid, 0;
like($seen, qr/^CONNECT api\.example\.com:443 HTTP\/1\.1\r\n/, 'it sees the host');
unlike($seen, qr/secret|opt-outs|127\.0\.0\.1/, 'and neither token nor path');

$node->restart;
$dnc->stop;
done_testing();
