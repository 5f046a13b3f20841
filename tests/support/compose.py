"""The file for Compose: read as Compose reads it, and the schema of such files."""

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tests.support import installed

FILE: Final = installed.CHECKOUT / "packaging/compose.yaml"
VARIABLE: Final = re.compile(r"\$\{(\w+):-([^}]*)\}")
_TO_JSON: Final = "import json, sys, yaml; json.dump(list(yaml.safe_load_all(sys.stdin)), sys.stdout)"


def documents_of(text: str) -> list[Any]:
    """Return the documents in a text of YAML."""
    command = [str(installed.python_environment("compose")), "-c", _TO_JSON]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    found: list[Any] = json.loads(done.stdout)
    return found


def services_of(variables: Mapping[str, str]) -> dict[str, Any]:
    """Return the services, with the values of variables in their places."""
    text = VARIABLE.sub(lambda found: variables.get(found[1], found[2]), FILE.read_text())
    assert "${" not in text
    (document,) = documents_of(text)
    services: dict[str, Any] = document["services"]
    return services


def schema() -> Any:
    """Return the schema that Compose publishes."""
    folder: Path = installed.python_environment("compose").parents[1]
    (found,) = folder.glob("lib/python*/site-packages/compose/config/compose_spec.json")
    return json.loads(found.read_text())
