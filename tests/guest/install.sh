#!/bin/sh
# Installs what the guest tests need on a Debian 12 machine: QEMU and the tools that tests/guest/build.py calls.
# Run once as root (CI set-up, `make test-tools`); the build itself needs no root.
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install -y --no-install-recommends \
    qemu-system-x86 qemu-utils kmod e2fsprogs binutils grub-common grub-pc-bin genisoimage
