"""The page in a browser: nothing sticks out at the width of a phone or of a screen, and no error is told."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from db3kd.report.page import render
from made_report import examples, report

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(BROWSER is None, reason="there is no Chromium here")]

# What a reader of the page would see, found out by the page itself.
_LOOK = """<script>
const seen = {errors: [], wide: document.documentElement.scrollWidth, window: window.innerWidth, out: [], bare: 0};
window.onerror = (said) => seen.errors.push(said);
for (const one of document.querySelectorAll("svg, img, figure, section, p, h1, h2, h3")) {
  if (one.closest("svg") !== one && one.closest("svg")) continue;
  if (one.closest(".wide")) continue;
  if (one.getBoundingClientRect().right > window.innerWidth + 1) seen.out.push(one.tagName);
}
for (const one of document.querySelectorAll("img")) seen.bare += one.alt ? 0 : 1;
for (const one of document.querySelectorAll("svg")) seen.bare += one.getAttribute("aria-label") ? 0 : 1;
document.title = JSON.stringify(seen);
</script>"""


@pytest.mark.parametrize("width", [500, 1400])
def test_nothing_sticks_out(tmp_path: Path, width: int) -> None:
    assert BROWSER is not None
    page = tmp_path / "page.html"
    # The page forbids itself all scripts, and this one is ours.
    page.write_text(re.sub(r"<meta http-equiv[^>]*>", "", render(report(), examples(3, 32))) + _LOOK)
    browser = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    asked = [*browser, f"--window-size={width},900", "--dump-dom", page.as_uri()]
    done = subprocess.run(asked, check=True, capture_output=True, text=True, timeout=100)
    (title,) = re.findall(r"<title>(\{.*?\})</title>", done.stdout)
    seen = json.loads(title.replace("&quot;", '"'))
    assert seen["errors"] == seen["out"] == []
    assert seen["wide"] <= seen["window"] == width
    assert seen["bare"] == 0
