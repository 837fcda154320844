#!/bin/busybox sh
# The guest's init: says on the console, one word and its facts a line, what a test wants to see of the inside:
# BOOTS, NET, CONFIG-DRIVE, KEY, USER-DATA, DISKS, READY, then DISKS and NICS again whenever they change.
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root TERM=vt100
exec > /dev/console 2>&1 < /dev/console
mkdir -p /dev/pts
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /root
mount -t tmpfs tmpfs /tmp

# What was written before the last power cycle is still there: the number counts boots of this disk.
boots=$(($(cat /var/boots 2>/dev/null || echo 0) + 1))
echo $boots > /var/boots
sync
echo "BOOTS $boots"

mkdir -p /etc/acpi/PWRF
acpid

network_up() {
    ip link set "$1" up
    udhcpc -i "$1" -s /etc/dhcp.sh -O 121 -O 26 -t 5 -T 1 -A 2 -b > /dev/null 2>&1
}
ip link set lo up
known=""
for nic in $(cd /sys/class/net && ls -d eth* 2>/dev/null); do
    network_up "$nic"
    known="$known $nic"
done
echo "NET $(ip -o -4 addr | awk '$2 != "lo" {printf "%s=%s ", $2, $4}')"

metadata=/run/meta_data.json
drive=$(findfs LABEL=config-2 2>/dev/null || findfs LABEL=CONFIG-2 2>/dev/null)
if [ -n "$drive" ]; then
    mount -o ro "$drive" /mnt
    cp /mnt/openstack/latest/meta_data.json $metadata
    cp /mnt/openstack/latest/user_data /run/user_data 2>/dev/null
    umount /mnt
    echo "CONFIG-DRIVE $drive"
elif timeout 4 wget -q -O $metadata http://169.254.169.254/openstack/latest/meta_data.json; then
    timeout 4 wget -q -O /run/user_data http://169.254.169.254/openstack/latest/user_data
    echo "METADATA-SERVICE"
else
    echo "NO-METADATA"
fi
name=$(sed -n 's/.*"hostname": *"\([^"]*\)".*/\1/p' $metadata 2>/dev/null)
hostname "${name:-guest}"
mkdir -p /root/.ssh
sed -n 's/.*"\(ssh-[^"\\]*\).*/\1/p' $metadata > /root/.ssh/authorized_keys 2>/dev/null
chmod 700 /root /root/.ssh
chmod 600 /root/.ssh/authorized_keys
[ -s /root/.ssh/authorized_keys ] && echo "KEY $(head -c 30 /root/.ssh/authorized_keys)"
if [ "$(head -c 2 /run/user_data 2>/dev/null)" = "#!" ]; then
    echo "USER-DATA"
    chmod +x /run/user_data
    /run/user_data
fi
dropbear -R -B -p 22 2>/dev/null

disks() {
    for disk in /sys/block/vd* /sys/block/sd*; do
        [ -e "$disk/size" ] && echo -n " ${disk##*/}=$(($(cat "$disk/size") / 2048))M"
    done
}
serials() {
    for disk in /sys/block/vd*; do
        serial=$(cat "$disk/serial" 2>/dev/null)
        [ -n "$serial" ] && echo -n " ${disk##*/}=$serial"
    done
}
nics() {
    for nic in /sys/class/net/eth*; do
        [ -e "$nic/address" ] && echo -n " ${nic##*/}=$(cat "$nic/address")"
    done
}
seen_disks=$(disks)
seen_nics=$(nics)
echo "DISKS$seen_disks"
echo "SERIALS$(serials)"
echo "NICS$seen_nics"
echo "READY $(hostname)"
(while :; do setsid cttyhack sh; done) &

while :; do
    usleep 500000
    now=$(disks)
    if [ "$now" != "$seen_disks" ]; then
        seen_disks=$now
        echo "DISKS$now"
        echo "SERIALS$(serials)"
    fi
    now=$(nics)
    if [ "$now" != "$seen_nics" ]; then
        for nic in $(cd /sys/class/net && ls -d eth* 2>/dev/null); do
            case " $seen_nics" in *" $nic="*) ;; *) network_up "$nic" ;; esac
        done
        seen_nics=$now
        echo "NICS$now"
    fi
done
