"""BYTES: any bytes pass through an ONNX model unchanged; what JSON cannot carry is replaced in its answers."""

import numpy as np
import pytest
import tritonclient.http as httpclient
from raw import binary_infer, post_json, send
from tensors import make_input

INFER = "/v2/models/identity_bytes/infer"


def element(content: bytes) -> bytes:
    return len(content).to_bytes(4, "little") + content


def ask(server, content: bytes, shape=(1, 1), model="identity_bytes"):
    return binary_infer(server, model, [("INPUT0", "BYTES", list(shape), content)], binary_output=True)


@pytest.mark.parametrize("text", ["", "a", "é", "€", "😀", "\x01\x1f\x7f", "\u2028", "a" * 70_000, "\ufeff", "\U0010ffff"])
def test_any_text_comes_back(server, text):
    content = element(text.encode())
    binary = ask(server, content)
    assert binary.status == 200, binary.body
    assert binary.body[int(binary.headers["Inference-Header-Content-Length"]) :] == content
    tensor = {"name": "INPUT0", "datatype": "BYTES", "shape": [1, 1], "data": [text]}
    assert post_json(server, INFER, {"inputs": [tensor]}).json["outputs"][0]["data"] == [text]


def test_escapes_of_json_are_read(server):
    data = rb'["\u00e9\ud83d\ude00\n\"\\\/\b\f\r\t"]'
    body = b'{"inputs":[{"name":"INPUT0","datatype":"BYTES","shape":[1,1],"data":%s}]}' % data
    assert send(server, "POST", INFER, body).json["outputs"][0]["data"] == ['é😀\n"\\/\b\f\r\t']


@pytest.mark.parametrize(
    "content", [b"\0", b"a\0b", b"\0\0\0\0", b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xe2\x82", b"ok\xfe", bytes(range(256)) * 9]
)
def test_bytes_that_are_no_text_come_back(server, content):
    answer = ask(server, element(content))
    assert answer.status == 200, answer.body
    assert answer.body[int(answer.headers["Inference-Header-Content-Length"]) :] == element(content)


def test_a_nul_in_json_comes_back_in_json(server):
    tensor = {"name": "INPUT0", "datatype": "BYTES", "shape": [1, 1], "data": ["a\0b"]}
    assert post_json(server, INFER, {"inputs": [tensor]}).json["outputs"][0]["data"] == ["a\0b"]


def test_what_is_no_utf8_is_replaced_in_json(server):
    answer = binary_infer(server, "identity_bytes", [("INPUT0", "BYTES", [1, 1], element(b"a\xffb"))], binary_output=False)
    assert answer.json["outputs"][0]["data"] == ["a\ufffdb"]


@pytest.mark.parametrize("data", [b'"\xff"', rb'"\ud800"', rb'"\udc00\ud800"', b'"\n"', rb'"\x"', rb'"\u12"', b'"'])
def test_bad_strings_in_json_are_the_clients_error(server, data):
    body = b'{"inputs":[{"name":"INPUT0","datatype":"BYTES","shape":[1,1],"data":[%s]}]}' % data
    answer = send(server, "POST", INFER, body)
    assert answer.status == 400
    assert answer.json["error"]


@pytest.mark.parametrize("value", [1, True, None, {}])
def test_elements_in_json_are_strings(server, value):
    tensor = {"name": "INPUT0", "datatype": "BYTES", "shape": [1, 1], "data": [value]}
    answer = post_json(server, INFER, {"inputs": [tensor]})
    assert answer.status == 400
    assert "attempt to access JSON non-string as string" in answer.json["error"]


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (element(b"a") * 3, "unexpected number of string elements 3 for inference input 'INPUT0' for model 'M', expecting 2"),
        (element(b"a"), "expected 2 string elements for inference input 'INPUT0' for model 'M', got 1"),
        (b"", "expected 2 string elements for inference input 'INPUT0' for model 'M', got 0"),
        (
            element(b"a") + b"\1\0",
            "incomplete string length indicator for inference input 'INPUT0' for model 'M', expecting 4 bytes but only 2 bytes "
            "available. Please make sure the string length indicator is in one buffer.",
        ),
        (
            element(b"a") + b"\5\0\0\0abc",
            "incomplete string data for inference input 'INPUT0', expecting string of length 5 but only 3 bytes available",
        ),
        (
            element(b"a") + b"\xff\xff\xff\xffabc",
            "incomplete string data for inference input 'INPUT0', expecting string of length 4294967295 but only 3 bytes available",
        ),
    ],
)
def test_elements_are_counted_and_their_lengths_checked(server, content, error):
    answer = ask(server, content, (1, 2), "identity_bytes_fixed")
    assert answer.status == 400
    assert answer.json["error"].removeprefix("[request id: <id_unknown>] ") == error.replace("'M'", "'identity_bytes_fixed'")


def test_tritons_example_of_strings(client):
    a = np.array([[str(number).encode() for number in range(16)]], dtype=np.object_)
    b = np.array([[b"1"] * 16], dtype=np.object_)
    for binary in (True, False):
        inputs = [make_input("INPUT0", a, binary), make_input("INPUT1", b, binary)]
        outputs = [httpclient.InferRequestedOutput(name, binary_data=binary) for name in ("OUTPUT0", "OUTPUT1")]
        result = client.infer("simple_string", inputs, outputs=outputs)
        for name, step in (("OUTPUT0", 1), ("OUTPUT1", -1)):
            texts = result.as_numpy(name)
            assert texts.shape == (1, 16)
            assert [int(text) for text in texts[0]] == [number + step for number in range(16)]


def test_a_large_tensor_of_strings_with_a_batch(client):
    values = np.array([f"row {row} ".encode() + b"x" * (row * 37 % 300) for row in range(8 * 500)], dtype=np.object_)
    values = values.reshape(8, 500)
    result = client.infer("identity_bytes", [make_input("INPUT0", values)])
    assert result.as_numpy("OUTPUT0").tolist() == values.tolist()
