/*
 * phone_wall.c
 *		Calls src/match/phone.cpp, in a program in which libphonenumber throws.
 *
 * Prints the status of each call and its error, a line each.  throwing_phone.cpp has the
 * functions that throw.
 */
#include <stdio.h>

#include "match/phone_library.h"

extern void throw_next(int what);

int
main(void)
{
	const DncPhoneLibrary *library = dnc_phone_library();
	DncPhoneNumber number = {.country_code = 49, .national = "30901820"};
	DncPhoneForms forms;
	DncPhonePlan plan;
	DncPhoneError error;
	int			valid;

	for (int what = 0; what < 5; what++)
	{
		throw_next(what);
		printf("read %d %s\n", library->read("+49 30 901820", "DE", &number, &error), error.text);
		printf("is_valid %d %s\n", library->is_valid(&number, &valid, &error), error.text);
		printf("plan %d %s\n", library->plan(&number, &plan, &error), error.text);
		printf("forms %d %s\n", library->forms(&number, &forms, &error), error.text);
	}
	return 0;
}
