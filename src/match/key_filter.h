/*-------------------------------------------------------------------------
 *
 * key_filter.h
 *		A quick check whether an entry can have one of some keys.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_KEY_FILTER_H
#define DNC_KEY_FILTER_H

typedef struct DncKeyFilter DncKeyFilter;

extern DncKeyFilter *dnc_key_filter_make(int expected);
extern void dnc_key_filter_add(DncKeyFilter *filter, const char *key);
extern bool dnc_key_filter_lets_pass(const DncKeyFilter *filter, const char *identifier,
									 const char *type);

#endif							/* DNC_KEY_FILTER_H */
