import pytest
import tritonclient.http.aio as aioclient
from raw import get

COUNTERS = ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output", "cache_hit", "cache_miss")


def test_server_is_live_and_ready(client):
    assert client.is_server_live()
    assert client.is_server_ready()


def test_a_known_model_is_ready_and_an_unknown_one_is_not(client):
    assert client.is_model_ready("simple")
    assert client.is_model_ready("simple", "1")
    assert not client.is_model_ready("simple", "99")
    assert not client.is_model_ready("no_such_model")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v2/health/live", {"live": True}),
        ("/v2/health/ready", {"ready": True}),
        ("/v2/models/simple/ready", {"name": "simple", "ready": True}),
    ],
)
def test_health_has_the_bodies_that_kserve_parses(server, path, body):
    answer = get(server, path)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json == body


def test_server_metadata_lists_the_extensions_that_perf_analyzer_looks_for(client):
    metadata = client.get_server_metadata()
    assert metadata["name"] == "triton"
    assert metadata["version"]
    assert {"classification", "model_configuration", "binary_tensor_data", "statistics"} <= set(metadata["extensions"])


def test_model_metadata_has_the_batch_dimension_in_front(client):
    metadata = client.get_model_metadata("simple")
    assert metadata["name"] == "simple"
    assert metadata["versions"] == ["1"]
    assert metadata["platform"] == "onnxruntime_onnx"
    tensor = {"datatype": "INT32", "shape": [-1, 16]}
    assert metadata["inputs"] == [{"name": "INPUT0", **tensor}, {"name": "INPUT1", **tensor}]
    assert metadata["outputs"] == [{"name": "OUTPUT0", **tensor}, {"name": "OUTPUT1", **tensor}]


def test_model_config_has_dims_without_the_batch_dimension(client):
    config = client.get_model_config("simple")
    assert config["name"] == "simple"
    assert config["max_batch_size"] > 0
    assert [tensor["name"] for tensor in config["input"]] == ["INPUT0", "INPUT1"]
    assert config["input"][0]["data_type"] == "TYPE_INT32"
    assert [int(dim) for dim in config["input"][0]["dims"]] == [16]


def test_every_ready_model_has_metadata_config_and_statistics(client):
    for model in client.get_model_repository_index():
        if model.get("state") == "READY":
            assert client.get_model_metadata(model["name"])["name"] == model["name"]
            assert client.get_model_config(model["name"])["name"] == model["name"]
            assert client.get_inference_statistics(model["name"])["model_stats"][0]["name"] == model["name"]


def test_repository_index_is_sorted_and_says_what_is_ready(client):
    index = client.get_model_repository_index()
    names = [model["name"] for model in index]
    assert names == sorted(names)
    assert {"name": "simple", "version": "1", "state": "READY"} in index


def test_statistics_have_every_member_that_clients_read(client):
    (statistics,) = client.get_inference_statistics("simple", "1")["model_stats"]
    assert statistics["version"] == "1"
    for counter in COUNTERS:
        assert set(statistics["inference_stats"][counter]) == {"count", "ns"}
    assert {"last_inference", "inference_count", "execution_count", "batch_stats"} <= set(statistics)


def test_statistics_of_all_models_cover_each_ready_model(client):
    listed = {model["name"] for model in client.get_inference_statistics()["model_stats"]}
    ready = {model["name"] for model in client.get_model_repository_index() if model.get("state") == "READY"}
    assert listed == ready


def test_metadata_is_the_same_by_sync_and_asyncio_client(server, client, run_async):
    async def ask():
        async with aioclient.InferenceServerClient(server.url) as connected:
            assert await connected.is_server_live()
            assert await connected.is_server_ready()
            assert await connected.is_model_ready("simple")
            return (
                await connected.get_server_metadata(),
                await connected.get_model_metadata("simple"),
                await connected.get_model_config("simple"),
                await connected.get_model_repository_index(),
            )

    assert run_async(ask()) == (
        client.get_server_metadata(),
        client.get_model_metadata("simple"),
        client.get_model_config("simple"),
        client.get_model_repository_index(),
    )
