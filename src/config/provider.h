/*-------------------------------------------------------------------------
 *
 * provider.h
 *		The contract between the extension and one vendor's API.
 *
 * A provider is a const struct.  Data says which filters there are, how an entry reads,
 * how a list pages, and how entries are added and removed; the other modules loop over
 * that data.  The few hooks stand last.  A provider knows nothing of SQL, and no file
 * outside src/config/providers/ and the registry asks which provider it deals with.  A
 * fourth API takes one file, a line in the list of providers, and its tests.
 *
 * Strings here are ASCII.  A "path" names a member of a JSON object, or of an object
 * within it: "pagination.total".
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

/* The place of a column's value in an entry. */
typedef struct DncField
{
	const char *name;			/* member of the entry; NULL: see constant */
	DncColumn	column;			/* DNC_COL_NONE: we check the member, but do not show it */
	DncFieldKind kind;
	bool		required;		/* an entry without it breaks the API's contract */
	const char *constant;		/* if name is NULL: the value that every entry has */
	const char *import_type;	/* column type, if it is not the usual one */
} DncField;

/*
 * A query parameter that narrows the list to entries whose column has a value.  It may let more
 * entries through, but never fewer.  If several filters have the same parameter, a request uses
 * the first of them in the provider's order.
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
 * How a list goes on after its first page.  An API that is documented in two generations has
 * two of these.  The server speaks the first generation whose marker is in the first answer.
 */
typedef struct DncPaging
{
	DncPagingStyle style;
	const char *marker;			/* path that only this generation has */
	const char *parameter;		/* name of the parameter with the cursor, or with the page number */
	const char *more;			/* cursor: path of a boolean, required */
	const char *next;			/* cursor: path of a string, required while more */
	const char *previous;		/* cursor: path of a string that leads back, or NULL */
	const char *total;			/* path of a number, or NULL: the API has none */
	const char *page;			/* number: path of this page's number */
	const char *pages;			/* number: path of the number of pages */
	const char *limit;			/* number: path of the page size that the server used */
} DncPaging;

#define DNC_MAX_PAGINGS 2

/* The list call. */
typedef struct DncListCall
{
	const char *path;			/* below the base URL */
	const char *limit_parameter;
	int			page_size_max;	/* the largest page_size that users may set */
	bool		numbers_first;	/* the first request carries page number 1 */
	const char *entries;		/* path of the array of entries */
	const DncPaging *pagings[DNC_MAX_PAGINGS];	/* NULL after the last */
} DncListCall;

/*
 * A member of an entry in a write request.  If the request carries only the first member (in
 * its path, or in a bare list), we keep the others with the write, to know which entry it
 * means.
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
	int			batch;			/* the most entries that one request takes */
	const char *list;			/* body member that holds a list of entries; NULL: the body is
								 * the single entry */
	bool		bare;			/* the list holds values of the first member, not objects */
	bool		repeatable;		/* sending it twice has the same effect as sending it once */
	bool		look_first;		/* look up the entry before sending again a removal that may have
								 * arrived: the second one would take an entry added since */
	int			unchanged_status;	/* status for an entry that is already gone, or already on
									 * the list; 0: none */
	const char *counts[2];		/* paths of numbers that add up to the entries sent or, for a
								 * removal, to no more; NULL: the answer does not count */
	DncMember	members[DNC_MAX_MEMBERS + 1];
} DncWriteCall;

/* The matching of the remote `search`, as far as we know (option search_match). */
typedef enum DncSearchMatch
{
	DNC_SEARCH_EXACT,			/* the answer holds each identifier that equals the value */
	DNC_SEARCH_PREFIX,
	DNC_SEARCH_SUBSTRING
} DncSearchMatch;

typedef struct DncProvider
{
	const char *name;			/* as in the option provider */
	const char *base_url;		/* NULL: undocumented, the user gives it */
	const char *token_header;
	const char *token_prefix;	/* in front of the token, as "Bearer " */
	const char *workspace_header;	/* carries workspace_id; NULL: no such header */
	const char *workspace_token;	/* tokens with this beginning need a workspace_id; others
									 * must not have one */
	int			requests_per_minute;	/* the vendor's limit; 0: none known */
	DncSearchMatch search_match;	/* the default of the option */
	const char *const *identifier_types;	/* NULL-terminated */
	const char *const *own_options; /* options from not_for_all (option.c) that this provider
									 * has; NULL-terminated, or NULL */
	const char *success;		/* path of a boolean that is true in every good answer; NULL:
								 * none */
	const char *error_messages[2];	/* paths of the text in an error's body; we show the first
									 * that is there and not empty */
	const char *error_marks[2]; /* paths of texts that every error body of this API has; the
								 * bodies of a gateway lack them */

	DncListCall list;
	const DncField *fields;		/* the members of an entry, nfields of them */
	int			nfields;
	const DncFilter *filters;	/* nfilters of them, in the order of preference */
	int			nfilters;
	DncWriteCall add;
	DncWriteCall remove;

	/* The columns that tell entries apart, nidentity of them; members of both write calls. */
	DncColumn	identity[DNC_MAX_IDENTITY];
	int			nidentity;
	bool		ignores_plus;	/* numbers have their country code, and a leading + makes no
								 * difference */
	bool		folds_case;		/* the case of identifiers makes no difference; the API stores
								 * ASCII letters in lower case */

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
