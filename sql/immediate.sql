-- write_mode 'immediate': a statement sends what it writes.
\getenv srcdir PG_ABS_SRCDIR
\set include :srcdir /sql/include/preamble.sql
\i :include
\set log '\\! curl -s "$DNC_SANDBOX_URL/sandbox/alta/now/log?bodies=1"; curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/alta/now/log" >/dev/null'
\! for p in alta sendkit weya; do curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/$p/now" >/dev/null; curl -s -X POST "$DNC_SANDBOX_URL/sandbox/$p/now/fill?count=6" >/dev/null; done
CREATE SERVER now FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url :'alta_url', max_retries '0',
  write_mode 'immediate', batch_size '2', max_concurrency '1');
CREATE SERVER now_sendkit FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'sendkit', base_url :'sendkit_url', max_retries '0', write_mode 'immediate');
CREATE SERVER now_weya FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'weya', base_url :'weya_url', max_retries '0', write_mode 'immediate');
CREATE USER MAPPING FOR CURRENT_USER SERVER now OPTIONS (token 'sandbox-now');
CREATE USER MAPPING FOR CURRENT_USER SERVER now_sendkit OPTIONS (token 'sk_now');
CREATE USER MAPPING FOR CURRENT_USER SERVER now_weya OPTIONS (token 'sandbox-now');
CREATE SCHEMA now;
SET search_path = now, public;
CREATE FOREIGN TABLE alta (id uuid, identifier text, identifier_type text, label text) SERVER now;
CREATE FOREIGN TABLE later (identifier text, identifier_type text) SERVER now OPTIONS (write_mode 'commit');
CREATE FOREIGN TABLE sendkit (id text, identifier text, identifier_type text, reason text) SERVER now_sendkit;
CREATE FOREIGN TABLE weya (id text, identifier text, batch_id text DEFAULT 'b', request_uuid text DEFAULT 'u') SERVER now_weya;

-- additions go out as batches fill, and at the end; the next statement reads them from the remote
BEGIN;
INSERT INTO alta (identifier, identifier_type) SELECT 'n' || n, 'email' FROM generate_series(1, 5) n;
SELECT * FROM dnc_fdw_pending();
SELECT identifier, id IS NOT NULL AS has_id FROM alta WHERE identifier LIKE 'n%' ORDER BY 1;
COMMIT;
:log
-- not while the statement reads the same list
INSERT INTO alta (identifier, identifier_type) SELECT 'copy of ' || identifier, 'email' FROM alta WHERE identifier LIKE 'n%';
:log
-- deletions when the statement's own scan is over
ALTER FOREIGN TABLE alta OPTIONS (ADD page_size '4');
DELETE FROM alta WHERE identifier LIKE 'copy%';
:log
ALTER FOREIGN TABLE alta OPTIONS (DROP page_size);

-- WHERE is what the API removes by: no reading, and 404 is no row
EXPLAIN (VERBOSE, COSTS OFF) DELETE FROM alta WHERE identifier = 'n1' AND identifier_type = 'email';
SELECT pg_temp.explain($$DELETE FROM alta WHERE identifier_type = 'email' AND 'n1' = identifier$$);
DELETE FROM alta WHERE identifier = 'n1' AND identifier_type = 'email';
\echo :ROW_COUNT
PREPARE one AS DELETE FROM alta WHERE identifier = $1 AND identifier_type = $2;
EXECUTE one('n2', 'email');
\echo :ROW_COUNT
SET plan_cache_mode = force_generic_plan;
EXECUTE one('n2', 'email');
\echo :ROW_COUNT
EXECUTE one('n3', NULL);
\echo :ROW_COUNT
EXECUTE one('n3', 'domain');
\echo :ROW_COUNT
EXECUTE one('', 'email');
\echo :ROW_COUNT
RESET plan_cache_mode;
:log
-- anything else is read first
EXPLAIN (COSTS OFF) DELETE FROM alta WHERE identifier = 'n3';
EXPLAIN (COSTS OFF) DELETE FROM alta WHERE identifier = 'n3' AND identifier_type = 'email' AND label IS NULL;
EXPLAIN (COSTS OFF) DELETE FROM alta WHERE identifier = 'n3' AND identifier_type IN ('email', 'phone');
EXPLAIN (COSTS OFF) DELETE FROM alta WHERE identifier = 'n3' AND identifier_type = 'email' RETURNING id;
EXPLAIN (COSTS OFF) WITH gone AS (DELETE FROM alta WHERE identifier = 'n3' AND identifier_type = 'email') SELECT;
EXPLAIN (COSTS OFF) DELETE FROM later WHERE identifier = 'n3' AND identifier_type = 'email';
DELETE FROM alta WHERE identifier = 'n3' AND identifier_type = 'email' RETURNING identifier, id IS NOT NULL AS has_id;
:log

-- sendkit removes by email alone, whatever its type and case; weya by id
EXPLAIN (COSTS OFF) DELETE FROM sendkit WHERE identifier = 'person000001@example.com';
EXPLAIN (COSTS OFF) DELETE FROM sendkit WHERE identifier = 'Person000001@example.com';
EXPLAIN (COSTS OFF) DELETE FROM sendkit WHERE identifier = 'person000001@example.com' AND identifier_type = 'domain';
DELETE FROM sendkit WHERE identifier = 'person000001@example.com' AND identifier_type = 'domain';
\echo :ROW_COUNT
DELETE FROM sendkit WHERE identifier = 'Person000001@example.com';
\echo :ROW_COUNT
DELETE FROM sendkit WHERE identifier = 'person000001@example.com';
\echo :ROW_COUNT
DELETE FROM sendkit WHERE identifier = 'person000001@example.com';
\echo :ROW_COUNT
INSERT INTO sendkit (identifier, identifier_type) VALUES ('a@example.com', 'email'), ('person000003@example.com', 'email');
\! curl -s "$DNC_SANDBOX_URL/sandbox/sendkit/now/log?bodies=1" | grep -v ^GET
SELECT id FROM weya WHERE identifier = '15550000001' \gset
DELETE FROM weya WHERE id = :'id';
\echo :ROW_COUNT
DELETE FROM weya WHERE id = :'id';
\echo :ROW_COUNT
DELETE FROM weya WHERE identifier IN ('15550000002', '15550000003');
\echo :ROW_COUNT
INSERT INTO weya (identifier) VALUES ('+1'), ('15550000004') ON CONFLICT DO NOTHING;
\echo :ROW_COUNT
SELECT count(*) FROM weya;

-- ROLLBACK does not take back, and says so
BEGIN;
INSERT INTO alta (identifier, identifier_type) VALUES ('stays', 'email');
DELETE FROM alta WHERE identifier = 'n4' AND identifier_type = 'email';
ROLLBACK;
SELECT identifier FROM alta WHERE identifier IN ('stays', 'n4');
\! curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/alta/now/log" >/dev/null
-- an error in the midst of it tells what was sent
-- (psql may show a warning that comes with an error before or after it)
SET client_min_messages = error;
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/now/fault?kind=status&arg=400&method=POST&at=2" >/dev/null
INSERT INTO alta (identifier, identifier_type) SELECT 'f' || n, 'email' FROM generate_series(1, 5) n;
\echo :LAST_ERROR_SQLSTATE
INSERT INTO alta (identifier, identifier_type) SELECT 'g' || n, CASE n WHEN 4 THEN 'fax' ELSE 'email' END FROM generate_series(1, 5) n;
\echo :LAST_ERROR_SQLSTATE
DO $$
BEGIN
  BEGIN
    INSERT INTO alta (identifier, identifier_type) VALUES ('h1', 'email'), ('h2', 'email'), ('h3', 'fax');
  EXCEPTION WHEN invalid_parameter_value THEN
    INSERT INTO alta (identifier, identifier_type) VALUES ('h4', 'email');
  END;
END $$;
:log
-- max_deletes counts over the statements of the transaction
ALTER SERVER now OPTIONS (ADD max_deletes '2');
BEGIN;
DELETE FROM alta WHERE identifier = 'f1' AND identifier_type = 'email';
SAVEPOINT a;
DELETE FROM alta WHERE identifier LIKE 'g%' OR identifier LIKE 'h%';
\echo :LAST_ERROR_SQLSTATE
ROLLBACK TO a;
DELETE FROM alta WHERE identifier = 'f2' AND identifier_type = 'email';
DELETE FROM alta WHERE identifier = 'stays' AND identifier_type = 'email';
\echo :LAST_ERROR_SQLSTATE
COMMIT;
SELECT identifier FROM alta WHERE identifier ~ '^(f|g|h|stays)' ORDER BY 1;
-- what waits for COMMIT is not overtaken
BEGIN;
INSERT INTO later VALUES ('waits', 'email');
SAVEPOINT a;
INSERT INTO alta (identifier, identifier_type) VALUES ('overtakes', 'email');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK TO a;
DELETE FROM alta WHERE identifier = 'waits' AND identifier_type = 'email';
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;
\! curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/alta/now/log" >/dev/null

DROP SCHEMA now CASCADE;
DROP SERVER now, now_sendkit, now_weya CASCADE;
