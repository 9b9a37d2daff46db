"""Ensembles that clients load and unload, in mode explicit: what comes and goes with them."""

import json
import shutil

import numpy as np
import pytest
import tritonclient.grpc as grpcclient
import tritonclient.http as httpclient
from server import ROOT, Server, running_server
from tritonclient.utils import InferenceServerException

FOLDERS = ("examples/models/simple", *(f"test/interop/models/{name}" for name in ("total", "upper", "pipeline", "nested")))
STEPS = {"simple", "total"}
BROKEN = """
name: "broken"
platform: "ensemble"
input [ { name: "A" data_type: TYPE_STRING dims: [ 1 ] } ]
output [ { name: "B" data_type: TYPE_STRING dims: [ 1 ] } ]
ensemble_scheduling {
  step [
    {
      model_name: "nobody"
      model_version: -1
      input_map { key: "TEXT" value: "A" }
      output_map { key: "UPPER" value: "B" }
    }
  ]
}
"""


@pytest.fixture
def controlled(tmp_path, request) -> Server:
    """The models of `nested`, none of them loaded, and an ensemble that cannot be."""
    models = tmp_path / "models"
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, models / folder.split("/")[-1])
    (models / "broken/1").mkdir(parents=True)
    (models / "broken/config.pbtxt").write_text(BROKEN)
    flags = ["--model-control-mode=explicit", f"--grpc-engine={request.config.getoption('--grpc-engine')}"]
    engine = request.config.getoption("--http-engine")
    with running_server(models, tmp_path / "server.log", engine, flags) as running:
        yield running


@pytest.fixture(params=["http", "grpc"])
def api(controlled, request):
    """The module of a client, and a client."""
    module, url = {"http": (httpclient, controlled.url), "grpc": (grpcclient, controlled.grpc_url)}[request.param]
    with module.InferenceServerClient(url) as client:
        yield module, client


def index(api) -> dict[str, dict]:
    module, client = api
    if module is httpclient:
        return {model["name"]: model for model in client.get_model_repository_index()}
    return {model["name"]: model for model in client.get_model_repository_index(as_json=True).get("models", [])}


def ready(api) -> set[str]:
    return {name for name, model in index(api).items() if model.get("state") == "READY"}


def text(api, model: str = "nested", output: str = "LOUD") -> str:
    module, client = api
    ones = np.ones((1, 16), np.int32)
    inputs = [module.InferInput(name, [1, 16], "INT32").set_data_from_numpy(ones) for name in ("A", "B")]
    return client.infer(model, inputs).as_numpy(output)[0, 0].decode()


def config_of(api, model: str) -> dict:
    module, client = api
    return client.get_model_config(model) if module is httpclient else client.get_model_config(model, as_json=True)["config"]


def test_an_ensemble_brings_its_steps(api):
    _, client = api
    assert index(api) == {name: {"name": name} for name in ("broken", "nested", "pipeline", "simple", "total", "upper")}
    client.load_model("pipeline")
    assert ready(api) == {"pipeline", *STEPS}
    assert index(api)["pipeline"] == {"name": "pipeline", "version": "1", "state": "READY"}
    client.load_model("nested")
    assert ready(api) == {"nested", "pipeline", "upper", *STEPS}
    assert text(api) == "THE SUM IS 32"


def test_an_unload_leaves_the_steps_or_takes_them_along(api):
    _, client = api
    client.load_model("nested")
    client.unload_model("nested")
    assert ready(api) == {"pipeline", "upper", *STEPS}
    client.load_model("nested")
    client.unload_model("nested", unload_dependents=True)
    assert ready(api) == set()
    assert index(api)["nested"]["reason"] == "unloaded"
    assert client.is_server_ready()


def test_a_step_that_was_asked_for_or_that_others_use_stays(api):
    _, client = api
    client.load_model("simple")
    client.load_model("pipeline")
    client.unload_model("pipeline", unload_dependents=True)
    assert ready(api) == {"simple"}
    client.load_model("pipeline")
    client.load_model("nested")
    client.unload_model("nested", unload_dependents=True)
    assert ready(api) == {"pipeline", *STEPS}
    assert text(api, "pipeline", "TEXT") == "the sum is 32"


def test_ensembles_go_and_come_with_their_steps(api):
    _, client = api
    client.load_model("nested")
    client.unload_model("total")
    assert ready(api) == {"simple", "upper"}
    assert index(api)["nested"] == {"name": "nested", "version": "1", "state": "UNAVAILABLE", "reason": "unloaded"}
    with pytest.raises(InferenceServerException, match="Request for unknown model: 'nested' has no available versions"):
        text(api)
    client.load_model("total")
    assert ready(api) == {"nested", "pipeline", "upper", *STEPS}
    assert text(api) == "THE SUM IS 32"


def test_an_ensemble_without_its_step_says_which(api):
    _, client = api
    reason = "load failed for model 'broken': ensemble broken contains models that are not available or ambiguous: nobody"
    with pytest.raises(InferenceServerException, match=reason):
        client.load_model("broken")
    assert client.is_server_ready()
    assert ready(api) == set()


def test_a_configuration_of_the_request(api):
    module, client = api
    client.load_model("pipeline")
    config = config_of(api, "pipeline")
    client.load_model("pipeline", config=json.dumps({**config, "max_batch_size": 2}))
    ones = np.ones((3, 16), np.int32)
    inputs = [module.InferInput(name, [3, 16], "INT32").set_data_from_numpy(ones) for name in ("A", "B")]
    with pytest.raises(InferenceServerException, match="inference request batch-size must be <= 2 for 'pipeline'"):
        client.infer("pipeline", inputs)
    with pytest.raises(InferenceServerException, match="ensemble pipeline allows maximum batch size 16, but it contains model"):
        client.load_model("pipeline", config=json.dumps({**config, "max_batch_size": 16}))
    # As in Triton: an ensemble that its steps do not let serve is gone until it is repaired.
    with pytest.raises(InferenceServerException, match="'pipeline' has no available versions"):
        client.infer("pipeline", inputs)
    client.load_model("pipeline")
    assert config_of(api, "pipeline")["max_batch_size"] == 8
    assert text(api, "pipeline", "TEXT") == "the sum is 32"


def test_other_code_of_a_step_in_the_request(api):
    """A model in JavaScript whose file comes with the load request; the ensemble above it is made anew."""
    _, client = api
    client.load_model("nested")
    config = config_of(api, "upper")
    code = (ROOT / "test/interop/models/upper/1/model.js").read_text().replace("text.toUpperCase()", "`<${text}>`")
    client.load_model("upper", config=json.dumps(config), files={"file:1/model.js": code.encode()})
    assert text(api) == "<the sum is 32>"
    client.load_model("upper")
    assert text(api) == "THE SUM IS 32"
