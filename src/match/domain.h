/*-------------------------------------------------------------------------
 *
 * domain.h
 *		Domains in the form that we compare.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_DOMAIN_H
#define DNC_DOMAIN_H

#include "match/key_set.h"

typedef struct DncDomain
{
	char	   *name;			/* in ASCII if libidn2 can convert it; lower case */
	bool		certain;		/* no other spelling of this domain can have another name */
} DncDomain;

extern bool dnc_domain_read(const char *text, DncDomain *domain);
extern bool dnc_domain_read_entry(const char *text, DncDomain *domain);
extern bool dnc_domain_find(const char *text, DncDomain *domain);
extern bool dnc_domain_looks_like(const char *text);
extern char *dnc_domain_unicode(const char *name);
extern void dnc_domain_widen(const char *name, const char *prefix, DncKeySet *set);
extern const char *dnc_domain_library_version(void);

#endif							/* DNC_DOMAIN_H */
