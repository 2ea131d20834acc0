/*-------------------------------------------------------------------------
 *
 * spellings.c
 *		The usual spellings of an identifier, for looking up entries.
 *
 * An API finds an entry by its text.  No list of spellings is complete, so nobody counts
 * as free because a look-up found nothing.  But a look-up finds most entries.
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

/* Add a domain and the domains above it, as entries of lists spell them. */
static void
spell_domain(const char *name, DncKeySet *set)
{
	char	   *unicode = dnc_domain_unicode(name);

	dnc_domain_widen(name, "", set);
	dnc_key_set_add_to(set, "@", name);
	if (unicode)
		dnc_key_set_add(set, unicode);
}

static void
spell_email(const char *clean, DncKeySet *set)
{
	DncEmail	email;
	const char *name;
	char	   *unicode;

	if (!dnc_email_read(clean, &email))
		return;
	unicode = dnc_domain_unicode(email.domain.name);
	if (email.local)
	{
		char	   *local = dnc_text_join(email.local, "@");

		dnc_key_set_add_to(set, local, email.domain.name);
		dnc_key_set_add(set, dnc_email_address(&email));
		for (int i = 0; (name = dnc_email_alias(&email, i)) != NULL; i++)
			dnc_key_set_add_to(set, local, name);
		if (unicode)
			dnc_key_set_add_to(set, local, unicode);
	}
	spell_domain(email.domain.name, set);
}

static void
spell_profile(const char *clean, DncKeySet *set)
{
	static const char *const hosts[] = {"https://www.linkedin.com/", "http://www.linkedin.com/", "https://linkedin.com/",
	"www.linkedin.com/", "linkedin.com/"};
	DncProfile	profile;

	if (!dnc_profile_read(clean, &profile))
		return;
	for (int i = 0; i < (int) lengthof(hosts); i++)
	{
		char	   *url = dnc_text_join(hosts[i], profile.path);

		dnc_key_set_add(set, url);
		dnc_key_set_add_to(set, url, "/");
	}
	dnc_key_set_add(set, profile.path);
	if (dnc_profile_slug(&profile))
		dnc_key_set_add(set, pstrdup(dnc_profile_slug(&profile)));
}

/* The usual spellings of an identifier; see key.h. */
DncKeySet
dnc_match_spellings(const char *identifier, const char *type, const char *country)
{
	DncIdentifier read;
	DncDomain	domain;
	DncPhone	phone;
	DncKeySet	set = {0};

	dnc_identifier_read(identifier, type, country, &read);
	if (*read.clean == '\0')
		return set;
	dnc_key_set_add(&set, read.trimmed);
	if (read.too_long)
		return set;
	dnc_key_set_add(&set, read.clean);
	switch (read.kind)
	{
		case DNC_KIND_EMAIL:
			dnc_key_set_add(&set, dnc_text_lower(read.clean));
			spell_email(read.clean, &set);
			break;
		case DNC_KIND_DOMAIN:
			dnc_key_set_add(&set, dnc_text_lower(read.clean));
			if (dnc_domain_read_entry(read.clean, &domain))
				spell_domain(domain.name, &set);
			break;
		case DNC_KIND_NUMBER:
			dnc_phone_read(read.clean, read.country, false, &phone);
			dnc_phone_widen_spellings(&phone, &set);
			break;
		case DNC_KIND_PROFILE:
			spell_profile(read.clean, &set);
			break;
		case DNC_KIND_CHAT:
			break;
	}
	return set;
}
