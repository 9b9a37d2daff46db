import asyncio

import numpy as np
import pytest
import tritonclient.http as httpclient
import tritonclient.http.aio as aioclient
from tensors import SIMPLE_B, assert_simple_result, make_input, simple_inputs
from tritonclient.utils import InferenceServerException

IN_FLIGHT = 200
REQUESTS = 1000
# tritonclient's async_infer sleeps 10 ms in each call.
ASYNC_INFER_REQUESTS = 300


def own_values(number: int) -> np.ndarray:
    """Different for each request, so that an answer to somebody else's is noticed."""
    return np.arange(number, number + 16, dtype=np.int32).reshape(1, 16)


def test_many_async_requests_in_flight_each_get_their_own_answer(server):
    with httpclient.InferenceServerClient(server.url, concurrency=IN_FLIGHT) as client:
        pending = [
            client.async_infer("simple", simple_inputs(a=own_values(number)), request_id=f"r{number}")
            for number in range(ASYNC_INFER_REQUESTS)
        ]
        for number, request in enumerate(pending):
            result = request.get_result()
            assert result.get_response()["id"] == f"r{number}"
            assert_simple_result(result, own_values(number), SIMPLE_B)


def test_asyncio_client_many_in_flight(server, run_async):
    async def one(client, number):
        result = await client.infer("simple", simple_inputs(a=own_values(number)), request_id=f"r{number}")
        assert result.get_response()["id"] == f"r{number}"
        assert_simple_result(result, own_values(number), SIMPLE_B)

    async def all_of_them():
        async with aioclient.InferenceServerClient(server.url, conn_limit=IN_FLIGHT) as client:
            await asyncio.gather(*(one(client, number) for number in range(REQUESTS)))

    run_async(all_of_them())


def test_async_errors_reach_the_request_that_caused_them(server):
    with httpclient.InferenceServerClient(server.url, concurrency=8) as client:
        good = [client.async_infer("simple", simple_inputs()) for _ in range(8)]
        bad = [client.async_infer("no_such_model", simple_inputs()) for _ in range(8)]
        for request in good:
            assert_simple_result(request.get_result())
        for request in bad:
            with pytest.raises(InferenceServerException) as caught:
                request.get_result()
            assert caught.value.status() == "404"


def test_many_wait_for_a_slow_model_at_the_same_time(server, run_async):
    """`slow` takes 4 requests in more than 100 ms: the last ones wait for seconds, and all the others with them."""
    count = 60

    async def one(client, number):
        values = np.full((1, 1), number, dtype=np.float32)
        result = await client.infer("slow", [make_input("INPUT0", values)])
        assert result.as_numpy("OUTPUT0").tolist() == [[number]]

    async def all_of_them():
        async with aioclient.InferenceServerClient(server.url, conn_limit=count) as client:
            await asyncio.gather(*(one(client, number) for number in range(count)))

    run_async(all_of_them())


@pytest.mark.parametrize("binary", [True, False])
def test_requests_of_different_shape_never_share_a_batch(server, run_async, binary):
    async def one(client, number):
        shape = (1 + number % 3, number % 7)
        values = np.full(shape, number, dtype=np.float32)
        texts = np.full(shape, f"text {number}".encode(), dtype=np.object_)
        numbers = client.infer("identity_fp32", [make_input("INPUT0", values, binary)])
        strings = client.infer("identity_bytes", [make_input("INPUT0", texts, binary)])
        found = [result.as_numpy("OUTPUT0") for result in await asyncio.gather(numbers, strings)]
        assert [array.tolist() for array in found] == [values.tolist(), texts.tolist()]

    async def all_of_them():
        async with aioclient.InferenceServerClient(server.url, conn_limit=IN_FLIGHT) as client:
            await asyncio.gather(*(one(client, number) for number in range(400)))

    run_async(all_of_them())


def test_bad_requests_among_good_ones_spoil_only_themselves(server, run_async):
    async def one(client, number):
        if number % 5 == 0:
            with pytest.raises(InferenceServerException, match="data-type is 'FP32', but model 'identity_bytes' expects 'BYTES'"):
                await client.infer("identity_bytes", [make_input("INPUT0", np.zeros((1, 1), np.float32))])
        else:
            values = np.array([[f"good {number}".encode()]], dtype=np.object_)
            result = await client.infer("identity_bytes", [make_input("INPUT0", values)])
            assert result.as_numpy("OUTPUT0").tolist() == values.tolist()

    async def all_of_them():
        async with aioclient.InferenceServerClient(server.url, conn_limit=IN_FLIGHT) as client:
            await asyncio.gather(*(one(client, number) for number in range(500)))

    run_async(all_of_them())
