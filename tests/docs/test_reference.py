"""The reference is complete: what users meet has a line that says what it is."""

import inspect
import re
from pathlib import Path
from typing import Final

import msgspec
import pytest

from bigchaindb import errors
from bigchaindb.delivery import Options
from bigchaindb.doctor.examine import SQLITE_MIN
from bigchaindb.engine.cometbft.binary import VERSION as COMETBFT_VERSION
from bigchaindb.engine.cometbft.files import MEMPOOL_BYTES_FACTOR, MEMPOOL_FACTOR, POOL_FACTOR
from bigchaindb.engine.cometbft.genesis import BLOCK_BYTES_MAX
from bigchaindb.engine.cometbft.mempool import ORPHAN_BYTES_MAX, ORPHAN_COUNT_MAX
from bigchaindb.engine.cometbft.overview import Overview, PeerLine
from bigchaindb.engine.cometbft.rules_version import RULES_VERSION
from bigchaindb.engine.cometbft.submitter import BATCH_COUNT_MAX
from bigchaindb.engine.engine import Misbehavior, ValidatorFigures
from bigchaindb.eventlog.lane import Stage, State
from bigchaindb.eventlog.parking import STAGES
from bigchaindb.eventlog.transitions import TRANSITIONS
from bigchaindb.ledger.network import OPEN_COUNT_MAX
from bigchaindb.ledger.network_ledger import FRESH_HEIGHTS
from bigchaindb.ledger.rejections import (
    BLOCK_COUNT_MAX,
    BODY_BYTES_MAX,
    BODY_COUNT_MAX,
    CARRY_HEIGHTS,
    EXTENSION_BYTES_MAX,
    EXTENSION_COUNT_MAX,
)
from bigchaindb.network_engine import TRANSACTION_BYTES_MAX
from bigchaindb.sinks.amqp import AmqpOptions
from bigchaindb.sinks.file import FileOptions
from bigchaindb.sinks.kafka_options import KafkaOptions
from bigchaindb.sinks.mqtt import MqttOptions
from bigchaindb.sinks.nats_options import NatsOptions
from bigchaindb.sinks.postgres import PostgresOptions
from bigchaindb.sinks.redis import RedisOptions
from bigchaindb.sinks.sqlite import SqliteOptions
from bigchaindb.sinks.webhook import WebhookOptions
from bigchaindb.store.migrations import LEDGER_VERSION, NODE_STEPS

ROOT: Final = Path(__file__).parents[2]
MIB: Final = 1024 * 1024
ERRORS: Final = [name for name, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, Exception)]


@pytest.mark.parametrize("name", ERRORS)
def test_each_error_is_explained(name: str) -> None:
    assert name in (ROOT / "docs/reference/errors.md").read_text()


@pytest.mark.parametrize("name", ERRORS)
def test_the_tree_at_the_top_of_the_module_is_whole(name: str) -> None:
    assert name in str(errors.__doc__)


def test_each_label_in_the_code_is_explained() -> None:
    """A label such as P8 or L1 sends its reader to the page of promises."""
    explained = (ROOT / "docs/reference/promises.md").read_text()
    used = {
        label
        for module in (ROOT / "bigchaindb").rglob("*.py")
        for label in re.findall(r"\b[PLEN]\d{1,2}\b|\bS1\b", module.read_text())
    }
    assert used
    assert not [label for label in sorted(used) if not re.search(rf"\b{label}\b", explained)]


def test_each_promise_has_a_test_that_is_named_after_it() -> None:
    promised = re.findall(r"^\| (P\d+) \|", (ROOT / "docs/reference/promises.md").read_text(), re.MULTILINE)
    assert len(promised) == 21
    tests = "\n".join(module.read_text() for module in (ROOT / "tests").rglob("test_*.py"))
    named = {number for numbers in re.findall(r"def test((?:_p\d+)+)_", tests) for number in numbers.split("_")[1:]}
    assert not {promise.lower() for promise in promised} - named


def test_the_constants_of_a_network_are_those_of_the_code() -> None:
    """They are no settings, so the reference does not list them; nodes that differ in one of them disagree."""
    page = (ROOT / "docs/explanation/network.md").read_text()
    rows = dict(re.findall(r"^\| (.+?) \| ([\d,KMiB ]+) \| .+ \|$", page, re.MULTILINE))
    assert rows == {
        "transactions of clients in a block": f"{BLOCK_COUNT_MAX:,}",
        "bytes of a block, of a transaction": f"{BLOCK_BYTES_MAX // MIB} MiB, {TRANSACTION_BYTES_MAX // MIB} MiB",
        "rejections in a vote, its bytes": f"{EXTENSION_COUNT_MAX}, {EXTENSION_BYTES_MAX // 1024} KiB",
        "heights for which a rejection is repeated": f"{CARRY_HEIGHTS}",
        "undecided rejections on the chain": f"{OPEN_COUNT_MAX}",
        "transactions of a rejected proposal that are carried": f"{BODY_COUNT_MAX:,}, {BODY_BYTES_MAX // MIB} MiB",
        "heights for which a rejection wakes the chain": f"{FRESH_HEIGHTS}",
        "transactions that a node submits in one bundle, their bytes": (
            f"{BATCH_COUNT_MAX}, {TRANSACTION_BYTES_MAX // MIB} MiB"
        ),
        "transactions held without their parents, their bytes": f"{ORPHAN_COUNT_MAX:,}, {ORPHAN_BYTES_MAX // MIB} MiB",
        "pool, as a multiple of `limits.pool_*`": f"{POOL_FACTOR}",
        "CometBFT's mempool, as multiples of the pool: count, bytes": f"{MEMPOOL_FACTOR}, {MEMPOOL_BYTES_FACTOR}",
    }


def test_the_tests_that_promises_of_a_network_name_are_there() -> None:
    page = (ROOT / "docs/reference/promises.md").read_text()
    promises = re.findall(r"^\| N\d+ \|.*\|(.*)\|$", page, re.MULTILINE)
    assert promises
    for shown_by in promises:
        named = re.findall(r"`(.+?)`", shown_by)
        assert named, shown_by
        assert not [name for name in named if not (ROOT / "tests" / name).exists()]


def test_the_page_of_lane_states_is_the_table_in_the_code() -> None:
    """Whoever reads STARTING in `plugins list` finds what it means and what ends it."""
    tables = [*TRANSITIONS.items(), *STAGES.items()]
    rows = [f"| {state} | {fact.__name__} | {follows} |" for (state, fact), follows in tables]
    page = (ROOT / "docs/reference/lane-states.md").read_text()
    assert re.findall(r"^\| [A-Z_]+ \| [A-Z][A-Za-z]+ \| [A-Z_]+ \|$", page, re.MULTILINE) == rows, "\n".join(rows)
    assert not [state for state in (*State, *Stage) if f"| `{state}` |" not in page]
    assert not [fact.__name__ for _, fact in (*TRANSITIONS, *STAGES) if f"| `{fact.__name__}` |" not in page]


@pytest.mark.parametrize("shape", [Overview, PeerLine, ValidatorFigures, Misbehavior])
def test_each_member_of_network_status_is_explained(shape: type[msgspec.Struct]) -> None:
    """Scripts read `network status --json`: what it prints is documented, and stays."""
    page = (ROOT / "docs/reference/command-line.md").read_text()
    part = page.partition("### `bigchaindb network status`")[2].partition("## Key pairs")[0]
    shown = {field.encode_name for field in msgspec.structs.fields(shape)} - {"indirect"}  # is not printed
    assert not shown - set(re.findall(r"`(\w+)`", part))


@pytest.mark.parametrize(
    ("page", "options"),
    [
        ("pass-events-to-amqp", AmqpOptions),
        ("pass-events-to-a-file", FileOptions),
        ("pass-events-to-kafka", KafkaOptions),
        ("pass-events-to-mqtt", MqttOptions),
        ("pass-events-to-nats", NatsOptions),
        ("pass-events-to-postgresql", PostgresOptions),
        ("pass-events-to-redis", RedisOptions),
        ("query-with-sql", SqliteOptions),
        ("pass-events-to-a-webhook", WebhookOptions),
    ],
)
def test_each_option_of_a_sink_is_explained(page: str, options: type[Options]) -> None:
    rows = re.findall(r"^\| (`.*?) \|", (ROOT / f"docs/how-to/{page}.md").read_text(), re.MULTILINE)
    explained = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert not {field.encode_name for field in msgspec.structs.fields(options)} - explained


def test_each_cell_of_the_table_of_guarantees_leads_to_a_test() -> None:
    """A guarantee without a test is a hope; that the linked tests exist is tested with all links."""
    page = (ROOT / "docs/reference/guarantees.md").read_text()
    rows = re.findall(r"^\| (?!\|)(.+) \|$", page.partition("## ")[0], re.MULTILINE)
    cells = [(row.split(" | ")[0], cell) for row in rows for cell in row.split(" | ")[1:]]
    assert len(cells) == 8 * 5
    assert not [cell for cell in cells if not re.search(r"\]\(\.\./\.\./tests/\S+\.py#test_\w+\)", cell[1])]


def test_the_page_of_versions_has_the_numbers_of_the_code() -> None:
    page = (ROOT / "docs/reference/versions.md").read_text()
    rows = dict(re.findall(r"^\| ([^|]+?) \| ([\d.]+) \| [^|]+ \|$", page, re.MULTILINE))
    assert rows == {
        "`ledger.db`": str(LEDGER_VERSION),
        "`node.db`": str(max(NODE_STEPS) + 1),
        "rules of a network": str(RULES_VERSION),
        "CometBFT": COMETBFT_VERSION,
    }
    assert f"older than {'.'.join(map(str, SQLITE_MIN[:2]))} is refused" in page
