"""`python -m evaluation` is the command `evaluate`."""

from evaluation.cli import main

main()
