"""Shapes that are easy to get wrong: empty, scalar, reshaped, optional, of unknown size, and models without a batch."""

import numpy as np
import pytest
import tritonclient.http as httpclient
from raw import binary_infer, post_json
from tensors import make_input
from tritonclient.utils import InferenceServerException

EITHER = (True, False)


def fp32(values, shape=None) -> np.ndarray:
    array = np.array(values, dtype=np.float32)
    return array if shape is None else array.reshape(shape)


def run(client, model, *tensors, output="OUTPUT0", binary=True) -> np.ndarray:
    inputs = [make_input(name, values, binary) for name, values in tensors]
    result = client.infer(model, inputs, outputs=[httpclient.InferRequestedOutput(output, binary_data=binary)])
    return result.as_numpy(output)


@pytest.mark.parametrize("binary", EITHER)
@pytest.mark.parametrize(("model", "shape"), [("identity_fp32", (1, 0)), ("identity_fp32", (3, 0)), ("identity_nobatch", (0, 3))])
def test_empty_tensors_come_back_empty(client, model, shape, binary):
    assert run(client, model, ("INPUT0", fp32([], shape)), binary=binary).shape == shape


@pytest.mark.parametrize("binary", EITHER)
def test_empty_tensors_of_strings(client, binary):
    values = np.empty((2, 0), dtype=np.object_)
    assert run(client, "identity_bytes", ("INPUT0", values), binary=binary).shape == (2, 0)


def test_an_answer_of_empty_tensors_only_is_all_json(server):
    answer = binary_infer(server, "identity_fp32", [("INPUT0", "FP32", [1, 0], b"")], binary_output=True)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert "Inference-Header-Content-Length" not in answer.headers
    (output,) = answer.json["outputs"]
    assert output == {"name": "OUTPUT0", "datatype": "FP32", "shape": [1, 0], "parameters": {"binary_data_size": 0}}


@pytest.mark.parametrize("shape", [[0, 4], [0, 0]])
def test_a_batch_of_nothing_is_refused(server, shape):
    tensor = {"name": "INPUT0", "datatype": "FP32", "shape": shape, "data": []}
    assert post_json(server, "/v2/models/identity_fp32/infer", {"inputs": [tensor]}).status == 400


def test_a_batching_model_wants_a_batch_dimension(server):
    tensor = {"name": "INPUT0", "datatype": "FP32", "shape": [], "data": [1]}
    answer = post_json(server, "/v2/models/identity_fp32/infer", {"inputs": [tensor]})
    assert answer.status == 400
    text = "[request id: <id_unknown>] input 'INPUT0' has no shape but model requires batch dimension for 'identity_fp32'"
    assert answer.json["error"] == text


@pytest.mark.parametrize("binary", EITHER)
def test_an_optional_input_has_its_default_unless_it_is_given(client, binary):
    x = ("x", fp32([1, 2, 3]))
    assert run(client, "optional_input", x, output="y", binary=binary).tolist() == [11, 22, 33]
    given = ("b", fp32([1, 1, 1]))
    assert run(client, "optional_input", x, given, output="y", binary=binary).tolist() == [2, 3, 4]
    assert run(client, "optional_input", given, x, output="y", binary=binary).tolist() == [2, 3, 4]
    # What was given does not stay.
    assert run(client, "optional_input", x, output="y", binary=binary).tolist() == [11, 22, 33]


def test_a_required_input_beside_an_optional_one(client):
    with pytest.raises(InferenceServerException) as caught:
        run(client, "optional_input", ("b", fp32([1, 2, 3])), output="y")
    assert caught.value.status() == "400"
    assert caught.value.message() == (
        "[request id: <id_unknown>] expected number of inputs between 1 and 2 but got 1 inputs for model 'optional_input'. "
        "Got input(s) ['b'], but missing required input(s) ['x']. Please provide all required input(s)."
    )


@pytest.mark.parametrize("binary", EITHER)
def test_a_scalar_of_the_graph_has_one_dimension_outside(client, binary):
    assert run(client, "scalar_nobatch", ("INPUT0", fp32([3])), binary=binary).tolist() == [6]


@pytest.mark.parametrize("binary", EITHER)
@pytest.mark.parametrize("rows", [1, 2, 4])
def test_reshapes_are_not_seen_by_the_client(client, rows, binary):
    # Both graphs add 1; the one sees [2,2] for each row, the other a number.
    for model, values in (("reshape_model", fp32(range(rows * 4), (rows, 4))), ("reshape_empty", fp32(range(rows), (rows, 1)))):
        assert run(client, model, ("INPUT0", values), binary=binary).tolist() == (values + 1).tolist()


def test_the_inner_shape_of_a_reshape_is_refused(client):
    with pytest.raises(InferenceServerException, match=r"Expected \[-1,4\], got \[1,2,2\]"):
        run(client, "reshape_model", ("INPUT0", fp32(range(4), (1, 2, 2))))


@pytest.mark.parametrize("binary", EITHER)
@pytest.mark.parametrize(("values", "indices"), [([0, 1, 0, 2], [1, 3]), ([0, 0], []), ([5], [0])])
def test_an_output_whose_size_only_the_run_knows(client, values, indices, binary):
    found = run(client, "two_outputs_var", ("INPUT0", fp32(values)), binary=binary)
    assert found.shape == (1, len(indices))
    assert found[0].tolist() == indices


@pytest.mark.parametrize(("model", "expected"), [("external_data", [1, 3, 3, 6]), ("onnx_directory", [10, 21, 30, 42])])
def test_weights_in_files_of_their_own(client, model, expected):
    assert run(client, model, ("x", fp32([0, 1, 0, 2])), output="y").tolist() == expected


def test_models_without_configuration(client):
    batching = client.get_model_config("auto_batch")
    assert batching["max_batch_size"] > 0
    assert batching["input"][0]["dims"] == [3]
    assert run(client, "auto_batch", ("INPUT0", fp32(range(6), (2, 3)))).shape == (2, 3)
    plain = client.get_model_config("auto_nobatch")
    assert plain["max_batch_size"] == 0
    assert plain["input"][0]["dims"] == [2, 3]
    assert run(client, "auto_nobatch", ("INPUT0", fp32(range(6), (2, 3)))).shape == (2, 3)


def test_a_shape_of_a_model_without_batch_is_refused_without_the_note_about_batches(client):
    with pytest.raises(InferenceServerException) as caught:
        run(client, "auto_nobatch", ("INPUT0", fp32(range(6), (3, 2))))
    text = "unexpected shape for input 'INPUT0' for model 'auto_nobatch'. Expected [2,3], got [3,2]. "
    assert caught.value.message() == f"[request id: <id_unknown>] {text}"


def test_a_tensor_of_some_megabytes(client):
    values = np.random.default_rng(3).random((1, 4_000_000), dtype=np.float32)
    result = client.infer("identity_fp32", [make_input("INPUT0", values)])
    np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), values)


def test_a_tensor_of_some_megabytes_as_json(client):
    values = np.arange(300_000, dtype=np.float32).reshape(1, -1) / 8
    found = run(client, "identity_fp32", ("INPUT0", values), binary=False)
    np.testing.assert_array_equal(found, values)
