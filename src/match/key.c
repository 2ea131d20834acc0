/*-------------------------------------------------------------------------
 *
 * key.c
 *		Keys: texts that are equal if two identifiers mean the same.
 *
 * A contact has a key only if there is no doubt whom it means.  If we cannot tell, the
 * contact is unknown, and never free.  An entry of a list always has a key, even if only
 * a wide one.  A contact's other keys are those that an entry for the same person can
 * have.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "match/domain.h"
#include "match/email.h"
#include "match/identifier.h"
#include "match/key.h"
#include "match/phone.h"
#include "match/phone_widen.h"
#include "match/profile_url.h"
#include "match/text.h"

/*
 * The key of an identifier as a certain kind; NULL: the identifier is not of that kind.
 * *certain: there is no doubt whom it means.
 */
static char *
key_of_kind(const DncIdentifier *identifier, DncKind kind, bool international, bool *certain)
{
	DncEmail	email;
	DncDomain	domain;
	DncProfile	profile;
	DncPhone	phone;

	*certain = true;
	switch (kind)
	{
		case DNC_KIND_EMAIL:
			if (!dnc_email_read(identifier->clean, &email))
				return NULL;
			*certain = email.domain.certain;
			return dnc_email_key(&email);
		case DNC_KIND_DOMAIN:
			if (!dnc_domain_read_entry(identifier->clean, &domain))
				return NULL;
			*certain = domain.certain;
			return dnc_text_join("domain:", domain.name);
		case DNC_KIND_NUMBER:
			dnc_phone_read(identifier->clean, identifier->country, international, &phone);
			return dnc_phone_key(&phone);
		case DNC_KIND_PROFILE:
			if (!dnc_profile_read(identifier->clean, &profile))
				return NULL;
			*certain = profile.certain;
			return dnc_text_join("linkedin:", profile.path);
		case DNC_KIND_CHAT:
			if (*identifier->trimmed == '\0' || strlen(identifier->trimmed) > DNC_KEY_MAX - 16)
				return NULL;
			/* Words without a type are not a visitor's id. */
			*certain = identifier->typed || !dnc_text_has_space(identifier->clean);
			return dnc_text_join("web_chat:", identifier->trimmed);
	}
	return NULL;
}

/* A contact's key; see key.h. */
char *
dnc_match_key(const char *identifier, const char *type, const char *country)
{
	DncIdentifier read;
	bool		certain;
	char	   *key;

	dnc_identifier_read(identifier, type, country, &read);
	if (read.too_long || *read.clean == '\0')
		return NULL;
	key = key_of_kind(&read, read.kind, false, &certain);
	return certain ? key : NULL;
}

/* ----- keys of entries ----- */

/* The wide key of a text that we do not look into; for a long text, a hash. */
static char *
raw_key(const char *clean)
{
	char	   *lower = dnc_text_lower(clean);

	if (strlen(lower) > DNC_KEY_MAX - 4)
		return dnc_text_join("raw:sha256:", dnc_text_hash(lower));
	return dnc_text_join("raw:", lower);
}

/*
 * May an entry's text be of another kind than its type says?  A number in a list of emails is a
 * number.  But in place of a profile's name, a number may be a name.
 */
static bool
may_be_of_shape(const DncIdentifier *identifier, DncKind shape)
{
	switch (shape)
	{
		case DNC_KIND_EMAIL:
		case DNC_KIND_PROFILE:
			return true;
		case DNC_KIND_NUMBER:
			return identifier->kind != DNC_KIND_PROFILE;
		default:
			return false;
	}
}

/*
 * The key of something that an entry's text holds among other things; NULL: there is nothing that
 * we know.  shape is the kind that the text looks like.
 */
static char *
key_of_part(const DncIdentifier *read, DncKind shape, bool international_digits)
{
	DncEmail	email;
	DncDomain	domain;
	DncProfile	profile;
	bool		has_profile = dnc_profile_find(read->clean, &profile);

	if (has_profile && read->kind == DNC_KIND_PROFILE)
		return dnc_text_join("linkedin:", profile.path);
	if (dnc_email_find(read->clean, &email))
		return dnc_email_key(&email);
	if (has_profile && read->kind != DNC_KIND_NUMBER)
		return dnc_text_join("linkedin:", profile.path);
	if (read->kind == DNC_KIND_NUMBER || (shape == DNC_KIND_NUMBER && may_be_of_shape(read, shape)))
	{
		DncPhone	phone;
		char	   *key;

		dnc_phone_read(read->clean, read->country, international_digits, &phone);
		key = dnc_phone_wide_key(&phone);
		if (key && strlen(key) <= DNC_KEY_MAX)
			return key;
	}
	if (has_profile)
		return dnc_text_join("linkedin:", profile.path);
	/* A plain domain keeps its wide key: it may be the name of a profile, too. */
	if ((read->kind == DNC_KIND_EMAIL || read->kind == DNC_KIND_DOMAIN) && dnc_domain_find(read->clean, &domain) &&
		pg_strcasecmp(domain.name, read->clean) != 0)
		return dnc_text_join("domain:", domain.name);
	return NULL;
}

/* The key of a list's entry; see key.h. */
char *
dnc_match_entry_key(const char *identifier, const char *type, const char *country,
					bool international_digits)
{
	DncIdentifier read;
	DncKind		shape;
	bool		certain;
	char	   *key;

	dnc_identifier_read(identifier, type, country, &read);
	if (read.too_long)
		return raw_key(read.clean);
	key = key_of_kind(&read, read.kind, international_digits, &certain);
	if (key)
		return key;
	shape = dnc_identifier_shape(&read);
	if (shape != read.kind && may_be_of_shape(&read, shape))
		key = key_of_kind(&read, shape, international_digits, &certain);
	if (key)
		return key;
	key = key_of_part(&read, shape, international_digits);
	return key ? key : raw_key(read.clean);
}

/* A text in place of an entry's key; see key.h. */
char *
dnc_match_key_stand_in(const char *identifier, const char *type)
{
	DncIdentifier read;

	dnc_identifier_read(identifier, type, NULL, &read);
	return raw_key(read.clean);
}

/* ----- keys of contacts ----- */

/* Add the keys of an identifier as a profile, or as the name of a profile. */
static void
widen_profile(const DncIdentifier *identifier, DncKeySet *set)
{
	DncProfile	profile;
	const char *slug;

	if (!dnc_profile_read(identifier->clean, &profile) &&
		(strpbrk(identifier->clean, "/@") != NULL ||
		 !dnc_profile_read(dnc_text_join("in/", identifier->clean), &profile)))
		return;
	dnc_key_set_add_to(set, "linkedin:", profile.path);
	slug = dnc_profile_slug(&profile);
	if (slug)
		dnc_key_set_add(set, raw_key(slug));
	dnc_key_set_add(set, raw_key(profile.path));
}

/* Add the keys of an address. */
static void
widen_address(const DncEmail *email, DncKeySet *set)
{
	dnc_email_widen(email, set);
	if (email->local)
	{
		dnc_key_set_add_to(set, "web_chat:", dnc_email_address(email));
		dnc_key_set_add_to(set, "raw:", dnc_email_address(email));
	}
}

/* Add the keys of an identifier as an email, or as a text that contains an email. */
static void
widen_email(const DncIdentifier *identifier, DncKeySet *set)
{
	DncEmail	email;

	if (dnc_email_read(identifier->clean, &email))
		widen_address(&email, set);
	if (dnc_email_find(identifier->clean, &email))
		widen_address(&email, set);
}

/* Add the keys of an identifier as one kind. */
static void
widen_kind(const DncIdentifier *identifier, DncKind kind, DncKeySet *set)
{
	DncDomain	domain;
	DncPhone	phone;
	char	   *unicode;

	switch (kind)
	{
		case DNC_KIND_EMAIL:
			widen_email(identifier, set);
			break;
		case DNC_KIND_DOMAIN:
			if (!dnc_domain_read_entry(identifier->clean, &domain))
				break;
			dnc_domain_widen(domain.name, "domain:", set);
			dnc_domain_widen(domain.name, "raw:", set);
			unicode = dnc_domain_unicode(domain.name);
			if (unicode)
				dnc_domain_widen(unicode, "domain:", set);
			break;
		case DNC_KIND_NUMBER:
			dnc_phone_read(identifier->clean, identifier->country, false, &phone);
			dnc_phone_widen(&phone, identifier->country, set);
			break;
		case DNC_KIND_PROFILE:
			widen_profile(identifier, set);
			break;
		case DNC_KIND_CHAT:
			break;
	}
}

/* The keys of all entries that block a contact; see key.h. */
DncKeySet
dnc_match_keys(const char *identifier, const char *type, const char *country)
{
	DncIdentifier read;
	DncDomain	domain;
	DncProfile	profile;
	DncKeySet	set = {0};

	dnc_identifier_read(identifier, type, country, &read);
	if (*read.clean == '\0')
		return set;
	if (!read.too_long)
	{
		DncKind		shape = dnc_identifier_shape(&read);

		widen_kind(&read, read.kind, &set);
		if (shape != read.kind)
			widen_kind(&read, shape, &set);
		if (strchr(read.clean, '@'))
			widen_kind(&read, DNC_KIND_EMAIL, &set);
		/* An entry with this text may have the key of something in it, whatever type we have. */
		if (dnc_domain_find(read.clean, &domain))
			dnc_domain_widen(domain.name, "domain:", &set);
		if (dnc_profile_find(read.clean, &profile))
			dnc_key_set_add_to(&set, "linkedin:", profile.path);
		/* Without a type, the contact may be of any kind: the entry's type decides. */
		for (int kind = DNC_KIND_EMAIL; !read.typed && kind <= DNC_KIND_CHAT; kind++)
		{
			if (kind != (int) read.kind &&
				(kind != DNC_KIND_NUMBER || *dnc_text_digits(read.clean) != '\0'))
				widen_kind(&read, kind, &set);
		}
		/* An entry of a chat has the text exactly as given. */
		if (strlen(read.trimmed) <= DNC_KEY_MAX - 16)
			dnc_key_set_add_to(&set, "web_chat:", read.trimmed);
	}
	dnc_key_set_add(&set, raw_key(read.clean));
	return set;
}
