/*
 * encode.h
 *		Forms of bytes: UTF-8, base64url, percent-encoding, ids, the ends of JSON values.
 *
 * Pure functions over strings.  They know nothing of requests.
 */
#ifndef SB_ENCODE_H
#define SB_ENCODE_H

#include "text.h"

#define SB_UUID_SIZE 37			/* 36 characters and a NUL */
#define SB_OBJECT_ID_SIZE 25	/* 24 characters and a NUL */

extern bool sb_utf8_valid(const char *bytes, size_t len);
extern bool sb_json_has_nul(const char *json);
extern size_t sb_json_value_length(const char *json);
extern void sb_json_minify(SbText *into, const char *json, size_t len);
extern bool sb_percent_decode(SbText *into, const char *from, size_t len);
extern void sb_base64url_encode(SbText *into, const char *bytes, size_t len);
extern bool sb_base64url_decode(SbText *into, const char *string);
extern uint64_t sb_hash(uint64_t seed, const void *bytes, size_t len);
extern uint64_t sb_random(uint64_t *state, uint64_t below);
extern void sb_uuid(char *uuid, const char *account, const char *kind, uint64_t number);
extern void sb_object_id(char *id, const char *account, const char *kind, uint64_t number);

#endif							/* SB_ENCODE_H */
