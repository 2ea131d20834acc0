-- examples/push_unsubscribes.sql: who unsubscribes in the CRM is put on Alta's list
--
-- What it does   Every ten minutes, sends the rows of crm.unsubscribes that were not sent yet, oldest first, and
--                marks them in dnc.deliveries, in the same transaction. A second job fails if one has waited
--                for more than an hour, or was refused.
-- What it needs  setup.sql. For SendKit too: sed 's/alta/sendkit/g; s/Alta/SendKit/g' push_unsubscribes.sql | psql
--                One job for each list, so that one vendor's bad day does not hold up the other's.
-- How it fails   API down, token refused, rate limit: the job fails, no row of the run is marked, and the next run
--                sends them all again. What the vendor had taken by then is there already, which is no
--                mistake on alta and sendkit. (Weya has no emails, and refuses what is listed: for phone numbers
--                there, INSERT ... ON CONFLICT DO NOTHING, and give batch_id and request_uuid.)
--                A row that the vendor refuses does not hold up the others: it is found by halves, and kept in
--                dnc.deliveries with the vendor's words. If the first three are refused and none was taken,
--                it is not the rows, and the job fails.
-- In the morning SELECT * FROM dnc.deliveries WHERE problem IS NOT NULL;
--                To have them sent again: DELETE FROM dnc.deliveries WHERE problem IS NOT NULL;

BEGIN;
SET LOCAL ROLE dnc_jobs;

CREATE TABLE IF NOT EXISTS dnc.deliveries (
  unsubscribe_id bigint,
  list text,
  tried_at timestamptz NOT NULL DEFAULT now(),
  problem text,                                   -- NULL: it is on the list
  PRIMARY KEY (list, unsubscribe_id)
);

-- Two unsubscribes of one mailbox are sent once. A view, so that the functions below find dnc_fdw_key().
CREATE OR REPLACE VIEW dnc.unsubscribe_keys AS
  SELECT id, email, coalesce(dnc_fdw_key(email, 'email'), email) AS match_key FROM crm.unsubscribes;

-- With write_mode 'immediate' INSERT itself fails if the vendor refuses, not COMMIT, which nothing could catch.
CREATE FOREIGN TABLE dnc.alta_at_once (identifier text, identifier_type text)
  SERVER alta OPTIONS (write_mode 'immediate');

-- Marks and sends these rows; where they are refused, each half by itself.
CREATE FUNCTION dnc.send_to_alta(ids bigint[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  half integer := cardinality(ids) / 2;
  message text;
  detail text;
BEGIN
  INSERT INTO dnc.deliveries (unsubscribe_id, list) SELECT unnest(ids), 'alta';
  INSERT INTO dnc.alta_at_once (identifier, identifier_type)
    SELECT DISTINCT ON (u.match_key) u.email, 'email' FROM dnc.unsubscribe_keys u WHERE u.id = ANY (ids)
    ORDER BY u.match_key, u.id;
EXCEPTION
  WHEN fdw_unable_to_create_execution OR invalid_parameter_value OR not_null_violation THEN
    -- The marks above are gone with the block.
    IF half > 0 THEN
      PERFORM dnc.send_to_alta(ids[:half]);
      PERFORM dnc.send_to_alta(ids[half + 1:]);
      RETURN;
    END IF;
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
    INSERT INTO dnc.deliveries (unsubscribe_id, list, problem)
      VALUES (ids[1], 'alta', concat_ws(': ', message, detail));
    IF (SELECT count(*) >= 3 AND bool_and(d.problem IS NOT NULL)
        FROM dnc.deliveries d WHERE d.list = 'alta' AND d.tried_at = now()) THEN
      RAISE;
    END IF;
END
$$ SET search_path = pg_catalog, pg_temp;

-- Sends what is due; a second run at the same time waits for the first.
CREATE FUNCTION dnc.push_to_alta() RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  due bigint[];
BEGIN
  PERFORM pg_advisory_xact_lock('dnc.alta_at_once'::regclass::bigint);
  due := ARRAY(SELECT u.id FROM crm.unsubscribes u
               WHERE NOT EXISTS (SELECT FROM dnc.deliveries d
                                 WHERE d.list = 'alta' AND d.unsubscribe_id = u.id)
               ORDER BY u.unsubscribed_at, u.id
               LIMIT 10000);
  -- As many as Alta takes in a request, so that no more than these are sent again if one is refused.
  FOR i IN 1 .. cardinality(due) BY 500 LOOP
    PERFORM dnc.send_to_alta(due[i:i + 499]);
  END LOOP;
END
$$ SET search_path = pg_catalog, pg_temp;

-- Fails if an unsubscribe waits or was refused. It names rows by their number: logs are no place for emails.
CREATE FUNCTION dnc.check_push_to_alta() RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  late bigint[] := ARRAY(SELECT u.id FROM crm.unsubscribes u
                         LEFT JOIN dnc.deliveries d ON d.list = 'alta' AND d.unsubscribe_id = u.id
                         WHERE d.problem IS NOT NULL
                            OR (d.unsubscribe_id IS NULL AND u.unsubscribed_at < now() - interval '1 hour')
                         ORDER BY u.id);
BEGIN
  IF cardinality(late) > 0 THEN
    RAISE EXCEPTION 'unsubscribes are missing on the list "alta": %', cardinality(late)
      USING DETAIL = format('The first of them have these ids: %s.', array_to_string(late[:20], ', ')),
            HINT = 'See dnc.deliveries for those that were refused, and cron.job_run_details for the others.';
  END IF;
END
$$ SET search_path = pg_catalog, pg_temp;

SELECT cron.schedule('push to alta', '*/10 * * * *', $$SELECT dnc.push_to_alta()$$);
SELECT cron.schedule('alert of unsubscribes not on alta', '5 * * * *', $$SELECT dnc.check_push_to_alta()$$);

COMMIT;
