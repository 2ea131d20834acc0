# Random refreshes of a mirror that are cut short or killed, while the list drifts, while we
# write in all modes and while others write at the vendor.  At each moment, everybody has to
# be known who was listed throughout, whom a complete pass could not miss, or whom we have
# added; in the end the mirror has to be the list.
#
# DNC_MODEL_SEED repeats a run, DNC_MODEL_SECONDS makes it longer.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use DncTest;
use DncVendors;
use IPC::Run;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $seconds = $ENV{DNC_MODEL_SECONDS} // 4;    # for each list
my $seed = $ENV{DNC_MODEL_SEED} // time ^ $$;
diag("DNC_MODEL_SEED=" . int($seed));
srand(int($seed));
sub pick { return $_[ int(rand(@_)) ] }
sub chance { return rand() < $_[0] }

my $dnc = DncTest->new;
my $node = $dnc->node;
my $url = $dnc->url;
my $json = JSON::PP->new->utf8;
$node->append_conf('postgresql.conf', "restart_after_crash = on\n");
$node->restart;

# A pass can miss what is on the list all the time, where cursors count entries: then lookups keep people.
my @lists = map {
	my $vendor = $_;
	my %needs = %{ $DncVendors::vendors{$vendor}{needs} };

	map { +{ %$_, name => "$vendor, $_->{name}", vendor => $vendor, type => $DncVendors::vendors{$vendor}{types}[0],
		columns => join ', ', 'id text, identifier text, identifier_type text, created_at timestamptz', map { "$_ text DEFAULT '$needs{$_}'" } sort keys %needs }
	} grep { !$_->{misses} || $DncVendors::vendors{$vendor}{searches} } @{ $DncVendors::vendors{$vendor}{settings} }
} DncVendors::names();
my ($list, %throughout, %ours, %queued, %passed, @snapshots, $refresh, $kills, $checks, $session);

sub control { my ($method, $what) = @_; return $dnc->control($method, "$list->{vendor}/model$what") }
# What statements give, in a session that lasts until the cluster is killed; undef: they fail.
sub try_sql
{
	my ($statements) = @_;

	$session //= $node->background_psql('postgres', on_error_stop => 0);
	$session->{stderr} = '';
	my $out = $session->query($statements);
	return $session->{stderr} =~ /ERROR|FATAL/ ? undef : $out;
}
sub attempt { return defined try_sql($_[0]) }
sub sql { my $out = try_sql($_[0]); die "$_[0]: $session->{stderr}" unless defined $out; return $out }

# The list as it is: identifiers by ids.
sub entries
{
	return map { DncVendors::id_of($_) => DncVendors::identifier_of($_) } @{ $json->decode(control('GET', '/entries')) };
}
sub person { return $list->{type} eq 'phone' ? sprintf '1777%07d', int(rand(12)) : pick(qw(ann bob cid dan eve fay gus hal)) . '@x.org' }

# ----- what may happen -----

sub others_add { my $who = person(); attempt("INSERT INTO others (identifier, identifier_type) VALUES ('$who', '$list->{type}')"); return }
sub others_remove { my $who = person(); attempt("DELETE FROM others WHERE identifier = '$who'"); return }

# We add somebody: acknowledged, or queued.
sub we_add
{
	my $who = person();
	my $mode = pick(qw(list at_once queue));

	return unless attempt("INSERT INTO $mode (identifier, identifier_type) VALUES ('$who', '$list->{type}')");
	return $queued{$who} = 1 if $mode eq 'queue';
	my %now = entries();
	$ours{$_} = 1 for grep { $now{$_} eq $who } keys %now;
	return;
}
sub we_remove { my $who = person(); my $mode = pick(qw(list at_once)); attempt("DELETE FROM $mode WHERE identifier = '$who'") unless $queued{$who}; return }
sub deliver
{
	return unless attempt("CALL dnc_fdw_deliver('model')");
	my %now = entries();
	for my $who (keys %queued)
	{
		$ours{$_} = 1 for grep { $now{$_} eq $who } keys %now;
		delete $queued{$who} if sql("SELECT count(*) FROM dnc_fdw_queue WHERE identifier = '$who' AND done_at IS NULL") eq '0';
	}
	return;
}

# A refresh begins; it may still run when the next thing happens.
sub start_refresh
{
	my ($how) = @_;
	my ($out, $errors) = ('', '');

	end_refresh();
	push @snapshots, [ sql('SELECT extract(epoch FROM clock_timestamp())'), { entries() } ];
	$refresh = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres') . ' application_name=refresh',
		'-c', "CALL dnc_fdw_mirror_refresh('list'" . ($how ? ", $how" : '') . ')' ], '>', \$out, '2>', \$errors);
	return;
}

# Lets the refresh end, or ends it.
sub end_refresh
{
	my ($signal) = @_;

	return unless $refresh;
	if ($signal)
	{
		my $pid = sql(q{SELECT pid FROM pg_stat_activity WHERE application_name = 'refresh'});
		$kills++ if $pid;
		kill $signal, $pid if $pid;
	}
	$refresh->finish;
	undef $refresh;
	return unless $signal && $signal eq 'KILL';
	eval { $session->{run}->kill_kill };
	undef $session;
	for (1 .. 300)
	{
		last if $node->psql('postgres', 'SELECT 1') == 0;
		sleep 0.1;
	}
	return;
}

# Whom the last complete pass cannot have missed: what was listed when it began.
sub note_pass
{
	my $began = sql("SELECT extract(epoch FROM complete_as_of) FROM dnc_fdw_mirrors WHERE source = 'list'::regclass");
	my ($last) = grep { $_->[0] <= $began } reverse @snapshots;

	%passed = $last ? %{ $last->[1] } : %throughout unless $list->{misses};
	return;
}

# ----- the model -----

# Who is not known, and has to be, in words.  The mirror is read first: who is on the list later under
# an id of before was on it all the time.
sub unknown
{
	note_pass();
	my %known = map { $_ => 1 } split /\n/, sql(q{SELECT string_agg(identifier, E'\n') FROM list_known});
	my %now = entries();
	my @wrong = map { "$now{$_} ($_) was listed throughout" } grep { $throughout{$_} && !$known{ $now{$_} } } keys %now;

	$checks++;
	push @wrong, map { "$now{$_} ($_) was added by us" } grep { $ours{$_} && !$known{ $now{$_} } } keys %now;
	push @wrong, map { "$now{$_} ($_) was listed before the last complete pass began" } grep { $passed{$_} && !$known{ $now{$_} } } keys %now;
	push @wrong, map { "$_ waits in the queue" } grep { !$known{$_} } keys %queued;
	return @wrong;
}

my @steps = (
	[ 6, \&others_add ], [ 5, \&others_remove ], [ 6, \&we_add ], [ 5, \&we_remove ], [ 3, \&deliver ],
	[ 8, sub { start_refresh() } ], [ 5, sub { start_refresh('max_requests => ' . (2 + int(rand(4)))) } ], [ 3, sub { start_refresh("mode => 'delta'") } ],
	[ 12, sub { start_refresh(); sleep rand(0.8); end_refresh(pick(qw(TERM INT))) } ], [ 5, sub { end_refresh() } ],
	[ 2, sub { control('PUT', '/config?drift_remove=' . int(rand(2)) . '&drift_add=' . int(rand(3)) . '&drift_at=' . pick(qw(front end random))) } ]);
my $weights = 0;
$weights += $_->[0] for @steps;
sub step
{
	my $at = rand($weights);

	for (@steps)
	{
		$at -= $_->[0];
		return $_->[1]->() if $at < 0;
	}
	return;
}

# ----- a run -----

for (@lists)
{
	$list = $_;
	(%throughout, %ours, %queued, %passed, @snapshots) = ();
	($kills, $checks) = (0, 0);
	control('DELETE', '');
	control('POST', '/fill?count=120' . DncVendors::fill_type($list->{vendor}));
	control('PUT', '/config?latency_ms=40' . ($list->{config} ? "&$list->{config}" : ''));
	my $options = "max_retries '0', requests_per_minute '0', page_size '20'";
	my $columns = $list->{columns};
	sql(DncVendors::server('model', $list->{vendor}, $url, 'model', $options) . DncVendors::server('others', $list->{vendor}, $url, 'model', "$options, account 'others'") . qq{
		CREATE FOREIGN TABLE list ($columns) SERVER model;
		CREATE FOREIGN TABLE at_once ($columns) SERVER model OPTIONS (write_mode 'immediate');
		CREATE FOREIGN TABLE queue ($columns) SERVER model OPTIONS (write_mode 'queue');
		CREATE FOREIGN TABLE others ($columns) SERVER others;
		SELECT dnc_fdw_mirror_create('list', max_loss => 1);
	});
	sql("CALL dnc_fdw_mirror_refresh('list')");
	%throughout = entries();
	my ($end, $steps, $crashes, @wrong) = (time + $seconds, 0, 0);
	while (time < $end && !@wrong)
	{
		$steps++;
		step();
		if ($refresh && $crashes < 1 && chance(0.1)) { $crashes++; end_refresh('KILL') }
		@wrong = unknown();
	}
	is(join("\n", @wrong), '', "$list->{name}: nobody is lost");
	end_refresh();
	control('PUT', '/config?drift_remove=0&drift_add=0&latency_ms=0');
	deliver() for 1 .. 2;
	sql("CALL dnc_fdw_mirror_refresh('list')") for 1 .. 4;
	is(join("\n", unknown()), '', "$list->{name}: nor in the end");
	my %now = reverse entries();
	my @free = grep { !$now{$_} } split /\n/, sql("SELECT identifier FROM list_known k WHERE NOT EXISTS (SELECT FROM dnc_fdw_queue q WHERE q.identifier = k.identifier AND q.action = 'add')");
	is(join(' ', @free), '', "$list->{name}: who is not listed and was not added by us is not known any more");
	is(sql('SELECT count(*) FROM (SELECT FROM list_mirror WHERE gone_at IS NULL GROUP BY identity HAVING count(*) > 1) d'), '0', "$list->{name}: no entry is there twice");
	my ($passes, $resumes, $restarts) = split /\|/, sql("SELECT count(*), sum(resumes), sum(restarts) FROM dnc_fdw_passes");
	note("$list->{name}: $steps steps, $checks checks, $passes passes, $resumes resumed, $restarts begun anew, $kills ended, $crashes crashes");
	cmp_ok($passes, '>', 4, "$list->{name}: something was refreshed");
	sql("SELECT dnc_fdw_mirror_drop('list'); DROP SERVER model CASCADE; DROP SERVER others CASCADE; TRUNCATE dnc_fdw_queue_waiting, dnc_fdw_queue_finished, dnc_fdw_pass_log");
}

$session->quit;
$dnc->stop;
done_testing();
