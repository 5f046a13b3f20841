"""Configurations from a file that `-c` names."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bigchaindb.config.load import Loaded, load_all

LoadDocument = Callable[..., Loaded]


@pytest.fixture
def load_document(tmp_path: Path) -> LoadDocument:
    """Load a document from a file that `-c` names."""

    def load_it(document: Any, environ: dict[str, str] | None = None, **overrides: object) -> Loaded:
        path = tmp_path / "node.json"
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        return load_all(path, {"HOME": str(tmp_path), **(environ or {})}, overrides)

    return load_it
