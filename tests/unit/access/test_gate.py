"""What the gate decides for keys that come in clear, and how it meters itself."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from time import time

import pytest

from bigchaindb.access.book import KeyBook
from bigchaindb.access.exposure import LOCAL
from bigchaindb.access.gate import Denial, Gate, Principal, Visitor
from bigchaindb.access.scopes import Scopes
from bigchaindb.store import NodeDb
from tests.support.made_secrets import remember

READ = Scopes(("read",))


@pytest.fixture
def book(tmp_path: Path) -> Iterator[KeyBook]:
    with closing(NodeDb(tmp_path / "node.db")) as db:
        yield KeyBook(db, 10)


def visitor(key: str | None, *, is_exposed: bool = False) -> Visitor:
    return Visitor(key, "192.0.2.7", "/", is_exposed, {})


def test_a_key_in_clear_from_another_machine_is_refused_and_listed(book: KeyBook) -> None:
    """Whoever listens on the way has the key: the operator must learn of it, and the client must notice."""
    made, text = book.new("billing", READ, None, time())
    gate = Gate(LOCAL, book)
    denied = gate.admit(visitor(remember(text), is_exposed=True))
    assert isinstance(denied, Denial)
    assert (denied.status, gate.refused[403]) == (403, 1)
    assert denied.text.startswith(f"the access key {made.id} (billing) came in clear from another machine: revoke it")
    book.write_uses()
    assert book.keys[made.id].exposed is not None


def test_it_is_taken_where_a_proxy_ends_tls(book: KeyBook) -> None:
    made, text = book.new("billing", READ, None, time())
    admitted = Gate(LOCAL, book, ended_by_proxy=True).admit(visitor(remember(text), is_exposed=True), "read")
    assert admitted == Principal(made.id, "billing", READ)
    book.write_uses()
    assert book.keys[made.id].exposed is None


def test_a_use_is_noted_once_a_day(book: KeyBook) -> None:
    """A key of a busy application must not cost a write each minute."""
    _, text = book.new("billing", READ, None, time())
    gate = Gate(LOCAL, book)
    gate.admit(visitor(remember(text)))
    assert len(book._unwritten) == 1
    book.write_uses()
    gate.admit(visitor(text))
    assert not book._unwritten


def test_a_wrong_key_in_clear_lists_none(book: KeyBook) -> None:
    made, text = book.new("billing", READ, None, time())
    denied = Gate(LOCAL, book).admit(visitor(remember(text)[:-1], is_exposed=True))
    assert isinstance(denied, Denial)
    assert denied.status == 401
    book.write_uses()
    assert book.keys[made.id] == made


def test_without_keys_every_key_is_unknown() -> None:
    denied = Gate(LOCAL).admit(visitor("bdb_x"))
    assert isinstance(denied, Denial)
    assert denied.status == 401


async def test_a_watch_that_comes_too_late_ends_at_once(book: KeyBook) -> None:
    """A key may be revoked between the answer to an upgrade and the first event."""
    made, _ = book.new("a name that is longer than a close frame may be " * 2, READ, None, time())
    gate, ends = Gate(LOCAL, book), list[tuple[int, str]]()
    principal = Principal(made.id, made.name, READ)
    gate.watch(principal, lambda *end: ends.append(end))()
    book.revoke(made.id, time())
    gate.watch(principal, lambda *end: ends.append(end))()
    [(code, reason)] = ends
    assert code == 1008
    assert len(reason.encode()) <= 123
    gate.watch(Principal("gone", "x", READ), lambda *end: ends.append(end))
    assert ends[1] == (1008, "this node no longer knows the access key gone")


async def test_an_expiry_that_comes_nearer_is_noticed(book: KeyBook) -> None:
    """A rotation ends the former key sooner than its streams knew."""
    made, _ = book.new("billing", READ, None, time())
    gate, ended = Gate(LOCAL, book), asyncio.get_running_loop().create_future()
    gate.watch(Principal(made.id, made.name, READ), lambda *end: ended.set_result(end))
    book.rotate(made.id, 0.1, time())
    gate.change()
    assert (await asyncio.wait_for(ended, 60))[0] == 4401


def test_one_of_several_scopes_suffices(book: KeyBook) -> None:
    """A subscription's orders are for whoever operates the node, and for whoever consumes it."""
    for text, may in (("operate", True), ("subscribe:bill*", True), ("subscribe:other", False), ("read", False)):
        _, shown = book.new("test", Scopes.parse(text, "scopes"), None, time())
        found = Gate(LOCAL, book).admit(visitor(remember(shown)), "subscribe:billing", "operate")
        assert isinstance(found, Principal) is may, text
        if isinstance(found, Denial):
            assert found.text.startswith("needs the scope subscribe:billing or operate; ")
