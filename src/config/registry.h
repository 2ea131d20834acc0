/*-------------------------------------------------------------------------
 *
 * registry.h
 *		The registry of providers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_REGISTRY_H
#define DNC_REGISTRY_H

#include "config/provider.h"

extern const DncProvider *dnc_registry_find(const char *name);
extern const DncProvider *dnc_registry_at(int index);
extern char *dnc_registry_names(void);
extern bool dnc_registry_lacks_type(const DncProvider *provider, const char *identifier_type);

#endif							/* DNC_REGISTRY_H */
