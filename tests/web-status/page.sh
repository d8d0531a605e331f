#!/bin/sh
# The page in a real browser; skipped where there is none.
cd "$(dirname "$0")/../.." || exit 1
exec python3 tests/web-status/page.py "${GANGWAY_BUILD:-build}/tests/web-status/web" "$@"
