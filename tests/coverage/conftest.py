"""The study of coverage lives beside the other benchmarks, which are commands and no package that is installed."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
