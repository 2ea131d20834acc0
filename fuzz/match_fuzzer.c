/*
 * match_fuzzer.c
 *		Keys of texts (src/match/) under libFuzzer.
 *
 * The first byte chooses type and country, a line break ends an entry's text, and the
 * rest is a contact's.  Whatever they are:
 *	- a contact's key is among its keys, and so is the key of an entry with its text;
 *	- the text in a key has that key;
 *	- a filter lets each text pass whose key it has;
 *	- keys are UTF-8 of at most DNC_KEY_MAX bytes.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "match/key.h"
#include "match/key_filter.h"
#include "match/phone_load.h"
#include "match/text.h"
#include "postgres_stub.h"

static const char *const types[] = {"email", "domain", "phone", "linkedin", "web_chat", "whatsapp", "mobile", NULL};
static const char *const countries[] = {NULL, "DE", "US", "BR", "IT", "MX", "AU", "AR"};

/* As in src/match/phone_load.c; the library is linked. */
bool
dnc_phone_load_possible(void)
{
	return true;
}

const DncPhoneLibrary *
dnc_phone_load(void)
{
	return dnc_phone_library();
}

static void
check_key(const char *key)
{
	if (strlen(key) > DNC_KEY_MAX || !pg_verify_mbstr(PG_UTF8, key, strlen(key), true))
		abort();
}

static void
check_among(const char *key, const DncKeySet *set)
{
	for (int i = 0; i < set->count; i++)
	{
		if (strcmp(set->keys[i], key) == 0)
			return;
	}
	fprintf(stderr, "not among the keys: %s\n", key);
	for (int i = 0; i < set->count; i++)
		fprintf(stderr, "\t%s\n", set->keys[i]);
	abort();
}

/* Fails unless the text in a key has that key. */
static void
check_again(const char *key)
{
	const char *canonical = strchr(key, ':') + 1;
	char	   *type = pnstrdup(key, canonical - key - 1);
	char	   *again = dnc_match_key(canonical, strcmp(type, "tel") == 0 ? "phone" : type, NULL);

	if (again == NULL || strcmp(again, key) != 0)
	{
		fprintf(stderr, "the key of %s is %s\n", key, again ? again : "NULL");
		abort();
	}
}

static void
check_contact(const char *text, const char *type, const char *country)
{
	char	   *key = dnc_match_key(text, type, country);
	DncKeySet	keys = dnc_match_keys(text, type, country);

	for (int i = 0; i < keys.count; i++)
		check_key(keys.keys[i]);
	dnc_match_spellings(text, type, country);
	if (keys.count > 0)
	{
		check_among(dnc_match_entry_key(text, type, country, false), &keys);
		check_among(dnc_match_entry_key(text, type, country, true), &keys);
	}
	if (key == NULL)
		return;
	check_key(key);
	check_among(key, &keys);
	check_again(key);
}

/* Fails unless a filter with the key of an entry lets the entry pass. */
static void
check_entry(const char *text, const char *type, const char *country, bool international)
{
	char	   *key = dnc_match_entry_key(text, type, country, international);
	DncKeyFilter *filter = dnc_key_filter_make(1);

	check_key(key);
	dnc_key_filter_add(filter, key);
	if (!dnc_key_filter_lets_pass(filter, text, type))
	{
		fprintf(stderr, "the filter stops %s, whose key is %s\n", text, key);
		abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *type;
	const char *country;
	char	   *text;
	char	   *contact;

	if (size < 1)
		return 0;
	type = types[data[0] & 7];
	country = countries[data[0] >> 3 & 7];
	text = palloc(size);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	if (pg_verify_mbstr(PG_UTF8, text, strlen(text), true))
	{
		contact = strchr(text, '\n');
		if (contact)
			*contact++ = '\0';
		check_entry(text, type, country, data[0] >> 6 & 1);
		check_contact(contact ? contact : text, type, country);
	}
	stub_reset();
	return 0;
}
