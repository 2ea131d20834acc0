/*-------------------------------------------------------------------------
 *
 * country.h
 *		Countries that numbers in national form belong to.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_COUNTRY_H
#define DNC_COUNTRY_H

extern bool dnc_country_read(const char *text, char *country);

#endif							/* DNC_COUNTRY_H */
