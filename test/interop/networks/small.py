"""Small networks: layers of numbers, steps of recurrent ones, and what is done to pictures and films."""

import slim
import tensorflow as tf

v1 = tf.compat.v1

WORDS = 50
STATE = 24


def dense(x: tf.Tensor) -> dict[str, tf.Tensor]:
    """With a switch for training, as graphs have that were made for both."""
    is_training = v1.placeholder_with_default(False, [], name="is_training")
    for units in (48, 32):
        x = slim.dense(x, units, tf.nn.elu)
        x = tf.cond(is_training, lambda: tf.nn.dropout(x, 0.5), lambda: x)
    mean, variance = tf.nn.moments(x, [1], keepdims=True)
    x = tf.nn.batch_normalization(x, mean, variance, None, None, slim.EPSILON)
    logits = slim.dense(x, 10)
    return {"logits": logits, "classes": tf.argmax(logits, 1, output_type=tf.int32)}


def recurrent(tokens: tf.Tensor) -> dict[str, tf.Tensor]:
    """A cell with a long and a short memory, over words."""
    table = slim.variable("embeddings", [WORDS, 16], spread=1.0)
    offsets = slim.variable("offsets", [WORDS, 16])
    kernel = slim.variable("kernel", [16 + STATE, 4 * STATE], spread=0.3)
    bias = slim.variable("bias", [4 * STATE])
    hidden = cell = tf.zeros([tf.shape(tokens)[0], STATE])
    steps = []
    words = tf.nn.embedding_lookup(table, tokens) + tf.gather_nd(offsets, tf.expand_dims(tokens, 2))
    for x in tf.unstack(words, axis=1):
        gates = tf.nn.bias_add(tf.matmul(tf.concat([x, hidden], 1), kernel), bias)
        entry, candidate, forget, out = tf.split(gates, 4, 1)
        cell = tf.sigmoid(forget + 1.0) * cell + tf.sigmoid(entry) * tf.tanh(candidate)
        hidden = tf.sigmoid(out) * tf.tanh(cell)
        steps.append(hidden)
    return {"steps": tf.stack(steps, 1), "state": cell, "scores": tf.nn.softmax(slim.dense(hidden, 5))}


def fused(tokens: tf.Tensor) -> dict[str, tf.Tensor]:
    """The fused cells: one over all words at once, and behind it one in a loop."""
    depth, weights = 16, lambda name, *shape: slim.variable(name, list(shape), spread=0.4)
    words = tf.nn.embedding_lookup(slim.variable("embeddings", [WORDS, depth], spread=1.0), tf.transpose(tokens))
    none = tf.zeros([tf.shape(tokens)[0], STATE])
    block = tf.raw_ops.BlockLSTM(
        seq_len_max=tf.shape(words, tf.int64)[0],
        x=words,
        cs_prev=none,
        h_prev=none,
        w=weights("kernel", depth + STATE, 4 * STATE),
        **{name: weights(name, STATE) for name in ("wci", "wcf", "wco")},
        b=weights("bias", 4 * STATE),
        use_peephole=True,
    )
    cell = {
        "w_ru": weights("gates", 2 * STATE, 2 * STATE),
        "w_c": weights("candidate", 2 * STATE, STATE),
        "b_ru": weights("gate_bias", 2 * STATE),
        "b_c": weights("candidate_bias", STATE),
    }
    count = tf.shape(words)[0]
    turn = lambda i, hidden: (i + 1, tf.raw_ops.GRUBlockCell(x=block.h[i], h_prev=hidden, **cell).h)
    _, hidden = tf.while_loop(lambda i, _: i < count, turn, [0, none], [tf.TensorShape([]), none.shape])
    return {"memory": block.cs[-1], "scores": tf.nn.softmax(slim.dense(hidden, 5))}


def film(x: tf.Tensor) -> dict[str, tf.Tensor]:
    """Over time, height and width, down and up again."""
    steps, same = [1, 1, 1, 1, 1], "SAME"
    filters = lambda name, *shape: slim.variable(name, list(shape), spread=0.2)
    small = tf.nn.relu(slim.biased(tf.nn.conv3d(x, filters("first", 3, 3, 3, 3, 8), [1, 1, 2, 2, 1], same)))
    small = slim.plain_norm(tf.nn.max_pool3d(small, 2, 2, same))
    wide = tf.nn.relu(tf.nn.conv3d(small, filters("wide", 2, 3, 3, 8, 12), steps, same, dilations=[1, 1, 2, 2, 1]))
    whole = tf.concat([tf.shape(x)[:1], [8, 8, 8, 6]], 0)
    large = tf.nn.conv3d_transpose(wide, filters("up", 2, 2, 2, 6, 12), whole, [1, 2, 2, 2, 1], same)
    means = tf.reduce_mean(tf.nn.avg_pool3d(wide, 2, 1, "VALID"), [1, 2, 3])
    return {"large": large, "logits": slim.dense(means, 7)}


def thumbnail(image: tf.Tensor) -> dict[str, tf.Tensor]:
    """Of pictures of any size."""
    cubic = tf.image.resize(image, [24, 32], "bicubic")
    return {
        "cubic": cubic,
        "older": v1.image.resize_bicubic(image, [24, 32]),
        "area": tf.image.resize(image, [24, 32], "area"),
        "logits": slim.dense(tf.reshape(cubic / 255.0, [-1, 24 * 32 * 3]), 7),
    }
