"""The single-shot detector with MobileNet features, as the Object Detection API has it, up to the choice among boxes."""

import numpy as np
import slim
import tensorflow as tf

v1 = tf.compat.v1

SIDE = 128
CLASSES = 8
# Of each map of features: boxes at one place, and places along one side.
MAPS = [(3, 8), (6, 4), (6, 2), (6, 1)]


def ssd_mobilenet(image_tensor: tf.Tensor) -> dict[str, tf.Tensor]:
    """@param image_tensor bytes, of any height and width"""
    with v1.variable_scope("Preprocessor"):
        image = tf.image.resize(tf.cast(image_tensor, tf.float32), [SIDE, SIDE])
        image = (2.0 / 255.0) * image - 1.0
    predictions = [predict(x, boxes) for x, (boxes, _) in zip(features(image), MAPS)]
    encodings = tf.squeeze(tf.concat([boxes for boxes, _ in predictions], 1), [2])
    scores = tf.sigmoid(tf.concat([classes for _, classes in predictions], 1))
    return {
        "raw_detection_boxes": decoded(encodings),
        # The first is the background.
        "raw_detection_scores": tf.slice(scores, [0, 0, 1], [-1, -1, -1]),
        "detection_classes": tf.cast(tf.argmax(scores[:, :, 1:], axis=2) + 1, tf.float32),
    }


def features(x: tf.Tensor) -> list[tf.Tensor]:
    with v1.variable_scope("FeatureExtractor"):
        x = slim.conv(x, 32, 3, 2, activation=tf.nn.relu6)
        for channels, stride in [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5]:
            x = separable(x, channels, stride)
        maps = [x]
        x = separable(separable(x, 1024, 2), 1024, 1)
        maps.append(x)
        for channels in (512, 256):
            x = slim.conv(x, channels // 2, 1, activation=tf.nn.relu6)
            x = slim.conv(x, channels, 3, 2, activation=tf.nn.relu6)
            maps.append(x)
        return maps


def separable(x: tf.Tensor, channels: int, stride: int) -> tf.Tensor:
    return slim.conv(slim.depthwise(x, 3, stride), channels, 1, activation=tf.nn.relu6, name="Conv_pointwise")


def predict(x: tf.Tensor, boxes: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Encoded boxes [batch, boxes, 1, 4] and scores of classes [batch, boxes, 1 + classes]; how many is worked out from the shape."""
    with v1.variable_scope(None, "BoxPredictor"):
        shape = tf.shape(x)
        count = shape[1] * shape[2] * boxes
        encodings = slim.conv(x, boxes * 4, 1, norm=slim.biased, activation=tf.identity, name="BoxEncodingPredictor")
        classes = slim.conv(x, boxes * (CLASSES + 1), 1, norm=slim.biased, activation=tf.identity, name="ClassPredictor")
        return (
            tf.reshape(encodings, tf.stack([shape[0], count, 1, 4])),
            tf.reshape(classes, tf.stack([shape[0], count, CLASSES + 1])),
        )


def anchors() -> np.ndarray:
    """Centres and sizes, [boxes, 4]."""
    rows = []
    for boxes, places in MAPS:
        for y, x in np.ndindex(places, places):
            for i in range(boxes):
                size, aspect = 0.8 / places + 0.1, 2.0 ** (i % 3 - 1)
                rows.append([(y + 0.5) / places, (x + 0.5) / places, size / aspect**0.5, size * aspect**0.5])
    return np.array(rows, np.float32)


def decoded(encodings: tf.Tensor) -> tf.Tensor:
    """Corners [batch, boxes, 4] of boxes that are given by how far they are from their anchors."""
    with v1.variable_scope("Postprocessor"):
        batch = tf.shape(encodings)[0]
        tiled = tf.tile(tf.expand_dims(anchors(), 0), [batch, 1, 1])
        y, x, height, width = tf.unstack(tf.transpose(tf.reshape(tiled, [-1, 4])))
        ty, tx, th, tw = tf.unstack(tf.transpose(tf.reshape(encodings, [-1, 4])))
        h, w = tf.exp(th / 5.0) * height, tf.exp(tw / 5.0) * width
        center_y, center_x = ty / 10.0 * height + y, tx / 10.0 * width + x
        corners = tf.stack([center_y - h / 2.0, center_x - w / 2.0, center_y + h / 2.0, center_x + w / 2.0])
        return tf.reshape(tf.transpose(corners), tf.stack([batch, -1, 4]))
