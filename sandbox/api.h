/*
 * api.h
 *		The contract of one vendor's API, and the common parts of all APIs.
 *
 * A vendor is one const struct: data, and the few functions that know its JSON.  serve.c handles
 * tokens, accounts, log, rate limit, faults and latency in the same way for all vendors.  An
 * account belongs to an API, so accounts come later in the order of files; here we only name
 * their type.
 */
#ifndef SB_API_H
#define SB_API_H

#include "config.h"
#include "fault.h"
#include "store.h"

struct SbAccount;
struct SbApi;

typedef enum SbAction
{
	SB_ACTION_OTHER,
	SB_ACTION_LIST,
	SB_ACTION_ADD,
	SB_ACTION_DELETE
} SbAction;

/* One request to an API, with a good token. */
typedef struct SbCall
{
	SbRequest  *req;
	const struct SbApi *api;
	struct SbAccount *account;
	const char *path;			/* below the API's base */
	SbAction	action;
	SbFaultKind fault;			/* the fault that is due, or SB_FAULT_NONE */
	int64_t		entries;		/* set by the API: entries returned, added or deleted */
} SbCall;

typedef struct SbApi
{
	const char *name;			/* as in paths under /sandbox/ */
	const char *base;			/* path prefix */
	const char *const *types;	/* of entries, NULL at the end; an entry's type is an index */

	/*
	 * Finds the account's name (SB_ACCOUNT_NAME_MAX + 1 bytes) from the credentials.  Returns 0, or
	 * the status of the refusal, with a message if there is a better one than the vendor's usual
	 * message.
	 */
	int			(*identify) (const SbRequest *req, char *account, const char **message);
	/* The purpose of a request, from method and path alone. */
	SbAction	(*classify) (const char *method, const char *path);
	/* Does the work and makes the answer. */
	void		(*serve) (SbCall *call);
	/* Makes an error answer. */
	SbErrorWriter error;
	/* Adds the entry for a number; false if its name is on the list already. */
	bool		(*fill) (struct SbAccount *account, uint64_t number, int type);
	/* Adds the next drift entry at an index. */
	SbEntry    *(*drift) (struct SbAccount *account, size_t index);
	/* The initial settings, and the settings (NULL at the end) that mean nothing here. */
	SbConfig	defaults;
	const char *const *no_settings;
	/* The kinds of faults (SB_FAULT_NONE at the end) that mean nothing here; NULL: none. */
	const SbFaultKind *no_faults;
	/* The members with an entry's id, name and type (NULL: it has no type). */
	const char *id_member;
	const char *name_member;
	const char *type_member;
	/* The members that a search compares, NULL at the end; NULL: only the name. */
	const char *const *search_members;
	char		name_sign;		/* a first character that does not belong to the name; or NUL */
} SbApi;

extern int	sb_api_type(const char *const *types, const char *type);
extern void sb_api_type_list(const char *const *types, SbText *into);
extern void sb_api_no_resource(SbCall *call, const char *methods);
extern int64_t sb_api_fill_ms(uint64_t number);

#endif							/* SB_API_H */
