/*-------------------------------------------------------------------------
 *
 * profile_url.c
 *		LinkedIn profiles in the form that we compare.
 *
 * A profile has one public URL, https://www.linkedin.com/in/NAME.  It occurs with
 * country hosts, tracking queries, locale suffixes and paths of its sub-pages.  Other
 * URLs (with member numbers, of Sales Navigator, of the old /pub/) lead to the same
 * profile without its name, so we cannot compare them with the public URL.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "match/profile_url.h"
#include "match/text.h"

/* The kinds of pages that have a name, in the first part of a path. */
static const char *const named[] = {"in", "company", "school", "showcase"};

/* The beginning of a URL that was pasted behind another one. */
static const char *const schemes[] = {"http:", "https:"};

/* Parts of a path that may stand before the kind of a page. */
static const char *const before[] = {"mwlite", "m", "incareer"};

/* Beginnings of member numbers in URLs: they are base64 of a structure. */
static const char *const member_number[] = {"acoaa", "acwaa", "aeoaa", "aemaa"};

static bool
is_one_of(const char *text, const char *const *list, int count)
{
	for (int i = 0; i < count; i++)
	{
		if (strcmp(text, list[i]) == 0)
			return true;
	}
	return false;
}

/* Is this LinkedIn's host, for any country? */
static bool
is_linkedin_host(const char *host, size_t length)
{
	char	   *name;

	while (length > 0 && host[length - 1] == '.')
		length--;
	name = dnc_text_lower(pnstrdup(host, length));
	return strcmp(name, "linkedin.com") == 0 || dnc_text_ends(name, ".linkedin.com") ||
		strcmp(name, "linkedin.cn") == 0 || dnc_text_ends(name, ".linkedin.cn");
}

/*
 * The path of a LinkedIn URL, or the text itself if it begins with a page's kind (in/person-2).
 * NULL for other hosts and texts.
 */
static const char *
find_path(const char *text)
{
	const char *rest = text;
	size_t		length;

	if (dnc_text_past(rest, "http://") || dnc_text_past(rest, "https://"))
		rest = strstr(rest, "//");
	if (dnc_text_past(rest, "//"))
	{
		/* The host is behind the user info and before the port. */
		rest += 2;
		length = strcspn(rest, "/?#");
		for (size_t i = 0; i < length; i++)
		{
			if (rest[i] == '@')
			{
				rest += i + 1;
				length -= i + 1;
				i = -1;
			}
		}
	}
	else
	{
		rest += strspn(rest, "/");
		for (int i = 0; i < (int) lengthof(named); i++)
		{
			const char *behind = dnc_text_past(rest, named[i]);

			if (behind && *behind == '/')
				return rest;
		}
		length = strcspn(rest, "/?#");
	}
	if (!is_linkedin_host(rest, Min(length, strcspn(rest, ":"))))
		return NULL;
	return rest[length] == '/' ? rest + length : "";
}

/* The next part of a path, from *rest, which moves behind that part; NULL: at the end. */
static char *
next_part(const char **rest)
{
	const char *part = *rest + strspn(*rest, "/");
	size_t		length = strcspn(part, "/");

	*rest = part + length;
	return length > 0 ? dnc_text_strip(pnstrdup(part, length)) : NULL;
}

/* Is a name the number of a member, or of a company? */
static bool
is_number(const char *name)
{
	for (int i = 0; i < (int) lengthof(member_number); i++)
	{
		if (dnc_text_past(name, member_number[i]) && strlen(name) > 20)
			return true;
	}
	return strspn(name, "0123456789") == strlen(name);
}

/*
 * The length of a profile's name: LinkedIn allows letters, digits and hyphens.  We also allow
 * characters beyond ASCII, and dots inside a name, as in john.smith.
 */
static size_t
name_length(const char *name)
{
	size_t		length = strcspn(name, " \t\r\n,;:|<>()[]{}\"&=!*'`\\^$~+%");

	for (const char *const *q = dnc_text_quotes; *q; q++)
	{
		const char *quote = strstr(name, *q);

		if (quote && (size_t) (quote - name) < length)
			length = quote - name;
	}
	while (length > 0 && name[length - 1] == '.')
		length--;
	return length;
}

/* Does the text behind a profile's name lead to another profile? */
static bool
names_linkedin(const char *path)
{
	return strstr(path, "linkedin.") != NULL || strstr(path, "/in/") != NULL;
}

/*
 * Read a cleaned text as a profile's URL.  False: it is no such URL, or does not name the page
 * that it leads to.
 */
bool
dnc_profile_read(const char *clean, DncProfile *profile)
{
	const char *path = find_path(clean);
	char	   *decoded;
	char	   *kind;
	char	   *name;

	if (path == NULL)
		return false;
	decoded = dnc_text_decode(path, strcspn(path, "?#"));
	if (decoded == NULL)
		return false;
	decoded = dnc_text_lower(dnc_text_clean(decoded));
	/* The encoded text may have held a query or a fragment. */
	decoded[strcspn(decoded, "?#")] = '\0';
	path = decoded;
	kind = next_part(&path);
	if (kind && is_one_of(kind, before, lengthof(before)))
		kind = next_part(&path);
	name = kind ? next_part(&path) : NULL;
	if (name == NULL || *name == '\0' || strlen(name) > DNC_KEY_MAX - 32 ||
		is_one_of(name, schemes, lengthof(schemes)))
		return false;
	if (is_one_of(kind, named, lengthof(named)))
	{
		size_t		length = name_length(name);

		/* The text behind the name: a locale or a sub-page, or words, or another profile. */
		profile->certain = name[length] == '\0' && !is_number(name) &&
			!dnc_text_has_space(clean) && !names_linkedin(path) &&
			strpbrk(clean, ",;|") == NULL;
		name[length] = '\0';
		profile->path = dnc_text_join(dnc_text_join(kind, "/"), name);
		return length > 0;
	}
	if (strcmp(kind, "pub") != 0)
		return false;
	profile->path = dnc_text_join("pub/", name);
	while ((name = next_part(&path)) != NULL && strlen(profile->path) + strlen(name) < DNC_KEY_MAX - 32)
		profile->path = dnc_text_join(dnc_text_join(profile->path, "/"), name);
	profile->certain = false;
	return true;
}

/*
 * Find the only profile in a text that is more than a profile's URL: with words, quotes or another
 * address around it, or percent-encoded as a whole.  False: there is none, or more than one.
 */
bool
dnc_profile_find(const char *clean, DncProfile *profile)
{
	static const char *const hosts[] = {"linkedin.com", "linkedin.cn"};
	const char *text = dnc_text_decode(clean, strlen(clean));
	bool		found = false;

	if (text == NULL)
		text = clean;
	for (const char *c = text; *c; c++)
	{
		DncProfile	other;

		if (c > text && (dnc_is_letter(c[-1]) || dnc_is_digit(c[-1]) || c[-1] == '-' || c[-1] == '_'))
			continue;			/* notlinkedin.com */
		for (int i = 0; i < (int) lengthof(hosts); i++)
		{
			if (!dnc_text_past(c, hosts[i]) || !dnc_profile_read(c, &other))
				continue;
			if (found && strcmp(other.path, profile->path) != 0)
				return false;
			*profile = other;
			found = true;
		}
	}
	if (found)
		profile->certain = false;
	return found;
}

/* Does a text without a type look like a profile's URL? */
bool
dnc_profile_looks_like(const char *clean)
{
	return find_path(clean) != NULL;
}

/* The name of a person's profile; NULL: it is another kind of page. */
const char *
dnc_profile_slug(const DncProfile *profile)
{
	return dnc_text_past(profile->path, "in/");
}
