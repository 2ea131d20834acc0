/*-------------------------------------------------------------------------
 *
 * phone_load.c
 *		Loading the library for phone numbers, when we need it first.
 *
 * Without the library we raise an error.  If we made a key by ourselves, it would not be
 * the library's key, and somebody who is listed would come out as free.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <unistd.h>

#include "fmgr.h"
#include "miscadmin.h"

#include "compat.h"
#include "match/phone_load.h"

/* Is the library installed?  It must be in the directory of dnc_fdw itself. */
bool
dnc_phone_load_possible(void)
{
	char		path[MAXPGPATH];

	snprintf(path, sizeof(path), "%s/dnc_fdw_phone%s", pkglib_path, DLSUFFIX);
	return access(path, F_OK) == 0;
}

/* The library, loaded once in each process. */
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
