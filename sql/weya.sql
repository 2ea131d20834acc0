-- Weya: page numbers, a constant type, one entry an addition, removal by id.
\getenv srcdir PG_ABS_SRCDIR
\set include :srcdir /sql/include/preamble.sql
\i :include
SET timezone = 'UTC';
\set log '\\! curl -s "$DNC_SANDBOX_URL/sandbox/weya/weya/log" | uniq -c | sed "s/^ *//"; curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/weya/weya/log" >/dev/null'
\set bodies '\\! curl -s "$DNC_SANDBOX_URL/sandbox/weya/weya/log?bodies=1"; curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/weya/weya/log" >/dev/null'
\set list 'SELECT count(*), count(DISTINCT id) FROM communication_opt_outs;'
\! curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/weya/weya" >/dev/null
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/weya/weya/fill?count=250" >/dev/null
CREATE SERVER weya FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'weya');
\echo :LAST_ERROR_SQLSTATE
CREATE SERVER weya FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'weya', base_url :'weya_url', max_retries '0', max_concurrency '1');
CREATE USER MAPPING FOR CURRENT_USER SERVER weya OPTIONS (token 'sandbox-weya');
CREATE SCHEMA weya;
IMPORT FOREIGN SCHEMA dnc FROM SERVER weya INTO weya;
SET search_path = weya;
\d communication_opt_outs
SELECT identifier, identifier_type, reason, org_id IS NOT NULL AS org, batch_id IS NOT NULL AS batch,
  request_uuid IS NOT NULL AS request, created_at IS NOT NULL AS created
FROM communication_opt_outs WHERE identifier = '15550000003';
:log
:list
:log
ALTER SERVER weya OPTIONS (ADD page_size '1000');
:list
:log
-- a server that gives smaller pages than asked for is believed
\! curl -s -X PUT "$DNC_SANDBOX_URL/sandbox/weya/weya/config?max_limit=60" >/dev/null
:list
:log
\! curl -s -X PUT "$DNC_SANDBOX_URL/sandbox/weya/weya/config?max_limit=1000" >/dev/null
ALTER SERVER weya OPTIONS (SET page_size '100');
-- total: pages do not overlap as long as nothing moves
ALTER SERVER weya OPTIONS (ADD scan_check 'total');
:list
:log
ALTER SERVER weya OPTIONS (DROP scan_check);

-- the constant type decides
SELECT count(*) FROM communication_opt_outs WHERE identifier_type = 'email';
SELECT count(*) FROM communication_opt_outs WHERE identifier_type = 'telegram';
EXPLAIN (COSTS OFF) SELECT * FROM communication_opt_outs WHERE identifier_type = 'email';
:log
SELECT count(*) FROM communication_opt_outs WHERE identifier_type = 'phone' AND identifier = '15550000009';
:log
-- search: identifier before request_uuid before reason
SELECT request_uuid AS uuid FROM communication_opt_outs WHERE identifier = '15550000005' \gset
\! curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/weya/weya/log" >/dev/null
SELECT identifier FROM communication_opt_outs WHERE request_uuid = :'uuid';
SELECT identifier FROM communication_opt_outs WHERE request_uuid = :'uuid' AND identifier = '15550000005';
SELECT count(*) FROM communication_opt_outs WHERE reason = 'customer_request' AND identifier = '15550000005';
\! curl -s "$DNC_SANDBOX_URL/sandbox/weya/weya/log" | sed 's/search=[0-9a-f-]\{36\}/search=UUID/'; curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/weya/weya/log" >/dev/null
SELECT count(*) FROM communication_opt_outs WHERE reason = 'Customer_Request';
:log
-- LIKE and ILIKE: the longest literal piece
SELECT count(*) FROM communication_opt_outs WHERE identifier LIKE '1555%001_';
SELECT count(*) FROM communication_opt_outs WHERE identifier LIKE '%';
SELECT count(*) FROM communication_opt_outs WHERE identifier LIKE '%\%%';
SELECT count(*) FROM communication_opt_outs WHERE identifier ILIKE 'x%000001_';
SELECT count(*) FROM communication_opt_outs WHERE identifier ILIKE 'abc%';
SELECT count(*) FROM communication_opt_outs WHERE identifier NOT LIKE '%1%';
SELECT count(*) FROM communication_opt_outs WHERE identifier LIKE (SELECT '%00024_');
:log
ALTER SERVER weya OPTIONS (ADD search_match 'prefix');
EXPLAIN (COSTS OFF) SELECT * FROM communication_opt_outs WHERE identifier LIKE '1555%00001';
EXPLAIN (COSTS OFF) SELECT * FROM communication_opt_outs WHERE identifier LIKE '%00001';
ALTER SERVER weya OPTIONS (SET search_match 'exact');
EXPLAIN (COSTS OFF) SELECT * FROM communication_opt_outs WHERE identifier LIKE '1555%00001';
ALTER SERVER weya OPTIONS (DROP search_match);

-- adding: one a request, with what the API requires
INSERT INTO communication_opt_outs (identifier, batch_id, request_uuid, reason)
VALUES ('+15559990001', 'batch', 'uuid-1', 'customer_request'), ('15559990002', 'batch', 'uuid-2', NULL);
:bodies
INSERT INTO communication_opt_outs (identifier) VALUES ('15559990003');
\echo :LAST_ERROR_SQLSTATE
INSERT INTO communication_opt_outs (identifier, batch_id, request_uuid) VALUES ('15559990003', '', 'uuid-3');
\echo :LAST_ERROR_SQLSTATE
INSERT INTO communication_opt_outs (identifier, identifier_type, batch_id, request_uuid) VALUES ('x@example.com', 'email', 'b', 'u');
\echo :LAST_ERROR_SQLSTATE
INSERT INTO communication_opt_outs (identifier, batch_id, request_uuid, org_id) VALUES ('15559990003', 'b', 'u', 'org');
:log
INSERT INTO communication_opt_outs (identifier, identifier_type, batch_id, request_uuid)
VALUES ('15559990003', 'phone', 'batch', 'uuid-3') RETURNING identifier, identifier_type, reason;
\! curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/weya/weya/log" >/dev/null
-- what is listed already: 23505, or left out
INSERT INTO communication_opt_outs (identifier, batch_id, request_uuid) VALUES ('15559990003', 'batch', 'uuid-4');
\echo :LAST_ERROR_SQLSTATE
:log
INSERT INTO communication_opt_outs (identifier, batch_id, request_uuid)
VALUES ('15559990003', 'batch', 'uuid-4'), ('15559990004', 'batch', 'uuid-5') ON CONFLICT DO NOTHING;
:log
-- a 400 that means something else is not taken for that
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/weya/weya/fault?kind=status&arg=400&method=POST" >/dev/null
INSERT INTO communication_opt_outs (identifier, batch_id, request_uuid) VALUES ('15559990005', 'b', 'u') ON CONFLICT DO NOTHING;
\echo :LAST_ERROR_SQLSTATE
INSERT INTO communication_opt_outs (identifier, batch_id, request_uuid) VALUES ('15559990005', 'unknown-batch', 'u');
\echo :LAST_ERROR_SQLSTATE
:log
-- an addition whose answer is lost is not sent again: it mails somebody
ALTER SERVER weya OPTIONS (SET max_retries '3');
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/weya/weya/fault?kind=lost&method=POST" >/dev/null
\set VERBOSITY terse
INSERT INTO communication_opt_outs (identifier, batch_id, request_uuid) VALUES ('15559990006', 'batch', 'uuid-6');
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default
:log
-- one that was surely not acted on is
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/weya/weya/fault?kind=status&arg=429&retry_after=1&method=POST" >/dev/null
INSERT INTO communication_opt_outs (identifier, batch_id, request_uuid) VALUES ('15559990007', 'batch', 'uuid-7');
:log
ALTER SERVER weya OPTIONS (SET max_retries '0');

-- removing: by id
BEGIN;
DELETE FROM communication_opt_outs WHERE identifier = '15559990007';
ROLLBACK;
DELETE FROM communication_opt_outs WHERE identifier LIKE '1555999%' RETURNING identifier, id IS NOT NULL AS has_id;
\! curl -s "$DNC_SANDBOX_URL/sandbox/weya/weya/log" | sed 's,/delete/[0-9a-f]*,/delete/ID,'; curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/weya/weya/log" >/dev/null
CREATE FOREIGN TABLE no_id (identifier text) SERVER weya;
BEGIN;
DELETE FROM no_id WHERE identifier IN ('15550000003', '15550000005');
SELECT action, identifier FROM public.dnc_fdw_pending() ORDER BY 2;
ROLLBACK;
:list

-- answers that break the contract: 08P01
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/weya/weya/fault?kind=body" -d '{"status":true,"data":[]}' >/dev/null
:list
\echo :LAST_ERROR_SQLSTATE
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/weya/weya/fault?kind=body" -d '{"dncList":[],"pagination":{"total":0,"page":1,"limit":100,"totalPages":0}}' >/dev/null
:list
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/weya/weya/fault?kind=not_success" >/dev/null
:list
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/weya/weya/fault?kind=no_next" >/dev/null
:list
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/weya/weya/fault?kind=wrong_type" >/dev/null
:list
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/weya/weya/fault?kind=body" -d '{"status":true,"data":{"dncList":[{"_id":1,"phoneNumber":"1"}],"pagination":{"total":1,"page":1,"limit":100,"totalPages":1}}}' >/dev/null
:list
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/weya/weya/fault?kind=body" -d '{"status":true,"data":{"dncList":[{"_id":"a","phoneNumber":"1"},{"_id":"a","phoneNumber":"1"}],"pagination":{"total":2,"page":1,"limit":100,"totalPages":1}}}' >/dev/null
:list
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/weya/weya/fault?kind=body&at=2" -d '{"status":true,"data":{"dncList":[],"pagination":{"total":250,"page":2,"limit":100,"totalPages":0}}}' >/dev/null
:list
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/weya/weya/fault?kind=body" -d '{"status":true,"data":{"dncList":[],"pagination":{"total":0,"page":1,"limit":0,"totalPages":0}}}' >/dev/null
:list

RESET search_path;
DROP SERVER weya CASCADE;
DROP SCHEMA weya CASCADE;
