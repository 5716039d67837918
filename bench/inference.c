/*
 * inference.c
 *		What bench/inference and bench/faces measure, with the engine's own objects.
 *
 *	inference speed KIND MODEL WIDTH HEIGHT LABELS VIDEO ROUNDS
 *		In turns: a bare ONNX Runtime loop, the engine's inference with its
 *		decode, and all that a frame costs, picture to objects.  Prints the
 *		median of the thread's CPU time of each, in milliseconds.
 *	inference persons MODEL SIDE whole|parts|tiles VIDEO
 *		Finds the persons of a video at five frames a second: in the whole frame,
 *		or where the engine looks (in the whole or a part of it, one inference
 *		each time), or in everything that this model can see.  Prints for each
 *		look a line: the boxes found, a bar, and those of all confirmed tracks;
 *		then the number of looks, of inferences, and their CPU milliseconds.
 *	inference faces OBJECTS FACES PICTURE X Y W H
 *		The picture's one face (X, Y, W, H in pixels) in frames of 720p, at several
 *		sizes.  Prints for each its width, the frames, in how many of them a
 *		person was found, the face in the whole frame, and the face on enlarged
 *		persons; and the CPU milliseconds of the two.
 *
 * INT8 models are chosen by name here, so that both can be measured.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libswscale/swscale.h>

#include "attention.h"
#include "bare_onnx.h"
#include "detector.h"
#include "detector_backend.h"
#include "detector_decode.h"
#include "motion.h"
#include "preprocess.h"
#include "region.h"
#include "tracker.h"

#define PERSON 0
#define STEP 0.2 /* seconds between looks */

static const char *const LABELS[] = {"person", "bicycle", "car", "motorcycle", "bus",
									 "truck",  "bird",	  "cat", "dog"};
static const char *const FACE[] = {"face"};

static void
die(const char *what)
{
	fprintf(stderr, "inference: %s\n", what);
	exit(1);
}

static double
cpu_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

/* ---- frames ---- */

typedef void (*FrameFunction)(const AVFrame *frame, double seconds, void *context);

/* Hand every frame of a video or picture to a function. */
static void
read_frames(const char *path, FrameFunction function, void *context)
{
	AVFormatContext *input = NULL;
	AVPacket *packet = av_packet_alloc();
	AVFrame *frame = av_frame_alloc();
	const AVCodec *codec = NULL;
	AVCodecContext *decoder;
	int index;
	bool more = true;

	if (avformat_open_input(&input, path, NULL, NULL) < 0 ||
		avformat_find_stream_info(input, NULL) < 0 ||
		(index = av_find_best_stream(input, AVMEDIA_TYPE_VIDEO, -1, -1, &codec, 0)) < 0)
		die("the video cannot be read");
	decoder = avcodec_alloc_context3(codec);
	avcodec_parameters_to_context(decoder, input->streams[index]->codecpar);
	decoder->thread_count = 1;
	if (avcodec_open2(decoder, codec, NULL) < 0)
		die("the video cannot be decoded");
	while (more)
	{
		more = av_read_frame(input, packet) >= 0;
		if (!more || packet->stream_index == index)
			avcodec_send_packet(decoder, more ? packet : NULL);
		av_packet_unref(packet);
		while (avcodec_receive_frame(decoder, frame) >= 0)
			function(frame, frame->best_effort_timestamp * av_q2d(input->streams[index]->time_base),
					 context);
	}
	av_frame_free(&frame);
	av_packet_free(&packet);
	avcodec_free_context(&decoder);
	avformat_close_input(&input);
}

static void
keep_one(const AVFrame *frame, double seconds, void *context)
{
	AVFrame **kept = context;

	if (*kept == NULL && seconds >= 10)
		*kept = av_frame_clone(frame);
}

static void
keep_first(const AVFrame *frame, double seconds, void *context)
{
	AVFrame **kept = context;

	if (*kept == NULL)
		*kept = av_frame_clone(frame);
}

/* ---- speed ---- */

static int
compare_doubles(const void *a, const void *b)
{
	double x = *(const double *) a;
	double y = *(const double *) b;

	return (x > y) - (x < y);
}

static double
median(double *values, int n)
{
	qsort(values, n, sizeof(*values), compare_doubles);
	return values[n / 2];
}

static ModelSpec
model(const char *kind, const char *path, int width, int height, int nlabels)
{
	static const char *names[DETECTOR_MAX_LABELS];

	for (int i = 0; i < nlabels && i < DETECTOR_MAX_LABELS; i++)
		names[i] = nlabels == 9 ? LABELS[i] : "label";
	return (ModelSpec){.name = "model",
					   .kind = kind,
					   .path = path,
					   .runtime = "onnxruntime",
					   .input_width = width,
					   .input_height = height,
					   .labels = names,
					   .nlabels = nlabels,
					   .min_confidence = 0.3f,
					   .nms_iou = 0.5f,
					   .no_int8 = true};
}

static Detector *
open_detector(const ModelSpec *spec)
{
	char error[400];
	Detector *detector = detector_open(spec, error, sizeof(error));

	if (detector == NULL)
		die(error);
	return detector;
}

static void
find(Detector *detector, Workspace *workspace, const AVFrame *frame, const PixelRect *regions,
	 int nregions, ObjectList *objects)
{
	char error[400];

	if (detector_run(detector, workspace, frame, regions, nregions, objects, error,
					 sizeof(error)) != 0)
		die(error);
}

static void
measure_speed(char **argv)
{
	ModelSpec spec = model(argv[0], argv[1], atoi(argv[2]), atoi(argv[3]), atoi(argv[4]));
	int rounds = atoi(argv[6]);
	ModelOptions options = model_options_default(spec.kind);
	const DecodeKind *decode = find_decode_kind(spec.kind);
	Detector *detector = open_detector(&spec);
	Workspace *workspace = workspace_create();
	Preprocessor *preprocessor = preprocessor_create();
	Candidates *candidates = malloc(sizeof(*candidates));
	double *times[3];
	InputShape shape = {TENSOR_FLOAT_NCHW, spec.input_width, spec.input_height};
	DecodeRequest request = {.nlabels = spec.nlabels,
							 .min_confidence = spec.min_confidence,
							 .background = -1,
							 .options = &options};
	AVFrame *frame = NULL;
	PixelRect whole;
	Letterbox letterbox;
	ObjectList objects;
	Inference inference;
	Bare bare = {0};
	char text[400];
	const void *input;
	void *engine;

	read_frames(argv[5], keep_one, &frame);
	whole = (PixelRect){0, 0, frame->width, frame->height};
	engine = backend_onnxruntime.open(spec.path, &shape, text, sizeof(text), text, sizeof(text));
	if (engine == NULL)
		die(text);
	request.input_width = shape.width;
	request.input_height = shape.height;
	bare_open(&bare, spec.path);
	input = preprocess(preprocessor, frame, &whole, &shape, &decode->input, &letterbox, text,
					   sizeof(text));
	for (int i = 0; i < 3; i++)
		times[i] = malloc(rounds * sizeof(double));
	for (int i = -5; i < rounds; i++)
	{
		double start = cpu_ms();
		double after_bare;
		double after_engine;

		bare_run(&bare, &shape, (void *) input);
		after_bare = cpu_ms();
		candidates->count = 0;
		if (backend_onnxruntime.run(engine, input, &inference, text, sizeof(text)) != 0 ||
			decode->decode(inference.outputs, inference.noutputs, &request, candidates, text,
						   sizeof(text)) != 0)
			die(text);
		backend_onnxruntime.release(engine, &inference);
		after_engine = cpu_ms();
		find(detector, workspace, frame, NULL, 0, &objects);
		if (i < 0)
			continue;
		times[0][i] = after_bare - start;
		times[1][i] = after_engine - after_bare;
		times[2][i] = cpu_ms() - after_engine;
	}
	printf("%.4f %.4f %.4f\n", median(times[0], rounds), median(times[1], rounds),
		   median(times[2], rounds));
}

/* ---- persons ---- */

typedef struct Watch
{
	Detector *detector;
	Workspace *workspace;
	Motion *motion;
	Tracker *tracker;
	Attention attention;
	bool tiles;
	bool parts;
	double next;
	double spent_ms;
	int looks;
	int inferences;
} Watch;

/* Where the engine would look: at a part of the frame, or (0) everywhere. */
static int
attend(Watch *watch, const AVFrame *frame, int64_t at_us, const MotionResult *motion,
	   PixelRect *region)
{
	View view = {.width = frame->width,
				 .height = frame->height,
				 .at_us = at_us,
				 .clusters = motion->clusters,
				 .nclusters = motion->nclusters};
	bool part;

	view.ntracks = tracker_tracks(watch->tracker, &view.tracks);
	detector_input_size(watch->detector, &view.input_width, &view.input_height);
	part =
		watch->parts && !motion->calibrating && attention_choose(&watch->attention, &view, region);
	attention_searched(&watch->attention, &view, part ? region : NULL);
	return part;
}

/* Four by two overlapping parts, and the whole. */
static int
tile(const AVFrame *frame, PixelRect *regions)
{
	int side = frame->height * 6 / 10;
	int n = 0;

	regions[n++] = (PixelRect){0, 0, frame->width, frame->height};
	for (int row = 0; row < 2; row++)
		for (int column = 0; column < 4; column++)
			regions[n++] = (PixelRect){(frame->width - side) * column / 3 & ~1,
									   (frame->height - side) * row & ~1, side, side};
	return n;
}

static void
print_box(const Box *box)
{
	printf(" %.4f,%.4f,%.4f,%.4f", box->x, box->y, box->w, box->h);
}

static void
print_look(const ObjectList *objects, const Tracker *tracker)
{
	const Track *tracks;
	int ntracks = tracker_tracks(tracker, &tracks);

	printf("look");
	for (int i = 0; i < objects->count; i++)
		if (objects->items[i].label == PERSON && objects->items[i].confidence >= 0.5f)
			print_box(&objects->items[i].box);
	printf(" |");
	for (int i = 0; i < ntracks; i++)
		if (tracks[i].state == TRACK_CONFIRMED && tracks[i].label == PERSON)
			print_box(&tracks[i].predicted);
	printf("\n");
}

static void
watch_frame(const AVFrame *frame, double seconds, void *context)
{
	Watch *watch = context;
	int64_t at_us = (int64_t) (seconds * 1e6);
	TrackerInput inputs[DETECTOR_MAX_OBJECTS];
	PixelRect regions[DETECTOR_MAX_REGIONS];
	Box looked_at[DETECTOR_MAX_REGIONS];
	MotionResult motion;
	ObjectList objects;
	double start;
	int n;

	if (seconds + 1e-6 < watch->next)
		return;
	watch->next += STEP;
	watch->looks++;
	motion_update(watch->motion, frame, at_us, &motion);
	n = watch->tiles ? tile(frame, regions) : attend(watch, frame, at_us, &motion, regions);
	watch->inferences += n > 0 ? n : 1;
	start = cpu_ms();
	find(watch->detector, watch->workspace, frame, regions, n, &objects);
	watch->spent_ms += cpu_ms() - start;
	for (int i = 0; i < objects.count; i++)
		inputs[i] = (TrackerInput){.box = objects.items[i].box,
								   .confidence = objects.items[i].confidence,
								   .label = objects.items[i].label};
	for (int i = 0; i < n; i++)
		looked_at[i] = box_from_rect(&regions[i], frame->width, frame->height);
	tracker_update(watch->tracker, at_us, inputs, objects.count, looked_at, n);
	print_look(&objects, watch->tracker);
}

static void
watch_persons(const char *path, int side, const char *where, const char *video)
{
	ModelSpec spec = model("efficientdet", path, side, side, 9);
	MotionSettings settings = {.threshold = 20, .min_area = 0.0005f};
	TrackerSettings tracking;
	Watch watch = {.tiles = strcmp(where, "tiles") == 0, .parts = strcmp(where, "parts") == 0};

	tracker_default_settings(&tracking);
	attention_reset(&watch.attention);
	watch.detector = open_detector(&spec);
	watch.workspace = workspace_create();
	watch.motion = motion_create(&settings);
	watch.tracker = tracker_create(&tracking);
	read_frames(video, watch_frame, &watch);
	printf("sum %d %d %.1f\n", watch.looks, watch.inferences, watch.spent_ms);
}

/* ---- faces ---- */

/* A frame of 1280 by 720 in which a picture lies at even pixels, scaled. */
static AVFrame *
compose(const AVFrame *picture, int x, int y, int w, int h, int grey)
{
	AVFrame *frame = av_frame_alloc();
	struct SwsContext *scaler = sws_getContext(picture->width, picture->height, picture->format, w,
											   h, AV_PIX_FMT_YUV420P, SWS_AREA, NULL, NULL, NULL);
	uint8_t *planes[4] = {NULL};

	frame->format = AV_PIX_FMT_YUV420P;
	frame->width = 1280;
	frame->height = 720;
	av_frame_get_buffer(frame, 0);
	for (int i = 0; i < 3; i++)
	{
		int shift = i > 0 ? 1 : 0;

		memset(frame->data[i], i > 0 ? 128 : grey, (size_t) frame->linesize[i] * (720 >> shift));
		planes[i] = frame->data[i] + (y >> shift) * frame->linesize[i] + (x >> shift);
	}
	sws_scale(scaler, (const uint8_t *const *) picture->data, picture->linesize, 0, picture->height,
			  planes, frame->linesize);
	sws_freeContext(scaler);
	return frame;
}

static bool
is_found(const ObjectList *faces, const Box *face)
{
	for (int i = 0; i < faces->count; i++)
		if (box_iou(&faces->items[i].box, face) >= 0.4f)
			return true;
	return false;
}

static void
measure_faces(char **argv)
{
	static const int sizes[] = {60, 40, 28, 20, 14, 10, 7, 5};
	ModelSpec objects_spec = model("efficientdet", argv[0], 384, 384, 9);
	ModelSpec faces_spec = model("ultraface", argv[1], 320, 240, 1);
	Workspace *workspace = workspace_create();
	AVFrame *picture = NULL;
	Detector *objects;
	Detector *faces;
	float side = atof(argv[5]);

	faces_spec.labels = FACE;
	faces_spec.min_confidence = 0.7f;
	faces_spec.nms_iou = 0.3f;
	objects = open_detector(&objects_spec);
	faces = open_detector(&faces_spec);
	read_frames(argv[2], keep_first, &picture);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
	{
		float scale = sizes[i] / side;
		int w = (int) (picture->width * scale) & ~1;
		int h = (int) (picture->height * scale) & ~1;
		int n = 0;
		int whole = 0;
		int within = 0;
		int persons = 0;
		double whole_ms = 0;
		double within_ms = 0;

		/* At places that fall differently on the inputs' pixels, on two backgrounds. */
		for (int place = 0; place < 24 && h <= 700; place++)
		{
			int x = (40 + place * 137 % (1200 - w > 1 ? 1200 - w : 1)) & ~1;
			int y = (8 + place * 91 % (704 - h > 1 ? 704 - h : 1)) & ~1;
			AVFrame *frame = compose(picture, x, y, w, h, place % 2 ? 90 : 150);
			Box face = {(x + atof(argv[3]) * scale) / 1280, (y + atof(argv[4]) * scale) / 720,
						side * scale / 1280, atof(argv[6]) * scale / 720};
			PixelRect regions[DETECTOR_MAX_REGIONS] = {{0, 0, 1280, 720}};
			ObjectList found;
			int nregions = 1;
			double start;

			n++;
			start = cpu_ms();
			find(faces, workspace, frame, NULL, 0, &found);
			whole_ms += cpu_ms() - start;
			whole += is_found(&found, &face);
			find(objects, workspace, frame, NULL, 0, &found);
			for (int k = 0; k < found.count && nregions < DETECTOR_MAX_REGIONS; k++)
				if (found.items[k].label == PERSON &&
					region_within(&found.items[k].box, true, 1280, 720, 320, 240,
								  &regions[nregions]))
					nregions++;
			persons += nregions > 1;
			start = cpu_ms();
			find(faces, workspace, frame, regions, nregions, &found);
			within_ms += cpu_ms() - start;
			within += is_found(&found, &face);
			av_frame_free(&frame);
		}
		if (n > 0)
			printf("%d %d %d %d %d %.3f %.3f\n", sizes[i], n, persons, whole, within, whole_ms / n,
				   within_ms / n);
	}
}

int
main(int argc, char **argv)
{
	av_log_set_level(AV_LOG_ERROR);
	if (argc == 9 && strcmp(argv[1], "speed") == 0)
		measure_speed(argv + 2);
	else if (argc == 6 && strcmp(argv[1], "persons") == 0)
		watch_persons(argv[2], atoi(argv[3]), argv[4], argv[5]);
	else if (argc == 9 && strcmp(argv[1], "faces") == 0)
		measure_faces(argv + 2);
	else
		die("what is to be measured? bench/inference says");
	return 0;
}
