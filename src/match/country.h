/*-------------------------------------------------------------------------
 *
 * country.h
 *		The countries of numbers in national form.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_COUNTRY_H
#define DNC_COUNTRY_H

extern bool dnc_country_read(const char *text, char *country);

#endif							/* DNC_COUNTRY_H */
