"""`multi_version` has versions 1, 2, 3 and 10, which each add their number."""

import numpy as np
import pytest
from raw import get, post_json, send
from tensors import make_input
from tritonclient.utils import InferenceServerException

VERSIONS = ["1", "2", "3", "10"]
ZERO = np.zeros((1, 1), dtype=np.float32)


@pytest.mark.parametrize("version", VERSIONS)
def test_each_version_answers_for_itself(client, version):
    result = client.infer("multi_version", [make_input("INPUT0", ZERO)], model_version=version)
    assert result.get_response()["model_version"] == version
    assert result.as_numpy("OUTPUT0").tolist() == [[float(version)]]


def test_without_a_version_the_highest_number_answers(client):
    assert client.infer("multi_version", [make_input("INPUT0", ZERO)]).get_response()["model_version"] == "10"


@pytest.mark.parametrize(
    ("version", "status", "text"),
    [
        ("4", 404, "Request for unknown model: 'multi_version' version 4 is not found"),
        ("0", 404, "Request for unknown model: 'multi_version' version 0 is not found"),
        (
            "9" * 20,
            400,
            f"failed to get model version from specified version string '{'9' * 20}' (details: stol), "
            "version should be an integral value > 0",
        ),
        ("x", 404, "Not Found"),
    ],
)
def test_versions_that_are_not_there(server, version, status, text):
    for answer in (
        post_json(server, f"/v2/models/multi_version/versions/{version}/infer", {}),
        get(server, f"/v2/models/multi_version/versions/{version}"),
        get(server, f"/v2/models/multi_version/versions/{version}/config"),
    ):
        assert (answer.status, answer.json["error"]) == (status, text)


def test_a_leading_zero_is_the_same_version(server):
    assert get(server, "/v2/models/multi_version/versions/01").json["versions"] == ["1"]


def test_metadata_lists_all_versions_by_number_or_the_one_asked_for(client):
    assert client.get_model_metadata("multi_version")["versions"] == VERSIONS
    assert client.get_model_metadata("multi_version", "2")["versions"] == ["2"]


def test_readiness_of_versions(client):
    assert all(client.is_model_ready("multi_version", version) for version in VERSIONS)
    assert not client.is_model_ready("multi_version", "4")


def test_the_index_has_an_entry_for_each_version(client):
    entries = [entry for entry in client.get_model_repository_index() if entry["name"] == "multi_version"]
    assert entries == [{"name": "multi_version", "version": version, "state": "READY"} for version in VERSIONS]


@pytest.mark.parametrize("body", [b"", b"{}", b'{"ready":true}', b'{"ready":false}'])
def test_the_index_takes_a_filter(server, body):
    answer = send(server, "POST", "/v2/repository/index", body)
    assert answer.status == 200
    assert {"name": "simple", "version": "1", "state": "READY"} in answer.json


@pytest.mark.parametrize("body", [b'{"ready":1}', b'{"ready":"true"}', b"{", b"[]", b"1"])
def test_a_bad_filter_is_refused(server, body):
    answer = send(server, "POST", "/v2/repository/index", body)
    assert answer.status == 400
    assert answer.json["error"]


def test_statistics_are_those_of_the_version(client):
    def count(version):
        (statistics,) = client.get_inference_statistics("multi_version", version)["model_stats"]
        assert statistics["version"] == version
        return statistics["inference_count"]

    before = {version: count(version) for version in VERSIONS}
    client.infer("multi_version", [make_input("INPUT0", ZERO)], model_version="3")
    assert {version: count(version) - before[version] for version in VERSIONS} == {"1": 0, "2": 0, "3": 1, "10": 0}
    listed = client.get_inference_statistics("multi_version")["model_stats"]
    assert [statistics["version"] for statistics in listed] == VERSIONS


@pytest.mark.parametrize(
    ("model", "version", "text"),
    [
        ("multi_version", "4", "requested model version is not available for model 'multi_version'"),
        ("no_such_model", "", "requested model 'no_such_model' is not available"),
        ("no_such_model", "1", "requested model 'no_such_model' is not available"),
    ],
)
def test_statistics_of_what_is_not_there(client, model, version, text):
    with pytest.raises(InferenceServerException) as caught:
        client.get_inference_statistics(model, version)
    assert (caught.value.status(), caught.value.message()) == ("400", text)
