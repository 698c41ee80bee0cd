"""From a program of expressions to one of loops, buffers and products: as data, whatever it will be
printed in.

`schedule` decides what shares a loop, by the figures in `cost_model`; `canonical` brings
definitions into forms that can be run, `buffers` says where arrays live. `lower` makes statements
of it, `kernels` functions; `drivers`, with `checks` and `leaves`, `training` and `update` those
around them, by way of `interface`; `module` is all of them. `program` is the grammar of what comes
out, `values` lowers scalar expressions, `outline` gives loops that are alike one function, `verify`
has the rules, and `listing` prints it plainly.
"""
