"""Tensors in the hands of tritonclient: the sync and the asyncio client take the same objects."""

import numpy as np
import tritonclient.http as httpclient
from tritonclient.utils import np_to_triton_dtype

# The model `simple`: OUTPUT0 = INPUT0 + INPUT1, OUTPUT1 = INPUT0 - INPUT1, INT32 [16], batches.
SIMPLE_A = np.arange(16, dtype=np.int32).reshape(1, 16)
SIMPLE_B = np.full((1, 16), 3, dtype=np.int32)


def make_input(name: str, values: np.ndarray, binary: bool = True) -> httpclient.InferInput:
    tensor = httpclient.InferInput(name, list(values.shape), np_to_triton_dtype(values.dtype))
    return tensor.set_data_from_numpy(values, binary_data=binary)


def simple_inputs(binary_a: bool = True, binary_b: bool = True, a=SIMPLE_A, b=SIMPLE_B) -> list[httpclient.InferInput]:
    return [make_input("INPUT0", a, binary_a), make_input("INPUT1", b, binary_b)]


def simple_outputs(binary_sum: bool = True, binary_difference: bool = True) -> list[httpclient.InferRequestedOutput]:
    return [
        httpclient.InferRequestedOutput("OUTPUT0", binary_data=binary_sum),
        httpclient.InferRequestedOutput("OUTPUT1", binary_data=binary_difference),
    ]


def assert_simple_result(result, a=SIMPLE_A, b=SIMPLE_B) -> None:
    np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), a + b)
    np.testing.assert_array_equal(result.as_numpy("OUTPUT1"), a - b)
