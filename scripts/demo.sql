-- scripts/demo.sql: the story that scripts/demo tells
--
-- Each step says what it shows, shows the SQL, its result, and what was sent (:wire).

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
  OPTIONS (provider 'alta', base_url :'alta_url');
CREATE USER MAPPING FOR CURRENT_USER SERVER alta OPTIONS (token 'sandbox-demo');
CREATE SCHEMA dnc;
IMPORT FOREIGN SCHEMA dnc FROM SERVER alta INTO dnc;
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
\echo 'Of 3,000 contacts, who may be called? For so many the phone numbers on the list are read, page'
\echo 'by page to the end; if one page were missing, this would be an error, not a longer list of calls.'
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
\echo 'Writes wait for COMMIT. The list is read, to know what to delete; but after ROLLBACK there'
\echo 'is no POST and no DELETE among the requests.'
\echo
BEGIN;
DELETE FROM dnc.communication_opt_outs
WHERE identifier_type = 'phone' AND identifier IN ('+15550002998', '+15550002999');
INSERT INTO dnc.communication_opt_outs (identifier, identifier_type)
SELECT email, 'email' FROM crm.contacts;
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
WHERE identifier_type = 'phone' AND identifier >= '+15550002998'
ORDER BY identifier;
:wire

\echo
\echo '=== 8. Three vendors, one table'
\echo 'SendKit keeps emails and domains, Weya phone numbers. As partitions, the three lists are one'
\echo 'table, and are read at the same time.'
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
\echo 'A server that cannot have a domain, or that another value of source rules out, is not asked.'
\echo
SELECT source, identifier FROM dnc.all_opt_outs
WHERE identifier_type = 'domain' ORDER BY identifier LIMIT 2;
:wire

\echo
\echo 'A row goes to the partition that its source names.'
\echo
INSERT INTO dnc.all_opt_outs VALUES ('left@example.com', 'email', 'asked us to', 'sendkit');
:wire
