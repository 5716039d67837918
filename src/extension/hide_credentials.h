/*
 * hide_credentials.h
 *		Keeps passwords of cameras out of the server's log and pg_stat_activity.
 */
#ifndef CCTV_HIDE_CREDENTIALS_H
#define CCTV_HIDE_CREDENTIALS_H

/* Install the hooks that do; the setting cctv.hide_credentials switches them. */
extern void cctv_hide_credentials_install(void);

/*
 * The text without what is, or may be, a camera's user name and password,
 * palloc'd; NULL if there is none.  The statement, which may be NULL, tells what
 * the text is about.
 */
extern char *cctv_hide_credentials_in(const char *text, const char *statement);

#endif /* CCTV_HIDE_CREDENTIALS_H */
