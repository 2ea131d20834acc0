# BenchWorkers: how soon a write that is committed with write_mode 'queue' is on the
# vendor's list, sent by the extension's background processes.

package BenchWorkers;

use strict;
use warnings;

use Bench;
use BenchLists;
use Exporter qw(import);
use Time::HiRes qw(sleep time);

our @EXPORT_OK = qw(deliver_row);

my $list = 'alta/deliver';
my $running = q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'dnc_fdw delivery'};

# Waits until a query gives a text, within a minute.
sub wait_for
{
	my ($query, $text) = @_;

	for (1 .. 600)
	{
		return if psql($query) =~ /^\Q$text\E$/;
		sleep 0.1;
	}
	die "waited in vain: $query";
}

# Lets background processes work, or not.
sub switch
{
	my ($state) = @_;

	psql("ALTER SYSTEM SET dnc_fdw.background = $state");
	psql('SELECT pg_reload_conf()');
	return;
}

# A sample: from the start of a session that commits an entry until the list has it.  cold: no delivery is running.
sub deliver
{
	my ($cold) = @_;
	my $before = control('GET', "$list/count");
	my $who = int(time * 1000) . '@example.com';
	my $write = qq{INSERT INTO deliver.communication_opt_outs (identifier, identifier_type) VALUES ('$who', 'email')};

	wait_for($running, $cold ? 0 : 1);
	my $begin = time;
	psql($write);
	until (control('GET', "$list/count") > $before)
	{
		die 'it is not delivered' if time > $begin + 60;
		sleep 0.001;
	}
	return { seconds => time - $begin };
}

sub deliver_row
{
	return {
		name => 'deliver',
		title => "a session that commits one addition, until the vendor's list has it, `write_mode 'queue'`",
		entries => 1,
		prepare => sub {
			make_list($list, 0);
			make_server('deliver', $list, q{write_mode 'queue'});
			switch('on');
			wait_for(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'dnc_fdw scheduler'}, 1);
		},
		clean_up => sub { switch('off') },
		variants => [
			{ name => 'cold', title => 'dnc_fdw, nothing was sent for a while', run => sub { return deliver(1) } },
			{
				name => 'warm',
				title => 'dnc_fdw, right behind another one',
				run => sub { deliver(1); return deliver(0) }
			}
		]
	};
}

1;
