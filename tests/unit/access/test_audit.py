"""The audit log tells who was refused what."""

import logging

import pytest

from bigchaindb.access.audit import LINES_A_SECOND, PATH_CHARACTERS_MAX, Audit, ordered
from bigchaindb.log_lines import Formatter
from tests.support.raw import until

CALL = {"method": "POST", "address": "192.0.2.7"}


def fields(record: logging.LogRecord) -> str:
    return Formatter("%H").format(record).partition("  ")[2]


async def test_a_refusal_is_one_line_without_its_query(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "bigchaindb.access")
    Audit().refuse(403, "key:k3fA9xx", "write", target="/api/v1/transactions?key=secret", **CALL)
    assert [record.message for record in caplog.records] == ["refused"]
    assert fields(caplog.records[0]) == (
        "logger=bigchaindb.access status=403 who=key:k3fA9xx scope=write method=POST path=/api/v1/transactions "
        "address=192.0.2.7"
    )


async def test_a_flood_becomes_one_line_a_second(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "bigchaindb.access")
    audit = Audit()
    for number in range(LINES_A_SECOND + 50):
        audit.refuse(401 if number % 2 else 429, "anonymous", None, target=f"/{9_999 * 'x'}", **CALL)
    assert len(caplog.records) == LINES_A_SECOND
    assert all(len(fields(record)) < PATH_CHARACTERS_MAX + 200 for record in caplog.records)
    await until(lambda: len(caplog.records) > LINES_A_SECOND, "the line that counts the rest")
    assert caplog.records[-1].message == "refused: 50 more"
    assert "counts=\"{'401': 25, '429': 25}\"" in fields(caplog.records[-1])


def test_an_order_is_a_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "bigchaindb.access")
    ordered("control", "pause", plugin="audit")
    assert fields(caplog.records[0]) == "logger=bigchaindb.access who=control order=pause plugin=audit"
