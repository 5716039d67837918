/*
 * follow_alerts.c
 *		Print every alert once, in order, and miss none: a client that keeps its
 *		own position.
 *
 *		follow_alerts CONNINFO [LAST_SEQ]
 *
 * The pattern: LISTEN first, then catch up from the last number seen, then wait
 * for a notification and catch up again.  The notification is only the bell;
 * what has happened comes from cctv.alerts_since(), so it does not matter for how
 * long the connection was down.  It looks every ten seconds anyway: when the
 * server's queue of notifications is full, alerts ring no bell.
 *
 * Each line is "seq alert_id camera type", flushed: LAST_SEQ is the first word of
 * the last line, kept by whoever runs this.  After a lost connection it tries
 * again every second.
 *
 *		cc -o follow_alerts follow_alerts.c $(pkg-config --cflags --libs libpq)
 */
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char batch[] = "1000";

/* Print what comes after *last_seq.  Returns 0, or -1 when the connection fails. */
static int
catch_up(PGconn *connection, long long *last_seq)
{
	int rows;

	do
	{
		char after[32];
		const char *parameters[2] = {after, batch};
		PGresult *result;

		snprintf(after, sizeof(after), "%lld", *last_seq);
		result = PQexecParams(connection,
							  "select seq, alert_id, camera, type from cctv.alerts_since($1, $2)",
							  2, NULL, parameters, NULL, NULL, 0);
		if (PQresultStatus(result) != PGRES_TUPLES_OK)
		{
			fprintf(stderr, "follow_alerts: %s", PQerrorMessage(connection));
			PQclear(result);
			return -1;
		}
		rows = PQntuples(result);
		for (int row = 0; row < rows; row++)
		{
			printf("%s %s %s %s\n", PQgetvalue(result, row, 0), PQgetvalue(result, row, 1),
				   PQgetvalue(result, row, 2), PQgetvalue(result, row, 3));
			*last_seq = atoll(PQgetvalue(result, row, 0));
		}
		if (fflush(stdout) != 0)
			exit(1);
		PQclear(result);
	} while (rows == atoi(batch));
	return 0;
}

/* Wait until the server says something, or for ten seconds; throw its notifications away. */
static int
wait_for_bell(PGconn *connection)
{
	struct pollfd socket = {.fd = PQsocket(connection), .events = POLLIN};
	PGnotify *notification;

	if (poll(&socket, 1, 10000) < 0 || !PQconsumeInput(connection))
		return -1;
	while ((notification = PQnotifies(connection)) != NULL)
		PQfreemem(notification);
	return 0;
}

static void
follow(PGconn *connection, long long *last_seq)
{
	PGresult *result;

	if (PQstatus(connection) != CONNECTION_OK)
		return;
	result = PQexec(connection, "listen cctv_alert");
	if (PQresultStatus(result) == PGRES_COMMAND_OK)
		while (catch_up(connection, last_seq) == 0 && wait_for_bell(connection) == 0)
			continue;
	PQclear(result);
}

int
main(int argc, char **argv)
{
	long long last_seq = argc > 2 ? atoll(argv[2]) : 0;

	if (argc < 2 || argc > 3)
	{
		fprintf(stderr, "usage: follow_alerts CONNINFO [LAST_SEQ]\n");
		return 2;
	}
	for (;;)
	{
		PGconn *connection = PQconnectdb(argv[1]);

		follow(connection, &last_seq);
		PQfinish(connection);
		sleep(1);
	}
}
