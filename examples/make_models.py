"""Makes the models of examples/models and the held-out pictures of examples/digits.

simple: the sum and the difference of two INT32 tensors.
accumulator: the running sum of each sequence.
digits: a small convolutional network, trained here on the digits of scikit-learn.

    pip install -r examples/requirements.txt
    python examples/make_models.py            # all
    python examples/make_models.py simple     # one of them
"""

import shutil
import sys
from pathlib import Path

import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).resolve().parent
MODELS = HERE / "models"
HELD_OUT = HERE / "digits" / "held-out"

SIMPLE_CONFIG = """name: "simple"
platform: "onnxruntime_onnx"
max_batch_size: 8
input [
  { name: "INPUT0" data_type: TYPE_INT32 dims: [ 16 ] },
  { name: "INPUT1" data_type: TYPE_INT32 dims: [ 16 ] }
]
output [
  { name: "OUTPUT0" data_type: TYPE_INT32 dims: [ 16 ] },
  { name: "OUTPUT1" data_type: TYPE_INT32 dims: [ 16 ] }
]
"""

ACCUMULATOR_CONFIG = """name: "accumulator"
platform: "onnxruntime_onnx"
max_batch_size: 8
input [ { name: "INPUT" data_type: TYPE_INT32 dims: [ 1 ] } ]
output [
  { name: "OUTPUT" data_type: TYPE_INT32 dims: [ 1 ] },
  { name: "TOTAL" data_type: TYPE_INT32 dims: [ 1 ] },
  { name: "SEQUENCE" data_type: TYPE_UINT64 dims: [ 1 ] }
]
instance_group [ { count: 1 kind: KIND_CPU } ]
sequence_batching {
  direct { }
  # A minute, for whoever types.
  max_sequence_idle_microseconds: 60000000
  control_input { name: "START" control { kind: CONTROL_SEQUENCE_START int32_false_true: [ 0, 1 ] } }
  control_input { name: "END" control { kind: CONTROL_SEQUENCE_END int32_false_true: [ 0, 1 ] } }
  control_input { name: "READY" control { kind: CONTROL_SEQUENCE_READY int32_false_true: [ 0, 1 ] } }
  control_input { name: "CORRID" control { kind: CONTROL_SEQUENCE_CORRID data_type: TYPE_UINT64 } }
  state {
    input_name: "SUM_IN"
    output_name: "SUM_OUT"
    data_type: TYPE_INT32
    dims: [ 1 ]
    initial_state { name: "zero" data_type: TYPE_INT32 dims: [ 1 ] zero_data: true }
  }
}
"""

DIGITS_CONFIG = """name: "digits"
platform: "onnxruntime_onnx"
max_batch_size: 32
input [ { name: "image" data_type: TYPE_FP32 dims: [ 1, 8, 8 ] } ]
output [ { name: "scores" data_type: TYPE_FP32 dims: [ 10 ] label_filename: "labels.txt" } ]
dynamic_batching { }
"""

LABELS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]

SEED = 20
EPOCHS = 60
BATCH = 32
RATE = 2e-3

README = """# digits

A convolutional network that reads one handwritten digit of 8 by 8 pixels.

**Held-out accuracy: {right} of {total}** ({percent:.2f} %).

|        | name     | type | shape       | meaning                                                      |
| ------ | -------- | ---- | ----------- | ------------------------------------------------------------ |
| input  | `image`  | FP32 | `[1, 8, 8]` | brightness, 0 (paper) to 1 (ink)                             |
| output | `scores` | FP32 | `[10]`      | probability of each digit (softmax); `labels.txt` names them |

Layers: convolution 3x3 to 16 channels, ReLU, convolution 3x3 to 32 channels, ReLU, maximum over 2x2, dense to 64,
ReLU, dense to 10, softmax.

## How it was made

`python examples/make_models.py digits` trains it, with PyTorch on one CPU thread.

- Data: the {all} digits that come with scikit-learn (`load_digits`), which are the test part of the "Optical
  Recognition of Handwritten Digits" data set of the UCI repository (E. Alpaydin and C. Kaynak, 1998, CC BY 4.0,
  <https://doi.org/10.24432/C50P49>).
- Split: one fifth is held out, stratified by digit, with random seed {seed}: {train} pictures to train on, {total} held out.
- Training: cross-entropy, Adam, {epochs} epochs of batches of {batch}, learning rate {rate:g} falling to 0 along a cosine;
  each picture is shifted at random by up to one pixel, and before the first dense layer three values in ten are dropped
  out. The held-out pictures took no part in it, nor in the choice of the settings, which were tried on a part of the
  training pictures only.
- Accuracy: counted by running the ONNX file with ONNX Runtime over the held-out pictures. `test/examples/digits.test.ts`
  counts it again from the PNG files and expects exactly the number above.

Another version of PyTorch, or another processor, may train to a slightly different network and number.

The held-out pictures are in `examples/digits/held-out/`, as `NNNN_label.png`: NNNN is the index in `load_digits`. Each
is an 8-bit grayscale PNG of 8 by 8 pixels. The data has 17 levels, 0 to 16, and a pixel is the level times 15, so
`image = pixel / 240`.
"""


def simple() -> onnx.ModelProto:
    def value(name: str) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.INT32, ["batch", 16])

    graph = helper.make_graph(
        [
            helper.make_node("Add", ["INPUT0", "INPUT1"], ["OUTPUT0"]),
            helper.make_node("Sub", ["INPUT0", "INPUT1"], ["OUTPUT1"]),
        ],
        "simple",
        [value("INPUT0"), value("INPUT1")],
        [value("OUTPUT0"), value("OUTPUT1")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def accumulator() -> onnx.ModelProto:
    """The sum is kept by the server between the steps of a sequence, and a step with START begins from 0 in any case."""

    def value(name: str, element=TensorProto.INT32) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, element, ["batch", 1])

    node = helper.make_node
    graph = helper.make_graph(
        [
            node("Sub", ["one", "START"], ["goes_on"]),
            node("Mul", ["SUM_IN", "goes_on"], ["before"]),
            node("Mul", ["INPUT", "READY"], ["more"]),
            node("Add", ["before", "more"], ["sum"]),
            node("Identity", ["sum"], ["SUM_OUT"]),
            node("Identity", ["sum"], ["OUTPUT"]),
            node("Mul", ["sum", "END"], ["TOTAL"]),
            node("Identity", ["CORRID"], ["SEQUENCE"]),
        ],
        "accumulator",
        [*map(value, ["INPUT", "START", "END", "READY"]), value("CORRID", TensorProto.UINT64), value("SUM_IN")],
        [*map(value, ["OUTPUT", "TOTAL"]), value("SEQUENCE", TensorProto.UINT64), value("SUM_OUT")],
        [helper.make_tensor("one", TensorProto.INT32, [], [1])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def train(images, labels) -> dict:
    """The weights, by name, of the network trained on images [n, 1, 8, 8] and labels [n]."""
    import torch
    from torch import nn

    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    network = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(512, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )
    x, y = torch.from_numpy(images), torch.from_numpy(labels)
    steps = EPOCHS * -(-len(x) // BATCH)
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(x)).split(BATCH):
            padded = nn.functional.pad(x[chosen], (1, 1, 1, 1))
            shifts = torch.randint(0, 3, (len(chosen), 2)).tolist()
            batch = torch.stack([p[:, r : r + 8, c : c + 8] for p, (r, c) in zip(padded, shifts)])
            loss = nn.functional.cross_entropy(network(batch), y[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    layers = {"conv1": network[0], "conv2": network[2], "dense1": network[7], "dense2": network[9]}
    kinds = ["weight", "bias"]
    return {f"{name}.{kind}": getattr(layer, kind).detach().numpy() for name, layer in layers.items() for kind in kinds}


def digits_model(weights: dict) -> onnx.ModelProto:
    def layer(kind: str, name: str, source: str, target: str, **attributes) -> onnx.NodeProto:
        return helper.make_node(kind, [source, f"{name}.weight", f"{name}.bias"], [target], **attributes)

    graph = helper.make_graph(
        [
            layer("Conv", "conv1", "image", "c1", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["c1"], ["r1"]),
            layer("Conv", "conv2", "r1", "c2", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["c2"], ["r2"]),
            helper.make_node("MaxPool", ["r2"], ["pooled"], kernel_shape=[2, 2], strides=[2, 2]),
            helper.make_node("Flatten", ["pooled"], ["flat"]),
            layer("Gemm", "dense1", "flat", "d1", transB=1),
            helper.make_node("Relu", ["d1"], ["r3"]),
            layer("Gemm", "dense2", "r3", "logits", transB=1),
            helper.make_node("Softmax", ["logits"], ["scores"], axis=1),
        ],
        "digits",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 1, 8, 8])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 10])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def make_digits() -> None:
    import numpy as np
    import onnxruntime
    from PIL import Image
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    data = load_digits()
    levels = data.images.astype(np.uint8)
    images = (levels / 16).astype(np.float32)[:, None]
    labels = data.target.astype(np.int64)
    kept, held = train_test_split(np.arange(len(labels)), test_size=0.2, stratify=labels, random_state=SEED)

    folder = MODELS / "digits"
    (folder / "1").mkdir(parents=True, exist_ok=True)
    (folder / "config.pbtxt").write_text(DIGITS_CONFIG)
    (folder / "labels.txt").write_text("\n".join(LABELS) + "\n")
    file = folder / "1" / "model.onnx"
    file.write_bytes(digits_model(train(images[kept], labels[kept])).SerializeToString())

    (scores,) = onnxruntime.InferenceSession(str(file)).run(None, {"image": images[held]})
    right = int((scores.argmax(axis=1) == labels[held]).sum())
    numbers = {"right": right, "total": len(held), "percent": 100 * right / len(held), "train": len(kept)}
    settings = {"all": len(labels), "seed": SEED, "epochs": EPOCHS, "batch": BATCH, "rate": RATE}
    (folder / "README.md").write_text(README.format(**numbers, **settings))
    print(f"digits: {right} of {len(held)}")

    shutil.rmtree(HELD_OUT, ignore_errors=True)
    HELD_OUT.mkdir(parents=True)
    for i in held:
        Image.fromarray(levels[i] * 15).save(HELD_OUT / f"{i:04d}_{labels[i]}.png")


def save(name: str, config: str, model: onnx.ModelProto) -> None:
    folder = MODELS / name
    (folder / "1").mkdir(parents=True, exist_ok=True)
    (folder / "config.pbtxt").write_text(config)
    (folder / "1" / "model.onnx").write_bytes(model.SerializeToString())


def main() -> None:
    makers = {
        "simple": lambda: save("simple", SIMPLE_CONFIG, simple()),
        "accumulator": lambda: save("accumulator", ACCUMULATOR_CONFIG, accumulator()),
        "digits": make_digits,
    }
    for name in sys.argv[1:] or makers:
        makers[name]()


if __name__ == "__main__":
    main()
