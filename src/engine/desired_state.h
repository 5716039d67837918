/*
 * desired_state.h
 *		The document that says everything that should be so (docs/protocol.md),
 *		read and checked.
 *
 * ModelConfig and CameraConfig never change once read, and are shared by
 * counted references between the control thread and those that use them.
 */
#ifndef CCTV_DESIRED_STATE_H
#define CCTV_DESIRED_STATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "log.h"
#include "model_options.h"
#include "motion.h"
#include "polygon.h"
#include "string_list.h"

#define CAMERA_MAX_MODELS 8
#define CAMERA_MAX_LABELS 256
#define CAMERA_MAX_POLYGONS 1024

typedef struct Settings
{
	char *models_dir;
	char *media_dir; /* NULL: no snapshots */
	StringList source_paths;
	bool any_network; /* else just these, in CIDR notation: */
	StringList allowed_networks;
	int detector_threads; /* 0: one per core */
	double stall_timeout; /* seconds */
	LogLevel log_level;
	bool sandbox;
	int64_t memory_limit; /* bytes, 0: none */
	int nice;
	double segment_duration; /* of recordings, seconds */
} Settings;

typedef struct ModelConfig
{
	atomic_int references;
	char *name;
	char *kind;
	char *path; /* absolute; NULL: its kind has no file */
	char *runtime;
	int input_width;
	int input_height;
	StringList labels;
	float min_confidence;
	float nms_iou;
	ModelOptions options;
} ModelConfig;

typedef enum RecordMode
{
	RECORD_MODE_OFF,
	RECORD_MODE_CONTINUOUS,
	RECORD_MODE_MOTION,
	RECORD_MODE_ALERTS
} RecordMode;

typedef struct RecordSettings
{
	RecordMode mode;
	int64_t pre_roll_us;
	int64_t post_roll_us;
	bool manual;			/* somebody has asked for it */
	bool scheduled;			/* a schedule has */
	int64_t alert_from_us;	/* an alert's time, its pre-roll included; */
	int64_t alert_until_us; /* 0: no alert */
} RecordSettings;

/* Sizes of objects that count. */
typedef struct ObjectFilter
{
	float min_area; /* fraction of the frame */
	float max_area;
	float min_aspect; /* width by height, in pixels */
	float max_aspect;
} ObjectFilter;

typedef struct CameraConfig
{
	atomic_int references;
	int camera_id;
	char *problem; /* why it cannot run as described; NULL: it can */

	/* A change of these restarts the stream. */
	int64_t run;
	char *url; /* of the stream to analyse, without credentials */
	char *username;
	char *password;
	bool udp;
	bool sound;					   /* of the stream is wanted */
	struct CameraConfig *recorded; /* the stream to record, NULL: this one */
	bool realtime;
	bool loop;
	bool has_file_start;
	int64_t file_start_us;

	/* These change in a running camera. */
	char *name; /* NULL: it has none */
	bool detect;
	double detect_fps;
	bool idle_keyframes; /* while nothing happens only keyframes are decoded */
	StringList models;
	bool all_labels;
	StringList labels;
	float min_confidence;
	float median_confidence; /* of a track that is reported; 0: whatever it is */
	ObjectFilter filter;
	MotionSettings motion;
	bool snapshots;
	bool snapshots_annotated;
	PolygonList masks;	 /* neither motion nor objects there */
	PolygonList privacy; /* black in pictures */
	PolygonList watched; /* what stands still there is reported often, too */
	RecordSettings record;
	char *publish_url; /* NULL: it is not published */
	char *publish_username;
	char *publish_password;
	bool publish_annotated; /* with what was found drawn in, else as it comes */
} CameraConfig;

typedef struct DesiredState
{
	Settings settings;
	ModelConfig **models;
	int nmodels;
	CameraConfig **cameras; /* each camera_id once */
	int ncameras;
} DesiredState;

/*
 * Read a document of length bytes.  Unknown keys are ignored and missing ones
 * have defaults.  A camera with a bad value has a problem, and a camera or model
 * that cannot be told apart is left out with a log line: neither stops the
 * rest.  Returns NULL and a one-line reason when the document as a whole makes
 * no sense.
 */
extern DesiredState *desired_state_parse(const char *text, size_t length, char *error,
										 size_t error_size);
extern void desired_state_free(DesiredState *state);

/*
 * Read the description of one model (of json_t, whose header few need).
 * Returns NULL and a one-line reason when it makes no sense.
 */
struct json_t;
extern ModelConfig *model_config_read(struct json_t *object, const char *models_dir, char *error,
									  size_t error_size);

extern CameraConfig *camera_config_ref(CameraConfig *config);
extern void camera_config_unref(CameraConfig *config);
extern ModelConfig *model_config_ref(ModelConfig *config);
extern void model_config_unref(ModelConfig *config);

/* Is the camera the same stream, and is it wholly the same? */
extern bool camera_config_same_stream(const CameraConfig *a, const CameraConfig *b);
extern bool camera_config_equal(const CameraConfig *a, const CameraConfig *b);

/* Are they published to the same place in the same way? */
extern bool camera_config_same_publishing(const CameraConfig *a, const CameraConfig *b);
extern bool model_config_equal(const ModelConfig *a, const ModelConfig *b);

#endif /* CCTV_DESIRED_STATE_H */
