import gzip
import json

import numpy as np
import pytest
import tritonclient.http as httpclient
import tritonclient.http.aio as aioclient
from raw import binary_infer, get, post_json, send
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


ONES = {"datatype": "INT32", "shape": [1, 16], "data": [1] * 16}
A = {"name": "INPUT0", **ONES}
B = {"name": "INPUT1", **ONES}
C = {"name": "INPUT2", **ONES}
NO_DATA = {"name": "INPUT0", "datatype": "INT32", "shape": [1, 16]}
ONE_SOURCE = (
    "Input must set only one of the following fields: 'data', 'binary_data_size' in 'parameters', "
    "'shared_memory_region' in 'parameters'. But "
)
TAG = "[request id: <id_unknown>] "


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        ({}, "Unable to parse 'inputs': attempt to access non-existing object member 'inputs'"),
        (
            {"inputs": []},
            TAG + "expected 2 inputs but got 0 inputs for model 'simple'. Got input(s) [], but missing required input(s) "
            "['INPUT0','INPUT1']. Please provide all required input(s).",
        ),
        (
            {"inputs": [A, B, C]},
            TAG + "expected 2 inputs but got 3 inputs for model 'simple'. Got input(s) ['INPUT0','INPUT1','INPUT2'], but "
            "missing required input(s) []. Please provide all required input(s).",
        ),
        ({"inputs": [A], "outputs": [{"name": "Z"}]}, "unexpected inference output 'Z' for model 'simple'"),
        ({"inputs": [A, B], "outputs": [{"name": "OUTPUT0"}] * 2}, "output 'OUTPUT0' already exists in request"),
        (
            {"inputs": [{**A, "datatype": "int32"}, B]},
            TAG + "inference input 'INPUT0' data-type is '<invalid>', but model 'simple' expects 'INT32'",
        ),
        ({"inputs": [NO_DATA, B]}, ONE_SOURCE + "no field is set"),
        ({"inputs": [{**A, "parameters": {"binary_data_size": 64}}, B]}, ONE_SOURCE + "set 'data' 'binary_data_size'"),
        (
            {"inputs": [{**NO_DATA, "parameters": {"binary_data_size": 64}}, B]},
            "must specify valid 'Infer-Header-Content-Length' in request header and 'binary_data_size' when passing inputs in "
            "binary data format",
        ),
        (
            {"inputs": [A, B], "parameters": {"triton_x": 1}},
            "parameter keys starting with 'triton_' are reserved for Triton usage and should not be specified.",
        ),
        (
            {"inputs": [A, B], "parameters": {"x": {}}},
            "parameter 'x' has invalid type. It should be either 'int', 'bool', or 'string'.",
        ),
    ],
)
def test_texts_that_clients_match_on(server, request_, text):
    answer = post_json(server, INFER, request_)
    assert answer.status == 400
    assert answer.headers["Content-Type"] == "application/json"
    # Some texts go on to name the input.
    assert answer.json["error"].startswith(text)


def test_an_input_given_twice(server):
    answer = post_json(server, INFER, {"inputs": [A, A]})
    assert answer.status == 400
    assert answer.json["error"].endswith("input 'INPUT0' already exists in request")


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("priority", -1),
        ("priority", "1"),
        ("timeout", 1.5),
        ("sequence_id", True),
        ("sequence_id", 2**64),
        ("sequence_start", 1),
        ("sequence_end", "true"),
        ("binary_data_output", 1),
    ],
)
def test_parameters_of_a_wrong_type_are_named(server, member, value):
    answer = post_json(server, INFER, {"inputs": [A, B], "parameters": {member: value}})
    assert answer.status == 400
    assert answer.json["error"].startswith(f"Unable to parse '{member}': ")


@pytest.mark.parametrize("member", ["name", "datatype", "shape"])
def test_members_of_an_input_that_are_missing_or_no_text_are_named(server, member):
    without = {key: value for key, value in A.items() if key != member}
    for tensor in (without, {**A, member: 7}, {**A, member: None}):
        answer = post_json(server, INFER, {"inputs": [tensor, B]})
        assert answer.status == 400
        assert answer.json["error"].startswith(f"Unable to parse '{member}': attempt to access ")


def test_a_string_id_of_a_sequence_has_at_most_128_characters(server):
    for length, status in ((128, 200), (129, 501)):
        answer = post_json(server, INFER, {"inputs": [A, B], "parameters": {"sequence_id": "x" * length}})
        assert answer.status == status


@pytest.mark.parametrize("size", [0, 60, 63, 68, 128])
def test_a_binary_size_that_is_not_the_shapes(server, size):
    inputs = [("INPUT0", "INT32", [1, 16], bytes(size)), ("INPUT1", "INT32", [1, 16], bytes(64))]
    answer = binary_infer(server, "simple", inputs)
    assert answer.status == 400
    text = f"input byte size mismatch for input 'INPUT0' for model 'simple'. Expected 64, got {size}"
    assert answer.json["error"] == TAG + text


@pytest.mark.parametrize("position", [0, 1])
def test_shared_memory_of_clients_is_off_and_the_flag_is_named(server, position):
    region = {"shared_memory_region": "r", "shared_memory_byte_size": 64}
    request = [
        {"inputs": [{**NO_DATA, "parameters": region}, B]},
        {"inputs": [A, B], "outputs": [{"name": "OUTPUT0", "parameters": region}]},
    ][position]
    answer = post_json(server, INFER, request)
    assert answer.status == 501
    assert "--allow-client-shm=true" in answer.json["error"]


def test_json_and_decompressed_bodies_are_bounded(server):
    limit = 64 << 20
    answer = send(server, "POST", INFER, b" " * (limit + 1))
    assert answer.status == 400
    assert answer.json["error"] == (
        f"request JSON size of {limit + 1} bytes exceeds the maximum allowed input size of {limit} bytes. "
        "Use --http-max-input-size to increase the limit."
    )
    answer = send(server, "POST", INFER, gzip.compress(bytes(limit + 1), 1), {"Content-Encoding": "gzip"})
    assert answer.status == 400
    assert answer.json["error"] == (
        f"Decompressed data size exceeds the maximum allowed value of {limit} bytes. "
        "Use --http-max-input-size to increase the limit."
    )


def test_an_error_of_the_model_is_the_servers_and_is_counted(client):
    def fail_count():
        return client.get_inference_statistics("fails_at_run")["model_stats"][0]["inference_stats"]["fail"]["count"]

    before = fail_count()
    error = failure(client, "fails_at_run", [make_input("INPUT0", np.array([[100]]))])
    assert error.status() == "500"
    assert error.message().startswith("onnx runtime error")
    assert fail_count() == before + 1
    # The model goes on.
    assert client.infer("fails_at_run", [make_input("INPUT0", np.array([[7]]))]).as_numpy("OUTPUT0").tolist() == [[7]]


@pytest.mark.parametrize("path", ["/v2/models/simple/", "/v2/health/", "/V2", "/v2/models/%zz", "/metrics", "/"])
def test_paths_that_are_no_routes(server, path):
    answer = get(server, path)
    assert (answer.status, answer.json) == (404, {"error": "Not Found"})


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v2"), ("POST", "/v2/models/simple"), ("PUT", INFER), ("DELETE", "/v2/models/simple"), ("GET", "/v2/repository/index")],
)
def test_methods_that_a_route_does_not_have(server, method, path):
    answer = send(server, method, path, b"{}")
    assert (answer.status, answer.json) == (405, {"error": "Method Not Allowed"})


def test_an_encoded_name_is_never_a_path(server):
    for name, decoded in (("%2e%2e", ".."), ("a%2Fb", "a/b"), ("..%2fsimple", "../simple")):
        answer = get(server, f"/v2/models/{name}")
        assert (answer.status, answer.json["error"]) == (404, f"Request for unknown model: '{decoded}' is not found")


def test_a_query_is_ignored(server):
    assert get(server, "/v2/models/simple?format=json").json["name"] == "simple"
