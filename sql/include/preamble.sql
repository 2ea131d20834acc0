\set ECHO none
-- How regression tests begin that talk to the sandbox.
SET client_min_messages = warning;
\getenv url DNC_SANDBOX_URL
\set alta_url :url /alta/v1
\set sendkit_url :url /sendkit
\set weya_url :url /weya
-- EXPLAIN as all versions of PostgreSQL would print it: 18 counts rows with two
-- decimals, says of each node whether it is disabled, and of an index how often
-- it was searched.
CREATE FUNCTION pg_temp.explain(query text, options text DEFAULT 'ANALYZE') RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
	plan text;
BEGIN
	FOR plan IN EXECUTE format('EXPLAIN (COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF, %s) %s', options, query)
	LOOP
		RETURN QUERY
			SELECT regexp_replace(line, '((actual rows=|Actual[ -]Rows\W+)\d+)\.00\M', '\1')
			FROM regexp_split_to_table(plan, '\n') AS line
			WHERE line !~ '^\s*["<]?(Disabled|Index[ -]Searches)\M';
	END LOOP;
END
$$;
\set ECHO all
