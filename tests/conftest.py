"""One thread for linear algebra: pytest-xdist runs a worker on each core, and threads that wait for one another only burn them."""

from __future__ import annotations

import os

for library in ("OPENBLAS", "OMP", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")  # read when numpy is first imported, and inherited by workers
