"""Sphinx configuration. Build from the project root with: make docs"""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def version_of(header: Path) -> str:
    """The version that the header's three macros state; an error when one is missing."""
    text = header.read_text(encoding="utf-8")
    parts = []
    for part in ("MAJOR", "MINOR", "PATCH"):
        found = re.search(rf"^\s*#\s*define\s+VMM_VERSION_{part}\s+(\d+)", text, re.MULTILINE)
        if found is None:
            raise ValueError(f"{header}: no #define VMM_VERSION_{part}")
        parts.append(found.group(1))
    return ".".join(parts)


project = "vmm"
author = "the vmm authors"
copyright = author
release = version = version_of(ROOT / "vmm_config.h")

extensions = ["breathe"]
exclude_patterns = ["_build"]
primary_domain = "c"
highlight_language = "c"

breathe_projects = {"vmm": str(ROOT / "build" / "docs" / "xml")}
breathe_default_project = "vmm"
breathe_domain_by_extension = {"h": "c"}
breathe_default_members = ("members",)
breathe_show_include = False
breathe_show_define_initializer = True
breathe_show_enumvalue_initializer = True

html_theme = "furo"
html_title = f"vmm {release}"
html_static_path = ["_static"]
html_css_files = ["vmm.css"]
html_copy_source = False
html_show_sphinx = False
pygments_style = "tango"
pygments_dark_style = "native"
