-- How many requests a statement takes: nothing is asked twice, and guesses are corrected
-- when the values are known.  :n shows the number of list requests of each list.
\getenv srcdir PG_ABS_SRCDIR
\set include :srcdir /sql/include/preamble.sql
\i :include
\set n '\\! for list in alta/req alta/reqshort weya/req sendkit/req; do echo "$list $(curl -s "$DNC_SANDBOX_URL/sandbox/$list/log" | grep -c ^GET)"; curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/$list/log" >/dev/null; done | grep -v " 0$"'
\! for list in alta/req alta/reqshort weya/req sendkit/req; do curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/$list"; done >/dev/null
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/req/fill?count=3000" >/dev/null
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/reqshort/fill?count=60" >/dev/null
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/weya/req/fill?count=3000" >/dev/null
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/sendkit/req/fill?count=500" >/dev/null
CREATE SERVER alta FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url :'alta_url', requests_per_minute '0', estimated_rows '3000');
CREATE SERVER short FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url :'alta_url', requests_per_minute '0', estimated_rows '60');
CREATE SERVER weya FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'weya', base_url :'weya_url', estimated_rows '3000');
CREATE SERVER sendkit FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'sendkit', base_url :'sendkit_url', estimated_rows '500');
CREATE USER MAPPING FOR CURRENT_USER SERVER alta OPTIONS (token 'sandbox-req');
CREATE USER MAPPING FOR CURRENT_USER SERVER short OPTIONS (token 'sandbox-reqshort');
CREATE USER MAPPING FOR CURRENT_USER SERVER weya OPTIONS (token 'sandbox-req');
CREATE USER MAPPING FOR CURRENT_USER SERVER sendkit OPTIONS (token 'sk_req');
CREATE SCHEMA req;
SET search_path = req, public;
CREATE FOREIGN TABLE list (id text, identifier text, identifier_type text, label text, created_at timestamptz) SERVER alta;
CREATE FOREIGN TABLE short_list (id text, identifier text, identifier_type text) SERVER short;
CREATE FOREIGN TABLE phones (id text, identifier text, identifier_type text, search text) SERVER weya;
CREATE FOREIGN TABLE emails (id text, identifier text, identifier_type text) SERVER sendkit;
CREATE TABLE copy AS SELECT * FROM list;
CREATE TABLE contacts AS SELECT row_number() OVER (ORDER BY id)::int AS n, identifier AS x FROM copy ORDER BY id LIMIT 200;
ANALYZE contacts;
-- the planner expects two rows of it
CREATE FUNCTION more(times int) RETURNS TABLE (n int, x text) LANGUAGE sql ROWS 2 VOLATILE AS $$
  SELECT c.n, c.x FROM contacts c, generate_series(1, times) ORDER BY 1 $$;
:n

-- a scan below a subquery that runs for each row is read once, whatever is above the scan
SET work_mem = '64kB';
SELECT sum((SELECT count(*) FROM list d JOIN copy USING (id) WHERE copy.label <> o.n::text)) FROM generate_series(1, 20) o(n);
:n
SELECT sum((SELECT max(r) FROM (SELECT rank() OVER (ORDER BY id) r FROM list d WHERE length(d.identifier) > o.n) w)) FROM generate_series(1, 20) o(n);
:n
SELECT count(DISTINCT (SELECT identifier FROM list d WHERE d.label <> o.n::text ORDER BY identifier LIMIT 1)) FROM generate_series(1, 20) o(n);
:n
SELECT sum((SELECT count(*) FROM (SELECT identifier FROM list d WHERE length(d.identifier) > o.n UNION ALL SELECT x FROM contacts) u)) FROM generate_series(1, 20) o(n);
:n
SELECT count(*) FROM generate_series(1, 20) o(n) WHERE o.n::text IN (SELECT identifier FROM list d WHERE length(d.identifier) > o.n OFFSET 0);
:n
SELECT sum((SELECT count(*) FROM list WHERE o.n > 0)) FROM generate_series(1, 20) o(n);
:n
WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT r.n + 1 FROM r JOIN list d ON length(d.identifier) = 12 AND d.label <> r.n::text AND d.identifier LIKE '%1' WHERE r.n < 3)
SELECT count(*) FROM r;
:n
SELECT sum((SELECT count(*) + o.n FROM emails)) FROM generate_series(1, 20) o(n);
:n
SET enable_material = off;
SELECT count(*) FROM generate_series(1, 20) o(n) WHERE o.n::text <> ALL (SELECT d.identifier FROM list d JOIN copy USING (id));
RESET enable_material;
:n
-- what is run once is not kept
SELECT count(*) FROM list WHERE length(identifier) > (SELECT 3);
:n

-- semi and anti joins, EXISTS, LIMIT 1: once a value, though the executor stops at its first row
SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off; SET enable_memoize = off; SET enable_hashagg = off; SET enable_sort = off;
SELECT count(*) FROM (SELECT x FROM contacts, generate_series(1, 4) WHERE n <= 3) c WHERE EXISTS (SELECT FROM list d WHERE d.identifier = c.x);
:n
SELECT count(*) FROM (SELECT x FROM contacts, generate_series(1, 4) WHERE n <= 3) c WHERE NOT EXISTS (SELECT FROM list d WHERE d.identifier = c.x);
:n
SELECT count((SELECT id FROM list d WHERE d.identifier = c.x LIMIT 1)) FROM (SELECT x FROM contacts, generate_series(1, 4) WHERE n <= 3) c;
:n
-- what a join reads of a type's list, and leaves in the middle, is asked for twice at the most
SELECT count(*) FROM (SELECT identifier AS x, identifier_type AS kind FROM copy WHERE identifier_type IN ('email', 'phone') ORDER BY id LIMIT 60) c WHERE EXISTS (SELECT FROM emails e WHERE e.id <> c.x AND e.identifier_type = c.kind);
:n
SELECT count(*) FROM generate_series(1, 40) o(n) WHERE EXISTS (SELECT FROM emails e WHERE e.id > 'x' || o.n OR e.identifier_type = (CASE WHEN o.n % 2 = 0 THEN 'email' ELSE 'domain' END));
:n
SELECT count((SELECT id FROM emails e WHERE e.identifier_type = (CASE WHEN o.n % 2 = 0 THEN 'email' ELSE 'domain' END) AND length(e.id) > o.n LIMIT 1)) FROM generate_series(1, 40) o(n);
:n
-- lookups that are more than work_mem are on disk
SELECT count(*) FROM generate_series(1, 3) r, LATERAL (SELECT count(d.id) FROM contacts c, LATERAL (SELECT * FROM list d WHERE d.identifier = c.x AND r > 0 OFFSET 0) d WHERE c.n <= 20) s;
:n

-- a value that cannot be sent reads the list once, for all such values
SELECT length(v.x), (SELECT count(*) FROM list d WHERE d.identifier = v.x) FROM (VALUES (''), (repeat('x', 2000)), (''), (repeat('y', 3000)), ('')) v(x);
:n

-- a nested loop that asks as often as the list has pages reads the list
SELECT line FROM pg_temp.explain('SELECT count(*) FROM more(3) m JOIN list d ON d.identifier = m.x') line WHERE line !~ 'Bytes|Filter';
:n
SELECT line FROM pg_temp.explain('SELECT count(*) FROM more(3) m JOIN list d ON d.identifier = m.x', 'ANALYZE, FORMAT YAML') line WHERE line ~ 'Lookups';
\! curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/alta/req/log" >/dev/null
WITH m AS MATERIALIZED (SELECT * FROM more(3)) SELECT count(*) FROM m JOIN list d ON d.identifier = m.x;
:n
SELECT count(*) FROM unnest(ARRAY(SELECT x FROM contacts)) u(x) JOIN list d ON d.identifier = u.x;
:n
SELECT count(*) FROM more(3) m WHERE NOT EXISTS (SELECT FROM list d WHERE d.identifier = m.x AND d.identifier_type = 'email');
:n
SELECT count(*) FROM more(3) m WHERE NOT EXISTS (SELECT FROM copy d WHERE d.identifier = m.x AND d.identifier_type = 'email');
SELECT count(*), count(DISTINCT d.id) FROM more(2) m, LATERAL (SELECT id FROM list d WHERE d.identifier IN (m.x, m.x, 'person000001@example.com') OFFSET 0) d;
:n
SELECT count(*), count(DISTINCT d.id) FROM more(2) m, LATERAL (SELECT id FROM copy d WHERE d.identifier IN (m.x, m.x, 'person000001@example.com') OFFSET 0) d;
-- the transaction's own writes are laid over what is kept
BEGIN;
INSERT INTO list (identifier, identifier_type, label) VALUES ('own@test', 'email', 'own');
DELETE FROM list WHERE identifier = (SELECT x FROM contacts WHERE n = 7);
SELECT count(*), count(*) FILTER (WHERE m.x = 'own@test') FROM (SELECT x FROM more(2) UNION ALL VALUES ('own@test'), ('')) m, LATERAL (SELECT FROM list d WHERE d.identifier = m.x OFFSET 0) d;
ROLLBACK;
:n
-- a search can only be sent
SELECT count(*) FROM more(1) m JOIN phones p ON p.search = m.x WHERE m.n <= 40;
:n
RESET ALL;
SET client_min_messages = warning;
SET search_path = req, public;

-- arrays are compared with the list's pages when their values are known
PREPARE many(text[]) AS SELECT count(*) FROM list WHERE identifier = ANY ($1);
SELECT array_agg(x) AS many, array_agg(x) FILTER (WHERE n <= 3) AS few FROM contacts \gset
SET plan_cache_mode = force_generic_plan;
EXECUTE many(:'many');
:n
EXECUTE many(:'few');
:n
SELECT count(*) FROM list WHERE identifier = ANY (ARRAY(SELECT x FROM contacts));
:n
SELECT count(*) FROM list WHERE identifier = ANY (ARRAY(SELECT x FROM contacts WHERE n <= 3));
:n
-- 150,000 values: their number takes no time, and few requests
SELECT array_agg('nobody' || n) AS huge FROM generate_series(1, 150000) n \gset
\set ECHO none
SET plan_cache_mode = force_custom_plan;
SET statement_timeout = '20s';
EXECUTE many(:'huge');
RESET statement_timeout;
\set ECHO all
:n

-- fewest requests
SELECT count(*) FROM (SELECT id FROM list ORDER BY 'x'::text FETCH FIRST 1 ROW WITH TIES) t;
:n
SELECT count(*) FROM short_list WHERE identifier_type IN ('email', 'phone', 'sms', 'whatsapp');
:n
SELECT count(*) FROM short_list WHERE identifier = 'person000001@example.com' OR identifier = 'nobody';
:n
-- a guarded arm is evaluated, and sent, where its guard holds
SELECT v.kind, d.id IS NOT NULL AS listed FROM (VALUES ('e', 'person000001@example.com'), ('n', '15550000002'), ('x', 'z')) v(kind, x)
  LEFT JOIN list d ON (v.kind = 'e' AND d.identifier = v.x) OR (v.kind = 'n' AND d.identifier = '+' || v.x::bigint::text) ORDER BY 1;
:n
-- one that could be an error stays where it is
SELECT v.kind, d.id IS NOT NULL AS listed FROM (VALUES ('n', 'person000001@example.com'), ('m', 'x')) v(kind, x)
  LEFT JOIN list d ON (d.identifier_type = 'none' AND v.x::int > 5 AND d.identifier = v.x) OR (d.identifier = v.x AND v.kind = 'n');
:n

-- counts from the total
SELECT count(*) + 1, count(*)::int, 'x', count(1) FROM phones;
SELECT count(*) FROM emails HAVING count(*) > 3;
SELECT 1 FROM emails HAVING count(*) > 500;
SELECT identifier_type, count(*) FROM phones GROUP BY 1;
SELECT identifier_type || '!', count(*) FROM phones WHERE identifier_type IN ('phone', 'email') GROUP BY identifier_type HAVING count(*) > 2;
:n
SELECT count(*) FROM phones WHERE identifier_type <> 'phone';
SELECT identifier_type, count(*) FROM phones WHERE identifier_type = 'email' GROUP BY 1;
SELECT count(*) FROM phones WHERE identifier_type IS NULL;
SELECT id FROM phones WHERE identifier_type <> 'phone' AND id > 'x';
:n
-- not these
EXPLAIN (COSTS OFF) SELECT count(DISTINCT 1) FROM phones;
EXPLAIN (COSTS OFF) SELECT count(*) FILTER (WHERE false) FROM phones;
EXPLAIN (COSTS OFF) SELECT count(id) FROM phones;
EXPLAIN (COSTS OFF) SELECT identifier_type, count(*) FROM emails WHERE identifier > 'a' GROUP BY 1;
EXPLAIN (COSTS OFF) SELECT upper(identifier_type), count(*) FROM emails GROUP BY 1;
EXPLAIN (COSTS OFF) SELECT identifier_type, count(DISTINCT identifier_type) FROM emails GROUP BY 1;
BEGIN;
CREATE FOREIGN TABLE own_phones (identifier text, identifier_type text, batch_id text) SERVER weya;
INSERT INTO own_phones (identifier, batch_id) VALUES ('15559999999', 'b');
SELECT identifier_type, count(*) FROM own_phones GROUP BY 1;
ROLLBACK;
\! curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/weya/req/log" >/dev/null

-- GROUP BY identifier_type: the totals of the types, and that of the list
EXPLAIN (COSTS OFF) SELECT identifier_type, count(*) FROM emails GROUP BY 1;
SELECT identifier_type, count(*) FROM emails GROUP BY 1 ORDER BY 1;
:n
SELECT count(*) * 2, 'x', upper(identifier_type) FROM emails GROUP BY identifier_type HAVING count(*) > 1 AND identifier_type <> 'domain';
SELECT identifier_type FROM emails GROUP BY 1 ORDER BY 1 DESC;
:n
SELECT o.n, identifier_type, e.count FROM generate_series(1, 3) o(n), LATERAL (SELECT identifier_type, count(*) + o.n AS count FROM emails GROUP BY 1 OFFSET 0) e ORDER BY 1, 2;
:n
SELECT identifier_type, count(*) FROM emails WHERE identifier_type = 'domain' GROUP BY 1;
SELECT identifier_type, count(*) FROM emails WHERE identifier_type = 'sms' GROUP BY 1;
:n
BEGIN;
INSERT INTO emails (identifier, identifier_type) VALUES ('own.example', 'domain'), ('own@test', 'email');
DELETE FROM emails WHERE identifier = (SELECT min(identifier) FROM emails WHERE identifier_type = 'email');
\! curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/sendkit/req/log" >/dev/null
SELECT identifier_type, count(*) FROM emails GROUP BY 1 ORDER BY 1;
:n
ROLLBACK;
-- other types than those of the documents: the totals do not agree, and the list is read
\! curl -s -X PUT "$DNC_SANDBOX_URL/sandbox/sendkit/req/entries" -d '[{"_id":"65a000000000000000000001","email":"other@test","entryType":"Email","createdAt":"2025-02-03T04:05:06.789Z"}]' >/dev/null
SELECT identifier_type, count(*) FROM emails GROUP BY 1 ORDER BY identifier_type COLLATE "C";
:n
SELECT identifier_type FROM emails GROUP BY 1 HAVING count(*) = 1;
:n
-- a list of one page is read
CREATE FOREIGN TABLE few_emails (identifier_type text) SERVER sendkit OPTIONS (estimated_rows '50');
EXPLAIN (COSTS OFF) SELECT identifier_type, count(*) FROM few_emails GROUP BY 1;

-- many types of a list whose size is not known: its first page may have all
CREATE FOREIGN TABLE unknown_size (id text, identifier text, identifier_type text) SERVER short OPTIONS (estimated_rows '10000');
CREATE FOREIGN TABLE unknown_long (id text, identifier text, identifier_type text) SERVER alta OPTIONS (estimated_rows '10000');
SELECT count(id) FROM unknown_size WHERE identifier_type IN ('email', 'phone', 'sms', 'whatsapp');
:n
EXPLAIN (COSTS OFF) SELECT id FROM unknown_size WHERE identifier_type IN ('email', 'phone', 'sms', 'whatsapp');
SELECT count(id) FROM unknown_long WHERE identifier_type IN ('email', 'phone', 'sms', 'whatsapp');
:n
SELECT count(id) FROM copy WHERE identifier_type IN ('email', 'phone', 'sms', 'whatsapp');
SELECT count(*) FROM (SELECT id FROM unknown_long WHERE identifier_type IN ('email', 'phone', 'sms', 'whatsapp') LIMIT 5) l;
:n
SELECT count(*) FROM (SELECT id FROM unknown_long WHERE identifier_type IN ('email', 'phone', 'sms', 'whatsapp') UNION ALL SELECT id FROM unknown_size WHERE identifier_type IN ('email', 'phone', 'sms', 'whatsapp')) u;
:n
SELECT sum((SELECT count(*) FROM unknown_long WHERE identifier_type IN ('email', 'phone', 'sms', 'whatsapp') AND length(identifier) > o.n)) FROM generate_series(1, 4) o(n);
:n
BEGIN;
INSERT INTO unknown_long (identifier, identifier_type) VALUES ('own@test', 'email'), ('+15559999999', 'phone');
SELECT count(id), count(*) FROM unknown_long WHERE identifier_type IN ('email', 'phone', 'sms', 'whatsapp');
ROLLBACK;
:n
-- two types, or all
SELECT count(id) FROM unknown_size WHERE identifier_type IN ('email', 'phone');
:n
SELECT count(id) FROM emails WHERE identifier_type IN ('email', 'domain');
:n

-- an OR's condition is estimated as what it is
ANALYZE list;
:n
SELECT count(*) FROM list WHERE (identifier, identifier_type) IN (('person000001@example.com', 'email'), ('+1', 'phone'));
:n
-- the requests that are expected are those that are sent
CREATE FUNCTION expected(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN ' || query LOOP
    IF line ~ 'Estimated Requests' THEN
      RETURN NEXT trim(line);
    END IF;
  END LOOP;
END $$;
SELECT expected($$SELECT id FROM list WHERE identifier_type = 'Phone'$$);
SELECT expected($$SELECT id FROM emails WHERE identifier_type = 'phone'$$);
SELECT expected($$SELECT id FROM short_list WHERE identifier_type IN ('email', 'phone', 'sms', 'whatsapp')$$);
SELECT expected($$SELECT id FROM list WHERE identifier IN ('a', 'b', 'a')$$);
SELECT expected($$SELECT id FROM list WHERE identifier = ''$$);
SELECT expected($$SELECT identifier_type, count(*) FROM emails GROUP BY 1$$);
SELECT expected($$SELECT id FROM unknown_size WHERE identifier_type IN ('email', 'phone', 'sms', 'whatsapp')$$);
SELECT expected($$SELECT id FROM unknown_size WHERE identifier_type IN ('email', 'phone', 'sms', 'whatsapp') LIMIT 5$$);
-- numbered pages overlap, or do not: t/008_list_moving.pl counts 68 and 60
CREATE FOREIGN TABLE many_phones (identifier text) SERVER weya OPTIONS (estimated_rows '6000', scan_check 'reread');
CREATE FOREIGN TABLE apart (identifier text) SERVER weya OPTIONS (estimated_rows '6000', scan_check 'total');
SELECT expected('SELECT identifier FROM many_phones'), expected('SELECT identifier FROM apart');
-- a page of 3, then one of 17; counting takes one
CREATE FOREIGN TABLE few_phones (identifier text) SERVER weya OPTIONS (estimated_rows '4', page_size '3');
SELECT expected('SELECT identifier FROM few_phones'), expected('SELECT count(*) FROM few_phones');
DROP FOREIGN TABLE many_phones, apart, few_phones;
:n

-- date and timestamp: the session's day, as created_at::date
CREATE FOREIGN TABLE days (moment timestamptz OPTIONS (column_name 'created_at'), day date OPTIONS (column_name 'created_at'),
  local timestamp(0) OPTIONS (column_name 'created_at'), "time" time OPTIONS (column_name 'created_at')) SERVER short;
SET TimeZone = 'America/New_York';
SET DateStyle = 'SQL, DMY';
SELECT day, local, "time" FROM days ORDER BY moment LIMIT 1;
SELECT count(*) FROM days WHERE day <> moment::date OR local <> moment::timestamp OR "time" <> moment::time;
RESET DateStyle;
RESET TimeZone;
:n

-- whoever reads the column search must have sent a search
SELECT identifier, search FROM phones WHERE search = '0000012';
SELECT * FROM phones LIMIT 1;
\set VERBOSITY terse
SELECT p FROM phones p LIMIT 1;
WITH p AS MATERIALIZED (SELECT search FROM phones) SELECT count(*) FROM p WHERE search = '0000012';
SELECT count(*) FROM (SELECT search FROM phones OFFSET 0) p WHERE search = '0000012';
SELECT count(*) FILTER (WHERE search = '0000012') FROM phones;
SELECT rank() OVER (ORDER BY search) FROM phones;
SELECT count(*) FROM contacts c WHERE c.x = ANY (SELECT search FROM phones UNION SELECT 'x');
CREATE FOREIGN TABLE other_phones (search text, number text OPTIONS (column_name 'identifier')) SERVER weya;
CREATE VIEW both_lists AS SELECT identifier, search FROM phones UNION ALL SELECT number, search FROM other_phones;
CREATE VIEW reversed AS SELECT search, number FROM other_phones UNION ALL SELECT search, identifier FROM phones;
:n
SELECT v.x FROM (VALUES ('15550000001'), ('nobody')) v(x) WHERE NOT EXISTS (SELECT FROM both_lists u WHERE u.search = v.x);
SELECT v.x FROM (VALUES ('15550000001'), ('nobody')) v(x) WHERE NOT EXISTS (SELECT FROM reversed u WHERE u.search = v.x);
SELECT number FROM reversed WHERE number = '15550000001';
SELECT * FROM reversed WHERE number = '15550000001';
SELECT count(*) FROM phones p JOIN contacts c ON p.search = c.x JOIN contacts d ON d.n = c.n JOIN contacts e ON e.n = d.n WHERE c.n < 4;
:n
\set VERBOSITY default

-- types: one that no vendor documents is looked for, and an entry of one that only others document is told of
SELECT count(*) FROM list WHERE identifier_type = 'Phone';
SELECT count(d.id) FROM (VALUES ('mobile'), ('email'), ('fax')) v(x) LEFT JOIN short_list d ON d.identifier_type = v.x;
\! curl -s -X PUT "$DNC_SANDBOX_URL/sandbox/alta/reqshort/entries" -d '[{"id":"00000000-0000-0000-0000-000000000001","objectType":"communication-opt-out","identifier":"blocked.example","identifierType":"domain","isManuallyAdded":true,"createdAt":"2025-02-03T04:05:06.789Z","updatedAt":"2025-02-03T04:05:06.789Z"},{"id":"00000000-0000-0000-0000-000000000002","objectType":"communication-opt-out","identifier":"too.example","identifierType":"domain","isManuallyAdded":true,"createdAt":"2025-02-03T04:05:06.789Z","updatedAt":"2025-02-03T04:05:06.789Z"}]' >/dev/null
SELECT count(*) FROM short_list;
SELECT count(*) FROM short_list WHERE identifier_type = 'domain';
SELECT count(*) FROM short_list WHERE lower(identifier_type) = 'domain';

-- nothing that is kept outlives the statement
SELECT count(*) FROM list WHERE identifier = 'person000001@example.com';
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/req/fill?count=1&types=email" >/dev/null
SELECT count(*) FROM list;
RESET search_path;
DROP SCHEMA req CASCADE;
DROP SERVER alta, short, weya, sendkit CASCADE;
