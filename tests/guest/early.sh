#!/bin/busybox sh
# First process, in the initramfs: finds the root disk by its label and hands over to it.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
while read -r module; do insmod /modules/$module 2>/dev/null; done < /modules/order
tries=0
until disk=$(findfs LABEL=guestroot 2>/dev/null); do
    tries=$((tries + 1))
    [ $tries -gt 50 ] && { echo "NO-ROOT-DISK" > /dev/console; poweroff -f; }
    usleep 100000
done
mount -t ext4 "$disk" /newroot
mount --move /proc /newroot/proc
mount --move /sys /newroot/sys
mount --move /dev /newroot/dev
exec switch_root /newroot /sbin/init
