/*
 * throwing_phone.cpp
 *		Functions of libphonenumber that throw, in place of its own.
 *
 * A program's own functions come before those of the libraries that it is linked with.
 */
#include <new>
#include <stdexcept>
#include <string>

#include <phonenumbers/phonenumberutil.h>

static int	next = 0;

extern "C" void
throw_next(int what)
{
	next = what;
}

static void
throw_it()
{
	switch (next)
	{
		case 0:
			throw std::runtime_error("thrown on purpose");
		case 1:
			throw std::bad_alloc();
		case 2:
			throw std::string("no exception class");
		case 3:
			throw 42;
		default:
			throw std::runtime_error(std::string(5000, 'x'));
	}
}

namespace i18n
{
namespace phonenumbers
{

PhoneNumberUtil::ErrorType
PhoneNumberUtil::Parse(const std::string &, const std::string &, PhoneNumber *) const
{
	throw_it();
	return NO_PARSING_ERROR;
}

bool
PhoneNumberUtil::IsValidNumber(const PhoneNumber &) const
{
	throw_it();
	return true;
}

void
PhoneNumberUtil::GetNddPrefixForRegion(const std::string &, bool, std::string *) const
{
	throw_it();
}

void
PhoneNumberUtil::Format(const PhoneNumber &, PhoneNumberFormat, std::string *) const
{
	throw_it();
}

}								// namespace phonenumbers
}								// namespace i18n
