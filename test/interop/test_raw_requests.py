"""Requests that are the bytes of the only input and nothing else."""

import gzip
import json

import numpy as np
import pytest
from raw import send

RAW = {"Inference-Header-Content-Length": "0"}


def ask(server, model, body, headers=RAW):
    return send(server, "POST", f"/v2/models/{model}/infer", body, headers)


def parts(answer):
    head_bytes = int(answer.headers["Inference-Header-Content-Length"])
    return json.loads(answer.body[:head_bytes]), answer.body[head_bytes:]


@pytest.mark.parametrize("headers", [RAW, {**RAW, "Content-Encoding": "gzip"}])
def test_a_batch_of_one_is_added(server, headers):
    content = np.arange(16, dtype=np.float32).tobytes()
    body = gzip.compress(content) if "Content-Encoding" in headers else content
    answer = ask(server, "identity_fp32_fixed", body, headers)
    assert answer.status == 200, answer.body
    assert answer.headers["Content-Type"] == "application/octet-stream"
    head, values = parts(answer)
    assert head["outputs"] == [
        {"name": "OUTPUT0", "datatype": "FP32", "shape": [1, 16], "parameters": {"binary_data_size": 64}}
    ]
    assert values == content


def test_the_variable_dimension_is_deduced(server):
    answer = ask(server, "two_outputs_var", np.array([0, 1, 0, 2], dtype=np.float32).tobytes())
    head, values = parts(answer)
    assert head["outputs"][0]["shape"] == [1, 2]
    assert values == np.array([1, 3], dtype=np.int64).tobytes()


@pytest.mark.parametrize("headers", [RAW, {}])
def test_an_empty_body_is_a_tensor_of_no_elements(server, headers):
    answer = ask(server, "identity_fp32", b"", headers)
    assert answer.status == 200, answer.body
    assert answer.json["outputs"][0]["shape"] == [1, 0]


def test_a_model_without_batch(server):
    head, values = parts(ask(server, "scalar_nobatch", np.float32(3).tobytes()))
    assert head["outputs"][0]["shape"] == [1]
    assert values == np.float32(6).tobytes()


@pytest.mark.parametrize(
    ("model", "body", "text"),
    [
        (
            "simple",
            bytes(64),
            "Raw request must only have 1 input (found 1) to be deduced but got 2 inputs in 'simple' model configuration",
        ),
        ("identity_fp32_fixed", bytes(4), "for model 'identity_fp32_fixed'. Expected 64, got 4"),
        ("identity_fp32_fixed", b"", "for model 'identity_fp32_fixed'. Expected 64, got 0"),
        ("identity_fp32", bytes(6), "for model 'identity_fp32'. Expected 4, got 6"),
        (
            "identity_nobatch",
            bytes(64),
            "The shape of the raw input 'INPUT0' can not be deduced because there are more than one variable-sized dimension",
        ),
        ("identity_bytes_fixed", b"abc", "For BYTE datatype raw input 'INPUT0', the model must have input shape [1]"),
    ],
)
def test_what_cannot_be_deduced_is_refused(server, model, body, text):
    answer = ask(server, model, body)
    assert answer.status == 400
    assert text in answer.json["error"]
