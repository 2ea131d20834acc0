/* dnc_fdw--1.1--1.2.sql */

-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION dnc_fdw UPDATE TO '1.2'" to load this file. \quit

-- Of libraries' versions they depend like collations do: see docs/matching.md.  COST is
-- that of what they mostly see, in cpu_operator_cost: a number takes 15 us, an email less.
CREATE FUNCTION dnc_fdw_key(
  identifier text,
  identifier_type text,
  country text DEFAULT NULL
) RETURNS text
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100;
COMMENT ON FUNCTION dnc_fdw_key(text, text, text) IS 'a text that is equal where two identifiers mean the same; NULL if it cannot be told whom one means';

CREATE FUNCTION dnc_fdw_keys(
  identifier text,
  identifier_type text,
  country text DEFAULT NULL
) RETURNS text[]
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION dnc_fdw_keys(text, text, text) IS 'the keys of all entries of a list that block a contact';

CREATE FUNCTION dnc_fdw_spellings(
  identifier text,
  identifier_type text,
  country text DEFAULT NULL
) RETURNS text[]
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION dnc_fdw_spellings(text, text, text) IS 'the usual spellings of an identifier, to look entries of a list up by';

-- STABLE: an index or a stored column of an IMMUTABLE one would keep the version of once
-- where the version of now is asked for.
CREATE FUNCTION dnc_fdw_key_version() RETURNS text
AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL SAFE COST 100;
COMMENT ON FUNCTION dnc_fdw_key_version() IS 'version of the rules and libraries that keys depend on: where it differs, stored keys are to be made anew';

-- ----- knowing what goes on -----

CREATE FUNCTION dnc_fdw_totals(
  OUT database name,
  OUT server name,
  OUT since timestamptz,
  OUT requests bigint,
  OUT retries bigint,
  OUT rate_limited bigint,
  OUT rows_read bigint,
  OUT rows_added bigint,
  OUT rows_deleted bigint,
  OUT bytes_received bigint,
  OUT wait_ms double precision
) RETURNS SETOF record
AS 'MODULE_PATHNAME' LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED ROWS 10;
COMMENT ON FUNCTION dnc_fdw_totals() IS 'what all sessions of the cluster have sent to servers of dnc_fdw and got from them since its start';

CREATE FUNCTION dnc_fdw_get_progress(
  OUT pid integer,
  OUT datid oid,
  OUT server name,
  OUT relid oid,
  OUT action text,
  OUT pages bigint,
  OUT rows bigint,
  OUT expected_rows bigint,
  OUT requests bigint,
  OUT waiting_until timestamptz,
  OUT started_at timestamptz
) RETURNS SETOF record
AS 'MODULE_PATHNAME' LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED ROWS 10;
COMMENT ON FUNCTION dnc_fdw_get_progress() IS 'what the view dnc_fdw_progress is made of';

-- An OID of a table means something in its own database only.
CREATE VIEW dnc_fdw_progress AS
  SELECT p.pid, p.datid, d.datname, p.server, p.relid,
    CASE WHEN d.datname = current_database() THEN p.relid::regclass END AS relation,
    p.action, p.pages, p.rows, p.expected_rows, p.requests, p.waiting_until, p.started_at
  FROM dnc_fdw_get_progress() p LEFT JOIN pg_database d ON d.oid = p.datid;
GRANT SELECT ON dnc_fdw_progress TO PUBLIC;
COMMENT ON VIEW dnc_fdw_progress IS 'what dnc_fdw does now in any session of the cluster';

CREATE FUNCTION dnc_fdw_check(
  OUT server name,
  OUT ok boolean,
  OUT http_status integer,
  OUT message text,
  OUT latency interval,
  OUT rate_limit integer,
  OUT rate_remaining integer
) RETURNS SETOF record
AS 'MODULE_PATHNAME', 'dnc_fdw_check_all' LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE COST 40000 ROWS 3;
COMMENT ON FUNCTION dnc_fdw_check() IS 'dnc_fdw_check(server) for all servers of dnc_fdw that the caller may use';

CREATE FUNCTION dnc_fdw_probe(
  server name,
  OUT topic text,
  OUT finding text,
  OUT setting text,
  OUT requests integer
) RETURNS SETOF record
AS 'MODULE_PATHNAME' LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED COST 400000 ROWS 13;
COMMENT ON FUNCTION dnc_fdw_probe(name) IS 'finds out with at most 12 list requests what a vendor does where its documents are silent';
-- ----- the queue: write_mode 'queue' -----

-- What tells this installation from its copies: not dumped, so that a restored database has
-- another one, and kept by pg_upgrade.  No table, which FOR ALL TABLES would publish: it is
-- the value of a sequence that nobody calls.
CREATE SEQUENCE dnc_fdw_instance_seed;
SELECT setval('dnc_fdw_instance_seed', ('x' || left(replace(gen_random_uuid()::text, '-', ''), 15))::bit(60)::bigint);
REVOKE ALL ON SEQUENCE dnc_fdw_instance_seed FROM PUBLIC;
COMMENT ON SEQUENCE dnc_fdw_instance_seed IS 'its value tells this installation of dnc_fdw from its copies';

CREATE VIEW dnc_fdw_instance AS
SELECT lpad(to_hex(last_value), 32, '0')::uuid AS instance FROM dnc_fdw_instance_seed;
REVOKE ALL ON dnc_fdw_instance FROM PUBLIC;
COMMENT ON VIEW dnc_fdw_instance IS 'tells this installation of dnc_fdw from its copies';

-- Writes that are not over.  The library inserts by the order of the columns.  OIDs count
-- here, and names in a copy, where what they name may be missing.  address is a hash of the
-- server's base_url and the workspace_id; seen_at is when the statement of a deletion began.
-- Persons are told apart by match_key, and by the identifier as a vendor may compare it: the
-- same text has another key with another identifier_type or default_country.
CREATE SEQUENCE dnc_fdw_queue_id CACHE 32;
REVOKE ALL ON SEQUENCE dnc_fdw_queue_id FROM PUBLIC;
COMMENT ON SEQUENCE dnc_fdw_queue_id IS 'numbers of writes in the queue';

CREATE TABLE dnc_fdw_queue_waiting (
  instance uuid NOT NULL,
  id bigint NOT NULL,
  database oid NOT NULL,
  system_identifier bigint NOT NULL,
  timeline integer NOT NULL,
  server name NOT NULL,
  relation oid NOT NULL,
  relation_name text NOT NULL,
  role oid NOT NULL,
  role_name name NOT NULL,
  account text NOT NULL,
  address text NOT NULL,
  action text NOT NULL,
  entry_id text,
  identifier text,
  identifier_type text,
  label text,
  reason text,
  batch_id text,
  request_uuid text,
  match_key text NOT NULL,
  xid xid8 NOT NULL,
  snapshot pg_snapshot,
  seen_at timestamptz,
  state text NOT NULL,
  attempts integer NOT NULL,
  unclear boolean NOT NULL,
  next_try timestamptz NOT NULL,
  http_status integer,
  sqlstate text,
  message text,
  queued_at timestamptz NOT NULL,
  retried_at timestamptz,
  requested_at timestamptz,
  PRIMARY KEY (id, instance)
) WITH (fillfactor = 70);
CREATE INDEX dnc_fdw_queue_waiting_key ON dnc_fdw_queue_waiting (match_key);
CREATE INDEX dnc_fdw_queue_waiting_folded ON dnc_fdw_queue_waiting (left(lower(ltrim(identifier, '+') COLLATE "C"), 400));
CREATE INDEX dnc_fdw_queue_waiting_xid ON dnc_fdw_queue_waiting ((CASE WHEN action = 'add' THEN xid END));
REVOKE ALL ON dnc_fdw_queue_waiting FROM PUBLIC;
COMMENT ON TABLE dnc_fdw_queue_waiting IS 'writes of the queue that wait, are being sent, or are dead: see the view dnc_fdw_queue';

-- Those that are over, and the acknowledged writes of the other write_modes where the account
-- has a mirror.  Of a write that is done, the list was as it says at some moment between
-- requested_at and done_at.  sent_with is a hash of the address and the token that it was sent
-- with: an account may have tokens for several lists.
CREATE TABLE dnc_fdw_queue_finished (
  LIKE dnc_fdw_queue_waiting,
  done_at timestamptz NOT NULL,
  sent_with text,
  PRIMARY KEY (id, instance)
);
CREATE INDEX dnc_fdw_queue_finished_key ON dnc_fdw_queue_finished (match_key);
CREATE INDEX dnc_fdw_queue_finished_folded ON dnc_fdw_queue_finished (left(lower(ltrim(identifier, '+') COLLATE "C"), 400));
CREATE INDEX dnc_fdw_queue_finished_done ON dnc_fdw_queue_finished (done_at);
REVOKE ALL ON dnc_fdw_queue_finished FROM PUBLIC;
COMMENT ON TABLE dnc_fdw_queue_finished IS 'writes of the queue that are over, for dnc_fdw.keep_done: see the view dnc_fdw_queue';

SELECT pg_extension_config_dump('dnc_fdw_queue_id', '');
SELECT pg_extension_config_dump('dnc_fdw_queue_waiting', '');
SELECT pg_extension_config_dump('dnc_fdw_queue_finished', '');

-- How the sending goes, for each token: paused, or backing off.  Of this database only.
CREATE TABLE dnc_fdw_queue_lanes (
  instance uuid NOT NULL,
  server oid NOT NULL,
  role oid NOT NULL,
  failures integer NOT NULL DEFAULT 0,
  next_try timestamptz NOT NULL DEFAULT '-infinity',
  paused_for text,
  http_status integer,
  sqlstate text,
  message text,
  last_success timestamptz,
  PRIMARY KEY (instance, server, role)
);
REVOKE ALL ON dnc_fdw_queue_lanes FROM PUBLIC;
COMMENT ON TABLE dnc_fdw_queue_lanes IS 'how the sending of the queue goes, for each server and role: see the view dnc_fdw_queue_health';

CREATE FUNCTION dnc_fdw_cluster(
  OUT system_identifier bigint,
  OUT timeline integer
) AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION dnc_fdw_cluster() IS 'identifier and timeline of this cluster, by which the queue knows copies of it';

CREATE VIEW dnc_fdw_queue WITH (security_barrier) AS
SELECT q.id,
  coalesce((SELECT s.srvname FROM pg_foreign_table t JOIN pg_foreign_server s ON s.oid = t.ftserver
            WHERE t.ftrelid = n.relation), q.server) AS server,
  n.relation,
  coalesce((SELECT r.rolname FROM pg_roles r WHERE r.oid = n.role), q.role_name) AS role,
  q.action, q.identifier, q.identifier_type,
  CASE WHEN q.state IN ('waiting', 'sending')
            AND (q.elsewhere OR (q.action = 'delete' AND (q.system_identifier, q.timeline) IS DISTINCT FROM (c.system_identifier, c.timeline)))
       THEN 'held' ELSE q.state END AS state,
  q.attempts,
  CASE WHEN q.state = 'waiting' THEN q.next_try END AS next_try,
  q.http_status, q.sqlstate, q.message, q.queued_at, q.done_at
FROM dnc_fdw_cluster() c
CROSS JOIN dnc_fdw_instance i
CROSS JOIN LATERAL (
  SELECT w.*, NULL::timestamptz AS done_at, NULL::text AS sent_with,
    w.instance <> i.instance OR w.database <> (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()) AS elsewhere
  FROM dnc_fdw_queue_waiting w
  UNION ALL
  SELECT f.*, false
  FROM dnc_fdw_queue_finished f
) q
CROSS JOIN LATERAL (
  -- In the rows of another installation, the OIDs are those of others here: the names count.
  SELECT CASE WHEN q.elsewhere OR q.instance <> i.instance THEN to_regclass(q.relation_name) ELSE q.relation::regclass END AS relation,
    CASE WHEN q.instance <> i.instance THEN (SELECT r.oid FROM pg_roles r WHERE r.rolname = q.role_name) ELSE q.role END AS role
) n
WHERE coalesce(has_table_privilege(n.relation, 'SELECT'), pg_has_role(n.role, 'USAGE'),
               (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user));
GRANT SELECT ON dnc_fdw_queue TO PUBLIC;
COMMENT ON VIEW dnc_fdw_queue IS 'writes of write_mode queue, of tables that one may read: what waits, and what has become of it';

-- A server that was dropped while writes waited for it has a row, too: nothing sends them.
CREATE VIEW dnc_fdw_queue_health WITH (security_barrier) AS
SELECT coalesce(s.srvname, q.server) AS server, coalesce(q.waiting, 0) AS waiting, q.oldest,
  coalesce(q.sending, 0) AS sending, coalesce(q.dead, 0) AS dead, coalesce(q.held, 0) AS held,
  coalesce(l.paused, false) AS paused, l.message, l.last_success,
  nullif(concat_ws(' ',
    CASE WHEN s.oid IS NULL
         THEN 'This server was dropped or renamed: its writes are not sent. Give a server this name, or dnc_fdw_queue_discard() them.'
    END,
    CASE WHEN q.held_additions > 0
         THEN format('%s additions are held: this database is a copy. SELECT dnc_fdw_queue_adopt() sends them from here.', q.held_additions)
    END), '') AS warning
FROM (
  SELECT o.oid, o.srvname
  FROM pg_foreign_server o
  JOIN pg_foreign_data_wrapper w ON w.oid = o.srvfdw
  JOIN pg_proc p ON p.oid = w.fdwhandler AND p.proname = 'dnc_fdw_handler'
) s
FULL JOIN (
  SELECT v.server, count(*) FILTER (WHERE v.state = 'waiting') AS waiting,
    min(v.queued_at) FILTER (WHERE v.state IN ('waiting', 'sending')) AS oldest,
    count(*) FILTER (WHERE v.state = 'sending') AS sending,
    count(*) FILTER (WHERE v.state = 'dead') AS dead,
    count(*) FILTER (WHERE v.state = 'held') AS held,
    count(*) FILTER (WHERE v.state = 'held' AND v.action = 'add') AS held_additions
  FROM dnc_fdw_queue v
  WHERE v.done_at IS NULL
  GROUP BY v.server
) q ON q.server = s.srvname
LEFT JOIN LATERAL (
  SELECT bool_or(a.paused_for IS NOT NULL) AS paused,
    string_agg(a.message, '; ') FILTER (WHERE a.failures > 0 OR a.paused_for IS NOT NULL) AS message,
    max(a.last_success) AS last_success
  FROM dnc_fdw_queue_lanes a
  WHERE a.server = s.oid AND a.instance = (SELECT i.instance FROM dnc_fdw_instance i)
) l ON true
WHERE s.oid IS NULL OR has_server_privilege(s.oid, 'USAGE');
GRANT SELECT ON dnc_fdw_queue_health TO PUBLIC;
COMMENT ON VIEW dnc_fdw_queue_health IS 'how the queue does: a row for each server that one may use, and for each that was dropped while writes waited';

CREATE PROCEDURE dnc_fdw_deliver(server name)
AS 'MODULE_PATHNAME' LANGUAGE C;
COMMENT ON PROCEDURE dnc_fdw_deliver(name) IS 'sends what waits in the queue of a server';

CREATE FUNCTION dnc_fdw_queue_retry(ids bigint[]) RETURNS bigint
AS 'MODULE_PATHNAME' LANGUAGE C STRICT;
COMMENT ON FUNCTION dnc_fdw_queue_retry(bigint[]) IS 'has writes of the queue sent as soon as possible, dead ones too; gives back how many';

CREATE FUNCTION dnc_fdw_queue_discard(ids bigint[], reason text) RETURNS bigint
AS 'MODULE_PATHNAME' LANGUAGE C;
COMMENT ON FUNCTION dnc_fdw_queue_discard(bigint[], text) IS 'gives writes of the queue up for good; gives back how many';

CREATE FUNCTION dnc_fdw_queue_resume(server name) RETURNS bigint
AS 'MODULE_PATHNAME' LANGUAGE C STRICT;
COMMENT ON FUNCTION dnc_fdw_queue_resume(name) IS 'ends the pauses of a server''s queue; gives back how many';

CREATE FUNCTION dnc_fdw_queue_adopt() RETURNS bigint
AS 'MODULE_PATHNAME' LANGUAGE C;
COMMENT ON FUNCTION dnc_fdw_queue_adopt() IS 'makes the writes that are held, since they came with a copy, this database''s own; gives back how many';

-- ----- the mirror: a local copy of a list -----

-- A row a mirror.  The mirror itself, its staging table and its view are the owner's.  read_with
-- is to the last complete pass what sent_with is to a write.
CREATE TABLE dnc_fdw_mirror_lists (
  source regclass PRIMARY KEY,
  mirror regclass NOT NULL,
  staging regclass NOT NULL,
  known regclass NOT NULL,
  server name NOT NULL,
  account text NOT NULL,
  owner regrole NOT NULL,
  read_by regrole NOT NULL,
  read_with text,
  max_age interval NOT NULL CHECK (max_age > '0'),
  gone_after integer NOT NULL CHECK (gone_after >= 0),
  max_loss double precision NOT NULL CHECK (max_loss BETWEEN 0 AND 1),
  key_version text,
  default_country text,
  complete_as_of timestamptz,
  added_as_of timestamptz,
  merged_at timestamptz,
  newest text,
  newest_at timestamptz,
  entries bigint,
  unshown bigint NOT NULL DEFAULT 0,
  needs_since timestamptz DEFAULT clock_timestamp()
);
CREATE INDEX dnc_fdw_mirror_lists_account ON dnc_fdw_mirror_lists (account);
REVOKE ALL ON dnc_fdw_mirror_lists FROM PUBLIC;
COMMENT ON TABLE dnc_fdw_mirror_lists IS 'the mirrors, and how fresh they are: see the view dnc_fdw_mirrors';

CREATE SEQUENCE dnc_fdw_pass_id;
REVOKE ALL ON SEQUENCE dnc_fdw_pass_id FROM PUBLIC;
COMMENT ON SEQUENCE dnc_fdw_pass_id IS 'numbers of passes over lists';

-- A row a pass.  It outlives the mirror, so that the list's name stands beside its OID.
CREATE TABLE dnc_fdw_pass_log (
  id bigint PRIMARY KEY,
  source oid NOT NULL,
  source_name text NOT NULL,
  owner oid NOT NULL,
  account text NOT NULL,
  mode text NOT NULL,
  state text NOT NULL,
  began_at timestamptz NOT NULL,
  ended_at timestamptz,
  pages bigint NOT NULL DEFAULT 0,
  rows bigint NOT NULL DEFAULT 0,
  remote_total bigint,
  requests bigint NOT NULL DEFAULT 0,
  resumes integer NOT NULL DEFAULT 0,
  restarts integer NOT NULL DEFAULT 0,
  added bigint,
  changed bigint,
  missing bigint,
  gone bigint,
  order_seen text,
  wide_keys bigint NOT NULL DEFAULT 0,
  key_version text NOT NULL,
  sha256 text,
  loss_accepted boolean NOT NULL DEFAULT false,
  sqlstate text,
  message text,
  -- Where it is, as long as it runs, and since when.
  saved_at timestamptz,
  fingerprint text,
  turn integer NOT NULL DEFAULT 1,
  turn_pages bigint NOT NULL DEFAULT 0,
  generation text,
  page_size integer,
  cursor text,
  place bigint,
  total bigint,
  moved boolean,
  given bigint,
  ids text[],
  at_end boolean NOT NULL DEFAULT false,
  newest_at timestamptz,
  last_created_at timestamptz,
  there text[] NOT NULL DEFAULT '{}',
  not_there text[] NOT NULL DEFAULT '{}'
);
CREATE INDEX dnc_fdw_pass_log_source ON dnc_fdw_pass_log (source, id);
REVOKE ALL ON dnc_fdw_pass_log FROM PUBLIC;
COMMENT ON TABLE dnc_fdw_pass_log IS 'the passes over lists that are mirrored: see the view dnc_fdw_passes';

SELECT pg_extension_config_dump('dnc_fdw_mirror_lists', '');
SELECT pg_extension_config_dump('dnc_fdw_pass_id', '');
SELECT pg_extension_config_dump('dnc_fdw_pass_log', '');

CREATE FUNCTION dnc_fdw_mirror_create(
  source regclass,
  max_age interval DEFAULT '26 hours',
  gone_after integer DEFAULT 2,
  max_loss double precision DEFAULT 0.1
) RETURNS void
AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION dnc_fdw_mirror_create(regclass, interval, integer, double precision) IS 'makes a mirror of a list: a table, and the view to read it by';

CREATE FUNCTION dnc_fdw_mirror_alter(
  source regclass,
  max_age interval DEFAULT NULL,
  gone_after integer DEFAULT NULL,
  max_loss double precision DEFAULT NULL
) RETURNS void
AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION dnc_fdw_mirror_alter(regclass, interval, integer, double precision) IS 'changes the terms of a mirror; NULL leaves one as it is';

CREATE FUNCTION dnc_fdw_mirror_drop(source regclass) RETURNS void
AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION dnc_fdw_mirror_drop(regclass) IS 'drops the mirror of a list, with its history';

CREATE PROCEDURE dnc_fdw_mirror_refresh(
  source regclass,
  mode text DEFAULT 'full',
  max_requests integer DEFAULT NULL,
  accept_loss boolean DEFAULT false
)
AS 'MODULE_PATHNAME' LANGUAGE C;
COMMENT ON PROCEDURE dnc_fdw_mirror_refresh(regclass, text, integer, boolean) IS 'brings a mirror up to date, or goes on with that';

CREATE FUNCTION dnc_fdw_mirror_guard(source regclass) RETURNS timestamptz
AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL RESTRICTED COST 10000;
COMMENT ON FUNCTION dnc_fdw_mirror_guard(regclass) IS 'when the last complete pass of a mirror began; an error if the mirror must not be read';

CREATE FUNCTION dnc_fdw_mirror_is_refused(source regclass) RETURNS boolean
AS 'MODULE_PATHNAME' LANGUAGE C STRICT STABLE PARALLEL RESTRICTED COST 10000;
COMMENT ON FUNCTION dnc_fdw_mirror_is_refused(regclass) IS 'must a mirror not be read, as dnc_fdw_mirror_guard() says';

-- ROWS of these two are of a bad day: a plan for few rows takes for ever when there are many,
-- and one for many costs nothing when there are few.
CREATE FUNCTION dnc_fdw_mirror_removed(
  source regclass,
  OUT match_key text,
  OUT identifier text,
  OUT identifier_type text,
  OUT entry_id text,
  OUT requested_at timestamptz,
  OUT done_at timestamptz,
  OUT merged_at timestamptz
) RETURNS SETOF record
AS 'MODULE_PATHNAME' LANGUAGE C STRICT STABLE PARALLEL RESTRICTED COST 10000 ROWS 10000;
COMMENT ON FUNCTION dnc_fdw_mirror_removed(regclass) IS 'our own removals that a mirror''s view leaves out';

CREATE FUNCTION dnc_fdw_mirror_added(
  source regclass,
  OUT match_key text,
  OUT identifier text,
  OUT identifier_type text,
  OUT label text,
  OUT reason text,
  OUT done_at timestamptz
) RETURNS SETOF record
AS 'MODULE_PATHNAME' LANGUAGE C STRICT STABLE PARALLEL RESTRICTED COST 10000 ROWS 10000;
COMMENT ON FUNCTION dnc_fdw_mirror_added(regclass) IS 'our own additions that a mirror''s view adds';

CREATE FUNCTION dnc_fdw_screen(
  source regclass,
  identifier text,
  identifier_type text,
  country text DEFAULT NULL
) RETURNS text
AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL RESTRICTED COST 10000;
COMMENT ON FUNCTION dnc_fdw_screen(regclass, text, text, text) IS 'listed, free or unknown: what the mirror of a list says of a contact';

CREATE VIEW dnc_fdw_mirrors WITH (security_barrier) AS
SELECT l.source, l.mirror, l.known, l.server, l.owner, l.max_age, l.gone_after, l.max_loss,
  l.complete_as_of, l.added_as_of,
  clock_timestamp() - l.complete_as_of AS age,
  dnc_fdw_mirror_is_refused(l.source) AS refused,
  l.entries, l.unshown, l.newest IS NOT NULL AS delta_allowed,
  p.id IS NOT NULL AS running, p.pages, p.rows,
  coalesce(p.message, f.message) AS message
FROM dnc_fdw_mirror_lists l
LEFT JOIN LATERAL (
  SELECT r.id, r.pages, r.rows, r.message FROM dnc_fdw_pass_log r
  WHERE r.source = l.source AND r.state = 'running' AND r.mode = 'full' ORDER BY r.id DESC LIMIT 1
) p ON true
LEFT JOIN LATERAL (
  SELECT CASE WHEN r.state = 'failed' THEN r.message END AS message FROM dnc_fdw_pass_log r
  WHERE r.source = l.source AND r.state <> 'running' ORDER BY r.id DESC LIMIT 1
) f ON true
WHERE pg_has_role(l.owner, 'USAGE') OR has_table_privilege(l.known, 'SELECT');
GRANT SELECT ON dnc_fdw_mirrors TO PUBLIC;
COMMENT ON VIEW dnc_fdw_mirrors IS 'mirrors that one may read: how old, how large, what went wrong';

-- In a database that was restored from a dump, OIDs of earlier passes mean nothing: names do.
CREATE VIEW dnc_fdw_passes WITH (security_barrier) AS
SELECT p.id, p.source_name AS source, p.account, p.mode, p.state,
  p.began_at, p.ended_at, p.pages, p.rows, p.remote_total, p.requests, p.resumes, p.restarts,
  p.added, p.changed, p.missing, p.gone, p.order_seen, p.wide_keys, p.key_version, p.sha256,
  p.loss_accepted, p.sqlstate, p.message
FROM dnc_fdw_pass_log p
WHERE coalesce(pg_has_role(p.owner, 'USAGE'), false)
  OR EXISTS (SELECT FROM dnc_fdw_mirror_lists l JOIN pg_class c ON c.oid = l.source JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE (l.source = p.source OR format('%I.%I', n.nspname, c.relname) = p.source_name)
               AND (pg_has_role(l.owner, 'USAGE') OR has_table_privilege(l.known, 'SELECT')))
  OR (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user);
GRANT SELECT ON dnc_fdw_passes TO PUBLIC;
COMMENT ON VIEW dnc_fdw_passes IS 'passes over lists, each with its certificate';

-- ----- workers: what runs by itself -----

CREATE FUNCTION dnc_fdw_get_workers(
  OUT kind text,
  OUT database name,
  OUT subject oid,
  OUT pid integer,
  OUT state text,
  OUT since timestamptz,
  OUT failures integer,
  OUT next_start timestamptz,
  OUT sqlstate text,
  OUT message text
) RETURNS SETOF record
AS 'MODULE_PATHNAME' LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED ROWS 10;
COMMENT ON FUNCTION dnc_fdw_get_workers() IS 'what the view dnc_fdw_workers is made of';

-- OIDs mean something in their own database only.
CREATE VIEW dnc_fdw_workers AS
SELECT w.kind, w.database,
  (SELECT s.srvname FROM pg_foreign_server s WHERE s.oid = w.subject AND w.kind = 'delivery' AND w.database = current_database()) AS server,
  (SELECT c.oid::regclass FROM pg_class c WHERE c.oid = w.subject AND w.kind = 'mirror' AND w.database = current_database()) AS relation,
  w.pid, w.state, w.since, w.failures, w.next_start, w.sqlstate, w.message
FROM dnc_fdw_get_workers() w;
GRANT SELECT ON dnc_fdw_workers TO PUBLIC;
COMMENT ON VIEW dnc_fdw_workers IS 'background processes of dnc_fdw in the cluster, and by what they have failed';

-- What is to be refreshed; the scheduler keeps in it what became of the last time.
CREATE TABLE dnc_fdw_mirror_schedules (
  source regclass PRIMARY KEY,
  full_every interval NOT NULL,
  delta_every interval,
  run_as regrole NOT NULL,
  next_full timestamptz NOT NULL,
  next_delta timestamptz,
  mode text,
  began_at timestamptz,
  ended_at timestamptz,
  failures integer NOT NULL DEFAULT 0,
  sqlstate text,
  message text
);
REVOKE ALL ON dnc_fdw_mirror_schedules FROM PUBLIC;
COMMENT ON TABLE dnc_fdw_mirror_schedules IS 'when mirrors are refreshed: see the view dnc_fdw_schedules';
SELECT pg_extension_config_dump('dnc_fdw_mirror_schedules', '');

CREATE VIEW dnc_fdw_schedules WITH (security_barrier) AS
SELECT m.source, m.full_every, m.delta_every, m.run_as, least(m.next_full, m.next_delta) AS next_start,
  m.mode, m.began_at, m.ended_at, m.failures, m.sqlstate, m.message
FROM dnc_fdw_mirror_schedules m
WHERE has_table_privilege(m.source, 'SELECT');
GRANT SELECT ON dnc_fdw_schedules TO PUBLIC;
COMMENT ON VIEW dnc_fdw_schedules IS 'when mirrors are refreshed, of tables that one may read, and what became of the last time';

CREATE FUNCTION dnc_fdw_mirror_schedule(
  source regclass,
  full_every interval,
  delta_every interval DEFAULT NULL,
  run_as regrole DEFAULT NULL
) RETURNS void
AS 'MODULE_PATHNAME' LANGUAGE C;
COMMENT ON FUNCTION dnc_fdw_mirror_schedule(regclass, interval, interval, regrole) IS 'has the mirror of a foreign table refreshed in the background from now on; full_every NULL ends that';
