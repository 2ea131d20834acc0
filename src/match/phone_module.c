/*-------------------------------------------------------------------------
 *
 * phone_module.c
 *		What makes dnc_fdw_phone a library that PostgreSQL loads.
 *
 * The library is apart from dnc_fdw, since it needs C++ and libphonenumber with some
 * 30 MB of other libraries.  Sessions that look at no number do without.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "compat.h"
#include "match/phone_library.h"

DNC_MODULE_MAGIC("dnc_fdw_phone");

void		_PG_init(void);

/* Preloaded: sessions inherit what libphonenumber sets up once, 12 ms and some memory. */
void
_PG_init(void)
{
	if (process_shared_preload_libraries_in_progress)
		dnc_phone_prepare();
}
