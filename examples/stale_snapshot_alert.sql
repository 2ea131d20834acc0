-- examples/stale_snapshot_alert.sql: an error as soon as a mirror must not be read
--
-- What it does   Asks once an hour for the age of each mirror of dnc_jobs. If a mirror is older than its max_age, was
--                never filled, or has keys of other rules than today's, the job fails. The failure is in
--                cron.job_run_details and, as an ERROR, in the server's log. Log monitoring finds the ERROR by its
--                SQLSTATE (55000) or its words.
-- What it needs  setup.sql, nightly_snapshot.sql.
-- How it fails   Failing is the purpose of this job. But it cannot tell that pg_cron does not run at all. So have a
--                monitor from outside ask for SELECT NOT bool_or(refused) FROM dnc_fdw_mirrors, too. Until somebody
--                looks, dnc.known_opt_outs refuses to be read.
-- In the morning SELECT source, age, message FROM dnc_fdw_mirrors WHERE refused OR unshown > 0 OR message IS NOT NULL;

BEGIN;
SET LOCAL ROLE dnc_jobs;

SELECT cron.schedule('alert of old mirrors', '0 * * * *', $$SELECT dnc_fdw_mirror_guard(source) FROM dnc_fdw_mirrors$$);

COMMIT;
