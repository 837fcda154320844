#!/bin/sh
# Installs Debian's packages that the tests need, unless they are there; with `servers` also the database
# servers and the broker, with `ceph` Ceph. Needs root only when some are missing.
set -eu
needed="qemu-system-x86 qemu-utils qemu-block-extra tgt kmod e2fsprogs binutils grub-common grub-pc-bin genisoimage haproxy"
case "${1:-}" in
    servers | cluster) needed="$needed postgresql mariadb-server rabbitmq-server" ;;
    ceph) needed="$needed ceph-mon ceph-mgr ceph-osd ceph-common qemu-block-extra" ;;
esac
missing=""
for package in $needed; do
    if ! dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q "install ok installed"; then
        missing="$missing $package"
    fi
done
if [ -z "$missing" ]; then
    exit 0
fi
echo "Installing for the tests:$missing"
run=""
if [ "$(id -u)" != 0 ]; then
    run="sudo"
fi
$run env DEBIAN_FRONTEND=noninteractive apt-get update -qq
# shellcheck disable=SC2086 - a list of words
$run env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
