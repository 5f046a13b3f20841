"""What must not be shown. Source: docs/reference/contract/configuration-and-cli.md, section 4; decision 0019."""

import json
from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.masking import MASK, is_secret_name, masked, masked_address, masked_text, secrets_in

SECRET = "Zq8-hunter2-Zq8"
NAMES = (
    "password",
    "secret",
    "token",
    "key",
    "private",
    "api_key",
    "clientSecret",
    "keyfile_passphrase",
    "db-password",
    "sslpassword",
    "clientsecret",
)


def test_the_mask_is_45_x() -> None:
    assert MASK == "x" * 45


@pytest.mark.parametrize("name", NAMES)
def test_secrets_are_known_by_the_last_word_of_their_name(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name", ["keypair", "public_key", "publicKey", "keyring", "keyfile", "tokens_seen", "path", ""]
)
def test_other_names_are_shown(name: str) -> None:
    assert not is_secret_name(name)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.just(SECRET),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*NAMES, "plain"]), inner, max_size=3)
        ),
    ),
    st.sampled_from(NAMES),
)
def test_no_depth_hides_a_secret(value: Any, name: str) -> None:
    shown = masked({"options": {"deep": [{name: value}]}})
    assert SECRET not in json.dumps(shown)


def test_null_stays_null_and_the_rest_stays_as_it_is() -> None:
    document = {"keypair": {"public": "a", "private": None}, "limits": {"n": 1}, "list": ["a", 2, None]}
    assert masked(document) == document


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"amqp://user:{SECRET}@host:5672/x", f"amqp://user:{MASK}@host:5672/x"),
        ("amqp://user:p@ss:w0rd@host/", f"amqp://user:{MASK}@host/"),
        (f"redis://:{SECRET}@host", f"redis://:{MASK}@host"),
        (f"https://host/hook?token={SECRET}&a=1", f"https://host/hook?token={MASK}&a=1"),
        (f"from amqp://u:{SECRET}@h to amqp://u:{SECRET}@h", f"from amqp://u:{MASK}@h to amqp://u:{MASK}@h"),
        ("http://localhost:9984/api/v1/", "http://localhost:9984/api/v1/"),
        ("postgresql://user@host/db", "postgresql://user@host/db"),
        (f"two,amqp://u:{SECRET}@h,amqp://v:{SECRET}@h", f"two,amqp://u:{MASK}@h"),
        ("no address", "no address"),
    ],
)
def test_passwords_in_urls_are_masked(text: str, shown: str) -> None:
    assert masked_text(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"u:{SECRET}@host:9984", f"u:{MASK}@host:9984"),
        (f":{SECRET}@host", f":{MASK}@host"),
        ("u:p@ss w0:rd@host:9984", f"u:{MASK}@host:9984"),
        (f"https://u:{SECRET}@host", f"https://u:{MASK}@host"),
        (f"id@u:{SECRET}@host:26656", f"id@u:{MASK}@host:26656"),
        ("id@host:26656", "id@host:26656"),
        ("https://user@host", "https://user@host"),
        ("[::1]:9984", "[::1]:9984"),
        ("@", "@"),
    ],
)
def test_passwords_are_masked_in_what_stands_where_an_address_is_wanted(text: str, shown: str) -> None:
    assert masked_address(text) == shown


@pytest.mark.parametrize("piece", ["a", "a://b:", "://", ":", "?a", "?a=", "@", "a://b:@ "])
def test_masking_costs_time_linear_in_the_text(piece: str) -> None:
    before_s = process_time()
    masked_text("a://" + piece * (200_000 // len(piece)))  # a path that a stranger asks for stands in the log
    assert process_time() - before_s < 1  # milliseconds; quadratic it would be a minute


def test_a_parameter_of_libpq_is_cut_out() -> None:
    url = "postgresql://user@host/db?sslkey=/key.pem&sslpassword=hunter22&sslmode=verify-full"
    assert masked_text(url) == f"postgresql://user@host/db?sslkey=/key.pem&sslpassword={MASK}&sslmode=verify-full"
    assert "hunter22" in set(secrets_in({"url": url}))


def test_secrets_are_found_for_the_log() -> None:
    document = {
        "keypair": {"public": "public", "private": "private-key"},
        "options": {
            "url": "amqp://user:url-password@host",
            "hook": "https://h/?token=query-token",
            "password": "short",
        },
        "list": [{"token": ["in-a-list"]}],
    }
    assert set(secrets_in(document)) == {"private-key", "url-password", "query-token", "in-a-list"}


def test_the_password_of_several_addresses_is_found_alone_and_without_escapes() -> None:
    """A library that takes them apart has it so, and may show it."""
    url = "nats://bob:one%2Cpass%20word@one:4222,nats://bob:one%2Cpass%20word@two:4222"
    assert set(secrets_in({"url": url})) >= {"one%2Cpass%20word", "one,pass word"}
    assert "bare-password" in set(secrets_in({"url": "amqp://u:bare-password@h"}))


def test_a_secret_is_found_as_others_write_it() -> None:
    assert set(secrets_in({"password": 'pa"ss\\wör'})) == {
        'pa"ss\\wör',
        'pa"ss\\\\wör',
        'pa\\"ss\\\\wör',
        'pa\\"ss\\\\w\\u00f6r',
    }


def test_the_example_of_a_url_stays_readable() -> None:
    """A message that explains the form of an address would explain nothing behind a mask."""
    example = "write it as postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
    assert masked_text(example) == example
    assert "secret77" not in masked_text("found amqp://USER:secret77@HOST, write amqp://USER:PASSWORD@HOST")
    assert list(secrets_in({"url": "amqp://USER:PASSWORD@HOST"})) == []


@pytest.mark.parametrize("end", ["", "abc", '"', "&x=1"])
def test_the_secret_of_an_access_key_is_masked_wherever_it_stands_and_its_id_is_not(end: str) -> None:
    """A client that sends its key as a path would write it into the log, and the operator must know which it is."""
    key = "bdb_k3fA9xx01bQz_" + "s3cret" * 8 + "x"
    shown = masked_text(f"GET /?key={key}{end} of bdb_k3fA9xx01bQz")
    assert "s3cret" not in shown
    assert shown.startswith(f"GET /?key=bdb_k3fA9xx01bQz_{MASK}")
    assert shown.endswith("of bdb_k3fA9xx01bQz")
