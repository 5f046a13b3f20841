"""Any text may be a value; any text but three kinds may be a key; what is refused is refused in known words.

Source: docs/reference/contract/driver-expectations.md, section 3, check 12; http-api.md, section 4; transactions.md,
section 5.
"""

import json
import re
from typing import Final

import pytest

from tests.support.clients import Client, Document, RefusedError
from tests.support.naughty_strings import JAVASCRIPT_HASHES_OTHERWISE, JAVASCRIPT_LOSES_AS_KEYS, NAUGHTY, may_be_a_key
from tests.support.node import Node

REFUSED_KEY: Final = re.compile(
    r'\s*\{\s*"message":\s*"Invalid transaction \(ValidationError\):\s*Invalid key name.*'
    r'The key name cannot contain characters.*",\s*"status":\s*400\s*\}\s*'
)
"""The form that the published acceptance test matches: these two members, in this order, the message in one line."""

kinds = pytest.mark.parametrize("texts", NAUGHTY.values(), ids=NAUGHTY)


def hashes_as_the_network_does(client: Client, text: str) -> bool:
    return client.name.startswith("python") or not JAVASCRIPT_HASHES_OTHERWISE & set(text)


def signs_key(client: Client, text: str) -> bool:
    return client.name.startswith("python") or text not in JAVASCRIPT_LOSES_AS_KEYS


def assert_accepted(client: Client, made: Document) -> None:
    assert client.post(made) == made
    assert client.retrieve(made["id"]) == made


def assert_refused(client: Client, made: Document, *, body: re.Pattern[str]) -> None:
    with pytest.raises(RefusedError) as refused:
        client.post(made)
    assert refused.value.status == 400
    assert not client.reads_error_bodies or body.fullmatch(refused.value.text), refused.value.text


@kinds
def test_12_any_text_is_a_value(client: Client, texts: list[str]) -> None:
    owner = client.keys()
    for text in texts:
        made = client.create(owner, data={"text": text, "list": [text]}, metadata={"text": text})
        if hashes_as_the_network_does(client, text):
            assert_accepted(client, made)
        else:
            assert_refused(client, made, body=REFUSED_KEY)


@kinds
def test_12_any_text_is_a_key_but_for_dots_dollars_and_nulls(client: Client, texts: list[str]) -> None:
    owner = client.keys()
    for text in (text for text in texts if signs_key(client, text)):
        for made in (client.create(owner, data={text: text}), client.create(owner, metadata={text: text})):
            if may_be_a_key(text) and hashes_as_the_network_does(client, text):
                assert_accepted(client, made)
            else:
                assert_refused(client, made, body=REFUSED_KEY)


def test_12_a_bad_key_is_refused_in_the_form_that_clients_match(node: Node, python_client: Client) -> None:
    """The order of the two members counts: the match is made on the raw body."""
    for place in ("asset", "metadata"):
        bad = {"fine": [{"also": {"bad.key": 1}}]}
        document = {"data": bad} if place == "asset" else {"metadata": bad}
        answer = node.post(python_client.create(python_client.keys(), **document))  # type: ignore[arg-type]
        assert answer.status == 400
        assert REFUSED_KEY.fullmatch(answer.body.decode())
        assert f"in {place} object" in answer.json()["message"]


@pytest.mark.parametrize("half", ["\\ud800", "\\udfff", "\\ud83d\\u0041", "\\udc00\\ud800"])
def test_12_half_a_character_is_no_text(node: Node, python_client: Client, half: str) -> None:
    """Upstream dies of them; we answer."""
    made = json.dumps(python_client.create(python_client.keys(), data={"text": "HALF"}))
    answer = node.post(made.replace("HALF", half).encode())
    assert answer.status == 400
    assert answer.json()["message"].startswith("Failed to decode JSON object: ")
