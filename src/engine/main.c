/*
 * main.c
 *		The engine: run by the worker, or by hand.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libavdevice/avdevice.h>
#include <libavformat/avformat.h>

#include "confine.h"
#include "control.h"
#include "crash.h"
#include "desired_state.h"
#include "event.h"
#include "event_queue.h"
#include "process_limits.h"
#include "log.h"
#include "protocol.h"
#include "sandbox_test.h"
#include "standalone.h"

/* Some minutes of a busy engine's events; a worker that is that late is restarted. */
#define QUEUE_LINES 8192
#define QUEUE_BYTES (8 * 1024 * 1024)

static const char usage[] =
	"pg_cctv_engine finds objects in video streams and prints what it sees.\n"
	"\n"
	"Usage:\n"
	"  pg_cctv_engine --url URL [OPTION]...\n"
	"  pg_cctv_engine --config FILE [OPTION]...\n"
	"  pg_cctv_engine --sandbox-test [--data-dir DIR] [--media-dir DIR] [--no-sandbox]\n"
	"\n"
	"  --url URL         rtsp(s)://, http(s)://, a file or /dev/videoN\n"
	"  --once            play a file once, as fast as possible; end when it ends, or\n"
	"                    when a stream is lost or cannot be opened (status 1)\n"
	"  --config FILE     a JSON document: settings, models and cameras, or just the\n"
	"                    fields of one camera; - for standard input, or the JSON itself\n"
	"  --models-dir DIR  where the models' files are\n"
	"  --media-dir DIR   where to write snapshots (default: none are written)\n"
	"  --log-level L     error, warning, info or debug\n"
	"  --sandbox         confine the process as the worker does\n"
	"  --sandbox-test    try what a hijacked engine would try, and tell: run it as the\n"
	"                    server's user, with the data directory of a running server\n"
	"  --data-dir DIR    of that server (default: a stand-in)\n"
	"  --no-sandbox      without it, to see that the test can fail\n"
	"  --worker          serve a pg_cctv worker on descriptors 3 to 5\n"
	"  --help, --version\n"
	"\n"
	"Events are printed on standard output, a JSON object a line; messages on\n"
	"standard error. A password in a URL can be seen by every user of the machine\n"
	"while the engine runs: give username and password in the --config document.\n";

static void
log_to_queue(void *queue, LogLevel level, int camera_id, const char *message)
{
	event_log(queue, level, camera_id, message);
}

/* The signals that end the engine in order; blocked, so that control hears them. */
static sigset_t
block_end_signals(bool by_hand)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	if (by_hand)
		sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	return signals;
}

/*
 * From a known state to the end.  Everything up to control_run happens on one
 * thread: a thread started before the sandbox would stay free of it.
 */
static int
run(const ControlOptions *options, EventQueue *queue, StateReader *reader,
	const DesiredState *state)
{
	char reason[256];

	log_set_level(state->settings.log_level);
	if (!confine(&state->settings, reason, sizeof(reason)))
	{
		log_error("the settings make no sense: %s", reason);
		return 1;
	}
	return control_run(options, queue, reader, state);
}

static DesiredState *
read_first_state(StateReader *reader)
{
	const char *line;
	size_t length;
	char reason[256];
	DesiredState *state;

	if (state_reader_next(reader, &line, &length) != STATE_READ_LINE)
	{
		log_error("the worker went away before it said what to do");
		return NULL;
	}
	state = desired_state_parse(line, length, reason, sizeof(reason));
	if (state == NULL)
		log_error("the desired state makes no sense: %s", reason);
	return state;
}

/* The listening socket that the worker may have left us, or -1. */
static int
request_socket(void)
{
	int listening = 0;
	socklen_t length = sizeof(listening);

	if (getsockopt(CCTV_FD_REQUESTS, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) == 0 &&
		listening)
		return CCTV_FD_REQUESTS;
	return -1;
}

static int
run_worker(EventQueue *queue)
{
	ControlOptions options = {.event_fd = CCTV_FD_CONTROL, .request_fd = request_socket()};
	StateReader *reader = state_reader_create(CCTV_FD_CONTROL);
	DesiredState *state = NULL;
	int status = 1;
	int error;

	/* A cancelled query or a reload of the worker reaches its process group. */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	options.end_signals = block_end_signals(false);
	if ((error = crash_install(CCTV_FD_CRASH_NOTE)) != 0)
		log_warning("a crash will leave no note: %s", strerror(error));
	if (reader != NULL)
		state = read_first_state(reader);
	if (state != NULL && fcntl(CCTV_FD_CONTROL, F_SETFL, O_NONBLOCK) == 0)
	{
		log_set_sink(log_to_queue, queue);
		status = run(&options, queue, reader, state);
		log_set_sink(NULL, NULL);
	}
	desired_state_free(state);
	state_reader_free(reader);
	return status;
}

static int
run_by_hand(EventQueue *queue, const StandaloneOptions *standalone)
{
	ControlOptions options = {.event_fd = STDOUT_FILENO,
							  .request_fd = -1,
							  .until_ended = true,
							  .one_attempt = standalone->once,
							  .any_file = true};
	char reason[512];
	DesiredState *state = standalone_state(standalone, reason, sizeof(reason));
	int status;

	if (state == NULL)
	{
		log_error("%s", reason);
		return 2;
	}
	options.end_signals = block_end_signals(true);
	status = run(&options, queue, NULL, state);
	desired_state_free(state);
	return status;
}

/* What the command line asks for. */
typedef struct Arguments
{
	StandaloneOptions standalone;
	SandboxTest sandbox_test;
	bool test_sandbox;
	bool worker;
} Arguments;

/* Returns -1 to go on, else the exit status. */
static int
parse_arguments(int argc, char **argv, Arguments *arguments)
{
	StandaloneOptions *standalone = &arguments->standalone;
	static const struct option names[] = {
		{"url", required_argument, NULL, 'u'},		 {"once", no_argument, NULL, 'o'},
		{"config", required_argument, NULL, 'c'},	 {"models-dir", required_argument, NULL, 'm'},
		{"media-dir", required_argument, NULL, 'd'}, {"log-level", required_argument, NULL, 'l'},
		{"sandbox", no_argument, NULL, 's'},		 {"sandbox-test", no_argument, NULL, 't'},
		{"data-dir", required_argument, NULL, 'D'},	 {"no-sandbox", no_argument, NULL, 'n'},
		{"worker", no_argument, NULL, 'w'},			 {"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'v'},		 {0}};
	int option;

	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1)
	{
		switch (option)
		{
			case 'u':
				standalone->url = optarg;
				break;
			case 'o':
				standalone->once = true;
				break;
			case 'c':
				standalone->config = optarg;
				break;
			case 'm':
				standalone->models_dir = optarg;
				break;
			case 'd':
				standalone->media_dir = arguments->sandbox_test.media_dir = optarg;
				break;
			case 'l':
				standalone->log_level = optarg;
				break;
			case 's':
				standalone->sandbox = true;
				break;
			case 't':
				arguments->test_sandbox = true;
				break;
			case 'D':
				arguments->sandbox_test.data_dir = optarg;
				break;
			case 'n':
				arguments->sandbox_test.no_sandbox = true;
				break;
			case 'w':
				arguments->worker = true;
				break;
			case 'h':
				fputs(usage, stdout);
				return 0;
			case 'v':
				puts("pg_cctv_engine " CCTV_VERSION);
				return 0;
			default:
				fputs("Try pg_cctv_engine --help.\n", stderr);
				return 2;
		}
	}
	if (optind == argc && (arguments->worker || arguments->test_sandbox ||
						   standalone->url != NULL || standalone->config != NULL))
		return -1;
	fputs("Give --url or --config, and nothing but options. Try pg_cctv_engine --help.\n", stderr);
	return 2;
}

int
main(int argc, char **argv)
{
	Arguments arguments = {0};
	EventQueue *queue;
	int status = parse_arguments(argc, argv, &arguments);

	if (status >= 0)
		return status;
	process_limits_heap();
	/*
	 * Looking up a host cannot be interrupted: where no name server answers it takes
	 * these 2 s twice for each (three at most), not the usual 5.
	 */
	setenv("RES_OPTIONS", "timeout:2 attempts:2", 0);
	signal(SIGPIPE, SIG_IGN);
	/* A file that may not grow any more is an error like a full disk. */
	signal(SIGXFSZ, SIG_IGN);
	log_capture_ffmpeg();
	avformat_network_init();
	avdevice_register_all();
	if (arguments.test_sandbox)
		return sandbox_test(&arguments.sandbox_test);
	queue = event_queue_create(QUEUE_LINES, QUEUE_BYTES);
	if (queue == NULL)
		return 1;
	status = arguments.worker ? run_worker(queue) : run_by_hand(queue, &arguments.standalone);
	event_queue_free(queue);
	return status;
}
