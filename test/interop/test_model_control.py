"""Models that clients load, reload and unload."""

import json

import numpy as np
import pytest
import tritonclient.grpc as grpcclient
import tritonclient.http as httpclient
from server import ROOT, Server, running_server
from tritonclient.utils import InferenceServerException

MULTI = ROOT / "test/models/multi_version"


def config(**more) -> str:
    return json.dumps(
        {
            "name": "adder",
            "platform": "onnxruntime_onnx",
            "max_batch_size": 8,
            "input": [{"name": "INPUT0", "data_type": "TYPE_FP32", "dims": [1]}],
            "output": [{"name": "OUTPUT0", "data_type": "TYPE_FP32", "dims": [1]}],
            **more,
        }
    )


def model_file(added: int) -> bytes:
    """Of a model that adds this: 1, 2, 3 or 10."""
    return (MULTI / str(added) / "model.onnx").read_bytes()


@pytest.fixture
def controlled(tmp_path, request) -> Server:
    """One repository with `adder`, which adds 1, and nothing loaded."""
    version = tmp_path / "models/adder/1"
    version.mkdir(parents=True)
    (version / "model.onnx").write_bytes(model_file(1))
    flags = ["--model-control-mode=explicit", f"--grpc-engine={request.config.getoption('--grpc-engine')}"]
    engine = request.config.getoption("--http-engine")
    with running_server(tmp_path / "models", tmp_path / "server.log", engine, flags) as running:
        yield running


@pytest.fixture(params=["http", "grpc"])
def api(controlled, request):
    """The module of a client, and a client."""
    module, url = {"http": (httpclient, controlled.url), "grpc": (grpcclient, controlled.grpc_url)}[request.param]
    with module.InferenceServerClient(url) as client:
        yield module, client


def added(api) -> float:
    module, client = api
    tensor = module.InferInput("INPUT0", [1, 1], "FP32")
    tensor.set_data_from_numpy(np.array([[100]], np.float32))
    return float(client.infer("adder", [tensor]).as_numpy("OUTPUT0")[0, 0]) - 100


def index(api) -> list[dict]:
    module, client = api
    if module is httpclient:
        return client.get_model_repository_index()
    return client.get_model_repository_index(as_json=True).get("models", [])


def is_model_ready(api) -> bool:
    _, client = api
    try:
        return client.is_model_ready("adder")
    except InferenceServerException as error:
        # Over gRPC a model that is not there has a status instead of an answer.
        assert error.status() == "StatusCode.NOT_FOUND"
        return False


def test_load_and_unload(api):
    _, client = api
    assert client.is_server_ready()
    assert index(api) == [{"name": "adder"}]
    client.load_model("adder")
    assert client.is_model_ready("adder")
    assert client.is_model_ready("adder", "1")
    assert index(api) == [{"name": "adder", "version": "1", "state": "READY"}]
    assert added(api) == 1
    client.unload_model("adder")
    assert not is_model_ready(api)
    with pytest.raises(InferenceServerException, match="'adder' has no available versions"):
        added(api)
    client.load_model("adder")
    assert added(api) == 1


def test_configuration_of_the_request(api):
    _, client = api
    client.load_model("adder", config=config(max_batch_size=2))
    assert max_batch_size(api) == 2
    client.load_model("adder", config=config(instance_group=[{"count": 3, "kind": "KIND_CPU"}]))
    assert max_batch_size(api) == 8
    assert added(api) == 1
    with pytest.raises(InferenceServerException, match="ModelConfig has no field 'nonsense'"):
        client.load_model("adder", config=config(nonsense=1))
    assert added(api) == 1


def max_batch_size(api) -> int:
    module, client = api
    if module is httpclient:
        return client.get_model_config("adder")["max_batch_size"]
    return client.get_model_config("adder").config.max_batch_size


def test_files_of_the_request(api):
    _, client = api
    client.load_model("adder", config=config(), files={"file:1/model.onnx": model_file(10)})
    assert added(api) == 10
    client.load_model("adder", config=config(), files={"file:5/model.onnx": model_file(3)})
    assert added(api) == 3
    assert {"name": "adder", "version": "5", "state": "READY"} in index(api)
    client.load_model("adder")
    assert added(api) == 1
    with pytest.raises(InferenceServerException, match="load failed for model 'adder': version 1 is at UNAVAILABLE"):
        client.load_model("adder", config=config(), files={"file:1/model.onnx": b"nonsense"})
    assert added(api) == 1
    with pytest.raises(InferenceServerException, match="expected a path in the model's folder"):
        client.load_model("adder", config=config(), files={"file:../x": b""})


def test_what_cannot_be_loaded(api):
    _, client = api
    with pytest.raises(InferenceServerException, match="failed to load 'nobody', failed to poll from model repository"):
        client.load_model("nobody")
    client.unload_model("nobody", unload_dependents=True)
    assert client.is_server_ready()


def test_loads_are_refused_in_mode_none(server):
    for module, url in ((httpclient, server.url), (grpcclient, server.grpc_url)):
        with module.InferenceServerClient(url) as client:
            with pytest.raises(InferenceServerException, match="explicit model load / unload is not allowed"):
                client.load_model("simple")
            assert client.is_model_ready("simple")
