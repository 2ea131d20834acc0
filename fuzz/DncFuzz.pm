# DncFuzz: mutated answers through the reading path of a backend.
#
# One process is both sides: it asks a session of PostgreSQL for the rows of a
# foreign table, serves the session's requests with a mutated list, and
# compares the session's result with the result of DncFuzz::Reader for the same
# bytes.  A find is
#	- a result that is not what the bytes say, a shorter one above all;
#	- an error where the list reads well, or one with an SQLSTATE that is not documented;
#	- a session that ends, or does not answer in time;
#	- memory or descriptors of the session that grow with the number of cases.
#
# A case is made only from its number and the seed of the run.  A find is saved
# with the bytes that were sent, so that it stays the same when the making of
# cases changes.

package DncFuzz;

use strict;
use warnings;

use DncFuzz::File;
use DncFuzz::Mutate;
use DncFuzz::Reader;
use DncFuzz::Server;
use DncFuzz::Session;
use DncFuzz::Statements;
use DncVendors;
use File::Basename qw(basename dirname);
use Time::HiRes qw(sleep time);

my $corpus = dirname(__FILE__) . '/corpus';

# After so many seconds a statement counts as hanging.  request_timeout is far
# below that.
my $patience = 30;

# We look at the session's memory after so many cases.
my $look_each = 2000;

# We take a new session after so many cases: see look().
my $anew_each = 20_000;

# SQLSTATEs that reading a list may end with (docs/errors.md), and those of
# the types' input functions.
my $documented = qr/^(?:HV00N|0A000|28000|HV00L|HV00M|53400|08P01|40001|54000|22003|22007|22008|22009|22023|22P02)$/;

#
# pg: directory of the socket, port, user and database of a cluster that has the
# extension; seed: of the run; say: a function for lines of progress; finds:
# directory for the finds, or undef.
#
sub new
{
	my ($class, %self) = @_;
	my $self = bless {
		%self, done => 0, states => {}, found => {}, nfound => 0, lists => [], kinds => {} }, $class;

	local $SIG{PIPE} = 'IGNORE';
	$self->{server} = DncFuzz::Server->new(sub { $self->answer(@_) });
	for my $path (sort glob "$corpus/*.list")
	{
		my $file = DncFuzz::File::read_file($path);
		push @{ $self->{lists} }, {
			name => basename($path, '.list'), vendor => $file->{value}{vendor},
			pages => $file->{pieces} };
	}
	$self->connect or die "cannot connect to PostgreSQL\n";
	$self->{session}->run($_)
		for DncFuzz::Statements::setup($self->{server}->port, $DncFuzz::Reader::max_requests,
		$DncFuzz::Reader::max_response_size);
	return $self;
}

# A session anew; after a crash the cluster takes a moment.
sub connect
{
	my ($self) = @_;

	for (1 .. 60)
	{
		$self->{session} = DncFuzz::Session->new(@{ $self->{pg} });
		last if $self->{session};
		sleep 0.5;
	}
	return unless $self->{session};
	$self->{pid} = $self->{session}->run('SELECT pg_backend_pid()')->[0][0];
	$self->{memory} = undef;
	return 1;
}

# ---- the server's side

# A list of the corpus with pages as DncFuzz::Mutate takes them.
sub copy_of
{
	my ($list) = @_;
	my %pages;

	for my $piece (@{ $list->{pages} })
	{
		my ($head, $body) = $piece->[1] =~ /\A(.*?)\r\n\r\n(.*)\z/s;
		my ($first, @lines) = split /\r\n/, $head;
		my ($status) = $first =~ / (\d+)/;

		$pages{ $piece->[0] } = {
			status => $status, body => $body,
			headers => [ grep { lc $_->[0] ne 'content-length' } map { [ split /: /, $_, 2 ] } @lines ] };
	}
	return { name => $list->{name}, vendor => $list->{vendor}, first => 'first', pages => \%pages };
}

# All entries of a list with numbered pages, as texts, for pages of other sizes.
sub entries_of
{
	my ($list) = @_;
	my $vendor = $DncVendors::vendors{ $list->{vendor} };
	my @numbers = sort { $a <=> $b } grep { /^\d+\z/ } keys %{ $list->{pages} };
	my @entries;

	for my $page (@{ $list->{pages} }{ 'first', @numbers })
	{
		my ($tree) = eval { DncFuzz::Json::read_text($page->{body}) };
		my $found = $tree && DncFuzz::Json::get($tree, $vendor->{list}) or return [];

		push @entries, map { $_->[2] } @{ $found->[1] };
	}
	return \@entries;
}

# The answer to a request, and the number of pieces to send it in.
sub answer
{
	my ($self, $target) = @_;
	my $case = $self->{case};
	my ($bytes, $pieces);

	$target =~ s{^/[a-z]+}{};
	if ($case->{replay})
	{
		my $saved = shift @{ $case->{replay}{$target} // [] };
		($bytes, $pieces) = $saved ? @$saved : ("HTTP/1.1 400 X\r\nContent-Length: 0\r\n\r\n", 1);
	}
	elsif ($case->{pages})
	{
		my $parameters = DncFuzz::Reader::parameters($target);
		my $asks = $DncVendors::vendors{ $case->{vendor} }{asks};
		my $key = (grep { defined } @$parameters{ sort values %$asks })[0] // 'first';

		$key = 'first' if $key eq '1' && !$case->{pages}{1};
		$bytes = $self->other_page($parameters) if $key ne $case->{first};
		($bytes, $pieces) = @{ $case->{pages}{$key} // [] } unless defined $bytes;
		$bytes //= DncFuzz::Mutate::answer_of({ status => 400, body => '{"message":"No such page."}', headers => [] });
		$pieces //= 1;
	}
	else { ($bytes, $pieces) = ('', 1) }
	push @{ $case->{exchanges} }, [ $target, $bytes, $pieces ];
	$self->{paced}{ $case->{vendor} } = 1 if DncFuzz::Http::read_answer($bytes)->{paces};
	return ($bytes, $pieces);
}

# A page of another size than in the corpus; undef: the request does not ask
# for that.
sub other_page
{
	my ($self, $parameters) = @_;
	my $case = $self->{case};
	my $asks = $DncVendors::vendors{ $case->{vendor} }{asks};
	my ($number, $limit) = @$parameters{ $asks->{numbers} // '', 'limit' };

	return if !defined $number || $limit == $DncFuzz::Statements::page_size || $number !~ /^\d{1,9}\z/;
	my @entries = @{ $case->{entries} };

	$limit = $case->{max_limit} if $limit > $case->{max_limit};
	my $pages = int((@entries + $limit - 1) / $limit);
	my $from = ($number - 1) * $limit;
	my $list = join ',', grep { defined } @entries[ $from .. $from + $limit - 1 ];
	my $body = DncVendors::page({ vendor => $case->{vendor}, paging => 'numbers' }, $list,
		{ total => scalar @entries, page => $number, limit => $limit, pages => $pages });
	return DncFuzz::Mutate::answer_of({ status => 200, body => $body, headers => [] });
}

# ---- cases

# The case with a number: the list, its fault, and the statement.
sub make_case
{
	my ($self, $number) = @_;

	srand($self->{seed} * 1_000_003 + $number);
	my $list = copy_of(DncFuzz::Mutate::pick(@{ $self->{lists} }));
	# Lists of several pages are more interesting.
	$list = copy_of(DncFuzz::Mutate::pick(@{ $self->{lists} })) if keys %{ $list->{pages} } < 2;
	$list = copy_of(DncFuzz::Mutate::pick(@{ $self->{lists} })) if keys %{ $list->{pages} } < 2;
	my $case = case_of($list, $number, DncFuzz::Statements::any_of($list));

	DncFuzz::Mutate::mutate($list, $list->{vendor});
	return finish_case($case, $list);
}

# Each list of the corpus, with each statement that reads all of it.
sub plain_cases
{
	my ($self) = @_;
	my @cases;

	for my $list (@{ $self->{lists} })
	{
		for my $statement (DncFuzz::Statements::plain($list->{vendor}))
		{
			my $copy = copy_of($list);
			push @cases, finish_case(case_of($copy, 0, $statement), $copy);
		}
	}
	return @cases;
}

# A case from a list as it stands, with a statement.
sub case_of
{
	my ($list, $number, $statement, $argument) = @_;
	my $numbered = $DncVendors::vendors{ $list->{vendor} }{numbers};

	return {
		number => $number, name => "$list->{name}, $statement", vendor => $list->{vendor},
		statement => DncFuzz::Statements::make($list->{vendor}, $statement, $argument), argument => $argument,
		first => 'first', exchanges => [], entries => $numbered ? entries_of($list) : [],
		max_limit => $list->{name} =~ /small-pages/ ? 2 : 100 };
}

# Gives a case the bytes of a list's pages.
sub finish_case
{
	my ($case, $list) = @_;

	for my $key (sort keys %{ $list->{pages} })
	{
		$case->{pages}{$key} = [ DncFuzz::Mutate::answer_of($list->{pages}{$key}), 1 + int rand(rand 6) ];
	}
	return $case;
}

# Runs a case.  Gives back undef if the result is right, else what is wrong.
sub run_case
{
	my ($self, $case) = @_;

	local $SIG{PIPE} = 'IGNORE';
	$self->{case} = $case;
	$self->{done}++;
	$self->{server}->drop_unclean;
	if (delete $self->{paced}{ $case->{vendor} })
	{
		$self->{session}->run($_) for DncFuzz::Statements::forget($case->{vendor});
	}
	$self->{session}->send($case->{statement}{sql});
	my $answer = $self->converse;
	return 'the session ended' unless defined $answer;
	return "no answer within $patience s" unless $answer;
	$self->{states}{ $answer->{error} // 'result' }++;
	return "the session ended with $answer->{error}: $answer->{message}" if $answer->{fatal};
	return $self->verdict($case, $answer);
}

# Serves requests until the session has answered; undef: the session ended, 0:
# too late.
sub converse
{
	my ($self) = @_;
	my $until = time + $patience;
	my $session = $self->{session};

	while (time < $until)
	{
		my ($read, $write) = $self->{server}->handles;
		my ($readable, $writable) = ('', '');

		vec($readable, fileno $_, 1) = 1 for $session->socket, @$read;
		vec($writable, fileno $_, 1) = 1 for @$write;
		next unless select $readable, $writable, undef, 1;
		my @readable = grep { vec $readable, fileno $_, 1 } @$read;
		my @writable = grep { vec $writable, fileno $_, 1 } @$write;
		my $own = vec $readable, fileno $session->socket, 1;
		$self->{server}->serve(\@readable, \@writable);
		next unless $own;
		my $answer = $session->receive;
		return $answer if !defined $answer || $answer;
	}
	return 0;
}

# ---- the judge

sub verdict
{
	my ($self, $case, $answer) = @_;
	my ($statement, $error) = ($case->{statement}, $answer->{error});

	return "SQLSTATE $error is not documented: $answer->{message}"
		if defined $error && $error !~ $documented;
	return if $statement->{free};
	my $verdict = DncFuzz::Reader::judge($case->{vendor}, $statement, @{ $case->{exchanges} });

	return $verdict->{wrong} if $verdict->{wrong};
	return if $verdict->{unknown};
	return failure($verdict, $error, $answer, scalar @{ $case->{exchanges} }) if defined $error;
	return 'the list was not read to its end, and there is a result: '
		. scalar @{ $answer->{rows} } . ' rows' if $verdict->{open};
	return "a result in spite of this: $verdict->{why}" if $verdict->{states};
	return difference($statement, $verdict->{rows}, $answer->{rows});
}

# Checks an error: undef if it is an expected one, else what is wrong.
sub failure
{
	my ($verdict, $error, $answer, $requests) = @_;

	return if $verdict->{may_fail} && $error =~ $verdict->{may_fail};
	return if $verdict->{states} && $error =~ $verdict->{states};
	return "SQLSTATE $error ($answer->{message}) where this was to be expected: $verdict->{why}"
		if $verdict->{states};
	return if $verdict->{open} && $error eq '54000' && $requests >= $DncFuzz::Reader::max_requests;
	return "an error where the list reads well: $error $answer->{message}";
}

# The difference between the expected rows and those that came; undef: none.
sub difference
{
	my ($statement, $expected, $given) = @_;
	my @columns = @{ $statement->{columns} };

	return 'rows: ' . @$expected . ' expected, ' . @$given . ' came' if @$expected != @$given;
	for my $i (0 .. $#$expected)
	{
		for my $j (0 .. $#columns)
		{
			my ($want, $got) = ($expected->[$i]{ $columns[$j] }, $given->[$i][$j]);

			# attrs without an expected value: a number that may or may not fit.
			next if $columns[$j] eq 'attrs' && !defined $want && defined $got;
			return sprintf 'row %d, %s: %s expected, %s came', $i + 1, $columns[$j],
				map { defined $_ ? "\"$_\"" : 'NULL' } $want, $got
				if defined $want != defined $got || (defined $want && $want ne $got);
		}
	}
	return;
}

# ---- the session's memory

# The session's private memory and the memory of its contexts, in bytes, and its
# open files.  Allowances do not count: each new user mapping has one, which is kept
# for minutes.
sub look
{
	my ($self) = @_;
	my $rows = $self->{session}->run(q{SELECT sum(total_bytes) FILTER (WHERE name <> 'dnc_fdw allowances'),
		count(*) FILTER (WHERE name LIKE 'dnc_fdw%'), coalesce(sum(total_bytes) FILTER (WHERE name = 'dnc_fdw allowances'), 0)
		FROM pg_backend_memory_contexts});
	my ($bytes, $contexts, $allowances) = @{ $rows->[0] };
	my %look = (bytes => $bytes, contexts => $contexts, private => 0);

	if (open my $status, '<', "/proc/$self->{pid}/status")
	{
		local $/;
		$look{private} = $1 * 1024 - $allowances if <$status> =~ /^RssAnon:\s+(\d+) kB/m;
	}
	$look{files} = () = glob "/proc/$self->{pid}/fd/*";
	return \%look;
}

# The figure that has grown since the session was warm; undef: none has.  libcurl
# keeps up to 32 connections, dead ones among them.
sub growth
{
	my ($self) = @_;
	my $now = $self->look;
	my $before = $self->{memory} //= $now;

	for ([ bytes => 1 << 20 ], [ contexts => 2 ], [ private => 8 << 20 ], [ files => 32 ])
	{
		my ($what, $more) = @$_;
		return "the session's $what grew from $before->{$what} to $now->{$what}"
			if $now->{$what} > $before->{$what} + $more;
	}
	return;
}

# ---- runs

# Keeps a find, and tells it; we keep only a few of one kind.
sub keep
{
	my ($self, $case, $wrong) = @_;
	my $kind = substr $wrong =~ s/"(?:[^"\\]|\\.)*"|\d+/#/gsr, 0, 60;
	my $name = sprintf '%d-%d.case', $self->{seed}, $case->{number};

	$self->{nfound}++;
	return if ++$self->{found}{$kind} > 5;
	$self->{say}->("FIND $name ($case->{name}): " . substr $wrong, 0, 300);
	save_case("$self->{finds}/$name", $self->{seed}, $case, $wrong) if defined $self->{finds};
	return;
}

sub save_case
{
	my ($path, $seed, $case, $wrong) = @_;

	DncFuzz::File::write_file($path,
		[ [ vendor => $case->{vendor} ], [ statement => $case->{statement}{name} ],
			[ argument => unpack 'H*', $case->{argument} // '' ], [ seed => "$seed $case->{number}" ],
			[ found => substr(($wrong =~ s/[\r\n]/ /gr), 0, 500) ] ],
		[ map { [ "$_->[0]:$_->[2]", $_->[1] ] } @{ $case->{exchanges} } ]);
	return;
}

# Runs a saved case.  Gives back undef if the result is right, else what is
# wrong.
sub replay
{
	my ($self, $path) = @_;
	my $file = DncFuzz::File::read_file($path);
	my $value = $file->{value};
	my %replay;

	for my $piece (@{ $file->{pieces} })
	{
		my ($target, $pieces) = $piece->[0] =~ /^(.*):(\d+)$/ or die "$path: bad label $piece->[0]\n";
		push @{ $replay{$target} }, [ $piece->[1], $pieces ];
	}
	my $wrong = $self->run_case({
		name => $path, number => 0, vendor => $value->{vendor}, replay => \%replay, exchanges => [],
		statement => DncFuzz::Statements::make($value->{vendor}, $value->{statement},
			pack 'H*', $value->{argument}) });
	$self->connect if $wrong && $wrong =~ /session ended|no answer/;
	return $wrong;
}

# Runs the cases from $from on until $go_on says no; gives the number of finds.
sub run
{
	my ($self, $from, $go_on) = @_;

	for (my $number = $from; $go_on->($number); $number++)
	{
		my $case = $self->make_case($number);
		my $wrong = $self->run_case($case);

		$wrong = $self->growth if !$wrong && ($number - $from) % $look_each == $look_each - 1;
		$self->connect if ($number - $from) % $anew_each == $anew_each - 1;
		next unless $wrong;
		$self->keep($case, $wrong);
		next unless $wrong =~ /session ended|no answer|grew/;
		$self->connect or die "PostgreSQL does not come back\n";
	}
	return $self->{nfound};
}

# Writes the body of each page of the corpus into a file of its own.
sub write_bodies
{
	my ($directory) = @_;

	for my $path (sort glob "$corpus/*.list")
	{
		my $number = 0;

		for my $piece (@{ DncFuzz::File::read_file($path)->{pieces} })
		{
			my $name = sprintf '%s/%s-%d', $directory, basename($path, '.list'), ++$number;

			open my $out, '>:raw', $name or die "$name: $!\n";
			print $out $piece->[1] =~ s/\A.*?\r\n\r\n//sr;
			close $out or die "$name: $!\n";
		}
	}
	return;
}

# Writes the identifiers of t/golden/keys.tsv as inputs of match_fuzzer, a file each.
sub write_identifiers
{
	my ($directory) = @_;
	my ($number, %types, %escape) = (0, email => 0, domain => 1, phone => 2, linkedin => 3, web_chat => 4, whatsapp => 5, mobile => 6);

	@escape{ 't', 'n', 'r', '\\' } = ("\t", "\n", "\r", "\\");
	open my $golden, '<:encoding(UTF-8)', dirname(__FILE__) . '/../t/golden/keys.tsv' or die "keys.tsv: $!\n";
	while (<$golden>)
	{
		next unless /^[^#].*\t/;
		chomp;
		my ($key, $type, $country, $identifier) = split /\t/, $_, -1;

		$identifier =~ s/\\(?:u\{([0-9A-F]+)\}|(.))/defined $1 ? chr hex $1 : $escape{$2}/ge;
		open my $out, '>:encoding(UTF-8)', sprintf '%s/identifier-%d', $directory, ++$number or die "$directory: $!\n";
		print $out chr(($types{$type} // 7) + 8 * ($country eq 'DE' ? 1 : $country eq 'US' ? 2 : 0)), $identifier;
		close $out or die "$directory: $!\n";
	}
	return;
}

# The counts of the cases' results, as lines.
sub summary
{
	my ($self) = @_;
	my $states = $self->{states};

	return join '', map { sprintf "%8d %s\n", $states->{$_}, $_ }
		sort { $states->{$b} <=> $states->{$a} } keys %$states;
}

1;
