-- Options: each bad one is refused with its name, its range and what to do.
\set VERBOSITY default
SET client_min_messages = warning;

-- servers
CREATE SERVER bad FOREIGN DATA WRAPPER dnc_fdw;
\echo :LAST_ERROR_SQLSTATE
CREATE SERVER bad FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'nobody');
\echo :LAST_ERROR_SQLSTATE
CREATE SERVER bad FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', pagesize '10');
\echo :LAST_ERROR_SQLSTATE
CREATE SERVER bad FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', colour 'red');
CREATE SERVER bad FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', token 'secret');
CREATE SERVER bad FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', column_name 'id');

-- values: kind and range
CREATE SERVER bad FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', page_size '101');
\echo :LAST_ERROR_SQLSTATE
CREATE SERVER bad FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', page_size '0');
CREATE SERVER bad FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', page_size 'ten');
CREATE SERVER bad FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', batch_size '501');
CREATE SERVER bad FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', max_concurrency '0');
CREATE SERVER bad FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', connect_timeout '10 parsecs');
CREATE SERVER bad FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', max_wait '2days');
CREATE SERVER bad FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', max_response_size '1TB');
CREATE SERVER bad FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', estimated_rows 'NaN');
CREATE SERVER bad FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', updatable 'perhaps');
CREATE SERVER bad FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', write_mode 'later');
CREATE SERVER bad FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', ca_file '');
-- counts: decimal digits and nothing else, since '0.4' would be 0, which is no limit
CREATE SERVER bad FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', max_deletes '0.4');
\echo :LAST_ERROR_SQLSTATE
CREATE SERVER bad FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', max_deletes '99999999999999999999');
CREATE SERVER good FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta');
DO $$
DECLARE
  option text;
  value text;
BEGIN
  FOREACH option IN ARRAY ARRAY['page_size', 'batch_size', 'max_concurrency', 'requests_per_minute', 'max_retries',
    'max_requests', 'max_deletes', 'max_wait', 'connect_timeout', 'request_timeout', 'max_response_size'] LOOP
    FOREACH value IN ARRAY ARRAY['0.4', '1.5', '1e3', '2E3', ' 5', '5 5', '0x10', '0X10', '+5', '-1', '', ' ', '5;', '٥', '1_000',
      'Infinity', 'NaN', '2147483648', '99999999999999999999'] LOOP
      BEGIN
        EXECUTE format('ALTER SERVER good OPTIONS (ADD %I %L)', option, value);
        RAISE WARNING '% %: taken', option, quote_literal(value);
      EXCEPTION WHEN SQLSTATE 'HV024' THEN
        NULL;
      END;
    END LOOP;
  END LOOP;
  -- a time or size of whole milliseconds or bytes has the units that PostgreSQL knows
  FOREACH value IN ARRAY ARRAY['1.5s', '90 s', '0.5min', '1500', '1500ms', '007'] LOOP
    EXECUTE format('ALTER SERVER good OPTIONS (ADD request_timeout %L)', value);
    ALTER SERVER good OPTIONS (DROP request_timeout);
  END LOOP;
END $$;
CREATE SERVER bad FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', max_wait '0.4ms');
DROP SERVER good;
-- an option that means nothing to this provider
CREATE SERVER bad FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', scan_check 'reread');
\echo :LAST_ERROR_SQLSTATE

-- base_url: https, or http to this machine; nothing secret in it
CREATE SERVER bad FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url 'http://example.com/v1');
\echo :LAST_ERROR_SQLSTATE
CREATE SERVER bad FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url 'http://127.0.0.1.example.com');
CREATE SERVER bad FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url 'http://localhost@example.com');
CREATE SERVER bad FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url 'https://me:secret@example.com');
CREATE SERVER bad FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url 'https://example.com/?key=1');
CREATE SERVER bad FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url 'https://example.com/#top');
CREATE SERVER bad FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url E'https://example.com/\r\nX: y');
CREATE SERVER bad FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url 'file:///etc/passwd');
CREATE SERVER bad FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url 'example');
CREATE SERVER bad FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url '');
-- and no spelling that libcurl would mend into another URL
CREATE SERVER bad FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url 'https:///v1');
CREATE SERVER bad FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url 'https:/v1.example/x');
CREATE SERVER bad FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url 'https://v1.example:0/x');
CREATE SERVER bad FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url 'https://v1.example/a/../b');
CREATE SERVER bad FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url 'https://v1..example/');
CREATE SERVER bad FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url 'https://[fe80::1%25eth0]/');
CREATE SERVER bad FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url 'https://v1.example/%2fx');
CREATE SERVER bad FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url 'https://v1.example/100%');
CREATE SERVER bad FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url 'https://v1.example/a\b');

-- each of these is good
CREATE SERVER good FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url 'https://example.com/v1/',
  page_size '50', batch_size '500', max_concurrency '8', requests_per_minute '0', connect_timeout '500ms',
  request_timeout '2min', max_retries '0', max_wait '0', max_requests '10', max_response_size '64kB',
  ca_file '/etc/ssl/certs/ca-certificates.crt', write_mode 'immediate', max_deletes '0',
  pause_active_prospects 'off', search_match 'substring', estimated_rows '1e6', request_cost '10.5',
  updatable 'no', async_capable 'false');
ALTER SERVER good OPTIONS (SET base_url 'http://[::1]:8089');
ALTER SERVER good OPTIONS (SET base_url 'http://LOCALHOST:8089/alta/v1');
ALTER SERVER good OPTIONS (DROP provider);
ALTER SERVER good OPTIONS (SET page_size '1000');

-- user mappings: a token that is fit for a header, and is never shown
CREATE USER MAPPING FOR CURRENT_USER SERVER good;
\echo :LAST_ERROR_SQLSTATE
CREATE USER MAPPING FOR CURRENT_USER SERVER good OPTIONS (token E'top\nsecret');
CREATE USER MAPPING FOR CURRENT_USER SERVER good OPTIONS (token 'top secret');
CREATE USER MAPPING FOR CURRENT_USER SERVER good OPTIONS (token '');
CREATE USER MAPPING FOR CURRENT_USER SERVER good OPTIONS (tokn 'secret');
CREATE USER MAPPING FOR CURRENT_USER SERVER good OPTIONS (token 'secret');

-- tables and columns
CREATE FOREIGN TABLE bad_table (identifier text) SERVER good OPTIONS (base_url 'https://example.com');
CREATE FOREIGN TABLE bad_table (identifier text) SERVER good OPTIONS (max_delete '5');
CREATE FOREIGN TABLE bad_table (who text OPTIONS (column_name 'identifer')) SERVER good;
\echo :LAST_ERROR_SQLSTATE
CREATE FOREIGN TABLE bad_table (who text OPTIONS (colum_name 'identifier')) SERVER good;
-- what depends on the provider is seen when the table is used
CREATE FOREIGN TABLE too_large (identifier text) SERVER good OPTIONS (page_size '101');
EXPLAIN SELECT * FROM too_large;
CREATE FOREIGN TABLE unknown_column (identifier text, mail text) SERVER good;
EXPLAIN SELECT * FROM unknown_column;
\echo :LAST_ERROR_SQLSTATE
-- PostgreSQL does not ask us when a column is added; with column_name, it does
CREATE FOREIGN TABLE added_column (identifier text, identifier_type text) SERVER good;
ALTER FOREIGN TABLE added_column ADD COLUMN notes text OPTIONS (column_name 'notes');
ALTER FOREIGN TABLE added_column ADD COLUMN notes text;
EXPLAIN SELECT identifier FROM added_column;
DELETE FROM added_column WHERE identifier = 'a@example.com';
ALTER FOREIGN TABLE added_column DROP COLUMN notes;
EXPLAIN (COSTS OFF) SELECT identifier FROM added_column WHERE identifier = 'a@example.com';

-- settings with our prefix are ours
SET dnc_fdw.no_such_setting = 1;

DROP SERVER good CASCADE;
