#!/usr/bin/python3
"""The pipeline that people write: OpenCV reads each stream, and each frame goes
through a network.  What bench/scale holds the engine against.

    bench/rivals/opencv_pipeline.py MODEL SIDE URL...

A thread for each stream, everything else as OpenCV has it.  Prints "running"
once each has seen a frame through, and after SIGTERM how many frames it has
analysed since, and for how many seconds.
"""

import os
import signal
import sys
import threading
import time

os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = "rtsp_transport;tcp"
import cv2  # noqa: E402

CONFIDENCE = 0.5


class Watcher(threading.Thread):
    def __init__(self, model, side, url):
        super().__init__(daemon=True)
        self.net = cv2.dnn.readNetFromONNX(model)
        self.names = self.net.getUnconnectedOutLayersNames()
        self.side = side
        self.url = url
        self.frames = 0
        self.persons = 0
        self.started = threading.Event()

    def run(self):
        capture = cv2.VideoCapture(self.url, cv2.CAP_FFMPEG)
        while True:
            good, frame = capture.read()
            if not good:
                print(f"lost {self.url}", file=sys.stderr)
                return
            size = (self.side, self.side)
            self.net.setInput(cv2.dnn.blobFromImage(frame, 1 / 127.5, size, (127.5, 127.5, 127.5), swapRB=True))
            scores = max(self.net.forward(self.names), key=lambda output: output.shape[-1])
            # The first class is person.
            self.persons += int((scores.reshape(-1, scores.shape[-1])[:, 0] > CONFIDENCE).any())
            self.frames += 1
            self.started.set()


def main():
    model, side, *urls = sys.argv[1:]
    watchers = [Watcher(model, int(side), url) for url in urls]
    for watcher in watchers:
        watcher.start()
    for watcher in watchers:
        watcher.started.wait()
    print("running", flush=True)
    begin, before = time.monotonic(), sum(watcher.frames for watcher in watchers)
    signal.sigwait([signal.SIGTERM])
    frames = sum(watcher.frames for watcher in watchers) - before
    persons = sum(watcher.persons for watcher in watchers)
    print(f"{frames} frames in {time.monotonic() - begin:.2f} s, {persons} with persons", flush=True)
    os._exit(0)


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    main()
