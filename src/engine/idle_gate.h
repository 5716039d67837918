/*
 * idle_gate.h
 *		When is a camera's stream decoded whole, and when are only its keyframes
 *		watched?
 *
 * The gate decides; it touches neither packets nor pictures.  Time is the
 * stream's, in microseconds, so the same stream gives the same decisions.
 *
 *		                  calm for a while
 *		    DECODING ─────────────────────────▶ WATCHING
 *		        ▲                                  │
 *		        └──────────────────────────────────┘
 *		     something in a keyframe; somebody looks; no keyframe comes
 *
 * A stream is decoded until its keyframes are known to come often enough and the
 * scene has been learnt.
 */
#ifndef CCTV_IDLE_GATE_H
#define CCTV_IDLE_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A keyframe must come this often. */
#define IDLE_GATE_LONGEST_GOP_US INT64_C(2200000)

/* Why a stream is decoded whole although only its keyframes are asked for. */
typedef enum GateProblem
{
	GATE_FINE,
	GATE_LONG_GOP,	  /* keyframes are too far apart */
	GATE_NO_KEYFRAME, /* none has come for long */
	GATE_DEPENDENT,	  /* what is marked as one gives no picture by itself */
	GATE_RESTLESS	  /* the scene hardly ever calms */
} GateProblem;

/* What is to be done with a packet. */
typedef enum GateStep
{
	GATE_DECODE,
	GATE_PASS, /* nothing */
	GATE_LOOK, /* decode this keyframe alone and look at it: idle_gate_looked() */
	GATE_WAKE  /* decode all from the last keyframe looked at on, this one included */
} GateStep;

typedef enum GateSight
{
	GATE_NOTHING,
	GATE_SOMETHING,
	GATE_UNREADABLE /* the keyframe gave no picture, or not one of its own */
} GateSight;

typedef struct IdleGate
{
	bool wanted;
	bool watching;
	GateProblem problem;

	/* Keyframes. */
	int64_t key_us;		 /* of the last one; INT64_MIN: none yet */
	int64_t interval_us; /* between the last two; 0: not known yet */
	int64_t longest_us;	 /* when they were too far apart */
	int good;			 /* intervals in a row that were short enough */
	int unreadable;		 /* keyframes in a row that could not be read */
	int64_t begun_us;	 /* of the first packet */
	int64_t looked_us;
	int64_t learning_us; /* the scene has not been known since */

	/* This stretch of decoding. */
	int64_t woken_us;
	int64_t active_us; /* something was going on */
	bool alarmed;	   /* it was begun by an alarm, */
	bool confirmed;	   /* and rightly so */

	/* How it has been. */
	int64_t at_us;		 /* of the newest packet; INT64_MIN: none yet */
	float decoded_share; /* of the last minutes, for GATE_RESTLESS */
	int64_t watching_us; /* in all */
	int64_t decoding_us;
	uint64_t wakes; /* by alarms */
} IdleGate;

/* Everything is decoded until keyframes are wanted. */
extern void idle_gate_init(IdleGate *gate);
extern void idle_gate_want(IdleGate *gate, bool keyframes);

/*
 * Packets begin anew, or were left out: what was learnt of the last keyframes no
 * longer counts.  The totals go on.
 */
extern void idle_gate_restart(IdleGate *gate);

/* Begin to count from zero. */
extern void idle_gate_reset_totals(IdleGate *gate);

/* A packet of the video, in the order in which they come.  viewed: somebody looks. */
extern GateStep idle_gate_packet(IdleGate *gate, bool key, int64_t at_us, bool viewed);

/* What came of GATE_LOOK.  Returns GATE_WAKE or GATE_PASS. */
extern GateStep idle_gate_looked(IdleGate *gate, GateSight sight);

/* While all is decoded: something is going on, or not. */
extern void idle_gate_saw(IdleGate *gate, bool active);

/*
 * May only keyframes be watched from here on?  If so they are, and alarmed and
 * confirmed tell of the stretch that is over.  learnt: the scene is known.
 */
extern bool idle_gate_rest(IdleGate *gate, bool learnt, bool viewed);

/* In words, "" when there is no problem.  Returns text. */
extern const char *idle_gate_note(const IdleGate *gate, char *text, size_t size);

#endif /* CCTV_IDLE_GATE_H */
