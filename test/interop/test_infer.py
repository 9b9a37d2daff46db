from itertools import product

import numpy as np
import pytest
import tritonclient.http as httpclient
from raw import send
from tensors import SIMPLE_A, SIMPLE_B, assert_simple_result, simple_inputs, simple_outputs

EITHER = (True, False)


@pytest.mark.parametrize(("binary_a", "binary_b"), list(product(EITHER, EITHER)))
@pytest.mark.parametrize(("binary_sum", "binary_difference"), list(product(EITHER, EITHER)))
def test_binary_and_json_mix_freely(client, binary_a, binary_b, binary_sum, binary_difference):
    outputs = simple_outputs(binary_sum, binary_difference)
    result = client.infer("simple", simple_inputs(binary_a, binary_b), outputs=outputs)
    assert_simple_result(result)
    assert ("data" in result.get_output("OUTPUT0")) == (not binary_sum)
    assert ("data" in result.get_output("OUTPUT1")) == (not binary_difference)


def test_without_a_list_of_outputs_all_come_back_binary(client):
    result = client.infer("simple", simple_inputs())
    assert_simple_result(result)
    assert result.get_output("OUTPUT0")["parameters"] == {"binary_data_size": 64}


def test_only_the_outputs_asked_for_come_back(client):
    result = client.infer("simple", simple_inputs(), outputs=[httpclient.InferRequestedOutput("OUTPUT1")])
    assert result.as_numpy("OUTPUT0") is None
    np.testing.assert_array_equal(result.as_numpy("OUTPUT1"), SIMPLE_A - SIMPLE_B)


@pytest.mark.parametrize("rows", [1, 2, 7, 8])
def test_a_request_may_bring_several_rows(client, rows):
    a = np.arange(rows * 16, dtype=np.int32).reshape(rows, 16)
    b = np.flip(a)
    assert_simple_result(client.infer("simple", simple_inputs(a=a, b=b)), a, b)


def test_the_id_comes_back_and_only_where_there_was_one(client):
    with_id = client.infer("simple", simple_inputs(), request_id="my-id-42").get_response()
    assert with_id["id"] == "my-id-42"
    without = client.infer("simple", simple_inputs()).get_response()
    assert "id" not in without
    assert without["model_name"] == "simple"
    assert without["model_version"] == "1"


def test_a_version_may_be_named(client):
    result = client.infer("simple", simple_inputs(), model_version="1")
    assert result.get_response()["model_version"] == "1"


def test_priority_timeout_and_own_parameters_are_taken(client):
    result = client.infer(
        "simple",
        simple_inputs(),
        priority=1,
        timeout=5_000_000,
        parameters={"text": "x", "count": 3, "flag": True, "fraction": 0.5},
    )
    assert_simple_result(result)


def test_a_body_built_offline_is_the_body_that_infer_sends(server):
    body, head_bytes = httpclient.InferenceServerClient.generate_request_body(simple_inputs(), outputs=simple_outputs())
    headers = {"Inference-Header-Content-Length": str(head_bytes)}
    answer = send(server, "POST", "/v2/models/simple/infer", body, headers)
    assert answer.headers["Content-Type"] == "application/octet-stream"
    answer_head_bytes = int(answer.headers["Inference-Header-Content-Length"])
    parsed = httpclient.InferenceServerClient.parse_response_body(answer.body, header_length=answer_head_bytes)
    assert_simple_result(parsed)


def test_statistics_count_the_requests_and_the_rows(client):
    def counts():
        (statistics,) = client.get_inference_statistics("simple")["model_stats"]
        return statistics["inference_count"], statistics["inference_stats"]["success"]["count"]

    rows_before, requests_before = counts()
    a = np.zeros((4, 16), dtype=np.int32)
    for _ in range(5):
        client.infer("simple", simple_inputs(a=a, b=a))
    rows_after, requests_after = counts()
    assert (rows_after - rows_before, requests_after - requests_before) == (20, 5)
