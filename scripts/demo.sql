-- scripts/demo.sql: the story that scripts/demo tells
--
-- Each step says what it shows, shows the SQL, its result, and what was sent (:wire).

\set QUIET on
\pset pager off
\pset footer off
\getenv sandbox DNC_SANDBOX_URL
\set base_url :sandbox '/alta/v1'
\set wire '\\! ./demo-wire'

CREATE SCHEMA crm;
CREATE TABLE crm.contacts (id integer PRIMARY KEY, name text, email text, phone text);
INSERT INTO crm.contacts
  SELECT n, format('Person %s', n),
         format('person%s@example.com', to_char(n, 'FM000000')),
         format('+1555%s', to_char(n, 'FM0000000'))
  FROM generate_series(1, 3000) AS n;
ANALYZE crm.contacts;

\set QUIET off
\set ECHO queries

\echo
\echo '=== 1. A list becomes a table'
\echo 'Alta keeps a list of people who must not be contacted. Here a sandbox plays Alta; its'
\echo 'list has 2,500 entries. Five statements make it a table; none of them sends anything.'
\echo
CREATE EXTENSION dnc_fdw;
CREATE SERVER alta FOREIGN DATA WRAPPER dnc_fdw
  OPTIONS (provider 'alta', base_url :'base_url');
CREATE USER MAPPING FOR CURRENT_USER SERVER alta OPTIONS (token 'sandbox-demo');
CREATE SCHEMA dnc;
IMPORT FOREIGN SCHEMA dnc FROM SERVER alta INTO dnc;
:wire

\echo
\echo '=== 2. May this person be called?'
\echo 'The condition travels to Alta: one request, and one entry comes back.'
\echo
SELECT identifier, identifier_type, created_at IS NOT NULL AS listed
FROM dnc.communication_opt_outs
WHERE identifier_type = 'phone' AND identifier = '+15550000003';
:wire

\echo
\echo '=== 3. Who of today''s calls must not be called?'
\echo 'A join of a few contacts with the list asks Alta about just these.'
\echo
SELECT c.id, c.name, c.phone
FROM crm.contacts c
JOIN dnc.communication_opt_outs d ON d.identifier = c.phone AND d.identifier_type = 'phone'
WHERE c.id BETWEEN 1 AND 10
ORDER BY c.id;
:wire

\echo
\echo '=== 4. Scrub the whole CRM'
\echo 'For all 3,000 contacts it is cheaper to read the phone numbers on the list once, page by'
\echo 'page. PostgreSQL chooses; whoever has no entry in the list may be called.'
\echo
SELECT count(*) AS contacts,
       count(*) FILTER (WHERE d.identifier IS NULL) AS may_be_called,
       count(d.identifier) AS must_not_be_called
FROM crm.contacts c
LEFT JOIN dnc.communication_opt_outs d
  ON d.identifier = c.phone AND d.identifier_type = 'phone';
:wire

\echo
\echo '=== 5. Three people opt out'
\echo 'They are added with one request, when the transaction commits.'
\echo
INSERT INTO dnc.communication_opt_outs (identifier, identifier_type, label)
SELECT phone, 'phone', name FROM crm.contacts WHERE id IN (2998, 2999, 3000);
:wire

\echo
\echo '=== 6. Think twice'
\echo 'Writes wait for COMMIT. What waits can be looked at; after ROLLBACK nothing was sent:'
\echo 'the list was read, to know what to delete, but there is no DELETE among the requests.'
\echo
BEGIN;
DELETE FROM dnc.communication_opt_outs
WHERE identifier_type = 'phone' AND identifier IN ('+15550002998', '+15550002999');
SELECT action, identifier, identifier_type FROM dnc_fdw_pending();
ROLLBACK;
:wire

\echo
\echo '=== 7. One of them may be called again'
\echo 'A deletion that does commit, and a look at what is left of the three.'
\echo
DELETE FROM dnc.communication_opt_outs
WHERE identifier_type = 'phone' AND identifier = '+15550003000';
:wire
SELECT identifier, label
FROM dnc.communication_opt_outs
WHERE identifier_type = 'phone'
  AND identifier IN ('+15550002998', '+15550002999', '+15550003000')
ORDER BY identifier;
:wire

\echo
\echo '=== What this session did'
\echo
SELECT server, requests, rows_read, rows_added, rows_deleted FROM dnc_fdw_stats();
