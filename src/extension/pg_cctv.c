/*
 * pg_cctv.c
 *		The library's entry point.
 *
 * Preloaded, it registers the launcher and asks for shared memory.  Loaded
 * later, by the first call of one of its functions, it only defines the
 * settings and hides passwords in what that session logs: cameras do not run, but DML on the configuration works (a restore
 * needs that).
 */
#include "postgres.h"

#include "compat.h"
#include "drop_notice.h"
#include "guc.h"
#include "hide_credentials.h"
#include "launcher.h"
#include "miscadmin.h"
#include "shared_state.h"

CCTV_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	cctv_define_settings();
	cctv_hide_credentials_install();

	if (!process_shared_preload_libraries_in_progress || IsBinaryUpgrade)
		return;

	cctv_shared_state_request();
	cctv_register_launcher();
	cctv_drop_notice_install();
}
