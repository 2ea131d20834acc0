-- A mirror of a list: made, filled, read, refused and dropped.
SET client_min_messages = warning;
\getenv url DNC_SANDBOX_URL
\set base :url /alta/v1
\! curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/alta/mirror" >/dev/null
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/mirror/fill?count=25&types=email,phone" >/dev/null
CREATE SERVER mirror FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url :'base', requests_per_minute '0', max_retries '0', page_size '10');
CREATE USER MAPPING FOR CURRENT_USER SERVER mirror OPTIONS (token 'sandbox-mirror');
CREATE ROLE regress_dnc_mirror;
CREATE SCHEMA mirror;
IMPORT FOREIGN SCHEMA dnc FROM SERVER mirror INTO mirror;
SET search_path = mirror, public;

-- what is no list, what makes no sense, what is there already
CREATE TABLE plain (identifier text, identifier_type text);
SELECT dnc_fdw_mirror_create('plain');
SELECT dnc_fdw_mirror_create('communication_opt_outs', max_age => '0');
SELECT dnc_fdw_mirror_create('communication_opt_outs', gone_after => -1);
SELECT dnc_fdw_mirror_create('communication_opt_outs', max_loss => 1.5);
SELECT dnc_fdw_mirror_create('communication_opt_outs', max_loss => 'NaN');
CREATE FOREIGN TABLE narrow (identifier varchar(10), identifier_type text) SERVER mirror;
SELECT dnc_fdw_mirror_create('narrow');
CREATE FOREIGN TABLE a_name_that_is_so_long_that_nothing_can_be_put_behind_it (identifier text, identifier_type text) SERVER mirror;
SELECT dnc_fdw_mirror_create('a_name_that_is_so_long_that_nothing_can_be_put_behind_it');
CREATE TABLE communication_opt_outs_staging (taken boolean);
SELECT dnc_fdw_mirror_create('communication_opt_outs');
SELECT to_regclass('communication_opt_outs_mirror') AS left_behind;
DROP TABLE communication_opt_outs_staging;
CALL dnc_fdw_mirror_refresh('communication_opt_outs');
SELECT dnc_fdw_screen('communication_opt_outs', 'person000001@example.com', 'email');
SELECT dnc_fdw_mirror_drop('communication_opt_outs');
GRANT USAGE ON SCHEMA mirror TO regress_dnc_mirror;
SET ROLE regress_dnc_mirror;
SELECT dnc_fdw_mirror_create('communication_opt_outs');
RESET ROLE;

-- the objects
SELECT dnc_fdw_mirror_create('communication_opt_outs', max_age => '1 day', gone_after => 2, max_loss => 0.2);
SELECT dnc_fdw_mirror_create('communication_opt_outs');
\d communication_opt_outs_mirror
\d communication_opt_outs_known
SELECT c.relname, obj_description(c.oid, 'pg_class') FROM pg_class c WHERE c.relname LIKE 'communication_opt_outs\_%' AND c.relkind IN ('r', 'v') ORDER BY 1;
SELECT source, mirror, known, server, max_age, gone_after, max_loss, complete_as_of, age, refused, entries, unshown, delta_allowed, running, message FROM dnc_fdw_mirrors;

-- not filled: neither rows nor counts, whatever is asked
SELECT count(*) FROM communication_opt_outs_known;
SELECT * FROM communication_opt_outs_known WHERE match_key = 'nobody';
SELECT EXISTS (SELECT FROM communication_opt_outs_known);
SELECT dnc_fdw_screen('communication_opt_outs', 'person000001@example.com', 'email');
PREPARE known AS SELECT count(*) FROM communication_opt_outs_known;
EXECUTE known;

-- where CALL stands, and its arguments
BEGIN;
CALL dnc_fdw_mirror_refresh('communication_opt_outs');
ROLLBACK;
SELECT 1 \; CALL dnc_fdw_mirror_refresh('communication_opt_outs');
CALL dnc_fdw_mirror_refresh('communication_opt_outs', mode => 'all');
CALL dnc_fdw_mirror_refresh('communication_opt_outs', max_requests => 1);
CALL dnc_fdw_mirror_refresh('communication_opt_outs', mode => 'delta');
CALL dnc_fdw_mirror_refresh(NULL);
CALL dnc_fdw_mirror_refresh('plain');

-- a pass in parts, and a whole one
CALL dnc_fdw_mirror_refresh('communication_opt_outs', max_requests => 2);
SELECT running, pages, rows, refused FROM dnc_fdw_mirrors;
EXECUTE known;
CALL dnc_fdw_mirror_refresh('communication_opt_outs');
EXECUTE known;
SELECT source, account, mode, state, pages, rows, remote_total, resumes, restarts, added, changed, missing, gone, order_seen, wide_keys,
  key_version = dnc_fdw_key_version() AS of_now, length(sha256) AS sha256, loss_accepted, sqlstate, message FROM dnc_fdw_passes;
CALL dnc_fdw_mirror_refresh('communication_opt_outs');
SELECT count(DISTINCT sha256) AS hashes, array_agg(added ORDER BY id) AS added FROM dnc_fdw_passes;
SELECT refused, entries, unshown, age < '1 hour' AS young, complete_as_of = added_as_of AS whole FROM dnc_fdw_mirrors;

-- the three answers
SELECT who, type, dnc_fdw_screen('communication_opt_outs', who, type, country) FROM (VALUES
  ('Person000001@Example.com', 'email', NULL), ('+1 (555) 000-0002', 'phone', NULL), ('555 000 0002', 'sms', 'US'), ('free@example.com', 'email', NULL),
  ('no address', 'email', NULL), (NULL, NULL, NULL)) w (who, type, country);

-- our own writes, at once; a removal that waits hides nothing
INSERT INTO communication_opt_outs (identifier, identifier_type, label) VALUES ('own@example.com', 'email', 'ours');
SELECT identifier, identifier_type, label, match_key, first_seen, missed FROM communication_opt_outs_known WHERE match_key = 'email:own@example.com';
DELETE FROM communication_opt_outs WHERE identifier = 'own@example.com';
EXECUTE known;
ALTER SERVER mirror OPTIONS (ADD write_mode 'queue');
INSERT INTO communication_opt_outs (identifier, identifier_type) VALUES ('queued@example.com', 'email');
DELETE FROM communication_opt_outs WHERE identifier = 'person000001@example.com';
EXECUTE known;
CALL dnc_fdw_deliver('mirror');
EXECUTE known;
SELECT dnc_fdw_screen('communication_opt_outs', who, 'email') FROM (VALUES ('queued@example.com'), ('person000001@example.com')) w (who);
CALL dnc_fdw_mirror_refresh('communication_opt_outs');
EXECUTE known;
SELECT gone_at IS NOT NULL AS gone, missed FROM communication_opt_outs_mirror WHERE identifier = 'person000001@example.com';

-- a role that reads the view alone, and one that reads a view above it
GRANT SELECT ON communication_opt_outs_known TO regress_dnc_mirror;
SET ROLE regress_dnc_mirror;
SELECT count(*) FROM communication_opt_outs_known;
SELECT count(*) FROM communication_opt_outs_mirror;
SELECT server, entries, refused FROM dnc_fdw_mirrors;
SELECT count(*) > 0 AS certificates FROM dnc_fdw_passes;
RESET ROLE;
REVOKE SELECT ON communication_opt_outs_known FROM regress_dnc_mirror;
CREATE VIEW above AS SELECT identifier FROM communication_opt_outs_known;
GRANT SELECT ON above TO regress_dnc_mirror;
SET ROLE regress_dnc_mirror;
SELECT count(*) FROM above;
SELECT count(*) FROM dnc_fdw_mirrors;
RESET ROLE;
DROP VIEW above;

-- too old, another country
UPDATE dnc_fdw_mirror_lists SET max_age = '1 microsecond';
\set VERBOSITY terse
EXECUTE known;
SELECT dnc_fdw_screen('communication_opt_outs', 'free@example.com', 'email');
\set VERBOSITY default
SELECT refused FROM dnc_fdw_mirrors;
UPDATE dnc_fdw_mirror_lists SET max_age = '1 day';
ALTER SERVER mirror OPTIONS (ADD default_country 'GB');
EXECUTE known;
CALL dnc_fdw_mirror_refresh('communication_opt_outs', mode => 'delta');
ALTER SERVER mirror OPTIONS (DROP default_country);
EXECUTE known;

-- it is empty; then most of it is missing
\! curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/alta/mirror" >/dev/null
CALL dnc_fdw_mirror_refresh('communication_opt_outs');
SELECT message FROM dnc_fdw_mirrors;
EXECUTE known;
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/mirror/fill?count=3&types=email" >/dev/null
CALL dnc_fdw_mirror_refresh('communication_opt_outs');
EXECUTE known;
CALL dnc_fdw_mirror_refresh('communication_opt_outs', accept_loss => true);
SELECT state, loss_accepted, sqlstate, message FROM dnc_fdw_passes ORDER BY id DESC LIMIT 3;

-- dropped: the certificates stay
SELECT dnc_fdw_mirror_drop('communication_opt_outs');
SELECT count(*) FROM dnc_fdw_mirrors;
SELECT count(*) > 0 AS certificates FROM dnc_fdw_passes;
SELECT relname FROM pg_class WHERE relname LIKE 'communication_opt_outs\_%';

DELETE FROM dnc_fdw_pass_log;
DELETE FROM dnc_fdw_queue_finished;
DEALLOCATE known;
RESET search_path;
SET client_min_messages = error;
DROP SCHEMA mirror CASCADE;
DROP SERVER mirror CASCADE;
DROP ROLE regress_dnc_mirror;
