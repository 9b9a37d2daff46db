"""Makes test/backends/tensorflow/ops.ndjson.gz: graphs of one op each, and what TensorFlow answers.

    python -m venv /tmp/tf && /tmp/tf/bin/pip install tensorflow-cpu==2.21.0
    /tmp/tf/bin/python test/make_tensorflow_ops.py
"""

import base64
import gzip
import json
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow.compat.v1 as tf

tf.disable_eager_execution()
raw = tf.raw_ops
random = np.random.RandomState(7)
cases = []


def floats(*shape, low=-2.0, high=2.0):
    return random.uniform(low, high, shape).astype(np.float32)


def ints(*shape, low=-9, high=9, dtype=np.int32):
    return random.randint(low, high, shape).astype(dtype)


def encoded(array):
    array = np.asarray(array)
    if array.dtype.kind in "OSU":
        strings = [s.decode() if isinstance(s, bytes) else str(s) for s in array.flatten()]
        return {"type": "string", "dims": list(array.shape), "strings": strings}
    data = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
    return {"type": str(array.dtype), "dims": list(array.shape), "data": data}


def case(name, build, *arrays, dynamic=True):
    """One graph with all sizes known, and one where the first is not (dynamic: the axes that are not)."""
    one(name, build, arrays, ())
    if dynamic is True and arrays and all(np.ndim(a) > 0 for a in arrays):
        one(name + " (open batch)", build, arrays, (0,))
    elif dynamic not in (True, False):
        one(name + " (open sizes)", build, arrays, dynamic)


def one(name, build, arrays, open_axes, of=("x", "y")):
    graph = tf.Graph()
    with graph.as_default():
        inputs = []
        for i, array in enumerate(arrays):
            array = np.asarray(array)
            shape = [None if axis in open_axes else size for axis, size in enumerate(array.shape)]
            dtype = tf.string if array.dtype.kind in "OSU" else array.dtype
            inputs.append(tf.placeholder(dtype, shape, name=f"{of[0]}{i}"))
        outputs = build(*inputs)
        outputs = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
        outputs = [raw.Identity(input=o, name=f"{of[1]}{i}") for i, o in enumerate(outputs)]
    with tf.Session(graph=graph) as session:
        feeds = dict(zip(inputs, arrays))
        results = session.run(outputs, feeds)
    definition = graph.as_graph_def()
    for node in definition.node:
        if "_output_shapes" in node.attr:
            del node.attr["_output_shapes"]
    cases.append({
        "name": name,
        "graph": base64.b64encode(definition.SerializeToString()).decode(),
        "inputs": {f"{of[0]}{i}": encoded(a) for i, a in enumerate(arrays)},
        "outputs": {f"{of[1]}{i}": encoded(r) for i, r in enumerate(results)},
    })


def unary():
    plain = "Abs Asinh Atan Ceil Cos Cosh Elu Erf Erfc Exp Expm1 Floor IsFinite IsInf IsNan Neg Relu Relu6 Rint Round Selu Sigmoid Sign Sin Sinh Softplus Softsign Square Tan Tanh".split()
    for op in plain:
        argument = "features" if op in ("Elu", "Relu", "Relu6", "Selu", "Softplus", "Softsign") else "x"
        value = floats(2, 3) * 3
        case(op, lambda x: getattr(raw, op)(**{argument: x}), value)
    for op in "Log Log1p Sqrt Rsqrt Reciprocal Inv Acosh".split():
        case(op, lambda x: getattr(raw, op)(x=x), floats(2, 3, low=1.1, high=4))
    for op in "Acos Asin Atanh".split():
        case(op, lambda x: getattr(raw, op)(x=x), floats(2, 3, low=-0.9, high=0.9))
    odd = np.array([np.nan, np.inf, -np.inf, 0.5, -0.5, 2.5], np.float32)
    for op in "IsFinite IsInf IsNan Rint Round Floor Ceil Sign Relu".split():
        argument = "features" if op == "Relu" else "x"
        case(f"{op} of odd numbers", lambda x: getattr(raw, op)(**{argument: x}), odd if op.startswith("Is") else odd[3:])
    for op in "Abs Neg Sign Square".split():
        case(f"{op} int32", lambda x: getattr(raw, op)(x=x), ints(5))
    case("Invert", lambda x: raw.Invert(x=x), ints(5))
    case("LogicalNot", lambda x: raw.LogicalNot(x=x), np.array([True, False, True]))
    case("LeakyRelu", lambda x: raw.LeakyRelu(features=x, alpha=0.3), floats(2, 3))
    case("L2Loss", lambda x: raw.L2Loss(t=x), floats(2, 3))
    for op in "StopGradient Snapshot PreventGradient EnsureShape".split():
        if op == "EnsureShape":
            case(op, lambda x: raw.EnsureShape(input=x, shape=[2, 3]), floats(2, 3))
        else:
            case(op, lambda x: getattr(raw, op)(input=x), floats(2, 3))
    case("CheckNumerics", lambda x: raw.CheckNumerics(tensor=x, message=""), floats(2))
    case("IdentityN", lambda x, y: raw.IdentityN(input=[x, y]), floats(2), ints(3))
    case("PlaceholderWithDefault", lambda x: x + raw.PlaceholderWithDefault(input=tf.constant([1.0, 2.0]), shape=[2]), floats(2))
    for to in (tf.int32, tf.int64, tf.float64, tf.bool, tf.float16, tf.uint8):
        case(f"Cast {to.name}", lambda x: raw.Cast(x=x, DstT=to), np.abs(floats(2, 3)) * 10)
    case("Cast bool", lambda x: raw.Cast(x=x, DstT=tf.float32), np.array([True, False]))


def binary():
    pairs = [((2, 3), (2, 3)), ((2, 3), (3,)), ((2, 1, 3), (4, 1)), ((), (2, 2))]
    for op in "Add AddV2 Sub Mul RealDiv Maximum Minimum SquaredDifference DivNoNan MulNoNan FloorDiv FloorMod TruncateMod Greater GreaterEqual Less LessEqual Equal NotEqual Xdivy".split():
        for a, b in pairs:
            case(f"{op} {a} {b}", lambda x, y: getattr(raw, op)(x=x, y=y), floats(*a) * 3, floats(*b) * 3)
    for op in "Add AddV2 Sub Mul Maximum Minimum FloorDiv FloorMod TruncateDiv TruncateMod Greater GreaterEqual Less LessEqual Equal NotEqual Div Mod".split():
        divisor = np.array([3, -2, 5, -7], np.int32)
        case(f"{op} int32", lambda x, y: getattr(raw, op)(x=x, y=y), ints(3, 4), divisor)
        case(f"{op} int64", lambda x, y: getattr(raw, op)(x=x, y=y), ints(3, 4, dtype=np.int64), divisor.astype(np.int64))
    zeros = np.array([0, 1, 0, 2], np.float32)
    for op in "DivNoNan MulNoNan".split():
        case(f"{op} by zero", lambda x, y: getattr(raw, op)(x=x, y=y), floats(4), zeros)
    case("Xdivy of zero", lambda x, y: raw.Xdivy(x=x, y=y), zeros, np.array([0, 1, 2, 3], np.float32))
    case("Xlogy", lambda x, y: raw.Xlogy(x=x, y=y), zeros, np.array([0, 1, 2, 3], np.float32))
    case("Pow", lambda x, y: raw.Pow(x=x, y=y), floats(2, 3, low=0.1), floats(3))
    for op in "LogicalAnd LogicalOr".split():
        case(op, lambda x, y: getattr(raw, op)(x=x, y=y), np.array([True, False, True, False]), np.array([True, True, False, False]))
    for op in "BitwiseAnd BitwiseOr BitwiseXor".split():
        case(op, lambda x, y: getattr(raw, op)(x=x, y=y), ints(5, low=0, high=99), ints(5, low=0, high=99))
    for op in "LeftShift RightShift".split():
        case(op, lambda x, y: getattr(raw, op)(x=x, y=y), ints(5, low=1, high=99).astype(np.uint32), ints(5, low=0, high=5).astype(np.uint32))
    case("AddN", lambda x, y, z: raw.AddN(inputs=[x, y, z]), floats(2, 3), floats(2, 3), floats(2, 3))
    case("BiasAdd", lambda x, y: raw.BiasAdd(value=x, bias=y), floats(2, 3), floats(3), dynamic=False)
    case("BiasAdd 4D", lambda x: raw.BiasAdd(value=x, bias=tf.constant(floats(3))), floats(2, 4, 5, 3))
    case("BiasAdd NCHW", lambda x: raw.BiasAdd(value=x, bias=tf.constant(floats(3)), data_format="NCHW"), floats(2, 3, 4, 5))
    case("ClipByValue", lambda x: raw.ClipByValue(t=x, clip_value_min=tf.constant(-1.0), clip_value_max=tf.constant(1.0)), floats(2, 3))
    condition = np.array([[True, False, True], [False, True, False]])
    case("Select", lambda c, x, y: raw.Select(condition=c, x=x, y=y), condition, floats(2, 3), floats(2, 3))
    case("Select rows", lambda c, x, y: raw.Select(condition=c, x=x, y=y), condition[:, 0], floats(2, 3), floats(2, 3))
    case("SelectV2", lambda c, x, y: raw.SelectV2(condition=c, t=x, e=y), condition, floats(2, 3), floats(3), dynamic=False)
    case("SelectV2 int64", lambda c, x, y: raw.SelectV2(condition=c, t=x, e=y), condition, ints(2, 3, dtype=np.int64), ints(2, 3, dtype=np.int64))


def reductions():
    for op in "Sum Mean Max Min Prod EuclideanNorm".split():
        for axes in ([0], [1], [-1], [0, 2], [0, 1, 2], 1, []):
            for keep in (False, True):
                case(f"{op} {axes} {keep}", lambda x: getattr(raw, op)(input=x, axis=tf.constant(axes, tf.int32), keep_dims=keep), floats(2, 3, 4))
    case("Sum int32", lambda x: raw.Sum(input=x, axis=[1]), ints(2, 3))
    case("Max int64", lambda x: raw.Max(input=x, axis=[1]), ints(2, 3, dtype=np.int64))
    for op in "All Any".split():
        case(op, lambda x: getattr(raw, op)(input=x, axis=[1]), random.rand(3, 2) > 0.4)
    for op in "ArgMax ArgMin".split():
        for axis in (0, 1, -1):
            for to in (tf.int32, tf.int64):
                case(f"{op} {axis} {to.name}", lambda x: getattr(raw, op)(input=x, dimension=axis, output_type=to), floats(2, 3, 4))
    for exclusive in (False, True):
        for back in (False, True):
            case(f"Cumsum {exclusive} {back}", lambda x: raw.Cumsum(x=x, axis=1, exclusive=exclusive, reverse=back), floats(2, 4))


def matrices():
    for a in (False, True):
        for b in (False, True):
            x, y = floats(3, 2), floats(4, 3)
            case(f"MatMul {a} {b}", lambda x, y: raw.MatMul(a=x, b=y, transpose_a=a, transpose_b=b), x if a else x.T.copy(), y if b else y.T.copy())
            case(f"MatMul constant {a} {b}", lambda x: raw.MatMul(a=x, b=tf.constant(y if b else y.T.copy()), transpose_a=a, transpose_b=b), x if a else x.T.copy())
            for op in "BatchMatMul BatchMatMulV2".split():
                p, q = floats(2, 3, 2), floats(2, 4, 3)
                case(f"{op} {a} {b}", lambda x, y: getattr(raw, op)(x=x, y=y, adj_x=a, adj_y=b), p if a else p.swapaxes(1, 2).copy(), q if b else q.swapaxes(1, 2).copy())
    case("BatchMatMulV2 broadcast", lambda x, y: raw.BatchMatMulV2(x=x, y=y), floats(2, 1, 3, 4), floats(5, 4, 2), dynamic=False)
    case("BatchMatMulV3", lambda x, y: raw.BatchMatMulV3(x=x, y=y, Tout=tf.float32), floats(2, 3, 4), floats(2, 4, 2))
    case("Einsum", lambda x, y: raw.Einsum(inputs=[x, y], equation="bij,bjk->bik"), floats(2, 3, 4), floats(2, 4, 5))
    case("Einsum turned", lambda x, y: raw.Einsum(inputs=[x, y], equation="abc,cd->adb"), floats(2, 3, 4), floats(4, 5), dynamic=False)
    for op in "Softmax LogSoftmax".split():
        case(op, lambda x: getattr(raw, op)(logits=x), floats(2, 5))
        case(f"{op} 3D", lambda x: getattr(raw, op)(logits=x), floats(2, 3, 5))


def shapes():
    x4 = floats(2, 3, 4, 5)
    case("Shape", lambda x: raw.Shape(input=x), x4)
    case("Shape int64", lambda x: raw.Shape(input=x, out_type=tf.int64), x4)
    case("ShapeN", lambda x, y: raw.ShapeN(input=[x, y]), x4, floats(2))
    case("Size", lambda x: raw.Size(input=x), x4)
    case("Rank", lambda x: raw.Rank(input=x), x4)
    case("Reshape", lambda x: raw.Reshape(tensor=x, shape=[-1, 20]), x4)
    case("Reshape by shape", lambda x: raw.Reshape(tensor=x, shape=tf.stack([tf.shape(x)[0], -1])), x4)
    case("Reshape flatten", lambda x: raw.Reshape(tensor=x, shape=tf.stack([tf.shape(x)[0], 60])), x4)
    case("Reshape product", lambda x: raw.Reshape(tensor=x, shape=tf.stack([tf.shape(x)[0], tf.reduce_prod(tf.shape(x)[1:])])), x4)
    case("Reshape concat", lambda x: raw.Reshape(tensor=x, shape=tf.concat([tf.shape(x)[:2], [20]], 0)), x4, dynamic=(0, 1))
    case("Squeeze", lambda x: raw.Squeeze(input=x, axis=[1, -1]), floats(2, 1, 3, 1))
    case("Squeeze all", lambda x: raw.Squeeze(input=x), floats(2, 1, 3, 1), dynamic=False)
    for axis in (0, 1, 2, -1, -2):
        case(f"ExpandDims {axis}", lambda x: raw.ExpandDims(input=x, axis=axis), floats(2, 3))
    for perm in ([0, 2, 1], [2, 0, 1]):
        case(f"Transpose {perm}", lambda x: raw.Transpose(x=x, perm=perm), floats(2, 3, 4))
    for perm in ([0, 3, 1, 2], [0, 2, 3, 1], [3, 2, 1, 0]):
        case(f"Transpose {perm}", lambda x: raw.Transpose(x=x, perm=perm), x4)
        case(f"Transpose {perm} Relu", lambda x: tf.nn.relu(raw.Transpose(x=x, perm=perm)) + 1.0, x4)
    case("Transpose twice", lambda x: raw.Transpose(x=tf.nn.relu(raw.Transpose(x=x, perm=[0, 3, 1, 2])), perm=[0, 2, 3, 1]), x4)
    case("Tile", lambda x: raw.Tile(input=x, multiples=[2, 1, 3]), floats(2, 3, 1))
    case("Tile by shape", lambda x: raw.Tile(input=x, multiples=tf.stack([1, tf.shape(x)[0]])), floats(2, 3))
    case("Fill", lambda x: raw.Fill(dims=tf.shape(x), value=3.5), floats(2, 3))
    case("Fill int", lambda x: raw.Fill(dims=[2, 3], value=x), np.int32(4))
    case("BroadcastTo", lambda x: raw.BroadcastTo(input=x, shape=[2, 3, 4]), floats(3, 1), dynamic=False)
    case("ZerosLike", lambda x: raw.ZerosLike(x=x), floats(2, 3))
    case("OnesLike", lambda x: raw.OnesLike(x=x), ints(2, 3))
    case("Range", lambda x: raw.Range(start=0, limit=tf.shape(x)[0], delta=1), floats(5))
    case("Range floats", lambda x: x + raw.Range(start=0.5, limit=3.0, delta=0.5), floats(5))
    case("Range down", lambda x: x + raw.Range(start=5, limit=-5, delta=-2), ints(5))
    for axis in (0, 1, -1):
        case(f"Pack {axis}", lambda x, y: raw.Pack(values=[x, y], axis=axis), floats(2, 3), floats(2, 3))
        case(f"Unpack {axis}", lambda x: raw.Unpack(value=x, num=2, axis=axis), floats(2, 2))
        case(f"ConcatV2 {axis}", lambda x, y: raw.ConcatV2(values=[x, y], axis=axis), floats(2, 2), floats(2, 2))
    case("Concat", lambda x, y: raw.Concat(concat_dim=1, values=[x, y]), floats(2, 3), floats(2, 4))
    for axis in (0, 1, -1):
        case(f"Split {axis}", lambda x: raw.Split(axis=axis, value=x, num_split=2), floats(2, 4, 6))
    case("SplitV", lambda x: raw.SplitV(value=x, size_splits=[1, 3, 2], axis=1, num_split=3), floats(2, 6))
    case("SplitV rest", lambda x: raw.SplitV(value=x, size_splits=[1, -1], axis=1, num_split=2), floats(2, 6))
    case("Slice", lambda x: raw.Slice(input=x, begin=[0, 1, 2], size=[-1, 1, 2]), floats(2, 3, 5))
    case("Slice by shape", lambda x: raw.Slice(input=x, begin=[1, 0], size=tf.stack([tf.shape(x)[0] - 1, -1])), floats(4, 3))
    case("Slice fed", lambda x, b, s: raw.Slice(input=x, begin=b, size=s), floats(4, 3), np.array([1, 0], np.int32), np.array([2, -1], np.int32), dynamic=False)
    case("Gather", lambda x, i: raw.Gather(params=x, indices=i), floats(5, 3), ints(2, 2, low=0, high=5))
    for axis in (0, 1, -1):
        case(f"GatherV2 {axis}", lambda x, i: raw.GatherV2(params=x, indices=i, axis=axis), floats(3, 4, 3), ints(2, low=0, high=3))
    case("GatherNd", lambda x, i: raw.GatherNd(params=x, indices=i), floats(3, 4, 2), np.array([[0, 1], [2, 3]], np.int32))
    case("ReverseV2", lambda x: raw.ReverseV2(tensor=x, axis=[0, -1]), floats(2, 3, 4))
    case("Pad", lambda x: raw.Pad(input=x, paddings=[[0, 0], [1, 2]]), floats(2, 3))
    case("Pad fed", lambda x, p: raw.Pad(input=x, paddings=p), floats(2, 3), np.array([[0, 1], [1, 2]], np.int32), dynamic=False)
    case("PadV2", lambda x: raw.PadV2(input=x, paddings=[[0, 0], [1, 2]], constant_values=-1.5), floats(2, 3))
    case("MirrorPad", lambda x: raw.MirrorPad(input=x, paddings=[[0, 0], [2, 1]], mode="REFLECT"), floats(2, 4))
    case("MirrorPad symmetric", lambda x: raw.MirrorPad(input=x, paddings=[[0, 0], [1, 1]], mode="SYMMETRIC"), floats(2, 4))
    for axis in (-1, 0, 1):
        case(f"OneHot {axis}", lambda i: raw.OneHot(indices=i, depth=4, on_value=2.0, off_value=-1.0, axis=axis), np.array([0, 3, -1, 5], np.int32))
    case("OneHot 2D", lambda i: raw.OneHot(indices=i, depth=4, on_value=1, off_value=0), ints(2, 3, low=0, high=4, dtype=np.int64))
    case("TopKV2", lambda x: raw.TopKV2(input=x, k=3), floats(2, 6))
    case("Where", lambda x: raw.Where(condition=x), np.array([[True, False], [True, True]]))
    case("SpaceToBatchND", lambda x: raw.SpaceToBatchND(input=x, block_shape=[2, 3], paddings=[[1, 1], [0, 2]]), floats(2, 4, 4, 3))
    case("BatchToSpaceND", lambda x: raw.BatchToSpaceND(input=x, block_shape=[2, 3], crops=[[0, 1], [2, 0]]), floats(12, 2, 3, 2))


def slices():
    x = floats(4, 5, 6)
    forms = {
        "[1:3]": lambda x: x[1:3],
        "[:, 1]": lambda x: x[:, 1],
        "[:, -1]": lambda x: x[:, -1],
        "[..., 0]": lambda x: x[..., 0],
        "[..., 1:3]": lambda x: x[..., 1:3],
        "[0, ..., -1]": lambda x: x[0, ..., -1],
        "[:, ::2]": lambda x: x[:, ::2],
        "[:, ::-1]": lambda x: x[:, ::-1],
        "[:, 4:1:-2]": lambda x: x[:, 4:1:-2],
        "[:, -3:-1]": lambda x: x[:, -3:-1],
        "[:, tf.newaxis]": lambda x: x[:, tf.newaxis],
        "[tf.newaxis, ..., tf.newaxis, 2]": lambda x: x[tf.newaxis, ..., tf.newaxis, 2],
        "[:, 2, tf.newaxis, 1:4]": lambda x: x[:, 2, tf.newaxis, 1:4],
        "[:, 1:100]": lambda x: x[:, 1:100],
        "[:tf.shape(x)[0] - 1]": lambda x: x[: tf.shape(x)[0] - 1],
        "[tf.shape(x)[0] - 1]": lambda x: x[tf.shape(x)[0] - 1],
        "[:, 1:tf.shape(x)[0]]": lambda x: x[:, 1 : tf.shape(x)[0]],
    }
    for text, build in forms.items():
        case(f"StridedSlice {text}", build, x)
    case("StridedSlice of a shape", lambda x: raw.Reshape(tensor=x, shape=raw.Shape(input=x)[..., ::-1]), x)
    case("StridedSlice of a shape, one", lambda x: raw.Reshape(tensor=x, shape=tf.stack([raw.Shape(input=x)[-1], -1])), x)
    case("StridedSlice fed", lambda x, i: x[:, i[0]], x, np.array([-1], np.int32), dynamic=False)


def images():
    for kernel in (1, 2, 3, 5):
        for stride in (1, 2, 3):
            for padding in ("SAME", "VALID"):
                filter = floats(kernel, kernel, 3, 4)
                build = lambda x: raw.Conv2D(input=x, filter=tf.constant(filter), strides=[1, stride, stride, 1], padding=padding)
                case(f"Conv2D {kernel} {stride} {padding}", build, floats(2, 7, 8, 3), dynamic=(0, 1, 2))
    for padding in ("SAME", "VALID"):
        filter = floats(3, 3, 3, 4)
        case(f"Conv2D dilated {padding}", lambda x: raw.Conv2D(input=x, filter=tf.constant(filter), strides=[1, 1, 1, 1], padding=padding, dilations=[1, 2, 2, 1]), floats(2, 9, 8, 3), dynamic=(0, 1, 2))
        case(f"Conv2D fed {padding}", lambda x, f: raw.Conv2D(input=x, filter=f, strides=[1, 2, 1, 1], padding=padding), floats(1, 6, 6, 3), filter, dynamic=False)
        for times in (1, 2):
            for stride in (1, 2):
                narrow = floats(3, 3, 3, times)
                case(f"DepthwiseConv2dNative {padding} {times} {stride}", lambda x: raw.DepthwiseConv2dNative(input=x, filter=tf.constant(narrow), strides=[1, stride, stride, 1], padding=padding), floats(2, 7, 8, 3), dynamic=(0, 1, 2))
        for kernel in (1, 2, 3, 4):
            for stride in (1, 2, 3):
                filter = floats(kernel, kernel, 4, 3)
                size = [2, 12, 12, 4]
                side = 12 // stride if padding == "SAME" else (12 - kernel) // stride + 1
                case(f"Conv2DBackpropInput {kernel} {stride} {padding}", lambda x: raw.Conv2DBackpropInput(input_sizes=tf.stack([tf.shape(x)[0], *size[1:]]), filter=tf.constant(filter), out_backprop=x, strides=[1, stride, stride, 1], padding=padding), floats(2, side, side, 3))
        for op in ("MaxPool", "AvgPool"):
            argument = "input" if op == "MaxPool" else "value"
            for kernel, stride in ((2, 2), (3, 2), (3, 1), (2, 3)):
                case(f"{op} {kernel} {stride} {padding}", lambda x: getattr(raw, op)(**{argument: x}, ksize=[1, kernel, kernel, 1], strides=[1, stride, stride, 1], padding=padding), floats(2, 7, 8, 3), dynamic=(0, 1, 2))
        case(f"MaxPoolV2 {padding}", lambda x: raw.MaxPoolV2(input=x, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding=padding), floats(2, 7, 8, 3))
    for padding in ("SAME", "VALID"):
        case(f"DepthwiseConv2dNative dilated {padding}", lambda x: raw.DepthwiseConv2dNative(input=x, filter=tf.constant(floats(3, 3, 3, 2)), strides=[1, 1, 1, 1], padding=padding, dilations=[1, 2, 2, 1]), floats(2, 9, 8, 3), dynamic=(0, 1, 2))
    case("Conv2D explicit", lambda x: raw.Conv2D(input=x, filter=tf.constant(floats(3, 3, 3, 4)), strides=[1, 2, 2, 1], padding="EXPLICIT", explicit_paddings=[0, 0, 1, 2, 0, 1, 0, 0]), floats(2, 7, 8, 3), dynamic=(0, 1, 2))
    case("Conv2D groups", lambda x: raw.Conv2D(input=x, filter=tf.constant(floats(3, 3, 1, 6)), strides=[1, 1, 1, 1], padding="SAME"), floats(2, 7, 8, 3), dynamic=False)
    mean, variance = floats(3), np.abs(floats(3)) + 0.5
    for op in "FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3".split():
        case(op, lambda x: getattr(raw, op)(x=x, scale=tf.constant(floats(3)), offset=tf.constant(floats(3)), mean=tf.constant(mean), variance=tf.constant(variance), is_training=False, epsilon=0.001)[0], floats(2, 4, 5, 3))
    case("LRN", lambda x: raw.LRN(input=x, depth_radius=2, bias=1.5, alpha=0.3, beta=0.75), floats(2, 3, 3, 7))
    case("LRN plain", lambda x: raw.LRN(input=x), floats(2, 3, 3, 7))
    for align, half in ((False, False), (True, False), (False, True)):
        for size in ([6, 10], [3, 2], [7, 7]):
            case(f"ResizeBilinear {size} {align} {half}", lambda x: raw.ResizeBilinear(images=x, size=size, align_corners=align, half_pixel_centers=half), floats(2, 4, 5, 3), dynamic=(0, 1, 2))
            case(f"ResizeNearestNeighbor {size} {align} {half}", lambda x: raw.ResizeNearestNeighbor(images=x, size=size, align_corners=align, half_pixel_centers=half), floats(2, 4, 5, 3), dynamic=(0, 1, 2))
    case("ResizeBilinear by shape", lambda x: raw.ResizeBilinear(images=x, size=tf.shape(x)[1:3] * 2), floats(1, 4, 5, 3), dynamic=(0, 1, 2))
    case("SpaceToDepth", lambda x: raw.SpaceToDepth(input=x, block_size=2), floats(2, 4, 6, 3))
    case("DepthToSpace", lambda x: raw.DepthToSpace(input=x, block_size=2), floats(2, 2, 3, 12))


def layouts():
    """Channels first inside: each op behind a convolution."""
    filter = tf.constant
    weights = floats(1, 1, 3, 4)
    conv = lambda x: raw.Conv2D(input=x, filter=filter(weights), strides=[1, 1, 1, 1], padding="SAME")
    behind = {
        "Relu6": tf.nn.relu6,
        "BiasAdd": lambda x: tf.nn.bias_add(x, floats(4)),
        "Add vector": lambda x: x + floats(4),
        "Add plane": lambda x: x * floats(5, 6, 1) + 2.0,
        "Add input": lambda x: x + tf.transpose(tf.transpose(x, [0, 2, 1, 3]), [0, 2, 1, 3]),
        "Mean": lambda x: tf.reduce_mean(x, [1, 2]),
        "Mean keep": lambda x: tf.reduce_mean(x, [1, 2], keepdims=True),
        "Mean channel": lambda x: tf.reduce_mean(x, [3]),
        "Mean channel keep": lambda x: tf.reduce_mean(x, -1, keepdims=True),
        "Mean height": lambda x: tf.reduce_mean(x, [1]),
        "Sum all": lambda x: tf.reduce_sum(x, [0, 1, 2, 3]),
        "Squeeze": lambda x: tf.squeeze(tf.reduce_mean(x, [1, 2], keepdims=True), [1, 2]),
        "Concat": lambda x: tf.concat([x, tf.nn.relu(x)], 3),
        "Concat height": lambda x: tf.concat([x, tf.nn.relu(x)], 1),
        "Split": lambda x: tf.split(x, 2, 3),
        "Pad": lambda x: tf.pad(x, [[0, 0], [1, 2], [0, 3], [0, 1]]),
        "Reshape": lambda x: tf.reshape(x, [-1, 120]),
        "Shape": lambda x: tf.shape(x),
        "Softmax": lambda x: tf.nn.softmax(x),
        "Slice": lambda x: x[:, 1:3, :, 0],
        "Slice of ranges": lambda x: x[:, 1:3, ::2, 1:],
        "MaxPool": lambda x: tf.nn.max_pool2d(x, 2, 2, "SAME"),
        "Cast": lambda x: tf.cast(x, tf.int32),
        "Square": lambda x: x * x - tf.square(x) + tf.math.squared_difference(x, 1.0),
        "Clip": lambda x: raw.ClipByValue(t=x, clip_value_min=tf.constant(-1.0), clip_value_max=tf.constant(1.0)),
        "Where": lambda x: tf.where(x > 0.0, x, x * 0.1),
        "Swish": lambda x: x * tf.sigmoid(x),
        "Two ways": lambda x: [tf.nn.relu(x), tf.reshape(x, [-1])],
        "Transpose": lambda x: tf.transpose(x, [0, 3, 1, 2]),
        "Tile": lambda x: tf.tile(x, [1, 2, 1, 1]),
        "ArgMax": lambda x: tf.argmax(x, 3),
        "MatMul": lambda x: tf.matmul(x, tf.constant(floats(4, 2))[tf.newaxis, tf.newaxis]),
        "DepthToSpace": lambda x: tf.nn.depth_to_space(x, 2),
    }
    for name, build in behind.items():
        case(f"layout: {name}", lambda x: build(conv(x)), floats(2, 5, 6, 3))


def text():
    words = np.array(["3", "-12", "7"], dtype=object)
    for to in (tf.int32, tf.int64, tf.float32, tf.float64):
        case(f"StringToNumber {to.name}", lambda x: raw.StringToNumber(string_tensor=x, out_type=to), words)
    case("AsString", lambda x: raw.AsString(input=x), ints(5))
    case("AsString int64", lambda x: raw.AsString(input=x), ints(5, dtype=np.int64))
    case("Identity string", lambda x: raw.Identity(input=x), words)
    case("StringJoin", lambda x, y: raw.StringJoin(inputs=[x, y], separator="-"), words, words)
    case("Reshape string", lambda x: raw.Reshape(tensor=x, shape=[3, 1]), words)


def flow():
    def conditional(taken):
        def build(x):
            false, true = raw.Switch(data=x, pred=tf.constant(taken))
            return raw.Merge(inputs=[raw.Neg(x=false), raw.Abs(x=true)])[0]

        return build

    for taken in (True, False):
        case(f"Switch {taken}", conditional(taken), floats(3))

    def cond(x):
        tf.disable_control_flow_v2()
        training = tf.placeholder_with_default(tf.constant(False), [], name="training")
        return tf.cond(training, lambda: tf.constant([1.0, 2.0, 3.0]), lambda: x * 2.0 + tf.constant([1.0, 1.0, 1.0]))

    case("tf.cond", cond, floats(3))

    def later(taken):
        def build(x):
            tf.enable_control_flow_v2()
            training = tf.placeholder_with_default(tf.constant(taken), [], name="training")
            return tf.cond(training, lambda: tf.nn.relu(x) + 1.0, lambda: x * 2.0)

        return build

    for taken in (True, False):
        case(f"StatelessIf {taken}", later(taken), floats(3))

    @tf.function(autograph=False)
    def inner(x, y):
        first, second = tf.split(x, 2)
        values, places = tf.math.top_k(y, 2)
        return first * second, values, places

    case("PartitionedCall", lambda x, y: inner(x, y), floats(4), floats(5), dynamic=False)


def old():
    """Ops that TensorFlow does not make any more, in graphs that say that they are as old."""

    def written(op, inputs, attributes, arrays, outputs):
        definition = tf.GraphDef()
        definition.versions.producer = 6
        for i, array in enumerate(arrays):
            node = definition.node.add(name=f"x{i}", op="Placeholder")
            node.attr["dtype"].type = tf.as_dtype(array.dtype).as_datatype_enum
            node.attr["shape"].shape.CopyFrom(tf.TensorShape(array.shape).as_proto())
        node = definition.node.add(name="op", op=op, input=inputs)
        node.attr["T"].type = tf.float32.as_datatype_enum
        for key, value in attributes.items():
            attribute = node.attr[key]
            kind = "b" if isinstance(value, bool) else "f" if isinstance(value, float) else "i"
            setattr(attribute, kind, value)
        for i in range(outputs):
            node = definition.node.add(name=f"y{i}", op="Identity", input=[f"op:{i}"])
            node.attr["T"].type = (tf.int32 if i == 1 else tf.float32).as_datatype_enum
        with tf.Graph().as_default() as graph:
            tf.import_graph_def(definition, name="")
            with tf.Session(graph=graph) as session:
                feeds = {f"x{i}:0": array for i, array in enumerate(arrays)}
                results = session.run([f"y{i}:0" for i in range(outputs)], feeds)
        cases.append({
            "name": f"{op} {attributes}",
            "graph": base64.b64encode(definition.SerializeToString()).decode(),
            "inputs": {f"x{i}": encoded(a) for i, a in enumerate(arrays)},
            "outputs": {f"y{i}": encoded(r) for i, r in enumerate(results)},
        })

    for scaled in (True, False):
        arrays = [floats(2, 4, 5, 3), floats(3), np.abs(floats(3)) + 0.5, floats(3), floats(3)]
        attributes = {"variance_epsilon": 0.001, "scale_after_normalization": scaled}
        written("BatchNormWithGlobalNormalization", [f"x{i}" for i in range(5)], attributes, arrays, 1)


def served():
    """As NVIDIA's examples."""
    names = ("INPUT", "OUTPUT")
    counted, ones = np.arange(16, dtype=np.int32).reshape(1, 16), np.ones((1, 16), np.int32)
    one("served: simple", lambda x, y: [raw.Add(x=x, y=y), raw.Sub(x=x, y=y)], (counted, ones), (0,), names)

    def strings(x, y):
        x, y = [raw.StringToNumber(string_tensor=t, out_type=tf.int32) for t in (x, y)]
        return [raw.AsString(input=raw.Add(x=x, y=y)), raw.AsString(input=raw.Sub(x=x, y=y))]

    one("served: simple_string", strings, (counted.astype(str).astype(object), ones.astype(str).astype(object)), (0,), names)


def resizes():
    """Sizes of images and of what is wanted: known, open and fed."""
    ways = [(raw.ResizeBicubic, {"align_corners": a, "half_pixel_centers": h}) for a, h in ((False, False), (True, False), (False, True))]
    ways += [(raw.ResizeArea, {"align_corners": a}) for a in (False, True)]
    for op, attributes in ways:
        name = f"{op.__name__} {list(attributes.values())}"
        for image, size in (((2, 4, 5, 3), [6, 11]), ((2, 9, 8, 3), [4, 3]), ((1, 7, 7, 2), [7, 1]), ((2, 1, 2, 1), [3, 5]), ((1, 33, 100, 1), [57, 31])):
            case(f"{name} {image} {size}", lambda x: op(images=x, size=size, **attributes), floats(*image), dynamic=(0, 1, 2))
        case(f"{name} fed", lambda x, s: op(images=x, size=s, **attributes), floats(2, 4, 6, 3), np.array([7, 4], np.int32), dynamic=False)
        case(f"{name} uint8", lambda x: op(images=x, size=[5, 5], **attributes), ints(2, 4, 6, 3, low=0, high=256, dtype=np.uint8))


def cells():
    """Fused recurrent cells. What lies behind the last step that counts is zeros in memory and hidden state, and anything in the rest."""
    size, units = 4, 3

    def states(batch):
        return floats(batch, units), floats(batch, units)

    def weights():
        vectors = [floats(units) for _ in range(3)]
        return dict(zip(("w", "wci", "wcf", "wco", "b"), [floats(size + units, 4 * units), *vectors, floats(4 * units)]))

    forms = {"plain": {}, "peepholes": {"use_peephole": True}, "clipped": {"cell_clip": 0.4}, "free": {"cell_clip": -1.0, "use_peephole": True}}
    for name, attributes in forms.items():
        for bias in ((None, 0.0) if name == "plain" else (None, 0.5)):
            more = {**attributes, **({} if bias is None else {"forget_bias": bias})}
            trained = weights()
            case(f"LSTMBlockCell {name} {bias}", lambda x, c, h: raw.LSTMBlockCell(x=x, cs_prev=c, h_prev=h, **trained, **more), floats(2, size), *states(2))
            case(f"BlockLSTM {name} {bias}", lambda x, c, h: raw.BlockLSTM(seq_len_max=tf.constant(5, tf.int64), x=x, cs_prev=c, h_prev=h, **trained, **more), floats(5, 2, size), *states(2), dynamic=(1,))
        case(f"BlockLSTMV2 {name}", lambda x, c, h: raw.BlockLSTMV2(seq_len_max=tf.constant(4, tf.int64), x=x, cs_prev=c, h_prev=h, **trained, **attributes), floats(4, 1, size), *states(1), dynamic=False)
    trained = weights()
    lasting = lambda made: [made.cs, made.h]
    for op in (raw.BlockLSTM, raw.BlockLSTMV2):
        name = "BlockLSTM" if op is raw.BlockLSTM else "BlockLSTMV2"
        for steps in (0, 1, 3, 6):
            case(f"{name} of {steps} steps", lambda x, c, h: lasting(op(seq_len_max=tf.constant(steps, tf.int64), x=x, cs_prev=c, h_prev=h, **trained)), floats(6, 2, size), *states(2), dynamic=(0, 1))
        case(f"{name} fed", lambda n, x, c, h: lasting(op(seq_len_max=n, x=x, cs_prev=c, h_prev=h, **trained)), np.int64(2), floats(4, 2, size), *states(2), dynamic=(0,))
        case(f"{name} of the longest", lambda n, x, c, h: lasting(op(seq_len_max=tf.reduce_max(n), x=x, cs_prev=c, h_prev=h, **trained)), np.array([2, 4], np.int64), floats(4, 2, size), *states(2))
        case(f"{name} fed weights", lambda w, x, c, h: lasting(op(seq_len_max=tf.constant(4, tf.int64), x=x, cs_prev=c, h_prev=h, **{**trained, "w": w})), trained["w"], floats(4, 2, size), *states(2), dynamic=False)
    for batch in (1, 3):
        case(f"GRUBlockCell {batch}", lambda x, h: raw.GRUBlockCell(x=x, h_prev=h, w_ru=tf.constant(floats(size + units, 2 * units)), w_c=tf.constant(floats(size + units, units)), b_ru=tf.constant(floats(2 * units)), b_c=tf.constant(floats(units))), floats(batch, size), floats(batch, units))


def volumes():
    """Images of three sides, channels last and first."""

    def both(name, build, array, dynamic=(0, 1, 2, 3)):
        case(f"{name} NDHWC", lambda x: build(x, "NDHWC", lambda sides: [1, *sides, 1]), array, dynamic=dynamic)
        first = np.ascontiguousarray(np.moveaxis(array, 4, 1))
        case(f"{name} NCDHW", lambda x: build(x, "NCDHW", lambda sides: [1, 1, *sides]), first, dynamic=dynamic and (0, 2, 3, 4))

    for padding in ("SAME", "VALID"):
        for kernel, strides in (((1, 1, 1), (1, 1, 1)), ((3, 2, 3), (1, 1, 1)), ((2, 3, 3), (2, 1, 3)), ((3, 3, 3), (2, 2, 2))):
            filter = floats(*kernel, 2, 3)
            both(f"Conv3D {kernel} {strides} {padding}", lambda x, form, of: raw.Conv3D(input=x, filter=tf.constant(filter), strides=of(strides), padding=padding, data_format=form), floats(2, 4, 5, 3, 2))
            both(f"MaxPool3D {kernel} {strides} {padding}", lambda x, form, of: raw.MaxPool3D(input=x, ksize=of(kernel), strides=of(strides), padding=padding, data_format=form), floats(2, 4, 5, 3, 2) - 3)
            both(f"AvgPool3D {kernel} {strides} {padding}", lambda x, form, of: raw.AvgPool3D(input=x, ksize=of(kernel), strides=of(strides), padding=padding, data_format=form), floats(2, 4, 5, 3, 2))
            wanted = (4, 5, 3)
            steps = [-(-size // s) if padding == "SAME" else (size - k) // s + 1 for size, k, s in zip(wanted, kernel, strides)]
            both(f"Conv3DBackpropInputV2 {kernel} {strides} {padding}", lambda x, form, of: raw.Conv3DBackpropInputV2(input_sizes=tf.stack([tf.shape(x)[0], *([2, *wanted] if form == "NCDHW" else [*wanted, 2])]), filter=tf.constant(filter), out_backprop=x, strides=of(strides), padding=padding, data_format=form), floats(2, *steps, 3), dynamic=(0,))
        for dilations in ((2, 1, 2), (1, 2, 1)):
            both(f"Conv3D dilated {dilations} {padding}", lambda x, form, of: raw.Conv3D(input=x, filter=tf.constant(floats(2, 3, 2, 2, 3)), strides=[1] * 5, padding=padding, dilations=of(dilations), data_format=form), floats(2, 4, 5, 3, 2))
    case("Conv3D fed", lambda x, f: raw.Conv3D(input=x, filter=f, strides=[1, 1, 2, 1, 1], padding="SAME"), floats(1, 4, 5, 4, 2), floats(2, 2, 3, 2, 3), dynamic=False)

    def network(x):
        for filter in (floats(3, 3, 3, 2, 4), floats(1, 1, 1, 4, 3)):
            x = tf.nn.relu(tf.nn.bias_add(raw.Conv3D(input=x, filter=tf.constant(filter), strides=[1] * 5, padding="SAME"), floats(filter.shape[4])))
        x = raw.MaxPool3D(input=x, ksize=[1, 2, 2, 2, 1], strides=[1, 2, 2, 2, 1], padding="VALID")
        return tf.reduce_mean(x, [1, 2, 3])

    case("Conv3D network", network, floats(2, 4, 4, 6, 2))
    case("FusedBatchNormV3 NDHWC", lambda x: raw.FusedBatchNormV3(x=x, scale=tf.constant(floats(3)), offset=tf.constant(floats(3)), mean=tf.constant(floats(3)), variance=tf.constant(np.abs(floats(3)) + 0.5), is_training=False, epsilon=0.001, data_format="NDHWC")[0], floats(2, 2, 3, 4, 3))


for family in (unary, binary, reductions, matrices, shapes, slices, images, layouts, text, flow, old, served, resizes, cells, volumes):
    family()
path = os.path.join(os.path.dirname(__file__), "backends", "tensorflow", "ops.ndjson.gz")
with open(path, "wb") as file:
    with gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as packed:
        for entry in cases:
            packed.write((json.dumps(entry) + "\n").encode())
print(f"{len(cases)} cases, {os.path.getsize(path)} bytes")
