"""Options of a plugin, read once into a type: an error names the option and the rule."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal, TypeVar

import msgspec

from bigchaindb.delivery.messages import Per
from bigchaindb.delivery.shape import Format, Shape
from bigchaindb.errors import ConfigurationError
from bigchaindb.events import EventTypes

T = TypeVar("T", bound=msgspec.Struct)
SCHEME_CHARACTERS_MAX: Final = 20
_TYPES: Final = {"valid": EventTypes.BLOCK_VALID, "invalid": EventTypes.BLOCK_INVALID}


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of every sink; a sink's own options derive from it.

    Attributes:
        per: what one message stands for.
        event_types: which blocks are passed on.
        select: what a transaction of an event must be, see docs/how-to/write-a-plugin.md; the event is passed on whole.
    """

    per: Per = Per.BLOCK
    event_types: tuple[Literal["valid", "invalid"], ...] = ("valid", "invalid")
    select: dict[str, Any] = {}

    def __post_init__(self) -> None:
        """Refuse options by which nothing would be passed on."""
        if not self.event_types:
            raise ValueError('event_types: must name "valid", "invalid" or both')

    @property
    def event_mask(self) -> int:
        """The property `event_types` of the plugin."""
        return sum(_TYPES[name] for name in set(self.event_types))


class ShapedOptions(Options, frozen=True, kw_only=True):
    """Options of a sink whose messages an operator may shape; its own options derive from it.

    The sink sends what `shape` makes of a message.

    Attributes:
        fields: names with the JSONPath of each: what is sent of a message's data; without any all of it.
        format: what is around the data; None is `default_format`.
        default_format: what the sink sends unless told otherwise.
        refused_formats: those that the sink cannot send, with the reason.
    """

    fields: dict[str, str] = {}
    format: Format | None = None

    default_format: ClassVar[Format] = Format.CLOUDEVENTS
    refused_formats: ClassVar[Mapping[Format, str]] = {}

    def __post_init__(self) -> None:
        """Refuse a format that the sink cannot send, and paths that cannot be used."""
        super().__post_init__()
        if self.format is not None and self.format in self.refused_formats:
            raise ValueError(f"format: {self.format} cannot be sent here: {self.refused_formats[self.format]}")
        _ = self.shape

    @property
    def shape(self) -> Shape:
        """What makes bytes of a message; to be asked for once."""
        return Shape(self.format or self.default_format, self.fields)


def scheme_found(url: str) -> str:
    """Return the scheme of a URL that is refused, as the error names it; the rest may hold a password."""
    scheme, colon, _ = url.partition("://")
    is_one = colon != "" and scheme.isascii() and scheme.isalnum() and len(scheme) <= SCHEME_CHARACTERS_MAX
    return f"found {scheme}://…" if is_one else "found no scheme"


def read_options(options: Mapping[str, Any], type_: type[T]) -> T:
    """Read the options that `configure` gets.

    Args:
        options: from the configuration.
        type_: a `msgspec.Struct`; what it checks itself raises ValueError.

    Raises:
        ConfigurationError: an option is missing, unknown, or not what it must be.
    """
    try:
        return msgspec.convert(dict(options), type_)
    except msgspec.ValidationError as error:
        known = ", ".join(field.encode_name for field in msgspec.structs.fields(type_))
        raise ConfigurationError(f"{error}; the options are: {known}") from error
