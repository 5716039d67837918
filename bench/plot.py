"""A line chart as SVG, without any library."""

from xml.sax.saxutils import escape

WIDTH, HEIGHT = 760, 460
LEFT, RIGHT, TOP, BOTTOM = 64, 210, 48, 56
COLOURS = ["#1f6fb4", "#d1495b", "#2e8b57", "#e08e0b", "#7b4fa3", "#555555", "#17a2b8"]
DASHED = "6 4"


def nice_step(greatest, lines=6):
    """1, 2 or 5 times a power of ten."""
    step = 10.0
    while greatest / step > lines:
        step *= 10
    while True:
        for divisor in (1, 2, 4, 10):
            if greatest / (step / divisor) >= lines:
                return step / divisor
        step /= 10


def ticks(greatest):
    step = nice_step(greatest)
    return [i * step for i in range(int(greatest / step + 1e-9) + 1)]


def number(value):
    return f"{value:g}"


class Chart:
    def __init__(self, title, x_label, y_label, note=""):
        self.title, self.x_label, self.y_label, self.note = title, x_label, y_label, note
        self.lines = []

    def add(self, name, points, dashed=False):
        """points: (x, y) in order of x."""
        self.lines.append((name, sorted(points), dashed))

    def svg(self):
        greatest_x = max(x for _, points, _ in self.lines for x, _ in points)
        greatest_y = 1.05 * max(y for _, points, _ in self.lines for _, y in points)

        def at(x, y):
            return (
                LEFT + (WIDTH - LEFT - RIGHT) * x / greatest_x,
                HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * y / greatest_y,
            )

        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
            f'<text x="{LEFT}" y="24" font-size="15">{escape(self.title)}</text>',
            f'<text x="{LEFT}" y="40" fill="#555555">{escape(self.note)}</text>',
        ]
        for tick in ticks(greatest_y):
            _, y = at(0, tick)
            parts.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#dddddd"/>')
            parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{number(tick)}</text>')
        for tick in ticks(greatest_x):
            x, _ = at(tick, 0)
            parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{number(tick)}</text>')
        middle = (LEFT + WIDTH - RIGHT) / 2
        parts.append(f'<text x="{middle:.0f}" y="{HEIGHT - 14}" text-anchor="middle">{escape(self.x_label)}</text>')
        middle = (TOP + HEIGHT - BOTTOM) / 2
        parts.append(
            f'<text x="18" y="{middle:.0f}" text-anchor="middle" transform="rotate(-90 18 {middle:.0f})">{escape(self.y_label)}</text>'
        )
        for i, (name, points, dashed) in enumerate(self.lines):
            parts += self._line(i, name, [at(x, y) for x, y in points], dashed)
        return "\n".join([*parts, "</svg>", ""])

    def _line(self, i, name, points, dashed):
        colour = COLOURS[i % len(COLOURS)]
        dash = f' stroke-dasharray="{DASHED}"' if dashed else ""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        y = TOP + 14 + 20 * i
        yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>'
        for x, height in points:
            yield f'<circle cx="{x:.1f}" cy="{height:.1f}" r="3" fill="{colour}"/>'
        x = WIDTH - RIGHT + 14
        yield f'<line x1="{x}" y1="{y - 4}" x2="{x + 22}" y2="{y - 4}" stroke="{colour}" stroke-width="2"{dash}/>'
        yield f'<text x="{x + 28}" y="{y}">{escape(name)}</text>'

    def write(self, path):
        with open(path, "w") as file:
            file.write(self.svg())
