"""The README's picture of real_size.csv, for light and for dark pages: docs/images/real_size.svg and real_size_dark.svg.

python -m benchmarks.real_size_picture
"""

from __future__ import annotations

from pathlib import Path

from evaluation.report import svg
from evaluation.report.figures import PLAIN, WIDE, Palette
from evaluation.report.figures.real_size import draw, lines
from evaluation.report.words import load

IMAGES = Path(__file__).parents[1] / "docs" / "images"
DARK = Palette("#e9edf2", "#a9b4c0", "#3a444f", "#0d1117", "#b5d8f7", "#cf5416", "#ff9a5e", "#7d8895")
"""The dark colours of the report's style sheet, on the paper of the code host."""
FONT = "font-family: system-ui, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"


def main() -> None:
    """Draw both."""
    words = load("en")
    found = lines(words)
    told = " ".join(f"{line.name}: {line.written[0]} and {line.written[1]}." for line in found)
    for name, palette in (("real_size", PLAIN), ("real_size_dark", DARK)):
        drawing = svg.Drawing(
            name,
            lambda palette=palette: draw(found, words, palette, WIDE),  # type: ignore[misc]
            "How often each way of measuring uncertainty finds an effect where there is none",
            told,
        )
        drawn = svg.draw([drawing], words)[name]
        (IMAGES / f"{name}.svg").write_text(drawn.replace("<svg ", f'<svg style="{FONT}" ', 1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
