/*
 * encode.c
 *		Forms of bytes: UTF-8, base64url, percent-encoding, ids, the ends of JSON values.
 *
 * cJSON does not check UTF-8, ends strings at \u0000, and cannot return a value as it was
 * written.  This file has what the sandbox needs beyond cJSON.
 */
#include "encode.h"

#include <stdio.h>
#include <string.h>

static const char base64url[] =
"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* The length of the UTF-8 character at p (end: first byte behind the text); 0: there is none. */
static size_t
utf8_char(const unsigned char *p, const unsigned char *end)
{
	size_t		len = p[0] < 0x80 ? 1 : p[0] < 0xC2 ? 0 : p[0] < 0xE0 ? 2 :
		p[0] < 0xF0 ? 3 : p[0] < 0xF5 ? 4 : 0;

	if (len == 0 || (size_t) (end - p) < len)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xC0) != 0x80)
			return 0;
	/* Refuse overlong forms, surrogates, and code points beyond U+10FFFF. */
	if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F) ||
		(p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] > 0x8F))
		return 0;
	return len;
}

/* Whether len bytes are UTF-8 without NUL. */
bool
sb_utf8_valid(const char *bytes, size_t len)
{
	const unsigned char *p = (const unsigned char *) bytes;
	const unsigned char *end = p + len;

	while (p < end)
	{
		size_t		step = *p == 0 ? 0 : utf8_char(p, end);

		if (step == 0)
			return false;
		p += step;
	}
	return true;
}

/* Whether a JSON text holds an escaped NUL, where cJSON would end a string. */
bool
sb_json_has_nul(const char *json)
{
	while ((json = strchr(json, '\\')) != NULL && json[1] != '\0')
	{
		if (strncmp(json + 1, "u0000", 5) == 0)
			return true;
		json += 2;
	}
	return false;
}

/* The length of the first JSON value in a well-formed, NUL-terminated JSON text. */
size_t
sb_json_value_length(const char *json)
{
	size_t		depth = 0;
	bool		quoted = false;
	size_t		i;

	for (i = 0; json[i] != '\0'; i++)
	{
		char		c = json[i];

		if (quoted)
		{
			if (c == '\\' && json[i + 1] != '\0')
				i++;
			else if (c == '"')
				quoted = false;
		}
		else if (c == '"')
			quoted = true;
		else if (c == '{' || c == '[')
			depth++;
		else if (depth == 0 && (c == ',' || c == ']' || c == '}'))
			break;
		else if (c == '}' || c == ']')
			depth--;
	}
	while (i > 0 && strchr(" \t\r\n", json[i - 1]) != NULL)
		i--;
	return i;
}

/* Appends JSON without white space outside its strings; other control characters become blanks. */
void
sb_json_minify(SbText *into, const char *json, size_t len)
{
	bool		quoted = false;

	sb_text_reserve(into, len);
	for (size_t i = 0; i < len; i++)
	{
		unsigned char c = (unsigned char) json[i];

		if (!quoted && (c == ' ' || c == '\t' || c == '\r' || c == '\n'))
			continue;
		if (c == '"')
			quoted = !quoted;
		into->data[into->len++] = c < 0x20 ? ' ' : (char) c;
		if (quoted && c == '\\' && i + 1 < len)
			into->data[into->len++] = json[++i];
	}
	into->data[into->len] = '\0';
}

/* The value of a hexadecimal digit; -1 if it is none. */
static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Appends a decoded piece of a query string (+ is a blank); false if an escape is malformed. */
bool
sb_percent_decode(SbText *into, const char *from, size_t len)
{
	sb_text_reserve(into, len);
	for (size_t i = 0; i < len; i++)
	{
		char		c = from[i] == '+' ? ' ' : from[i];

		if (c == '%')
		{
			int			high = len - i > 2 ? hex_digit(from[i + 1]) : -1;
			int			low = len - i > 2 ? hex_digit(from[i + 2]) : -1;

			if (high < 0 || low < 0)
				return false;
			c = (char) (high * 16 + low);
			i += 2;
		}
		into->data[into->len++] = c;
	}
	into->data[into->len] = '\0';
	return true;
}

/* Appends bytes as base64url without padding. */
void
sb_base64url_encode(SbText *into, const char *bytes, size_t len)
{
	const unsigned char *from = (const unsigned char *) bytes;
	uint32_t	bits = 0;
	int			held = 0;

	sb_text_reserve(into, len * 4 / 3 + 2);
	for (size_t i = 0; i < len; i++)
	{
		bits = bits << 8 | from[i];
		for (held += 8; held >= 6; held -= 6)
			into->data[into->len++] = base64url[bits >> (held - 6) & 63];
	}
	if (held > 0)
		into->data[into->len++] = base64url[bits << (6 - held) & 63];
	into->data[into->len] = '\0';
}

/* Appends the bytes of a base64url string without padding; false if it is no such string. */
bool
sb_base64url_decode(SbText *into, const char *string)
{
	uint32_t	bits = 0;
	int			held = 0;

	for (; *string != '\0'; string++)
	{
		const char *digit = strchr(base64url, *string);

		if (digit == NULL)
			return false;
		bits = bits << 6 | (uint32_t) (digit - base64url);
		held += 6;
		if (held >= 8)
		{
			char		byte = (char) (bits >> (held - 8) & 255);

			held -= 8;
			sb_text_add(into, &byte, 1);
		}
	}
	return true;
}

/* Stirs 64 bits so that near inputs give far outputs (the finisher of splitmix64). */
static uint64_t
stir(uint64_t bits)
{
	bits = (bits ^ bits >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	bits = (bits ^ bits >> 27) * UINT64_C(0x94D049BB133111EB);
	return bits ^ bits >> 31;
}

/* A 64-bit hash of len bytes that goes on from seed (FNV-1a, stirred). */
uint64_t
sb_hash(uint64_t seed, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;
	uint64_t	hash = seed ^ UINT64_C(0xCBF29CE484222325);

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ p[i]) * UINT64_C(0x100000001B3);
	return stir(hash);
}

/* A number from 0 to below - 1, from a generator whose state is not 0 (xorshift64*). */
uint64_t
sb_random(uint64_t *state, uint64_t below)
{
	uint64_t	bits = *state;

	bits ^= bits >> 12;
	bits ^= bits << 25;
	bits ^= bits >> 27;
	*state = bits;
	return (bits * UINT64_C(2685821657736338717) >> 16) % below;
}

/* The 128 bits for an account, a kind of entry and a number. */
static void
entry_bits(uint64_t half[2], const char *account, const char *kind, uint64_t number)
{
	uint64_t	seed = sb_hash(sb_hash(0, account, strlen(account)), kind, strlen(kind));

	half[0] = stir(seed + number * UINT64_C(0x9E3779B97F4A7C15));
	half[1] = stir(half[0] ^ number);
}

/* The i-th of 32 hexadecimal digits. */
static char
digit_of(const uint64_t half[2], int i)
{
	return "0123456789abcdef"[half[i / 16] >> (60 - i % 16 * 4) & 15];
}

/* Writes the uuid (version 4 in form) for an account, a kind of entry and a number. */
void
sb_uuid(char *uuid, const char *account, const char *kind, uint64_t number)
{
	uint64_t	half[2];

	entry_bits(half, account, kind, number);
	half[0] = (half[0] & ~UINT64_C(0xF000)) | UINT64_C(0x4000);
	half[1] = (half[1] & ~(UINT64_C(3) << 62)) | UINT64_C(1) << 63;
	for (int i = 0; i < 32; i++)
	{
		if (i == 8 || i == 12 || i == 16 || i == 20)
			*uuid++ = '-';
		*uuid++ = digit_of(half, i);
	}
	*uuid = '\0';
}

/* Writes the object id, 24 hexadecimal digits, for an account, a kind of entry and a number. */
void
sb_object_id(char *id, const char *account, const char *kind, uint64_t number)
{
	uint64_t	half[2];

	entry_bits(half, account, kind, number);
	for (int i = 0; i < SB_OBJECT_ID_SIZE - 1; i++)
		id[i] = digit_of(half, i);
	id[SB_OBJECT_ID_SIZE - 1] = '\0';
}
