# Hostile HTTP: whatever a server says, the statement ends in an error that says what is
# wrong, or gives the whole list: never a shorter one.  So do additions.  The session goes
# on, and its memory is what it was before.
#
# How the network can fail is played in 001_request_interrupts.pl, 002_scan_memory.pl and
# sql/errors.sql, and who is trusted in 004_wire_tls.pl.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncHostile;
use IO::Compress::Gzip qw(gzip);
use Test::More;

my $json = 'Content-Type: application/json';
my $good = good($all[0]);
my $length = length $good;
my $head = "HTTP/1.1 200 OK\r\n$json\r\nConnection: close\r\n";

sub chunk { return sprintf("%x\r\n%s\r\n", length $_[0], $_[0]) }

sub zip
{
	my ($plain) = @_;

	gzip(\$plain, \my $zipped) or die 'gzip failed';
	return $zipped;
}

# The body.
says('a body without end', '54000', qr/4194304/,
	sub { $_[0]->say_bytes("$head\r\n{\"data\":["); $_[0]->say_bytes('{},' x 10_000) while 1; });
says('chunks without end', '54000', qr/4194304/,
	sub { $_[0]->say_bytes("${head}Transfer-Encoding: chunked\r\n\r\n"); $_[0]->say_bytes(chunk(' ') x 1000) while 1; });
says('a body announced as a petabyte', '54000', qr/4194304/,
	sub { $_[0]->say_bytes("${head}Content-Length: 1125899906842624\r\n\r\n"); $_[0]->say_bytes(' ' x 100_000) while 1; });
says('a byte a second', 'HV00N', qr/time/i,
	sub { $_[0]->say_bytes("${head}Content-Length: $length\r\n\r\n"); for (split //, $good) { $_[0]->say_bytes($_); $_[0]->stay(1) } });
says('a byte of a header a second', 'HV00N', qr/time/i, sub { for (split //, $head) { $_[0]->say_bytes($_); $_[0]->stay(1) } });
says('a body that ends with the connection', 1, undef, sub { $_[0]->say_bytes("$head\r\n$good") });
says('half a body that ends with the connection', '08P01', $not_json,
	sub { $_[0]->say_bytes("$head\r\n" . substr($good, 0, 100)) });
says('a gzip bomb', '54000', qr/4194304/, do { my $zip = zip(' ' x 64_000_000); sub { $_[0]->answer($zip, 'Content-Encoding: gzip') } });
says('a gzip bomb, twice', '54000', qr/4194304/,
	do { my $zip = zip(zip(' ' x 64_000_000)); sub { $_[0]->answer($zip, 'Content-Encoding: gzip, gzip') } });
says('a gzip bomb behind a list', '54000', qr/4194304/,
	do { my $zip = zip($good . ' ' x 64_000_000); sub { $_[0]->answer($zip, 'Content-Encoding: gzip') } });
says('a gzip bomb in an error', '54000', qr/4194304/,
	do { my $zip = zip(' ' x 64_000_000); sub { $_[0]->answer_status('400 Bad Request', $zip, 'Content-Encoding: gzip') } });
says('gzip', 1, undef, do { my $zip = zip($good); sub { $_[0]->answer($zip, 'Content-Encoding: gzip') } });
says('gzip of 3 MB', 1, undef, do { my $zip = zip($good . ' ' x 3_000_000); sub { $_[0]->answer($zip, 'Content-Encoding: gzip') } });
says('half of gzip', '08P01', qr/./,
	do { my $zip = zip(join ',', map { rand } 1 .. 1000); sub { $_[0]->answer(substr($zip, 0, 500), 'Content-Encoding: gzip') } });
says('no gzip', '08P01', qr/./, sub { $_[0]->answer($good, 'Content-Encoding: gzip') });
says('gzip with a mistake', '08P01', qr/./,
	do { my $zip = zip($good); substr($zip, 40, 8) = 'XXXXXXXX'; sub { $_[0]->answer($zip, 'Content-Encoding: gzip') } });
says('gzip that does not say so', '08P01', qr/UTF-8/, do { my $zip = zip($good); sub { $_[0]->answer($zip) } });
says('an unknown encoding', '08P01', qr/./, sub { $_[0]->answer($good, 'Content-Encoding: rot13') });
says('encodings without end', '08P01', qr/./, sub { $_[0]->answer(zip($good), 'Content-Encoding: ' . join ', ', ('gzip') x 100) });

# A cache in between, which may not know what has changed.
says('an answer that a cache has kept', '08P01', qr/A cache has kept the answer for 3600 s, by its header "Age"/, sub { $_[0]->answer($good, 'Age: 3600') });
says("an Age that is fine: $_", 1, undef, do { my $age = $_; sub { $_[0]->answer($good, "Age: $age") } }) for 0, 60, 'x';
says("an Age without end: $_", '08P01', qr/A cache has kept the answer/, do { my $age = $_; sub { $_[0]->answer($good, "Age: $age") } }) for '9' x 400, 'nan', 'inf';

# Its length.
says('a Content-Length too small', '08P01', $not_json, sub { $_[0]->say_bytes("${head}Content-Length: 50\r\n\r\n$good") });
says('a Content-Length too large', '08P01', qr/./, sub { $_[0]->say_bytes("${head}Content-Length: 5000\r\n\r\n$good") });
says('a Content-Length too large, and silence', 'HV00N', qr/time/i,
	sub { $_[0]->say_bytes("${head}Content-Length: 5000\r\n\r\n$good"); $_[0]->stay(60) });
says('a Content-Length below zero', '08P01', qr/./, sub { $_[0]->say_bytes("${head}Content-Length: -5\r\n\r\n$good") });
says('a Content-Length that is no number', '08P01', qr/./, sub { $_[0]->say_bytes("${head}Content-Length: many\r\n\r\n$good") });
says('a Content-Length of 1e30', '1|08P01', undef, sub { $_[0]->say_bytes("${head}Content-Length: 1" . '0' x 30 . "\r\n\r\n$good") });
says('Content-Length and chunks', 1, undef,
	sub { $_[0]->say_bytes("${head}Content-Length: 50\r\nTransfer-Encoding: chunked\r\n\r\n" . chunk($good) . "0\r\n\r\n") });
says('chunks and Content-Length', 1, undef,
	sub { $_[0]->say_bytes("${head}Transfer-Encoding: chunked\r\nContent-Length: 5000\r\n\r\n" . chunk($good) . "0\r\n\r\n") });
says('a chunk size that is no number', '08P01', qr/./, sub { $_[0]->say_bytes("${head}Transfer-Encoding: chunked\r\n\r\nall\r\n$good\r\n0\r\n\r\n") });
says('a chunk size below zero', '08P01', qr/./, sub { $_[0]->say_bytes("${head}Transfer-Encoding: chunked\r\n\r\n-1\r\n$good\r\n0\r\n\r\n") });
says('a chunk size without end', '08P01', qr/./, sub { $_[0]->say_bytes("${head}Transfer-Encoding: chunked\r\n\r\n" . 'f' x 100 . "\r\n$good\r\n0\r\n\r\n") });
says('a chunk too short', '08P01', qr/./, sub { $_[0]->say_bytes("${head}Transfer-Encoding: chunked\r\n\r\n5\r\n$good\r\n0\r\n\r\n") });
says('a chunk too long', '08P01', qr/./, sub { $_[0]->say_bytes("${head}Transfer-Encoding: chunked\r\n\r\nfff\r\n$good\r\n0\r\n\r\n") });
says('no last chunk', '08P01', qr/./, sub { $_[0]->say_bytes("${head}Transfer-Encoding: chunked\r\n\r\n" . chunk($good)) });
says('trailers without end', '08P01', qr/headers/,
	sub { $_[0]->say_bytes("${head}Transfer-Encoding: chunked\r\n\r\n" . chunk($good) . "0\r\n"); $_[0]->say_bytes("X: y\r\n" x 1000) while 1; });

# Headers.
my $bytes = 1_000_000;
says('a header of a megabyte', '08P01', qr/./, sub { $_[0]->answer($good, 'X: ' . 'x' x $bytes) });
says('a status line of a megabyte', '08P01', qr/./, sub { $_[0]->say_bytes('HTTP/1.1 200 ' . 'x' x $bytes . "\r\n\r\n$good") });
says('a megabyte of headers', '08P01', qr/./, sub { $_[0]->answer($good, ('X: ' . 'x' x 95) x ($bytes / 100)) });
says('thousands of headers', '08P01', qr/./, sub { $_[0]->answer($good, map { "X-$_: " . 'x' x 60 } 1 .. 4_000) });
says('a hundred headers', 1, undef, sub { $_[0]->answer($good, map { "X-$_: y" } 1 .. 100) });
says('headers without end', '08P01', qr/./, sub { $_[0]->say_bytes($head); $_[0]->say_bytes('X: ' . 'x' x 95 . "\r\n") while 1; });
says('a folded header', 1, undef, sub { $_[0]->answer($good, "X: a\r\n b\r\n\tc") });
says('a header without a colon', '08P01', qr/./, sub { $_[0]->answer($good, 'nonsense') });
says('a header with a NUL', '08P01', qr/./, sub { $_[0]->answer($good, "X: a\0b") });
says('cookies', 1, undef, sub { $_[0]->answer($good, 'Set-Cookie: a=b; Domain=127.0.0.1', 'Alt-Svc: h2="127.0.0.1:1"; ma=9999') });

# The status.
says('a status line that is not HTTP', '08P01', qr/./, sub { $_[0]->say_bytes("SSH-2.0-OpenSSH_9.2\r\n") });
says('a bare body', '08P01', qr/./, sub { $_[0]->say_bytes($good) });
says('a mail server', '08P01', qr/./, sub { $_[0]->say_bytes("220 mail.example.com ESMTP\r\n"); $_[0]->stay(60) });
says('binary nonsense', '08P01', qr/./, sub { $_[0]->say_bytes(join '', map { chr(($_ * 7) % 256) } 1 .. 10_000) });
says('HTTP/0.9', '08P01', qr/./, sub { $_[0]->say_bytes("<html>$good</html>") });
says('HTTP/1.0', 1, undef, sub { $_[0]->say_bytes("HTTP/1.0 200 OK\r\n$json\r\n\r\n$good") });
says('HTTP/3.0', '08P01', qr/status line|HTTP version/i, sub { $_[0]->say_bytes("HTTP/3.0 200 OK\r\n$json\r\n\r\n$good") });
says('a status without a number', '08P01', qr/./, sub { $_[0]->say_bytes("HTTP/1.1 OK\r\n$json\r\n\r\n$good") });
says('a status that something sticks to', '08P01', qr/status line/, sub { $_[0]->say_bytes("HTTP/1.1 200OK\r\n$json\r\n\r\n$good") });
says("status $_", /^[69]../ ? 'HV00M' : '08P01', qr/./, do { my $status = $_; sub { $_[0]->say_bytes("HTTP/1.1 $status X\r\n$json\r\nContent-Length: $length\r\nConnection: close\r\n\r\n$good") } })
  for ('000', '99', '2000', '20', '600', '999', '201', '202', '203', '205', '206', '226', '299');
says('status 204', '08P01', qr/204/, sub { $_[0]->say_bytes("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n") });
says('status 304', 'HV00L', qr/304/, sub { $_[0]->say_bytes("HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n") });
says('status 101', '08P01', qr/101/, sub { $_[0]->say_bytes("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n$good") });
says('status 100 and 200', 1, undef, sub { $_[0]->say_bytes("HTTP/1.1 100 Continue\r\n\r\n"); $_[0]->answer($good) });
says('status 100 without end', '08P01', qr/./, sub { $_[0]->say_bytes("HTTP/1.1 100 Continue\r\nX: y\r\n\r\n" x 1000) while 1 });
says('status 103 now and then', 'HV00N', qr/time/i, sub { while (1) { $_[0]->say_bytes("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"); $_[0]->stay(1) } });
says('closed at once', 'HV00N', qr/./, sub { });

# The content type: the body decides.
says("content type $_", 1, undef, do { my $type = $_; sub { $_[0]->answer_status('200 OK', $good, "Content-Type: $type") } })
  for ('text/html', 'application/octet-stream', 'application/json; charset=utf-16', 'nonsense', '');
says('no content type', 1, undef, sub { $_[0]->answer_status('200 OK', $good) });
says('two content types', 1, undef, sub { $_[0]->answer($good, 'Content-Type: text/html') });
says('a web page', '08P01', qr{not JSON.*text/html},
	sub { $_[0]->answer_status('200 OK', '<!DOCTYPE html><html></html>', 'Content-Type: text/html') });

# Redirections are not followed, and the error says where they lead.
for my $status (300, 301, 302, 303, 307, 308)
{
	says("redirected by $status", 'HV00L', qr{\Q$status\E.*127\.0\.0\.2}, sub { $_[0]->answer_status("$status X", '', 'Location: http://127.0.0.2:1/trap') });
	says("redirected by $status to another path", 'HV00L', qr{\Q$status\E.*/trap}, sub { $_[0]->answer_status("$status X", '', 'Location: /trap') });
}
says('redirected to a file', 'HV00L', qr{302.*file:///etc/passwd}, sub { $_[0]->answer_status('302 Found', '', 'Location: file:///etc/passwd') });
says('redirected to nonsense', 'HV00L', qr/302/, sub { $_[0]->answer_status('302 Found', '', 'Location: http://[::::::/' . 'x' x 10_000) });
says('redirected with a list', 'HV00L', qr/302/, sub { $_[0]->answer_status('302 Found', $good, $json, 'Location: /trap') });
says('refreshed', 1, undef, sub { $_[0]->answer($good, 'Refresh: 0; url=/trap') });
offers(trap => sub { $_[0]->answer($good) });

# Errors that are more than an error.
says('a message of a megabyte', 'HV00L', qr/400: x{500}\.\.\./,
	sub { $_[0]->answer_status('400 Bad Request', '{"message":"' . 'x' x $bytes . '"}') });
says('a message with control characters', 'HV00L', qr/400: a b \[2Jc d\.$/m,
	sub { $_[0]->answer_status('400 Bad Request', '{"message":"a\nb\u001b[2Jc\u007fd"}') });
says('a message with the token', 'HV00L', qr/400: \*{12}-1 twice \*{12}-1\.$/m,
	sub { $_[0]->answer_status('400 Bad Request', '{"message":"raw-password-1 twice raw-password-1"}') });
says('a Retry-After of 1e999', '53400|HV00L', qr/429/, sub { $_[0]->answer_status('429 X', '', 'Retry-After: 1e999') });
says('a Retry-After of centuries', '53400', qr/429/, sub { $_[0]->answer_status('429 X', '', 'Retry-After: 9999999999') });
says('a Retry-After below zero', '53400', qr/429/, sub { $_[0]->answer_status('429 X', '', 'Retry-After: -5') });
says('a Retry-After that is nonsense', '53400', qr/429/, sub { $_[0]->answer_status('429 X', '', 'Retry-After: soon') });

# An addition that such an answer comes to is an error: it may or may not be taken.
takes('no JSON', 'sendkit_new', '08P01', $not_json, sub { $_[0]->answer('OK') });
takes('success that is false', 'sendkit_new', '08P01', qr/false/, sub { $_[0]->answer('{"success":false}') });
takes("a count of $_", 'sendkit_new', '08P01', qr/imported|speaks of/,
	do { my $n = $_; sub { $_[0]->answer("{\"success\":true,\"data\":{\"imported\":$n,\"skipped\":0}}") } })
  for ('1e999', '-1', '0.5', '2', '0', '"1"', '9007199254740991', '9007199254740992');
takes('a count twice', 'sendkit_new', '08P01', qr/imported/, sub { $_[0]->answer('{"success":true,"data":{"imported":1,"imported":0,"skipped":0}}') });
takes('a body without end', $all[0], '54000', qr/4194304/, play_of('a body without end'));
takes('a gzip bomb', $all[0], '54000', qr/4194304/, play_of('a gzip bomb'));
takes('headers without end', $all[0], '08P01', qr/headers/, play_of('headers without end'));
takes('no HTTP', $all[0], '08P01', qr/HTTP/, sub { $_[0]->say_bytes("250 OK\r\n") });
takes('a byte a second', $all[0], 'HV00N', qr/time/i, play_of('a byte a second'));
takes('half an answer', $all[0], '08P01', qr/./, sub { $_[0]->say_bytes("${head}Content-Length: 5000\r\n\r\n$good") });
takes("redirected by $_", $all[0], 'HV00L', qr{$_.*/trap}, do { my $status = $_; sub { $_[0]->answer_status("$status X", '', 'Location: /trap') } })
  for (301, 302, 307, 308);

play();
is(scalar(requests_of('trap')), 0, 'nothing was sent where a redirection leads');
done_testing();
