#!/usr/bin/env bash
# Start time and idle memory, in virtual time on 6.1.
set -euo pipefail
cd "$(dirname "$0")/../../.."
exec scripts/vm 6.1 --icount --files scripts/tests/icount -- python3 /files/start.py
