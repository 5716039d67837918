/*
 * crash.h
 *		The note a dying engine leaves: which signal, and serving which camera.
 */
#ifndef CCTV_CRASH_H
#define CCTV_CRASH_H

/*
 * Map the note behind fd (at least sizeof(CctvCrashNote) long) and handle the
 * fatal signals: write the note, then die of the same signal.  Returns 0 or an
 * errno value.
 */
extern int crash_install(int fd);

/*
 * Give the calling thread the alternate stack that an overflow needs; take it
 * back before the thread ends, and the stack's memory with it.
 */
extern void crash_prepare_thread(void);
extern void crash_release_thread(void);

#endif /* CCTV_CRASH_H */
