/*-------------------------------------------------------------------------
 *
 * option.h
 *		The options of servers, tables, columns and user mappings.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_OPTION_H
#define DNC_OPTION_H

#include "nodes/pg_list.h"

#include "config/provider.h"

typedef enum DncWriteMode
{
	DNC_WRITE_COMMIT,			/* writes wait in the transaction until COMMIT */
	DNC_WRITE_IMMEDIATE,		/* writes are sent by their statement */
	DNC_WRITE_QUEUE				/* writes are stored, and sent after COMMIT */
} DncWriteMode;

typedef enum DncScanCheck
{
	DNC_SCAN_CHECK_TOTAL,
	DNC_SCAN_CHECK_REREAD
} DncScanCheck;

/*
 * The options in force for one foreign table of one server.  The table's options come first,
 * then the server's, then the provider's, then our defaults.  Plain data, palloc'd in one
 * context; the enums are ints so that the option table can fill them in.  Only src/config/
 * writes to it.
 */
typedef struct DncOptions
{
	Oid			serverid;
	const char *server_name;
	const DncProvider *provider;

	char	   *account;		/* the list's owner; its servers share one order of writes */
	char	   *base_url;		/* without a slash at its end */
	int			page_size;
	int			batch_size;
	int			max_concurrency;
	int			requests_per_minute;
	int			connect_timeout;	/* ms */
	int			request_timeout;	/* ms */
	int			max_retries;
	int			max_wait;		/* ms */
	int			max_requests;
	int			max_response_size;	/* bytes */
	char	   *ca_file;		/* NULL: the system's roots */
	int			write_mode;		/* DncWriteMode */
	int			max_deletes;
	int			max_delete_age; /* ms */
	bool		pause_active_prospects;
	int			search_match;	/* DncSearchMatch */
	int			scan_check;		/* DncScanCheck */
	double		estimated_rows;
	double		request_cost;
	bool		analyze;
	bool		updatable;
	bool		async_capable;
	char	   *default_country;	/* ISO 3166, for numbers in national form; NULL: none */

	/* From the user mapping; only dnc_credential_options() fills these in. */
	Oid			mapping;		/* the user mapping's own OID */
	char	   *token;			/* from the mapping, or read from token_file */
	char	   *token_file;		/* NULL: the mapping itself has the token */
	char	   *workspace_id;
} DncOptions;

extern const DncOptions *dnc_options_load(Oid serverid, Oid relid);
extern const DncOptions *dnc_options_overlapping(const DncOptions *options, int concurrency);
extern bool dnc_options_equal(const DncOptions *one, const DncOptions *other);
extern void dnc_options_apply_user(DncOptions *options, List *list);

#endif							/* DNC_OPTION_H */
