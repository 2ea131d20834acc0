-- write_mode 'queue': stored with COMMIT, sent later.
\getenv srcdir PG_ABS_SRCDIR
\set include :srcdir /sql/include/preamble.sql
\i :include
\set log '\\! curl -s "$DNC_SANDBOX_URL/sandbox/alta/queue/log?bodies=1" | grep -v ^GET; curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/alta/queue/log" >/dev/null'
\! curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/alta/queue" >/dev/null
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/queue/fill?count=3&types=email" >/dev/null
CREATE SERVER queue FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url :'alta_url', requests_per_minute '0', max_retries '0', write_mode 'queue');
CREATE USER MAPPING FOR CURRENT_USER SERVER queue OPTIONS (token 'sandbox-queue');
CREATE SCHEMA queue;
IMPORT FOREIGN SCHEMA dnc FROM SERVER queue INTO queue;
SET search_path = queue, public;
CREATE VIEW q AS SELECT action, identifier, identifier_type AS type, state, attempts, http_status AS status, sqlstate, message
FROM dnc_fdw_queue WHERE server = 'queue' ORDER BY id;

-- COMMIT sends nothing, savepoints and ROLLBACK take back
BEGIN;
INSERT INTO communication_opt_outs (identifier, identifier_type, label) VALUES ('one@example.com', 'email', 'One');
SAVEPOINT a;
INSERT INTO communication_opt_outs (identifier, identifier_type) VALUES ('never@example.com', 'email');
ROLLBACK TO a;
DELETE FROM communication_opt_outs WHERE identifier = 'person000002@example.com';
SELECT action, identifier FROM dnc_fdw_pending();
SELECT count(*) FROM q;
COMMIT;
BEGIN;
INSERT INTO communication_opt_outs (identifier, identifier_type) VALUES ('never@example.com', 'email');
ROLLBACK;
:log
SELECT * FROM q;
SELECT server, waiting, sending, dead, held, paused, message, last_success IS NULL AS never, warning FROM dnc_fdw_queue_health WHERE server = 'queue';
CALL dnc_fdw_deliver('queue');
:log
SELECT * FROM q;
SELECT server, waiting, sending, dead, held, paused, message, last_success IS NULL AS never FROM dnc_fdw_queue_health WHERE server = 'queue';

-- scans show what waits to be added; what waits to be removed is still there
INSERT INTO communication_opt_outs (identifier, identifier_type, label) VALUES
  ('wait@example.com', 'email', 'W'), ('+15550000009', 'phone', NULL), ('person000001@example.com', 'email', 'twice'), ('wait@example.com', 'email', 'again');
DELETE FROM communication_opt_outs WHERE identifier = 'person000003@example.com';
SELECT identifier, identifier_type, label, id IS NULL AS waits FROM communication_opt_outs ORDER BY identifier;
SELECT count(*) FROM communication_opt_outs;
SELECT count(*) FROM communication_opt_outs WHERE identifier_type = 'phone';
SELECT label FROM communication_opt_outs WHERE identifier = 'wait@example.com';
SELECT v.i FROM (VALUES ('wait@example.com'), ('free@example.com')) v (i) WHERE NOT EXISTS (SELECT FROM communication_opt_outs o WHERE o.identifier = v.i);
BEGIN;
DELETE FROM communication_opt_outs WHERE identifier = 'wait@example.com';
SELECT identifier FROM communication_opt_outs ORDER BY identifier;
ROLLBACK;
BEGIN;
INSERT INTO communication_opt_outs (identifier, identifier_type, label) VALUES ('wait@example.com', 'email', 'mine');
SELECT identifier, label FROM communication_opt_outs WHERE identifier = 'wait@example.com';
ROLLBACK;
CALL dnc_fdw_deliver('queue');
:log
SELECT identifier, label, id IS NULL AS waits FROM communication_opt_outs ORDER BY identifier;

-- COPY, a trigger, a partition
COPY communication_opt_outs (identifier, identifier_type) FROM stdin;
+15550000001	phone
+15550000002	sms
\.
CREATE TABLE people (email text, unsubscribed boolean);
CREATE FUNCTION unsubscribe() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO queue.communication_opt_outs (identifier, identifier_type) VALUES (NEW.email, 'email');
  RETURN NEW;
END $$;
CREATE TRIGGER unsubscribe AFTER UPDATE ON people FOR EACH ROW WHEN (NEW.unsubscribed) EXECUTE FUNCTION unsubscribe();
INSERT INTO people VALUES ('ann@example.com'), ('bob@example.com');
UPDATE people SET unsubscribed = true;
CREATE TABLE lists (identifier text, identifier_type text) PARTITION BY LIST (identifier_type);
CREATE FOREIGN TABLE list_whatsapp PARTITION OF lists FOR VALUES IN ('whatsapp') SERVER queue;
INSERT INTO lists VALUES ('+15550000003', 'whatsapp');
CALL dnc_fdw_deliver('queue');
:log

-- a removal of what is added later is not sent, in whatever order they are
BEGIN;
DELETE FROM communication_opt_outs WHERE identifier = 'ann@example.com';
COMMIT;
INSERT INTO communication_opt_outs (identifier, identifier_type) VALUES ('Ann@Example.com', 'email');
CALL dnc_fdw_deliver('queue');
:log
SELECT action, identifier, state, message FROM q OFFSET 12;
-- one that has seen the addition comes after it
INSERT INTO communication_opt_outs (identifier, identifier_type) VALUES ('bob@example.com', 'email');
DELETE FROM communication_opt_outs WHERE identifier = 'bob@example.com';
CALL dnc_fdw_deliver('queue');
:log
-- an entry that is deleted and added in one transaction stays
BEGIN;
DELETE FROM communication_opt_outs WHERE identifier = 'one@example.com';
INSERT INTO communication_opt_outs (identifier, identifier_type) VALUES ('one@example.com', 'email');
COMMIT;
CALL dnc_fdw_deliver('queue');
:log

-- max_deletes acts at COMMIT
ALTER SERVER queue OPTIONS (ADD max_deletes '1');
DELETE FROM communication_opt_outs WHERE identifier LIKE '+1555%';
ALTER SERVER queue OPTIONS (DROP max_deletes);
-- one write_mode a transaction for an account
CREATE FOREIGN TABLE at_commit (identifier text, identifier_type text) SERVER queue OPTIONS (write_mode 'commit');
BEGIN;
INSERT INTO communication_opt_outs (identifier, identifier_type) VALUES ('two@example.com', 'email');
INSERT INTO at_commit VALUES ('two@example.com', 'email');
ROLLBACK;

-- a deletion that waits is overtaken by an addition of another write_mode, too
DELETE FROM communication_opt_outs WHERE identifier = '+15550000003';
DELETE FROM communication_opt_outs WHERE identifier = '+15550000001';
BEGIN;
INSERT INTO at_commit VALUES ('+1 555 000 0003', 'phone');
COMMIT;
CALL dnc_fdw_deliver('queue');
:log
SELECT action, identifier, state, message FROM q WHERE action = 'delete' AND identifier LIKE '+1555%';

-- what the vendor refuses is dead, and holds nothing up
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/queue/fault?kind=status&arg=400&times=3&method=POST" >/dev/null
INSERT INTO communication_opt_outs (identifier, identifier_type) VALUES ('w1@example.com', 'email'), ('w2@example.com', 'email'), ('w3@example.com', 'email'), ('w4@example.com', 'email');
CALL dnc_fdw_deliver('queue');
:log
SELECT action, identifier, state, attempts, status, sqlstate, message FROM q WHERE identifier LIKE 'w_@%';
SELECT waiting, dead FROM dnc_fdw_queue_health WHERE server = 'queue';
SELECT dnc_fdw_queue_retry(array_agg(id)) FROM dnc_fdw_queue WHERE state = 'dead';
CALL dnc_fdw_deliver('queue');
SELECT action, identifier, state, attempts, status, sqlstate, message FROM q WHERE identifier LIKE 'w_@%';
-- or is discarded
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/queue/fault?kind=status&arg=400&method=POST" >/dev/null
INSERT INTO communication_opt_outs (identifier, identifier_type) VALUES ('x1@example.com', 'email');
CALL dnc_fdw_deliver('queue');
SELECT dnc_fdw_queue_discard(array_agg(id), 'entered twice') FROM dnc_fdw_queue WHERE state = 'dead';
SELECT action, identifier, state, attempts, status, message FROM q WHERE identifier LIKE 'x%';

-- a token that is refused costs no attempt; the lane pauses until it is changed
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/queue/fault?kind=status&arg=401&method=POST" >/dev/null
INSERT INTO communication_opt_outs (identifier, identifier_type) VALUES ('y1@example.com', 'email');
CALL dnc_fdw_deliver('queue');
CALL dnc_fdw_deliver('queue');
SELECT action, identifier, state, attempts, status, sqlstate, message FROM q WHERE identifier LIKE 'y%';
SELECT waiting, paused, message FROM dnc_fdw_queue_health WHERE server = 'queue';
ALTER USER MAPPING FOR CURRENT_USER SERVER queue OPTIONS (SET token 'sandbox-queue-2');
CALL dnc_fdw_deliver('queue');
SELECT action, identifier, state, attempts FROM q WHERE identifier LIKE 'y%';
SELECT waiting, paused, message FROM dnc_fdw_queue_health WHERE server = 'queue';
-- dnc_fdw_queue_resume() ends a pause too
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/queue/fault?kind=status&arg=403&method=POST" >/dev/null
INSERT INTO communication_opt_outs (identifier, identifier_type) VALUES ('z1@example.com', 'email');
CALL dnc_fdw_deliver('queue');
SELECT dnc_fdw_queue_resume('queue');
CALL dnc_fdw_deliver('queue');
SELECT action, identifier, state, attempts FROM q WHERE identifier LIKE 'z%';

-- removals do not wait for ever
ALTER SERVER queue OPTIONS (ADD max_delete_age '1s');
DELETE FROM communication_opt_outs WHERE identifier = 'z1@example.com';
SELECT pg_sleep(1.1);
CALL dnc_fdw_deliver('queue');
SELECT action, identifier, state, attempts, message FROM q WHERE identifier LIKE 'z%';
SELECT dnc_fdw_queue_retry(array_agg(id)) FROM dnc_fdw_queue WHERE state = 'dead';
CALL dnc_fdw_deliver('queue');
SELECT action, identifier, state FROM q WHERE identifier LIKE 'z%';

-- where it may be called, and by whom
BEGIN;
CALL dnc_fdw_deliver('queue');
ROLLBACK;
DO $$ BEGIN EXECUTE 'CALL public.dnc_fdw_deliver(''queue'')'; END $$;
CALL dnc_fdw_deliver('no_such_server');
CREATE ROLE regress_dnc_queue;
GRANT USAGE ON SCHEMA queue TO regress_dnc_queue;
INSERT INTO communication_opt_outs (identifier, identifier_type) VALUES ('secret@example.com', 'email');
SELECT id AS secret FROM dnc_fdw_queue WHERE identifier = 'secret@example.com' \gset
SET ROLE regress_dnc_queue;
CALL dnc_fdw_deliver('queue');
SELECT count(*) FROM dnc_fdw_queue;
SELECT count(*) FROM dnc_fdw_queue_health;
\set VERBOSITY sqlstate
SELECT dnc_fdw_queue_retry(ARRAY[:secret]);
SELECT dnc_fdw_queue_discard(ARRAY[:secret], 'not mine');
\set VERBOSITY default
SELECT dnc_fdw_queue_resume('queue');
SELECT dnc_fdw_queue_adopt();
SELECT count(*) FROM dnc_fdw_queue_waiting;
SELECT count(*) FROM dnc_fdw_queue_finished;
SELECT count(*) FROM dnc_fdw_queue_lanes;
SELECT count(*) FROM dnc_fdw_instance;
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER queue TO regress_dnc_queue;
GRANT INSERT, SELECT ON communication_opt_outs TO regress_dnc_queue;
SET ROLE regress_dnc_queue;
SELECT server, role <> current_user AS not_mine, action, identifier, state FROM dnc_fdw_queue WHERE id = :secret;
-- it is sent with the mapping of the role that has written it
CALL dnc_fdw_deliver('queue');
SELECT state FROM dnc_fdw_queue WHERE id = :secret;
INSERT INTO communication_opt_outs (identifier, identifier_type) VALUES ('no@example.com', 'email');
RESET ROLE;

-- a table that is gone, and a role: the rows stay, and are sent
CREATE USER MAPPING FOR regress_dnc_queue SERVER queue OPTIONS (token 'sandbox-queue-3');
SET ROLE regress_dnc_queue;
INSERT INTO communication_opt_outs (identifier, identifier_type) VALUES ('gone@example.com', 'email');
RESET ROLE;
DROP FOREIGN TABLE communication_opt_outs;
DROP USER MAPPING FOR regress_dnc_queue SERVER queue;
CALL dnc_fdw_deliver('queue');
SELECT role, identifier, state, attempts FROM dnc_fdw_queue WHERE identifier = 'gone@example.com';
SELECT waiting, paused, message FROM dnc_fdw_queue_health WHERE server = 'queue';
REVOKE ALL ON FOREIGN SERVER queue FROM regress_dnc_queue;
REVOKE ALL ON SCHEMA queue FROM regress_dnc_queue;
DROP ROLE regress_dnc_queue;
SELECT dnc_fdw_queue_retry(array_agg(id)) FROM dnc_fdw_queue WHERE identifier = 'gone@example.com';
CALL dnc_fdw_deliver('queue');
SELECT role = current_user AS mine, identifier, state, attempts FROM dnc_fdw_queue WHERE identifier = 'gone@example.com';

-- a server that is gone: what waits for it is still seen, until there is one of that name
CREATE FOREIGN TABLE communication_opt_outs (identifier text, identifier_type text) SERVER queue;
INSERT INTO communication_opt_outs (identifier, identifier_type) VALUES ('left@example.com', 'email');
DROP SERVER queue CASCADE;
SELECT server, waiting, oldest IS NOT NULL AS since, dead, held, paused, message, last_success, warning FROM dnc_fdw_queue_health WHERE server = 'queue';
SELECT identifier, state FROM dnc_fdw_queue WHERE server = 'queue' AND done_at IS NULL;
CALL dnc_fdw_deliver('queue');
CREATE ROLE regress_dnc_queue;
SET ROLE regress_dnc_queue;
SELECT count(*) FROM public.dnc_fdw_queue_health;
RESET ROLE;
DROP ROLE regress_dnc_queue;
CREATE SERVER queue FOREIGN DATA WRAPPER dnc_fdw
  OPTIONS (provider 'alta', base_url :'alta_url', requests_per_minute '0', max_retries '0', write_mode 'queue');
CREATE USER MAPPING FOR CURRENT_USER SERVER queue OPTIONS (token 'sandbox-queue');
SELECT server, waiting, warning FROM dnc_fdw_queue_health WHERE server = 'queue';
CALL dnc_fdw_deliver('queue');
SELECT identifier, state FROM dnc_fdw_queue WHERE identifier = 'left@example.com';
DROP SCHEMA queue CASCADE;
DROP SERVER queue CASCADE;
SELECT count(*) FROM dnc_fdw_queue_health WHERE server = 'queue';
