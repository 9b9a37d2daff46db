"""All networks by name, each with what it is asked."""

from dataclasses import dataclass
from typing import Callable

import inception
import numpy as np
import small
import ssd
import tensorflow as tf

BATCH = 2
CALIBRATION = 8
VARIANCE_FLOOR = 0.25
CLASSES = 20

applications = tf.keras.applications
random = np.random.RandomState


@dataclass(frozen=True)
class KerasNetwork:
    model: tf.keras.Model
    inputs: dict[str, np.ndarray]

    def weights(self) -> dict[str, np.ndarray]:
        return {variable.path: variable.numpy() for variable in self.model.variables}


@dataclass(frozen=True)
class GraphNetwork:
    """Written in the manner of TensorFlow 1."""

    build: Callable[..., dict[str, tf.Tensor]]
    inputs: dict[str, np.ndarray]
    # Of one row; None = any.
    shape: list[int | None]


def images(side: int, low: float = -1.0, high: float = 1.0, count: int = BATCH) -> np.ndarray:
    """Patches of colour with noise over them: noise alone looks all the same to a deep network."""
    drawn = random(3)
    patches = drawn.uniform(0.1, 0.9, [count, 4, 4, 3]).repeat(side // 4 + 1, 1).repeat(side // 4 + 1, 2)
    noisy = patches[:, :side, :side] + drawn.uniform(-0.1, 0.1, [count, side, side, 3])
    return (low + (high - low) * noisy).astype(np.float32)


def keras(make: Callable, side: int, low: float = -1.0, high: float = 1.0) -> KerasNetwork:
    """Without a softmax, which would hide how large numbers are."""
    tf.keras.backend.clear_session()
    tf.keras.utils.set_random_seed(11)
    inputs = tf.keras.Input([side, side, 3], name="image")
    model = make(weights=None, input_tensor=inputs, classes=CLASSES, classifier_activation=None)
    norms = [layer for layer in model.layers if isinstance(layer, tf.keras.layers.BatchNormalization)]
    for weight in model.weights:
        randomise(weight, 1.0 if norms else 2**0.5)
    calibrate(model, norms, images(side, low, high, CALIBRATION))
    return KerasNetwork(model, {"image": images(side, low, high)})


def keras_recurrent(layer: Callable) -> KerasNetwork:
    """Over words, from both sides, and then what the last step says. The loop stays one."""
    tf.keras.backend.clear_session()
    tf.keras.utils.set_random_seed(11)
    layers = tf.keras.layers
    tokens = layers.Input([12], dtype="int32", name="tokens")
    x = layers.Embedding(small.WORDS, 16, mask_zero=True)(tokens)
    x = layers.Bidirectional(layer(20, return_sequences=True))(x)
    model = tf.keras.Model(tokens, layers.Dense(CLASSES)(layer(24)(x)))
    for weight in model.weights:
        randomise(weight, 1.0)
    return KerasNetwork(model, {"tokens": random(7).randint(0, small.WORDS, [BATCH, 12]).astype(np.int32)})


def randomise(weight: tf.keras.Variable, gain: float) -> None:
    """What begins as zeros or ones becomes something that is seen, and most numbers come through relu: where half of them do not,
    what a network answers hangs on the last bit of its input. Without normalisation, they need larger kernels to stay large."""
    values = weight.numpy()
    if weight.name in ("beta", "bias"):
        mean = 2.0 if weight.name == "beta" else 0.0
        weight.assign(mean + 0.1 * random(len(values)).standard_normal(values.shape))
    elif weight.name == "gamma":
        weight.assign(random(len(values)).uniform(0.7, 1.3, values.shape))
    elif weight.name == "embeddings":
        weight.assign(20 * values)
    elif weight.name == "kernel":
        # The last: answers of about 1.
        weight.assign((0.25 if values.shape[-1] == CLASSES else gain) * values)


def calibrate(model: tf.keras.Model, norms: list[tf.keras.layers.BatchNormalization], examples: np.ndarray) -> None:
    """Gives normalisation the statistics of examples, as training does: with others numbers die away from layer to layer. A channel
    that hardly varies among so few is not made as large as the rest."""
    for norm in norms:
        norm.momentum = 0.0
    if norms:
        model({"image": examples}, training=True)
    for norm in norms:
        variance = norm.moving_variance.numpy()
        norm.moving_variance.assign(variance + VARIANCE_FLOOR * variance.mean())


def graph(build: Callable, shape: list[int | None], **inputs: np.ndarray) -> GraphNetwork:
    return GraphNetwork(build, inputs, shape)


NETWORKS: dict[str, Callable[[], KerasNetwork | GraphNetwork]] = {
    "densenet121": lambda: keras(applications.DenseNet121, 96),
    "efficientnet_b0": lambda: keras(applications.EfficientNetB0, 96, 0, 255),
    "inception_resnet_v2": lambda: keras(applications.InceptionResNetV2, 96),
    "inception_v3": lambda: keras(applications.InceptionV3, 96),
    "mobilenet": lambda: keras(applications.MobileNet, 96),
    "mobilenet_v2": lambda: keras(applications.MobileNetV2, 96),
    "mobilenet_v3": lambda: keras(applications.MobileNetV3Large, 96, 0, 255),
    "resnet50": lambda: keras(applications.ResNet50, 96),
    "resnet50_v2": lambda: keras(applications.ResNet50V2, 96),
    "vgg16": lambda: keras(applications.VGG16, 64),
    "xception": lambda: keras(applications.Xception, 96),
    "inception_v1": lambda: graph(inception.inception_v1, [96, 96, 3], image=images(96)),
    "inception_v4": lambda: graph(inception.inception_v4, [107, 107, 3], image=images(107)),
    "ssd_mobilenet": lambda: graph(
        ssd.ssd_mobilenet, [None, None, 3], image_tensor=random(5).randint(0, 256, [BATCH, 100, 140, 3], np.uint8)
    ),
    "dense": lambda: graph(small.dense, [20], x=random(6).standard_normal([BATCH, 20]).astype(np.float32)),
    "film": lambda: graph(
        small.film, [8, 16, 16, 3], x=random(8).standard_normal([BATCH, 8, 16, 16, 3]).astype(np.float32)
    ),
    "fused": lambda: graph(small.fused, [12], tokens=random(7).randint(0, small.WORDS, [BATCH, 12]).astype(np.int32)),
    "gru": lambda: keras_recurrent(tf.keras.layers.GRU),
    "lstm": lambda: keras_recurrent(tf.keras.layers.LSTM),
    "recurrent": lambda: graph(
        small.recurrent, [12], tokens=random(7).randint(0, small.WORDS, [BATCH, 12]).astype(np.int32)
    ),
    "thumbnail": lambda: graph(
        small.thumbnail, [None, None, 3], image=random(5).randint(0, 256, [BATCH, 100, 140, 3], np.uint8)
    ),
}
