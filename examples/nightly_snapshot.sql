-- examples/nightly_snapshot.sql: the lists as local tables, brought up to date each night
--
-- What it does   Makes a mirror of each list (docs/mirror.md), dnc.alta_known and dnc.sendkit_known. Each mirror has a
--                job of its own, so a vendor's bad night does not make the other vendor's list old. The view
--                dnc.known_opt_outs is all mirrors together. It has our own opt-outs as soon as they are committed.
--                You cannot read the view (55000) while a mirror in it is too old or was never filled, because
--                nobody must be contacted who is not known to be off the lists.
-- What it needs  setup.sql. For another list: a foreign table, and each line about alta here once more.
-- How it fails   A run that is cut off goes on with the next run. The mirror stays readable as it was, until it is
--                older than max_age: 26 hours are a day and two hours for reading. A list that has lost more than a
--                tenth of its entries, or all, is not believed: the run fails. If the loss is right:
--                CALL dnc_fdw_mirror_refresh('dnc.alta', accept_loss => true);
-- In the morning SELECT source, age, refused, entries, unshown, running, message FROM dnc_fdw_mirrors;
--                stale_snapshot_alert.sql watches the age by itself.

BEGIN;
SET LOCAL ROLE dnc_jobs;

SELECT dnc_fdw_mirror_create('dnc.alta'), dnc_fdw_mirror_create('dnc.sendkit');

CREATE VIEW dnc.known_opt_outs AS
  SELECT 'alta' AS source, identifier, identifier_type, created_at, match_key FROM dnc.alta_known
  UNION ALL
  SELECT 'sendkit', identifier, identifier_type, created_at, match_key FROM dnc.sendkit_known;

-- A role that reads this view needs SELECT on the views below, too: docs/mirror.md, "Who may".
-- GRANT USAGE ON SCHEMA dnc TO marketing;
-- GRANT SELECT ON dnc.known_opt_outs, dnc.alta_known, dnc.sendkit_known TO marketing;

-- pg_cron's times are GMT, unless cron.timezone (pg_cron 1.5) says something else.
SELECT cron.schedule('mirror of alta', '5 2 * * *', $$CALL dnc_fdw_mirror_refresh('dnc.alta')$$);
SELECT cron.schedule('mirror of sendkit', '5 2 * * *', $$CALL dnc_fdw_mirror_refresh('dnc.sendkit')$$);

COMMIT;
