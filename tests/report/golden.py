"""Write the golden texts again: `python -m tests.report.golden`. Read the difference before committing it."""

from __future__ import annotations

from tests.report.conftest import CASES, page
from tests.report.reading import lines
from tests.report.test_page import GOLDEN

if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for case in CASES:
        (GOLDEN / f"{case}.txt").write_text("\n".join(lines(page(case))) + "\n", encoding="utf-8")
