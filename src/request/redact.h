/*-------------------------------------------------------------------------
 *
 * redact.h
 *		Secrets and invisible characters in the remote's words.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_REDACT_H
#define DNC_REDACT_H

#include "mb/pg_wchar.h"

extern bool dnc_redact_is_invisible(pg_wchar character);
extern int	dnc_redact_character_length(const char *utf8);
extern void dnc_redact_secret(char *utf8, const char *secret);

#endif							/* DNC_REDACT_H */
