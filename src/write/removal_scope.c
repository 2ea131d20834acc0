/*-------------------------------------------------------------------------
 *
 * removal_scope.c
 *		Whether the removals of a statement take only the entries that it means.
 *
 * An API may remove by less than the identity of an entry: by the email, where that can be listed
 * as an email and as a domain.  Then a removal takes all entries of its key.  So we take note of
 * each entry that the scan of a DELETE reads, and compare at the end.  We refuse a statement that
 * would take an entry which it has not chosen.
 *
 * We keep keys as hashes of 64 bits, about 60 bytes for an entry of the list.  Two keys of equal
 * hash could only make us refuse too much.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/hsearch.h"

#include "list/decode.h"
#include "write/removal_scope.h"

/* How many different entries of one key we tell apart. */
#define MAX_VARIANTS 4

/* The entries that one removal takes. */
typedef struct Scope
{
	uint64		key;
	uint32		variants[MAX_VARIANTS]; /* hashes of the members outside of the key */
	uint8		seen;			/* how many variants we have seen */
	uint8		removed;		/* bit i: the i-th variant is removed */
	bool		several;		/* there are more than MAX_VARIANTS */
} Scope;

struct DncRemovalScope
{
	const DncOptions *options;
	HTAB	   *scopes;			/* of Scope */
};

/* No entries yet; palloc'd in the current context, which has to last as long as the query. */
DncRemovalScope *
dnc_removal_scope_make(const DncOptions *options)
{
	DncRemovalScope *scope = palloc0(sizeof(DncRemovalScope));
	HASHCTL		ctl = {.keysize = sizeof(uint64), .entrysize = sizeof(Scope),
	.hcxt = CurrentMemoryContext};

	scope->options = options;
	scope->scopes = hash_create("dnc_fdw removal scopes", 1024, &ctl,
								HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	return scope;
}

/* The hash of the text that a removal is sent with. */
static uint64
hash_key(const DncProvider *provider, const char *text)
{
	char	   *folded = pstrdup(text);
	uint64		hash;

	for (char *c = folded; provider->folds_case && *c; c++)
		*c = pg_ascii_tolower((unsigned char) *c);
	hash = hash_bytes_extended((const unsigned char *) folded, strlen(folded), 0);
	pfree(folded);
	return hash;
}

/* Add a text to the hash of the members outside of the key. */
static uint32
hash_more(uint32 hash, const char *text)
{
	return hash_combine(hash, text ? hash_bytes((const unsigned char *) text, strlen(text)) : 0);
}

/* The place of a variant among those of its key; -1: we have not seen it. */
static int
find_variant(const Scope *scope, uint32 variant)
{
	for (int i = 0; i < scope->seen; i++)
	{
		if (scope->variants[i] == variant)
			return i;
	}
	return -1;
}

/* Take note of an entry of the list. */
void
dnc_removal_scope_see(DncRemovalScope *scope, const DncJson *entry)
{
	const DncProvider *provider = scope->options->provider;
	const DncMember *members = provider->remove.members;
	const char *text = dnc_decode_text(provider, entry, members[0].column);
	uint32		variant = 0;
	uint64		key;
	Scope	   *found;
	bool		known;

	if (text == NULL)
		return;					/* not as the API promises: the decoder will say so */
	key = hash_key(provider, text);
	for (int i = 1; members[i].name; i++)
		variant = hash_more(variant, dnc_decode_text(provider, entry, members[i].column));
	found = hash_search(scope->scopes, &key, HASH_ENTER, &known);
	if (!known)
		memset((char *) found + sizeof(key), 0, sizeof(Scope) - sizeof(key));
	if (find_variant(found, variant) >= 0)
		return;
	if (found->seen == MAX_VARIANTS)
		found->several = true;
	else
		found->variants[found->seen++] = variant;
}

/* Take note of a removal. */
void
dnc_removal_scope_remove(DncRemovalScope *scope, const DncWrite *removal)
{
	const DncProvider *provider = scope->options->provider;
	const DncMember *members = provider->remove.members;
	const char *text = dnc_write_value(removal, members[0].column);
	uint32		variant = 0;
	uint64		key;
	Scope	   *found;
	int			index;

	if (text == NULL)
		return;					/* refused elsewhere */
	key = hash_key(provider, text);
	for (int i = 1; members[i].name; i++)
		variant = hash_more(variant, dnc_write_value(removal, members[i].column));
	found = hash_search(scope->scopes, &key, HASH_FIND, NULL);
	index = found ? find_variant(found, variant) : -1;
	if (index >= 0)
		found->removed |= 1 << index;
}

/* Refuse removals that take entries which were seen and not chosen (0A000). */
void
dnc_removal_scope_check(const DncRemovalScope *scope)
{
	const DncProvider *provider = scope->options->provider;
	HASH_SEQ_STATUS status;
	Scope	   *found;

	hash_seq_init(&status, scope->scopes);
	while ((found = hash_seq_search(&status)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		if (found->removed == 0 ||
			(!found->several && found->removed == (1 << found->seen) - 1))
			continue;
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("the deletion would take entries of server \"%s\" that it does not mean",
						scope->options->server_name),
				 errdetail("An %s of these is listed with several values of %s, and the API removes all of its entries. None was removed.",
						   dnc_column_name(provider->remove.members[0].column),
						   dnc_column_name(provider->remove.members[1].column)),
				 errhint("DELETE all entries of such an %s in one statement, or leave it out.",
						 dnc_column_name(provider->remove.members[0].column))));
	}
}
