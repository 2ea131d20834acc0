/*-------------------------------------------------------------------------
 *
 * version.h
 *		Versions of what keys depend on.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_MATCH_VERSION_H
#define DNC_MATCH_VERSION_H

/* A hash of the rules and the libraries' versions: where it differs, keys may. */
extern char *dnc_match_key_version(void);

/* The libraries' versions, for people. */
extern char *dnc_match_libraries(void);

#endif							/* DNC_MATCH_VERSION_H */
