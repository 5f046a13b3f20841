"""What stops a plugin before it runs. Source: docs/reference/contract/event-plugin-api.md, sections 1 and 4."""

import sys
from importlib.metadata import Distribution, EntryPoint
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bigchaindb.errors import ConfigurationError, StartupError
from bigchaindb.events import EventTypes
from bigchaindb.subscribers.plugins import configure, describe, find, inspect, load


def advertise(folder: Path, distribution: str, *entry_points: str) -> None:
    """Write the metadata of an installed package."""
    metadata = folder / f"{distribution}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("\n".join(["[bigchaindb.events]", *entry_points, ""]))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return tmp_path


def plugin(**members: Any) -> SimpleNamespace:
    return SimpleNamespace(run=print, **members)


def test_plugins_are_found_by_the_name_of_their_entry_point(site: Path) -> None:
    advertise(site, "package", "one = module_one", "two = module_two:Plugin")
    assert {name: found.value for name, found in find(["two", "one"]).items()} == {
        "two": "module_two:Plugin",
        "one": "module_one",
    }


def test_a_name_that_nobody_provides_is_an_error_that_says_what_is_there(site: Path) -> None:
    advertise(site, "package", "one = m", "two = m")
    with pytest.raises(
        ConfigurationError, match=r"'three' .*group 'bigchaindb\.events'; installed are: .*'one'.*'two'"
    ):
        find(["three"])


def test_nothing_installed_is_said_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bigchaindb.subscribers.plugins.entry_points", lambda **_: [])
    with pytest.raises(ConfigurationError, match="installed are: none"):
        find(["one"])


def test_a_name_twice_in_the_configuration_is_an_error(site: Path) -> None:
    advertise(site, "package", "one = m")
    with pytest.raises(ConfigurationError, match="'one' stands there twice"):
        find(["one", "one"])


def test_two_packages_with_one_name_are_an_error_that_names_both(site: Path) -> None:
    advertise(site, "first", "one = m")
    advertise(site, "second", "one = m")
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


def test_a_plugin_without_run_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match=r"has no function run\(queue\)"):
        inspect("one", SimpleNamespace(event_types=1))


@pytest.mark.parametrize(
    ("mask", "meaning"),
    [(None, EventTypes.ALL), (-1, EventTypes.ALL), (1, 1), (3, 3), (0, 0)],
)
def test_event_types_are_a_mask(mask: int | None, meaning: int) -> None:
    assert inspect("one", plugin(event_types=mask)).event_types == meaning
    assert inspect("one", plugin()).event_types == EventTypes.ALL


@pytest.mark.parametrize(("mask", "words"), [(5, "unknown bits 0x4"), (-2, "unknown bits"), ("all", "bit mask")])
def test_a_mask_that_means_nothing_is_an_error(mask: object, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        inspect("one", plugin(event_types=mask))


@pytest.mark.parametrize(
    ("member", "value"), [("acknowledge", "explicit"), ("ack_lag", 5), ("select", {"operation": "CREATE"})]
)
def test_what_is_not_there_yet_is_an_error_and_never_silence(member: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=f"{member} is .* supports"):
        inspect("one", plugin(**{member: value}))
    assert inspect("one", plugin(acknowledge="next_get", ack_lag=0, select=None)).run is print


def test_options_go_to_configure() -> None:
    taken: list[object] = []
    configure("one", inspect("one", plugin(configure=taken.append)), {"a": 1})
    assert taken == [{"a": 1}]


def test_options_that_the_plugin_refuses_are_an_error_with_its_reason() -> None:
    def refuse(options: object) -> None:
        raise ValueError(f"cannot use {options}")

    with pytest.raises(
        ConfigurationError, match=r"one\.options: refused by the plugin: ValueError: cannot use {'a': 1}"
    ):
        configure("one", inspect("one", plugin(configure=refuse)), {"a": 1})


def test_a_module_a_class_and_an_object_are_plugins(site: Path) -> None:
    (site / "plugin_in_forms.py").write_text("def run(queue): pass\nclass P:\n    run = staticmethod(run)\np = P()\n")
    for value in ("plugin_in_forms", "plugin_in_forms:P", "plugin_in_forms:p"):
        assert load("one", EntryPoint("one", value, "bigchaindb.events")).event_types == EventTypes.ALL


def test_options_that_nobody_takes_are_an_error() -> None:
    configure("one", inspect("one", plugin()), {})
    with pytest.raises(ConfigurationError, match=r"events_plugins\.one\.options: the plugin has no configure"):
        configure("one", inspect("one", plugin()), {"a": 1})
    with pytest.raises(ConfigurationError, match="configure is not a function"):
        inspect("one", plugin(configure=3))


def test_errors_of_plugins_are_told_in_one_bounded_line() -> None:
    assert describe(ValueError("first\nsecond")) == "ValueError: first"
    assert len(describe(ValueError("x" * 9999))) == 500


def test_a_distribution_is_named_by_its_metadata(site: Path) -> None:
    advertise(site, "package", "one = m")
    assert isinstance(find(["one"])["one"].dist, Distribution)
