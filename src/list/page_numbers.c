/*-------------------------------------------------------------------------
 *
 * page_numbers.c
 *		Lists whose pages are reader, and that change while they are read.
 *
 * A page is a slice of the list as it is at that moment.  When an entry in
 * front of the reader goes, all behind it move up by one, and the next page
 * begins one entry too late.  We promise all the same: every entry that is on the
 * list during the whole scan comes exactly once, or the scan fails.
 *
 * The proof is this.  Let X be an entry that was given, such that
 * every entry in front of X that stays on the list was given too.  A page that
 * has X on it shows, in one moment, what follows X; so when all behind X on
 * that page is given, the last entry of the page is the new X.  Hence: a page
 * on which an entry is known, however the list has moved, carries on where the
 * reader was, and what is not known on it is given.  A page on which none is
 * known may have left a gap, and is not used: the reader steps back until it
 * finds one that it knows, or the beginning of the list.  This needs no more of
 * the API than that entries keep their order and their ids.  (The known entry
 * has to be the first of its page: an entry that was taken off and put back
 * elsewhere is known too, but would not show the place.)
 *
 * As long as the total stays the same (scan_check 'total') and no entry comes
 * where another was, pages are taken to fit together without such a proof, and
 * each is read once.  When something has changed, and from the beginning with
 * scan_check 'reread', pages are chosen to overlap: of the page sizes up to the
 * one in force one is taken that has a page reaching from a little in front of
 * the reader as far behind as can be.
 *
 * A list whose position was stored is taken up again in the same way: by a page that
 * overlaps with the last one that was read.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "list/known_entries.h"
#include "list/page_numbers.h"
#include "request/remote_error.h"

/* Where pages overlap, one in so many entries is read twice, but at least one. */
#define OVERLAP_SHARE 10

/* The smallest page on which an overlap leaves room for something new. */
#define MIN_OVERLAPPING_LIMIT 10

/* Pages in a row that bring nothing before the scan is given up. */
#define MAX_ATTEMPTS 16

/* Pages that are asked for to find a stored position again. */
#define MAX_RESUMING 4

struct DncPageNumbers
{
	const DncOptions *options;
	const DncPaging *paging;
	int			limit;			/* page size to ask for at the most */
	int64		place;			/* entries in front of the reader, when last seen */
	int64		total;			/* when last seen; -1: not yet */
	bool		overlapping;	/* pages have to overlap */
	bool		resuming;		/* the place of a stored position was not found yet */
	int			attempts;		/* pages in a row that brought nothing */
	int64		given;			/* entries so far */
	DncKnownEntries *known;		/* the last of them */
};

/* The facts that a page tells of itself and of the list. */
typedef struct PageFacts
{
	int64		total;
	int64		start;			/* entries in front of the page */
	int64		count;			/* entries on the page */
	bool	   *known;			/* by index: was given before */
} PageFacts;

/*
 * Begin to read a list, of which nothing is known yet but its paging.  palloc'd in the
 * current memory context; *options must outlive it.
 */
DncPageNumbers *
dnc_page_numbers_begin(const DncOptions *options, const DncPaging *paging, int page_size)
{
	DncPageNumbers *reader = palloc0(sizeof(DncPageNumbers));

	reader->options = options;
	reader->paging = paging;
	reader->limit = page_size;
	reader->total = -1;
	reader->overlapping = options->scan_check == DNC_SCAN_CHECK_REREAD;
	reader->known = dnc_known_entries_make();
	return reader;
}

/* Begin at a stored position, with a page that overlaps with the last one. */
void
dnc_page_numbers_resume(DncPageNumbers *reader, const DncPosition *position)
{
	reader->place = position->place;
	reader->total = position->total;
	reader->overlapping = reader->overlapping || position->moved;
	reader->given = position->given;
	reader->resuming = true;
	dnc_known_entries_restore(reader->known, position->ids, position->given);
}

/*
 * The page that reaches from in front of the reader as far behind as can be:
 * for a size m, page number k covers the entries from (k - 1) m to k m.
 */
static DncPageRequest
choose_overlapping(const DncPageNumbers *reader)
{
	int			limit = Max(reader->limit, MIN_OVERLAPPING_LIMIT);
	DncPageRequest best = {.limit = limit, .paging = reader->paging, .number = 1};
	int64		overlap = Min(Max(limit / OVERLAP_SHARE, 1), reader->place);
	int64		furthest = reader->place;

	if (reader->place == 0)
		return best;
	for (int size = limit; size > limit / 2 && size > 1; size--)
	{
		int64		number = (reader->place - overlap) / size + 1;

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
 * The page to ask for next, or so many pages ahead of it; limit 0: there is none, or it
 * is not known.  Pages ahead are known only as long as nothing has moved.
 */
DncPageRequest
dnc_page_numbers_request(const DncPageNumbers *reader, int ahead)
{
	bool		overlapping = reader->overlapping || reader->resuming;
	DncPageRequest next = dnc_page_numbers_page(reader, reader->place / reader->limit + 1 + ahead);

	if (overlapping && ahead == 0)
		return choose_overlapping(reader);
	if (ahead > 0 && (overlapping || (next.number - 1) * next.limit >= reader->total))
		next.limit = 0;
	return next;
}

/* The page of some number, in the size in force. */
DncPageRequest
dnc_page_numbers_page(const DncPageNumbers *reader, int64 number)
{
	DncPageRequest page = {.limit = reader->limit, .paging = reader->paging, .number = number};

	return page;
}

/* A number that the answer has to have. */
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

/* Find out how many entries a page has, and which of them were given before. */
static void
find_known(const DncPageNumbers *reader, const DncPage *page, PageFacts *facts)
{
	int			capacity = 128;

	facts->known = palloc(sizeof(bool) * capacity);
	for (const DncJson *entry = page->first; entry; entry = dnc_json_next(entry))
	{
		if (facts->count == capacity)
			facts->known = repalloc(facts->known, sizeof(bool) * (capacity *= 2));
		facts->known[facts->count++] =
			dnc_known_entries_has(reader->known, dnc_page_id(reader->options, entry));
	}
}

/* Does the number of entries on a page agree with the size of the list? */
static void
check_count(const DncPageNumbers *reader, const PageFacts *facts, int64 limit)
{
	if (facts->count > limit)
		dnc_remote_error_contract(reader->options, "A page of %lld entries has %lld.",
								  (long long) limit, (long long) facts->count);
	if (facts->start + facts->count > facts->total && facts->count > 0)
		dnc_remote_error_contract(reader->options,
								  "The answer counts %lld entries, but entry %lld is on its page: that does not add up.",
								  (long long) facts->total,
								  (long long) (facts->start + facts->count));
	if (facts->count < limit && facts->start + facts->count < facts->total)
		dnc_remote_error_contract(reader->options,
								  "A page of %lld entries has %lld, and is not the last one: that does not add up.",
								  (long long) limit, (long long) facts->count);
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

	/* A server that gives smaller pages than asked for is believed. */
	if (limit < asked->limit)
		reader->limit = (int) limit;
	facts.start = (number - 1) * limit;
	find_known(reader, page, &facts);
	check_count(reader, &facts, limit);
	return facts;
}

/*
 * Does a page look as it would on a list that has not moved?  The total is the
 * same, the page does not begin behind the reader, and of its entries those in
 * front of the reader are known, and no others.
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
 * Does a page carry on where the reader is?  Either its first entry is known,
 * or it is the beginning of the list and nothing that was given is forgotten,
 * or we can see no change.
 */
static bool
carries_on(const DncPageNumbers *reader, const PageFacts *facts)
{
	if (facts->count > 0 && facts->known[0])
		return true;
	if (facts->start == 0)
		return !dnc_known_entries_forgot(reader->known);
	return !reader->overlapping && !reader->resuming;
}

/* A page that brought nothing: give up when there were too many in a row. */
static void
count_attempt(DncPageNumbers *reader)
{
	if (++reader->attempts <= MAX_ATTEMPTS)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("the list of server \"%s\" kept changing while it was read",
					reader->options->server_name),
			 errdetail("%d pages in a row did not fit what was read before.", MAX_ATTEMPTS),
			 errhint("Run the query again. A larger page_size leaves less room for changes.")));
}

/*
 * Step back, further with each time, to find an entry that is known.  DNC_PAGE_LOST: the
 * place of a stored position is not there any more, as far as we look.
 */
static DncPageFit
step_back(DncPageNumbers *reader)
{
	int64		step = (int64) reader->limit << Min(reader->attempts, 20);

	if (reader->resuming && (reader->place == 0 || reader->attempts + 1 >= MAX_RESUMING))
		return DNC_PAGE_LOST;
	count_attempt(reader);
	reader->overlapping = true;
	reader->place = Max(reader->place - step, 0);
	return DNC_PAGE_UNFIT;
}

/* Remember the entries of a page that are given now. */
static void
give_entries(DncPageNumbers *reader, const PageFacts *facts, const DncPage *page)
{
	int			i = 0;

	for (const DncJson *entry = page->first; entry; entry = dnc_json_next(entry))
	{
		if (facts->known[i++])
			continue;
		reader->given++;
		if (!dnc_known_entries_add(reader->known, dnc_page_id(reader->options, entry)))
			dnc_remote_error_contract(reader->options, "A page has an entry twice.");
	}
}

/*
 * Take the page that was asked for.  DNC_PAGE_UNFIT: it does not fit what was read
 * before, another has to be asked for.  DNC_PAGE_LOST: a stored position cannot be taken
 * up again.  Otherwise page->given[i] says whether the i-th entry was given before
 * (palloc'd in the current context), and *at_end whether the list ends with this page.
 *
 * Raises 08P01 for a page that contradicts itself, 40001 where the list does
 * not settle.
 */
DncPageFit
dnc_page_numbers_accept(DncPageNumbers *reader, const DncPageRequest *asked,
						const DncJson *answer, DncPage *page, bool *at_end)
{
	PageFacts	facts;
	int64		before = reader->given;
	bool		fits;

	facts = read_facts(reader, asked, answer, page);
	if (reader->total >= 0 && !looks_unmoved(reader, &facts))
		reader->overlapping = true;
	fits = reader->given == 0 || carries_on(reader, &facts);
	reader->total = facts.total;
	if (!fits)
		return step_back(reader);

	give_entries(reader, &facts, page);
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

/* Note what a position has to know of the list. */
void
dnc_page_numbers_position(const DncPageNumbers *reader, DncPosition *position)
{
	position->page_size = reader->limit;
	position->place = reader->place;
	position->total = reader->total;
	position->moved = reader->overlapping;
}

/* How many entries the list has, as the last page said. */
int64
dnc_page_numbers_total(const DncPageNumbers *reader)
{
	return reader->total;
}

/* How many pages that makes, in the size in force. */
int64
dnc_page_numbers_pages(const DncPageNumbers *reader)
{
	return (reader->total + reader->limit - 1) / reader->limit;
}
