-- IMPORT FOREIGN SCHEMA, and tables made by hand: columns by name or by
-- column_name, in any order and number, of any type that takes the value.
\getenv srcdir PG_ABS_SRCDIR
\set include :srcdir /sql/include/preamble.sql
\i :include
SET timezone = 'UTC';
\! curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/alta/import" >/dev/null
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/import/fill?count=4" >/dev/null
CREATE SERVER "Alta One" FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url :'alta_url');
CREATE USER MAPPING FOR CURRENT_USER SERVER "Alta One" OPTIONS (token 'sandbox-import');
CREATE SCHEMA everything;
CREATE SCHEMA named;
CREATE SCHEMA nothing;

IMPORT FOREIGN SCHEMA dnc FROM SERVER "Alta One" INTO everything;
\d everything.communication_opt_outs
IMPORT FOREIGN SCHEMA dnc LIMIT TO (communication_opt_outs) FROM SERVER "Alta One" INTO named;
IMPORT FOREIGN SCHEMA dnc LIMIT TO (something_else) FROM SERVER "Alta One" INTO nothing;
IMPORT FOREIGN SCHEMA dnc EXCEPT (communication_opt_outs) FROM SERVER "Alta One" INTO nothing;
SELECT foreign_table_schema, foreign_table_name FROM information_schema.foreign_tables ORDER BY 1, 2;
IMPORT FOREIGN SCHEMA public FROM SERVER "Alta One" INTO nothing;
\echo :LAST_ERROR_SQLSTATE
IMPORT FOREIGN SCHEMA dnc FROM SERVER "Alta One" INTO nothing OPTIONS (with_attrs 'true');

SELECT * FROM everything.communication_opt_outs;

-- another order, other names and types, the columns that IMPORT leaves out
CREATE DOMAIN address AS text CHECK (VALUE <> '');
CREATE TYPE channel AS ENUM ('email', 'linkedin', 'phone', 'sms', 'whatsapp', 'web_chat');
CREATE FOREIGN TABLE by_hand (
  "where" channel OPTIONS (column_name 'identifier_type'),
  attrs jsonb,
  gone text,
  manual text OPTIONS (column_name 'is_manually_added'),
  who address OPTIONS (column_name 'identifier'),
  since date OPTIONS (column_name 'created_at'),
  since_text varchar(10) OPTIONS (column_name 'source'),
  raw json OPTIONS (column_name 'attrs'),
  source text,
  search text,
  reason text,
  request_uuid uuid
) SERVER "Alta One";
ALTER FOREIGN TABLE by_hand DROP COLUMN gone;
\x
SELECT * FROM by_hand WHERE search = 'person000001@example.com';
\x
SELECT who, source FROM by_hand WHERE "where" = 'phone';
-- numbers of attrs are as the API gave them
\! curl -s -X PUT "$DNC_SANDBOX_URL/sandbox/alta/import/entries" -d '[{"id":"00000000-0000-0000-0000-000000000001","objectType":"communication-opt-out","identifier":"numbers@example.com","identifierType":"email","isManuallyAdded":true,"createdAt":"2025-02-03T04:05:06.789Z","updatedAt":"2025-02-03T04:05:06.789+01:00","big":12345678901234567890,"exact":1.10,"nested":{"b":[1,{"c":null}]}}]' >/dev/null
SELECT attrs -> 'big' AS big, attrs -> 'exact' AS exact, attrs -> 'nested' AS nested, since FROM by_hand WHERE who = 'numbers@example.com';
SELECT created_at, updated_at FROM everything.communication_opt_outs WHERE identifier = 'numbers@example.com';

-- a type that does not take the value: PostgreSQL's own error, and where it was
CREATE FOREIGN TABLE wrong_type (identifier integer) SERVER "Alta One";
SELECT * FROM wrong_type;
\echo :LAST_ERROR_SQLSTATE
-- only the columns that a query needs are decoded
CREATE FOREIGN TABLE half_wrong (identifier_type text, identifier integer) SERVER "Alta One";
SELECT identifier_type FROM half_wrong LIMIT 1;
SELECT count(*) FROM half_wrong;

-- a table needs no column at all
CREATE FOREIGN TABLE no_columns () SERVER "Alta One";
SELECT count(*) FROM no_columns;

DROP SERVER "Alta One" CASCADE;
DROP SCHEMA everything, named, nothing;
DROP DOMAIN address;
DROP TYPE channel;
