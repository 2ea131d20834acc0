/*
 * control_list.c
 *		The control endpoints that fill an account's list and show it.
 */
#include "control_list.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <string.h>

#include "encode.h"

#define MAX_FILL 10000000
#define MAX_TYPES 16

/* The contents of a fill request. */
typedef struct SbFill
{
	int64_t		count;
	int64_t		from;
	int			type[MAX_TYPES];
	int			types;
} SbFill;

/* Reads a comma-separated list of types; false, with the problem, if one is unknown. */
static bool
take_types(const SbApi *api, const char *list, SbFill *fill, SbText *problem)
{
	fill->types = 0;
	while (fill->types < MAX_TYPES)
	{
		size_t		len = strcspn(list, ",");
		int			type = 0;

		while (api->types[type] != NULL &&
			   (strlen(api->types[type]) != len || memcmp(api->types[type], list, len) != 0))
			type++;
		if (api->types[type] == NULL)
			break;
		fill->type[fill->types++] = type;
		if (list[len] == '\0')
			return true;
		list += len + 1;
	}
	if (api->types[0] == NULL)
		sb_text_printf(problem, "entries of %s have no types", api->name);
	else
		sb_text_str(problem, "types takes one or more, separated by commas, of ");
	sb_api_type_list(api->types, problem);
	return false;
}

/* Reads a fill request; false, with the problem, if it is invalid. */
static bool
take_fill(SbAccount *account, const SbQuery *query, SbFill *fill, SbText *problem)
{
	fill->count = 0;
	fill->from = (int64_t) account->filled + 1;
	while (fill->types < MAX_TYPES && account->api->types[fill->types] != NULL)
	{
		fill->type[fill->types] = fill->types;
		fill->types++;
	}
	for (int i = 0; i < query->params; i++)
	{
		const char *name = query->param[i].name;
		const char *value = query->param[i].value;

		if (strcmp(name, "count") == 0)
		{
			if (!sb_parse_integer(value, 1, MAX_FILL, &fill->count))
				break;
		}
		else if (strcmp(name, "from") == 0)
		{
			if (!sb_parse_integer(value, 1, INT32_MAX, &fill->from))
			{
				sb_text_printf(problem, "from must be an integer from 1 to %d", INT32_MAX);
				return false;
			}
		}
		else if (strcmp(name, "types") != 0)
		{
			sb_text_printf(problem, "fill takes count, types and from, not %.100s", name);
			return false;
		}
		else if (!take_types(account->api, value, fill, problem))
			return false;
	}
	if (fill->count >= 1 && fill->count <= MAX_FILL)
		return true;
	sb_text_printf(problem, "count must be an integer from 1 to %d", MAX_FILL);
	return false;
}

/* POST fill: adds numbered entries; answers with the number of entries added. */
void
sb_control_fill(SbAccount *account, const SbQuery *query, SbRequest *req)
{
	SbFill		fill = {0};
	SbText		problem = {0};
	int64_t		added = 0;

	if (take_fill(account, query, &fill, &problem))
	{
		for (int64_t n = fill.from; n < fill.from + fill.count; n++)
		{
			int			type = fill.types > 0 ? fill.type[(n - 1) % fill.types] : SB_NO_TYPE;

			added += account->api->fill(account, (uint64_t) n, type);
		}
		account->filled += (uint64_t) fill.count;
		sb_answer_text(&req->answer, 200, "%" PRId64, added);
	}
	else
		sb_answer_text(&req->answer, 400, "%s", problem.data);
	sb_text_free(&problem);
}

/* The value of an entry's member that is a string; "" if it is none. */
static const char *
member_string(const cJSON *entry, const char *name)
{
	const cJSON *value = name == NULL ? NULL : cJSON_GetObjectItemCaseSensitive(entry, name);

	return cJSON_IsString(value) ? value->valuestring : "";
}

/* Adds one raw entry, with the name, id and type in its JSON, as far as there are any. */
static void
add_raw(SbAccount *account, const cJSON *value, const char *json, size_t json_len)
{
	const SbApi *api = account->api;
	const char *name = member_string(value, api->name_member);
	const char *id = member_string(value, api->id_member);
	int			type = sb_api_type(api->types, member_string(value, api->type_member));
	SbText		text = {0};
	SbTraits	traits = {.type = type < 0 ? SB_NO_TYPE : type};

	if (api->name_sign != '\0' && name[0] == api->name_sign)
		name++;
	for (int i = 0; api->search_members != NULL && api->search_members[i] != NULL; i++)
		sb_text_search(&text, member_string(value, api->search_members[i]));
	traits.key[SB_BY_NAME] = name;
	traits.key_len[SB_BY_NAME] = strlen(name);
	traits.key[SB_BY_ID] = id;
	traits.key_len[SB_BY_ID] = strlen(id);
	traits.text = text.data;
	traits.text_len = text.len;
	sb_store_insert(&account->list, account->list.count, json, json_len, &traits);
	sb_text_free(&text);
}

/*
 * PUT entries: appends the elements of a JSON array unchanged; answers with their number.  They
 * may come from this account before it was emptied.  So new entries get much higher numbers
 * from now on: the number determines the id, and no id may come twice.
 */
void
sb_control_put_entries(SbAccount *account, const SbQuery *query, SbRequest *req)
{
	cJSON	   *root = req->body.len == 0 ? NULL :
		cJSON_ParseWithOpts(req->body.data, NULL, true);
	const char *json = req->body.data;
	const cJSON *value;
	int64_t		count = 0;

	(void) query;
	if (!cJSON_IsArray(root))
	{
		cJSON_Delete(root);
		sb_answer_text(&req->answer, 400, "the body must be a JSON array of entries");
		return;
	}
	json = strchr(json, '[');
	cJSON_ArrayForEach(value, root)
	{
		size_t		len;

		json += 1;
		json += strspn(json, " \t\r\n");
		len = sb_json_value_length(json);
		add_raw(account, value, json, len);
		json += len;
		json += strspn(json, " \t\r\n");
		count++;
	}
	account->added += 1000000;
	cJSON_Delete(root);
	sb_answer_text(&req->answer, 200, "%" PRId64, count);
}

/* GET entries: the whole list as a JSON array, an entry a line. */
void
sb_control_get_entries(SbAccount *account, const SbQuery *query, SbRequest *req)
{
	SbText	   *into = &req->answer.body;
	SbEntry    *piece[512];
	size_t		from = 0;
	size_t		got;

	(void) query;
	sb_answer_set(&req->answer, 200, "application/json");
	sb_text_str(into, "[");
	while ((got = sb_store_slice(&account->list, from, 512, piece)) > 0)
	{
		for (size_t i = 0; i < got; i++)
		{
			sb_text_str(into, from + i > 0 ? ",\n" : "\n");
			sb_text_add(into, sb_entry_json(piece[i]), piece[i]->json_len);
		}
		from += got;
	}
	sb_text_str(into, "\n]\n");
}

/* GET count: the length of the list. */
void
sb_control_get_count(SbAccount *account, const SbQuery *query, SbRequest *req)
{
	(void) query;
	sb_answer_text(&req->answer, 200, "%zu", account->list.count);
}
