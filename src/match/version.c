/*-------------------------------------------------------------------------
 *
 * version.c
 *		Versions of everything that keys depend on.
 *
 * Keys are stored in indexes and in mirrors of lists.  They are valid as long as the
 * rules and the libraries are those that made them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compat.h"
#include "match/domain.h"
#include "match/phone_load.h"
#include "match/text.h"
#include "match/version.h"

/* Raise this with each change of the code that changes a key. */
#define RULES "4"

/* The file and the build of libphonenumber; empty if it is not installed. */
static void
phone_version(char *file, int size, char *build, int build_size)
{
	file[0] = build[0] = '\0';
	if (dnc_phone_load_possible())
		dnc_phone_load()->version(file, size, build, build_size);
}

/* See version.h; 16 hexadecimal digits. */
char *
dnc_match_key_version(void)
{
	char		file[MAXPGPATH];
	char		build[128];
	char		all[MAXPGPATH + 512];
	const char *name;
	char	   *hash;

	phone_version(file, sizeof(file), build, sizeof(build));
	name = strrchr(file, '/');
	snprintf(all, sizeof(all), "rules %s, Unicode %s, normalization %s, libidn2 %s, %s %s",
			 RULES, dnc_text_unicode_version(), DNC_NORMALIZATION_VERSION,
			 dnc_domain_library_version(), name ? name + 1 : file, build);
	hash = dnc_text_hash(all);
	hash[16] = '\0';
	return hash;
}

/*
 * Returns a text such as: libidn2/2.3.3 libphonenumber/8.12.  libphonenumber does not tell its
 * version, so we take it from the file name: libphonenumber.so.8.12.
 */
char *
dnc_match_libraries(void)
{
	char		file[MAXPGPATH];
	char		build[128];
	char		all[512];
	const char *version;

	phone_version(file, sizeof(file), build, sizeof(build));
	version = strstr(file, ".so.");
	snprintf(all, sizeof(all), "libidn2/%s libphonenumber/%s", dnc_domain_library_version(),
			 version ? version + strlen(".so.") : file[0] ? "unknown" : "none");
	return pstrdup(all);
}
