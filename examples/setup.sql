-- examples/setup.sql: the base of the other recipes
--
-- Run this file once, as superuser, in the database that cron.database_name names. If a role, servers, schemas or
-- tables exist already under these names, they stay as they are.
--
-- Fill in the two tokens. Look at crm.contacts and crm.unsubscribes, which stand for tables of yours. The recipes use
-- the columns that these tables have here, and only read them. If your tables have other names, put views of these
-- names in their place.

BEGIN;

CREATE EXTENSION IF NOT EXISTS dnc_fdw;
CREATE EXTENSION IF NOT EXISTS pg_cron;

-- The jobs run as a role of their own. This role has the tokens, and no other role needs them. The role needs no
-- password if cron.use_background_workers is on. A run that takes too long, or a statement that asks too often, is
-- ended: 2 hours are 12,000 requests at Alta's 100 a minute, so a list of 1,200,000 entries. A mirror goes on with
-- the next run.
DO $$
BEGIN
  IF to_regrole('dnc_jobs') IS NULL THEN
    CREATE ROLE dnc_jobs LOGIN;
  END IF;
END
$$;
ALTER ROLE dnc_jobs SET statement_timeout = '2h';
ALTER ROLE dnc_jobs SET dnc_fdw.max_requests = 12000;

CREATE SERVER IF NOT EXISTS alta FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta');
CREATE SERVER IF NOT EXISTS sendkit FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'sendkit');
CREATE USER MAPPING IF NOT EXISTS FOR dnc_jobs SERVER alta OPTIONS (token 'the-key-that-Alta-gave-you');
CREATE USER MAPPING IF NOT EXISTS FOR dnc_jobs SERVER sendkit OPTIONS (token 'sk_the-key-that-SendKit-gave-you');
GRANT USAGE ON FOREIGN SERVER alta, sendkit TO dnc_jobs;

CREATE SCHEMA IF NOT EXISTS dnc;
GRANT USAGE, CREATE ON SCHEMA dnc TO dnc_jobs;
GRANT USAGE ON SCHEMA cron TO dnc_jobs;

CREATE SCHEMA IF NOT EXISTS crm;
CREATE TABLE IF NOT EXISTS crm.contacts (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text,
  email text,
  phone text,
  sms text,
  whatsapp text,
  country text                                    -- of numbers in national form: two letters of ISO 3166 (GB, not UK)
);
CREATE TABLE IF NOT EXISTS crm.unsubscribes (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  email text NOT NULL,
  unsubscribed_at timestamptz NOT NULL DEFAULT now()
);
GRANT USAGE ON SCHEMA crm TO dnc_jobs;
GRANT SELECT ON crm.contacts, crm.unsubscribes TO dnc_jobs;

SET LOCAL ROLE dnc_jobs;

-- The lists: dnc.alta and dnc.sendkit.
IMPORT FOREIGN SCHEMA dnc FROM SERVER alta INTO dnc OPTIONS (table_name 'alta');
IMPORT FOREIGN SCHEMA dnc FROM SERVER sendkit INTO dnc OPTIONS (table_name 'sendkit');

-- pg_cron keeps the outcome of each run for ever. A month is enough to find out since when something fails.
SELECT cron.schedule('forget old runs', '45 4 * * *',
  $$DELETE FROM cron.job_run_details WHERE end_time < now() - interval '31 days'$$);

COMMIT;
