"""Finds what may keep a node from running well on this machine, with what to do about it.

Each examination yields findings and changes nothing. `bigchaindb doctor` prints them.
"""

import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from bigchaindb.access.exposure import anonymous
from bigchaindb.access.writers import read_writers
from bigchaindb.children import PlaceFigures
from bigchaindb.config import Settings, WebSocketServer
from bigchaindb.config.checks import split_bind
from bigchaindb.config.load import Loaded, exposed_key
from bigchaindb.distribution import NAME, two_distributions
from bigchaindb.doctor.access import examine_access
from bigchaindb.doctor.checks import try_check_process
from bigchaindb.doctor.files import examine_access_to_files, examine_files, examine_path
from bigchaindb.doctor.finding import Finding, way_on
from bigchaindb.doctor.page import examine_page
from bigchaindb.doctor.subscriptions import examine_subscriptions
from bigchaindb.doctor.tls import examine_tls
from bigchaindb.doctor.trial import try_plugin
from bigchaindb.engine.checks import process_count
from bigchaindb.engine.cometbft import binary, signer
from bigchaindb.engine.cometbft.files import Layout, is_network, read_bounded, read_genesis
from bigchaindb.engine.cometbft.genesis import genesis_hash
from bigchaindb.engine.cometbft.rules_version import RULES_VERSION
from bigchaindb.errors import BigchainDBError, RequestFailed, StartupError
from bigchaindb.identity import find
from bigchaindb.owners import refusal
from bigchaindb.reader.reader import READER
from bigchaindb.serving.ports import taken
from bigchaindb.serving.processes import lock_owner
from bigchaindb.store.beside import read_node
from bigchaindb.store.directory import DataDirectory
from bigchaindb.subscribers.lane_page import pages_of

PYTHON_MIN: Final = (3, 11)
SQLITE_MIN: Final = (3, 38, 0)
"""Somewhat older than the oldest that was tested: it has upserts and contentless FTS5."""
YEAR_MIN: Final = 2026
"""This software is not older; a clock before it has lost its battery."""
CLOCK_AHEAD_S_MAX: Final = 60.0
LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_ADVERTISED: Final = (
    "delete it from the configuration, unless a proxy listens there: if unset, it is the address that clients ask"
)


_SUBJECTS: Final = {
    "light": "checks (small)",
    "heavy": "checks (large)",
    "vote_light": "votes (small)",
    "vote_heavy": "votes (large)",
    READER: "reader process",
}
"""The children of a node, by the names of their figures: the size of the documents that they check, and for what."""
Processes = Callable[[DataDirectory], Mapping[str, PlaceFigures] | None]
"""Returns what a running node says of its children, by place; None where none answers. Raises RequestFailed."""
Door = Callable[[DataDirectory], str | None]
"""Returns what requests without a key may do in a running node; None where none answers. Raises RequestFailed."""


def examine(
    load: Callable[[], Loaded], processes: Processes = lambda _: None, door: Door = lambda _: None
) -> Iterator[Finding]:
    """Examine everything; without a readable configuration the machine alone."""
    yield from _python()
    try:
        loaded = load()
    except (BigchainDBError, OSError) as error:
        text = "; ".join((str(error), *getattr(error, "__notes__", ())))
        yield Finding("configuration", "fix", text, "correct it, or write a new file with `bigchaindb configure`")
        return
    yield from _configuration(loaded)
    settings = loaded.settings
    directory = DataDirectory(settings.database.path)
    running = lock_owner(directory.lock)
    if running is not None:
        yield Finding("node", "ok", f"running, process {running}")
        yield from _processes(processes, directory)
    yield _checks(settings)
    yield from _ports(settings, running)
    yield from examine_tls(settings)
    yield from examine_page(settings)
    yield from _writers(settings)
    if (unusable := examine_path(directory.path)) is not None:
        yield unusable
        return
    if refusal(directory.path) is not None:
        yield from examine_access_to_files(directory)
        return  # nothing in the folder can be read
    yield from examine_access(settings, directory)
    if running is not None:
        yield from _door(door, directory, settings)
    is_readable = yield from examine_files(directory, settings)
    yield from _clock(directory)
    yield from _network(settings, directory, running, is_readable=is_readable)
    for name, plugin in settings.events_plugins.items():
        yield _plugin(name, directory, plugin.ready_s)
    if is_readable:
        yield from examine_subscriptions(settings, directory)


def _python() -> Iterator[Finding]:
    version = sys.version_info[:3]
    text = f"Python {'.'.join(map(str, version))}, SQLite {sqlite3.sqlite_version}"
    if version < PYTHON_MIN:
        yield Finding("python", "fix", text, "use Python 3.11 or later")
    elif sqlite3.sqlite_version_info < SQLITE_MIN or not _has_full_text_search():
        wanted = ".".join(map(str, SQLITE_MIN))
        yield Finding("python", "fix", text, f"use a Python whose SQLite is {wanted} or later, with FTS5")
    else:
        yield Finding("python", "ok", text)
    if (both := two_distributions()) is not None:
        advice = f"install {NAME} alone into a new environment; uninstalling one here deletes files of the other"
        yield Finding("python", "fix", both, advice)


def _has_full_text_search() -> bool:
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute("CREATE VIRTUAL TABLE t USING fts5 (text, content = '')")
    except sqlite3.OperationalError:
        return False
    finally:
        connection.close()
    return True


def _configuration(loaded: Loaded) -> Iterator[Finding]:
    for notice in loaded.notices:
        if notice.level == "warning":
            yield Finding("configuration", "note", notice.text, "delete the key, or correct it")
    where = f"read from {loaded.path}" if loaded.path.exists() else f"built-in defaults, there is no {loaded.path}"
    yield Finding("configuration", "ok", where)
    if (exposed := exposed_key(loaded)) is not None:
        yield Finding("configuration", "fix", exposed, "`start` only warns of it, `start --strict` refuses it")


def _checks(settings: Settings) -> Finding:
    """Examine whether documents can be checked in a process of their own."""
    workers = settings.server.workers
    count = process_count(workers)
    try:
        taken_s = try_check_process()
    except (OSError, BigchainDBError) as error:
        advice = "see that this user may start processes, and the log of the system for what ended one"
        return Finding("checks", "fix", f"no document can be checked in a process of its own: {error!r}", advice)
    text = f"a check process answered in {taken_s:.1f} s; there will be {count}, and one for large documents"
    if workers is not None and workers > count:
        return Finding("checks", "note", f"{text}; server.workers is {workers}", "set it to null, or to fewer")
    return Finding("checks", "ok", text)


def _writers(settings: Settings) -> Iterator[Finding]:
    """Examine the list of those who may create assets, if there is one."""
    if (path := settings.access.writers) is None:
        return
    try:
        count = len(read_writers(path))
    except BigchainDBError as error:
        advice = "correct it: the node does not start with it, and one that runs goes on with the list it read last"
        yield Finding("writers", "fix", str(error), advice)
    else:
        yield Finding("writers", "ok", f"a CREATE needs the signature of a key in `{path}`, keys: {count}")


def _processes(ask: Processes, directory: DataDirectory) -> Iterator[Finding]:
    """Examine the children of the running node."""
    try:
        places = ask(directory) or {}
    except RequestFailed as error:
        yield Finding("processes", "note", str(error), "see the log of the node")
        return
    for name, place in sorted(places.items()):
        subject = _SUBJECTS[name]
        text = f"running: {place.process_count}, ended before: {place.restart_count:,}, answers: {place.batch_count:,}"
        if place.batch_count:
            text += f", after {1e3 * place.wait_s / place.batch_count:,.1f} ms on average"
        elif not (place.process_count or place.restart_count):
            text = "not started, since nothing has needed it"
        if place.is_failing:
            advice = "see the log of the node and of the system for what ends them; look for memory and process limits"
            yield Finding(subject, "fix", f"{text}; they cannot be started, or end again and again", advice)
        elif place.restart_count:
            yield Finding(subject, "note", text, "the log of the node says what ended them")
        else:
            yield Finding(subject, "ok", text)


def _door(ask: Door, directory: DataDirectory, settings: Settings) -> Iterator[Finding]:
    """Examine whether the running node has read what the configuration says of requests without a key."""
    try:
        present = ask(directory)
    except RequestFailed:  # its children could not be examined either, which is told
        return
    if present not in (None, wanted := str(anonymous(settings))):
        text = f"requests without a key may: {present}, in the running node; by the configuration: {wanted}"
        yield Finding("access", "fix", text, "run `bigchaindb access reload`")


def _ports(settings: Settings, running: int | None) -> Iterator[Finding]:
    server, websocket = settings.server, settings.wsserver
    yield _port("server.bind", server.host, server.port, running)
    yield _port("wsserver.port", websocket.host, websocket.port, running)
    yield from _advertised(websocket)
    if (metrics := settings.metrics.bind) is not None:
        yield _port("metrics.bind", *split_bind(metrics, "metrics.bind"), running)


def _advertised(settings: WebSocketServer) -> Iterator[Finding]:
    """Yield notes on advertised addresses without a listener: old releases' `configure` wrote its defaults."""
    port, host = settings.advertised_port, settings.advertised_host
    if port is not None and settings.port not in (port, 0):
        text = f"clients are told the port {port} (wsserver.advertised_port), and the node listens on {settings.port}"
        yield Finding("streams", "note", text, _ADVERTISED)
    if host in LOOPBACK and settings.host not in LOOPBACK:
        text = f"clients are told the host {host} (wsserver.advertised_host), and the node listens on {settings.host}"
        yield Finding("streams", "note", text, _ADVERTISED)


def _port(key: str, host: str, port: int, running: int | None) -> Finding:
    subject = f"port {port}"
    if (found := taken(host, port)) is None:
        return Finding(subject, "ok", f"{host}:{port} is free")
    if found.process is not None and found.process == running:
        return Finding(subject, "ok", f"{host}:{port} is served by the running node")
    advice = f"stop that process, or set {key} to another address" if found.process else found.cure(key)
    return Finding(subject, "fix", f"{host}:{port} cannot be used: {found.reason}{found.who}", advice)


def _clock(directory: DataDirectory) -> Iterator[Finding]:
    now_s = time.time()
    text = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now_s))
    if time.gmtime(now_s).tm_year < YEAR_MIN:
        yield Finding("clock", "fix", text, "set the clock; blocks carry its time")
    elif directory.ledger.exists() and directory.ledger.stat().st_mtime > now_s + CLOCK_AHEAD_S_MAX:
        yield Finding("clock", "fix", f"{text}, and the ledger was written later", "set the clock; it went backwards")
    else:
        yield Finding("clock", "ok", text)


def _network(
    settings: Settings, directory: DataDirectory, running: int | None, *, is_readable: bool
) -> Iterator[Finding]:
    """Examine what a node of a network needs besides."""
    if not is_network(directory.path):
        if settings.network.peers:
            text = "network.peers names other nodes, and this one is part of no network"
            yield Finding("network", "fix", text, "run `bigchaindb network init` or `join`, or remove network.peers")
        return
    network, layout = settings.network, Layout(directory.path)
    try:
        yield Finding("cometbft", "ok", f"{binary.find(network.cometbft)}, a supported version")
    except StartupError as error:
        yield Finding("cometbft", "fix", str(error), "a node of a network does not start without it")
    try:
        genesis = read_genesis(layout, rules_version=RULES_VERSION)
    except StartupError as error:
        advice = f"copy {layout.genesis.name} from another node of the network, unless the rules differ"
        yield Finding("network", "fix", str(error), advice)
    else:
        text = f"{genesis.chain_id}, genesis {genesis_hash(read_bounded(layout.genesis))}"
        yield Finding("network", "ok", text)
        if (behind_s := genesis.begin_s - time.time()) > 0:
            text = f"{behind_s:,.0f} s behind the genesis time, {genesis.genesis_time}, for which CometBFT waits"
            yield Finding("clock", "fix", text, "set the clock; every node of the network needs a right one")
    if is_readable:
        yield from _network_files(settings, directory)
    if not network.peers:
        yield Finding(
            "network", "note", "network.peers is empty", "name other nodes, or name this one in their network.peers"
        )
    if running is None:  # else its CometBFT serves the port
        yield _port("network.bind", *split_bind(network.bind, "network.bind"), running)


def _network_files(settings: Settings, directory: DataDirectory) -> Iterator[Finding]:
    """Examine whether the files belong together that a restore must bring together."""
    layout = Layout(directory.path)
    try:
        seen, key = read_node(directory), find(settings)
    except BigchainDBError as error:
        yield Finding("network", "fix", str(error), way_on(error))
        return
    if seen is None or seen.network is None or key is None:
        return
    if (missing := signer.complaint(layout, key, seen.network)) is not None:
        yield Finding("network", "fix", missing, "the node does not start before this is mended")
    if not (layout.blocks / "blockstore.db").exists():
        text = f"the ledger has height {seen.tip.height}, and CometBFT's blocks are missing"
        yield Finding(
            "network",
            "fix",
            text,
            "restore a whole backup, or run `bigchaindb drop`: the node then takes all blocks from the other nodes",
        )


def _plugin(name: str, directory: DataDirectory, ready_s: float) -> Finding:
    subject = f"plugin {name}"
    if error := try_plugin(name, None, ready_s=ready_s).error:
        return Finding(subject, "fix", error, "install or repair its package, or delete it from events_plugins")
    has_run = directory.lanes.is_dir() and any(pages_of(directory.lanes, name))
    return Finding(subject, "ok", f"installed, {'has run' if has_run else 'has not run yet'}")
