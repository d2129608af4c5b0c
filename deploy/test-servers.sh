#!/bin/sh
# Installs what the real servers of the tests need beyond Python, where it may (root on Debian or Ubuntu); elsewhere it
# names what is missing. It never fails: tests without their server are skipped, or fail with CI=true.
set -u

have() { PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v "$1" >/dev/null 2>&1; }
have_java() {
    major=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1)
    [ "${major:-0}" -ge 17 ]
}

missing=''
have_java || missing="$missing java"
have mvn || missing="$missing maven"
have redis-server || missing="$missing redis-server"
have prometheus || missing="$missing prometheus"
have prometheus-alertmanager || missing="$missing prometheus-alertmanager"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ] || ! have apt-get; then
    echo "The tests with real servers need$missing (java: 17 or newer): on Debian or Ubuntu, run make test as root or" \
        "apt-get install openjdk-17-jre-headless maven redis-server prometheus prometheus-alertmanager;" \
        "elsewhere install them from your system's packages. The rest of the tests runs without."
    exit 0
fi

echo "Installing for the tests with real servers, by apt-get:$missing"
# The packages' units would take their usual ports; the tests start their own on free ones.
if [ ! -e /usr/sbin/policy-rc.d ]; then
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d
fi
apt-get update -qq || echo "apt-get update failed; trying with the package lists as they are" >&2
packages=''
for name in $missing; do
    if [ "$name" = java ]; then
        name=default-jre-headless
        for jre in openjdk-17-jre-headless openjdk-21-jre-headless openjdk-25-jre-headless; do
            if apt-cache show "$jre" >/dev/null 2>&1; then
                name=$jre
                break
            fi
        done
    fi
    packages="$packages $name"
done
# shellcheck disable=SC2086 # a list of words
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq -o DPkg::Lock::Timeout=120 --no-install-recommends $packages >/dev/null ||
    echo "apt-get could not install all of$packages: tests without their server are skipped" >&2
exit 0
