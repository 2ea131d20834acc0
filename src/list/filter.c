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
#include "miscadmin.h"

#include "config/registry.h"
#include "list/filter.h"
#include "list/text_set.h"

/* A longer value is not worth a URL that a server may refuse; bytes. */
#define MAX_FILTER_VALUE 1024

/* A filter of the provider, and the values that we send, one for each chain. */
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

/* Does a condition on this column change our requests? */
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

/* Does a condition find its few entries with a request for each of its values? */
bool
dnc_filter_is_lookup(DncColumn column, DncOp op)
{
	return op == DNC_OP_EQ && (column == DNC_COL_IDENTIFIER || column == DNC_COL_REQUEST_UUID ||
							   column == DNC_COL_SEARCH);
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
	DncTextSet *known = dnc_text_set_make(list_length(condition->values));
	List	   *possible = NIL;
	ListCell   *lc;

	foreach(lc, condition->values)
	{
		CHECK_FOR_INTERRUPTS();
		if (can_match(options, condition, lfirst(lc)) && dnc_text_set_add(known, lfirst(lc)))
			possible = lappend(possible, lfirst(lc));
	}
	dnc_text_set_end(known);
	return possible;
}

/*
 * Does a byte of a LIKE pattern stand for itself in any case?  ILIKE folds case by the rules of
 * a locale, and the remote's rules may differ.  So we do not search for letters, nor for bytes
 * that may be part of a letter.
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
 * Does a number without a leading + find all entries that are the same to the API?  A search
 * for parts of a value does.  Any other search may miss the entry that has a +.
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
		return value;			/* the API decides how to read a search */
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
	DncTextSet *known = dnc_text_set_make(list_length(values));
	List	   *sent = NIL;
	ListCell   *lc;

	foreach(lc, values)
	{
		char	   *value = value_to_send(options, condition, lfirst(lc));

		CHECK_FOR_INTERRUPTS();
		if (value == NULL)
		{
			sent = NIL;
			break;
		}
		if (dnc_text_set_add(known, value))
			sent = lappend(sent, value);
	}
	dnc_text_set_end(known);
	return sent;
}

/* Does a filter that we chose earlier use this filter's parameter? */
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
 * Do the values of a condition take more requests than the list itself?  Then we read the list.
 * The lists of all types together have at least as many pages as the list.  A search cannot be
 * answered from the list.
 */
static bool
takes_too_many(const DncProvider *provider, const UsedFilter *filter, double list_requests)
{
	int			count = list_length(filter->values);

	if (count <= 1 || filter->filter->column == DNC_COL_SEARCH)
		return false;
	return count > list_requests || (filter->filter->column == DNC_COL_IDENTIFIER_TYPE &&
									 count == dnc_provider_count_types(provider));
}

/*
 * Choose the filters to send, in the provider's order.  Only one of them may have several
 * values.  A chain for each pair of values would ask for the same entries again and again,
 * because a search finds an entry of any type.
 */
static List *
choose_filters(const DncOptions *options, const DncCondition *conditions, int count,
			   List **values, double list_requests)
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
			if (filter->values == NIL || takes_too_many(provider, filter, list_requests))
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
 * Make the check that an entry has a filter's value, palloc'd; NULL: no member of the entry
 * holds the value.
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

/* Append a name and a value to a chain's key.  The length shows where the value ends. */
static void
append_to_key(StringInfo key, const char *name, const char *value)
{
	appendStringInfo(key, "%s=%zu:%s\n", name, strlen(value), value);
}

/*
 * Make the chain with this index, from 0.  The filter with several values uses the value with
 * this index; every other filter uses its single value.  palloc'd.
 */
DncChain *
dnc_filter_chain(const DncChains *chains, int index)
{
	DncChain   *chain = palloc0(sizeof(DncChain));
	StringInfoData key;
	ListCell   *lc;

	initStringInfo(&key);
	foreach(lc, chains->used)
	{
		UsedFilter *filter = lfirst(lc);
		bool		several = list_length(filter->values) > 1;
		const char *value = list_nth(filter->values, several ? index : 0);
		DncParameter *parameter = make_parameter(filter, value);
		DncChainCheck *check = make_check(chains->options, filter, parameter);

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

/* The number of a column's values that narrow the list in the requests; 0: none does. */
int
dnc_filter_values(const DncChains *chains, DncColumn column)
{
	ListCell   *lc;

	foreach(lc, chains->used)
	{
		const UsedFilter *used = lfirst(lc);

		if (used->filter->column == column)
			return list_length(used->values);
	}
	return 0;
}

/* Does each of these chains find the few entries of a value? */
bool
dnc_filter_sends_lookup(const DncChains *chains)
{
	ListCell   *lc;

	foreach(lc, chains->used)
	{
		const UsedFilter *used = lfirst(lc);

		if (dnc_filter_is_lookup(used->filter->column, used->condition->op))
			return true;
	}
	return false;
}

/*
 * Make the chains that together find all entries that meet the conditions.  list_requests is
 * the expected number of requests for reading the list; we leave a condition with more values
 * than that to PostgreSQL.  palloc'd; *options and the conditions must outlive the chains.
 */
DncChains *
dnc_filter_chains(const DncOptions *options, const DncCondition *conditions, int count,
				  double list_requests)
{
	DncChains  *chains = palloc0(sizeof(DncChains));
	List	  **values = palloc(sizeof(List *) * Max(count, 1));
	ListCell   *lc;

	chains->options = options;
	for (int i = 0; i < count; i++)
	{
		values[i] = possible_values(options, &conditions[i]);
		if (values[i] == NIL)
			return chains;
	}
	chains->used = choose_filters(options, conditions, count, values, list_requests);
	chains->count = 1;
	foreach(lc, chains->used)
		chains->count = Max(chains->count, list_length(((UsedFilter *) lfirst(lc))->values));
	return chains;
}

/*
 * Make the chains that together find all entries that meet the conditions, and all entries that
 * share the identity of such an entry, but have another value in a column such as the type.  A
 * scan with own writes needs them, to know whether an addition is already on the list.
 * Otherwise like dnc_filter_chains(); the conditions are copied.
 */
DncChains *
dnc_filter_chains_by_identity(const DncOptions *options, const DncCondition *conditions,
							  int count, double list_requests)
{
	DncCondition *kept = palloc(sizeof(DncCondition) * Max(count, 1));
	DncChains  *chains = dnc_filter_chains(options, conditions, count, list_requests);
	int			nkept = 0;

	if (chains->count == 0)
		return chains;
	for (int i = 0; i < count; i++)
	{
		if (conditions[i].column == DNC_COL_SEARCH ||
			dnc_provider_is_identity(options->provider, conditions[i].column))
			kept[nkept++] = conditions[i];
	}
	return dnc_filter_chains(options, kept, nkept, list_requests);
}

/*
 * Make the single chain that finds the same as some chains for many types, on a list of any
 * type; NULL: they are not chains for many types.  The conditions are those of the given
 * chains; they are copied.
 */
DncChains *
dnc_filter_chains_of_any_type(const DncChains *chains, const DncCondition *conditions, int count)
{
	DncCondition *kept = palloc(sizeof(DncCondition) * Max(count, 1));
	int			nkept = 0;

	if (dnc_filter_values(chains, DNC_COL_IDENTIFIER_TYPE) < DNC_FILTER_MANY_TYPES)
		return NULL;
	for (int i = 0; i < count; i++)
	{
		if (conditions[i].column != DNC_COL_IDENTIFIER_TYPE)
			kept[nkept++] = conditions[i];
	}
	return dnc_filter_chains(chains->options, kept, nkept, DNC_ANY_NUMBER);
}
