"""A throwaway PostgreSQL server with pg_cctv, and a client of it, for benchmarks."""

import ctypes
import ctypes.util
import os
import pwd
import select
import shutil
import socket
import subprocess
import tempfile
import time

from measure import Problem, cpu_seconds_of, pss, wait_until

PG_CONFIG = os.environ.get("PG_CONFIG", "pg_config")
DATABASE = "bench"


class Cluster:
    """initdb, start, CREATE EXTENSION; gone at the end of the block.

    Runs as postgres when this is root.  Needs `make install`.
    """

    def __init__(self, settings="", environment=None):
        self.bindir = subprocess.run([PG_CONFIG, "--bindir"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        self.directory = tempfile.mkdtemp(prefix="cctv-bench.", dir="/var/tmp")
        self.user = None
        if os.getuid() == 0:
            self.user = "postgres"
            owner = pwd.getpwnam(self.user)
            os.chown(self.directory, owner.pw_uid, owner.pw_gid)
        self.data = os.path.join(self.directory, "data")
        self.log = os.path.join(self.directory, "log")
        self.port = free_port()
        self.settings = settings
        self.environment = {**os.environ, **(environment or {})}

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self):
        self._server_program("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
        configuration = f"""
listen_addresses = ''
unix_socket_directories = '{self.directory}'
port = {self.port}
shared_preload_libraries = 'pg_cctv'
cctv.databases = '{DATABASE}'
{self.settings}
"""
        with open(os.path.join(self.data, "postgresql.conf"), "a") as file:
            file.write(configuration)
        self.start()
        self.sql(f"create database {DATABASE}", "postgres")
        self.sql("create extension pg_cctv")

    def start(self):
        self._server_program("pg_ctl", "-D", self.data, "-l", self.log, "-w", "start")

    def stop(self, mode="fast"):
        self._server_program("pg_ctl", "-D", self.data, "-m", mode, "-w", "stop")

    def postmaster(self):
        """Its pid, or None."""
        try:
            with open(os.path.join(self.data, "postmaster.pid")) as file:
                return int(file.readline())
        except OSError:
            return None

    def __exit__(self, *_):
        if self.postmaster() is not None:
            self.stop("immediate")
        shutil.rmtree(self.directory, ignore_errors=True)

    def _server_program(self, program, *arguments):
        run = subprocess.run(
            [os.path.join(self.bindir, program), *arguments],
            user=self.user,
            group=self.user,
            extra_groups=[] if self.user else None,
            cwd=self.directory,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE if program != "pg_ctl" else subprocess.DEVNULL,
            text=True,
        )
        if run.returncode != 0:
            raise Problem(f"{program} failed: {(run.stderr or self.log_end()).strip()}; is pg_cctv installed (make install)?")

    def log_end(self):
        try:
            with open(self.log) as file:
                return "".join(file.readlines()[-3:])
        except OSError:
            return "no log"

    def conninfo(self, database=DATABASE):
        return f"host={self.directory} port={self.port} user=postgres dbname={database}"

    def sql(self, text, database=DATABASE):
        """Rows of text columns."""
        command = [os.path.join(self.bindir, "psql"), "-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1"]
        run = subprocess.run([*command, "-d", self.conninfo(database), "-c", text], capture_output=True, text=True)
        if run.returncode != 0:
            raise Problem(f"SQL failed: {run.stderr.strip()}; is pg_cctv installed (make install)?")
        return [line.split("\t") for line in run.stdout.splitlines()]

    def processes(self):
        """{pid: engine, worker or server} of all its processes."""
        found, waiting = {}, [self.postmaster()]
        while waiting:
            pid = waiting.pop()
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    command = file.read().decode(errors="replace")
                with open(f"/proc/{pid}/task/{pid}/children") as file:
                    waiting += map(int, file.read().split())
            except OSError:
                continue
            if "pg_cctv_engine" in command:
                found[pid] = "engine"
            else:
                found[pid] = "worker" if "pg_cctv worker" in command else "server"
        return found

    def usage(self):
        """Processor seconds so far of engines, the worker and the rest of the server."""
        spent = {"engine": 0.0, "worker": 0.0, "server": 0.0}
        for pid, kind in self.processes().items():
            try:
                spent[kind] += cpu_seconds_of(pid)
            except OSError:
                continue
        return spent

    def memory(self):
        """Bytes of memory, what is shared counted in parts."""
        held = {"engine": 0, "worker": 0, "server": 0}
        for pid, kind in self.processes().items():
            try:
                held[kind] += pss(pid)
            except OSError:
                continue
        return held

    def wait_running(self, count, seconds=60):
        query = "select count(*) from cctv.camera_status where state = 'running'"
        wait_until(lambda: int(self.sql(query)[0][0]) == count, seconds, f"{count} cameras running")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class _Notification(ctypes.Structure):
    _fields_ = [("channel", ctypes.c_char_p), ("pid", ctypes.c_int), ("payload", ctypes.c_char_p)]


class Listener:
    """A client that LISTENs through libpq, and notes when it heard what."""

    def __init__(self, conninfo, channel):
        self.pq = ctypes.CDLL(ctypes.util.find_library("pq") or "libpq.so.5")
        self.pq.PQconnectdb.restype = ctypes.c_void_p
        self.pq.PQexec.restype = ctypes.c_void_p
        self.pq.PQnotifies.restype = ctypes.POINTER(_Notification)
        self.connection = ctypes.c_void_p(self.pq.PQconnectdb(conninfo.encode()))
        if self.pq.PQstatus(self.connection) != 0:
            raise Problem("the listener cannot connect")
        self.pq.PQclear(ctypes.c_void_p(self.pq.PQexec(self.connection, f"listen {channel}".encode())))
        self.socket = self.pq.PQsocket(self.connection)

    def close(self):
        self.pq.PQfinish(self.connection)

    def hear(self, seconds):
        """Yield (wall clock of receipt, payload) for so many seconds."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not select.select([self.socket], [], [], left)[0]:
                return
            if not self.pq.PQconsumeInput(self.connection):
                raise Problem("the listener lost its connection")
            heard = time.time()
            while notification := self.pq.PQnotifies(self.connection):
                yield heard, notification.contents.payload.decode()
                self.pq.PQfreemem(notification)


class Session:
    """A connection that asks through libpq, and gets a value in its binary form."""

    def __init__(self, conninfo):
        self.pq = ctypes.CDLL(ctypes.util.find_library("pq") or "libpq.so.5")
        for name in ("PQconnectdb", "PQexecParams", "PQgetvalue", "PQerrorMessage"):
            getattr(self.pq, name).restype = ctypes.c_void_p
        self.connection = ctypes.c_void_p(self.pq.PQconnectdb(conninfo.encode()))
        if self.pq.PQstatus(self.connection) != 0:
            raise Problem("a session cannot connect")

    def value(self, query):
        """The bytes of the one value that the query gives."""
        none = ctypes.c_void_p()
        result = ctypes.c_void_p(
            self.pq.PQexecParams(self.connection, query.encode(), 0, none, none, none, none, 1)
        )
        try:
            if self.pq.PQntuples(result) != 1:
                message = ctypes.string_at(self.pq.PQerrorMessage(self.connection)).decode()
                raise Problem(f"a query failed: {message.strip()}")
            return ctypes.string_at(self.pq.PQgetvalue(result, 0, 0), self.pq.PQgetlength(result, 0, 0))
        finally:
            self.pq.PQclear(result)
