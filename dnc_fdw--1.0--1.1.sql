/* dnc_fdw--1.0--1.1.sql */

-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION dnc_fdw UPDATE TO '1.1'" to load this file. \quit

-- COST is that of a request: the default of request_cost, in cpu_operator_cost
CREATE FUNCTION dnc_fdw_check(
  server name,
  OUT ok boolean,
  OUT http_status integer,
  OUT message text,
  OUT latency interval,
  OUT rate_limit integer,
  OUT rate_remaining integer
) RETURNS record
AS 'MODULE_PATHNAME' LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED COST 40000;
COMMENT ON FUNCTION dnc_fdw_check(name) IS 'sends one small list request to a server of dnc_fdw, as the caller, and tells what came of it';

CREATE FUNCTION dnc_fdw_stats(
  OUT server name,
  OUT requests bigint,
  OUT retries bigint,
  OUT rate_limited bigint,
  OUT rows_read bigint,
  OUT rows_added bigint,
  OUT rows_deleted bigint,
  OUT bytes_received bigint,
  OUT wait_ms double precision
) RETURNS SETOF record
AS 'MODULE_PATHNAME' LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED ROWS 3;
COMMENT ON FUNCTION dnc_fdw_stats() IS 'what this session has sent to servers of dnc_fdw and got from them';

CREATE FUNCTION dnc_fdw_stats_reset() RETURNS void
AS 'MODULE_PATHNAME' LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION dnc_fdw_stats_reset() IS 'sets what dnc_fdw_stats() shows back to zero';

CREATE FUNCTION dnc_fdw_version(
  OUT dnc_fdw text,
  OUT libcurl text,
  OUT cjson text
) RETURNS record
AS 'MODULE_PATHNAME' LANGUAGE C STRICT STABLE PARALLEL SAFE;
COMMENT ON FUNCTION dnc_fdw_version() IS 'versions of the library of dnc_fdw, and of libcurl and cJSON that it runs with';
