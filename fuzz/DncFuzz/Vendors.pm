# DncFuzz::Vendors: the facts in the vendors' documents about their lists, for
# the judge; written from their pages, not from src/config/providers/.

package DncFuzz::Vendors;

use strict;
use warnings;

# The columns of the tables, in order.
our @columns = qw(id identifier identifier_type label reason is_manually_added workspace_id org_id
	batch_id request_uuid call_recording transcription unsubscribed_at created_at updated_at attrs
	source);

# fields: member => [column, kind, required]; kind as in DncFuzz::Json.
# numbers: the paths of total, page, limit and number of pages.
# cursors: the paths of "goes on", the next cursor, and the total, if there is one.
our %vendors = (
	alta => {
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
		cursors => { more => 'hasMore', next => 'next' },
		id => 'id',
		identifier => 'identifier',
		type => 'identifierType',
	},
	sendkit => {
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
		numbers => {
			total => 'pagination.total', page => 'pagination.page',
			limit => 'pagination.limit', pages => 'pagination.pages',
		},
		id => '_id',
		identifier => 'email',
		type => 'entryType',
	},
	weya => {
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
		id => '_id',
		identifier => 'phoneNumber',
		ignores_plus => 1,    # a search for digits finds the number with + too
	});

1;
