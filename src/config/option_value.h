/*-------------------------------------------------------------------------
 *
 * option_value.h
 *		The values of options: read, checked, refused.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_OPTION_VALUE_H
#define DNC_OPTION_VALUE_H


/* The kinds of values that options take. */
typedef enum DncOptionKind
{
	DNC_KIND_FILE,			/* a file on the database server, which reads the file */
	DNC_KIND_PROVIDER,
	DNC_KIND_BASE_URL,
	DNC_KIND_COLUMN,
	DNC_KIND_NAME,			/* text of the user's choice */
	DNC_KIND_COUNTRY,		/* two letters of ISO 3166, stored in upper case */
	DNC_KIND_SECRET,		/* text that goes into a header and that we never show */
	DNC_KIND_SECRET_FILE,	/* absolute path of a file on the database server that holds a secret */
	DNC_KIND_INTEGER,
	DNC_KIND_MILLISECONDS,
	DNC_KIND_BYTES,
	DNC_KIND_REAL,
	DNC_KIND_BOOLEAN,
	DNC_KIND_WORD			/* a word from words[], stored as the word's index */
} DncOptionKind;

/* All facts about an option. */
typedef struct DncOptionDef
{
	const char *name;
	int			catalogs;		/* where users may set it: see option.c */
	DncOptionKind kind;
	double		min;
	double		max;
	const char *initial;		/* default, as a user would write it; NULL: the provider's, or
								 * none */
	size_t		offset;			/* in the options' struct; DNC_NOWHERE: not part of it */
	const char *const *words;
} DncOptionDef;

#define DNC_NOWHERE SIZE_MAX

extern void dnc_option_value_apply(const DncOptionDef *def, const char *value, void *options);
extern bool dnc_option_value_equal(const DncOptionDef *def, const void *one, const void *other);
extern bool dnc_option_value_is_header_text(const char *text);
_Noreturn extern void dnc_option_value_refuse(const DncOptionDef *def, const char *value,
											  const char *detail);

#endif							/* DNC_OPTION_VALUE_H */
