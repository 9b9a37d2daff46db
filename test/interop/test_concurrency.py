import asyncio

import numpy as np
import pytest
import tritonclient.http as httpclient
import tritonclient.http.aio as aioclient
from tensors import SIMPLE_B, assert_simple_result, simple_inputs
from tritonclient.utils import InferenceServerException

IN_FLIGHT = 64
REQUESTS = 1000


def own_values(number: int) -> np.ndarray:
    """Different for each request, so that an answer to somebody else's is noticed."""
    return np.arange(number, number + 16, dtype=np.int32).reshape(1, 16)


def test_many_async_requests_in_flight_each_get_their_own_answer(server):
    with httpclient.InferenceServerClient(server.url, concurrency=IN_FLIGHT) as client:
        pending = [
            client.async_infer("simple", simple_inputs(a=own_values(number)), request_id=f"r{number}")
            for number in range(REQUESTS)
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
