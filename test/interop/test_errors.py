import json

import numpy as np
import pytest
import tritonclient.http as httpclient
import tritonclient.http.aio as aioclient
from raw import get, post_json, send
from tensors import make_input, simple_inputs
from tritonclient.utils import InferenceServerException

INFER = "/v2/models/simple/infer"


def failure(client, model="simple", inputs=None, **options) -> InferenceServerException:
    with pytest.raises(InferenceServerException) as caught:
        client.infer(model, inputs or simple_inputs(), **options)
    return caught.value


def test_an_unknown_model(client):
    error = failure(client, "no_such_model")
    assert error.status() == "404"
    assert error.message() == "Request for unknown model: 'no_such_model' is not found"


def test_an_unknown_version(client):
    error = failure(client, model_version="99")
    assert error.status() == "404"
    assert error.message() == "Request for unknown model: 'simple' version 99 is not found"


def test_an_unknown_output(client):
    error = failure(client, outputs=[httpclient.InferRequestedOutput("NO_SUCH_OUTPUT")])
    assert error.status() == "400"
    assert error.message().endswith("unexpected inference output 'NO_SUCH_OUTPUT' for model 'simple'")


def test_an_unknown_input(client):
    values = np.zeros((1, 16), dtype=np.int32)
    error = failure(client, inputs=[make_input("INPUT0", values), make_input("NO_SUCH_INPUT", values)])
    assert error.status() == "400"
    assert error.message().endswith("unexpected inference input 'NO_SUCH_INPUT' for model 'simple'")


def test_a_missing_input(client):
    error = failure(client, inputs=simple_inputs()[:1])
    assert error.status() == "400"
    assert "expected 2 inputs but got 1 inputs for model 'simple'. Got input(s) ['INPUT0']" in error.message()
    assert "missing required input(s) ['INPUT1']" in error.message()


def test_a_wrong_shape_names_both_shapes_and_the_id(client):
    values = np.zeros((1, 15), dtype=np.int32)
    error = failure(client, inputs=simple_inputs(a=values, b=values), request_id="id-7")
    assert error.status() == "400"
    assert error.message().startswith("[request id: id-7] unexpected shape for input 'INPUT")
    assert "for model 'simple'. Expected [-1,16], got [1,15]. " in error.message()


def test_a_wrong_datatype(client):
    values = np.zeros((1, 16), dtype=np.float32)
    error = failure(client, inputs=simple_inputs(a=values, b=values))
    assert error.status() == "400"
    assert "data-type is 'FP32', but model 'simple' expects 'INT32'" in error.message()
    assert error.message().startswith("[request id: <id_unknown>] ")


def test_a_batch_that_is_too_large(client):
    rows = client.get_model_config("simple")["max_batch_size"] + 1
    values = np.zeros((rows, 16), dtype=np.int32)
    error = failure(client, inputs=simple_inputs(a=values, b=values))
    assert error.status() == "400"
    assert error.message().endswith(f"inference request batch-size must be <= {rows - 1} for 'simple'")


def test_batches_of_different_size(client):
    error = failure(client, inputs=simple_inputs(a=np.zeros((2, 16), dtype=np.int32)))
    assert error.status() == "400"
    assert "batch size does not match other inputs for 'simple'" in error.message()


def test_metadata_of_an_unknown_model(client):
    for ask in (client.get_model_metadata, client.get_model_config):
        with pytest.raises(InferenceServerException) as caught:
            ask("no_such_model")
        assert "no_such_model" in caught.value.message()
        assert caught.value.status() in ("400", "404")


def test_the_asyncio_client_gets_the_same_errors(server, run_async):
    async def ask():
        async with aioclient.InferenceServerClient(server.url) as client:
            await client.infer("no_such_model", simple_inputs())

    with pytest.raises(InferenceServerException) as caught:
        run_async(ask())
    assert caught.value.status() == "404"
    assert caught.value.message() == "Request for unknown model: 'no_such_model' is not found"


def test_a_failed_request_leaves_the_connection_usable(client):
    for _ in range(3):
        failure(client, "no_such_model")
        client.infer("simple", simple_inputs())


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b"null", b'{"inputs":{}}', b'{"inputs":[1]}', b'{"inputs":[{"name":1}]}', b"\xff\xfe"],
)
def test_bad_json_is_the_clients_error(server, body):
    answer = send(server, "POST", INFER, body)
    assert answer.status == 400
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json["error"]


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("data", [2**40] * 16),
        ("data", [1.5] * 16),
        ("data", [1] * 15),
        ("data", "text"),
        ("data", ["1"] * 16),
        ("shape", [1, -16]),
        ("shape", [1, 2**60]),
        ("shape", "text"),
        ("datatype", "INT33"),
    ],
)
def test_bad_json_tensors_are_the_clients_error(server, member, value):
    good = {"name": "INPUT0", "datatype": "INT32", "shape": [1, 16], "data": [1] * 16}
    answer = post_json(server, INFER, {"inputs": [{**good, member: value}, {**good, "name": "INPUT1"}]})
    assert answer.status == 400
    assert answer.json["error"]


@pytest.mark.parametrize("length", ["abc", "-1", "99999"])
def test_a_bad_length_of_the_head_is_the_clients_error(server, length):
    body, _ = httpclient.InferenceServerClient.generate_request_body(simple_inputs())
    answer = send(server, "POST", INFER, body, {"Inference-Header-Content-Length": length})
    assert answer.status == 400
    assert answer.json["error"]


def test_too_few_and_too_many_bytes_are_named(server):
    body, head_bytes = httpclient.InferenceServerClient.generate_request_body(simple_inputs())
    headers = {"Inference-Header-Content-Length": str(head_bytes)}
    few = send(server, "POST", INFER, body[:-1], headers)
    assert few.status == 400
    assert "unexpected size for input 'INPUT1'" in few.json["error"]
    many = send(server, "POST", INFER, body + b"x", headers)
    assert many.status == 400
    assert "unexpected additional input data for model 'simple'" in many.json["error"]


def test_unknown_routes_and_wrong_methods(server):
    assert get(server, "/nowhere").status == 404
    assert get(server, INFER).status == 405
    assert json.loads(get(server, INFER).body) == {"error": "Method Not Allowed"}
