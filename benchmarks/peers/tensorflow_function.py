"""TensorFlow: tf.function over the gradient tape, with XLA and without."""

import numpy as np
import tensorflow as tf

from benchmarks.peers import Variant


def prepare(net, theta, x, t):
    weights = []
    for m, k, w, b in net.layers:
        weights += [tf.constant(theta[w:b].reshape(m, k)), tf.constant(theta[b : b + k])]
    x, t = tf.constant(x), tf.constant(t)

    def loss(weights, x, t):
        a = x
        for W, b in zip(weights[:-2:2], weights[1:-2:2], strict=True):
            z = tf.matmul(a, W) + b
            a = tf.nn.relu(z) if net.classifies else tf.tanh(z)
        y = tf.matmul(a, weights[-2]) + weights[-1]
        if net.classifies:
            return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=t, logits=y))
        return 0.5 / x.shape[0] * tf.reduce_sum((y - t) ** 2)

    def loss_and_gradient(weights, x, t):
        with tf.GradientTape() as tape:
            tape.watch(weights)
            E = loss(weights, x, t)
        return E, tape.gradient(E, weights)

    for name, options in {"XLA": {"jit_compile": True}, "graph": {"jit_compile": False}}.items():
        compiled = tf.function(loss_and_gradient, **options)

        def call(compiled=compiled):
            return compiled(weights, x, t)

        def value(call=call):
            E, gradient = call()
            return float(E), np.concatenate([part.numpy().ravel() for part in gradient])

        value()
        yield Variant(name, call, value)
