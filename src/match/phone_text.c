/*-------------------------------------------------------------------------
 *
 * phone_text.c
 *		The text of a number, without the parts around it.
 *
 * Numbers come as URIs, as links and addresses of chats, and with the letters on a
 * phone's keys.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "match/phone_text.h"
#include "match/text.h"

/* Prefixes of URIs that hold a number (RFC 3966, RFC 5724; the others are in use). */
static const char *const schemes[] = {"tel:", "sms:", "smsto:", "mms:", "callto:", "fax:", "whatsapp:"};

/* Addresses in front of a number with its country code. */
static const char *const links[] = {"wa.me/", "api.whatsapp.com/send", "web.whatsapp.com/send"};

/* Endings of chat addresses that are numbers with their country codes. */
static const char *const chats[] = {"@c.us", "@s.whatsapp.net"};

/* The text behind the prefix of a URI that holds a number; NULL: there is no such prefix. */
static const char *
past_scheme(const char *text)
{
	for (int i = 0; i < (int) lengthof(schemes); i++)
	{
		const char *rest = dnc_text_past(text, schemes[i]);

		if (rest)
			return rest;
	}
	return NULL;
}

/* The text behind the address of a chat with a number; NULL: there is no such address. */
static const char *
past_link(const char *text)
{
	if (dnc_text_past(text, "http://") || dnc_text_past(text, "https://"))
		text = strstr(text, "//") + 2;
	if (dnc_text_past(text, "www."))
		text += 4;
	for (int i = 0; i < (int) lengthof(links); i++)
	{
		const char *rest = dnc_text_past(text, links[i]);

		if (rest)
			return rest;
	}
	return NULL;
}

/* The text in front of the ending of a chat address; NULL: it is not such an address. */
static char *
chat_number(const char *text)
{
	for (int i = 0; i < (int) lengthof(chats); i++)
	{
		if (dnc_text_ends(text, chats[i]))
		{
			/* A device's number may follow: 15550000003:12, 15550000003.0:12 */
			size_t		length = strcspn(text, ":.@");

			return strspn(text, "+0123456789") == length ? pnstrdup(text, length) : NULL;
		}
	}
	return NULL;
}

/* The text behind phone= in a query; the text itself if there is no phone=. */
static const char *
phone_parameter(const char *text)
{
	const char *query = strchr(text, '?');

	for (; query; query = strchr(query + 1, '&'))
	{
		const char *value = dnc_text_past(query + 1, "phone=");

		if (value)
			return value;
	}
	return text;
}

/* Remove a parameter of a tel: URI from a text; returns its value, or NULL. */
static char *
take_parameter(char *text, const char *name)
{
	for (char *c = strchr(text, ';'); c; c = strchr(c + 1, ';'))
	{
		const char *value = dnc_text_past(c + 1, name);

		if (value)
		{
			size_t		length = strcspn(value, ";");
			char	   *copy = pnstrdup(value, length);

			memmove(c, value + length, strlen(value + length) + 1);
			return copy;
		}
	}
	return NULL;
}

/* Cut the text of a number out of the parts around it. */
DncPhoneText
dnc_phone_text_find(const char *clean)
{
	DncPhoneText subject = {.text = clean};
	const char *rest;
	char	   *context;

	while ((rest = past_scheme(subject.text)) != NULL)
	{
		rest = phone_parameter(rest + strspn(rest, "/"));
		rest = dnc_text_decode(rest, strcspn(rest, "?&"));
		subject.text = rest ? dnc_text_clean(rest) : "";
	}
	if ((rest = past_link(subject.text)) != NULL)
	{
		rest = phone_parameter(rest);
		rest = dnc_text_decode(rest, strcspn(rest, "?&#/"));
		subject.text = rest ? dnc_text_clean(rest) : "";
		subject.international = true;
	}
	if ((rest = chat_number(subject.text)) != NULL)
	{
		subject.text = rest;
		subject.international = true;
	}
	subject.written = pstrdup(subject.text);
	context = take_parameter(subject.written, "phone-context=");
	take_parameter(subject.written, "isub=");
	subject.local = context && *context != '+';
	rest = strchr(subject.written, '+');
	/* No calling code begins with a zero. */
	subject.plus = (rest && *dnc_text_digits(pnstrdup(subject.written, rest - subject.written)) == '\0' &&
					*dnc_text_digits(rest) != '0') ||
		(context && *context == '+');
	return subject;
}

/* The digits of a text, with letters as on the keys of a phone (ITU-T E.161). */
char *
dnc_phone_text_keypad(const char *text)
{
	static const char keys[] = "22233344455566677778889999";
	char	   *mapped = pstrdup(text);

	for (char *c = mapped; *c; c++)
	{
		if (dnc_is_letter(*c))
			*c = keys[pg_ascii_tolower((unsigned char) *c) - 'a'];
	}
	return dnc_text_digits(mapped);
}

/* Does a text have ASCII letters? */
bool
dnc_phone_text_has_letters(const char *text)
{
	for (; *text; text++)
	{
		if (dnc_is_letter(*text))
			return true;
	}
	return false;
}

/* Does a text without a type look like a number? */
bool
dnc_phone_text_looks_like(const char *clean)
{
	int			digits = strlen(dnc_text_digits(clean));
	int			letters = 0;

	if (past_scheme(clean) || past_link(clean) || chat_number(clean))
		return true;
	if (digits == 0 || strchr(clean, '@'))
		return false;
	for (const char *c = clean; *c; c++)
		letters += dnc_is_letter(*c);
	return letters == 0 || digits > letters || strchr("+(0123456789", *clean) != NULL;
}
