"""Reads files in the safetensors format.

A file is the length of its header (8 bytes, little-endian), the header (JSON:
type, shape and place of each tensor) and the numbers of all tensors.
"""

import json
import math
import struct

from nestgrad.errors import Error
from nestgrad.numbers import numpy

# Element types: bytes, code of struct, type of NumPy.
TYPES = {
    "BOOL": (1, "?", "?"), "U8": (1, "B", "u1"), "I8": (1, "b", "i1"),
    "U16": (2, "H", "<u2"), "I16": (2, "h", "<i2"),
    "U32": (4, "I", "<u4"), "I32": (4, "i", "<i4"),
    "U64": (8, "Q", "<u8"), "I64": (8, "q", "<i8"),
    "F16": (2, "e", "<f2"), "F32": (4, "f", "<f4"), "F64": (8, "d", "<f8"),
    "BF16": (2, "H", "<u2"),
}


def read(path):
    """The tensors of a file by name: arrays with NumPy, nested lists without.

    NumPy has no bfloat16; these numbers come as float32, which holds them
    exactly. All other types stay as they are.
    """
    with open(path, "rb") as file:
        data = file.read()
    try:
        end = 8 + int.from_bytes(data[:8], "little")
        header = json.loads(data[8:end])
        header.pop("__metadata__", None)
        return {name: _tensor(entry, memoryview(data)[end:])
                for name, entry in header.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Error(f"{path}: is not a safetensors file as expected: "
                    f"{error!r}") from error


def _tensor(entry, data):
    kind, shape = entry["dtype"], entry["shape"]
    if kind not in TYPES:
        raise ValueError(f"the element type {kind} is not known")
    size, code, array_type = TYPES[kind]
    begin, end = entry["data_offsets"]
    count = math.prod(shape)
    part = data[begin:end]
    if len(part) != count * size:
        raise ValueError(f"{len(part)} bytes for the shape {shape} of {kind}")
    np = numpy()
    if np is not None:
        values = np.frombuffer(part, array_type)
        if kind == "BF16":  # the upper half of a float32
            values = (values.astype("<u4") << 16).view("<f4")
        return values.reshape(shape).copy()  # a copy can be written to
    values = struct.unpack(f"<{count}{code}", part)
    if kind == "BF16":
        values = struct.unpack(
            f"<{count}f", struct.pack(f"<{count}I", *(v << 16 for v in values)))
    return _nested(list(values), shape)


def _nested(values, shape):
    if not shape:
        return values[0]
    if len(shape) == 1:
        return values
    step = math.prod(shape[1:])
    return [_nested(values[i * step:(i + 1) * step], shape[1:])
            for i in range(shape[0])]
