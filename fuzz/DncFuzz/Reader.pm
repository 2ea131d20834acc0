# DncFuzz::Reader: finds the right result of a query from the answers that it
# got.
#
# The rules are those of the documentation: a list is read to its end, each
# entry once, or the query is an error.  Nothing here is taken from src/.

package DncFuzz::Reader;

use strict;
use warnings;

use DncFuzz::Http;
use DncFuzz::Json;
use DncFuzz::Numbers;
use DncVendors;

our $max_response_size = 262_144;
our $max_requests = 60;
my $max_cursor = 8192;

# After so many pages in a row that bring nothing, the reader gives up the
# list.
my $max_barren = 16;

my $contract = qr/^08P01$/;

# Dies because an answer is useless, with a pattern of the SQLSTATEs that say
# so, and the reason.
sub refuse
{
	my ($states, $why) = @_;

	die { states => $states, why => $why };
}

# Notes SQLSTATEs that are excusable, even if the list reads well.
sub excuse
{
	my ($self, @states) = @_;

	$self->{excuses}{$_} = 1 for @states;
	return;
}

# The excusable SQLSTATEs, as a pattern; undef: none.
sub excused
{
	my ($self) = @_;
	my $states = join '|', sort keys %{ $self->{excuses} };

	return $states ne '' ? qr/^(?:$states)$/ : undef;
}

# A request's query parameters, decoded.
sub parameters
{
	my ($target) = @_;
	my %parameters;

	for my $pair (split /&/, ($target =~ /\?(.*)/s)[0] // '')
	{
		my ($name, $value) = split /=/, $pair, 2;
		$value =~ s/%([0-9a-fA-F]{2})/chr hex $1/ge;
		$parameters{$name} = $value;
	}
	return \%parameters;
}

# The SQLSTATE for a status that is no success.
sub states_of_status
{
	my ($status) = @_;

	return qr/^53400$/ if $status == 429;
	return qr/^28000$/ if $status == 401 || $status == 403;
	return qr/^HV00M$/ if $status >= 500;
	return qr/^HV00L$/;
}

# Checks that an answer is a success, and gives back its tree.  Notes in $self
# which errors are excusable.  Dies { unknown } where the bytes do not tell
# what the answer is.
sub read_body
{
	my ($self, $bytes) = @_;
	my $vendor = $self->{vendor};
	my $answer = DncFuzz::Http::read_answer($bytes);
	my ($tree, $may_fail);

	die { unknown => 1 }
		if $answer->{doubt} && ($answer->{broken} || !defined $answer->{body}
		|| $answer->{status} !~ /^2/);
	$self->excuse('.*') if $answer->{doubt};
	$self->excuse('53400') if $answer->{paces};
	$self->excuse('54000')
		if $answer->{broken} && (length $bytes > $max_response_size || $answer->{compressed});
	refuse(qr/^(?:08P01|HV00N)$/, 'the answer is not whole') if $answer->{broken};
	refuse(qr/^54000$/, 'the answer is too large')
		if length $answer->{body} > $max_response_size;
	refuse(states_of_status($answer->{status}), "status $answer->{status}")
		if $answer->{status} !~ /^2/;
	refuse($contract, "status $answer->{status} does not say that the list is whole")
		if $answer->{status} != 200;
	my $age = $answer->{age} // 0;
	refuse($contract, 'a cache has kept the answer') if $age =~ /\A\d+\z/ && $age > 60;
	$self->excuse('08P01') if $age !~ /\A\d+\z/;
	($tree, $may_fail) = eval { DncFuzz::Json::read_text($answer->{body}) };
	refuse($contract, "no JSON: $@") unless $tree;
	$self->excuse('08P01') if $may_fail;
	$self->excuse('22003')
		if $self->{statement}{needs}{attrs} && !eval { DncFuzz::Json::jsonb($tree) };
	if ($vendor->{success})
	{
		my $success = DncFuzz::Json::get($tree, $vendor->{success});
		refuse($contract, 'no success') unless $success && $success->[0] eq 'b' && $success->[1];
	}
	return $tree;
}

# The entries of a page.
sub entries_of
{
	my ($self, $tree) = @_;
	my $list = DncFuzz::Json::get($tree, $self->{vendor}{list});

	refuse($contract, 'no list of entries') unless $list && $list->[0] eq 'a';
	return @{ $list->[1] };
}

# A count: a whole number that a double can tell from the next whole number.
sub count_at
{
	my ($tree, $path) = @_;
	my $value = DncFuzz::Json::get($tree, $path);

	refuse($contract, "no count at $path") unless $value && $value->[0] eq 'n';
	my $count = 0 + $value->[1];
	refuse($contract, "no count at $path")
		unless $count >= 0 && $count < 2**53 && $count == int $count;
	return $count;
}

# ---- entries

my $uuid = qr/\A[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\z/;
my $timestamp = qr/\A20\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{3})?Z\z/;

# Does a value have the form of the column's own type?
sub is_plain
{
	my ($column, $value) = @_;

	return $value =~ $timestamp if $column =~ /_at$/;
	return $value =~ $uuid if $column eq 'id';
	return 1;
}

# An entry as a row, by column, with only the columns that the statement needs.
sub row_of
{
	my ($self, $entry) = @_;
	my ($vendor, $needs) = ($self->{vendor}, $self->{statement}{needs});
	my %row = (source => $self->{statement}{server}, %{ $vendor->{constants} // {} });
	my %member;

	refuse($contract, 'an entry is no object') unless $entry->[0] eq 'o';
	for my $member (@{ $entry->[1] })
	{
		next unless $vendor->{fields}{ $member->[0] };
		refuse($contract, "an entry has $member->[0] twice") if $member{ $member->[0] };
		$member{ $member->[0] } = $member->[1];
	}
	while (my ($name, $field) = each %{ $vendor->{fields} })
	{
		my ($column, $kind, $required) = @$field;
		my $value = $member{$name};

		$value = undef if $value && $value->[0] eq 'z' && !$required;
		next unless $required || ($value && $needs->{$column});
		keys %{ $vendor->{fields} }, refuse($contract, "an entry's $name is not as documented")
			unless $value && $value->[0] eq $kind;
		$row{$column} = $kind eq 'b' ? ('false', 'true')[ $value->[1] ] : $value->[1];
		$self->excuse('22007', '22008', '22009', '22023', '22P02')
			if $self->{statement}{typed} && !is_plain($column, $row{$column});
	}
	if ($needs->{attrs})
	{
		$row{attrs} = eval { DncFuzz::Json::jsonb($entry) };
	}
	return \%row;
}

# Takes an entry: if it meets the conditions, it becomes a row.
sub take_entry
{
	my ($self, $entry) = @_;
	my $statement = $self->{statement};
	my $check = $self->{check};

	return if $self->full;
	if ($check)
	{
		my $value = DncFuzz::Json::get($entry, $check->[0]);
		return if $value && $value->[0] eq 's' && $self->differ($value->[1], $check->[1]);
	}
	my $row = $self->row_of($entry);
	for my $column (keys %{ $statement->{keeps} // {} })
	{
		my $value = $row->{$column};
		return unless defined $value && grep { $_ eq $value } @{ $statement->{keeps}{$column} };
	}
	push @{ $self->{rows} }, $row;
	return;
}

# Has the statement as many rows as its LIMIT allows?
sub full
{
	my ($self) = @_;

	return $self->{statement}{limit} && @{ $self->{rows} } >= $self->{statement}{limit};
}

# ---- entries that were given

# The first member of an entry with a name, if it is a string.
sub text_of
{
	my ($entry, $name) = @_;

	return unless defined $name && $entry->[0] eq 'o';
	my ($value) = map { $_->[1] } grep { $_->[0] eq $name } @{ $entry->[1] };
	return $value && $value->[0] eq 's' ? $value->[1] : undef;
}

# The values that must be the same in all entries with one id: identifier and
# type.
sub content_of
{
	my ($self, $entry) = @_;
	my $identifier = text_of($entry, $self->{vendor}{identifier}) // '';

	$identifier =~ s/^\+// if $self->{vendor}{ignores_plus};
	return $identifier . "\0" . (text_of($entry, $self->{vendor}{type}) // '');
}

# Was an entry given?  Dies where another entry with its id was.
sub was_given
{
	my ($self, $entry) = @_;
	my $given = $self->{given}{ text_of($entry, $self->{vendor}{id}) };

	refuse($contract, 'two entries with one id') if defined $given && $given ne $self->content_of($entry);
	return defined $given;
}

# Notes that an entry is given; false: it was given before.
sub give
{
	my ($self, $entry) = @_;

	return 0 if $self->was_given($entry);
	$self->{given}{ text_of($entry, $self->{vendor}{id}) } = $self->content_of($entry);
	return 1;
}

# ---- ways of paging; each gives whether the list was read to its end

sub read_cursors
{
	my ($self, @exchanges) = @_;
	my $paths = $self->{vendor}{cursors};
	my ($expected, $entries, $barren, %seen, %totals) = (undef, 0, 0);

	# On a connection that has ended meanwhile, libcurl asks again by itself.
	@exchanges = map { $exchanges[$_] }
		grep { $_ == $#exchanges || $exchanges[$_][0] ne $exchanges[ $_ + 1 ][0] } 0 .. $#exchanges;
	for my $exchange (@exchanges)
	{
		my $cursor = parameters($exchange->[0])->{ $self->{vendor}{asks}{cursors} };

		die { wrong => "asked for another page than the next: $exchange->[0]" }
			if ($cursor // '') ne ($expected // '');
		my $tree = $self->read_body($exchange->[1]);
		my @page = $self->entries_of($tree);
		my $more = DncFuzz::Json::get($tree, $paths->{more});
		my $next = DncFuzz::Json::get($tree, $paths->{next});

		refuse($contract, "no $paths->{more}") unless $more && $more->[0] eq 'b';
		my @new = grep { !defined text_of($_, $self->{vendor}{id}) || $self->give($_) } @page;
		$entries += @new;
		if ($paths->{total})
		{
			my $total = count_at($tree, $paths->{total});

			$totals{$total} = 1;
			$self->{total} //= $total;
			refuse($contract, 'the total does not add up')
				if keys %totals == 1 && ($more->[1] ? $total < $entries : $total != $entries);
		}
		$barren = @new ? 0 : $barren + 1;
		refuse($contract, 'the same entries again and again') if $barren >= $max_barren;
		if ($more->[1])
		{
			refuse($contract, "no $paths->{next}")
				unless $next && $next->[0] eq 's' && length $next->[1];
			refuse($contract, 'a cursor that is too long') if length $next->[1] > $max_cursor;
			refuse($contract, 'an empty page in the middle') unless @page;
			refuse($contract, 'a cursor comes again') if $seen{ $next->[1] }++;
			$expected = $next->[1];
		}
		return 1 if $self->{statement}{from_total};
		$self->take_entry($_) for @new;
		return 1 if !$more->[1] || $self->full;
	}
	return 0;
}

# The facts in a numbered page about itself; dies where they contradict each other.
sub page_facts
{
	my ($self, $tree, $asked, @page) = @_;
	my $paths = $self->{vendor}{numbers};
	my %facts = map { $_ => count_at($tree, $paths->{$_}) } qw(total page limit pages);

	refuse($contract, 'another page than was asked for') if $facts{page} != $asked;
	refuse($contract, 'no page size') if $facts{limit} < 1 || $facts{limit} > 2**31 - 1;
	refuse($contract, 'the number of pages does not add up')
		if $facts{pages} != int(($facts{total} + $facts{limit} - 1) / $facts{limit})
		&& !($facts{total} == 0 && $facts{pages} == 1);
	$facts{start} = ($facts{page} - 1) * $facts{limit};
	refuse($contract, 'more entries than a page has') if @page > $facts{limit};
	refuse($contract, 'entries beyond the total')
		if @page && $facts{start} + @page > $facts{total};
	refuse($contract, 'a page that is not the last has too few')
		if @page < $facts{limit} && $facts{start} + @page < $facts{total};
	return \%facts;
}

sub read_numbers
{
	my ($self, @exchanges) = @_;
	my $at = DncFuzz::Numbers->new(parameters($exchanges[0][0])->{limit}, $self->{statement}{by_total},
		$self->{statement}{ahead});

	for (;;)
	{
		my $asked = $at->next_page;
		my ($i) = grep {
			my $parameters = parameters($exchanges[$_][0]);
			$parameters->{limit} == $asked->[0] && ($parameters->{ $self->{vendor}{asks}{numbers} } // 1) == $asked->[1];
		} 0 .. $#exchanges;
		return 0 unless defined $i;
		my ($exchange) = splice @exchanges, $i, 1;
		my $tree = $self->read_body($exchange->[1]);
		my @page = $self->entries_of($tree);
		my $facts = $self->page_facts($tree, $asked->[1], @page);

		defined text_of($_, $self->{vendor}{id}) or refuse($contract, 'an entry without an id') for @page;
		my @known = map { $self->was_given($_) } @page;
		next unless $at->fits($asked, $facts, scalar keys %{ $self->{given} }, @known);
		$self->{total} //= $facts->{total};
		my @new = @page[ grep { !$known[$_] } 0 .. $#page ];
		$self->give($_) or refuse($contract, 'an entry twice') for @new;
		return 1 if $self->{statement}{from_total};
		$self->take_entry($_) for @new;
		return 1 if $at->goes_to($facts, scalar @page, scalar @new) || $self->full;
	}
}

# Reads one chain of requests; dies { open } if the chain does not reach the
# end of the list.
sub read_chain
{
	my ($self, @exchanges) = @_;
	my ($cursors, $numbers) = @{ $self->{vendor} }{qw(cursors numbers)};
	my $first = $self->read_body($exchanges[0][1]);
	my $at_end;

	$self->{given} = {};

	# The first answer tells which generation of the API speaks.
	$self->entries_of($first);
	if ($cursors && DncFuzz::Json::get($first, $cursors->{more}))
	{
		$at_end = $self->read_cursors(@exchanges);
	}
	elsif ($numbers && DncFuzz::Json::get($first, $numbers->{pages}))
	{
		$at_end = $self->read_numbers(@exchanges);
	}
	else { refuse($contract, 'the answer does not say whether the list goes on') }
	die { open => 1 } unless $at_end;
	return;
}

# The exchanges of each chain, in the order of the values: those of an IN list
# differ in one parameter.
sub chains
{
	my ($self, @exchanges) = @_;
	my $in = $self->{statement}{in};
	my %chain;

	# One request may serve all values.
	return [ undef, @exchanges ]
		unless $in && @exchanges && defined parameters($exchanges[0][0])->{ $in->{parameter} };
	for my $exchange (@exchanges)
	{
		push @{ $chain{ parameters($exchange->[0])->{ $in->{parameter} } } }, $exchange;
	}
	return map { [ [ $in->{member}, $_ ], @{ $chain{$_} } ] } grep { $chain{$_} } @{ $in->{values} };
}

# Are two identifiers different to the vendor?
sub differ
{
	my ($self, @identifiers) = @_;

	if ($self->{vendor}{ignores_plus})
	{
		s/^\+// for @identifiers;
	}
	return $identifiers[0] ne $identifiers[1];
}

#
# The verdict on the result of a statement, from its requests and their answers (a
# list of [target, bytes]):
#	{ rows => [...] }           just these rows, each { column => value }
#	{ states => qr/.../, why }  an error
#	{ unknown => 1 }            cannot be told
#	{ wrong => '...' }          a request was wrong
# "may_fail", beside rows: SQLSTATEs that are excusable too.
#
sub judge
{
	my ($vendor_name, $statement, @exchanges) = @_;
	my $self = bless {
		vendor => $DncVendors::vendors{$vendor_name},
		statement => $statement, rows => [], excuses => {} }, __PACKAGE__;
	my @chains = $self->chains(@exchanges);

	# An answer to a request ahead may delay others, or spoil their connection,
	# even if nobody reads it.
	for my $answer (map { DncFuzz::Http::read_answer($_->[1]) } $statement->{ahead} > 1 ? @exchanges : ())
	{
		$self->excuse('53400') if $answer->{paces};
		$self->excuse('.*') if $answer->{doubt};
	}
	eval {
		die { open => 1 } unless @chains && @{ $chains[0] } > 1;
		for my $chain (@chains)
		{
			my ($check, @asked) = @$chain;
			$self->{check} = $check;
			$self->read_chain(@asked);
		}
		die { open => 1 } if $chains[0][0] && @chains < @{ $statement->{in}{values} };
		1;
	} or do {
		my $reason = $@;
		die $reason unless ref $reason;
		# If a head is in doubt, so is the end of the body.
		return { unknown => 1 } if $reason->{states} && $self->{excuses}{'.*'};
		return { %$reason, may_fail => $self->excused };
	};
	my $rows = $statement->{from_total} ? [ { count => $self->{total} } ]
		: $statement->{counts} ? [ { count => scalar @{ $self->{rows} } } ]
		:                        $self->{rows};
	return { rows => $rows, may_fail => $self->excused };
}

1;
