"""Configuration of the site: `make docs` builds it with the packages of requirements/docs.txt."""

import sys
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parent))

project: Final = "BigchainDB"
extensions: Final = ["myst_parser", "http_reference", "navigation", "terms"]
exclude_patterns: Final = ["site"]
myst_heading_anchors: Final = 4
html_theme: Final = "furo"
html_static_path: Final = ["_static"]
html_css_files: Final = ["site.css"]
html_js_files: Final = ["old_version.js"]
html_show_copyright: Final = False
html_copy_source: Final = False  # the pages are in the repository
html_use_index: Final = False
html_theme_options: Final = {"sidebar_hide_name": False, "navigation_with_keys": True}
