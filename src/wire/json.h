/*-------------------------------------------------------------------------
 *
 * json.h
 *		JSON texts read into trees.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_JSON_H
#define DNC_JSON_H

#include "wire/json_text.h"

/* A value in a tree; lives as long as the tree. */
typedef struct cJSON DncJson;

typedef enum DncJsonKind
{
	DNC_JSON_NULL,
	DNC_JSON_BOOLEAN,
	DNC_JSON_NUMBER,
	DNC_JSON_STRING,
	DNC_JSON_ARRAY,
	DNC_JSON_OBJECT
} DncJsonKind;

extern const char *dnc_json_problem(const char *text, size_t length, DncJsonOutline *outline);
extern const DncJson *dnc_json_tree(const char *text, size_t length, const char **problem);
extern const char *dnc_json_version(void);
extern const DncJson *dnc_json_parse(const char *text, size_t length, const char **problem);
extern DncJsonKind dnc_json_kind(const DncJson *json);
extern const char *dnc_json_name(const DncJson *json);
extern bool dnc_json_boolean(const DncJson *json);
extern const char *dnc_json_string(const DncJson *json);
extern bool dnc_json_count(const DncJson *json, int64 *count);
extern const DncJson *dnc_json_first(const DncJson *json);
extern const DncJson *dnc_json_next(const DncJson *json);
extern const DncJson *dnc_json_get(const DncJson *json, const char *path);
extern const char *dnc_json_locate(const DncJson *json, const char *path, const char *text);

#endif							/* DNC_JSON_H */
