#!/usr/bin/env bash
# The tests with the real Python clients, against a server of their own. Arguments go to pytest: `run.sh -k compression --http-engine=net`.
# With `--no-build` first it takes what was built, so that two can run at once.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ "${1:-}" = --no-build ]; then shift; else npm run --silent build; fi
bash test/interop/setup.sh
export PYTHONDONTWRITEBYTECODE=1
exec .venv/bin/python -m pytest -p no:cacheprovider test/interop "$@"
