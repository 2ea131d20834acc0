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

extern Jsonb *dnc_attrs_page(const char *body, size_t length);
extern Jsonb *dnc_attrs_entry(Jsonb *page, const char *path, int index);

#endif							/* DNC_ATTRS_H */
