#!/bin/sh
# Brings what the tests need beside Python: PostgreSQL, Redis, Chromium, ffmpeg, gettext and strace, from Debian's packages.
# Starts no system service and uses none: the suite runs private servers of its own (scripts/servers.py).
set -eu

has() {
    command -v "$1" >/dev/null 2>&1
}

packages=""
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || packages="$packages postgresql"
has redis-server || packages="$packages redis-server"
has chromium-headless-shell || has chromium || packages="$packages chromium-headless-shell fonts-noto-color-emoji"
has ffmpeg || packages="$packages ffmpeg"
has msgfmt || packages="$packages gettext"
has setpriv || packages="$packages util-linux"
has strace || packages="$packages strace"
[ -n "$packages" ] || exit 0

install="apt-get install -y --no-install-recommends$packages"
if [ "$(id -u)" -ne 0 ]; then
    echo "The tests and checks need these packages; run as root: apt-get update && DEBIAN_FRONTEND=noninteractive $install" >&2
    exit 1
elif ! has apt-get; then
    echo "The tests and checks need these Debian packages, or what carries those names here:$packages" >&2
    exit 1
fi

# Debian starts a service when its package is installed, unless this file says no (101).
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi

log=$(mktemp)
echo "Installing$packages"
if ! { apt-get update && DEBIAN_FRONTEND=noninteractive $install; } >"$log" 2>&1 </dev/null; then
    tail -n 20 "$log" >&2
    echo "The packages could not be installed; the whole output is in $log" >&2
    exit 1
fi
rm -f "$log"
