-- Identifiers are compared by what they mean: keys, as a user sees them.
SET client_min_messages = warning;

-- a key is equal where two identifiers mean the same
SELECT type, identifier, dnc_fdw_key(identifier, type, 'DE') AS key FROM (VALUES
  ('email', 'Bob@Example.com'), ('email', '"Bob" <bob@example.com>'), ('email', ' mailto:bob%40example.com '), ('email', 'b.o.b+news@googlemail.com'),
  ('email', 'bob@Bücher.example'), ('email', '@Acme.com'), ('email', 'bob'), ('email', 'bob smith@example.com'),
  ('domain', '*.Acme.com.'), ('domain', 'bücher.example'), ('domain', 'no domain'),
  ('phone', '(030) 901820'), ('sms', '+49 30 901820'), ('whatsapp', '4930901820@c.us'), ('phone', '030 901820 ext. 5'), ('phone', 'call me'),
  ('linkedin', 'https://uk.linkedin.com/in/Person-2/?trk=x'), ('linkedin', 'in/person-2'), ('linkedin', 'https://example.com/in/person-2'),
  ('web_chat', ' VISITOR '), ('Phone', '030/901820'), ('mobile', '030-901820'), (NULL, '030 901820'), (NULL, 'Bob@Example.com')) AS v (type, identifier);

-- NULL: it cannot be told whom the identifier means
SELECT dnc_fdw_key(NULL, 'email') IS NULL AS none, dnc_fdw_key('', 'email') IS NULL AS empty, dnc_fdw_key(E' \t\u00a0\u200b', NULL) IS NULL AS blank,
  dnc_fdw_key('030 901820', 'phone') IS NULL AS national, dnc_fdw_key('555-0003', 'phone', 'US') IS NULL AS local_only,
  dnc_fdw_key('030 901820 / 030 901821', 'phone', 'DE') IS NULL AS two_numbers;

-- all keys under which an entry of a list blocks a contact
SELECT unnest(dnc_fdw_keys('Bob+x@mail.acme.com', 'email')) AS key;
-- (which readings of other countries there are, depends on the numbering plans of the day)
SELECT key FROM unnest(dnc_fdw_keys('(212) 555-0003', 'phone', 'us')) AS key WHERE key !~ '^tel:.[^1]' OR key ~ '^tel:.(2|5)';
SELECT unnest(dnc_fdw_keys('555-0003', 'phone', 'US')) AS key;
SELECT unnest(dnc_fdw_keys('in/Person-2', 'linkedin')) AS key;
SELECT unnest(dnc_fdw_keys('VISITOR', 'web_chat')) AS key;
-- numbers that are written in two ways
SELECT dnc_fdw_keys('+55 11 98123-4567', 'phone') @> ARRAY['tel:+551181234567', 'tel:?1181234567'] AS brazil,
  dnc_fdw_keys('+54 11 1234 5678', 'phone') @> ARRAY['tel:+5491112345678', 'tel:?111512345678'] AS argentina,
  dnc_fdw_keys('+52 55 1234 5678', 'phone') @> ARRAY['tel:+5215512345678', 'tel:?15512345678'] AS mexico;
SELECT dnc_fdw_keys(NULL, 'email') AS none, dnc_fdw_keys(' ', 'phone') AS blank;

-- usual spellings
SELECT dnc_fdw_spellings('B.ob@Googlemail.com', 'email') AS spellings;
SELECT unnest(dnc_fdw_spellings('+1 212 555 0003', 'phone')) AS spelling;
SELECT unnest(dnc_fdw_spellings('in/person-2', 'linkedin')) AS spelling;
SELECT dnc_fdw_spellings('Bücher.example', 'domain') AS spellings, dnc_fdw_spellings('V', 'web_chat') AS chat, dnc_fdw_spellings(NULL, 'email') AS none;

-- a country is two letters of ISO 3166, and is looked at whatever the type is
SELECT dnc_fdw_key('030 901820', 'phone', 'Germany');
\echo :LAST_ERROR_SQLSTATE
SELECT dnc_fdw_keys('bob@example.com', 'email', 'UK');
\echo :LAST_ERROR_SQLSTATE
SELECT dnc_fdw_spellings('bob@example.com', 'email', '');
\echo :LAST_ERROR_SQLSTATE
SELECT dnc_fdw_key('1', 'phone', repeat('D', 100000));
SELECT dnc_fdw_key('030 901820', 'phone', 'de') AS lower_case, dnc_fdw_key('+49 30 901820', 'phone', 'AQ') AS no_numbers_of_its_own;

-- long texts are not looked into
SELECT type, dnc_fdw_key(repeat('1', 1000000), type, 'US') AS key, dnc_fdw_keys(repeat('1', 1000000), type, 'US') AS keys
  FROM unnest(ARRAY['phone', 'email', NULL]) AS type;

-- indexes
CREATE TABLE match_contacts AS SELECT 'Person' || n || '@Example.com' AS email, lpad(n::text, 4, '0') AS number FROM generate_series(1, 2000) n;
CREATE INDEX match_email ON match_contacts (dnc_fdw_key(email, 'email'));
CREATE INDEX match_number ON match_contacts USING gin (dnc_fdw_keys('(212) 555-' || number, 'phone', 'US'));
ANALYZE match_contacts;
EXPLAIN (COSTS OFF) SELECT email FROM match_contacts WHERE dnc_fdw_key(email, 'email') = 'email:person7@example.com';
SELECT email FROM match_contacts WHERE dnc_fdw_key(email, 'email') = dnc_fdw_key('"P." <PERSON7@example.com>', 'email');
SELECT email FROM match_contacts WHERE dnc_fdw_keys('(212) 555-' || number, 'phone', 'US') @> ARRAY['tel:?2125550007'];
DROP TABLE match_contacts;

-- the functions are what they say they are
SELECT proname, provolatile, proparallel, proisstrict, pronargdefaults FROM pg_proc WHERE proname IN ('dnc_fdw_key', 'dnc_fdw_keys', 'dnc_fdw_spellings', 'dnc_fdw_key_version') ORDER BY proname;
SELECT dnc_fdw_key_version() ~ '^[0-9a-f]{16}$' AS version, dnc_fdw_key_version() = dnc_fdw_key_version() AS same;
SELECT extrelocatable FROM pg_extension WHERE extname = 'dnc_fdw';
