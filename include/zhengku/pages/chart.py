"""A rate over the days as an SVG picture, made here because the pages load nothing from elsewhere."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from math import floor

from markupsafe import Markup

WIDTH, HEIGHT = 440, 160
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 12, 26
_FLOOR = HEIGHT - _BOTTOM
_DAY_LABELS = 7


@dataclass(frozen=True)
class Point:
    """The rate of a day; a day without a denominator has none and leaves a gap."""

    day: date
    numerator: int
    denominator: int
    shown: str

    @property
    def percent(self) -> float | None:
        """The height of the point."""
        return 100 * self.numerator / self.denominator if self.denominator else None


@dataclass(frozen=True)
class _Plane:
    """The scales of the picture: positions (from 0) from left to right, per cent from `lowest` at the bottom to 100."""

    step: float
    lowest: float

    def x(self, position: int) -> float:
        return _LEFT + self.step * position

    def y(self, percent: float) -> float:
        return _TOP + (_FLOOR - _TOP) * (100 - percent) / (100 - self.lowest)


def trend(name: str, points: Sequence[Point]) -> Markup:
    """Draw one rate, a point for each day, over bars that show the denominators."""
    heights = [point.percent for point in points if point.percent is not None]
    if not heights:
        return Markup("")
    plane = _Plane((WIDTH - _LEFT - _RIGHT) / max(len(points) - 1, 1), _lowest(min(heights)))
    opening = Markup('<svg class="trend" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(
        WIDTH, HEIGHT, f"{name}，{points[0].day:%m-%d} 至 {points[-1].day:%m-%d}"
    )
    parts = (_grid(plane), _bars(plane, points), _days(plane, points), _lines(plane, points), _dots(plane, points))
    return Markup("").join((opening, *(piece for part in parts for piece in part), Markup("</svg>")))


def _grid(plane: _Plane) -> Iterator[Markup]:
    for percent in (plane.lowest, (plane.lowest + 100) / 2, 100):
        y = plane.y(percent)
        yield (
            Markup(
                '<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/><text class="scale" x="{}" y="{:.1f}">'
            ).format(_LEFT, WIDTH - _RIGHT, y, y, _LEFT - 7, y + 4)
            + f"{percent:g}%"
            + Markup("</text>")
        )


def _bars(plane: _Plane, points: Sequence[Point]) -> Iterator[Markup]:
    largest = max(point.denominator for point in points)
    width = max(min(plane.step * 0.55, 18), 1.5)
    for position, point in enumerate(points):
        if point.denominator:
            high = max((_FLOOR - _TOP) * 0.35 * point.denominator / largest, 1)
            yield Markup('<rect class="bar" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
                plane.x(position) - width / 2, _FLOOR - high, width, high
            )


def _days(plane: _Plane, points: Sequence[Point]) -> Iterator[Markup]:
    every = max(1, -(-len(points) // _DAY_LABELS))
    for position, point in enumerate(points):
        if position % every == 0:
            yield Markup('<text class="day" x="{:.1f}" y="{}">{}</text>').format(
                plane.x(position), HEIGHT - 8, f"{point.day:%m-%d}"
            )


def _lines(plane: _Plane, points: Sequence[Point]) -> Iterator[Markup]:
    for run in _runs(points):
        if len(run) > 1:
            corners = " ".join(f"{plane.x(position):.1f},{plane.y(percent):.1f}" for position, percent in run)
            yield Markup('<polyline class="line" points="{}"/>').format(corners)


def _dots(plane: _Plane, points: Sequence[Point]) -> Iterator[Markup]:
    for position, point in enumerate(points):
        if point.percent is not None:
            yield Markup('<circle class="dot" cx="{:.1f}" cy="{:.1f}" r="{}"><title>{}</title></circle>').format(
                plane.x(position),
                plane.y(point.percent),
                2.6 if plane.step > 8 else 1.8,
                f"{point.day:%Y-%m-%d}　{point.shown}（{point.numerator:,}/{point.denominator:,}）",
            )


def _lowest(percent: float) -> float:
    """Return where the scale starts, so that a rate near 100 does not look like a straight line."""
    for start in (99, 98, 95, 90, 80):
        if percent >= start:
            return start
    return max(floor(percent / 20) * 20, 0)


def _runs(points: Sequence[Point]) -> list[list[tuple[int, float]]]:
    """Return the points by spans without a gap."""
    runs: list[list[tuple[int, float]]] = [[]]
    for position, point in enumerate(points):
        if point.percent is not None:
            runs[-1].append((position, point.percent))
        elif runs[-1]:
            runs.append([])
    return runs
