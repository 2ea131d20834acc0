# Removals that were true for another list or by another clock: a user mapping or a server that
# was changed before or after the removal, and clocks that were set back.  None of them may hide
# an entry that the vendor lists.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use Test::More;
use Time::HiRes qw(sleep);

my $dnc = DncTest->new;
my $node = $dnc->node;
my $list = 'a.communication_opt_outs';
my $elsewhere = $dnc->url =~ s/127\.0\.0\.1/localhost/r;

sub value { return $node->safe_psql('postgres', $_[0]) }
sub gives { return $dnc->gives($_[0]) }
sub refresh { my ($more) = @_; return gives("CALL dnc_fdw_mirror_refresh('$list'" . ($more ? ", $more" : '') . ')') }
sub person { return sprintf 'person%06d@example.com', 6 * $_[0] + 1 }
sub screen { return value("SELECT dnc_fdw_screen('$list', '$_[0]', 'email')") }
sub remove { return value("DELETE FROM $list WHERE identifier = '$_[0]'") }
sub token { return value("ALTER USER MAPPING FOR CURRENT_USER SERVER a OPTIONS (SET token 'sandbox-$_[0]')") }

# Lists a and b have the same persons, more than the other role's test needs; c has the token of a.
$dnc->make_server('a', 200, q{account 'both', page_size '20', max_retries '0'});
$dnc->make_server('b', 200);
$dnc->make_server('c', 0);
value(q{ALTER USER MAPPING FOR CURRENT_USER SERVER c OPTIONS (SET token 'sandbox-a')});
value("SELECT dnc_fdw_mirror_create('$list')");
is(refresh(), '', 'a mirror');

# ----- a user mapping that was another list's -----

remove(person(1));
is(screen(person(1)), 'free', 'a removal hides an entry');
token('b');
is(screen(person(1)), 'free', 'whatever the user mapping says later: the mirror is of the list that it was read from');
remove(person(2));
is(screen(person(2)), 'listed', 'a removal from another list hides nobody');
token('a');
is(screen(person(2)), 'listed', 'nor does it when the user mapping has its token back');
unlike($dnc->control('GET', 'alta/b/entries'), qr/person000013/, 'it has been made');

value("INSERT INTO $list (identifier, identifier_type) VALUES ('new\@x.org', 'email')");
token('b');
value("INSERT INTO $list (identifier, identifier_type) VALUES ('new\@x.org', 'email')");
remove('new@x.org');
token('a');
is(screen('new@x.org'), 'listed', 'nor does it take back an addition to this one');

# The queue's removals are those of the token that they are sent with.
value(q{ALTER SERVER a OPTIONS (ADD write_mode 'queue')});
remove(person(3));
token('b');
value(q{CALL dnc_fdw_deliver('a')});
token('a');
is(screen(person(3)), 'listed', 'a removal that the queue has sent to another list');
remove(person(4));
value(q{CALL dnc_fdw_deliver('a')});
is(screen(person(4)), 'free', 'and one that it has sent to this one');
value(q{ALTER SERVER a OPTIONS (SET write_mode 'commit')});

# ----- a server that had another address -----

my $url = $dnc->url;
value(qq{ALTER SERVER a OPTIONS (SET base_url '$elsewhere/alta/v1')});
remove(person(5));
is(screen(person(5)), 'listed', 'a removal at another address hides nobody');
value(qq{ALTER SERVER a OPTIONS (SET base_url '$url/alta/v1')});
is(screen(person(5)), 'listed', 'nor does it when the address is as it was');

# ----- a pass, and a delta, with another token -----

is(refresh('max_requests => 2'), '', 'a pass that is left');
token('b');
like(refresh(q{mode => 'delta'}), qr/55000: .*\nDETAIL:  The token, or base_url, has changed since the last full pass\./, 'a delta by another token');
remove(person(6));
like(refresh(), qr/NOTICE:  00000: the pass .* begins anew\nDETAIL:  .*the token/, 'and a pass, which begins anew, and fails since the list is another one');
token('a');
is(refresh(), '', 'and back');
is(join(' ', map { screen(person($_)) } 1, 2, 6), 'free listed listed', 'the list is as the other token reads it');

# ----- clocks -----

# The last write was made by a clock that was ahead by so many seconds, and has been set back.
sub ahead
{
	my ($seconds) = @_;
	return value("UPDATE dnc_fdw_queue_finished SET requested_at = requested_at + interval '$seconds s', done_at = done_at + interval '$seconds s'
		WHERE id = (SELECT id FROM dnc_fdw_queue_finished ORDER BY done_at DESC LIMIT 1)");
}

# Wait until a clock says so.
sub catch_up { return $dnc->poll(sub { value(q{SELECT bool_and(done_at < clock_timestamp()) FROM dnc_fdw_queue_finished}) eq 't' }) }

remove(person(7));
is(screen(person(7)), 'free', 'a removal');
ahead(3600);
is(screen(person(7)), 'listed', 'one of the future hides nobody');
ahead(-3600);
is(screen(person(7)), 'free', 'unlike one of the past');
value("UPDATE dnc_fdw_queue_finished SET requested_at = done_at + interval '1 minute' WHERE identifier = '@{[ person(7) ]}'");
is(screen(person(7)), 'listed', 'one that was answered before it was sent hides nobody');

# Somebody else adds the person again; a pass reads that by the right clock.
remove(person(8));
ahead(15);
value("INSERT INTO c.communication_opt_outs (identifier, identifier_type) VALUES ('@{[ person(8) ]}', 'email')");
is(refresh(), '', 'a pass by a clock that was set back');
catch_up();
is(screen(person(8)), 'listed', 'who is on the list again stays known when the time of the removal has come');

# We add the person again.
remove(person(9));
ahead(5);
value("INSERT INTO $list (identifier, identifier_type) VALUES ('@{[ person(9) ]}', 'email')");
is(screen(person(9)), 'listed', 'an addition after a removal of the future');
catch_up();
is(screen(person(9)), 'listed', 'is known, too, when that time has come');

# The clock was days behind while we added a person: so are our times, with those of all passes ahead.
sub shift_passes
{
	my ($days) = @_;
	return value("UPDATE dnc_fdw_mirror_lists SET complete_as_of = complete_as_of + interval '$days d', added_as_of = added_as_of + interval '$days d',
			merged_at = merged_at + interval '$days d', needs_since = needs_since + interval '$days d';
		UPDATE ${list}_mirror SET first_seen = first_seen + interval '$days d', last_seen = last_seen + interval '$days d',
			gone_at = gone_at + interval '$days d', seen_at = seen_at + interval '$days d';
		UPDATE dnc_fdw_queue_finished SET requested_at = requested_at + interval '$days d', done_at = done_at + interval '$days d'");
}

for my $mode (qw(commit queue))
{
	value("ALTER SERVER a OPTIONS (SET write_mode '$mode')");
	shift_passes(3);
	value("INSERT INTO $list (identifier, identifier_type) VALUES ('$mode\@x.org', 'email')");
	value(q{CALL dnc_fdw_deliver('a')}) if $mode eq 'queue';
	shift_passes(-3);
	is(value(q{SELECT count(*) FROM dnc_fdw_queue WHERE state <> 'done'}), 0, "$mode: an addition that a clock dates back is confirmed");
	is(screen("$mode\@x.org"), 'listed', 'and known by the right clock');
}

# ----- another account, by option or by a new name of the server -----

$dnc->make_server('g', 30);
$dnc->make_server('h', 0);
$list = 'g.communication_opt_outs';
value(q{ALTER USER MAPPING FOR CURRENT_USER SERVER h OPTIONS (SET token 'sandbox-g');
	INSERT INTO h.communication_opt_outs (identifier, identifier_type) VALUES ('030 123456', 'phone')});
value("SELECT dnc_fdw_mirror_create('$list', gone_after => 0)");
is(refresh(), '', 'a mirror that lets nobody go');
value(q{DELETE FROM h.communication_opt_outs WHERE identifier = '030 123456'});
is(refresh(), '', 'a number without a country is missing');
value(q{ALTER SERVER g OPTIONS (ADD account 'other', ADD default_country 'DE')});
is(refresh(), '', 'another account, and a country');
is(value("SELECT match_key FROM ${list}_known WHERE identifier = '030 123456'"), 'tel:+4930123456', 'the number has the key of the country');

value(q{UPDATE dnc_fdw_pass_log SET began_at = began_at - interval '8 days', ended_at = ended_at - interval '8 days'});
value(q{ALTER SERVER g OPTIONS (DROP account); ALTER SERVER g RENAME TO renamed});
value(q{DELETE FROM h.communication_opt_outs WHERE identifier IN (SELECT identifier FROM h.communication_opt_outs LIMIT 25)});
like(refresh(), qr/^ERROR:  55000: .*\nDETAIL:  2[5-9] of \d+ entries are missing that were on the list at the last complete pass/, 'most of the list is missing, long after the last pass, and under another name');
is(refresh('accept_loss => true'), '', 'unless that is accepted');

$dnc->stop;
done_testing();
