/*
 * help.h
 *		The text of dnc_sandbox --help.
 */
#ifndef SB_HELP_H
#define SB_HELP_H

extern const char sb_help_text[];

#endif							/* SB_HELP_H */
