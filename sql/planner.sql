-- Plans are chosen by requests: lookups for few values, the list for many; and
-- nothing is asked twice in a statement.
\getenv srcdir PG_ABS_SRCDIR
\set include :srcdir /sql/include/preamble.sql
\i :include
\set log '\\! for list in alta/plan weya/plan sendkit/plan; do curl -s "$DNC_SANDBOX_URL/sandbox/$list/log" | sed "s/cursor=[^ &]*/cursor=.../; s/page=[0-9]*/page=N/; s/search=[^ &]*/search=.../" | sort | uniq -c | sed "s/^ *//"; curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/$list/log" >/dev/null; done'
\! for list in alta/plan weya/plan sendkit/plan; do curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/$list"; done >/dev/null
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/plan/fill?count=5000&types=email" >/dev/null
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/plan/fill?count=1000&types=phone,sms" >/dev/null
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/weya/plan/fill?count=3000" >/dev/null
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/sendkit/plan/fill?count=500" >/dev/null
CREATE SERVER alta FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url :'alta_url', requests_per_minute '0', estimated_rows '6000');
CREATE SERVER weya FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'weya', base_url :'weya_url', estimated_rows '3000', scan_check 'total');
CREATE SERVER sendkit FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'sendkit', base_url :'sendkit_url', estimated_rows '500');
CREATE USER MAPPING FOR CURRENT_USER SERVER alta OPTIONS (token 'sandbox-plan');
CREATE USER MAPPING FOR CURRENT_USER SERVER weya OPTIONS (token 'sandbox-plan');
CREATE USER MAPPING FOR CURRENT_USER SERVER sendkit OPTIONS (token 'sk_plan');
CREATE SCHEMA plan;
SET search_path = plan, public;
IMPORT FOREIGN SCHEMA dnc FROM SERVER alta INTO plan;
ALTER FOREIGN TABLE communication_opt_outs RENAME TO opt_outs;
CREATE FOREIGN TABLE phones (id text, identifier text, identifier_type text, reason text, request_uuid text, search text) SERVER weya;
CREATE FOREIGN TABLE sendkit_list (identifier text, identifier_type text) SERVER sendkit;
CREATE TABLE contacts (id int PRIMARY KEY, email text, email_vc varchar, phone text);
INSERT INTO contacts SELECT n, 'person' || lpad(n::text, 6, '0') || '@example.com', 'person' || lpad(n::text, 6, '0') || '@example.com',
  '1555' || lpad(n::text, 7, '0') FROM generate_series(4001, 24000) n;
ANALYZE contacts;

-- EXPLAIN without the conditions, which PostgreSQL's versions word differently
CREATE FUNCTION plan_of(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
    IF line !~ 'Filter:' THEN
      RETURN NEXT line;
    END IF;
  END LOOP;
END $$;

-- IN, = ANY, OR: a request for each distinct value
EXPLAIN (COSTS OFF) SELECT identifier FROM opt_outs WHERE identifier IN ('person000001@example.com', 'person000002@example.com');
SELECT identifier FROM opt_outs WHERE identifier IN ('person000001@example.com', 'person000002@example.com', 'person000001@example.com', NULL, 'nobody') ORDER BY 1;
:log
SELECT identifier FROM opt_outs WHERE identifier = 'person000003@example.com' OR 'person000004@example.com' = identifier ORDER BY 1;
:log
PREPARE any_of(text[]) AS SELECT identifier FROM opt_outs WHERE identifier = ANY ($1) ORDER BY 1;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE any_of('{person000005@example.com}');
EXECUTE any_of('{person000005@example.com,person000006@example.com}');
EXECUTE any_of('{}');
EXECUTE any_of(NULL);
RESET plan_cache_mode;
:log
-- pairs: the type goes along where there is one
SELECT count(*) FROM opt_outs WHERE identifier IN ('person000001@example.com', '+15550005001') AND identifier_type = 'email';
SELECT count(*) FROM opt_outs WHERE (identifier = 'person000001@example.com' AND identifier_type = 'email')
  OR (identifier = '+15550005001' AND identifier_type = 'phone');
:log
-- types: a chain for each; one that cannot be drops out, one that nobody knows means the whole list
SELECT identifier_type, count(*) FROM opt_outs WHERE identifier_type IN ('phone', 'sms', 'domain') GROUP BY 1 ORDER BY 1;
:log
SELECT identifier_type, count(*) FROM opt_outs WHERE identifier_type IN ('phone', 'telegram') GROUP BY 1;
:log
SELECT count(*) FROM sendkit_list WHERE identifier_type IN ('email', 'domain');
:log
-- an entry comes once, whatever else the remote search matches
SELECT identifier FROM phones WHERE identifier IN ('15550000001', '1555000000', '15550000002') ORDER BY 1;
:log
-- each value of search is a search of its own
SELECT search, count(*) FROM phones WHERE search IN ('000012', '00001') GROUP BY 1 ORDER BY 1;
:log
-- a value that cannot be sent leaves the condition to PostgreSQL
SELECT count(*) FROM phones WHERE identifier IN ('', '15550000001');
:log
-- enums, domains, varchar
CREATE TYPE channel AS ENUM ('email', 'linkedin', 'phone', 'sms', 'whatsapp', 'web_chat', 'telegram');
CREATE DOMAIN address AS text;
CREATE FOREIGN TABLE typed (identifier address, identifier_type channel) SERVER alta;
EXPLAIN (COSTS OFF) SELECT * FROM typed WHERE identifier_type = 'sms' AND identifier = 'x';
EXPLAIN (COSTS OFF) SELECT * FROM typed WHERE identifier_type IN ('sms', 'phone');
EXPLAIN (COSTS OFF) SELECT * FROM typed WHERE identifier_type::text = 'sms';
SELECT identifier_type, count(*) FROM typed WHERE identifier_type = 'sms' GROUP BY 1;
:log

-- many values on a short list: the list is read
SELECT plan_of('SELECT count(*) FROM opt_outs WHERE identifier IN (SELECT email FROM contacts LIMIT 3)');
SELECT format('SELECT count(*) FROM opt_outs WHERE identifier = ANY (%L)', array_agg(email)) AS many FROM contacts WHERE id <= 4500 \gset
:many;
:log

-- joins: 3 contacts are 3 requests, 20,000 are the list's pages
SELECT c.id, o.identifier FROM contacts c JOIN opt_outs o ON o.identifier = c.email WHERE c.id IN (4001, 4002, 23000) ORDER BY 1;
:log
SELECT plan_of($$SELECT c.id, o.identifier FROM contacts c JOIN opt_outs o ON o.identifier = c.email AND o.identifier_type = 'email'
  WHERE c.id IN (4001, 4002, 23000)$$);
SELECT count(*) FROM contacts c JOIN opt_outs o ON o.identifier = c.email;
:log
SELECT c.id FROM contacts c JOIN opt_outs o ON o.identifier = c.email_vc WHERE c.id BETWEEN 4999 AND 5002 ORDER BY 1;
:log
SELECT c.id, l.identifier FROM contacts c, LATERAL (SELECT identifier FROM opt_outs o WHERE o.identifier = c.email OFFSET 0) l WHERE c.id BETWEEN 4999 AND 5001 ORDER BY 1;
:log
-- semi and anti joins, few and many
SELECT count(*) FROM contacts c WHERE c.id BETWEEN 4999 AND 5003 AND EXISTS (SELECT FROM opt_outs o WHERE o.identifier = c.email);
SELECT count(*) FROM contacts c WHERE c.id BETWEEN 4999 AND 5003 AND NOT EXISTS (SELECT FROM opt_outs o WHERE o.identifier = c.email);
SELECT count(*) FROM contacts c LEFT JOIN opt_outs o ON o.identifier = c.email WHERE c.id BETWEEN 4999 AND 5003 AND o.identifier IS NULL;
:log
SELECT count(*) FROM contacts c WHERE NOT EXISTS (SELECT FROM opt_outs o WHERE o.identifier = c.email);
SELECT count(*) FROM contacts c LEFT JOIN opt_outs o ON o.identifier = c.email WHERE o.identifier IS NULL;
SELECT count(*) FROM contacts c WHERE c.email NOT IN (SELECT identifier FROM opt_outs);
:log
SELECT count(*) FROM contacts c WHERE c.email NOT IN (SELECT NULLIF(identifier, 'person000001@example.com') FROM opt_outs);
:log

-- nothing is asked twice: 1,000 rows with 50 addresses are 50 requests
SELECT count(*), count(l) FROM (SELECT (SELECT o.identifier FROM opt_outs o WHERE o.identifier = c.email) AS l
  FROM (SELECT email FROM contacts WHERE id <= 4050) c, generate_series(1, 20)) s;
:log
SELECT count(*) FROM (SELECT c.email FROM contacts c, generate_series(1, 20) WHERE c.id <= 4005) c JOIN opt_outs o ON o.identifier = c.email;
:log
-- a scan that is run again with the same values reads what it has
SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off; SET enable_memoize = off;
SELECT count(*) FROM generate_series(1, 3) n LEFT JOIN sendkit_list s ON s.identifier <> n::text;
SELECT (SELECT count(*) FROM sendkit_list s WHERE length(s.identifier) % 3 = n % 3) FROM generate_series(1, 3) n;
:log
RESET enable_hashjoin; RESET enable_mergejoin; RESET enable_material; RESET enable_memoize;
-- the memory is bounded, and what falls out is asked again
SET work_mem = '64kB';
SELECT count(*) FROM generate_series(1, 2) r, LATERAL (SELECT count(o.id) FROM contacts c, LATERAL (SELECT id FROM opt_outs o WHERE o.identifier = c.email AND r > 0 OFFSET 0) o WHERE c.id <= 4010) x;
-- the rows of a scan that is run again go to disk
SELECT o.n, s.* FROM generate_series(1, 3) o(n), LATERAL (SELECT count(*) FROM opt_outs d WHERE length(d.identifier) > o.n) s;
SELECT n, s.* FROM generate_series(0, 2) n, LATERAL (SELECT count(*), max(identifier) FROM opt_outs d WHERE d.created_at > timestamptz '2025-01-01' + n * interval '1 day') s;
RESET work_mem;
\! curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/alta/plan/log" >/dev/null

-- the column search, joined
SELECT v.x, count(*) FROM (VALUES ('000012'), ('00001')) v (x) JOIN phones p ON p.search = v.x GROUP BY 1 ORDER BY 1;
:log
-- estimates
EXPLAIN SELECT * FROM opt_outs WHERE identifier IN ('a', 'b', 'c');
EXPLAIN SELECT * FROM opt_outs;
SELECT pg_temp.explain($$SELECT (SELECT o.identifier_type FROM opt_outs o WHERE o.identifier = c.email) FROM contacts c, generate_series(1, 3) WHERE c.id = 4001$$);

RESET search_path;
DROP SCHEMA plan CASCADE;
DROP SERVER alta, weya, sendkit CASCADE;
