"""`bigchaindb access reload` takes what can be taken, and tells the rest."""

from pathlib import Path

from bigchaindb.access.exposure import OPEN
from bigchaindb.access.gate import Denial, Gate, Visitor
from bigchaindb.access.renewing import Renewing
from bigchaindb.access.writers import Writers
from bigchaindb.config import Access, Settings, Tls
from bigchaindb.config.access import RateSettings, ScopeRates
from bigchaindb.config.settings import Metrics
from tests.support.chains import ALICE, BOB

VISITOR = Visitor(None, "192.0.2.7", "/", False, {}, "GET")  # noqa: FBT003


async def test_rates_hold_at_once() -> None:
    gate = Gate(OPEN)
    renewing = Renewing(Settings(), gate, None)
    assert await renewing(Settings(access=Access(rates=RateSettings(anonymous=ScopeRates(read=(0.1, 1)))))) == []
    found = [gate.admit(VISITOR, "read") for _ in range(2)]
    assert [isinstance(one, Denial) for one in found] == [False, True]
    await renewing(Settings())
    assert not isinstance(gate.admit(VISITOR, "read"), Denial)


async def test_the_list_of_writers_is_read_again_or_stays(tmp_path: Path) -> None:
    path = tmp_path / "writers"
    path.write_text(f"{ALICE.public_key}\n")
    settings = Settings(access=Access(writers=path))
    renewing = Renewing(settings, Gate(OPEN), Writers(path))
    path.write_text(f"{ALICE.public_key}\n{BOB.public_key}\n")
    assert await renewing(settings) == ["access.writers: read again, keys: 2"]
    path.write_text("nonsense\n")
    [line] = await renewing(settings)
    assert line.startswith("access.writers: line 1 of")
    assert line.endswith("the former list stays in force, keys: 2")


async def test_what_takes_a_start_is_told() -> None:
    renewing = Renewing(Settings(), Gate(OPEN), None)
    tls = Tls(certificate_file=Path("crt"), private_key_file=Path("key"), ended_by_proxy=True)
    lines = await renewing(Settings(access=Access(origins=(), proxies=("::1",)), metrics=Metrics(access=True), tls=tls))
    changed = ("access.origins", "access.proxies", "tls.ended_by_proxy", "metrics.access", "tls.certificate_file")
    assert lines == [f"{path}: the change takes effect at the next start" for path in changed]
