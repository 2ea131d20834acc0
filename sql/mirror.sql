-- The mirror: its messages, and the shape of its objects.
\getenv srcdir PG_ABS_SRCDIR
\set include :srcdir /sql/include/preamble.sql
\i :include
\! curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/alta/mirror" >/dev/null
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/mirror/fill?count=3&types=email,phone" >/dev/null
CREATE SERVER mirror FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url :'alta_url', requests_per_minute '0', max_retries '0');
CREATE USER MAPPING FOR CURRENT_USER SERVER mirror OPTIONS (token 'sandbox-mirror');
CREATE SCHEMA mirror;
IMPORT FOREIGN SCHEMA dnc FROM SERVER mirror INTO mirror;
SET search_path = mirror, public;

-- what is made
SELECT dnc_fdw_mirror_create('communication_opt_outs');
SELECT c.relname, c.relkind, c.relpersistence, count(a.attnum) AS columns
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
WHERE c.relnamespace = 'mirror'::regnamespace AND c.relkind IN ('r', 'v') GROUP BY 1, 2, 3 ORDER BY 1;
SELECT source, mirror, known, pg_get_userbyid(owner) = current_user AS mine, max_age, gone_after, max_loss, complete_as_of, refused, entries, running FROM dnc_fdw_mirrors;
SELECT * FROM communication_opt_outs_known;

-- a pass
CALL dnc_fdw_mirror_refresh('communication_opt_outs');
SELECT identifier, identifier_type, label, match_key, first_seen = last_seen AS same, missed FROM communication_opt_outs_known ORDER BY identifier;
SELECT source, mode, state, rows, added, changed, missing, gone, wide_keys, loss_accepted, message FROM dnc_fdw_passes WHERE source = 'mirror.communication_opt_outs';
SELECT complete_as_of = added_as_of AS same, refused, entries, unshown, running, message FROM dnc_fdw_mirrors;
SELECT dnc_fdw_screen('communication_opt_outs', ' PERSON000001@Example.com', 'email'), dnc_fdw_screen('communication_opt_outs', 'free@example.com', 'email'),
  dnc_fdw_screen('communication_opt_outs', '(555) 000-0002', 'sms', 'US'), dnc_fdw_screen('communication_opt_outs', '12', 'phone'), dnc_fdw_screen('communication_opt_outs', NULL, NULL);

-- the guard is asked in a prepared statement and in a count
PREPARE known AS SELECT count(*) FROM communication_opt_outs_known;
EXECUTE known;
UPDATE dnc_fdw_mirror_lists SET complete_as_of = complete_as_of - interval '10 years' WHERE source = 'communication_opt_outs'::regclass;
DO $$
BEGIN
  EXECUTE 'SELECT count(*) FROM mirror.communication_opt_outs_known';
EXCEPTION WHEN object_not_in_prerequisite_state THEN
  RAISE WARNING '%', SQLERRM;
END $$;
DO $$ BEGIN EXECUTE 'EXECUTE known'; EXCEPTION WHEN object_not_in_prerequisite_state THEN RAISE WARNING '%', SQLERRM; END $$;
DO $$ BEGIN PERFORM dnc_fdw_screen('mirror.communication_opt_outs', 'a@b.example', 'email'); EXCEPTION WHEN object_not_in_prerequisite_state THEN RAISE WARNING '%', SQLERRM; END $$;
CALL dnc_fdw_mirror_refresh('communication_opt_outs');
EXECUTE known;

-- where CALL may not stand
BEGIN;
CALL dnc_fdw_mirror_refresh('communication_opt_outs');
ROLLBACK;
CREATE FUNCTION in_function() RETURNS void LANGUAGE plpgsql AS $$ BEGIN CALL dnc_fdw_mirror_refresh('mirror.communication_opt_outs'); END $$;
SELECT in_function();
DROP FUNCTION in_function();
CALL dnc_fdw_mirror_refresh('communication_opt_outs', mode => 'half');
CALL dnc_fdw_mirror_refresh('communication_opt_outs', max_requests => 1);
CALL dnc_fdw_mirror_refresh('communication_opt_outs', mode => NULL);

-- an empty list
\! curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/alta/mirror" >/dev/null
CALL dnc_fdw_mirror_refresh('communication_opt_outs');
SELECT count(*) FROM communication_opt_outs_known;
CALL dnc_fdw_mirror_refresh('communication_opt_outs', accept_loss => true);
SELECT count(*), min(missed) FROM communication_opt_outs_known;
CALL dnc_fdw_mirror_refresh('communication_opt_outs', accept_loss => true);
SELECT count(*) FROM communication_opt_outs_known;
SELECT identifier, gone_at > first_seen AS gone FROM communication_opt_outs_mirror ORDER BY 1;

-- other terms: NULL leaves one as it is
SELECT dnc_fdw_mirror_alter('communication_opt_outs', max_age => '8 hours');
SELECT dnc_fdw_mirror_alter('communication_opt_outs', gone_after => 0, max_loss => 0.5);
SELECT max_age, gone_after, max_loss FROM dnc_fdw_mirrors WHERE source = 'communication_opt_outs'::regclass;
SELECT dnc_fdw_mirror_alter('communication_opt_outs', max_age => '0');
SELECT dnc_fdw_mirror_alter('communication_opt_outs', gone_after => -1);
SELECT dnc_fdw_mirror_alter('communication_opt_outs', max_loss => 'NaN');
SELECT dnc_fdw_mirror_alter('pg_class');
SELECT dnc_fdw_mirror_alter(NULL);

-- refused, as the guard says: by age, by another default_country
SELECT dnc_fdw_mirror_alter('communication_opt_outs', '1 day', 2, 0.1);
SELECT refused FROM dnc_fdw_mirrors WHERE source = 'communication_opt_outs'::regclass;
ALTER FOREIGN TABLE communication_opt_outs OPTIONS (ADD default_country 'DE');
SELECT refused FROM dnc_fdw_mirrors WHERE source = 'communication_opt_outs'::regclass;
SELECT dnc_fdw_mirror_guard('communication_opt_outs');
ALTER FOREIGN TABLE communication_opt_outs OPTIONS (DROP default_country);
SELECT refused FROM dnc_fdw_mirrors WHERE source = 'communication_opt_outs'::regclass;

-- bad input
SELECT dnc_fdw_mirror_create('pg_class');
SELECT dnc_fdw_mirror_create('communication_opt_outs');
SELECT dnc_fdw_mirror_create('communication_opt_outs', max_age => '0');
SELECT dnc_fdw_mirror_create('communication_opt_outs', gone_after => -1);
SELECT dnc_fdw_mirror_create('communication_opt_outs', max_loss => 10);
CREATE FOREIGN TABLE no_text (identifier varchar(10), identifier_type text) SERVER mirror;
SELECT dnc_fdw_mirror_create('no_text');
CREATE FOREIGN TABLE a_name_that_leaves_no_room_for_an_ending_since_it_is_too_long_ (identifier text, identifier_type text) SERVER mirror;
SELECT dnc_fdw_mirror_create('a_name_that_leaves_no_room_for_an_ending_since_it_is_too_long_');
CREATE FOREIGN TABLE other (identifier text, identifier_type text) SERVER mirror;
CREATE TABLE other_mirror ();
SELECT dnc_fdw_mirror_create('other');
CALL dnc_fdw_mirror_refresh('other');
SELECT dnc_fdw_mirror_drop('other');
SELECT dnc_fdw_mirror_alter('other', '1 day');
SELECT dnc_fdw_screen('other', 'a@b.example', 'email');
SELECT dnc_fdw_screen(NULL, 'a@b.example', 'email');
SELECT dnc_fdw_mirror_guard('other');
SELECT dnc_fdw_mirror_create(NULL);
SELECT dnc_fdw_mirror_create('other', max_age => NULL);
SELECT dnc_fdw_mirror_drop(NULL);
SELECT dnc_fdw_mirror_guard(NULL);
SELECT dnc_fdw_mirror_schedule(NULL, '1 day');
SELECT dnc_fdw_mirror_guard(1);

-- what is no list, and what may be meant
CREATE TABLE parts (identifier text, identifier_type text) PARTITION BY LIST (identifier_type);
SELECT dnc_fdw_mirror_create('parts');
SELECT dnc_fdw_mirror_guard('parts');
SELECT dnc_fdw_screen('other_mirror', 'a@b.example', 'email');
SELECT dnc_fdw_mirror_drop('communication_opt_outs_known');
SELECT dnc_fdw_mirror_guard('communication_opt_outs_mirror');
CALL dnc_fdw_mirror_refresh('communication_opt_outs_known');

-- what would break a mirror
\set VERBOSITY terse
UPDATE dnc_fdw_mirror_lists SET max_age = '-1 day' WHERE source = 'communication_opt_outs'::regclass;
UPDATE dnc_fdw_mirror_lists SET gone_after = -1 WHERE source = 'communication_opt_outs'::regclass;
UPDATE dnc_fdw_mirror_lists SET max_loss = 10 WHERE source = 'communication_opt_outs'::regclass;
UPDATE dnc_fdw_mirror_lists SET max_loss = 'NaN' WHERE source = 'communication_opt_outs'::regclass;
\set VERBOSITY default
CREATE ROLE mirror_reader;
GRANT USAGE ON SCHEMA mirror TO mirror_reader;
SET ROLE mirror_reader;
SELECT dnc_fdw_mirror_create('other');
SELECT dnc_fdw_mirror_alter('communication_opt_outs', '1 year');
CALL dnc_fdw_mirror_refresh('communication_opt_outs');
SELECT dnc_fdw_mirror_drop('communication_opt_outs');
SELECT * FROM dnc_fdw_mirror_removed('communication_opt_outs');
SELECT count(*) FROM dnc_fdw_mirrors;
SELECT count(*) FROM dnc_fdw_passes;
SELECT count(*) FROM dnc_fdw_mirror_lists;
RESET ROLE;
GRANT SELECT ON communication_opt_outs_known TO mirror_reader;
SET ROLE mirror_reader;
SELECT count(*) FROM communication_opt_outs_known;
SELECT count(*) FROM dnc_fdw_mirrors;
RESET ROLE;
REVOKE ALL ON communication_opt_outs_known FROM mirror_reader;
REVOKE ALL ON SCHEMA mirror FROM mirror_reader;
DROP ROLE mirror_reader;

-- changed columns
ALTER FOREIGN TABLE communication_opt_outs DROP COLUMN label;
CALL dnc_fdw_mirror_refresh('communication_opt_outs');
DROP VIEW communication_opt_outs_known;
CALL dnc_fdw_mirror_refresh('communication_opt_outs');
SELECT dnc_fdw_screen('communication_opt_outs', 'a@b.example', 'email');
SELECT dnc_fdw_mirror_drop('communication_opt_outs');
SELECT count(*) FROM pg_class WHERE relnamespace = 'mirror'::regnamespace AND relname LIKE 'communication\_opt\_outs\_%';
SELECT state, sqlstate, message FROM dnc_fdw_passes WHERE source = 'mirror.communication_opt_outs' ORDER BY id;
DROP SCHEMA mirror CASCADE;
DROP SERVER mirror CASCADE;
