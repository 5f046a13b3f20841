"""Sphinx: docs/reference/http-api.md ends with every route of the node's OpenAPI document, as Markdown.

The builder passes the file of the document as the setting `openapi`.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from sphinx.application import Sphinx

PAGE: Final = "reference/http-api"
OF_ALL: Final = frozenset({"401", "403", "429", "503"})
"""Statuses with which every route may refuse: the page names them once."""
Json = dict[str, Any]


def extend(app: Sphinx, docname: str, source: list[str]) -> None:
    """Add the routes to the page."""
    if docname == PAGE:
        source[0] += "\n" + "\n".join(lines(json.loads(Path(app.config.openapi).read_text())))


def lines(document: Json) -> Iterator[str]:
    """Yield the lines of the reference: routes by tag, then the shapes of documents."""
    operations = [(path, *one) for path, methods in document["paths"].items() for one in methods.items()]
    for tag in document["tags"]:
        yield from ("", f"## {tag['name'].capitalize()}", "", f"{tag['description']}.")
        for path, method, operation in operations:
            if tag["name"] in operation["tags"]:
                yield from _operation(f"{method.upper()} {path}", operation, document["components"]["responses"])
    yield from ("", "## Shapes", "")
    for name, schema in document["components"]["schemas"].items():
        yield from _shape(name, schema)


def _operation(title: str, operation: Json, refusals: Json) -> Iterator[str]:
    yield from ("", f"### `{title}`", "", f"{operation['summary']}.", operation.get("description", ""), "")
    schemes = operation["security"]
    scopes = ", ".join(f"`{scope}`" for scope in schemes[-1]["basic"])
    if scopes:
        only = "" if {} in schemes else ", with a key in any case"
        yield from (f"Scope: {scopes}{only}.", "")
    yield from _table(
        ("parameter", "in", "type", "meaning"),
        (
            (f"`{one['name']}`", one["in"], _type(one["schema"]), _required(one, one.get("description", "")))
            for one in operation["parameters"]
        ),
    )
    if body := operation.get("requestBody"):
        yield from (f"Body: {_type(body['content']['application/json']['schema'])}.", "")
        if (example := body["content"]["application/json"].get("example")) is not None:
            yield from ("```json", json.dumps(example, indent=2), "```", "")
    yield from _table(("status", "body", "meaning"), _answers(operation["responses"], refusals))


def _answers(responses: Json, refusals: Json) -> Iterator[tuple[str, ...]]:
    for status, answer in responses.items():
        if status not in OF_ALL:
            found = refusals[answer["$ref"].rpartition("/")[2]] if "$ref" in answer else answer
            types = [_type(content["schema"]) for content in found.get("content", {}).values()]
            yield status, " or ".join(types), found["description"]


def _shape(name: str, schema: Json) -> Iterator[str]:
    yield from (f"### {name}", "", schema.get("description", ""), "")
    if "properties" not in schema:
        yield from (f"{_type(schema)}.", "")
    required = schema.get("required", ())
    yield from _table(
        ("field", "type", "meaning"),
        (
            (f"`{field}`", _type(one), _required({"required": field in required}, one.get("description", "")))
            for field, one in schema.get("properties", {}).items()
        ),
    )


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    """Yield a table, or nothing if it has no rows."""
    if cells := [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]:
        yield f"| {' | '.join(head)} |"
        yield f"|{'---|' * len(head)}"
        yield from (f"| {' | '.join(row)} |" for row in cells)
        yield ""


def _required(one: Json, description: str) -> str:
    return " ".join(part for part in ("Required." if one.get("required") else "", description) if part)


def _type(schema: Json) -> str:
    """Return a schema in words; references lead to their shape."""
    match schema:
        case {"$ref": reference}:
            name = reference.rpartition("/")[2]
            return f"[{name}](#{name.lower()})"
        case {"anyOf": several} | {"oneOf": several}:
            return " or ".join(_type(one) for one in several)
        case {"enum": values}:
            shown = " or ".join(f"`{value}`" for value in values)
        case {"type": "array", "items": items}:
            shown = f"array of {_type(items)}"
        case {"type": [*types]}:
            shown = " or ".join(types)
        case {"type": name}:
            shown = str(name)
        case {"const": value}:
            shown = f"`{json.dumps(value)}`"
        case _:
            shown = "any"
    return f"{shown}, `{json.dumps(schema['default'])}` if absent" if "default" in schema else shown


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect to Sphinx."""
    app.add_config_value("openapi", "", "env", str)
    app.connect("source-read", extend)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
