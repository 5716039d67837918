/*
 * bare_load.c
 *		A model run so many times a second, and nothing else.
 *
 *		bare_load MODEL WIDTH HEIGHT RATE
 *
 * On as many threads as there are processors, one ONNX Runtime thread in each:
 * with bare_loop it is what bench/scale holds the engine's processor time
 * against.  Runs until killed; prints "running" once the model is loaded.
 */
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "bare_onnx.h"

typedef struct Load
{
	Bare bare;
	InputShape shape;
	void *input;
	double period; /* seconds from one run of a thread to its next */
} Load;

typedef struct Runner
{
	const Load *load;
	struct timespec next;
	pthread_t thread;
} Runner;

static void
add_seconds(struct timespec *when, double seconds)
{
	long long nanoseconds = when->tv_nsec + (long long) (seconds * 1e9);

	when->tv_sec += nanoseconds / 1000000000;
	when->tv_nsec = nanoseconds % 1000000000;
}

static void *
run_at_rate(void *arg)
{
	Runner *runner = arg;

	for (;;)
	{
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &runner->next, NULL) != 0)
			;
		bare_run(&runner->load->bare, &runner->load->shape, runner->load->input);
		add_seconds(&runner->next, runner->load->period);
	}
	return NULL;
}

int
main(int argc, char **argv)
{
	int threads = (int) sysconf(_SC_NPROCESSORS_ONLN);
	Load load = {.shape = {TENSOR_FLOAT_NCHW}};
	struct timespec start;
	Runner *runners;
	char text[400];
	double rate;

	if (argc != 5 || (rate = atof(argv[4])) <= 0)
		bare_die("usage: bare_load MODEL WIDTH HEIGHT RATE");
	load.shape.width = atoi(argv[2]);
	load.shape.height = atoi(argv[3]);
	/* The engine's own backend knows the type and layout of the model's input. */
	if (backend_onnxruntime.open(argv[1], &load.shape, text, sizeof(text), text, sizeof(text)) ==
		NULL)
		bare_die(text);
	load.period = threads / rate;
	load.input = calloc((size_t) 3 * load.shape.width * load.shape.height, sizeof(float));
	runners = calloc(threads, sizeof(*runners));
	if (load.input == NULL || runners == NULL)
		bare_die("out of memory");
	bare_open(&load.bare, argv[1]);
	bare_run(&load.bare, &load.shape, load.input);
	puts("running");
	fflush(stdout);
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (int i = 0; i < threads; i++)
	{
		runners[i] = (Runner){.load = &load, .next = start};
		add_seconds(&runners[i].next, i / rate);
		if (pthread_create(&runners[i].thread, NULL, run_at_rate, &runners[i]) != 0)
			bare_die("no thread can be started");
	}
	pause();
	return 0;
}
