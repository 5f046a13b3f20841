"""Examines the folder of a page of one's own: without its files no node starts."""

from collections.abc import Iterator

from bigchaindb.api.page_files import Page
from bigchaindb.config import Settings
from bigchaindb.doctor.finding import Finding
from bigchaindb.errors import ConfigurationError


def examine_page(settings: Settings) -> Iterator[Finding]:
    """Examine `page.folder`; without one nothing: the files of the package are there."""
    folder = settings.page.folder
    if folder is None or not settings.page.enabled:
        return
    try:
        page = Page.read(folder)
    except ConfigurationError as error:
        yield Finding("page", "fix", str(error), "correct page.folder; no node starts before")
        return
    yield Finding("page", "ok", f"{folder} has {1 + len(page.files)} files of a page, of this moment")
