-- examples/reconcile.sql: adds each email that is on a vendor's list to the other vendor's list
--
-- What it does   dnc.missing_emails has the emails that are on one list and not on the other, according to the mirrors.
--                The job adds them where they are missing, both ways, and notes each in dnc.reconciled. It never
--                removes anything, and after a run there is nothing left to add.
--                If an email was on the other list once, it was removed there: by the vendor, by somebody at the
--                vendor's screen, or by us. That may have been a decision, so the job does not add the email again. The
--                email stands in dnc.removed_emails until somebody decides. Until then it is still on one list, so
--                dnc.known_opt_outs has it, and nobody contacts this person.
--                Emails are compared by key (docs/matching.md): Bob@Example.com and bob@example.com are the same.
-- What it needs  setup.sql, nightly_snapshot.sql. The job handles only emails, since both lists have no other type in
--                common. Nothing is read from the vendors. First see what the job would do:
--                BEGIN; SELECT dnc.reconcile(); SELECT * FROM dnc_fdw_pending(); ROLLBACK;
--                Alta pauses the prospects whom an addition matches (pause_active_prospects).
-- How it fails   A mirror that is too old is an error, so nobody is taken for missing by mistake. Additions are sent at
--                COMMIT. If that fails, nothing is noted, entries that were taken are on the list, and the next run
--                adds the rest. An entry that a vendor refuses holds up the run: the error has the vendor's words.
--                Then decide that the email is not added. An entry that is no email is left out:
--                SELECT * FROM dnc.alta_known WHERE identifier_type = 'email' AND match_key NOT LIKE 'email:%';
-- In the morning SELECT added_to, count(*) FROM dnc.reconciled WHERE added_at > now() - interval '1 day' GROUP BY 1;
--                SELECT * FROM dnc.removed_emails;
--                INSERT INTO dnc.decisions (email, list, add, why) VALUES
--                  ('ann@example.com', 'sendkit', false, 'has asked to hear from us again'),
--                  ('bob@example.com', 'alta', true, 'was removed by mistake');

BEGIN;
SET LOCAL ROLE dnc_jobs;

CREATE TABLE dnc.reconciled (
  email text NOT NULL,
  added_to text NOT NULL,
  added_at timestamptz NOT NULL DEFAULT now()
);

-- The last decision on an email and a list counts. A decision to add counts once: if the email is removed after that, a
-- new decision is needed.
CREATE TABLE dnc.decisions (
  email text NOT NULL,                            -- in any spelling
  list text NOT NULL CHECK (list IN ('alta', 'sendkit')),
  add boolean NOT NULL,
  why text NOT NULL,
  decided_by name NOT NULL DEFAULT session_user,
  decided_at timestamptz NOT NULL DEFAULT now()
);

-- If a list has several spellings of an email, only one is sent to the other list. We know that an email was on a list
-- by a row of the mirror, present or past, or by a note that we have added the email.
CREATE VIEW dnc.unequal_emails AS
  SELECT u.*,
         CASE u.missing_on
           WHEN 'alta' THEN EXISTS (SELECT FROM dnc.alta_mirror m WHERE m.match_key = u.match_key)
           ELSE EXISTS (SELECT FROM dnc.sendkit_mirror m WHERE m.match_key = u.match_key)
         END OR EXISTS (SELECT FROM dnc.reconciled r
                        WHERE r.added_to = u.missing_on AND dnc_fdw_key(r.email, 'email') = u.match_key) AS was_there,
         (SELECT d.add FROM dnc.decisions d
          WHERE dnc_fdw_key(d.email, 'email') = u.match_key AND d.list = u.missing_on
            AND NOT (d.add AND EXISTS (SELECT FROM dnc.reconciled r
                                       WHERE r.added_to = u.missing_on AND r.added_at >= d.decided_at
                                         AND dnc_fdw_key(r.email, 'email') = u.match_key))
          ORDER BY d.decided_at DESC LIMIT 1) AS decision
  FROM (SELECT match_key, coalesce(a.email, s.email) AS email,
               CASE WHEN a.email IS NULL THEN 'alta' ELSE 'sendkit' END AS missing_on
        FROM (SELECT match_key, min(identifier) AS email FROM dnc.alta_known
              WHERE identifier_type = 'email' AND match_key LIKE 'email:%' GROUP BY match_key) a
        FULL JOIN (SELECT match_key, min(identifier) AS email FROM dnc.sendkit_known
                   WHERE identifier_type = 'email' AND match_key LIKE 'email:%' GROUP BY match_key) s USING (match_key)
        WHERE a.email IS NULL OR s.email IS NULL) u;

CREATE VIEW dnc.missing_emails AS
  SELECT email, missing_on FROM dnc.unequal_emails WHERE coalesce(decision, NOT was_there);

CREATE VIEW dnc.removed_emails AS
  SELECT email, missing_on AS removed_from FROM dnc.unequal_emails WHERE was_there AND decision IS NULL;

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
