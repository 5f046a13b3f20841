"""A node over TLS: every listener, every command, and a certificate that is replaced while clients come and go."""

import asyncio
import json
import os
import pty
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from websockets.asyncio.client import connect

from bigchaindb.cli.control import ControlClient
from bigchaindb.control.answers import AccessReloaded, ReloadAccess
from bigchaindb.store.directory import DataDirectory
from bigchaindb.transaction.build import create
from tests.support import scale
from tests.support.http import request
from tests.support.node import COMMAND, Node, configuration_of, running_node
from tests.support.ports import free_ports
from tests.support.served import KEY
from tests.support.subscriber import Consumer, connected
from tests.support.tls import Authority, Pair, settings_of, trust
from tests.support.waiting import until

RELOAD_COUNT: Final = 20
CLIENT_COUNT: Final = scale.of(suite=40, long=200)
SILENT_COUNT: Final = 200
SOON_S: Final = 60.0
"""In which a node sees a changed file, which it looks at every 10 s."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """Where the node's certificate and key are."""
    folder = tmp_path_factory.mktemp("tls")
    return Pair(folder / "node.crt", folder / "node.key")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, place: Pair, authority: Authority) -> Iterator[Node]:
    """A node over TLS for the whole file."""
    authority.put(place)
    (port,) = free_ports(1)
    settings = {**settings_of(place), "metrics": {"bind": f"127.0.0.1:{port}"}}
    with trust(authority), running_node(tmp_path_factory.mktemp("node"), settings=settings) as node:
        yield node


@pytest.fixture
def secure(running: Node, place: Pair, trusted: Authority) -> Node:
    """That node, with a new certificate that is trusted."""
    trusted.put(place)
    assert running.run("access", "reload").returncode == 0
    return running


def served_by(node: Node, context: ssl.SSLContext | None = None) -> bytes:
    """Return the certificate that a new connection is served with."""
    context = context or ssl.create_default_context()
    with (
        socket.create_connection(("127.0.0.1", node.port), timeout=30) as raw,
        context.wrap_socket(raw, server_hostname="127.0.0.1") as client,
    ):
        found = client.getpeercert(binary_form=True)
        assert found is not None
        return found


def der(pair: Pair) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pair.certificate.read_text())


def test_every_listener_and_command_speaks_tls(secure: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """`start_node` has asked HTTP and WebSocket by then."""
    index = secure.get("").json()
    assert index["streams"] == secure.stream_url
    secure.until_logged(f"Streaming valid transactions on: {secure.stream_url}\n")
    metrics = request("GET", f"https://{secure.settings['metrics']['bind']}/metrics").body.decode()
    assert 364 * 86_400 < float(metrics.split("\nbigchaindb_tls_expiry_seconds ")[1].split()[0]) < 366 * 86_400
    made = create([KEY], data={"over": "TLS"})
    assert secure.post(made.body).status == 202
    monkeypatch.delenv("SSL_CERT_FILE")  # on its own machine a node's certificate needs nobody's word
    shown = secure.run("transactions", "show", made.id)
    assert shown.returncode == 0, shown.stderr
    reloaded = secure.run("access", "reload")
    assert f"`{secure.settings['tls']['certificate_file']}`, valid until " in reloaded.stderr


async def test_subscriptions_speak_tls(secure: Node) -> None:
    """Both ways to consume; a window of frames is more than one record."""
    for number in range(3):
        answer = await asyncio.to_thread(secure.post, create([KEY], data={"text": 30_000 * "x", "n": number}).body)
        assert answer.status == 202
    url = f"{secure.url}/api/v1/subscriptions/tls"
    definition = {"granularity": "transaction", "start": "genesis", "order": "none"}
    assert (await asyncio.to_thread(request, "PUT", url, definition)).status == 201
    async with connected(secure.url, "tls", "?window=2") as client:
        consumer = Consumer(client)
        events = await consumer.events(2)
        await consumer.say(type="ack", tags=[1, 2], ref=1)
        await consumer.next("done")
        held = (await consumer.next("events"))["events"]
        await consumer.say(type="settle")
        assert (await consumer.next("error"))["code"] == "malformed"
    pulled = (await asyncio.to_thread(request, "POST", f"{url}/pull", {"wait_s": 20})).json()["events"]
    assert (pulled[0]["attempt"], pulled[0]["event"]["id"]) == (2, held[0]["event"]["id"])
    assert held[0]["event"]["id"] not in {one["event"]["id"] for one in events}


def test_commands_name_what_is_wrong_with_tls(
    secure: Node, node: Node, authority: Authority, place: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    def error(url: str) -> str:
        done = secure.run("transactions", "show", "0" * 64, "--node", url)
        assert done.returncode == 1
        return done.stderr.strip()

    assert f"{secure.url.replace('https', 'http')} is served over TLS; ask {secure.url}" in error(
        secure.url.replace("https", "http")
    )
    assert f"it answers without TLS; ask {node.url}" in error(node.url.replace("http", "https"))
    authority.put(place, authority.sign("IP:127.0.0.1", days=-1))
    assert secure.run("access", "reload").returncode == 0
    assert "certificate has expired; the node's operator must renew it" in error(secure.url)
    secure.until_logged("has ended, so clients refuse it")
    monkeypatch.delenv("SSL_CERT_FILE")
    assert "set SSL_CERT_FILE to the file of the authority that signed it" in error(secure.url)


async def come_and_go(node: Node, client: ssl.SSLContext, is_over: asyncio.Event) -> int:
    """Connect again and again, each time anew; return how often."""
    count = 0
    while not is_over.is_set():
        _, writer = await asyncio.open_connection("127.0.0.1", node.port, ssl=client)
        writer.close()
        count += 1
    return count


async def test_no_client_is_refused_and_no_event_lost_while_certificates_change(
    secure: Node, authority: Authority, place: Pair
) -> None:
    """Renewing a certificate is no reason to stop a node, nor to miss what it decides."""
    control = ControlClient(DataDirectory(secure.data).control)
    signed = [authority.sign() for _ in range(2)]
    client, is_over, sent = authority.client(), asyncio.Event(), []
    async with connect(secure.stream_url) as stream, asyncio.TaskGroup() as group:
        coming = [group.create_task(come_and_go(secure, client, is_over)) for _ in range(CLIENT_COUNT)]
        for number in range(RELOAD_COUNT):
            now = authority.put(place, signed[number % 2])
            assert await asyncio.to_thread(control.change_access, ReloadAccess(), AccessReloaded)
            assert await asyncio.to_thread(served_by, secure, client) == der(now)
            sent.append(create([KEY], data={"number": number}))
            assert (await asyncio.to_thread(secure.post, sent[-1].body)).status == 202
        got = [json.loads(await stream.recv())["transaction_id"] for _ in sent]
        is_over.set()
    assert got == [one.id for one in sent]
    assert all(one.result() for one in coming)


def test_files_that_do_not_fit_leave_the_former_ones_in_force(secure: Node, authority: Authority, place: Pair) -> None:
    """A renewal may be seen half done: the next look finds it whole."""
    before, begun = served_by(secure), len(secure.log)
    signed = authority.sign()
    place.certificate.write_bytes(signed.certificate.read_bytes())
    refused = secure.run("access", "reload")
    assert refused.returncode == 1
    assert f"`{place.key}` is not the key of the first certificate in `{place.certificate}`" in refused.stderr
    assert served_by(secure) == before
    assert f"`{place.key}` is not the key" in secure.run("doctor").stdout
    place.key.write_bytes(signed.key.read_bytes())
    until(lambda: served_by(secure) == der(signed), what="the node to see the key", within_s=SOON_S)
    said = "the former one stays in force"
    assert secure.until_logged(said, since=begun).count(said) == 1


def test_a_hangup_reloads_and_ends_nothing(secure: Node, authority: Authority, place: Pair) -> None:
    """Service managers and certbot's hooks send one."""
    assert secure.process is not None
    signed = authority.put(place)
    secure.process.send_signal(signal.SIGHUP)
    until(lambda: served_by(secure) == der(signed), what="the new certificate", within_s=SOON_S)
    assert secure.answers()


def test_the_end_of_its_terminal_ends_a_node(tmp_path: Path) -> None:
    """As ever: whoever closes the window has ended what ran in it."""
    file = tmp_path / "node.json"
    file.write_text(json.dumps(configuration_of(tmp_path, {})))
    process, terminal = pty.fork()
    if process == 0:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # a run that `nohup` started hands on that it is ignored
        os.execv(COMMAND[0], [COMMAND[0], "-c", str(file), "start"])
    printed = b""
    while b"Listening to client connections" not in printed:
        printed += os.read(terminal, 4096)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == -signal.SIGHUP


def test_a_node_whose_files_do_not_fit_does_not_start(place: Pair, tmp_path: Path) -> None:
    place.key.write_bytes(place.key.read_bytes()[:100])
    file = tmp_path / "node.json"
    file.write_text(json.dumps({**settings_of(place), "database": {"path": str(tmp_path / "data")}}))
    done = subprocess.run([*COMMAND, "-c", str(file), "start"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"tls.private_key_file: `{place.key}` cannot be used" in done.stderr


def test_openssls_own_client(secure: Node, authority: Authority) -> None:
    """Versions, the chain, and what an old client hears."""

    def ask(*options: str) -> subprocess.CompletedProcess[str]:
        line = ["openssl", "s_client", "-connect", f"127.0.0.1:{secure.port}", "-CAfile", str(authority.file)]
        return subprocess.run([*line, *options], input="", capture_output=True, text=True, check=False)

    for version in ("-tls1_2", "-tls1_3"):
        assert "Verify return code: 0 (ok)" in ask(version).stdout
    for version in ("-tls1", "-tls1_1"):
        assert ask(version, "-cipher", "ALL:@SECLEVEL=0").returncode == 1
    for _ in range(scale.of(suite=5, long=50)):  # renegotiation and new keys, as often as a client likes
        assert "Verify return code: 0 (ok)" in ask("-tls1_2").stdout


def test_a_flood_of_handshakes_leaves_others_their_turn(secure: Node) -> None:
    """200 clients of one address that begin and never end a handshake."""
    at, source = ("127.0.0.1", secure.port), ("127.0.0.2", 0)
    opened = [socket.create_connection(at, source_address=source) for _ in range(SILENT_COUNT)]
    try:
        for one in opened:
            one.send(b"\x16\x03\x01\x02\x00")
        begin_s = time.monotonic()
        assert secure.get("").status == 200
        assert time.monotonic() - begin_s < SOON_S
    finally:
        for one in opened:
            one.close()
