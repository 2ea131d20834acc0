-- t/docs/redirect.sql: lets what the documentation shows of vendors meet the sandbox
--
-- A reader's CREATE SERVER names a vendor, and the CREATE USER MAPPING a key of
-- theirs.  Both run as written; then the server's base_url is set to the sandbox
-- (psql variable url), and the token to that of the sandbox's account "demo".
-- What names the sandbox already stays as it is, except for its usual port, 8089.  And a server without a
-- requests_per_minute of its own gets '0', so that no test waits for a minute.

CREATE SCHEMA docs_harness;
CREATE TABLE docs_harness.apis AS
  SELECT provider, :'url' || path AS url, token
  FROM (VALUES ('alta', '/alta/v1', 'sandbox-demo'),
               ('sendkit', '/sendkit', 'sk_demo'),
               ('weya', '/weya', 'sandbox-demo')) AS v (provider, path, token);

-- The command that gives an option a value, whether it is there already or not.
CREATE FUNCTION docs_harness.set_option(command text, options text[], name text, value text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('%s OPTIONS (%s %I %L)', command,
    CASE WHEN EXISTS (SELECT FROM pg_options_to_table(options) AS o WHERE o.option_name = name)
         THEN 'SET' ELSE 'ADD' END, name, value);
END $$;

CREATE FUNCTION docs_harness.redirect() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
  s record;
  m record;
BEGIN
  FOR s IN
    SELECT srvname, srvoptions, url, o.option_value AS base_url
    FROM pg_event_trigger_ddl_commands() AS c
    JOIN pg_foreign_server AS f ON c.classid = 'pg_foreign_server'::regclass AND f.oid = c.objid
    JOIN docs_harness.apis AS a
      ON a.provider = (SELECT option_value FROM pg_options_to_table(srvoptions) WHERE option_name = 'provider')
    LEFT JOIN LATERAL pg_options_to_table(srvoptions) AS o ON o.option_name = 'base_url'
  LOOP
    IF s.base_url IS NULL OR s.base_url !~ '^http://127\.0\.0\.1' OR s.base_url ~ '^http://127\.0\.0\.1:8089/' THEN
      PERFORM docs_harness.set_option(format('ALTER SERVER %I', s.srvname), s.srvoptions, 'base_url', s.url);
    END IF;
    IF NOT EXISTS (SELECT FROM pg_options_to_table(s.srvoptions) WHERE option_name = 'requests_per_minute') THEN
      PERFORM docs_harness.set_option(format('ALTER SERVER %I', s.srvname), s.srvoptions, 'requests_per_minute', '0');
    END IF;
  END LOOP;
  FOR m IN
    SELECT u.umuser, u.umoptions, f.srvname, a.token, t.option_value AS given
    FROM pg_event_trigger_ddl_commands() AS c
    JOIN pg_user_mapping AS u ON c.classid = 'pg_user_mapping'::regclass AND u.oid = c.objid
    JOIN pg_foreign_server AS f ON f.oid = u.umserver
    JOIN docs_harness.apis AS a
      ON a.provider = (SELECT option_value FROM pg_options_to_table(srvoptions) WHERE option_name = 'provider'),
    LATERAL pg_options_to_table(umoptions) AS t
    WHERE t.option_name = 'token' AND t.option_value !~ '^(sandbox-|sk_(user_)?demo)'
  LOOP
    PERFORM docs_harness.set_option(
      format('ALTER USER MAPPING FOR %s SERVER %I',
             CASE m.umuser WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(m.umuser)) END, m.srvname),
      m.umoptions, 'token', m.token);
  END LOOP;
END $$;

CREATE EVENT TRIGGER docs_redirect ON ddl_command_end
  WHEN TAG IN ('CREATE SERVER', 'CREATE USER MAPPING')
  EXECUTE FUNCTION docs_harness.redirect();
