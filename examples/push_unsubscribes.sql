-- examples/push_unsubscribes.sql: puts people who unsubscribe in the CRM on Alta's list
--
-- What it does   A trigger puts each row of crm.unsubscribes into the queue, in the transaction that unsubscribes.
--                After COMMIT the row is on its way, and nobody waits for the vendor. Every minute, a job sends the
--                rows that wait. A second job fails if a row has waited for more than an hour, or was refused.
-- What it needs  setup.sql. For SendKit too: sed 's/alta/sendkit/g; s/Alta/SendKit/g' push_unsubscribes.sql | psql
--                Each list has a job of its own, so a vendor's bad day does not hold up the other vendor.
-- How it fails   API down, rate limit: the rows wait, and are tried again, after longer each time. Token refused: the
--                rows wait until the user mapping has a new token. The vendor may have taken some rows by then. To send
--                these again is no mistake on alta and sendkit. (Weya has no emails; there, give batch_id and
--                request_uuid.) A row that the vendor refuses does not hold up the others: we find the row by halving
--                the batch. It is then dead in dnc_fdw_queue, with the vendor's words. Until somebody decides, scans
--                of the list show the row.
-- In the morning SELECT id, server, identifier, message FROM dnc_fdw_queue WHERE state = 'dead';
--                To send rows again: SELECT dnc_fdw_queue_retry(ARRAY[7]); to give rows up:
--                SELECT dnc_fdw_queue_discard(ARRAY[7], 'the reason').

BEGIN;
SET LOCAL ROLE dnc_jobs;

CREATE FOREIGN TABLE dnc.alta_queued (identifier text, identifier_type text)
  SERVER alta OPTIONS (write_mode 'queue');

-- Runs as dnc_jobs, so the role that unsubscribes people needs no token. A blank email is nobody's.
CREATE FUNCTION dnc.queue_for_alta() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  INSERT INTO dnc.alta_queued (identifier, identifier_type)
    SELECT email, 'email' FROM unsubscribed WHERE email ~ '\S';
  RETURN NULL;
END
$$ SET search_path = pg_catalog, pg_temp;

-- Fails if an unsubscribe has waited for an hour, or was refused. The error names rows by number: logs are no place for
-- emails.
CREATE FUNCTION dnc.check_push_to_alta() RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  late bigint[] := ARRAY(SELECT q.id FROM public.dnc_fdw_queue q
                         WHERE q.server = 'alta' AND q.action = 'add'
                           AND (q.state IN ('dead', 'held')
                                OR (q.state IN ('waiting', 'sending') AND q.queued_at < now() - interval '1 hour'))
                         ORDER BY q.id);
BEGIN
  IF cardinality(late) > 0 THEN
    RAISE EXCEPTION 'unsubscribes are missing on the list "alta": %', cardinality(late)
      USING DETAIL = format('The first of them have these ids in dnc_fdw_queue: %s.', array_to_string(late[:20], ', ')),
            HINT = 'See dnc_fdw_queue for what the vendor says, and dnc_fdw_queue_health for what holds them up.';
  END IF;
END
$$ SET search_path = pg_catalog, pg_temp;

SELECT cron.schedule('push to alta', '* * * * *', $$CALL public.dnc_fdw_deliver('alta')$$);
SELECT cron.schedule('alert of unsubscribes not on alta', '5 * * * *', $$SELECT dnc.check_push_to_alta()$$);

RESET ROLE;
CREATE TRIGGER queue_for_alta AFTER INSERT ON crm.unsubscribes
  REFERENCING NEW TABLE AS unsubscribed FOR EACH STATEMENT EXECUTE FUNCTION dnc.queue_for_alta();

-- Queue the people who unsubscribed before the trigger existed.
SET LOCAL ROLE dnc_jobs;
INSERT INTO dnc.alta_queued (identifier, identifier_type)
  SELECT email, 'email' FROM crm.unsubscribes WHERE email ~ '\S';

COMMIT;
