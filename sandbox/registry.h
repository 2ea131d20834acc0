/*
 * registry.h
 *		All vendors' APIs, by name and by path.
 */
#ifndef SB_REGISTRY_H
#define SB_REGISTRY_H

#include "api.h"

extern const SbApi *sb_registry_find(const char *name, size_t len);
extern const SbApi *sb_registry_of_path(const char *path, const char **rest);
extern const char *sb_registry_bases(void);

#endif							/* SB_REGISTRY_H */
