#!/usr/bin/env bash
# One virtual environment per peer, so that no peer sees another's dependencies (nor ours).
#
#   benchmarks/setup_peers.sh DIRECTORY [PYTHON]
#
# Only packages under permissive licences (MIT, BSD) are used, and only here: nothing of them is a dependency of
# the product or of its tests. Versions are pinned so that a result can be repeated.
set -euo pipefail
target=${1:?usage: benchmarks/setup_peers.sh DIRECTORY [PYTHON]}
python=${2:-python3}
mkdir -p "$target"

peers=(
  "diff-diff==3.13.0"     # MIT
  "mlsynth==1.0.0"        # MIT
  "pysyncon==1.7.0"       # MIT
  "synthdid-py==0.1.0"    # BSD-3-Clause
  "pyfixest==0.60.0"      # MIT
  "moderndid==0.2.0"      # MIT
  "wildboottest==0.3.2"   # MIT
)
for peer in "${peers[@]}"; do
  home="$target/${peer%%==*}"
  [ -x "$home/bin/python" ] || "$python" -m venv "$home"
  if "$home/bin/python" -m pip install --quiet --disable-pip-version-check "$peer"; then
    echo "$peer: ready"
  else
    rm -rf "$home"
    echo "$peer: could not be installed; the benchmark will say so" >&2
  fi
done
