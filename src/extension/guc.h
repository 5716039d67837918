/*
 * guc.h
 *		The settings cctv.*.  All of them are read at a reload (SIGHUP).
 */
#ifndef CCTV_GUC_H
#define CCTV_GUC_H

#include "lib/stringinfo.h"
#include "nodes/pg_list.h"

extern char *cctv_engine_path;
extern int cctv_cameras_per_engine;
extern int cctv_engine_memory_limit; /* megabytes, 0: none */
extern int cctv_max_image_bytes;
extern bool cctv_hide_credentials;

extern void cctv_define_settings(void);

/* Names in cctv.databases, palloc'd. */
extern List *cctv_database_names(void);

/* cctv.databases with one more name, quoted as the setting wants it, palloc'd. */
extern char *cctv_databases_with(const char *name);

/* cctv.media_dir as an absolute path, palloc'd. */
extern char *cctv_absolute_media_dir(void);

/* The "settings" object of the desired state (docs/protocol.md). */
extern void cctv_append_settings(StringInfo json);

/* Changes when a setting does that is fixed for the life of an engine; palloc'd. */
extern char *cctv_engine_fixed_settings(void);

#endif /* CCTV_GUC_H */
