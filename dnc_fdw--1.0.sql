/* dnc_fdw--1.0.sql */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION dnc_fdw" to load this file. \quit

CREATE FUNCTION dnc_fdw_handler() RETURNS fdw_handler
AS 'MODULE_PATHNAME' LANGUAGE C STRICT;
COMMENT ON FUNCTION dnc_fdw_handler() IS 'handler of foreign data wrapper dnc_fdw';

CREATE FUNCTION dnc_fdw_validator(options text[], catalog oid) RETURNS void
AS 'MODULE_PATHNAME' LANGUAGE C STRICT;
COMMENT ON FUNCTION dnc_fdw_validator(text[], oid) IS 'checks the options of dnc_fdw';

CREATE FOREIGN DATA WRAPPER dnc_fdw
  HANDLER dnc_fdw_handler
  VALIDATOR dnc_fdw_validator;
COMMENT ON FOREIGN DATA WRAPPER dnc_fdw IS 'Do-Not-Contact lists of outreach services';

CREATE FUNCTION dnc_fdw_providers(
  OUT provider text,
  OUT base_url text,
  OUT identifier_types text[],
  OUT columns text[],
  OUT filters text[],
  OUT has_total boolean,
  OUT max_page_size integer,
  OUT entries_per_add integer,
  OUT entries_per_delete integer,
  OUT requests_per_minute integer
) RETURNS SETOF record
AS 'MODULE_PATHNAME' LANGUAGE C STRICT IMMUTABLE PARALLEL SAFE ROWS 3;
COMMENT ON FUNCTION dnc_fdw_providers() IS 'what the API of each provider of dnc_fdw can do';

CREATE FUNCTION dnc_fdw_pending(
  OUT server name,
  OUT relation regclass,
  OUT action text,
  OUT identifier text,
  OUT identifier_type text
) RETURNS SETOF record
AS 'MODULE_PATHNAME' LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION dnc_fdw_pending() IS 'writes of this transaction to foreign tables of dnc_fdw that wait for COMMIT';
