/*
 * thread.h
 *		Threads of the engine, and which camera the calling one serves.
 */
#ifndef CCTV_THREAD_H
#define CCTV_THREAD_H

#include <pthread.h>

/*
 * Start a joinable thread with a small stack, the process's signals blocked,
 * and the crash note's alternate stack.  name is cut to 15 bytes.  Returns 0
 * or an errno value.
 */
extern int thread_start(pthread_t *thread, const char *name, void *(*body)(void *), void *arg);

/* A condition variable that waits on the monotonic clock. */
extern int thread_cond_init(pthread_cond_t *cond);

/*
 * Wait for the condition until clock_monotonic_us() reaches deadline_us.
 * Returns 0 or ETIMEDOUT.
 */
extern int thread_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex,
								  long long deadline_us);

/*
 * Say which camera the calling thread works for from here on (0: none).  Log
 * lines and the crash note name it.
 */
extern void thread_serve_camera(int camera_id);
extern int thread_camera(void);

/* Let cameras and detectors go first from here on, where there is not time for all. */
extern void thread_step_back(void);

#endif /* CCTV_THREAD_H */
