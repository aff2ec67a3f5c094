#!/bin/sh
# Writes the archives of the tests, and those of configs/exported, with the
# PyTorch of Debian testing.
#
#   write_archives.sh FOLDER
#
# Needs root and debootstrap. FOLDER gets the system (5 GB) and is used again.
# Packages come from where apt has its own; a mirror that stands still for some
# time is accepted, its signature is checked.
set -eu
folder=$1
here=$(cd "$(dirname "$0")" && pwd)
"$here/../../../debian_system.sh" forky "$folder"
chroot "$folder" /bin/sh -c '
  dpkg -s python3-torchvision > /dev/null 2>&1 || {
    apt-get -o Acquire::Check-Valid-Until=false update
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      python3-torch python3-torchvision python3-safetensors
  }'
rm -rf "$folder/exported"
mkdir -p "$folder/exported/archives"
config=$here/../../../../configs/exported
cp "$here"/*.py "$config/export.py" "$folder/exported/"
chroot "$folder" /bin/sh -c '
  cd /exported && export OMP_NUM_THREADS=1 &&
  python3 write_archives.py archives && python3 export.py'
rm -f "$here"/archives/*
cp "$folder"/exported/archives/* "$here/archives/"
chmod 644 "$here"/archives/*
cp "$folder"/exported/*.pt2 "$config/"
chmod 644 "$config"/*.pt2
