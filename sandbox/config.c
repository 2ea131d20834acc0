/*
 * config.c
 *		The settings of an account, as one table.
 */
#include "config.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

typedef struct SbSetting
{
	const char *name;
	size_t		offset;			/* of the long in SbConfig */
	int64_t		min;
	int64_t		max;
	const char *values[5];		/* of an enum, in the order of its numbers; NULL: an integer */
} SbSetting;

static const SbSetting settings[] = {
	{"latency_ms", offsetof(SbConfig, latency_ms), 0, 3600000, {NULL}},
	{"think_ms", offsetof(SbConfig, think_ms), 0, 3600000, {NULL}},
	{"bandwidth", offsetof(SbConfig, bandwidth), 0, 1000000000, {NULL}},
	{"compress", offsetof(SbConfig, compress), 0, 9, {NULL}},
	{"rate_limit", offsetof(SbConfig, rate_limit), 0, 1000000000, {NULL}},
	{"rate_window_ms", offsetof(SbConfig, rate_window_ms), 1, 86400000, {NULL}},
	{"rate_headers", offsetof(SbConfig, rate_headers), 0, 0,
	{"all", "ratelimit", "retry_after", "none", NULL}},
	{"search", offsetof(SbConfig, search), 0, 0, {"exact", "prefix", "substring", NULL}},
	{"search_case", offsetof(SbConfig, search_case), 0, 0, {"sensitive", "insensitive", NULL}},
	{"cursors", offsetof(SbConfig, cursors), 0, 0, {"page", "keyset", NULL}},
	{"cursor_use", offsetof(SbConfig, cursor_use), 0, 0, {"any", "once", NULL}},
	{"previous", offsetof(SbConfig, previous), 0, 0, {"given", "none", NULL}},
	{"type_filter", offsetof(SbConfig, type_filter), 0, 0, {"exact", "loose", NULL}},
	{"generation", offsetof(SbConfig, generation), 0, 0, {"new", "old", NULL}},
	{"max_limit", offsetof(SbConfig, max_limit), 1, SB_MAX_LIMIT, {NULL}},
	{"over_limit", offsetof(SbConfig, over_limit), 0, 0, {"cut", "refuse", NULL}},
	{"clock_offset", offsetof(SbConfig, clock_offset), -100000000, 100000000, {NULL}},
	{"order", offsetof(SbConfig, order), 0, 0, {"oldest", "newest", "random", NULL}},
	{"on_duplicate", offsetof(SbConfig, on_duplicate), 0, 0,
	{"ignore", "update", "error", NULL}},
	{"drift_add", offsetof(SbConfig, drift_add), 0, 100000, {NULL}},
	{"drift_remove", offsetof(SbConfig, drift_remove), 0, 100000, {NULL}},
	{"drift_at", offsetof(SbConfig, drift_at), 0, 0, {"front", "end", "random", NULL}},
	{"drift_seed", offsetof(SbConfig, drift_seed), 0, INT32_MAX, {NULL}},
	{"fault_seed", offsetof(SbConfig, fault_seed), 0, INT32_MAX, {NULL}}
};

#define SETTINGS (sizeof(settings) / sizeof(settings[0]))

/* Reads a setting's value; false, with the problem, if it is invalid. */
static bool
read_value(const SbSetting *setting, const char *value, long *into, SbText *problem)
{
	int64_t		number;

	if (setting->values[0] == NULL)
	{
		if (sb_parse_integer(value, setting->min, setting->max, &number))
		{
			*into = (long) number;
			return true;
		}
		sb_text_printf(problem, "%s takes an integer from %" PRId64 " to %" PRId64,
					   setting->name, setting->min, setting->max);
		return false;
	}
	for (int i = 0; setting->values[i] != NULL; i++)
	{
		if (strcmp(setting->values[i], value) == 0)
		{
			*into = i;
			return true;
		}
	}
	sb_text_printf(problem, "%s takes", setting->name);
	for (int i = 0; setting->values[i] != NULL; i++)
		sb_text_printf(problem, "%s %s", i > 0 ? " |" : "", setting->values[i]);
	return false;
}

/* Whether a setting is one of a list of names, NULL at the end. */
static bool
is_excepted(const SbSetting *setting, const char *const *except)
{
	for (; *except != NULL; except++)
		if (strcmp(setting->name, *except) == 0)
			return true;
	return false;
}

/* The setting with that name; NULL, with the problem, if there is none. */
static const SbSetting *
find_setting(const char *name, const char *const *except, SbText *problem)
{
	const char *comma = "";

	for (size_t i = 0; i < SETTINGS; i++)
		if (strcmp(settings[i].name, name) == 0 && !is_excepted(&settings[i], except))
			return &settings[i];
	sb_text_printf(problem, "no setting here is called %.100s; there are", name);
	for (size_t i = 0; i < SETTINGS; i++)
	{
		if (is_excepted(&settings[i], except))
			continue;
		sb_text_printf(problem, "%s %s", comma, settings[i].name);
		comma = ",";
	}
	return NULL;
}

/*
 * Applies all settings from a query, or none: then it returns false and the problem.  Settings
 * in `except` mean nothing to the account's API, and are refused.
 */
bool
sb_config_apply(SbConfig *config, const char *const *except, const SbQuery *query,
				SbText *problem)
{
	SbConfig	fresh = *config;

	for (int i = 0; i < query->params; i++)
	{
		const SbSetting *setting = find_setting(query->param[i].name, except, problem);

		if (setting == NULL ||
			!read_value(setting, query->param[i].value,
						(long *) ((char *) &fresh + setting->offset), problem))
			return false;
	}
	*config = fresh;
	return true;
}
