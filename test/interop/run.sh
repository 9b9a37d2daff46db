#!/usr/bin/env bash
# The tests with the real Python clients, against a server of their own. Arguments go to pytest: `run.sh -k compression --http-engine=net`.
set -euo pipefail
cd "$(dirname "$0")/../.."
npm run --silent build
bash test/interop/setup.sh
export PYTHONDONTWRITEBYTECODE=1
exec .venv/bin/python -m pytest -p no:cacheprovider test/interop "$@"
