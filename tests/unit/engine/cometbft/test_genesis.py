"""The genesis: the same bytes on every node, and nothing that one node would read otherwise than another."""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.engine.cometbft.genesis import (
    GENESIS_BYTES_MAX,
    HEIGHT_MAX,
    POWER_MAX,
    GenesisValidator,
    NetworkGenesis,
    genesis_hash,
)
from bigchaindb.engine.cometbft.rules_version import CHANGES, RULES_VERSION
from bigchaindb.errors import StartupError
from bigchaindb.ledger.rejections import BODY_COUNT_MAX
from bigchaindb.transaction.reading import VALUE_COUNT_MAX

ONE = GenesisValidator(bytes([1]) * 32, 10, "one")
TWO = GenesisValidator(bytes([2]) * 32, 5, "zwei ä")
GENESIS = NetworkGenesis("test-1", "2026-01-31T12:00:00Z", 8, bytes([7]) * 32, (ONE, TWO), 3)

validators = st.lists(
    st.builds(
        GenesisValidator,
        st.binary(min_size=32, max_size=32),
        st.integers(1, POWER_MAX),
        st.text(max_size=100).filter(lambda text: text == "" or text.isprintable()),
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda one: one.key,
)


@given(validators, st.integers(1, HEIGHT_MAX), st.binary(min_size=32, max_size=32), st.integers(0, 9))
def test_what_is_written_is_read_again(who: Any, height: int, app_hash: bytes, rules: int) -> None:
    genesis = replace(GENESIS, validators=tuple(who), initial_height=height, app_hash=app_hash, rules_version=rules)
    assert NetworkGenesis.parse(genesis.encode(), rules_version=rules) == genesis
    assert genesis.validator_set.total == sum(one.power for one in who)


def test_the_genesis_time_is_a_moment_of_the_clock() -> None:
    assert GENESIS.begin_s == 1_769_860_800


def test_the_hash_is_that_of_the_bytes() -> None:
    """People compare it with `sha256sum genesis.json`."""
    assert genesis_hash(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def edited(change: Callable[[Any], object]) -> bytes:
    document = json.loads(GENESIS.encode())
    change(document)
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda d: d.update(chain_id="a.b"), "genesis: chain_id: must be 1 to 50 letters"),
        (lambda d: d.update(chain_id="a" * 51), "genesis: chain_id: must be 1 to 50 letters"),
        (lambda d: d.update(genesis_time="yesterday"), "genesis: genesis_time: must be a time such as"),
        (lambda d: d.update(genesis_time="1969-12-31T23:59:59Z"), "genesis: genesis_time: must be a time such as"),
        (lambda d: d.update(genesis_time="2026-02-30T00:00:00Z"), "genesis: genesis_time: must be a time such as"),
        (lambda d: d.update(initial_height="0"), "genesis: initial_height: must be above 0"),
        (lambda d: d.update(initial_height=1), r"initial_height"),
        (lambda d: d.update(initial_height="+1"), "genesis: initial_height: must be a whole number as text"),
        (lambda d: d.update(app_hash=""), "genesis: app_hash: must be 64 upper-case hex digits"),
        (lambda d: d.update(app_state={}), "app_state"),
        (lambda d: d.pop("validators"), "validators"),
        (lambda d: d.update(validators=[]), "genesis: validators: must be 1 to 1000, found 0"),
        (lambda d: d.update(validators=[d["validators"][0]] * 2), "genesis: validators: a key is named twice"),
        (lambda d: d["validators"][1].update(power="0"), r"genesis: validators\[1\]\.power: must be 1 to"),
        (lambda d: d["validators"][1].update(power="-1"), r"genesis: validators\[1\]\.power: must be a whole"),
        (lambda d: d["validators"][1].update(address="00"), r"validators\[1\]\.address: must be that of its key"),
        (lambda d: d["validators"][1].update(name="\n"), r"validators\[1\]\.name: must be at most 100 printable"),
        (lambda d: d["validators"][1]["pub_key"].update(type="secp"), r"validators\[1\]\.pub_key: must be"),
        (lambda d: d["validators"][1]["pub_key"].update(value="A"), r"validators\[1\]\.pub_key\.value: "),
        (lambda d: d["validators"][1]["pub_key"].update(value="AA=="), r"validators\[1\]\.pub_key: must be 32 bytes"),
        *(
            (
                lambda d, app=app: d["consensus_params"].update(version={"app": app}),
                r'genesis: consensus_params\.version\.app: must be "3", found ',
            )
            for app in (4, None, "+4", "four")
        ),
        (lambda d: d["consensus_params"].update(version="4"), r"genesis: consensus_params\.version: must be "),
        (
            lambda d: d["consensus_params"]["abci"].clear(),
            r"consensus_params\.abci\.vote_extensions_enable_height: must be \"1\", found null",
        ),
        (lambda d: d["consensus_params"].update(more=1), r"consensus_params\.more: must not be there, found 1"),
    ],
)
def test_what_is_wrong_is_named(change: Callable[[Any], object], complaint: str) -> None:
    with pytest.raises(StartupError, match=complaint):
        NetworkGenesis.parse(edited(change), rules_version=3)


def test_a_network_of_other_rules_is_told_by_both_numbers_and_what_lies_between() -> None:
    """With what to do: neither program can follow the other's network."""
    old, new = replace(GENESIS, rules_version=1), replace(GENESIS, rules_version=9)
    with pytest.raises(StartupError) as of_older:
        NetworkGenesis.parse(old.encode(), rules_version=2)
    assert str(of_older.value) == (
        "genesis: its network has rules 1, and this program has rules 2 (2: a document has at most 16384 values). All "
        "nodes of a network have the same rules: run the release that has rules 1, or begin a network anew with this "
        "one"
    )
    with pytest.raises(
        StartupError, match=r"has rules 9, and this program has rules 8 \(what changed is in the CHANGELOG"
    ):
        NetworkGenesis.parse(new.encode(), rules_version=8)


def test_each_raise_of_the_rules_says_what_changed() -> None:
    assert [*CHANGES] == [*range(2, RULES_VERSION + 1)]
    assert f"at most {VALUE_COUNT_MAX} values" in CHANGES[2]
    assert f"more than {BODY_COUNT_MAX} transactions" in CHANGES[3]


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b" " * (GENESIS_BYTES_MAX + 1), b"[" * 100_000])
def test_what_is_no_genesis_is_refused(content: bytes) -> None:
    with pytest.raises(StartupError, match="genesis: "):
        NetworkGenesis.parse(content, rules_version=3)


def test_numbers_are_text_and_keys_base64_as_cometbft_has_them() -> None:
    document = json.loads(GENESIS.encode())
    assert (document["initial_height"], document["app_hash"]) == ("8", "07" * 32)
    assert document["validators"][0]["pub_key"]["value"] == base64.b64encode(ONE.key).decode()
    assert document["validators"][0]["power"] == "10"
