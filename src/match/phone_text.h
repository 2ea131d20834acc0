/*-------------------------------------------------------------------------
 *
 * phone_text.h
 *		The text of a number, without the parts around it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_PHONE_TEXT_H
#define DNC_PHONE_TEXT_H

/* The text of a number, cut out of its URI or chat address. */
typedef struct DncPhoneText
{
	const char *text;			/* for libphonenumber */
	char	   *written;		/* the same without the parameters of a tel: URI */
	bool		plus;			/* begins with + */
	bool		international;	/* has its country code, even without + */
	bool		local;			/* depends on a context that we do not know */
} DncPhoneText;

extern DncPhoneText dnc_phone_text_find(const char *clean);
extern bool dnc_phone_text_looks_like(const char *clean);
extern char *dnc_phone_text_keypad(const char *text);
extern bool dnc_phone_text_has_letters(const char *text);

#endif							/* DNC_PHONE_TEXT_H */
