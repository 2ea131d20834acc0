-- examples/history.sql: was this person listed on 1 March?
--
-- What it does   SELECT * FROM dnc.listed_on('2026-03-01 12:00+00', 'Bob@Example.com', 'email');
--                Gives a row for each list, or for each entry of the person that stood on the list then. The row names
--                the pass that proves this: the last complete pass that had begun by then. certificate.sql prints
--                passes. If there was no complete pass yet, listed is NULL: then nobody knows.
--                When in doubt, an entry counts as listed. It counts from the vendor's created_at or from the first
--                pass that has seen it, whichever is earlier. It counts until it was gone for certain, not only until
--                it began to be missing.
-- What it needs  setup.sql, nightly_snapshot.sql. Mirrors keep entries that are gone, for ever.
-- How it fails   A country that does not exist ('UK') is an error (22023). An identifier without a key is found only by
--                its wide keys (docs/matching.md).
-- In the morning Nothing to look at: this is for the day when somebody complains.

BEGIN;
SET LOCAL ROLE dnc_jobs;

CREATE VIEW dnc.list_history AS
  SELECT 'dnc.alta' AS list, identifier, identifier_type, match_key, created_at, first_seen, last_seen, gone_at
  FROM dnc.alta_mirror
  UNION ALL
  SELECT 'dnc.sendkit', identifier, identifier_type, match_key, created_at, first_seen, last_seen, gone_at
  FROM dnc.sendkit_mirror;

CREATE FUNCTION dnc.listed_on(moment timestamptz, identifier text, identifier_type text, country text DEFAULT NULL)
RETURNS TABLE (list text, listed boolean, entry text, entry_type text, since timestamptz, until timestamptz,
               pass bigint, sha256 text)
BEGIN ATOMIC
  SELECT l.list, CASE WHEN h.match_key IS NOT NULL THEN true WHEN p.id IS NOT NULL THEN false END,
         h.identifier, h.identifier_type, least(h.created_at, h.first_seen), h.gone_at, p.id, p.sha256
  FROM (VALUES ('dnc.alta'), ('dnc.sendkit')) AS l (list)
  LEFT JOIN LATERAL (
    SELECT a.id, a.sha256 FROM dnc_fdw_passes a
    WHERE a.source = l.list AND a.mode = 'full' AND a.state = 'done' AND a.began_at <= moment
    ORDER BY a.id DESC LIMIT 1) p ON true
  LEFT JOIN dnc.list_history h
    ON h.list = l.list AND h.match_key = ANY (dnc_fdw_keys(listed_on.identifier, listed_on.identifier_type, country))
       AND least(h.created_at, h.first_seen) <= moment AND (h.gone_at IS NULL OR h.gone_at > moment)
  ORDER BY l.list, h.identifier;
END;

COMMIT;
