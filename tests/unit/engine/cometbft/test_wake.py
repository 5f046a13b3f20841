"""The wake transaction of a network: as long as it is needed, once, and nobody else's."""

from collections.abc import Callable

import pytest

from bigchaindb.engine.cometbft import wake as wake_module
from bigchaindb.engine.cometbft.wake import Wake
from bigchaindb.ledger.rejections import WAKE_MARK


class Woken:
    """A node, played by the test: what its pool holds, and what it sends to CometBFT."""

    def __init__(self, *, is_sole: bool = True) -> None:
        self.pool = list[str]()
        self.sent = list[bytes]()
        self.is_sole = is_sole
        self.has_fresh = False
        self.wake = Wake(
            self.sent.append, pool=self.pool, has_fresh=lambda: self.has_fresh, is_sole=lambda: self.is_sole
        )


async def test_a_sole_validator_wakes_its_chain_once_for_all_that_comes() -> None:
    node = Woken()
    node.pool.append("first")
    assert node.wake.for_pool()
    node.pool.append("second")
    assert node.wake.for_pool()
    [sent] = node.sent
    assert sent.startswith(WAKE_MARK)
    assert node.wake.holds(sent)
    node.pool.pop(0)  # a block has taken it, and CometBFT checks again
    assert node.wake.holds(sent)
    node.pool.clear()
    assert not node.wake.holds(sent), "the chain would go on for ever"
    node.pool.append("third")
    assert not node.wake.holds(sent), "it has left the mempool"
    assert node.wake.for_pool()
    assert len(set(node.sent)) == 2


async def test_one_that_cometbft_does_not_ask_about_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """CometBFT has died with its mempool: what comes then must not wait for what came before."""
    node = Woken()
    node.pool.append("first")
    node.wake.for_pool()
    monkeypatch.setattr(wake_module, "LOST_S", -1.0)
    node.wake.for_pool()
    lost, sent = node.sent
    assert not node.wake.holds(lost)
    assert node.wake.holds(sent)


async def test_among_others_a_transaction_travels_as_ever() -> None:
    node = Woken(is_sole=False)
    node.pool.append("first")
    assert not node.wake.for_pool()
    assert node.sent == []


def _joined(node: Woken) -> None:
    node.is_sole = False


def _emptied(node: Woken) -> None:
    node.pool.clear()


@pytest.mark.parametrize("change", [_joined, _emptied])
async def test_a_fresh_rejection_needs_it_whoever_votes(change: Callable[[Woken], None]) -> None:
    node = Woken()
    node.pool.append("first")
    change(node)
    node.wake.for_rejections()
    assert node.sent == []
    node.has_fresh = True
    node.wake.for_rejections()
    [sent] = node.sent
    assert node.wake.holds(sent)
    assert not node.wake.holds(WAKE_MARK + b"of another")
    node.has_fresh = False
    assert not node.wake.holds(sent)
