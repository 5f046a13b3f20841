"""Options and values of options that several commands share."""

import json
from typing import Any, Final

import click

from bigchaindb.errors import ConfigurationError

json_option: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
line_option: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON on one line.")


class Shares(click.IntRange):
    """A number of shares."""

    def __init__(self) -> None:
        super().__init__(1)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401
        """Return the number. Raises click.BadParameter."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(
                f"expected a whole number of shares, 1 or more, found {str(value)[:40]!r}; a share is not divided, so "
                "create as many as there shall be parts",
                param,
                ctx,
            )


def read_object(text: str | None, option: str) -> dict[str, Any] | None:
    """Return the value of an option that is a JSON object, or `@FILE` with one.

    Raises:
        ConfigurationError: it is no JSON object.
    """
    if text is None:
        return None
    is_file = text.startswith("@")
    if is_file:
        try:
            with click.open_file(text[1:], encoding="utf-8") as file:
                text = file.read()
        except OSError as error:
            raise ConfigurationError(f"{option}: cannot read the file `{text[1:]}`: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise ConfigurationError(f"{option}: the file `{text[1:]}` is not UTF-8") from error
    try:
        value = json.loads(text)
    except ValueError as error:
        hint = "" if is_file or text.lstrip().startswith("{") else ", and a file as @FILE"
        raise ConfigurationError(
            f'{option}: not JSON: {error}; write names and texts in double quotes: \'{{"name": "text"}}\'{hint}'
        ) from error
    if not isinstance(value, dict):
        raise ConfigurationError(f"{option}: expected an object such as '{{\"n\": 1}}', found {text[:60]!r}")
    return value
