/*-------------------------------------------------------------------------
 *
 * phone_text.h
 *		The text of a number, out of what stands around it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_PHONE_TEXT_H
#define DNC_PHONE_TEXT_H

/* A text of a number, cut out of its URI or chat address. */
typedef struct DncPhoneText
{
	const char *text;			/* for libphonenumber */
	char	   *written;		/* the same without parameters of a tel: URI */
	bool		plus;			/* begins with + */
	bool		international;	/* has its country code, if without + */
	bool		local;			/* means something in a context that we do not know */
} DncPhoneText;

extern DncPhoneText dnc_phone_text_find(const char *clean);
extern bool dnc_phone_text_looks_like(const char *clean);
extern char *dnc_phone_text_keypad(const char *text);
extern bool dnc_phone_text_has_letters(const char *text);

#endif							/* DNC_PHONE_TEXT_H */
