# DncVendors: the vendors that the extension knows, as tests need them
#
# This is the one place where tests and fuzzing say how a vendor's API looks: names of
# members, paths, tokens, types, and how its lists behave.  A test that tries all vendors
# goes over %vendors, or over lists().  The facts come from the vendors' documentation and
# not from src/, so that a mistake there does not hide here.

package DncVendors;

use strict;
use warnings;

# The columns of the tables, in order.
our @columns = qw(id identifier identifier_type label reason is_manually_added workspace_id org_id
	batch_id request_uuid call_recording transcription unsubscribed_at created_at updated_at attrs
	source);

# The facts of a vendor.  A path in an answer has dots between its parts.
#
# base             path of the base_url, in the sandbox
# token, header    token of an account in the sandbox; the header line that carries a token
# path             path of the list
# list, success    paths of the entries, and of the value that says whether the request succeeded
# fields           member => [column, kind, required]; kinds are those of DncFuzz::Json
# id, identifier, type, ids
#                  members for these columns; format of an id
# constants        columns whose value is the same for all entries
# cursors          paths of "goes on", of the next cursor, and of the total, if there is one
# echoes           a path that pages with cursors have besides, and its value
# numbers          paths of total, page, limit and number of pages
# asks             parameters that ask for another page, by way of paging
# types            identifier types, the most usual one first
# type_parameter   the parameter that asks for one type
# note             a column of free text that an addition can have
# searches, searches_notes
#                  the parameter that finds an identifier; it looks at notes, too
# needs            columns that an addition needs besides identifier and type, with a value
# add, remove      method, path and body of a request: adds an identifier of a type; removes an entry,
#                  which is given as the list has it
# one_each         a request adds one entry
# refuses          the API refuses to add an entry that is listed
# by_id            a removal names the entry's id
# identity         the columns that tell entries apart, in SQL
# folds            the list keeps identifiers in lower case
# ignores_plus     a number with + and one without are the same
# lists            the ways of paging.  config sets one in the sandbox.  With steady, a reader misses
#                  nobody who is on the list all the time
# settings         the kinds of lists that the sandbox plays.  Where misses is set, a reader can
#                  miss somebody
our %vendors = (
	alta => {
		base => '/alta/v1', token => 'sandbox-%s', header => 'Authorization: Bearer %s',
		path => '/dnc/communication-opt-outs',
		list => 'data',
		fields => {
			id => [ 'id', 's', 1 ],
			objectType => [ '', 's', 1 ],
			identifier => [ 'identifier', 's', 1 ],
			identifierType => [ 'identifier_type', 's', 1 ],
			label => [ 'label', 's', 0 ],
			isManuallyAdded => [ 'is_manually_added', 'b', 1 ],
			createdAt => [ 'created_at', 's', 1 ],
			updatedAt => [ 'updated_at', 's', 1 ],
		},
		cursors => { more => 'hasMore', next => 'next' }, asks => { cursors => 'cursor' },
		id => 'id', identifier => 'identifier', type => 'identifierType', ids => '00000000-0000-4000-8000-%012x',
		types => [qw(email linkedin phone sms whatsapp web_chat)], type_parameter => 'identifierType',
		note => 'label', searches => 'search', needs => {}, identity => 'identifier, identifier_type',
		add => sub { my ($who, $type) = @_; return ('POST', '/dnc/communication-opt-outs', { identifiers => [ { identifier => $who, identifierType => $type } ] }) },
		remove => sub { my ($entry) = @_; return ('DELETE', '/dnc/communication-opt-outs', { map { $_ => $entry->{$_} } 'identifier', 'identifierType' }) },
		lists => [ { name => 'alta', paging => 'cursors', config => '', steady => 'cursors=keyset' } ],
		settings => [ { name => 'keyset', paging => 'cursors', config => 'cursors=keyset' },
			{ name => 'page', paging => 'cursors', config => 'cursors=page', misses => 1 } ],
	},
	sendkit => {
		base => '/sendkit', token => 'sk_%s', header => 'X-Api-Key: %s',
		path => '/v1/dnc',
		list => 'data',
		success => 'success',
		fields => {
			_id => [ 'id', 's', 1 ],
			email => [ 'identifier', 's', 1 ],
			entryType => [ 'identifier_type', 's', 1 ],
			workspaceId => [ 'workspace_id', 's', 0 ],
			reason => [ 'reason', 's', 0 ],
			unsubscribedAt => [ 'unsubscribed_at', 's', 0 ],
			createdAt => [ 'created_at', 's', 0 ],
			updatedAt => [ 'updated_at', 's', 0 ],
		},
		cursors => {
			more => 'pagination.hasMore', next => 'pagination.nextCursor',
			total => 'pagination.total',
		},
		asks => { cursors => 'cursor', numbers => 'page' },
		echoes => [ 'pagination.limit', 100 ],
		numbers => {
			total => 'pagination.total', page => 'pagination.page',
			limit => 'pagination.limit', pages => 'pagination.pages',
		},
		id => '_id', identifier => 'email', type => 'entryType', ids => '%024x',
		types => [qw(email domain)], type_parameter => 'type',
		note => 'reason', needs => {}, identity => 'lower(identifier)', folds => 1,
		add => sub { my ($who) = @_; return ('POST', '/v1/dnc', { entries => [ { email => $who } ] }) },
		remove => sub { my ($entry) = @_; return ('DELETE', '/v1/dnc', { emails => [ $entry->{email} ] }) },
		lists => [ { name => 'sendkit_new', paging => 'cursors', config => '', steady => '' },
			{ name => 'sendkit_old', paging => 'numbers', config => 'generation=old', steady => '' } ],
		settings => [ { name => 'new', paging => 'cursors', config => 'generation=new' },
			{ name => 'page', paging => 'cursors', config => 'generation=new&cursors=page', misses => 1 },
			{ name => 'old', paging => 'numbers', config => 'generation=old' } ],
	},
	weya => {
		base => '/weya', token => 'sandbox-%s', header => 'Authorization: Bearer %s',
		path => '/api/dnc/list',
		list => 'data.dncList',
		success => 'status',
		fields => {
			_id => [ 'id', 's', 1 ],
			phoneNumber => [ 'identifier', 's', 1 ],
			type => [ 'reason', 's', 0 ],
			orgId => [ 'org_id', 's', 0 ],
			batchId => [ 'batch_id', 's', 0 ],
			requestUUID => [ 'request_uuid', 's', 0 ],
			callRecording => [ 'call_recording', 's', 0 ],
			transcription => [ 'transcription', 's', 0 ],
			createdAt => [ 'created_at', 's', 0 ],
		},
		constants => { identifier_type => 'phone' },
		numbers => {
			total => 'data.pagination.total', page => 'data.pagination.page',
			limit => 'data.pagination.limit', pages => 'data.pagination.totalPages',
		},
		asks => { numbers => 'page' },
		id => '_id', identifier => 'phoneNumber', ids => '%024x',
		types => [qw(phone)],
		note => 'reason', searches => 'search', searches_notes => 1, needs => { batch_id => 'b', request_uuid => 'u' },
		one_each => 1, refuses => 1, by_id => 1, identity => 'identifier', ignores_plus => 1,
		add => sub { my ($who) = @_; return ('POST', '/api/dnc/add', { phoneNumber => $who, batchId => 'b', requestUUID => 'u' }) },
		remove => sub { my ($entry) = @_; return ('DELETE', "/api/dnc/delete/$entry->{_id}") },
		lists => [ { name => 'weya', paging => 'numbers', config => '', steady => '' } ],
		settings => [ { name => 'numbers', paging => 'numbers', config => '' } ],
	});

# The vendors' names, in order.
sub names { return sort keys %vendors }

# Each way in which a vendor gives its list, with an account of the sandbox for it: name, vendor,
# paging, config, steady, account (VENDOR/ACCOUNT), token, and type.
sub lists
{
	my ($account) = @_;

	return map {
		my $vendor = $_;
		map {
			my $own = $_->{name} eq $vendor ? $account : $account . $_->{name} =~ s/^\Q$vendor\E//r;

			+{ %$_, vendor => $vendor, account => "$vendor/$own", token => token($vendor, $own), type => $vendors{$vendor}{types}[0] }
		} @{ $vendors{$vendor}{lists} }
	} names();
}

# The token of an account of the sandbox, and the request's line with it.
sub token { my ($vendor, $account) = @_; return sprintf $vendors{$vendor}{token}, $account }
sub header { my ($vendor, $account) = @_; return sprintf $vendors{$vendor}{header}, token($vendor, $account) }

# Statements that make a server, and a user mapping for the current user: its name, the vendor, the
# sandbox's URL, the account there, and more options.
sub server
{
	my ($name, $vendor, $url, $account, $options) = @_;
	my $token = token($vendor, $account);

	$options = $options ? ", $options" : '';
	return "CREATE SERVER $name FOREIGN DATA WRAPPER dnc_fdw
		  OPTIONS (provider '$vendor', base_url '$url$vendors{$vendor}{base}'$options);
		CREATE USER MAPPING FOR CURRENT_USER SERVER $name OPTIONS (token '$token');";
}

# ----- rows -----

# The columns of a table through which entries are added and removed by identifier and type alone.
sub table_columns
{
	my ($vendor) = @_;
	my $needs = $vendors{$vendor}{needs};

	return join ', ', 'identifier text', 'identifier_type text', $vendors{$vendor}{by_id} ? 'id text' : (),
		map { "$_ text DEFAULT '$needs->{$_}'" } sort keys %$needs;
}

# The same as a list of columns and of values that an INSERT gives; the identifier is an SQL expression,
# and so is the type, if one is given.
sub insert_columns { my ($vendor) = @_; return join ', ', 'identifier', 'identifier_type', sort keys %{ $vendors{$vendor}{needs} } }

sub insert_values
{
	my ($vendor, $identifier, $type) = @_;
	my $needs = $vendors{$vendor}{needs};

	return join ', ', $identifier, $type // "'$vendors{$vendor}{types}[0]'", map { "'$needs->{$_}'" } sort keys %$needs;
}

# Does an addition say of which type it is?
sub asks_for_type { my ($vendor) = @_; return !$vendors{$vendor}{constants}{identifier_type} }

# Does a vendor have entries of a type?
sub has_type { my ($vendor, $type) = @_; return scalar grep { $_ eq $type } @{ $vendors{$vendor}{types} } }

# The type of an identifier, by its looks.
sub type_of
{
	my ($vendor, $identifier) = @_;
	my $type = $identifier =~ /@/ ? 'email' : $identifier =~ /\w\.[a-z]/i ? 'domain' : 'phone';

	return has_type($vendor, $type) ? $type : $vendors{$vendor}{types}[0];
}

# The parameter of the sandbox's fill that makes all entries of one type.
sub fill_type { my ($vendor) = @_; return $vendors{$vendor}{type} ? "&types=$vendors{$vendor}{types}[0]" : '' }

# People by name, each with spellings that a vendor takes for different entries or for one.
sub people
{
	my ($vendor) = @_;
	my %people;

	$people{$_} = [ "$_\@x.org", ucfirst($_) . '@x.org', "$_\@X.ORG" ] for has_type($vendor, 'email') ? qw(ann bo cy dan eve) : ();
	$people{"d$_"} = [ "d$_.org", "D$_.org" ] for has_type($vendor, 'domain') ? 1 .. 5 : ();
	$people{"n$_"} = $vendors{$vendor}{ignores_plus} ? [ "1212555000$_", "+1212555000$_" ] : [ "+1212555000$_", "+1 (212) 555-000$_" ]
		for has_type($vendor, 'phone') ? 1 .. (has_type($vendor, 'email') ? 5 : 9) : ();
	return %people;
}

# The entry that the list has of a spelling.
sub stored
{
	my ($vendor, $spelling) = @_;

	return $vendors{$vendor}{folds} ? lc $spelling : $vendors{$vendor}{ignores_plus} ? $spelling =~ s/^\+//r : $spelling;
}

# ----- entries as the API has them -----

# The member of an entry that is a column.
sub member
{
	my ($vendor, $column) = @_;
	my $fields = $vendors{$vendor}{fields};

	return (grep { $fields->{$_}[0] eq $column } sort keys %$fields)[0];
}

# The members that are identifiers, or ids, as a pattern for JSON.
sub members
{
	my ($which) = @_;
	my %members = map { $vendors{$_}{$which} => 1 } names();

	return '(?:' . join('|', sort keys %members) . ')';
}

# Of an entry of any vendor's list: its id, identifier, and type.
sub id_of { my ($entry) = @_; return (grep { defined } map { $entry->{ $vendors{$_}{id} } } names())[0] }
sub identifier_of { my ($entry) = @_; return (grep { defined } map { $entry->{ $vendors{$_}{identifier} } } names())[0] }

sub entry_type
{
	my ($vendor, $entry) = @_;

	return $vendors{$vendor}{constants}{identifier_type} // $entry->{ $vendors{$vendor}{type} };
}

# An entry with the members that each has; $set has members by column, and others by name.  Without
# a number there is no id.
sub entry
{
	my ($vendor, $number, %set) = @_;
	my $facts = $vendors{$vendor};
	my %entry;

	for my $member (keys %{ $facts->{fields} })
	{
		my ($column, $kind, $required) = @{ $facts->{fields}{$member} };
		my $value = $member eq $facts->{id} ? sprintf($facts->{ids}, $number)
			: exists $set{$column} ? $set{$column}
			: $column eq 'identifier_type' ? $facts->{types}[0]
			: $kind eq 'b' ? \1
			: $column =~ /_at$/ ? '2025-01-01T00:00:00.000Z'
			: 'x';

		$entry{$member} = $value if $required || exists $set{$column};
	}
	return \%entry;
}

# Members as the text of a JSON object.  Each is [path, text]; a path's parts have dots between them.
sub object
{
	my (@members) = @_;
	my (@order, %inner);

	for (@members)
	{
		my ($path, $text) = @$_;
		my ($name, $rest) = split /\./, $path, 2;

		push @order, $name unless $inner{$name};
		push @{ $inner{$name} }, defined $rest ? [ $rest, $text ] : $text;
	}
	return '{' . join(',', map { "\"$_\":" . (ref $inner{$_}[0] ? object(@{ $inner{$_} }) : $inner{$_}[0]) } @order) . '}';
}

# The text of a page with entries, as text, that is a whole list.  $set has other texts for
# total, page, limit, pages, more and next.
sub page
{
	my ($list, $entries, $set) = @_;
	my $facts = $vendors{ $list->{vendor} };
	my %say = (total => 1, page => 1, limit => 100, pages => 1, more => 'false', next => 'null', %{ $set // {} });
	my $paths = $facts->{ $list->{paging} };

	return object($facts->{success} ? [ $facts->{success}, 'true' ] : (), [ $facts->{list}, "[$entries]" ],
		$list->{paging} eq 'cursors' && $facts->{echoes} ? $facts->{echoes} : (),
		map { [ $paths->{$_}, $say{$_} ] } grep { $paths->{$_} } qw(page limit total pages more next));
}

1;
