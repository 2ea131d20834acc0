/*-------------------------------------------------------------------------
 *
 * client.c
 *		A program with libpq, as t/029_scan_clients.pl builds it: single-row mode, and a
 *		pipeline whose writes fail when it is synchronised.
 *
 * Arguments: connection string, foreign table.  Prints what it gets.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>

#include "libpq-fe.h"

/* End with a message where something that has to work does not. */
static void
demand(int done, PGconn *connection, const char *what)
{
	if (done)
		return;
	fprintf(stderr, "%s: %s", what, PQerrorMessage(connection));
	exit(1);
}

/* The next result: its status, and its rows or SQLSTATE; 0: none. */
static int
print_result(PGconn *connection)
{
	PGresult   *result = PQgetResult(connection);
	const char *sqlstate;

	if (result == NULL)
		return 0;
	sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	printf("%s %s\n", PQresStatus(PQresultStatus(result)),
		   sqlstate ? sqlstate : PQcmdStatus(result));
	PQclear(result);
	return 1;
}

/* All rows of a table, one by one. */
static void
read_single_rows(PGconn *connection, const char *table)
{
	char		query[200];
	PGresult   *result;
	int			rows = 0;

	snprintf(query, sizeof(query), "SELECT identifier FROM %s", table);
	demand(PQsendQuery(connection, query) && PQsetSingleRowMode(connection), connection, query);
	while ((result = PQgetResult(connection)) != NULL)
	{
		if (PQresultStatus(result) == PGRES_SINGLE_TUPLE)
			rows++;
		else
			printf("%d rows, %s %s\n", rows, PQresStatus(PQresultStatus(result)),
				   PQresultStatus(result) == PGRES_FATAL_ERROR
				   ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : PQcmdStatus(result));
		PQclear(result);
	}
}

/* Three additions in a pipeline, and what comes of them. */
static void
write_pipeline(PGconn *connection, const char *table)
{
	char		query[200];

	snprintf(query, sizeof(query),
			 "INSERT INTO %s (identifier, identifier_type) VALUES ($1, 'email')", table);
	PQclear(PQprepare(connection, "add", query, 0, NULL));
	demand(PQenterPipelineMode(connection), connection, "pipeline");
	for (int i = 0; i < 3; i++)
	{
		char		value[20];
		const char *values[] = {value};

		snprintf(value, sizeof(value), "%d@libpq", i);
		demand(PQsendQueryPrepared(connection, "add", 1, values, NULL, NULL, 0), connection, query);
	}
	demand(PQpipelineSync(connection), connection, "sync");
	for (int i = 0; i < 3; i++)
	{
		while (print_result(connection))
			;
	}
	while (print_result(connection))
		;
	while (print_result(connection))
		;
	demand(PQexitPipelineMode(connection), connection, "end of pipeline");
}

int
main(int argc, char **argv)
{
	PGconn	   *connection = PQconnectdb(argv[1]);

	demand(argc == 3 && PQstatus(connection) == CONNECTION_OK, connection, "connection");
	read_single_rows(connection, argv[2]);
	write_pipeline(connection, argv[2]);
	PQfinish(connection);
	return 0;
}
