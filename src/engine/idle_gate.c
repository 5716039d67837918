/*
 * idle_gate.c
 *		When is a camera's stream decoded whole, and when are only its keyframes
 *		watched?
 */
#include "idle_gate.h"

#include <math.h>
#include <stdio.h>

#include "clock.h"

/* Without a keyframe for this long something has changed in the stream. */
#define OVERDUE_US (5 * CLOCK_SECOND / 2)

/* And so long after its beginning it will hardly have any. */
#define NO_KEYFRAME_US (10 * CLOCK_SECOND)

/* Intervals in a row that prove that keyframes come often enough. */
#define GOOD_INTERVALS 3

/* Of keyframes that come often one a second is looked at, give or take, */
#define LOOK_US (CLOCK_SECOND * 115 / 100)

/* of those that are so close that there is little else in the stream, two. */
#define DENSE_US (CLOCK_SECOND / 4)
#define DENSE_LOOK_US (CLOCK_SECOND * 45 / 100)

/* So many that give no picture are no accident. */
#define UNREADABLE_MOST 2

/* From pictures that need no other a scene is learnt in this time. */
#define LEARNING_MOST_US (30 * CLOCK_SECOND)

/* Decoding goes on this long after the alarm, and after what was going on. */
#define AWAKE_US (3 * CLOCK_SECOND)
#define CALM_US (3 * CLOCK_SECOND / 2)

/* Where it has hardly paused for some minutes it waits longer before it does. */
#define SHARE_TAU_US (300 * CLOCK_SECOND)
#define RESTLESS_SHARE 0.8f
#define RESTLESS_CALM_US (30 * CLOCK_SECOND)

/* Between two packets no more time than this has passed in a mode. */
#define STEP_MOST_US (5 * CLOCK_SECOND)

void
idle_gate_init(IdleGate *gate)
{
	*gate = (IdleGate){0};
	idle_gate_restart(gate);
}

void
idle_gate_restart(IdleGate *gate)
{
	gate->watching = false;
	gate->problem = GATE_FINE;
	gate->key_us = gate->at_us = gate->begun_us = INT64_MIN;
	gate->learning_us = gate->looked_us = gate->woken_us = gate->active_us = INT64_MIN;
	gate->interval_us = gate->longest_us = 0;
	gate->good = gate->unreadable = 0;
	gate->alarmed = false;
}

void
idle_gate_reset_totals(IdleGate *gate)
{
	gate->watching_us = gate->decoding_us = 0;
	gate->wakes = 0;
}

void
idle_gate_want(IdleGate *gate, bool keyframes)
{
	gate->wanted = keyframes;
	if (!keyframes)
	{
		gate->decoded_share = 0;
		gate->problem = GATE_FINE;
	}
}

/* Of a time in the running share. */
static float
weight(int64_t dt_us)
{
	return 1 - expf(-(float) dt_us / SHARE_TAU_US);
}

/* Count the time since the packet before. */
static void
pass_time(IdleGate *gate, int64_t at_us)
{
	int64_t dt_us = gate->at_us == INT64_MIN ? 0 : at_us - gate->at_us;

	/* Timestamps that begin anew: times from before say nothing. */
	if (dt_us < -STEP_MOST_US)
	{
		bool watching = gate->watching;

		idle_gate_restart(gate);
		gate->watching = watching;
	}
	if (gate->begun_us == INT64_MIN)
		gate->begun_us = at_us;
	if (dt_us < 0 && dt_us >= -STEP_MOST_US)
		return;
	gate->at_us = at_us;
	if (dt_us < 0)
		return;
	if (dt_us > STEP_MOST_US)
		dt_us = STEP_MOST_US;
	if (gate->watching)
		gate->watching_us += dt_us;
	else
		gate->decoding_us += dt_us;
	gate->decoded_share += ((gate->watching ? 0.0f : 1.0f) - gate->decoded_share) * weight(dt_us);
}

/* Keyframes come too seldom, or (`key`) one has come too late. */
static void
keyframe_missing(IdleGate *gate, int64_t interval_us, bool key)
{
	gate->good = 0;
	if (interval_us > gate->longest_us || key)
		gate->longest_us = interval_us;
	if (gate->problem == GATE_FINE || gate->problem == GATE_RESTLESS ||
		(key && gate->problem == GATE_NO_KEYFRAME))
		gate->problem = GATE_LONG_GOP;
	if (!key && interval_us >= NO_KEYFRAME_US && gate->problem == GATE_LONG_GOP)
		gate->problem = GATE_NO_KEYFRAME;
}

/* Learn how often keyframes come. */
static void
measure_keyframes(IdleGate *gate, bool key, int64_t at_us)
{
	int64_t since_us = gate->key_us != INT64_MIN ? gate->key_us : gate->begun_us;
	int64_t interval_us = at_us - since_us;

	if (!key)
	{
		if (interval_us > OVERDUE_US)
			keyframe_missing(gate, interval_us, false);
		return;
	}
	if (gate->key_us != INT64_MIN && interval_us >= 0)
		gate->interval_us = interval_us;
	if (gate->key_us != INT64_MIN && interval_us > IDLE_GATE_LONGEST_GOP_US)
		keyframe_missing(gate, interval_us, true);
	else if (gate->key_us != INT64_MIN && ++gate->good >= GOOD_INTERVALS &&
			 (gate->problem == GATE_LONG_GOP || gate->problem == GATE_NO_KEYFRAME))
		gate->problem = GATE_FINE;
	gate->key_us = at_us;
}

static void
wake(IdleGate *gate, bool alarm)
{
	gate->watching = false;
	gate->woken_us = gate->active_us = gate->at_us;
	gate->alarmed = alarm;
	gate->confirmed = false;
	if (!alarm)
		return;
	gate->wakes++;
	/* What was watched since the keyframe before is decoded after all. */
	gate->decoded_share += weight(gate->interval_us);
}

/* Has it been looked a moment ago, and can be again soon enough? */
static bool
looked_lately(const IdleGate *gate, int64_t at_us)
{
	int64_t since_us;

	if (gate->looked_us == INT64_MIN || at_us < gate->looked_us)
		return false;
	since_us = at_us - gate->looked_us;
	if (gate->interval_us < DENSE_US)
		return since_us < DENSE_LOOK_US;
	return since_us + gate->interval_us <= LOOK_US;
}

GateStep
idle_gate_packet(IdleGate *gate, bool key, int64_t at_us, bool viewed)
{
	pass_time(gate, at_us);
	measure_keyframes(gate, key, at_us);
	if (!gate->watching)
		return GATE_DECODE;
	if (viewed || !gate->wanted || gate->problem != GATE_FINE)
	{
		wake(gate, false);
		return GATE_WAKE;
	}
	if (!key || looked_lately(gate, at_us))
		return GATE_PASS;
	gate->looked_us = at_us;
	return GATE_LOOK;
}

GateStep
idle_gate_looked(IdleGate *gate, GateSight sight)
{
	gate->unreadable = sight == GATE_UNREADABLE ? gate->unreadable + 1 : 0;
	if (sight == GATE_NOTHING)
		return GATE_PASS;
	if (gate->unreadable >= UNREADABLE_MOST)
		gate->problem = GATE_DEPENDENT;
	wake(gate, sight == GATE_SOMETHING);
	return GATE_WAKE;
}

void
idle_gate_saw(IdleGate *gate, bool active)
{
	if (gate->watching || !active)
		return;
	gate->active_us = gate->at_us;
	gate->confirmed = true;
}

/* A scene that is not learnt although keyframes come: they are none. */
static void
doubt_keyframes(IdleGate *gate, bool learnt)
{
	if (learnt || gate->learning_us == INT64_MIN)
		gate->learning_us = gate->at_us;
	else if (gate->problem == GATE_FINE && gate->good >= GOOD_INTERVALS &&
			 gate->at_us - gate->learning_us > LEARNING_MOST_US)
		gate->problem = GATE_DEPENDENT;
}

/* Is the stream one whose keyframes can be watched, and does the scene calm? */
static bool
can_rest(IdleGate *gate)
{
	if (!gate->wanted || gate->good < GOOD_INTERVALS)
		return false;
	if (gate->problem == GATE_FINE && gate->decoded_share > RESTLESS_SHARE && gate->wakes > 0)
		gate->problem = GATE_RESTLESS;
	return gate->problem == GATE_FINE || gate->problem == GATE_RESTLESS;
}

bool
idle_gate_rest(IdleGate *gate, bool learnt, bool viewed)
{
	int64_t calm_us;

	doubt_keyframes(gate, learnt);
	if (gate->watching || viewed || !can_rest(gate) || !learnt)
		return false;
	calm_us = gate->problem == GATE_RESTLESS ? RESTLESS_CALM_US : CALM_US;
	if ((gate->woken_us != INT64_MIN && gate->at_us - gate->woken_us < AWAKE_US) ||
		(gate->active_us != INT64_MIN && gate->at_us - gate->active_us < calm_us))
		return false;
	gate->watching = true;
	gate->problem = GATE_FINE;
	gate->looked_us = INT64_MIN;
	return true;
}

const char *
idle_gate_note(const IdleGate *gate, char *text, size_t size)
{
	switch (gate->problem)
	{
		case GATE_FINE:
			text[0] = '\0';
			break;
		case GATE_LONG_GOP:
			snprintf(text, size, "a keyframe only every %.1f s, which must be 2 s or less",
					 (double) gate->longest_us / CLOCK_SECOND);
			break;
		case GATE_NO_KEYFRAME:
			snprintf(text, size, "the stream has no keyframes");
			break;
		case GATE_DEPENDENT:
			snprintf(text, size, "its keyframes give no picture by themselves (intra-refresh)");
			break;
		case GATE_RESTLESS:
			snprintf(text, size, "the scene hardly ever calms");
			break;
	}
	return text;
}
