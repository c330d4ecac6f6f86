"""Devices: chosen where there are such, and named where there are not."""

import contextlib
from unittest import mock

import jax
import numpy as np
from absl.testing import absltest, parameterized

from kdsharp.base import optional
from kdsharp.errors import UserError
from kdsharp.evaluation.bench.backends import BACKENDS, lacks
from kdsharp.runtime import backends, planes
from kdsharp.runtime.options import RestoreOptions
from tests.cli.running import run
from tests.export import random_networks

_LUMA = dict(name="real_time", channels=1, width=6)
_INSTALLED = [name for name, entry in backends.BACKENDS.items() if entry.installed]
_ALL = absltest.skipUnless(
    optional.installed("openvino", "onnxruntime", "onnx"), "needs every backend"
)


@contextlib.contextmanager
def _openvino_with(*devices):
    """Lets OpenVINO find these devices, and compile for the CPU whatever is asked."""
    import openvino

    from kdsharp.export import openvino_core

    asked, core = [], openvino.Core()
    compile_model = core.compile_model

    def compiled(model, device, settings):
        asked.append((device, dict(settings)))
        return compile_model(model, "CPU", {})

    told = mock.Mock(wraps=core)
    told.available_devices = list(devices)
    told.compile_model = compiled
    with mock.patch.object(openvino_core, "core", lambda: told):
        yield asked


@contextlib.contextmanager
def _onnxruntime_with(*providers):
    """Lets onnxruntime be a build with these providers; no session starts them."""
    import onnxruntime

    built = [*providers, "CPUExecutionProvider"]
    with mock.patch.object(onnxruntime, "get_available_providers", lambda: built):
        yield


class DevicesTest(parameterized.TestCase):
    @parameterized.product(backend=_INSTALLED, device=("", "cpu", "auto"))
    def test_a_machine_without_others_computes_on_its_processor(self, backend, device):
        network = random_networks.create(_LUMA)
        plane = np.random.default_rng(0).integers(16, 235, (9, 13), np.uint8)
        wanted = planes.create(network, 13, 9, backend="jax")(plane)
        restore = planes.create(network, 13, 9, backend=backend, device=device)
        found = restore(plane)
        self.assertLessEqual(np.abs(found.astype(int) - wanted).max(), 1)

    @parameterized.product(backend=_INSTALLED, device=("gpu", "npu"))
    def test_a_device_that_is_missing_is_a_sentence(self, backend, device):
        wanted = f"no device '{device}' here: {backend} finds cpu"
        with self.assertRaisesRegex(UserError, wanted):
            RestoreOptions(backend=backend, device=device)
        with self.assertRaisesRegex(UserError, wanted):
            planes.create(
                random_networks.create(_LUMA), 13, 9, backend=backend, device=device
            )

    def test_every_backend_that_is_installed_is_asked(self):
        finds = "; ".join(f"{name} finds cpu" for name in _INSTALLED)
        for verb in (("sharpen", "a.jpg"), ("video", "a.mp4", "b.mp4")):
            status, _, complaint = run(*verb, "--device", "gpu")
            self.assertEqual(status, 2)
            self.assertStartsWith(complaint, f"kdsharp: no device 'gpu' here: {finds}")
            self.assertEqual(complaint.count("\n"), 1)

    def test_an_unknown_device_is_a_sentence(self):
        wanted = "unknown device 'tpu'; choose one of: cpu, gpu, npu, auto"
        with self.assertRaisesRegex(UserError, wanted):
            RestoreOptions(device="tpu")
        status, _, complaint = run("bench", "--weights", "rt-s-call", "--device", "tpu")
        self.assertEqual((status, complaint), (2, f"kdsharp: {wanted}\n"))

    @parameterized.parameters("jax", "torch", "torch-compiled")
    def test_bench_says_what_has_no_such_device(self, backend):
        if not BACKENDS[backend].installed:
            self.skipTest(f"{backend} is not installed")
        status, _, complaint = run(
            *("bench", "--weights", "rt-s-codec", "--size", "16x16"),
            *("--backend", backend, "--device", "npu", "--pixels", "plane"),
        )
        self.assertEqual(status, 2)
        self.assertIn("it finds no npu, only cpu", complaint)

    def test_bench_says_which_backends_choose_their_device(self):
        self.assertIn("leave out --device", lacks("ncnn", "gpu"))
        self.assertEqual(lacks("ncnn", ""), "")

    @_ALL
    def test_auto_is_bfloat16_where_the_processor_has_it(self):
        for able, device, wanted in (
            (["FP32", "BF16", "INT8"], "", "bfloat16"),
            (["FP32", "BF16", "INT8"], "auto", "bfloat16"),
            (["FP32", "INT8"], "cpu", "float32"),
        ):
            with mock.patch("kdsharp.export.openvino_core.core") as core:
                core().available_devices = ["CPU"]
                core().get_property.return_value = able
                chosen = backends.choose_dtype("auto", "openvino", device)
            self.assertEqual(chosen, wanted)

    def test_auto_is_float32_elsewhere(self):
        self.assertEqual(backends.choose_dtype("auto", "jax"), "float32")
        self.assertEqual(backends.choose_dtype("int8", "jax"), "int8")

    @_ALL
    def test_the_fastest_backend_that_has_the_device_is_taken(self):
        none = _openvino_with("CPU"), _onnxruntime_with()
        gpu = _openvino_with("CPU", "GPU.0", "GPU.1"), _onnxruntime_with()
        cuda = _openvino_with("CPU"), _onnxruntime_with("CUDAExecutionProvider")
        npu = _openvino_with("CPU", "NPU"), _onnxruntime_with("DmlExecutionProvider")
        for (one, other), device, wanted in (
            (none, "auto", "openvino"),
            (gpu, "gpu", "openvino"),
            (gpu, "auto", "openvino"),
            (cuda, "gpu", "onnxruntime"),
            (cuda, "auto", "onnxruntime"),
            (cuda, "cpu", "openvino"),
            (cuda, "", "openvino"),
            (npu, "npu", "openvino"),
            (npu, "gpu", "onnxruntime"),
        ):
            # Each is used more than once.
            one, other = one._recreate_cm(), other._recreate_cm()
            with one, other, self.subTest(f"{device} {wanted}"):
                self.assertEqual(backends.choose("auto", "float32", device), wanted)


@_ALL
class OpenvinoTest(absltest.TestCase):
    def create(self, device, **how):
        network = random_networks.create(_LUMA)
        how = {"backend": "openvino", "device": device, **how}
        return planes.create(network, 13, 9, **how)

    def test_a_gpu_is_asked_for_and_told_no_cores(self):
        with _openvino_with("CPU", "GPU") as asked:
            for device in ("gpu", "auto"):
                self.create(device, threads=2)
        wanted = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        self.assertEqual(asked, [("GPU", wanted)] * 2)

    def test_an_npu_computes_in_its_own_precision(self):
        with _openvino_with("CPU", "NPU") as asked:
            self.create("npu")
        wanted = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f16"}
        self.assertEqual(asked, [("NPU", wanted)])

    def test_a_gpu_does_not_compute_in_bfloat16(self):
        with (
            _openvino_with("CPU", "GPU"),
            self.assertRaisesRegex(UserError, "bfloat16: give --dtype float32 or int8"),
        ):
            self.create("gpu", dtype="bfloat16")

    def test_pictures_are_not_for_an_npu(self):
        from kdsharp.runtime import restore

        with (
            _openvino_with("CPU", "NPU"),
            self.assertRaisesRegex(UserError, "one size only"),
        ):
            restore.load("rt-s-call", backend="openvino", device="npu")

    def test_what_a_device_refuses_is_a_sentence(self):
        from kdsharp.runtime.backends import openvino_backend

        # OpenVINO itself refuses: there is no such device here.
        if "gpu" in openvino_backend.devices():
            self.skipTest("there is a GPU")
        with self.assertRaisesRegex(UserError, "OpenVINO's GPU refuses the network: "):
            openvino_backend.compile_graph(_graph(), backends.Compute(device="gpu"))


@_ALL
class OnnxruntimeTest(absltest.TestCase):
    def test_a_provider_that_does_not_start_is_a_sentence(self):
        from kdsharp.runtime.backends import onnxruntime_backend

        # This build knows of none of them, and falls back to the processor.
        for provider, device in (
            ("CUDAExecutionProvider", "gpu"),
            ("DmlExecutionProvider", "gpu"),
            ("CoreMLExecutionProvider", "gpu"),
            ("QNNExecutionProvider", "npu"),
        ):
            with (
                _onnxruntime_with(provider),
                self.assertRaisesRegex(UserError, f"onnxruntime's {provider} does not"),
            ):
                onnxruntime_backend.compile_graph(
                    _graph(), backends.Compute(device=device)
                )

    def test_providers_are_asked_for_in_their_order_with_the_processor_last(self):
        import onnxruntime

        from kdsharp.runtime.backends import onnxruntime_backend

        session = onnxruntime.InferenceSession
        asked = []

        def created(graph, options, providers):
            asked.append(providers)
            made = session(graph, options, providers=["CPUExecutionProvider"])
            told = mock.Mock(wraps=made)
            told.get_providers.return_value = [name for name, _ in providers]
            return told

        with mock.patch.object(onnxruntime, "InferenceSession", created):
            for provider, device in (
                ("CoreMLExecutionProvider", "npu"),
                ("DmlExecutionProvider", "gpu"),
            ):
                with _onnxruntime_with(provider):
                    self.assertIn(device, onnxruntime_backend.devices())
                    onnxruntime_backend.compile_graph(
                        _graph(), backends.Compute(device=device)
                    )
        processor = ("CPUExecutionProvider", {})
        unit = {"MLComputeUnits": "CPUAndNeuralEngine"}
        self.assertEqual(
            asked,
            [
                [("CoreMLExecutionProvider", unit), processor],
                [("DmlExecutionProvider", {}), processor],
            ],
        )


class JaxTest(absltest.TestCase):
    def test_the_network_lies_on_the_device(self):
        put, where = jax.device_put, []

        def noted(value, device=None):
            where.append(device)
            return put(value, device)

        network = random_networks.create(_LUMA)
        with mock.patch.object(jax, "device_put", noted):
            for device in ("", "cpu"):
                planes.create(network, 13, 9, backend="jax", device=device)
        self.assertEqual(where, [None, jax.devices("cpu")[0]])


def _graph() -> bytes:
    from kdsharp.export import onnx_models

    network = random_networks.create(_LUMA)
    made = onnx_models.plane_model(
        network,
        13,
        9,
        range_="studio",
        depth=8,
        strength=1.0,
        rgb=False,
        quantization=None,
    )
    return made.SerializeToString()


if __name__ == "__main__":
    absltest.main()
