"""The access keys of a node, over its changes and restarts."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bigchaindb.access.book import KeyBook
from bigchaindb.access.keys import AccessKey, judge
from bigchaindb.access.scopes import Scopes
from bigchaindb.errors import AccessRefused, StoreDamaged
from bigchaindb.store import NodeDb, Store
from bigchaindb.store.damages import Damages

NOW = 1_800_000_000
READ = Scopes(("read",))


@pytest.fixture
def db(tmp_path: Path) -> Iterator[NodeDb]:
    with closing(NodeDb(tmp_path / "node.db")) as opened:
        yield opened


@pytest.fixture
def book(db: NodeDb) -> KeyBook:
    return KeyBook(db, 3)


def test_a_key_is_good_at_once_and_after_a_restart(db: NodeDb, book: KeyBook) -> None:
    made, text = book.new("billing", Scopes(("read", "subscribe:a-*")), NOW + 60, NOW)
    assert judge(text, book.keys, NOW) == made
    assert KeyBook(db, 3).keys == book.keys == {made.id: made}


def test_the_text_of_a_key_is_kept_nowhere(db: NodeDb, book: KeyBook, tmp_path: Path) -> None:
    """Whoever reads a backup must not become a principal."""
    _, text = book.new("billing", READ, None, NOW)
    db.close()
    for file in tmp_path.iterdir():
        assert text[17:60].encode() not in file.read_bytes()


def test_a_revoked_key_stays_so(db: NodeDb, book: KeyBook) -> None:
    made, text = book.new("billing", READ, None, NOW)
    revoked = book.revoke(f"bdb_{made.id}", NOW + 1)
    assert book.revoke(made.id, NOW + 2) == revoked == KeyBook(db, 3).keys[made.id]
    assert "was revoked on" in str(judge(text, book.keys, NOW))


def test_a_rotated_key_is_good_beside_its_heir_for_the_overlap(book: KeyBook) -> None:
    """An application that gets its new key within a day loses no request."""
    former, text = book.new("billing", READ, NOW + 1000, NOW)
    heir, new_text = book.rotate(former.id, 10, NOW + 100)
    assert (heir.name, heir.scopes, heir.expires) == ("billing", READ, NOW + 1100)
    assert book.keys[former.id].expires == NOW + 110
    assert isinstance(judge(text, book.keys, NOW + 109), AccessKey)
    assert isinstance(judge(text, book.keys, NOW + 110), str)
    assert judge(new_text, book.keys, NOW + 110) == heir


def test_a_rotation_ends_no_key_later_and_gives_none_an_end(book: KeyBook) -> None:
    short, _ = book.new("short", READ, NOW + 5, NOW)
    book.rotate(short.id, 100, NOW)
    assert book.keys[short.id].expires == NOW + 5
    endless, _ = book.new("endless", READ, None, NOW)
    with pytest.raises(AccessRefused, match="none of them is over"):
        book.rotate(endless.id, 100, NOW)
    heir, _ = book.rotate(endless.id, 100, NOW + 6)  # the first has expired and makes room
    assert heir.expires is None
    assert short.id not in book.keys


def test_what_is_refused_is_told_with_the_way_on(book: KeyBook) -> None:
    made, _ = book.new("billing", READ, None, NOW)
    book.revoke(made.id, NOW)
    for refused, why in (
        (lambda: book.new("", READ, None, NOW), "name: must be 1 to 100 printable characters, found ''"),
        (lambda: book.new("page", READ, None, NOW), "name: 'page' is kept for keys of the node's page"),
        (lambda: book.new("a\nb", READ, None, NOW), r"name: must be 1 to 100 printable characters, found 'a\\nb'"),
        (lambda: book.new("x", READ, NOW, NOW), "expires: must be later than now, found 2027-01-15"),
        (lambda: book.revoke("nobody", NOW), "there is no access key 'nobody'; `bigchaindb access key list` lists"),
        (lambda: book.rotate(made.id, 10, NOW), "was revoked on 2027-01-15: make another with"),
    ):
        with pytest.raises(AccessRefused, match=why):
            refused()
    assert list(book.keys) == [made.id]


def test_a_full_book_forgets_the_oldest_that_is_over(db: NodeDb, book: KeyBook) -> None:
    first, second, third = (book.new(f"n{n}", READ, None, NOW + n)[0] for n in range(3))
    with pytest.raises(AccessRefused, match=r"there are 3 access keys \(limits.access_key_count_max\)"):
        book.new("n3", READ, None, NOW)
    book.revoke(third.id, NOW)
    book.revoke(second.id, NOW)
    fourth, _ = book.new("n3", READ, None, NOW + 3)
    assert set(KeyBook(db, 3).keys) == set(book.keys) == {first.id, third.id, fourth.id}


def test_uses_are_written_later_and_together(db: NodeDb, book: KeyBook) -> None:
    used, exposed = (book.new(name, READ, None, NOW)[0] for name in ("used", "exposed"))
    book.note_use(used, NOW, is_exposed=False)
    book.note_use(exposed, NOW, is_exposed=True)
    book.note_use(exposed, NOW + 1, is_exposed=False)
    assert all(key.used_day is None for key in KeyBook(db, 3).keys.values())
    book.write_uses()
    kept = KeyBook(db, 3).keys
    assert [(kept[key.id].used_day, kept[key.id].exposed) for key in (used, exposed)] == [
        (NOW // 86_400, None),
        (NOW // 86_400, NOW),
    ]


def test_uses_that_cannot_be_written_are_written_later(db: NodeDb, book: KeyBook, tmp_path: Path) -> None:
    """That a key came in clear is known of that request alone: it must not be lost on a full disk."""
    exposed, _ = book.new("exposed", READ, None, NOW)
    book.note_use(exposed, NOW, is_exposed=True)
    with closing(sqlite3.connect(tmp_path / "node.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        book.write_uses()
    assert KeyBook(db, 3).keys[exposed.id].exposed is None
    book.write_uses()
    assert KeyBook(db, 3).keys[exposed.id].exposed == NOW


def test_a_damaged_key_is_unknown_and_noted(tmp_path: Path) -> None:
    """A flipped bit must not bring a revoked key back."""
    damages = Damages()
    with closing(NodeDb(tmp_path / "node.db", damages)) as db:
        book = KeyBook(db, 3)
        made, _ = book.new("billing", READ, None, NOW)
        whole, _ = book.new("whole", READ, None, NOW)
        book.revoke(made.id, NOW)
        with db.batch() as connection:
            connection.execute("UPDATE access_keys SET revoked = NULL WHERE id = ?", (made.id,))
        assert set(KeyBook(db, 3).keys) == {whole.id}
        assert isinstance(damages.first, StoreDamaged)


def test_keys_are_held_after_a_restore_until_they_are_confirmed(tmp_path: Path) -> None:
    """A revocation after the backup would otherwise be undone."""
    with closing(Store(tmp_path / "data")) as store:
        made, text = KeyBook(store.node, 3).new("billing", READ, None, NOW)
    shutil.copy(tmp_path / "data" / "node.db", tmp_path / "kept.db")
    (tmp_path / "data" / "node.db").unlink()
    with closing(Store(tmp_path / "data")) as store:  # lost
        assert KeyBook(store.node, 3).keys == {}
        store.adopt_node()
    shutil.copy(tmp_path / "kept.db", tmp_path / "data" / "node.db")
    with closing(Store(tmp_path / "data")) as store:
        store.adopt_node()
    with closing(Store(tmp_path / "data")) as store:
        book = KeyBook(store.node, 3)
        assert "is held since this node's data were restored" in str(judge(text, book.keys, NOW))
        assert (book.confirm(), book.confirm()) == (1, 0)
        assert judge(text, book.keys, NOW) == made
    with closing(Store(tmp_path / "data")) as store:
        assert judge(text, KeyBook(store.node, 3).keys, NOW) == made
