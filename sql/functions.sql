-- Functions that users call: what is installed, whether a server answers, what
-- the session has sent and got.
\getenv srcdir PG_ABS_SRCDIR
\set include :srcdir /sql/include/preamble.sql
\i :include
\set log '\\! for list in alta/fn sendkit/fn weya/fn; do curl -s "$DNC_SANDBOX_URL/sandbox/$list/log"; curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/$list/log" >/dev/null; done'
\! for list in alta/fn sendkit/fn weya/fn; do curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/$list"; curl -s -X POST "$DNC_SANDBOX_URL/sandbox/$list/fill?count=250"; done >/dev/null
CREATE SERVER fn_alta FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url :'alta_url', requests_per_minute '0');
CREATE SERVER fn_sendkit FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'sendkit', base_url :'sendkit_url');
CREATE SERVER fn_weya FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'weya', base_url :'weya_url');
CREATE USER MAPPING FOR CURRENT_USER SERVER fn_alta OPTIONS (token 'sandbox-fn');
CREATE USER MAPPING FOR CURRENT_USER SERVER fn_sendkit OPTIONS (token 'sk_fn');
CREATE USER MAPPING FOR CURRENT_USER SERVER fn_weya OPTIONS (token 'sandbox-fn');

-- everything in the extension has a comment
SELECT pg_describe_object(classid, objid, objsubid) AS object, obj_description(objid, classid::regclass::name) AS comment
  FROM pg_depend WHERE refobjid = (SELECT oid FROM pg_extension WHERE extname = 'dnc_fdw') AND deptype = 'e' AND classid <> 'pg_type'::regclass
  ORDER BY pg_describe_object(classid, objid, objsubid) COLLATE "C";
SELECT obj_description(oid, 'pg_extension') AS comment FROM pg_extension WHERE extname = 'dnc_fdw';

-- versions: of the library, which is that of the newest SQL, and of what it runs with
SELECT dnc_fdw = default_version AS newest, libcurl ~ '^libcurl/[78]\.\d+\.\d+.* .*\d' AS libcurl, cjson ~ '^1\.\d+\.\d+$' AS cjson
  FROM dnc_fdw_version(), pg_available_extensions WHERE name = 'dnc_fdw';

-- a check is one request of one entry, whatever the provider; nothing was sent before
SELECT * FROM dnc_fdw_stats();
:log
SELECT srvname, ok, http_status, message, latency > '0' AS latency, rate_limit, rate_remaining
  FROM pg_foreign_server, dnc_fdw_check(srvname) WHERE srvname LIKE 'fn_%' ORDER BY srvname;
:log
\! curl -s -X PUT "$DNC_SANDBOX_URL/sandbox/sendkit/fn/config?generation=old" >/dev/null
ALTER SERVER fn_sendkit OPTIONS (ADD scan_check 'reread');
SELECT ok FROM dnc_fdw_check('fn_sendkit');
:log
-- it tells of the rate limit, as the answer does
\! curl -s -X PUT "$DNC_SANDBOX_URL/sandbox/weya/fn/config?rate_limit=5" >/dev/null
SELECT ok, http_status, rate_limit, rate_remaining FROM dnc_fdw_check('fn_weya');
\! curl -s -X PUT "$DNC_SANDBOX_URL/sandbox/weya/fn/config?rate_limit=0" >/dev/null
-- an empty list is a list
\! curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/weya/fn" >/dev/null
SELECT ok, http_status, rate_limit, rate_remaining FROM dnc_fdw_check('fn_weya');
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/weya/fn/fill?count=250" >/dev/null

-- what the remote answers is a row, and it is not asked again
\set check 'SELECT ok, http_status, message FROM dnc_fdw_check(''fn_alta'');'
:log
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/fn/fault?kind=status&arg=503" >/dev/null
:check
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/fn/fault?kind=status&arg=404" >/dev/null
:check
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/fn/fault?kind=redirect&arg=https://elsewhere.example/?key=1" >/dev/null
:check
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/fn/fault?kind=html" >/dev/null
:check
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/fn/fault?kind=no_has_more" >/dev/null
:check
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/fn/fault?kind=body" -d '{"data":[{"id":"1"}],"hasMore":false}' >/dev/null
:check
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/fn/fault?kind=body&arg=206" -d '{"data":[],"hasMore":false}' >/dev/null
:check
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/fn/fault?kind=body&arg=403" -d '{"error":"x","message":"Key sandbox-fn\nmay \u001b[31mnot"}' >/dev/null
:check
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/fn/fault?kind=status&arg=429&retry_after=600" >/dev/null
:check
:log
-- the pause that was asked for counts, for a check too: nothing is sent
SELECT ok, http_status, message, latency FROM dnc_fdw_check('fn_alta');
:log
-- a transaction goes on after all that
DROP USER MAPPING FOR CURRENT_USER SERVER fn_alta;
CREATE USER MAPPING FOR CURRENT_USER SERVER fn_alta OPTIONS (token 'not-it');
BEGIN;
:check
SELECT count(*) FROM pg_foreign_server WHERE srvname LIKE 'fn_%' AND NOT (dnc_fdw_check(srvname)).ok;
COMMIT;
:log

-- it is one line, whatever the server is called
CREATE SERVER U&"fn_two\000alines" FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url :'alta_url');
CREATE USER MAPPING FOR CURRENT_USER SERVER U&"fn_two\000alines" OPTIONS (token 'not-it');
SELECT message FROM dnc_fdw_check(U&'fn_two\000alines');
DROP SERVER U&"fn_two\000alines" CASCADE;

-- what is wrong here is an error, and nothing is sent
SELECT * FROM dnc_fdw_check('nowhere');
\echo :LAST_ERROR_SQLSTATE
CREATE FOREIGN DATA WRAPPER fn_none;
CREATE SERVER fn_other FOREIGN DATA WRAPPER fn_none;
SELECT * FROM dnc_fdw_check('fn_other');
\echo :LAST_ERROR_SQLSTATE
DROP USER MAPPING FOR CURRENT_USER SERVER fn_alta;
CREATE ROLE regress_dnc_tokenless SUPERUSER;
SET ROLE regress_dnc_tokenless;
SELECT * FROM dnc_fdw_check('fn_alta');
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
DROP ROLE regress_dnc_tokenless;
CREATE USER MAPPING FOR PUBLIC SERVER fn_alta OPTIONS (token 'sandbox-fn');
CREATE ROLE regress_dnc_fn;
SET ROLE regress_dnc_fn;
SELECT * FROM dnc_fdw_check('fn_alta');
\echo :LAST_ERROR_SQLSTATE
SELECT ok FROM dnc_fdw_check(NULL);
:log
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER fn_alta TO regress_dnc_fn;
SET ROLE regress_dnc_fn;
SELECT ok FROM dnc_fdw_check('fn_alta');
RESET ROLE;
SET dnc_fdw.max_requests = 1;
SELECT count((dnc_fdw_check('fn_alta')).ok) FROM generate_series(1, 2);
\echo :LAST_ERROR_SQLSTATE
RESET dnc_fdw.max_requests;
:log

-- all servers that the caller may use, one that is not set up among them
GRANT USAGE ON FOREIGN SERVER fn_sendkit, fn_weya, fn_other TO regress_dnc_fn;
CREATE USER MAPPING FOR regress_dnc_fn SERVER fn_weya OPTIONS (token 'sandbox-fn');
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/fn/fault?kind=status&arg=503" >/dev/null
SET ROLE regress_dnc_fn;
SELECT server, ok, http_status, message, latency > '0' AS latency FROM dnc_fdw_check();
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/fn/fault?kind=stall" >/dev/null
SET statement_timeout = '500ms';
SELECT server FROM dnc_fdw_check();
RESET statement_timeout;
RESET ROLE;
REVOKE ALL ON FOREIGN SERVER fn_alta, fn_sendkit, fn_weya FROM regress_dnc_fn;
SET ROLE regress_dnc_fn;
SELECT server FROM dnc_fdw_check();
RESET ROLE;
:log

-- counts: of what was sent and came, for each server; errors and ROLLBACK take nothing back
SELECT dnc_fdw_stats_reset();
SELECT * FROM dnc_fdw_stats();
CREATE SCHEMA fn;
SET search_path = fn, public;
IMPORT FOREIGN SCHEMA dnc FROM SERVER fn_alta INTO fn;
CREATE FOREIGN TABLE weya (identifier text, batch_id text, request_uuid text) SERVER fn_weya;
CREATE FOREIGN TABLE at_once (identifier text, identifier_type text) SERVER fn_sendkit OPTIONS (write_mode 'immediate');
\set stats 'SELECT server, requests, retries, rate_limited, rows_read, rows_added, rows_deleted, bytes_received > 0 AS bytes, wait_ms > 0 AS waited FROM dnc_fdw_stats() ORDER BY server;'
EXPLAIN (COSTS OFF) SELECT * FROM communication_opt_outs;
:stats
SELECT count(*) FROM communication_opt_outs;
:stats
SELECT count(*) FROM weya;
SELECT count(*) FROM communication_opt_outs WHERE identifier = 'person000001@example.com';
:stats
BEGIN;
INSERT INTO communication_opt_outs (identifier, identifier_type) VALUES ('a@example.com', 'email');
:stats
ROLLBACK;
:stats
INSERT INTO communication_opt_outs (identifier, identifier_type) VALUES ('a@example.com', 'email'), ('b@example.com', 'email');
DELETE FROM communication_opt_outs WHERE identifier_type = 'email' AND identifier IN ('a@example.com', 'nobody@example.com');
:stats
BEGIN;
INSERT INTO at_once VALUES ('new@example.com', 'email'), ('person000001@example.com', 'email');
DELETE FROM at_once WHERE identifier = 'new@example.com' AND identifier_type = 'email';
DELETE FROM at_once WHERE identifier = 'nobody@example.com' AND identifier_type = 'email';
ROLLBACK;
:stats
-- tries that follow on others
SELECT dnc_fdw_stats_reset();
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/fn/fault?kind=status&arg=429&retry_after=0" >/dev/null
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/fn/fault?kind=status&arg=503&retry_after=0&at=2" >/dev/null
SELECT count(*) FROM communication_opt_outs;
SELECT server, requests, retries, rate_limited, rows_read FROM dnc_fdw_stats();
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/fn/fault?kind=status&arg=404&at=2" >/dev/null
\set VERBOSITY terse
SELECT count(*) FROM communication_opt_outs;
\set VERBOSITY default
SELECT server, requests, retries, rate_limited, rows_read FROM dnc_fdw_stats();
-- some of a COMMIT is taken, then one is refused: what the remote has confirmed is counted
SELECT dnc_fdw_stats_reset();
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/weya/fn/fault?kind=status&arg=500&at=3&method=POST" >/dev/null
ALTER SERVER fn_weya OPTIONS (ADD max_concurrency '1');
INSERT INTO weya SELECT '+155599900' || n, 'b', 'u' || n FROM generate_series(1, 5) n;
SELECT server, requests, rows_added FROM dnc_fdw_stats();

-- the same figures as EXPLAIN's, ANALYZE's own sample included in the session's
CREATE FUNCTION explained(query text, OUT requests bigint, OUT bytes_received bigint, OUT retries bigint, OUT wait_ms float8)
LANGUAGE plpgsql AS $$
DECLARE
  plan json;
BEGIN
  EXECUTE 'EXPLAIN (ANALYZE, FORMAT JSON) ' || query INTO plan;
  plan := plan -> 0 -> 'Plan';
  requests := plan ->> 'Requests';
  bytes_received := plan ->> 'Bytes Received';
  retries := plan ->> 'Retries';
  wait_ms := plan ->> 'Time Waited';
END $$;
SELECT dnc_fdw_stats_reset();
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/fn/fault?kind=status&arg=503" >/dev/null
CREATE TABLE figures AS SELECT * FROM explained('SELECT * FROM communication_opt_outs');
SELECT f.requests, f.retries, f.requests = s.requests AND f.bytes_received = s.bytes_received AND f.retries = s.retries AND
  abs(f.wait_ms - s.wait_ms) < 0.001 AS same FROM figures f, dnc_fdw_stats() s;
ANALYZE communication_opt_outs;
SELECT server, requests, rows_read FROM dnc_fdw_stats();

-- a server by its name of now; one that is gone is not shown
ALTER SERVER fn_alta RENAME TO fn_renamed;
SELECT server, requests FROM dnc_fdw_stats();
DROP SERVER fn_renamed CASCADE;
SELECT server, requests FROM dnc_fdw_stats();

DROP SERVER fn_sendkit CASCADE;
DROP SERVER fn_weya CASCADE;
DROP FOREIGN DATA WRAPPER fn_none CASCADE;
DROP SCHEMA fn CASCADE;
DROP ROLE regress_dnc_fn;
