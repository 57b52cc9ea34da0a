"""The two pictures of docs/methods/coverage.md, drawn from benchmarks/coverage.csv as plain SVG that follows light and dark pages."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import escape

from coverage_study.page import column, places
from coverage_study.table import Row
from evaluation.proof.coverage import LEAST, MOST

IMAGES = Path(__file__).parents[2] / "docs" / "images"
STYLE = """
text { font-family: system-ui, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif; font-size: 12px; fill: #1c2733 }
.quiet { fill: #51606f } .title { font-weight: 600; font-size: 13px }
.line { stroke: #d5dbe1; fill: none } .band { fill: #dcebf7 } .paper { fill: #ffffff }
.default { fill: #b8460e; stroke: #b8460e } .placebo { fill: #ffffff; stroke: #1f5f99 }
.standardized_placebo { fill: #ffffff; stroke: #51606f }
.cluster { fill: #1c2733; stroke: #1c2733 }
.did { stroke: #1f5f99; fill: #1f5f99 } .synthetic_did { stroke: #b8460e; fill: #b8460e } .demeaned { stroke: #51606f; fill: #51606f }
.curve { fill: none; stroke-width: 2 } .synthetic_did.curve { stroke-dasharray: 7 3 } .demeaned.curve { stroke-dasharray: 2 3 }
@media (prefers-color-scheme: dark) {
text { fill: #e9edf2 } .quiet { fill: #a9b4c0 } .line { stroke: #3a444f } .band { fill: #17324a } .paper { fill: #0d1117 }
.default { fill: #ff9a5e; stroke: #ff9a5e } .placebo { fill: #0d1117; stroke: #b5d8f7 }
.standardized_placebo { fill: #0d1117; stroke: #a9b4c0 }
.cluster { fill: #e9edf2; stroke: #e9edf2 }
.did { stroke: #b5d8f7; fill: #b5d8f7 } .synthetic_did { stroke: #ff9a5e; fill: #ff9a5e } .demeaned { stroke: #a9b4c0; fill: #a9b4c0 }
.curve { fill: none }
}
"""

Rows = Mapping[tuple[str, ...], Row]

PANELS = {
    "did": "difference-in-differences",
    "synthetic_did": "synthetic DiD",
    "synthetic_control demeaned": "synthetic c., demeaned",
    "synthetic_control": "synthetic control",
}
SHOWN = {
    "cluster": "clustered",
    "placebo": "placebo",
    "standardized_placebo": "standardized",
    "default": "chosen by default",
}
FURTHEST = 15.0
"""Per cent at which the axis ends; what lies beyond is written there."""


def _text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    css = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{css}>{escape(words)}</text>'


def _mark(name: str, x: float, y: float) -> str:
    """Each inference has a shape of its own, so that colour is not needed to tell them apart."""
    if name == "standardized_placebo":
        return f'<path class="{name}" d="M{x:.1f} {y - 4.5:.1f}l4.5 8h-9z"/>'
    if name == "cluster":
        return f'<path class="{name}" d="M{x - 5:.1f} {y - 4:.1f}l7 4l-7 4z"/>'
    return f'<circle class="{name}" cx="{x:.1f}" cy="{y:.1f}" r="{4.5 if name == "default" else 3.8}"/>'


def _svg(name: str, width: int, height: int, title: str, told: str, parts: list[str]) -> str:
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img" '
            f'aria-labelledby="{name}-title {name}-desc">',
            f'<title id="{name}-title">{escape(title)}</title>',
            f'<desc id="{name}-desc">{escape(told)}</desc>',
            f"<style>{STYLE}</style>",
            f'<rect class="paper" width="{width}" height="{height}"/>',
            *parts,
            "</svg>",
            "",
        ]
    )


def sizes(rows: Rows, periods: int = 14) -> str:
    """Sizes by world (down), estimator (across) and inference (marks), with the band of 3 to 7 %."""
    left, step, gap, panel, top = 156, 22, 28, 166, 74
    columns = places()
    height = top + step * len(columns) + 44
    width = left + len(PANELS) * (panel + gap)
    parts: list[str] = []
    x = float(left)
    for name, label in SHOWN.items():
        parts += [_mark(name, x, 20), _text(x + 10, 24, label)]
        x += 30 + 6.4 * len(label)
    parts += [f'<rect class="band" x="{x:.1f}" y="12" width="20" height="16"/>', _text(x + 26, 24, "3 to 7 %")]
    for place, (world, size) in enumerate(columns):
        parts.append(_text(left - 10, top + step * (place + 0.5) + 4, column(world, size), anchor="end"))
    below = top + step * len(columns)
    for number, (estimator, label) in enumerate(PANELS.items()):
        start = left + number * (panel + gap)

        def at(percent: float, start: float = start) -> float:
            return start + panel * min(percent, FURTHEST) / FURTHEST

        parts.append(_text(start, top - 14, label, "title"))
        parts.append(
            f'<rect class="band" x="{at(100 * LEAST):.1f}" y="{top}" width="{at(100 * MOST) - at(100 * LEAST):.1f}" '
            f'height="{step * len(columns)}"/>'
        )
        for tick in (0, 5, 10, 15):
            parts.append(f'<path class="line" d="M{at(tick):.1f} {top}V{below}"/>')
            parts.append(_text(at(tick), below + 16, f"{tick}" + (" %" if tick == 15 else ""), "quiet", "middle"))
        for place, (world, size) in enumerate(columns):
            y = top + step * (place + 0.5)
            parts.append(f'<path class="line" d="M{start} {y:.1f}h{panel}"/>')
            beyond = []
            for name in SHOWN:
                row = rows.get((world, str(periods), "1", size, estimator, "none", name, "effect"))
                if row is None or row.size_05 is None:
                    continue
                percent = 100 * row.size_05
                if percent > FURTHEST:
                    beyond.append(f"{percent:.0f}")
                parts.append(_mark(name, at(percent), y))
            if beyond:
                parts.append(_text(start + panel - 8, y - 3, ", ".join(beyond), "quiet", "end"))
    parts.append(_text(left, below + 36, "share of tests at 5 % that reject although nothing happened", "quiet"))
    title = "How often a test at 5 % rejects where nothing happens"
    told = (
        f"One treated unit of 98, {periods} periods. Rows are worlds, panels estimators, marks inferences; the numbers are in the "
        "tables of the page."
    )
    return _svg("coverage-size", int(width), int(height), title, told, parts)


CURVES = {
    "did": "difference-in-differences",
    "synthetic_did": "synthetic DiD",
    "synthetic_control demeaned": "synthetic control, demeaned",
}
WORLDS = (("ar1", "any"), ("factors", "any"), ("cycle", "any"), ("sizes", "median"))


def power(rows: Rows) -> str:
    """Power by size of the effect, a panel for each of four worlds and both lengths of the panel of data."""
    left, panel, tall, gap, top = 54, 190, 130, 26, 74
    width, height = left + len(WORLDS) * (panel + gap), top + 2 * (tall + 66)
    parts: list[str] = []
    x = float(left)
    for name, label in CURVES.items():
        kind = name.split()[-1]
        parts += [f'<path class="{kind} curve" d="M{x:.1f} 20h18"/>', _text(x + 24, 24, label)]
        x += 44 + 6.6 * len(label)
    told: list[str] = []
    for line, periods in enumerate((14, 60)):
        upper = float(top + line * (tall + 66))
        for number, (world, size) in enumerate(WORLDS):
            start = left + number * (panel + gap)
            parts.append(_text(start, upper - 12, f"{column(world, size)}, {periods} periods", "title"))
            for percent in (0, 50, 100):
                y = upper + tall * (1 - percent / 100)
                parts.append(f'<path class="line" d="M{start} {y:.1f}h{panel}"/>')
                if number == 0:
                    parts.append(_text(start - 6, y + 4, f"{percent} %", "quiet", "end"))
            for tick, label in ((0.0, "0"), (0.5, "0.5"), (1.0, "1 sd")):
                parts.append(_text(start + panel * tick, upper + tall + 16, label, "quiet", "middle"))
            for estimator in CURVES:
                row = rows.get((world, str(periods), "1", size, estimator, "none", "default", "effect"))
                if row is None or row.size_05 is None:
                    continue
                points = [(0.0, row.size_05), (0.25, row.power_025), (0.5, row.power_050), (1.0, row.power_100)]
                where = [(start + panel * e, upper + tall * (1 - share)) for e, share in points if share is not None]
                path = "L".join(f"{a:.1f} {b:.1f}" for a, b in where)
                parts.append(f'<path class="{estimator.split()[-1]} curve" d="M{path}"/>')
                if row.power_100 is not None:
                    told.append(
                        f"{column(world, size)}, {periods} periods, {CURVES[estimator]}: {100 * row.power_100:.0f} % at 1 sd."
                    )
    parts.append(
        _text(
            left,
            height - 12,
            "size of the effect in standard deviations of an untreated cell; share found at 5 %",
            "quiet",
        )
    )
    return _svg(
        "coverage-power", int(width), int(height), "How often an effect of a given size is found", " ".join(told), parts
    )


def renew(rows: Rows, folder: Path = IMAGES) -> None:
    """Draw both."""
    folder.mkdir(exist_ok=True)
    (folder / "coverage_size.svg").write_text(sizes(rows), encoding="utf-8")
    (folder / "coverage_power.svg").write_text(power(rows), encoding="utf-8")
