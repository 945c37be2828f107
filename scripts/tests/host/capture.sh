#!/usr/bin/env bash
# What capturing payload costs a bulk transfer, in virtual time on 6.1.
set -euo pipefail
cd "$(dirname "$0")/../../.."
exec scripts/vm 6.1 --icount --files scripts/tests/icount -- python3 /files/capture.py
