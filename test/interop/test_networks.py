"""Whole TensorFlow networks with random weights: what the server answers is what TensorFlow answers."""

import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

import numpy as np
import pytest
import tritonclient.grpc as grpcclient
import tritonclient.http as httpclient
from server import ROOT, Server, running_server
from tritonclient.utils import np_to_triton_dtype

pytestmark = pytest.mark.networks

# Forms are those of `networks/forms.py`: a frozen graph, and SavedModels in the style of TensorFlow 1 and 2.
GRAPH, OLD, NEW = "graphdef", "saved_v1", "saved_v2"
NETWORKS = {
    "densenet121": (GRAPH, OLD),
    "efficientnet_b0": (GRAPH, NEW),
    "inception_resnet_v2": (GRAPH, OLD),
    "inception_v1": (GRAPH, NEW),
    "inception_v3": (GRAPH, NEW),
    "inception_v4": (GRAPH, OLD),
    "mobilenet": (GRAPH, OLD, NEW),
    "mobilenet_v2": (GRAPH, NEW),
    "mobilenet_v3": (GRAPH, OLD),
    "resnet50": (GRAPH, NEW),
    "resnet50_v2": (GRAPH, NEW),
    "vgg16": (GRAPH, OLD),
    "xception": (GRAPH, NEW),
    "ssd_mobilenet": (GRAPH, OLD, NEW),
    "dense": (GRAPH, OLD, NEW),
    "film": (GRAPH, OLD, NEW),
    "fused": (GRAPH, OLD, NEW),
    "gru": (GRAPH, NEW),
    "lstm": (GRAPH, NEW),
    "recurrent": (GRAPH, OLD, NEW),
    "thumbnail": (GRAPH, OLD, NEW),
}
CASES = [(network, form) for network, forms in NETWORKS.items() for form in forms]

TOLERANCE = {"rtol": 1e-4, "atol": 1e-5}
LEAST_DIFFERENCE = 1e-3
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Example:
    inputs: Arrays
    outputs: Arrays


class Maker:
    """TensorFlow in a process of its own, which makes networks one by one."""

    def __init__(self, folder: Path):
        command = [ROOT / ".venv-tensorflow/bin/python", ROOT / "test/interop/networks/make.py"]
        self.folder = folder
        self.log = folder / "make.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )

    def make(self, network: str, form: str) -> Example:
        print(network, form, self.folder, file=self.process.stdin, flush=True)
        said = self.process.stdout.readline()
        assert said == "made\n", f"{network} was not made as {form}:\n{self.log.read_text()[-5000:]}"
        with np.load(self.folder / f"{network}_{form}.npz") as arrays:
            return Example(named(arrays, "in:"), named(arrays, "out:"))

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def named(arrays, prefix: str) -> Arrays:
    return {name.removeprefix(prefix): arrays[name] for name in arrays.files if name.startswith(prefix)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("networks")
    (made / "models").mkdir()
    (made / "cache").mkdir()
    return made


@pytest.fixture(scope="module")
def maker(folder):
    maker = Maker(folder)
    yield maker
    maker.close()


@pytest.fixture(scope="module")
def controlled(folder, request) -> Server:
    flags = [
        "--model-control-mode=explicit",
        f"--backend-config=tensorflow,cache-directory={folder / 'cache'}",
        f"--grpc-engine={request.config.getoption('--grpc-engine')}",
    ]
    engine = request.config.getoption("--http-engine")
    with running_server(folder / "models", folder / "server.log", engine, flags) as running:
        yield running


@pytest.fixture(scope="module")
def clients(controlled):
    """The module of each client, and the client."""
    with (
        httpclient.InferenceServerClient(controlled.url, network_timeout=120) as over_http,
        grpcclient.InferenceServerClient(controlled.grpc_url) as over_grpc,
    ):
        yield (httpclient, over_http), (grpcclient, over_grpc)


def infer(api, model: str, inputs: Arrays) -> Arrays:
    module, client = api
    tensors = []
    for name, values in inputs.items():
        tensor = module.InferInput(name, list(values.shape), np_to_triton_dtype(values.dtype))
        tensor.set_data_from_numpy(values)
        tensors.append(tensor)
    metadata = client.get_model_metadata(model)
    outputs = metadata["outputs"] if module is httpclient else [{"name": each.name} for each in metadata.outputs]
    result = client.infer(model, tensors)
    return {output["name"]: result.as_numpy(output["name"]) for output in outputs}


def assert_close(answers: Arrays, expected: Arrays) -> None:
    assert answers.keys() == expected.keys()
    for name, values in expected.items():
        assert answers[name].dtype == values.dtype, name
        # A row of one number has one dimension in a configuration, which knows no row of none.
        shaped = values[:, np.newaxis] if values.ndim == 1 else values
        np.testing.assert_allclose(answers[name], shaped, **TOLERANCE, err_msg=name)


def assert_says_something(example: Example) -> None:
    """Of numbers that hardly depend on the input, any would do."""
    for name, values in example.outputs.items():
        if values.dtype.kind == "f":
            assert np.abs(values[0] - values[1]).max() > LEAST_DIFFERENCE, f"{name}: rows are the same"


def row(arrays: Arrays, index: int) -> Arrays:
    return {name: values[index : index + 1] for name, values in arrays.items()}


@contextmanager
def loaded(model: str, client: httpclient.InferenceServerClient, folder: Path) -> Iterator[None]:
    """Nothing of it stays, because all networks together are large."""
    try:
        client.load_model(model)
        yield
        client.unload_model(model)
    finally:
        shutil.rmtree(folder / "models" / model)
        for file in (folder / "cache").iterdir():
            file.unlink()


@pytest.mark.parametrize("network, form", CASES, ids=[f"{network}-{form}" for network, form in CASES])
def test_network_answers_as_tensorflow_does(network, form, folder, maker, clients):
    over_http, over_grpc = clients
    example = maker.make(network, form)
    assert_says_something(example)
    model = f"{network}_{form}"
    with loaded(model, over_http[1], folder):
        assert_close(infer(over_http, model, example.inputs), example.outputs)
        assert_close(infer(over_grpc, model, row(example.inputs, 1)), row(example.outputs, 1))
