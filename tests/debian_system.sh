#!/bin/sh
# Makes a Debian of its own in a folder, or takes the one that is there.
#
#   tests/debian_system.sh SUITE FOLDER
#
# Needs root and debootstrap. Packages come from where apt has its own.
set -eu
suite=$1
folder=$2
mirror=$(apt-get indextargets --format '$(SITE)' | grep -v security | head -n 1)

# A debootstrap older than the suite has no script for it; all are alike.
script=/usr/share/debootstrap/scripts/$suite
[ -e "$script" ] || script=/usr/share/debootstrap/scripts/sid
[ -e "$folder/etc/debian_version" ] ||
  debootstrap --variant=minbase "$suite" "$folder" "$mirror" "$script"
grep -q "^VERSION_CODENAME=$suite$" "$folder/etc/os-release" || {
  echo "$folder has another Debian than $suite" >&2
  exit 2
}
for path in /etc/resolv.conf /etc/hosts; do
  cp "$path" "$folder$path"
done
for path in /etc/apt/apt.conf.d/*; do
  if grep -qi 'acquire' "$path"; then
    cp "$path" "$folder/etc/apt/apt.conf.d/"
  fi
done
