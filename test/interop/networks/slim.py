"""Layers as TF-Slim makes them: variables of TensorFlow 1 by name, batch normalisation with statistics that training left behind."""

import zlib

import tensorflow as tf

v1 = tf.compat.v1

EPSILON = 1e-3


def variable(name: str, shape: list[int], mean: float = 0.0, spread: float = 0.1) -> tf.Tensor:
    """Its values follow from its name, so that every form of a network has the same: normal ones, `spread` around `mean`."""
    path = f"{v1.get_variable_scope().name}/{name}"

    def drawn(shape, dtype=tf.float32, partition_info=None):
        return mean + spread * tf.random.stateless_normal(shape, [zlib.crc32(path.encode()), 1])

    return v1.get_variable(name, shape, initializer=drawn)


def kernel_spread(inputs: int) -> float:
    """Keeps numbers of one size through layers with relu."""
    return (2 / inputs) ** 0.5


def fused_norm(x: tf.Tensor) -> tf.Tensor:
    """What `slim.batch_norm(fused=True)` is in inference."""
    with v1.variable_scope("BatchNorm"):
        beta, mean, variance = statistics(x.shape[-1])
        normalised, _, _ = v1.nn.fused_batch_norm(
            x, tf.ones_like(beta), beta, mean, variance, epsilon=EPSILON, is_training=False
        )
        return normalised


def plain_norm(x: tf.Tensor) -> tf.Tensor:
    """The same in sums and products, as it was before there were fused ones."""
    with v1.variable_scope("BatchNorm"):
        beta, mean, variance = statistics(x.shape[-1])
        return tf.nn.batch_normalization(x, mean, variance, beta, None, EPSILON)


def statistics(channels: int) -> list[tf.Tensor]:
    return [
        variable("beta", [channels]),
        variable("moving_mean", [channels]),
        variable("moving_variance", [channels], mean=1.0, spread=0.2),
    ]


def biased(x: tf.Tensor) -> tf.Tensor:
    return tf.nn.bias_add(x, variable("biases", [x.shape[-1]]))


def conv(x, channels, size, stride=1, padding="SAME", norm=fused_norm, activation=tf.nn.relu, name="Conv") -> tf.Tensor:
    """@param size height and width of the filter, or one number for both"""
    height, width = (size, size) if isinstance(size, int) else size
    with v1.variable_scope(None, name):
        depth = x.shape[-1]
        spread = kernel_spread(height * width * depth)
        weights = variable("weights", [height, width, depth, channels], spread=spread)
        return activation(norm(tf.nn.conv2d(x, weights, stride, padding)))


def depthwise(x, size, stride=1, activation=tf.nn.relu6) -> tf.Tensor:
    with v1.variable_scope(None, "Conv_depthwise"):
        weights = variable("depthwise_weights", [size, size, x.shape[-1], 1], spread=kernel_spread(size * size))
        return activation(fused_norm(tf.nn.depthwise_conv2d(x, weights, [1, stride, stride, 1], "SAME")))


def dense(x, units, activation=tf.identity) -> tf.Tensor:
    with v1.variable_scope(None, "fully_connected"):
        weights = variable("weights", [x.shape[-1], units], spread=kernel_spread(x.shape[-1]))
        return activation(biased(tf.matmul(x, weights)))


def max_pool(x, size, stride, padding="SAME") -> tf.Tensor:
    return tf.nn.max_pool2d(x, size, stride, padding)


def avg_pool(x, size, stride=1, padding="SAME") -> tf.Tensor:
    return tf.nn.avg_pool2d(x, size, stride, padding)


def joined(*branches: tf.Tensor) -> tf.Tensor:
    return tf.concat(branches, 3)
