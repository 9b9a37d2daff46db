"""Values of JSON `data` that numpy would not send: exact integers, halves, and all that has to be refused."""

import json

import pytest
from raw import post_json, send

LIMITS = {
    "INT8": (-(2**7), 2**7 - 1),
    "INT16": (-(2**15), 2**15 - 1),
    "INT32": (-(2**31), 2**31 - 1),
    "INT64": (-(2**63), 2**63 - 1),
    "UINT8": (0, 2**8 - 1),
    "UINT16": (0, 2**16 - 1),
    "UINT32": (0, 2**32 - 1),
    "UINT64": (0, 2**64 - 1),
}
FLOATS = ("FP16", "FP32", "FP64")


def infer(server, datatype, literals: str, shape):
    """The elements are text, because Python would not write all of them."""
    body = f'{{"inputs":[{{"name":"INPUT0","datatype":"{datatype}","shape":{json.dumps(shape)},"data":{literals}}}]}}'
    return send(server, "POST", f"/v2/models/identity_{datatype.lower()}/infer", body.encode())


@pytest.mark.parametrize("datatype", LIMITS)
def test_integers_are_exact_to_their_limits(server, datatype):
    least, most = LIMITS[datatype]
    values = [least, most, most // 2 + 1, 0, 1]
    answer = infer(server, datatype, json.dumps(values), [1, 5])
    assert answer.status == 200, answer.body
    assert answer.json["outputs"] == [{"name": "OUTPUT0", "datatype": datatype, "shape": [1, 5], "data": values}]


@pytest.mark.parametrize("datatype", LIMITS)
def test_integers_that_do_not_fit_are_refused_and_not_truncated(server, datatype):
    least, most = LIMITS[datatype]
    for literal in (least - 1, most + 1, 10**30, "1.5", "1.0", "1e2", "NaN", "Infinity", '"1"', "true", "null", "{}"):
        answer = infer(server, datatype, f"[0,{literal}]", [1, 2])
        assert answer.status == 400, literal
        assert "'data'" in answer.json["error"], literal


@pytest.mark.parametrize("datatype", FLOATS)
def test_floats_take_integers_and_what_json_has_no_name_for(server, datatype):
    answer = infer(server, datatype, "[3,-0.5,1e2,NaN,Infinity,-Infinity]", [1, 6])
    assert answer.status == 200, answer.body
    assert answer.body.endswith(b'"data":[3.0,-0.5,100.0,NaN,Infinity,-Infinity]}]}')


def test_half_precision_is_rounded_to_what_it_holds(server):
    answer = infer(server, "FP16", "[0.1,65504,1e-8,65520]", [1, 4])
    assert answer.status == 200, answer.body
    # json.loads reads the literal Infinity too.
    assert answer.json["outputs"][0]["data"] == [0.0999755859375, 65504.0, 0.0, float("inf")]


def test_single_precision_is_written_as_the_double_it_equals(server):
    answer = infer(server, "FP32", "[0.1,1e39]", [1, 2])
    assert answer.body.endswith(b'"data":[0.10000000149011612,Infinity]}]}')


def test_double_precision_is_exact(server):
    values = [0.1, 5e-324, 1.7976931348623157e308, 2**53 + 2, 1 / 3]
    assert infer(server, "FP64", json.dumps(values), [1, 5]).json["outputs"][0]["data"] == values


@pytest.mark.parametrize("literal", ["0", "1", '"true"', "null"])
def test_booleans_are_true_and_false_only(server, literal):
    assert infer(server, "BOOL", f"[{literal}]", [1, 1]).status == 400
    assert infer(server, "BOOL", "[true]", [1, 1]).status == 200


def test_bf16_is_refused_by_its_name(server):
    tensor = {"name": "INPUT0", "datatype": "BF16", "shape": [1, 1], "data": [1]}
    answer = post_json(server, "/v2/models/identity_fp16/infer", {"inputs": [tensor]})
    assert answer.status == 400
    assert "BF16" in answer.json["error"]


def test_nesting_of_any_form_is_read_in_order(server):
    for data in ("[[1,2],[3,4]]", "[1,2,3,4]", "[[[1],[2]],[3,[4]]]", " [ [1 , 2 ] ,\n\t[3,4] ] "):
        answer = infer(server, "INT32", data, [2, 2])
        assert answer.status == 200, answer.body
        assert answer.json["outputs"][0]["data"] == [1, 2, 3, 4]


def test_the_depth_of_nesting_is_bounded(server):
    assert infer(server, "INT32", "[" * 100 + "1" + "]" * 100, [1, 1]).status == 200
    for depth in (101, 100_000):
        answer = infer(server, "INT32", "[" * depth + "1" + "]" * depth, [1, 1])
        assert answer.status == 400
        assert answer.json["error"] == "JSON nesting depth exceeds maximum allowed limit (100)"


@pytest.mark.parametrize("data", ["[1,2,3]", "[1,2,3,4,5]", "[]", "[[1,2],[3]]"])
def test_the_number_of_elements_is_that_of_the_shape(server, data):
    answer = infer(server, "INT32", data, [1, 4])
    assert answer.status == 400
    assert answer.json["error"] == "Unable to parse 'data': Shape does not match true shape of 'data' field"


@pytest.mark.parametrize("data", ["5", "null", '"12"', "{}"])
def test_data_is_an_array(server, data):
    answer = infer(server, "INT32", data, [1, 1])
    assert answer.status == 400
    assert answer.json["error"] == "Unable to parse 'data': attempt to access JSON non-array as array"


@pytest.mark.parametrize("shape", [[1, 2**40], [1, 2**62], [2**40, 2**40], [1, -1], [1, 1.5], "1", [1, "1"], [[1]], None])
def test_shapes_are_bounded_before_memory_is_taken_for_them(server, shape):
    assert infer(server, "INT32", "[1]", shape).status == 400
    assert infer(server, "INT32", "[1]", [1, 1]).status == 200


def test_all_datatypes_in_one_request_json_and_binary_mixed(server):
    values = {
        "BOOL": [True, False],
        **{datatype: list(limits) for datatype, limits in LIMITS.items()},
        "FP32": [1.5, -0.25],
        "FP64": [0.1, 1e300],
        "BYTES": ["a", "é"],
    }
    # As in the configuration of the model `wide`.
    order = ("BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP32", "FP64", "BYTES")
    inputs = [
        {"name": f"INPUT{index}", "datatype": datatype, "shape": [1, 2], "data": values[datatype]}
        for index, datatype in enumerate(order)
    ]
    # One of the inputs as bytes behind the JSON, which are outputs too; the order of the inputs is free.
    inputs[4] = {"name": "INPUT4", "datatype": "UINT64", "shape": [1, 2], "parameters": {"binary_data_size": 16}}
    content = (0).to_bytes(8, "little") + (2**64 - 1).to_bytes(8, "little")
    outputs = [{"name": f"OUTPUT{index}", "parameters": {"binary_data": index == 8}} for index in range(12)]
    head = json.dumps({"inputs": inputs[::-1], "outputs": outputs}).encode()
    headers = {"Inference-Header-Content-Length": str(len(head))}
    answer = send(server, "POST", "/v2/models/wide/infer", head + content, headers)
    assert answer.status == 200, answer.body
    head_bytes = int(answer.headers["Inference-Header-Content-Length"])
    for index, output in enumerate(json.loads(answer.body[:head_bytes])["outputs"]):
        assert output["name"] == f"OUTPUT{index}"
        assert output["datatype"] == order[index]
        if index == 8:
            assert output["parameters"] == {"binary_data_size": 16}
        else:
            assert output["data"] == values[order[index]]
    low, high = LIMITS["INT64"]
    expected = low.to_bytes(8, "little", signed=True) + high.to_bytes(8, "little", signed=True)
    assert answer.body[head_bytes:] == expected
