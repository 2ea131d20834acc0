/*-------------------------------------------------------------------------
 *
 * certificate.c
 *		The proof of which entries a pass has seen.
 *
 * The proof is a SHA-256 over the identities of all entries, in UTF-8, each with a zero byte behind
 * it.  We sort them by their bytes in the database's encoding.  An identity is the entry's id, type
 * and identifier, in lines.  You can compute the hash again from a copy of the list of that time.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/cryptohash.h"
#include "common/sha2.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "mirror/certificate.h"
#include "mirror/statements.h"

/* We fetch this many rows at once. */
#define ROWS_AT_ONCE 1000

/* The identity in a fetched row, palloc'd, in UTF-8: the hash does not depend on the database. */
static char *
identity_at(uint64 row)
{
	char	   *identity = SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, 1);
	char	   *utf8 = (char *) pg_do_encoding_conversion((unsigned char *) identity, strlen(identity),
														  GetDatabaseEncoding(), PG_UTF8);

	if (utf8 != identity)
		pfree(identity);
	return utf8;
}

/* Add the fetched rows to the hash.  *last is the identity of the row before them. */
static void
hash_rows(pg_cryptohash_ctx *hash, DncCertificate *certificate, StringInfo last)
{
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		char	   *identity = identity_at(i);
		bool		isnull;
		Datum		wide = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2, &isnull);

		if (certificate->rows > 0 && strcmp(identity, last->data) == 0)
			certificate->repeated++;
		else
		{
			if (pg_cryptohash_update(hash, (const uint8 *) identity, strlen(identity) + 1) < 0)
				elog(ERROR, "could not compute a SHA-256 hash");
			certificate->rows++;
			certificate->wide_keys += !isnull && DatumGetBool(wide);
			resetStringInfo(last);
			appendStringInfoString(last, identity);
		}
		pfree(identity);
	}
	CHECK_FOR_INTERRUPTS();
}

/* Finish a hash.  Returns it in hexadecimal, in the memory of context. */
static char *
digest_of(pg_cryptohash_ctx *hash, MemoryContext context)
{
	uint8		digest[PG_SHA256_DIGEST_LENGTH];
	char	   *text = MemoryContextAlloc(context, 2 * sizeof(digest) + 1);

	if (pg_cryptohash_final(hash, digest, sizeof(digest)) < 0)
		elog(ERROR, "could not compute a SHA-256 hash");
	hex_encode((const char *) digest, sizeof(digest), text);
	text[2 * sizeof(digest)] = '\0';
	return text;
}

/*
 * Compute the certificate of the full pass in the staging table.  Its text is palloc'd in the
 * current context.
 */
void
dnc_certificate_make(const DncMirror *mirror, DncCertificate *certificate)
{
	MemoryContext context = CurrentMemoryContext;
	pg_cryptohash_ctx *hash = pg_cryptohash_create(PG_SHA256);
	DncQueueQuery query;
	StringInfoData last;
	Portal		cursor;

	memset(certificate, 0, sizeof(*certificate));
	if (pg_cryptohash_init(hash) < 0)
		elog(ERROR, "could not compute a SHA-256 hash");
	initStringInfo(&last);
	dnc_mirror_become_owner(mirror, &query);
	cursor = SPI_cursor_open_with_args(NULL,
									   dnc_mirror_sql(mirror, "SELECT s.identity, s.match_key ^@ 'tel:?' OR s.match_key ^@ 'raw:' FROM "
													  DNC_MIRROR_STAGED " s ORDER BY s.identity COLLATE \"C\""),
									   0, NULL, NULL, NULL, false, CURSOR_OPT_NO_SCROLL);
	do
	{
		SPI_cursor_fetch(cursor, true, ROWS_AT_ONCE);
		hash_rows(hash, certificate, &last);
		SPI_freetuptable(SPI_tuptable);
	} while (SPI_processed > 0);
	SPI_cursor_close(cursor);
	certificate->sha256 = digest_of(hash, context);
	dnc_queue_close(&query);
	pg_cryptohash_free(hash);
}
