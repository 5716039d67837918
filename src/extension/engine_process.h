/*
 * engine_process.h
 *		One engine: its process, its cameras, and what it is told and tells.
 *		README.md has the diagram of its states.
 */
#ifndef CCTV_ENGINE_PROCESS_H
#define CCTV_ENGINE_PROCESS_H

#include "engine_channel.h"
#include "engine_spawn.h"
#include "lib/ilist.h"
#include "rate_limit.h"

typedef enum CctvEngineState
{
	CCTV_ENGINE_DOWN,	/* no process */
	CCTV_ENGINE_UP,		/* runs, and should */
	CCTV_ENGINE_ENDING, /* SIGTERM was sent; SIGKILL follows at its deadline */
	CCTV_ENGINE_KILLED	/* SIGKILL was sent; only reaping is left */
} CctvEngineState;

typedef struct CctvEngineCamera
{
	int32 camera_id;
	bool assigned; /* false: was once; its last lines may still come */
	bool served;   /* the process that runs, or last ran, was told of it */
	int crashes;
} CctvEngineCamera;

typedef struct CctvEngine
{
	dlist_node node; /* of the list that engines.c keeps */
	int number;		 /* 1, 2, ... as cctv.assign_engines() has it */
	bool wanted;
	CctvEngineState state;
	CctvChild child;	 /* unless it is down */
	CctvChannel channel; /* likewise */

	char *document; /* what it should do, sent to every new process */
	CctvEngineCamera *cameras;
	int ncameras;

	bool intended;	   /* this end was asked for, it is no failure */
	bool explained;	   /* message says why, whatever the exit status */
	bool ended_stream; /* its end of the socket is closed */
	char *message;	   /* why it last ended */
	int starts;
	int64 started_at;
	int64 restart_at; /* down: not before */
	int64 deadline;	  /* for the end of a process that is asked to, or seems to, end */
	int delay_ms;
	bool failed_before; /* the first restart is immediate */

	int64 watched_at; /* of the last look at its silence */
	int silence_ms;	  /* for so long the worker watched and heard nothing */
	int lines;		  /* since the last tick */
	int64 refused_lines;
	int32 queued;  /* event lines that wait in the engine, as its heartbeat said */
	int32 waiting; /* cameras that wait for a detector thread, likewise */
	CctvRateLimit log_limit;

	int waiting_for; /* socket events in the wait set of engines.c */
} CctvEngine;

extern CctvEngine *cctv_engine_create(int number);
extern void cctv_engine_free(CctvEngine *engine); /* down only */

/* These cameras and no others, and what to tell it (NULL: nothing); both are copied. */
extern void cctv_engine_assign(CctvEngine *engine, const int32 *cameras, int count,
							   const char *document);

/* NULL: it has, and had, no such camera. */
extern CctvEngineCamera *cctv_engine_camera(CctvEngine *engine, int32 camera_id);

/* End the process, if one runs, because it is no longer wanted or must start anew. */
extern void cctv_engine_end(CctvEngine *engine, const char *reason);

/* Take the engine one step towards what it should be. */
extern void cctv_engine_supervise(CctvEngine *engine, int64 now);

/* In how many milliseconds supervise may have something to do. */
extern long cctv_engine_delay(const CctvEngine *engine, int64 now);

/* What the worker should wait for on its socket: WL_SOCKET_READABLE, _WRITEABLE, or 0. */
extern int cctv_engine_interest(const CctvEngine *engine);
extern void cctv_engine_read(CctvEngine *engine);

/* Once a second. */
extern void cctv_engine_tick(CctvEngine *engine);

/* Queue its figures for ingest; end it when it is over the memory limit. */
extern void cctv_engine_report(CctvEngine *engine);

#endif /* CCTV_ENGINE_PROCESS_H */
