"""A validator whose disk has flipped a bit: it votes no more, serves reads, and the network goes on."""

import re
from pathlib import Path

from tests.support.chains import create
from tests.support.flips import Column, flip
from tests.support.live_networks import running_network
from tests.support.members import Member
from tests.support.waiting import until


def test_a_validator_with_damage_ends_its_cometbft_and_serves_reads(tmp_path: Path) -> None:
    """A vote must never rest on what the node cannot read."""
    with running_network(tmp_path, 4) as network:
        damaged = network[3]
        first, second = create(1), create(2)
        network[0].commit(first)
        network[0].commit(second)
        network.until_same_tip()
        assert network[0].run("check").returncode == 0, "blocks that a network decided are whole"
        flip(damaged.data / "ledger.db", Column("transactions", "body"), at=0.0)

        assert damaged.get(f"transactions/{first.id}").status == 500
        until(lambda: not _votes(damaged), what="CometBFT to be ended")
        assert damaged.get(f"transactions/{second.id}").status == 200
        network[0].commit(create(3))
        assert damaged.post(create(4).body).status == 503
        shown = damaged.run("network", "status")
        assert re.search(r"DAMAGED +ledger\.db: transactions 1 ", shown.stdout), shown
        assert damaged.run("check").returncode == 3

        assert damaged.stop() == 0
        damaged.launch()
        until(damaged.answers, what="the node to serve again")
        assert damaged.get(f"transactions/{second.id}").status == 200
        assert not _votes(damaged), "a restart makes no disk whole"
        network[0].commit(create(5))


def _votes(member: Member) -> bool:
    return member.cometbft_pid() is not None
