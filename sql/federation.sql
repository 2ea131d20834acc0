-- Several vendors and accounts as one table: partitions, a UNION ALL view, Async Append.
\getenv srcdir PG_ABS_SRCDIR
\set include :srcdir /sql/include/preamble.sql
\i :include
\set log '\\! for list in alta/fed_a alta/fed_b sendkit/fed weya/fed; do curl -s "$DNC_SANDBOX_URL/sandbox/$list/log" | sed "s,^,$list ,; s/cursor=[^ &]*/cursor=.../; s,/delete/[0-9a-f]*,/delete/ID," | uniq -c | sed "s/^ *//"; curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/$list/log" >/dev/null; done'
\! for list in alta/fed_a alta/fed_b sendkit/fed weya/fed; do curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/$list"; curl -s -X POST "$DNC_SANDBOX_URL/sandbox/$list/fill?count=150"; done >/dev/null
CREATE SERVER alta_a FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url :'alta_url', requests_per_minute '0');
CREATE SERVER alta_b FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url :'alta_url', requests_per_minute '0');
CREATE SERVER sendkit FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'sendkit', base_url :'sendkit_url');
CREATE SERVER weya FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'weya', base_url :'weya_url');
CREATE USER MAPPING FOR CURRENT_USER SERVER alta_a OPTIONS (token 'sandbox-fed_a');
CREATE USER MAPPING FOR CURRENT_USER SERVER alta_b OPTIONS (token 'sandbox-fed_b');
CREATE USER MAPPING FOR CURRENT_USER SERVER sendkit OPTIONS (token 'sk_fed');
CREATE USER MAPPING FOR CURRENT_USER SERVER weya OPTIONS (token 'sandbox-fed');
CREATE SCHEMA fed;
SET search_path = fed;

CREATE TABLE opt_outs (identifier text, identifier_type text, reason text, batch_id text, request_uuid text,
  id text, source text) PARTITION BY LIST (source);
CREATE FOREIGN TABLE part_alta_a PARTITION OF opt_outs FOR VALUES IN ('alta_a') SERVER alta_a;
CREATE FOREIGN TABLE part_alta_b PARTITION OF opt_outs FOR VALUES IN ('alta_b') SERVER alta_b;
-- columns in another order, as partitions may have them
CREATE FOREIGN TABLE part_sendkit (source text, gone text, id text, reason text, identifier_type text, identifier text,
  batch_id text, request_uuid text) SERVER sendkit;
ALTER FOREIGN TABLE part_sendkit DROP COLUMN gone;
ALTER TABLE opt_outs ATTACH PARTITION part_sendkit FOR VALUES IN ('sendkit');
CREATE FOREIGN TABLE part_weya PARTITION OF opt_outs FOR VALUES IN ('weya') SERVER weya;

-- all at once
EXPLAIN (COSTS OFF) SELECT count(*) FROM opt_outs;
SELECT source, count(*), count(DISTINCT id) FROM opt_outs GROUP BY 1 ORDER BY 1;
:log
SET enable_async_append = off;
SELECT source, count(*), count(DISTINCT id) FROM opt_outs GROUP BY 1 ORDER BY 1;
RESET enable_async_append;
ALTER SERVER weya OPTIONS (ADD async_capable 'false');
EXPLAIN (COSTS OFF) SELECT count(*) FROM opt_outs;
SELECT source, count(*) FROM opt_outs GROUP BY 1 ORDER BY 1;
ALTER SERVER weya OPTIONS (DROP async_capable);
:log
-- with local conditions that leave few rows, or none
SELECT source, identifier FROM opt_outs WHERE identifier LIKE '%000149%' OR identifier LIKE '%000150%' ORDER BY 1, 2;
SELECT count(*) FROM opt_outs WHERE reason = 'nobody';
SELECT pg_temp.explain($$SELECT identifier FROM opt_outs WHERE identifier LIKE '%000149'$$);
SELECT count(*) FROM (SELECT 1 FROM opt_outs LIMIT 7) l;
\! for list in alta/fed_a alta/fed_b sendkit/fed weya/fed; do curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/$list/log"; done >/dev/null
-- rescans: each of two outer rows reads all of it
SELECT v.n, l.count FROM (VALUES (1), (2)) v (n), LATERAL (SELECT count(*) FROM opt_outs WHERE identifier_type <> v.n::text) l;
\! for list in alta/fed_a alta/fed_b sendkit/fed weya/fed; do curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/$list/log"; done >/dev/null

-- pruning by source: at plan time, at run time
SELECT count(*) FROM opt_outs WHERE source = 'weya';
:log
PREPARE by_source(text) AS SELECT count(*) FROM opt_outs WHERE source = $1;
SET plan_cache_mode = force_generic_plan;
EXECUTE by_source('alta_b');
RESET plan_cache_mode;
:log
-- no request to a provider that cannot have the type
SELECT source, count(*) FROM opt_outs WHERE identifier_type = 'domain' GROUP BY 1;
:log
SELECT source, count(*) FROM opt_outs WHERE identifier_type = 'phone' GROUP BY 1 ORDER BY 1;
:log
SELECT source, identifier FROM opt_outs WHERE identifier = '+15550000003' ORDER BY source;
:log

-- INSERT is routed, DELETE goes through the parent
INSERT INTO opt_outs (identifier, identifier_type, source, batch_id, request_uuid) VALUES
  ('one@example.com', 'email', 'alta_a', NULL, NULL),
  ('two@example.com', 'email', 'alta_b', NULL, NULL),
  ('three@example.com', 'email', 'sendkit', NULL, NULL),
  ('15559990001', 'phone', 'weya', 'batch', 'uuid')
RETURNING tableoid::regclass, identifier, source;
:log
INSERT INTO opt_outs (identifier, identifier_type, source) VALUES ('x@example.com', 'email', 'nobody');
INSERT INTO opt_outs (identifier, identifier_type, source, reason) VALUES ('x@example.com', 'email', 'alta_a', 'lost');
\echo :LAST_ERROR_SQLSTATE
WITH deleted AS (
  DELETE FROM opt_outs WHERE identifier IN ('one@example.com', 'two@example.com', 'three@example.com', '15559990001')
  RETURNING tableoid::regclass AS partition, identifier
) SELECT * FROM deleted ORDER BY partition::text;
\! for list in alta/fed_a alta/fed_b sendkit/fed weya/fed; do curl -s "$DNC_SANDBOX_URL/sandbox/$list/log" | grep -v ^GET | sed "s,^,$list ,; s,/delete/[0-9a-f]*,/delete/ID,"; curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/$list/log" >/dev/null; done
-- one transaction, several servers
BEGIN;
INSERT INTO opt_outs (identifier, identifier_type, source)
SELECT format('fed%s@example.com', n), 'email', CASE n % 2 WHEN 0 THEN 'alta_a' ELSE 'sendkit' END FROM generate_series(1, 10) n;
COMMIT;
:log

-- a UNION ALL view over tables as IMPORT makes them
CREATE SCHEMA a; CREATE SCHEMA s; CREATE SCHEMA w;
IMPORT FOREIGN SCHEMA dnc FROM SERVER alta_a INTO a;
IMPORT FOREIGN SCHEMA dnc FROM SERVER sendkit INTO s;
IMPORT FOREIGN SCHEMA dnc FROM SERVER weya INTO w;
CREATE VIEW communication_opt_outs AS
  SELECT 'alta' AS vendor, identifier, identifier_type, created_at FROM a.communication_opt_outs
  UNION ALL SELECT 'sendkit', identifier, identifier_type, created_at FROM s.communication_opt_outs
  UNION ALL SELECT 'weya', identifier, identifier_type, created_at FROM w.communication_opt_outs;
EXPLAIN (COSTS OFF) SELECT * FROM communication_opt_outs WHERE identifier_type = 'email';
SELECT vendor, count(*) FROM communication_opt_outs WHERE identifier_type = 'email' GROUP BY 1 ORDER BY 1;
:log

-- a search that no request carries is refused in partitions too; a join can carry it
CREATE TABLE searched (identifier text, search text, source text) PARTITION BY LIST (source);
CREATE FOREIGN TABLE searched_a PARTITION OF searched FOR VALUES IN ('alta_a') SERVER alta_a;
CREATE FOREIGN TABLE searched_b PARTITION OF searched FOR VALUES IN ('alta_b') SERVER alta_b;
SELECT * FROM searched WHERE search = 'person000001@example.com' ORDER BY source;
SELECT * FROM searched WHERE search LIKE 'person%';
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM searched s JOIN (VALUES ('person000001@example.com'), ('b')) v (x) ON s.search = v.x ORDER BY source;
SELECT * FROM searched s JOIN (VALUES ('person000001@example.com'), ('b')) v (x) ON s.search < v.x;

RESET search_path;
SELECT * FROM dnc_fdw_providers() \gx

DROP SCHEMA fed, a, s, w CASCADE;
DROP SERVER alta_a, alta_b, sendkit, weya CASCADE;
