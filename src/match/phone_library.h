/*-------------------------------------------------------------------------
 *
 * phone_library.h
 *		What the C++ library dnc_fdw_phone gives to the C code of dnc_fdw.
 *
 * This is the wall: nothing of PostgreSQL on the one side, nothing of C++ on the other.
 * All memory is the caller's, and nothing is thrown.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_PHONE_LIBRARY_H
#define DNC_PHONE_LIBRARY_H

#ifdef __cplusplus
extern "C"
{
#endif

/* libphonenumber takes time in proportion to the square of a text: it never gets more bytes. */
#define DNC_PHONE_MAX 250

/* A national significant number has 17 digits at most (PhoneNumberUtil: kMaxLengthForNsn). */
#define DNC_PHONE_DIGITS 24

typedef enum DncPhoneStatus
{
	DNC_PHONE_READ,				/* it is a number: see possible */
	DNC_PHONE_NO_NUMBER,
	DNC_PHONE_NO_MEMORY,
	DNC_PHONE_BROKEN			/* an exception; the error has its words */
} DncPhoneStatus;

typedef struct DncPhoneNumber
{
	int			country_code;	/* 49 */
	char		national[DNC_PHONE_DIGITS]; /* national significant number, with its zeros */
	char		extension[DNC_PHONE_DIGITS];
	int			possible;		/* its length is one of its country's: IS_POSSIBLE */
} DncPhoneNumber;

/* How numbers of a country are dialled. */
typedef struct DncPhonePlan
{
	char		region[4];		/* DE; 001 if it is no country's */
	char		trunk[8];		/* what is dialled in front of the national number: 0 */
} DncPhonePlan;

/* How a number is usually written. */
typedef struct DncPhoneForms
{
	char		national[64];	/* 030 901820 */
	char		international[64];	/* +49 30 901820 */
	char		uri[64];		/* tel:+49-30-901820 */
} DncPhoneForms;

typedef struct DncPhoneError
{
	char		text[256];
} DncPhoneError;

typedef struct DncPhoneLibrary
{
	/* Reads a text as a number dialled in a region (DE), or in none (ZZ). */
	DncPhoneStatus (*read) (const char *text, const char *region, DncPhoneNumber *number,
							DncPhoneError *error);
	/* Is it a number that its country's plan has? */
	DncPhoneStatus (*is_valid) (const DncPhoneNumber *number, int *valid, DncPhoneError *error);
	DncPhoneStatus (*plan) (const DncPhoneNumber *number, DncPhonePlan *plan, DncPhoneError *error);
	DncPhoneStatus (*forms) (const DncPhoneNumber *number, DncPhoneForms *forms,
							 DncPhoneError *error);
	/* The file that libphonenumber was loaded from, and its build, if the file has one. */
	void		(*version) (char *file, int size, char *build, int build_size);
} DncPhoneLibrary;

/* Looked up by its name in dnc_fdw_phone. */
extern const DncPhoneLibrary *dnc_phone_library(void);

/* Sets libphonenumber up; for the postmaster, so that sessions share its memory. */
extern void dnc_phone_prepare(void);

#ifdef __cplusplus
}
#endif

#endif							/* DNC_PHONE_LIBRARY_H */
