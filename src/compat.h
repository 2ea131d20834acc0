/*-------------------------------------------------------------------------
 *
 * compat.h
 *		All differences between the PostgreSQL versions that we support.
 *
 * No other file looks at PG_VERSION_NUM: a reader of the code follows one flow, and a
 * new major version only changes this file.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_COMPAT_H
#define DNC_COMPAT_H

#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_foreign_server.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "nodes/primnodes.h"
#include "optimizer/pathnode.h"
#include "storage/lock.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/selfuncs.h"
#include "utils/rel.h"
#include "utils/wait_event.h"

#if PG_VERSION_NUM < 150000
#error "dnc_fdw needs PostgreSQL 15 or newer"
#endif

/* The Debian package of the library for phone numbers (debian/control.in). */
#define DNC_PHONE_PACKAGE "postgresql-" PG_MAJORVERSION "-dnc-fdw-phone"

#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#else
#include "commands/explain.h"
#endif

#if PG_VERSION_NUM >= 170000
#include "storage/dsm_registry.h"
#endif

/* The name and version of a library in pg_get_loaded_modules(), since 18. */
#if PG_VERSION_NUM >= 180000
#define DNC_MODULE_MAGIC(module) PG_MODULE_MAGIC_EXT(.name = module, .version = DNC_VERSION)
#else
#define DNC_MODULE_MAGIC(module) PG_MODULE_MAGIC
#endif

/* The version of unicode_normalize()'s data; before 17, PostgreSQL's own version stands for it. */
#if PG_VERSION_NUM >= 170000
#include "common/unicode_version.h"
#define DNC_NORMALIZATION_VERSION PG_UNICODE_VERSION
#else
#define DNC_NORMALIZATION_VERSION "of PostgreSQL " PG_MAJORVERSION
#endif

/*
 * Memory that all sessions of the cluster share.  The first session that asks for it makes it
 * and sets it up.  Since 17; NULL before.
 */
static inline void *
dnc_shared_memory(const char *name, Size size, void (*init) (void *memory))
{
#if PG_VERSION_NUM >= 170000
	bool		found;

	return GetNamedDSMSegment(name, size, init, &found);
#else
	return NULL;
#endif
}

/* Does this session hold a lock of this mode? */
static inline bool
dnc_holds_lock(const LOCKTAG *tag, LOCKMODE mode)
{
#if PG_VERSION_NUM >= 170000
	return LockHeldByMe(tag, mode, false);
#else
	return LockHeldByMe(tag, mode);
#endif
}

/* Our own wait event; it has a name since 17. */
static inline uint32
dnc_wait_event(const char *name)
{
#if PG_VERSION_NUM >= 170000
	return WaitEventExtensionNew(name);
#else
	return PG_WAIT_EXTENSION;
#endif
}

/*
 * The path of a scan of a base relation.  17 added the join clauses that a join pushdown
 * enforces, 18 the count of disabled nodes.
 */
static inline ForeignPath *
dnc_create_foreignscan_path(PlannerInfo *root, RelOptInfo *rel, double rows, Cost startup_cost,
							Cost total_cost, Relids required_outer)
{
#if PG_VERSION_NUM >= 180000
	return create_foreignscan_path(root, rel, NULL, rows, 0, startup_cost, total_cost, NIL,
								   required_outer, NULL, NIL, NIL);
#elif PG_VERSION_NUM >= 170000
	return create_foreignscan_path(root, rel, NULL, rows, startup_cost, total_cost, NIL,
								   required_outer, NULL, NIL, NIL);
#else
	return create_foreignscan_path(root, rel, NULL, rows, startup_cost, total_cost, NIL,
								   required_outer, NULL, NIL);
#endif
}

/* The path of a scan that replaces the whole grouping step. */
static inline ForeignPath *
dnc_create_foreign_upper_path(PlannerInfo *root, RelOptInfo *rel, PathTarget *target,
							  double rows, Cost total_cost, List *fdw_private)
{
#if PG_VERSION_NUM >= 180000
	return create_foreign_upper_path(root, rel, target, rows, 0, total_cost, total_cost, NIL, NULL,
									 NIL, fdw_private);
#elif PG_VERSION_NUM >= 170000
	return create_foreign_upper_path(root, rel, target, rows, total_cost, total_cost, NIL, NULL,
									 NIL, fdw_private);
#else
	return create_foreign_upper_path(root, rel, target, rows, total_cost, total_cost, NIL, NULL,
									 fdw_private);
#endif
}

/* Let functions find only PostgreSQL's own objects: since 17, commands such as ANALYZE do this. */
static inline void
dnc_restrict_search_path(void)
{
#if PG_VERSION_NUM >= 170000
	RestrictSearchPath();
#endif
}

/*
 * Is this a virtual column, computed on each read and never stored?  There are such columns
 * since 18.
 */
static inline bool
dnc_is_virtual(Form_pg_attribute att)
{
#if PG_VERSION_NUM >= 180000
	return att->attgenerated == ATTRIBUTE_GENERATED_VIRTUAL;
#else
	return false;
#endif
}

/*
 * Does a column in RETURNING belong to the row as it was before, as in old.identifier?  This is
 * possible since 18.
 */
static inline bool
dnc_is_of_old_row(const Var *var)
{
#if PG_VERSION_NUM >= 180000
	return var->varreturningtype == VAR_RETURNING_OLD;
#else
	return false;
#endif
}

/* The expected number of elements of an array expression. */
static inline double
dnc_estimate_array_length(PlannerInfo *root, Node *array)
{
#if PG_VERSION_NUM >= 170000
	return estimate_array_length(root, array);
#else
	return estimate_array_length(array);
#endif
}

/*
 * The role that a scan runs as: a view's owner, or the caller.  Before 16, the range table
 * entry has it.
 */
static inline Oid
dnc_scan_user(ForeignScanState *node)
{
#if PG_VERSION_NUM >= 160000
	Oid			user = castNode(ForeignScan, node->ss.ps.plan)->checkAsUser;
#else
	ForeignScan *plan = castNode(ForeignScan, node->ss.ps.plan);
	Index		rti = plan->scan.scanrelid > 0 ? plan->scan.scanrelid
		: (Index) bms_next_member(plan->fs_relids, -1);
	Oid			user = exec_rt_fetch(rti, node->ss.ps.state)->checkAsUser;
#endif
	return OidIsValid(user) ? user : GetUserId();
}

/* The role that writes to a table. */
static inline Oid
dnc_modify_user(ResultRelInfo *result, EState *estate)
{
#if PG_VERSION_NUM >= 160000
	return ExecGetResultRelCheckAsUser(result, estate);
#else
	Index		rti = result->ri_RangeTableIndex;
	Oid			user = InvalidOid;

	/*
	 * The range table does not hold a partition that rows are routed to, but it holds the
	 * partition's root.
	 */
	if (rti == 0 && result->ri_RootResultRelInfo)
		rti = result->ri_RootResultRelInfo->ri_RangeTableIndex;
	if (rti != 0)
		user = exec_rt_fetch(rti, estate)->checkAsUser;
	return OidIsValid(user) ? user : GetUserId();
#endif
}

/* Make the index entries of a row that was inserted: 16 has one more argument. */
static inline void
dnc_insert_index_tuples(ResultRelInfo *result, TupleTableSlot *slot, EState *estate)
{
#if PG_VERSION_NUM >= 160000
	(void) ExecInsertIndexTuples(result, slot, estate, false, false, NULL, NIL, false);
#else
	(void) ExecInsertIndexTuples(result, slot, estate, false, false, NULL, NIL);
#endif
}

/* May a role use a server?  16 has one function for all kinds of objects. */
static inline AclResult
dnc_server_aclcheck(Oid serverid, Oid user)
{
#if PG_VERSION_NUM >= 160000
	return object_aclcheck(ForeignServerRelationId, serverid, user, ACL_USAGE);
#else
	return pg_foreign_server_aclcheck(serverid, user, ACL_USAGE);
#endif
}

/* Does a role own a relation, or have the rights of its owner?  Changed in 16 in the same way. */
static inline bool
dnc_owns_relation(Oid relid, Oid user)
{
#if PG_VERSION_NUM >= 160000
	return object_ownercheck(RelationRelationId, relid, user);
#else
	return pg_class_ownercheck(relid, user);
#endif
}

#endif							/* DNC_COMPAT_H */
