"""Inception v1 and v4 as TF-Slim has them, written with plain ops."""

from functools import partial

import slim
import tensorflow as tf
from slim import avg_pool, joined, max_pool

v1 = tf.compat.v1

CLASSES = 20


def inception_v1(image: tf.Tensor) -> dict[str, tf.Tensor]:
    conv = partial(slim.conv, norm=slim.plain_norm)
    with v1.variable_scope("InceptionV1"):
        x = max_pool(conv(image, 64, 7, 2), 3, 2)
        x = max_pool(conv(conv(x, 64, 1), 192, 3), 3, 2)
        x = mixed(x, 64, (96, 128), (16, 32), 32)
        x = max_pool(mixed(x, 128, (128, 192), (32, 96), 64), 3, 2)
        x = mixed(x, 192, (96, 208), (16, 48), 64)
        x = mixed(x, 160, (112, 224), (24, 64), 64)
        x = mixed(x, 128, (128, 256), (24, 64), 64)
        x = mixed(x, 112, (144, 288), (32, 64), 64)
        x = max_pool(mixed(x, 256, (160, 320), (32, 128), 128), 2, 2)
        x = mixed(x, 256, (160, 320), (32, 128), 128)
        x = mixed(x, 384, (192, 384), (48, 128), 128)
        x = avg_pool(x, x.shape[1:3], padding="VALID")
        logits = conv(x, CLASSES, 1, norm=slim.biased, activation=tf.identity, name="Logits")
        return answers(tf.squeeze(logits, [1, 2]))


def mixed(x, one, three, five, pooled) -> tf.Tensor:
    """@param three channels before and of the larger filters, as `five`"""
    conv = partial(slim.conv, norm=slim.plain_norm)
    with v1.variable_scope(None, "Mixed"):
        return joined(
            conv(x, one, 1),
            conv(conv(x, three[0], 1), three[1], 3),
            conv(conv(x, five[0], 1), five[1], 3),
            conv(max_pool(x, 3, 1), pooled, 1),
        )


def inception_v4(image: tf.Tensor) -> dict[str, tf.Tensor]:
    with v1.variable_scope("InceptionV4"):
        x = stem(image)
        for _ in range(4):
            x = block_a(x)
        x = reduction_a(x)
        for _ in range(7):
            x = block_b(x)
        x = reduction_b(x)
        for _ in range(3):
            x = block_c(x)
        x = avg_pool(x, x.shape[1:3], padding="VALID")
        return answers(slim.dense(tf.reshape(x, [-1, x.shape[-1]]), CLASSES))


def answers(logits: tf.Tensor) -> dict[str, tf.Tensor]:
    return {"logits": logits, "predictions": tf.nn.softmax(logits)}


def chain(x: tf.Tensor, *layers: tuple) -> tf.Tensor:
    """Convolutions one behind the other: channels, size, and then what else `slim.conv` takes."""
    for layer in layers:
        x = slim.conv(x, *layer)
    return x


def stem(x: tf.Tensor) -> tf.Tensor:
    x = chain(x, (32, 3, 2, "VALID"), (32, 3, 1, "VALID"), (64, 3))
    x = joined(max_pool(x, 3, 2, "VALID"), chain(x, (96, 3, 2, "VALID")))
    x = joined(
        chain(x, (64, 1), (96, 3, 1, "VALID")),
        chain(x, (64, 1), (64, (1, 7)), (64, (7, 1)), (96, 3, 1, "VALID")),
    )
    return joined(chain(x, (192, 3, 2, "VALID")), max_pool(x, 3, 2, "VALID"))


def block_a(x: tf.Tensor) -> tf.Tensor:
    return joined(
        chain(x, (96, 1)),
        chain(x, (64, 1), (96, 3)),
        chain(x, (64, 1), (96, 3), (96, 3)),
        chain(avg_pool(x, 3), (96, 1)),
    )


def reduction_a(x: tf.Tensor) -> tf.Tensor:
    return joined(
        chain(x, (384, 3, 2, "VALID")),
        chain(x, (192, 1), (224, 3), (256, 3, 2, "VALID")),
        max_pool(x, 3, 2, "VALID"),
    )


def block_b(x: tf.Tensor) -> tf.Tensor:
    return joined(
        chain(x, (384, 1)),
        chain(x, (192, 1), (224, (1, 7)), (256, (7, 1))),
        chain(x, (192, 1), (192, (7, 1)), (224, (1, 7)), (224, (7, 1)), (256, (1, 7))),
        chain(avg_pool(x, 3), (128, 1)),
    )


def reduction_b(x: tf.Tensor) -> tf.Tensor:
    return joined(
        chain(x, (192, 1), (192, 3, 2, "VALID")),
        chain(x, (256, 1), (256, (1, 7)), (320, (7, 1)), (320, 3, 2, "VALID")),
        max_pool(x, 3, 2, "VALID"),
    )


def block_c(x: tf.Tensor) -> tf.Tensor:
    three = chain(x, (384, 1))
    five = chain(x, (384, 1), (448, (3, 1)), (512, (1, 3)))
    return joined(
        chain(x, (256, 1)),
        chain(three, (256, (1, 3))),
        chain(three, (256, (3, 1))),
        chain(five, (256, (1, 3))),
        chain(five, (256, (3, 1))),
        chain(avg_pool(x, 3), (256, 1)),
    )
