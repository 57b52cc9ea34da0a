"""The Monte Carlo proof of the inferences: worlds without effects, estimates for many replications at once, and the table."""

import os

for library in ("OPENBLAS", "OMP", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")  # read when numpy is first imported; processes share the work
