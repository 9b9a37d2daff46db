"""Every datatype through a model that sends its input back: `test/models/identity_<datatype>`."""

import numpy as np
import pytest
import tritonclient.http as httpclient
import tritonclient.http.aio as aioclient
from raw import send
from tensors import make_input
from tritonclient.utils import np_to_triton_dtype

INTEGERS = ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64")
FLOATS = {"fp16": np.float16, "fp32": np.float32, "fp64": np.float64}
EITHER = (True, False)


def extremes(datatype: str) -> list:
    """The values that go wrong first."""
    if datatype in INTEGERS:
        limits = np.iinfo(datatype)
        return [limits.min, limits.max, 0, 1]
    if datatype in FLOATS:
        limits = np.finfo(FLOATS[datatype])
        return [limits.min, limits.max, limits.tiny, -0.0, 1.5, 0.1]
    if datatype == "bool":
        return [True, False, False, True]
    return [b"", b"text", "é€😀".encode(), b'quote " and \\ and \n']


def numpy_type(datatype: str):
    return FLOATS.get(datatype, np.object_ if datatype == "bytes" else datatype)


DATATYPES = ("bool", *INTEGERS, *FLOATS, "bytes")


def values_for(client, model: str, datatype: str) -> np.ndarray:
    """The extremes, repeated over one row (or over the whole shape) of the model's input; a dimension of any size gets 3."""
    config = client.get_model_config(model)
    dims = [int(dim) for dim in config["input"][0]["dims"]]
    shape = ([1] if config["max_batch_size"] > 0 else []) + [3 if dim == -1 else dim for dim in dims]
    values = extremes(datatype)
    elements = [values[index % len(values)] for index in range(int(np.prod(shape)))]
    return np.array(elements, dtype=numpy_type(datatype)).reshape(shape)


def names(client, model: str) -> tuple[str, str]:
    metadata = client.get_model_metadata(model)
    return metadata["inputs"][0]["name"], metadata["outputs"][0]["name"]


def assert_same(found: np.ndarray, values: np.ndarray) -> None:
    assert found.shape == values.shape
    expected = values.tolist()
    if values.dtype == np.object_:
        # JSON gives text, binary gives bytes.
        found = np.array([item if isinstance(item, bytes) else item.encode() for item in found.flatten()], dtype=object)
        found = found.reshape(values.shape)
    assert found.tolist() == expected


@pytest.mark.parametrize("datatype", DATATYPES)
@pytest.mark.parametrize("binary_in", EITHER)
@pytest.mark.parametrize("binary_out", EITHER)
def test_values_come_back_as_they_went(client, datatype, binary_in, binary_out):
    model = f"identity_{datatype}"
    input_name, output_name = names(client, model)
    values = values_for(client, model, datatype)
    outputs = [httpclient.InferRequestedOutput(output_name, binary_data=binary_out)]
    result = client.infer(model, [make_input(input_name, values, binary_in)], outputs=outputs)
    assert result.get_output(output_name)["datatype"] == np_to_triton_dtype(values.dtype)
    assert_same(result.as_numpy(output_name), values)


@pytest.mark.parametrize("datatype", DATATYPES)
def test_values_come_back_by_the_asyncio_client(server, client, run_async, datatype):
    model = f"identity_{datatype}"
    input_name, output_name = names(client, model)
    values = values_for(client, model, datatype)

    async def ask():
        async with aioclient.InferenceServerClient(server.url) as connected:
            return await connected.infer(model, [make_input(input_name, values)])

    assert_same(run_async(ask()).as_numpy(output_name), values)


@pytest.mark.parametrize("binary_out", EITHER)
@pytest.mark.parametrize("binary_in", EITHER)
def test_infinities_and_nan_pass(client, binary_in, binary_out):
    input_name, output_name = names(client, "identity_fp32")
    shape = values_for(client, "identity_fp32", "fp32").shape
    values = np.resize(np.array([np.inf, -np.inf, np.nan], dtype=np.float32), shape)
    outputs = [httpclient.InferRequestedOutput(output_name, binary_data=binary_out)]
    result = client.infer("identity_fp32", [make_input(input_name, values, binary_in)], outputs=outputs)
    np.testing.assert_array_equal(result.as_numpy(output_name), values)


@pytest.mark.parametrize("datatype", ["bool", "uint8", "int32", "fp16", "fp32", "fp64"])
def test_a_raw_request_is_the_bytes_of_the_only_input(server, client, datatype):
    model = f"identity_{datatype}"
    values = values_for(client, model, datatype)
    headers = {"Inference-Header-Content-Length": "0"}
    answer = send(server, "POST", f"/v2/models/{model}/infer", values.tobytes(), headers)
    assert answer.status == 200, answer.body
    head_bytes = int(answer.headers["Inference-Header-Content-Length"])
    assert answer.body[head_bytes:] == values.tobytes()
