/*
 * kalman.h
 *		Where a box will be: a Kalman filter over its centre and size.
 */
#ifndef CCTV_KALMAN_H
#define CCTV_KALMAN_H

#include "geometry.h"

/* One coordinate: value and speed (per second), and their covariance. */
typedef struct KalmanAxis
{
	float value;
	float speed;
	float value_variance;
	float covariance;
	float speed_variance;
} KalmanAxis;

/*
 * The four coordinates of a box.  As in SORT (Bewley et al., ICIP 2016) and
 * ByteTrack, speed is constant and all noise is in proportion to the box; the
 * coordinates do not mix, so four small filters are the same as one of eight
 * states.  Unlike theirs a step takes any length of time: the noise of the
 * process is white acceleration.
 */
typedef struct KalmanBox
{
	KalmanAxis x; /* centre */
	KalmanAxis y;
	KalmanAxis w;
	KalmanAxis h;
} KalmanBox;

extern void kalman_start(KalmanBox *filter, const Box *measured);
extern void kalman_predict(KalmanBox *filter, float seconds);

/* Take a measurement in; confidence in (0, 1], a lower one weighs less. */
extern void kalman_correct(KalmanBox *filter, const Box *measured, float confidence);

/* It stands: no speed, whatever was believed. */
extern void kalman_stop(KalmanBox *filter);

/* The box as now believed; its size is never less than a sliver. */
extern Box kalman_box(const KalmanBox *filter);

/* How fast that box's coordinates change, per second. */
extern Box kalman_speed(const KalmanBox *filter);

#endif /* CCTV_KALMAN_H */
