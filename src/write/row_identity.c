/*-------------------------------------------------------------------------
 *
 * row_identity.c
 *		Which entry of the list a row of a DELETE stands for.
 *
 * A removal has to name the entry that its scan has seen.  If the table has all members that the
 * removal takes, in columns that keep any text, the row itself names the entry.  Elsewhere a
 * column is missing, or its type may change the text: a bigint loses the "+" of a number.  There
 * the scan numbers its rows, and keeps the values of each row as they came.  The number travels
 * to the removal as the row's ctid, whatever sorts, joins and stores are in between.
 *
 * The same scan tells us which other entries a removal would take (removal_scope.c).
 *
 * The values are in temporary files, since a list may be larger than memory, and few of its
 * entries are removed.  One file has the values.  The other file has, by number, the places where
 * they begin.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "storage/buffile.h"

#include "list/decode.h"
#include "write/removal_scope.h"
#include "write/row_identity.h"

/* Stands in front of the values of a row. */
typedef struct RowHeader
{
	uint32		length;			/* of the texts behind the header, each with its NUL */
	uint32		present;		/* bit i: the i-th member of the removal has a text */
} RowHeader;

struct DncRowIdentity
{
	struct DncRowIdentity *next;
	MemoryContextCallback callback;
	MemoryContext context;		/* of the query */
	EState	   *estate;
	Index		relation;		/* in the query's range table */
	const DncOptions *options;
	DncRemovalScope *scope;		/* NULL: a removal takes one entry */
	bool		carried;		/* the ctid says which entry a row stands for */
	BufFile    *values;			/* NULL: there are no rows yet */
	BufFile    *places;			/* of off_t: where the values of a row begin, by number */
	int64		count;
	off_t		end;			/* of the file of values */
};

/* The relations that running queries delete from. */
static DncRowIdentity *identities;

/* Must the ctid of a table's row say which entry the row stands for, since the row does not? */
bool
dnc_row_identity_is_carried(const DncProvider *provider, const DncColumnMap *map, TupleDesc desc)
{
	for (int i = 0; provider->remove.members[i].name; i++)
	{
		AttrNumber	attnum = dnc_column_attnum(map, provider->remove.members[i].column);
		Form_pg_attribute att;

		if (attnum == 0)
			return true;
		att = TupleDescAttr(desc, attnum - 1);
		if (!dnc_column_keeps_text(att->atttypid, att->atttypmod))
			return true;
	}
	return false;
}

/* MemoryContextCallback: the query is over, or has failed. */
static void
forget(void *arg)
{
	for (DncRowIdentity **link = &identities; *link; link = &(*link)->next)
	{
		if (*link == arg)
		{
			*link = (*link)->next;
			return;
		}
	}
}

/* Our state for a relation that a query deletes from; NULL: its rows say all. */
DncRowIdentity *
dnc_row_identity_find(EState *estate, Index relation)
{
	for (DncRowIdentity *identity = identities; identity; identity = identity->next)
	{
		if (identity->estate == estate && identity->relation == relation)
			return identity;
	}
	return NULL;
}

/*
 * Get ready for a scan.  NULL: the statement does not delete from the scanned relation, or the
 * rows say all.  Lives as long as the query; the scan ends it.  A plan scans a relation that is
 * deleted from in only one place.
 */
DncRowIdentity *
dnc_row_identity_begin(ForeignScanState *node, const DncOptions *options, const DncColumnMap *map)
{
	EState	   *estate = node->ss.ps.state;
	Index		relation = castNode(ForeignScan, node->ss.ps.plan)->scan.scanrelid;
	bool		takes_more = options->provider->remove.bare;
	bool		carried;
	MemoryContext before;
	DncRowIdentity *identity;

	if (estate->es_plannedstmt == NULL ||
		!list_member_int(estate->es_plannedstmt->resultRelations, (int) relation))
		return NULL;
	carried = dnc_row_identity_is_carried(options->provider, map,
										  node->ss.ss_ScanTupleSlot->tts_tupleDescriptor);
	if (!carried && !takes_more)
		return NULL;
	if (dnc_row_identity_find(estate, relation))
		elog(ERROR, "two scans of one relation that is deleted from");
	before = MemoryContextSwitchTo(estate->es_query_cxt);
	identity = palloc0(sizeof(DncRowIdentity));
	if (takes_more)
		identity->scope = dnc_removal_scope_make(options);
	MemoryContextSwitchTo(before);
	identity->context = estate->es_query_cxt;
	identity->estate = estate;
	identity->relation = relation;
	identity->options = options;
	identity->carried = carried;
	identity->callback.func = forget;
	identity->callback.arg = identity;
	MemoryContextRegisterResetCallback(estate->es_query_cxt, &identity->callback);
	identity->next = identities;
	identities = identity;
	return identity;
}

/* Take note of an entry that the scan has read, whether it becomes a row or not. */
void
dnc_row_identity_see(DncRowIdentity *identity, const DncJson *entry)
{
	if (identity->scope)
		dnc_removal_scope_see(identity->scope, entry);
}

/* Take note of a removal. */
void
dnc_row_identity_remove(DncRowIdentity *identity, const DncWrite *removal)
{
	if (identity->scope)
		dnc_removal_scope_remove(identity->scope, removal);
}

/* The statement is over: refuse removals that take more entries than it means (0A000). */
void
dnc_row_identity_check(const DncRowIdentity *identity)
{
	if (identity->scope)
		dnc_removal_scope_check(identity->scope);
}

/* The number of a row as a ctid. */
void
dnc_row_identity_number(int64 number, ItemPointer tid)
{
	if (number >= MaxBlockNumber)
		elog(ERROR, "too many rows to be told apart");
	ItemPointerSet(tid, (BlockNumber) number, FirstOffsetNumber);
}

/* Append to one of the files, at its end.  BufFile raises the errors of the disk. */
static void
append(BufFile *file, off_t end, const void *data, size_t size)
{
	if (BufFileSeek(file, 0, end, SEEK_SET) != 0)
		elog(ERROR, "could not seek in a temporary file");
	BufFileWrite(file, unconstify(void *, data), size);
}

/* Read from one of the files. */
static void
read_at(BufFile *file, off_t place, void *data, size_t size)
{
	if (BufFileSeek(file, 0, place, SEEK_SET) != 0 || BufFileRead(file, data, size) != size)
		elog(ERROR, "a temporary file is too short");
}

/* Number a row: texts by member of the removal, UTF-8, NULL where there is none. */
static void
add(DncRowIdentity *identity, const char *const *texts, ItemPointer tid)
{
	RowHeader	header = {0};
	StringInfoData row;

	if (identity->values == NULL)
	{
		MemoryContext before = MemoryContextSwitchTo(identity->context);

		identity->places = BufFileCreateTemp(false);
		identity->values = BufFileCreateTemp(false);
		MemoryContextSwitchTo(before);
	}
	dnc_row_identity_number(identity->count, tid);
	initStringInfo(&row);
	appendBinaryStringInfo(&row, (char *) &header, sizeof(header));
	for (int i = 0; i < DNC_MAX_MEMBERS; i++)
	{
		if (texts[i] == NULL)
			continue;
		header.present |= 1 << i;
		appendBinaryStringInfo(&row, texts[i], strlen(texts[i]) + 1);
	}
	header.length = row.len - sizeof(header);
	memcpy(row.data, &header, sizeof(header));
	append(identity->places, identity->count * (off_t) sizeof(off_t), &identity->end, sizeof(off_t));
	append(identity->values, identity->end, row.data, row.len);
	identity->end += row.len;
	identity->count++;
	pfree(row.data);
}

/* Number the row that stands for an entry of the list; its ctid goes into *tid. */
void
dnc_row_identity_add_entry(DncRowIdentity *identity, const DncJson *entry, ItemPointer tid)
{
	const DncProvider *provider = identity->options->provider;
	const char *texts[DNC_MAX_MEMBERS] = {NULL};

	if (!identity->carried)
		return;
	for (int i = 0; provider->remove.members[i].name; i++)
		texts[i] = dnc_decode_text(provider, entry, provider->remove.members[i].column);
	add(identity, texts, tid);
}

/* Number the row that stands for an addition of the transaction itself. */
void
dnc_row_identity_add_write(DncRowIdentity *identity, const DncWrite *addition, ItemPointer tid)
{
	const DncProvider *provider = identity->options->provider;
	const char *texts[DNC_MAX_MEMBERS] = {NULL};

	if (!identity->carried)
		return;
	for (int i = 0; provider->remove.members[i].name; i++)
		texts[i] = dnc_write_value(addition, provider->remove.members[i].column);
	add(identity, texts, tid);
}

/*
 * The values for removing the entry of a row, in members[DNC_MAX_MEMBERS]: in the database's
 * encoding, NULL where there is none, palloc'd.  Raises 22P05 where the encoding lacks a
 * character.
 */
void
dnc_row_identity_members(DncRowIdentity *identity, ItemPointer tid, const char **members)
{
	int64		number = ItemPointerGetBlockNumber(tid);
	RowHeader	header;
	off_t		place;
	char	   *text;

	if (number >= identity->count)
		elog(ERROR, "row to be deleted has no number");
	read_at(identity->places, number * (off_t) sizeof(off_t), &place, sizeof(place));
	read_at(identity->values, place, &header, sizeof(header));
	text = palloc(Max(header.length, 1));
	read_at(identity->values, place + sizeof(header), text, header.length);
	for (int i = 0; i < DNC_MAX_MEMBERS; i++)
	{
		members[i] = NULL;
		if ((header.present & (1 << i)) == 0)
			continue;
		members[i] = pg_any_to_server(text, strlen(text), PG_UTF8);
		text += strlen(text) + 1;
	}
}

/* The scan is over, and with it the query: close the files. */
void
dnc_row_identity_end(DncRowIdentity *identity)
{
	if (identity->values == NULL)
		return;
	BufFileClose(identity->values);
	BufFileClose(identity->places);
	identity->values = NULL;
	identity->places = NULL;
	identity->count = 0;
}
