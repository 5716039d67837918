/*
 * driver.c
 *		Runs a fuzz target without libFuzzer: inputs of a corpus, and changes to them
 *		that reach code not reached before, for so many seconds.
 *
 *	fuzz_NAME [--seconds N] [--seed N] [--keep DIR] FILE-OR-DIRECTORY...
 *
 * Coverage comes from gcc's -fsanitize-coverage=trace-pc.  An input that crashes,
 * fails a check or takes ten seconds is written to crash-NAME, to be run by that
 * name alone.  --keep writes what reached new code, to add to the corpus.  The
 * same seed makes the same inputs, as many as there is time for.
 */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "mutate.h"

#define LONGEST_INPUT (64 * 1024)
#define MAX_CORPUS 8192
#define MAP_SIZE (1 << 16)
#define SLOWEST_SECONDS 10

typedef struct Input
{
	unsigned char *data;
	size_t size;
} Input;

static Input corpus[MAX_CORPUS];
static int ncorpus;

static uint8_t hits[MAP_SIZE];	/* by this input */
static uint8_t known[MAP_SIZE]; /* by any, in powers of two */
static uintptr_t before;

static const unsigned char *current;
static size_t current_size;
static char crash_path[256];

/* Called by the target at every edge; must not be instrumented itself. */
extern void __sanitizer_cov_trace_pc(void);
extern void __sanitizer_set_death_callback(void (*callback)(void));

void
__sanitizer_cov_trace_pc(void)
{
	uintptr_t here = (uintptr_t) __builtin_return_address(0) - (uintptr_t) __sanitizer_cov_trace_pc;

	here = (here >> 2) * UINT64_C(0x9E3779B97F4A7C15) >> 40;
	if (hits[(here ^ before) % MAP_SIZE] < 255)
		hits[(here ^ before) % MAP_SIZE]++;
	before = here >> 1;
}

/* Has this input reached what none did before, or much more often? */
static int
learn(void)
{
	int news = 0;

	for (size_t i = 0; i < MAP_SIZE; i += sizeof(uint64_t))
	{
		uint64_t any;

		memcpy(&any, hits + i, sizeof(any));
		if (any == 0)
			continue;
		for (size_t j = i; j < i + sizeof(any); j++)
		{
			int bit = 0;

			while (hits[j] >> bit > 1)
				bit++;
			if (hits[j] > 0 && (known[j] & 1 << bit) == 0)
			{
				known[j] |= (uint8_t) (1 << bit);
				news++;
			}
		}
	}
	return news;
}

static int
count_edges(void)
{
	int edges = 0;

	for (size_t i = 0; i < MAP_SIZE; i++)
		edges += known[i] != 0;
	return edges;
}

static double
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static void
write_bytes(const char *path, const unsigned char *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || write(fd, data, size) != (ssize_t) size)
		perror(path);
	if (fd >= 0)
		close(fd);
}

static void
on_death(void)
{
	static const char text[] = "\nthe input is in ";

	if (current == NULL)
		return;
	write_bytes(crash_path, current, current_size);
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0 ||
		write(STDERR_FILENO, crash_path, strlen(crash_path)) < 0 ||
		write(STDERR_FILENO, "\n", 1) < 0)
		_exit(1);
}

static void
on_alarm(int signo)
{
	static const char text[] = "too slow: more than 10 seconds\n";

	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(1);
	abort();
}

/* Returns whether it was news. */
static int
run(const unsigned char *data, size_t size)
{
	/* A block of its own, so that the sanitizer sees what is read beyond it. */
	unsigned char *copy = malloc(size + (size == 0));

	if (copy == NULL)
		abort();
	memcpy(copy, data, size);
	current = copy;
	current_size = size;
	memset(hits, 0, sizeof(hits));
	before = 0;
	alarm(SLOWEST_SECONDS);
	LLVMFuzzerTestOneInput(copy, size);
	alarm(0);
	current = NULL;
	free(copy);
	return learn();
}

static void
add(const unsigned char *data, size_t size)
{
	Input *input = &corpus[ncorpus];

	if (ncorpus == MAX_CORPUS || (input->data = malloc(size + 1)) == NULL)
		return;
	memcpy(input->data, data, size);
	input->size = size;
	ncorpus++;
}

static void
load_file(const char *path)
{
	static unsigned char data[LONGEST_INPUT];
	FILE *file = fopen(path, "rb");
	size_t size;

	if (file == NULL)
	{
		perror(path);
		exit(2);
	}
	size = fread(data, 1, sizeof(data), file);
	fclose(file);
	add(data, size);
}

static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void
load(const char *path)
{
	struct dirent **names;
	int count = scandir(path, &names, NULL, by_name);

	if (count < 0 && errno == ENOTDIR)
		load_file(path);
	else if (count < 0)
	{
		perror(path);
		exit(2);
	}
	for (int i = 0; i < count; i++)
	{
		char inner[1024];

		snprintf(inner, sizeof(inner), "%s/%s", path, names[i]->d_name);
		if (names[i]->d_name[0] != '.')
			load_file(inner);
		free(names[i]);
	}
	if (count >= 0)
		free(names);
}

static void
keep(const char *directory, const unsigned char *data, size_t size)
{
	uint64_t hash = UINT64_C(14695981039346656037);
	char path[1024];

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ data[i]) * UINT64_C(1099511628211);
	snprintf(path, sizeof(path), "%s/%016llx", directory, (unsigned long long) hash);
	write_bytes(path, data, size);
}

/* Change inputs until the time is over; returns how many were run. */
static long
explore(double seconds, uint64_t seed, const char *keep_in)
{
	static unsigned char data[LONGEST_INPUT];
	double end = now() + seconds;
	long runs = 0;

	while (now() < end)
	{
		uint64_t pick = mutate_random(&seed) >> 16;
		/* Half of the time one of the latest: it is where the news is. */
		int recent = ncorpus < 32 ? ncorpus : 32;
		const Input *base = &corpus[pick % 2 == 0 ? pick / 2 % ncorpus
												  : (uint64_t) ncorpus - 1 - pick / 2 % recent];
		const Input *other = &corpus[(mutate_random(&seed) >> 16) % ncorpus];
		size_t size = base->size;

		memcpy(data, base->data, size);
		size = mutate(data, size, sizeof(data), other->data, other->size, &seed);
		runs++;
		if (run(data, size) == 0)
			continue;
		add(data, size);
		if (keep_in != NULL)
			keep(keep_in, data, size);
	}
	return runs;
}

int
main(int argc, char **argv)
{
	static const struct option names[] = {{"seconds", required_argument, NULL, 's'},
										  {"seed", required_argument, NULL, 'r'},
										  {"keep", required_argument, NULL, 'k'},
										  {0}};
	const char *name = strrchr(argv[0], '/') != NULL ? strrchr(argv[0], '/') + 1 : argv[0];
	const char *keep_in = NULL;
	double seconds = 0;
	uint64_t seed = 1;
	double begin = now();
	int ngiven;
	int option;
	long runs;

	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1)
	{
		if (option == 's')
			seconds = atof(optarg);
		else if (option == 'r')
			seed = strtoull(optarg, NULL, 10) | 1;
		else if (option == 'k')
			keep_in = optarg;
		else
			return 2;
	}
	snprintf(crash_path, sizeof(crash_path), "%s/crash-%s",
			 getenv("FUZZ_CRASHES") != NULL ? getenv("FUZZ_CRASHES") : ".", name);
	__sanitizer_set_death_callback(on_death);
	signal(SIGALRM, on_alarm);
	for (int i = optind; i < argc; i++)
		load(argv[i]);
	if (ncorpus == 0)
		add((const unsigned char *) "", 0);
	ngiven = ncorpus;
	for (int i = 0; i < ngiven; i++)
		run(corpus[i].data, corpus[i].size);
	runs = explore(seconds, seed, keep_in);
	printf("%s: %d of the corpus, %ld more, %d of them new; %d edges; %.0f s\n", name, ngiven, runs,
		   ncorpus - ngiven, count_edges(), now() - begin);
	return 0;
}
