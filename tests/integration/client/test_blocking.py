"""The client without `await`: in scripts, threads and forked processes, over TLS with a key, beside nodes that die."""

import gc
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bigchaindb.client import AsyncClient, Client, ClientUnusable, RequestFailed, new_keypair, read_keypair
from bigchaindb.client.answers import Call
from tests.conftest import StartNode
from tests.support.node import Node
from tests.support.tls import Authority, Pair, settings_of

ALICE, BOB = new_keypair(), new_keypair()


def test_every_call_of_the_asynchronous_client_is_there() -> None:
    """And of the same name."""
    public = {name for name in dir(AsyncClient) if not name.startswith("_")}
    assert public == {name for name in dir(Client) if not name.startswith("_")}


def test_a_script(node: Node) -> None:
    with Client(node.url) as ledger:
        bicycle = ledger.create(ALICE, {"script": "a"}, amount=2)
        sold = ledger.transfer(bicycle, ALICE, to=BOB.public_key, amount=1)
        assert ledger.transaction(sold["id"]) == sold
        assert ledger.transactions(bicycle["id"]) == [bicycle, sold]
        assert ledger.outputs(BOB.public_key)[0]["transaction_id"] == sold["id"]
        assert ledger.status(sold["id"]).name == "valid"
        assert ledger.search("assets", "nobody has this word") == []
        validators = ledger.validators()
        events = list(ledger.events(until="head", granularity="transaction", select={"asset": bicycle["id"]}))
        assert [event.transaction for event in events] == [bicycle, sold]
        assert ledger.verify(events[1], validators).is_own_word
        assert ledger.proof(events[1]).startswith(b"{")
        assert sold in ledger.block(events[1].position)["transactions"]
        begun = ledger.events(after=events[0].token)
        assert next(begun).position == events[1].position
        assert ledger.url == node.url
    with pytest.raises(ClientUnusable, match="this client is closed"):
        ledger.validators()
    with pytest.raises(ClientUnusable):
        next(begun)
    ledger.close()


def test_many_threads_share_one_client(node: Node) -> None:
    with Client(node.url) as ledger, ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda number: ledger.create(ALICE, {"thread": number}), range(24)))
        assert len({one["id"] for one in made}) == 24


def test_a_client_closed_in_another_thread_ends_what_waits(node: Node) -> None:
    ledger = Client(node.url)
    events = ledger.events(after="now")
    failed: list[BaseException] = []
    begun = threading.Event()

    def follow() -> None:
        begun.set()
        try:
            next(events)
        except ClientUnusable as error:
            failed.append(error)

    thread = threading.Thread(target=follow)
    thread.start()
    begun.wait()
    ledger.validators()
    ledger.close()
    thread.join(60)
    assert len(failed) == 1


def test_an_iteration_that_is_garbage_stops_nothing(node: Node) -> None:
    """In a cycle, as an error's traceback makes one, it may be collected in the client's own thread."""
    ledger = Client(node.url)
    ledger.create(ALICE, {"garbage": 1})
    events = ledger.events()
    next(events)
    cycle: list[object] = [events]
    cycle.append(cycle)
    del events, cycle
    collecting = threading.Thread(target=lambda: ledger.ask(Call("/", lambda _: gc.collect())), daemon=True)
    collecting.start()
    collecting.join(60)
    assert not collecting.is_alive()
    ledger.close()


def test_a_forked_process_is_told_to_make_its_own(node: Node) -> None:
    """The child has neither the thread nor a right to the connections."""
    with Client(node.url) as ledger:
        ledger.validators()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                ledger.validators()
            except ClientUnusable as error:
                code = 0 if "before a fork" in str(error) else 2
            ledger.close()
            os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        ledger.validators()


def test_a_node_that_is_away_at_the_start_and_killed_amid_the_work(start_node: StartNode) -> None:
    """Every call returns, each transaction is there once, and the events are exact."""
    node = start_node()
    node.kill()
    with Client(node.url) as ledger, ThreadPoolExecutor(4) as threads:
        early = threads.submit(ledger.create, ALICE, {"early": 1})
        node.start()
        early.result(60)
        making = [threads.submit(ledger.create, ALICE, {"number": number}) for number in range(40)]
        making[5].result(60)
        node.kill()
        node.start()
        made = [early.result(), *(one.result(60) for one in making)]
        events = ledger.events(until="head", granularity="transaction")
        assert sorted(event.subject for event in events) == sorted(one["id"] for one in made)


def test_over_tls_with_a_key(
    start_node: StartNode, trusted: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = Pair(tmp_path / "tls.crt", tmp_path / "tls.key")
    trusted.put(pair)
    node = start_node(settings=settings_of(pair))
    key = node.new_key("app", "--scopes", "read write")
    monkeypatch.delenv("SSL_CERT_FILE")  # the client is told whom to trust
    with Client(node.url, key=key, tls=trusted.file) as ledger:
        made = ledger.create(ALICE, {"tls": 1})
        assert [event.subject for event in ledger.events(until="head", granularity="transaction")] == [made["id"]]
    with Client(node.url, tls=trusted.file) as nobody, pytest.raises(RequestFailed, match="401"):
        nobody.validators()
    with Client(node.url, key=key) as stranger, pytest.raises(RequestFailed, match="its certificate is not trusted"):
        stranger.validators()


def test_the_key_files_are_those_of_the_command_line(node: Node, tmp_path: Path) -> None:
    node.run("keys", "new", "--output", str(tmp_path / "alice.json"))
    with Client(node.url) as ledger:
        assert ledger.create(read_keypair(tmp_path / "alice.json"), {"file": 1})["operation"] == "CREATE"
