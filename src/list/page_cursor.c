/*-------------------------------------------------------------------------
 *
 * page_cursor.c
 *		Lists in which each page carries the cursor of the next one.
 *
 * A page says whether the list goes on, and where.  A page must not lead back to a page
 * that was read before.  Some APIs also give a total: as long as it does not change, the
 * entries must add up to it.
 *
 * Some cursors count pages.  If entries come at the front of such a list, the next page
 * begins with entries that we have given already.  So we compare each page with those
 * before, and give each entry once.  If many pages in a row have nothing new, we give
 * up: such a list has no end that we could reach.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/hsearch.h"

#include "list/known_entries.h"
#include "list/page_cursor.h"
#include "request/remote_error.h"

/* The longest cursor, in bytes.  No server accepts the URL that a longer cursor makes. */
#define MAX_CURSOR 8192

/* After this many pages in a row with nothing new, we give up the list. */
#define MAX_BARREN 16

struct DncPageCursor
{
	MemoryContext context;
	const DncOptions *options;
	const DncPaging *paging;
	int			page_size;
	char	   *cursor;			/* of the next page, UTF-8; NULL: the next page is the first one */
	HTAB	   *cursors;		/* hashes of all cursors so far */
	int64		given;			/* entries so far, each once */
	int64		total;			/* from the first answer; -1: none */
	bool		moved;			/* we saw the list change */
	bool		resuming;		/* we have yet to read the last page of a stored position again */
	int			barren;			/* pages in a row with nothing new */
	DncKnownEntries *known;		/* the entries that were given last */
};

/*
 * Begin to read a list; we only know its paging yet.  palloc'd in the current memory context;
 * *options must outlive it.
 */
DncPageCursor *
dnc_page_cursor_begin(const DncOptions *options, const DncPaging *paging, int page_size)
{
	DncPageCursor *reader = palloc0(sizeof(DncPageCursor));
	HASHCTL		ctl = {.keysize = sizeof(uint64), .entrysize = sizeof(uint64),
	.hcxt = CurrentMemoryContext};

	reader->context = CurrentMemoryContext;
	reader->options = options;
	reader->paging = paging;
	reader->page_size = page_size;
	reader->total = -1;
	reader->known = dnc_known_entries_make(options);
	reader->cursors = hash_create("dnc_fdw cursors", 64, &ctl,
								  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	return reader;
}

/* A cursor's hash: small, and exact enough to notice a cursor that comes again. */
static uint64
cursor_hash(const char *cursor)
{
	return hash_bytes_extended((const unsigned char *) cursor, (int) strlen(cursor), 0);
}

/* Did a cursor come before? */
static bool
knows_cursor(const DncPageCursor *reader, const char *cursor)
{
	uint64		hash = cursor_hash(cursor);

	return hash_search(reader->cursors, &hash, HASH_FIND, NULL) != NULL;
}

/* Go on to the page that a cursor leads to. */
static void
set_cursor(DncPageCursor *reader, const char *cursor)
{
	uint64		hash = cursor_hash(cursor);

	(void) hash_search(reader->cursors, &hash, HASH_ENTER, NULL);
	if (reader->cursor)
		pfree(reader->cursor);
	reader->cursor = MemoryContextStrdup(reader->context, cursor);
}

/* Begin with the last page of a stored position, to read it again. */
void
dnc_page_cursor_resume(DncPageCursor *reader, const DncPosition *position)
{
	MemoryContext before = MemoryContextSwitchTo(reader->context);

	if (position->cursor)
		set_cursor(reader, position->cursor);
	reader->given = position->given;
	reader->total = position->total;
	reader->moved = position->moved;
	reader->resuming = true;
	dnc_known_entries_restore(reader->known, position->ids, position->given);
	MemoryContextSwitchTo(before);
}

/* The page to ask for next. */
DncPageRequest
dnc_page_cursor_request(const DncPageCursor *reader)
{
	DncPageRequest next = {.limit = reader->page_size, .paging = reader->paging,
	.cursor = reader->cursor};

	return reader->cursor ? next : dnc_request_first_page(reader->options, reader->page_size);
}

/*
 * Guess the request for the page after one that has come, but is not parsed yet; limit 0: not
 * known.  Then the server can make that page while we make this page's tree.  The cursor is a
 * guess until we accept the page.  For a well-formed page, this is exactly the request that
 * dnc_page_cursor_request() then gives.  palloc'd in the current context.
 */
DncPageRequest
dnc_page_cursor_guess(const DncPageCursor *reader, DncAnswer *answer)
{
	DncPageRequest guess = {.limit = reader->page_size, .paging = reader->paging};
	DncPageRequest none = {0};
	const char *more = dnc_answer_peek(answer, reader->paging->more);
	const char *next = dnc_answer_peek(answer, reader->paging->next);
	size_t		length;

	if (more == NULL || strncmp(more, "true", 4) != 0 || next == NULL || *next != '"')
		return none;
	next++;
	length = strcspn(next, "\"\\");
	if (length == 0 || length > MAX_CURSOR || next[length] != '"')
		return none;
	guess.cursor = pnstrdup(next, length);
	return knows_cursor(reader, guess.cursor) ? none : guess;
}

/* Note that an entry of a page was given before. */
static void
set_given(DncPage *page, int index)
{
	if (page->given == NULL)
		page->given = palloc0(sizeof(bool) * dnc_page_count_new(page));
	page->given[index] = true;
}

/*
 * Remember the entries of a page, and set page->given for those that were given before.
 * Returns the number of new entries.  An entry without an id counts as new: it becomes an error
 * when it is read, which may not happen if the scan ends before it.
 */
static int64
give_entries(DncPageCursor *reader, DncPage *page)
{
	int			count;
	DncEntryMark *marks = dnc_known_entries_marks(reader->known, page, &count);
	int64		new = 0;

	for (int i = 0; i < count; i++)
	{
		if (marks[i].id == 0 || dnc_known_entries_add(reader->known, &marks[i]))
			new++;
		else
			set_given(page, i);
	}
	pfree(marks);
	return new;
}

/* Watch for a list that goes on and on without anything new. */
static void
check_progress(DncPageCursor *reader, int64 new)
{
	reader->barren = new > 0 ? 0 : reader->barren + 1;
	if (reader->barren >= MAX_BARREN)
		dnc_remote_error_contract(reader->options,
								  "%d pages in a row have no entry that was not given before.",
								  MAX_BARREN);
}

/*
 * Does a page that we read again continue from the stored position?  It does if it begins with
 * an entry that was given.  If it begins with any other entry, entries that we have not seen
 * may stand in front of it, unless it is the first page of the list.
 */
static bool
carries_on(const DncPageCursor *reader, const DncPage *page)
{
	return reader->cursor == NULL || (page->given && page->given[0]);
}

/* Watch the total.  As long as it does not change, the pages must add up to it. */
static void
check_total(DncPageCursor *reader, const DncJson *answer, bool at_end)
{
	const char *path = reader->paging->total;
	const DncJson *json = dnc_json_get(answer, path);
	int64		total = 0;

	if (json == NULL || !dnc_json_count(json, &total))
		dnc_remote_error_contract(reader->options,
								  "The answer's \"%s\" is missing or not a whole number.", path);
	if (reader->total < 0)
		reader->total = total;
	reader->moved = reader->moved || total != reader->total;
	if (reader->moved)
		return;
	if (reader->given > total)
		dnc_remote_error_contract(reader->options,
								  "The answer's \"%s\" is %lld, but there are %lld entries so far.",
								  path, (long long) total, (long long) reader->given);
	if (at_end && reader->given != total)
		dnc_remote_error_contract(reader->options,
								  "The answer's \"%s\" is %lld, but the list ends after %lld entries.",
								  path, (long long) total, (long long) reader->given);
}

/* Does the list go on, according to an answer? */
static bool
goes_on(const DncPageCursor *reader, const DncJson *answer)
{
	const DncJson *more = dnc_json_get(answer, reader->paging->more);

	if (more == NULL || dnc_json_kind(more) != DNC_JSON_BOOLEAN)
		dnc_remote_error_contract(reader->options,
								  "The answer's \"%s\" is missing or not a boolean.",
								  reader->paging->more);
	return dnc_json_boolean(more);
}

/* The cursor of the next page, according to an answer. */
static const char *
next_cursor(const DncPageCursor *reader, const DncJson *answer, const DncPage *page)
{
	const DncPaging *paging = reader->paging;
	const DncJson *next = dnc_json_get(answer, paging->next);

	if (next == NULL || dnc_json_kind(next) != DNC_JSON_STRING || *dnc_json_string(next) == '\0')
		dnc_remote_error_contract(reader->options,
								  "The answer's \"%s\" says that the list goes on, but \"%s\", which leads to the next page, is missing or not a string.",
								  paging->more, paging->next);
	if (strlen(dnc_json_string(next)) > MAX_CURSOR)
		dnc_remote_error_contract(reader->options, "The answer's \"%s\" is longer than %d bytes.",
								  paging->next, MAX_CURSOR);
	if (page->first == NULL)
		dnc_remote_error_contract(reader->options,
								  "The page has no entries, but says that the list goes on.");
	if (knows_cursor(reader, dnc_json_string(next)))
		dnc_remote_error_contract(reader->options,
								  "The answer leads back to a page that was read before.");
	return dnc_json_string(next);
}

/*
 * Take the page that was asked for.  *at_end says whether the list ends with it.
 * DNC_PAGE_LOST: this is not the page that we wanted to read again.  Sets page->given (palloc'd
 * in the current context) for entries that were given before.
 *
 * Raises 08P01 for a page that contradicts itself or earlier pages, or does not lead on.
 */
DncPageFit
dnc_page_cursor_accept(DncPageCursor *reader, const DncJson *answer, DncPage *page, bool *at_end)
{
	int64		new = give_entries(reader, page);

	*at_end = !goes_on(reader, answer);
	if (reader->resuming && !carries_on(reader, page))
		return DNC_PAGE_LOST;
	reader->moved = reader->moved || (reader->resuming && new > 0);
	reader->resuming = false;
	reader->given += new;
	if (reader->paging->total)
		check_total(reader, answer, *at_end);
	check_progress(reader, new);
	if (!*at_end)
		set_cursor(reader, next_cursor(reader, answer, page));
	return DNC_PAGE_TAKEN;
}

/* Store in a position what we know about the list, except for the last page's cursor. */
void
dnc_page_cursor_position(const DncPageCursor *reader, DncPosition *position)
{
	position->page_size = reader->page_size;
	position->total = reader->total;
	position->moved = reader->moved;
}

/* The size of the list according to the first answer; -1: the answer did not say. */
int64
dnc_page_cursor_total(const DncPageCursor *reader)
{
	return reader->total;
}
