-- examples/stale_snapshot_alert.sql: an error as soon as a snapshot is too old
--
-- What it does   Looks at dnc.snapshot_status once an hour. If a snapshot is older than its max_age, or was never
--                taken, the job fails: that is in cron.job_run_details and, as an ERROR, in the server's log, where
--                log monitoring finds it by its SQLSTATE (55000) or its words.
-- What it needs  setup.sql, nightly_snapshot.sql. How old a snapshot may get is said in dnc.snapshots:
--                UPDATE dnc.snapshots SET max_age = '8 hours' WHERE list = 'alta';
-- How it fails   That is its purpose. But it cannot tell that pg_cron does not run at all: have a monitor from
--                outside ask for SELECT bool_and(fresh) FROM dnc.snapshot_status, too. Until somebody looks,
--                dnc.known_opt_outs refuses to be read.
-- In the morning SELECT * FROM dnc.snapshot_status WHERE NOT fresh;

BEGIN;
SET LOCAL ROLE dnc_jobs;

CREATE FUNCTION dnc.check_snapshots() RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  stale text := (SELECT string_agg(coalesce(format('"%s" of ', list) || taken_at, format('"%s", never taken', list))
                                   || CASE WHEN NOT keys_are_of_today THEN ', with keys of other rules than today''s' ELSE '' END,
                                   '; ' ORDER BY list)
                 FROM dnc.snapshot_status WHERE NOT fresh);
BEGIN
  IF stale IS NOT NULL THEN
    RAISE EXCEPTION 'snapshots of Do-Not-Contact lists are too old'
      USING ERRCODE = 'object_not_in_prerequisite_state',
            DETAIL = format('These: %s.', stale),
            HINT = 'See why their jobs fail in cron.job_run_details.';
  END IF;
END
$$ SET search_path = pg_catalog, pg_temp;

SELECT cron.schedule('alert of old snapshots', '0 * * * *', $$SELECT dnc.check_snapshots()$$);

COMMIT;
