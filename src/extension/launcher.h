/*
 * launcher.h
 *		The static background worker that keeps one worker per database.
 */
#ifndef CCTV_LAUNCHER_H
#define CCTV_LAUNCHER_H

/* From _PG_init while shared libraries are preloaded. */
extern void cctv_register_launcher(void);

extern PGDLLEXPORT void cctv_launcher_main(Datum main_arg);

#endif /* CCTV_LAUNCHER_H */
