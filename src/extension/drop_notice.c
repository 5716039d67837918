/*
 * drop_notice.c
 *		What DROP EXTENSION does not delete.
 *
 * Recordings may be evidence, and a DROP can be rolled back, which files cannot:
 * so they stay, and whoever drops the extension hears where.
 */
#include "postgres.h"

#include "catalog/objectaccess.h"
#include "catalog/pg_extension.h"
#include "commands/extension.h"
#include "drop_notice.h"
#include "media_dir.h"

static object_access_hook_type next_hook = NULL;

static void
on_access(ObjectAccessType access, Oid class, Oid object, int part, void *arg)
{
	char *name = NULL;

	if (next_hook != NULL)
		next_hook(access, class, object, part, arg);
	if (access != OAT_DROP || class != ExtensionRelationId)
		return;
	name = get_extension_name(object);
	if (name == NULL || strcmp(name, "pg_cctv") != 0)
		return;
	ereport(NOTICE, (errmsg("recordings and pictures stay in \"%s\"", cctv_database_media_dir()),
					 errhint("Delete the files when nobody needs them any more.")));
}

void
cctv_drop_notice_install(void)
{
	next_hook = object_access_hook;
	object_access_hook = on_access;
}
