/*-------------------------------------------------------------------------
 *
 * email.c
 *		Email addresses in the form that we compare.
 *
 * We compare domains without case (RFC 5321 2.3.11).  About the local part, only the
 * mail server knows more (again RFC 5321 2.3.11).  But no server in use distinguishes
 * case there, and the documentation of some mailboxes says that they have many
 * spellings.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "match/email.h"
#include "match/text.h"

/* Mailboxes with several spellings, by domain. */
typedef struct MailboxRule
{
	const char *domain;
	const char *canonical;		/* the domain that has the same mailboxes */
	bool		dots;			/* dots in the local part count */
} MailboxRule;

/* In all of these, + and the text behind it in the local part do not belong to the mailbox. */
static const MailboxRule mailbox_rules[] = {
	/* support.google.com/mail/answer/7436150 (dots), /10313 (googlemail.com), /22370 (+) */
	{"gmail.com", "gmail.com", false},
	{"googlemail.com", "gmail.com", false},
	/* support.apple.com/102547 (icloud.com, me.com, mac.com), /guide/icloud/mm6b1a490a (+) */
	{"icloud.com", "icloud.com", true},
	{"me.com", "icloud.com", true},
	{"mac.com", "icloud.com", true},
	/* proton.me/support/addresses-and-aliases */
	{"proton.me", "proton.me", true},
	{"protonmail.com", "proton.me", true},
	{"pm.me", "proton.me", true},
	/* learn.microsoft.com/exchange/recipients-in-exchange-online/plus-addressing-in-exchange-online */
	{"outlook.com", "outlook.com", true},
	{"hotmail.com", "hotmail.com", true},
	{"live.com", "live.com", true},
	{"msn.com", "msn.com", true},
	/* fastmail.help/hc/articles/360060591053 */
	{"fastmail.com", "fastmail.com", true},
	{"fastmail.fm", "fastmail.fm", true},
};

static const MailboxRule *
find_rule(const char *domain)
{
	for (int i = 0; i < (int) lengthof(mailbox_rules); i++)
	{
		if (strcmp(mailbox_rules[i].domain, domain) == 0)
			return &mailbox_rules[i];
	}
	return NULL;
}

/* The text without its first and last byte, trimmed. */
static char *
inner(const char *text)
{
	return dnc_text_strip(pnstrdup(text + 1, strlen(text) - 2));
}

/* The place of the parenthesis that belongs to the last one of a text; NULL: none. */
static const char *
open_comment(const char *text, size_t length)
{
	int			depth = 0;

	while (length-- > 0)
	{
		if (text[length] == ')')
			depth++;
		else if (text[length] == '(' && --depth == 0)
			return text + length;
	}
	return NULL;
}

/* Can a quote begin or end with this byte? */
static bool
may_be_quote(char c)
{
	return c == '\'' || c == '`' || (unsigned char) c >= 0x80;
}

/* The text without one quote at its start or its end; NULL: there is none. */
static char *
unquote(const char *text, size_t length)
{
	if (length == 0 || (!may_be_quote(text[0]) && !may_be_quote(text[length - 1])))
		return NULL;
	for (const char *const *q = dnc_text_quotes; *q; q++)
	{
		size_t		quote = strlen(*q);

		if (length <= quote)
			continue;
		if (strncmp(text, *q, quote) == 0)
			return dnc_text_strip(text + quote);
		if (dnc_text_ends(text, *q))
			return dnc_text_strip(pnstrdup(text, length - quote));
	}
	return NULL;
}

/*
 * Remove one thing around an address: mailto: with its query (RFC 6068), a display name or a
 * comment (RFC 5322 3.4), quotes or brackets around all of it, or punctuation behind it.  NULL:
 * there is nothing to remove.
 */
static char *
unwrap(const char *text)
{
	size_t		length = strlen(text);
	const char *rest = dnc_text_past(text, "mailto:");
	char		first = text[0];
	char		last = length > 0 ? text[length - 1] : '\0';

	if (rest)
	{
		rest += strspn(rest, "/");
		rest = dnc_text_decode(rest, strcspn(rest, "?"));
		return rest ? dnc_text_clean(rest) : NULL;
	}
	if (last == '>' && (rest = strrchr(text, '<')) != NULL)
		return inner(rest);
	if (last == ')' && (rest = open_comment(text, length)) != NULL)
		return dnc_text_strip(pnstrdup(text, rest - text));
	if (length > 1 && (last == ',' || last == ';' || last == ':' || last == '.'))
		return dnc_text_strip(pnstrdup(text, length - 1));
	if (length > 1 && ((first == last && first == '"') || (first == '[' && last == ']')))
		return inner(text);
	return unquote(text, length);
}

/* Does a local part have only characters that need no quotes (RFC 5321 4.1.2, 6531 3.3)? */
static bool
is_plain(const char *local)
{
	return *local && strpbrk(local, "()<>[]:;,\\\"@ ") == NULL && !dnc_text_has_space(local);
}

/*
 * Cut a local part to a length, and remove apostrophes at its end: unwrap() has removed the
 * other apostrophe of such a pair.
 */
static void
cut_local(char *local, size_t length)
{
	while (length > 1 && local[length - 1] == '\'')
		length--;
	local[length] = '\0';
}

/*
 * Remove the quotes of text processors from a quoted local part.  unwrap() removes them from an
 * address, too, so the meaning is the same.  NULL: nothing of a mailbox is left.
 */
static char *
bare_local(char *plain)
{
	for (const char *const *q = dnc_text_quotes; *q;)
	{
		bool		quoted = strncmp(plain, *q, strlen(*q)) == 0;

		plain += quoted ? strlen(*q) : 0;
		q = quoted ? dnc_text_quotes : q + 1;
	}
	cut_local(plain, strlen(plain));
	return *plain == '\0' || strcmp(plain, "*") == 0 ? NULL : plain;
}

/* The local part in the form that we compare; NULL: it is not a possible local part. */
static char *
read_local(char *local)
{
	size_t		length;
	char	   *plain;
	char	   *to;

	cut_local(local, strlen(local));
	length = strlen(local);
	if (length < 2 || local[0] != '"' || local[length - 1] != '"')
		return is_plain(local) ? dnc_text_lower(local) : NULL;
	to = plain = palloc(length);
	for (const char *from = local + 1; from < local + length - 1; from++)
	{
		if (*from == '\\' && from + 1 < local + length - 1)
			from++;
		else if (*from == '"' || *from == '\\')
			return NULL;
		*to++ = *from;
	}
	*to = '\0';
	if (is_plain(plain))
	{
		plain = bare_local(plain);
		return dnc_text_lower(plain ? plain : local);
	}
	return dnc_text_has_space(plain) ? NULL : dnc_text_lower(local);
}

/*
 * Read a cleaned text as an email address.  @acme.com and *@acme.com stand for the domain.
 * False: the text is no address, or more than one.
 */
bool
dnc_email_read(const char *clean, DncEmail *email)
{
	const char *at;
	char	   *local;

	for (char *less; (less = unwrap(clean)) != NULL;)
		clean = less;
	at = strrchr(clean, '@');
	if (at == NULL || !dnc_domain_read(at + 1, &email->domain))
		return false;
	local = pnstrdup(clean, at - clean);
	if (*local == '\0' || strcmp(local, "*") == 0)
	{
		email->local = NULL;
		return true;
	}
	email->local = read_local(local);
	return email->local != NULL && strlen(email->local) + strlen(email->domain.name) < DNC_KEY_MAX - 16;
}

/* Is this a character that can stand between an address and other words? */
static bool
is_separator(char c)
{
	return dnc_is_blank(c) || strchr("<>()[]{},;:|/\"'`", c) != NULL;
}

/*
 * Find the only address in a text that is more than an address: with words around it, or with
 * blanks at its @.  False: there is none, or more than one.
 */
bool
dnc_email_find(const char *clean, DncEmail *email)
{
	const char *at = strchr(clean, '@');
	const char *begin = at;
	const char *end;
	char	   *address;
	char	   *to;

	if (at == NULL || strchr(at + 1, '@') != NULL)
		return false;
	while (begin > clean && dnc_is_blank(begin[-1]))
		begin--;
	end = at + 1 + strspn(at + 1, " \t\n\v\f\r");
	address = dnc_text_join("@", end);
	/* The address ends where its domain does: bob@acme.com! */
	for (to = address + 1; dnc_is_letter(*to) || dnc_is_digit(*to) || (unsigned char) *to >= 0x80 ||
		 (*to && strchr(".-_", *to)); to++)
		;
	*to = '\0';
	end = begin;
	while (begin > clean && !is_separator(begin[-1]))
		begin--;
	return begin < end && dnc_email_read(dnc_text_join(pnstrdup(begin, end - begin), address), email) &&
		email->local != NULL;
}

/* The address of a mailbox.  Addresses known to reach the same mailbox give the same result. */
char *
dnc_email_address(const DncEmail *email)
{
	const MailboxRule *rule = find_rule(email->domain.name);
	char	   *local = pstrdup(email->local);

	if (rule)
	{
		char	   *to = local;
		size_t		length = strcspn(local, "+");

		/* A mailbox's name is not empty, so a leading + is part of the name. */
		cut_local(local, length > 0 ? length : strlen(local));
		if (!rule->dots && strspn(local, ".") < strlen(local))
		{
			for (const char *from = local; *from; from++)
			{
				if (*from != '.')
					*to++ = *from;
			}
			*to = '\0';
		}
	}
	return dnc_text_join(dnc_text_join(local, "@"), rule ? rule->canonical : email->domain.name);
}

/*
 * The domains with the same mailboxes as the address's own domain, which is one of them.
 * number counts them from 0; NULL: after the last one.
 */
const char *
dnc_email_alias(const DncEmail *email, int number)
{
	const MailboxRule *rule = find_rule(email->domain.name);

	if (rule == NULL)
		return number == 0 ? email->domain.name : NULL;
	for (int i = 0; i < (int) lengthof(mailbox_rules); i++)
	{
		if (strcmp(mailbox_rules[i].canonical, rule->canonical) == 0 && number-- == 0)
			return mailbox_rules[i].domain;
	}
	return NULL;
}

/* The key of an address; for @acme.com, the key of a domain. */
char *
dnc_email_key(const DncEmail *email)
{
	return email->local ? dnc_text_join("email:", dnc_email_address(email))
		: dnc_text_join("domain:", email->domain.name);
}

/*
 * Add the keys of all entries that would block the address: its own key, the one without a tag
 * behind a +, and those of its domains, which lists of emails contain, too.
 */
void
dnc_email_widen(const DncEmail *email, DncKeySet *set)
{
	char	   *unicode = dnc_domain_unicode(email->domain.name);
	const char *name;

	dnc_key_set_add(set, dnc_email_key(email));
	if (email->local)
	{
		DncEmail	other = *email;
		size_t		length = strcspn(email->local, "+");

		if (email->local[length] && length > 0 && email->local[0] != '"')
		{
			other.local = pnstrdup(email->local, length);
			cut_local(other.local, length);
			dnc_key_set_add(set, dnc_email_key(&other));
		}
		if (unicode)
		{
			other = *email;
			other.domain.name = unicode;
			dnc_key_set_add(set, dnc_email_key(&other));
		}
	}
	for (int i = 0; (name = dnc_email_alias(email, i)) != NULL; i++)
	{
		dnc_domain_widen(name, "domain:", set);
		dnc_domain_widen(name, "raw:", set);
	}
	if (unicode)
	{
		dnc_domain_widen(unicode, "domain:", set);
		dnc_domain_widen(unicode, "raw:", set);
	}
}
