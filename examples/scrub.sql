-- examples/scrub.sql: who of the CRM may be contacted
--
-- What it does   The view dnc.may_be_contacted: contacts of whom no email, number or WhatsApp address is on a list, nor
--                the email's domain, and who have not unsubscribed in the CRM.
--                Identifiers are compared by their keys (docs/matching.md), so by what they mean and not by how
--                they are spelled. Any channel counts: who has opted out of SMS is not called, nor mailed.
--                The view dnc.cannot_be_told has the contacts with an identifier that has no key, as a number
--                without its country, or with no identifier at all. Nobody knows whether they are listed, so
--                they may not be contacted. Most of them want a country.
--                All this is local. dnc.last_look() asks the vendors about those who are left, right before a campaign:
--                SELECT * FROM dnc.last_look(ARRAY(SELECT id FROM dnc.may_be_contacted WHERE id < 100));
--                gives those of them whom no list has now, either. It is a request to Alta for each usual spelling of
--                an identifier, or the list read once, whichever is fewer; SendKit's list is read once.
-- What it needs  setup.sql, nightly_snapshot.sql. The library for phone numbers (Debian: postgresql-15-dnc-fdw-phone).
-- How it fails   While a mirror is too old, was never filled, or has keys of other rules than those of today, it
--                is an error, and nobody is contacted. A country that does not exist ('UK') is one, too (22023).
--                dnc.last_look() fails if a vendor does not answer. It finds the spellings that it asks for, so it
--                comes on top of the mirrors, and not in their place.
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

-- The keys of all who are listed or have unsubscribed. An unsubscribe that cannot be told blocks everybody whom it may
-- be of.
CREATE VIEW dnc.blocked_keys AS
  SELECT match_key FROM dnc.known_opt_outs
  UNION ALL
  SELECT k.match_key
  FROM crm.unsubscribes u
  CROSS JOIN LATERAL dnc_fdw_key(u.email, 'email') AS key
  CROSS JOIN LATERAL unnest(CASE WHEN key IS NULL THEN dnc_fdw_keys(u.email, 'email') ELSE ARRAY[key] END)
    AS k (match_key);

-- A row for each key of each contact, so that PostgreSQL can hash them. A contact that has no key can have a wide one
-- that is listed: so whoever is listed comes first.
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

-- The mirrors first, then the vendors about those who are left. As the caller, who needs the tokens.
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

-- Who may read these views needs SELECT on the mirrors' views, too: docs/mirror.md, "Who may".
-- GRANT USAGE ON SCHEMA dnc TO marketing;
-- GRANT SELECT ON dnc.may_be_contacted, dnc.cannot_be_told, dnc.alta_known, dnc.sendkit_known TO marketing;

COMMIT;
