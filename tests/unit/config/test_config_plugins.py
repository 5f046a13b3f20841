"""Which plugins a configuration names, and with which settings. Source: docs/reference/contract/event-plugin-api.md."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.config.load import load_without_file
from bigchaindb.errors import ConfigurationError
from tests.unit.config.conftest import LoadDocument


@given(st.lists(st.sampled_from(["one", "two", "three"]), unique=True, max_size=3))
def test_plugins_from_the_environment_are_a_list_split_at_colons(names: list[str]) -> None:
    loaded = load_without_file({"HOME": "/nowhere", "BIGCHAINDB_EVENTS_PLUGINS": ":".join(names)})
    assert list(loaded.settings.events_plugins) == names


def test_the_environment_chooses_plugins_and_keeps_what_the_file_says_of_them(load_document: LoadDocument) -> None:
    document = {"events_plugins": {"one": {"start": "genesis"}, "two": {}}}
    plugins = load_document(document, {"BIGCHAINDB_EVENTS_PLUGINS": "one:three"}).settings.events_plugins
    assert {name: plugin.start for name, plugin in plugins.items()} == {"one": "genesis", "three": "now"}


START = "events_plugins.a.start: must be 'now', 'genesis', 'height:N' or 'time:T',"


@pytest.mark.parametrize(
    ("plugins", "message"),
    [
        ("console_print", "events_plugins: expected a list of names or an object of name and settings"),
        (["a", "b", "a"], "events_plugins: 'a' is named twice"),
        ([1], "events_plugins: expected a string, found 1"),
        ([""], "events_plugins: '' cannot be a plugin's name"),
        ([".a"], "events_plugins: '.a' cannot be a plugin's name"),
        (["a/b"], "events_plugins: 'a/b' cannot be a plugin's name"),
        ({"a": []}, "events_plugins.a: expected an object, found []"),
        ({"a": {"windows": 3}}, "events_plugins.a.windows: unknown setting; a plugin has start, window, retry,"),
        ({"a": {"start": "later"}}, f"{START} found 'later'"),
        ({"a": {"start": "height:"}}, f"{START} found 'height:'"),
        ({"a": {"window": 0}}, "events_plugins.a.window: must be 1 or more or null, found 0"),
        ({"a": {"window": 257}}, "events_plugins.a.window: above limits.window_count_max = 256, found 257"),
        ({"a": {"on_failure": "stop"}}, "events_plugins.a.on_failure: must be 'park', 'block' or 'skip', found 'stop'"),
        ({"a": {"ready_s": 0}}, "events_plugins.a.ready_s: must be above 0 and at most 3600, found 0.0"),
        ({"a": {"ready_s": 3601}}, "events_plugins.a.ready_s: must be above 0 and at most 3600, found 3601.0"),
        ({"a": {"queue": "amqp"}}, "events_plugins.a.queue: must be 'log' or 'pipe', found 'amqp'"),
        ({"a": {"retry": 3}}, "events_plugins.a.retry: expected an object, found 3"),
        ({"a": {"retry": {"times": 3}}}, "events_plugins.a.retry.times: unknown setting; it has attempts, duration_s,"),
        ({"a": {"retry": {"attempts": 0}}}, "events_plugins.a.retry.attempts: must be 1 or more, found 0"),
        ({"a": {"retry": {"attempts": "x"}}}, "events_plugins.a.retry.attempts: expected a whole number, found 'x'"),
        ({"a": {"retry": {"duration_s": -1}}}, "events_plugins.a.retry.duration_s: must be 0 or more, found -1.0"),
        ({"a": {"retry": {"delay_s_max": 0}}}, "events_plugins.a.retry.delay_s_max: must be above 0, found 0.0"),
        ({"a": {"options": 3}}, "events_plugins.a.options: expected an object, found 3"),
    ],
)
def test_wrong_plugins_are_refused(plugins: Any, message: str, load_document: LoadDocument) -> None:
    """A plugin that is silently not started loses its owner events (event-plugin-api.md, section 4)."""
    with pytest.raises(ConfigurationError) as caught:
        load_document({"events_plugins": plugins})
    assert str(caught.value).startswith(message)


def test_a_plugin_has_its_settings_and_the_defaults_for_the_rest(load_document: LoadDocument) -> None:
    settings = {"start": "height:7", "window": 8, "retry": {"attempts": 3}, "on_failure": "block", "queue": "pipe"}
    plugins = load_document({"events_plugins": {"a": settings, "b": {"start": "time:2026-01-31T12:00:00Z"}}})
    a, b = plugins.settings.events_plugins.values()
    assert (a.start, a.window, a.on_failure, a.queue) == ("height:7", 8, "block", "pipe")
    assert (a.retry.attempts, a.retry.duration_s, a.retry.delay_s_max) == (3, 600.0, 60.0)
    assert (b.start, b.window, b.on_failure, b.queue) == ("time:2026-01-31T12:00:00Z", None, "park", "log")


def test_the_environment_reaches_settings_of_a_plugin_that_the_file_has(load_document: LoadDocument) -> None:
    """A number stays a number: a text would only be found out when the plugin fails."""
    document = {"events_plugins": {"a": {"retry": {"attempts": 3}, "window": 8}}}
    environ = {"BIGCHAINDB_EVENTS_PLUGINS_A_RETRY_ATTEMPTS": "9", "BIGCHAINDB_EVENTS_PLUGINS_A_WINDOW": "2"}
    (a,) = load_document(document, environ).settings.events_plugins.values()
    assert (a.retry.attempts, a.window) == (9, 2)


def test_no_plugins_may_be_written_as_null(load_document: LoadDocument) -> None:
    assert load_document({"events_plugins": None}).settings.events_plugins == {}
