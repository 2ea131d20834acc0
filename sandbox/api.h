/*
 * api.h
 *		The contract of one vendor's API, and what all of them have in common.
 *
 * A vendor is one const struct: what is data, and the few functions that know its JSON.  Tokens,
 * accounts, log, rate limit, faults and latency are dealt with in serve.c, the same way for all.
 * An account belongs to an API, so accounts come later: they are only named here.
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

/* One request at an API, whose token was good. */
typedef struct SbCall
{
	SbRequest  *req;
	const struct SbApi *api;
	struct SbAccount *account;
	const char *path;			/* below the API's base */
	SbAction	action;
	SbFaultKind fault;			/* the one that is due, or SB_FAULT_NONE */
	int64_t		entries;		/* to be set: entries returned, added or deleted */
} SbCall;

typedef struct SbApi
{
	const char *name;			/* as under /sandbox/ */
	const char *base;			/* path prefix */
	const char *const *types;	/* of entries, NULL at the end; an entry's type is an index */

	/*
	 * The account's name (SB_ACCOUNT_NAME_MAX + 1 bytes) from the credentials: 0, or the status
	 * of the refusal, with its message if there is a better one than the vendor's usual one.
	 */
	int			(*identify) (const SbRequest *req, char *account, const char **message);
	/* What a request asks for, by method and path alone. */
	SbAction	(*classify) (const char *method, const char *path);
	/* Does the work and makes the answer. */
	void		(*serve) (SbCall *call);
	/* Makes an error answer. */
	SbErrorWriter error;
	/* Adds the entry that belongs to a number; false if its name is listed already. */
	bool		(*fill) (struct SbAccount *account, uint64_t number, int type);
	/* Adds the next drift entry at an index. */
	SbEntry    *(*drift) (struct SbAccount *account, size_t index);
	/* What the settings begin with, and those (NULL at the end) that mean nothing here. */
	SbConfig	defaults;
	const char *const *no_settings;
	/* The kinds of faults (SB_FAULT_NONE at the end) that mean nothing here; NULL: none. */
	const SbFaultKind *no_faults;
	/* The members that are an entry's id, name and type (NULL: it has none). */
	const char *id_member;
	const char *name_member;
	const char *type_member;
	/* The members that a search looks through, NULL at the end; NULL: the name. */
	const char *const *search_members;
	char		name_sign;		/* not of the name, if it begins so; or NUL */
} SbApi;

extern int	sb_api_type(const char *const *types, const char *type);
extern void sb_api_type_list(const char *const *types, SbText *into);
extern void sb_api_no_resource(SbCall *call, const char *methods);
extern int64_t sb_api_fill_ms(uint64_t number);

#endif							/* SB_API_H */
