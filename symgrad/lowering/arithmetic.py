"""arithmetic: what emitted modules compute, to the last bit, and the version of it.

Every sum has a stated order: over units and over samples from the first to the last, the samples of
a chunk from 0 on, and chunks one after the other. Terms that are products are added by fused
multiply-adds, which round once, in loops and in products of matrices alike; the elementary
functions say where they mean one. Nothing else is contracted or reordered, and no library is
called for a number but for square roots, which IEEE 754 has exact, and for sin and cos of float64
beyond 2²⁰. So results depend on the arguments and on this version, not on the processor's vectors,
on threads, on versions of libraries, or on whether code comes from a cache.

The version rises when a change moves a bit of a loss, a gradient, a prediction or a training.
"""

VERSION = 1
