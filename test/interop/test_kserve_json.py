"""JSON as KServe's own client and curl users write it."""

import pytest
from raw import get, post_json, send

INFER = "/v2/models/simple/infer"
ONES = {"datatype": "INT32", "shape": [1, 16], "data": [1] * 16}


def test_an_all_json_request_gets_a_flat_json_answer(server):
    request = {
        "id": "kserve-1",
        "model_name": "simple",
        "inputs": [{"name": "INPUT0", **ONES}, {"name": "INPUT1", **ONES}],
    }
    answer = post_json(server, INFER, request)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert "Inference-Header-Content-Length" not in answer.headers
    document = answer.json
    assert document["id"] == "kserve-1"
    assert document["model_name"] == "simple"
    outputs = {output["name"]: output for output in document["outputs"]}
    assert outputs["OUTPUT0"] == {"name": "OUTPUT0", "datatype": "INT32", "shape": [1, 16], "data": [2] * 16}
    assert outputs["OUTPUT1"]["data"] == [0] * 16


def test_optional_members_may_be_null_as_the_types_of_mlserver_write_them(server):
    inputs = [{"name": name, **ONES, "parameters": None} for name in ("INPUT0", "INPUT1")]
    outputs = [{"name": "OUTPUT0", "parameters": None}]
    answer = post_json(server, INFER, {"id": None, "parameters": None, "inputs": inputs, "outputs": outputs})
    assert answer.json["outputs"] == [{"name": "OUTPUT0", "datatype": "INT32", "shape": [1, 16], "data": [2] * 16}]
    assert "id" not in answer.json
    everything = post_json(server, INFER, {"id": None, "parameters": None, "inputs": inputs, "outputs": None})
    assert [output["name"] for output in everything.json["outputs"]] == ["OUTPUT0", "OUTPUT1"]


def test_a_tensor_without_elements_has_null_for_data_as_the_client_of_kserve_writes_it(server):
    empty = {"name": "INPUT0", "datatype": "FP32", "shape": [2, 0], "parameters": {"binary_data_size": 0}, "data": None}
    answer = post_json(server, "/v2/models/identity_fp32/infer", {"inputs": [empty]})
    assert answer.json["outputs"] == [{"name": "OUTPUT0", "datatype": "FP32", "shape": [2, 0], "data": []}]


def test_nested_data_is_read_row_by_row(server):
    nested = {"datatype": "INT32", "shape": [2, 16], "data": [list(range(16)), list(range(16, 32))]}
    answer = post_json(server, INFER, {"inputs": [{"name": "INPUT0", **nested}, {"name": "INPUT1", **nested}]})
    assert answer.status == 200
    outputs = {output["name"]: output for output in answer.json["outputs"]}
    assert outputs["OUTPUT0"]["data"] == [2 * value for value in range(32)]


def test_a_head_length_of_the_whole_body_is_all_json_too(server):
    body = b'{"inputs":[' + b",".join(
        b'{"name":"%s","datatype":"INT32","shape":[1,16],"data":[%s]}' % (name, b",".join([b"1"] * 16))
        for name in (b"INPUT0", b"INPUT1")
    ) + b"]}"
    answer = send(server, "POST", INFER, body, {"inference-header-content-length": str(len(body))})
    assert answer.status == 200


def test_errors_carry_the_content_type_by_which_kserve_knows_them(server):
    answer = post_json(server, "/v2/models/no_such_model/infer", {"inputs": []})
    assert answer.status == 404
    assert answer.headers["Content-Type"] == "application/json"
    assert "no_such_model" in answer.json["error"]


def test_the_list_of_models(server):
    answer = get(server, "/v2/models")
    assert answer.status == 200
    assert "simple" in answer.json["models"]


@pytest.mark.parametrize("path", ["/v2", "/v2/"])
def test_server_metadata_with_and_without_a_slash(server, path):
    assert get(server, path).json["extensions"]


def test_a_percent_encoded_name_is_decoded(server):
    assert get(server, "/v2/models/%73imple").json["name"] == "simple"
