/*-------------------------------------------------------------------------
 *
 * page_numbers.c
 *		Lists whose pages are numbered, and that change while they are read.
 *
 * A page is a slice of the list as it is at that moment.  When an entry in
 * front of the reader goes, all behind it move up by one, and the next page
 * begins one entry too late.  What is wanted all the same: every entry that is
 * on the list during the whole scan comes exactly once, or the scan fails.
 *
 * What can be relied on is this.  Let X be an entry that was given, such that
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
 * Known entries are remembered by 128 bits of hash, the latest few thousand of
 * them: enough to find one's place, and no more memory for a longer list.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/hsearch.h"

#include "list/page_numbers.h"
#include "request/remote_error.h"

/* Entries that are remembered: several times the largest page. */
#define WINDOW 8192

/* Where pages overlap, one in so many entries is read twice, but at least one. */
#define OVERLAP_SHARE 10

/* The smallest page on which an overlap leaves room for something new. */
#define MIN_OVERLAPPING_LIMIT 10

/* Pages in a row that bring nothing before the scan is given up. */
#define MAX_ATTEMPTS 16

typedef struct EntryKey
{
	uint64		hash[2];
} EntryKey;

struct DncPageNumbers
{
	MemoryContext context;
	const DncOptions *options;
	const char *id_name;		/* member of an entry that holds its id */
	DncPageRequest asked;		/* the page at hand */
	int			limit;			/* page size to ask for at the most */
	int64		position;		/* entries in front of the reader, when last seen */
	int64		total;			/* when last seen; -1: not yet */
	bool		overlapping;	/* pages have to overlap */
	int			attempts;		/* pages in a row that brought nothing */
	HTAB	   *known;
	EntryKey   *window;			/* ring of what is in known */
	int64		given;			/* entries that were ever put there */
};

/* What a page says of itself. */
typedef struct PageFacts
{
	int64		total;
	int64		start;			/* entries in front of the page */
	int64		count;			/* entries on the page */
	bool	   *known;			/* by index: was given before */
} PageFacts;

/*
 * Begin to read a list, of which nothing is known yet.  Belongs to the current
 * memory context.
 */
DncPageNumbers *
dnc_page_numbers_begin(const DncOptions *options)
{
	DncPageNumbers *numbered = palloc0(sizeof(DncPageNumbers));
	HASHCTL		ctl = {.keysize = sizeof(EntryKey), .entrysize = sizeof(EntryKey),
	.hcxt = CurrentMemoryContext};

	numbered->context = CurrentMemoryContext;
	numbered->options = options;
	numbered->id_name = dnc_provider_field(options->provider, DNC_COL_ID)->name;
	numbered->limit = options->page_size;
	numbered->total = -1;
	numbered->overlapping = options->scan_check == DNC_SCAN_CHECK_REREAD;
	numbered->known = hash_create("dnc_fdw known entries", 256, &ctl,
								  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	return numbered;
}

/*
 * The page that reaches from in front of the reader as far behind as can be:
 * for a size m, page number k covers the entries from (k - 1) m to k m.
 */
static DncPageRequest
choose_overlapping(int64 position, int limit)
{
	DncPageRequest best = {.limit = limit, .number = 1};
	int64		overlap = Min(Max(limit / OVERLAP_SHARE, 1), position);
	int64		furthest = position;

	if (position == 0)
		return best;
	for (int size = limit; size > limit / 2 && size > 1; size--)
	{
		int64		number = (position - overlap) / size + 1;

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
 * The next page to ask for, or so many ahead of it, as far as that is known: only
 * as long as nothing has moved.
 */
DncPageRequest
dnc_page_numbers_request(const DncPageNumbers *numbered, int ahead)
{
	DncPageRequest request = {.limit = numbered->limit,
	.number = numbered->position / numbered->limit + 1 + ahead};

	if (numbered->overlapping && ahead == 0)
		return choose_overlapping(numbered->position,
								  Max(numbered->limit, MIN_OVERLAPPING_LIMIT));
	if (ahead > 0 &&
		(numbered->overlapping || (request.number - 1) * request.limit >= numbered->total))
		request.limit = 0;
	return request;
}

/* A number that the answer has to have. */
static int64
required_count(DncPageNumbers *numbered, const DncJson *answer, const char *path)
{
	const DncJson *json = dnc_json_get(answer, path);
	int64		count = 0;

	if (json == NULL || !dnc_json_count(json, &count))
		dnc_remote_error_contract(numbered->options,
								  "The answer's \"%s\" is missing or not a whole number.", path);
	return count;
}

/* The key of an entry: its id. */
static EntryKey
entry_key(DncPageNumbers *numbered, const DncJson *entry)
{
	const DncJson *id = dnc_json_get(entry, numbered->id_name);
	const unsigned char *text;
	EntryKey	key;

	if (id == NULL || dnc_json_kind(id) != DNC_JSON_STRING)
		dnc_remote_error_contract(numbered->options, "An entry's \"%s\" is missing or not a string.",
								  numbered->id_name);
	text = (const unsigned char *) dnc_json_string(id);
	key.hash[0] = hash_bytes_extended(text, strlen((const char *) text), 0);
	key.hash[1] = hash_bytes_extended(text, strlen((const char *) text), 1);
	return key;
}

/* Remember an entry that is given, and forget the oldest if need be. */
static void
remember_entry(DncPageNumbers *numbered, EntryKey key)
{
	EntryKey   *place;
	bool		found;

	if (numbered->window == NULL)
		numbered->window = MemoryContextAlloc(numbered->context, sizeof(EntryKey) * WINDOW);
	place = &numbered->window[numbered->given % WINDOW];
	if (numbered->given >= WINDOW)
		hash_search(numbered->known, place, HASH_REMOVE, NULL);
	*place = key;
	numbered->given++;
	hash_search(numbered->known, &key, HASH_ENTER, &found);
	if (found)
		dnc_remote_error_contract(numbered->options, "A page has an entry twice.");
}

/* Read what a page says of itself, and check that it can be. */
static PageFacts
read_facts(DncPageNumbers *numbered, const DncPaging *paging, const DncJson *answer,
		   const DncJson *entries)
{
	int64		number = required_count(numbered, answer, paging->page);
	int64		limit = required_count(numbered, answer, paging->limit);
	int64		pages = required_count(numbered, answer, paging->pages);
	PageFacts	facts = {0};
	int			capacity = 128;

	facts.total = required_count(numbered, answer, paging->total);
	if (number != numbered->asked.number)
		dnc_remote_error_contract(numbered->options,
								  "Page %lld was asked for, and the answer is page %lld.",
								  (long long) numbered->asked.number, (long long) number);
	if (limit < 1 || limit > PG_INT32_MAX)
		dnc_remote_error_contract(numbered->options, "The answer's \"%s\" is %lld.", paging->limit,
								  (long long) limit);
	if (pages != (facts.total + limit - 1) / limit && !(facts.total == 0 && pages == 1))
		dnc_remote_error_contract(numbered->options,
								  "The answer counts %lld entries and %lld pages of %lld: that does not add up.",
								  (long long) facts.total, (long long) pages, (long long) limit);

	/* A server that gives smaller pages than asked for is believed. */
	if (limit < numbered->asked.limit)
		numbered->limit = limit;
	facts.start = (number - 1) * limit;
	facts.known = palloc(sizeof(bool) * capacity);
	for (const DncJson *entry = dnc_json_first(entries); entry; entry = dnc_json_next(entry))
	{
		EntryKey	key = entry_key(numbered, entry);

		if (facts.count == capacity)
			facts.known = repalloc(facts.known, sizeof(bool) * (capacity *= 2));
		facts.known[facts.count++] = hash_search(numbered->known, &key, HASH_FIND, NULL) != NULL;
	}
	if (facts.count > limit)
		dnc_remote_error_contract(numbered->options, "A page of %lld entries has %lld.",
								  (long long) limit, (long long) facts.count);
	if (facts.start + facts.count > facts.total && facts.count > 0)
		dnc_remote_error_contract(numbered->options,
								  "The answer counts %lld entries, but entry %lld is on its page: that does not add up.",
								  (long long) facts.total, (long long) (facts.start + facts.count));
	if (facts.count < limit && facts.start + facts.count < facts.total)
		dnc_remote_error_contract(numbered->options,
								  "A page of %lld entries has %lld, and is not the last one: that does not add up.",
								  (long long) limit, (long long) facts.count);
	return facts;
}

/*
 * Is a page just what it is on a list that has not moved?  The total is the
 * same, the page does not begin behind the reader, and of its entries those in
 * front of the reader are known, and no others.
 */
static bool
looks_unmoved(const DncPageNumbers *numbered, const PageFacts *facts)
{
	if (facts->total != numbered->total || facts->start > numbered->position)
		return false;
	for (int64 i = 0; i < facts->count; i++)
	{
		if (facts->known[i] != (facts->start + i < numbered->position))
			return false;
	}
	return true;
}

/*
 * Does a page carry on where the reader is?  Either its first entry is known,
 * or it is the beginning of the list and nothing that was given is forgotten,
 * or nothing has changed that one can see.
 */
static bool
carries_on(const DncPageNumbers *numbered, const PageFacts *facts)
{
	if (facts->count > 0 && facts->known[0])
		return true;
	if (facts->start == 0)
		return numbered->given <= WINDOW;
	return !numbered->overlapping;
}

/* A page that brought nothing: give up when there were too many in a row. */
static void
count_attempt(DncPageNumbers *numbered)
{
	if (++numbered->attempts <= MAX_ATTEMPTS)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("the list of server \"%s\" kept changing while it was read",
					numbered->options->server_name),
			 errdetail("%d pages in a row did not fit what was read before.", MAX_ATTEMPTS),
			 errhint("Run the query again. A larger page_size leaves less room for changes.")));
}

/* Step back, further with each time, to find an entry that is known. */
static void
step_back(DncPageNumbers *numbered)
{
	int64		step = (int64) numbered->limit << Min(numbered->attempts, 20);

	count_attempt(numbered);
	numbered->overlapping = true;
	numbered->position = Max(numbered->position - step, 0);
}

/*
 * Take the page that was asked for.  False: it does not fit what was read
 * before, another has to be asked for.  Otherwise (*given)[i] says whether the
 * i-th entry was given before (palloc'd in the current context), and *at_end
 * whether the list ends with this page.
 *
 * Raises 08P01 for a page that contradicts itself, 40001 where the list does
 * not settle.
 */
bool
dnc_page_numbers_accept(DncPageNumbers *numbered, DncPageRequest asked, const DncPaging *paging,
						const DncJson *answer, const DncJson *entries, const bool **given,
						bool *at_end)
{
	PageFacts	facts;
	int64		before = numbered->given;
	bool		fits;
	int			i = 0;

	numbered->asked = asked;
	facts = read_facts(numbered, paging, answer, entries);
	if (numbered->total >= 0 && !looks_unmoved(numbered, &facts))
		numbered->overlapping = true;
	fits = numbered->given == 0 || carries_on(numbered, &facts);
	numbered->total = facts.total;
	if (!fits)
	{
		step_back(numbered);
		return false;
	}

	for (const DncJson *entry = dnc_json_first(entries); entry; entry = dnc_json_next(entry))
	{
		if (!facts.known[i++])
			remember_entry(numbered, entry_key(numbered, entry));
	}
	numbered->position = facts.start + facts.count;
	*given = facts.known;
	*at_end = numbered->position >= numbered->total;
	if (numbered->given > before)
		numbered->attempts = 0;
	else if (!*at_end)
		count_attempt(numbered);
	return true;
}

/* How many entries the list has, as the last page said. */
int64
dnc_page_numbers_total(const DncPageNumbers *numbered)
{
	return numbered->total;
}

/* How many pages that makes, in the size in force. */
int64
dnc_page_numbers_pages(const DncPageNumbers *numbered)
{
	return (numbered->total + numbered->limit - 1) / numbered->limit;
}
