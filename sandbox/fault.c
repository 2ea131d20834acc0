/*
 * fault.c
 *		Faults on order: what goes wrong, and with which future requests.
 *
 * There are three sorts of faults: those that replace the work (sb_fault_replace), those of the
 * answer after the work (sb_fault_spoil), and those of a list page or of an addition.  Only the
 * API can make the last sort, because they are in the answer's meaning and not in its bytes.
 */
#include "fault.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "encode.h"

typedef enum SbFaultArg
{
	ARG_NONE,
	ARG_STATUS,
	ARG_STATUS_OR_200,
	ARG_LOCATION,
	ARG_BYTES
} SbFaultArg;

static const struct
{
	const char *name;
	SbFaultKind kind;
	SbFaultArg	arg;
	SbFaultScope scope;
}			kinds[] = {
	{"status", SB_FAULT_STATUS, ARG_STATUS, SB_FAULT_OF_ANY},
	{"body", SB_FAULT_BODY, ARG_STATUS_OR_200, SB_FAULT_OF_ANY},
	{"not_success", SB_FAULT_NOT_SUCCESS, ARG_NONE, SB_FAULT_OF_ANY},
	{"html", SB_FAULT_HTML, ARG_STATUS_OR_200, SB_FAULT_OF_ANY},
	{"redirect", SB_FAULT_REDIRECT, ARG_LOCATION, SB_FAULT_OF_ANY},
	{"close", SB_FAULT_CLOSE, ARG_NONE, SB_FAULT_OF_ANY},
	{"stall", SB_FAULT_STALL, ARG_NONE, SB_FAULT_OF_ANY},
	{"lost", SB_FAULT_LOST, ARG_NONE, SB_FAULT_OF_ANY},
	{"cut", SB_FAULT_CUT, ARG_NONE, SB_FAULT_OF_ANY},
	{"stall_body", SB_FAULT_STALL_BODY, ARG_NONE, SB_FAULT_OF_ANY},
	{"garbage", SB_FAULT_GARBAGE, ARG_NONE, SB_FAULT_OF_ANY},
	{"truncated", SB_FAULT_TRUNCATED, ARG_NONE, SB_FAULT_OF_ANY},
	{"empty", SB_FAULT_EMPTY, ARG_NONE, SB_FAULT_OF_ANY},
	{"big", SB_FAULT_BIG, ARG_BYTES, SB_FAULT_OF_ANY},
	{"slow", SB_FAULT_SLOW, ARG_BYTES, SB_FAULT_OF_ANY},
	{"no_next", SB_FAULT_NO_NEXT, ARG_NONE, SB_FAULT_OF_LIST},
	{"repeat_cursor", SB_FAULT_REPEAT_CURSOR, ARG_NONE, SB_FAULT_OF_LIST},
	{"no_has_more", SB_FAULT_NO_HAS_MORE, ARG_NONE, SB_FAULT_OF_LIST},
	{"wrong_type", SB_FAULT_WRONG_TYPE, ARG_NONE, SB_FAULT_OF_LIST},
	{"empty_page", SB_FAULT_EMPTY_PAGE, ARG_NONE, SB_FAULT_OF_LIST},
	{"skip", SB_FAULT_SKIP, ARG_NONE, SB_FAULT_OF_ADD}
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static const char *const parameters[] = {"kind", "at", "times", "chance", "method", "arg",
"retry_after"};

#define PARAMETERS (sizeof(parameters) / sizeof(parameters[0]))

static const char page_html[] =
"<!DOCTYPE html>\n<html><head><title>Welcome</title></head>\n"
"<body><h1>Please sign in to the network</h1></body></html>\n";

static const char garbage[] = "\x01\x02{]this is not JSON\xff\xfe";

/* Frees one fault. */
static void
free_fault(SbFault *fault)
{
	free(fault->method);
	free(fault->retry_after);
	free(fault->location);
	sb_text_free(&fault->body);
	free(fault);
}

/* Whether a string may stand in a header. */
static bool
fits_header(const char *string)
{
	for (; *string != '\0'; string++)
		if ((unsigned char) *string < 0x20 || *string == 0x7F)
			return false;
	return true;
}

/* Whether all parameters are known; if not, it gives the problem. */
static bool
know_parameters(const SbQuery *query, SbText *problem)
{
	for (int i = 0; i < query->params; i++)
	{
		bool		known = false;

		for (size_t j = 0; j < PARAMETERS; j++)
			known = known || strcmp(parameters[j], query->param[i].name) == 0;
		if (known)
			continue;
		sb_text_printf(problem, "no fault parameter is called %.100s; there are",
					   query->param[i].name);
		for (size_t j = 0; j < PARAMETERS; j++)
			sb_text_printf(problem, "%s %s", j > 0 ? "," : "", parameters[j]);
		return false;
	}
	return true;
}

/* Whether a kind is in a list that ends with SB_FAULT_NONE; NULL is an empty list. */
static bool
is_in(SbFaultKind kind, const SbFaultKind *list)
{
	for (; list != NULL && *list != SB_FAULT_NONE; list++)
		if (*list == kind)
			return true;
	return false;
}

/*
 * The index of a kind in the table; KINDS, with the problem, if there is no such kind or if it
 * is one of the exceptions (SB_FAULT_NONE at the end; NULL: there are none).
 */
static size_t
find_kind(const char *name, const SbFaultKind *except, SbText *problem)
{
	const char *comma = "";

	for (size_t i = 0; i < KINDS; i++)
		if (name != NULL && strcmp(kinds[i].name, name) == 0 && !is_in(kinds[i].kind, except))
			return i;
	sb_text_str(problem, name == NULL ? "kind is missing; one of" : "no such kind; one of");
	for (size_t i = 0; i < KINDS; i++)
	{
		if (is_in(kinds[i].kind, except))
			continue;
		sb_text_printf(problem, "%s %s", comma, kinds[i].name);
		comma = ",";
	}
	return KINDS;
}

/* Reads the arg that a kind needs; false, with the problem, if it is invalid. */
static bool
read_arg(SbFault *fault, SbFaultArg takes, const char *arg, SbText *problem)
{
	switch (takes)
	{
		case ARG_NONE:
			if (arg == NULL)
				return true;
			sb_text_str(problem, "this kind takes no arg");
			return false;
		case ARG_STATUS_OR_200:
		case ARG_STATUS:
			fault->number = 200;
			if ((arg == NULL && takes == ARG_STATUS_OR_200) ||
				(arg != NULL && sb_parse_integer(arg, 200, 599, &fault->number)))
				return true;
			sb_text_str(problem, "arg must be an HTTP status from 200 to 599");
			return false;
		case ARG_LOCATION:
			if (arg != NULL && arg[0] != '\0' && fits_header(arg))
			{
				fault->location = sb_copy(arg, strlen(arg));
				return true;
			}
			sb_text_str(problem, "arg must be the URL to redirect to");
			return false;
		case ARG_BYTES:
			if (arg != NULL && sb_parse_integer(arg, 1, INT64_C(1) << 40, &fault->number))
				return true;
			sb_text_str(problem, "arg must be a number of bytes, 1 or more");
			return false;
	}
	return false;
}

/* Reads at, times, chance, method and retry_after; false, with the problem, if one is invalid. */
static bool
read_conditions(SbFault *fault, const SbQuery *query, SbText *problem)
{
	const SbParam *at = sb_query_get(query, "at");
	const SbParam *times = sb_query_get(query, "times");
	const SbParam *chance = sb_query_get(query, "chance");
	const SbParam *method = sb_query_get(query, "method");
	const SbParam *retry_after = sb_query_get(query, "retry_after");

	fault->at = 1;
	fault->times = 1;
	if (at != NULL && !sb_parse_integer(at->value, 1, INT32_MAX, &fault->at))
		sb_text_str(problem, "at must be an integer, 1 or more");
	else if (times != NULL && !sb_parse_integer(times->value, 0, INT32_MAX, &fault->times))
		sb_text_str(problem, "times must be an integer, 0 (for ever) or more");
	else if (chance != NULL && !sb_parse_integer(chance->value, 1, 1000, &fault->chance))
		sb_text_str(problem, "chance must be an integer from 1 to 1000");
	else if (method != NULL && strcmp(method->value, "GET") != 0 &&
			 strcmp(method->value, "POST") != 0 && strcmp(method->value, "DELETE") != 0)
		sb_text_str(problem, "method must be GET, POST or DELETE");
	else if (retry_after != NULL && !fits_header(retry_after->value))
		sb_text_str(problem, "retry_after must be fit for a header");
	else
	{
		if (method != NULL)
			fault->method = sb_copy(method->value, strlen(method->value));
		if (retry_after != NULL)
			fault->retry_after = sb_copy(retry_after->value, retry_after->value_len);
		return true;
	}
	return false;
}

/*
 * Queues a fault as described by a control request, and keeps its body; false: see the problem.
 * The kinds in `except` (SB_FAULT_NONE at the end; NULL: none) are refused.
 */
bool
sb_fault_order(SbFaults *faults, const SbFaultKind *except, const SbQuery *query, SbText *body,
			   SbText *problem)
{
	const SbParam *kind = sb_query_get(query, "kind");
	const SbParam *arg = sb_query_get(query, "arg");
	SbFault   **last = &faults->first;
	SbFault    *fault;
	size_t		which;

	if (!know_parameters(query, problem))
		return false;
	which = find_kind(kind == NULL ? NULL : kind->value, except, problem);
	if (which == KINDS)
		return false;
	fault = sb_alloc(sizeof(SbFault));
	fault->kind = kinds[which].kind;
	if (!read_arg(fault, kinds[which].arg, arg == NULL ? NULL : arg->value, problem) ||
		!read_conditions(fault, query, problem))
	{
		free_fault(fault);
		return false;
	}
	fault->body = *body;
	memset(body, 0, sizeof(*body));
	while (*last != NULL)
		last = &(*last)->next;
	*last = fault;
	return true;
}

/* Whether a fault counts a request. */
static bool
matches(const SbFault *fault, const char *method, SbFaultScope scope)
{
	for (size_t i = 0; i < KINDS; i++)
		if (kinds[i].kind == fault->kind && kinds[i].scope != SB_FAULT_OF_ANY &&
			kinds[i].scope != scope)
			return false;
	return fault->method == NULL || strcmp(fault->method, method) == 0;
}

/*
 * Counts a request for all faults that match it; returns the first fault that is due, or NULL.
 * The scope of a request that neither lists nor adds is SB_FAULT_OF_ANY.  Other due faults wait
 * for the next request, or have their chance then.  The fault still belongs to the queue: call
 * sb_fault_done().
 */
SbFault *
sb_fault_take(SbFaults *faults, const char *method, SbFaultScope scope)
{
	SbFault    *due = NULL;

	for (SbFault *fault = faults->first; fault != NULL; fault = fault->next)
	{
		if (!matches(fault, method, scope))
			continue;
		if (fault->at > 1)
			fault->at--;
		else if (due == NULL &&
				 (fault->chance == 0 ||
				  sb_random(&faults->random, 1000) < (uint64_t) fault->chance))
			due = fault;
	}
	return due;
}

/* A fault has struck: takes it off the queue and frees it if this was its last time. */
void
sb_fault_done(SbFaults *faults, SbFault *fault)
{
	SbFault   **link = &faults->first;

	faults->struck[fault->kind]++;
	if (fault->times == 0 || --fault->times > 0)
		return;
	while (*link != fault)
		link = &(*link)->next;
	*link = fault->next;
	free_fault(fault);
}

/* Answers instead of the API if this is that sort of fault; false: the API has to work. */
bool
sb_fault_replace(const SbFault *fault, SbAnswer *answer, SbErrorWriter error)
{
	switch (fault->kind)
	{
		case SB_FAULT_STATUS:
			if (fault->body.len == 0)
				error(answer, (int) fault->number, NULL);
			else
			{
				sb_answer_set(answer, (int) fault->number, "application/json");
				sb_text_add(&answer->body, fault->body.data, fault->body.len);
			}
			break;
		case SB_FAULT_BODY:
			sb_answer_set(answer, (int) fault->number, "application/json");
			sb_text_add(&answer->body, fault->body.data, fault->body.len);
			break;
		case SB_FAULT_NOT_SUCCESS:
			error(answer, 200, NULL);
			break;
		case SB_FAULT_HTML:
			sb_answer_set(answer, (int) fault->number, "text/html; charset=utf-8");
			sb_text_str(&answer->body, page_html);
			break;
		case SB_FAULT_REDIRECT:
			sb_answer_set(answer, 302, NULL);
			sb_answer_header(answer, "Location", "%s", fault->location);
			break;
		case SB_FAULT_CLOSE:
			answer->delivery = SB_DELIVER_CLOSE;
			break;
		case SB_FAULT_STALL:
			answer->delivery = SB_DELIVER_STALL;
			break;
		default:
			return false;
	}
	if (fault->retry_after != NULL)
		sb_answer_header(answer, "Retry-After", "%s", fault->retry_after);
	return true;
}

/* Spoils the API's finished answer. */
void
sb_fault_spoil(const SbFault *fault, SbAnswer *answer)
{
	switch (fault->kind)
	{
		case SB_FAULT_LOST:
			answer->delivery = SB_DELIVER_CLOSE;
			break;
		case SB_FAULT_CUT:
			answer->delivery = SB_DELIVER_CUT;
			break;
		case SB_FAULT_STALL_BODY:
			answer->delivery = SB_DELIVER_STALL_BODY;
			break;
		case SB_FAULT_GARBAGE:
			sb_answer_set(answer, 200, "application/json");
			sb_text_add(&answer->body, garbage, sizeof(garbage) - 1);
			break;
		case SB_FAULT_TRUNCATED:
			answer->body.len /= 2;
			break;
		case SB_FAULT_EMPTY:
			sb_answer_set(answer, 200, NULL);
			break;
		case SB_FAULT_BIG:
			answer->padding = (uint64_t) fault->number;
			break;
		case SB_FAULT_SLOW:
			answer->delivery = SB_DELIVER_SLOW;
			answer->bytes_per_second = (uint64_t) fault->number;
			break;
		default:
			break;
	}
	if (fault->retry_after != NULL)
		sb_answer_header(answer, "Retry-After", "%s", fault->retry_after);
}

/* Takes all faults off the queue. */
void
sb_faults_clear(SbFaults *faults)
{
	while (faults->first != NULL)
	{
		SbFault    *fault = faults->first;

		faults->first = fault->next;
		free_fault(fault);
	}
}

/* Appends a line "fault_KIND COUNT" for each kind that has struck. */
void
sb_faults_print(const SbFaults *faults, SbText *into)
{
	for (size_t i = 0; i < KINDS; i++)
		if (faults->struck[kinds[i].kind] > 0)
			sb_text_printf(into, "fault_%s %" PRIu64 "\n", kinds[i].name,
						   faults->struck[kinds[i].kind]);
}
