"""Keys of NATS users, from the files that its tools write."""

import base64

import pytest
from nacl.signing import VerifyKey

from bigchaindb.sinks.nats_keys import UserKey
from tests.support.nats_accounts import ACCOUNT, USER, Key, new_operator


def test_a_seed_gives_its_public_key_and_signs() -> None:
    made = Key(USER)
    key = UserKey(f"{made.seed}\n")
    assert (key.public, key.token) == (made.public, None)
    verify_key = VerifyKey(base64.b32decode(key.public)[1:33])
    assert verify_key.verify(b"nonce", base64.b64decode(key.sign("nonce"))) == b"nonce"


def test_a_file_of_credentials_gives_the_token_too() -> None:
    text = new_operator().credentials
    key = UserKey(text)
    assert key.token is not None
    assert f"\n{key.token}\n" in text


@pytest.mark.parametrize(
    "text",
    ["", "-----BEGIN NATS USER JWT-----", Key(ACCOUNT).seed, Key(USER).public],
    ids=["nothing", "a head alone", "the seed of an account", "a public key"],
)
def test_a_text_without_a_users_seed_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^has no seed of a user, which begins with SU"):
        UserKey(text)


def test_a_letter_that_is_wrong_is_found_and_the_seed_not_shown() -> None:
    seed = Key(USER).seed
    wrong = seed[:20] + ("A" if seed[20] != "A" else "B") + seed[21:]
    with pytest.raises(ValueError, match=r"^has a seed with a wrong letter: its check does not fit$"):
        UserKey(wrong)
