/*-------------------------------------------------------------------------
 *
 * phone.cpp
 *		libphonenumber behind a wall of C.
 *
 * Knows nothing of PostgreSQL: an ereport() here would jump over destructors, and an
 * exception that reached PostgreSQL would end the session.  So each function catches
 * everything, and gives a status.  libphonenumber is not told to log: it would write to
 * the standard output of the server.
 *
 *-------------------------------------------------------------------------
 */
#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

#include <cstdio>
#include <exception>
#include <new>
#include <string>

#include <phonenumbers/logger.h>
#include <phonenumbers/phonenumber.pb.h>
#include <phonenumbers/phonenumberutil.h>

#include "match/phone_library.h"

using i18n::phonenumbers::NullLogger;
using i18n::phonenumbers::PhoneNumber;
using i18n::phonenumbers::PhoneNumberUtil;

namespace
{

/* The one instance of a process; its logger is silent from the start. */
PhoneNumberUtil &
util()
{
	static PhoneNumberUtil *const instance = [] {
		PhoneNumberUtil *made = PhoneNumberUtil::GetInstance();

		made->SetLogger(new NullLogger);
		return made;
	}();

	return *instance;
}

void
copy(char *to, size_t size, const std::string &from)
{
	std::snprintf(to, size, "%s", from.c_str());
}

/* Runs what may throw; an exception becomes a status, and its words the error. */
template <typename Work>
DncPhoneStatus
guarded(DncPhoneError *error, Work work) noexcept
{
	error->text[0] = '\0';
	try
	{
		return work();
	}
	catch (const std::bad_alloc &)
	{
		return DNC_PHONE_NO_MEMORY;
	}
	catch (const std::exception &exception)
	{
		std::snprintf(error->text, sizeof(error->text), "%s", exception.what());
	}
	catch (...)
	{
		std::snprintf(error->text, sizeof(error->text), "%s", "an unknown exception");
	}
	return DNC_PHONE_BROKEN;
}

/* A number as libphonenumber has it. */
PhoneNumber
number_of(const DncPhoneNumber &number)
{
	PhoneNumber made;
	size_t		zeros = strspn(number.national, "0");

	/* A number of nothing but zeros keeps the last one as its value. */
	if (number.national[zeros] == '\0' && zeros > 0)
		zeros--;
	made.set_country_code(number.country_code);
	made.set_national_number(strtoull(number.national + zeros, nullptr, 10));
	if (zeros > 0)
	{
		made.set_italian_leading_zero(true);
		made.set_number_of_leading_zeros(static_cast<int>(zeros));
	}
	return made;
}

/*
 * Is the number possible?  libphonenumber looks at its country and its length only
 * (phonenumberutil.h: IsPossibleNumberWithReason), so that we ask it once for each.
 */
bool
is_possible(const PhoneNumber &number, size_t length)
{
	static signed char known[1000][DNC_PHONE_DIGITS];	/* 1: it is, -1: it is not */
	unsigned	country = static_cast<unsigned>(number.country_code());
	signed char uncached = 0;
	signed char &answer = country < 1000 && length < DNC_PHONE_DIGITS ? known[country][length] : uncached;

	if (answer == 0)
		answer = util().IsPossibleNumberWithReason(number) == PhoneNumberUtil::IS_POSSIBLE ? 1 : -1;
	return answer > 0;
}

DncPhoneStatus
read_number(const char *text, const char *region, DncPhoneNumber *number, DncPhoneError *error)
{
	return guarded(error, [&] {
		PhoneNumber parsed;
		std::string national;

		if (strlen(text) > DNC_PHONE_MAX ||
			util().Parse(text, region, &parsed) != PhoneNumberUtil::NO_PARSING_ERROR)
			return DNC_PHONE_NO_NUMBER;
		util().GetNationalSignificantNumber(parsed, &national);
		if (national.size() >= sizeof(number->national) ||
			parsed.extension().size() >= sizeof(number->extension))
			return DNC_PHONE_NO_NUMBER;
		number->country_code = parsed.country_code();
		copy(number->national, sizeof(number->national), national);
		copy(number->extension, sizeof(number->extension), parsed.extension());
		number->possible = is_possible(parsed, national.size());
		return DNC_PHONE_READ;
	});
}

DncPhoneStatus
is_valid_number(const DncPhoneNumber *number, int *valid, DncPhoneError *error)
{
	return guarded(error, [&] {
		*valid = util().IsValidNumber(number_of(*number));
		return DNC_PHONE_READ;
	});
}

/* How numbers of a country are dialled; we ask libphonenumber once a country. */
DncPhoneStatus
plan_of_number(const DncPhoneNumber *number, DncPhonePlan *plan, DncPhoneError *error)
{
	static DncPhonePlan known[1000];	/* those with a region */
	DncPhonePlan *kept = number->country_code > 0 && number->country_code < 1000
		? &known[number->country_code] : nullptr;

	if (kept && kept->region[0])
	{
		*plan = *kept;
		return DNC_PHONE_READ;
	}
	return guarded(error, [&] {
		std::string region;
		std::string trunk;

		util().GetRegionCodeForCountryCode(number->country_code, &region);
		util().GetNddPrefixForRegion(region, true, &trunk);
		copy(plan->region, sizeof(plan->region), region);
		copy(plan->trunk, sizeof(plan->trunk), trunk);
		if (kept)
			*kept = *plan;
		return DNC_PHONE_READ;
	});
}

DncPhoneStatus
forms_of_number(const DncPhoneNumber *number, DncPhoneForms *forms, DncPhoneError *error)
{
	return guarded(error, [&] {
		PhoneNumber made = number_of(*number);
		std::string form;

		util().Format(made, PhoneNumberUtil::NATIONAL, &form);
		copy(forms->national, sizeof(forms->national), form);
		util().Format(made, PhoneNumberUtil::INTERNATIONAL, &form);
		copy(forms->international, sizeof(forms->international), form);
		util().Format(made, PhoneNumberUtil::RFC3966, &form);
		copy(forms->uri, sizeof(forms->uri), form);
		return DNC_PHONE_READ;
	});
}

/* What version() looks for among the objects that are loaded. */
struct Search
{
	const char *file;
	char	   *build;
	int			size;
};

/* Takes the build id (a note of ELF, made by the linker) of the object that is searched. */
int
take_build(struct dl_phdr_info *info, size_t, void *data)
{
	Search	   *search = static_cast<Search *>(data);

	if (strcmp(info->dlpi_name, search->file) != 0)
		return 0;
	for (int i = 0; i < info->dlpi_phnum; i++)
	{
		const ElfW(Phdr) &header = info->dlpi_phdr[i];
		const char *note = reinterpret_cast<const char *>(info->dlpi_addr + header.p_vaddr);
		const char *end = note + header.p_memsz;

		while (header.p_type == PT_NOTE && note + sizeof(ElfW(Nhdr)) <= end)
		{
			const ElfW(Nhdr) *head = reinterpret_cast<const ElfW(Nhdr) *>(note);
			const char *name = note + sizeof(*head);
			const char *value = name + ((head->n_namesz + 3) & ~3U);

			if (head->n_type == NT_GNU_BUILD_ID && head->n_namesz == 4 && memcmp(name, "GNU", 4) == 0)
			{
				for (unsigned j = 0; j < head->n_descsz && 2 * static_cast<int>(j) + 2 < search->size; j++)
					std::snprintf(search->build + 2 * j, 3, "%02x",
								  static_cast<unsigned char>(value[j]));
				return 1;
			}
			note = value + ((head->n_descsz + 3) & ~3U);
		}
	}
	return 1;
}

/*
 * libphonenumber tells no version.  Its file has one in its name, and the build that made
 * it, which is what numbers depend on: the metadata is compiled in.
 */
void
library_version(char *file, int size, char *build, int build_size)
{
	PhoneNumberUtil *(*get)() = &PhoneNumberUtil::GetInstance;
	char		path[PATH_MAX];
	Dl_info		info;

	file[0] = build[0] = '\0';
	if (dladdr(reinterpret_cast<void *>(get), &info) == 0 || info.dli_fname == nullptr)
		return;
	std::snprintf(file, size, "%s", realpath(info.dli_fname, path) ? path : info.dli_fname);

	Search		search = {info.dli_fname, build, build_size};

	dl_iterate_phdr(take_build, &search);
}

const DncPhoneLibrary library = {
	read_number, is_valid_number, plan_of_number, forms_of_number, library_version
};

}								// namespace

extern "C" __attribute__((visibility("default"))) const DncPhoneLibrary *
dnc_phone_library(void)
{
	return &library;
}

extern "C" void
dnc_phone_prepare(void)
{
	DncPhoneError error;

	guarded(&error, [] {
		util();
		return DNC_PHONE_READ;
	});
}
