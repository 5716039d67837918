"""A server with cameras for bench/faults, and what a fault costs them."""

import contextlib
import os
import shutil
import signal
import stat
import time

from cluster import Cluster
from measure import MEDIA, ROOT, Cameras, Problem, wait_until
from proxy import Proxy
from session import Session

TEST_ENGINE = os.path.join(ROOT, "build/test/pg_cctv_engine")
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
STREAMS = {"h264": "vtest.mp4", "hevc": "vtest-hevc.mp4", "large": "vtest-720p.mp4"}
PASSWORD = "open-sesame"
SETTINGS = """
max_connections = 20
log_statement = none
cctv.stall_timeout = '5s'
cctv.media_min_free = 0
"""


class World:
    """Two cameras in one engine: `lobby` behind a proxy, `yard` without.

    `fake_time` runs server and engines under a clock that move_clock() moves.
    `engine` is the program that is run as the engine (the installed one).
    """

    def __init__(self, fake_time=False, engine=None):
        self.stack = contextlib.ExitStack()
        self.fake_time = fake_time
        self.engine = engine
        self.cameras = {}

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self._enter(stack)
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def _enter(self, stack):
        # One camera after the other may be at the proxy's address.
        self.streams = {name: stack.enter_context(Cameras({"camera": file})) for name, file in STREAMS.items()}
        options = ("--user", "viewer", "--password", PASSWORD)
        self.streams["locked"] = stack.enter_context(Cameras({"camera": STREAMS["h264"]}, options))
        self.proxy = stack.enter_context(Proxy(self.streams["h264"].port))
        self.server = Cluster()
        # Where engines may read.
        shared = os.path.join(self.server.directory, "shared")
        os.mkdir(shared)
        os.chmod(shared, 0o755)
        self.clock = os.path.join(shared, "clock")
        self.server.settings = SETTINGS + self._engine_settings()
        stack.enter_context(self.server)
        self.session = stack.enter_context(Session(self.server))
        self.add_camera("lobby", self.lobby_url())
        self.add_camera("yard", self.streams["h264"].urls[0])
        self.settle()

    def _engine_settings(self):
        """Engines of a copy of the program, or under another clock."""
        program = os.path.join(self.server.directory, "pg_cctv_engine")
        shutil.copy(self.engine or os.path.join(self.server.bindir, "pg_cctv_engine"), program)
        path = os.path.join(self.server.directory, "engine")
        with open(path, "w") as script:
            script.write("#!/bin/sh\n")
            if self.fake_time:
                self.clock_offset = 0
                self.move_clock(0)
                clock = {
                    "LD_PRELOAD": FAKETIME,
                    "FAKETIME_TIMESTAMP_FILE": self.clock,
                    "FAKETIME_CACHE_DURATION": "1",
                    "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                }
                self.server.environment.update(clock)
                script.write("".join(f"export {name}={value}\n" for name, value in clock.items()))
            script.write(f'exec {program} "$@"\n')
        os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
        return f"cctv.engine_path = '{path}'\ncctv.source_paths = '{MEDIA}, {os.path.dirname(self.clock)}'\n"

    def move_clock(self, seconds):
        """Of server and engines; they look at it every second."""
        self.clock_offset += seconds
        with open(self.clock, "w") as file:
            file.write(f"{self.clock_offset:+d}\n")
        os.chmod(self.clock, 0o644)
        pause(3 if seconds else 0)

    def value(self, query):
        return self.server.sql(query)[0][0]

    def add_camera(self, name, url):
        self.server.sql(f"select cctv.add_camera('{name}', '{url}'); select cctv.start('{name}')")
        self.cameras[name] = int(self.value(f"select camera_id from cctv.cameras where name = '{name}' and removed_at is null"))

    def remove_camera(self, name, keep_history=False):
        self.server.sql(f"select cctv.remove_camera('{name}', keep_history => {keep_history})")
        del self.cameras[name]

    def now(self):
        return self.value("select clock_timestamp()")

    def now_or_none(self):
        """The same; None while the server does not answer."""
        try:
            return self.now()
        except Problem:
            return None

    def configure(self, **settings):
        """ALTER SYSTEM and reload; None resets."""
        for name, value in settings.items():
            name = name.replace("__", ".")
            self.server.sql(f"alter system set {name} = '{value}'" if value is not None else f"alter system reset {name}")
        self.server.sql("select pg_reload_conf()")

    def worker(self):
        """Its pid, or None."""
        rows = self.server.sql("select pid from pg_stat_activity where backend_type like 'pg_cctv worker%'")
        return int(rows[0][0]) if rows else None

    def launcher(self):
        """Its pid; waits while the postmaster starts it."""
        query = "select pid from pg_stat_activity where backend_type like 'pg_cctv launcher%'"
        return int(wait_until(lambda: self.server.sql(query), 30, "a launcher")[0][0])

    def engines(self):
        """Pids of the worker's children."""
        worker = self.worker()
        try:
            with open(f"/proc/{worker}/task/{worker}/children") as file:
                return [int(pid) for pid in file.read().split()]
        except OSError:
            return []

    def engine_pid(self):
        return wait_until(self.engines, 60, "an engine")[0]

    def kill_engine(self, number):
        os.kill(self.engine_pid(), number)

    def kill_server(self):
        """The postmaster, as the OOM killer may; then wait for what it leaves."""
        pid = self.server.postmaster()
        worker = self.worker()
        os.kill(pid, signal.SIGKILL)
        # Until somebody has reaped it, its lock files look like a server's.
        gone = lambda: not os.path.exists(f"/proc/{pid}") and not alive(worker)
        wait_until(gone, 30, "the end of all processes")

    def seen(self, camera, since):
        """How many detections of frames after then are in the table."""
        return int(self.value(f"select count(*) from cctv.detections where camera_id = {self.cameras[camera]} and at > '{since}'"))

    def seen_or_none(self, camera, since):
        """The same; None while nobody can tell."""
        try:
            return self.seen(camera, since)
        except Problem:
            return None

    def wait_seen(self, camera, since, seconds, already=0):
        wait_until(lambda: (self.seen_or_none(camera, since) or 0) > already, seconds, f"a detection of {camera}")

    def start_afresh(self):
        """As if nothing had happened yet: no pause that grew with earlier faults."""
        for name in self.cameras:
            self.server.sql(f"select cctv.stop('{name}')")
        stopped = "select count(*) = 0 from cctv.camera_status where state <> 'stopped'"
        wait_until(lambda: self.value(stopped) == "t" and not self.engines(), 30, "the stop of all cameras")
        self.proxy.mode, self.proxy.upstream = "pass", self.streams["h264"].port
        self.server.sql(f"update cctv.cameras set url = '{self.lobby_url()}' where name = 'lobby'")
        # Those of a fault before stay with the camera for as long as its host is the same.
        self.server.sql("select cctv.set_credentials('lobby', null, null)")
        for name in self.cameras:
            self.server.sql(f"select cctv.start('{name}')")
        self.settle()
        # One that ends sooner is replaced after a longer pause.
        served = "select backend_start < clock_timestamp() - interval '6 s' from pg_stat_activity where pid = "
        wait_until(lambda: self.value(f"{served}{self.worker()}") == "t", 30, "a worker that has served for a while")

    def lobby_url(self):
        return f"rtsp://127.0.0.1:{self.proxy.port}/camera"

    def settle(self):
        """Every camera runs and sees."""
        mark = self.now()
        for camera in self.cameras:
            self.wait_seen(camera, mark, 120)

    def interruptions(self, camera, since):
        return int(
            self.value(
                "select count(*) from cctv.camera_events where state <> 'running' "
                f"and camera_id = {self.cameras[camera]} and at > '{since}'"
            )
        )

    def hole(self, camera, since):
        """Seconds of the longest time without a detection."""
        return float(
            self.value(
                "select coalesce(max(extract(epoch from at - before)), 0) from (select at, lag(at) over (order by at) as before"
                f" from cctv.detections where camera_id = {self.cameras[camera]}"
                f" and at > '{since}'::timestamptz - interval '2 seconds') as d"
            )
        )

    def dropped(self):
        """Events that engines had to drop in the sessions of now."""
        return int(self.value("select coalesce(sum(dropped_events), 0) from cctv.camera_status"))

    def session_lives(self):
        try:
            return self.session.run("select 1") == ["1"]
        except (Problem, OSError):
            return False

    def keep_log(self, name):
        kept = f"/tmp/cctv-{name}.log"
        shutil.copy(self.server.log, kept)
        print(f"the server's log is kept as {kept}")

    def renew_session(self):
        self.session.close()
        self.session.__init__(self.server)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def pause(seconds):
    """How long a fault lasts: not a wait for anything."""
    time.sleep(seconds)
