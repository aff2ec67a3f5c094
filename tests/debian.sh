#!/bin/sh
# Builds and tests this project in a fresh Debian: bookworm has LibTorch 1.13,
# trixie 2.6, forky 2.14.
#
#   tests/debian.sh SUITE FOLDER [./dev test's options]
#
# Needs root and debootstrap. FOLDER gets the system (4 GB) and is used again; the
# working tree is copied into it. Packages come from where apt has its own.
set -eu
suite=$1
folder=$2
shift 2
source=$(cd "$(dirname "$0")/.." && pwd)
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
  grep -qi 'acquire' "$path" && cp "$path" "$folder/etc/apt/apt.conf.d/"
done

# What git knows of the working tree, changes included.
mkdir -p "$folder/nestgrad"
(cd "$source" && git ls-files -z --cached --others --exclude-standard |
  xargs -0 sh -c 'for f; do [ -e "$f" ] && printf "%s\n" "$f"; done' sh |
  tar -cf - -T -) | tar -xmf - -C "$folder/nestgrad"

for path in proc dev sys; do
  mountpoint -q "$folder/$path" || mount --bind "/$path" "$folder/$path"
done
trap 'umount "$folder/proc" "$folder/dev" "$folder/sys"' EXIT
chroot "$folder" /bin/sh -c 'cd /nestgrad && exec ./dev test "$@"' sh "$@"
