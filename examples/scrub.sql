-- examples/scrub.sql: who of the CRM may be mailed
--
-- What it does   The view dnc.may_be_mailed: contacts with an email that stands on no list, neither itself nor its
--                domain, and that has not unsubscribed in the CRM, be it since the last snapshot.
-- What it needs  setup.sql, nightly_snapshot.sql.
-- How it fails   While a snapshot is too old, or was never taken, it is an error, and nobody is mailed.

BEGIN;
SET LOCAL ROLE dnc_jobs;

CREATE VIEW dnc.may_be_mailed AS
  SELECT c.id, c.name, c.email
  FROM crm.contacts c
  WHERE c.email IS NOT NULL
    AND NOT EXISTS (SELECT FROM dnc.known_opt_outs o
                    WHERE o.identifier_type = 'email' AND lower(o.identifier) = lower(c.email))
    AND NOT EXISTS (SELECT FROM dnc.known_opt_outs o
                    WHERE o.identifier_type = 'domain'
                      AND lower(o.identifier) = lower(split_part(c.email, '@', -1)))
    AND NOT EXISTS (SELECT FROM crm.unsubscribes u WHERE lower(u.email) = lower(c.email));

-- Who may read it needs no right to what it reads:
-- GRANT USAGE ON SCHEMA dnc TO marketing;
-- GRANT SELECT ON dnc.may_be_mailed TO marketing;

COMMIT;
