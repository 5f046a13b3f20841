"""What is said of a file that is no JSON. Source: design: what happened, why, what to do."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.config.unparsed import explain


def explained(text: str) -> str:
    try:
        json.loads(text)
    except ValueError as error:
        return explain(text.encode(), error)
    raise AssertionError(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '{"server": {"workers": 2,}}',
            ("line 1 column", '`{"server": {"workers": 2', "}}`; JSON has no comma behind"),
        ),
        ("{'server': 1}", ("line 1 column 2", "`{⟶'server': 1}`; JSON has no single quotes: write")),
        ("server:\n  bind: x\n", ("this looks like YAML", 'write it as {"server"')),
        ("# mine\nserver:\n", ("this looks like YAML",)),
        ('{\n  // mine\n  "n": 1}', ("line 2 column 3", "`⟶// mine`; JSON has no comments: delete the comment")),
        ('{"n": 1 "m": 2}', ('`{"n": 1 ⟶"m": 2}`; a comma or a bracket is missing',)),
        ('{"n": 1}}', ("the object has ended before the mark",)),
        ('{"n": x}', ('`{"n": ⟶x}`; correct it there; a file looks like {"server"',)),
        ("", ("the file is empty; write {}",)),
        (" \n", ("the file is empty; write {}",)),
        ('{"a": [1,', ("JSON has no comma behind",)),
    ],
)
def test_the_place_the_cause_and_the_cure_are_told(text: str, said: tuple[str, ...]) -> None:
    for part in said:
        assert part in explained(text)


def test_bytes_that_are_no_text_are_told() -> None:
    with pytest.raises(UnicodeDecodeError) as caught:
        json.loads(b'{"a": "\xff"}')
    assert explain(b"\xff", caught.value) == "it is not UTF-8: invalid start byte at byte 7; save it as UTF-8"


@pytest.mark.parametrize(
    "text",
    [
        '{"keypair": {"private": \'S3CRETS3CRET\'}}',
        '{"keypair":\n{"public": null, "private" "S3CRETS3CRET"}}',
        '{"private":\n  "S3CRETS3CRETS3CRETS3CRETS3CRETS3CRETS3CRET",}',
        '{"url": "amqp://me:S3CRET@host/",}',
    ],
)
def test_no_secret_is_in_it(text: str) -> None:
    assert "S3CRET" not in explained(text)


def test_what_may_be_a_key_is_masked() -> None:
    assert '`"…", ⟶1}`' in explained('{"private":\n  "S3CRETS3CRETS3CRETS3CRETS3CRETS3CRETS3CRET", 1}')


@given(st.text(), st.text(alphabet="5xKab9", min_size=43, max_size=44))
def test_no_key_is_in_it_wherever_it_stands(rest: str, key: str) -> None:
    text = f"{rest}{key}\n,}}"
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - which of json's is not the point
        json.loads(text)
    assert key not in explain(text.encode(errors="replace"), caught.value)
