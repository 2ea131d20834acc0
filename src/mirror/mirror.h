/*-------------------------------------------------------------------------
 *
 * mirror.h
 *		One mirror: its list, its tables, and queries on these.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_MIRROR_H
#define DNC_MIRROR_H

#include "datatype/timestamp.h"

#include "config/option.h"
#include "queue/table.h"

/* The description of a mirror; palloc'd in one context. */
typedef struct DncMirror
{
	Oid			source;			/* the foreign table */
	Oid			owner;			/* owns the source, and the tables and view of the mirror */
	Oid			table;			/* holds the entries */
	Oid			staging;
	const char *source_name;	/* names have their schemas, and are quoted */
	const char *mirror_name;
	const char *staging_name;
	const char *known_name;
	const char *extension;		/* the extension's schema, quoted */
	const DncOptions *options;	/* with the token of the current user */
	const char *account;

	/* The source's columns. */
	TupleDesc	desc;
	DncColumnMap *map;
	List	   *attributes;		/* of int: numbers of the mirrored columns, in order */
	const char *columns;		/* their names, quoted: a, b, c */
	const char *identifier;		/* the name of the column with the identifier, quoted */
	const char *type;			/* the name of the column with the identifier's type, quoted */

	/* From dnc_fdw_mirror_lists; set by dnc_mirror_load() only. */
	int			gone_after;
	double		max_loss;
	Oid			read_by;		/* the role whose token reads the list */
	const char *read_with;		/* dnc_queue_credential() of the last complete pass; NULL: none */
	const char *key_version;	/* NULL: there was no complete pass */
	const char *country;		/* the default_country of the keys; NULL: none */
	bool		complete;		/* there was a complete pass */
	TimestampTz complete_as_of; /* complete: when the last complete pass began */
	TimestampTz merged_at;		/* complete: when it was merged */
	const char *newest;			/* new entries stand 'first' or 'last'; NULL: not known */
	TimestampTz newest_at;		/* newest: the newest created_at, by the vendor's clock */
} DncMirror;

extern char *dnc_mirror_name_of(Oid relid);
extern DncMirror *dnc_mirror_describe(Oid source);
extern DncMirror *dnc_mirror_load(Oid source);
extern void dnc_mirror_require_owner(Oid source);
extern void dnc_mirror_set_credential(const DncMirror *mirror);
extern void dnc_mirror_set_reader(DncMirror *mirror, Oid role);
extern void dnc_mirror_refuse_unmirrored(Oid source, bool to_drop);
extern char *dnc_mirror_prefixed(const DncMirror *mirror, const char *prefix);
extern char *dnc_mirror_sql(const DncMirror *mirror, const char *template);
extern void dnc_mirror_become_owner(const DncMirror *mirror, DncQueueQuery *query);
extern void dnc_mirror_open(DncQueueQuery *query, const DncMirror *mirror, const char *template,
							const DncQueueArguments *arguments);
extern uint64 dnc_mirror_run(const DncMirror *mirror, const char *template,
							 const DncQueueArguments *arguments);
extern int64 dnc_mirror_count(const DncMirror *mirror, const char *template,
							  const DncQueueArguments *arguments);

#endif							/* DNC_MIRROR_H */
