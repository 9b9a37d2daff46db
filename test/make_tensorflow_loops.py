"""Makes test/backends/tensorflow/loops.ndjson.gz and loops-saved.ndjson.gz: loops as graphs and as SavedModels, and what TensorFlow answers.

    /tmp/tf/bin/python test/make_tensorflow_loops.py        (see make_tensorflow_ops.py)
"""

import base64
import gzip
import json
import os
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf
from tensorflow_files import files
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2 as frozen

v1 = tf.compat.v1
layers = tf.keras.layers
random = np.random.RandomState(7)
tf.keras.utils.set_random_seed(5)
cases = []
saved = []


def floats(*shape):
    return random.uniform(-2, 2, shape).astype(np.float32)


def encoded(array):
    array = np.asarray(array)
    return {"type": str(array.dtype), "dims": list(array.shape), "data": base64.b64encode(array.tobytes()).decode()}


def add(name, definition, inputs, outputs):
    for node in definition.node:
        if "_output_shapes" in node.attr:
            del node.attr["_output_shapes"]
    for function in definition.library.function:
        for node in function.node_def:
            if "_output_shapes" in node.attr:
                del node.attr["_output_shapes"]
    cases.append({
        "name": name,
        "graph": base64.b64encode(definition.SerializeToString(deterministic=True)).decode(),
        "inputs": {key: encoded(value) for key, value in inputs.items()},
        "outputs": {key: encoded(value) for key, value in outputs.items()},
    })


def later(name, function, *arrays, open_axes=(0,)):
    """TensorFlow 2, frozen: with loops as they are, and lowered to frames."""
    inputs = {f"x{i}": array for i, array in enumerate(arrays)}
    specs = [
        tf.TensorSpec([None if axis in open_axes else size for axis, size in enumerate(array.shape)], array.dtype, name=key)
        for key, array in inputs.items()
    ]

    @tf.function(input_signature=specs)
    def named(*values):
        results = function(*values)
        results = results if isinstance(results, (list, tuple)) else [results]
        return [tf.identity(result, f"y{i}") for i, result in enumerate(results)]

    concrete = named.get_concrete_function()
    results = concrete(*[tf.constant(array) for array in arrays])
    outputs = {f"y{i}": result.numpy() for i, result in enumerate(results)}
    for lowered in (False, True):
        definition = frozen(concrete, lower_control_flow=lowered).graph.as_graph_def()
        add(f"{name}{' (lowered)' if lowered else ''}", definition, inputs, outputs)


def earlier(name, build, *arrays, open_axes=(0,)):
    """TensorFlow 1, frozen: loops are frames."""
    inputs = {f"x{i}": array for i, array in enumerate(arrays)}
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        v1.disable_control_flow_v2()
        v1.set_random_seed(5)
        given = [
            v1.placeholder(array.dtype, [None if axis in open_axes else size for axis, size in enumerate(array.shape)], name=key)
            for key, array in inputs.items()
        ]
        results = build(*given)
        results = results if isinstance(results, (list, tuple)) else [results]
        for i, result in enumerate(results):
            tf.identity(result, f"y{i}")
        session.run(v1.global_variables_initializer())
        names = [f"y{i}" for i in range(len(results))]
        values = session.run([f"{key}:0" for key in names], {f"{key}:0": value for key, value in inputs.items()})
        definition = v1.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), names)
    add(f"TF1 {name}", definition, inputs, dict(zip(names, values)))


def keras():
    def model(*parts, time=5):
        built = tf.keras.Sequential([layers.Input((time, 3)), *parts])
        return lambda x: built(x, training=False)

    x = floats(2, 5, 3)
    later("LSTM", model(layers.LSTM(4)), x)
    later("LSTM sequences, any time", model(layers.LSTM(4, return_sequences=True), time=None), x, open_axes=(0, 1))
    later("GRU", model(layers.GRU(4, return_sequences=True)), x, open_axes=())
    later("GRU before", model(layers.GRU(4, reset_after=False, go_backwards=True)), x)
    later("SimpleRNN", model(layers.SimpleRNN(4, return_sequences=True, go_backwards=True), layers.SimpleRNN(2)), x)
    later("unrolled", model(layers.LSTM(2, unroll=True)), x)
    later("RNN of cells", model(layers.RNN([layers.LSTMCell(3), layers.GRUCell(2)], return_sequences=True)), x)
    later("Bidirectional", model(layers.Bidirectional(layers.LSTM(3, return_sequences=True)), layers.Bidirectional(layers.GRU(2)), time=None), x, open_axes=(0, 1))
    hidden = x.copy()
    hidden[0, 3:] = hidden[1, 1] = 0
    later("Masking", model(layers.Masking(), layers.LSTM(4, return_sequences=True), layers.GRU(3)), hidden)
    later("Masking, zeros", model(layers.Masking(), layers.RNN(layers.SimpleRNNCell(3), return_sequences=True, zero_output_for_mask=True), time=None), hidden, open_axes=(0, 1))
    words = tf.keras.Sequential([layers.Input((6,), dtype="int32"), layers.Embedding(9, 3, mask_zero=True), layers.Bidirectional(layers.LSTM(3)), layers.Dense(2, activation="softmax")])
    later("Embedding", lambda x: words(x, training=False), np.array([[3, 1, 8, 2, 0, 0], [5, 0, 0, 0, 0, 0]], np.int32))
    whole = layers.LSTM(3, return_state=True, return_sequences=True)
    later("LSTM states", lambda x, h, c: whole(x, initial_state=[h, c]), x, floats(2, 3), floats(2, 3))
    pictures = tf.keras.Sequential([layers.Input((3, 4, 4, 2)), layers.ConvLSTM2D(2, 2, padding="same")])
    later("ConvLSTM2D", lambda x: pictures(x, training=False), floats(1, 3, 4, 4, 2))


def loops():
    def power(x, n):
        return tf.while_loop(lambda i, y: i < n, lambda i, y: (i + 1, y * x + 1.0), [0, tf.zeros_like(x)])[1]

    later("count", power, floats(3), np.array(4, np.int32))
    later("no turn", power, floats(3), np.array(0, np.int32))
    later("until", lambda x: tf.while_loop(lambda y, n: tf.reduce_sum(y) < 100.0, lambda y, n: (y * 2.0, n + 1), [tf.abs(x), 3]), floats(3))
    later("counter behind", lambda x, n: tf.while_loop(lambda i, y: i < n, lambda i, y: (i + 1, y + tf.cast(i, tf.float32)), [2, x]), floats(3), np.array(6, np.int32))
    grown = lambda x: tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, tf.concat([y, x], 0)), [0, x], shape_invariants=[tf.TensorShape([]), tf.TensorShape([None])])[1]
    later("a shape that changes", grown, floats(2))

    def nested(x, n):
        def outer(i, y):
            inner = tf.while_loop(lambda j, z: j < i + 1, lambda j, z: (j + 1, z + x * tf.cast(j, tf.float32)), [0, y])[1]
            return i + 1, tf.tanh(inner)

        return tf.while_loop(lambda i, y: i < n, outer, [0, x])[1]

    later("nested", nested, floats(3), np.array(3, np.int32))

    def written(x, n, size, places):
        def turn(i, rows):
            return i + 1, rows.write(places(i), x * tf.cast(i, tf.float32))

        rows = tf.TensorArray(tf.float32, size=size(n), infer_shape=False, element_shape=x.shape)
        return tf.while_loop(lambda i, rows: i < n, turn, [0, rows])[1].stack()

    later("rows in order", lambda x, n: written(x, n, lambda n: n, lambda i: i), floats(2), np.array(3, np.int32))
    later("rows backwards", lambda x, n: written(x, n, lambda n: n, lambda i: n - 1 - i), floats(2), np.array(3, np.int32))
    later("rows left out", lambda x, n: written(x, n, lambda n: n + 2, lambda i: i), floats(2), np.array(3, np.int32), open_axes=())

    def fibonacci(x):
        rows = tf.TensorArray(tf.float32, size=6, clear_after_read=False).write(0, x).write(1, x * 0.5)
        return tf.while_loop(lambda i, rows: i < 6, lambda i, rows: (i + 1, rows.write(i, rows.read(i - 1) + rows.read(i - 2))), [2, rows])[1].stack()

    later("rows read again", fibonacci, floats(3))

    def growing(x):
        rows = tf.TensorArray(tf.float32, size=0, dynamic_size=True, element_shape=[3])
        return tf.while_loop(lambda i, rows: i < 4, lambda i, rows: (i + 1, rows.write(i, x * tf.cast(i, tf.float32))), [0, rows])[1].stack()

    later("rows that become more", growing, floats(3), open_axes=())

    def pushed(x):
        raw = tf.raw_ops
        rows = raw.EmptyTensorList(element_shape=[-1], max_num_elements=-1, element_dtype=tf.float32)
        rows = tf.while_loop(lambda i, rows: i < 3, lambda i, rows: (i + 1, raw.TensorListPushBack(input_handle=rows, tensor=x * tf.cast(i, tf.float32))), [0, rows])[1]
        return raw.TensorListStack(input_handle=rows, element_shape=[3], element_dtype=tf.float32, num_elements=3)

    later("rows pushed", pushed, floats(3))

    @tf.function
    def branches(x, n):
        y = x
        for i in tf.range(n):
            if tf.reduce_sum(y) > 1.0:
                y = y - 1.0
            else:
                y = y * 2.0 + 0.5 * tf.cast(i, tf.float32)
        return y

    later("branches in a loop", branches, floats(3), np.array(5, np.int32))
    for sign in (1.0, -1.0):
        later(f"a branch {sign}", lambda x: tf.cond(x[0] > 0.0, lambda: (tf.reduce_sum(x * 2.0), x), lambda: (x[1], -x)), np.array([sign, 2, 3], np.float32))

    table, weights = floats(7, 4), floats(4, 7)

    @tf.function
    def decode(x, most):
        rows = tf.TensorArray(tf.int32, size=0, dynamic_size=True, element_shape=[])
        token, i, state = tf.constant(1), tf.constant(0), x
        while i < most:
            state = tf.tanh(state + tf.gather(table, token))
            token = tf.argmax(tf.linalg.matvec(weights, state, transpose_a=True), output_type=tf.int32)
            rows = rows.write(i, token)
            i += 1
            if token == 3:
                break
        return rows.stack(), i, state

    later("decode until a token", decode, floats(4), np.array(6, np.int32), open_axes=())

    @tf.function
    def positive(x):
        total = tf.zeros([3])
        for row in x:
            if tf.reduce_sum(row) < 0.0:
                continue
            total += row
        return total

    later("rows that are left out", positive, floats(4, 3))
    later("map", lambda x: tf.map_fn(lambda row: tf.reduce_sum(row) * row, x), floats(4, 3))
    later("scan", lambda x: tf.scan(lambda total, row: total * 0.5 + row, x), floats(4, 3))

    def lists(x):
        raw = tf.raw_ops
        made = raw.EmptyTensorList(element_shape=[3], max_num_elements=-1, element_dtype=tf.float32)
        for i in range(3):
            made = raw.TensorListPushBack(input_handle=made, tensor=x[i])
        made, last = raw.TensorListPopBack(input_handle=made, element_shape=[3], element_dtype=tf.float32)
        longer = raw.TensorListResize(input_handle=made, size=4)
        placed = raw.TensorListScatterV2(tensor=x, indices=[2, 0, 3], element_shape=[3], num_elements=4)
        again = raw.TensorListScatterIntoExistingList(input_handle=placed, tensor=x[:2], indices=[1, 3])
        stack = lambda handle: raw.TensorListStack(input_handle=handle, element_shape=[3], element_dtype=tf.float32, num_elements=-1)
        chosen = raw.TensorListGather(input_handle=again, indices=[3, 0], element_shape=[3], element_dtype=tf.float32)
        return [stack(made), last, raw.TensorListLength(input_handle=longer), stack(longer), stack(again), chosen]

    later("lists", lists, floats(3, 3), open_axes=())
    later("ReverseSequence", lambda x, n: [tf.reverse_sequence(x, n, seq_axis=1), tf.reverse_sequence(x, n, seq_axis=0, batch_axis=1)], floats(3, 3, 2), np.array([1, 3, 2], np.int32))


class Cell:
    """An LSTM, as TensorFlow 1 takes cells."""

    def __init__(self, units):
        self.units = self.output_size = units
        self.state_size = (units, units)

    def zero_state(self, batch, dtype):
        return tuple(tf.zeros([batch, self.units], dtype) for _ in range(2))

    def get_initial_state(self, inputs=None, batch_size=None, dtype=None):
        return self.zero_state(batch_size, dtype)

    def __call__(self, x, state, scope=None):
        with v1.variable_scope(scope or "cell", use_resource=False):
            c, h = state
            kernel = v1.get_variable("kernel", [x.shape[-1] + self.units, 4 * self.units])
            bias = v1.get_variable("bias", [4 * self.units], initializer=v1.ones_initializer())
            i, j, f, o = tf.split(tf.nn.bias_add(tf.matmul(tf.concat([x, h], 1), kernel), bias), 4, 1)
            c = c * tf.sigmoid(f + 1.0) + tf.sigmoid(i) * tf.tanh(j)
            h = tf.tanh(c) * tf.sigmoid(o)
            return h, (c, h)


def frames():
    rnn = v1.nn.dynamic_rnn
    x, lengths = floats(2, 5, 3), np.array([4, 2], np.int32)
    flat = lambda result: [result[0], *result[1]]
    earlier("dynamic_rnn", lambda x: flat(rnn(Cell(4), x, dtype=tf.float32)), x)
    earlier("dynamic_rnn, any time", lambda x: flat(rnn(Cell(4), x, dtype=tf.float32)), x, open_axes=(0, 1))
    earlier("dynamic_rnn, lengths", lambda x, n: flat(rnn(Cell(4), x, n, dtype=tf.float32)), x, lengths, open_axes=(0, 1))
    earlier("dynamic_rnn, time first", lambda x, n: flat(rnn(Cell(4), x, n, dtype=tf.float32, time_major=True)), x, np.array([2, 1, 2, 2, 0], np.int32))
    both = lambda x, n: v1.nn.bidirectional_dynamic_rnn(Cell(3), Cell(2), x, n, dtype=tf.float32)
    earlier("bidirectional_dynamic_rnn", lambda x, n: tf.concat(both(x, n)[0], 2), x, lengths, open_axes=(0, 1))

    def nested(x, n):
        def outer(i, y):
            inner = tf.while_loop(lambda j, z: j < i + 1, lambda j, z: (j + 1, z + x * tf.cast(j, tf.float32)), [0, y])[1]
            return i + 1, tf.tanh(inner)

        return tf.while_loop(lambda i, y: i < n, outer, [0, x])[1]

    earlier("nested", nested, floats(3), np.array(3, np.int32))
    earlier("until", lambda x: tf.while_loop(lambda y, n: tf.reduce_sum(y) < 100.0, lambda y, n: (y * 2.0, n + 1), [tf.abs(x), 3]), floats(3))

    def array(x):
        rows = tf.TensorArray(tf.float32, size=4, clear_after_read=False).scatter([2, 0, 3], x)
        return rows.gather([3, 2]), rows.write(1, x[0]).stack(), rows.size()

    earlier("TensorArray", array, floats(3, 2), open_axes=())

    def growing(x):
        rows = tf.TensorArray(tf.float32, size=0, dynamic_size=True, element_shape=[3])
        rows = tf.while_loop(lambda i, rows: i < 4, lambda i, rows: (i + 1, rows.write(i, x * tf.cast(i, tf.float32))), [0, rows])[1]
        return rows.stack(), rows.size()

    earlier("TensorArray that grows", growing, floats(3), open_axes=())

    def branches(x):
        inner = lambda y: tf.cond(y[1] > 0.0, lambda: tf.tanh(y), lambda: y * 3.0)
        either = tf.cond(x[0] > 0.0, lambda: (inner(x + 1.0), 1.0), lambda: (nested(x, 2), tf.reduce_max(x)))
        looped = tf.while_loop(lambda i, y: i < 5, lambda i, y: (i + 1, tf.cond(tf.reduce_sum(y) > 2.0, lambda: y - x, lambda: inner(y) + 1.0)), [0, x])
        return [*either, *looped]

    for sign in (1.0, -1.0):
        earlier(f"branches {sign}", branches, np.array([sign, 0.5 * sign, 2], np.float32))


def parts():
    """Fused cells in loops and functions; lists that are cut out of one value, and put together."""
    size, units = 3, 4
    weights = dict(w=floats(size + units, 4 * units), wci=floats(units), wcf=floats(units), wco=floats(units), b=floats(4 * units))
    gru = dict(w_ru=floats(size + units, 2 * units), w_c=floats(size + units, units), b_ru=floats(2 * units), b_c=floats(units))
    raw = tf.raw_ops

    def over(x, cell, *states):
        def turn(i, rows, *states):
            states = cell(x[i], *states)
            return i + 1, rows.write(i, states[-1]), *states

        rows = tf.TensorArray(tf.float32, size=tf.shape(x)[0], element_shape=[None, units])
        made = tf.while_loop(lambda i, *_: i < tf.shape(x)[0], turn, [0, rows, *states])
        return made[1].stack(), *made[2:]

    def lstm(x, memory, hidden):
        made = raw.LSTMBlockCell(x=x, cs_prev=memory, h_prev=hidden, **weights, use_peephole=True)
        return made.cs, made.h

    def rnn(x, hidden):
        return [raw.GRUBlockCell(x=x, h_prev=hidden, **gru).h]

    def block(x, memory, hidden):
        made = raw.BlockLSTM(seq_len_max=tf.shape(x, tf.int64)[0], x=x, cs_prev=memory, h_prev=hidden, **weights)
        return made.cs, made.h, made.o

    for way in (later, earlier):
        x, memory, hidden = floats(5, 2, size), floats(2, units), floats(2, units)
        way("LSTMBlockCell", lambda x, c, h: list(over(x, lstm, c, h)), x, memory, hidden)
        way("GRUBlockCell", lambda x, h: list(over(x, rnn, h)), x, hidden)
        way("BlockLSTM", lambda x, c, h: list(block(x, c, h)), x, memory, hidden, open_axes=(0, 1))
        way("BlockLSTM in a branch", lambda x, c, h: tf.cond(x[0, 0, 0] > 0.0, lambda: block(x, c, h)[:2], lambda: (x[:, :, :1] + h, x[:, :, :1] * c)), np.abs(x), memory, hidden, open_axes=())

        def lengths(x):
            rows = raw.TensorListFromTensor(tensor=x, element_shape=[2, -1])
            made = raw.TensorListConcatV2(input_handle=rows, element_shape=[2, -1], leading_dims=tf.constant([], tf.int64), element_dtype=tf.float32)
            last = raw.TensorListPopBack(input_handle=rows, element_shape=[2, -1], element_dtype=tf.float32)
            return made.lengths, made.tensor, last.tensor

        def pieces(x):
            rows = tf.TensorArray(tf.float32, size=3, clear_after_read=False).split(x, [2, 2, 2])
            return rows.read(1), rows.stack(), rows.concat()

        def collected(x, n):
            rows = tf.TensorArray(tf.float32, size=n, element_shape=[2, 3])
            rows = tf.while_loop(lambda i, rows: i < n, lambda i, rows: (i + 1, rows.write(i, x * tf.cast(i, tf.float32))), [0, rows])[1]
            return rows.concat()

        way("concat with lengths", lengths, floats(3, 2, 4), open_axes=(0, 2))
        way("split and concat", pieces, floats(6, 3), open_axes=(1,))
        way("concat", collected, floats(2, 3), np.array(4, np.int32), open_axes=())


def save(name, make, inputs):
    with tempfile.TemporaryDirectory() as scratch:
        folder = os.path.join(scratch, "model")
        make(folder)
        loaded = tf.saved_model.load(folder)
        outputs = loaded.signatures["serving_default"](**{key: tf.constant(value) for key, value in inputs.items()})
        saved.append({
            "name": name,
            "files": files(folder),
            "inputs": {key: encoded(value) for key, value in inputs.items()},
            "outputs": {key: encoded(value.numpy()) for key, value in outputs.items()},
        })


def models():
    x, lengths = floats(2, 5, 3), np.array([4, 2], np.int32)

    def later(folder):
        parts = [layers.Input((None, 3), name="x"), layers.Masking(), layers.Bidirectional(layers.LSTM(3, return_sequences=True)), layers.GRU(2), layers.Dense(2)]
        tf.keras.Sequential(parts).export(folder, verbose=False)

    def earlier(folder):
        with tf.Graph().as_default(), v1.Session() as session:
            v1.disable_control_flow_v2()
            v1.set_random_seed(5)
            x = v1.placeholder(tf.float32, [None, None, 3], name="x")
            n = v1.placeholder(tf.int32, [None], name="n")
            outputs, (_, state) = v1.nn.dynamic_rnn(Cell(4), x, n, dtype=tf.float32)
            session.run(v1.global_variables_initializer())
            v1.saved_model.simple_save(session, folder, {"x": x, "n": n}, {"outputs": outputs, "state": state})

    hidden = x.copy()
    hidden[1, 3:] = 0
    save("recurrent", later, {"x": hidden})
    save("dynamic_rnn", earlier, {"x": x, "n": lengths})


def write(name, entries):
    path = os.path.join(os.path.dirname(__file__), "backends", "tensorflow", name)
    with open(path, "wb") as file, gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as packed:
        for entry in entries:
            packed.write((json.dumps(entry) + "\n").encode())
    print(f"{len(entries)} cases, {os.path.getsize(path)} bytes")


for family in (keras, loops, frames, models, parts):
    family()
write("loops.ndjson.gz", cases)
write("loops-saved.ndjson.gz", saved)
