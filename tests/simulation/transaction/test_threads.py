"""Documents of a node's first moments: several threads may meet a kind of transaction for the first time at once."""

import subprocess
import sys
from typing import Final

import pytest

from bigchaindb.transaction.build import Payment, Spend, create, transfer
from bigchaindb.transaction.conditions import details_of
from bigchaindb.transaction.model import OutputRef
from tests.support.chains import ALICE
from tests.support.elections import election, vote

CREATED: Final = create([ALICE])
ELECTION: Final = election()
OWNED: Final = details_of([ALICE.public_key])
KINDS: Final = {
    "CREATE": CREATED.body,
    "TRANSFER": transfer(CREATED.id, [Spend(OutputRef(CREATED.id, 0), OWNED, (ALICE,))], [Payment(OWNED)]).body,
    "VALIDATOR_ELECTION": ELECTION.body,
    "VOTE": vote(ELECTION, ALICE).body,
}
PARSE: Final = """
import sys, threading
from bigchaindb.transaction import parse

def work():
    together.wait()
    parse(body, elections=True)

body = sys.stdin.buffer.read()
sys.setswitchinterval(1e-6)
together = threading.Barrier(8)
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""
"""Without what `shape` prepares, native code ends this process nearly every time."""


@pytest.mark.parametrize("operation", KINDS)
def test_a_kind_is_met_by_several_threads_at_once(operation: str) -> None:
    process = subprocess.run([sys.executable, "-c", PARSE], input=KINDS[operation], capture_output=True, check=False)
    assert (process.returncode, process.stderr) == (0, b"")
