-- examples/nightly_snapshot.sql: the lists as local tables, read anew each night
--
-- What it does   A materialized view for each list, dnc.snapshot_alta and dnc.snapshot_sendkit, refreshed by a
--                job of its own, so that one vendor's bad night does not make the other's list old. The view
--                dnc.known_opt_outs is all of them together, and the one to use: it refuses to be read while a
--                snapshot in it is too old or was never taken, because whoever is not known to be off the lists
--                must not be contacted. Each entry has its key (match_key), by which it is compared. A new dnc_fdw
--                or libphonenumber can make other keys: then the view refuses, too, until the next snapshot.
-- What it needs  setup.sql. For another list: its foreign table, and what says alta here once more.
-- How it fails   A list is read to its end or the job fails. Then all stays as it was: the snapshot can be read,
--                dnc.snapshots has the time of the last complete one, and after max_age the view refuses. The
--                job fails too if a list has lost more than a tenth of its entries since the last time:
--                somebody may have emptied it by accident. If it is right that way:
--                SELECT dnc.take_snapshot('alta', accept_loss => true);
-- In the morning SELECT * FROM dnc.snapshot_status;
--                stale_snapshot_alert.sql looks at it by itself.

BEGIN;
SET LOCAL ROLE dnc_jobs;

-- Which lists there are, how old a snapshot may get, and when the last complete one was taken (NULL: never).
-- 26 hours are a day and two hours for reading: after one failed run the view refuses. Give it more where a
-- run may fail.
CREATE TABLE dnc.snapshots (
  list text PRIMARY KEY,
  max_age interval NOT NULL DEFAULT '26 hours',
  taken_at timestamptz,
  entries bigint,
  key_version text                                -- of the rules that made match_key
);
INSERT INTO dnc.snapshots (list) VALUES ('alta'), ('sendkit');

-- The version of the rules that make keys now. A view, so that functions with a search_path of their own find it.
CREATE VIEW dnc.key_version AS SELECT dnc_fdw_key_version() AS version;

-- A restored dump must not call the API. WITH NO DATA sees to it until the first refresh; but pg_dump has a
-- REFRESH for each materialized view that is filled when it is dumped. Not for one that depends on another
-- that is not filled, so this one never is. What is restored is empty until take_snapshot() has run, and
-- PostgreSQL refuses to read it.
CREATE MATERIALIZED VIEW dnc.never_filled AS SELECT WITH NO DATA;
COMMENT ON MATERIALIZED VIEW dnc.never_filled IS
  'Leave it empty: it keeps REFRESH of the snapshots, and so API calls, out of dumps.';

CREATE MATERIALIZED VIEW dnc.snapshot_alta AS
  SELECT id::text, identifier, identifier_type, created_at, match_key
  FROM dnc.alta
  WHERE 'dnc.never_filled'::regclass IS NOT NULL
WITH NO DATA;

CREATE MATERIALIZED VIEW dnc.snapshot_sendkit AS
  SELECT id, identifier, identifier_type, created_at, match_key
  FROM dnc.sendkit
  WHERE 'dnc.never_filled'::regclass IS NOT NULL
WITH NO DATA;

-- CONCURRENTLY needs a unique index. Each vendor's entries have an id; the same person on two lists, or twice
-- on one, is no conflict.
CREATE UNIQUE INDEX ON dnc.snapshot_alta (id);
CREATE UNIQUE INDEX ON dnc.snapshot_sendkit (id);
CREATE INDEX ON dnc.snapshot_alta (match_key);
CREATE INDEX ON dnc.snapshot_sendkit (match_key);

-- Takes the snapshot of a list, and gives back how many entries it has. CONCURRENTLY, so that it can be read
-- meanwhile; but not the first time, which PostgreSQL does not allow. Snapshot and time are one transaction.
-- The time is that of its beginning: what is put on the list while it is read may be missing.
CREATE FUNCTION dnc.take_snapshot(list text, accept_loss boolean DEFAULT false) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  snapshot regclass := format('dnc.%I', 'snapshot_' || list);
  before dnc.snapshots;
  counted bigint;
BEGIN
  SELECT * INTO STRICT before FROM dnc.snapshots s WHERE s.list = take_snapshot.list;
  IF (SELECT relispopulated FROM pg_class WHERE oid = snapshot) THEN
    EXECUTE format('REFRESH MATERIALIZED VIEW CONCURRENTLY %s', snapshot);
  ELSE
    EXECUTE format('REFRESH MATERIALIZED VIEW %s', snapshot);
  END IF;
  EXECUTE format('SELECT count(*) FROM %s', snapshot) INTO counted;
  IF counted < 0.9 * before.entries AND NOT accept_loss THEN
    RAISE EXCEPTION 'the list "%" has lost more than a tenth of its entries', list
      USING DETAIL = format('There were %s on %s, and there are %s. The old snapshot stays.',
                            before.entries, before.taken_at, counted),
            HINT = format('If that is right: SELECT dnc.take_snapshot(%L, accept_loss => true);', list);
  END IF;
  UPDATE dnc.snapshots s
    SET taken_at = now(), entries = counted, key_version = (SELECT v.version FROM dnc.key_version v)
    WHERE s.list = take_snapshot.list;
  RETURN counted;
END
$$ SET search_path = pg_catalog, pg_temp;

CREATE VIEW dnc.snapshot_status AS
  SELECT list, taken_at, entries, statement_timestamp() - taken_at AS age, max_age,
         key_version = (SELECT v.version FROM dnc.key_version v) AS keys_are_of_today,
         coalesce(statement_timestamp() - taken_at <= max_age
                  AND key_version = (SELECT v.version FROM dnc.key_version v), false) AS fresh
  FROM dnc.snapshots;

-- True, or an error. It has to be STABLE: a condition in which no row has a part is then evaluated once,
-- before the first row is read, and so even if there is none.
CREATE FUNCTION dnc.require_fresh(list text) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER AS $$
DECLARE
  status dnc.snapshot_status;
BEGIN
  SELECT * INTO status FROM dnc.snapshot_status s WHERE s.list = require_fresh.list;
  IF status.fresh THEN
    RETURN true;
  END IF;
  RAISE EXCEPTION 'the snapshot of the list "%" is not fresh', list
    USING ERRCODE = 'object_not_in_prerequisite_state',
          DETAIL = CASE WHEN NOT status.keys_are_of_today THEN 'Its keys were made by other rules than those of today.'
                        ELSE coalesce('The last complete one is of ' || status.taken_at || ', and may be '
                                      || status.max_age || ' old.', 'None was ever taken.') END,
          HINT = format('See why the job fails in cron.job_run_details, then SELECT dnc.take_snapshot(%L);', list);
END
$$ SET search_path = pg_catalog, pg_temp;

CREATE VIEW dnc.known_opt_outs AS
  SELECT 'alta' AS source, id, identifier, identifier_type, created_at, match_key
  FROM dnc.snapshot_alta WHERE dnc.require_fresh('alta')
  UNION ALL
  SELECT 'sendkit', id, identifier, identifier_type, created_at, match_key
  FROM dnc.snapshot_sendkit WHERE dnc.require_fresh('sendkit');

-- For those who scrub, only the view, so that nobody gets around its condition:
-- GRANT USAGE ON SCHEMA dnc TO marketing;
-- GRANT SELECT ON dnc.known_opt_outs TO marketing;

-- pg_cron's times are GMT, unless cron.timezone (pg_cron 1.5) says something else.
SELECT cron.schedule('snapshot of alta', '5 2 * * *', $$SELECT dnc.take_snapshot('alta')$$);
SELECT cron.schedule('snapshot of sendkit', '5 2 * * *', $$SELECT dnc.take_snapshot('sendkit')$$);

COMMIT;
