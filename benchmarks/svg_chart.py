"""A line chart as SVG, written by hand: both axes logarithmic, legible on light and dark pages."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 900, 460
LEFT, RIGHT, TOP, BOTTOM = 110, 300, 56, 60
COLOURS = ("#0b6e4f", "#4ea1ff", "#d1495b", "#edae49", "#7d5ba6", "#8a8d91", "#c06c3a", "#2a9d8f")
Points = Sequence[tuple[float, float]]


def line_chart(
    title: str,
    x_axis: str,
    y_axis: str,
    lines: Mapping[str, Points],
    x_names: Mapping[int, str] | None = None,
) -> str:
    """The chart.

    Args:
        title: Above it.
        x_axis: What is counted to the right.
        y_axis: What is counted upwards.
        lines: Points, all above zero, by name.
        x_names: What stands below the chart at a power of ten, by its exponent, instead of the number.
    """
    xs = [x for points in lines.values() for x, _ in points]
    ys = [y for points in lines.values() for _, y in points]
    left, right = math.floor(math.log10(min(xs))), math.ceil(math.log10(max(xs)))
    low, high = math.floor(math.log10(min(ys))), math.ceil(math.log10(max(ys)))
    wide, tall = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def place(x: float, y: float) -> tuple[float, float]:
        across = (math.log10(x) - left) / max(1, right - left)
        up = (math.log10(y) - low) / max(1, high - low)
        return LEFT + across * wide, TOP + tall - up * tall

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}" font-family="system-ui, sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="28" font-size="16" font-weight="600" fill="#1b1f24">{escape(title)}</text>',
    ]
    for power in range(left, right + 1):
        x, _ = place(10**power, 10**low)
        parts.append(f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{TOP + tall}" stroke="#e3e6ea"/>')
        parts.append(_text(x, TOP + tall + 20, (x_names or {}).get(power) or _short(10**power), "middle"))
    for power in range(low, high + 1):
        _, y = place(10**left, 10**power)
        parts.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{LEFT + wide}" y2="{y:.1f}" stroke="#e3e6ea"/>')
        parts.append(_text(LEFT - 8, y + 4, _short(10**power), "end"))
    parts.append(_text(LEFT + wide / 2, HEIGHT - 16, x_axis, "middle"))
    parts.append(
        f'<text transform="translate(20 {TOP + tall / 2:.0f}) rotate(-90)" text-anchor="middle" '
        f'fill="#3d444d">{escape(y_axis)}</text>'
    )
    # Labels stand at the ends of their lines, pushed apart where those are close.
    ends = sorted((place(*points[-1])[1], name) for name, points in lines.items())
    labels: dict[str, float] = {}
    lowest = TOP - 20.0
    for y, name in ends:
        lowest = max(y + 4, lowest + 18)
        labels[name] = lowest
    for number, (name, points) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        placed = [place(x, y) for x, y in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in placed]
        x, y = placed[-1]
        parts.append(
            f'<line x1="{x + 5:.1f}" y1="{y:.1f}" x2="{LEFT + wide + 18}" y2="{labels[name] - 4:.1f}" '
            f'stroke="{colour}" stroke-opacity="0.5"/>'
        )
        parts.append(
            f'<text x="{LEFT + wide + 22}" y="{labels[name]:.1f}" fill="{colour}" font-weight="600">{escape(name)}</text>'
        )
    return "\n".join([*parts, "</svg>", ""])


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="#3d444d">{escape(text)}</text>'


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"
