-- t/docs/examples-README.sql: the recipes of examples/, as their README has them installed
--
-- In place of the demo's servers and tables.  Of pg_cron there are only the names
-- that the recipes use; t/025_cron.pl runs them with the real one.

DROP EXTENSION dnc_fdw CASCADE;
DROP SCHEMA dnc, crm CASCADE;
CREATE SCHEMA cron;
CREATE TABLE cron.job (jobid bigint PRIMARY KEY, jobname text);
CREATE TABLE cron.job_run_details (
  jobid bigint, status text, return_message text, start_time timestamptz, end_time timestamptz);
CREATE FUNCTION cron.schedule(job_name text, schedule text, command text) RETURNS bigint
  LANGUAGE sql AS 'SELECT 1::bigint';

\set setup `sed '/^CREATE EXTENSION .* pg_cron;/d' :'top'/examples/setup.sql`
:setup
\ir ../../examples/nightly_snapshot.sql
\ir ../../examples/scrub.sql
\ir ../../examples/stale_snapshot_alert.sql
\ir ../../examples/push_unsubscribes.sql
\ir ../../examples/reconcile.sql
