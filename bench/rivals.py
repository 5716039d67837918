"""Other programs that do some of what the engine does, on the same streams.

Each is used in a with block, watches once entered, and tells what it cost.
"""

import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

from measure import ROOT, Problem, Process, compile_c, compile_engine, wait_until

MODEL_SIDE = 384
ZONEMINDER = os.environ.get("CCTV_ZONEMINDER", os.path.join(ROOT, "build/zoneminder"))
ORT = os.path.join(ROOT, "build/deps/onnxruntime/lib/libonnxruntime.so.1")


def default_model(int8):
    """EfficientDet-Lite1, as the engine takes it: int8 where the processor has VNNI."""
    name = "efficientdet-lite1-int8.onnx" if int8 else "efficientdet-lite1.onnx"
    path = os.path.join(ROOT, "models", name)
    if not os.path.exists(path):
        raise Problem(f"{path} is missing; run scripts/setup")
    return path


def has_vnni():
    with open("/proc/cpuinfo") as file:
        return re.search(r"\b(avx512_vnni|avx_vnni)\b", file.read()) is not None


class Rival:
    """Processes that watch streams; subclasses start them."""

    name = ""
    does = ""

    def __init__(self, urls):
        self.urls = urls
        self.processes = []
        self.directory = None

    def __enter__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="cctv-rival.")
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.stop()
        self.directory.cleanup()

    def run(self, *command, **options):
        process = Process(*command, **options)
        self.processes.append(process)
        return process

    def start(self):
        raise NotImplementedError

    def ready(self):
        """Wait until every stream is watched."""

    def alive(self):
        return all(process.alive() for process in self.processes)

    def cpu_seconds(self):
        return sum(process.cpu_seconds() for process in self.processes)

    def rss(self):
        return sum(process.rss() for process in self.processes)

    def shortfall(self):
        """What it did not manage, in words; after the with block."""
        return ""


class Bare(Rival):
    """The least it can take: reading and decoding, and inferences at a rate."""

    name = "bare decode + bare inference"
    does = "decodes; runs the model as often as the engine did, in ONNX Runtime"

    def __init__(self, urls, inferences_per_second):
        super().__init__(urls)
        self.rate = inferences_per_second

    def start(self):
        program = compile_c("bare_loop", "libavformat", "libavcodec", "libavutil")
        loop = self.run(program, *self.urls, stdout=subprocess.PIPE, text=True)
        if loop.child.stdout.readline() != "decoding\n":
            raise Problem("bare_loop does not decode")
        if self.rate > 0:
            load = compile_engine("bare_load")
            side = str(MODEL_SIDE)
            load = self.run(load, default_model(has_vnni()), side, side, f"{self.rate:.3f}",
                            stdout=subprocess.PIPE, text=True, env={**os.environ, "PG_CCTV_ORT": ORT})
            if load.child.stdout.readline() != "running\n":
                raise Problem("bare_load does not run; run scripts/setup")


class Ffmpeg(Rival):
    name = "ffmpeg"
    does = "decodes"

    def start(self):
        for url in self.urls:
            command = ["ffmpeg", "-nostdin", "-nostats", "-loglevel", "error", "-rtsp_transport", "tcp"]
            self.run(*command, "-threads", "1", "-i", url, "-f", "null", "-")


class Motion(Rival):
    name = "Motion"
    does = "decodes; motion detection"

    @staticmethod
    def missing():
        return "" if shutil.which("motion") else "the package motion is not installed"

    def start(self):
        directory = self.directory.name
        main = os.path.join(directory, "motion.conf")
        cameras = []
        for number, url in enumerate(self.urls):
            path = os.path.join(directory, f"camera{number}.conf")
            cameras.append(path)
            with open(path, "w") as file:
                file.write(f"camera_id {number + 1}\nnetcam_url {url}\nnetcam_use_tcp on\n"
                           "width 1280\nheight 720\nframerate 15\n")
        with open(main, "w") as file:
            file.write(f"daemon off\nsetup_mode off\nlog_level 4\ntarget_dir {directory}\npicture_output off\n"
                       "movie_output off\nstream_port 0\nwebcontrol_port 0\n")
            file.writelines(f"camera {path}\n" for path in cameras)
        self.run("motion", "-n", "-c", main, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class OpenCV(Rival):
    name = "Python with OpenCV"
    does = "decodes; runs the model on every frame"

    @staticmethod
    def missing():
        found = subprocess.run(["/usr/bin/python3", "-c", "import cv2"], stderr=subprocess.DEVNULL)
        return "" if found.returncode == 0 else "the package python3-opencv is not installed"

    def start(self):
        program = os.path.join(ROOT, "bench/rivals/opencv_pipeline.py")
        self.run("/usr/bin/python3", program, default_model(int8=False), str(MODEL_SIDE), *self.urls,
                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def ready(self):
        if self.processes[0].child.stdout.readline() != "running\n":
            raise Problem("the OpenCV pipeline does not run")

    def shortfall(self):
        words = self.processes[0].child.stdout.read().split()
        if len(words) < 4:
            return ""
        return f"{float(words[0]) / float(words[3]) / len(self.urls):.1f} of 15 frames/s"


class ZoneMinder(Rival):
    """Capture and analysis (zmc, function Modect) in the chroot that rivals/zoneminder_setup makes."""

    name = "ZoneMinder"
    does = "decodes; motion detection; keeps events"

    @staticmethod
    def missing():
        if not os.path.exists(os.path.join(ZONEMINDER, "var/lib/zm-bench")):
            return "ZoneMinder is not set up; as root: bench/rivals/zoneminder_setup"
        return "" if os.getuid() == 0 else "chroot needs root"

    def query(self, sql, database="zm"):
        done = subprocess.run(["chroot", ZONEMINDER, "mariadb", "-N", database], input=sql, capture_output=True, text=True)
        if done.returncode != 0:
            raise Problem(f"ZoneMinder's database: {done.stderr.strip()}")
        return done.stdout.strip()

    def start(self):
        # Its database is not counted: nor is the server's when the engine is measured alone.
        self.database = Process("chroot", ZONEMINDER, "mariadbd", "--user=mysql", "--datadir=/var/lib/zm-bench",
                                "--socket=/run/mysqld/mysqld.sock", "--skip-networking",
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self.answers, 60, "the start of ZoneMinder's database")
        with open(os.path.join(ZONEMINDER, "usr/share/zoneminder/db/zm_create.sql")) as file:
            self.query("drop database if exists zm;\n" + file.read(), "mysql")
        self.query("create or replace user zmuser@localhost identified by 'zmpass'; grant all on zm.* to zmuser@localhost")
        for number, url in enumerate(self.urls, 1):
            self.query(
                "insert into Monitors (Id, Name, Type, `Function`, Enabled, Path, Method, Width, Height, Colours, SaveJPEGs,"
                " VideoWriter, ImageBufferCount, MaxImageBufferCount, PreEventCount, PostEventCount, AlarmFrameCount)"
                f" values ({number}, 'camera{number}', 'Ffmpeg', 'Modect', 1, '{url}', 'rtpRtsp', 1280, 720, 4, 0, 2, 20, 100, 5, 5, 1);"
                " insert into Zones (MonitorId, Name, Type, Units, NumCoords, Coords, Area, AlarmRGB, CheckMethod,"
                " MinPixelThreshold, MinAlarmPixels, FilterX, FilterY, MinFilterPixels)"
                f" values ({number}, 'All', 'Active', 'Percent', 4, '0,0 100,0 100,100 0,100', 10000, 255, 'Blobs', 25, 1, 3, 3, 1)"
            )
            self.run("chroot", ZONEMINDER, "/usr/bin/zmc", "-m", str(number), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def answers(self):
        return subprocess.run(["chroot", ZONEMINDER, "mariadb-admin", "ping"], capture_output=True).returncode == 0

    def ready(self):
        wait_until(
            lambda: int(self.query("select count(*) from Monitor_Status where CaptureFPS > 5")) == len(self.urls),
            60,
            "ZoneMinder's capture of every stream",
        )

    def __exit__(self, *_):
        super().__exit__()
        if hasattr(self, "database"):
            self.database.stop()
        for path in glob.glob(os.path.join(ZONEMINDER, "var/cache/zoneminder/events/*")):
            shutil.rmtree(path, ignore_errors=True)


def available(kinds):
    """Those that are installed; says what is missing of the others."""
    there = []
    for kind in kinds:
        reason = kind.missing() if hasattr(kind, "missing") else ""
        if reason:
            print(f"note: {kind.name} is left out: {reason}", file=sys.stderr)
        else:
            there.append(kind)
    return there


def cost(rival, warm_up, seconds):
    """Cores it takes, bytes it holds, and what it did not manage."""
    with rival:
        rival.ready()
        time.sleep(warm_up)
        if not rival.alive():
            raise Problem(f"{rival.name} has ended")
        begin, before = time.monotonic(), rival.cpu_seconds()
        time.sleep(seconds)
        if not rival.alive():
            raise Problem(f"{rival.name} has ended")
        cores = (rival.cpu_seconds() - before) / (time.monotonic() - begin)
        size = rival.rss()
    return {"cores": cores, "rss": size, "shortfall": rival.shortfall()}
