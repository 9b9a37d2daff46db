"""Small networks: layers of numbers, and steps of a recurrent one behind each other."""

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
