/*-------------------------------------------------------------------------
 *
 * protect.c
 *		No removal of what the same transaction adds.
 *
 * All additions go out before the first removal.  A removal could take off the list a person whom
 * the same transaction adds.  So we do not send a removal if its scan has not seen such an
 * addition.  Two entries are of the same person if they have the same match key, whatever their
 * spelling and type, or the same text.  The same text may have two keys, in tables with different
 * default_country.
 *
 * The key of a number takes the library dnc_fdw_phone.  Without it we compare only the last
 * digits of numbers.  That keeps back more removals than necessary, and all those that the
 * library would keep back.
 *
 * With the library, the key of a number takes long.  So we make all keys of the removals or of
 * the additions, whichever are fewer.  Of the others we make only the keys that can be among
 * these.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "match/identifier.h"
#include "match/key.h"
#include "match/key_filter.h"
#include "match/phone_load.h"
#include "match/text.h"
#include "write/protect.h"

/*
 * A write has at most this many keys: the provider's identity, the text, the match key, two for
 * numbers that we cannot compare, and that of a removal which names no person.
 */
#define MAX_KEYS 6

/*
 * Spellings of a number of at least MIN_DIGITS digits end in the same TAIL digits: that many are
 * left without the country code (3 digits at most) and the trunk prefix.
 */
#define MIN_DIGITS 7
#define TAIL 4

/* Keys of a write's identifier, palloc'd. */
typedef struct Keys
{
	char	   *keys[MAX_KEYS];
	int			count;
} Keys;

/* The additions under a key that a removal has. */
typedef struct KeyWrites
{
	const char *key;
	const DncTarget *added;		/* where the first of the additions goes; NULL: none */
	bool		several;		/* the additions have several tokens */
	CommandId	last_command;	/* the highest of the additions' commands */
	int			last_index;		/* the highest of the additions' places */
	const DncWrite *left_out;	/* a removal that is not sent; NULL: none */
} KeyWrites;

/* A removal that stands, with the additions under its keys. */
typedef struct Removal
{
	DncPendingWrite *waiting;
	KeyWrites  *writes[MAX_KEYS];
	int			count;
} Removal;

/* Our state while we compare. */
typedef struct Protection
{
	DncPending *pending;
	MemoryContext scratch;		/* reset with each write */
	bool		knows_numbers;	/* is dnc_fdw_phone installed? */
	const DncKeyFilter *wanted; /* the match keys that count; NULL: all */
	DncKeyFilter *made;			/* collects the match keys that we make; NULL: we collect none */
	HTAB	   *keys;			/* of KeyWrites: the removals' keys */
	Removal    *removals;
	int			nremovals;
} Protection;

/* ----- keys ----- */

static void
add_key(Keys *keys, char *key)
{
	Assert(keys->count < MAX_KEYS);
	keys->keys[keys->count++] = key;
}

/* The text that is the same for two writes on one entry, as the provider tells entries apart. */
static char *
identity_key(const DncWrite *write, const DncIdentity *identity)
{
	const DncProvider *provider = write->target->options->provider;
	StringInfoData key;

	initStringInfo(&key);
	for (int i = 0; i < provider->nidentity; i++)
	{
		const char *text = identity->values[i];

		appendStringInfoChar(&key, '=');
		for (text += provider->ignores_plus && *text == '+'; *text; text++)
			appendStringInfoChar(&key, provider->folds_case
								 ? (char) pg_ascii_tolower((unsigned char) *text) : *text);
	}
	return key.data;
}

/*
 * The text that is the same for two writes whose identifiers the vendor may take for one,
 * whatever their types.  DNC_QUEUE_FOLDED does the same for rows of the queue.
 */
static char *
text_key(const DncIdentity *identity)
{
	const char *text = identity->values[0];
	char	   *key = psprintf("text %s", text + strspn(text, "+"));

	for (char *c = key; *c; c++)
		*c = (char) pg_ascii_tolower((unsigned char) *c);
	return key;
}

/* The last digits of a number; NULL: it has other characters, or too few digits to compare. */
static char *
last_digits(const char *clean)
{
	char	   *digits = palloc(strlen(clean) + 1);
	int			count = 0;

	for (const char *c = clean; *c; c++)
	{
		if (dnc_is_digit(*c))
			digits[count++] = *c;
		else if (strchr(" +-./()", *c) == NULL)
			return NULL;
	}
	digits[count] = '\0';
	return count >= MIN_DIGITS ? digits + count - TAIL : NULL;
}

/*
 * Add the keys of a number without the library.  Numbers with the same last digits share a key.
 * A number without such digits shares a key with every number.
 */
static void
add_number_keys(const DncWrite *write, const char *clean, Keys *keys)
{
	char	   *digits = last_digits(clean);
	bool		adds = write->action == DNC_ACTION_ADD;

	add_key(keys, digits ? psprintf("number %s", digits) : adds ? "number ?" : "number");
	if (adds)
		add_key(keys, "number");
	else if (digits)
		add_key(keys, "number ?");
}

/* The type of a write's entry, UTF-8; NULL: the write does not say. */
static const char *
type_of(const DncWrite *write)
{
	const DncField *field = dnc_provider_field(write->target->options->provider,
											   DNC_COL_IDENTIFIER_TYPE);
	const char *type = dnc_write_value(write, DNC_COL_IDENTIFIER_TYPE);

	return type || field == NULL ? type : field->constant;
}

/*
 * Add the match key of a write's entry, if it can be one that counts.  Without the library, add
 * the keys that stand for it.
 */
static void
add_match_keys(const Protection *protection, const DncWrite *write, Keys *keys)
{
	const DncOptions *options = write->target->options;
	const char *text = dnc_write_value(write, DNC_COL_IDENTIFIER);
	const char *type = type_of(write);
	DncIdentifier identifier;
	char	   *key;

	if (text == NULL || (protection->wanted &&
						 !dnc_key_filter_lets_pass(protection->wanted, text, type)))
		return;
	if (!protection->knows_numbers)
	{
		bool		is_number;

		dnc_identifier_read(text, type, NULL, &identifier);
		is_number = !identifier.too_long && dnc_identifier_shape(&identifier) == DNC_KIND_NUMBER;
		if (is_number || (!identifier.too_long && identifier.kind == DNC_KIND_NUMBER))
			add_number_keys(write, identifier.clean, keys);
		if (is_number)
			return;
		/* An email in a list of numbers is an email. */
		if (identifier.kind == DNC_KIND_NUMBER)
			type = NULL;
	}
	key = dnc_match_entry_key(text, type, options->default_country,
							  options->provider->ignores_plus);
	if (protection->made)
		dnc_key_filter_add(protection->made, key);
	add_key(keys, key);
}

/*
 * The keys of a write.  A removal and an addition that share a key may be of the same person.  A
 * removal that does not name its person has a key that all additions have.
 */
static void
find_keys(const Protection *protection, const DncWrite *write, Keys *keys)
{
	DncIdentity identity;

	keys->count = 0;
	if (dnc_write_identity(write, &identity))
	{
		add_key(keys, identity_key(write, &identity));
		add_key(keys, text_key(&identity));
		add_match_keys(protection, write, keys);
		if (write->action == DNC_ACTION_REMOVE)
			return;
	}
	add_key(keys, "");
}

/* HashValueFunc for KeyWrites. */
static uint32
hash_key(const void *key, Size size)
{
	const char *text = *(const char *const *) key;

	return hash_bytes((const unsigned char *) text, (int) strlen(text));
}

/* HashCompareFunc for KeyWrites; 0: they are equal. */
static int
compare_keys(const void *one, const void *other, Size size)
{
	return strcmp(*(const char *const *) one, *(const char *const *) other);
}

/* ----- removals and additions ----- */

/* Has a write this action, and does it still stand? */
static inline bool
stands(const DncPendingWrite *waiting, DncAction action)
{
	return waiting->write.action == action && !waiting->overtaken;
}

/* How many writes of this action stand? */
static int
count_standing(const DncPending *pending, DncAction action)
{
	int			count = 0;

	for (int i = 0; i < pending->count; i++)
		count += stands(dnc_pending_at(pending, i), action);
	return count;
}

/*
 * From here on only the match keys collected so far count, if we have collected any.  expected:
 * about how many we collect anew; 0: none.
 */
static void
want_made_keys(Protection *protection, int expected)
{
	protection->wanted = protection->made;
	protection->made = protection->knows_numbers && expected > 0
		? dnc_key_filter_make(expected) : NULL;
}

/* Called with a write that stands, and its keys, which are freed afterwards. */
typedef void (*Visit) (Protection *protection, DncPendingWrite *waiting, const Keys *keys);

/* Visit all writes of an action that stand. */
static void
visit_writes(Protection *protection, DncAction action, Visit visit)
{
	for (int i = 0; i < protection->pending->count; i++)
	{
		DncPendingWrite *waiting = dnc_pending_at(protection->pending, i);
		MemoryContext before;
		Keys		keys;

		CHECK_FOR_INTERRUPTS();
		if (!stands(waiting, action))
			continue;
		before = MemoryContextSwitchTo(protection->scratch);
		find_keys(protection, &waiting->write, &keys);
		MemoryContextSwitchTo(before);
		visit(protection, waiting, &keys);
		MemoryContextReset(protection->scratch);
	}
}

/* Visit: nothing to do, since find_keys() has collected the match keys. */
static void
look_at_write(Protection *protection, DncPendingWrite *waiting, const Keys *keys)
{
}

/* The element of a key in a hash table; made if there is none. */
static KeyWrites *
ensure_key(HTAB *keys, const char *key)
{
	bool		found;
	KeyWrites  *writes = hash_search(keys, &key, HASH_ENTER, &found);

	if (!found)
		*writes = (KeyWrites) {.key = pstrdup(key)};
	return writes;
}

/* Visit: gather a removal, with its keys. */
static void
gather_removal(Protection *protection, DncPendingWrite *waiting, const Keys *keys)
{
	Removal    *removal = &protection->removals[protection->nremovals++];

	*removal = (Removal) {.waiting = waiting,.count = keys->count};
	for (int i = 0; i < keys->count; i++)
		removal->writes[i] = ensure_key(protection->keys, keys->keys[i]);
}

/* Gather the removals that stand. */
static void
gather_removals(Protection *protection)
{
	protection->removals = MemoryContextAllocHuge(CurrentMemoryContext,
												  sizeof(Removal) * protection->pending->removals);
	visit_writes(protection, DNC_ACTION_REMOVE, gather_removal);
}

/* Take note of an addition under a key that a removal has too. */
static void
note_addition(KeyWrites *writes, const DncPendingWrite *addition)
{
	const DncTarget *target = addition->write.target;

	if (writes->added == NULL)
		writes->added = target;
	else if (!dnc_target_is_same_list(writes->added->options, target->options))
		writes->several = true;
	writes->last_command = Max(writes->last_command, addition->command);
	writes->last_index = Max(writes->last_index, addition->index);
}

/* Visit: take note of an addition under the keys that a removal has too. */
static void
note_addition_of_keys(Protection *protection, DncPendingWrite *waiting, const Keys *keys)
{
	for (int i = 0; i < keys->count; i++)
	{
		KeyWrites  *writes = hash_search(protection->keys, &keys->keys[i], HASH_FIND, NULL);

		if (writes)
			note_addition(writes, waiting);
	}
}

/*
 * Is there an addition under a key of a removal that the removal's scan has not seen?  A scan
 * does not see additions with another token, be that for the same list or for another one.
 */
static bool
is_unseen_added(const KeyWrites *writes, const DncPendingWrite *removal)
{
	if (writes->added == NULL)
		return false;
	return writes->several || writes->last_command >= removal->seen ||
		writes->last_index > removal->index ||
		!dnc_target_is_same_list(writes->added->options, removal->write.target->options);
}

/* Leave out the removals whose scans have not seen an addition under the same key. */
static void
leave_out_removals(Protection *protection)
{
	for (int i = 0; i < protection->nremovals; i++)
	{
		Removal    *removal = &protection->removals[i];
		DncPendingWrite *waiting = removal->waiting;

		CHECK_FOR_INTERRUPTS();
		for (int j = 0; j < removal->count; j++)
		{
			if (is_unseen_added(removal->writes[j], waiting))
				waiting->overtaken = true;
		}
		/* The first key is the identity, if the removal has one. */
		if (waiting->overtaken)
			removal->writes[0]->left_out = &waiting->write;
	}
}

/*
 * Leave out the additions that the API would refuse, since we leave out the removal of the same
 * entry.  An addition that shares only the match key may not be refused, and is sent.
 */
static void
leave_out_refused(Protection *protection)
{
	for (int i = 0; i < protection->pending->count; i++)
	{
		DncPendingWrite *waiting = dnc_pending_at(protection->pending, i);
		const DncOptions *options = waiting->write.target->options;
		const KeyWrites *writes;
		DncIdentity identity;
		char	   *key;

		CHECK_FOR_INTERRUPTS();
		if (options->provider->add.unchanged_status == 0 || !stands(waiting, DNC_ACTION_ADD) ||
			!dnc_write_identity(&waiting->write, &identity))
			continue;
		key = identity_key(&waiting->write, &identity);
		writes = hash_search(protection->keys, &key, HASH_FIND, NULL);
		pfree(key);
		if (writes && writes->left_out &&
			dnc_target_is_same_list(options, writes->left_out->target->options))
			waiting->overtaken = true;
	}
}

/*
 * Mark the removals of a collection that must not be sent, and the additions that need not be
 * sent because of that.  Writes that are marked already do not count.  Leaves garbage in the
 * current context.
 */
void
dnc_protect_added(DncPending *pending)
{
	HASHCTL		ctl = {.keysize = sizeof(char *), .entrysize = sizeof(KeyWrites),
		.hash = hash_key, .match = compare_keys, .hcxt = CurrentMemoryContext};
	Protection	protection = {.pending = pending};
	int			removals = count_standing(pending, DNC_ACTION_REMOVE);
	int			additions = count_standing(pending, DNC_ACTION_ADD);

	if (removals == 0 || additions == 0)
		return;
	protection.scratch = AllocSetContextCreate(CurrentMemoryContext, "dnc_fdw keys",
											   ALLOCSET_DEFAULT_SIZES);
	protection.knows_numbers = dnc_phone_load_possible();
	protection.keys = hash_create("dnc_fdw removed keys", 64, &ctl,
								  HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
	if (additions < removals)
	{
		want_made_keys(&protection, additions);
		visit_writes(&protection, DNC_ACTION_ADD, look_at_write);
	}
	want_made_keys(&protection, removals);
	gather_removals(&protection);
	want_made_keys(&protection, 0);
	visit_writes(&protection, DNC_ACTION_ADD, note_addition_of_keys);
	leave_out_removals(&protection);
	leave_out_refused(&protection);
}
