"""Tensors in the hands of tritonclient's gRPC clients: sync, asyncio and streams take the same objects."""

import time
from typing import Any, Callable

import numpy as np
import tritonclient.grpc as grpcclient
from tensors import SIMPLE_A, SIMPLE_B
from tritonclient.utils import np_to_triton_dtype


def grpc_input(name: str, values: np.ndarray) -> grpcclient.InferInput:
    tensor = grpcclient.InferInput(name, list(values.shape), np_to_triton_dtype(values.dtype))
    return tensor.set_data_from_numpy(values)


def simple_grpc_inputs(a=SIMPLE_A, b=SIMPLE_B) -> list[grpcclient.InferInput]:
    return [grpc_input("INPUT0", a), grpc_input("INPUT1", b)]


def own_values(number: int) -> np.ndarray:
    """Different for each request, so that an answer to somebody else's is noticed."""
    return np.arange(number, number + 16, dtype=np.int32).reshape(1, 16)


def final_mark(result: grpcclient.InferResult) -> Any:
    return result.get_response().parameters["triton_final_response"].bool_param


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.01)
