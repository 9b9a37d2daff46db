import numpy as np
import pytest
import tritonclient.http as httpclient
from tensors import make_input


@pytest.fixture
def digits(client):
    """Metadata of the example `digits`: one image in, a score for each of ten labels out."""
    return client.get_model_metadata("digits")


def images(digits, rows: int) -> np.ndarray:
    shape = [rows] + [1 if dim == -1 else dim for dim in digits["inputs"][0]["shape"][1:]]
    dtype = {"FP32": np.float32, "UINT8": np.uint8}[digits["inputs"][0]["datatype"]]
    return (np.random.default_rng(7).random(shape) * 16).astype(dtype)


def classify(client, digits, values, count, binary=True):
    output = httpclient.InferRequestedOutput(digits["outputs"][0]["name"], binary_data=binary, class_count=count)
    result = client.infer("digits", [make_input(digits["inputs"][0]["name"], values)], outputs=[output])
    texts = result.as_numpy(digits["outputs"][0]["name"])
    return np.array([text.decode() if isinstance(text, bytes) else text for text in texts.flatten()]).reshape(texts.shape)


def scores(client, digits, values) -> np.ndarray:
    result = client.infer("digits", [make_input(digits["inputs"][0]["name"], values)])
    return result.as_numpy(digits["outputs"][0]["name"])


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("rows", [1, 3])
def test_the_best_classes_of_each_row_with_value_index_and_label(client, digits, rows, binary):
    values = images(digits, rows)
    texts = classify(client, digits, values, 3, binary)
    assert texts.shape == (rows, 3)
    for row, row_scores in zip(texts, scores(client, digits, values)):
        best = np.argsort(-row_scores.astype(np.float64), kind="stable")[:3]
        parts = [text.split(":") for text in row]
        assert [int(index) for _, index, _ in parts] == best.tolist()
        assert [value for value, _, _ in parts] == [f"{row_scores[index]:.6f}" for index in best]
        assert all(label for _, _, label in parts)


def test_no_more_classes_than_there_are(client, digits):
    assert classify(client, digits, images(digits, 1), 1000).shape == (1, 10)


def test_classes_without_labels_have_none(client):
    result = client.infer(
        "simple",
        [make_input(name, np.arange(16, dtype=np.int32).reshape(1, 16)) for name in ("INPUT0", "INPUT1")],
        outputs=[httpclient.InferRequestedOutput("OUTPUT0", class_count=2)],
    )
    assert result.get_output("OUTPUT0")["datatype"] == "BYTES"
    assert result.as_numpy("OUTPUT0").tolist() == [[b"30:15", b"28:14"]]
