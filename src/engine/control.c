/*
 * control.c
 *		The control thread: desired states in, heartbeats out, and an orderly end.
 */
#include "control.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "clock.h"
#include "event.h"
#include "event_writer.h"
#include "fleet.h"
#include "log.h"
#include "protocol.h"
#include "request_server.h"
#include "sandbox.h"
#include "thread.h"

/* What stopping the cameras, and then the last lines, may take. */
#define STOP_US (3 * CLOCK_SECOND)
#define LAST_LINES_US CLOCK_SECOND

/* Models are looked after this often. */
#define SWEEP_US (5 * CLOCK_SECOND)

typedef struct Control
{
	const ControlOptions *options;
	EventQueue *queue;
	StateReader *reader;
	EventWriter *writer;
	CameraWorld world;
	PoolTask sweep; /* of the models: by a detector thread, it may take a while */
	Fleet *fleet;
	RequestWorld request_world;
	RequestServer *requests; /* NULL: none are served */
	int signal_fd;
	int status;
	bool ending;
	unsigned name_files;  /* that can be read: sandbox_name_files() */
	int64_t heartbeat_us; /* next one, monotonic */
	int64_t stats_us;
	int64_t sweep_us;
} Control;

/* Cameras run without it, so a failure is only logged. */
static void
serve_requests(Control *control, const Settings *settings)
{
	if (control->options->request_fd < 0)
		return;
	control->request_world = (RequestWorld){.pool = control->world.pool,
											.models = control->world.models,
											.live = control->world.live,
											.models_dir = settings->models_dir,
											.media_dir = settings->media_dir,
											.source_paths = control->world.source_paths};
	control->requests = request_server_start(control->options->request_fd, &control->request_world);
}

static int64_t
segment_us(const Settings *settings)
{
	return (int64_t) (settings->segment_duration * CLOCK_SECOND);
}

static void
sweep_models(void *arg, Workspace *workspace)
{
	Control *control = arg;

	(void) workspace;
	model_cache_sweep(control->world.models);
}

static bool
open_control(Control *control, const DesiredState *first)
{
	const Settings *settings = &first->settings;

	control->signal_fd = signalfd(-1, &control->options->end_signals, SFD_CLOEXEC | SFD_NONBLOCK);
	control->world.news_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	control->world.queue = control->queue;
	control->world.stall_timeout_us = (int64_t) (settings->stall_timeout * CLOCK_SECOND);
	control->world.source_paths = control->options->any_file ? NULL : &settings->source_paths;
	control->name_files = sandbox_name_files();
	control->writer = event_writer_start(control->queue, control->options->event_fd);
	control->world.pool = pool_create(settings->detector_threads);
	control->world.models = model_cache_create();
	control->world.live = live_board_create();
	control->sweep = (PoolTask){.run = sweep_models, .arg = control};
	if (settings->media_dir != NULL)
	{
		control->world.snapshots = snapshot_queue_start(settings->media_dir);
		control->world.recordings =
			recording_writer_start(settings->media_dir, segment_us(settings));
	}
	control->fleet = fleet_create(&control->world);
	if (control->signal_fd >= 0 && control->world.news_fd >= 0 && control->writer != NULL &&
		control->world.pool != NULL && control->world.models != NULL &&
		control->world.live != NULL && control->fleet != NULL)
	{
		serve_requests(control, settings);
		return true;
	}
	log_error("the engine cannot start: out of memory, threads or descriptors");
	return false;
}

/* Settings that may change while the engine runs; the rest takes a new engine. */
static void
follow_settings(Control *control, const Settings *settings)
{
	log_set_level(settings->log_level);
	control->world.stall_timeout_us = (int64_t) (settings->stall_timeout * CLOCK_SECOND);
	pool_resize(control->world.pool, settings->detector_threads);
	recording_writer_set_segment(control->world.recordings, segment_us(settings));
}

static void
follow_line(Control *control, const char *line, size_t length)
{
	char reason[256];
	DesiredState *state = desired_state_parse(line, length, reason, sizeof(reason));

	if (state == NULL)
	{
		log_error("a desired state is not followed: %s", reason);
		return;
	}
	follow_settings(control, &state->settings);
	fleet_follow(control->fleet, state);
	desired_state_free(state);
}

static void
read_states(Control *control)
{
	const char *line;
	size_t length;
	StateRead result;

	while ((result = state_reader_next(control->reader, &line, &length)) == STATE_READ_LINE)
		follow_line(control, line, length);
	if (result == STATE_READ_END)
		control->ending = true;
}

/* Lost the sight of the names of hosts?  The worker starts an engine that has it. */
static void
check_names(Control *control)
{
	if (control->reader == NULL || fleet_failures(control->fleet) == 0 ||
		(control->name_files & ~sandbox_name_files()) == 0)
		return;
	log_warning("the files that host names are looked up in were replaced: "
				"the engine ends, and the next can read them");
	control->ending = true;
}

/*
 * A thread that hangs cannot be ended alone.  So end all as a crash of that camera:
 * the others are back in a second, and should it happen again, without it.
 */
static void
check_hung(Control *control)
{
	int hung = fleet_hung(control->fleet);

	if (hung == 0)
		return;
	thread_serve_camera(hung);
	/* Nobody would read the queue any more. */
	log_set_sink(NULL, NULL);
	log_error("%g s of processor time since its last packet: it hangs",
			  (double) CAMERA_HANG_US / CLOCK_SECOND);
	abort();
}

/* Shut out of the media directory, as when a disk is mounted anew?  The next engine is not. */
static void
check_media(Control *control)
{
	if (control->reader == NULL || !recording_writer_shut_out(control->world.recordings))
		return;
	log_warning("the media directory was replaced: the engine ends, and the next can write to it");
	control->ending = true;
}

/* Heartbeats, stats and sweeps, when they are due. */
static void
report(Control *control)
{
	int64_t now = clock_monotonic_us();
	char runtime[MODEL_RUNTIME_TEXT];

	if (now >= control->heartbeat_us)
	{
		control->heartbeat_us = now + CCTV_HEARTBEAT_MS * INT64_C(1000);
		fleet_runtime(control->fleet, runtime);
		event_heartbeat(control->queue, runtime, pool_waiting(control->world.pool));
		check_names(control);
		check_hung(control);
		check_media(control);
	}
	if (now >= control->sweep_us)
	{
		control->sweep_us = now + SWEEP_US;
		pool_submit(control->world.pool, &control->sweep);
	}
	if (now >= control->stats_us)
	{
		control->stats_us = now + CAMERA_STATS_US;
		fleet_report_stats(control->fleet);
	}
}

/* Sleep until something happens or is due. */
static void
wait_for_work(Control *control)
{
	struct pollfd fds[] = {{.fd = control->signal_fd, .events = POLLIN},
						   {.fd = control->world.news_fd, .events = POLLIN},
						   {.fd = -1, .events = POLLIN}};
	int64_t now = clock_monotonic_us();
	int64_t due =
		control->heartbeat_us < control->stats_us ? control->heartbeat_us : control->stats_us;
	struct signalfd_siginfo signal;
	eventfd_t count;

	if (control->reader != NULL && !control->ending)
		fds[2].fd = state_reader_fd(control->reader);
	poll(fds, 3, due > now ? (int) ((due - now) / 1000 + 1) : 0);
	if (read(control->signal_fd, &signal, sizeof(signal)) > 0)
		control->ending = true;
	if (eventfd_read(control->world.news_fd, &count) == 0)
		fleet_tend(control->fleet);
	if (fds[2].fd >= 0 && fds[2].revents != 0)
		read_states(control);
}

/* Is there a reason of its own for a stand-alone engine to end? */
static void
check_end(Control *control)
{
	if (event_writer_broken(control->writer))
		control->ending = true;
	if (control->options->one_attempt && fleet_failures(control->fleet) > 0)
	{
		control->status = 1;
		control->ending = true;
	}
	if (control->options->until_ended && fleet_ended(control->fleet) == fleet_size(control->fleet))
		control->ending = true;
}

/* Stop all cameras; true once they are gone. */
static bool
stop_cameras(Control *control)
{
	int64_t deadline = clock_monotonic_us() + STOP_US;
	struct pollfd news = {.fd = control->world.news_fd, .events = POLLIN};
	eventfd_t count;

	fleet_stop(control->fleet);
	while (fleet_size(control->fleet) > 0 && clock_monotonic_us() < deadline)
	{
		poll(&news, 1, 100);
		eventfd_read(control->world.news_fd, &count);
		fleet_tend(control->fleet);
	}
	return fleet_size(control->fleet) == 0;
}

/*
 * End in order.  A camera stuck in a call that cannot be interrupted (a name
 * server that does not answer) is left to the end of the process.
 */
static void
end(Control *control)
{
	if (control->fleet == NULL)
		return;
	if (!request_server_stop(control->requests) || !stop_cameras(control))
	{
		log_warning("a camera or a request did not stop in time");
		event_writer_stop(control->writer, LAST_LINES_US);
		_exit(control->status);
	}
	recording_writer_stop(control->world.recordings);
	snapshot_queue_stop(control->world.snapshots);
	pool_free(control->world.pool);
	event_writer_stop(control->writer, LAST_LINES_US);
	fleet_free(control->fleet);
	live_board_free(control->world.live);
	model_cache_free(control->world.models);
	close(control->world.news_fd);
	close(control->signal_fd);
}

int
control_run(const ControlOptions *options, EventQueue *queue, StateReader *reader,
			const DesiredState *first)
{
	Control control = {.options = options, .queue = queue, .reader = reader};

	if (!open_control(&control, first))
		return 1;
	control.stats_us = clock_monotonic_us() + CAMERA_STATS_US;
	fleet_follow(control.fleet, first);
	/* More may have come with the first: poll() does not tell of what is read. */
	if (reader != NULL)
		read_states(&control);
	while (!control.ending)
	{
		report(&control);
		wait_for_work(&control);
		check_end(&control);
	}
	end(&control);
	return control.status;
}
