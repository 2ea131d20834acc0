-- What goes wrong with a server: each an error with its SQLSTATE, the server's
-- name, DETAIL and HINT; never a shorter list.
\getenv srcdir PG_ABS_SRCDIR
\set include :srcdir /sql/include/preamble.sql
\i :include
\! curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/alta/errors" >/dev/null
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/errors/fill?count=250" >/dev/null
CREATE SERVER errors FOREIGN DATA WRAPPER dnc_fdw
  OPTIONS (provider 'alta', base_url :'alta_url', requests_per_minute '0', max_retries '0', request_timeout '1s');
CREATE SCHEMA errors;
IMPORT FOREIGN SCHEMA dnc FROM SERVER errors INTO errors;
SET search_path = errors;
\set list 'SELECT count(*) FROM communication_opt_outs;'

-- no token; a token that the vendor refuses, and that is not shown
CREATE ROLE regress_dnc_errors SUPERUSER;
SET ROLE regress_dnc_errors;
:list
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
DROP ROLE regress_dnc_errors;
CREATE USER MAPPING FOR CURRENT_USER SERVER errors OPTIONS (token 'top-secret');
:list
\echo :LAST_ERROR_SQLSTATE
ALTER USER MAPPING FOR CURRENT_USER SERVER errors OPTIONS (SET token 'sandbox-errors');
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/errors/fault?kind=body&arg=403" -d '{"error":"Forbidden","message":"Key sandbox-errors may not do this"}' >/dev/null
:list
\echo :LAST_ERROR_SQLSTATE

-- statuses
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/errors/fault?kind=status&arg=400" >/dev/null
:list
\echo :LAST_ERROR_SQLSTATE
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/errors/fault?kind=status&arg=404" >/dev/null
:list
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/errors/fault?kind=status&arg=503&at=2" >/dev/null
:list
\echo :LAST_ERROR_SQLSTATE
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/errors/fault?kind=redirect&arg=http://127.0.0.1:1/" >/dev/null
:list
\echo :LAST_ERROR_SQLSTATE
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/errors/fault?kind=status&arg=429&retry_after=600" >/dev/null
:list
\echo :LAST_ERROR_SQLSTATE
-- what it asks for is kept to: nothing more is sent, until there is another user mapping
\! curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/alta/errors/log" >/dev/null
\set VERBOSITY terse
:list
\set VERBOSITY default
\! curl -s "$DNC_SANDBOX_URL/sandbox/alta/errors/log"
DROP USER MAPPING FOR CURRENT_USER SERVER errors;
CREATE USER MAPPING FOR CURRENT_USER SERVER errors OPTIONS (token 'sandbox-errors');
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/errors/fault?kind=status&arg=429" >/dev/null
:list
\echo :LAST_ERROR_SQLSTATE

-- answers that are not what the API promises: 08P01, on whatever page
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/errors/fault?kind=html" >/dev/null
:list
\echo :LAST_ERROR_SQLSTATE
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/errors/fault?kind=garbage&at=3" >/dev/null
:list
\echo :LAST_ERROR_SQLSTATE
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/errors/fault?kind=truncated" >/dev/null
:list
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/errors/fault?kind=empty" >/dev/null
:list
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/errors/fault?kind=no_next" >/dev/null
:list
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/errors/fault?kind=no_has_more" >/dev/null
:list
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/errors/fault?kind=no_has_more&at=2" >/dev/null
:list
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/errors/fault?kind=wrong_type" >/dev/null
:list
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/errors/fault?kind=empty_page&at=2" >/dev/null
:list
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/errors/fault?kind=repeat_cursor&at=2" >/dev/null
:list
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/errors/fault?kind=body" -d '[]' >/dev/null
:list
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/errors/fault?kind=body" -d '{"data":{},"hasMore":false}' >/dev/null
:list
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/errors/fault?kind=body" -d '{"data":[],"hasMore":false,"hasMore":true}' >/dev/null
:list
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/errors/fault?kind=body" -d '{"data":[],"hasMore":false} {}' >/dev/null
:list
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/errors/fault?kind=body" -d '{"data":[],"hasMore":false,"x":"a\u0000b"}' >/dev/null
:list
\! printf '{"data":[],"hasMore":false,"x":"\377"}' | curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/errors/fault?kind=body" --data-binary @- >/dev/null
:list
\! (printf '{"data":'; for i in $(seq 3000); do printf '['; done) | curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/errors/fault?kind=body" --data-binary @- >/dev/null
:list

-- entries that are not what the API promises
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/errors/fault?kind=body" -d '{"data":[7],"hasMore":false}' >/dev/null
:list
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/errors/fault?kind=body" -d '{"data":[{"id":"00000000-0000-0000-0000-000000000001"}],"hasMore":false}' >/dev/null
:list
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/errors/fault?kind=body" -d '{"data":[{"id":1,"objectType":"communication-opt-out","identifier":"a","identifierType":"email","isManuallyAdded":true,"createdAt":"2025-01-01T00:00:00Z","updatedAt":"2025-01-01T00:00:00Z"}],"hasMore":false}' >/dev/null
:list
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/errors/fault?kind=body" -d '{"data":[{"id":"1","objectType":"communication-opt-out","identifier":null,"identifierType":"email","isManuallyAdded":true,"createdAt":"2025-01-01T00:00:00Z","updatedAt":"2025-01-01T00:00:00Z"}],"hasMore":false}' >/dev/null
:list
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/errors/fault?kind=body" -d '{"data":[{"id":"1","objectType":"communication-opt-out","identifier":"a","identifier":"b","identifierType":"email","isManuallyAdded":true,"createdAt":"2025-01-01T00:00:00Z","updatedAt":"2025-01-01T00:00:00Z"}],"hasMore":false}' >/dev/null
:list
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/errors/fault?kind=body" -d '{"data":[{"id":"1","objectType":"communication-opt-out","identifier":"a","identifierType":"email","isManuallyAdded":"yes","createdAt":"2025-01-01T00:00:00Z","updatedAt":"2025-01-01T00:00:00Z"}],"hasMore":false}' >/dev/null
:list
-- a field that may be missing matters where it is asked for
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/errors/fault?kind=body&times=2" -d '{"data":[{"id":"1","objectType":"communication-opt-out","identifier":"a","identifierType":"email","isManuallyAdded":true,"label":7,"createdAt":"2025-01-01T00:00:00Z","updatedAt":"2025-01-01T00:00:00Z"}],"hasMore":false}' >/dev/null
SELECT identifier FROM communication_opt_outs;
SELECT label FROM communication_opt_outs;
-- a value that the column's type does not take
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/errors/fault?kind=body" -d '{"data":[{"id":"1","objectType":"communication-opt-out","identifier":"a","identifierType":"email","isManuallyAdded":true,"createdAt":"soon","updatedAt":"2025-01-01T00:00:00Z"}],"hasMore":false}' >/dev/null
SELECT created_at FROM communication_opt_outs;

-- connections: what libcurl says differs between versions, so only the rest is shown
CREATE FUNCTION outcome(statement text) RETURNS TABLE (sqlstate text, message text, hint text, has_detail boolean)
LANGUAGE plpgsql AS $$
DECLARE
  detail text;
BEGIN
  EXECUTE statement;
  RETURN QUERY SELECT '00000', 'no error', '', false;
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT, detail = PG_EXCEPTION_DETAIL;
  RETURN QUERY SELECT SQLSTATE, message, hint, detail <> '';
END $$;
\x
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/errors/fault?kind=cut&at=2" >/dev/null
SELECT * FROM outcome('SELECT count(*) FROM communication_opt_outs');
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/errors/fault?kind=close" >/dev/null
SELECT * FROM outcome('SELECT count(*) FROM communication_opt_outs');
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/errors/fault?kind=stall" >/dev/null
SELECT * FROM outcome('SELECT count(*) FROM communication_opt_outs');
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/errors/fault?kind=stall_body" >/dev/null
SELECT * FROM outcome('SELECT count(*) FROM communication_opt_outs');
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/errors/fault?kind=slow&arg=10" >/dev/null
SELECT * FROM outcome('SELECT count(*) FROM communication_opt_outs');
-- larger than max_response_size
ALTER SERVER errors OPTIONS (ADD max_response_size '64kB');
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/errors/fault?kind=big&arg=100000" >/dev/null
SELECT * FROM outcome('SELECT count(*) FROM communication_opt_outs');
-- a server that is not there; one that does not speak TLS
ALTER SERVER errors OPTIONS (SET base_url 'http://127.0.0.1:1/alta/v1');
SELECT * FROM outcome('SELECT count(*) FROM communication_opt_outs');
SELECT replace(:'alta_url', 'http:', 'https:') AS tls \gset
ALTER SERVER errors OPTIONS (SET base_url :'tls');
SELECT * FROM outcome('SELECT count(*) FROM communication_opt_outs');
ALTER SERVER errors OPTIONS (SET base_url :'alta_url');
\x

-- the session goes on, and retries mend what can be mended
:list
ALTER SERVER errors OPTIONS (SET max_retries '2');
\! curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/alta/errors/log" >/dev/null
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/errors/fault?kind=status&arg=503" >/dev/null
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/errors/fault?kind=close&at=3" >/dev/null
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/errors/fault?kind=status&arg=429&retry_after=1&at=5" >/dev/null
:list
\! curl -s "$DNC_SANDBOX_URL/sandbox/alta/errors/log" | sed 's/cursor=[^ &]*/cursor=.../'

-- what PostgreSQL itself refuses: docs/errors.md has a remedy for each
\set VERBOSITY sqlstate
UPDATE communication_opt_outs SET label = 'x' WHERE identifier = 'a';
TRUNCATE communication_opt_outs;
MERGE INTO communication_opt_outs d USING (VALUES ('a')) s (identifier) ON d.identifier = s.identifier WHEN MATCHED THEN DELETE;
INSERT INTO communication_opt_outs (identifier, identifier_type) VALUES ('a', 'email') ON CONFLICT (identifier) DO NOTHING;
INSERT INTO communication_opt_outs (identifier, identifier_type) VALUES ('a', 'email') ON CONFLICT (identifier) DO UPDATE SET label = 'x';
ALTER SERVER errors OPTIONS (ADD updatable 'false');
DELETE FROM communication_opt_outs;
INSERT INTO communication_opt_outs (identifier, identifier_type) VALUES ('a', 'email');
\set VERBOSITY default

RESET search_path;
DROP SERVER errors CASCADE;
DROP SCHEMA errors CASCADE;
