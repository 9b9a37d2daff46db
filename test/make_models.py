"""Makes test/models (models that load) and test/broken_models (models that must not).

    pip install -r examples/requirements.txt
    python test/make_models.py
"""

import shutil
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

HERE = Path(__file__).resolve().parent
GOOD = HERE / "models"
BROKEN = HERE / "broken_models"

FLOAT, INT32, INT64, STRING = TensorProto.FLOAT, TensorProto.INT32, TensorProto.INT64, TensorProto.STRING

# The data type of a configuration and the element type of ONNX, by the name that the models carry.
DTYPES = {
    "bool": ("TYPE_BOOL", TensorProto.BOOL),
    "uint8": ("TYPE_UINT8", TensorProto.UINT8),
    "uint16": ("TYPE_UINT16", TensorProto.UINT16),
    "uint32": ("TYPE_UINT32", TensorProto.UINT32),
    "uint64": ("TYPE_UINT64", TensorProto.UINT64),
    "int8": ("TYPE_INT8", TensorProto.INT8),
    "int16": ("TYPE_INT16", TensorProto.INT16),
    "int32": ("TYPE_INT32", TensorProto.INT32),
    "int64": ("TYPE_INT64", TensorProto.INT64),
    "fp16": ("TYPE_FP16", TensorProto.FLOAT16),
    "fp32": ("TYPE_FP32", TensorProto.FLOAT),
    "fp64": ("TYPE_FP64", TensorProto.DOUBLE),
    "bytes": ("TYPE_STRING", TensorProto.STRING),
}

node = helper.make_node
value = helper.make_tensor_value_info


def make(nodes, inputs, outputs, initializers=(), domains=(), opset=17) -> onnx.ModelProto:
    """domains: (domain, version) of operators that are not ONNX's own."""
    graph = helper.make_graph(list(nodes), "graph", inputs, outputs, list(initializers))
    opsets = [helper.make_opsetid(domain, version) for domain, version in [("", opset), *domains]]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def write(path: Path, model: onnx.ModelProto) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())
    onnx.checker.check_model(str(path), full_check=True)


def dims_text(dims) -> str:
    return "[ " + ", ".join(str(dim) for dim in dims) + " ]" if dims else "[ ]"


def config(name, max_batch_size, inputs, outputs, extra="") -> str:
    """inputs and outputs: (name, data type, dims[, more fields of the entry])."""

    def entries(kind, tensors):
        lines = [
            f'  {{ name: "{t[0]}" data_type: {t[1]} dims: {dims_text(t[2])}' + (f" {t[3]}" if len(t) > 3 else "") + " }"
            for t in tensors
        ]
        return f"{kind} [\n" + ",\n".join(lines) + "\n]\n"

    return (
        f'name: "{name}"\nplatform: "onnxruntime_onnx"\nmax_batch_size: {max_batch_size}\n'
        + entries("input", inputs)
        + entries("output", outputs)
        + extra
    )


def save(name, text, model, root=GOOD) -> Path:
    folder = root / name
    write(folder / "1" / "model.onnx", model)
    if text is not None:
        (folder / "config.pbtxt").write_text(text)
    return folder


def identity_graph(element, shape) -> onnx.ModelProto:
    return make(
        [node("Identity", ["INPUT0"], ["OUTPUT0"])],
        [value("INPUT0", element, shape)],
        [value("OUTPUT0", element, shape)],
    )


def identity(name, dtype, dims, shape, max_batch_size=8, extra="", root=GOOD) -> Path:
    config_type, element = DTYPES[dtype]
    text = config(name, max_batch_size, [("INPUT0", config_type, dims)], [("OUTPUT0", config_type, dims)], extra)
    return save(name, text, identity_graph(element, shape), root)


BATCHING = "dynamic_batching { }\n"


def identities() -> None:
    for dtype in DTYPES:
        identity(f"identity_{dtype}", dtype, [-1], ["batch", "n"], extra=BATCHING)
    identity("identity_bytes_fixed", "bytes", [2], ["batch", 2], extra=BATCHING)
    identity("identity_fp32_fixed", "fp32", [16], ["batch", 16], extra=BATCHING)
    identity("identity_nobatch", "fp32", [-1, -1], ["rows", "columns"], max_batch_size=0)
    identity(
        "delayed",
        "fp32",
        [1],
        ["batch", 1],
        extra="dynamic_batching { preferred_batch_size: [ 4 ] max_queue_delay_microseconds: 200000 }\n",
    )
    identity(
        "ordered",
        "fp32",
        [1],
        ["batch", 1],
        extra="dynamic_batching { preserve_ordering: true }\ninstance_group [ { count: 2 kind: KIND_CPU } ]\n",
    )
    folder = identity("labels", "fp32", [4], ["batch", 4], max_batch_size=4)
    (folder / "config.pbtxt").write_text(
        config(
            "labels",
            4,
            [("INPUT0", "TYPE_FP32", [4])],
            [("OUTPUT0", "TYPE_FP32", [4], 'label_filename: "labels.txt"')],
        )
    )
    # One label fewer than there are classes.
    (folder / "labels.txt").write_text("zero\none\ntwo\n")
    save("auto_batch", None, identity_graph(FLOAT, ["batch", 3]))
    save("auto_nobatch", None, identity_graph(FLOAT, [2, 3]))


def scalar_nobatch() -> None:
    model = make(
        [node("Mul", ["INPUT0", "two"], ["OUTPUT0"])],
        [value("INPUT0", FLOAT, [])],
        [value("OUTPUT0", FLOAT, [])],
        [helper.make_tensor("two", FLOAT, [], [2.0])],
    )
    text = config("scalar_nobatch", 0, [("INPUT0", "TYPE_FP32", [1])], [("OUTPUT0", "TYPE_FP32", [1])])
    save("scalar_nobatch", text, model)


def plus_constant(element, shape, constant) -> onnx.ModelProto:
    return make(
        [node("Add", ["INPUT0", "constant"], ["OUTPUT0"])],
        [value("INPUT0", element, shape)],
        [value("OUTPUT0", element, shape)],
        [helper.make_tensor("constant", element, [], [constant])],
    )


def reshapes() -> None:
    square = "reshape { shape: [ 2, 2 ] }"
    text = config(
        "reshape_model", 4, [("INPUT0", "TYPE_FP32", [4], square)], [("OUTPUT0", "TYPE_FP32", [4], square)]
    )
    save("reshape_model", text, plus_constant(FLOAT, ["batch", 2, 2], 1.0))
    empty = "reshape { shape: [ ] }"
    text = config("reshape_empty", 4, [("INPUT0", "TYPE_FP32", [1], empty)], [("OUTPUT0", "TYPE_FP32", [1], empty)])
    save("reshape_empty", text, plus_constant(FLOAT, ["batch"], 1.0))


def optional_input() -> None:
    model = make(
        [node("Add", ["x", "b"], ["y"])],
        [value("x", FLOAT, [3]), value("b", FLOAT, [3])],
        [value("y", FLOAT, [3])],
        [helper.make_tensor("b", FLOAT, [3], [10.0, 20.0, 30.0])],
    )
    text = config(
        "optional_input",
        0,
        [("x", "TYPE_FP32", [3]), ("b", "TYPE_FP32", [3], "optional: true")],
        [("y", "TYPE_FP32", [3])],
    )
    save("optional_input", text, model)


def external(folder: Path, file: Path, weights: np.ndarray) -> None:
    """y = x + w, with w in weights.bin beside `file`."""
    file.parent.mkdir(parents=True, exist_ok=True)
    (file.parent / "weights.bin").write_bytes(weights.tobytes())
    w = TensorProto(name="w", data_type=FLOAT, dims=weights.shape, data_location=TensorProto.EXTERNAL)
    for key, text in {"location": "weights.bin", "offset": "0", "length": str(weights.nbytes)}.items():
        w.external_data.add(key=key, value=text)
    shape = list(weights.shape)
    write(file, make([node("Add", ["x", "w"], ["y"])], [value("x", FLOAT, shape)], [value("y", FLOAT, shape)], [w]))
    (folder / "config.pbtxt").write_text(
        config(folder.name, 0, [("x", "TYPE_FP32", shape)], [("y", "TYPE_FP32", shape)])
    )


def external_data() -> None:
    weights = np.array([1, 2, 3, 4], dtype="<f4")
    external(GOOD / "external_data", GOOD / "external_data" / "1" / "model.onnx", weights)
    external(GOOD / "onnx_directory", GOOD / "onnx_directory" / "1" / "model.onnx" / "model.onnx", weights * 10)


def multi_version() -> None:
    folder = GOOD / "multi_version"
    for version in [1, 2, 3, 10]:
        write(folder / str(version) / "model.onnx", plus_constant(FLOAT, ["batch", 1], float(version)))
    (folder / "config.pbtxt").write_text(
        config(
            "multi_version",
            8,
            [("INPUT0", "TYPE_FP32", [1])],
            [("OUTPUT0", "TYPE_FP32", [1])],
            "version_policy { all { } }\n",
        )
    )


SLOW_SIZE = 512
SLOW_TURNS = 128


def slow_graph() -> onnx.ModelProto:
    """OUTPUT0 = INPUT0, after SLOW_TURNS products of two square matrices whatever the batch.

    The first element of the input, times zero, is what the matrices begin with, so that no optimiser can know them.
    """
    body = helper.make_graph(
        [
            node("MatMul", ["before", "matrix"], ["after"]),
            node("Identity", ["go_in"], ["go_out"]),
        ],
        "turn",
        [value("turn", INT64, []), value("go_in", TensorProto.BOOL, []), value("before", FLOAT, [None, None])],
        [value("go_out", TensorProto.BOOL, []), value("after", FLOAT, [None, None])],
    )
    constants = [
        helper.make_tensor("square", INT64, [2], [SLOW_SIZE, SLOW_SIZE]),
        helper.make_tensor("turns", INT64, [], [SLOW_TURNS]),
        helper.make_tensor("go", TensorProto.BOOL, [], [True]),
        helper.make_tensor("starts", INT64, [2], [0, 0]),
        helper.make_tensor("ends", INT64, [2], [1, 1]),
        helper.make_tensor("zero", FLOAT, [], [0.0]),
    ]
    nodes = [
        node("Slice", ["INPUT0", "starts", "ends"], ["first"]),
        node("Mul", ["first", "zero"], ["nothing"]),
        node("Expand", ["nothing", "square"], ["matrix"]),
        node("Loop", ["turns", "go", "matrix"], ["product"], body=body),
        node("Slice", ["product", "starts", "ends"], ["corner"]),
        node("Mul", ["corner", "zero"], ["still_nothing"]),
        node("Add", ["INPUT0", "still_nothing"], ["OUTPUT0"]),
    ]
    return make(nodes, [value("INPUT0", FLOAT, ["batch", 1])], [value("OUTPUT0", FLOAT, ["batch", 1])], constants)


def slows() -> None:
    one = "instance_group [ { count: 1 kind: KIND_CPU } ]\n" + (
        'parameters { key: "intra_op_thread_count" value: { string_value: "1" } }\n'
    )
    for name, batching in {
        "slow": "dynamic_batching { }\n",
        "slow_queue": "dynamic_batching { default_queue_policy { max_queue_size: 2 } }\n",
        "slow_timeout": "dynamic_batching {\n  default_queue_policy {\n    timeout_action: REJECT\n"
        "    default_timeout_microseconds: 50000\n    allow_timeout_override: true\n  }\n}\n",
        "slow_priority": "dynamic_batching { priority_levels: 3 default_priority_level: 2 }\n",
    }.items():
        text = config(
            name, 4, [("INPUT0", "TYPE_FP32", [1])], [("OUTPUT0", "TYPE_FP32", [1])], batching + one
        )
        save(name, text, slow_graph())


def fails_at_run() -> None:
    model = make(
        [node("Gather", ["data", "INPUT0"], ["OUTPUT0"])],
        [value("INPUT0", INT64, ["batch", 1])],
        [value("OUTPUT0", FLOAT, ["batch", 1])],
        [helper.make_tensor("data", FLOAT, [10], [float(i) for i in range(10)])],
    )
    text = config("fails_at_run", 4, [("INPUT0", "TYPE_INT64", [1])], [("OUTPUT0", "TYPE_FP32", [1])])
    save("fails_at_run", text, model)


def two_outputs_var() -> None:
    model = make(
        [node("NonZero", ["INPUT0"], ["OUTPUT0"])],
        [value("INPUT0", FLOAT, ["n"])],
        [value("OUTPUT0", INT64, [1, "found"])],
    )
    text = config("two_outputs_var", 0, [("INPUT0", "TYPE_FP32", [-1])], [("OUTPUT0", "TYPE_INT64", [1, -1])])
    save("two_outputs_var", text, model)


def wide() -> None:
    dtypes = [dtype for dtype in DTYPES if dtype != "fp16"]
    tensors = [(i, *DTYPES[dtype]) for i, dtype in enumerate(dtypes)]
    model = make(
        [node("Identity", [f"INPUT{i}"], [f"OUTPUT{i}"]) for i, _, _ in tensors],
        [value(f"INPUT{i}", element, ["batch", 2]) for i, _, element in tensors],
        [value(f"OUTPUT{i}", element, ["batch", 2]) for i, _, element in tensors],
    )
    text = config(
        "wide",
        4,
        [(f"INPUT{i}", config_type, [2]) for i, config_type, _ in tensors],
        [(f"OUTPUT{i}", config_type, [2]) for i, config_type, _ in tensors],
        BATCHING,
    )
    save("wide", text, model)


def simple_string() -> None:
    nodes = [
        node("Cast", ["INPUT0"], ["left"], to=INT32),
        node("Cast", ["INPUT1"], ["right"], to=INT32),
        node("Add", ["left", "right"], ["sum"]),
        node("Sub", ["left", "right"], ["difference"]),
        node("Cast", ["sum"], ["OUTPUT0"], to=STRING),
        node("Cast", ["difference"], ["OUTPUT1"], to=STRING),
    ]
    shape = ["batch", 16]
    model = make(
        nodes,
        [value("INPUT0", STRING, shape), value("INPUT1", STRING, shape)],
        [value("OUTPUT0", STRING, shape), value("OUTPUT1", STRING, shape)],
    )
    text = config(
        "simple_string",
        8,
        [("INPUT0", "TYPE_STRING", [16]), ("INPUT1", "TYPE_STRING", [16])],
        [("OUTPUT0", "TYPE_STRING", [16]), ("OUTPUT1", "TYPE_STRING", [16])],
    )
    save("simple_string", text, model)


def simple_b64() -> None:
    """`simple` of the examples, in larger batches."""
    shape = ["batch", 16]
    model = make(
        [node("Add", ["INPUT0", "INPUT1"], ["OUTPUT0"]), node("Sub", ["INPUT0", "INPUT1"], ["OUTPUT1"])],
        [value("INPUT0", INT32, shape), value("INPUT1", INT32, shape)],
        [value("OUTPUT0", INT32, shape), value("OUTPUT1", INT32, shape)],
    )
    text = config(
        "simple_b64",
        64,
        [("INPUT0", "TYPE_INT32", [16]), ("INPUT1", "TYPE_INT32", [16])],
        [("OUTPUT0", "TYPE_INT32", [16]), ("OUTPUT1", "TYPE_INT32", [16])],
        BATCHING,
    )
    save("simple_b64", text, model)


def string_class() -> None:
    """The number of each word, -1 for one that it does not know.

    Not made of StringNormalizer: ONNX Runtime loads that only where the machine has its locale.
    """
    words = node(
        "LabelEncoder",
        ["INPUT0"],
        ["OUTPUT0"],
        domain="ai.onnx.ml",
        keys_strings=["zero", "one", "zwölf", ""],
        values_int64s=[0, 1, 12, 100],
        default_int64=-1,
    )
    model = make(
        [words],
        [value("INPUT0", STRING, ["batch", "n"])],
        [value("OUTPUT0", INT64, ["batch", "n"])],
        domains=[("ai.onnx.ml", 2)],
    )
    text = config(
        "string_class", 4, [("INPUT0", "TYPE_STRING", [-1])], [("OUTPUT0", "TYPE_INT64", [-1])], BATCHING
    )
    save("string_class", text, model)


def zero_size() -> None:
    """OUTPUT0 = the sum of each row, 0 for an empty one; OUTPUT1 = nothing of each row, of shape [batch, 0]."""
    constants = [
        helper.make_tensor("columns", INT64, [1], [1]),
        helper.make_tensor("begin", INT64, [1], [0]),
        helper.make_tensor("end", INT64, [1], [0]),
    ]
    model = make(
        [
            node("ReduceSum", ["INPUT0", "columns"], ["OUTPUT0"], keepdims=1),
            node("Slice", ["INPUT0", "begin", "end", "columns"], ["OUTPUT1"]),
        ],
        [value("INPUT0", FLOAT, ["batch", "n"])],
        [value("OUTPUT0", FLOAT, ["batch", 1]), value("OUTPUT1", FLOAT, ["batch", "none"])],
        constants,
    )
    text = config(
        "zero_size",
        4,
        [("INPUT0", "TYPE_FP32", [-1])],
        [("OUTPUT0", "TYPE_FP32", [1]), ("OUTPUT1", "TYPE_FP32", [-1])],
        BATCHING,
    )
    save("zero_size", text, model)


CONTROLS = {
    "int32": ("int32_false_true: [ 0, 1 ]", INT32),
    "fp32": ("fp32_false_true: [ 0, 1 ]", FLOAT),
    "bool": ("bool_false_true: [ false, true ]", TensorProto.BOOL),
}


def sequence_batching(controls="", strategy="", more="") -> str:
    return f"sequence_batching {{\n{more}{strategy}{controls}}}\n"


def controls_text(flags="int32", corrid=None, kinds=("START", "END", "READY")) -> str:
    """control_input entries named after their kinds; flags is a key of CONTROLS, corrid a data type."""
    lines = [
        f'  control_input {{ name: "{kind}" control {{ kind: CONTROL_SEQUENCE_{kind} {CONTROLS[flags][0]} }} }}\n'
        for kind in kinds
    ]
    if corrid is not None:
        lines.append(
            f'  control_input {{ name: "CORRID" control {{ kind: CONTROL_SEQUENCE_CORRID data_type: {corrid} }} }}\n'
        )
    return "".join(lines)


ONE_INSTANCE = "instance_group [ { count: 1 kind: KIND_CPU } ]\n"

BATCH_CONSTANTS = [
    helper.make_tensor("first_axis", INT64, [], [0]),
    helper.make_tensor("first_axes", INT64, [1], [0]),
]


def batch_nodes(ready) -> list:
    """ROW = the number of a row in its batch, ROWS = the rows of the batch, READY_ROWS = how many of them are ready: INT32."""
    return [
        node("Cast", [ready], ["ready_int"], to=INT32),
        node("ReduceSum", ["ready_int", "first_axes"], ["ready_sum"], keepdims=1),
        node("Shape", ["ready_int"], ["batch_shape"]),
        node("Expand", ["ready_sum", "batch_shape"], ["READY_ROWS"]),
        node("Mul", ["ready_int", "zero_int"], ["zeros"]),
        node("Add", ["zeros", "one_int"], ["ones"]),
        node("ReduceSum", ["ones", "first_axes"], ["rows"], keepdims=1),
        node("Expand", ["rows", "batch_shape"], ["ROWS"]),
        node("CumSum", ["ones", "first_axis"], ["counted"]),
        node("Sub", ["counted", "one_int"], ["ROW"]),
    ]


BATCH_OUTPUTS = [(name, "TYPE_INT32", [1]) for name in ["ROW", "ROWS", "READY_ROWS"]]
BATCH_VALUES = [value(name, INT32, ["batch", 1]) for name in ["ROW", "ROWS", "READY_ROWS"]]
INT_CONSTANTS = [helper.make_tensor("zero_int", INT32, [], [0]), helper.make_tensor("one_int", INT32, [], [1])]


def sequence_echo(name, flags, corrid, dims, max_batch_size=4, strategy="") -> None:
    """What a model with sequence controls is given: OUTPUT = INPUT, FLAGS = START, END and READY, ID = CORRID, and its batch."""
    corrid_type, corrid_element = next(pair for pair in DTYPES.values() if pair[0] == corrid)
    element = CONTROLS[flags][1]
    nodes = [
        node("Identity", ["INPUT"], ["OUTPUT"]),
        node("Identity", ["CORRID"], ["ID"]),
        *[node("Cast", [kind], [f"{kind}_int"], to=INT32) for kind in ["START", "END"]],
        *batch_nodes("READY"),
        node("Concat", ["START_int", "END_int", "ready_int"], ["FLAGS"], axis=1),
    ]
    shape = ["batch", *[f"n{i}" if dim == -1 else dim for i, dim in enumerate(dims)]]
    model = make(
        nodes,
        [
            value("INPUT", INT32, shape),
            *[value(kind, element, ["batch", 1]) for kind in ["START", "END", "READY"]],
            value("CORRID", corrid_element, ["batch", 1]),
        ],
        [value("OUTPUT", INT32, shape), value("FLAGS", INT32, ["batch", 3]), value("ID", corrid_element, ["batch", 1])]
        + BATCH_VALUES,
        BATCH_CONSTANTS + INT_CONSTANTS,
    )
    text = config(
        name,
        max_batch_size,
        [("INPUT", "TYPE_INT32", dims)],
        [("OUTPUT", "TYPE_INT32", dims), ("FLAGS", "TYPE_INT32", [3]), ("ID", corrid_type, [1])] + BATCH_OUTPUTS,
        ONE_INSTANCE + sequence_batching(controls_text(flags, corrid), strategy),
    )
    save(name, text, model)


OLDEST = "  oldest { max_candidate_sequences: 4 }\n"


def sequence_echoes() -> None:
    sequence_echo("sequence_direct", "int32", "TYPE_UINT64", [1], strategy="  direct { }\n")
    sequence_echo("sequence_oldest", "fp32", "TYPE_INT32", [1], strategy=OLDEST)
    sequence_echo("sequence_string", "bool", "TYPE_STRING", [-1])


def sequence_old() -> None:
    """As of r19.11: no strategy, and only START and READY. OUTPUT = INPUT + 10 * START + 100 * READY."""
    nodes = [
        node("Mul", ["START", "ten"], ["start"]),
        node("Mul", ["READY", "hundred"], ["ready"]),
        node("Add", ["INPUT", "start"], ["part"]),
        node("Add", ["part", "ready"], ["OUTPUT"]),
    ]
    shape = ["batch", 1]
    model = make(
        nodes,
        [value(name, INT32, shape) for name in ["INPUT", "START", "READY"]],
        [value("OUTPUT", INT32, shape)],
        [helper.make_tensor("ten", INT32, [], [10]), helper.make_tensor("hundred", INT32, [], [100])],
    )
    text = config(
        "sequence_old",
        4,
        [("INPUT", "TYPE_INT32", [1])],
        [("OUTPUT", "TYPE_INT32", [1])],
        ONE_INSTANCE + sequence_batching(controls_text(kinds=("START", "READY"))),
    )
    save("sequence_old", text, model)


def state_text(data_type, dims, initial="", more="") -> str:
    """A state STATE -> STATE_OUT."""
    entry = f'input_name: "STATE" output_name: "STATE_OUT" data_type: {data_type} dims: {dims_text(dims)}'
    return f"  state {{ {entry} {initial}{more}}}\n"


def save_stateful(name, model, inputs, outputs, state, strategy="", controls="", max_batch_size=4, extra="") -> Path:
    batching = sequence_batching(controls, strategy, state)
    return save(name, config(name, max_batch_size, inputs, outputs, ONE_INSTANCE + batching + extra), model)


def sums_graph(shape=("batch", 2), with_batch=True) -> onnx.ModelProto:
    """OUTPUT = STATE_OUT = STATE + [INPUT, 1]: the sum of all inputs of a sequence and their number, of rows that are ready."""
    rank = len(shape)
    one = helper.make_tensor("one", INT32, [1] * rank, [1])
    nodes = [
        node("Mul", ["INPUT", "zero_int"], ["nothing"]),
        node("Add", ["nothing", "one"], ["counted_one"]),
        node("Concat", ["INPUT", "counted_one"], ["more"], axis=rank - 1),
        node("Add", ["STATE", "more"], ["new"]),
        node("Identity", ["new"], ["STATE_OUT"]),
        node("Identity", ["new"], ["OUTPUT"]),
        *(batch_nodes("READY") if with_batch else []),
    ]
    one_shape = [*shape[:-1], 1]
    ready = [value("READY", INT32, one_shape)] if with_batch else []
    constants = [one, INT_CONSTANTS[0], *((BATCH_CONSTANTS + INT_CONSTANTS[1:]) if with_batch else [])]
    return make(
        nodes,
        [value("INPUT", INT32, one_shape), *ready, value("STATE", INT32, list(shape))],
        [value("OUTPUT", INT32, list(shape)), value("STATE_OUT", INT32, list(shape))]
        + (BATCH_VALUES if with_batch else []),
        constants,
    )


SUMS_INPUT = [("INPUT", "TYPE_INT32", [1])]
SUMS_OUTPUT = [("OUTPUT", "TYPE_INT32", [2])]


def states() -> None:
    ready = controls_text(kinds=("READY",))
    # Its state is an output too.
    save_stateful(
        "state_direct",
        sums_graph(),
        SUMS_INPUT,
        SUMS_OUTPUT + [("STATE_OUT", "TYPE_INT32", [2])] + BATCH_OUTPUTS,
        state_text("TYPE_INT32", [2]),
        controls=ready,
    )
    save_stateful(
        "state_oldest",
        sums_graph(),
        SUMS_INPUT,
        SUMS_OUTPUT + BATCH_OUTPUTS,
        state_text("TYPE_INT32", [2], 'initial_state { name: "zeros" data_type: TYPE_INT32 dims: [ 2 ] zero_data: true } '),
        "  oldest { max_candidate_sequences: 16 }\n",
        ready,
    )
    folder = save_stateful(
        "state_file",
        sums_graph(),
        SUMS_INPUT,
        SUMS_OUTPUT,
        state_text(
            "TYPE_INT32", [2], 'initial_state { name: "start" data_type: TYPE_INT32 dims: [ 2 ] data_file: "start" } '
        ),
        controls=ready,
    )
    (folder / "initial_state").mkdir(exist_ok=True)
    # More than is needed.
    (folder / "initial_state" / "start").write_bytes(np.array([100, 1000, 7], dtype="<i4").tobytes())
    save_stateful(
        "state_nobatch",
        sums_graph((1, 2), with_batch=False),
        [("INPUT", "TYPE_INT32", [1, 1])],
        [("OUTPUT", "TYPE_INT32", [1, 2])],
        state_text("TYPE_INT32", [1, 2]),
        max_batch_size=0,
    )
    state_same_buffer()
    state_growing()
    state_text_graph()
    state_fails()


def state_same_buffer() -> None:
    """STATE_OUT = STATE + INPUT, written over STATE; OUTPUT = 10 * INPUT, and the state is an output."""
    shape = ["batch", 1]
    model = make(
        [node("Add", ["STATE", "INPUT"], ["STATE_OUT"]), node("Mul", ["INPUT", "ten"], ["OUTPUT"])],
        [value("INPUT", INT32, shape), value("STATE", INT32, shape)],
        [value("OUTPUT", INT32, shape), value("STATE_OUT", INT32, shape)],
        [helper.make_tensor("ten", INT32, [], [10])],
    )
    save_stateful(
        "state_same_buffer",
        model,
        SUMS_INPUT,
        [("OUTPUT", "TYPE_INT32", [1]), ("STATE_OUT", "TYPE_INT32", [1])],
        state_text("TYPE_INT32", [1], more="use_same_buffer_for_input_output: true "),
        OLDEST,
    )


def state_growing() -> None:
    """OUTPUT = STATE_OUT = STATE and INPUT behind it: all inputs of a sequence, behind the zero that it begins with."""
    model = make(
        [
            node("Concat", ["STATE", "INPUT"], ["STATE_OUT"], axis=1),
            node("Identity", ["STATE_OUT"], ["OUTPUT"]),
            *batch_nodes("READY"),
        ],
        [
            value("INPUT", INT32, ["batch", 1]),
            value("READY", INT32, ["batch", 1]),
            value("STATE", INT32, ["batch", "before"]),
        ],
        [value("OUTPUT", INT32, ["batch", "n"]), value("STATE_OUT", INT32, ["batch", "after"])] + BATCH_VALUES,
        BATCH_CONSTANTS + INT_CONSTANTS,
    )
    for strategy in ["direct", "oldest"]:
        save_stateful(
            f"state_growing_{strategy}",
            model,
            SUMS_INPUT,
            [("OUTPUT", "TYPE_INT32", [-1])] + BATCH_OUTPUTS,
            state_text("TYPE_INT32", [-1]),
            "  oldest { max_candidate_sequences: 16 }\n" if strategy == "oldest" else "",
            controls_text(kinds=("READY",)),
        )


def state_text_graph() -> None:
    """OUTPUT = STATE_OUT = STATE and the text of INPUT behind it."""
    shape = ["batch", 1]
    model = make(
        [
            node("Cast", ["INPUT"], ["text"], to=STRING),
            node("StringConcat", ["STATE", "text"], ["STATE_OUT"]),
            node("Identity", ["STATE_OUT"], ["OUTPUT"]),
        ],
        [value("INPUT", INT32, shape), value("STATE", STRING, shape)],
        [value("OUTPUT", STRING, shape), value("STATE_OUT", STRING, shape)],
        opset=20,
    )
    folder = save_stateful(
        "state_string",
        model,
        SUMS_INPUT,
        [("OUTPUT", "TYPE_STRING", [1])],
        state_text(
            "TYPE_STRING", [1], 'initial_state { name: "start" data_type: TYPE_STRING dims: [ 1 ] data_file: "start" } '
        ),
        OLDEST,
    )
    (folder / "initial_state").mkdir(exist_ok=True)
    (folder / "initial_state" / "start").write_bytes(b"\x02\x00\x00\x00->")


def state_fails() -> None:
    """STATE_OUT = OUTPUT = STATE + INPUT, where INPUT is from 0 to 9: else its execution fails."""
    shape = ["batch", 1]
    model = make(
        [
            node("Gather", ["numbers", "INPUT"], ["known"]),
            node("Add", ["STATE", "known"], ["STATE_OUT"]),
            node("Identity", ["STATE_OUT"], ["OUTPUT"]),
        ],
        [value("INPUT", INT32, shape), value("STATE", INT32, shape)],
        [value("OUTPUT", INT32, shape), value("STATE_OUT", INT32, shape)],
        [helper.make_tensor("numbers", INT32, [10], list(range(10)))],
    )
    save_stateful(
        "state_fails",
        model,
        SUMS_INPUT,
        [("OUTPUT", "TYPE_INT32", [1])],
        state_text("TYPE_INT32", [1], more="use_same_buffer_for_input_output: false "),
        OLDEST,
    )


BATCH_INPUTS = [
    # Target, kind, data type, dims in the model.
    ("COUNT", "BATCH_ELEMENT_COUNT", "int32", ["requests"]),
    ("SUMS", "BATCH_ACCUMULATED_ELEMENT_COUNT", "fp32", ["requests"]),
    ("BOUNDS", "BATCH_ACCUMULATED_ELEMENT_COUNT_WITH_ZERO", "int32", ["bounds"]),
    ("LONGEST", "BATCH_MAX_ELEMENT_COUNT_AS_SHAPE", "fp32", ["longest"]),
    ("SHAPES", "BATCH_ITEM_SHAPE", "int32", ["rows", 2]),
    ("FLAT_SHAPES", "BATCH_ITEM_SHAPE_FLATTEN", "fp32", ["shapes"]),
]


def batch_input_text(target, kind, dtype, source) -> str:
    data_type = DTYPES[dtype][0]
    return f'  {{ kind: {kind} target_name: "{target}" data_type: {data_type} source_input: "{source}" }}'


def batch_inputs_text(source, batch_inputs) -> str:
    entries = [batch_input_text(target, kind, dtype, source) for target, kind, dtype, _ in batch_inputs]
    return "batch_input [\n" + ",\n".join(entries) + "\n]\n"


PATIENT_BATCHING = "dynamic_batching { preferred_batch_size: [ 4 ] max_queue_delay_microseconds: 200000 }\n"


def ragged() -> None:
    """Each row of an answer has all that the model got: ALL_X = X for each input X, and ALL_LONGEST = the length of LONGEST."""
    tensors = [("INPUT0", "fp32", ["elements"])] + [(name, dtype, shape) for name, _, dtype, shape in BATCH_INPUTS]
    nodes = [
        node("Shape", ["LONGEST"], ["longest_shape"]),
        node("Cast", ["longest_shape"], ["longest_float"], to=FLOAT),
        node("Shape", ["SHAPES"], ["rows"], start=0, end=1),
        node("Concat", ["rows", "one"], ["rows_and_one"], axis=0),
    ]
    for name, _, _ in tensors:
        whole = "longest_float" if name == "LONGEST" else name
        nodes += [node("Reshape", [whole, "one_row"], [f"row_{name}"]), repeated(f"row_{name}", f"ALL_{name}")]
    model = make(
        nodes,
        [value(name, DTYPES[dtype][1], shape) for name, dtype, shape in tensors],
        [value(f"ALL_{name}", DTYPES[dtype][1], ["rows", f"all_{name}"]) for name, dtype, _ in tensors],
        [helper.make_tensor("one", INT64, [1], [1]), helper.make_tensor("one_row", INT64, [2], [1, -1])],
    )
    text = config(
        "ragged",
        8,
        [("INPUT0", "TYPE_FP32", [-1, -1], "allow_ragged_batch: true")],
        [(f"ALL_{name}", DTYPES[dtype][0], [-1]) for name, dtype, _ in tensors],
        batch_inputs_text("INPUT0", BATCH_INPUTS)
        + PATIENT_BATCHING
        + ONE_INSTANCE
        + 'model_warmup { name: "three" batch_size: 3 inputs { key: "INPUT0" value { data_type: TYPE_FP32 dims: [ 2, 5 ] '
        + "random_data: true } } }\n",
    )
    save("ragged", text, model)


def repeated(row, output) -> onnx.NodeProto:
    return node("Expand", [row, "rows_and_one"], [output])


def ragged_scatter() -> None:
    """DOUBLED = 2 * INPUT0 and TEXT = INPUT1, both in one dimension, and ROWS = the rows of the batch for each row."""
    model = make(
        [
            node("Add", ["INPUT0", "INPUT0"], ["DOUBLED"]),
            node("Identity", ["INPUT1"], ["TEXT"]),
            node("Shape", ["SHAPES"], ["rows"], start=0, end=1),
            node("Concat", ["rows", "one"], ["rows_and_one"], axis=0),
            node("Cast", ["rows"], ["rows_int"], to=INT32),
            node("Expand", ["rows_int", "rows_and_one"], ["ROWS"]),
        ],
        [
            value("INPUT0", INT32, ["elements"]),
            value("INPUT1", STRING, ["texts"]),
            value("SHAPES", INT32, ["rows", 2]),
        ],
        [value("DOUBLED", INT32, ["elements"]), value("TEXT", STRING, ["texts"]), value("ROWS", INT32, ["rows", 1])],
        [helper.make_tensor("one", INT64, [1], [1])],
    )
    text = config(
        "ragged_scatter",
        8,
        [
            ("INPUT0", "TYPE_INT32", [-1, 2], "allow_ragged_batch: true"),
            ("INPUT1", "TYPE_STRING", [-1], "allow_ragged_batch: true"),
        ],
        [("DOUBLED", "TYPE_INT32", [-1, 2]), ("TEXT", "TYPE_STRING", [-1]), ("ROWS", "TYPE_INT32", [1])],
        batch_inputs_text("INPUT0", [("SHAPES", "BATCH_ITEM_SHAPE", "int32", ["rows", 2])])
        + "batch_output [\n"
        + '  { target_name: "DOUBLED" kind: BATCH_SCATTER_WITH_INPUT_SHAPE source_input: "INPUT0" },\n'
        + '  { target_name: "TEXT" kind: BATCH_SCATTER_WITH_INPUT_SHAPE source_input: "INPUT1" }\n]\n'
        + PATIENT_BATCHING
        + ONE_INSTANCE,
    )
    save("ragged_scatter", text, model)


def ragged_direct() -> None:
    """For each row COUNTS = the elements of each slot, SUM = the sum of all, TOTAL = STATE_OUT = STATE + the row's elements."""
    model = make(
        [
            node("Shape", ["READY"], ["rows"], start=0, end=1),
            node("Concat", ["rows", "one"], ["rows_and_one"], axis=0),
            node("Reshape", ["COUNT", "one_row"], ["row"]),
            repeated("row", "COUNTS"),
            node("ReduceSum", ["INPUT0"], ["sum"], keepdims=1),
            node("Reshape", ["sum", "one_row"], ["sum_row"]),
            repeated("sum_row", "SUM"),
            node("Reshape", ["COUNT", "one_column"], ["column"]),
            node("Add", ["STATE", "column"], ["STATE_OUT"]),
            node("Identity", ["STATE_OUT"], ["TOTAL"]),
        ],
        [
            value("INPUT0", INT32, ["elements"]),
            value("READY", INT32, ["rows", 1]),
            value("COUNT", INT32, ["requests"]),
            value("STATE", INT32, ["rows", 1]),
        ],
        [
            value("COUNTS", INT32, ["rows", "requests"]),
            *[value(name, INT32, ["rows", 1]) for name in ["SUM", "TOTAL", "STATE_OUT"]],
        ],
        [
            helper.make_tensor("one", INT64, [1], [1]),
            helper.make_tensor("one_row", INT64, [2], [1, -1]),
            helper.make_tensor("one_column", INT64, [2], [-1, 1]),
        ],
    )
    save_stateful(
        "ragged_direct",
        model,
        [("INPUT0", "TYPE_INT32", [-1], "allow_ragged_batch: true")],
        [("COUNTS", "TYPE_INT32", [-1]), ("SUM", "TYPE_INT32", [1]), ("TOTAL", "TYPE_INT32", [1])],
        state_text("TYPE_INT32", [1]),
        controls=controls_text(kinds=("READY",)),
        max_batch_size=3,
        extra=batch_inputs_text("INPUT0", [("COUNT", "BATCH_ELEMENT_COUNT", "int32", ["requests"])])
        + 'model_warmup { name: "two" batch_size: 2 inputs { key: "INPUT0" value { data_type: TYPE_INT32 dims: [ 4 ] '
        + "zero_data: true } } }\n",
    )


def broken() -> None:
    one = [("INPUT0", "TYPE_FP32", [16])], [("OUTPUT0", "TYPE_FP32", [16])]

    folder = identity("garbage", "fp32", [16], ["batch", 16], max_batch_size=4, root=BROKEN)
    (folder / "1" / "model.onnx").write_text("This is not an ONNX model.\n")

    identity("wrong_shape", "fp32", [8], ["batch", 16], max_batch_size=4, root=BROKEN)

    # The configuration says INT32 where the model takes and gives FP32.
    folder = identity("wrong_type", "fp32", [16], ["batch", 16], max_batch_size=4, root=BROKEN)
    (folder / "config.pbtxt").write_text(
        config("wrong_type", 4, [("INPUT0", "TYPE_INT32", [16])], [("OUTPUT0", "TYPE_INT32", [16])])
    )

    folder = BROKEN / "no_file"
    (folder / "1").mkdir(parents=True)
    (folder / "1" / ".gitkeep").write_text("")
    (folder / "config.pbtxt").write_text(config("no_file", 4, *one))

    folder = identity("syntax_error", "fp32", [16], ["batch", 16], max_batch_size=4, root=BROKEN)
    good = (folder / "config.pbtxt").read_text()
    # Without the brace that ends the input.
    (folder / "config.pbtxt").write_text(good.replace(" }", "", 1))

    folder = identity("unknown_field", "fp32", [16], ["batch", 16], max_batch_size=4, root=BROKEN)
    good = (folder / "config.pbtxt").read_text()
    (folder / "config.pbtxt").write_text(good + "maximum_batch_size: 4\n")

    folder = BROKEN / "no_version"
    folder.mkdir(parents=True)
    (folder / "config.pbtxt").write_text(config("no_version", 4, *one))


def main() -> None:
    for root in [GOOD, BROKEN]:
        shutil.rmtree(root, ignore_errors=True)
    identities()
    scalar_nobatch()
    reshapes()
    optional_input()
    external_data()
    multi_version()
    slows()
    fails_at_run()
    two_outputs_var()
    wide()
    simple_string()
    simple_b64()
    string_class()
    zero_size()
    sequence_echoes()
    sequence_old()
    states()
    ragged()
    ragged_scatter()
    ragged_direct()
    broken()


if __name__ == "__main__":
    main()
