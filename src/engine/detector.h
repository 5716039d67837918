/*
 * detector.h
 *		A loaded model, and objects found by it in regions of a frame.
 *
 * A Detector is shared by every thread of an engine.  A Workspace (scaler,
 * input tensor, outputs) belongs to one thread.
 */
#ifndef CCTV_DETECTOR_H
#define CCTV_DETECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <libavutil/frame.h>

#include "geometry.h"
#include "model_options.h"
#include "object.h"

#define DETECTOR_MAX_OBJECTS 256
#define DETECTOR_MAX_LABELS 256
#define DETECTOR_MAX_REGIONS 16

/* What a row of cctv.models says.  All strings are owned by the caller. */
typedef struct ModelSpec
{
	const char *name;
	const char *kind;	 /* the decode: "efficientdet", ... */
	const char *path;	 /* absolute path of the weights; NULL for kinds without */
	const char *runtime; /* "onnxruntime", "opencv", or "auto" */
	int input_width;	 /* 0: as the model says */
	int input_height;
	const char *const *labels;
	int nlabels;
	float min_confidence;
	float nms_iou;
	bool no_int8;				 /* keep to the float weights where int8 ones are faster */
	const ModelOptions *options; /* NULL: the kind's defaults */
} ModelSpec;

typedef struct ObjectList
{
	int count;
	Object items[DETECTOR_MAX_OBJECTS];
} ObjectList;

typedef struct Detector Detector;
typedef struct Workspace Workspace;

/*
 * Load a model.  Returns NULL and a one-line reason in error on failure (file
 * missing, runtime absent, outputs that do not fit the kind).
 *
 * The runtime "auto" is ONNX Runtime, or OpenCV where that is absent.  Where
 * NAME-int8.onnx stands beside NAME.onnx, ONNX Runtime runs it if the processor
 * multiplies bytes fast enough (VNNI) to give the same objects sooner.
 */
extern Detector *detector_open(const ModelSpec *spec, char *error, size_t error_size);
extern void detector_close(Detector *detector);

/* "onnxruntime 1.24.3", "onnxruntime 1.24.3 int8", "opencv 4.6.0": what runs this model. */
extern const char *detector_runtime(const Detector *detector);
extern const char *detector_label(const Detector *detector, int label);
extern const char *detector_name(const Detector *detector);
extern void detector_input_size(const Detector *detector, int *width, int *height);

extern Workspace *workspace_create(void); /* NULL: out of memory */
extern void workspace_free(Workspace *workspace);

/*
 * Find the objects in the given regions of a frame (nregions = 0: the whole
 * frame; at most DETECTOR_MAX_REGIONS), merged over regions by NMS, best first.  Any pixel format that
 * swscale reads.  Returns 0, or -1 with a reason in error.  Any number of
 * threads may run one detector, each with its own workspace.
 */
extern int detector_run(Detector *detector, Workspace *workspace, const AVFrame *frame,
						const PixelRect *regions, int nregions, ObjectList *objects, char *error,
						size_t error_size);

/*
 * To be called every few seconds, by one thread: once nothing was searched
 * between two calls, give back the memory that the searches took.  It takes as
 * long as one search, and may go on while others search.
 */
extern void detector_trim(Detector *detector);

#endif /* CCTV_DETECTOR_H */
