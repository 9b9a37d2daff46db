import asyncio
import time

import numpy as np
import pytest
import tritonclient.grpc as grpcclient
import tritonclient.grpc.aio as aioclient
from grpc_tensors import grpc_input, own_values, simple_grpc_inputs, wait_until
from tensors import SIMPLE_A, SIMPLE_B, assert_simple_result
from tritonclient.utils import InferenceServerException

NUMBERS = ["uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float32", "float64"]
MODELS = {"float16": "fp16", "float32": "fp32", "float64": "fp64", "bool": "bool"}


def refused(call) -> InferenceServerException:
    with pytest.raises(InferenceServerException) as caught:
        call()
    return caught.value


def test_all_outputs_come_back(grpc_client):
    result = grpc_client.infer("simple", simple_grpc_inputs())
    assert_simple_result(result)
    response = result.get_response()
    assert (response.model_name, response.model_version, response.id) == ("simple", "1", "")


def test_only_the_outputs_asked_for_come_back(grpc_client):
    result = grpc_client.infer("simple", simple_grpc_inputs(), outputs=[grpcclient.InferRequestedOutput("OUTPUT1")])
    assert result.as_numpy("OUTPUT0") is None
    np.testing.assert_array_equal(result.as_numpy("OUTPUT1"), SIMPLE_A - SIMPLE_B)


@pytest.mark.parametrize("rows", [1, 2, 7, 8])
def test_a_request_may_bring_several_rows(grpc_client, rows):
    a = np.arange(rows * 16, dtype=np.int32).reshape(rows, 16)
    assert_simple_result(grpc_client.infer("simple", simple_grpc_inputs(a, np.flip(a))), a, np.flip(a))


@pytest.mark.parametrize("dtype", [*NUMBERS, "float16", "bool"])
@pytest.mark.parametrize("columns", [0, 1, 5, 20_000])
def test_every_datatype_comes_back(grpc_client, dtype, columns):
    values = (np.arange(2 * columns) % 100).astype(dtype).reshape(2, columns)
    result = grpc_client.infer(f"identity_{MODELS.get(dtype, dtype)}", [grpc_input("INPUT0", values)])
    returned = result.as_numpy("OUTPUT0")
    assert returned.dtype == values.dtype
    np.testing.assert_array_equal(returned, values)


def test_strings_come_back(grpc_client):
    values = np.array([["", "one", "größer", "x" * 3000]], dtype=object)
    result = grpc_client.infer("identity_bytes", [grpc_input("INPUT0", values)])
    assert [text.decode() for text in result.as_numpy("OUTPUT0")[0]] == list(values[0])


def test_tensors_of_16_mb_come_back(grpc_client):
    values = np.random.default_rng(1).random((1, 4 << 20), dtype=np.float32)
    result = grpc_client.infer("identity_fp32", [grpc_input("INPUT0", values)])
    np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), values)


def test_the_id_comes_back(grpc_client):
    for request_id in ("", "a", "my-id-42", "", "größer"):
        result = grpc_client.infer("simple", simple_grpc_inputs(), request_id=request_id)
        assert result.get_response().id == request_id


def test_classes_with_labels(grpc_client):
    values = np.array([[0, 3, 1, 2]], dtype=np.float32)
    outputs = [grpcclient.InferRequestedOutput("OUTPUT0", class_count=2)]
    texts = grpc_client.infer("labels", [grpc_input("INPUT0", values)], outputs=outputs).as_numpy("OUTPUT0")
    assert [text.decode().split(":")[:2] for text in texts[0]] == [["3.000000", "1"], ["2.000000", "3"]]


def test_parameters_of_every_kind_are_taken(grpc_client):
    parameters = {"text": "x", "count": -3, "flag": True, "fraction": 0.5}
    result = grpc_client.infer("simple", simple_grpc_inputs(), priority=1, timeout=5_000_000, parameters=parameters)
    assert_simple_result(result)
    sequence = grpc_client.infer("simple", simple_grpc_inputs(), sequence_id=7, sequence_start=True, sequence_end=True)
    assert_simple_result(sequence)


def test_many_async_requests_each_get_their_own_answer(grpc_client):
    done = []
    for number in range(300):
        grpc_client.async_infer(
            "simple",
            simple_grpc_inputs(own_values(number)),
            callback=lambda result, error: done.append((result, error)),
            request_id=str(number),
        )
    wait_until(lambda: len(done) == 300)
    for result, error in done:
        assert error is None
        assert_simple_result(result, own_values(int(result.get_response().id)), SIMPLE_B)


def test_asyncio_client(server, run_async):
    async def one(client, number):
        result = await client.infer("simple", simple_grpc_inputs(own_values(number)), request_id=f"r{number}")
        assert result.get_response().id == f"r{number}"
        assert_simple_result(result, own_values(number), SIMPLE_B)

    async def all_of_them():
        async with aioclient.InferenceServerClient(server.grpc_url) as client:
            assert await client.is_server_ready()
            await asyncio.gather(*(one(client, number) for number in range(500)))

    run_async(all_of_them())


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_compressed_requests(grpc_client, algorithm):
    assert_simple_result(grpc_client.infer("simple", simple_grpc_inputs(), compression_algorithm=algorithm))
    values = np.zeros((1, 300_000), dtype=np.float32)
    result = grpc_client.infer("identity_fp32", [grpc_input("INPUT0", values)], compression_algorithm=algorithm)
    np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), values)


def test_errors_have_status_and_text(grpc_client):
    unknown = refused(lambda: grpc_client.infer("none", simple_grpc_inputs()))
    assert unknown.status() == "StatusCode.NOT_FOUND"
    assert unknown.message() == "Request for unknown model: 'none' is not found"
    wrong = refused(lambda: grpc_client.infer("simple", [grpc_input("INPUT0", SIMPLE_A)], request_id="r"))
    assert wrong.status() == "StatusCode.INVALID_ARGUMENT"
    assert wrong.message().startswith("[request id: r] expected 2 inputs but got 1 inputs for model 'simple'.")
    failing = refused(lambda: grpc_client.infer("fails_at_run", [grpc_input("INPUT0", np.array([[99]]))]))
    assert failing.status() == "StatusCode.INTERNAL"
    assert failing.message().startswith("onnx runtime error")


def test_a_full_queue_is_unavailable(grpc_client):
    values = np.zeros((1, 1), dtype=np.float32)
    done = []
    for _ in range(20):
        grpc_client.async_infer("slow_queue", [grpc_input("INPUT0", values)], lambda result, error: done.append(error))
    wait_until(lambda: len(done) == 20)
    errors = [error for error in done if error is not None]
    assert errors and all(error.status() == "StatusCode.UNAVAILABLE" for error in errors)
    assert all("Exceeds maximum queue size" in error.message() for error in errors), errors[0]


def test_a_client_that_does_not_wait(grpc_client):
    values = np.zeros((1, 1), dtype=np.float32)
    late = refused(lambda: grpc_client.infer("slow", [grpc_input("INPUT0", values)], client_timeout=0.02))
    assert late.status() == "StatusCode.DEADLINE_EXCEEDED"
    in_time = grpc_client.infer("slow", [grpc_input("INPUT0", values)], client_timeout=20)
    assert in_time.as_numpy("OUTPUT0").tolist() == [[0]]


def test_a_request_that_is_cancelled(grpc_client):
    values = np.zeros((1, 1), dtype=np.float32)
    before = failures(grpc_client, "slow")
    errors = []
    inputs = [grpc_input("INPUT0", values)]
    contexts = [grpc_client.async_infer("slow", inputs, lambda result, error: errors.append(error)) for _ in range(16)]
    # One batch runs, one waits at the instance, and the rest in the queue.
    time.sleep(0.05)
    for context in contexts:
        context.cancel()
    wait_until(lambda: len(errors) == 16 and failures(grpc_client, "slow") > before)
    grpc_client.infer("slow", inputs)


def failures(client, model: str) -> int:
    return client.get_inference_statistics(model).model_stats[0].inference_stats.fail.count


def test_everything_that_is_told_of_server_and_models(grpc_client, client):
    assert grpc_client.is_server_live() and grpc_client.is_server_ready() and grpc_client.is_model_ready("simple")
    metadata = grpc_client.get_server_metadata(as_json=True)
    assert metadata["extensions"] == client.get_server_metadata()["extensions"]
    model = grpc_client.get_model_metadata("simple", as_json=True)
    assert [tensor["shape"] for tensor in model["inputs"]] == [["-1", "16"], ["-1", "16"]]
    config = grpc_client.get_model_config("simple", as_json=True)["config"]
    assert config["max_batch_size"] == client.get_model_config("simple")["max_batch_size"]
    index = grpc_client.get_model_repository_index(as_json=True)["models"]
    assert {(entry["name"], entry.get("version")) for entry in index} == {
        (entry["name"], entry.get("version")) for entry in client.get_model_repository_index()
    }
    statistics = grpc_client.get_inference_statistics("simple", as_json=True)["model_stats"]
    assert statistics[0]["name"] == "simple"
