/*-------------------------------------------------------------------------
 *
 * profile_url.h
 *		LinkedIn profiles in the form that we compare.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_PROFILE_URL_H
#define DNC_PROFILE_URL_H

typedef struct DncProfile
{
	char	   *path;			/* in/person-2; lower case */
	bool		certain;		/* we know no other path to the same profile */
} DncProfile;

extern bool dnc_profile_read(const char *clean, DncProfile *profile);
extern bool dnc_profile_find(const char *clean, DncProfile *profile);
extern bool dnc_profile_looks_like(const char *clean);
extern const char *dnc_profile_slug(const DncProfile *profile);

#endif							/* DNC_PROFILE_URL_H */
