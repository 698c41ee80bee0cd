"""A word where something takes long: on terminals, in the log, by estimators."""

import logging
import threading
import warnings

import pytest

import symgrad
from symgrad.cli import waiting as terminal
from symgrad.targets.waiting import compiling, shown, waiting
from tests.nets import net


@pytest.fixture
def at_a_terminal(monkeypatch):
    monkeypatch.setattr(terminal, "is_watched", lambda: True)


def test_what_takes_long_is_said_once(monkeypatch, capsys, at_a_terminal):
    monkeypatch.setattr(terminal, "PATIENCE", 0.0)
    show, said = terminal.Waiting(), threading.Event()
    say = show.say
    show.say = lambda words: (say(words), said.set())
    with shown(show):
        for words in ("this", "this", "that"):
            said.clear()
            with waiting(words):
                assert said.wait(60)
    assert capsys.readouterr().err == "this …\nthat …\n"


def test_what_is_soon_done_is_not(monkeypatch, capsys, at_a_terminal):
    monkeypatch.setattr(terminal, "PATIENCE", 60.0)
    with shown(terminal.Waiting()), waiting("this"):
        pass
    assert capsys.readouterr().err == ""


def test_nor_where_nobody_looks(monkeypatch, capsys):
    monkeypatch.setattr(terminal, "PATIENCE", 0.0)
    monkeypatch.setattr(terminal, "is_watched", lambda: False)
    monkeypatch.setattr(terminal.Timer, "start", lambda timer: pytest.fail("nobody is to be told"))
    with shown(terminal.Waiting()), waiting("this"):
        pass
    assert capsys.readouterr().err == ""


def test_a_network_is_compiled_with_a_word_and_loaded_without(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    spec = net([2, 1], ["identity"])
    with caplog.at_level(logging.INFO, "symgrad"):
        module = symgrad.compile(spec).module
        module.predict(module.init(0), [[1.0, 2.0]])
        assert {*caplog.messages} == {compiling("net")}
        caplog.clear()
        module = symgrad.compile(spec).module
        module.predict(module.init(0), [[1.0, 2.0]])
        assert caplog.messages == []


def test_an_estimator_says_it_where_it_tells_how_it_fares(tmp_path, monkeypatch, capsys):
    pytest.importorskip("sklearn")
    from symgrad.sklearn import MLPClassifier
    from symgrad.sklearn.network import _compiled

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for verbose in (True, False):
        _compiled.cache_clear()
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / str(verbose)))
        network = MLPClassifier((3,), max_iter=5, verbose=verbose, solver="sgd")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it has not converged
            network.fit([[0.0], [1.0]], [0, 1])
        said = capsys.readouterr().out
        assert ("compiling symgrad_mlp, once for this machine" in said) == verbose
