-- examples/reconcile.sql: whose email is on one vendor's list is put on the other's
--
-- What it does   dnc.missing_emails is who is on one list and not on the other. The job adds them where they are
--                missing, both ways, and notes it in dnc.reconciled. It never removes anything, and when it has
--                run there is nothing left to add.
--                Emails are compared by their keys (docs/matching.md): Bob@Example.com and bob@example.com are one.
-- What it needs  setup.sql. Emails only: they are all that both have. Each list is read to its end, once.
--                See first what it would do:
--                BEGIN; SELECT dnc.reconcile(); SELECT * FROM dnc_fdw_pending(); ROLLBACK;
--                Alta pauses the prospects whom an addition matches (pause_active_prospects).
-- How it fails   A list that cannot be read is an error, so that nobody is taken for missing by mistake. What is to
--                be added is sent at COMMIT: if that fails, nothing is noted, what was taken is on the list, and
--                the next run adds the rest. An entry that a vendor refuses holds up the run: the error has
--                the vendor's words. Put it into dnc.reconcile_not. An entry that is no email is left out:
--                SELECT * FROM dnc.alta WHERE identifier_type = 'email' AND match_key NOT LIKE 'email:%';
-- In the morning SELECT added_to, count(*) FROM dnc.reconciled WHERE added_at > now() - interval '1 day' GROUP BY 1;

BEGIN;
SET LOCAL ROLE dnc_jobs;

CREATE TABLE dnc.reconciled (
  email text NOT NULL,
  added_to text NOT NULL,
  added_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE dnc.reconcile_not (
  email text PRIMARY KEY,                         -- in any spelling
  why text NOT NULL
);

-- Of several spellings on one list, one is sent to the other.
CREATE VIEW dnc.missing_emails AS
  SELECT coalesce(a.email, s.email) AS email, CASE WHEN a.email IS NULL THEN 'alta' ELSE 'sendkit' END AS missing_on
  FROM (SELECT match_key, min(identifier) AS email
        FROM dnc.alta WHERE identifier_type = 'email' AND match_key LIKE 'email:%' GROUP BY match_key) a
  FULL JOIN (SELECT match_key, min(identifier) AS email
             FROM dnc.sendkit WHERE identifier_type = 'email' AND match_key LIKE 'email:%' GROUP BY match_key) s
    USING (match_key)
  WHERE (a.email IS NULL OR s.email IS NULL)
    AND NOT EXISTS (SELECT FROM dnc.reconcile_not n WHERE dnc_fdw_key(n.email, 'email') = match_key);

CREATE FUNCTION dnc.reconcile() RETURNS void
BEGIN ATOMIC
  WITH missing AS MATERIALIZED (
    SELECT email, missing_on FROM dnc.missing_emails
  ), to_alta AS (
    INSERT INTO dnc.alta (identifier, identifier_type)
      SELECT email, 'email' FROM missing WHERE missing_on = 'alta'
  ), to_sendkit AS (
    INSERT INTO dnc.sendkit (identifier, identifier_type, reason)
      SELECT email, 'email', 'reconciled' FROM missing WHERE missing_on = 'sendkit'
  )
  INSERT INTO dnc.reconciled (email, added_to) SELECT email, missing_on FROM missing;
END;

SELECT cron.schedule('reconcile alta and sendkit', '35 3 * * *', $$SELECT dnc.reconcile()$$);

COMMIT;
