"""Files of tensors, with and without NumPy; part of package_test.py."""

import json
import pathlib
import struct
import sys
from unittest import mock

from support import RIDGE, SHORT, InFolder, plain

import nestgrad
from nestgrad import safetensors

NO_NUMPY = mock.patch.dict(sys.modules, {"numpy": None})


class Reading(InFolder):
    """Tensors, with values that a file of each type holds exactly."""

    def written(self, tensors):
        header, data = {"__metadata__": {"by": "hand"}}, b""
        for name, kind, shape, part in tensors:
            header[name] = {"dtype": kind, "shape": shape,
                            "data_offsets": [len(data), len(data) + len(part)]}
            data += part
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        path = pathlib.Path("x.safetensors")
        path.write_bytes(struct.pack("<Q", len(text)) + text + data)
        return path

    def all_types(self):
        codes = {"U8": "B", "I8": "b", "U16": "H", "I16": "h", "U32": "I",
                 "I32": "i", "U64": "Q", "I64": "q", "F16": "e", "F32": "f",
                 "F64": "d", "BOOL": "?"}
        tensors, expected = [], {}
        for kind, code in codes.items():
            values = ([True, False, True] if kind == "BOOL" else
                      [1.5, -0.25, 3.0] if kind[0] == "F" else [1, 2, 100])
            tensors.append((kind, kind, [3], struct.pack(f"<3{code}", *values)))
            expected[kind] = values
        # 1, -2 and 3.140625 as the upper halves of float32.
        tensors.append(("BF16", "BF16", [3],
                        struct.pack("<3H", 0x3f80, 0xc000, 0x4049)))
        expected["BF16"] = [1.0, -2.0, 3.140625]
        tensors.append(("table", "F32", [2, 3],
                        struct.pack("<6f", *range(6))))
        expected["table"] = [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
        tensors.append(("one", "F64", [], struct.pack("<d", 0.1)))
        expected["one"] = 0.1
        tensors.append(("none", "F32", [0, 2], b""))
        expected["none"] = []
        return self.written(tensors), expected

    def test_lists_have_the_numbers_of_every_type(self):
        path, expected = self.all_types()
        with NO_NUMPY:
            self.assertEqual(safetensors.read(path), expected)

    def test_arrays_have_the_numbers_and_the_type(self):
        np = self.numpy()
        path, expected = self.all_types()
        found = safetensors.read(path)
        self.assertEqual(plain(found), expected)
        self.assertEqual(found["table"].dtype, np.float32)
        self.assertEqual(found["F16"].dtype, np.float16)
        self.assertEqual(found["BF16"].dtype, np.float32)
        self.assertEqual(found["none"].shape, (0, 2))
        found["table"] += 1  # a copy that belongs to the caller

    def test_weights_are_those_that_numpy_reads(self):
        np = self.numpy()
        run = nestgrad.run(RIDGE, set=SHORT, quiet=True)
        data = (run.path / "weights.safetensors").read_bytes()
        length = struct.unpack_from("<Q", data)[0]
        self.assertEqual(json.loads(data[8:8 + length])["w"]["dtype"], "F64")
        expected = np.frombuffer(data, "<f8", offset=8 + length)
        np.testing.assert_array_equal(run.weights["w"], expected)
        self.assertIsInstance(run.metrics["outer_loss"], np.ndarray)

    def test_damaged_files_are_named(self):
        good, _ = self.all_types()
        data = good.read_bytes()
        other = data.replace(b'"F16"', b'"F61"')
        for bad in (b"", data[:50], data[:-1], other):
            good.write_bytes(bad)
            with self.assertRaisesRegex(nestgrad.Error, "x.safetensors"):
                safetensors.read(good)
            with NO_NUMPY, self.assertRaises(nestgrad.Error):
                safetensors.read(good)

    def test_without_numpy_everything_comes_as_lists_and_numbers(self):
        with NO_NUMPY:
            run = nestgrad.run(RIDGE, set=SHORT, quiet=True)
            values = [*run.metrics.values(), *run.weights.values(),
                      *run.hyperparameters.values()]
            self.assertIn("<table>", run._repr_html_())
        self.assertEqual({type(value) for value in values}, {list})
        self.assertEqual(
            run.hyperparameters.keys(), {"weight_decay"})

    def numpy(self):
        try:
            import numpy
        except ImportError:
            self.skipTest("NumPy is not installed")
        return numpy
