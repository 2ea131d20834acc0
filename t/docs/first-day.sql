-- t/docs/first-day.sql: the vendor tells of its rate limit, as the real one does

\setenv URL :url
\! curl -s -X PUT "$URL/sandbox/alta/demo/config?rate_limit=1000000" >/dev/null
