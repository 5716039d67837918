/*
 * engine_socket.c
 *		The Unix-domain sockets on which engines serve requests of backends.
 *
 * The directory's name has the prefix of temporary files, which base backups
 * and pg_rewind leave out.
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "compat.h"
#include "engine_socket.h"
#include "miscadmin.h"
#include "storage/fd.h"

#define DIRECTORY PG_TEMP_FILE_PREFIX "_cctv"

/* Requests that wait to be accepted: more than an engine serves at a time. */
#define BACKLOG 128

static struct sockaddr_un
address_of(int number)
{
	struct sockaddr_un address;

	memset(&address, 0, sizeof(address));
	address.sun_family = AF_UNIX;
	snprintf(address.sun_path, sizeof(address.sun_path), DIRECTORY "/%u.%d", MyDatabaseId, number);
	return address;
}

static bool
listen_at(int fd, const struct sockaddr_un *address)
{
	if (mkdir(DIRECTORY, 0700) < 0 && errno != EEXIST)
		return false;
	if (unlink(address->sun_path) < 0 && errno != ENOENT)
		return false;
	return bind(fd, (const struct sockaddr *) address, sizeof(*address)) == 0 &&
		   chmod(address->sun_path, 0600) == 0 && listen(fd, BACKLOG) == 0;
}

int
cctv_socket_listen(int number)
{
	struct sockaddr_un address = address_of(number);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && listen_at(fd, &address))
		return fd;
	ereport(WARNING, (errcode_for_socket_access(),
					  errmsg("could not listen on socket \"%s/%s\": %m", DataDir, address.sun_path),
					  errdetail("Cameras run, but functions that ask an engine do not work.")));
	if (fd >= 0)
		close(fd);
	return -1;
}

void
cctv_socket_remove(int number)
{
	struct sockaddr_un address = address_of(number);

	(void) unlink(address.sun_path);
}

/* The engine's number in a file name; 0 when it is not one of this database. */
static int
number_in(const char *name)
{
	Oid database;
	int number;
	int length = 0;

	if (sscanf(name, "%u.%d%n", &database, &number, &length) == 2 && name[length] == '\0' &&
		database == MyDatabaseId && number > 0)
		return number;
	return 0;
}

/* PostgreSQL 13 has no list_int_cmp(). */
static int
compare_numbers(const ListCell *left, const ListCell *right)
{
	return lfirst_int(left) - lfirst_int(right); /* both are positive */
}

List *
cctv_socket_list(void)
{
	List *numbers = NIL;
	DIR *directory = AllocateDir(DIRECTORY);
	struct dirent *entry;

	if (directory == NULL)
		return NIL;
	while ((entry = ReadDirExtended(directory, DIRECTORY, LOG)) != NULL)
	{
		int number = number_in(entry->d_name);

		if (number > 0)
			numbers = lappend_int(numbers, number);
	}
	FreeDir(directory);
	list_sort(numbers, compare_numbers);
	return numbers;
}

void
cctv_socket_remove_all(void)
{
	ListCell *cell;
	List *numbers = cctv_socket_list();

	foreach (cell, numbers)
		cctv_socket_remove(lfirst_int(cell));
	list_free(numbers);
}

int
cctv_socket_connect(int number)
{
	struct sockaddr_un address = address_of(number);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int saved;

	if (fd < 0 || connect(fd, (struct sockaddr *) &address, sizeof(address)) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}
