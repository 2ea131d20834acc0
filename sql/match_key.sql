-- match_key: the key of each entry, as a column.
\getenv srcdir PG_ABS_SRCDIR
\set include :srcdir /sql/include/preamble.sql
\i :include
\! curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/alta/match_key" >/dev/null
\! curl -s -X PUT "$DNC_SANDBOX_URL/sandbox/alta/match_key/entries" -d '[{"id":"00000000-0000-0000-0000-000000000001","objectType":"communication-opt-out","identifier":"\"Bob\" <Bob@Example.com>","identifierType":"email","isManuallyAdded":true,"createdAt":"2025-02-03T04:05:06.789Z","updatedAt":"2025-02-03T04:05:06.789Z"},{"id":"00000000-0000-0000-0000-000000000002","objectType":"communication-opt-out","identifier":"+1 (212) 555-0003","identifierType":"sms","isManuallyAdded":true,"createdAt":"2025-02-03T04:05:06.789Z","updatedAt":"2025-02-03T04:05:06.789Z"},{"id":"00000000-0000-0000-0000-000000000003","objectType":"communication-opt-out","identifier":"030 901820","identifierType":"phone","isManuallyAdded":true,"createdAt":"2025-02-03T04:05:06.789Z","updatedAt":"2025-02-03T04:05:06.789Z"},{"id":"00000000-0000-0000-0000-000000000004","objectType":"communication-opt-out","identifier":"nobody in particular","identifierType":"email","isManuallyAdded":true,"createdAt":"2025-02-03T04:05:06.789Z","updatedAt":"2025-02-03T04:05:06.789Z"}]' >/dev/null
\! curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/weya/match_key" >/dev/null
\! curl -s -X PUT "$DNC_SANDBOX_URL/sandbox/weya/match_key/entries" -d '[{"_id":"1","phoneNumber":"12125550003","type":"manual","orgId":"o","batchId":"b","requestUUID":"u","callRecording":"","transcription":"","createdAt":"2025-02-03T04:05:06.789Z"}]' >/dev/null
CREATE SERVER key_alta FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url :'alta_url');
CREATE SERVER key_weya FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'weya', base_url :'weya_url');
CREATE USER MAPPING FOR CURRENT_USER SERVER key_alta OPTIONS (token 'sandbox-match_key');
CREATE USER MAPPING FOR CURRENT_USER SERVER key_weya OPTIONS (token 'sandbox-match_key');
CREATE SCHEMA dnc;
IMPORT FOREIGN SCHEMA dnc FROM SERVER key_alta INTO dnc;
-- two vendors in one schema
IMPORT FOREIGN SCHEMA dnc FROM SERVER key_weya INTO dnc OPTIONS (table_name 'weya numbers');

SELECT identifier, match_key FROM dnc.communication_opt_outs ORDER BY id;
-- weya's digits are international without +
SELECT identifier, match_key FROM dnc."weya numbers";
-- numbers in national form
ALTER SERVER key_alta OPTIONS (ADD default_country 'us');
ALTER FOREIGN TABLE dnc.communication_opt_outs OPTIONS (ADD default_country 'DE');
SELECT identifier, match_key FROM dnc.communication_opt_outs WHERE identifier_type = 'phone';
ALTER FOREIGN TABLE dnc.communication_opt_outs OPTIONS (DROP default_country);
SELECT identifier, match_key FROM dnc.communication_opt_outs WHERE identifier_type = 'phone';
ALTER SERVER key_alta OPTIONS (SET default_country 'UK');
\echo :LAST_ERROR_SQLSTATE
ALTER SERVER key_alta OPTIONS (SET default_country '');
\echo :LAST_ERROR_SQLSTATE

-- no request carries a condition on it; a join hashes
EXPLAIN (COSTS off) SELECT identifier FROM dnc.communication_opt_outs WHERE match_key = 'email:bob@example.com' AND identifier_type = 'email';
EXPLAIN (COSTS off) SELECT identifier FROM dnc.communication_opt_outs WHERE match_key = ANY ('{email:bob@example.com,domain:example.com}');
SELECT identifier FROM dnc.communication_opt_outs WHERE match_key = ANY (dnc_fdw_keys('BOB@example.com', 'email'));
CREATE TEMP TABLE contacts AS SELECT n, 'person' || n || '@example.com' AS email FROM generate_series(1, 20000) AS n;
INSERT INTO contacts VALUES (0, 'bob@EXAMPLE.com');
-- without statistics too, since keys are expected to differ; but that is no proof that they do
ANALYZE contacts;
EXPLAIN (COSTS off) SELECT n FROM contacts WHERE NOT EXISTS (SELECT FROM dnc.communication_opt_outs WHERE match_key = dnc_fdw_key(email, 'email'));
EXPLAIN (COSTS off) SELECT DISTINCT n FROM contacts CROSS JOIN unnest(dnc_fdw_keys(email, 'email')) AS k JOIN dnc.communication_opt_outs ON match_key = k;
BEGIN;
INSERT INTO dnc.communication_opt_outs (identifier, identifier_type) VALUES ('bob@example.com', 'email');
SELECT n, identifier FROM contacts JOIN dnc.communication_opt_outs ON match_key = dnc_fdw_key(email, 'email') ORDER BY identifier COLLATE "C";
ROLLBACK;
ANALYZE contacts, dnc.communication_opt_outs;
EXPLAIN (COSTS off) SELECT n FROM contacts JOIN dnc.communication_opt_outs ON match_key = dnc_fdw_key(email, 'email');
SELECT n, email, identifier FROM contacts JOIN dnc.communication_opt_outs ON match_key = dnc_fdw_key(email, 'email');

-- own writes that wait have keys
BEGIN;
INSERT INTO dnc.communication_opt_outs (identifier, identifier_type) VALUES ('Eve@Example.com', 'email');
INSERT INTO dnc."weya numbers" (identifier, batch_id, request_uuid) VALUES ('12125550004', 'b', 'u');
SELECT identifier, match_key FROM dnc.communication_opt_outs WHERE match_key = 'email:eve@example.com';
SELECT identifier, match_key FROM dnc."weya numbers" ORDER BY 1;
ROLLBACK;
-- it is not written
INSERT INTO dnc.communication_opt_outs (identifier, identifier_type, match_key) VALUES ('eve@example.com', 'email', 'email:eve@example.com');
\echo :LAST_ERROR_SQLSTATE
INSERT INTO dnc.communication_opt_outs (identifier, identifier_type) VALUES ('eve@example.com', 'email') RETURNING match_key;
\echo :LAST_ERROR_SQLSTATE
BEGIN;
DELETE FROM dnc.communication_opt_outs WHERE match_key = 'email:bob@example.com' RETURNING identifier, match_key;
SELECT count(*) FROM dnc.communication_opt_outs;
ROLLBACK;

-- weya takes numbers with and without + for the same
\set add 'INSERT INTO dnc."weya numbers" (identifier, batch_id, request_uuid) VALUES'
SELECT identifier FROM dnc."weya numbers" WHERE identifier IN ('+12125550003', '12125550003');
EXPLAIN (COSTS off) SELECT identifier FROM dnc."weya numbers" WHERE identifier = '+12125550003';
:add ('+12125550003', 'b', 'u') ON CONFLICT DO NOTHING;
:add ('+12125550003', 'b', 'u');
\echo :LAST_ERROR_SQLSTATE
SELECT identifier FROM dnc."weya numbers";
BEGIN;
:add ('+12125550004', 'b', 'u');
:add ('12125550004', 'b', 'u') ON CONFLICT DO NOTHING;
:add ('+12125550003', 'b', 'u') ON CONFLICT DO NOTHING;
SELECT identifier FROM dnc."weya numbers" ORDER BY 1;
SELECT count(*) FROM dnc."weya numbers";
DELETE FROM dnc."weya numbers" WHERE match_key = ANY (dnc_fdw_keys('+1 212 555 0003', 'phone'));
SELECT identifier FROM dnc."weya numbers";
:add ('12125550004', 'b', 'u');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;

-- a table of before, or one's own
CREATE FOREIGN TABLE by_hand (identifier text) SERVER key_weya;
SELECT * FROM by_hand;
ALTER FOREIGN TABLE by_hand ADD COLUMN match_key text;
ALTER FOREIGN TABLE by_hand ADD COLUMN k varchar OPTIONS (column_name 'match_key');
SELECT * FROM by_hand;
EXPLAIN (COSTS off) SELECT * FROM by_hand WHERE k = 'tel:+12125550003';
SELECT DISTINCT match_key FROM by_hand WHERE k = 'tel:+12125550003';

-- the name of the table
IMPORT FOREIGN SCHEMA dnc LIMIT TO (third) FROM SERVER key_weya INTO dnc OPTIONS (table_name 'third');
IMPORT FOREIGN SCHEMA dnc EXCEPT (fourth) FROM SERVER key_weya INTO dnc OPTIONS (table_name 'fourth');
SELECT foreign_table_name FROM information_schema.foreign_tables WHERE foreign_table_schema = 'dnc' ORDER BY 1;
IMPORT FOREIGN SCHEMA dnc LIMIT TO (communication_opt_outs) FROM SERVER key_weya INTO dnc OPTIONS (table_name 'fifth');
\echo :LAST_ERROR_SQLSTATE
IMPORT FOREIGN SCHEMA dnc FROM SERVER key_weya INTO dnc OPTIONS (table_name '');
\echo :LAST_ERROR_SQLSTATE

DROP SERVER key_alta CASCADE;
DROP SERVER key_weya CASCADE;
DROP SCHEMA dnc;
