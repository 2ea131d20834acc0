/*-------------------------------------------------------------------------
 *
 * phone_library.h
 *		The interface of the C++ library dnc_fdw_phone for the C code of dnc_fdw.
 *
 * This is the wall: the one side has nothing of PostgreSQL, the other side nothing of
 * C++.  The caller owns all memory, and nothing throws.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_PHONE_LIBRARY_H
#define DNC_PHONE_LIBRARY_H

#ifdef __cplusplus
extern "C"
{
#endif

/* libphonenumber's time grows with the square of a text's length: we never give it more bytes. */
#define DNC_PHONE_MAX 250

/* A national significant number has at most 17 digits (PhoneNumberUtil: kMaxLengthForNsn). */
#define DNC_PHONE_DIGITS 24

typedef enum DncPhoneStatus
{
	DNC_PHONE_READ,				/* the text is a number: see possible */
	DNC_PHONE_NO_NUMBER,
	DNC_PHONE_NO_MEMORY,
	DNC_PHONE_BROKEN			/* an exception; the error has its text */
} DncPhoneStatus;

typedef struct DncPhoneNumber
{
	int			country_code;	/* 49 */
	char		national[DNC_PHONE_DIGITS]; /* national significant number, with its zeros */
	char		extension[DNC_PHONE_DIGITS];
	int			possible;		/* the length is one that the country has: IS_POSSIBLE */
} DncPhoneNumber;

/* How numbers of a country are dialled. */
typedef struct DncPhonePlan
{
	char		region[4];		/* DE; 001 if it belongs to no country */
	char		trunk[8];		/* the prefix in front of the national number: 0 */
} DncPhonePlan;

/* The usual ways to write a number. */
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
	/* Reads a text as a number dialled in a region (DE), or in no region (ZZ). */
	DncPhoneStatus (*read) (const char *text, const char *region, DncPhoneNumber *number,
							DncPhoneError *error);
	/* Does the plan of the number's country have this number? */
	DncPhoneStatus (*is_valid) (const DncPhoneNumber *number, int *valid, DncPhoneError *error);
	DncPhoneStatus (*plan) (const DncPhoneNumber *number, DncPhonePlan *plan, DncPhoneError *error);
	DncPhoneStatus (*forms) (const DncPhoneNumber *number, DncPhoneForms *forms,
							 DncPhoneError *error);
	/* The file that libphonenumber was loaded from, and its build, if the file has one. */
	void		(*version) (char *file, int size, char *build, int build_size);
} DncPhoneLibrary;

/* We look this function up by its name in dnc_fdw_phone. */
extern const DncPhoneLibrary *dnc_phone_library(void);

/* Sets libphonenumber up; for the postmaster, so that sessions share its memory. */
extern void dnc_phone_prepare(void);

#ifdef __cplusplus
}
#endif

#endif							/* DNC_PHONE_LIBRARY_H */
