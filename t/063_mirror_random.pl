# A mirror and its list at random: the vendor's side adds and removes between the pages of a
# pass, we write in all write_modes, and refreshes are cut into parts, cancelled, terminated
# and killed.  After each step, whoever is listed has to be known:
#
# - an entry that was on the list from before the last complete pass began until now;
# - our own additions that were acknowledged, or wait in the queue, at once.
#
# In the end, when nothing changes any more, the view is the list.
#
# DNC_MODEL_SEED repeats a run, DNC_MODEL_SECONDS makes it longer.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Digest::SHA qw(sha256_hex);
use DncTest;
use DncVendors;
use Encode qw(encode_utf8);
use HTTP::Tiny;
use IPC::Run;
use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep time);

my $seconds = $ENV{DNC_MODEL_SECONDS} // 5;    # for each list
my $seed = int($ENV{DNC_MODEL_SEED} // time ^ $$);
diag("DNC_MODEL_SEED=$seed");
srand($seed);
sub pick { return $_[ int(rand(@_)) ] }
sub chance { return rand() < $_[0] }

my $dnc = DncTest->new;
my $node = $dnc->node;
my $url = $dnc->url;
my $json = JSON::PP->new->utf8->canonical;
my $http = HTTP::Tiny->new(timeout => 60);
$node->append_conf('postgresql.conf', "restart_after_crash = on\n");
$node->restart;

# The lists.  Numbered pages and keyset cursors lose nobody who is there throughout; cursors that
# count entries do, so that only lookups keep people.
my @emails = map { my $name = sprintf 'p%02d', $_; ("$name\@x.org", $_ % 3 ? () : uc "$name\@x.org") } 1 .. 18;
my @lists = map {
	my $facts = $DncVendors::vendors{$_};

	{ name => $_, type => $facts->{types}[0], entries => $facts->{types}[0] eq 'email' ? \@emails : [ map { sprintf '1555%07d', $_ } 1 .. 24 ],
		columns => join(', ', 'id text, identifier text, identifier_type text, created_at timestamptz', map { "$_ text DEFAULT '$facts->{needs}{$_}'" } sort keys %{ $facts->{needs} }),
		settings => [ map { ($_->{config}, join '&', grep { $_ ne '' } $_->{config}, 'order=newest') } grep { !$_->{misses} || $facts->{searches} } @{ $facts->{settings} } ] }
} DncVendors::names();
my ($list, $setting, $gone_after, $now, $session, $call, @story);
my (%since, %own, %known_since, %began, $complete);

sub story { my ($line) = @_; push @story, "$now $line"; shift @story if @story > 80; return }
sub control { my ($method, $what, $body) = @_; return $dnc->control($method, "$list->{name}/model$what", $body) }
sub canonical { my ($identifier) = @_; return DncVendors::stored($list->{name}, $identifier) }
sub key { my ($identifier) = @_; return $list->{type} eq 'email' ? 'email:' . lc $identifier : 'tel:+' . $identifier =~ s/^\+//r }
sub entries { return @{ $json->decode(control('GET', '/entries')) } }

# ----- sessions -----

# What a statement gives; undef if it fails.
sub run_sql
{
	my ($sql) = @_;

	$session //= $node->background_psql('postgres', on_error_stop => 0);
	$session->{stderr} = '';
	my $out = eval { $session->query($sql) };
	return $out if defined $out && $session->{stderr} !~ /ERROR|FATAL|server closed|connection/;
	story("failed: $session->{stderr}");
	return;
}

sub after_crash
{
	eval { $session->{run}->kill_kill } if $session;
	undef $session;
	$dnc->poll(sub { $node->psql('postgres', 'SELECT 1') == 0 });
	return;
}

# ----- the vendor's side -----

sub vendor
{
	my ($method, $path, $body) = @_;
	my $answer = $http->request($method, "$url$DncVendors::vendors{ $list->{name} }{base}$path", { content => $body ? $json->encode($body) : '',
		headers => { DncVendors::header($list->{name}, 'model-vendor') =~ /^(.*?): (.*)$/, $body ? ('Content-Type' => 'application/json') : () } });

	return $answer->{success};
}

sub vendor_adds
{
	my ($who) = @_;

	story("vendor adds $who");
	vendor($DncVendors::vendors{ $list->{name} }{add}->($who, $list->{type}));
	return;
}

sub vendor_removes
{
	my ($who) = @_;

	story("vendor removes $who");
	vendor($DncVendors::vendors{ $list->{name} }{remove}->($_)) for grep { canonical(DncVendors::identifier_of($_)) eq canonical($who) } entries();
	return;
}

# ----- our side -----

sub we_add
{
	my ($mode, $who) = @_;

	story("we add $who ($mode)");
	$own{ canonical($who) } = 1 if defined run_sql("INSERT INTO list_$mode (identifier, identifier_type) VALUES ('$who', '$list->{type}')");
	return;
}

sub we_remove
{
	my ($mode, $who) = @_;

	story("we remove $who ($mode)");
	run_sql("DELETE FROM list_$mode WHERE identifier = '$who'");
	return;
}

sub deliver
{
	story('we deliver');
	run_sql("SELECT dnc_fdw_queue_resume('$list->{name}'), dnc_fdw_queue_retry(array_agg(id)) FROM dnc_fdw_queue WHERE state = 'waiting'");
	run_sql("CALL dnc_fdw_deliver('$list->{name}')");
	return;
}

# ----- refreshes -----

# Takes note of the passes: when each began, at the latest, and which is complete.
sub look_at_passes
{
	my ($started) = @_;
	my $passes = run_sql("SELECT id, began_at, state FROM dnc_fdw_passes WHERE mode = 'full' ORDER BY id DESC LIMIT 2");

	for (reverse split /\n/, $passes // '')
	{
		my ($id, $began_at, $state) = split /\|/;
		my $pass = $began{$id} //= {};

		@$pass{qw(at began_at)} = ($started, $began_at) if ($pass->{began_at} // '') ne $began_at;
		$complete = $pass->{at} if $state eq 'done';
	}
	return;
}

sub refresh
{
	my ($arguments) = @_;
	my $started = $now;

	story("refresh $arguments");
	my $done = run_sql("CALL dnc_fdw_mirror_refresh('list'$arguments)");
	look_at_passes($started);
	return $done;
}

# A refresh in a session of its own, while other things happen.
sub start_refresh
{
	my ($out, $errors) = ('', '');
	my $timeout = chance(0.4) ? 'SET statement_timeout = ' . int(20 + rand 200) . ';' : '';

	story("refresh begins $timeout");
	$call = { at => $now };
	$call->{run} = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres') . ' application_name=refresh',
		'-c', $timeout, '-c', q{CALL dnc_fdw_mirror_refresh('list')} ], '>', \$out, '2>', \$errors);
	return;
}

sub end_refresh
{
	my ($signal) = @_;

	if ($signal)
	{
		my $pid = run_sql(q{SELECT pid FROM pg_stat_activity WHERE application_name = 'refresh'});
		kill $signal, $pid if $pid;
	}
	$call->{run}->finish;
	story('refresh ended ' . ($signal // ''));
	after_crash() if $signal && $signal eq 'KILL';
	look_at_passes($call->{at});
	undef $call;
	return;
}

# ----- what has to hold -----

# Notes since when each entry is on the list; gives what is there.
sub look_at_list
{
	my %listed = map { canonical(DncVendors::identifier_of($_)) => 1 } entries();

	$now++;
	for my $who (keys %since) { delete $since{$who} unless $listed{$who} }
	$since{$_} //= $now for keys %listed;
	return %listed;
}

# Who has to be known, with the reason; keys are match keys.
sub obligations
{
	my (%listed) = @_;
	my %must;
	my $waiting = run_sql("SELECT identifier FROM dnc_fdw_queue WHERE server = '$list->{name}' AND action = 'add' AND done_at IS NULL");

	die 'the queue cannot be read' unless defined $waiting;
	my %waits = map { canonical($_) => 1 } split /\n/, $waiting;
	$must{ key($_) } = 'waits in the queue' for keys %waits;
	for my $who (keys %own)
	{
		if ($listed{$who}) { $must{ key($who) } = 'was added by us' }
		elsif (!$waits{$who}) { delete $own{$who} }
	}
	for my $who (keys %listed)
	{
		next if !defined $complete || $since{$who} > $complete;
		next if $setting =~ /cursors=page/ && ($known_since{$who} // -1) < $since{$who};
		$must{ key($who) } = "is listed since $since{$who}, and a complete pass began at $complete";
	}
	return %must;
}

# The keys that the view has; undef before the first complete pass.
sub known
{
	my $known = run_sql('SELECT DISTINCT match_key FROM list_known');

	return unless defined $known;
	return { map { $_ => 1 } split /\n/, $known };
}

# What is wrong now, in words.
sub mistakes
{
	my %listed = look_at_list();
	my %must = obligations(%listed);
	my $known = known();
	my @wrong;

	return defined $complete ? 'the view cannot be read: ' . $session->{stderr} : () unless $known;
	for my $who (keys %listed) { $known_since{$who} //= $now if $known->{ key($who) } }
	delete $known_since{$_} for grep { !$listed{$_} } keys %known_since;
	push @wrong, "$_ $must{$_}, and is not known" for grep { !$known->{$_} } sort keys %must;
	if (chance(0.2))
	{
		my $who = pick(@{ $list->{entries} });
		my $answer = run_sql("SELECT dnc_fdw_screen('list', '$who', '$list->{type}', 'US')") // 'nothing';
		my $right = $known->{ key($who) } ? 'listed' : 'free';
		push @wrong, "$who is $right, and dnc_fdw_screen() says $answer" if $answer ne $right && !$call;
	}
	return @wrong;
}

# One thing that happens.
sub step
{
	my ($kills) = @_;
	my $who = pick(@{ $list->{entries} });
	my $mode = pick(qw(commit immediate queue));

	if (chance(0.22)) { vendor_adds($who) }
	elsif (chance(0.22)) { vendor_removes($who) }
	elsif (chance(0.2)) { we_add($mode, $list->{type} eq 'phone' && chance(0.3) ? "+$who" : $who) }
	elsif (chance(0.18)) { we_remove($mode, $who) }
	elsif (chance(0.15)) { deliver() }
	elsif ($call)
	{
		if (chance(0.3)) { end_refresh() }
		elsif (chance(0.3)) { end_refresh('TERM') }
		elsif (chance(0.1) && $$kills > 0) { $$kills--; end_refresh('KILL') }
		else { sleep 0.01 }
	}
	elsif (chance(0.2)) { refresh(", mode => 'delta'" . (chance(0.2) ? ', max_requests => 2' : '')) }
	elsif (chance(0.4)) { start_refresh() }
	elsif (chance(0.7)) { refresh(', max_requests => ' . int(2 + rand 4)) }
	else { refresh('') }
	return;
}

# ----- the end -----

# The hash over a list, as docs/mirror.md says.
sub certificate
{
	my @lines = map { encode_utf8(join "\n", DncVendors::id_of($_), DncVendors::entry_type($list->{name}, $_), DncVendors::identifier_of($_)) } entries();

	return sha256_hex(join '', map { "$_\0" } sort @lines);
}

sub quiet
{
	control('DELETE', '/fault');
	for (1 .. 20)
	{
		deliver();
		last if (run_sql("SELECT count(*) FROM dnc_fdw_queue WHERE server = '$list->{name}' AND done_at IS NULL AND state <> 'dead'") // 1) == 0;
	}
	run_sql("SELECT dnc_fdw_queue_discard(array_agg(id), 'over') FROM dnc_fdw_queue WHERE state = 'dead'");
	# The rest of a pass, and then whole ones.
	refresh('') for 1 .. $gone_after + 2;
	return;
}

for (@lists)
{
	$list = $_;
	$setting = pick(@{ $list->{settings} });
	$gone_after = pick(1, 2);
	(%since, %own, %known_since, %began, @story) = ();
	($now, $complete, $call) = (0);
	$node->safe_psql('postgres', DncVendors::server($list->{name}, $list->{name}, $url, 'model', "page_size '5', max_retries '0', requests_per_minute '0'")
		. join ' ', map {
		my $options = $_ ? " OPTIONS (write_mode '$_')" : '';
		"CREATE FOREIGN TABLE list@{[ $_ && qq(_$_) ]} ($list->{columns}) SERVER $list->{name}$options;"
	} '', qw(commit immediate queue));
	control('DELETE', '');
	control('PUT', "/config?latency_ms=3" . ($setting && "&$setting"));
	vendor_adds($_) for grep { chance(0.6) } @{ $list->{entries} };
	control('POST', '/fault?kind=close&times=0&chance=15&method=GET');
	$node->safe_psql('postgres', "SELECT dnc_fdw_mirror_create('list', gone_after => $gone_after, max_loss => 1)");
	my ($end, $steps, $kills, @wrong) = (time + $seconds, 0, 2);
	while (time < $end && !@wrong)
	{
		step(\$kills);
		@wrong = mistakes();
		$steps++;
	}
	end_refresh() if $call;
	is(join("\n", @wrong), '', "$list->{name}, $setting, gone_after $gone_after: nobody is lost in $steps steps") or diag(join "\n", @story);
	quiet();
	my $known = known() // {};
	my %listed = map { key(DncVendors::identifier_of($_)) => 1 } entries();
	my %unshown = map { $_ => 1 } split /\n/, run_sql(q{SELECT match_key FROM dnc_fdw_mirror_added('list') WHERE done_at IS NOT NULL}) // '';
	is(join(' ', grep { !$known->{$_} } sort keys %listed), '', "$list->{name}: all that are listed are known in the end");
	is(join(' ', grep { !$listed{$_} && !$unshown{$_} } sort keys %$known), '', "$list->{name}: and nobody else") or diag(join "\n", @story);
	is(run_sql("SELECT sha256 FROM dnc_fdw_passes WHERE state = 'done' AND mode = 'full' ORDER BY id DESC LIMIT 1"), certificate(), "$list->{name}: the certificate is that of the list");
	note("$list->{name}: " . $node->safe_psql('postgres', "SELECT string_agg(concat_ws(' ', n, mode, state), ', ') FROM (SELECT count(*) AS n, mode, state FROM dnc_fdw_passes GROUP BY mode, state) p")
		. ', ' . $node->safe_psql('postgres', "SELECT sum(resumes) || ' resumes, ' || sum(restarts) || ' restarts' FROM dnc_fdw_passes"));
	$session->quit if $session;
	undef $session;
	$node->safe_psql('postgres', "SELECT dnc_fdw_mirror_drop('list'); DELETE FROM dnc_fdw_pass_log; DELETE FROM dnc_fdw_queue_finished; DELETE FROM dnc_fdw_queue_waiting; DROP SERVER $list->{name} CASCADE");
}

$dnc->stop;
done_testing();
