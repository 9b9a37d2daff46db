"""The response cache, as clients of Triton see it: the answers, and what the statistics say of them."""

import shutil

import numpy as np
import pytest
import tritonclient.grpc as grpcclient
import tritonclient.http as httpclient
from server import ROOT, Server, running_server

VALUES = np.arange(16, dtype=np.int32).reshape(1, 16)


@pytest.fixture
def caching(tmp_path, request) -> Server:
    models = tmp_path / "models"
    shutil.copytree(ROOT / "examples/models/simple", models / "simple")
    with (models / "simple/config.pbtxt").open("a") as config:
        config.write("\nresponse_cache { enable: true }\n")
    flags = [f"--grpc-engine={request.config.getoption('--grpc-engine')}", "--cache-config=local,size=1000000"]
    with running_server(models, tmp_path / "log", request.config.getoption("--http-engine"), flags) as running:
        yield running


def ask(client, module, request_id):
    inputs = [module.InferInput(name, VALUES.shape, "INT32") for name in ("INPUT0", "INPUT1")]
    for tensor in inputs:
        tensor.set_data_from_numpy(VALUES)
    return client.infer("simple", inputs, request_id=request_id)


def test_both_clients_get_the_answer_that_one_of_them_caused(caching):
    with httpclient.InferenceServerClient(caching.url) as http, grpcclient.InferenceServerClient(caching.grpc_url) as grpc:
        answers = [ask(http, httpclient, "a"), ask(http, httpclient, "b"), ask(grpc, grpcclient, "c")]
        for answer in answers:
            np.testing.assert_array_equal(answer.as_numpy("OUTPUT0"), VALUES + VALUES)
            np.testing.assert_array_equal(answer.as_numpy("OUTPUT1"), VALUES - VALUES)
        assert [answers[0].get_response()["id"], answers[1].get_response()["id"], answers[2].get_response().id] == ["a", "b", "c"]

        stats = http.get_inference_statistics("simple")["model_stats"][0]
        counts = {name: value["count"] for name, value in stats["inference_stats"].items()}
        assert counts["success"] == 3 and counts["cache_hit"] == 2 and counts["cache_miss"] == 1
        assert counts["compute_infer"] == stats["execution_count"] == stats["inference_count"] == 1
        by_grpc = grpc.get_inference_statistics("simple").model_stats[0].inference_stats
        assert (by_grpc.cache_hit.count, by_grpc.cache_miss.count) == (2, 1)
        assert by_grpc.cache_hit.ns == stats["inference_stats"]["cache_hit"]["ns"] > 0
        assert http.get_model_config("simple")["response_cache"] == {"enable": True}
