/*
 * listen.c
 *		Print alerts of pg_cctv as they arrive: a client for NOTIFY in C.
 *
 *		cc -o listen listen.c $(pkg-config --cflags --libs libpq)
 *		listen 'dbname=cctv' [--json]
 *
 * An alert's notification is sent by the transaction that inserts its row, so
 * whoever hears of an alert can read it, and nobody hears of one that was
 * rolled back.  The program sleeps in poll() until the server speaks.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

/* The server itself takes the payload apart; a client needs no JSON parser. */
static const char format_alert[] =
	"select pg_catalog.to_char(at, 'HH24:MI:SS.MS'), camera, type, label,"
	"       pg_catalog.to_char(confidence, 'FM0.00'),"
	"       (select pg_catalog.string_agg(pg_catalog.to_char(side::real, 'FM0.000'), ' ' order by "
	"n)"
	"          from pg_catalog.jsonb_array_elements_text(box) with ordinality as b(side, n))"
	"  from pg_catalog.jsonb_to_record($1::pg_catalog.jsonb)"
	"       as alert(at timestamptz, camera text, type text, label text, confidence real, box "
	"jsonb)";

static int
fail(PGconn *connection, const char *what)
{
	fprintf(stderr, "listen: %s: %s", what, PQerrorMessage(connection));
	PQfinish(connection);
	return 1;
}

/* Returns false when the connection is lost. */
static bool
print_alert(PGconn *connection, const char *payload)
{
	const char *values[1] = {payload};
	PGresult *result = PQexecParams(connection, format_alert, 1, NULL, values, NULL, NULL, 0);

	/* With cctv.notify_detail = id there is little to lay out: print it as it came. */
	if (PQresultStatus(result) != PGRES_TUPLES_OK || PQgetisnull(result, 0, 0))
		printf("%s\n", payload);
	else
		printf("%s  %-12s %-10s %-10s %s  [%s]\n", PQgetvalue(result, 0, 0),
			   PQgetvalue(result, 0, 1), PQgetvalue(result, 0, 2), PQgetvalue(result, 0, 3),
			   PQgetvalue(result, 0, 4), PQgetvalue(result, 0, 5));
	PQclear(result);
	return PQstatus(connection) == CONNECTION_OK;
}

int
main(int argc, char **argv)
{
	bool json = argc == 3 && strcmp(argv[2], "--json") == 0;
	PGconn *connection;
	PGresult *result;

	if (argc < 2 || (argc == 3 && !json) || argc > 3)
	{
		fprintf(stderr, "usage: listen CONNINFO [--json]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);

	connection = PQconnectdb(argv[1]);
	if (PQstatus(connection) != CONNECTION_OK)
		return fail(connection, "cannot connect");
	result = PQexec(connection, "listen cctv_alert");
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		return fail(connection, "cannot listen");
	PQclear(result);

	for (;;)
	{
		struct pollfd waiting = {.fd = PQsocket(connection), .events = POLLIN};
		PGnotify *notification;

		while ((notification = PQnotifies(connection)) != NULL)
		{
			bool alive = true;

			if (json)
				printf("%s\n", notification->extra);
			else
				alive = print_alert(connection, notification->extra);
			PQfreemem(notification);
			if (!alive)
				return fail(connection, "lost the connection");
		}
		if (poll(&waiting, 1, -1) < 0 && errno != EINTR)
			return fail(connection, strerror(errno));
		if (!PQconsumeInput(connection))
			return fail(connection, "lost the connection");
	}
}
