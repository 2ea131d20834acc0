/*-------------------------------------------------------------------------
 *
 * filter.c
 *		Conditions as chains of list requests: a chain for each value that needs a
 *		request of its own.
 *
 * A request must never lose an entry that the conditions keep.  So a condition with a
 * value that we cannot send is left to PostgreSQL as a whole.  A condition that no entry
 * can meet leaves nothing to ask.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "config/registry.h"
#include "list/filter.h"

/* A longer value is not worth a URL that a server may refuse; bytes. */
#define MAX_FILTER_VALUE 1024

/* A filter of the provider, and the values it is sent with, one a chain. */
typedef struct UsedFilter
{
	const DncFilter *filter;
	const DncCondition *condition;
	List	   *values;			/* of char *, as they are sent */
} UsedFilter;

/*
 * The value that all entries share in a column, if we know it without asking: the
 * server's name, or a constant of the provider's struct; else NULL.
 */
static const char *
constant_of(const DncOptions *options, DncColumn column)
{
	const DncField *field;

	if (column == DNC_COL_SOURCE)
		return options->server_name;
	field = dnc_provider_field(options->provider, column);
	return field && field->name == NULL ? field->constant : NULL;
}

/* Does a condition on this column change what is asked for? */
bool
dnc_filter_has_column(const DncProvider *provider, DncColumn column)
{
	const DncField *field = dnc_provider_field(provider, column);

	if (column == DNC_COL_SOURCE || column == DNC_COL_IDENTIFIER_TYPE)
		return true;
	if (field && field->name == NULL)
		return true;
	for (int i = 0; i < provider->nfilters; i++)
	{
		if (provider->filters[i].column == column)
			return true;
	}
	return false;
}

/* Is a text in a list of texts? */
static bool
has_text(List *texts, const char *text)
{
	ListCell   *lc;

	foreach(lc, texts)
	{
		if (strcmp(lfirst(lc), text) == 0)
			return true;
	}
	return false;
}

/* Can an entry meet a condition with this value? */
static bool
can_match(const DncOptions *options, const DncCondition *condition, const char *value)
{
	const char *constant = constant_of(options, condition->column);

	if (condition->placeholder || condition->op != DNC_OP_EQ)
		return true;
	if (constant)
		return strcmp(constant, value) == 0;
	return condition->column != DNC_COL_IDENTIFIER_TYPE ||
		!dnc_registry_lacks_type(options->provider, value);
}

/* The values of a condition that an entry can have, each once. */
static List *
possible_values(const DncOptions *options, const DncCondition *condition)
{
	List	   *possible = NIL;
	ListCell   *lc;

	foreach(lc, condition->values)
	{
		if (can_match(options, condition, lfirst(lc)) && !has_text(possible, lfirst(lc)))
			possible = lappend(possible, lfirst(lc));
	}
	return possible;
}

/*
 * Does a byte of a LIKE pattern stand for itself in whatever case?  ILIKE folds case by
 * the rules of a locale, which are not the remote's.  So we do not search for letters,
 * nor for bytes that may be part of a letter.
 */
static bool
is_literal(char c, DncOp op)
{
	if (op == DNC_OP_LIKE)
		return true;
	return !IS_HIGHBIT_SET(c) && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z');
}

/*
 * The longest piece of text that every match of a LIKE pattern contains, or, if prefix,
 * begins with; palloc'd, and may be empty.
 */
static char *
like_piece(const char *pattern, DncOp op, bool prefix)
{
	StringInfoData piece;
	char	   *longest = "";

	initStringInfo(&piece);
	for (const char *c = pattern;; c++)
	{
		bool		escaped = *c == '\\' && c[1] != '\0';

		if (escaped)
			c++;
		if (*c != '\0' && (escaped || (*c != '%' && *c != '_')) && is_literal(*c, op))
		{
			appendStringInfoChar(&piece, *c);
			continue;
		}
		if ((size_t) piece.len > strlen(longest))
			longest = pstrdup(piece.data);
		if (*c == '\0' || prefix)
			return longest;
		resetStringInfo(&piece);
	}
}

/*
 * Does a number without + in front find all entries that are the same to the API?  A
 * search for parts of a value does; any other may miss the entry that has a +.
 */
static bool
finds_without_plus(const DncOptions *options, DncColumn column)
{
	return options->provider->ignores_plus && column == DNC_COL_IDENTIFIER &&
		options->search_match == DNC_SEARCH_SUBSTRING;
}

/* The text to send for a value of a condition; NULL: the value cannot be sent. */
static char *
value_to_send(const DncOptions *options, const DncCondition *condition, char *value)
{
	if (condition->placeholder || condition->column == DNC_COL_SEARCH)
		return value;			/* a search is whatever the API makes of it */
	if (condition->column == DNC_COL_IDENTIFIER_TYPE)
		return dnc_provider_has_type(options->provider, value) ? value : NULL;
	if (finds_without_plus(options, condition->column) && condition->op == DNC_OP_EQ)
		value += *value == '+';
	if (condition->op != DNC_OP_EQ)
		value = like_piece(value, condition->op, options->search_match == DNC_SEARCH_PREFIX);
	return value[0] != '\0' && strlen(value) <= MAX_FILTER_VALUE ? value : NULL;
}

/* The texts to send for the values of a condition, each once; NIL: one of them cannot be sent. */
static List *
values_to_send(const DncOptions *options, const DncCondition *condition, List *values)
{
	List	   *sent = NIL;
	ListCell   *lc;

	foreach(lc, values)
	{
		char	   *value = value_to_send(options, condition, lfirst(lc));

		if (value == NULL)
			return NIL;
		if (!has_text(sent, value))
			sent = lappend(sent, value);
	}
	return sent;
}

/* Is a filter's parameter taken by one that was chosen before it? */
static bool
is_taken(List *used, const DncFilter *filter)
{
	ListCell   *lc;

	foreach(lc, used)
	{
		if (strcmp(((UsedFilter *) lfirst(lc))->filter->parameter, filter->parameter) == 0)
			return true;
	}
	return false;
}

/*
 * Choose the filters to send, in the provider's order.  Only one of them may
 * have several values: a chain for each pair of values would ask for the same
 * again and again, since a search finds an entry whatever its type.
 */
static List *
choose_filters(const DncOptions *options, const DncCondition *conditions, int count,
			   List **values)
{
	const DncProvider *provider = options->provider;
	List	   *used = NIL;
	UsedFilter *several = NULL;

	for (int i = 0; i < provider->nfilters; i++)
	{
		for (int j = 0; j < count; j++)
		{
			UsedFilter *filter = palloc(sizeof(UsedFilter));

			filter->filter = &provider->filters[i];
			filter->condition = &conditions[j];
			if (conditions[j].column != filter->filter->column ||
				is_taken(used, filter->filter))
				continue;
			filter->values = values_to_send(options, filter->condition, values[j]);
			if (filter->values == NIL)
				continue;
			if (list_length(filter->values) > 1)
			{
				used = list_delete_ptr(used, several);
				several = filter;
			}
			used = lappend(used, filter);
		}
	}
	if (several && several->filter->column == DNC_COL_IDENTIFIER_TYPE && list_length(used) > 1)
		used = list_delete_ptr(used, several);
	return used;
}

/* A value of a filter as a parameter of the request; palloc'd. */
static DncParameter *
make_parameter(const UsedFilter *used, const char *value)
{
	DncParameter *parameter = palloc(sizeof(DncParameter));

	parameter->name = used->filter->parameter;
	parameter->value = pg_server_to_any(value, strlen(value), PG_UTF8);
	parameter->placeholder = used->condition->placeholder;
	return parameter;
}

/*
 * The check that an entry has a filter's value; NULL: no member of the entry holds it.
 * palloc'd.
 */
static DncChainCheck *
make_check(const DncOptions *options, const UsedFilter *used, const DncParameter *parameter)
{
	const DncField *field = dnc_provider_field(options->provider, used->filter->column);
	DncChainCheck *check;

	if (field == NULL || field->name == NULL)
		return NULL;
	check = palloc(sizeof(DncChainCheck));
	check->member = field->name;
	check->value = parameter->value;
	check->ignores_plus = finds_without_plus(options, used->filter->column);
	return check;
}

/* Append a name and a value to a chain's key.  The length tells where the value ends. */
static void
append_to_key(StringInfo key, const char *name, const char *value)
{
	appendStringInfo(key, "%s=%zu:%s\n", name, strlen(value), value);
}

/*
 * The chain in which the filter with several values has its index-th one, and
 * the others the one they have.
 */
static DncChain *
make_chain(const DncOptions *options, List *used, int index)
{
	DncChain   *chain = palloc0(sizeof(DncChain));
	StringInfoData key;
	ListCell   *lc;

	initStringInfo(&key);
	foreach(lc, used)
	{
		UsedFilter *filter = lfirst(lc);
		bool		several = list_length(filter->values) > 1;
		const char *value = list_nth(filter->values, several ? index : 0);
		DncParameter *parameter = make_parameter(filter, value);
		DncChainCheck *check = make_check(options, filter, parameter);

		chain->filters = lappend(chain->filters, parameter);
		append_to_key(&key, parameter->name, parameter->value);
		if (filter->filter->column == DNC_COL_SEARCH)
			chain->search = value;
		else if (filter->condition->any && check)
		{
			chain->checks = lappend(chain->checks, check);
			append_to_key(&key, check->member, check->value);
		}
	}
	chain->key = key.data;
	return chain;
}

/*
 * The chains that together find all entries that meet the conditions; NIL: no entry
 * can, so there is nothing to ask.  palloc'd.
 */
List *
dnc_filter_chains(const DncOptions *options, const DncCondition *conditions, int count)
{
	List	  **values = palloc(sizeof(List *) * Max(count, 1));
	List	   *chains = NIL;
	List	   *used;
	ListCell   *lc;
	int			length = 1;

	for (int i = 0; i < count; i++)
	{
		values[i] = possible_values(options, &conditions[i]);
		if (values[i] == NIL)
			return NIL;
	}
	used = choose_filters(options, conditions, count, values);
	foreach(lc, used)
		length = Max(length, list_length(((UsedFilter *) lfirst(lc))->values));
	for (int i = 0; i < length; i++)
		chains = lappend(chains, make_chain(options, used, i));
	return chains;
}

/*
 * The chains that together find all entries that meet the conditions, and also those
 * that share the identity of such an entry, but have another value in a column such as
 * the type.  A scan with own writes needs them, to know whether an addition is listed
 * already.  NIL, and palloc'd, as dnc_filter_chains().
 */
List *
dnc_filter_chains_by_identity(const DncOptions *options, const DncCondition *conditions, int count)
{
	DncCondition *kept = palloc(sizeof(DncCondition) * Max(count, 1));
	int			nkept = 0;

	if (dnc_filter_chains(options, conditions, count) == NIL)
		return NIL;
	for (int i = 0; i < count; i++)
	{
		if (conditions[i].column == DNC_COL_SEARCH ||
			dnc_provider_is_identity(options->provider, conditions[i].column))
			kept[nkept++] = conditions[i];
	}
	return dnc_filter_chains(options, kept, nkept);
}
