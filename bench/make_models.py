"""Makes bench/models: the models that the benchmarks load.

    pip install -r examples/requirements.txt
    python bench/make_models.py
"""

from pathlib import Path

import onnx
from onnx import TensorProto, helper

MODELS = Path(__file__).resolve().parent / "models"
INSTANCES = "instance_group [ { count: 1 kind: KIND_CPU } ]\n"


def save(name: str, config: str, nodes, inputs, outputs, constants=()) -> None:
    graph = helper.make_graph(nodes, name, inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    folder = MODELS / name
    (folder / "1").mkdir(parents=True, exist_ok=True)
    (folder / "config.pbtxt").write_text(config)
    (folder / "1" / "model.onnx").write_bytes(model.SerializeToString())


def simple_b64() -> None:
    def value(name: str) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.INT32, ["batch", 16])

    config = """name: "simple_b64"
platform: "onnxruntime_onnx"
max_batch_size: 64
input [
  { name: "INPUT0" data_type: TYPE_INT32 dims: [ 16 ] },
  { name: "INPUT1" data_type: TYPE_INT32 dims: [ 16 ] }
]
output [
  { name: "OUTPUT0" data_type: TYPE_INT32 dims: [ 16 ] },
  { name: "OUTPUT1" data_type: TYPE_INT32 dims: [ 16 ] }
]
dynamic_batching { }
"""
    save(
        "simple_b64",
        config + INSTANCES,
        [
            helper.make_node("Add", ["INPUT0", "INPUT1"], ["OUTPUT0"]),
            helper.make_node("Sub", ["INPUT0", "INPUT1"], ["OUTPUT1"]),
        ],
        [value("INPUT0"), value("INPUT1")],
        [value("OUTPUT0"), value("OUTPUT1")],
    )


def identity(name: str, size: int, max_batch_size: int) -> None:
    shape = ["batch", size] if max_batch_size > 0 else [size]
    config = f"""name: "{name}"
platform: "onnxruntime_onnx"
max_batch_size: {max_batch_size}
input [ {{ name: "INPUT0" data_type: TYPE_FP32 dims: [ {size} ] }} ]
output [ {{ name: "OUTPUT0" data_type: TYPE_FP32 dims: [ {size} ] }} ]
"""
    if max_batch_size > 0:
        config += "dynamic_batching { }\n"
    save(
        name,
        config + INSTANCES,
        [helper.make_node("Identity", ["INPUT0"], ["OUTPUT0"])],
        [helper.make_tensor_value_info("INPUT0", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("OUTPUT0", TensorProto.FLOAT, shape)],
    )


READY = 'control_input { name: "READY" control { kind: CONTROL_SEQUENCE_READY int32_false_true: [ 0, 1 ] } }'
CORRID = 'control_input { name: "CORRID" control { kind: CONTROL_SEQUENCE_CORRID data_type: TYPE_INT64 } }'


def sequence_batching(strategy: str, state: str, *controls: str, idle_us: int = 60_000_000) -> str:
    lines = [f"max_sequence_idle_microseconds: {idle_us}", strategy, state, *controls]
    return "sequence_batching {\n" + "".join(f"  {line}\n" for line in lines) + "}\n"


def state_text(data_type: str, size: int) -> str:
    return f'state {{ input_name: "STATE" output_name: "STATE_OUT" data_type: {data_type} dims: [ {size} ] }}'


def tensor_text(name: str, data_type: str, size: int) -> str:
    return f'{{ name: "{name}" data_type: {data_type} dims: [ {size} ] }}'


def config_text(name: str, inputs, outputs, more: str, instances: int = 1) -> str:
    return f"""name: "{name}"
platform: "onnxruntime_onnx"
max_batch_size: 64
input [ {", ".join(inputs)} ]
output [ {", ".join(outputs)} ]
instance_group [ {{ count: {instances} kind: KIND_CPU }} ]
{more}"""


def running_sums() -> None:
    """The tensors of simple_b64: OUTPUT0 is the sum of all inputs of the sequence, OUTPUT1 their difference in this step."""

    def value(name: str) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.INT32, ["batch", 16])

    strategies = {
        "direct_64": ("direct { }", 1),
        # Eight instances share few cores: their batches should be nearly full.
        "direct_512": ("direct { max_queue_delay_microseconds: 1000 minimum_slot_utilization: 0.9 }", 8),
        "oldest_64": ("oldest { max_candidate_sequences: 64 }", 1),
        "oldest_512": ("oldest { max_candidate_sequences: 512 }", 1),
    }
    for suffix, (strategy, instances) in strategies.items():
        name = f"running_sum_{suffix}"
        batching = sequence_batching(strategy, state_text("TYPE_INT32", 16), READY)
        tensors = [[tensor_text(f"{kind}{nth}", "TYPE_INT32", 16) for nth in (0, 1)] for kind in ("INPUT", "OUTPUT")]
        save(
            name,
            config_text(name, *tensors, batching, instances),
            [
                helper.make_node("Add", ["INPUT0", "INPUT1"], ["SUM"]),
                helper.make_node("Mul", ["SUM", "READY"], ["READY_SUM"]),
                helper.make_node("Add", ["STATE", "READY_SUM"], ["STATE_OUT"]),
                helper.make_node("Identity", ["STATE_OUT"], ["OUTPUT0"]),
                helper.make_node("Sub", ["INPUT0", "INPUT1"], ["OUTPUT1"]),
            ],
            [
                value("INPUT0"),
                value("INPUT1"),
                value("STATE"),
                helper.make_tensor_value_info("READY", TensorProto.INT32, ["batch", 1]),
            ],
            [value("STATE_OUT"), value("OUTPUT0"), value("OUTPUT1")],
        )


def states(label: str, size: int) -> None:
    """The state is the sum of all inputs, in every element; OUTPUT its first. Kept by the server, or carried by the client."""

    def tensor(name: str, width: int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", width])

    nodes = [
        helper.make_node("Add", ["STATE", "INPUT"], ["STATE_OUT"]),
        helper.make_node("Slice", ["STATE_OUT", "BEGIN", "END", "AXIS"], ["OUTPUT"]),
    ]
    constants = [
        helper.make_tensor(name, TensorProto.INT64, [1], [value])
        for name, value in {"BEGIN": 0, "END": 1, "AXIS": 1}.items()
    ]
    inputs = [tensor("INPUT", 1), tensor("STATE", size)]
    outputs = [tensor("OUTPUT", 1), tensor("STATE_OUT", size)]
    in_text, out_text = tensor_text("INPUT", "TYPE_FP32", 1), tensor_text("OUTPUT", "TYPE_FP32", 1)
    batching = sequence_batching("oldest { max_candidate_sequences: 64 }", state_text("TYPE_FP32", size))
    kept = config_text(f"state_{label}_kept", [in_text], [out_text], batching)
    save(f"state_{label}_kept", kept, nodes, inputs, outputs, constants)
    state_in, state_out = (tensor_text(name, "TYPE_FP32", size) for name in ("STATE", "STATE_OUT"))
    carried = config_text(
        f"state_{label}_carried", [in_text, state_in], [out_text, state_out], "dynamic_batching { }\n"
    )
    save(f"state_{label}_carried", carried, nodes, inputs, outputs, constants)


def soak() -> None:
    """The state depends on the order of all inputs: a hash, (31 hash + INPUT) mod 1000003, and their number. OUTPUT is both, and the id."""

    def tensor(name: str, size: int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", size])

    constants = [
        helper.make_tensor("UNITS", TensorProto.INT64, [2], [1, 0]),
        helper.make_tensor("COUNT", TensorProto.INT64, [2], [0, 1]),
        helper.make_tensor("FACTORS", TensorProto.INT64, [2], [31, 1]),
        helper.make_tensor("MODULI", TensorProto.INT64, [2], [1_000_003, 2**53]),
        helper.make_tensor("WIDTH", TensorProto.INT64, [2], [1, 512]),
    ]
    nodes = [
        helper.make_node("Mul", ["INPUT", "UNITS"], ["VALUE"]),
        helper.make_node("Add", ["VALUE", "COUNT"], ["STEP"]),
        helper.make_node("Mul", ["STATE", "FACTORS"], ["SCALED"]),
        helper.make_node("Add", ["SCALED", "STEP"], ["NEXT"]),
        helper.make_node("Mod", ["NEXT", "MODULI"], ["STATE_OUT"]),
        helper.make_node("Concat", ["STATE_OUT", "CORRID"], ["OUTPUT"], axis=1),
        helper.make_node("Expand", ["INPUT", "WIDTH"], ["LARGE"]),
    ]
    strategy = "oldest { max_candidate_sequences: 2000 }"
    batching = sequence_batching(strategy, state_text("TYPE_INT64", 2), CORRID, idle_us=5_000_000)
    outputs = [tensor_text("OUTPUT", "TYPE_INT64", 3), tensor_text("LARGE", "TYPE_INT64", 512)]
    save(
        "soak",
        config_text("soak", [tensor_text("INPUT", "TYPE_INT64", 1)], outputs, batching),
        nodes,
        [tensor("INPUT", 1), tensor("STATE", 2), tensor("CORRID", 1)],
        [tensor("STATE_OUT", 2), tensor("OUTPUT", 3), tensor("LARGE", 512)],
        constants,
    )


def main() -> None:
    simple_b64()
    identity("identity_600k", 150528, 8)
    identity("identity_16m", 4194304, 0)
    running_sums()
    states("4k", 1024)
    states("64k", 16384)
    soak()


if __name__ == "__main__":
    main()
