# https: only a server whose certificate hangs on a trusted root, bears the name
# in base_url and is of today gets a request; any other gets nothing.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $dnc = DncTest->new;
my $node = $dnc->node;
my $dir = PostgreSQL::Test::Utils::tempdir();
my @new_key = ('-newkey', 'rsa:2048', '-nodes', '-config', "$dir/openssl.cnf");

# Certificates: openssl must be there, its version does not matter.
sub openssl
{
	my ($stdout, $stderr);

	IPC::Run::run([ 'openssl', @_ ], '<', \undef, '>', \$stdout, '2>', \$stderr)
	  or die "openssl @_: $stderr";
	return;
}

# A root of our own: $dir/NAME.crt and .key.
sub make_root
{
	my ($name, @more) = @_;

	return openssl('req', '-x509', @new_key, '-days', 3, '-subj', "/CN=$name", '-keyout', "$dir/$name.key",
		'-out', "$dir/$name.crt", @more);
}

# A server's certificate of a root: $dir/NAME.crt and .key.
sub make_certificate
{
	my ($name, $root, $names, $from, $to) = @_;

	append_to_file("$dir/$name.ext", "subjectAltName = $names\n");
	openssl('req', '-new', @new_key, '-subj', "/CN=$name", '-keyout', "$dir/$name.key", '-out', "$dir/$name.csr");
	openssl('ca', '-batch', '-notext', '-config', "$dir/openssl.cnf", '-cert', "$dir/$root.crt", '-keyfile',
		"$dir/$root.key", '-startdate', "${from}0101000000Z", '-enddate', "${to}0101000000Z", '-extfile',
		"$dir/$name.ext", '-in', "$dir/$name.csr", '-out', "$dir/$name.crt");
	return;
}

append_to_file("$dir/index.txt", '');
append_to_file("$dir/openssl.cnf", <<"END");
[req]
distinguished_name = name
x509_extensions = root
[name]
[root]
basicConstraints = critical, CA:TRUE
[ca]
default_ca = here
[here]
database = $dir/index.txt
new_certs_dir = $dir
rand_serial = yes
default_md = sha256
unique_subject = no
policy = any
[any]
commonName = supplied
END
make_root('root');
make_root('stranger');
make_root('self_signed', '-addext', 'subjectAltName = IP:127.0.0.1');
make_certificate('good', 'root', 'IP:127.0.0.1', 2020, 2049);
make_certificate('expired', 'root', 'IP:127.0.0.1', 2020, 2021);
make_certificate('early', 'root', 'IP:127.0.0.1', 2048, 2049);
make_certificate('misnamed', 'root', 'IP:127.0.0.2, DNS:localhost', 2020, 2049);
make_certificate('strange', 'stranger', 'IP:127.0.0.1', 2020, 2049);

# A request to a sandbox's control plane, whatever its certificate.
sub control
{
	my ($sandbox, $method, $path) = @_;
	my ($stdout, $stderr);

	IPC::Run::run([ 'curl', '-sSfkX', $method, $sandbox->url . "/sandbox/alta/tls/$path" ], '>', \$stdout, '2>', \$stderr)
	  or die "$method $path: $stderr";
	return $stdout;
}

# What reading the list of a server gives: the count, or the error.
sub read_list
{
	my ($url, $ca_file) = @_;
	my $option = $ca_file ? ", ca_file '$ca_file'" : '';

	$node->safe_psql('postgres', qq{
		DROP SERVER IF EXISTS tls CASCADE;
		CREATE SERVER tls FOREIGN DATA WRAPPER dnc_fdw
		  OPTIONS (provider 'alta', base_url '$url/alta/v1', max_retries '0'$option);
		CREATE USER MAPPING FOR CURRENT_USER SERVER tls OPTIONS (token 'sandbox-tls');
		CREATE FOREIGN TABLE tls (identifier text, identifier_type text) SERVER tls;
	});
	my ($code, $stdout, $stderr) =
	  $node->psql('postgres', "\\set VERBOSITY verbose\nSELECT count(*) FROM tls");
	return $stdout . $stderr;
}

# The one that is to be trusted.
my $good = DncTest->sandbox('--tls', "$dir/good");
control($good, 'POST', 'fill?count=250');
is(read_list($good->url, "$dir/root.crt"), 250, 'a list over https');
$node->safe_psql('postgres', "INSERT INTO tls VALUES ('a\@example.com', 'email')");
is(control($good, 'GET', 'count'), "251\n", 'a write over https');
(my $localhost = $good->url) =~ s/127\.0\.0\.1/localhost/;
control($good, 'DELETE', 'log');

my $untrusted = qr/HV00N: could not make a secure connection to server "tls"\nDETAIL:  .*\nHINT:  .*ca_file/;
like(read_list($good->url), $untrusted, 'not trusted without ca_file');
like(read_list($good->url, "$dir/stranger.crt"), $untrusted, 'not trusted by another root');
like(read_list($localhost, "$dir/root.crt"), $untrusted, 'not trusted under another name');
like(read_list($good->url, "$dir/missing.crt"), $untrusted, 'a ca_file that is missing');
like(read_list($good->url, "$dir/missing.crt"), qr/DETAIL:  .*\Q$dir\E\/missing\.crt/, 'the error names the missing file');
like(read_list($good->url, "$dir/index.txt"), $untrusted, 'a ca_file without a certificate');
is(control($good, 'GET', 'log'), '', 'nothing was sent to who is not trusted');
like(read_list($good->url =~ s/https/http/r), qr/HV00N: .* "tls"/, 'plain http to a server that speaks https');
is(control($good, 'GET', 'log'), '', 'nothing of it arrived');
is(read_list($good->url, "$dir/root.crt"), 251, 'the list again');

# Those that are not, though their root is.
for my $case ([ 'expired', qr/expired/ ], [ 'early', qr/not yet valid|activation/ ],
	[ 'misnamed', qr/127\.0\.0\.1/ ], [ 'strange', qr/./ ], [ 'self_signed', qr/self.signed/ ])
{
	my ($name, $why) = @$case;
	my $sandbox = DncTest->sandbox('--tls', "$dir/$name");
	my $error = read_list($sandbox->url, "$dir/root.crt");

	like($error, $untrusted, "not trusted: $name");
	like($error, qr/DETAIL:  .*$why/, "the error says why: $name");
	is(control($sandbox, 'GET', 'log'), '', "nothing was sent: $name");
	$sandbox->stop_sandbox;
}

like(read_list($dnc->url =~ s/http/https/r, "$dir/root.crt"), $untrusted, 'https to a server that speaks plain http');
is($dnc->control('GET', 'alta/tls/log'), '', 'nothing of it arrived');

$good->stop_sandbox;
$dnc->stop;
done_testing();
