/*
 * compat.h
 *		What differs between PostgreSQL 13 and 18: the only version #ifs of the
 *		extension.  Include after postgres.h.
 */
#ifndef CCTV_COMPAT_H
#define CCTV_COMPAT_H

#include "commands/async.h"
#include "fmgr.h"
#include "storage/latch.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#if PG_VERSION_NUM < 130000
#error "pg_cctv needs PostgreSQL 13 or later"
#endif

/* 14: wait events and backend status left pgstat.h. */
#if PG_VERSION_NUM >= 140000
#include "utils/wait_event.h"
#endif
#include "pgstat.h"

/* 17: the prefix of temporary files' names left storage/fd.h. */
#include "storage/fd.h"
#if PG_VERSION_NUM >= 170000
#include "common/file_utils.h"
#endif

/* 14: predefined roles are no longer called default. */
#if PG_VERSION_NUM < 140000
#define ROLE_PG_READ_ALL_STATS DEFAULT_ROLE_READ_ALL_STATS
#endif

/* 18: modules may state their name and version. */
#ifdef PG_MODULE_MAGIC_EXT
#define CCTV_MODULE_MAGIC PG_MODULE_MAGIC_EXT(.name = "pg_cctv", .version = CCTV_VERSION)
#else
#define CCTV_MODULE_MAGIC PG_MODULE_MAGIC
#endif

/* 14: the hook after parse analysis is also told about the query's jumble. */
#if PG_VERSION_NUM >= 140000
#define CCTV_ANALYZE_HOOK_PARAMETERS ParseState *pstate, Query *query, JumbleState *jumble
#define CCTV_ANALYZE_HOOK_ARGUMENTS pstate, query, jumble
#else
#define CCTV_ANALYZE_HOOK_PARAMETERS ParseState *pstate, Query *query
#define CCTV_ANALYZE_HOOK_ARGUMENTS pstate, query
#endif

/* 15: shared memory is asked for in a hook of its own. */
#if PG_VERSION_NUM >= 150000
#define CCTV_HAVE_SHMEM_REQUEST_HOOK 1
#endif

/* 15: reserving a prefix also drops unknown settings that use it. */
#if PG_VERSION_NUM < 150000
#define MarkGUCPrefixReserved(prefix) EmitWarningsOnPlaceholders(prefix)
#endif

/* 17: a wait event set belongs to a resource owner (none: to the process). */
#if PG_VERSION_NUM >= 170000
#define cctv_create_wait_event_set(nevents) CreateWaitEventSet(NULL, (nevents))
#else
#define cctv_create_wait_event_set(nevents) CreateWaitEventSet(TopMemoryContext, (nevents))
#endif

/* 17: extensions name their waits; the number is asked for once per process. */
static inline uint32
cctv_wait_event(uint32 *cache, const char *name)
{
#if PG_VERSION_NUM >= 170000
	if (*cache == 0)
		*cache = WaitEventExtensionNew(name);
	return *cache;
#else
	return PG_WAIT_EXTENSION;
#endif
}

/*
 * Before 15 (and its fix in the last releases of 13 and 14) only the main loop
 * of an ordinary backend told listeners of a commit's notifications.
 */
static inline void
cctv_signal_listeners(void)
{
#if PG_VERSION_NUM < 150000
	ProcessCompletedNotifies();
#endif
}

/* 14: progress left pgstat.h; 16: entries are asked for by another name. */
#if PG_VERSION_NUM >= 140000
#include "utils/backend_progress.h"
#include "utils/backend_status.h"
#endif
#if PG_VERSION_NUM >= 160000
#define cctv_backend_entry(i) pgstat_get_local_beentry_by_index(i)
#else
#define cctv_backend_entry(i) pgstat_fetch_stat_local_beentry(i)
#endif

/* 14: hashes lie behind one interface, whose calls may fail. */
#include "common/sha2.h"
#if PG_VERSION_NUM >= 140000
#include "common/cryptohash.h"
typedef pg_cryptohash_ctx CctvSha256;
#else
typedef pg_sha256_ctx CctvSha256;
#endif

static inline CctvSha256 *
cctv_sha256_begin(void)
{
#if PG_VERSION_NUM >= 140000
	CctvSha256 *hash = pg_cryptohash_create(PG_SHA256);

	if (hash == NULL || pg_cryptohash_init(hash) < 0)
		elog(ERROR, "could not begin a SHA-256");
#else
	CctvSha256 *hash = palloc(sizeof(CctvSha256));

	pg_sha256_init(hash);
#endif
	return hash;
}

static inline void
cctv_sha256_add(CctvSha256 *hash, const uint8 *data, size_t length)
{
#if PG_VERSION_NUM >= 140000
	if (pg_cryptohash_update(hash, data, length) < 0)
		elog(ERROR, "could not compute a SHA-256");
#else
	pg_sha256_update(hash, data, length);
#endif
}

/* Also frees it. */
static inline void
cctv_sha256_end(CctvSha256 *hash, uint8 digest[PG_SHA256_DIGEST_LENGTH])
{
#if PG_VERSION_NUM >= 140000
	if (pg_cryptohash_final(hash, digest, PG_SHA256_DIGEST_LENGTH) < 0)
		elog(ERROR, "could not end a SHA-256");
	pg_cryptohash_free(hash);
#else
	pg_sha256_final(hash, digest);
	pfree(hash);
#endif
}

#endif /* CCTV_COMPAT_H */
