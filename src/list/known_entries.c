/*-------------------------------------------------------------------------
 *
 * known_entries.c
 *		The entries of a list that were given last, so that we recognise them.
 *
 * We remember two hashes of each entry, and only of the latest few thousand entries.
 * That is enough to find our place in a list that moves, and takes no more memory for a
 * longer list.  One hash is of the id, the other of the content, which is identifier and
 * type.  If an id comes again with another content, we raise an error: otherwise we
 * would leave out one of the two entries.  Labels, times and the like are not part of
 * the content, because they may change while we read.
 *
 * Hashes of 64 bits are safe here.  If two ids have the same hash, which we expect once
 * in a billion scans of a million entries, we raise that error.  We take an entry for
 * another one only if both hashes are the same.  The hashes of each scan have a random
 * seed, so the error does not come again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/pg_prng.h"

#include "list/known_entries.h"
#include "request/remote_error.h"

/*
 * Entries in a generation.  We remember two generations, the current and the previous one, and
 * forget a whole generation at a time.  So we remember the last 4096 to 8192 entries, which is
 * several times the largest page.
 */
#define GENERATION 4096

/* The first capacity, in entries: most lookups give no more. */
#define FIRST_CAPACITY 32

/*
 * A slot of a hash table holds the place of an entry, counted from 1, and above that some bits
 * of the id's hash, so we rarely look at a wrong entry.  Three of four slots are empty, so for
 * most unknown entries the first slot is enough.
 */
#define PLACE_BITS 13
#define PLACE_MASK ((1 << PLACE_BITS) - 1)
#define SLOTS_PER_ENTRY 4

StaticAssertDecl(GENERATION <= PLACE_MASK, "the places of a generation must fit into a slot");

/* The members of an entry that tell it from others. */
enum
{
	ID, IDENTIFIER, TYPE, NTEXTS
};

/* Entries that were given one after another. */
typedef struct Generation
{
	DncEntryMark *marks;		/* NULL: none yet */
	int			count;
	int			capacity;		/* a power of 2, at most GENERATION */
	uint32	   *slots;			/* capacity * SLOTS_PER_ENTRY of them; 0: empty */
} Generation;

struct DncKnownEntries
{
	MemoryContext context;
	const DncOptions *options;
	const char *names[NTEXTS];	/* names of the members; NULL: entries have no such member */
	uint64		seed;
	Generation	current;
	Generation	before;
	int64		added;			/* entries that we ever added */
	bool		forgot;			/* some entries were given that are not here */
};

/* The member of an entry that holds a column; NULL: none. */
static const char *
member_name(const DncProvider *provider, DncColumn column)
{
	const DncField *field = dnc_provider_field(provider, column);

	return field ? field->name : NULL;
}

/* Make an empty memory, in the current memory context; *options must outlive it. */
DncKnownEntries *
dnc_known_entries_make(const DncOptions *options)
{
	DncKnownEntries *known = palloc0(sizeof(DncKnownEntries));

	known->context = CurrentMemoryContext;
	known->options = options;
	known->names[ID] = member_name(options->provider, DNC_COL_ID);
	known->names[IDENTIFIER] = member_name(options->provider, DNC_COL_IDENTIFIER);
	known->names[TYPE] = member_name(options->provider, DNC_COL_IDENTIFIER_TYPE);
	known->seed = pg_prng_uint64(&pg_global_prng_state);
	return known;
}

/* Find the texts of an entry that tell it from others; NULL: the entry lacks that text. */
static void
find_texts(const DncKnownEntries *known, const DncJson *entry, const char *texts[NTEXTS])
{
	int			missing = 0;

	for (int i = 0; i < NTEXTS; i++)
	{
		texts[i] = NULL;
		missing += known->names[i] != NULL;
	}
	if (dnc_json_kind(entry) != DNC_JSON_OBJECT)
		return;
	for (const DncJson *member = dnc_json_first(entry); member && missing > 0;
		 member = dnc_json_next(member))
	{
		const char *name = dnc_json_name(member);

		for (int i = 0; i < NTEXTS; i++)
		{
			if (texts[i] || known->names[i] == NULL || strcmp(name, known->names[i]) != 0)
				continue;
			if (dnc_json_kind(member) == DNC_JSON_STRING)
				texts[i] = dnc_json_string(member);
			missing--;
			break;
		}
	}
}

/* Mix eight bytes into a hash.  For a given hash, different bytes give different results. */
static inline uint64
mix(uint64 hash, uint64 bytes)
{
	hash = (hash ^ bytes) * UINT64CONST(0x9e3779b97f4a7c15);
	return hash ^ (hash >> 29);
}

/*
 * The hash of a text.  PostgreSQL's hash_bytes_extended() takes four times as long for texts of
 * this length, and every entry of a list needs two hashes.
 */
static uint64
hash_text(const char *text, uint64 seed)
{
	size_t		length = strlen(text);
	uint64		hash = mix(seed, length);
	uint64		bytes = 0;

	for (size_t i = 0; i + 8 < length; i += 8)
	{
		memcpy(&bytes, text + i, 8);
		hash = mix(hash, bytes);
	}
	if (length >= 8)
		memcpy(&bytes, text + length - 8, 8);
	else
	{
		for (size_t i = 0; i < length; i++)
			bytes = bytes << 8 | (unsigned char) text[i];
	}
	hash = mix(hash, bytes);
	return hash ^ (hash >> 32);
}

/* Make the mark of an entry; its id is 0 if the entry has none. */
static void
make_mark(const DncKnownEntries *known, const DncJson *entry, DncEntryMark *mark)
{
	const char *texts[NTEXTS];
	const char *identifier;
	uint64		seed = known->seed;

	find_texts(known, entry, texts);
	mark->id = texts[ID] ? hash_text(texts[ID], seed) | 1 : 0;
	identifier = texts[IDENTIFIER] ? texts[IDENTIFIER] : "";
	if (known->options->provider->ignores_plus && *identifier == '+')
		identifier++;
	if (texts[TYPE])
		seed = hash_text(texts[TYPE], seed);
	mark->content = hash_text(identifier, seed) | 1;
}

/* The slot where the search for an entry begins, in a generation that has slots. */
static inline uint32
first_slot(const Generation *generation, uint64 id)
{
	return (uint32) (id >> 1) & ((uint32) generation->capacity * SLOTS_PER_ENTRY - 1);
}

/* Let the processor fetch the memory that a search for an entry looks at first. */
static inline void
fetch_slot(const Generation *generation, uint64 id)
{
	if (generation->marks)
		__builtin_prefetch(&generation->slots[first_slot(generation, id)]);
}

/*
 * The marks of a page's entries, in order: an array of *count marks, palloc'd in the current
 * context.  We make them for a page at a time: waiting for memory takes much longer than the
 * computation, so we wait for all of them at once.
 */
DncEntryMark *
dnc_known_entries_marks(const DncKnownEntries *known, const DncPage *page, int *count)
{
	int			capacity = 128;
	DncEntryMark *marks = palloc(sizeof(DncEntryMark) * capacity);

	*count = 0;
	for (const DncJson *entry = page->first; entry; entry = dnc_json_next(entry))
	{
		if (*count == capacity)
			marks = repalloc_huge(marks, sizeof(DncEntryMark) * (capacity *= 2));
		make_mark(known, entry, &marks[*count]);
		fetch_slot(&known->current, marks[*count].id);
		fetch_slot(&known->before, marks[*count].id);
		(*count)++;
	}
	return marks;
}

/* The slot of an entry in a generation that has slots, or the empty slot where it belongs. */
static inline uint32
find_slot(const Generation *generation, uint64 id)
{
	uint32		mask = (uint32) generation->capacity * SLOTS_PER_ENTRY - 1;
	uint32		slot = first_slot(generation, id);
	uint32		tag = (uint32) (id >> 32) & ~PLACE_MASK;
	uint32		value;

	while ((value = generation->slots[slot]) != 0 &&
		   ((value & ~PLACE_MASK) != tag ||
			generation->marks[(value & PLACE_MASK) - 1].id != id))
		slot = (slot + 1) & mask;
	return slot;
}

/* Fill an empty slot. */
static inline void
fill_slot(Generation *generation, uint32 slot, uint64 id, int place)
{
	generation->slots[slot] = ((uint32) (id >> 32) & ~PLACE_MASK) | (uint32) (place + 1);
}

/* Make room for more entries of the current generation. */
static void
grow(DncKnownEntries *known)
{
	Generation *current = &known->current;
	MemoryContext before = MemoryContextSwitchTo(known->context);

	if (current->marks == NULL)
	{
		current->capacity = FIRST_CAPACITY;
		current->marks = palloc(sizeof(DncEntryMark) * current->capacity);
	}
	else
	{
		current->capacity = Min(current->capacity * 8, GENERATION);
		current->marks = repalloc(current->marks, sizeof(DncEntryMark) * current->capacity);
		pfree(current->slots);
	}
	current->slots = palloc0(sizeof(uint32) * current->capacity * SLOTS_PER_ENTRY);
	for (int i = 0; i < current->count; i++)
		fill_slot(current, find_slot(current, current->marks[i].id), current->marks[i].id, i);
	MemoryContextSwitchTo(before);
}

/* Begin a new generation, and forget the oldest one. */
static void
turn_over(DncKnownEntries *known)
{
	Generation	oldest = known->before;

	known->before = known->current;
	known->current = oldest;
	if (oldest.marks == NULL)
		return;
	memset(oldest.slots, 0, sizeof(uint32) * oldest.capacity * SLOTS_PER_ENTRY);
	known->current.count = 0;
	known->forgot = true;
}

/*
 * Is an entry in a generation?  Raises 08P01 if an entry with the same id, but other content,
 * is.
 */
static inline bool
generation_has(const DncKnownEntries *known, const Generation *generation,
			   const DncEntryMark *mark)
{
	const DncEntryMark *found;
	uint32		value;

	if (generation->marks == NULL)
		return false;
	value = generation->slots[find_slot(generation, mark->id)];
	if (value == 0)
		return false;
	found = &generation->marks[(value & PLACE_MASK) - 1];
	if (found->content != mark->content && found->content != 0)
		dnc_remote_error_contract(known->options,
								  "Two entries have the same \"%s\", but not the same identifier and type.",
								  known->names[ID]);
	return true;
}

/* Do we remember an entry?  Raises 08P01 if we remember the same id with other content. */
bool
dnc_known_entries_has(const DncKnownEntries *known, const DncEntryMark *mark)
{
	return generation_has(known, &known->current, mark) ||
		generation_has(known, &known->before, mark);
}

/*
 * Remember an entry that is given.  False: we remembered it already.  Raises 08P01 if we
 * remember the same id with other content.
 */
bool
dnc_known_entries_add(DncKnownEntries *known, const DncEntryMark *mark)
{
	Generation *current = &known->current;

	if (dnc_known_entries_has(known, mark))
		return false;
	if (current->count == GENERATION)
		turn_over(known);
	if (current->count == current->capacity)
		grow(known);
	fill_slot(current, find_slot(current, mark->id), mark->id, current->count);
	current->marks[current->count++] = *mark;
	known->added++;
	return true;
}

/* Remember the ids of a stored position; given is the number of entries given before it. */
void
dnc_known_entries_restore(DncKnownEntries *known, const List *ids, int64 given)
{
	ListCell   *lc;

	foreach(lc, ids)
	{
		DncEntryMark mark = {.id = hash_text(lfirst(lc), known->seed) | 1};

		(void) dnc_known_entries_add(known, &mark);
	}
	known->forgot = known->forgot || known->added < given;
}

/* Were entries given that we do not remember, or no longer? */
bool
dnc_known_entries_forgot(const DncKnownEntries *known)
{
	return known->forgot;
}
