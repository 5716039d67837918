"""Test images for a detector: raw RGB, SIZE x SIZE pixels.

Drawn ones have the same bytes everywhere.  Frames of vtest.avi are scaled into
the top left corner, the rest grey, as the engine does it.
"""

import subprocess

import numpy as np

GREY = 127
FRAMES = (60, 400, 720)
NAMES = ("grey", "noise", "street", *(f"frame{number}" for number in FRAMES))


class Canvas:
    """Flat shapes on a square; coordinates are fractions of its side."""

    def __init__(self, size, colour):
        self.pixels = np.empty((size, size, 3), np.uint8)
        self.pixels[:] = colour
        self.y, self.x = np.mgrid[0:size, 0:size] / size

    def ellipse(self, x, y, rx, ry, colour):
        self.pixels[((self.x - x) / rx) ** 2 + ((self.y - y) / ry) ** 2 <= 1] = colour

    def rectangle(self, left, top, right, bottom, colour):
        self.trapezium(left, right, left, right, top, bottom, colour)

    def trapezium(self, top_left, top_right, left, right, top, bottom, colour):
        down = (self.y - top) / (bottom - top)
        inside = (self.x >= top_left + down * (left - top_left)) & (self.x < top_right + down * (right - top_right))
        self.pixels[inside & (down >= 0) & (down < 1)] = colour

    def person(self, x, y, height, shirt, trousers):
        """Standing, seen from the front; x is the middle, y the top of the head."""
        h = height
        self.ellipse(x, y + 0.08 * h, 0.055 * h, 0.075 * h, (205, 160, 130))
        self.ellipse(x, y + 0.05 * h, 0.06 * h, 0.05 * h, (60, 40, 30))
        self.rectangle(x - 0.16 * h, y + 0.16 * h, x + 0.16 * h, y + 0.5 * h, shirt)
        for side in (-1, 1):
            middle = x + side * 0.055 * h
            self.rectangle(middle - 0.045 * h, y + 0.5 * h, middle + 0.045 * h, y + 0.97 * h, trousers)
            self.rectangle(middle - 0.055 * h, y + 0.95 * h, middle + 0.055 * h, y + h, (30, 30, 30))

    def car(self, x, y, width, colour):
        """Seen from the side; x is its left, y its roof."""
        w = width
        glass, tyre, rim = (40, 50, 60), (20, 20, 20), (160, 160, 160)
        self.trapezium(x + 0.2 * w, x + 0.7 * w, x + 0.1 * w, x + 0.85 * w, y, y + 0.16 * w, colour)
        self.trapezium(x + 0.25 * w, x + 0.45 * w, x + 0.18 * w, x + 0.45 * w, y + 0.03 * w, y + 0.14 * w, glass)
        self.trapezium(x + 0.48 * w, x + 0.68 * w, x + 0.48 * w, x + 0.78 * w, y + 0.03 * w, y + 0.14 * w, glass)
        self.rectangle(x, y + 0.15 * w, x + w, y + 0.34 * w, colour)
        for wheel in (x + 0.2 * w, x + 0.8 * w):
            self.ellipse(wheel, y + 0.34 * w, 0.09 * w, 0.09 * w, tyre)
            self.ellipse(wheel, y + 0.34 * w, 0.05 * w, 0.05 * w, rim)
        self.rectangle(x, y + 0.19 * w, x + 0.05 * w, y + 0.23 * w, (250, 240, 200))
        self.rectangle(x + 0.95 * w, y + 0.19 * w, x + w, y + 0.23 * w, (200, 30, 30))

    def photographed(self):
        """Blurred, lit from the left and grainy: else no detector takes it for real."""
        image = self.pixels.astype(np.float64)
        for axis in (0, 1):
            image = sum(np.roll(image, shift, axis) for shift in range(-3, 4)) / 7
        image *= (1.25 - 0.5 * self.x)[..., None]
        grain = np.random.RandomState(1).randint(-18, 19, image.shape)
        return np.clip(image + grain, 0, 255).astype(np.uint8)


def street(size):
    canvas = Canvas(size, (150, 170, 200))
    canvas.rectangle(0, 0.55, 1, 1, (110, 110, 110))
    canvas.person(0.2, 0.3, 0.6, (180, 30, 40), (40, 50, 110))
    canvas.person(0.38, 0.42, 0.4, (40, 120, 60), (70, 70, 70))
    canvas.car(0.52, 0.55, 0.42, (30, 60, 160))
    return canvas.photographed()


def frame(number, size, video):
    scale = f"scale={size}:{size * 576 // 768}:flags=bicubic+accurate_rnd+bitexact"
    command = ["ffmpeg", "-nostdin", "-v", "error", "-i", video, "-frames:v", "1"]
    command += ["-vf", f"select=eq(n\\,{number}),{scale},format=rgb24", "-f", "rawvideo", "-"]
    pixels = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    image = np.full((size, size, 3), GREY, np.uint8)
    picture = np.frombuffer(pixels, np.uint8).reshape(-1, size, 3)
    image[: len(picture)] = picture
    return image


def make(name, size, video):
    """The image of one of NAMES, as bytes."""
    if name == "grey":
        return bytes([GREY]) * (3 * size * size)
    if name == "noise":
        return np.random.RandomState(2).randint(0, 256, (size, size, 3)).astype(np.uint8).tobytes()
    if name == "street":
        return street(size).tobytes()
    return frame(int(name.removeprefix("frame")), size, video).tobytes()
