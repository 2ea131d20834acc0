/*
 * help.h
 *		What dnc_sandbox --help prints.
 */
#ifndef SB_HELP_H
#define SB_HELP_H

extern const char sb_help_text[];

#endif							/* SB_HELP_H */
