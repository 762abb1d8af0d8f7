"""How Sphinx makes the manual: `make docs`.

The source is the whole checkout, so that a page of docs/ and GitHub's view of it have the same links: to records, to
CONTRIBUTING, to files. Nothing is fetched while it is made, and no page loads anything from elsewhere.
"""

import re
import sys
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "docs")]

from reference_pages import PAGES  # noqa: E402

from db3kd import __version__  # noqa: E402  # the checkout's, which is found from here on

project, author = "db3kd", "db3kd contributors"
copyright = f"2026, {author}"  # noqa: A001  # Sphinx's own name for it
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc = "docs/index"
include_patterns = ["docs/**", "records/*/README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "README.md"]
exclude_patterns = [".*", "build", "dist", "runs", "src", "tests", "benchmarks", "tools"]
html_theme = "furo"
html_title = f"db3kd {release}"
html_extra_path = ["entry"]
html_static_path = ["look"]
html_css_files = ["manual.css"]
html_copy_source = html_show_sourcelink = False

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# A single backtick in a docstring is code.
default_role = "code"
smartquotes = False
napoleon_numpy_docstring = False
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 88
python_use_unqualified_type_names = True
add_module_names = False


class Generated(SphinxDirective):
    """A part of the reference that the program says itself."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        return self.parse_text_to_nodes(PAGES[self.arguments[0]](), allow_section_headings=True)


def name_costs(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Make the lines "Cost: ..." and "Source: ..." of a docstring paragraphs, with what is indented after them."""
    inside, shown = False, list[str]()
    for line in lines:
        word = line.partition(":")[0]
        if word in ("Cost", "Source", "Deviation"):
            inside = True
            shown += ["", f"**{word}:** {line.partition(':')[2].strip()}"]
        else:
            inside = inside and line.startswith(" ")
            shown.append(line.strip() if inside else line)
    lines[:] = shown


def name_types(
    app: Sphinx, what: str, name: str, obj: object, options: object, *told: str | None
) -> tuple[str | None, ...]:
    """Show a type without its range, which the text beside it tells: int for Annotated[int, Ge(0)]."""
    ranged = r"Annotated\[([^,\[\]]+), [^\[\]]*\]"
    return tuple(None if one is None else re.sub(ranged, r"\1", one) for one in told)


def draw_dashes(app: Sphinx, page: nodes.document) -> None:
    """Put a dash before the meaning of an argument, where Sphinx writes two hyphens; options keep theirs."""
    for text in [one for one in page.findall(nodes.Text) if one == " -- "]:
        text.parent.replace(text, nodes.Text(" – "))


def setup(app: Sphinx) -> None:
    """Add what is our own."""
    app.add_directive("generated", Generated)
    app.connect("autodoc-process-docstring", name_costs)
    app.connect("autodoc-process-signature", name_types)
    app.connect("doctree-read", draw_dashes)
