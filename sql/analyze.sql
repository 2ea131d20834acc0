-- ANALYZE, and what follows from it; count(*) from the total; LIMIT; max_requests.
\getenv srcdir PG_ABS_SRCDIR
\set include :srcdir /sql/include/preamble.sql
\i :include
\set log '\\! for list in alta/size weya/size sendkit/size; do curl -s "$DNC_SANDBOX_URL/sandbox/$list/log" | sed "s/cursor=[^ &]*/cursor=.../; s/page=[0-9]*/page=N/; s/search=[^ &]*/search=.../" | sort | uniq -c | sed "s/^ *//"; curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/$list/log" >/dev/null; done'
\! for list in alta/size weya/size sendkit/size; do curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/$list"; done >/dev/null
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/size/fill?count=50000&types=email" >/dev/null
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/weya/size/fill?count=4000" >/dev/null
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/sendkit/size/fill?count=500" >/dev/null
CREATE SERVER alta FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url :'alta_url', requests_per_minute '0');
CREATE SERVER weya FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'weya', base_url :'weya_url', page_size '10');
CREATE SERVER sendkit FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'sendkit', base_url :'sendkit_url');
CREATE USER MAPPING FOR CURRENT_USER SERVER alta OPTIONS (token 'sandbox-size');
CREATE USER MAPPING FOR CURRENT_USER SERVER weya OPTIONS (token 'sandbox-size');
CREATE USER MAPPING FOR CURRENT_USER SERVER sendkit OPTIONS (token 'sk_size');
CREATE SCHEMA size;
SET search_path = size;
CREATE FOREIGN TABLE opt_outs (id uuid, identifier text, identifier_type text, created_at timestamptz, attrs jsonb) SERVER alta;
CREATE FOREIGN TABLE phones (id text, identifier text, identifier_type text, source text, search text) SERVER weya;
CREATE FOREIGN TABLE sendkit_list (id text, identifier text, identifier_type text) SERVER sendkit;
CREATE TABLE contacts (id int PRIMARY KEY, email text);
INSERT INTO contacts SELECT n, 'person' || lpad(n::text, 6, '0') || '@example.com' FROM generate_series(40001, 60000) n;
ANALYZE contacts;

-- a list with cursors is read to its end; of a long one with page numbers 300 pages are
ANALYZE opt_outs;
:log
ANALYZE phones;
\! curl -s "$DNC_SANDBOX_URL/sandbox/weya/size/log" | sort -u | wc -l; curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/weya/size/log" >/dev/null
ANALYZE sendkit_list (identifier_type);
:log
SELECT relname, relpages, reltuples FROM pg_class WHERE relname IN ('opt_outs', 'phones', 'sendkit_list') ORDER BY 1;
SELECT tablename, attname, n_distinct FROM pg_stats WHERE schemaname = 'size' AND tablename <> 'contacts'
  AND attname IN ('id', 'identifier_type', 'source') ORDER BY 1, 2;
-- one that fails changes nothing
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/size/fault?kind=cut&at=400&times=0" >/dev/null
ALTER SERVER alta OPTIONS (ADD max_retries '0');
\set VERBOSITY terse
ANALYZE opt_outs;
\set VERBOSITY default
\! curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/alta/size/fault" >/dev/null; curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/alta/size/log" >/dev/null
SELECT reltuples FROM pg_class WHERE relname = 'opt_outs';

-- 3 contacts are 3 requests, 20,000 contacts the list's 500 pages
SELECT count(o.identifier) FROM contacts c JOIN opt_outs o ON o.identifier = c.email WHERE c.id IN (40001, 40002, 59999);
:log
SELECT count(o.identifier) FROM contacts c JOIN opt_outs o ON o.identifier = c.email;
:log
-- 3 values on 400 pages three lookups
EXPLAIN (COSTS OFF) SELECT count(id) FROM phones WHERE identifier IN ('15550000001', '15550000002', '15550000003');

-- the prepared lookup sends the same each time
PREPARE lookup(text) AS SELECT count(id) FROM opt_outs WHERE identifier = $1;
SELECT format('EXECUTE lookup(%L)', 'person04000' || n || '@example.com') FROM generate_series(1, 8) n \gexec
:log
SET plan_cache_mode = force_generic_plan;
SELECT format('EXECUTE lookup(%L)', 'person04000' || n || '@example.com') FROM generate_series(1, 8) n \gexec
:log
RESET plan_cache_mode;

-- count(*) is one request where the API gives a total, and counts just that
EXPLAIN (COSTS OFF) SELECT count(*) FROM phones;
SELECT count(*) FROM phones;
SELECT count(*) AS phones FROM phones WHERE identifier_type = 'phone' AND source = 'weya';
SELECT count(*) FROM sendkit_list WHERE identifier_type = 'domain';
SELECT count(*) > 100 FROM phones HAVING count(*) > 0;
:log
SELECT count(*) FROM phones WHERE identifier_type = 'email';
SELECT count(*) FROM sendkit_list WHERE identifier_type = 'sms';
:log
-- where it does not, or something else is counted, the list is read
\set explain 'EXPLAIN (COSTS OFF)'
:explain SELECT count(*) FROM opt_outs;
:explain SELECT count(id) FROM phones;
:explain SELECT count(*) FROM phones WHERE identifier LIKE '1555%';
:explain SELECT count(*) FROM phones WHERE identifier = '15550000001';
:explain SELECT count(*) FROM sendkit_list WHERE identifier_type = 'telegram';
:explain SELECT count(*) FROM sendkit_list WHERE identifier_type IN ('email', 'domain');
:explain SELECT count(*), max(id) FROM phones;
:explain SELECT identifier_type, count(*) FROM phones GROUP BY 1;
:explain SELECT count(*) FILTER (WHERE id > 'a') FROM phones;
SELECT t, (SELECT count(*) FROM phones WHERE identifier_type = t) FROM (VALUES ('phone'), ('email')) v (t);
\! curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/weya/size/log" >/dev/null

-- LIMIT makes the page no larger than it has to be, where nothing is left to local conditions
SELECT count(i) FROM (SELECT identifier AS i FROM opt_outs LIMIT 7) l;
SELECT count(i) FROM (SELECT identifier AS i FROM opt_outs LIMIT 5 OFFSET 4) l;
SELECT count(i) FROM (SELECT identifier AS i FROM opt_outs LIMIT 150) l;
:log
SELECT count(i) FROM (SELECT identifier AS i FROM opt_outs WHERE identifier_type = 'email' LIMIT 7) l;
SELECT count(i) FROM (SELECT identifier AS i FROM sendkit_list ORDER BY identifier LIMIT 3) l;
SELECT count(i) FROM (SELECT o.identifier AS i FROM contacts c, opt_outs o LIMIT 3) l;
:log

-- max_requests: the server's, the setting's, the smaller of the two
ALTER SERVER alta OPTIONS (ADD max_requests '20');
SELECT count(id) FROM opt_outs;
\echo :LAST_ERROR_SQLSTATE
:log
SET dnc_fdw.max_requests = 5;
SELECT count(id) FROM opt_outs;
SELECT count(id) FROM phones;
SELECT count(id) FROM opt_outs WHERE identifier = 'person000001@example.com';
-- all scans of a statement share it; each FETCH or MOVE is a statement of its own
SELECT count(id) FROM ((SELECT id FROM opt_outs LIMIT 300) UNION ALL (SELECT id FROM opt_outs LIMIT 300)) u;
BEGIN;
DECLARE entries CURSOR FOR SELECT id FROM opt_outs;
MOVE 400 IN entries;
MOVE 400 IN entries;
MOVE 400 IN entries;
MOVE 800 IN entries;
ROLLBACK;
SET dnc_fdw.max_requests = 100;
SELECT count(id) FROM opt_outs;
\! curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/alta/size/log" >/dev/null; curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/weya/size/log" >/dev/null
-- writes that take more are refused before anything is sent
INSERT INTO opt_outs (identifier, identifier_type) SELECT 'n' || n, 'email' FROM generate_series(1, 10001) n;
:log
INSERT INTO opt_outs (identifier, identifier_type) SELECT 'n' || n, 'email' FROM generate_series(1, 501) n;
:log
SET dnc_fdw.max_requests = -1;
RESET dnc_fdw.max_requests;

-- EXPLAIN ANALYZE in other formats
SELECT pg_temp.explain($$SELECT id FROM sendkit_list WHERE identifier LIKE '%1.example'$$, 'ANALYZE, FORMAT YAML');
SELECT pg_temp.explain($$SELECT id FROM phones WHERE identifier IN ('1', '2')$$, 'FORMAT XML');
SELECT pg_temp.explain($$SELECT count(*) FROM sendkit_list$$);

RESET search_path;
DROP SCHEMA size CASCADE;
DROP SERVER alta, weya, sendkit CASCADE;
