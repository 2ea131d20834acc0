-- t/docs/tutorial.sql: a reader has no role dnc_jobs yet; examples/README.md has made one
--
-- \i finds the recipes from the tree's top.

DO $$
BEGIN
  IF to_regrole('dnc_jobs') IS NOT NULL THEN
    ALTER ROLE dnc_jobs RENAME TO dnc_jobs_of_examples;
  END IF;
END $$;
\cd :top

-- The lists as step 2 fills them, without what the demo has added.
\setenv URL :url
\! for l in alta/demo sendkit/demo weya/demo; do curl -s -X DELETE "$URL/sandbox/$l" >/dev/null; done
\! for l in 'alta/demo/fill?count=2500' 'sendkit/demo/fill?count=500' 'weya/demo/fill?count=300'; do curl -s -X POST "$URL/sandbox/$l" >/dev/null; done
