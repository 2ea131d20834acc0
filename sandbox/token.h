/*
 * token.h
 *		Credentials: the account of a request.
 */
#ifndef SB_TOKEN_H
#define SB_TOKEN_H

#include "account.h"

extern const char *sb_token_bearer(const SbRequest *req);
extern bool sb_token_account(const char *token, const char *prefix, char *account);
extern int	sb_token_identify(const SbRequest *req, char *account, const char **message);

#endif							/* SB_TOKEN_H */
