-- examples/certificate.sql: an HTML page on the last complete pass over a list
--
--   psql -X -d crm -v list=dnc.alta -f certificate.sql -o certificate.html
--
-- What it does   Prints the pass from dnc_fdw_passes: when the list was read, how many entries it had, and the SHA-256
--                over all of them (docs/mirror.md says how to compute the SHA-256 again). Then prints the passes of
--                the last 30 days, failed passes too.
-- What it needs  A mirror (nightly_snapshot.sql); a role that may read it.
-- How it fails   A list without a complete pass gives an empty table.
-- In the morning The page is for auditors. Keep one with each campaign.

\set QUIET on
\set ON_ERROR_STOP on
\pset format html
\pset footer off
\pset tableattr 'cellpadding="4" cellspacing="0"'
SET timezone = 'UTC';

\qecho '<!DOCTYPE html>'
\qecho '<html lang="en"><head><meta charset="utf-8"><title>Do-Not-Contact list: certificate</title></head><body>'
\qecho '<h1>Do-Not-Contact list: certificate</h1>'
\pset expanded on
SELECT source AS "list", id AS "pass", began_at AS "reading began", ended_at AS "reading ended",
       rows AS "entries", sha256 AS "SHA-256 of the entries", remote_total AS "entries, as the vendor says",
       pages, requests, resumes, restarts, added, changed, missing, gone, order_seen AS "order seen",
       wide_keys AS "entries that cannot be told", key_version AS "version of the keys",
       loss_accepted AS "a loss was accepted", account, now()::timestamptz(0) AS "printed at"
FROM dnc_fdw_passes
WHERE source = :'list' AND mode = 'full' AND state = 'done'
ORDER BY id DESC LIMIT 1;
\pset expanded off
\qecho '<h2>Passes of the last 30 days</h2>'
SELECT id AS "pass", mode, state, began_at, ended_at, rows AS "entries", added, missing, gone, sqlstate, message
FROM dnc_fdw_passes
WHERE source = :'list' AND began_at > now() - interval '30 days'
ORDER BY id DESC;
\qecho '</body></html>'
