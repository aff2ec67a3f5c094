#!/usr/bin/env python3
"""Writes the folder of images that configs/image_folder_stn.json reads, from
Fashion-MNIST (Debian: apt-get install dataset-fashion-mnist).

    python3 configs/images/from_fashion_mnist.py [--folder FOLDER]

FOLDER/PART/CLASS/NUMBER.png, where PART is train (500 images), valid (500) or
test (1,000). FOLDER is `clothes` beside this script if it is left out.
"""

import argparse
import gzip
import os
import pathlib
import shutil
import struct
import tempfile
import zlib

SOURCE = pathlib.Path("/usr/share/datasets/fashion-mnist")
SIDE = 28
CLASSES = ["T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt",
           "sneaker", "bag", "boot"]
PARTS = [("train", "train", 0, 500), ("valid", "train", 500, 500),
         ("test", "t10k", 0, 1000)]  # the file, the first image, how many


def png(pixels):
    """A grey image of bytes, row by row."""
    def chunk(name, data):
        return (struct.pack(">I", len(data)) + name + data +
                struct.pack(">I", zlib.crc32(name + data)))
    rows = b"".join(b"\0" + pixels[i:i + SIDE]
                    for i in range(0, SIDE * SIDE, SIDE))
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 0, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def contents(name, header):
    with gzip.open(SOURCE / name) as file:
        return file.read()[header:]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path(
        __file__).resolve().parent / "clothes")
    folder = parser.parse_args().folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Whole or not at all, as several processes may write the same folder.
    new = pathlib.Path(tempfile.mkdtemp(dir=folder.parent))
    for part, file, first, count in PARTS:
        pixels = contents(f"{file}-images-idx3-ubyte.gz", 16)
        labels = contents(f"{file}-labels-idx1-ubyte.gz", 8)
        for name in CLASSES:
            (new / part / name).mkdir(parents=True)
        for i in range(first, first + count):
            image = pixels[SIDE * SIDE * i:SIDE * SIDE * (i + 1)]
            (new / part / CLASSES[labels[i]] / f"{i:05}.png").write_bytes(
                png(image))
    os.chmod(new, 0o755)
    try:
        os.rename(new, folder)
    except OSError:  # there is one already
        shutil.rmtree(new)


if __name__ == "__main__":
    main()
