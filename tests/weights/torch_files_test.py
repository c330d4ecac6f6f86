"""Reading PyTorch files: equal to PyTorch, without running code from them."""

import collections
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
from absl.testing import absltest, parameterized
from safetensors.numpy import save_file

from kdsharp.errors import UserError
from kdsharp.weights import torch_files

try:
    import torch
except ImportError:
    torch = None


class _FilesTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = Path(self.create_tempdir().full_path)
        self.file = self.folder / "net.pth"

    def assert_refused(self, words: str):
        with self.assertRaisesRegex(UserError, words) as caught:
            torch_files.read(self.file)
        self.assertNotIn("\n", str(caught.exception))


@absltest.skipIf(torch is None, "PyTorch is not installed")
class ReadTest(_FilesTest):
    @parameterized.product(
        dtype=("float32", "float64", "float16", "bfloat16", "int64", "int32", "bool"),
        zipped=(True, False),
    )
    def test_every_dtype(self, dtype, zipped):
        numbers = torch.arange(-3, 9).reshape(3, 4).to(getattr(torch, dtype))
        torch.save(
            {"a": numbers, "b": torch.nn.Parameter(numbers / 3)},
            self.file,
            _use_new_zipfile_serialization=zipped,
        )
        found = torch_files.read(self.file)
        self.assertEqual(list(found), ["a", "b"])
        for name, tensor in torch.load(self.file).items():
            wanted = tensor.detach()
            if wanted.is_floating_point():
                wanted = wanted.float()
                self.assertEqual(found[name].dtype, np.float32)
            np.testing.assert_array_equal(found[name], wanted.numpy())

    @parameterized.parameters(True, False)
    def test_views_of_a_shared_storage(self, zipped):
        whole = torch.arange(120.0).reshape(2, 3, 4, 5)
        state = {
            "transposed": whole.permute(3, 1, 0, 2),
            "channels last": whole.to(memory_format=torch.channels_last),
            "part": whole[1, :, 1:3, ::2],
            "scalar": whole[1, 2, 3, 4],
            "empty": whole[:, :0],
        }
        torch.save(state, self.file, _use_new_zipfile_serialization=zipped)
        found = torch_files.read(self.file)
        for name, tensor in state.items():
            np.testing.assert_array_equal(found[name], tensor.numpy())

    def test_averaged_weights_are_preferred(self):
        raw, averaged = {"w": torch.zeros(2)}, {"w": torch.ones(2)}
        torch.save({"params": raw, "params_ema": averaged}, self.file)
        np.testing.assert_array_equal(torch_files.read(self.file)["w"], [1, 1])

    @parameterized.parameters(True, False)
    def test_truncated_file(self, zipped):
        state = {"w": torch.zeros(1000)}
        torch.save(state, self.file, _use_new_zipfile_serialization=zipped)
        whole = self.file.read_bytes()
        for size in (0, 5, 100, len(whole) // 2, len(whole) - 1):
            self.file.write_bytes(whole[:size])
            self.assert_refused("damaged|as PyTorch 0.4")

    def test_scripted_module(self):
        torch.jit.script(torch.nn.Linear(2, 2)).save(str(self.file))
        self.assert_refused("state_dict")


class _Call:
    """Pickles as a call of an arbitrary function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce_ex__(self, protocol):
        return self.call


class HostileTest(_FilesTest):
    def write(self, content: bytes, numbers=b"\0" * 16):
        with zipfile.ZipFile(self.file, "w") as archive:
            archive.writestr("net/data.pkl", content)
            archive.writestr("net/data/0", numbers)

    def write_tensor(self, offset, shape, strides):
        """Writes a tensor over four float32 zeros."""
        pid = "(Vstorage\nctorch\nFloatStorage\nV0\nVcpu\nI4\ntQ"
        place = f"I{offset}\n{self._tuple(shape)}{self._tuple(strides)}"
        tensor = f"ctorch._utils\n_rebuild_tensor_v2\n({pid}{place}I00\nNtR"
        self.write(f"(dVw\n{tensor}s.".encode())

    def _tuple(self, numbers):
        return "(" + "".join(f"I{n}\n" for n in numbers) + "t"

    def test_valid_tensor(self):
        self.write_tensor(1, (3,), (1,))
        np.testing.assert_array_equal(torch_files.read(self.file)["w"], np.zeros(3))

    @parameterized.parameters(
        (0, (5,), (1,)),
        (1, (4,), (1,)),
        (-1, (2,), (1,)),
        (0, (2,), (-1,)),
        (0, (2, 2), (2, 2000)),
        # One number, repeated a billion times.
        (0, (30_000, 30_000), (0, 0)),
        (0, (2, 2), (1,)),
    )
    def test_tensor_beyond_its_storage(self, offset, shape, strides):
        self.write_tensor(offset, shape, strides)
        self.assert_refused("damaged")

    @parameterized.parameters(0, 1, 2, 4)
    def test_calls_are_rejected(self, protocol):
        trace = self.folder / "trace"
        self.write(pickle.dumps({"w": _Call(os.mkdir, str(trace))}, protocol))
        self.assert_refused(r"wants to run (posix|nt|os)\.mkdir")
        self.file.write_bytes(pickle.dumps(_Call(os.mkdir, str(trace)), protocol))
        self.assert_refused(r"wants to run (posix|nt|os)\.mkdir")
        self.assertFalse(trace.exists())

    @parameterized.parameters(
        "cbuiltins\neval\n(V1\ntR.",
        "ctorch\nload\n(V/etc/passwd\ntR.",
        "ctorch._utils\n__builtins__\n.",
        "ccollections\nOrderedDict.fromkeys\n.",
    )
    def test_only_types_of_tensors_are_allowed(self, content):
        self.write(content.encode())
        self.assert_refused("wants to run")

    def test_other_pickles(self):
        for content in (3, {"a": 1}, collections.OrderedDict()):
            self.file.write_bytes(pickle.dumps(content))
            self.assert_refused("as PyTorch 0.4 or later writes it")

    def test_other_files(self):
        self.file.write_bytes(b"\x89PNG\r\n\x1a\n" * 20)
        self.assert_refused("is not a file of PyTorch weights")
        with zipfile.ZipFile(self.file, "w") as archive:
            archive.writestr("picture.png", b"")
        self.assert_refused("without PyTorch's data.pkl")
        self.file.unlink()
        self.assert_refused("no file")


class SafetensorsTest(_FilesTest):
    def test_safetensors_with_names_of_pytorch(self):
        file = self.folder / "net.safetensors"
        save_file({"module.w": np.float16([1.5, 2])}, file)
        found = torch_files.read(file)
        self.assertEqual(found["w"].dtype, np.float32)
        np.testing.assert_array_equal(found["w"], [1.5, 2])

    def test_damaged_safetensors(self):
        self.file = self.folder / "net.safetensors"
        self.file.write_bytes(b"\xff" * 100)
        self.assert_refused("damaged")


if __name__ == "__main__":
    absltest.main()
