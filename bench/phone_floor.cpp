/*
 * phone_floor.cpp
 *		Phone numbers read and written by libphonenumber alone: the floor under
 *		dnc_fdw_key() for numbers.
 *
 *	c++ -O2 -std=c++17 bench/phone_floor.cpp -lphonenumber -o phone_floor
 *	./phone_floor REGION <numbers      one a line; prints their count and microseconds a number
 *
 * This is what any program that compares numbers has to do: parse, and format as E.164.
 */
#include <chrono>
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include <phonenumbers/phonenumber.pb.h>
#include <phonenumbers/phonenumberutil.h>

using i18n::phonenumbers::PhoneNumber;
using i18n::phonenumbers::PhoneNumberUtil;

int
main(int argc, char **argv)
{
	PhoneNumberUtil *util = PhoneNumberUtil::GetInstance();
	std::string region = argc > 1 ? argv[1] : "ZZ";
	std::vector<std::string> numbers;
	std::string line;
	size_t		read = 0;

	while (std::getline(std::cin, line))
		numbers.push_back(line);

	auto		start = std::chrono::steady_clock::now();

	for (const std::string &text : numbers)
	{
		PhoneNumber number;
		std::string formatted;

		if (util->Parse(text, region, &number) != PhoneNumberUtil::NO_PARSING_ERROR)
			continue;
		util->Format(number, PhoneNumberUtil::E164, &formatted);
		read += !formatted.empty();
	}

	std::chrono::duration<double, std::micro> passed = std::chrono::steady_clock::now() - start;

	std::printf("%zu of %zu numbers, %.2f us each\n", read, numbers.size(),
				passed.count() / static_cast<double>(numbers.size()));
	return 0;
}
