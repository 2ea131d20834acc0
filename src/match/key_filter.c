/*-------------------------------------------------------------------------
 *
 * key_filter.c
 *		A quick check whether an entry can have one of some keys.
 *
 * The key of a number needs libphonenumber, which is slow.  Most numbers in a list are
 * plain: digits, and signs between them.  Such a number is certain only if its text ends
 * in the last digits of the number that was read (see ends_as_read() in phone.c).
 * Otherwise its key is the digits as written.  So a few digits of a text can show that
 * the text has none of some keys.  All other texts pass: their keys must be made.
 *
 * The keys are in a bit table.  Two keys may share a bit.  So a text may pass
 * needlessly, but a text that has one of the keys always passes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "port/pg_bitutils.h"

#include "match/identifier.h"
#include "match/key_filter.h"
#include "match/text.h"

/*
 * phone.c compares this many digits at the end, or fewer if a number without its calling code
 * is shorter.
 */
#define TAIL 6

/* A calling code has at most this many digits (ITU-T E.164). */
#define CALLING_CODE_MAX 3

/* Longer texts of digits pass. */
#define DIGITS_MAX 64

/* The table has this many bits for each key. */
#define BITS_A_KEY 32

struct DncKeyFilter
{
	uint32		mask;			/* number of bits, minus one */
	uint32		tails;			/* bit i: for the number of some key, the last i digits count */
	uint8	   *bits;
};

/* Make an empty filter for about this many keys; palloc'd. */
DncKeyFilter *
dnc_key_filter_make(int expected)
{
	DncKeyFilter *filter = palloc0(sizeof(DncKeyFilter));
	uint32		keys = pg_nextpower2_32(Min(Max(expected, 32), 1 << 24));

	filter->mask = keys * BITS_A_KEY - 1;
	filter->bits = palloc0(keys * BITS_A_KEY / 8);
	return filter;
}

/* The bit for some digits; kind distinguishes digits at the end from all digits. */
static uint32
bit_of(const DncKeyFilter *filter, const char *digits, int kind)
{
	return (uint32) hash_bytes_extended((const unsigned char *) digits, (int) strlen(digits),
										kind) & filter->mask;
}

static void
set_bit(DncKeyFilter *filter, const char *digits, int kind)
{
	uint32		bit = bit_of(filter, digits, kind);

	filter->bits[bit / 8] |= 1 << bit % 8;
}

static bool
has_bit(const DncKeyFilter *filter, const char *digits, int kind)
{
	uint32		bit = bit_of(filter, digits, kind);

	return (filter->bits[bit / 8] & (1 << bit % 8)) != 0;
}

/* Add the key of an entry.  Only keys of numbers count: texts of other kinds always pass. */
void
dnc_key_filter_add(DncKeyFilter *filter, const char *key)
{
	const char *digits = dnc_text_past(key, "tel:+");

	if (digits)
	{
		int			length = (int) strlen(digits);
		int			tail = Max(1, Min(TAIL, length - CALLING_CODE_MAX));

		filter->tails |= 1 << tail;
		set_bit(filter, digits + Max(length - tail, 0), tail);
	}
	else if ((digits = dnc_text_past(key, "tel:?")) != NULL)
		set_bit(filter, digits, 0);
}

/*
 * Read the digits of a text that is a plain number; false: the text is not.  digits has room
 * for DIGITS_MAX + 1 bytes.
 */
static bool
read_plain(const char *text, char *digits)
{
	int			count = 0;

	for (const char *c = text; *c; c++)
	{
		if (dnc_is_digit(*c) && count < DIGITS_MAX)
			digits[count++] = *c;
		else if (strchr(" +-./()", *c) == NULL)
			return false;
	}
	digits[count] = '\0';
	return true;
}

/*
 * Can an entry of a list have one of the keys?  False: it certainly has none of them.  The
 * arguments are those of dnc_match_entry_key(), UTF-8; type may be NULL.
 */
bool
dnc_key_filter_lets_pass(const DncKeyFilter *filter, const char *identifier, const char *type)
{
	char		digits[DIGITS_MAX + 1];
	const char *significant;
	int			count;

	if (!read_plain(identifier, digits) || !dnc_identifier_type_takes_numbers(type))
		return true;
	count = (int) strlen(digits);
	significant = digits + strspn(digits, "0");
	if (*significant == '\0' || has_bit(filter, significant, 0))
		return true;
	for (int tail = 1; tail <= TAIL; tail++)
	{
		if ((filter->tails & (1 << tail)) != 0 && count >= tail &&
			has_bit(filter, digits + count - tail, tail))
			return true;
	}
	return false;
}
