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

#include <dlfcn.h>
#include <unistd.h>

#include "fmgr.h"
#include "miscadmin.h"

#include "compat.h"
#include "match/phone_load.h"

/*
 * The directory of our own library, or "" if it cannot be told.  This need not be PostgreSQL's
 * directory: Debian builds a package and tests it before anything is installed.
 */
static void
own_directory(char *directory)
{
	static const char here = 0;
	Dl_info		own;

	directory[0] = '\0';
	if (dladdr(&here, &own) != 0 && strchr(own.dli_fname, '/') != NULL)
	{
		strlcpy(directory, own.dli_fname, MAXPGPATH);
		get_parent_directory(directory);
	}
}

/* Is the library in a directory?  Gives its path there, in either case. */
static bool
library_in(const char *directory, char *path)
{
	snprintf(path, MAXPGPATH, "%s/dnc_fdw_phone%s", directory, DLSUFFIX);
	return access(path, F_OK) == 0;
}

/* Find the library, beside ours or in PostgreSQL's directory.  If it is not there, false. */
static bool
find_library(char *path)
{
	char		directory[MAXPGPATH];

	own_directory(directory);
	return (directory[0] != '\0' && library_in(directory, path)) || library_in(pkglib_path, path);
}

/* Is the library installed? */
bool
dnc_phone_load_possible(void)
{
	char		path[MAXPGPATH];

	return find_library(path);
}

/* The library, loaded once in each process. */
const DncPhoneLibrary *
dnc_phone_load(void)
{
	static const DncPhoneLibrary *library = NULL;
	const DncPhoneLibrary *(*get) (void);
	char		path[MAXPGPATH];

	if (library)
		return library;
	if (!find_library(path))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("phone numbers cannot be compared without the library dnc_fdw_phone"),
				 errdetail("There is no file \"%s\".", path),
				 errhint("On Debian, install the package " DNC_PHONE_PACKAGE ". Elsewhere, build dnc_fdw with libphonenumber, and run make install.")));
	get = (const DncPhoneLibrary *(*) (void))
		load_external_function(path, "dnc_phone_library", true, NULL);
	library = get();
	return library;
}
