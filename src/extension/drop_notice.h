/*
 * drop_notice.h
 *		What DROP EXTENSION does not delete.
 */
#ifndef CCTV_DROP_NOTICE_H
#define CCTV_DROP_NOTICE_H

/* Let DROP EXTENSION pg_cctv tell where files are left; in every backend, at preload. */
extern void cctv_drop_notice_install(void);

#endif /* CCTV_DROP_NOTICE_H */
