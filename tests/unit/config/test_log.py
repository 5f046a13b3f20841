"""One log format, and no secret in it. Source: docs/reference/configuration.md, "Log"."""

import json
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb import log
from bigchaindb.config.checks import LEVELS
from bigchaindb.config.settings import Log, Settings
from bigchaindb.errors import ConfigurationError
from bigchaindb.log_lines import Formatter, JsonFormatter
from bigchaindb.masking import MASK, secrets_in

LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \[(?P<level>\w+)\] (?P<message>.*?)  logger=(?P<fields>.*)")


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root, names = logging.getLogger(), ("a", "a.b", "bigchaindb.api")
    before = root.handlers[:], root.level, {name: logging.getLogger(name).level for name in names}
    root.handlers = []
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers, level, levels = before
    root.setLevel(level)
    for name in names:
        logging.getLogger(name).setLevel(levels[name])


def formatted(message: str, *arguments: object, secrets: tuple[str, ...] = (), **fields: object) -> str:
    record = logging.LogRecord("a.b", logging.INFO, "f.py", 1, message, arguments, None)
    vars(record).update(fields)
    return Formatter("%Y-%m-%d %H:%M:%S", secrets).format(record)


def test_a_line_is_time_level_message_and_fields() -> None:
    line = formatted("block %d committed", 7, height=7, plugin="two words", empty="")
    found = LINE.fullmatch(line)
    assert found is not None
    assert found["message"] == "block 7 committed"
    assert found["fields"] == 'a.b height=7 plugin="two words" empty=""'


@given(st.text(), st.text())
def test_a_record_is_one_line_whatever_strangers_send(message: str, field: str) -> None:
    line = formatted("%s", message, field=field)
    assert len(line.splitlines()) == 1
    assert line.isprintable()  # nor does a terminal obey them
    found = LINE.fullmatch(line)
    assert found is not None
    assert "  " not in found["message"]


def test_secrets_of_a_configuration_that_is_read_again_are_cut_out_too(capsys: pytest.CaptureFixture[str]) -> None:
    """A plugin that is enabled while the node runs brings its own."""
    log.set_up(Settings(), secrets=["hunter22"])
    log.mask(["hunter22-and-more"])
    logging.getLogger("a.b").warning("hunter22 hunter22-and-more")
    assert f"{MASK} {MASK}  " in capsys.readouterr().err


def test_secrets_are_cut_out_wherever_they_stand() -> None:
    line = formatted("refused hunter22 at amqp://u:pass@h", secrets=("hunter22",), detail="(hunter22)", api_key="k")
    assert "hunter22" not in line
    assert ":pass@" not in line
    assert f"api_key={MASK}" in line


@pytest.mark.parametrize("secret", ['pa"ss\\word', "zwei  blanks", "schlüssel\twort", "-- BEGIN --\nMIIabc\n-- END --"])
def test_no_way_to_write_a_secret_shows_it(secret: str) -> None:
    """A line escapes what it holds, and who made the text may have done so before."""
    try:
        _fail(f"refused {secret}")
    except ValueError as error:
        texts = [f"said {secret}", repr(error), json.dumps([secret]), json.dumps([secret], ensure_ascii=False)]
        formatter = Formatter("", tuple(secrets_in({"password": secret})))
        lines = [formatter.format(_record(f"said {secret}", sys.exc_info()))]
    lines += [formatter.format(_record(text, None, field=text)) for text in texts]
    for line in lines:
        assert MASK in line
        assert not [part for part in re.findall(r"\w{4,}", secret) if part in line]


def _fail(text: str) -> NoReturn:
    raise ValueError(text)


def _record(text: str, exc_info: Any, **extra: object) -> logging.LogRecord:
    record = logging.LogRecord("a", logging.INFO, "", 0, text, (), exc_info)
    vars(record).update(extra)
    return record


def test_a_traceback_follows_indented(capsys: pytest.CaptureFixture[str]) -> None:
    log.set_up(Settings(), secrets=["hunter22"])
    try:
        int("hunter22")
    except ValueError:
        logging.getLogger("a").exception("failed")
    first, *rest = capsys.readouterr().err.splitlines()
    assert first.endswith("[error] failed  logger=a")
    assert all(line.startswith("    ") for line in rest)
    assert rest[-1] == f"    ValueError: invalid literal for int() with base 10: '{MASK}'"


@pytest.mark.parametrize("level", LEVELS)
def test_levels_are_known_in_any_case(level: str) -> None:
    settings = Settings(log=Log(level_console=level.upper()))
    log.set_up(settings)
    assert logging.getLogger().level == LEVELS[level]


def test_each_target_has_its_level(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, errors = tmp_path / "node.log", tmp_path / "errors.log"
    file.write_text("before\n")
    log.set_up(Settings(log=Log(file=file, error_file=errors, level_console="error", level_logfile="debug")))
    logger = logging.getLogger("a")
    logger.debug("one")
    logger.error("two")
    assert [line[20:] for line in capsys.readouterr().err.splitlines()] == ["[error] two  logger=a"]
    assert file.read_text().splitlines()[0] == "before"  # appended
    assert [line[20:] for line in file.read_text().splitlines()[1:]] == [
        "[debug] one  logger=a",
        "[error] two  logger=a",
    ]
    assert [line[20:] for line in errors.read_text().splitlines()] == ["[error] two  logger=a"]


def test_a_granular_level_holds_for_a_logger_and_those_below(capsys: pytest.CaptureFixture[str]) -> None:
    log.set_up(Settings(log=Log(level_console="warning", granular_levels={"a.b": "debug"})))
    logging.getLogger("a").info("not wanted")
    logging.getLogger("a.b.c").debug("wanted")
    assert capsys.readouterr().err.count("\n") == 1


THE_END = "this is all that is shown"


def printed_at_a_terminal(monkeypatch: pytest.MonkeyPatch, write: Callable[[], None]) -> str:
    """Call `write` while a terminal is standard error; return what it shows."""
    main, other = os.openpty()
    with os.fdopen(main, "rb", 0) as screen, os.fdopen(other, "w") as error, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", error)  # here, as pytest exchanges it behind the fixtures
        write()
        error.write(THE_END)
        error.flush()
        shown = ""
        while not shown.endswith(THE_END):  # a terminal may hand over what was written at once in several pieces
            shown += screen.read(65_536).decode()
        return shown.removesuffix(THE_END).replace("\r", "")


@pytest.fixture
def _with_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")


@pytest.mark.usefixtures("_with_colours")
def test_a_person_at_a_terminal_reads_short_lines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "node.log"

    def write() -> None:
        log.set_up(Settings(log=Log(file=file)), secrets=["hunter22"])
        logging.getLogger("a.b").warning("no %s\x1b[7m", "hunter22", extra={"why": "two words", "api_key": "k"})

    assert re.sub(r"\d\d:\d\d:\d\d", "TIME", printed_at_a_terminal(monkeypatch, write)) == (
        f'\x1b[2mTIME\x1b[0m \x1b[33mwarning\x1b[0m no {MASK}\\x1b[7m  \x1b[2mwhy="two words" api_key={MASK}\x1b[0m\n'
    )
    assert file.read_text()[20:] == f'[warning] no {MASK}\\x1b[7m  logger=a.b why="two words" api_key={MASK}\n'


@pytest.mark.usefixtures("_with_colours")
@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_who_wants_no_colours_gets_none(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)

    def write() -> None:
        log.set_up(Settings(log=Log(datefmt_console="at %H")))
        try:
            _fail("red\x1b[31m")
        except ValueError:
            logging.getLogger("a").exception("failed")

    first, *rest = printed_at_a_terminal(monkeypatch, write).splitlines()
    assert re.fullmatch(r"at \d\d error   failed", first)
    assert rest[-1] == "    ValueError: red\\x1b[31m"


def test_json_is_json_on_a_terminal_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def write() -> None:
        log.set_up(Settings(log=Log(format="json")), in_background=True)
        print(file=sys.stderr)

    printed_at_a_terminal(monkeypatch, write)
    (handler,) = logging.getLogger().handlers
    assert isinstance(handler.formatter, JsonFormatter)


def test_files_are_rotated_at_the_contracts_size(tmp_path: Path) -> None:
    assert (log.FILE_BYTES_MAX, log.FILE_COUNT_OLD) == (209_715_200, 5)
    log.set_up(Settings(log=Log(file=tmp_path / "node.log")))
    (_, handler) = logging.getLogger().handlers
    assert isinstance(handler, logging.handlers.RotatingFileHandler)
    assert (handler.maxBytes, handler.backupCount, handler.mode) == (209_715_200, 5, "a")


def test_a_file_is_its_owners_alone_unless_a_person_opened_it(tmp_path: Path) -> None:
    """What plugins and strangers cause stands in it. A collector that was let in stays let in after a rotation."""
    file, errors = tmp_path / "node.log", tmp_path / "errors.log"
    errors.touch()
    errors.chmod(0o640)
    umask = os.umask(0)
    try:
        log.set_up(Settings(log=Log(file=file, error_file=errors)))
        assert [path.stat().st_mode & 0o777 for path in (file, errors)] == [0o600, 0o640]
        for handler in logging.getLogger().handlers:
            if isinstance(handler, logging.handlers.RotatingFileHandler):
                handler.doRollover()
    finally:
        os.umask(umask)
    rotated = [path.with_name(f"{path.name}.1") for path in (file, errors)]
    assert [path.stat().st_mode & 0o777 for path in (file, errors, *rotated)] == [0o600, 0o640, 0o600, 0o640]


def test_a_file_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"log\.file: cannot open"):
        log.set_up(Settings(log=Log(file=tmp_path / "missing" / "node.log")))


def test_commands_open_no_files(tmp_path: Path) -> None:
    log.set_up(Settings(log=Log(file=tmp_path / "node.log")), files=False)
    assert not (tmp_path / "node.log").exists()
