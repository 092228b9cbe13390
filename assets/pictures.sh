#!/bin/sh
# Remakes the pictures of the README from the real programs: half a minute of converting, after a release build.
set -eu
cd "$(dirname "$0")/.."
cargo build --release --bins
cargo bench -p vc-tests --bench pictures
