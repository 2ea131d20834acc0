/*-------------------------------------------------------------------------
 *
 * decode.c
 *		Entries of a list as rows: JSON values into datums.
 *
 * The provider's struct says which member of an entry holds a column.  We go through
 * each entry once, and leave columns NULL that the query does not need.  But every entry
 * must have the members that the API promises: an answer without them is not the list
 * that we expect.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "config/registry.h"
#include "list/decode.h"
#include "list/fast_input.h"
#include "match/key.h"
#include "match/phone_load.h"
#include "match/server_text.h"
#include "request/remote_error.h"
#include "wire/json_text.h"

/* One attribute that the query needs. */
typedef struct DecoderAttribute
{
	AttrNumber	attnum;
	DncColumn	column;
	const char *name;
	int			field;			/* index in provider->fields; -1: a constant, attrs or match_key */
	bool		constant;		/* the value is the same for every entry */
	Datum		value;
	bool		isnull;
	Oid			type;
	int32		typmod;
	DncFastInput reader;		/* NULL: only the input function can read it */
	bool		is_local_time;	/* a moment, in a type that has no time zone */
	FmgrInfo	input;
	Oid			ioparam;
} DecoderAttribute;

struct DncDecoder
{
	const DncOptions *options;
	int			natts;			/* of the table */
	int			nneeded;
	DecoderAttribute *needed;
	const DncJson **members;	/* the members of the current entry, by field */
	bool	   *warned;			/* by our warning of a foreign type; NULL: no warning */
	bool		no_numbers;		/* keys are stand-ins: we cannot read phone numbers */

	/* For errcontext. */
	const char *current;		/* name of the current attribute; NULL: none */
	int			index;			/* the current entry, from 0 */
};

/*
 * A moment as the text of its local time, in the session's time zone.  The input functions of
 * date and timestamp ignore a time zone in the text, so they would give the vendor's day.
 */
static char *
local_time(const char *moment)
{
	Datum		value = DirectFunctionCall3(timestamptz_in, CStringGetDatum(moment),
											ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));

	value = DirectFunctionCall1(timestamptz_timestamp, value);
	return DatumGetCString(DirectFunctionCall1(timestamp_out, value));
}

/* A text, in the database's encoding, as a value of the attribute's type. */
static Datum
input_text(DecoderAttribute *attribute, const char *text)
{
	Datum		value;

	if (attribute->is_local_time)
		text = local_time(text);

	if (attribute->reader && attribute->reader(text, &value))
		return value;
	return InputFunctionCall(&attribute->input, unconstify(char *, text), attribute->ioparam,
							 attribute->typmod);
}

/* The value that all entries share in a column that is no member of them; NULL: SQL's NULL. */
static const char *
constant_text(const DncOptions *options, DncColumn column, const char *search)
{
	const DncField *field = dnc_provider_field(options->provider, column);

	if (column == DNC_COL_SOURCE)
		return options->server_name;
	if (column == DNC_COL_SEARCH)
		return search;
	return field ? field->constant : NULL;
}

/*
 * The text of an entry's column as it came, UTF-8; NULL: there is none.  The text belongs to
 * the entry or to the provider.
 */
const char *
dnc_decode_text(const DncProvider *provider, const DncJson *entry, DncColumn column)
{
	const DncField *field = dnc_provider_field(provider, column);
	const DncJson *value;

	if (field == NULL)
		return NULL;
	if (field->name == NULL)
		return field->constant;
	value = dnc_json_get(entry, field->name);
	return value && dnc_json_kind(value) == DNC_JSON_STRING ? dnc_json_string(value) : NULL;
}

/* Does an attribute hold moments, but in a type without time zone? */
static bool
is_local_time(DncColumn column, Oid type)
{
	if (column != DNC_COL_CREATED_AT && column != DNC_COL_UPDATED_AT &&
		column != DNC_COL_UNSUBSCRIBED_AT)
		return false;
	type = getBaseType(type);
	return type == DATEOID || type == TIMESTAMPOID || type == TIMEOID;
}

/* Set up one attribute. */
static void
make_attribute(DncDecoder *decoder, DecoderAttribute *attribute, Form_pg_attribute att,
			   DncColumn column, const char *search)
{
	const DncProvider *provider = decoder->options->provider;
	const DncField *field = dnc_provider_field(provider, column);
	const char *text;
	Oid			input;

	attribute->attnum = att->attnum;
	attribute->column = column;
	attribute->name = pstrdup(NameStr(att->attname));
	attribute->type = att->atttypid;
	attribute->typmod = att->atttypmod;
	getTypeInputInfo(att->atttypid, &input, &attribute->ioparam);
	fmgr_info(input, &attribute->input);
	attribute->reader = dnc_fast_input_find(att->atttypid, att->atttypmod);
	attribute->is_local_time = is_local_time(column, att->atttypid);
	attribute->field = field && field->name ? (int) (field - provider->fields) : -1;
	if (attribute->field < 0 && column != DNC_COL_ATTRS && column != DNC_COL_MATCH_KEY)
	{
		text = constant_text(decoder->options, column, search);
		attribute->constant = true;
		attribute->isnull = text == NULL;
		if (text)
			attribute->value = input_text(attribute, text);
	}
}

/*
 * Make a decoder for those attributes of a table that are in *needed (attribute numbers).
 * search is the value of the column search, or NULL.  palloc'd in the current context; *options
 * must outlive the decoder.
 */
DncDecoder *
dnc_decoder_make(const DncOptions *options, TupleDesc desc, const DncColumnMap *map,
				 const Bitmapset *needed, const char *search)
{
	DncDecoder *decoder = palloc0(sizeof(DncDecoder));
	int			attnum = -1;

	decoder->options = options;
	decoder->natts = desc->natts;
	decoder->needed = palloc0(sizeof(DecoderAttribute) * Max(bms_num_members(needed), 1));
	decoder->members = palloc0(sizeof(DncJson *) * options->provider->nfields);
	while ((attnum = bms_next_member(needed, attnum)) >= 0)
	{
		if (map->columns[attnum - 1] != DNC_COL_NONE)
			make_attribute(decoder, &decoder->needed[decoder->nneeded++],
						   TupleDescAttr(desc, attnum - 1), map->columns[attnum - 1], search);
	}
	return decoder;
}

/*
 * The rows only serve for statistics.  So keys can be stand-ins if dnc_fdw_phone is not
 * installed.
 */
void
dnc_decoder_for_statistics(DncDecoder *decoder)
{
	decoder->no_numbers = !dnc_phone_load_possible();
}

/*
 * Raise a WARNING for the first entry whose type only other vendors document, unless *warned is
 * set already.  The warning sets *warned.
 */
void
dnc_decoder_watch_types(DncDecoder *decoder, bool *warned)
{
	decoder->warned = warned;
}

/* errcontext: the entry of the page, and its column. */
static void
describe_entry(void *arg)
{
	DncDecoder *decoder = arg;

	if (decoder->current)
		errcontext("entry %d of the page, column \"%s\"", decoder->index + 1, decoder->current);
	else
		errcontext("entry %d of the page", decoder->index + 1);
}

/*
 * The index of the field for a member of an entry; -1: we know no such field.  A provider lists
 * its fields in the order in which its API writes them.  So the search begins after the field
 * that was found last, previous (-1: none).
 */
static int
find_field(const DncProvider *provider, const char *name, int previous)
{
	int			field = previous;

	for (int i = 0; i < provider->nfields; i++)
	{
		const char *candidate;

		field = field + 1 < provider->nfields ? field + 1 : 0;
		candidate = provider->fields[field].name;
		if (candidate && strcmp(candidate, name) == 0)
			return field;
	}
	return -1;
}

/* Does a value have the type that the API documents for the field? */
static bool
is_of_kind(const DncJson *json, const DncField *field)
{
	return dnc_json_kind(json) ==
		(field->kind == DNC_FIELD_BOOLEAN ? DNC_JSON_BOOLEAN : DNC_JSON_STRING);
}

/* Fill decoder->members from an entry, and check that the entry has all that the API promises. */
static void
collect_members(DncDecoder *decoder, const DncJson *entry)
{
	const DncOptions *options = decoder->options;
	const DncProvider *provider = options->provider;
	int			previous = -1;

	if (dnc_json_kind(entry) != DNC_JSON_OBJECT)
		dnc_remote_error_contract(options, "An entry is not an object.");
	memset(decoder->members, 0, sizeof(DncJson *) * provider->nfields);
	for (const DncJson *member = dnc_json_first(entry); member; member = dnc_json_next(member))
	{
		int			field = find_field(provider, dnc_json_name(member), previous);

		if (field < 0)
			continue;
		if (decoder->members[field])
			dnc_remote_error_contract(options, "An entry has \"%s\" twice.", provider->fields[field].name);
		decoder->members[field] = member;
		previous = field;
	}
	for (int i = 0; i < provider->nfields; i++)
	{
		const DncField *field = &provider->fields[i];

		if (!field->required)
			continue;
		if (decoder->members[i] == NULL)
			dnc_remote_error_contract(options, "An entry has no \"%s\".", field->name);
		if (!is_of_kind(decoder->members[i], field))
			dnc_remote_error_contract(options, "An entry's \"%s\" is not a %s.", field->name,
									  field->kind == DNC_FIELD_BOOLEAN ? "boolean" : "string");
	}
}

/* The value of an attribute that is a member of the entry; false: NULL. */
static bool
decode_member(DncDecoder *decoder, DecoderAttribute *attribute, Datum *value)
{
	const DncField *field = &decoder->options->provider->fields[attribute->field];
	const DncJson *json = decoder->members[attribute->field];
	const char *utf8;

	if (json == NULL || dnc_json_kind(json) == DNC_JSON_NULL)
		return false;
	if (!is_of_kind(json, field))
		dnc_remote_error_contract(decoder->options, "An entry's \"%s\" is not a %s.", field->name,
								  field->kind == DNC_FIELD_BOOLEAN ? "boolean" : "string");
	if (field->kind == DNC_FIELD_BOOLEAN && attribute->type == BOOLOID)
		*value = BoolGetDatum(dnc_json_boolean(json));
	else if (field->kind == DNC_FIELD_BOOLEAN)
		*value = input_text(attribute, dnc_json_boolean(json) ? "true" : "false");
	else
	{
		utf8 = dnc_json_string(json);
		*value = input_text(attribute, pg_any_to_server(utf8, strlen(utf8), PG_UTF8));
	}
	return true;
}

/*
 * Read the entry at a place of a page (UTF-8) as jsonb, palloc'd.  jsonb reads the text itself:
 * cJSON's numbers are doubles, so a tree printed again could differ from the vendor's text.
 * Raises 22P05 if the database's encoding lacks a character of the text, and jsonb's own errors
 * for jsonb's limits.
 */
static Jsonb *
read_attrs(const char *entry)
{
	char	   *text = dnc_json_text_copy(entry);

	text = pg_any_to_server(text, strlen(text), PG_UTF8);
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
}

/* The value of attrs: the entry as it came. */
static Datum
decode_attrs(DecoderAttribute *attribute, DncEntries *entries)
{
	Jsonb	   *jsonb = read_attrs(dnc_entries_text(entries));

	if (attribute->type == JSONBOID)
		return JsonbPGetDatum(jsonb);
	return input_text(attribute, JsonbToCString(NULL, &jsonb->root, VARSIZE(jsonb)));
}

/*
 * The value of match_key, from an entry's identifier and type in UTF-8; either may be NULL.
 * Raises 0A000 for a number if dnc_fdw_phone is not installed.
 */
static Datum
make_key(DncDecoder *decoder, DecoderAttribute *attribute, const char *identifier,
		 const char *type)
{
	const DncOptions *options = decoder->options;
	char	   *key;
	bool		whole;

	if (decoder->no_numbers)
		key = dnc_match_key_stand_in(identifier, type);
	else
		key = dnc_match_entry_key(identifier, type, options->default_country,
								  options->provider->ignores_plus);
	return input_text(attribute, dnc_match_to_server(key, &whole));
}

/* The text of a column of the current entry, UTF-8; NULL: there is none. */
static const char *
member_text(const DncDecoder *decoder, DncColumn column)
{
	const DncProvider *provider = decoder->options->provider;
	const DncField *field = dnc_provider_field(provider, column);
	const DncJson *json;

	if (field == NULL || field->name == NULL)
		return field ? field->constant : NULL;
	json = decoder->members[field - provider->fields];
	return json && dnc_json_kind(json) == DNC_JSON_STRING ? dnc_json_string(json) : NULL;
}

/*
 * Check the type of the current entry.  Queries for a type that only other vendors document
 * send nothing, so they would miss this entry.
 */
static void
look_at_type(DncDecoder *decoder)
{
	const DncOptions *options = decoder->options;
	const char *type = member_text(decoder, DNC_COL_IDENTIFIER_TYPE);

	if (type == NULL || *decoder->warned || !dnc_registry_lacks_type(options->provider, type))
		return;
	*decoder->warned = true;
	ereport(WARNING,
			(errmsg("the list of server \"%s\" has entries of type \"%s\"", options->server_name, type),
			 errdetail("Provider \"%s\" is not known to have this type, so queries for it send nothing, and miss these entries.",
					   options->provider->name),
			 errhint("To find them, compare in a way that is not sent, such as lower(identifier_type) = '%s'.", type)));
}

/* Fill in the needed attributes; the others stay NULL. */
static void
decode_entry(DncDecoder *decoder, DncEntries *entries, Datum *values, bool *nulls)
{
	collect_members(decoder, entries->entry);
	if (decoder->warned)
		look_at_type(decoder);
	for (int i = 0; i < decoder->nneeded; i++)
	{
		DecoderAttribute *attribute = &decoder->needed[i];
		Datum	   *value = &values[attribute->attnum - 1];
		bool	   *isnull = &nulls[attribute->attnum - 1];

		decoder->current = attribute->name;
		if (attribute->constant)
		{
			*value = attribute->value;
			*isnull = attribute->isnull;
		}
		else if (attribute->column == DNC_COL_ATTRS)
		{
			*value = decode_attrs(attribute, entries);
			*isnull = false;
		}
		else if (attribute->column == DNC_COL_MATCH_KEY)
		{
			*value = make_key(decoder, attribute, member_text(decoder, DNC_COL_IDENTIFIER),
							  member_text(decoder, DNC_COL_IDENTIFIER_TYPE));
			*isnull = false;
		}
		else
			*isnull = !decode_member(decoder, attribute, value);
	}
	decoder->current = NULL;
}

/*
 * Put the current entry into values[] and nulls[] of the table's attributes; the datums are in
 * the current context.  Raises 08P01 if the entry is not as the API promises, and the errors of
 * the input functions.
 */
void
dnc_decoder_entry(DncDecoder *decoder, DncEntries *entries, Datum *values, bool *nulls)
{
	ErrorContextCallback context;

	decoder->index = entries->index;
	context.callback = describe_entry;
	context.arg = decoder;
	context.previous = error_context_stack;
	error_context_stack = &context;
	memset(values, 0, sizeof(Datum) * decoder->natts);
	memset(nulls, true, sizeof(bool) * decoder->natts);
	decode_entry(decoder, entries, values, nulls);
	error_context_stack = context.previous;
}

/*
 * Make a row from texts[DNC_NCOLUMNS], UTF-8, in place of an entry; a NULL text gives NULL.
 * Raises the errors of the input functions.
 */
void
dnc_decoder_texts(DncDecoder *decoder, const char *const *texts, Datum *values, bool *nulls)
{
	const DncField *type = dnc_provider_field(decoder->options->provider, DNC_COL_IDENTIFIER_TYPE);

	memset(values, 0, sizeof(Datum) * decoder->natts);
	memset(nulls, true, sizeof(bool) * decoder->natts);
	for (int i = 0; i < decoder->nneeded; i++)
	{
		DecoderAttribute *attribute = &decoder->needed[i];
		const char *text = texts[attribute->column];

		if (attribute->constant)
		{
			values[attribute->attnum - 1] = attribute->value;
			nulls[attribute->attnum - 1] = attribute->isnull;
		}
		else if (attribute->column == DNC_COL_MATCH_KEY)
		{
			values[attribute->attnum - 1] =
				make_key(decoder, attribute, texts[DNC_COL_IDENTIFIER],
						 type && type->constant ? type->constant : texts[DNC_COL_IDENTIFIER_TYPE]);
			nulls[attribute->attnum - 1] = false;
		}
		else if (text)
		{
			values[attribute->attnum - 1] =
				input_text(attribute, pg_any_to_server(text, strlen(text), PG_UTF8));
			nulls[attribute->attnum - 1] = false;
		}
	}
}
