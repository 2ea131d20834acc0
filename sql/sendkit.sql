-- SendKit: both generations of its list, adding by import, removing by list.
\getenv srcdir PG_ABS_SRCDIR
\set include :srcdir /sql/include/preamble.sql
\i :include
SET timezone = 'UTC';
\set log '\\! curl -s "$DNC_SANDBOX_URL/sandbox/sendkit/sk/log" | sed "s/cursor=[^ &]*/cursor=.../" | uniq -c | sed "s/^ *//"; curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/sendkit/sk/log" >/dev/null'
\set bodies '\\! curl -s "$DNC_SANDBOX_URL/sandbox/sendkit/sk/log?bodies=1" | grep -v ^GET; curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/sendkit/sk/log" >/dev/null'
\set list 'SELECT count(*), count(DISTINCT id) FROM communication_opt_outs;'
\! curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/sendkit/sk" >/dev/null
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/sendkit/sk/fill?count=250" >/dev/null
CREATE SERVER sk FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'sendkit', base_url :'sendkit_url', max_retries '0');
CREATE USER MAPPING FOR CURRENT_USER SERVER sk OPTIONS (token 'sk_sk');
CREATE SCHEMA sk;
IMPORT FOREIGN SCHEMA dnc FROM SERVER sk INTO sk;
SET search_path = sk;
\d communication_opt_outs
SELECT identifier, identifier_type, workspace_id, reason, unsubscribed_at IS NOT NULL AS dated
FROM communication_opt_outs WHERE identifier LIKE '%000001%' OR identifier LIKE '%000002%';
:log
-- the newer generation: cursors
:list
:log
SELECT count(*) FROM communication_opt_outs WHERE identifier_type = 'domain';
:log
-- there is no filter for an identifier, and no search
SELECT identifier FROM communication_opt_outs WHERE identifier_type = 'email' AND identifier = 'person000003@example.com';
:log
CREATE FOREIGN TABLE searchable (identifier text, search text) SERVER sk;
SELECT * FROM searchable WHERE search = 'x';
\echo :LAST_ERROR_SQLSTATE
-- a type that another provider has, and one that nobody has
SELECT count(*) FROM communication_opt_outs WHERE identifier_type = 'sms';
:log
SELECT count(*) FROM communication_opt_outs WHERE identifier_type = 'telegram';
:log

-- the older generation: page numbers; the first answer decides
\! curl -s -X PUT "$DNC_SANDBOX_URL/sandbox/sendkit/sk/config?generation=old" >/dev/null
:list
:log
SELECT count(*) FROM communication_opt_outs WHERE identifier_type = 'domain';
:log
-- a server that gives smaller pages than asked for is believed
\! curl -s -X PUT "$DNC_SANDBOX_URL/sandbox/sendkit/sk/config?max_limit=40" >/dev/null
:list
-- pages that are asked for ahead may arrive in any order
\! curl -s "$DNC_SANDBOX_URL/sandbox/sendkit/sk/log" | sort; curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/sendkit/sk/log" >/dev/null
\! curl -s -X PUT "$DNC_SANDBOX_URL/sandbox/sendkit/sk/config?max_limit=100" >/dev/null
-- total: pages do not overlap as long as nothing moves
ALTER SERVER sk OPTIONS (ADD scan_check 'total');
:list
:log
ALTER SERVER sk OPTIONS (DROP scan_check);
-- an empty list, in both generations
\! curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/sendkit/sk_empty" >/dev/null; curl -s -X PUT "$DNC_SANDBOX_URL/sandbox/sendkit/sk_empty/config?generation=old" >/dev/null
ALTER USER MAPPING FOR CURRENT_USER SERVER sk OPTIONS (SET token 'sk_sk_empty');
:list
\! curl -s -X PUT "$DNC_SANDBOX_URL/sandbox/sendkit/sk_empty/config?generation=new" >/dev/null
:list
ALTER USER MAPPING FOR CURRENT_USER SERVER sk OPTIONS (SET token 'sk_sk');

-- adding: the API lower-cases, and skips what is listed
INSERT INTO communication_opt_outs (identifier, identifier_type, reason)
VALUES ('New@Example.com', 'email', 'asked'), ('spam.example', 'domain', NULL), ('person000001@example.com', 'email', 'again');
:bodies
SELECT identifier, identifier_type, reason FROM communication_opt_outs
WHERE identifier IN ('new@example.com', 'New@Example.com', 'spam.example', 'person000001@example.com') ORDER BY 1;
\! curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/sendkit/sk/log" >/dev/null
-- 10,000 a request
INSERT INTO communication_opt_outs (identifier, identifier_type)
SELECT format('bulk%s@example.com', n), 'email' FROM generate_series(1, 10001) n;
:log
-- removing: 500 a request, by name
BEGIN;
DELETE FROM communication_opt_outs WHERE identifier IN ('new@example.com', 'spam.example');
INSERT INTO communication_opt_outs (identifier, identifier_type) VALUES ('after@example.com', 'email');
COMMIT;
:bodies
DELETE FROM communication_opt_outs WHERE identifier LIKE 'bulk1%' AND identifier < 'bulk15';
\! curl -s "$DNC_SANDBOX_URL/sandbox/sendkit/sk/log" | grep -v ^GET; curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/sendkit/sk/log" >/dev/null
SELECT count(*) FROM communication_opt_outs WHERE identifier LIKE 'bulk%';
-- what the API does not have is not lost silently
CREATE FOREIGN TABLE labelled (identifier text, identifier_type text, label text) SERVER sk;
INSERT INTO labelled VALUES ('x@example.com', 'email', 'X');
\echo :LAST_ERROR_SQLSTATE
INSERT INTO communication_opt_outs (identifier, identifier_type) VALUES ('+1', 'phone');
\echo :LAST_ERROR_SQLSTATE
INSERT INTO communication_opt_outs (identifier, identifier_type, workspace_id) VALUES ('x@example.com', 'email', 'ws_1');

-- platform keys say which workspace is meant, others must not
\! curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/sendkit/sk/log" >/dev/null
ALTER USER MAPPING FOR CURRENT_USER SERVER sk OPTIONS (SET token 'sk_user_sk');
:list
\echo :LAST_ERROR_SQLSTATE
:log
ALTER USER MAPPING FOR CURRENT_USER SERVER sk OPTIONS (ADD workspace_id 'ws_sk');
SELECT count(*) > 250 AS reads FROM communication_opt_outs;
ALTER USER MAPPING FOR CURRENT_USER SERVER sk OPTIONS (SET workspace_id 'ws_other');
SELECT count(*) FROM communication_opt_outs;
\echo :LAST_ERROR_SQLSTATE
ALTER USER MAPPING FOR CURRENT_USER SERVER sk OPTIONS (SET token 'sk_sk');
SELECT count(*) FROM communication_opt_outs;
\echo :LAST_ERROR_SQLSTATE
ALTER USER MAPPING FOR CURRENT_USER SERVER sk OPTIONS (DROP workspace_id, SET token 'nonsense');
SELECT count(*) FROM communication_opt_outs;
\echo :LAST_ERROR_SQLSTATE
ALTER USER MAPPING FOR CURRENT_USER SERVER sk OPTIONS (SET token 'sk_sk');

-- answers that break the contract: 08P01
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/sendkit/sk/fault?kind=body" -d '{"success":true,"data":[]}' >/dev/null
:list
\echo :LAST_ERROR_SQLSTATE
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/sendkit/sk/fault?kind=body" -d '{"data":[],"pagination":{"total":0,"limit":100,"hasMore":false,"nextCursor":null}}' >/dev/null
:list
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/sendkit/sk/fault?kind=not_success" >/dev/null
:list
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/sendkit/sk/fault?kind=no_next&at=2" >/dev/null
:list
\! curl -s -X PUT "$DNC_SANDBOX_URL/sandbox/sendkit/sk/config?generation=new" >/dev/null
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/sendkit/sk/fault?kind=no_next&at=2" >/dev/null
:list
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/sendkit/sk/fault?kind=body" -d '{"success":true,"data":[],"pagination":{"total":7,"limit":100,"hasMore":false,"nextCursor":null}}' >/dev/null
:list
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/sendkit/sk/fault?kind=body" -d '{"success":true,"data":[{"_id":7,"email":"a","entryType":"email"}],"pagination":{"total":1,"limit":100,"hasMore":false,"nextCursor":null}}' >/dev/null
:list
\! curl -s -X PUT "$DNC_SANDBOX_URL/sandbox/sendkit/sk/config?generation=old" >/dev/null
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/sendkit/sk/fault?kind=body" -d '{"success":true,"data":[{"_id":7,"email":"a","entryType":"email"}],"pagination":{"total":1,"page":1,"limit":100,"pages":1}}' >/dev/null
:list
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/sendkit/sk/fault?kind=body&at=2" -d '{"success":true,"data":[],"pagination":{"total":300,"page":2,"limit":100,"pages":0}}' >/dev/null
:list
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/sendkit/sk/fault?kind=body&at=2" -d '{"success":true,"data":[],"pagination":{"total":300,"page":1,"limit":100,"pages":3}}' >/dev/null
:list
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/sendkit/sk/fault?kind=body&at=2" -d '{"success":true,"data":[],"pagination":{"total":300,"page":2,"limit":100,"pages":3}}' >/dev/null
:list
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/sendkit/sk/fault?kind=body&at=2" -d '{"success":true,"data":[],"pagination":{"page":2,"limit":100,"pages":3}}' >/dev/null
:list
-- an answer to an addition that does not count all that was sent
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/sendkit/sk/fault?kind=body&method=POST" -d '{"success":true,"data":{"imported":1,"skipped":0}}' >/dev/null
INSERT INTO communication_opt_outs (identifier, identifier_type) VALUES ('a@example.com', 'email'), ('b@example.com', 'email');
\echo :LAST_ERROR_SQLSTATE
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/sendkit/sk/fault?kind=not_success&method=POST" >/dev/null
INSERT INTO communication_opt_outs (identifier, identifier_type) VALUES ('a@example.com', 'email');
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/sendkit/sk/fault?kind=body&method=DELETE" -d '{"success":true,"data":{"deleted":3}}' >/dev/null
DELETE FROM communication_opt_outs WHERE identifier = 'person000001@example.com';

RESET search_path;
DROP SERVER sk CASCADE;
DROP SCHEMA sk CASCADE;
