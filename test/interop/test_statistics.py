"""Statistics over HTTP and over gRPC are the same numbers, member by member, whatever was asked before."""

import numpy as np
import pytest
from decoupled import repeat_inputs, until_final
from streams import Stream
from tensors import make_input, simple_inputs
from tritonclient.utils import InferenceServerException


@pytest.fixture
def traffic(client, grpc_client):
    """An ordinary model, an ensemble and its steps, a decoupled model, and a request that fails."""
    for _ in range(2):
        client.infer("simple", simple_inputs())
    numbers = np.arange(48, dtype=np.int32).reshape(3, 16)
    client.infer("pipeline", [make_input("A", numbers), make_input("B", numbers)])
    with Stream(grpc_client) as stream:
        stream.send("repeat_int32", repeat_inputs([1, 2, 3]), enable_empty_final_response=True)
        assert len(until_final(stream)) == 4
    with pytest.raises(InferenceServerException):
        client.infer("fails_at_run", [make_input("INPUT0", np.array([[1_000_000]]))])


def plain(value):
    """Of both clients the same: gRPC has 64-bit numbers as texts, and leaves out what is 0 or empty."""
    if isinstance(value, dict):
        members = {name: plain(member) for name, member in value.items() if name != "warmup_stats"}
        return {name: member for name, member in members.items() if member not in (0, "", {}, [])}
    if isinstance(value, list):
        return [plain(element) for element in value]
    return int(value) if isinstance(value, str) and value.isdigit() else value


@pytest.mark.parametrize("model", ["simple", "pipeline", "repeat_int32", "fails_at_run"])
def test_http_and_grpc_agree(client, grpc_client, traffic, model):
    over_http = client.get_inference_statistics(model)["model_stats"]
    over_grpc = grpc_client.get_inference_statistics(model, as_json=True)["model_stats"]
    assert plain(over_grpc) == plain(over_http)
    (found,) = over_http
    assert set(found) - {"warmup_stats"} == {
        "name",
        "version",
        "last_inference",
        "inference_count",
        "execution_count",
        "inference_stats",
        "response_stats",
        "batch_stats",
        "memory_usage",
    }
    assert found["memory_usage"] == []


def test_each_kind_of_model_has_its_own_numbers(client, traffic):
    def stats(model: str) -> dict:
        return client.get_inference_statistics(model)["model_stats"][0]

    assert stats("simple")["inference_stats"]["success"]["count"] >= 2
    assert stats("pipeline")["inference_stats"]["success"]["count"] >= 1
    assert {"0", "1", "2"} <= set(stats("repeat_int32")["response_stats"])
    assert stats("fails_at_run")["inference_stats"]["fail"]["count"] >= 1
