"""How often, from which pages, and with which trace a request passes the gate."""

import logging
from typing import Any

import pytest

from bigchaindb.access.exposure import LOCAL, OPEN, anonymous
from bigchaindb.access.gate import Denial, Gate, Principal, Visitor
from bigchaindb.access.keys import make
from bigchaindb.access.origins import Origins
from bigchaindb.access.rates import FAILED, Rates
from bigchaindb.access.scopes import Scopes
from bigchaindb.config import Access, Settings
from bigchaindb.config.access import RateSettings, ScopeRates

OWN = {"host": "localhost:9984"}
REBOUND = {"host": "attacker.example:9984"}
FOREIGN = {"host": "localhost:9984", "origin": "https://attacker.example"}


def visitor(key: str | None = None, address: str = "192.0.2.7", headers: Any = None) -> Visitor:
    return Visitor(key, address, "/api/v1/transactions?secret=1", False, headers or OWN, "POST")  # noqa: FBT003


async def test_beyond_its_rate_an_address_is_told_when_to_come_again() -> None:
    settings = Access(rates=RateSettings(anonymous=ScopeRates(write=(0.5, 2))))
    gate = Gate(OPEN, rates=Rates(settings, count_max=10))
    assert [isinstance(gate.admit(visitor(), "write"), Principal) for _ in range(3)] == [True, True, False]
    denial = gate.admit(visitor(), "write")
    assert isinstance(denial, Denial)
    assert (denial.status, denial.headers) == (429, b"Retry-After: 2\r\n")
    assert "access.rates.anonymous.write" in denial.text
    assert isinstance(gate.admit(visitor(), "read"), Principal)
    assert isinstance(gate.admit(visitor(address="192.0.2.8"), "write"), Principal)
    assert gate.refused == {429: 2}


async def test_the_rate_comes_before_the_scope() -> None:
    """A flood of refused requests is a flood."""
    settings = Access(rates=RateSettings(anonymous=ScopeRates(read=(0.001, 1))))
    gate = Gate(Scopes(), rates=Rates(settings, count_max=10))
    found = [gate.admit(visitor(), "read") for _ in range(2)]
    assert [one.status for one in found if isinstance(one, Denial)] == [401, 429]


async def test_wrong_keys_have_a_rate_and_hold_up_nobody_else() -> None:
    gate = Gate(OPEN)
    wrong = [make(number.to_bytes(41, "big"))[1] for number in range(30)]
    found = [gate.admit(visitor(key), "read") for key in wrong]
    statuses = [one.status for one in found if isinstance(one, Denial)]
    assert statuses == [401] * int(FAILED.burst) + [429] * (30 - int(FAILED.burst))
    assert isinstance(gate.admit(visitor(), "read"), Principal)
    other = gate.admit(visitor(wrong[0], address="192.0.2.8"), "read")
    assert isinstance(other, Denial)
    assert other.status == 401


@pytest.mark.parametrize("headers", [REBOUND, FOREIGN])
async def test_a_foreign_page_may_at_most_read_and_write(headers: dict[str, str]) -> None:
    """On loopback rights come from the address, so that any page in a browser there could borrow them."""
    gate = Gate(LOCAL, origins=Origins())
    for scope in ("read", "write"):
        assert isinstance(gate.admit(visitor(headers=headers), scope), Principal)
    denial = gate.admit(visitor(headers=headers), "subscribe:billing")
    assert isinstance(denial, Denial)
    assert denial.status == 401
    assert "an anonymous request of a foreign page has read write" in denial.text
    assert isinstance(gate.admit(visitor(headers=OWN), "subscribe:billing"), Principal)
    gate.change(Scopes(("read", "subscribe:*")))
    assert isinstance(gate.admit(visitor(headers=headers), "write"), Denial)


async def test_a_refused_call_is_a_line_with_no_secret_in_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "bigchaindb.access")
    gate = Gate(Scopes())
    _, wrong = make(bytes(41))
    gate.admit(visitor(), "write")
    gate.admit(visitor(wrong), "write")
    gate.admit(visitor(wrong[4:]), "write")
    about = [{name: vars(one)[name] for name in ("status", "who", "scope", "path")} for one in caplog.records]
    common = {"scope": "write", "path": "/api/v1/transactions"}
    assert about == [{"status": 401, "who": who, **common} for who in ("anonymous", "unknown", "unknown")]
    assert wrong[20:] not in str([vars(one) for one in caplog.records])


def test_behind_a_proxy_nobody_counts_as_this_machine() -> None:
    """A proxy on this machine brings everybody whom it serves."""
    assert anonymous(Settings()) == LOCAL
    assert anonymous(Settings(access=Access(proxies=("127.0.0.1",)))) == OPEN
