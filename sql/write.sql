-- Writing: nothing before COMMIT, in order, in batches; ROLLBACK takes back.
\getenv srcdir PG_ABS_SRCDIR
\set include :srcdir /sql/include/preamble.sql
\i :include
\set log '\\! curl -s "$DNC_SANDBOX_URL/sandbox/alta/write/log" | grep -v ^GET | uniq -c | sed "s/^ *//"; curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/alta/write/log" >/dev/null'
\set bodies '\\! curl -s "$DNC_SANDBOX_URL/sandbox/alta/write/log?bodies=1" | grep -v ^GET; curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/alta/write/log" >/dev/null'
\! curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/alta/write" >/dev/null
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/write/fill?count=50&types=email" >/dev/null
CREATE SERVER write FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url :'alta_url', requests_per_minute '0', max_retries '0');
CREATE USER MAPPING FOR CURRENT_USER SERVER write OPTIONS (token 'sandbox-write');
CREATE SCHEMA write;
IMPORT FOREIGN SCHEMA dnc FROM SERVER write INTO write;
SET search_path = write;

-- 1,201 rows are 3 requests
INSERT INTO communication_opt_outs (identifier, identifier_type, label)
SELECT format('new%s@example.com', n), 'email', 'row ' || n FROM generate_series(1, 1201) n;
:log
SELECT count(*), count(label) FROM communication_opt_outs WHERE identifier LIKE 'new%';
-- in the transaction's order: what was written last holds
BEGIN;
DELETE FROM communication_opt_outs WHERE identifier = 'person000001@example.com';
INSERT INTO communication_opt_outs (identifier, identifier_type) VALUES ('person000001@example.com', 'email');
INSERT INTO communication_opt_outs (identifier, identifier_type) VALUES ('+1', 'phone'), ('+2', 'sms');
DELETE FROM communication_opt_outs WHERE identifier = 'person000002@example.com';
COMMIT;
:bodies
SELECT identifier, identifier_type FROM communication_opt_outs
WHERE identifier IN ('person000001@example.com', 'person000002@example.com', '+1', '+2') ORDER BY 1;
-- pause_active_prospects, batch_size
ALTER FOREIGN TABLE communication_opt_outs OPTIONS (ADD pause_active_prospects 'false', ADD batch_size '2');
INSERT INTO communication_opt_outs (identifier, identifier_type) VALUES ('+3', 'phone'), ('+4', 'phone'), ('+5', 'phone');
:bodies
ALTER FOREIGN TABLE communication_opt_outs OPTIONS (DROP pause_active_prospects, DROP batch_size);

-- ROLLBACK sends nothing
BEGIN;
INSERT INTO communication_opt_outs (identifier, identifier_type)
SELECT format('never%s@example.com', n), 'email' FROM generate_series(1, 1000) n;
DELETE FROM communication_opt_outs WHERE identifier BETWEEN 'person000010' AND 'person000020';
ROLLBACK;
:log
-- nor does an error
BEGIN;
INSERT INTO communication_opt_outs (identifier, identifier_type) VALUES ('never@example.com', 'email');
SELECT 1 / 0;
COMMIT;
:log
-- savepoints: that part
BEGIN;
INSERT INTO communication_opt_outs (identifier, identifier_type) VALUES ('one@example.com', 'email');
SAVEPOINT a;
INSERT INTO communication_opt_outs (identifier, identifier_type) VALUES ('two@example.com', 'email');
SAVEPOINT b;
DELETE FROM communication_opt_outs WHERE identifier = 'person000011@example.com';
RELEASE b;
ROLLBACK TO a;
INSERT INTO communication_opt_outs (identifier, identifier_type) VALUES ('three@example.com', 'email');
SAVEPOINT c;
INSERT INTO communication_opt_outs (identifier, identifier_type) VALUES ('four@example.com', 'email');
RELEASE c;
DO $$
BEGIN
  INSERT INTO communication_opt_outs (identifier, identifier_type) VALUES ('five@example.com', 'email');
  RAISE division_by_zero;
EXCEPTION WHEN division_by_zero THEN
  INSERT INTO communication_opt_outs (identifier, identifier_type) VALUES ('six@example.com', 'email');
END $$;
COMMIT;
:bodies
-- the same entry is deleted once, whatever deletes it; and again after it was added
BEGIN;
DELETE FROM communication_opt_outs o USING generate_series(1, 3) WHERE o.identifier = 'person000012@example.com';
DELETE FROM communication_opt_outs WHERE identifier = 'person000012@example.com';
INSERT INTO communication_opt_outs (identifier, identifier_type) VALUES ('person000012@example.com', 'email');
DELETE FROM communication_opt_outs WHERE identifier = 'person000012@example.com';
SAVEPOINT a;
INSERT INTO communication_opt_outs (identifier, identifier_type) VALUES ('person000012@example.com', 'email');
ROLLBACK TO a;
DELETE FROM communication_opt_outs WHERE identifier = 'person000012@example.com';
COMMIT;
:bodies
-- two-phase commit cannot promise
BEGIN;
INSERT INTO communication_opt_outs (identifier, identifier_type) VALUES ('never@example.com', 'email');
PREPARE TRANSACTION 'never';
\echo :LAST_ERROR_SQLSTATE
:log

-- RETURNING gives back what was sent
CREATE FOREIGN TABLE short (identifier text, identifier_type text, label text, source text, reason text) SERVER write;
INSERT INTO short (identifier, identifier_type) VALUES ('seven@example.com', 'email') RETURNING *, tableoid::regclass;
DELETE FROM communication_opt_outs WHERE identifier = 'seven@example.com' RETURNING identifier, id IS NOT NULL AS has_id;
INSERT INTO communication_opt_outs (identifier, identifier_type) VALUES ('never@example.com', 'email') RETURNING id;
\echo :LAST_ERROR_SQLSTATE
INSERT INTO communication_opt_outs (identifier, identifier_type) VALUES ('never@example.com', 'email') RETURNING *;
-- ON CONFLICT DO NOTHING: an entry that is listed is success anyway
INSERT INTO short (identifier, identifier_type) VALUES ('one@example.com', 'email') ON CONFLICT DO NOTHING;
INSERT INTO short (identifier, identifier_type) VALUES ('one@example.com', 'email')
  ON CONFLICT (identifier) DO UPDATE SET label = 'x';
:log
-- COPY and partitions take the same path
COPY short (identifier, identifier_type, label) FROM stdin;
copy1@example.com	email	one
copy2@example.com	email	\N
\.
CREATE TABLE opt_outs (identifier text, identifier_type text, source text) PARTITION BY LIST (source);
CREATE FOREIGN TABLE opt_outs_write PARTITION OF opt_outs FOR VALUES IN ('write') SERVER write;
INSERT INTO opt_outs VALUES ('routed@example.com', 'email', 'write') RETURNING *;
DELETE FROM opt_outs WHERE identifier = 'routed@example.com' RETURNING tableoid::regclass, *;
:bodies

-- bad rows are refused by their statement, and nothing of it is sent
INSERT INTO short (identifier_type) VALUES ('email');
\echo :LAST_ERROR_SQLSTATE
INSERT INTO short (identifier, identifier_type) VALUES ('', 'email');
\echo :LAST_ERROR_SQLSTATE
INSERT INTO short (identifier) VALUES ('never@example.com');
\echo :LAST_ERROR_SQLSTATE
INSERT INTO short (identifier, identifier_type) VALUES ('never@example.com', 'email'), ('never@example.com', 'fax');
\echo :LAST_ERROR_SQLSTATE
INSERT INTO communication_opt_outs (identifier, identifier_type, id) VALUES ('never@example.com', 'email', gen_random_uuid());
\echo :LAST_ERROR_SQLSTATE
INSERT INTO communication_opt_outs (identifier, identifier_type, created_at) VALUES ('never@example.com', 'email', now());
INSERT INTO short (identifier, identifier_type, reason) VALUES ('never@example.com', 'email', 'asked for it');
\echo :LAST_ERROR_SQLSTATE
INSERT INTO short (identifier, identifier_type, source) VALUES ('never@example.com', 'email', 'another');
\echo :LAST_ERROR_SQLSTATE
COPY short (identifier, identifier_type) FROM stdin;
never@example.com	email
never@example.com	fax
\.
UPDATE short SET label = 'x';
\echo :LAST_ERROR_SQLSTATE
TRUNCATE short;
\echo :LAST_ERROR_SQLSTATE
BEGIN READ ONLY;
INSERT INTO short (identifier, identifier_type) VALUES ('never@example.com', 'email');
ROLLBACK;
-- a table without what a removal needs: the scan has seen it; one that is not to be written to
CREATE FOREIGN TABLE no_type (identifier text) SERVER write;
BEGIN;
DELETE FROM no_type WHERE identifier = 'one@example.com';
SELECT action, identifier, identifier_type FROM public.dnc_fdw_pending();
ROLLBACK;
INSERT INTO no_type VALUES ('never@example.com');
ALTER SERVER write OPTIONS (ADD updatable 'false');
INSERT INTO short (identifier, identifier_type) VALUES ('never@example.com', 'email');
DELETE FROM short;
ALTER SERVER write OPTIONS (DROP updatable);
-- more deletions than max_deletes: none is sent
ALTER SERVER write OPTIONS (ADD max_deletes '10');
DELETE FROM communication_opt_outs WHERE identifier LIKE 'person%';
\echo :LAST_ERROR_SQLSTATE
DELETE FROM communication_opt_outs WHERE identifier BETWEEN 'person000020' AND 'person000030';
:log

-- if sending fails, the transaction aborts and the error tells what was taken
CREATE TABLE done (what text);
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/write/fault?kind=status&arg=500&method=POST&at=2" >/dev/null
BEGIN;
INSERT INTO done VALUES ('sent');
DELETE FROM communication_opt_outs WHERE identifier = 'person000040@example.com';
INSERT INTO short (identifier, identifier_type) SELECT format('half%s@example.com', n), 'email' FROM generate_series(1, 501) n;
COMMIT;
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) FROM done;
:log
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/write/fault?kind=status&arg=400&method=POST" >/dev/null
INSERT INTO short (identifier, identifier_type) VALUES ('never@example.com', 'email');
-- an answer of another form is success all the same: none is documented
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/write/fault?kind=empty&method=POST" >/dev/null
INSERT INTO short (identifier, identifier_type) VALUES ('eight@example.com', 'email');
-- an entry that somebody else has removed meanwhile is removed
BEGIN;
DELETE FROM communication_opt_outs WHERE identifier = 'person000041@example.com';
\! curl -s -X DELETE "$DNC_SANDBOX_URL/alta/v1/dnc/communication-opt-outs" -H 'Authorization: Bearer sandbox-write' -H 'Content-Type: application/json' -d '{"identifier":"person000041@example.com","identifierType":"email"}' >/dev/null
COMMIT;
-- what arrived although no answer came is not doubled by the retry
ALTER SERVER write OPTIONS (SET max_retries '1');
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/write/fault?kind=lost&method=POST" >/dev/null
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/write/fault?kind=lost&method=DELETE" >/dev/null
BEGIN;
INSERT INTO short (identifier, identifier_type) VALUES ('nine@example.com', 'email');
DELETE FROM communication_opt_outs WHERE identifier = 'person000042@example.com';
COMMIT;
SELECT identifier, count(*) FROM communication_opt_outs
WHERE identifier IN ('nine@example.com', 'person000042@example.com') GROUP BY 1;
SELECT count(*) FROM communication_opt_outs WHERE identifier LIKE 'never%';
:log

RESET search_path;
DROP SERVER write CASCADE;
DROP SCHEMA write CASCADE;
