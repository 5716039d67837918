/*
 * action.h
 *		Something the worker does in SQL: a transaction of its own that may fail.
 */
#ifndef CCTV_ACTION_H
#define CCTV_ACTION_H

typedef enum CctvOutcome
{
	CCTV_DONE,	/* committed */
	CCTV_GONE,	/* the extension is absent, another, or of another version; nothing was done */
	CCTV_RETRY, /* failed for a reason that passes: a lock, a full disk, a cancel */
	CCTV_NOTIFY_FULL, /* the NOTIFY queue had no room at commit */
	CCTV_FAILED		  /* failed for a reason that lies in the data or the schema */
} CctvOutcome;

typedef struct CctvFailure
{
	int sqlstate;
	const char *message; /* in the memory context of the caller */
	const char *hint;	 /* likewise, or NULL */
} CctvFailure;

typedef void (*CctvActionBody)(void *arg);

/*
 * Run body in a transaction with SPI connected and a snapshot, and commit.
 * `what` names it in pg_stat_activity.  An error is caught and classified,
 * never logged here; failure is set unless the outcome is CCTV_DONE.
 */
extern CctvOutcome cctv_action_run(const char *what, CctvActionBody body, void *arg,
								   CctvFailure *failure);

/*
 * From its first success on, actions serve one extension: dropped and made
 * anew it counts as CCTV_GONE, until this is called.
 */
extern void cctv_action_forget_extension(void);

/* Log a failure of `what`; of one kind in a row once a minute, of any kind ten in ten seconds. */
extern void cctv_action_report(const char *what, const CctvFailure *failure);

/* The role the worker is connected as still exists and is not a superuser. */
extern bool cctv_role_is_fit(void);

#endif /* CCTV_ACTION_H */
