#!/usr/bin/env bash
# Makes .venv with the Python clients and .venv-tensorflow, whose packages need others than theirs, and has the one library that
# perf_analyzer needs from the system. Safe to run again.
set -euo pipefail
cd "$(dirname "$0")/../.."

# A changed list makes a new environment; an unchanged one is used as it is.
environment() {
  local folder=$1 requirements=$2
  cmp -s "$requirements" "$folder/requirements.txt" && return
  rm -rf "$folder"
  python3 -m venv "$folder"
  "$folder/bin/pip" install --quiet --disable-pip-version-check -r "$requirements"
  cp "$requirements" "$folder/requirements.txt"
}

environment .venv test/interop/requirements.txt
environment .venv-tensorflow test/interop/requirements-tensorflow.txt

if ! ldconfig -p | grep -q 'libb64\.so\.0d'; then
  echo 'perf_analyzer needs libb64.so.0d: installing the package libb64-0d' >&2
  apt-get install --yes --no-install-recommends libb64-0d >/dev/null ||
    { apt-get update >/dev/null && apt-get install --yes --no-install-recommends libb64-0d >/dev/null; }
fi
