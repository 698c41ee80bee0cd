"""formula: what is read, how it binds, and every refusal by its message."""

import ast
import math
import re
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symgrad.errors import FormulaError
from symgrad.spec import formula
from symgrad.spec.formula import (
    FUNCTIONS,
    Binary,
    Call,
    Negate,
    Number,
    Tree,
    Variable,
    axes_outside_sums,
    has_sum,
    parse,
    variables_of,
)

z, y, t = Variable("z"), Variable("y"), Variable("t")


def number(value: str | int) -> Number:
    return Number(Fraction(value))


def refusal(text: str, variables: tuple[str, ...] = ("z",), **constants: float) -> FormulaError:
    with pytest.raises(FormulaError) as caught:
        parse(text, variables, constants)
    return caught.value


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("z", z),
        (" ( z ) ", z),
        ("+z", z),
        ("-z", Negate(z)),
        ("z\n+\tz\r\n", Binary("+", z, z)),
        ("z + z - z", Binary("-", Binary("+", z, z), z)),
        ("z / z * z", Binary("*", Binary("/", z, z), z)),
        ("z + z * z", Binary("+", z, Binary("*", z, z))),
        ("(z + z) * z", Binary("*", Binary("+", z, z), z)),
        ("z - (z - z)", Binary("-", z, Binary("-", z, z))),
        ("-z**2", Negate(Binary("**", z, number(2)))),
        ("-z*z", Binary("*", Negate(z), z)),
        ("z*-z", Binary("*", z, Negate(z))),
        ("--z", Negate(Negate(z))),
        ("2**-1", Binary("**", number(2), number(-1))),
        ("z**2**3", Binary("**", z, number(8))),
        ("(z**2)**3", Binary("**", Binary("**", z, number(2)), number(3))),
        ("z**(1/3)", Binary("**", z, number("1/3"))),
        ("z**-(0.1 + 0.2)", Binary("**", z, number("-0.3"))),
        ("z**16", Binary("**", z, number(16))),
        ("z**sqrt(2)", Binary("**", z, Number(Fraction(math.sqrt(2))))),
        ("1 + 2", Binary("+", number(1), number(2))),  # the tree is as written: nothing is folded
        ("tanh(z)", Call("tanh", (z,))),
        ("max(z, 0)", Call("max", (z, number(0)))),
        ("sum(z) + sum(z)", Binary("+", Call("sum", (z,)), Call("sum", (z,)))),
        ("max(sum(z), sum(1))", Call("max", (Call("sum", (z,)), Call("sum", (number(1),))))),
    ],
)
def test_trees(text: str, tree: Tree) -> None:
    assert parse(text, ("z",)) == tree


@pytest.mark.parametrize("text", ["2", "1.5", ".5", "5.", "1e-4", "1E+3", "0.1", "0e999999999999"])
def test_numbers_are_exact(text: str) -> None:
    expected = Fraction(0) if text.startswith("0e") else Fraction(text)
    assert parse(text, ()) == Number(expected)


def test_constants_become_exact_numbers() -> None:
    tree = parse("beta * z", ("z",), {"beta": 0.1})
    assert tree == Binary("*", number("1/10"), z)
    assert parse("beta", (), {"beta": -3}) == number(-3)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_is_read_with_its_arity(name: str) -> None:
    arity = FUNCTIONS[name]
    arguments = ("z", "0.5")[:arity]
    assert parse(f"{name}({', '.join(arguments)})", ("z",)) == Call(
        name, (z, number("0.5"))[:arity]
    )
    message = f"{name} takes {arity} argument{'s' * (arity > 1)}, not "
    assert str(refusal(f"{name}()")) == f"{message}0"
    assert str(refusal(f"{name}(z, z, z)")) == f"{message}3"


@pytest.mark.parametrize("name", [name for name, arity in FUNCTIONS.items() if arity == 1])
def test_functions_of_huge_constants_do_not_overflow_by_accident(name: str) -> None:
    """What is finite in truth is not refused: softplus(1e300) is 1e300."""
    if name not in ("exp", "expm1", "sinh", "cosh"):
        parse(f"{name}(1e300)", ())
    if name not in ("log", "log1p", "sqrt", "sinh", "cosh"):
        parse(f"{name}(-1e300)", ())


def test_questions_about_trees() -> None:
    tree = parse("y * sum(t) - -exp(1)**2", ("y", "t"))
    assert variables_of(tree) == {"y", "t"}
    assert axes_outside_sums(tree) == {"outputs"}
    assert has_sum(tree)
    assert not has_sum(parse("y + t", ("y", "t")))
    assert variables_of(parse("1", ("z",))) == frozenset()
    assert axes_outside_sums(parse("exp(sum(z))", ("z",))) == frozenset()


FUNCTION_LIST = ", ".join(FUNCTIONS)
MISSING = "an operator is missing before {} (multiplication must be written, as in 2*z)"
NOT_CONSTANT = "the exponent of ** must be a constant, of numbers and declared constants only"


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        # what is no formula
        ("", 0, "the formula is empty: a number, a name or '(' should follow"),
        (" \n", 2, "the formula is empty: a number, a name or '(' should follow"),
        ("z +", 3, "the formula ends: a number, a name or '(' should follow"),
        ("exp(", 4, "the formula ends: a number, a name or '(' should follow"),
        ("(z", 0, "this '(' is never closed"),
        ("z + exp(z", 7, "this '(' is never closed"),
        ("z)", 1, "this ')' has no '(' before it"),
        ("()", 1, "a number, a name or '(' should stand here, not ')'"),
        ("*z", 0, "a number, a name or '(' should stand here, not '*'"),
        ("z // 2", 3, "a number, a name or '(' should stand here, not '/'"),
        ("max(z,)", 6, "a number, a name or '(' should stand here, not ')'"),
        ("z, z", 1, "a comma may only stand between the arguments of a function"),
        ("(z, z)", 2, "a comma may only stand between the arguments of a function"),
        ("2z", 1, MISSING.format("'z'")),
        ("2(z)", 1, MISSING.format("'('")),
        ("1.2.3", 3, MISSING.format("'.3'")),
        ("exp(z z)", 6, MISSING.format("'z'")),
        # characters
        ("z^2", 1, "'^' may not stand in a formula: write **"),
        ("z − 1", 2, "'−' (U+2212) may not stand in a formula: write -"),
        ("2 × z", 2, "'×' (U+00D7) may not stand in a formula: write *"),
        ("z²", 1, "'²' (U+00B2) may not stand in a formula: write **2"),
        ("ｚ", 0, "'ｚ' (U+FF5A) may not stand in a formula"),
        ("z + ١", 4, "'١' (U+0661) may not stand in a formula"),
        ("z\u00a0+ 1", 1, "'\\xa0' (U+00A0) may not stand in a formula"),
        ("\ud800", 0, "'\\ud800' (U+D800) may not stand in a formula"),
        ("z + \x1b[31m", 4, "'\\x1b' may not stand in a formula"),
        ("z.real", 1, "'.' may not stand in a formula"),
        ("z if z else 1", 2, MISSING.format("'if'")),
        ("z == 1", 2, "'=' may not stand in a formula"),
        # names
        ("x", 0, "unknown name 'x'; a formula may use z, and the functions " + FUNCTION_LIST),
        ("z + tanhh", 4, "unknown name 'tanhh' (did you mean 'tanh'?); a formula may use z,"
         " and the functions " + FUNCTION_LIST),
        ("tanh", 0, "'tanh' is a function and needs its argument in parentheses"),
        ("tanh z", 0, "'tanh' is a function and needs its argument in parentheses"),
        ("z(1)", 0, "'z' is no function and cannot be called (multiplication needs a *)"),
        ("ReLU(z)", 0, "'ReLU' is no function that a formula may call (did you mean 'relu'?);"
         " the functions are " + FUNCTION_LIST),
        ("__import__('os')", 0, "'__import__' is no function that a formula may call;"
         " the functions are " + FUNCTION_LIST),
        ("eval(z)", 0, "'eval' is no function that a formula may call;"
         " the functions are " + FUNCTION_LIST),
        ("sum(z * sum(z))", 8, "a sum may not stand inside another sum"),
        ("sum(exp(sum(1)))", 8, "a sum may not stand inside another sum"),
        # exponents
        ("z**z", 3, NOT_CONSTANT),
        ("2**z", 3, NOT_CONSTANT),
        ("z**sum(1)", 3, NOT_CONSTANT),
        ("z**17", 3, "the exponent of ** is 17, over 16 in size"),
        ("z**-16.5", 3, "the exponent of ** is -16.5, over 16 in size"),
        ("z**2**9", 3, "the exponent of ** is 512, over 16 in size"),
        ("z**1e-400", 3, "the number 1e-400 is too small for a float64"),
        # constants without a finite value
        ("1/0", 0, "'1/0' has no finite real value"),
        ("z * (2 / 0)", 5, "'2 / 0' has no finite real value"),
        ("1 + z / (1 - 1)", 4, "'z / (1 - 1)' has no finite real value"),
        ("log(0)", 0, "'log(0)' has no finite real value"),
        ("z * log(-1)", 4, "'log(-1)' has no finite real value"),
        ("sqrt(-1)", 0, "'sqrt(-1)' has no finite real value"),
        ("log1p(-1)", 0, "'log1p(-1)' has no finite real value"),
        ("exp(1000)", 0, "'exp(1000)' has no finite real value"),
        ("cosh(1e300)", 0, "'cosh(1e300)' has no finite real value"),
        ("0**-1", 0, "'0**-1' has no finite real value"),
        ("(-2)**0.5", 0, "'(-2)**0.5' has no finite real value"),
        ("1e300 * 1e300 * 0", 0, "'1e300 * 1e300' has no finite real value"),
        # exactly zero, although 0.1 + 0.2 - 0.3 is not in floating point
        ("1/(0.1 + 0.2 - 0.3)", 0, "'1/(0.1 + 0.2 - 0.3)' has no finite real value"),
        # numbers
        ("z + 1e999999", 4, "the number 1e999999 is too large for a float64"),
        ("1e-999999999", 0, "the number 1e-999999999 is too small for a float64"),
        ("9" * 65, 0, "a number of 65 characters, over the limit of 64"),
        ("z + " + "9" * 1_900, 4, "a number of 1,900 characters, over the limit of 64"),
        # limits
        ("z" * 2_001, 2_000, "the formula has 2,001 characters, over the limit of 2,000"),
        ("(" * 51 + "z" + ")" * 51, 51, "the formula is nested more than 50 levels deep"),
        ("-" * 51 + "z", 51, "the formula is nested more than 50 levels deep"),
        ("+" * 51 + "z", 51, "the formula is nested more than 50 levels deep"),
        ("exp(" * 51 + "z" + ")" * 51, 204, "the formula is nested more than 50 levels deep"),
        ("**".join(["1"] * 52), 153, "the formula is nested more than 50 levels deep"),
        ("z" + "+z" * 200, 0, "the formula's tree is more than 200 levels deep:"
         " use parentheses to group a long chain of operators"),
    ],
)  # fmt: skip
def test_refusals(text: str, position: int, message: str) -> None:
    error = refusal(text)
    assert (str(error), error.position) == (message, position)


def test_declared_constants_are_named_in_refusals() -> None:
    assert str(refusal("betta * z", beta=1.5)).startswith(
        "unknown name 'betta' (did you mean 'beta'?); a formula may use z, the constants beta, and"
    )
    assert "'beta' is no function" in str(refusal("beta(z)", beta=1.5))
    assert str(refusal("z / (beta - 1.5)**-1 + 1 / (beta - 1.5)", beta=1.5)).startswith(
        "'(beta - 1.5)**-1' has no finite real value"
    )


def test_long_names_are_cut_in_messages() -> None:
    message = str(refusal("a" * 2_000))
    assert "aaa…'" in message
    assert len(message) < 400


@pytest.mark.parametrize(
    "text",
    ["(" * 50 + "z" + ")" * 50, "-" * 50 + "z", "z" + "+z" * 199, "exp(" * 50 + "z" + ")" * 50],
)
def test_the_limits_themselves_are_allowed(text: str) -> None:
    tree = parse(text, ("z",))
    assert variables_of(tree) == {"z"}
    assert isinstance(hash(tree), int)
    assert tree == parse(text, ("z",))


def test_the_worst_nesting_stays_far_from_the_recursion_limit() -> None:
    """Each level through every rule of the grammar: sum, product, power, sign, call."""
    depth = 0

    def watch(frame: object, event: str, argument: object) -> None:
        nonlocal depth
        depth += (event == "call") - (event == "return")
        deepest.append(depth)

    deepest: list[int] = []
    text = "1+1*2**-exp(" * 16 + "1" + ")" * 16
    sys.setprofile(watch)
    try:
        with pytest.raises(FormulaError):
            parse(text + "?", ("z",))
    finally:
        sys.setprofile(None)
    assert max(deepest) < 500


def test_a_formula_is_never_executed() -> None:
    tree = ast.parse(Path(formula.__file__).read_text("utf-8"))
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    imported = {getattr(node, "module", None) or node.names[0].name for node in imports}
    assert not names & {"eval", "exec", "compile", "sympify", "getattr", "__import__"}
    assert not imported & {"ast", "builtins", "importlib", "numpy", "sympy"}


TOKENS = [
    "z", "1", "2.5", "1e300", ".5", "beta", "+", "-", "*", "/", "**", "(", ")", ",", " ",
    "exp(", "log(", "sum(", "max(", "x", "^", "0", "1e-300", *FUNCTIONS,
]  # fmt: skip


@settings(deadline=2_000, max_examples=120)
@given(
    st.one_of(st.text(max_size=300), st.lists(st.sampled_from(TOKENS), max_size=200).map("".join))
)
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        tree = parse(text, ("z",), {"beta": 1.5})
    except FormulaError as error:
        assert 0 <= error.position <= len(text)
        assert str(error).isprintable()
        assert len(str(error)) < 600
    else:
        assert variables_of(tree) <= {"z"} and axes_outside_sums(tree) <= {"outputs"}


def python(tree: Tree) -> str:
    """The tree as Python, with parentheses everywhere."""
    match tree:
        case Number(value):
            return f"({value.numerator}/{value.denominator})"
        case Variable(name):
            return name
        case Negate(operand):
            return f"(-{python(operand)})"
        case Binary(operator, left, right):
            return f"({python(left)}{operator}{python(right)})"
        case Call(function, arguments):
            return f"{function}({','.join(map(python, arguments))})"


@settings(deadline=2_000, max_examples=300)
@given(
    st.recursive(
        st.sampled_from(["z", "2", "0.5"]),
        lambda inner: st.one_of(
            st.tuples(inner, st.sampled_from(["+", "-", "*", "/"]), inner).map("".join),
            inner.map("-{}".format),
            inner.map("({})".format),
            st.tuples(inner, st.sampled_from(["**2", "**-1", "**2**-1"])).map("".join),
            inner.map("tanh({})".format),
        ),
        max_leaves=12,
    )
)
def test_formulas_bind_as_in_python(text: str) -> None:
    """Python itself, reading the same text, is the oracle for precedence."""
    try:
        tree = parse(text, ("z",))
    except FormulaError as error:
        assert re.search("finite|exponent|nested", str(error))
        return
    scope = {"z": 0.7371, "tanh": math.tanh, "__builtins__": {}}

    def value(code: str) -> complex | None:
        try:
            return complex(eval(code, scope))
        except (ZeroDivisionError, OverflowError, TypeError):
            return None

    expected, read = value(text), value(python(tree))
    if expected is not None and read is not None:
        assert read == pytest.approx(expected, rel=1e-6, abs=1e-9)
