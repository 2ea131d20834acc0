/* dnc_fdw--1.1--1.2.sql */

-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION dnc_fdw UPDATE TO '1.2'" to load this file. \quit

-- Of libraries' versions they depend like collations do: see docs/matching.md.  COST is
-- that of what they mostly see, in cpu_operator_cost: a number takes 15 us, an email less.
CREATE FUNCTION dnc_fdw_key(
  identifier text,
  identifier_type text,
  country text DEFAULT NULL
) RETURNS text
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100;
COMMENT ON FUNCTION dnc_fdw_key(text, text, text) IS 'a text that is equal where two identifiers mean the same; NULL if it cannot be told whom one means';

CREATE FUNCTION dnc_fdw_keys(
  identifier text,
  identifier_type text,
  country text DEFAULT NULL
) RETURNS text[]
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION dnc_fdw_keys(text, text, text) IS 'the keys of all entries of a list that block a contact';

CREATE FUNCTION dnc_fdw_spellings(
  identifier text,
  identifier_type text,
  country text DEFAULT NULL
) RETURNS text[]
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION dnc_fdw_spellings(text, text, text) IS 'the usual spellings of an identifier, to look entries of a list up by';

-- STABLE: an index or a stored column of an IMMUTABLE one would keep the version of once
-- where the version of now is asked for.
CREATE FUNCTION dnc_fdw_key_version() RETURNS text
AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL SAFE COST 100;
COMMENT ON FUNCTION dnc_fdw_key_version() IS 'version of the rules and libraries that keys depend on: where it differs, stored keys are to be made anew';

-- ----- knowing what goes on -----

CREATE FUNCTION dnc_fdw_totals(
  OUT database name,
  OUT server name,
  OUT since timestamptz,
  OUT requests bigint,
  OUT retries bigint,
  OUT rate_limited bigint,
  OUT rows_read bigint,
  OUT rows_added bigint,
  OUT rows_deleted bigint,
  OUT bytes_received bigint,
  OUT wait_ms double precision
) RETURNS SETOF record
AS 'MODULE_PATHNAME' LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED ROWS 10;
COMMENT ON FUNCTION dnc_fdw_totals() IS 'what all sessions of the cluster have sent to servers of dnc_fdw and got from them since its start';
