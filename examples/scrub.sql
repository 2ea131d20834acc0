-- examples/scrub.sql: who of the CRM may be contacted
--
-- What it does   The view dnc.may_be_contacted has the contacts that you may contact: no email, number or WhatsApp
--                address of theirs is on a list, nor the email's domain, and they have not unsubscribed in the CRM.
--                Identifiers are compared by key (docs/matching.md), so by meaning and not by spelling. Any channel
--                counts: a person who has opted out of SMS is neither called nor mailed.
--                The view dnc.cannot_be_told has the contacts with an identifier that has no key, for example a number
--                without its country, or with no identifier at all. Nobody knows whether they are listed, so
--                they may not be contacted. Most of them need a country.
--                All this is local. Right before a campaign, dnc.last_look() asks the vendors about the people left:
--                SELECT * FROM dnc.last_look(ARRAY(SELECT id FROM dnc.may_be_contacted WHERE id < 100));
--                gives the people whom no list has now, either. That takes a request to Alta for each usual spelling of
--                an identifier, or the list read once, whichever is fewer; SendKit's list is read once.
-- What it needs  setup.sql, nightly_snapshot.sql. The library for phone numbers (Debian: postgresql-15-dnc-fdw-phone).
-- How it fails   While a mirror is too old, was never filled, or has keys of other rules than today's, the views
--                are an error, and nobody is contacted. A country that does not exist ('UK') is an error, too (22023).
--                dnc.last_look() fails if a vendor does not answer. It finds only spellings that it asks for. So use
--                it on top of the mirrors, and not in their place.
-- In the morning SELECT status, count(*) FROM dnc.screened_contacts GROUP BY status;

BEGIN;
SET LOCAL ROLE dnc_jobs;

-- Each identifier of a contact is a row.
CREATE VIEW dnc.contact_identifiers AS
  SELECT c.id, i.identifier, i.identifier_type, nullif(c.country, '') AS country
  FROM crm.contacts c
  CROSS JOIN LATERAL (VALUES (c.email, 'email'), (c.phone, 'phone'), (c.sms, 'sms'), (c.whatsapp, 'whatsapp'))
    AS i (identifier, identifier_type)
  WHERE i.identifier <> '';

-- The keys of all who are listed or have unsubscribed. If nobody can tell whose an unsubscribe is, it blocks everybody
-- whose it may be.
CREATE VIEW dnc.blocked_keys AS
  SELECT match_key FROM dnc.known_opt_outs
  UNION ALL
  SELECT k.match_key
  FROM crm.unsubscribes u
  CROSS JOIN LATERAL dnc_fdw_key(u.email, 'email') AS key
  CROSS JOIN LATERAL unnest(CASE WHEN key IS NULL THEN dnc_fdw_keys(u.email, 'email') ELSE ARRAY[key] END)
    AS k (match_key);

-- A row for each key of each contact, so that PostgreSQL can hash the keys. A contact without a key can have a wide key
-- that is listed. So the CASE checks first whether a contact is listed.
CREATE VIEW dnc.screened_contacts AS
  WITH listed AS (
    SELECT DISTINCT i.id
    FROM dnc.contact_identifiers i
    CROSS JOIN LATERAL unnest(dnc_fdw_keys(i.identifier, i.identifier_type, i.country)) AS k (match_key)
    JOIN dnc.blocked_keys b USING (match_key)
  ), told AS (
    SELECT i.id, bool_and(dnc_fdw_key(i.identifier, i.identifier_type, i.country) IS NOT NULL) AS all_have_keys
    FROM dnc.contact_identifiers i
    GROUP BY i.id
  )
  SELECT c.id, c.name, c.email, c.phone, c.sms, c.whatsapp, c.country,
         CASE WHEN listed.id IS NOT NULL THEN 'listed'
              WHEN told.all_have_keys THEN 'free'
              ELSE 'unknown' END AS status
  FROM crm.contacts c
  LEFT JOIN listed USING (id)
  LEFT JOIN told USING (id);

CREATE VIEW dnc.may_be_contacted AS
  SELECT id, name, email, phone, sms, whatsapp FROM dnc.screened_contacts WHERE status = 'free';

CREATE VIEW dnc.cannot_be_told AS
  SELECT id, name, email, phone, sms, whatsapp, country FROM dnc.screened_contacts WHERE status = 'unknown';

-- Asks the mirrors first, then the vendors about the remaining people. Runs as the caller, who needs the tokens.
CREATE FUNCTION dnc.last_look(ids bigint[]) RETURNS SETOF bigint
BEGIN ATOMIC
  WITH survivors AS MATERIALIZED (
    SELECT c.id FROM dnc.may_be_contacted c WHERE c.id = ANY (ids)
  ), identifiers AS MATERIALIZED (
    SELECT i.* FROM dnc.contact_identifiers i JOIN survivors USING (id)
  ), spellings AS MATERIALIZED (
    SELECT DISTINCT s.spelling
    FROM identifiers i
    CROSS JOIN LATERAL unnest(dnc_fdw_spellings(i.identifier, i.identifier_type, i.country)) AS s (spelling)
  ), listed_now AS MATERIALIZED (
    SELECT match_key FROM dnc.alta WHERE identifier = ANY (ARRAY(SELECT spelling FROM spellings))
    UNION ALL
    SELECT match_key FROM dnc.sendkit WHERE EXISTS (SELECT FROM survivors)
  )
  SELECT id FROM survivors
  EXCEPT
  SELECT i.id
  FROM identifiers i
  CROSS JOIN LATERAL unnest(dnc_fdw_keys(i.identifier, i.identifier_type, i.country)) AS k (match_key)
  JOIN listed_now USING (match_key);
END;

-- A role that reads these views needs SELECT on the mirrors' views, too: docs/mirror.md, "Who may".
-- GRANT USAGE ON SCHEMA dnc TO marketing;
-- GRANT SELECT ON dnc.may_be_contacted, dnc.cannot_be_told, dnc.alta_known, dnc.sendkit_known TO marketing;

COMMIT;
