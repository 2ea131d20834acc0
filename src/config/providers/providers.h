/*-------------------------------------------------------------------------
 *
 * providers.h
 *		The providers, for the registry.
 *
 * A new provider is a file beside this one, and a line in the list.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_PROVIDERS_H
#define DNC_PROVIDERS_H

#include "config/provider.h"

/* The list of all providers.  Applies a macro to each name, in the registry's order. */
#define DNC_PROVIDERS(use) \
	use(alta) \
	use(sendkit) \
	use(weya)

#define DNC_DECLARE_PROVIDER(name) extern const DncProvider dnc_provider_##name;

DNC_PROVIDERS(DNC_DECLARE_PROVIDER)

#endif							/* DNC_PROVIDERS_H */
