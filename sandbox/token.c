/*
 * token.c
 *		Credentials: the account of a request.
 *
 * A token names its account, so nothing needs a set-up before the first request.
 */
#include "token.h"

#include <string.h>
#include <strings.h>

/* The token of an Authorization header of the bearer kind; NULL if there is none. */
const char *
sb_token_bearer(const SbRequest *req)
{
	const char *token = sb_request_header(req, "Authorization");

	if (token == NULL || strncasecmp(token, "Bearer ", 7) != 0)
		return NULL;
	token += 7;
	return token + strspn(token, " ");
}

/*
 * Finds the account (SB_ACCOUNT_NAME_MAX + 1 bytes) of a token that consists of the prefix and
 * ACCOUNT or ACCOUNT-ANYTHING; false if the token has another form.
 */
bool
sb_token_account(const char *token, const char *prefix, char *account)
{
	size_t		len;

	if (strncmp(token, prefix, strlen(prefix)) != 0)
		return false;
	token += strlen(prefix);
	len = strcspn(token, "-");
	if (!sb_account_name_valid(token, len) || (token[len] == '-' && token[len + 1] == '\0'))
		return false;
	memcpy(account, token, len);
	account[len] = '\0';
	return true;
}

/* Finds the account of a bearer token "sandbox-ACCOUNT": 0, or the status of the refusal. */
int
sb_token_identify(const SbRequest *req, char *account, const char **message)
{
	const char *token = sb_token_bearer(req);

	(void) message;
	return token != NULL && sb_token_account(token, "sandbox-", account) ? 0 : 401;
}
