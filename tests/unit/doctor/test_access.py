"""What `doctor` finds about who may do what."""

import time
from contextlib import closing
from pathlib import Path

import pytest

from bigchaindb.access.book import KeyBook
from bigchaindb.access.scopes import Scopes
from bigchaindb.config import Access, Server, Settings
from bigchaindb.config.access import RateSettings, ScopeRates
from bigchaindb.config.settings import Metrics
from bigchaindb.doctor.access import examine_access
from bigchaindb.doctor.finding import Finding
from bigchaindb.store import NodeDb
from bigchaindb.store.directory import DataDirectory

DAY_S = 86_400
OPEN = Server(bind="0.0.0.0:9984")
RATES = RateSettings(anonymous=ScopeRates(write=(20, 100)))


def found(settings: Settings, folder: Path) -> list[Finding]:
    return [one for one in examine_access(settings, DataDirectory(folder)) if one.status != "ok"]


@pytest.mark.parametrize(
    ("settings", "statuses"),
    [
        (Settings(), []),
        (Settings(server=OPEN), ["fix", "note"]),
        (Settings(access=Access(proxies=("127.0.0.1",))), ["fix", "note"]),
        (Settings(access=Access(proxies=("127.0.0.1",), anonymous="read", rates=RATES)), []),
        (Settings(server=OPEN, access=Access(anonymous="read write")), ["note", "note"]),
        (Settings(server=OPEN, access=Access(anonymous="read", rates=RATES)), []),
        (Settings(metrics=Metrics(bind="0.0.0.0:9100")), ["note"]),
        (Settings(metrics=Metrics(bind="0.0.0.0:9100", access=True)), []),
        (Settings(metrics=Metrics(bind="localhost:9100")), []),
    ],
)
def test_what_is_open_to_other_machines_is_told(settings: Settings, statuses: list[str], tmp_path: Path) -> None:
    assert [one.status for one in found(settings, tmp_path)] == statuses


def test_an_open_door_is_told_with_what_closes_it(tmp_path: Path) -> None:
    assert found(Settings(server=OPEN, access=Access(rates=RATES)), tmp_path) == [
        Finding("access", "fix", "everybody who reaches 0.0.0.0:9984 can write", "bigchaindb access key new closes it")
    ]


def test_a_door_that_somebody_left_open_is_told_with_the_setting(tmp_path: Path) -> None:
    """The first key closes it only where nobody has decided."""
    assert found(Settings(server=OPEN, access=Access(anonymous="write", rates=RATES)), tmp_path) == [
        Finding(
            "access",
            "note",
            "everybody who reaches 0.0.0.0:9984 can write, as access.anonymous says",
            "set it to none if that is not meant",
        )
    ]


def test_keys_that_want_a_person_are_told(tmp_path: Path) -> None:
    now_s = time.time()
    read, both = Scopes(("read",)), Scopes(("write", "operate"))
    with closing(NodeDb(tmp_path / "node.db")) as node:
        book = KeyBook(node, 20)
        book.new("good", read, int(now_s) + DAY_S, now_s)
        exposed, _ = book.new("exposed", read, None, now_s)
        book.note_use(exposed, now_s, is_exposed=True)
        old, _ = book.new("old", read, None, now_s - 400 * DAY_S)
        book.note_use(old, now_s, is_exposed=False)
        book.new("unused", read, int(now_s) + DAY_S, now_s - 100 * DAY_S)
        book.new("both", both, None, now_s)
        over, _ = book.new("over", both, None, now_s - 400 * DAY_S)
        book.revoke(over.id, now_s)
        book.write_uses()
    told = [(one.status, one.text.partition("(")[2]) for one in found(Settings(), tmp_path)]
    assert sorted((status, text.partition(")")[0], text.partition(") ")[2].split()[0]) for status, text in told) == [
        ("fix", "exposed", "came"),
        ("note", "both", "may"),
        ("note", "old", "has"),
        ("note", "unused", "has"),
    ]


def test_a_node_db_that_cannot_be_read_is_the_matter_of_others(tmp_path: Path) -> None:
    (tmp_path / "node.db").write_bytes(b"nonsense" * 1_000)
    assert found(Settings(), tmp_path) == []
