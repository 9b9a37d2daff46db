"""Trace settings, by the clients over HTTP and gRPC."""

import pytest
import tritonclient.grpc as grpcclient
import tritonclient.http as httpclient
from server import ROOT, running_server
from tritonclient.utils import InferenceServerException

OFF = {
    "trace_level": ["OFF"],
    "trace_rate": "1000",
    "trace_count": "-1",
    "log_frequency": "0",
    "trace_file": "trace.json",
    "trace_mode": "triton",
}


class Grpc:
    """The gRPC client, with settings as those of HTTP are."""

    def __init__(self, client):
        self.client = client

    def get_trace_settings(self, model_name=None):
        return self.plain(self.client.get_trace_settings(model_name=model_name))

    def update_trace_settings(self, model_name=None, settings={}):
        return self.plain(self.client.update_trace_settings(model_name=model_name, settings=settings))

    def plain(self, response):
        values = {name: list(setting.value) for name, setting in response.settings.items()}
        return {name: value if name == "trace_level" else value[0] for name, value in values.items()}


@pytest.fixture(scope="module")
def traced(tmp_path_factory, request):
    folder = tmp_path_factory.mktemp("traced")
    flags = [
        "--trace-config=triton,file=trace.json",
        "--model-control-mode=explicit",
        "--load-model=simple",
        f"--grpc-engine={request.config.getoption('--grpc-engine')}",
    ]
    models, engine = ROOT / "examples/models", request.config.getoption("--http-engine")
    with running_server(models, folder / "server.log", engine, flags) as running:
        yield running


@pytest.fixture(params=["http", "grpc"])
def client(traced, request):
    if request.param == "http":
        with httpclient.InferenceServerClient(traced.url) as connected:
            yield connected
    else:
        with grpcclient.InferenceServerClient(traced.grpc_url) as connected:
            yield Grpc(connected)


def test_defaults(client):
    assert client.get_trace_settings() == OFF
    assert client.get_trace_settings(model_name="simple") == OFF


def test_a_model_follows_the_server_where_it_says_nothing(client):
    own = {"trace_level": ["TIMESTAMPS", "TENSORS"], "trace_rate": "5"}
    assert client.update_trace_settings(model_name="simple", settings=own) == {**OFF, **own}
    changed = {"trace_rate": "7", "trace_count": "9"}
    assert client.update_trace_settings(settings=changed) == {**OFF, **changed}
    assert client.get_trace_settings(model_name="simple") == {**OFF, **own, "trace_count": "9"}
    client.update_trace_settings(model_name="simple", settings={"trace_level": None, "trace_rate": None})
    assert client.get_trace_settings(model_name="simple") == client.get_trace_settings()
    assert client.update_trace_settings(settings={"trace_rate": None, "trace_count": None}) == OFF


@pytest.mark.parametrize(
    "settings, text",
    [
        ({"trace_file": "other"}, "trace file location can not be updated through network protocol"),
        ({"trace_level": ["OFF", "TENSORS"]}, "Expect only one trace level 'OFF' is specified"),
        ({"trace_rate": "x"}, "Unable to parse 'trace_rate', got: x"),
        ({"trace_count": "-2"}, "Unable to parse 'trace_count'. Expecting value >= -1, got:-2"),
        (
            {"trace_level": ["TENSORS"], "trace_rate": "0"},
            "Attempting to set invalid trace setting :sample rate must be non-zero",
        ),
    ],
)
def test_what_cannot_be_is_refused(client, settings, text):
    with pytest.raises(InferenceServerException) as refusal:
        client.update_trace_settings(settings=settings)
    assert refusal.value.message() == text
    assert client.get_trace_settings() == OFF


def test_an_unknown_model(client):
    with pytest.raises(InferenceServerException) as refusal:
        client.get_trace_settings(model_name="nope")
    assert refusal.value.message() == "Request for unknown model : nope"
