"""What stops the start, what a stop does, and logs that are another. Source: event-plugin-api.md, sections 3 to 5."""

import asyncio
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest

from bigchaindb.config import PluginSettings
from bigchaindb.errors import ConfigurationError, StartupError
from bigchaindb.eventlog.lane import State
from bigchaindb.subscribers import lanes as lanes_module
from tests.integration.plugins.conftest import Running, make_known, until

NEVER_S = 3_600.0
"""A grace that no test lasts: what ends has ended by itself."""


async def test_a_plugin_that_nobody_installed_stops_the_start(running: Running) -> None:
    with pytest.raises(ConfigurationError, match=r"'nope'.*'bigchaindb.events'; installed for .* are: .*'misbehaving'"):
        await running.supervisor({"misbehaving": {}, "nope": {}}).start()


async def test_a_plugin_that_refuses_its_options_stops_the_start(running: Running) -> None:
    with pytest.raises(ConfigurationError, match=r"misbehaving\.options: refused by the plugin: ValueError: no"):
        await running.run(fault="refuse")


async def test_a_process_that_ends_before_it_is_ready_stops_the_start(running: Running) -> None:
    with pytest.raises(StartupError, match="'misbehaving': its process ended before it was ready: exit code 3"):
        await running.run(fault="exit-at-start")


async def test_a_plugin_that_cannot_be_imported_stops_the_start(
    running: Running, misbehaving: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = shutil.copytree(misbehaving, tmp_path / "broken")
    (broken / "misbehaving/__init__.py").write_text("import nothing_of_that_name\n")
    monkeypatch.syspath_prepend(str(broken))
    with pytest.raises(StartupError, match="cannot import 'misbehaving': ModuleNotFoundError: No module named"):
        await running.run()
    await running.supervisors[0].stop()
    assert (running.store.node.lane("misbehaving") or pytest.fail("no row")).state == "FAILED"
    monkeypatch.undo()
    monkeypatch.syspath_prepend(str(misbehaving))
    running.commit(1)
    await running.run(start="now")  # mended: it goes on from where the lane was made
    await running.until_seen(1)
    assert running.positions() == [1]


async def test_a_plugin_that_is_not_ready_in_its_time_stops_the_start(
    running: Running, misbehaving: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The default is half a minute; large imports on a slow machine take longer, which the message must lead to."""
    hanging = shutil.copytree(misbehaving, tmp_path / "hanging")
    (hanging / "misbehaving/__init__.py").write_text("import time\n\ntime.sleep(600)\n")
    monkeypatch.syspath_prepend(str(hanging))
    late = r"'misbehaving'.*: not ready within 0\.2 s; if it is only slow, set a higher ready_s for it"
    async with asyncio.timeout(PluginSettings.ready_s):  # the default would be over first
        with pytest.raises(StartupError, match=late):
            await running.supervisor({"misbehaving": {"ready_s": 0.2}}).start()


@pytest.mark.parametrize("is_uninstalled", [False, True])
async def test_a_plugin_that_ran_and_is_broken_now_does_not_stop_the_node(
    running: Running, misbehaving: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_uninstalled: bool
) -> None:
    """An upgrade of one package must not keep the ledger from serving; the plugin misses nothing meanwhile."""
    running.commit(1)
    supervisor = await running.run()
    await running.until_settled(supervisor, 1)
    await supervisor.stop()
    monkeypatch.undo()
    if not is_uninstalled:
        broken = shutil.copytree(misbehaving, tmp_path / "broken")
        (broken / "misbehaving/__init__.py").write_text("import nothing_of_that_name\n")
        monkeypatch.syspath_prepend(str(broken))
    supervisor = await running.run()
    (status,) = supervisor.status()
    assert status.state is State.FAILED
    why = "no installed package provides 'misbehaving'" if is_uninstalled else "cannot import 'misbehaving'"
    assert why in status.error
    assert [*supervisor.left_out] == ["misbehaving"]
    assert why in supervisor.left_out["misbehaving"]
    running.commit(2)
    await supervisor.stop()
    strict = running.supervisor({"misbehaving": {"options": running.options()}})
    with pytest.raises(ConfigurationError if is_uninstalled else StartupError, match=why):
        await strict.start(strict=True)
    monkeypatch.undo()
    monkeypatch.syspath_prepend(str(misbehaving))
    supervisor = await running.run(start="now")
    await running.until_seen(3)
    assert running.positions() == [1, 2, 3]
    assert supervisor.left_out == {}


async def test_a_plugin_that_never_was_ready_stops_every_start(running: Running) -> None:
    """That it was tried before is no sign that it ever worked."""
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="refused by the plugin"):
            await running.run(fault="refuse")
        await running.supervisors[-1].stop()


async def test_options_that_fit_no_socket_are_refused(running: Running) -> None:
    with pytest.raises(ConfigurationError, match=r"misbehaving\.options: .* bytes"):
        await running.run(text="x" * 70_000)


async def test_no_plugin_is_fine(running: Running) -> None:
    supervisor = running.supervisor({})
    await supervisor.start()
    assert supervisor.status() == []


async def test_no_process_runs_a_plugin_before_all_are_ready(
    running: Running, misbehaving: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = shutil.copytree(misbehaving, tmp_path / "other")
    text = (other / "pyproject.toml").read_text().replace("misbehaving", "another")
    (other / "pyproject.toml").write_text(text)
    (other / "misbehaving").rename(other / "another")
    shutil.rmtree(next(other.glob("*.egg-info")))
    monkeypatch.syspath_prepend(str(make_known(other)))
    running.commit(1)
    settings = {"start": "genesis", "options": running.options()}
    refusing = {"start": "genesis", "options": running.options(fault="refuse")}
    with pytest.raises(ConfigurationError):
        await running.supervisor({"misbehaving": settings, "another": refusing}).start()
    assert running.seen() == []


async def test_the_plugin_sees_no_secret_of_the_node(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIGCHAINDB_KEYPAIR_PRIVATE", "not for plugins")
    monkeypatch.setenv("BIGCHAINDB_SERVER_BIND", "localhost:9984")
    supervisor = await running.run()
    pid = supervisor.status()[0].pid
    environment = read_process(pid, "environ").split(b"\0")
    assert b"BIGCHAINDB_SERVER_BIND=localhost:9984" in environment
    assert not [entry for entry in environment if b"not for plugins" in entry]
    assert read_process(pid, "comm") == b"events_plugin_m\n"
    assert b"events_plugin_misbehaving" in read_process(pid, "cmdline")
    assert os.getsid(pid or 0) == pid


def read_process(pid: int | None, file: str) -> bytes:
    return Path(f"/proc/{pid}/{file}").read_bytes()


async def test_a_plugin_that_waits_ends_at_once_and_keeps_its_place(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes_module, "GRACE_S", NEVER_S)
    supervisor = await running.run()
    running.commit(2)
    await running.until_seen(2)
    await supervisor.stop()
    row = running.store.node.lane("misbehaving")
    assert row is not None
    assert (row.acked, row.state, row.last_error) == (2, "STOPPED", None)


async def test_a_plugin_that_hangs_is_killed_after_a_second_and_gets_its_event_again(running: Running) -> None:
    running.commit(2)
    supervisor = await running.run(fault="hang", at=2)
    await running.until_seen(2)
    begun = time.monotonic()
    await supervisor.stop()
    assert time.monotonic() - begun >= 1.0
    await running.run(fault="hang", at=2)
    await running.until_seen(3)
    assert [(seen.position, seen.attempt) for seen in running.seen()] == [(1, 1), (2, 1), (2, 2)]


async def test_a_plugin_that_swallows_every_exception_ends_all_the_same(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes_module, "GRACE_S", NEVER_S)
    supervisor = await running.run(fault="swallow")
    running.commit(1)
    await running.until_seen(1)
    await supervisor.stop()


async def test_progress_is_written_down_every_second(running: Running) -> None:
    await running.run()
    running.commit(2)
    row = running.store.node.lane

    def written() -> bool:
        lane = row("misbehaving")
        return lane is not None and lane.acked >= 1 and lane.state == "LIVE"

    await until(written, what="the cursor in node.db")


async def test_p8_a_log_that_is_another_stops_the_lane_and_not_the_node(running: Running) -> None:
    supervisor = await running.run()
    running.commit(2)
    await running.until_settled(supervisor, 2)
    await supervisor.stop()
    row = running.store.node.lane("misbehaving")
    assert row is not None
    running.store.node.save_lanes({replace(row, acked_digest=b"\1" * 32): ()})
    for _ in range(2):  # and it stays so
        supervisor = await running.run()
        running.commit(1)
        await asyncio.sleep(0)
        (status,) = supervisor.status()
        assert status.state is State.GAPPED
        assert "position 2 of the log is another event than the one that was acknowledged" in status.error
        await supervisor.stop()
    assert running.positions() == [1, 2]


async def test_p8_a_log_that_is_shorter_stops_the_lane(running: Running) -> None:
    supervisor = await running.run()
    running.commit(1)
    await running.until_seen(1)
    await supervisor.stop()
    row = running.store.node.lane("misbehaving")
    assert row is not None
    running.store.node.save_lanes({replace(row, acked=9): ()})
    supervisor = await running.run()
    assert "it had position 9, and the log ends at 1" in supervisor.status()[0].error


async def test_p8_a_lost_node_db_is_no_new_plugin(running: Running) -> None:
    """Else what was committed meanwhile would be passed over in silence."""
    running.commit(1)
    running.store.knows_node = False
    supervisor = await running.run(start="now")
    assert supervisor.status()[0].state is State.GAPPED
    assert running.store.knows_node
    await supervisor.stop()
    supervisor = await running.run(start="now")
    assert supervisor.status()[0].state is State.GAPPED
