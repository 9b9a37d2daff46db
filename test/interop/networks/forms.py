"""A network in each of the forms that TensorFlow writes. Each says what TensorFlow's own answers are."""

from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Iterator

import numpy as np
import tensorflow as tf
from networks import GraphNetwork, KerasNetwork
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

v1 = tf.compat.v1

Network = KerasNetwork | GraphNetwork
Answers = dict[str, np.ndarray]


def graphdef(network: Network, version: Path) -> Answers:
    """With constants in place of variables, as each of the two TensorFlows freezes."""
    frozen, answers = frozen_keras(network) if isinstance(network, KerasNetwork) else frozen_session(network)
    (version / "model.graphdef").write_bytes(frozen.SerializeToString())
    return answers


def saved_v1(network: Network, version: Path) -> Answers:
    with session_of(network) as (session, inputs, outputs):
        v1.saved_model.simple_save(session, str(version / "model.savedmodel"), inputs, outputs)
        return session.run(outputs, fed(network, inputs))


def saved_v2(network: Network, version: Path) -> Answers:
    folder = str(version / "model.savedmodel")
    if isinstance(network, KerasNetwork):
        archive = tf.keras.export.ExportArchive()
        archive.track(network.model)
        serve = archive.add_endpoint("serve", keras_function(network), specs_of(network))
        archive.write_out(folder, verbose=False)
    else:
        module = tf.Module()
        module.wrapped = v1.wrap_function(network.build, specs_of(network))
        module.held = list(module.wrapped.variables)
        serve = tf.function(lambda *tensors: module.wrapped(*tensors), input_signature=specs_of(network))
        tf.saved_model.save(module, folder, signatures=serve)
    return arrays(serve(*[tf.constant(value) for value in network.inputs.values()]))


FORMS: dict[str, Callable[[Network, Path], Answers]] = {"graphdef": graphdef, "saved_v1": saved_v1, "saved_v2": saved_v2}


def keras_function(network: KerasNetwork) -> Callable:
    (name,) = network.inputs
    return lambda tensor: {"logits": network.model({name: tensor}, training=False)}


def frozen_keras(network: KerasNetwork) -> tuple[v1.GraphDef, Answers]:
    function = tf.function(keras_function(network), input_signature=specs_of(network)).get_concrete_function()
    frozen = convert_variables_to_constants_v2(function)
    definition = frozen.graph.as_graph_def()
    named = definition.node.add(op="Identity", name="logits", input=[frozen.outputs[0].name])
    named.attr["T"].type = tf.float32.as_datatype_enum
    return definition, arrays(function(*[tf.constant(value) for value in network.inputs.values()]))


def frozen_session(network: GraphNetwork) -> tuple[v1.GraphDef, Answers]:
    with session_of(network) as (session, inputs, outputs):
        definition = session.graph.as_graph_def()
        frozen = v1.graph_util.convert_variables_to_constants(session, definition, list(outputs))
        return frozen, session.run(outputs, fed(network, inputs))


@contextmanager
def session_of(network: Network) -> Iterator[tuple[v1.Session, dict[str, tf.Tensor], dict[str, tf.Tensor]]]:
    """In a graph of TensorFlow 1, with variables that have their values; tensors by the names of inputs and outputs."""
    weights = network.weights() if isinstance(network, KerasNetwork) else {}
    with old_branches(), tf.Graph().as_default(), v1.Session() as session:
        inputs = {spec.name: v1.placeholder(spec.dtype, spec.shape, spec.name) for spec in specs_of(network)}
        if isinstance(network, KerasNetwork):
            made = applied_keras(network, weights, session, inputs)
        else:
            made = network.build(**inputs)
            session.run(v1.global_variables_initializer())
        yield session, inputs, {name: tf.identity(tensor, name) for name, tensor in made.items()}


@contextmanager
def old_branches() -> Iterator[None]:
    """`Switch` and `Merge` instead of `If`."""
    v1.disable_control_flow_v2()
    try:
        yield
    finally:
        v1.enable_control_flow_v2()


def applied_keras(
    network: KerasNetwork, weights: Answers, session: v1.Session, inputs: dict[str, tf.Tensor]
) -> dict[str, tf.Tensor]:
    """The same layers on variables of TensorFlow 1."""
    copies = {path: v1.get_variable(path, values.shape, use_resource=False) for path, values in weights.items()}
    initializers = {path: copy.initializer for path, copy in copies.items()}
    session.run(list(initializers.values()), {step.inputs[1]: weights[path] for path, step in initializers.items()})
    model = network.model
    values = [
        [copies[variable.path].read_value() for variable in variables]
        for variables in (model.trainable_variables, model.non_trainable_variables)
    ]
    logits, _ = model.stateless_call(*values, inputs, training=False)
    return {"logits": logits}


def specs_of(network: Network) -> list[tf.TensorSpec]:
    """With any number of rows."""
    rows = {name: list(value.shape[1:]) for name, value in network.inputs.items()}
    if isinstance(network, GraphNetwork):
        rows = {name: network.shape for name in rows}
    return [tf.TensorSpec([None, *row], network.inputs[name].dtype, name) for name, row in rows.items()]


def fed(network: Network, inputs: dict[str, tf.Tensor]) -> dict[tf.Tensor, np.ndarray]:
    return {tensor: network.inputs[name] for name, tensor in inputs.items()}


def arrays(tensors: dict[str, tf.Tensor]) -> Answers:
    return {name: tensor.numpy() for name, tensor in tensors.items()}
