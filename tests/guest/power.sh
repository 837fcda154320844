#!/bin/busybox sh
# acpid runs this when the power button is pressed.
echo "POWER-BUTTON" > /dev/console
sync
poweroff -f
