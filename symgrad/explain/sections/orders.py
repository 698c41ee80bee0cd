"""orders: what a derivative costs in each order that its partials can be multiplied in."""

from symgrad.compiler import Compiled
from symgrad.language.count import operations
from symgrad.passes.derivatives import DERIVATIVES, Network, derivative
from symgrad.passes.factor import ORDERS, factor
from symgrad.passes.share import share
from symgrad.showing.pages.blocks import Section, Table, Words

WORDS = (
    "Partial derivatives can be multiplied in many orders, all of them right. `loss-first` begins "
    "at what is differentiated (reverse mode), `weights-first` at what it is differentiated by "
    "(forward mode), `cheapest` takes what costs least next. Derivatives of second order have two "
    "orders, the outer one of the inner one. Of all that are counted the one with the fewest "
    "operations for one sample is emitted; the gradient has the order that it was compiled with."
)

# Those of which a network has one for each pair of weights take long, and are counted if asked for.
_OF_PAIRS = ("hessian", "hessian_diagonal", "gauss_newton")


def orders(compiled: Compiled) -> Section:
    """`data`: for each function, `operations` by the order, the one that is emitted first."""
    stages, spec = compiled.stages, compiled.spec
    asked = spec.derivatives or tuple(name for name in DERIVATIVES if name not in _OF_PAIRS)
    gradient: dict[str, int] = {
        order: operations(share(factor(stages.differentiate, order)))
        for order in (compiled.order, *(each for each in ORDERS if each != compiled.order))
    }
    found: dict[str, dict[str, int]] = {"loss_and_gradient": gradient}
    network = Network(spec, stages.share)
    for name in asked:
        made = stages.derivatives.get(name) or derivative(name, network)
        found[name] = {" of ".join(reversed(way)): cost for way, cost in made.orders.items()}
    rows = tuple(
        (name if place == 0 else "", way, cost, cost / min(costs.values()))
        for name, costs in found.items()
        for place, (way, cost) in enumerate(costs.items())
    )
    table = Table(("function", "order", "operations", "× least"), rows, "Operations for one sample")
    return Section("orders", "In which order", (Words(WORDS), table), found)
