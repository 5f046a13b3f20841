"""What stops a plugin before it runs. Source: docs/reference/contract/event-plugin-api.md, sections 1 and 4."""

import re
import sys
from collections.abc import Mapping
from importlib.metadata import Distribution, EntryPoint
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from bigchaindb.errors import ConfigurationError, StartupError
from bigchaindb.eventlog.members import Member
from bigchaindb.eventlog.selection import Selection
from bigchaindb.events import EventTypes
from bigchaindb.masking import MASK
from bigchaindb.subscribers import plugins
from bigchaindb.subscribers.plugins import Wants, configure, describe, find, inspect, load
from tests.support.packages import advertise


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return tmp_path


def plugin(**members: Any) -> SimpleNamespace:
    return SimpleNamespace(run=print, **members)


def test_plugins_are_found_by_the_name_of_their_entry_point(site: Path) -> None:
    advertise(site, "package", {"one": "module_one", "two": "module_two:Plugin"})
    assert {name: found.value for name, found in find(["two", "one"]).items()} == {
        "two": "module_two:Plugin",
        "one": "module_one",
    }


def test_a_name_that_nobody_provides_is_an_error_that_says_what_is_there(site: Path) -> None:
    advertise(site, "package", {"one": "m", "two": "m"})
    with pytest.raises(
        ConfigurationError, match=r"'three' .*group 'bigchaindb\.events'; installed for .* are: .*'one'.*'two'"
    ):
        find(["three"])


def test_nothing_installed_is_said_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bigchaindb.subscribers.plugins.entry_points", lambda **_: [])
    with pytest.raises(ConfigurationError, match="are: none; install its package"):
        find(["one"])


def test_a_name_twice_in_the_configuration_is_an_error(site: Path) -> None:
    advertise(site, "package", {"one": "m"})
    with pytest.raises(ConfigurationError, match="'one' is listed twice"):
        find(["one", "one"])


def test_two_packages_with_one_name_are_an_error_that_names_both(site: Path) -> None:
    advertise(site, "first", {"one": "m"})
    advertise(site, "second", {"one": "m"})
    with pytest.raises(ConfigurationError, match=r"first \(m\) and second \(m\)"):
        find(["one"])


def test_an_import_error_is_told_with_its_cause() -> None:
    missing = EntryPoint("one", "nothing_of_that_name", "bigchaindb.events")
    with pytest.raises(StartupError, match="cannot import 'nothing_of_that_name': ModuleNotFoundError: No module"):
        load("one", missing)


def test_a_module_that_exits_when_imported_is_an_import_error(site: Path) -> None:
    (site / "plugin_that_exits.py").write_text("import sys\nsys.exit(3)\n")
    with pytest.raises(StartupError, match="SystemExit: 3"):
        load("one", EntryPoint("one", "plugin_that_exits", "bigchaindb.events"))


def test_a_plugin_without_run_is_an_error_when_it_is_imported(site: Path) -> None:
    (site / "plugin_without_run.py").write_text("event_types = 1\n")
    with pytest.raises(ConfigurationError, match=r"has no function run\(queue\)"):
        load("one", EntryPoint("one", "plugin_without_run", "bigchaindb.events"))


def test_a_plugin_without_run_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match=r"has no function run\(queue\)"):
        inspect("one", SimpleNamespace(event_types=1))


@pytest.mark.parametrize(
    ("mask", "meaning"),
    [(None, EventTypes.ALL), (-1, EventTypes.ALL), (1, 1), (3, 3)],
)
def test_event_types_are_a_mask(mask: int | None, meaning: int) -> None:
    assert inspect("one", plugin(event_types=mask)).wants.event_types == meaning
    assert inspect("one", plugin()).wants.event_types == EventTypes.ALL


@pytest.mark.parametrize(
    ("mask", "words"),
    [(5, "bits 0x4; write Event"), (-2, "unknown bits"), ("all", "found .all.; write Event"), (0, "never")],
)
def test_a_mask_that_means_nothing_is_an_error(mask: object, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        inspect("one", plugin(event_types=mask))


def test_a_plugin_of_2017_wants_everything_and_answers_by_asking_for_more() -> None:
    """None of the further properties is needed, and None is as good as missing."""
    assert inspect("one", plugin()).wants == Wants()
    assert inspect("one", plugin(acknowledge=None, ack_lag=None, select=None)).wants == Wants()
    assert inspect("one", plugin(acknowledge="next_get", ack_lag=0, select={})).wants == Wants()


@pytest.mark.parametrize("mode", ["next_get", "explicit", "delivery"])
def test_when_an_event_counts_as_done_is_the_plugin_s_choice(mode: str) -> None:
    assert inspect("one", plugin(acknowledge=mode)).wants.acknowledge == mode


@pytest.mark.parametrize("mode", ["Explicit", "", 1, ["next_get"]])
def test_another_mode_is_an_error_that_lists_them(mode: object) -> None:
    with pytest.raises(ConfigurationError, match="acknowledge must be 'next_get', 'explicit' or 'delivery', found"):
        inspect("one", plugin(acknowledge=mode))


def test_ack_lag_lies_below_the_window() -> None:
    """A lag of the whole window would stop the lane for ever: the last event is settled when one more is taken."""
    assert inspect("one", plugin(ack_lag=7), window_count=8).wants.ack_lag == 7
    with pytest.raises(
        ConfigurationError, match=r"ack_lag is 8, .* window of 8 events: raise events_plugins\.one\.win"
    ):
        inspect("one", plugin(ack_lag=8), window_count=8)
    assert inspect("one", plugin(ack_lag=10_000)).wants.ack_lag == 10_000  # nobody knows the window yet


@pytest.mark.parametrize("lag", [-1, 1.0, "5", True, False])
def test_ack_lag_is_a_whole_number(lag: object) -> None:
    with pytest.raises(ConfigurationError, match="ack_lag must be a whole number from 0, found"):
        inspect("one", plugin(ack_lag=lag))


@pytest.mark.parametrize("mode", ["explicit", "delivery"])
def test_ack_lag_belongs_to_next_get_alone(mode: str) -> None:
    with pytest.raises(ConfigurationError, match="ack_lag belongs to 'next_get' alone"):
        inspect("one", plugin(acknowledge=mode, ack_lag=3))


def test_a_selection_is_read_once_and_its_mistakes_name_the_plugin() -> None:
    wants = inspect("one", plugin(select={"operation": "CREATE", "metadata.kind": "sale"})).wants
    assert wants.select == Selection(operation="CREATE", members=(Member(("kind",), ("sale",)),))
    with pytest.raises(
        ConfigurationError, match=r"events plugin 'one': select: operation: expected CREATE or TRANSFER"
    ):
        inspect("one", plugin(select={"operation": "BURN"}))


def test_configure_may_set_what_the_plugin_wants() -> None:
    """So one plugin's options say which events it gets, and how it answers."""
    loaded = plugin()

    def set_wants(options: Mapping[str, Any]) -> None:
        loaded.acknowledge, loaded.event_types = options["mode"], 2

    loaded.configure = set_wants
    configure("one", loaded, {"mode": "explicit"})
    assert inspect("one", loaded).wants == Wants(event_types=2, acknowledge="explicit")


def test_options_go_to_configure() -> None:
    taken: list[object] = []
    configure("one", plugin(configure=taken.append), {"a": 1})
    assert taken == [{"a": 1}]


def test_options_that_the_plugin_refuses_are_an_error_with_its_reason() -> None:
    def refuse(options: object) -> None:
        raise ValueError(f"cannot use {options}")

    with pytest.raises(
        ConfigurationError, match=r"one\.options: refused by the plugin: ValueError: cannot use {'a': 1}"
    ):
        configure("one", plugin(configure=refuse), {"a": 1})


def test_a_module_a_class_and_an_object_are_plugins(site: Path) -> None:
    (site / "plugin_in_forms.py").write_text("def run(queue): pass\nclass P:\n    run = staticmethod(run)\np = P()\n")
    for value in ("plugin_in_forms", "plugin_in_forms:P", "plugin_in_forms:p"):
        loaded = load("one", EntryPoint("one", value, "bigchaindb.events"))
        assert inspect("one", loaded).wants.event_types == EventTypes.ALL


def test_options_that_nobody_takes_are_an_error() -> None:
    configure("one", plugin(), {})
    with pytest.raises(ConfigurationError, match=r"events_plugins\.one\.options: the plugin has no configure"):
        configure("one", plugin(), {"a": 1})
    with pytest.raises(ConfigurationError, match="configure is not a function"):
        inspect("one", plugin(configure=3))


def test_errors_of_plugins_are_told_in_one_bounded_line() -> None:
    assert describe(ValueError("first\nsecond")) == "ValueError: first"
    assert len(describe(ValueError("x" * 9999))) == 500


def test_a_secret_of_several_lines_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "_hidden", [])
    plugins.hide({"api_token": "correct\nhorse"})
    assert plugins.one_line("refused correct\nhorse, again\nand more") == f"refused {MASK}, again"


def test_a_secret_across_the_cut_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left of it the node would not know for a secret."""
    monkeypatch.setattr(plugins, "_hidden", [])
    secret = "correct-horse-battery-staple"
    plugins.hide({"api_token": secret})
    for length in range(460, 500):
        said = describe(ValueError("x" * length + secret))
        assert not any(part in said for part in ("corr", "horse", "battery", "staple")), said


def test_an_error_is_told_even_where_its_text_cannot_be() -> None:
    """Else the process dies of telling it, and all that people see is its exit code."""

    class Untold(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert describe(Untold()) == "Untold: (its text cannot be had)"
    assert describe(ValueError("half a pair: \ud800")) == "ValueError: half a pair: \\ud800"
    assert len(describe(ValueError("\ud800" * 500))) == 500


def test_a_distribution_is_named_by_its_metadata(site: Path) -> None:
    advertise(site, "package", {"one": "m"})
    assert isinstance(find(["one"])["one"].dist, Distribution)


@pytest.mark.parametrize(
    ("source", "signature"),
    [
        ("def run(): ...", "()"),
        ("def run(queue, other): ...", "(queue, other)"),
        ("def run(*, queue): ...", "(*, queue)"),
    ],
)
def test_a_run_that_cannot_take_the_queue_is_refused(source: str, signature: str) -> None:
    """Called with it alone it would fail at its first event, and at each further one."""
    module = ModuleType("own")
    exec(source, module.__dict__)
    with pytest.raises(ConfigurationError, match=rf"run{re.escape(signature)} cannot be called with the queue alone"):
        inspect("own", module)


@pytest.mark.parametrize("source", ["def run(q): ...", "def run(*a): ...", "def run(q, more=1): ...", "run = print"])
def test_a_run_that_can_take_the_queue_is_taken(source: str) -> None:
    module = ModuleType("own")
    exec(source, module.__dict__)
    assert inspect("own", module).run is module.run
