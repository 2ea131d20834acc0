/*-------------------------------------------------------------------------
 *
 * phone_load.c
 *		Loading the library for phone numbers, when the first one is looked at.
 *
 * Without the library we raise an error.  A key that we made by ourselves would not be
 * the one that the library makes, and somebody who is listed would come out as free.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <unistd.h>

#include "fmgr.h"
#include "miscadmin.h"

#include "compat.h"
#include "match/phone_load.h"

/* Is the library installed?  It is where dnc_fdw itself is installed. */
bool
dnc_phone_load_possible(void)
{
	char		path[MAXPGPATH];

	snprintf(path, sizeof(path), "%s/dnc_fdw_phone%s", pkglib_path, DLSUFFIX);
	return access(path, F_OK) == 0;
}

/* The library, loaded once a process. */
const DncPhoneLibrary *
dnc_phone_load(void)
{
	static const DncPhoneLibrary *library = NULL;
	const DncPhoneLibrary *(*get) (void);

	if (library)
		return library;
	if (!dnc_phone_load_possible())
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("phone numbers cannot be compared without the library dnc_fdw_phone"),
				 errdetail("\"%s\" has no file dnc_fdw_phone%s.", pkglib_path, DLSUFFIX),
				 errhint("On Debian, install the package " DNC_PHONE_PACKAGE ". Elsewhere, build dnc_fdw with libphonenumber, and run make install.")));
	get = (const DncPhoneLibrary *(*) (void))
		load_external_function("$libdir/dnc_fdw_phone", "dnc_phone_library", true, NULL);
	library = get();
	return library;
}
