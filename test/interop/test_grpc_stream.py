import numpy as np
import pytest
import tritonclient.grpc as grpcclient
import tritonclient.grpc.aio as aioclient
from decoupled import repeat_inputs
from grpc_tensors import final_mark, grpc_input, own_values, simple_grpc_inputs
from streams import WAIT_SECONDS, Stream
from tensors import SIMPLE_A, SIMPLE_B, assert_simple_result


@pytest.fixture
def stream(grpc_client):
    """Sends on a stream, and hands out what comes back, in order."""
    with Stream(grpc_client) as opened:
        yield opened


def slow_input(value: float) -> list:
    return [grpc_input("INPUT0", np.full((1, 1), value, dtype=np.float32))]


def test_many_in_flight_come_back_in_order(stream):
    for number in range(500):
        stream.send("simple", simple_grpc_inputs(own_values(number)), request_id=f"r{number}")
    for number in range(500):
        result = stream.result()
        assert result.get_response().id == f"r{number}"
        assert final_mark(result) is True
        assert_simple_result(result, own_values(number), SIMPLE_B)


def test_one_after_another(stream):
    for number in range(50):
        stream.send("simple", simple_grpc_inputs(own_values(number)))
        assert_simple_result(stream.result(), own_values(number), SIMPLE_B)


def test_a_fast_model_waits_for_a_slow_one_before_it(stream):
    stream.send("slow", slow_input(1), request_id="slow")
    stream.send("simple", simple_grpc_inputs(), request_id="fast")
    assert [stream.result().get_response().id for _ in range(2)] == ["slow", "fast"]


def test_errors_come_in_their_turn_and_the_stream_goes_on(stream):
    stream.send("simple", simple_grpc_inputs(), request_id="a")
    stream.send("none", simple_grpc_inputs(), request_id="b")
    stream.send("simple", [grpc_input("INPUT0", SIMPLE_A)], request_id="c")
    stream.send("fails_at_run", [grpc_input("INPUT0", np.array([[99]]))], request_id="d")
    stream.send("simple", simple_grpc_inputs(), request_id="e")
    assert stream.result().get_response().id == "a"
    assert stream.error().message() == "Request for unknown model: 'none' is not found"
    assert stream.error().message().startswith("[request id: c] expected 2 inputs but got 1 inputs")
    assert stream.error().message().startswith("onnx runtime error")
    assert stream.result().get_response().id == "e"


def test_an_error_can_end_the_stream_by_its_status(grpc_client):
    opened = Stream(grpc_client, headers={"triton_grpc_error": "true"})
    opened.send("fails_at_run", [grpc_input("INPUT0", np.array([[99]]))])
    error = opened.error()
    assert error.status() == "StatusCode.INTERNAL"
    assert error.message().startswith("onnx runtime error")
    grpc_client.stop_stream()


def test_stopping_waits_for_what_is_in_flight(grpc_client):
    with Stream(grpc_client) as opened:
        for number in range(6):
            opened.send("slow", slow_input(number))
    assert [opened.result().as_numpy("OUTPUT0")[0][0] for _ in range(6)] == [0, 1, 2, 3, 4, 5]


def test_cancelling_ends_the_stream(grpc_client):
    opened = Stream(grpc_client)
    for number in range(16):
        opened.send("slow", slow_input(number))
    grpc_client.stop_stream(cancel_requests=True)
    while True:
        result, error = opened.answers.get(timeout=WAIT_SECONDS)
        if error is not None:
            break
    assert error.status() == "StatusCode.CANCELLED"
    assert_simple_result(grpc_client.infer("simple", simple_grpc_inputs()))


def test_a_stream_has_a_time_out(grpc_client):
    opened = Stream(grpc_client, stream_timeout=1)
    opened.send("repeat_int32", repeat_inputs([7] * 100, delay_ms=500))
    while True:
        _, error = opened.answers.get(timeout=WAIT_SECONDS)
        if error is not None:
            break
    assert error.status() == "StatusCode.DEADLINE_EXCEEDED"
    grpc_client.stop_stream()


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_compressed_streams(grpc_client, algorithm):
    with Stream(grpc_client, compression_algorithm=algorithm) as opened:
        for number in range(20):
            opened.send("simple", simple_grpc_inputs(own_values(number)))
        for number in range(20):
            assert_simple_result(opened.result(), own_values(number), SIMPLE_B)


def test_the_only_response_is_the_final_one(stream):
    """Whether the client asks for an empty last one or not: models with one response to a request have none."""
    stream.send("simple", simple_grpc_inputs(), enable_empty_final_response=True)
    result = stream.result()
    assert final_mark(result) is True
    assert_simple_result(result)
    assert stream.answers.empty()


def test_large_tensors(stream):
    values = [np.full((1, 500_000), number, dtype=np.float32) for number in range(8)]
    for tensor in values:
        stream.send("identity_fp32", [grpc_input("INPUT0", tensor)])
    for tensor in values:
        np.testing.assert_array_equal(stream.result().as_numpy("OUTPUT0"), tensor)


def test_asyncio_stream(server, run_async):
    async def requests():
        for number in range(200):
            yield {"model_name": "simple", "inputs": simple_grpc_inputs(own_values(number)), "request_id": f"r{number}"}

    async def all_of_them():
        async with aioclient.InferenceServerClient(server.grpc_url) as client:
            number = 0
            async for result, error in client.stream_infer(requests()):
                assert error is None
                assert result.get_response().id == f"r{number}"
                assert_simple_result(result, own_values(number), SIMPLE_B)
                number += 1
            assert number == 200

    run_async(all_of_them())


def test_several_streams_at_once(server):
    clients = [grpcclient.InferenceServerClient(server.grpc_url) for _ in range(4)]
    streams = [Stream(client) for client in clients]
    for number in range(100):
        for stream in streams:
            stream.send("simple", simple_grpc_inputs(own_values(number)))
    for stream in streams:
        for number in range(100):
            assert_simple_result(stream.result(), own_values(number), SIMPLE_B)
        stream.client.stop_stream()
