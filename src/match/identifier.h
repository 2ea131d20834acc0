/*-------------------------------------------------------------------------
 *
 * identifier.h
 *		An identifier and its type, in the form that we compare.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_IDENTIFIER_H
#define DNC_IDENTIFIER_H

typedef enum DncKind
{
	DNC_KIND_EMAIL,
	DNC_KIND_DOMAIN,
	DNC_KIND_NUMBER,
	DNC_KIND_PROFILE,
	DNC_KIND_CHAT				/* we know nothing but the text itself */
} DncKind;

typedef struct DncIdentifier
{
	char	   *trimmed;		/* as given, trimmed */
	char	   *clean;			/* normalised; see dnc_text_clean() */
	DncKind		kind;			/* from the type; without a known type, from the text */
	bool		typed;			/* a vendor documents the type */
	bool		too_long;		/* we do not look into it */
	const char *country;		/* two letters in upper case; NULL: not given */
	char		letters[3];
} DncIdentifier;

extern void dnc_identifier_read(const char *text, const char *type, const char *country,
								DncIdentifier *identifier);
extern bool dnc_identifier_type_takes_numbers(const char *type);
extern DncKind dnc_identifier_shape(const DncIdentifier *identifier);

#endif							/* DNC_IDENTIFIER_H */
