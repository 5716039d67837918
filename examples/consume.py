#!/usr/bin/python3
"""Hand every event to a handler at least once, in order, across restarts of
this program and of the server: a consumer whose position the database keeps.

    consume.py DSN CONSUMER [COUNT]

Made for Debian's python3-psycopg2.  Ends after COUNT events, else never.
"""

import select
import sys
import time

import psycopg2


def handle(event):
    """Whatever is to be done.  An error leaves the event to be delivered again."""
    print(event["seq"], event["kind"], event["camera"], event["type"], flush=True)


def consume(connection, consumer):
    """Deal with what there is; returns the number of events."""
    with connection, connection.cursor() as cursor:
        # In one transaction: another process with this consumer waits its turn.
        cursor.execute("select seq, kind, camera, type from cctv.consume(%s, 100)", (consumer,))
        names = [column.name for column in cursor.description]
        events = [dict(zip(names, row)) for row in cursor]
        for event in events:
            handle(event)
        if events:
            cursor.execute("select cctv.commit_offset(%s, %s)", (consumer, events[-1]["seq"]))
    return len(events)


def follow(dsn, consumer):
    """Consume for as long as the connection lasts; yields numbers of events."""
    connection = psycopg2.connect(dsn)
    with connection, connection.cursor() as cursor:
        cursor.execute("listen cctv_alert; listen cctv_camera_state")
    while True:
        while count := consume(connection, consumer):
            yield count
        # The bell, or a look every ten seconds.
        select.select([connection], [], [], 10)
        connection.poll()
        connection.notifies.clear()


def main():
    dsn, consumer = sys.argv[1:3]
    left = int(sys.argv[3]) if len(sys.argv) > 3 else float("inf")
    while left > 0:
        try:
            for count in follow(dsn, consumer):
                left -= count
                if left <= 0:
                    break
        except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
            print(f"consume.py: {error}", file=sys.stderr)
            time.sleep(1)


if __name__ == "__main__":
    main()
