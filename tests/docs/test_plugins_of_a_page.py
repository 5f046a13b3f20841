"""The plugins in docs/how-to/write-a-plugin.md do what the page says: whoever copies one must not lose events."""

import threading
from collections.abc import Mapping
from inspect import iscoroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Final

import pytest

from bigchaindb.eventlog.lane import Progress
from bigchaindb.subscribers.coroutines import run_coroutine
from bigchaindb.subscribers.lane_page import Word
from bigchaindb.subscribers.plugins import EXPLICIT, configure, inspect
from tests.support.event_logs import ListLog
from tests.support.pages import ROOT, examples
from tests.support.plugin_queues import Plugin
from tests.support.waiting import until

PLUGINS: Final = [one.text for one in examples(ROOT / "docs/how-to/write-a-plugin.md") if one.is_plugin]
EVENT_COUNT: Final = 120
OPTIONS: Final[Mapping[str, object]] = {"kind": "sale"}


def test_the_page_has_plugins() -> None:
    assert len(PLUGINS) >= 4


@pytest.mark.parametrize("text", PLUGINS, ids=lambda text: text.partition("\n")[0])
def test_a_plugin_settles_every_event(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    members: dict[str, object] = {}
    exec(text, members)
    loaded = SimpleNamespace(**members)
    configure("page", loaded, OPTIONS if "configure" in members else {})
    example = inspect("page", loaded, window_count=64)
    plugin = Plugin(tmp_path, ListLog(), window=64, wants=example.wants)
    for _ in range(EVENT_COUNT):
        plugin.append_transaction('{"metadata":{"kind":"sale"},"operation":"CREATE"}')

    def run() -> None:
        returned = example.run(plugin.queue)
        if iscoroutine(returned):
            run_coroutine(returned, plugin.queue, on_failure=plugin.queue.close)
        plugin.queue.settle()  # as the host does

    thread = threading.Thread(target=run)
    thread.start()
    words = plugin.page.words
    until(lambda: words[Word.REACHED] == EVENT_COUNT, what="all handed over")
    if example.wants.acknowledge == EXPLICIT:
        until(lambda: plugin.page.cursor == EVENT_COUNT, what="all answered")
    plugin.queue.close()
    thread.join(60)
    assert not thread.is_alive()
    assert plugin.progress() == Progress(EVENT_COUNT, EVENT_COUNT)
    assert plugin.reports == []
    if (written := tmp_path / "sales.jsonl").exists():
        assert written.read_bytes().splitlines() == [record.body for record in plugin.log.all]
