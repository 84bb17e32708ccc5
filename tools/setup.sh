#!/usr/bin/env bash
# Makes .venv with Diffuscope, napari and the test tools, at the tested versions; safe to run again.
# PYTHON=… chooses the interpreter; without it the first Python ≥ 3.11 that can make an environment is taken.
set -euo pipefail
cd "$(dirname "$0")/.."

# napari draws with Qt and OpenGL, and the tests draw on Xvfb: Debian's and Ubuntu's names for what both need.
libraries=(
  xvfb libgl1 libegl1 libgl1-mesa-dri libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1 libxcb-shape0
  libxcb-image0 libxcb-render-util0 libxcb-xinerama0 libxcb-randr0 libdbus-1-3
)

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# Install Debian packages, or print the one command that does.
install() {
  local what=$1 command
  shift
  command="apt-get install -y --no-install-recommends $*"
  if as_root true 2>/dev/null; then
    echo "Installing $what: $*"
    # A lock held by an automatic update is waited for; an old package list is refreshed once.
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 -qq update || true
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 -qq install -y --no-install-recommends "$@" \
      >/dev/null && return 0
  fi
  printf 'To get %s, type this and run make again:\n\n    sudo %s\n\n' "$what" "$command" >&2
  return 1
}

if command -v apt-get >/dev/null; then
  missing=()
  for library in "${libraries[@]}"; do
    dpkg -s "$library" 2>/dev/null | grep -q '^Status: install ok installed' || missing+=("$library")
  done
  # Without them Diffuscope still runs from a shell, so this is no reason to stop.
  if [ ${#missing[@]} -gt 0 ]; then install "the libraries that napari's window needs" "${missing[@]}" || true; fi
elif [ "$(uname)" = Linux ] && ! command -v xvfb-run >/dev/null; then
  echo "napari's window needs OpenGL and Qt's xcb libraries, and its tests need xvfb-run: install them with your package manager." >&2
fi

usable() { "$1" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

if ! [ -x .venv/bin/python ] || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
  for python in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
    if usable "$python"; then break; fi
    python=
  done
  if [ -z "$python" ] && command -v apt-get >/dev/null && install "a Python that can make environments" python3 python3-venv; then
    if usable python3; then python=python3; fi
  fi
  if [ -z "$python" ]; then
    echo "Diffuscope needs Python 3.11 or later with venv: install it, or name it with PYTHON=/path/to/python." >&2
    exit 1
  fi
  "$python" -m venv --clear .venv
fi

.venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all,dev]'
echo "Ready: .venv/bin/diffuscope"
