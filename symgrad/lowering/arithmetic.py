"""arithmetic: what emitted modules compute, to the last bit, and the version of it.

Every sum has a stated shape. Over units it goes from the first to the last. Samples fall into
leaves of `LEAF` samples, the last of which may have fewer; within a leaf they are added from the
first to the last, from 0 on, and leaves in a binary tree, which follows from their number alone: of
n leaves the first 2ᵏ are summed, the others likewise, and the two sums added, where 2ᵏ is the
largest power of two below n. So it does not matter who computes which leaf. Of the sums that a
large matrix is made of, more than `cost_model.MOST_IN_TREE` numbers, each goes on from one leaf to
the next, anew with every eighth, and these are added from the first to the last, from 0 on.

Terms that are products are added by fused multiply-adds, which round once, in loops and in products
of matrices alike; the elementary functions say where they mean one. Nothing else is contracted or
reordered, and no library is called for a number: square roots, which IEEE 754 has exact, are an
instruction, and a processor without fused multiply-add computes it exactly from others. So results
depend on the arguments and on this version, not on the processor, on threads, on versions of
libraries, or on whether code comes from a cache.

The version rises when a change moves a bit of a loss, a gradient, a prediction or a training.
"""

VERSION = 3

# A leaf is so large that to add its gradient to others costs at most a fiftieth of computing it,
# and so small that what is computed for its samples stays in a core's cache.
LEAF = 128
