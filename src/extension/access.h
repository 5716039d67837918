/*
 * access.h
 *		Whose rights count: those of the caller, or for a moment the worker's.
 */
#ifndef CCTV_ACCESS_H
#define CCTV_ACCESS_H

/* Most parameters of such a call. */
#define CCTV_MOST_PARAMETERS 4

/*
 * Call a function of the extension by a constant query, as the current user or
 * with the rights of cctv_worker: the one value that it returns, in the caller's
 * memory, and whether that is null.  types and values are of its count
 * parameters, nulls as SPI has them; what is_stable sees what the running
 * command sees and writes nothing.
 * With the worker's rights nothing of the caller's may run but values, and
 * whoever calls this has checked what the caller may do.
 */
extern Datum cctv_call(const char *query, bool is_stable, int count, const Oid *types,
					   const Datum *values, const char *nulls, bool *isnull);
extern Datum cctv_call_as_worker(const char *query, bool is_stable, int count, const Oid *types,
								 const Datum *values, const char *nulls, bool *isnull);

/*
 * Error unless the current user may see the camera, it is not removed, and they
 * hold the privilege on it (view, operate or manage).
 */
extern void cctv_check_camera(int32 camera, const char *privilege);

#endif /* CCTV_ACCESS_H */
