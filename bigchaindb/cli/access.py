"""access: the keys that requests are sent with, and what requests without one may do.

Source: docs/reference/configuration.md, section `access`.
"""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, TypeVar

import click
import msgspec

from bigchaindb import files
from bigchaindb.access.book import PAGE, KeyBook, check_name
from bigchaindb.access.exposure import anonymous, is_local
from bigchaindb.access.keys import CHARACTER_COUNT, DAY_S, day
from bigchaindb.access.scopes import Scopes
from bigchaindb.cli.control import ControlClient
from bigchaindb.cli.lanes import settle_the_past
from bigchaindb.cli.lazy import Group
from bigchaindb.cli.options import json_option
from bigchaindb.cli.output import ask, put, put_json, put_table, say
from bigchaindb.cli.session import Session, no_ledger, pass_session
from bigchaindb.config import edit
from bigchaindb.config.load import Loaded, variable_name
from bigchaindb.control import answers
from bigchaindb.control.access import ANONYMOUS, carry_out, listed
from bigchaindb.errors import AccessRefused, ConfigurationError, RequestFailed, StartupError
from bigchaindb.store.directory import DataDirectory
from bigchaindb.store.store import Store

UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": DAY_S}
YEARS_MAX: Final = 100
KEY_BYTES_MAX: Final = 1_000
"""Of a line on standard input: more than any key has."""
CLOSED: Final = {"access": {"anonymous": "none"}}
T = TypeVar("T")


def _duration(_: click.Context, __: click.Parameter, value: str | None) -> float | None:
    """Return the seconds of a number and a unit."""
    if value is None:
        return None
    found = re.fullmatch("([0-9]{1,10})([smhd])", value)
    seconds = float(found[1]) * UNITS[found[2]] if found else 0.0
    if not 0 < seconds <= YEARS_MAX * 366 * DAY_S:
        raise click.BadParameter(f"expected a duration such as 90d, 24h, 30m or 10s, found {value[:40]!r}")
    return seconds


@click.group(cls=Group)
def access() -> None:
    """Decide who may send what: access keys, and requests without one.

    The commands take effect at once in a node that runs, and work without one. `access.anonymous` in the configuration
    is what requests without a key may do.
    """


@access.group()
def key() -> None:
    """Make, list, revoke and rotate access keys. Keys are each node's own."""


@key.command(
    epilog="""\b
Examples:
  bigchaindb access key new billing --scopes "read write" --expires 90d
  bigchaindb access key new reader --scopes read --output reader.key
  curl -H "Authorization: Bearer $(cat reader.key)" https://ledger.example:9984/api/v1/blocks/1

The first key closes the door: requests without a key are refused from then on, unless access.anonymous is set already
or --keep-anonymous is given."""
)
@click.argument("name")
@click.option("--scopes", metavar="TEXT", required=True, help='What it may do, such as "read write".')
@click.option("--expires", callback=_duration, metavar="AFTER", help="90d, 24h or 30m from now; by default never.")
@click.option("--output", metavar="FILE", type=click.Path(path_type=Path), help="Write it into a new file, mode 0600.")
@click.option("--keep-anonymous", is_flag=True, help="Leave what requests without a key may do as it is.")
@pass_session
def new(
    session: Session, name: str, *, scopes: str, expires: float | None, output: Path | None, keep_anonymous: bool
) -> None:
    """Make an access key, and print it: it is shown this once.

    NAME tells it apart from others in lists and in the log.
    """
    loaded = session.load()
    Scopes.parse(scopes, "--scopes")
    check_name(name)
    _require_new(output)
    _close_the_door(session, loaded, keep=keep_anonymous)
    _put_made(_carry_out(loaded, answers.NewKey(name, scopes, expires), answers.MadeKey), output)


@key.command(
    "list",
    epilog="""\b
Examples:
  bigchaindb access key list
  bigchaindb access key list --confirm          after a restore, once every key that may not be used is revoked""",
)
@click.option("--confirm", is_flag=True, help="Take the keys again that are held since the data were restored.")
@json_option
@pass_session
def list_keys(session: Session, *, confirm: bool, as_json: bool) -> None:
    """List the access keys, without their secrets."""
    loaded = session.load()
    state = ControlClient.of(loaded.settings).access()
    if state is None:
        with _book(loaded) as book:
            state = answers.AccessState(listed(book), str(anonymous(loaded.settings)), None, None)
    if as_json:
        put_json(msgspec.to_builtins(state.keys))
    elif state.keys:
        put_table("ID  NAME  SCOPES  STATE  MADE  EXPIRES  USED  EXPOSED", map(_cells, state.keys))
    _say_door(loaded, state)
    if confirm:
        _confirm(session, loaded, state)


@key.command(
    epilog="""\b
Example:
  bigchaindb access key revoke k3fA9xx01bQz

Its open streams end at once, and its next request is answered 401. A request under way ends as it would."""
)
@click.argument("id_", metavar="ID")
@pass_session
def revoke(session: Session, id_: str) -> None:
    """Revoke the access key ID."""
    revoked = _carry_out(session.load(), answers.RevokeKey(id_), answers.KeyStatus)
    put(f"{revoked.id} ({revoked.name}) is revoked")


@key.command(
    epilog="""\b
Example:
  bigchaindb access key rotate k3fA9xx01bQz --overlap 24h --output billing.key"""
)
@click.argument("id_", metavar="ID")
@click.option(
    "--overlap",
    callback=_duration,
    metavar="TIME",
    default="24h",
    show_default=True,
    help="How long the former key is good: 24h, 90d or 30m.",
)
@click.option("--output", metavar="FILE", type=click.Path(path_type=Path), help="Write it into a new file, mode 0600.")
@pass_session
def rotate(session: Session, id_: str, *, overlap: float, output: Path | None) -> None:
    """Replace the access key ID by a new one of the same name, scopes and lifetime."""
    loaded = session.load()
    _require_new(output)
    _put_made(_carry_out(loaded, answers.RotateKey(id_, overlap), answers.MadeKey), output)


@access.command(
    epilog="""\b
Examples:
  bigchaindb access check < reader.key
  pass show ledger/billing | bigchaindb access check

Exit code: 0 the node takes the key, 1 it does not: the message names the reason."""
)
@pass_session
def check(session: Session) -> None:
    """Read an access key from standard input, and print who it is and what it may do."""
    text = sys.stdin.readline(KEY_BYTES_MAX).strip()
    if not text:
        raise AccessRefused(f"there is no access key on standard input; one has {CHARACTER_COUNT} characters")
    found = _carry_out(session.load(), answers.CheckKey(text), answers.Checked)
    if found.key is None:
        raise AccessRefused(found.why)
    put(f"{found.key.id} ({found.key.name}) may: {found.key.scopes}")
    put(f"expires: {_day(found.key.expires, 'never')}")


@access.command(
    "reload",
    epilog="""\b
Example:
  bigchaindb access reload                     after a change of access.anonymous, or of a certificate""",
)
@pass_session
def read_again(session: Session) -> None:
    """Have the running node read its settings of access again, without an interruption."""
    if not _read_again(session.load()):
        say("the node is not running; it reads its configuration when it starts")


def _close_the_door(session: Session, loaded: Loaded, *, keep: bool) -> None:
    """Have requests without a key refused, before there is a first key.

    Raises:
        AccessRefused: the person does not answer.
        ConfigurationError: no file can be written, or another one counts: no key may be made then.
    """
    state = ControlClient.of(loaded.settings).access()
    if loaded.settings.access.anonymous is not None or keep:
        _say_door(loaded, state)
        return
    if state is None:
        with _book(loaded) as book:
            keys = listed(book)
    else:
        keys = state.keys
    if any(key.name != PAGE for key in keys):  # the first one has decided; those of the page do not count
        say(f"requests without a key may: {_anonymous(loaded, state)}; access.anonymous changes that")
        return
    if is_local(loaded.settings) and not session.assume_yes:
        answer = ask("Requests without a key, also those of this machine, are refused from now on. Go on? [y/N]: ")
        if answer != "y":
            raise AccessRefused("no key was made; --keep-anonymous makes one and leaves other requests as they are")
    try:
        _require_the_file(loaded, state)
        edit.put(loaded, CLOSED, os.environ)
    except ConfigurationError as error:
        setting = f"{variable_name(ANONYMOUS)}=none"
        put(setting)
        raise ConfigurationError(
            f"{error}; so no key was made: set {setting} for the node, restart it, and try again"
        ) from error
    say(f'"anonymous": "none" is written into `{loaded.path}`: requests without a key are refused from now on')
    try:
        _read_again(loaded)
    except RequestFailed as error:  # of a certificate, perhaps
        raise RequestFailed(f"{error}; no key was made: mend this, and try again") from error


def _require_the_file(loaded: Loaded, state: answers.AccessState | None) -> None:
    """Require a file that decides what requests without a key may do, now and after the next start.

    Raises:
        ConfigurationError: another one does, or the environment.
    """
    why = None
    if state is not None and state.given_elsewhere is not None:
        why = f"{state.given_elsewhere} sets {ANONYMOUS}"
    elif state is not None and (state.path is None or Path(state.path).resolve() != loaded.path.resolve()):
        why = f"the running node reads `{state.path}`, not `{loaded.path}`"
    elif (origin := edit.elsewhere(loaded, ANONYMOUS)) is not None:
        why = f"{origin} sets {ANONYMOUS}"
    elif (
        state is None  # else the running node reads the file once it is made, and so does its next start
        and not loaded.path.exists()
        and any(set_by.startswith("the environment") for set_by in loaded.origins.values())
    ):
        why = f"this node has no file `{loaded.path}` and is configured by its environment"
    if why is not None:
        raise ConfigurationError(why)


def _say_door(loaded: Loaded, state: answers.AccessState | None) -> None:
    """Print what requests without a key may do; a command that was cut short may have changed the file alone."""
    present, wanted = _anonymous(loaded, state), _anonymous(loaded, None)
    say(f"requests without a key may: {present} (access.anonymous)")
    if present != wanted:
        say(f"the configuration has {wanted}, which the running node has not read: run `bigchaindb access reload`")


def _anonymous(loaded: Loaded, state: answers.AccessState | None) -> str:
    return str(anonymous(loaded.settings)) if state is None else state.anonymous


def _confirm(session: Session, loaded: Loaded, state: answers.AccessState) -> None:
    held = sum(one.state == "held" for one in state.keys)
    if not held:
        say("no key is held")
        return
    if not session.assume_yes and ask(f"Take all held keys again ({held})? Revoke others first. [y/N]: ") != "y":
        raise AccessRefused("nothing was changed")
    _carry_out(loaded, answers.ConfirmKeys(), dict[str, int])
    say(f"keys that are taken again: {held}")


def _carry_out(loaded: Loaded, order: answers.KeyOrder, kind: type[T]) -> T:
    """Send an order to the running node, or carry it out here where none runs."""
    if (done := ControlClient.of(loaded.settings).change_access(order, kind)) is not None:
        return done
    with _book(loaded) as book:
        return msgspec.convert(msgspec.to_builtins(carry_out(book, order)), kind)


@contextmanager
def _book(loaded: Loaded) -> Iterator[KeyBook]:
    """Own the keys of a node that does not run.

    Raises:
        StartupError: there is no ledger, or a node that is starting or stopping has it.
    """
    settings = loaded.settings
    if not DataDirectory(settings.database.path).ledger.exists():
        raise no_ledger(loaded)
    settle_the_past(loaded)
    with closing(Store(settings.database.path)) as store:
        yield KeyBook(store.node, settings.limits.access_key_count_max)


def _read_again(loaded: Loaded) -> bool:
    """Have the running node read its settings of access; return whether one runs."""
    done = ControlClient.of(loaded.settings).change_access(answers.ReloadAccess(), answers.AccessReloaded)
    if done is None:
        return False
    say(f"the running node: requests without a key may: {done.anonymous}")
    for line in done.lines:
        say(line)
    return True


def _require_new(output: Path | None) -> None:
    """Require that a file can be made, before there is a key that it would lose."""
    if output is None:
        return
    if os.path.lexists(output):  # a link to no file is in the way, too
        raise AccessRefused(f"--output: `{output}` exists already; name a new file, so that no key is lost")
    if not os.access(output.absolute().parent, os.W_OK | os.X_OK):
        raise AccessRefused(f"--output: no file can be made in `{output.absolute().parent}`; name another folder")


def _put_made(made: answers.MadeKey, output: Path | None) -> None:
    about = f"{made.key.id} ({made.key.name}): {made.key.scopes}, expires {_day(made.key.expires, 'never')}"
    if output is None:
        say(f"access key {about}; this is the only time that it is shown:")
        put(made.text)
        return
    try:
        files.write(output, f"{made.text}\n".encode(), is_new=True)
    except OSError as error:
        raise StartupError(
            f"--output: cannot write `{output}`: {error.strerror}; the key is good and lost: run `bigchaindb access "
            f"key revoke {made.key.id}`, then make another"
        ) from error
    say(f"access key {about}; it is in `{output}`")


def _cells(one: answers.KeyStatus) -> tuple[str, ...]:
    days = (_day(one.made, ""), _day(one.expires, "never"), _day(one.used, "never"), _day(one.exposed, "-"))
    return (one.id, one.name, one.scopes, one.state, *days)


def _day(time_s: int | None, otherwise: str) -> str:
    return otherwise if time_s is None else day(time_s)
