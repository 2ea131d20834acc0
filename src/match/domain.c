/*-------------------------------------------------------------------------
 *
 * domain.c
 *		Domains in the form that we compare, by libidn2 (UTS 46, non-transitional).
 *
 * For a domain in ASCII, we only fold to lower case: libidn2 would do the same, or
 * refuse the domain.  So we use libidn2 only for other domains.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <idn2.h>

#include "match/domain.h"
#include "match/text.h"

/*
 * Can a host name have the labels of a domain?  We also allow underscores, which occur in
 * practice.  Characters beyond ASCII pass.
 */
static bool
has_good_labels(const char *name)
{
	const char *label = name;

	if (name[0] == '[')			/* an address, as in bob@[192.0.2.1] (RFC 5321 4.1.3) */
		return strspn(name + 1, "0123456789abcdef:.ipv") + 2 == strlen(name) &&
			name[strlen(name) - 1] == ']';
	for (const char *c = name;; c++)
	{
		if (*c == '.' || *c == '\0')
		{
			if (c == label)
				return false;
			label = c + 1;
			if (*c == '\0')
				return true;
		}
		else if ((unsigned char) *c < 0x80 && !dnc_is_letter(*c) && !dnc_is_digit(*c) &&
				 *c != '-' && *c != '_')
			return false;
	}
}

/*
 * Copy libidn2's result into our memory; NULL: there is none.  libidn2's own memory is freed
 * before an error can be raised.
 */
static char *
take(int status, char *found)
{
	char		name[DNC_TEXT_MAX];
	size_t		length;

	if (status == IDN2_MALLOC)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	if (status != IDN2_OK)
		return NULL;
	length = strlcpy(name, found, sizeof(name));
	idn2_free(found);
	return length < sizeof(name) ? pstrdup(name) : NULL;
}

/* Convert a domain to ASCII with libidn2; NULL: libidn2 cannot. */
static char *
to_ascii(const char *text)
{
	static const char capital_sharp_s[] = "\xe1\xba\x9e";
	char	   *copy = pstrdup(text);
	char	   *found = NULL;
	char	   *c;
	int			status;

	/* Before Unicode 15.1, UTS 46 turned the capital sharp s into ss, but kept the small letter. */
	while ((c = strstr(copy, capital_sharp_s)) != NULL)
	{
		memcpy(c, "\xc3\x9f", 2);
		memmove(c + 2, c + 3, strlen(c + 3) + 1);
	}
	status = idn2_to_ascii_8z(copy, &found, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT);
	return take(status, found);
}

/*
 * The part of a text between characters beyond ASCII, where that part looks like a domain: quotes
 * and punctuation of other scripts may stand around it.  NULL: there is none.
 */
static char *
ascii_core(const char *text)
{
	char	   *core;
	char	   *last;
	size_t		length;

	while ((unsigned char) *text >= 0x80)
		text++;
	length = strlen(text);
	while (length > 0 && (unsigned char) text[length - 1] >= 0x80)
		length--;
	core = pnstrdup(text, length);
	last = strrchr(core, '.');
	return last && strlen(last) > 2 && dnc_text_is_ascii(core) && has_good_labels(core) ? core : NULL;
}

/*
 * Read the domain of an email or of a host: without dots at its end, in ASCII and lower case.
 * A domain that libidn2 refuses stays in its own script.  False: the text is no domain.
 */
bool
dnc_domain_read(const char *text, DncDomain *domain)
{
	size_t		length = strlen(text);
	char	   *name;

	while (length > 0 && text[length - 1] == '.')
		length--;
	name = pnstrdup(text, length);
	if (length == 0 || dnc_text_has_space(name))
		return false;
	domain->certain = true;
	domain->name = NULL;
	if (!dnc_text_is_ascii(name))
	{
		domain->name = to_ascii(name);
		domain->certain = domain->name != NULL;
		if (!domain->certain)
			domain->name = ascii_core(name);
	}
	domain->name = dnc_text_lower(domain->name ? domain->name : name);
	/* There may have been a dot of another script at the end. */
	length = strlen(domain->name);
	while (length > 0 && domain->name[length - 1] == '.')
		domain->name[--length] = '\0';
	return length <= IDN2_DOMAIN_MAX_LENGTH && has_good_labels(domain->name);
}

/*
 * Read an entry that stands for a domain on a list: @acme.com, *@acme.com, *.acme.com, or the
 * address of a web site.  False: the text is none of these.
 */
bool
dnc_domain_read_entry(const char *text, DncDomain *domain)
{
	const char *rest = text;
	size_t		length;

	length = strspn(rest, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
	if (length > 0 && dnc_text_past(rest + length, "://"))
		rest += length + 1;
	if (dnc_text_past(rest, "//"))
		rest += 2;
	while (*rest == '*' || *rest == '@' || *rest == '.')
		rest++;
	length = strcspn(rest, "/?#");
	text = pnstrdup(rest, length);
	/* Remove a port.  An address in brackets has colons of its own. */
	if (strchr(text, ']') == NULL && (rest = strchr(text, ':')) != NULL &&
		rest[1 + strspn(rest + 1, "0123456789")] == '\0')
		text = pnstrdup(text, rest - text);
	return dnc_domain_read(text, domain);
}

/*
 * Find the only domain in a text that is more than a domain: with quotes, brackets or a list's
 * punctuation around it, as acme.com; or "acme.com", or in a pattern for its mailboxes, as
 * *@*.acme.com.  False: there is none.
 */
bool
dnc_domain_find(const char *text, DncDomain *domain)
{
	static const char around[] = "\"'`<>()[]{},;:|!?=&+~ \t\n\v\f\r";
	const char *rest;
	size_t		length;

	text += strspn(text, around);
	length = strlen(text);
	while (length > 0 && strchr(around, text[length - 1]) != NULL)
		length--;
	text = pnstrdup(text, length);
	rest = dnc_text_past(text, "mailto:");
	text = rest ? rest : text;
	return dnc_domain_looks_like(text + strspn(text, "*@.")) && dnc_domain_read_entry(text, domain);
}

/*
 * Does a text without a type look like a domain: several labels, and a last one that can be a
 * top-level domain?  That one has two letters or more and no digits, unless it is an international
 * one in ASCII (RFC 5890 2.3.2.1: "xn--").
 */
bool
dnc_domain_looks_like(const char *text)
{
	const char *last;
	DncDomain	domain;

	if (strchr(text, '@') || !dnc_domain_read_entry(text, &domain))
		return false;
	last = strrchr(domain.name, '.');
	return last && strlen(last) > 2 &&
		(strpbrk(last, "0123456789") == NULL || dnc_text_past(last, ".xn--") != NULL);
}

/* The domain in its own script; NULL: that form does not differ. */
char *
dnc_domain_unicode(const char *name)
{
	char	   *found = NULL;
	char	   *unicode;
	int			status;

	if (strstr(name, "xn--") == NULL)
		return NULL;
	status = idn2_to_unicode_8z8z(name, &found, 0);
	unicode = take(status, found);
	if (unicode == NULL)
		return NULL;
	unicode = dnc_text_lower(unicode);
	return strcmp(unicode, name) == 0 ? NULL : unicode;
}

/*
 * Add to the set, with the prefix, the domain, each domain above it that has at least two
 * labels, and the names of their web servers.
 */
void
dnc_domain_widen(const char *name, const char *prefix, DncKeySet *set)
{
	const char *label = name;
	const char *next;
	char	   *web = dnc_text_join(prefix, "www.");

	dnc_key_set_add_to(set, prefix, name);
	if (name[0] == '[')
		return;
	dnc_key_set_add_to(set, web, name);
	while ((next = strchr(label, '.')) != NULL && strchr(next + 1, '.') != NULL)
	{
		label = next + 1;
		dnc_key_set_add_to(set, prefix, label);
		dnc_key_set_add_to(set, web, label);
	}
}

/* The version of libidn2 at run time. */
const char *
dnc_domain_library_version(void)
{
	return idn2_check_version(NULL);
}
