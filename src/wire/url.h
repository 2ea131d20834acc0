/*-------------------------------------------------------------------------
 *
 * url.h
 *		URLs as texts.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_URL_H
#define DNC_URL_H

extern char *dnc_url_escape(const char *text);
extern const char *dnc_url_check_base(const char *text);

#endif							/* DNC_URL_H */
