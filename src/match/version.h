/*-------------------------------------------------------------------------
 *
 * version.h
 *		Versions of everything that keys depend on.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_MATCH_VERSION_H
#define DNC_MATCH_VERSION_H

/* A hash of the rules and of the libraries' versions: if it differs, keys may differ. */
extern char *dnc_match_key_version(void);

/* The libraries' versions, for humans. */
extern char *dnc_match_libraries(void);

#endif							/* DNC_MATCH_VERSION_H */
