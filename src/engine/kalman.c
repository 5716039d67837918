/*
 * kalman.c
 *		Constant-speed Kalman filters for the coordinates of a box.
 */
#include "kalman.h"

#include <math.h>

/* All in sizes of the box (the mean of its sides), so that near and far objects behave alike. */
#define MEASURED_DEVIATION 0.05f /* a detector's jitter */
#define SPEED_START 1.0f		 /* a new object's speed, per second, is unknown by this much */
#define ACCELERATION 0.7f		 /* a walker stops or turns within about a second */
#define RESIZE_START 0.2f		 /* its size changes more slowly than its place */
#define RESIZE_ACCELERATION 0.15f
#define SLIVER 1e-4f

static float
size_of(const Box *box)
{
	return fmaxf((box->w + box->h) / 2, SLIVER);
}

static void
start_axis(KalmanAxis *axis, float value, float value_deviation, float speed_deviation)
{
	axis->value = value;
	axis->speed = 0;
	axis->value_variance = value_deviation * value_deviation;
	axis->covariance = 0;
	axis->speed_variance = speed_deviation * speed_deviation;
}

static void
predict_axis(KalmanAxis *axis, float dt, float acceleration)
{
	float q = acceleration * acceleration;

	axis->value += axis->speed * dt;
	axis->value_variance +=
		dt * (2 * axis->covariance + dt * axis->speed_variance) + q * dt * dt * dt / 3;
	axis->covariance += dt * axis->speed_variance + q * dt * dt / 2;
	axis->speed_variance += q * dt;
}

static void
correct_axis(KalmanAxis *axis, float measured, float deviation)
{
	float innovation = measured - axis->value;
	float variance = axis->value_variance + deviation * deviation;
	float value_gain = axis->value_variance / variance;
	float speed_gain = axis->covariance / variance;

	axis->value += value_gain * innovation;
	axis->speed += speed_gain * innovation;
	axis->speed_variance -= speed_gain * axis->covariance;
	axis->covariance *= 1 - value_gain;
	axis->value_variance *= 1 - value_gain;
}

void
kalman_start(KalmanBox *filter, const Box *measured)
{
	float size = size_of(measured);
	float jitter = 2 * MEASURED_DEVIATION * size;

	start_axis(&filter->x, measured->x + measured->w / 2, jitter, SPEED_START * size);
	start_axis(&filter->y, measured->y + measured->h / 2, jitter, SPEED_START * size);
	start_axis(&filter->w, measured->w, jitter, RESIZE_START * size);
	start_axis(&filter->h, measured->h, jitter, RESIZE_START * size);
}

void
kalman_predict(KalmanBox *filter, float seconds)
{
	Box now = kalman_box(filter);
	float size = size_of(&now);

	predict_axis(&filter->x, seconds, ACCELERATION * size);
	predict_axis(&filter->y, seconds, ACCELERATION * size);
	predict_axis(&filter->w, seconds, RESIZE_ACCELERATION * size);
	predict_axis(&filter->h, seconds, RESIZE_ACCELERATION * size);
}

void
kalman_correct(KalmanBox *filter, const Box *measured, float confidence)
{
	/* A box of little confidence is often half hidden (NSA Kalman, Du et al., GIAOTracker, 2021). */
	float jitter = MEASURED_DEVIATION * size_of(measured) * (2 - confidence);

	correct_axis(&filter->x, measured->x + measured->w / 2, jitter);
	correct_axis(&filter->y, measured->y + measured->h / 2, jitter);
	correct_axis(&filter->w, measured->w, jitter);
	correct_axis(&filter->h, measured->h, jitter);
}

void
kalman_stop(KalmanBox *filter)
{
	filter->x.speed = filter->y.speed = filter->w.speed = filter->h.speed = 0;
}

Box
kalman_box(const KalmanBox *filter)
{
	Box box;

	box.w = fmaxf(filter->w.value, SLIVER);
	box.h = fmaxf(filter->h.value, SLIVER);
	box.x = filter->x.value - box.w / 2;
	box.y = filter->y.value - box.h / 2;
	return box;
}

Box
kalman_speed(const KalmanBox *filter)
{
	Box speed = {filter->x.speed - filter->w.speed / 2, filter->y.speed - filter->h.speed / 2,
				 filter->w.speed, filter->h.speed};

	return speed;
}
