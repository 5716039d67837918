"""Streams of cameras on which little happens, with events of known times and sizes.

The background and the people are those of the test video (vtest.avi): the
background is the median of its frames, the people are cut out of it where it
differs from that.  What a scene adds is made: noise, clouds, leaves, rain.
"""

import json
import os
import subprocess

import numpy as np

from measure import ENGINE, MEDIA, ROOT, Problem

RATE = 15  # frames a second, unless told otherwise
LEARN = 20  # seconds at the beginning without an event
GAP = 12  # seconds between two events

# Height in parts of the frame's, seconds, contrast: 1 is as it was filmed.
EVENTS = [
    (0.30, 7, 1.0),
    (0.05, 6, 1.0),
    (0.10, 1.5, 1.0),
    (0.08, 3, 1.0),
    (0.15, 1.2, 1.0),
    (0.05, 1.5, 1.0),
    (0.20, 2, 1.0),
    (0.05, 3, 1.0),
    (0.03, 6, 1.0),
    (0.10, 6, 0.35),
    (0.06, 2, 1.0),
    (0.05, 6, 0.35),
    (0.15, 3, 1.0),
]


def must_be_found(event):
    """Of 5 % of the height or more, 1.5 s or longer, at ordinary contrast."""
    height, seconds, contrast = event["height"], event["seconds"], event["contrast"]
    return height >= 0.05 and seconds >= 1.5 and contrast >= 1


def read_raw(path, width, height, rate):
    """Frames of a video as luma and two chroma planes."""
    command = ["ffmpeg", "-v", "error", "-i", path, "-vf", f"fps={rate},scale={width}:{height}"]
    done = subprocess.run([*command, "-f", "rawvideo", "-pix_fmt", "yuv420p", "-"], stdout=subprocess.PIPE, check=True)
    frames = np.frombuffer(done.stdout, np.uint8).reshape(-1, height * 3 // 2, width)
    return frames


def planes(frame):
    """Views of the planes of a yuv420p picture."""
    height, width = frame.shape[0] * 2 // 3, frame.shape[1]
    half = frame[height:].reshape(2, height // 2, width // 2)
    return frame[:height], half[0], half[1]


def find_walker(directory):
    """A person who walks by himself: [(luma, u, v, alpha)] of a few seconds, from the test video."""
    width, height = 768, 576
    video = os.path.join(MEDIA, "vtest.avi")
    if not os.path.exists(video):
        raise Problem(f"{video} is missing; run scripts/setup")
    frames = read_raw(video, width, height, 10)
    median = np.median(frames[::8], axis=0).astype(np.uint8)
    config = {"models": None, "cameras": [{"url": video, "realtime": False, "detect_fps": 10, "snapshots": False}]}
    del config["models"]
    path = os.path.join(directory, "walker.json")
    with open(path, "w") as file:
        json.dump(config, file)
    command = [ENGINE, "--config", path, "--models-dir", os.path.join(ROOT, "models")]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    tracks, begin = {}, None
    for line in map(json.loads, done.stdout.splitlines()):
        if line["type"] == "state" and begin is None:
            begin = np.datetime64(line["at"][:-1])
        if line["type"] != "objects":
            continue
        number = round((np.datetime64(line["at"][:-1]) - begin) / np.timedelta64(100, "ms"))
        boxes = [thing["box"] for thing in line["objects"]]
        for i, thing in enumerate(line["objects"]):
            x, y, w, h = thing["box"]
            alone = all(
                j == i or a > x + w * 1.3 or a + c < x - w * 0.3 or b > y + h or b + d < y
                for j, (a, b, c, d) in enumerate(boxes)
            )
            inside = x > 0.02 and x + w < 0.98 and y + h < 0.97 and 0.12 < h < 0.3
            if alone and inside and not thing["stationary"] and number < len(frames):
                tracks.setdefault(thing["track"], []).append((number, thing["box"]))
    if not tracks:
        raise Problem("nobody is found in the test video; run models/fetch")
    sprites = []
    for number, (x, y, w, h) in max(tracks.values(), key=len)[:40]:
        left, top = int((x - 0.1 * w) * width) // 2 * 2, int((y - 0.03 * h) * height) // 2 * 2
        right, bottom = int((x + 1.1 * w) * width) // 2 * 2, int((y + 1.03 * h) * height) // 2 * 2
        left, top = max(left, 0), max(top, 0)
        luma, u, v = planes(frames[number])
        empty = planes(median)[0]
        box = (slice(top, bottom), slice(left, right))
        half = (slice(top // 2, bottom // 2), slice(left // 2, right // 2))
        off = np.abs(luma[box].astype(int) - empty[box])
        off = sum(np.roll(off, (dy, dx), (0, 1)) for dy in (-1, 0, 1) for dx in (-1, 0, 1)) / 9
        alpha = np.clip((off - 8) / 12, 0, 1)
        sprites.append((luma[box], u[half], v[half], alpha))
    return sprites, median


def resize(plane, height, width):
    """The plane in another size, each pixel the mean of what it covers."""
    rows = np.linspace(0, plane.shape[0], height * 3 + 1)[:-1].astype(int)
    columns = np.linspace(0, plane.shape[1], width * 3 + 1)[:-1].astype(int)
    fine = plane[rows][:, columns].astype(np.float32)
    return fine.reshape(height, 3, width, 3).mean((1, 3))


class Scene:
    """A view whose frames are made one by one; the same name gives the same frames."""

    KINDS = ("indoor", "day", "night", "foliage", "rain")

    def __init__(self, kind, height, walker, seed=1):
        sprites, view = walker
        self.kind, self.height, self.width = kind, height, height * 16 // 9
        self.random = np.random.default_rng([seed, self.KINDS.index(kind)])
        # The middle of the view, 16:9, enlarged by the encoder's own scaler.
        self.view = self.enlarge(view).astype(np.float32)
        self.sprites = sprites
        self.cache = {}
        luma = self.view[: self.height]
        if kind == "night":
            luma *= 0.35
            self.view[self.height :] = 128 + (self.view[self.height :] - 128) * 0.2
        elif kind == "indoor":
            luma *= 0.9
        sigma = {"indoor": 2, "day": 1.5, "night": 5, "foliage": 1.5, "rain": 2.5}[kind]
        # Noise is as coarse as a sensor's through a lens and a scaler; drawn once, rolled each frame.
        self.noise = self.random.normal(0, sigma, (8, self.height, self.width)).astype(np.float32)
        self.leaf = self.random.uniform(0, 2 * np.pi, (self.height // 24 + 1, self.width // 24 + 1))
        self.leaf_rate = self.random.uniform(1.5, 6, self.leaf.shape)

    def enlarge(self, view):
        command = ["ffmpeg", "-v", "error", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", "768x576", "-i", "-"]
        command += ["-vf", f"crop=768:432:0:100,scale={self.width}:{self.height}:flags=bicubic"]
        done = subprocess.run(
            [*command, "-f", "rawvideo", "-"], input=view.tobytes(), stdout=subprocess.PIPE, check=True
        )
        return np.frombuffer(done.stdout, np.uint8).reshape(self.height * 3 // 2, self.width)

    def walker(self, number, height):
        """A picture of the person in this height of pixels, with its alpha."""
        key = (number % len(self.sprites), height)
        if key not in self.cache:
            luma, u, v, alpha = self.sprites[key[0]]
            width = max(2, round(height * luma.shape[1] / luma.shape[0] / 2) * 2)
            half = (height // 2, width // 2)
            small = resize(alpha, *half)
            self.cache[key] = (
                resize(luma, height, width),
                resize(alpha, height, width),
                (resize(u, *half), resize(v, *half)),
                small,
            )
        return self.cache[key]

    def put(self, frame, event, t):
        """Let the person of the event walk."""
        height = max(4, round(event["height"] * self.height / 2) * 2)
        luma, alpha, chroma, small = self.walker(int((t - event["at"]) * 10), height)
        width = luma.shape[1]
        x = event["x"] * self.width + event["direction"] * 0.6 * height * (t - event["at"])
        left = int(np.clip(x, 0, self.width - width - 2)) // 2 * 2
        top = int(event["y"] * (self.height - height)) // 2 * 2
        box = (slice(top, top + height), slice(left, left + width))
        # Against another background: as much brighter or darker as where it was filmed.
        behind = frame[: self.height][box]
        mean = float(np.sum(behind * alpha) / max(np.sum(alpha), 1))
        level = luma if self.kind != "night" else luma * 0.5
        if event["contrast"] < 1:
            level = mean + (level - mean) * event["contrast"]
        behind += alpha * (level - behind)
        for plane, tint in zip(frame[self.height :].reshape(2, self.height // 2, self.width // 2), chroma):
            part = plane[top // 2 : (top + height) // 2, left // 2 : (left + width) // 2]
            part += small * event["contrast"] * (tint - part)

    def weather(self, luma, t):
        if self.kind == "day":
            # The sun comes and goes for all, and the edge of a cloud moves through.
            luma *= 1 + 0.08 * np.sin(t / 7) + 0.04 * np.sin(t / 2.3)
            edge = (t * 0.035) % 2.2 - 0.6
            slope = np.clip((np.linspace(0, 1, self.width, dtype=np.float32) - edge) * 4, 0, 1)
            luma *= 1 - 0.12 * slope
        elif self.kind == "foliage":
            # Twigs in the left third: each moves by some pixels, with gusts.
            gust = 0.4 + 0.6 * max(0, np.sin(t / 5)) ** 2
            third, step = self.width // 3, 24
            for row in range(0, self.height - step, step):
                for column in range(0, third - step, step):
                    phase = self.leaf[row // step, column // step] + t * self.leaf_rate[row // step, column // step]
                    shift = int(round(4 * gust * self.height / 720 * np.sin(phase)))
                    if shift:
                        part = luma[row : row + step, column : column + step + 8]
                        luma[row : row + step, column : column + step + 8] = np.roll(part, shift, 1)
        elif self.kind == "rain":
            scale = self.height // 360
            for _ in range(int(60 + 50 * max(0, np.sin(t / 30)))):
                x, y = int(self.random.integers(0, self.width - 2)), int(self.random.integers(0, self.height - 40))
                length = int(self.random.integers(8, 18)) * scale
                luma[y : y + length, x : x + scale] += 35

    def frame(self, t, number, events):
        """The bytes of the frame at t seconds."""
        picture = self.view.copy()
        luma = picture[: self.height]
        for event in events:
            if event["at"] <= t < event["at"] + event["seconds"]:
                self.put(picture, event, t)
        self.weather(luma, t)
        luma += np.roll(self.noise[number % 8], (number * 37 % self.height, number * 91 % self.width), (0, 1))
        return np.clip(picture + 0.5, 0, 255).astype(np.uint8).tobytes()


def plan_events(seconds, seed, rate):
    """Events at random times and places, the same for every stream of this length."""
    random = np.random.default_rng(seed)
    events, at, n = [], LEARN, 0
    while True:
        height, length, contrast = EVENTS[n % len(EVENTS)]
        at += random.uniform(0, 2)
        if at + length > seconds - 8:
            return events
        events.append(
            {
                "at": round(at * rate) / rate,
                "seconds": length,
                "height": height,
                "contrast": contrast,
                "x": float(random.uniform(0.4, 0.85)),
                "y": float(random.uniform(0.35, 0.95)),
                "direction": int(random.choice((-1, 1))),
            }
        )
        at += length + GAP
        n += 1


def encoder(path, codec, control, gop, height, fps):
    """As a camera encodes: no frame is looked at ahead, and a keyframe is hardly finer than the rest."""
    rate = 1.5 * (height / 720) ** 2
    quality = ["-crf", "24"] if control == "crf" else ["-b:v", f"{rate}M", "-maxrate", f"{rate}M", "-bufsize", f"{rate}M"]
    frames = int(gop * fps)
    command = ["-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency"]
    command += ["-x264-params", "sliced-threads=0:ipratio=1.2:scenecut=0"]
    if codec == "hevc":
        command = ["-c:v", "libx265", "-preset", "ultrafast", "-tune", "zerolatency"]
        command += ["-x265-params", "log-level=error:scenecut=0:open-gop=0"]
    return [*command, *quality, "-g", str(frames), "-keyint_min", str(frames), "-threads", "1", path]


def make(kind, height, seconds, with_events, encodings, walker, directory, rate=RATE):
    """Make one scene in several encodings: {name: path}; and its events.  What is there already is kept."""
    events = plan_events(seconds, 5, rate) if with_events else []
    what = "events" if with_events else "idle"
    if rate != RATE:
        what += f"-{rate}fps"
    paths = {
        name: os.path.join(directory, f"{kind}-{height}-{name}-{what}-{seconds}.mp4") for name in encodings
    }
    missing = [name for name in paths if not os.path.exists(paths[name])]
    if missing:
        scene = Scene(kind, height, walker)
        size = f"{scene.width}x{scene.height}"
        command = ["ffmpeg", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", size, "-r", str(rate), "-i", "-"]
        for name in missing:
            command += ["-map", "0:v", *encoder(paths[name] + ".part.mp4", *encodings[name], height, rate)]
        with subprocess.Popen(command, stdin=subprocess.PIPE) as child:
            for number in range(seconds * rate):
                child.stdin.write(scene.frame(number / rate, number, events))
            child.stdin.close()
        if child.returncode != 0:
            raise Problem("ffmpeg does not encode the scene")
        for name in missing:
            os.rename(paths[name] + ".part.mp4", paths[name])
    return paths, events
