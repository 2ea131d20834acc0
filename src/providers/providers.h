/*-------------------------------------------------------------------------
 *
 * providers.h
 *		The providers there are, for the registry.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_PROVIDERS_H
#define DNC_PROVIDERS_H

#include "provider.h"

extern const DncProvider dnc_provider_alta;

#endif							/* DNC_PROVIDERS_H */
