-- plpython.sql: Alta's list as a function that a user would write in Python.
--
-- The standard library only; one connection that is kept, since a new one for each page would be slower still.

CREATE EXTENSION plpython3u;

CREATE FUNCTION python_opt_outs(base_url text, token text)
RETURNS TABLE (id uuid, identifier text, identifier_type text, label text, is_manually_added boolean,
               created_at timestamptz, updated_at timestamptz)
LANGUAGE plpython3u AS $$
import http.client
import json
import urllib.parse

url = urllib.parse.urlsplit(base_url)
connection = http.client.HTTPConnection(url.netloc)
cursor = None
while True:
    query = {"limit": 100}
    if cursor is not None:
        query["cursor"] = cursor
    connection.request("GET", url.path + "/dnc/communication-opt-outs?" + urllib.parse.urlencode(query),
                       headers={"Authorization": "Bearer " + token})
    answer = connection.getresponse()
    if answer.status != 200:
        plpy.error("status %d" % answer.status)
    page = json.load(answer)
    for entry in page["data"]:
        yield (entry["id"], entry["identifier"], entry["identifierType"], entry.get("label"),
               entry["isManuallyAdded"], entry["createdAt"], entry["updatedAt"])
    if not page["hasMore"]:
        break
    cursor = page["next"]
connection.close()
$$;

-- Starts Python and loads what the function imports, so that this is not measured.
CREATE FUNCTION python_start() RETURNS void LANGUAGE plpython3u AS $$
import http.client
import json
import urllib.parse
$$;
