/*-------------------------------------------------------------------------
 *
 * phone_module.c
 *		The part of dnc_fdw_phone that lets PostgreSQL load it as a library.
 *
 * The library is separate from dnc_fdw, because it needs C++ and libphonenumber, with
 * some 30 MB of other libraries.  A session that looks at no number does not load it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "compat.h"
#include "match/phone_library.h"

DNC_MODULE_MAGIC("dnc_fdw_phone");

void		_PG_init(void);

/* When preloaded: sessions inherit libphonenumber's set-up, which takes 12 ms and some memory. */
void
_PG_init(void)
{
	if (process_shared_preload_libraries_in_progress)
		dnc_phone_prepare();
}
