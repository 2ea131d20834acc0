/*-------------------------------------------------------------------------
 *
 * providers.h
 *		All providers, for the registry.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_PROVIDERS_H
#define DNC_PROVIDERS_H

#include "config/provider.h"

extern const DncProvider dnc_provider_alta;
extern const DncProvider dnc_provider_sendkit;
extern const DncProvider dnc_provider_weya;

#endif							/* DNC_PROVIDERS_H */
