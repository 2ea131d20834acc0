-- t/docs/examples-README.sql: the recipes of examples/, as their README has them installed
--
-- Beside the demo's servers and lists, but with tables of the CRM as the recipes know
-- them.  Of pg_cron there are only the names that the recipes use; t/025_docs_cron.pl runs
-- them with the real one.

DROP SCHEMA crm CASCADE;
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
\ir ../../examples/history.sql
