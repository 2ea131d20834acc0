-- scripts/demo.sql: the story that scripts/demo tells
--
-- Each step has a line that says what it shows, the SQL, its result, and what was
-- sent (:wire).  It is written for a terminal of 100 columns; t/030_docs.pl runs it,
-- and then the examples of the documentation, in the database that it leaves behind.

\set QUIET on
\pset pager off
\pset footer off
\getenv sandbox DNC_SANDBOX_URL
\set alta_url :sandbox '/alta/v1'
\set sendkit_url :sandbox '/sendkit'
\set weya_url :sandbox '/weya'
\set wire '\\! ./demo-wire'

CREATE SCHEMA crm;
CREATE TABLE crm.contacts (id integer PRIMARY KEY, name text, email text, phone text);
INSERT INTO crm.contacts
  SELECT n, format('Person %s', n),
         format('person%s@example.com', to_char(n, 'FM000000')),
         format('+1555%s', to_char(n, 'FM0000000'))
  FROM generate_series(1, 3000) AS n;
-- The same people as they came from five places.  Each 50th has no country.
CREATE TABLE crm.leads (id integer PRIMARY KEY, name text, phone text, country text);
INSERT INTO crm.leads
  SELECT n, format('Person %s', n),
         CASE WHEN n % 50 = 7 THEN format('555 %s %s', left(digits, 3), right(digits, 4))
              WHEN n % 5 = 0 THEN format('(555) %s-%s', left(digits, 3), right(digits, 4))
              WHEN n % 5 = 1 THEN format('+1555%s', digits)
              WHEN n % 5 = 2 THEN format('1-555-%s-%s', left(digits, 3), right(digits, 4))
              WHEN n % 5 = 3 THEN format('001 555 %s', digits)
              ELSE format('1555%s@c.us', digits) END,
         CASE WHEN n % 50 <> 7 THEN (ARRAY['US', NULL, 'US', 'DE', NULL])[n % 5 + 1] END
  FROM (SELECT n, to_char(n, 'FM0000000') AS digits FROM generate_series(1, 3000) AS n) AS numbers;
ANALYZE crm.contacts, crm.leads;

\set ECHO queries

\echo
\echo '=== 1. A list becomes a table'
\echo 'Alta has a list of 2,500 people who must not be contacted. Five statements, and it is a table.'
\echo
CREATE EXTENSION dnc_fdw;
CREATE SERVER alta FOREIGN DATA WRAPPER dnc_fdw
  OPTIONS (provider 'alta', base_url :'alta_url');
CREATE USER MAPPING FOR CURRENT_USER SERVER alta OPTIONS (token 'sandbox-demo');
CREATE SCHEMA dnc;
IMPORT FOREIGN SCHEMA dnc FROM SERVER alta INTO dnc;
\echo
:wire

\echo
\echo '=== 2. May this person be called?'
\echo 'The condition travels to Alta: one request, and one entry comes back.'
\echo
SELECT identifier, identifier_type, created_at
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
WHERE c.id IN (3, 4, 9)
ORDER BY c.id;
:wire

\echo
\echo '=== 4. Scrub the CRM'
\echo 'For 3,000 contacts the list of phone numbers is read once, to its end; a missing page is an error.'
\echo
SELECT count(*) AS contacts,
       count(*) FILTER (WHERE d.identifier IS NULL) AS may_be_called,
       count(d.identifier) AS must_not_be_called
FROM crm.contacts c
LEFT JOIN dnc.communication_opt_outs d
  ON d.identifier = c.phone AND d.identifier_type = 'phone';
:wire

\echo
\echo '=== 5. The same people, as they were typed'
\echo 'called_by_bytes: whom a comparison of texts would have called. Keys compare what the texts mean.'
\echo
WITH opt_outs AS MATERIALIZED (
  SELECT identifier, match_key FROM dnc.communication_opt_outs
), listed AS (
  SELECT DISTINCT l.id
  FROM crm.leads l
  CROSS JOIN unnest(dnc_fdw_keys(l.phone, 'phone', l.country)) AS k (match_key)
  JOIN opt_outs USING (match_key)
)
SELECT CASE WHEN listed.id IS NOT NULL THEN 'listed'
            WHEN dnc_fdw_key(l.phone, 'phone', l.country) IS NULL THEN 'cannot be told'
            ELSE 'may be called' END AS by_key,
       count(*) AS leads,
       count(*) FILTER (WHERE l.phone NOT IN (SELECT identifier FROM opt_outs)) AS called_by_bytes
FROM crm.leads l LEFT JOIN listed USING (id)
GROUP BY 1 ORDER BY 1;
:wire
\echo
\echo 'Some of those who have opted out, and would have been called:'
\echo
SELECT l.id, l.phone, l.country, d.identifier AS listed_as
FROM crm.leads l
JOIN dnc.communication_opt_outs d ON d.match_key = ANY (dnc_fdw_keys(l.phone, 'phone', l.country))
WHERE l.id < 40 AND d.identifier <> l.phone
ORDER BY l.id;
:wire

\set QUIET off
\echo
\echo '=== 6. Three people opt out'
\echo 'They are added with one request, when the transaction commits.'
\echo
INSERT INTO dnc.communication_opt_outs (identifier, identifier_type, label)
SELECT phone, 'phone', name FROM crm.contacts WHERE id IN (2998, 2999, 3000);
\echo
:wire

\echo
\echo '=== 7. Think twice'
\echo 'Writes wait for COMMIT: the list is read, to find what to delete, but ROLLBACK sends nothing.'
\echo
BEGIN;
DELETE FROM dnc.communication_opt_outs
WHERE identifier_type = 'phone' AND identifier IN ('+15550002998', '+15550002999');
SELECT * FROM dnc_fdw_pending();
ROLLBACK;
\echo
:wire

\echo
\echo '=== 8. One of them may be called again'
\echo 'A deletion that does commit: one entry is read, and one is removed.'
\echo
DELETE FROM dnc.communication_opt_outs
WHERE identifier_type = 'phone' AND identifier = '+15550003000';
\echo
:wire

\set QUIET on
\echo
\echo '=== 9. Three vendors, one table'
\echo 'SendKit lists emails and domains, Weya phone numbers. As partitions they are read at the same time.'
\echo
CREATE SERVER sendkit FOREIGN DATA WRAPPER dnc_fdw
  OPTIONS (provider 'sendkit', base_url :'sendkit_url');
CREATE USER MAPPING FOR CURRENT_USER SERVER sendkit OPTIONS (token 'sk_demo');
CREATE SERVER weya FOREIGN DATA WRAPPER dnc_fdw
  OPTIONS (provider 'weya', base_url :'weya_url');
CREATE USER MAPPING FOR CURRENT_USER SERVER weya OPTIONS (token 'sandbox-demo');
CREATE TABLE dnc.all_opt_outs (identifier text, identifier_type text, reason text, source text)
  PARTITION BY LIST (source);
CREATE FOREIGN TABLE dnc.opt_outs_alta PARTITION OF dnc.all_opt_outs
  FOR VALUES IN ('alta') SERVER alta;
CREATE FOREIGN TABLE dnc.opt_outs_sendkit PARTITION OF dnc.all_opt_outs
  FOR VALUES IN ('sendkit') SERVER sendkit;
CREATE FOREIGN TABLE dnc.opt_outs_weya PARTITION OF dnc.all_opt_outs
  FOR VALUES IN ('weya') SERVER weya;
SELECT source, identifier_type, count(*)
FROM dnc.all_opt_outs GROUP BY 1, 2 ORDER BY 1, 2;
:wire

\echo
\echo '=== 10. Only who can know is asked'
\echo 'Alta has no domains and Weya only phone numbers: neither gets a request.'
\echo
SELECT source, identifier FROM dnc.all_opt_outs
WHERE identifier_type = 'domain' ORDER BY identifier LIMIT 2;
:wire

\set QUIET off
\echo
\echo '=== 11. A row goes to the vendor that its source names'
\echo 'An INSERT into the partitioned table is an addition to that partition''s list.'
\echo
INSERT INTO dnc.all_opt_outs VALUES ('left@example.com', 'email', 'asked us to', 'sendkit');
\echo
:wire
