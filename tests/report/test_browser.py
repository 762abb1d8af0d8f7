"""The page in a browser: nothing sticks out at the width of a phone or of a screen, all text is read."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from db3kd.report.colors import contrast
from db3kd.report.page import render
from made_report import examples, full_report, push_sheet, pushed_report, sample_sheet

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(BROWSER is None, reason="there is no Chromium here")]

# A window is never as narrow as a phone, a frame can be. The page stays as it is: it forbids itself all scripts.
_FRAME = """<!DOCTYPE html><meta name="color-scheme" content="light dark" /><style>body {{ margin: 0 }}</style>
<iframe style="border: 0; width: {width}px; height: 900px" srcdoc="{page}"></iframe>
<script>
const frame = document.querySelector("iframe");
const two = (part) => (+part).toString(16).padStart(2, "0");
const hex = (color) => "#" + color.match(/\\d+/g).slice(0, 3).map(two).join("");
const clear = (color) => color === "rgba(0, 0, 0, 0)";
frame.onload = () => {{
  const page = frame.contentDocument, look = (one) => frame.contentWindow.getComputedStyle(one);
  const seen = {{wide: page.documentElement.scrollWidth, out: [], cut: [], bare: 0, colors: []}}, colors = new Set();
  const range = page.createRange();
  const texts = page.createTreeWalker(page.body, NodeFilter.SHOW_TEXT, (one) => one.data.trim() ? 1 : 2);
  while (texts.nextNode()) {{
    const text = texts.currentNode, inside = text.parentElement, svg = inside.closest("svg");
    range.selectNode(text);
    const box = range.getBoundingClientRect(), around = svg ? svg.getBoundingClientRect() : null;
    if (svg && (box.right > around.right + 1 || box.left < around.left - 1)) seen.cut.push(text.data);
    if (!inside.closest(".wide, figure") && box.right > {width} + 1) seen.out.push(text.data);
    let ground = inside;
    while (clear(look(ground).backgroundColor) && ground.parentElement) ground = ground.parentElement;
    // Points of a legend are marks. What has another colour than the text stands on a cell of a map of classes.
    if (!inside.closest(".filled, .open") && (!svg || look(inside).fill === look(page.body).color))
      colors.add(hex(svg ? look(inside).fill : look(inside).color) + " " + hex(look(ground).backgroundColor));
  }}
  for (const one of page.querySelectorAll("img, svg, figure, .wide, section"))
    if (!one.parentElement.closest("figure, svg") && one.getBoundingClientRect().right > {width} + 1)
      seen.out.push(one.tagName);
  for (const one of page.querySelectorAll("img")) seen.bare += one.alt && one.naturalWidth ? 0 : 1;
  for (const one of page.querySelectorAll("svg")) seen.bare += one.getAttribute("aria-label") ? 0 : 1;
  seen.colors = [...colors];
  document.title = JSON.stringify(seen);
}};
</script>"""


@pytest.mark.parametrize(
    ("width", "dark", "pushed"), [(400, False, False), (400, True, True), (1400, True, False), (1400, False, True)]
)
def test_nothing_sticks_out_and_all_is_read(tmp_path: Path, width: int, dark: bool, pushed: bool) -> None:
    assert BROWSER is not None
    report, sheet = (pushed_report(), push_sheet()) if pushed else (full_report(), sample_sheet())
    frame = tmp_path / "frame.html"
    page = render(report, examples(3, 32), sheet=sheet)
    frame.write_text(_FRAME.format(width=width, page=html.escape(page)))
    browser = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    looks = ["--enable-logging=stderr", f"--blink-settings=preferredColorScheme={0 if dark else 1}"]
    asked = [*browser, *looks, "--window-size=1500,1000", "--dump-dom", frame.as_uri()]
    done = subprocess.run(asked, check=True, capture_output=True, text=True, timeout=100)
    assert "CONSOLE" not in done.stderr, done.stderr
    (title,) = re.findall(r"<title>(\{.*?\})</title>", done.stdout)
    seen = json.loads(html.unescape(title))
    assert seen["out"] == seen["cut"] == []
    assert seen["wide"] <= width
    assert seen["bare"] == 0
    assert len(seen["colors"]) >= 4
    grounds = {pair.split()[1] for pair in seen["colors"]}
    assert grounds == ({"#14191f", "#1c232b"} if dark else {"#ffffff", "#f5f7f9"})
    for pair in seen["colors"]:
        assert contrast(*pair.split()) >= 4.5, pair
