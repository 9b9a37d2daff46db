"""Makes `sunspots` and `sunspots_series` of examples/models, and the series they are about, examples/sunspots/yearly.csv.

Both are one recurrent network, trained here: `sunspots` takes a year at a time and leaves its state with the server,
`sunspots_series` takes all years at once.

    pip install -r examples/requirements.txt
    python examples/make_sunspots.py
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).resolve().parent
MODELS = HERE / "models"
SERIES = HERE / "sunspots" / "yearly.csv"

HIDDEN = 16
SCALE = 100
TEST_YEARS = 60
SEED = 20
STEPS = 600
RATE = 1e-2
DECAY = 1e-2

STEP_CONFIG = f"""name: "sunspots"
platform: "onnxruntime_onnx"
max_batch_size: 64
input [ {{ name: "activity" data_type: TYPE_FP32 dims: [ 1 ] }} ]
output [ {{ name: "forecast" data_type: TYPE_FP32 dims: [ 1 ] }} ]
sequence_batching {{
  oldest {{ max_candidate_sequences: 1024 }}
  max_sequence_idle_microseconds: 60000000
  state [
    {{
      input_name: "hidden_in"
      output_name: "hidden_out"
      data_type: TYPE_FP32
      dims: [ {HIDDEN} ]
      initial_state: {{ name: "rest" data_type: TYPE_FP32 dims: [ {HIDDEN} ] zero_data: true }}
    }}
  ]
}}
"""

SERIES_CONFIG = """name: "sunspots_series"
platform: "onnxruntime_onnx"
max_batch_size: 0
input [ { name: "activity" data_type: TYPE_FP32 dims: [ -1, 1 ] } ]
output [ { name: "forecast" data_type: TYPE_FP32 dims: [ -1, 1 ] } ]
"""

README = """# sunspots

A recurrent network (a GRU of {hidden} units) that reads the yearly number of sunspots, a year at a time, and forecasts the
next year. What it remembers of the years before is *implicit state*: it stays with the server, in the sequence's slot.

**Error of the forecasts of the last {test} years: {error:.1f}** (root of the mean square); taking next year to be as this one: {naive:.1f}.

|        | name       | type | shape | meaning                      |
| ------ | ---------- | ---- | ----- | ---------------------------- |
| input  | `activity` | FP32 | `[1]` | sunspots of a year           |
| output | `forecast` | FP32 | `[1]` | sunspots of the year after   |
| state  | `hidden_in`, `hidden_out` | FP32 | `[{hidden}]` | kept by the server; zeros at the start of a sequence |

`sunspots_series` is the same network for all years at once: `activity` and `forecast` are `[years, 1]`, and there is no
sequence. Both give the same numbers, which `npm run example:stream` shows.

## How it was made

`python examples/make_sunspots.py` trains it, with PyTorch on one CPU thread.

- Data: the {years} years from {first} to {last} that come with statsmodels (`sunspots`), which are from the National
  Geophysical Data Center of the United States (public domain); they are in `examples/sunspots/yearly.csv`.
- Split: the last {test} years took no part in the training, nor in the choice of the settings.
- Training: mean square error, AdamW, {steps} steps over the whole series, learning rate {rate:g} falling to 0 along a
  cosine, weight decay {decay:g}; random seed {seed}.

Another version of PyTorch, or another processor, may train to a slightly different network and number.
"""


def train(activity: np.ndarray) -> dict[str, np.ndarray]:
    """The weights, by their names in ONNX, of the network trained on activity [years]."""
    import torch
    from torch import nn

    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    gru, head = nn.GRU(1, HIDDEN), nn.Linear(HIDDEN, 1)
    series = torch.from_numpy(activity / SCALE)[:, None, None]
    parameters = [*gru.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for _ in range(STEPS):
        hidden, _ = gru(series[:-1])
        loss = nn.functional.mse_loss(series[:-1] + head(hidden), series[1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()

    def gates(weight: torch.Tensor) -> np.ndarray:
        """PyTorch has reset, update, new; ONNX has update, reset, hidden."""
        reset, update, new = weight.detach().numpy().reshape(3, HIDDEN, -1)
        return np.concatenate([update, reset, new])[None]

    biases = [gates(gru.bias_ih_l0)[..., 0], gates(gru.bias_hh_l0)[..., 0]]
    return {
        "W": gates(gru.weight_ih_l0),
        "R": gates(gru.weight_hh_l0),
        "B": np.concatenate(biases, axis=1),
        "head.weight": head.weight.detach().numpy(),
        "head.bias": head.bias.detach().numpy(),
    }


CONSTANTS = {
    "scale": np.float32(SCALE),
    "first_axis": np.array([0], np.int64),
    "second_axis": np.array([1], np.int64),
    "inner_axes": np.array([1, 2], np.int64),
}


def head(hidden: str) -> list[onnx.NodeProto]:
    """From the state, [n, HIDDEN], to the forecast of n sequences, or of n years."""
    return [
        helper.make_node("Gemm", [hidden, "head.weight", "head.bias"], ["change"], transB=1),
        helper.make_node("Add", ["scaled", "change"], ["next"]),
        helper.make_node("Mul", ["next", "scale"], ["forecast"]),
    ]


def gru(inputs: list[str], outputs: list[str]) -> onnx.NodeProto:
    x, *initial = inputs
    return helper.make_node("GRU", [x, "W", "R", "B", "", *initial], outputs, hidden_size=HIDDEN, linear_before_reset=1)


def finished(name: str, nodes, inputs, outputs, weights) -> onnx.ModelProto:
    used = {tensor for node in nodes for tensor in node.input}
    initializers = [
        numpy_helper.from_array(np.asarray(array), key) for key, array in {**weights, **CONSTANTS}.items() if key in used
    ]
    values = [
        [helper.make_tensor_value_info(key, TensorProto.FLOAT, shape) for key, shape in tensors.items()]
        for tensors in (inputs, outputs)
    ]
    graph = helper.make_graph(nodes, name, *values, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def step_model(weights: dict) -> onnx.ModelProto:
    """A year of each sequence of the batch."""
    nodes = [
        helper.make_node("Div", ["activity", "scale"], ["scaled"]),
        helper.make_node("Unsqueeze", ["scaled", "first_axis"], ["x"]),
        helper.make_node("Unsqueeze", ["hidden_in", "first_axis"], ["before"]),
        gru(["x", "before"], ["", "after"]),
        helper.make_node("Squeeze", ["after", "first_axis"], ["hidden_out"]),
        *head("hidden_out"),
    ]
    inputs = {"activity": ["batch", 1], "hidden_in": ["batch", HIDDEN]}
    outputs = {"forecast": ["batch", 1], "hidden_out": ["batch", HIDDEN]}
    return finished("sunspots", nodes, inputs, outputs, weights)


def series_model(weights: dict) -> onnx.ModelProto:
    """All years of one series."""
    nodes = [
        helper.make_node("Div", ["activity", "scale"], ["scaled"]),
        helper.make_node("Unsqueeze", ["scaled", "second_axis"], ["x"]),
        gru(["x"], ["all"]),
        helper.make_node("Squeeze", ["all", "inner_axes"], ["hidden"]),
        *head("hidden"),
    ]
    return finished("sunspots_series", nodes, {"activity": ["years", 1]}, {"forecast": ["years", 1]}, weights)


def save(name: str, config: str, model: onnx.ModelProto) -> Path:
    folder = MODELS / name
    (folder / "1").mkdir(parents=True, exist_ok=True)
    (folder / "config.pbtxt").write_text(config)
    file = folder / "1" / "model.onnx"
    file.write_bytes(model.SerializeToString())
    return file


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


def make_sunspots() -> None:
    import onnxruntime
    import statsmodels.api

    table = statsmodels.api.datasets.sunspots.load_pandas().data
    years = table["YEAR"].to_numpy().astype(int)
    activity = table["SUNACTIVITY"].to_numpy().astype(np.float32)
    SERIES.parent.mkdir(parents=True, exist_ok=True)
    rows = "".join(f"{year},{value:g}\n" for year, value in zip(years, activity))
    SERIES.write_text(f"year,activity\n{rows}")

    weights = train(activity[:-TEST_YEARS])
    save("sunspots", STEP_CONFIG, step_model(weights))
    file = save("sunspots_series", SERIES_CONFIG, series_model(weights))

    (forecast,) = onnxruntime.InferenceSession(str(file)).run(None, {"activity": activity[:, None]})
    test = slice(-TEST_YEARS - 1, -1)
    expected = activity[-TEST_YEARS:]
    error, naive = rms(forecast[test, 0] - expected), rms(activity[test] - expected)
    numbers = {"years": len(years), "first": years[0], "last": years[-1], "test": TEST_YEARS, "error": error, "naive": naive}
    settings = {"hidden": HIDDEN, "steps": STEPS, "rate": RATE, "decay": DECAY, "seed": SEED}
    (MODELS / "sunspots" / "README.md").write_text(README.format(**numbers, **settings))
    print(f"sunspots: error {error:.1f}, of the naive forecast {naive:.1f}")


if __name__ == "__main__":
    make_sunspots()
