#!/bin/sh
# Builds and tests this project in a fresh Debian: bookworm has LibTorch 1.13,
# trixie 2.6, forky 2.14.
#
#   tests/debian.sh SUITE FOLDER [command]
#
# The command runs in the project's folder of that system; ./dev test if none is
# given. Needs root and debootstrap. FOLDER gets the system (4 GB) and is used
# again; the working tree is copied into it. Packages come from where apt has its
# own.
set -eu
suite=$1
folder=$2
shift 2
[ $# -gt 0 ] || set -- ./dev test
source=$(cd "$(dirname "$0")/.." && pwd)

"$source/tests/debian_system.sh" "$suite" "$folder"

# What git knows of the working tree, changes included, and nothing of last time
# but what was built.
mkdir -p "$folder/nestgrad"
find "$folder/nestgrad" -mindepth 1 -maxdepth 1 ! -name build \
  -exec rm -rf {} +
(cd "$source" && git ls-files -z --cached --others --exclude-standard |
  xargs -0 sh -c 'for f; do [ -e "$f" ] && printf "%s\n" "$f"; done' sh |
  tar -cf - -T -) | tar -xmf - -C "$folder/nestgrad"

for path in proc dev dev/pts sys; do
  mountpoint -q "$folder/$path" || mount --bind "/$path" "$folder/$path"
done
trap 'umount "$folder/proc" "$folder/dev/pts" "$folder/dev" "$folder/sys"' EXIT
chroot "$folder" /bin/sh -c 'cd /nestgrad && exec "$@"' sh "$@"
