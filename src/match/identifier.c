/*-------------------------------------------------------------------------
 *
 * identifier.c
 *		An identifier and its type, in the form that we compare.
 *
 * The channel is not part of a key: phone, sms and whatsapp are all numbers.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "match/country.h"
#include "match/domain.h"
#include "match/identifier.h"
#include "match/phone_text.h"
#include "match/profile_url.h"
#include "match/text.h"

/* The types that a vendor documents. */
static const struct
{
	const char *type;
	DncKind		kind;
}			documented[] = {
	{"email", DNC_KIND_EMAIL},
	{"domain", DNC_KIND_DOMAIN},
	{"phone", DNC_KIND_NUMBER},
	{"sms", DNC_KIND_NUMBER},
	{"whatsapp", DNC_KIND_NUMBER},
	{"linkedin", DNC_KIND_PROFILE},
	{"web_chat", DNC_KIND_CHAT},
};

/* Find the kind of a type, as written; we ignore case. */
static bool
find_written_type(const char *type, DncKind *kind)
{
	for (int i = 0; i < (int) lengthof(documented); i++)
	{
		const char *rest = dnc_text_past(type, documented[i].type);

		if (rest && *rest == '\0')
		{
			*kind = documented[i].kind;
			return true;
		}
	}
	return false;
}

/* Find the kind of a type; false: no vendor documents it.  We ignore blanks around it. */
static bool
find_type(const char *type, DncKind *kind)
{
	return type && (find_written_type(type, kind) || find_written_type(dnc_text_clean(type), kind));
}

/* Do identifiers of this type count as numbers if they look like numbers?  The type may be NULL. */
bool
dnc_identifier_type_takes_numbers(const char *type)
{
	DncKind		kind;

	return !find_type(type, &kind) || kind == DNC_KIND_NUMBER;
}

/* The kind that an identifier's text looks like. */
DncKind
dnc_identifier_shape(const DncIdentifier *identifier)
{
	const char *clean = identifier->clean;
	DncProfile	profile;

	if (dnc_profile_looks_like(clean))
		return DNC_KIND_PROFILE;
	if (dnc_text_past(clean, "mailto:"))
		return DNC_KIND_EMAIL;
	if (strchr(clean, '@') == NULL && dnc_profile_find(clean, &profile))
		return DNC_KIND_PROFILE;
	if (dnc_phone_text_looks_like(clean))
		return DNC_KIND_NUMBER;
	if (strchr(clean, '@'))
		return DNC_KIND_EMAIL;
	return dnc_domain_looks_like(clean) ? DNC_KIND_DOMAIN : DNC_KIND_CHAT;
}

/* Refuse a country that does not exist; the message shows only the start of a long text. */
static void
refuse_country(const char *country)
{
	int			length = pg_encoding_mbcliplen(PG_UTF8, country, strlen(country), 40);
	char	   *shown = pnstrdup(country, length);

	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("country \"%s\" does not exist", pg_any_to_server(shown, length, PG_UTF8)),
			 errhint("Give the two letters that the country has in ISO 3166, as in DE or US, or NULL if it is not known.")));
}

/* Read an identifier; raises 22023 for a country that does not exist. */
void
dnc_identifier_read(const char *text, const char *type, const char *country,
					DncIdentifier *identifier)
{
	memset(identifier, 0, sizeof(*identifier));
	if (country)
	{
		if (!dnc_country_read(country, identifier->letters))
			refuse_country(country);
		identifier->country = identifier->letters;
	}
	identifier->trimmed = dnc_text_trim(text ? text : "");
	identifier->clean = dnc_text_clean(identifier->trimmed);
	identifier->too_long = strlen(identifier->clean) > DNC_TEXT_MAX;
	identifier->typed = find_type(type, &identifier->kind);
	if (!identifier->typed && !identifier->too_long)
		identifier->kind = dnc_identifier_shape(identifier);
}
