-- Reading: every page, the filters that go into a request, and when nothing is sent.
\getenv srcdir PG_ABS_SRCDIR
\set include :srcdir /sql/include/preamble.sql
\i :include
\set log '\\! curl -s "$DNC_SANDBOX_URL/sandbox/alta/scan/log" | sed "s/cursor=[^ &]*/cursor=.../" | uniq -c | sed "s/^ *//"; curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/alta/scan/log" >/dev/null'
\! curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/alta/scan" >/dev/null
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/scan/fill?count=1234" >/dev/null
CREATE SERVER scan FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url :'alta_url', requests_per_minute '0');
CREATE USER MAPPING FOR CURRENT_USER SERVER scan OPTIONS (token 'sandbox-scan');
CREATE SCHEMA scan;
IMPORT FOREIGN SCHEMA dnc FROM SERVER scan INTO scan;
SET search_path = scan;

-- 1,234 entries in 13 requests, with the same limit each
SELECT count(*), count(DISTINCT id), count(DISTINCT identifier), min(created_at) < max(created_at) AS spread
FROM communication_opt_outs;
:log
-- a filter goes with every page
SELECT count(*) FROM communication_opt_outs WHERE identifier_type = 'phone';
:log
SELECT identifier FROM communication_opt_outs WHERE 'email' = identifier_type AND identifier = 'person000007@example.com';
:log
-- a full last page is not followed by an empty one
ALTER FOREIGN TABLE communication_opt_outs OPTIONS (ADD page_size '2');
SELECT count(*) FROM communication_opt_outs WHERE identifier IN ('person000001@example.com') OR false;
SELECT count(*) FROM (SELECT 1 FROM communication_opt_outs LIMIT 2) l;
ALTER FOREIGN TABLE communication_opt_outs OPTIONS (DROP page_size);
:log

-- the remote narrows, PostgreSQL decides: what the remote search lets through
-- beyond the value is left out
\! curl -s -X PUT "$DNC_SANDBOX_URL/sandbox/alta/scan/config?search=substring&search_case=insensitive" >/dev/null
SELECT identifier FROM communication_opt_outs WHERE identifier = 'person000007@example.com';
SELECT identifier FROM communication_opt_outs WHERE identifier = 'PERSON000007@example.com';
SELECT identifier FROM communication_opt_outs WHERE identifier = '00007';
:log
-- `search` is whatever the API makes of it, and takes the place of identifier
CREATE FOREIGN TABLE searchable (identifier text, identifier_type text, search text) SERVER scan;
SELECT search, identifier_type, count(*) FROM searchable WHERE search = '00007' GROUP BY 1, 2 ORDER BY 1, 2;
SELECT * FROM searchable WHERE search = '00007' AND identifier = 'person000079@example.com';
:log
-- a filter on search that no request can carry is no empty list
SELECT * FROM searchable WHERE search LIKE '0000%';
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM searchable s JOIN (VALUES ('00007'), ('00008')) v (x) ON s.search || 'x' = v.x;
SELECT count(search) FROM searchable WHERE identifier_type = 'sms' AND identifier = '+15560000004';
:log
\! curl -s -X PUT "$DNC_SANDBOX_URL/sandbox/alta/scan/config?search=exact&search_case=sensitive" >/dev/null

-- what is percent-encoded comes through
INSERT INTO communication_opt_outs (identifier, identifier_type, label)
VALUES ('a&b=c?d#e f+g%h/"ü"@example.com', 'email', E'tab\tquote"back\\slash\nnewline €');
SELECT identifier, label FROM communication_opt_outs WHERE identifier = 'a&b=c?d#e f+g%h/"ü"@example.com';
:log

-- values known at run time only: prepared statements, custom and generic plans
PREPARE find(text, text) AS
  SELECT identifier, label FROM communication_opt_outs WHERE identifier = $1 AND identifier_type = $2;
SET plan_cache_mode = force_custom_plan;
EXPLAIN (COSTS OFF) EXECUTE find('person000013@example.com', 'email');
EXECUTE find('person000013@example.com', 'email');
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE find('person000013@example.com', 'email');
EXECUTE find('person000013@example.com', 'email');
EXECUTE find('person000013@example.com', 'phone');
:log
-- a NULL, and an empty or over-long identifier
EXECUTE find(NULL, 'email');
EXECUTE find('person000013@example.com', NULL);
:log
EXECUTE find('', 'email');
:log
EXECUTE find(repeat('x', 1025), 'web_chat');
EXECUTE find(repeat('x', 1024), 'web_chat');
\! curl -s "$DNC_SANDBOX_URL/sandbox/alta/scan/log" | sed 's/xxx*/x.../; s/cursor=[^ &]*/cursor=.../' | uniq -c | sed 's/^ *//'; curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/alta/scan/log" >/dev/null
RESET plan_cache_mode;
-- the result of a subquery, a stable function, a varchar, the other side
SELECT identifier FROM communication_opt_outs
WHERE identifier = (SELECT format('person%s@example.com', lpad('19', 6, '0')));
SELECT identifier FROM communication_opt_outs WHERE identifier = current_setting('search_path') OR false;
SELECT identifier FROM communication_opt_outs WHERE identifier = 'person000025@example.com'::varchar;
:log
-- a function that gives another value each time is no filter of a request
SELECT count(*) FROM communication_opt_outs WHERE identifier_type = 'sms' AND identifier = random()::text;
:log

-- what is not equality of texts stays here
CREATE COLLATION nd (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
SELECT count(*) FROM communication_opt_outs WHERE identifier_type = 'web_chat' AND identifier = 'VISITOR-000006' COLLATE nd;
CREATE FOREIGN TABLE cut_off (identifier varchar(320), identifier_type char(10)) SERVER scan;
EXPLAIN (COSTS OFF) SELECT * FROM cut_off WHERE identifier = 'person000001@example.com';
EXPLAIN (COSTS OFF) SELECT * FROM cut_off WHERE identifier_type = 'email';
:log

-- nothing can match: nothing is sent
EXPLAIN (COSTS OFF) SELECT identifier FROM searchable WHERE identifier = NULL;
SELECT identifier FROM searchable WHERE identifier = NULL;
SELECT identifier FROM searchable WHERE identifier = (SELECT NULL::text);
SELECT identifier FROM searchable WHERE false;
CREATE FOREIGN TABLE with_source (identifier text, source text) SERVER scan;
EXPLAIN (COSTS OFF) SELECT * FROM with_source WHERE source = 'another';
SELECT * FROM with_source WHERE source = 'another';
:log
-- nor under EXPLAIN, nor in a branch that is not run
PREPARE searched(text) AS SELECT * FROM searchable WHERE search = $1;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE searched('x');
RESET plan_cache_mode;
SELECT CASE WHEN false THEN (SELECT count(*) FROM searchable) END;
SELECT count(*) FROM (SELECT 1 WHERE random() > 2) v (x) LEFT JOIN LATERAL (SELECT count(*) FROM searchable) l ON true;
:log
-- a type that no vendor documents may be new: it is looked for in the whole list
SELECT identifier FROM searchable WHERE identifier_type = 'telegram';
:log

-- rescans, cursors
SELECT v.x, (SELECT label FROM communication_opt_outs o WHERE o.identifier = 'person00000' || v.x || '@example.com'
  AND o.identifier_type = 'email' OFFSET 0) AS label
FROM (VALUES (1), (7)) v (x);
BEGIN;
DECLARE c CURSOR FOR SELECT identifier FROM communication_opt_outs WHERE identifier_type = 'email';
FETCH 2 FROM c;
MOVE 110 FROM c;
FETCH 1 FROM c;
CLOSE c;
COMMIT;
\! curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/alta/scan/log" >/dev/null

-- EXPLAIN ANALYZE tells what was sent
SELECT pg_temp.explain($$SELECT * FROM communication_opt_outs WHERE identifier_type = 'sms' AND identifier LIKE '%4'$$);
SELECT pg_temp.explain($$SELECT identifier FROM communication_opt_outs WHERE identifier = 'x'$$, 'VERBOSE, FORMAT JSON');
EXPLAIN (COSTS OFF) DELETE FROM communication_opt_outs WHERE identifier = 'x' AND identifier_type = 'email';
EXPLAIN (COSTS OFF) INSERT INTO communication_opt_outs (identifier) VALUES ('x');
:log

RESET search_path;
DROP SERVER scan CASCADE;
DROP SCHEMA scan CASCADE;
