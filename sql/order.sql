-- One order for an account: what a statement removes is what its scan could see, and nobody
-- who is added is removed.
\getenv srcdir PG_ABS_SRCDIR
\set include :srcdir /sql/include/preamble.sql
\i :include
\set log '\\! for list in alta/order sendkit/order weya/order; do curl -s "$DNC_SANDBOX_URL/sandbox/$list/log?bodies=1" | grep -v ^GET | sed "s,^,$list ,; s,/delete/[0-9a-f]*,/delete/ID,"; curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/$list/log" >/dev/null; done'
\set clear '\\! for list in alta/order sendkit/order weya/order; do curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/$list/log" >/dev/null; done'
\! for p in alta sendkit weya; do curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/$p/order" >/dev/null; curl -s -X POST "$DNC_SANDBOX_URL/sandbox/$p/order/fill?count=8$([ $p = alta ] && echo "&types=email")" >/dev/null; done
CREATE SERVER order_alta FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url :'alta_url', max_retries '0', requests_per_minute '0');
CREATE SERVER order_twin FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'alta', base_url :'alta_url', max_retries '0', requests_per_minute '0');
CREATE SERVER order_sendkit FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'sendkit', base_url :'sendkit_url', max_retries '0');
CREATE SERVER order_weya FOREIGN DATA WRAPPER dnc_fdw OPTIONS (provider 'weya', base_url :'weya_url', max_retries '1', max_concurrency '1');
CREATE USER MAPPING FOR CURRENT_USER SERVER order_alta OPTIONS (token 'sandbox-order');
CREATE USER MAPPING FOR CURRENT_USER SERVER order_twin OPTIONS (token 'sandbox-order');
CREATE USER MAPPING FOR CURRENT_USER SERVER order_sendkit OPTIONS (token 'sk_order');
CREATE USER MAPPING FOR CURRENT_USER SERVER order_weya OPTIONS (token 'sandbox-order');
CREATE SCHEMA ord;
SET search_path = ord, public;
CREATE FOREIGN TABLE alta (id text, identifier text, identifier_type text DEFAULT 'email', label text) SERVER order_alta;
CREATE FOREIGN TABLE altanow (id text, identifier text, identifier_type text DEFAULT 'email', label text) SERVER order_alta
  OPTIONS (write_mode 'immediate');
CREATE FOREIGN TABLE twin (id text, identifier text, identifier_type text DEFAULT 'email', label text) SERVER order_twin;
CREATE FOREIGN TABLE twinnow (id text, identifier text, identifier_type text DEFAULT 'email', label text) SERVER order_twin
  OPTIONS (write_mode 'immediate');
CREATE FOREIGN TABLE sendkit (id text, identifier text, identifier_type text DEFAULT 'email') SERVER order_sendkit;
CREATE FOREIGN TABLE weya (id text, identifier text, batch_id text DEFAULT 'b', request_uuid text DEFAULT 'u') SERVER order_weya;

-- parts of one statement: the addition stays, in whatever order the parts run
WITH d AS (DELETE FROM alta WHERE identifier = 'person000001@example.com' RETURNING identifier),
  i AS (INSERT INTO alta (identifier, label) VALUES ('person000001@example.com', 'corrected') RETURNING identifier)
SELECT (SELECT count(*) FROM i) AS added, (SELECT count(*) FROM d) AS removed;
WITH d AS (DELETE FROM alta WHERE identifier = 'person000001@example.com' RETURNING identifier),
  i AS (INSERT INTO alta (identifier, label) VALUES ('person000001@example.com', 'corrected') RETURNING identifier)
SELECT (SELECT count(*) FROM d) AS removed, (SELECT count(*) FROM i) AS added;
:log
-- triggers that add again what is deleted
CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('INSERT INTO %I (identifier, identifier_type) VALUES ($1, $2)', TG_TABLE_NAME)
    USING OLD.identifier, OLD.identifier_type;
  RETURN OLD;
END $$;
CREATE TRIGGER again BEFORE DELETE ON alta FOR EACH ROW EXECUTE FUNCTION again();
DELETE FROM alta WHERE identifier IN ('person000001@example.com', 'person000002@example.com');
DROP TRIGGER again ON alta;
:log
CREATE TRIGGER again AFTER DELETE ON alta FOR EACH ROW EXECUTE FUNCTION again();
DELETE FROM alta WHERE identifier = 'person000001@example.com';
DROP TRIGGER again ON alta;
:log

-- a deletion of what the list has with other values leaves the addition
BEGIN;
INSERT INTO alta (identifier, label) VALUES ('person000003@example.com', 'corrected');
DELETE FROM alta WHERE identifier = 'person000003@example.com' AND label = 'Person 3';
SELECT identifier, label FROM alta WHERE identifier = 'person000003@example.com';
COMMIT;
:log
-- the addition itself can be deleted then
BEGIN;
INSERT INTO alta (identifier, label) VALUES ('person000003@example.com', 'corrected');
DELETE FROM alta WHERE identifier = 'person000003@example.com' AND label = 'Person 3';
DELETE FROM alta WHERE identifier = 'person000003@example.com' AND label = 'corrected';
SELECT count(*) FROM alta WHERE identifier = 'person000003@example.com';
ROLLBACK;
-- with the values that the list has it is one entry, and it goes
BEGIN;
INSERT INTO alta (identifier) VALUES ('person000003@example.com');
DELETE FROM alta WHERE identifier = 'person000003@example.com';
COMMIT;
:log

-- additions first, over all servers; none of the removals if one fails
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/sendkit/order/fault?kind=status&arg=400&method=POST" >/dev/null
BEGIN;
DELETE FROM alta WHERE identifier = 'person000004@example.com';
DELETE FROM sendkit WHERE identifier = 'person000001@example.com';
INSERT INTO alta (identifier) VALUES ('new@example.com');
INSERT INTO sendkit (identifier) VALUES ('new@example.com');
COMMIT;
:log
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/alta/order/fault?kind=status&arg=400&method=POST" >/dev/null
BEGIN;
DELETE FROM alta WHERE identifier = 'person000004@example.com';
INSERT INTO alta (identifier) VALUES ('person000004@example.com');
COMMIT;
SELECT count(*) FROM alta WHERE identifier = 'person000004@example.com';
:clear
-- what is deleted and added again is not removed; sendkit tells entries apart without case
BEGIN;
DELETE FROM alta WHERE identifier LIKE 'person%';
INSERT INTO alta (identifier) SELECT format('person%s@example.com', lpad(n::text, 6, '0')) FROM generate_series(4, 8) n;
DELETE FROM sendkit WHERE identifier = 'person000001@example.com';
INSERT INTO sendkit (identifier) VALUES ('Person000001@Example.com');
SELECT server, action, count(*) FROM dnc_fdw_pending() GROUP BY 1, 2 ORDER BY 1, 2;
COMMIT;
:log
-- but what is deleted after that is
BEGIN;
DELETE FROM sendkit WHERE identifier = 'person000001@example.com';
INSERT INTO sendkit (identifier) VALUES ('Person000001@Example.com');
DELETE FROM sendkit WHERE identifier = 'Person000001@Example.com';
COMMIT;
:log
-- an API that refuses what is listed gets neither
BEGIN;
DELETE FROM weya WHERE identifier = '15550000001';
INSERT INTO weya (identifier) VALUES ('15550000001');
SELECT * FROM dnc_fdw_pending();
COMMIT;
:log

-- a trigger that adds again what its own transaction has added, ON CONFLICT DO NOTHING: it stays
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('INSERT INTO %I (identifier) VALUES ($1) ON CONFLICT DO NOTHING', TG_TABLE_NAME) USING OLD.identifier;
  RETURN OLD;
END $$;
CREATE TRIGGER keep BEFORE DELETE ON alta FOR EACH ROW EXECUTE FUNCTION keep();
CREATE TRIGGER keep BEFORE DELETE ON altanow FOR EACH ROW EXECUTE FUNCTION keep();
CREATE TRIGGER keep BEFORE DELETE ON sendkit FOR EACH ROW EXECUTE FUNCTION keep();
CREATE TRIGGER keep BEFORE DELETE ON weya FOR EACH ROW EXECUTE FUNCTION keep();
BEGIN;
INSERT INTO alta (identifier) VALUES ('kept@example.com');
INSERT INTO sendkit (identifier) VALUES ('kept@example.com');
INSERT INTO weya (identifier) VALUES ('15559');
DELETE FROM alta WHERE identifier = 'kept@example.com';
DELETE FROM sendkit WHERE identifier = 'Kept@example.com';
DELETE FROM sendkit WHERE identifier = 'kept@example.com';
DELETE FROM weya WHERE identifier = '15559';
SELECT (SELECT count(*) FROM alta WHERE identifier = 'kept@example.com') AS alta,
  (SELECT count(*) FROM sendkit WHERE identifier = 'kept@example.com') AS sendkit,
  (SELECT count(*) FROM weya WHERE identifier = '15559') AS weya;
COMMIT;
:log
CREATE FUNCTION add_and_delete(text) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO altanow (identifier) VALUES ($1);
  DELETE FROM altanow WHERE identifier = $1;
  RETURN (SELECT count(*) FROM altanow WHERE identifier = $1);
END $$;
INSERT INTO altanow (identifier) VALUES ('outer@example.com') RETURNING add_and_delete('inner@example.com');
:log
DROP TRIGGER keep ON altanow;
DROP TRIGGER keep ON sendkit;
-- taken back with its savepoint, so that nothing keeps it
BEGIN;
INSERT INTO alta (identifier) VALUES ('other@example.com');
SAVEPOINT a;
DELETE FROM alta WHERE identifier = 'other@example.com';
ROLLBACK TO a;
SELECT count(*) FROM alta WHERE identifier = 'other@example.com';
DROP TRIGGER keep ON alta;
DELETE FROM alta WHERE identifier = 'other@example.com';
SELECT * FROM dnc_fdw_pending();
ROLLBACK;
DROP TRIGGER keep ON alta;
DROP TRIGGER keep ON weya;
-- and in parts of one statement, in whatever order they run
BEGIN;
INSERT INTO alta (identifier) VALUES ('kept 2@example.com'), ('kept 3@example.com');
WITH i AS (INSERT INTO alta (identifier) VALUES ('kept 2@example.com') ON CONFLICT DO NOTHING RETURNING identifier),
  d AS (DELETE FROM alta WHERE identifier = 'kept 2@example.com' RETURNING identifier)
SELECT (SELECT count(*) FROM i) AS added, (SELECT count(*) FROM d) AS removed;
WITH i AS (INSERT INTO alta (identifier) VALUES ('kept 3@example.com') ON CONFLICT DO NOTHING RETURNING identifier),
  d AS (DELETE FROM alta WHERE identifier = 'kept 3@example.com' RETURNING identifier)
SELECT (SELECT count(*) FROM d) AS removed, (SELECT count(*) FROM i) AS added;
SELECT * FROM dnc_fdw_pending();
-- without a deletion it is as if it had not been said
INSERT INTO alta (identifier) VALUES ('kept 2@example.com') ON CONFLICT DO NOTHING;
DELETE FROM alta WHERE identifier = 'kept 2@example.com';
SELECT * FROM dnc_fdw_pending();
ROLLBACK;

-- no removal of the same person in another spelling, or as another type
BEGIN;
INSERT INTO alta (identifier, identifier_type) VALUES ('+12125550003', 'phone'), ('b.ob@gmail.com', 'email'), ('+12125550004', 'phone'), ('(212) 555-0006', 'phone');
COMMIT;
:clear
BEGIN;
DELETE FROM alta WHERE identifier LIKE '+1212%' OR identifier LIKE '%@gmail.com' OR identifier LIKE '(212%';
INSERT INTO alta (identifier, identifier_type) VALUES ('+1 (212) 555-0003', 'sms'), ('Bob@googlemail.com', 'email'), ('+12125550005', 'phone'), ('+12125550006', 'whatsapp');
SELECT * FROM dnc_fdw_pending();
ROLLBACK;
BEGIN;
ALTER FOREIGN TABLE alta OPTIONS (ADD default_country 'US');
DELETE FROM alta WHERE identifier = '(212) 555-0006';
INSERT INTO alta (identifier, identifier_type) VALUES ('+12125550006', 'whatsapp');
SELECT * FROM dnc_fdw_pending();
ROLLBACK;
-- weya's digits have their country code; only what weya takes for the same number is left out
BEGIN;
INSERT INTO weya (identifier) VALUES ('12125550003'), ('12125550004');
COMMIT;
:clear
BEGIN;
DELETE FROM weya WHERE identifier LIKE '1212555%';
INSERT INTO weya (identifier) VALUES ('+1 212 555 0003'), ('+12125550004');
SELECT * FROM dnc_fdw_pending();
COMMIT;
SELECT identifier FROM weya WHERE identifier LIKE '%1%212%555%' ORDER BY identifier COLLATE "C";
:clear

-- one order whatever the role: its mapping has the same token
CREATE ROLE regress_dnc_order;
GRANT USAGE ON SCHEMA ord TO regress_dnc_order;
GRANT ALL ON ALL TABLES IN SCHEMA ord TO regress_dnc_order;
CREATE USER MAPPING FOR regress_dnc_order SERVER order_weya OPTIONS (token 'sandbox-order');
CREATE USER MAPPING FOR regress_dnc_order SERVER order_alta OPTIONS (token 'sandbox-order');
BEGIN;
DELETE FROM weya WHERE identifier = '15550000002';
SET LOCAL ROLE regress_dnc_order;
SELECT count(*) FROM weya WHERE identifier = '15550000002';
INSERT INTO weya (identifier) VALUES ('15550000002') ON CONFLICT DO NOTHING;
SELECT count(*) FROM weya WHERE identifier = '15550000002';
RESET ROLE;
\! curl -s -X POST "$DNC_SANDBOX_URL/sandbox/weya/order/fault?kind=status&arg=503&method=DELETE" >/dev/null
COMMIT;
SELECT count(*) FROM weya WHERE identifier = '15550000002';
\! curl -s -X DELETE "$DNC_SANDBOX_URL/sandbox/weya/order/fault" >/dev/null
:clear

-- with another token it is perhaps the same list: what that adds is not seen, and stays
ALTER USER MAPPING FOR regress_dnc_order SERVER order_alta OPTIONS (SET token 'sandbox-order-2');
BEGIN;
INSERT INTO alta (identifier) VALUES ('person000001@example.com'), ('person000002@example.com');
SET LOCAL ROLE regress_dnc_order;
DELETE FROM alta WHERE identifier IN ('person000001@example.com', 'person000007@example.com');
RESET ROLE;
SELECT * FROM dnc_fdw_pending();
COMMIT;
:clear
ALTER USER MAPPING FOR regress_dnc_order SERVER order_alta OPTIONS (SET token 'sandbox-order');

-- the same token under two accounts: refused, whether it is written or read; under one it is one list
BEGIN;
DELETE FROM alta WHERE identifier = 'person000005@example.com';
SAVEPOINT a;
INSERT INTO twin (identifier) VALUES ('person000005@example.com');
ROLLBACK TO a;
SELECT count(*) FROM twin;
ROLLBACK;
ALTER SERVER order_alta OPTIONS (ADD account '');
ALTER FOREIGN TABLE alta OPTIONS (ADD account 'acme');
ALTER SERVER order_alta OPTIONS (ADD account 'acme');
ALTER SERVER order_twin OPTIONS (ADD account 'acme');
BEGIN;
DELETE FROM alta WHERE identifier = 'person000005@example.com';
SELECT count(*) FROM twin WHERE identifier = 'person000005@example.com';
INSERT INTO twin (identifier) VALUES ('person000005@example.com');
SELECT * FROM dnc_fdw_pending();
COMMIT;
:log

-- write_mode 'immediate': triggers and functions that add again what is deleted
CREATE TRIGGER again AFTER DELETE ON altanow FOR EACH ROW EXECUTE FUNCTION again();
DELETE FROM altanow WHERE identifier IN ('person000005@example.com', 'person000006@example.com');
DROP TRIGGER again ON altanow;
:log
CREATE TRIGGER again BEFORE DELETE ON altanow FOR EACH ROW EXECUTE FUNCTION again();
DELETE FROM altanow WHERE identifier = 'person000005@example.com';
DROP TRIGGER again ON altanow;
:log
CREATE FUNCTION add(text) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO altanow (identifier) VALUES ($1);
  RETURN (SELECT count(*) FROM altanow WHERE identifier = $1);
END $$;
DELETE FROM altanow WHERE identifier = 'person000005@example.com' RETURNING identifier, add(identifier);
:log
-- a statement within another hands on its removals too, and those by key
CREATE FUNCTION remove(text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM altanow WHERE identifier = $1 AND identifier_type = 'email';
  RETURN $1;
END $$;
INSERT INTO altanow (identifier) SELECT remove('person000005@example.com') UNION ALL VALUES ('other@example.com');
:log
INSERT INTO altanow (identifier) VALUES ('other@example.com') RETURNING remove(identifier);
:log
-- what a statement within another has written is taken back with its savepoint
CREATE FUNCTION fail(text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  BEGIN
    DELETE FROM altanow WHERE identifier = $1;
    INSERT INTO altanow (identifier) VALUES ('never@example.com');
    RAISE division_by_zero;
  EXCEPTION WHEN division_by_zero THEN
    RETURN $1;
  END;
END $$;
INSERT INTO altanow (identifier) VALUES ('kept@example.com') RETURNING fail('person000006@example.com');
SELECT count(*) FROM altanow WHERE identifier IN ('kept@example.com', 'person000006@example.com', 'never@example.com');
:log
-- a cursor that has seen what waits is not read on when that was sent
CREATE FUNCTION open_cursor() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  c refcursor := 'seen';
BEGIN
  OPEN c FOR SELECT identifier FROM altanow;
  MOVE NEXT FROM c;
  RETURN c;
END $$;
SET client_min_messages = error;	-- the warning of the rollback may come before the error, or behind it
BEGIN;
INSERT INTO altanow (identifier) VALUES ('seen@example.com') RETURNING open_cursor();
FETCH ALL FROM seen;
ROLLBACK;
SET client_min_messages = warning;
:log
-- both modes in one statement, or one within the other: refused before anything is sent
WITH d AS (DELETE FROM alta WHERE identifier = 'person000006@example.com' RETURNING identifier)
INSERT INTO altanow (identifier) SELECT identifier FROM d;
WITH d AS (DELETE FROM altanow WHERE identifier = 'person000006@example.com' RETURNING identifier)
INSERT INTO alta (identifier) SELECT identifier FROM d;
WITH d AS (DELETE FROM alta WHERE identifier = 'person000006@example.com' RETURNING identifier)
INSERT INTO twinnow (identifier) SELECT identifier FROM d;
SELECT count(*) FROM dnc_fdw_pending();
:log
-- a statement that reads the list, on whatever server, does not read what it adds
ALTER FOREIGN TABLE altanow OPTIONS (ADD batch_size '2');
ALTER FOREIGN TABLE twin OPTIONS (ADD page_size '3');
INSERT INTO altanow (identifier) SELECT 'copy of ' || identifier FROM twin;
ALTER SERVER order_twin OPTIONS (SET account 'someone else');
INSERT INTO altanow (identifier) SELECT 'copy of ' || identifier FROM twin WHERE identifier LIKE 'copy%';
SELECT count(*) FROM twin WHERE identifier LIKE 'copy%';
:clear
-- batches go out as they fill, for each partition of one server
CREATE TABLE parts (id text, identifier text, identifier_type text, label text) PARTITION BY LIST (identifier_type);
CREATE FOREIGN TABLE part_email PARTITION OF parts FOR VALUES IN ('email') SERVER order_alta OPTIONS (write_mode 'immediate', batch_size '2');
CREATE FOREIGN TABLE part_phone PARTITION OF parts FOR VALUES IN ('phone') SERVER order_alta OPTIONS (write_mode 'immediate', batch_size '2');
INSERT INTO parts (identifier, identifier_type) SELECT '+1555' || n, CASE n % 2 WHEN 0 THEN 'email' ELSE 'phone' END FROM generate_series(1, 10) n;
:log

DROP SCHEMA ord CASCADE;
DROP SERVER order_alta, order_twin, order_sendkit, order_weya CASCADE;
DROP ROLE regress_dnc_order;
