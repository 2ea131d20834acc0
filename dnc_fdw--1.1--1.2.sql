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

CREATE FUNCTION dnc_fdw_get_progress(
  OUT pid integer,
  OUT datid oid,
  OUT server name,
  OUT relid oid,
  OUT action text,
  OUT pages bigint,
  OUT rows bigint,
  OUT expected_rows bigint,
  OUT requests bigint,
  OUT waiting_until timestamptz,
  OUT started_at timestamptz
) RETURNS SETOF record
AS 'MODULE_PATHNAME' LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED ROWS 10;
COMMENT ON FUNCTION dnc_fdw_get_progress() IS 'what the view dnc_fdw_progress is made of';

-- An OID of a table means something in its own database only.
CREATE VIEW dnc_fdw_progress AS
  SELECT p.pid, p.datid, d.datname, p.server, p.relid,
    CASE WHEN d.datname = current_database() THEN p.relid::regclass END AS relation,
    p.action, p.pages, p.rows, p.expected_rows, p.requests, p.waiting_until, p.started_at
  FROM dnc_fdw_get_progress() p LEFT JOIN pg_database d ON d.oid = p.datid;
GRANT SELECT ON dnc_fdw_progress TO PUBLIC;
COMMENT ON VIEW dnc_fdw_progress IS 'what dnc_fdw does now in any session of the cluster';

CREATE FUNCTION dnc_fdw_check(
  OUT server name,
  OUT ok boolean,
  OUT http_status integer,
  OUT message text,
  OUT latency interval,
  OUT rate_limit integer,
  OUT rate_remaining integer
) RETURNS SETOF record
AS 'MODULE_PATHNAME', 'dnc_fdw_check_all' LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE COST 40000 ROWS 3;
COMMENT ON FUNCTION dnc_fdw_check() IS 'dnc_fdw_check(server) for all servers of dnc_fdw that the caller may use';

CREATE FUNCTION dnc_fdw_probe(
  server name,
  OUT topic text,
  OUT finding text,
  OUT setting text,
  OUT requests integer
) RETURNS SETOF record
AS 'MODULE_PATHNAME' LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED COST 400000 ROWS 13;
COMMENT ON FUNCTION dnc_fdw_probe(name) IS 'finds out with at most 12 list requests what a vendor does where its documents are silent';
