# DncFuzz::Numbers: the place of a reader in a list with numbered pages, and the page
# that it asks for next.
#
# The rules are those of docs/pushdown.md: pages overlap, the reader takes the overlapping
# page that reaches furthest, and asks for some pages ahead.  Nothing here is taken from
# src/.

package DncFuzz::Numbers;

use strict;
use warnings;

# After so many pages in a row that bring nothing, the reader gives up the
# list.
my $max_attempts = 16;

# The smallest page size that a reader asks for where pages overlap.
my $min_overlapping = 17;

# A reader at the beginning of a list.  by_total: pages need not overlap as long as the
# total stays; ahead: how many pages are under way at once.
sub new
{
	my ($class, $limit, $by_total, $ahead) = @_;

	return bless {
		place => 0, total => undef, limit => $limit, by_total => $by_total, ahead => $ahead,
		attempts => 0, under_way => [ [ $limit, 1 ] ] }, $class;
}

# Do pages have to overlap?
sub overlaps
{
	my ($at) = @_;

	return $at->{moved} || !$at->{by_total};
}

# The size of the largest page to ask for.
sub largest
{
	my ($at) = @_;

	return $at->{limit} if $at->{cut} || !$at->overlaps || $at->{limit} >= $min_overlapping;
	return $min_overlapping;
}

# The page, [size, number], that begins so many entries before a place and reaches
# furthest; undef: none goes beyond the place.
sub furthest
{
	my ($at, $place, $overlap) = @_;
	my ($best, $end) = (undef, $place);

	for my $size (reverse 1 .. $at->largest)
	{
		my $number = int(($place - ($overlap < $place ? $overlap : $place)) / $size) + 1;

		($best, $end) = ([ $size, $number ], $number * $size) if $number * $size > $end;
	}
	return $best;
}

# The overlap of pages, in entries, on a list that moves.
sub wide
{
	my ($at) = @_;

	return $at->{limit} >= 20 ? int($at->{limit} / 10) : 1;
}

# The page to ask for at a place.
sub plan
{
	my ($at, $place) = @_;

	return $at->furthest($place, 0) unless $at->overlaps;
	return ($at->{moved} && $at->furthest($place, $at->wide)) || $at->furthest($place, 1);
}

# Does a page that is under way still help?
sub helps
{
	my ($at, $page) = @_;
	my ($size, $number) = @$page;
	my $start = ($number - 1) * $size;

	return $size <= $at->largest && $start + $size > $at->{place}
		&& ($start == 0 || $start < $at->{place} + ($at->overlaps ? 0 : 1));
}

# The next page to read, of those under way.  Dies { states } where there is none.
sub next_page
{
	my ($at) = @_;
	my $under_way = $at->{under_way};

	return shift @$under_way unless defined $at->{total};
	@$under_way = () if @$under_way && !$at->helps($under_way->[0]);
	push @$under_way,
		$at->plan($at->{place}) // die { states => qr/^0A000$/, why => 'pages are too small to overlap' }
		unless @$under_way;
	while (@$under_way < $at->{ahead})
	{
		my $end = $under_way->[-1][0] * $under_way->[-1][1];
		my $page = $end < $at->{total} ? $at->plan($end) : undef;

		last unless $page;
		push @$under_way, $page;
	}
	return shift @$under_way;
}

# Counts a page that brought nothing; dies after too many.
sub count_attempt
{
	my ($at) = @_;

	die { states => qr/^40001$/, why => 'the list does not settle' } if ++$at->{attempts} > $max_attempts;
	return;
}

# A page did not fit: looks for another place.
sub look_elsewhere
{
	my ($at, $facts) = @_;
	my $change = $facts->{total} - $at->{total};
	my $was_wide = $at->{place} - $facts->{start} >= $at->wide;

	$at->count_attempt;
	$at->{moved} = 1;
	$at->{place} += $change;
	if ($was_wide && ($change == 0 || $at->{attempts} > 1))
	{
		my $step = int($at->{limit} * 2**$at->{attempts} / 8);
		$at->{place} -= $step < 1 ? 1 : $step;
	}
	$at->{place} = $facts->{total} if $at->{place} > $facts->{total};
	$at->{place} = 0 if $at->{place} < 0;
	return;
}

# Does a page carry on where the reader is?  That depends on the page's own facts, on
# whether any entries were given before, and on which of the page's entries were.
sub fits
{
	my ($at, $asked, $facts, $given, @known) = @_;
	my $start = $facts->{start};

	@$at{qw(limit cut)} = ($facts->{limit}, 1) if $facts->{limit} < $asked->[0];
	# If nothing has moved, the reader knows just the entries before its place.
	$at->{moved} = 1 if defined $at->{total} && ($at->{total} != $facts->{total} || $start > $at->{place}
		|| grep { !!$known[$_] != ($start + $_ < $at->{place}) } 0 .. $#known);
	my $fits = !$given || $known[0] || $start == 0 || !$at->overlaps;
	$at->look_elsewhere($facts) unless $fits;
	$at->{total} = $facts->{total};
	return $fits;
}

# Goes on after a page with so many entries, some of them new; true: that was the last page.
sub goes_to
{
	my ($at, $facts, $entries, $new) = @_;

	$at->{place} = $facts->{start} + $entries;
	return 1 if $at->{place} >= $at->{total};
	$at->{attempts} = 0 if $new;
	$at->count_attempt unless $new;
	return 0;
}

1;
