#!/usr/bin/env bash
# Makes .venv with the Python clients, and has the one library that perf_analyzer needs from the system. Safe to run again.
set -euo pipefail
cd "$(dirname "$0")/../.."
requirements=test/interop/requirements.txt

# A changed list makes a new environment; an unchanged one is used as it is.
if ! cmp -s "$requirements" .venv/requirements.txt; then
  rm -rf .venv
  python3 -m venv .venv
  .venv/bin/pip install --quiet --disable-pip-version-check -r "$requirements"
  cp "$requirements" .venv/requirements.txt
fi

if ! ldconfig -p | grep -q 'libb64\.so\.0d'; then
  echo 'perf_analyzer needs libb64.so.0d: installing the package libb64-0d' >&2
  apt-get install --yes --no-install-recommends libb64-0d >/dev/null ||
    { apt-get update >/dev/null && apt-get install --yes --no-install-recommends libb64-0d >/dev/null; }
fi
