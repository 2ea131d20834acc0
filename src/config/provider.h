/*-------------------------------------------------------------------------
 *
 * provider.h
 *		The contract between the extension and one vendor's API.
 *
 * A provider is a const struct: what can be filtered, how an entry reads,
 * how a list pages, how entries are added and removed is data that the other
 * modules loop over; the few hooks stand last.  A provider knows nothing of
 * SQL, and no file outside src/config/providers/ and the registry asks which
 * provider it deals with.  A fourth API is one file, one line in the
 * registry, and its tests.
 *
 * Strings here are ASCII.  A "path" names a member of a JSON object, or of an
 * object within it: "pagination.total".
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_PROVIDER_H
#define DNC_PROVIDER_H

#include "lib/stringinfo.h"

#include "config/column.h"

struct DncOptions;

/* The JSON type that the API documents for a member. */
typedef enum DncFieldKind
{
	DNC_FIELD_STRING,
	DNC_FIELD_BOOLEAN
} DncFieldKind;

/* Where the value of a column stands in an entry. */
typedef struct DncField
{
	const char *name;			/* member of the entry; NULL: see constant */
	DncColumn	column;			/* DNC_COL_NONE: checked, but not shown */
	DncFieldKind kind;
	bool		required;		/* an entry without it breaks the API's contract */
	const char *constant;		/* name NULL: what every entry has */
	const char *import_type;	/* column type, where it is not the usual one */
} DncField;

/*
 * A query parameter that narrows the list to entries whose column has a value.
 * It may let more entries through than those, never fewer.  Of several filters
 * with the same parameter a request uses the first in the provider's order.
 */
typedef struct DncFilter
{
	DncColumn	column;
	const char *parameter;
} DncFilter;

typedef enum DncPagingStyle
{
	DNC_PAGING_CURSOR,			/* an answer carries the cursor of the next page */
	DNC_PAGING_NUMBER			/* pages are numbered from 1 */
} DncPagingStyle;

/*
 * How a list goes on behind its first page.  An API that is documented in two
 * generations has two of these: the first one whose marker is in the first
 * answer is the one that the server speaks.
 */
typedef struct DncPaging
{
	DncPagingStyle style;
	const char *marker;			/* path that only this generation has */
	const char *parameter;		/* of the cursor, or of the page number */
	const char *more;			/* cursor: path of a boolean, required */
	const char *next;			/* cursor: path of a string, required while more */
	const char *previous;		/* cursor: path of a string that leads back, or NULL */
	const char *total;			/* path of a number, or NULL: the API has none */
	const char *page;			/* number: path of this page's number */
	const char *pages;			/* number: path of the number of pages */
	const char *limit;			/* number: path of the page size in force */
} DncPaging;

#define DNC_MAX_PAGINGS 2

/* The list call. */
typedef struct DncListCall
{
	const char *path;			/* below the base URL */
	const char *limit_parameter;
	int			page_size_max;	/* what users may ask for */
	bool		numbers_first;	/* the first request carries page number 1 */
	const char *entries;		/* path of the array of entries */
	const DncPaging *pagings[DNC_MAX_PAGINGS];	/* NULL behind the last */
} DncListCall;

/*
 * A member of what is sent for one entry.  Where only the first one is sent (in
 * the path, or in a bare list) the others are what is kept with it, to know which
 * entry is meant.
 */
typedef struct DncMember
{
	const char *name;			/* NULL ends a list of members */
	DncColumn	column;
	bool		required;
} DncMember;

#define DNC_MAX_MEMBERS 4
#define DNC_MAX_IDENTITY 2

/* The call that adds entries, or the one that removes them. */
typedef struct DncWriteCall
{
	const char *method;
	const char *path;			/* below the base URL; "{}" stands for the first member's value */
	int			batch;			/* entries that one request takes at the most */
	const char *list;			/* body member that holds a list of entries; NULL: the
								 * body is the one entry */
	bool		bare;			/* the list holds values of the first member, not objects */
	bool		repeatable;		/* sent twice it does what it does when sent once */
	bool		look_first;		/* a removal that may have been taken is looked up before it is
								 * sent again, since it would take an entry that was added since */
	int			unchanged_status;	/* status for an entry that is not on the list (any
									 * more), or that is on it already; 0: none */
	const char *counts[2];		/* paths of numbers that add up to the entries sent, or, of
								 * a removal, to no more; NULL: the answer does not count */
	DncMember	members[DNC_MAX_MEMBERS + 1];
} DncWriteCall;

/* What the remote `search` is known to match (option search_match). */
typedef enum DncSearchMatch
{
	DNC_SEARCH_EXACT,			/* an identifier equal to the value is among the answer */
	DNC_SEARCH_PREFIX,
	DNC_SEARCH_SUBSTRING
} DncSearchMatch;

typedef struct DncProvider
{
	const char *name;			/* as in the option provider */
	const char *base_url;		/* NULL: undocumented, the user gives it */
	const char *token_header;
	const char *token_prefix;	/* in front of the token, as "Bearer " */
	const char *workspace_header;	/* carries workspace_id; NULL: there is none */
	const char *workspace_token;	/* tokens that begin so need a workspace_id, others
									 * must not have one */
	int			requests_per_minute;	/* the vendor's limit; 0: none known */
	DncSearchMatch search_match;	/* until the option says otherwise */
	const char *const *identifier_types;	/* NULL-terminated */
	const char *const *own_options; /* names of options that mean something here
									 * only; NULL-terminated, or NULL */
	const char *success;		/* path of a boolean that is true in every good answer;
								 * NULL: there is none */
	const char *error_messages[2];	/* paths of the text in an error's body; the first
									 * that is there and not empty is shown */
	const char *error_marks[2]; /* paths of texts that each error's body has, which tell it
								 * from that of a gateway */

	DncListCall list;
	const DncField *fields;		/* an entry's, nfields of them */
	int			nfields;
	const DncFilter *filters;	/* nfilters of them, most wanted first */
	int			nfilters;
	DncWriteCall add;
	DncWriteCall remove;

	/* What a list has only once; members of both calls.  nidentity of them. */
	DncColumn	identity[DNC_MAX_IDENTITY];
	int			nidentity;
	bool		ignores_plus;	/* numbers have their country code, and a + in front does not
								 * tell them apart */
	bool		folds_case;		/* case does not tell these apart; the API stores ASCII
								 * letters in lower case */

	/* Appends members to an add request's body, each with a comma in front. */
	void		(*append_add_options) (StringInfo body, const struct DncOptions *options);
} DncProvider;

extern const DncField *dnc_provider_field(const DncProvider *provider, DncColumn column);
extern bool dnc_provider_has_total(const DncProvider *provider);
extern char *dnc_provider_type_names(const DncProvider *provider);
extern int	dnc_provider_count_types(const DncProvider *provider);
extern bool dnc_provider_has_type(const DncProvider *provider, const char *identifier_type);
extern bool dnc_provider_removes_by_part(const DncProvider *provider, DncColumn column);
extern bool dnc_provider_is_same(const DncProvider *provider, const char *one, const char *other);
extern bool dnc_provider_is_identity(const DncProvider *provider, DncColumn column);

#endif							/* DNC_PROVIDER_H */
