"""Makes test/backends/tensorflow/saved.ndjson.gz: SavedModels of TensorFlow 1 and 2, file by file, and what TensorFlow answers.

    /tmp/tf/bin/python test/make_tensorflow_saved.py        (see make_tensorflow_ops.py)
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

v1 = tf.compat.v1
weights = np.arange(12, dtype=np.float32).reshape(4, 3)
rows = np.array([[1, 2, 3, 4], [-5, 0, 1, 2]], np.float32)


class Module(tf.Module):
    def __init__(self):
        self.weights = tf.Variable(weights)
        self.bias = tf.Variable([1.0, 2.0, 3.0])
        self.count = tf.Variable(3, dtype=tf.int32)
        self.half = tf.Variable([0.5], dtype=tf.float16)

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])
    def __call__(self, x):
        sums = tf.nn.relu(tf.matmul(x, self.weights) + self.bias) * tf.cast(self.half, tf.float32)
        return {"sums": sums, "places": tf.cast(x[:, 0], tf.int32) + self.count}


def module(folder):
    made = Module()
    tf.saved_model.save(made, folder, signatures=made.__call__)
    return {"x": rows}


def keras(folder):
    tf.keras.utils.set_random_seed(5)
    layers = tf.keras.layers
    model = tf.keras.Sequential([
        layers.Input((8, 8, 3), name="image"),
        layers.Conv2D(4, 3, padding="same", activation="relu"),
        layers.BatchNormalization(),
        layers.MaxPooling2D(),
        layers.Conv2DTranspose(3, 2, strides=2),
        layers.SeparableConv2D(5, 3, strides=2, padding="same", activation="swish"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(6, activation="softmax"),
    ])
    model.export(folder, verbose=False)
    return {"image": np.random.RandomState(3).rand(2, 8, 8, 3).astype(np.float32)}


def old(folder):
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 4], name="x")
        plain = v1.get_variable("plain", initializer=weights, use_resource=False)
        resource = v1.get_variable("resource", initializer=np.ones(3, np.float32), use_resource=True)
        y = tf.matmul(x, plain) + resource
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, folder, {"input": x}, {"out": y})
    return {"input": rows}


def encoded(array):
    array = np.ascontiguousarray(array)
    return {"type": str(array.dtype), "dims": list(array.shape), "data": base64.b64encode(array.tobytes()).decode()}


path = os.path.join(os.path.dirname(__file__), "backends", "tensorflow", "saved.ndjson.gz")
with open(path, "wb") as file, gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as packed:
    for make in (module, keras, old):
        with tempfile.TemporaryDirectory() as scratch:
            folder = os.path.join(scratch, "model")
            inputs = make(folder)
            loaded = tf.saved_model.load(folder)
            outputs = loaded.signatures["serving_default"](**{name: tf.constant(value) for name, value in inputs.items()})
            case = {
                "name": make.__name__,
                "files": files(folder),
                "inputs": {name: encoded(value) for name, value in inputs.items()},
                "outputs": {name: encoded(value.numpy()) for name, value in outputs.items()},
            }
            packed.write((json.dumps(case) + "\n").encode())
print(os.path.getsize(path), "bytes")
