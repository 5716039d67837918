"""What the benchmarks share: processes and their cost, cameras, tables, results."""

import json
import math
import os
import platform
import signal
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ENGINE = os.path.join(ROOT, "build/pg_cctv_engine")
MEDIA = os.path.join(ROOT, "build/media")
RESULTS = os.path.join(ROOT, "build/bench")


class Problem(Exception):
    """A benchmark cannot run; the text says why and what mends it."""


def cpu_seconds_of(pid):
    """Its clock, as clock_getcpuclockid() names it."""
    return time.clock_gettime((~pid << 3) | 2)


def pss(pid):
    """Resident bytes, of what is shared its part."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        for line in file:
            if line.startswith("Pss:"):
                return 1024 * int(line.split()[1])
    return 0


class Process:
    """A child process that ends with the block it is used in."""

    def __init__(self, *command, **options):
        self.child = subprocess.Popen(command, **{"stdin": subprocess.DEVNULL, **options})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(10)
            except subprocess.TimeoutExpired:
                self.child.kill()
        self.child.wait()

    def alive(self):
        return self.child.poll() is None

    def cpu_seconds(self):
        """Processor time of all its threads, ended ones too, to the nanosecond."""
        return cpu_seconds_of(self.child.pid)

    def rss(self):
        """Resident bytes."""
        with open(f"/proc/{self.child.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Cameras(Process):
    """An RTSP server; mounts are {name: file of build/media, with options}."""

    def __init__(self, mounts, options=()):
        command = ["/usr/bin/python3", os.path.join(ROOT, "test/media/rtsp_camera.py"), *options]
        for name, file in mounts.items():
            path = os.path.join(MEDIA, file)
            if not os.path.exists(path.split(",")[0]):
                raise Problem(f"{path} is missing; run scripts/setup")
            command += ["--mount", f"/{name}={path}"]
        super().__init__(*command, stdout=subprocess.PIPE, text=True)
        line = self.child.stdout.readline()
        if not line.startswith("listening on "):
            raise Problem("the RTSP server does not start; run scripts/setup")
        self.url = line.split()[-1]
        self.port = int(self.url.rsplit(":", 1)[1])
        self.urls = [f"{self.url}/{name}" for name in mounts]


def wait_until(condition, seconds, what):
    """The condition's value once it is true."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Problem(f"{what} did not happen within {seconds} s")
        time.sleep(0.05)


def compile_c(name, *packages):
    """bench/NAME.c as build/bench/NAME, optimised; returns its path."""
    os.makedirs(RESULTS, exist_ok=True)
    source = os.path.join(ROOT, "bench", f"{name}.c")
    target = os.path.join(RESULTS, name)
    flags = subprocess.run(
        ["pkg-config", "--cflags", "--libs", *packages], check=True, stdout=subprocess.PIPE, text=True
    ).stdout.split()
    subprocess.run(
        ["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", target, source, *flags, "-lpthread"], check=True
    )
    return target


def compile_engine(name):
    """bench/NAME.c with the engine's own objects, as build/bench/NAME; returns its path."""
    os.makedirs(RESULTS, exist_ok=True)
    target = os.path.join("build/bench", name)
    done = subprocess.run(
        ["make", "-s", target], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode != 0:
        raise Problem(f"make {target} failed: {done.stdout.strip().splitlines()[-1:]}")
    return os.path.join(ROOT, target)


def host():
    """What the numbers depend on; says so when the machine is busy."""
    load = os.getloadavg()[0]
    if load > 0.5:
        print(f"note: the machine is busy (load {load:.1f}); these numbers are not for the record", flush=True)
    with open("/proc/cpuinfo") as file:
        models = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
    return {
        "processor": models[0] if models else platform.machine(),
        "processors": os.cpu_count(),
        "kernel": platform.release(),
        "load_before": load,
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def spread(values):
    """Median, least and greatest."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def figure(name, unit, ours, baseline=None, baseline_name=""):
    """A line of the table of bench/run; ours is a value, or one of each run.

    The ratio is ours to the baseline.
    """
    values = ours if isinstance(ours, (list, tuple)) else [ours]
    median = statistics.median(values)
    return {
        "figure": name,
        "unit": unit,
        "ours": median,
        "min": min(values),
        "max": max(values),
        "runs": len(values),
        "baseline": baseline,
        "baseline_name": baseline_name,
        "ratio": median / baseline if baseline else None,
    }


def percentile(values, fraction):
    """The smallest value that at least this fraction do not exceed."""
    return sorted(values)[math.ceil(len(values) * fraction - 1e-9) - 1]


def table(title, columns, rows):
    """Print rows of text under columns; the first is left-aligned."""
    widths = [max(len(row[i]) for row in [columns, *rows]) for i in range(len(columns))]
    print(f"\n{title}")
    for row in [columns, *rows]:
        cells = [row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        print("  " + "  ".join(cells))


def verdict(value, target, unit=""):
    """'1.05 (target at most 1.10: met)'"""
    met = "met" if value <= target else "missed"
    return f"{value:.2f}{unit} (target at most {target}{unit}: {met})"


def save(name, results):
    """Write build/bench/NAME.json."""
    os.makedirs(RESULTS, exist_ok=True)
    path = os.path.join(RESULTS, f"{name}.json")
    with open(path, "w") as file:
        json.dump({"name": name, **results}, file, indent=1)
        file.write("\n")
    print(f"\nwritten to {os.path.relpath(path)}")


def interrupt(*_):
    raise KeyboardInterrupt


def run(main):
    """Call main() as a program: a Problem is one line and status 1; ended, it stops what it has started."""
    signal.signal(signal.SIGTERM, interrupt)
    try:
        main()
    except Problem as problem:
        sys.exit(f"{os.path.basename(sys.argv[0])}: {problem}")
    except KeyboardInterrupt:
        sys.exit(130)
