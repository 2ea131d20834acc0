/*-------------------------------------------------------------------------
 *
 * page_numbers.c
 *		Lists whose pages are numbered, and that change while they are read.
 *
 * A page is a slice of the list as it is at that moment.  When an entry in front of the
 * reader goes, all entries behind it move up by one, and the next page begins one entry
 * too late.  We promise all the same: every entry that is on the list during the whole
 * scan comes exactly once, or the scan fails.
 *
 * This is the proof.  Let X be an entry that was given, such that every entry in front
 * of X that stays on the list was given, too.  A page with X on it shows, in one moment,
 * the entries that follow X.  When we have given all entries behind X on that page, the
 * page's last entry is the new X.  Hence: a page with a known entry continues at the
 * reader's place, however the list has moved, and we give the unknown entries on it.  A
 * page without a known entry may have left a gap, so we do not use it: the reader steps
 * back until it finds a page that it knows, or the beginning of the list.  This only
 * needs an API whose entries keep their order and their ids.  (The known entry has to be
 * the first of its page: an entry that was taken off and put back elsewhere is known,
 * too, but would not show the place.)
 *
 * The proof does not depend on time: the order of two entries stays the same for as long
 * as both are on the list.  So we can ask for pages ahead, and the server may make them
 * in any order.  We plan them as if nothing moved.  Among the page sizes up to the
 * current one, we take a size with a page that begins in front of the reader and reaches
 * as far behind it as possible.  (No plan needs fewer requests.  A reader further back
 * in the list can take every page that a reader further in front can take, so the greedy
 * choice is the best.)  If we see a change, we use the pages under way as far as they
 * fit, and plan the others anew, with a wider overlap.
 *
 * With scan_check 'total', we assume without such a proof that pages fit together, and
 * read each page once, as long as the total stays the same and no entry comes in place
 * of another.  Then we do not see changes that cancel each other out.
 *
 * We take up a stored position of a list in the same way: with a page that overlaps with
 * the last page that was read.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "list/known_entries.h"
#include "list/page_numbers.h"
#include "request/remote_error.h"

/* After we saw the list change, pages overlap by a tenth of their entries; before, by one entry. */
#define OVERLAP_SHARE 10

/*
 * The smallest limit with which some page of that size, or of a smaller size, reaches over any
 * place of a list that we expect.  With 16, none reaches over the 720,720th entry, because all
 * numbers up to 16 divide that; with 17, this first happens at the 12,252,240th.
 */
#define MIN_OVERLAPPING_LIMIT 17

/* After this many pages in a row with nothing new, we give up the scan. */
#define MAX_ATTEMPTS 16

/* We ask for at most this many pages to find a stored position again. */
#define MAX_RESUMING 4

struct DncPageNumbers
{
	const DncOptions *options;
	const DncPaging *paging;
	int			limit;			/* largest page size to ask for */
	bool		is_cut;			/* the server gives no larger pages than limit */
	int64		place;			/* entries in front of the reader, when last seen */
	int64		total;			/* when last seen; -1: not yet */
	bool		moved;			/* we saw the list change */
	bool		resuming;		/* we have not yet found the place of a stored position */
	int			attempts;		/* pages in a row with nothing new */
	int64		given;			/* entries given so far */
	DncKnownEntries *known;		/* the entries that were given last */
};

/* The facts that a page tells about itself and about the list. */
typedef struct PageFacts
{
	int64		total;
	int64		start;			/* entries in front of the page */
	int			count;			/* entries on the page */
	DncEntryMark *marks;		/* marks of the page's entries */
	bool	   *known;			/* by index: the entry was given before */
} PageFacts;

/*
 * Begin to read a list; we only know its paging yet.  palloc'd in the current memory context;
 * *options must outlive it.
 */
DncPageNumbers *
dnc_page_numbers_begin(const DncOptions *options, const DncPaging *paging, int page_size)
{
	DncPageNumbers *reader = palloc0(sizeof(DncPageNumbers));

	reader->options = options;
	reader->paging = paging;
	reader->limit = page_size;
	reader->total = -1;
	reader->known = dnc_known_entries_make(options);
	return reader;
}

/* Begin at a stored position, with a page that overlaps with the last one. */
void
dnc_page_numbers_resume(DncPageNumbers *reader, const DncPosition *position)
{
	reader->place = position->place;
	reader->total = position->total;
	reader->moved = position->moved;
	reader->given = position->given;
	reader->resuming = true;
	dnc_known_entries_restore(reader->known, position->ids, position->given);
}

/* Must a page overlap with those before? */
static bool
has_to_overlap(const DncPageNumbers *reader)
{
	return reader->moved || reader->resuming ||
		reader->options->scan_check == DNC_SCAN_CHECK_REREAD;
}

/* The overlap on a list that moves, in entries. */
static int64
wide_overlap(const DncPageNumbers *reader)
{
	return Max(reader->limit / OVERLAP_SHARE, 1);
}

/* The largest page size that we ask for. */
static int
largest_limit(const DncPageNumbers *reader)
{
	if (reader->is_cut || !has_to_overlap(reader))
		return reader->limit;
	return Max(reader->limit, MIN_OVERLAPPING_LIMIT);
}

/*
 * Find the page that begins at least overlap entries in front of a place, and reaches as far
 * behind it as possible; limit 0: no page reaches over it.  With size m, page number k covers
 * the entries from (k - 1) m to k m.  Half of the largest size, or less, is never better: the
 * page of twice the size that ends there, or one smaller page later, does as well.
 */
static DncPageRequest
furthest_page(const DncPageNumbers *reader, int64 place, int64 overlap)
{
	int			largest = largest_limit(reader);
	DncPageRequest best = {.paging = reader->paging};
	int64		furthest = place;

	for (int size = largest; size > largest / 2; size--)
	{
		int64		number = (place - Min(overlap, place)) / size + 1;

		if (number * size > furthest)
		{
			furthest = number * size;
			best.limit = size;
			best.number = number;
		}
	}
	return best;
}

/*
 * The expected number of requests for a list with this many entries.  The first page has page_size
 * entries, even if pages that overlap must be larger.  Each of these falls short of its size by
 * 1.25 times the square root of the size, on average (counted for lists of up to 1,000 pages of 20
 * to 1,000 entries).
 */
double
dnc_page_numbers_expected(const DncOptions *options, double entries)
{
	double		first = options->page_size;
	double		size = Max(first, MIN_OVERLAPPING_LIMIT);

	if (entries <= first || options->scan_check != DNC_SCAN_CHECK_REREAD)
		return ceil(entries / first);
	return 1 + ceil((entries - first) / (size - 1.25 * sqrt(size)));
}

/* The page to ask for at a place; limit 0: no page reaches over it. */
static DncPageRequest
plan_page(const DncPageNumbers *reader, int64 place)
{
	DncPageRequest page = {0};

	if (!has_to_overlap(reader))
		return furthest_page(reader, place, 0);
	if (reader->moved || reader->resuming)
		page = furthest_page(reader, place, wide_overlap(reader));
	return page.limit > 0 ? page : furthest_page(reader, place, 1);
}

/* Raise the error for a list that does not settle. */
static void
give_up(const DncPageNumbers *reader)
{
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("the list of server \"%s\" kept changing while it was read",
					reader->options->server_name),
			 errdetail("%d pages in a row did not fit what was read before.", MAX_ATTEMPTS),
			 errhint("Run the query again. A larger page_size leaves less room for changes.")));
}

/* Raise the error for a place of the reader that no page reaches over. */
static void
refuse_small_pages(const DncPageNumbers *reader)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("the pages of server \"%s\" are too small to overlap",
					reader->options->server_name),
			 errdetail("The server gives %d entries a page at the most, and all pages of that size and smaller ones end at entry %lld or in front of it.",
					   reader->limit, (long long) reader->place),
			 errhint("Set scan_check to \"total\" to read pages that do not overlap. Changes that leave the total as it is are not seen then.")));
}

/*
 * The page to ask for next; with behind, the page after that one, which was asked for ahead.
 * Limit 0: there is none.  Raises 0A000 if pages must overlap and are too small for that.
 */
DncPageRequest
dnc_page_numbers_request(const DncPageNumbers *reader, const DncPageRequest *behind)
{
	DncPageRequest next = {0};

	if (behind)
	{
		int64		place = behind->number * behind->limit;

		return place < reader->total ? plan_page(reader, place) : next;
	}
	next = plan_page(reader, reader->place);
	if (next.limit == 0)
		refuse_small_pages(reader);
	return next;
}

/*
 * Is a page that we asked for ahead still useful?  It must reach over the place of the reader,
 * as far as we know that place.  We see whether it fits when it has come.
 */
bool
dnc_page_numbers_wants(const DncPageNumbers *reader, const DncPageRequest *asked)
{
	int64		start = (asked->number - 1) * asked->limit;

	return asked->limit <= largest_limit(reader) && start + asked->limit > reader->place &&
		(start == 0 || start < reader->place + !has_to_overlap(reader));
}

/* The page with this number, in the current size. */
DncPageRequest
dnc_page_numbers_page(const DncPageNumbers *reader, int64 number)
{
	return (DncPageRequest) {.limit = reader->limit, .paging = reader->paging, .number = number};
}

/* A number that the answer must have. */
static int64
required_count(const DncPageNumbers *reader, const DncJson *answer, const char *path)
{
	const DncJson *json = dnc_json_get(answer, path);
	int64		count = 0;

	if (json == NULL || !dnc_json_count(json, &count))
		dnc_remote_error_contract(reader->options,
								  "The answer's \"%s\" is missing or not a whole number.", path);
	return count;
}

/*
 * Count the entries of a page, and find those that were given before.  Raises 08P01 for an
 * entry without an id.
 */
static void
find_known(const DncPageNumbers *reader, const DncPage *page, PageFacts *facts)
{
	const DncJson *entry = page->first;

	facts->marks = dnc_known_entries_marks(reader->known, page, &facts->count);
	facts->known = palloc(sizeof(bool) * Max(facts->count, 1));
	for (int i = 0; i < facts->count; i++, entry = dnc_json_next(entry))
	{
		if (facts->marks[i].id == 0)
			(void) dnc_page_id(reader->options, entry);
		facts->known[i] = dnc_known_entries_has(reader->known, &facts->marks[i]);
	}
}

/* Does the number of entries on a page agree with the size of the list? */
static void
check_count(const DncPageNumbers *reader, const PageFacts *facts, int64 limit)
{
	if (facts->count > limit)
		dnc_remote_error_contract(reader->options, "A page of %lld entries has %d.",
								  (long long) limit, facts->count);
	if (facts->start + facts->count > facts->total && facts->count > 0)
		dnc_remote_error_contract(reader->options,
								  "The answer counts %lld entries, but entry %lld is on its page: that does not add up.",
								  (long long) facts->total,
								  (long long) (facts->start + facts->count));
	if (facts->count < limit && facts->start + facts->count < facts->total)
		dnc_remote_error_contract(reader->options,
								  "A page of %lld entries has %d, and is not the last one: that does not add up.",
								  (long long) limit, facts->count);
}

/* Read the facts of a page, and check that they agree with each other. */
static PageFacts
read_facts(DncPageNumbers *reader, const DncPageRequest *asked, const DncJson *answer,
		   const DncPage *page)
{
	const DncPaging *paging = reader->paging;
	int64		number = required_count(reader, answer, paging->page);
	int64		limit = required_count(reader, answer, paging->limit);
	int64		pages = required_count(reader, answer, paging->pages);
	PageFacts	facts = {0};

	facts.total = required_count(reader, answer, paging->total);
	if (number != asked->number)
		dnc_remote_error_contract(reader->options,
								  "Page %lld was asked for, and the answer is page %lld.",
								  (long long) asked->number, (long long) number);
	if (limit < 1 || limit > PG_INT32_MAX)
		dnc_remote_error_contract(reader->options, "The answer's \"%s\" is %lld.", paging->limit,
								  (long long) limit);
	if (pages != (facts.total + limit - 1) / limit && !(facts.total == 0 && pages == 1))
		dnc_remote_error_contract(reader->options,
								  "The answer counts %lld entries and %lld pages of %lld: that does not add up.",
								  (long long) facts.total, (long long) pages, (long long) limit);

	/* We accept a server that gives smaller pages than we ask for. */
	if (limit < asked->limit)
	{
		reader->limit = (int) limit;
		reader->is_cut = true;
	}
	facts.start = (number - 1) * limit;
	find_known(reader, page, &facts);
	check_count(reader, &facts, limit);
	return facts;
}

/*
 * Does a page look as it would if the list had not moved?  The total must be the same, the page
 * must not begin behind the reader, and exactly those of its entries must be known that are in
 * front of the reader.
 */
static bool
looks_unmoved(const DncPageNumbers *reader, const PageFacts *facts)
{
	if (facts->total != reader->total || facts->start > reader->place)
		return false;
	for (int64 i = 0; i < facts->count; i++)
	{
		if (facts->known[i] != (facts->start + i < reader->place))
			return false;
	}
	return true;
}

/*
 * Does a page continue at the reader's place?  It does if its first entry is known; or if it is
 * the beginning of the list and we have forgotten none of the given entries; or if pages need
 * not overlap.
 */
static bool
carries_on(const DncPageNumbers *reader, const PageFacts *facts)
{
	if (facts->count > 0 && facts->known[0])
		return true;
	if (facts->start == 0)
		return facts->total == 0 || !dnc_known_entries_forgot(reader->known);
	return !has_to_overlap(reader);
}

/* A page had nothing new: give up after too many in a row. */
static void
count_attempt(DncPageNumbers *reader)
{
	if (++reader->attempts > MAX_ATTEMPTS)
		give_up(reader);
}

/*
 * A page did not fit: choose another place to look for a known entry.  First we assume that all
 * entries that came or went, by the totals, were in front of the reader, and look there with
 * the wide overlap.  Then we step back, further each time.  The first step is only a part of a
 * page, because we know only the last page of a stored position.  DNC_PAGE_LOST: we cannot find
 * the place of a stored position within the pages that we are willing to ask for.
 */
static DncPageFit
look_elsewhere(DncPageNumbers *reader, const PageFacts *facts)
{
	int64		change = facts->total - reader->total;
	bool		was_wide = reader->place - facts->start >= wide_overlap(reader);

	if (reader->resuming && (reader->place == 0 || reader->attempts + 1 >= MAX_RESUMING))
		return DNC_PAGE_LOST;
	count_attempt(reader);
	reader->moved = true;
	reader->place += change;
	if (was_wide && (change == 0 || reader->attempts > 1))
		reader->place -= Max(((int64) reader->limit << reader->attempts) / 8, 1);
	reader->place = Max(Min(reader->place, facts->total), 0);
	return DNC_PAGE_UNFIT;
}

/* Remember the entries of a page that we give now. */
static void
give_entries(DncPageNumbers *reader, const PageFacts *facts)
{
	for (int i = 0; i < facts->count; i++)
	{
		if (facts->known[i])
			continue;
		reader->given++;
		if (!dnc_known_entries_add(reader->known, &facts->marks[i]))
			dnc_remote_error_contract(reader->options, "A page has an entry twice.");
	}
}

/*
 * Take the page that was asked for.  DNC_PAGE_UNFIT: it does not fit the pages before, so ask
 * for another one.  DNC_PAGE_LOST: we cannot take up a stored position.  Otherwise
 * page->given[i] says whether the i-th entry was given before (palloc'd in the current
 * context), and *at_end says whether the list ends with this page.
 *
 * Raises 08P01 for a page that contradicts itself, and 40001 if the list does not settle.
 */
DncPageFit
dnc_page_numbers_accept(DncPageNumbers *reader, const DncPageRequest *asked,
						const DncJson *answer, DncPage *page, bool *at_end)
{
	PageFacts	facts;
	int64		before = reader->given;
	DncPageFit	fit = DNC_PAGE_TAKEN;

	facts = read_facts(reader, asked, answer, page);
	if (reader->total >= 0 && !looks_unmoved(reader, &facts))
		reader->moved = true;
	if (reader->given > 0 && !carries_on(reader, &facts))
		fit = look_elsewhere(reader, &facts);
	reader->total = facts.total;
	if (fit != DNC_PAGE_TAKEN)
		return fit;

	give_entries(reader, &facts);
	reader->resuming = false;
	reader->place = facts.start + facts.count;
	page->given = facts.known;
	*at_end = reader->place >= reader->total;
	if (reader->given > before)
		reader->attempts = 0;
	else if (!*at_end)
		count_attempt(reader);
	return DNC_PAGE_TAKEN;
}

/* Check a page that we do not take, and note the list's total from it. */
void
dnc_page_numbers_note(DncPageNumbers *reader, const DncPageRequest *asked, const DncJson *answer,
					  const DncPage *page)
{
	reader->total = read_facts(reader, asked, answer, page).total;
	if (reader->limit < asked->limit)
		dnc_remote_error_contract(reader->options, "Pages had %d entries, and now have %d.", asked->limit, reader->limit);
}

/* Store in a position what we know about the list. */
void
dnc_page_numbers_position(const DncPageNumbers *reader, DncPosition *position)
{
	position->page_size = reader->limit;
	position->place = reader->place;
	position->total = reader->total;
	position->moved = reader->moved;
}

/* The size of the list, according to the last page. */
int64
dnc_page_numbers_total(const DncPageNumbers *reader)
{
	return reader->total;
}

/* The number of the list's pages, in the current page size. */
int64
dnc_page_numbers_pages(const DncPageNumbers *reader)
{
	return (reader->total + reader->limit - 1) / reader->limit;
}
