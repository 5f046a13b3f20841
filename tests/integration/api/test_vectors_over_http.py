"""Every vector over HTTP: the valid ones are committed, each of the others is a 400 with its class and text.

Which class and text a document gets, and where that differs from the releases and why, tests/vectors/test_invalid.py
says; here the whole way is tested, with the ledger that a record wants really committed.

Source: tests/vectors/data/README.md; docs/reference/contract/http-api.md, section 4.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Final

import pytest

from bigchaindb.api.problems import answer_for
from bigchaindb.errors import ValidationError
from tests.integration.api.conftest import Start
from tests.support.raw import Wire, request, wire
from tests.vectors.judging import DOCUMENTS, Record, body_of, judge, read
from tests.vectors.test_invalid import ACCEPTED

COMMIT: Final = "/api/v1/transactions?mode=commit"
NOT_IN_THIS_LEDGER: Final = {"q-3-of-2", "q-uri-bob-details-alice"}
"""Documents that the releases took and this node refuses: what spends them finds no output here."""


def named(version: str, names: Sequence[str], done: set[str]) -> Iterator[Record]:
    """Yield the documents of `names` that are not `done`, each after those that it needs."""
    for name in names:
        if name not in done and name not in NOT_IN_THIS_LEDGER:
            done.add(name)
            record = DOCUMENTS[version][name]
            yield from named(version, record.get("ledger", []), done)
            yield record


def wanted_ledger(record: Record) -> tuple[str, ...]:
    """Return the names of what must be committed before; a block that was voted invalid has changed nothing."""
    status = record.get("ledger_status", {})
    return tuple(name for name in record.get("ledger", []) if status.get(name) != "invalid")


def grouped(version: str) -> dict[tuple[str, ...], list[Record]]:
    """Return the refused records by the ledger that they want."""
    groups: dict[tuple[str, ...], list[Record]] = {}
    for record in read(f"invalid_{version}"):
        if not is_accepted(version, record):
            groups.setdefault(wanted_ledger(record), []).append(record)
    return groups


def is_accepted(version: str, record: Record) -> bool:
    return version == "v1" and record["name"] in ACCEPTED


GROUPS: Final = [
    pytest.param(version, ledger, group, id=f"{version}-{'+'.join(ledger) or 'nothing'}")
    for version in ("v1", "v2")
    for ledger, group in grouped(version).items()
]


async def commit(opened: Wire, record: Record) -> None:
    answer = await opened.ask(request("POST", COMMIT, body_of(record)))
    assert (answer.status, answer.json()) == (202, json.loads(body_of(record))), record["name"]


@pytest.mark.parametrize(("version", "ledger", "group"), GROUPS)
async def test_an_invalid_document_is_a_400(
    start: Start, version: str, ledger: tuple[str, ...], group: Sequence[Record]
) -> None:
    served = await start()
    async with wire(served.api.port) as opened:
        for record in named(version, ledger, set()):
            await commit(opened, record)
        for record in group:
            answer = await opened.ask(request("POST", "/api/v1/transactions", body_of(record)))
            if NOT_IN_THIS_LEDGER & set(ledger):
                assert (answer.status, "(InputDoesNotExist)" in answer.json()["message"]) == (400, True), record["name"]
            else:
                assert (answer.status, answer.body) == (400, expected(version, record)), record["name"]
        assert (await opened.ask(request("GET", "/api/v1"))).status == 200  # on the same connection still


@pytest.mark.parametrize("name", ACCEPTED)
async def test_what_only_the_old_releases_refused_is_taken(start: Start, name: str) -> None:
    """The reasons stand beside the names."""
    served = await start()
    [record] = [record for record in read("invalid_v1") if record["name"] == name]
    async with wire(served.api.port) as opened:
        for parent in named("v1", wanted_ledger(record), set()):
            await commit(opened, parent)
        await commit(opened, record)


def expected(version: str, record: Record) -> bytes:
    """Return the body of the answer to the core's verdict on a document."""
    with pytest.raises(ValidationError) as caught:
        judge(version, record)
    return answer_for(caught.value).body


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("turn", [0, 1, 2])
async def test_valid_documents_are_committed_and_served(start: Start, version: str, turn: int) -> None:
    """Some spend the same output, or have the same id, as another: each of those gets its turn with a fresh node."""
    served = await start()
    async with wire(served.api.port) as opened:
        for record in turns(version)[turn]:
            await commit(opened, record)
            stored = await opened.ask(request("GET", f"/api/v1/transactions/{record['tx']['id']}"))
            assert (stored.status, stored.json()) == (200, record["tx"]), record["name"]


def turns(version: str) -> list[list[Record]]:
    """Divide all valid documents so that in each part none spends what another spends, and parents are in it."""
    left = [record for record in read(f"valid_{version}") if record["tx"]["operation"] != "GENESIS"]
    parts: list[list[Record]] = []
    while left:
        part: list[Record] = []
        for record in left:
            added = list(named(version, [record["name"]], {other["name"] for other in part}))
            if not clash([*part, *added]):
                part += added
        parts.append(part)
        left = [record for record in left if record not in part]
    return parts + (3 - len(parts)) * [[]]


def clash(records: Sequence[Record]) -> bool:
    """Whether two of the documents have one id or spend one output."""
    claims = [record["tx"]["id"] for record in records]
    claims += [json.dumps(i["fulfills"]) for record in records for i in record["tx"]["inputs"] if i["fulfills"]]
    return len(set(claims)) < len(claims)


def test_no_document_is_left_out() -> None:
    for version, count in (("v1", 61), ("v2", 79)):
        names = {record["name"] for part in turns(version) for record in part}
        genesis = {record["name"] for record in read(f"valid_{version}") if record["tx"]["operation"] == "GENESIS"}
        assert len(names | genesis) == count
        assert len(turns(version)) == 3


async def test_a_genesis_is_refused_though_the_document_is_valid(start: Start) -> None:
    """Source: transactions.md, section 7."""
    served = await start()
    [record] = [record for record in read("valid_v1") if record["tx"]["operation"] == "GENESIS"]
    async with wire(served.api.port) as opened:
        answer = await opened.ask(request("POST", COMMIT, body_of(record)))
    text = "Invalid transaction (GenesisBlockAlreadyExistsError): Duplicate GENESIS transaction"
    assert answer.json() == {"message": text, "status": 400}
