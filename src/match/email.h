/*-------------------------------------------------------------------------
 *
 * email.h
 *		Email addresses in the form that we compare.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_EMAIL_H
#define DNC_EMAIL_H

#include "match/domain.h"
#include "match/key_set.h"

typedef struct DncEmail
{
	char	   *local;			/* lower case, without quotes that change nothing; NULL: a domain */
	DncDomain	domain;
} DncEmail;

extern bool dnc_email_read(const char *clean, DncEmail *email);
extern bool dnc_email_find(const char *clean, DncEmail *email);
extern char *dnc_email_address(const DncEmail *email);
extern char *dnc_email_key(const DncEmail *email);
extern const char *dnc_email_alias(const DncEmail *email, int number);
extern void dnc_email_widen(const DncEmail *email, DncKeySet *set);

#endif							/* DNC_EMAIL_H */
