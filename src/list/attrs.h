/*-------------------------------------------------------------------------
 *
 * attrs.h
 *		Entries as the API gave them, for the column attrs.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_ATTRS_H
#define DNC_ATTRS_H

#include "utils/jsonb.h"

extern Jsonb *dnc_attrs_entry(const char *entry);

#endif							/* DNC_ATTRS_H */
