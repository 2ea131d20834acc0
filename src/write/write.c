/*-------------------------------------------------------------------------
 *
 * write.c
 *		One write: an entry to be added to a list, or to be removed.
 *
 * A write is its values, packed, and the target that they go to.  It does not know its holder: a
 * transaction until COMMIT, or a queue that outlives transactions.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "mb/pg_wchar.h"
#include "utils/memutils.h"

#include "write/write.h"

/* The call for an action of a target's API. */
static const DncWriteCall *
call_of(const DncTarget *target, DncAction action)
{
	const DncProvider *provider = target->options->provider;

	return action == DNC_ACTION_ADD ? &provider->add : &provider->remove;
}

/*
 * Make a write in context.  values are in the order of the call's members, in the database's
 * encoding.  In the same chunk, header bytes of zeros stand in front of the write, for the
 * members of its holder; header must be a multiple of MAXIMUM_ALIGNOF.  Raises 22021 where a
 * value is not text in the database's encoding.  Conversions leave garbage in the current
 * context.
 */
DncWrite *
dnc_write_make(MemoryContext context, Size header, const DncTarget *target, DncAction action,
			   DncMemberValues values)
{
	const DncWriteCall *call = call_of(target, action);
	const char *utf8[DNC_MAX_MEMBERS];
	Size		size = header + offsetof(DncWrite, text);
	DncWrite   *write;
	char	   *chunk;
	char	   *text;

	Assert(header == MAXALIGN(header));
	for (int i = 0; call->members[i].name; i++)
	{
		utf8[i] = values[i] ? pg_server_to_any(values[i], strlen(values[i]), PG_UTF8) : NULL;
		size += utf8[i] ? strlen(utf8[i]) + 1 : 0;
	}
	chunk = MemoryContextAlloc(context, size);
	memset(chunk, 0, header + offsetof(DncWrite, text));
	write = (DncWrite *) (chunk + header);
	write->target = target;
	write->action = action;
	text = write->text;
	for (int i = 0; call->members[i].name; i++)
	{
		if (utf8[i] == NULL)
			continue;
		write->present |= 1 << i;
		strcpy(text, utf8[i]);
		text += strlen(text) + 1;
	}
	return write;
}

/* The call that sends a write. */
const DncWriteCall *
dnc_write_call(const DncWrite *write)
{
	return call_of(write->target, write->action);
}

/*
 * Spread a write's values out to values[DNC_MAX_MEMBERS]: UTF-8, in the order of the
 * call's members, NULL where there is none.  The texts are the write's own.
 */
void
dnc_write_unpack(const DncWrite *write, const char **values)
{
	const char *text = write->text;

	for (int i = 0; i < DNC_MAX_MEMBERS; i++)
	{
		values[i] = NULL;
		if (write->present & (1 << i))
		{
			values[i] = text;
			text += strlen(text) + 1;
		}
	}
}

/* The values of a write by column, in texts[DNC_NCOLUMNS]; as in dnc_write_unpack(). */
void
dnc_write_texts(const DncWrite *write, const char **texts)
{
	const DncWriteCall *call = dnc_write_call(write);
	const char *values[DNC_MAX_MEMBERS];

	memset(texts, 0, sizeof(char *) * DNC_NCOLUMNS);
	dnc_write_unpack(write, values);
	for (int i = 0; call->members[i].name; i++)
		texts[call->members[i].column] = values[i];
}

/* The value of a write for a column, UTF-8; NULL: it has none. */
const char *
dnc_write_value(const DncWrite *write, DncColumn column)
{
	const DncWriteCall *call = dnc_write_call(write);
	const char *values[DNC_MAX_MEMBERS];

	dnc_write_unpack(write, values);
	for (int i = 0; call->members[i].name; i++)
	{
		if (call->members[i].column == column)
			return values[i];
	}
	return NULL;
}

/*
 * Fill in which entry of the list a write is about.  The texts are the write's own.  False: the
 * write does not say.
 */
bool
dnc_write_identity(const DncWrite *write, DncIdentity *identity)
{
	const DncOptions *options = write->target->options;
	const DncProvider *provider = options->provider;

	memset(identity, 0, sizeof(DncIdentity));
	identity->list = options;
	identity->folds_case = provider->folds_case;
	identity->ignores_plus = provider->ignores_plus;
	for (int i = 0; i < provider->nidentity; i++)
	{
		identity->values[i] = dnc_write_value(write, provider->identity[i]);
		if (identity->values[i] == NULL)
			return false;
	}
	return true;
}

/*
 * Do two removals of equal identity name the same entry?  The call may take more than the
 * identity, an id for example, and then both have to give the same.
 */
bool
dnc_write_removes_same(const DncWrite *one, const DncWrite *other)
{
	const DncWriteCall *remove = dnc_write_call(one);

	for (int i = 0; remove->members[i].name; i++)
	{
		DncColumn	column = remove->members[i].column;
		const char *value = dnc_write_value(one, column);
		const char *other_value = dnc_write_value(other, column);

		if (!remove->members[i].required ||
			dnc_provider_is_identity(one->target->options->provider, column))
			continue;
		if (value == NULL || other_value == NULL
			? value != other_value : strcmp(value, other_value) != 0)
			return false;
	}
	return true;
}

/* The part of an identity's i-th text that is compared. */
static inline const char *
compared_text(const DncIdentity *identity, int i)
{
	const char *text = identity->values[i];

	return identity->ignores_plus && *text == '+' ? text + 1 : text;
}

/* A byte of an identity's text, as it is compared. */
static inline unsigned char
compared_byte(const DncIdentity *identity, char c)
{
	return identity->folds_case ? pg_ascii_tolower((unsigned char) c) : (unsigned char) c;
}

/* HashValueFunc for DncIdentity: FNV-1a, so that bytes can be folded on the way. */
uint32
dnc_write_identity_hash(const void *key, Size size)
{
	const DncIdentity *identity = key;
	uint32		hash = 2166136261u;

	for (int i = 0; i < DNC_MAX_IDENTITY && identity->values[i]; i++)
	{
		for (const char *c = compared_text(identity, i); *c; c++)
			hash = (hash ^ compared_byte(identity, *c)) * 16777619u;
		hash = hash * 16777619u;
	}
	return murmurhash32(hash);
}

/* HashCompareFunc for DncIdentity; 0: they are equal. */
int
dnc_write_identity_compare(const void *key, const void *other_key, Size size)
{
	const DncIdentity *one = key;
	const DncIdentity *other = other_key;

	for (int i = 0; i < DNC_MAX_IDENTITY && one->values[i]; i++)
	{
		const char *a = compared_text(one, i);
		const char *b = compared_text(other, i);

		while (*a && compared_byte(one, *a) == compared_byte(one, *b))
			a++, b++;
		if (*a || *b)
			return 1;
	}
	return one->list == other->list || dnc_target_is_same_list(one->list, other->list) ? 0 : 1;
}
