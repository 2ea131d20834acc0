-- A transaction sees what it has written and not sent yet, and sends what remains of it.
\getenv srcdir PG_ABS_SRCDIR
\set include :srcdir /sql/include/preamble.sql
\i :include
\set log '\\! curl -s "$DNC_SANDBOX_URL/sandbox/alta/trans/log?bodies=1" | grep -v ^GET; curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/alta/trans/log" >/dev/null'
\set slog '\\! curl -s "$DNC_SANDBOX_URL/sandbox/sendkit/trans/log?bodies=1"; curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/sendkit/trans/log" >/dev/null'
\set wlog '\\! curl -s "$DNC_SANDBOX_URL/sandbox/weya/trans/log?bodies=1"; curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/weya/trans/log" >/dev/null'
\! for p in alta sendkit weya; do curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/$p/trans" >/dev/null; done
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/trans/fill?count=6&types=email,phone" >/dev/null
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/sendkit/trans/fill?count=4" >/dev/null
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/weya/trans/fill?count=4" >/dev/null
CREATE SERVER trans FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url :'alta_url', max_retries '0');
CREATE SERVER trans_sendkit FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'sendkit', base_url :'sendkit_url', max_retries '0');
CREATE SERVER trans_weya FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'weya', base_url :'weya_url', max_retries '0', max_concurrency '1');
CREATE USER MAPPING FOR CURRENT_USER SERVER trans OPTIONS (token 'sandbox-trans');
CREATE USER MAPPING FOR CURRENT_USER SERVER trans_sendkit OPTIONS (token 'sk_trans');
CREATE USER MAPPING FOR CURRENT_USER SERVER trans_weya OPTIONS (token 'sandbox-trans');
CREATE SCHEMA trans;
SET search_path = trans, public;
CREATE FOREIGN TABLE alta (id uuid, identifier text, identifier_type text, label text, created_at timestamptz,
  attrs jsonb, source text, search text) SERVER trans;
CREATE FOREIGN TABLE sendkit (id text, identifier text, identifier_type text, reason text) SERVER trans_sendkit;
CREATE FOREIGN TABLE weya (id text, identifier text, identifier_type text, reason text, batch_id text DEFAULT 'b',
  request_uuid text DEFAULT 'u', search text) SERVER trans_weya;
CREATE TABLE crm (email text);
INSERT INTO crm VALUES ('new1@example.com'), ('new2@example.com'), ('person000001@example.com'), ('nobody@example.com');

-- added rows show what was given, and NULL for what only the remote knows
BEGIN;
INSERT INTO alta (identifier, identifier_type, label) VALUES ('new1@example.com', 'email', 'One'), ('+1', 'phone', NULL);
SELECT id, identifier, identifier_type, label, created_at, attrs, source, tableoid::regclass FROM alta WHERE id IS NULL;
SELECT count(*), count(id), count(attrs) FROM alta;
SELECT identifier FROM alta WHERE identifier_type = 'phone' ORDER BY 1;
SELECT identifier, label FROM alta WHERE identifier = 'new1@example.com';
-- lookups, hash joins, EXISTS
SELECT email FROM crm c WHERE EXISTS (SELECT FROM alta a WHERE a.identifier = c.email) ORDER BY 1;
SET enable_hashjoin = off; SET enable_mergejoin = off;
SELECT email, a.label FROM crm c JOIN alta a ON a.identifier = c.email ORDER BY 1;
SELECT email, n, a.label FROM crm c CROSS JOIN generate_series(1, 2) n LEFT JOIN alta a ON a.identifier = c.email AND n > 0 ORDER BY 1, 2;
RESET enable_hashjoin; RESET enable_mergejoin;
-- a search: what it is known to match
SELECT identifier, search FROM alta WHERE search = 'NEW1@example.com';
SELECT identifier, search FROM alta WHERE search IN ('new1@example.com', '+1', 'person000001@example.com') ORDER BY 1;
SELECT identifier FROM alta WHERE search = 'new1';
-- what is deleted is hidden, and what is added again is there
DELETE FROM alta WHERE identifier IN ('person000001@example.com', '+1');
SELECT identifier, id IS NULL AS waits FROM alta WHERE identifier IN ('person000001@example.com', '+1', 'new1@example.com') ORDER BY 1;
INSERT INTO alta (identifier, identifier_type, label) VALUES ('person000001@example.com', 'email', 'again');
SELECT identifier, label, id IS NULL AS waits FROM alta WHERE identifier = 'person000001@example.com';
-- what the remote has already is shown as the remote has it, once
INSERT INTO alta (identifier, identifier_type, label) VALUES ('person000003@example.com', 'email', 'mine');
INSERT INTO alta (identifier, identifier_type, label) VALUES ('new1@example.com', 'email', 'One more');
SELECT identifier, label, id IS NULL AS waits FROM alta WHERE identifier IN ('new1@example.com', 'person000003@example.com') ORDER BY 1;
SELECT * FROM dnc_fdw_pending();
SELECT pg_temp.explain($$SELECT identifier FROM alta$$);
COMMIT;
:log
SELECT * FROM dnc_fdw_pending();
SELECT identifier, label, id IS NULL AS waits FROM alta ORDER BY 1;

-- a statement does not see its own writes, the next one does; a cursor keeps what it saw
BEGIN;
INSERT INTO alta (identifier, identifier_type) SELECT 'copy of ' || identifier, identifier_type FROM alta WHERE identifier LIKE 'person%';
SELECT count(*) FROM alta WHERE identifier LIKE 'copy%';
DECLARE before CURSOR FOR SELECT identifier FROM alta WHERE identifier LIKE 'copy%' ORDER BY 1;
INSERT INTO alta (identifier, identifier_type) VALUES ('copy too late', 'email');
DELETE FROM alta WHERE identifier = 'copy of person000001@example.com';
FETCH ALL FROM before;
WITH gone AS (DELETE FROM alta WHERE identifier LIKE 'copy%' RETURNING identifier),
  came AS (INSERT INTO alta (identifier, identifier_type) SELECT replace(identifier, 'copy', 'second'), 'email' FROM gone RETURNING identifier)
SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM came), (SELECT count(*) FROM alta WHERE identifier ~ '^(copy|second)');
SELECT identifier FROM alta WHERE identifier ~ '^(copy|second)' ORDER BY 1;
SAVEPOINT a;
DELETE FROM alta;
SELECT count(*) FROM alta;
ROLLBACK TO a;
SELECT count(*) FROM alta;
DECLARE hold CURSOR WITH HOLD FOR SELECT identifier FROM alta WHERE identifier ~ '^(copy|second)' ORDER BY 1;
COMMIT AND CHAIN;
:log
FETCH ALL FROM hold;
DELETE FROM alta WHERE identifier LIKE 'second%';
ROLLBACK AND CHAIN;
SELECT count(*) FROM alta WHERE identifier LIKE 'second%';
COMMIT;
:log

-- an addition that the deletion's scan could not see is not what it found
BEGIN;
WITH came AS (INSERT INTO alta (identifier, identifier_type) VALUES ('person000005@example.com', 'email'))
DELETE FROM alta WHERE identifier = 'person000005@example.com';
SELECT * FROM dnc_fdw_pending();
ROLLBACK;

-- functions: a volatile one sees what the statement around it has written before it
CREATE FUNCTION listed(text) RETURNS bigint LANGUAGE plpgsql VOLATILE AS
  'BEGIN INSERT INTO alta (identifier, identifier_type) VALUES (''by function '' || $1, ''email'');
   RETURN (SELECT count(*) FROM alta WHERE identifier LIKE ''by function%''); END';
BEGIN;
SELECT n, listed(n::text) FROM generate_series(1, 3) n;
ROLLBACK;

-- sendkit: emails are told apart without regard to case, and count(*) cannot be the remote's
PREPARE total AS SELECT count(*) FROM sendkit;
PREPARE emails AS SELECT count(*) FROM sendkit WHERE identifier_type = 'email';
BEGIN;
EXECUTE total;
INSERT INTO sendkit (identifier, identifier_type) VALUES ('New@Example.com', 'email'), ('new.example', 'domain'), ('PERSON000001@example.com', 'email');
EXECUTE total;
EXECUTE emails;
SELECT identifier, id IS NULL AS waits FROM sendkit ORDER BY 1;
DELETE FROM sendkit WHERE identifier = 'New@Example.com';
INSERT INTO sendkit (identifier, identifier_type) VALUES ('new@EXAMPLE.com', 'email');
DELETE FROM sendkit WHERE identifier = 'person000003@example.com';
EXECUTE total;
EXECUTE emails;
SELECT * FROM dnc_fdw_pending();
COMMIT;
:slog
EXECUTE total;
\! curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/sendkit/trans/log" >/dev/null

-- weya removes by id, which an addition has not yet: taken back, it is not sent at all
BEGIN;
INSERT INTO weya (identifier) VALUES ('+77'), ('+78');
SELECT identifier, id, batch_id FROM weya WHERE search = '7' ORDER BY identifier;
DELETE FROM weya WHERE identifier IN ('+77', '15550000001') RETURNING identifier, id;
INSERT INTO weya (identifier) VALUES ('+78') ON CONFLICT DO NOTHING;
SELECT count(*) FROM weya;
SAVEPOINT a;
-- what the API would refuse at COMMIT is refused at once
INSERT INTO weya (identifier) VALUES ('+78');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK TO a;
\! curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/weya/trans/log" >/dev/null
COMMIT;
:wlog
-- what is listed is added, which the API will refuse, and removed: by its id
BEGIN;
INSERT INTO weya (identifier) VALUES ('15550000002') ON CONFLICT DO NOTHING;
DELETE FROM weya WHERE identifier = '15550000002';
SELECT * FROM dnc_fdw_pending();
\! curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/weya/trans/log" >/dev/null
COMMIT;
:wlog

-- default and generated columns, triggers on the foreign table itself
CREATE FOREIGN TABLE made (identifier text, identifier_type text GENERATED ALWAYS AS (CASE WHEN identifier LIKE '+%' THEN 'phone' ELSE 'email' END) STORED,
  label text DEFAULT 'made') SERVER trans;
CREATE TABLE audit (what text, row_is text);
CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN INSERT INTO audit VALUES (TG_WHEN || '' '' || TG_OP || '' '' || TG_LEVEL, (CASE TG_OP WHEN ''DELETE'' THEN OLD ELSE NEW END)::text); RETURN NULL; END';
CREATE FUNCTION tidy() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN IF NEW.identifier = ''skip'' THEN RETURN NULL; END IF; NEW.identifier := lower(NEW.identifier); RETURN NEW; END';
CREATE TRIGGER audit AFTER INSERT OR DELETE ON made FOR EACH ROW EXECUTE FUNCTION audit();
CREATE TRIGGER audit_statement AFTER INSERT OR DELETE ON made FOR EACH STATEMENT EXECUTE FUNCTION audit();
CREATE TRIGGER tidy BEFORE INSERT ON made FOR EACH ROW EXECUTE FUNCTION tidy();
INSERT INTO made (identifier) VALUES ('Made@Example.com'), ('+999'), ('skip') RETURNING *;
DELETE FROM made WHERE identifier = '+999';
SELECT * FROM audit;
:log

-- a trigger on a local table, and PL/pgSQL that carries on after an error
CREATE FUNCTION push() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN INSERT INTO alta (identifier, identifier_type) VALUES (NEW.email, ''email''); RETURN NEW; END';
CREATE TRIGGER push AFTER INSERT ON crm FOR EACH ROW EXECUTE FUNCTION push();
DO $$
BEGIN
  INSERT INTO crm VALUES ('pushed1@example.com');
  BEGIN
    INSERT INTO crm VALUES ('pushed2@example.com'), ('');
  EXCEPTION WHEN invalid_parameter_value THEN
    INSERT INTO crm VALUES ('pushed3@example.com');
  END;
END $$;
SELECT email FROM crm WHERE email LIKE 'pushed%';
:log

-- max_deletes counts what is really to be sent, per server
ALTER SERVER trans OPTIONS (ADD max_deletes '2');
BEGIN;
INSERT INTO alta (identifier, identifier_type) SELECT 'many' || n, 'email' FROM generate_series(1, 5) n;
DELETE FROM alta WHERE identifier LIKE 'many%';
SELECT action, count(*) FROM dnc_fdw_pending() GROUP BY action;
COMMIT;
:log
-- of another role's table the identifiers are not shown
CREATE ROLE regress_dnc_trans;
BEGIN;
DELETE FROM alta WHERE identifier = '+1';
INSERT INTO alta (identifier, identifier_type) VALUES ('secret@example.com', 'email');
GRANT USAGE ON SCHEMA trans TO regress_dnc_trans;
SET LOCAL ROLE regress_dnc_trans;
SELECT * FROM dnc_fdw_pending();
ROLLBACK;
DROP ROLE regress_dnc_trans;

DROP SCHEMA trans CASCADE;
DROP SERVER trans, trans_sendkit, trans_weya CASCADE;
