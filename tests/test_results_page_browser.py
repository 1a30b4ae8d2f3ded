"""The report page in a real browser: quiet, self-contained, harmless, readable, usable by keyboard.

Chromium is Debian's, driven by its own chromedriver. Without them these tests are skipped.
"""

import base64
import functools
import json
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from page_runs import make
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webdriver import WebDriver

from results.page import Written, write
from results.sheet import Report
from results.viewer import ADDRESS

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
pytestmark = [
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER),
        reason="no chromium with chromedriver: make browser, or apt-get install chromium chromium-driver",
    ),
    # What a closed browser leaves to the garbage collector; nothing of ours.
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage",
)  # fmt: skip
LEAST_CONTRAST, LEAST_OF_LARGE, LEAST_OF_FOCUS = 4.5, 3.0, 3.0
"""WCAG 2.2: 1.4.3 for text and for large text, 1.4.11 for what is no text."""


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logs")
    make(folder)
    return folder


@pytest.fixture(scope="module")
def written(logs: Path, tmp_path_factory: pytest.TempPathFactory) -> Written:
    return write([logs], tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebDriver]:
    """One browser for all tests, with a profile of its own."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM or ""
    for flag in (*QUIET, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        yield opened
    finally:
        opened.quit()


@pytest.fixture
def page(driver: WebDriver, written: Written) -> WebDriver:
    """The page freshly loaded, on a wide screen with light colours."""
    look(driver, "light")
    driver.get(written.page.as_uri())
    return driver


def look(driver: WebDriver, scheme: str, *, width: int = 1200, media: str = "screen") -> None:
    """The colours that the system asks for, the width of the window, screen or paper."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def run(driver: WebDriver, script: str, *arguments: Any) -> Any:
    """What the script returns in the page."""
    return driver.execute_script(script, *arguments)


def unfold(driver: WebDriver) -> None:
    run(driver, "document.getElementById('unfold').click()")


def test_it_loads_without_an_error_and_asks_nobody_for_anything(page: WebDriver, written: Written) -> None:
    page.get_log("performance"), page.get_log("browser")
    page.get(written.page.as_uri())
    unfold(page)
    run(page, "for (const image of document.images) image.loading = 'eager'")
    wait(lambda: run(page, "return [...document.images].every(i => i.complete && i.naturalWidth > 0)"))
    assert page.get_log("browser") == []
    log = page.get_log("performance")
    events = [json.loads(entry["message"])["message"] for entry in log]
    asked = [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert asked
    assert {url.partition(":")[0] for url in asked} <= {"file", "data"}
    assert [url for url in asked if url.startswith("file:")] == [written.page.as_uri()]


def test_hostile_evidence_runs_nothing(page: WebDriver) -> None:
    unfold(page)
    assert run(page, "return window.owned") is None
    assert run(page, "return document.querySelectorAll('blockquote *').length") == 0
    assert run(page, "return document.scripts.length") == 1
    text = run(page, "return document.querySelector('blockquote').textContent")
    assert "<script>window.owned=1</script>" in text and "[U+202E]" in text and "{{ 7*7 }}" in text
    assert run(page, "return getComputedStyle(document.querySelector('blockquote')).unicodeBidi") == "isolate"


def test_even_a_script_that_got_in_would_not_run(page: WebDriver) -> None:
    run(
        page,
        "const s = document.createElement('script'); s.textContent = 'window.owned = 4';"
        "document.body.append(s);"
        "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.owned=5\">');"
        "document.body.insertAdjacentHTML('beforeend', '<img src=\"https://example.invalid/x.png\">');",
    )
    time.sleep(0.2)
    assert run(page, "return window.owned") is None
    refused = [entry["message"] for entry in page.get_log("browser")]
    assert sum("Content Security Policy" in message for message in refused) >= 3


CONTRAST = """
const parse = (color) => {
  const [r, g, b, a = 1] = color.match(/[\\d.]+/g).map(Number);
  return {r, g, b, a};
};
const light = ({r, g, b}) => [r, g, b].map((c) => c / 255)
  .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
  .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
const ratio = (one, other) => {
  const [high, low] = [light(one), light(other)].sort((a, b) => b - a);
  return (high + 0.05) / (low + 0.05);
};
const behind = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const color = parse(getComputedStyle(at).backgroundColor);
    if (color.a === 1) return color;
    if (color.a > 0) throw new Error("half transparent: " + at.outerHTML.slice(0, 80));
  }
  throw new Error("no background");
};
"""
TEXTS = (
    CONTRAST
    + """
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const poor = []; let seen = 0;
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.textContent.trim() || element.closest("script")) continue;
  if (!element.checkVisibility()) continue;
  const style = getComputedStyle(element), size = parseFloat(style.fontSize);
  const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
  const found = ratio(parse(style.color), behind(element)); seen += 1;
  if (found >= (large ? arguments[1] : arguments[0])) continue;
  poor.push([found, walker.currentNode.textContent.slice(0, 40)]);
}
return [seen, poor];
"""
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("toggled", [False, True])
def test_every_text_has_contrast_in_both_schemes(page: WebDriver, scheme: str, toggled: bool) -> None:
    look(page, scheme)
    unfold(page)
    if toggled:
        run(page, "document.getElementById('theme').click()")
    dark = (scheme == "dark") != toggled
    assert run(page, CONTRAST + "return light(behind(document.body)) < 0.2") == dark
    assert (
        "invert" in run(page, "return getComputedStyle(document.querySelector('figure img')).filter")
    ) == dark
    seen, poor = run(page, TEXTS, LEAST_CONTRAST, LEAST_OF_LARGE)
    assert seen > 500
    assert poor == []


FOCUSED = (
    CONTRAST
    + """
const at = document.activeElement, style = getComputedStyle(at), box = at.getBoundingClientRect();
if (at === document.body) return null;
return [[...document.querySelectorAll("*")].indexOf(at), style.outlineStyle, parseFloat(style.outlineWidth),
  ratio(parse(style.outlineColor), behind(at)), box.bottom > 0 && box.top < innerHeight];
"""
)
CONTROLS = """
const every = [...document.querySelectorAll("*")];
return every.filter((e) => e.matches("a[href], button, summary, [tabindex='0']") && e.checkVisibility())
  .map((e) => every.indexOf(e));
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_keyboard_reaches_every_control_and_shows_where_it_is(page: WebDriver, scheme: str) -> None:
    look(page, scheme)
    run(
        page,
        "for (const one of document.querySelectorAll('figure details, section details')) one.open = false",
    )
    run(page, "for (const one of [...document.querySelectorAll('details')].slice(0, 1)) one.open = true")
    controls, reached = run(page, CONTROLS), []
    for _ in range(len(controls) + 1):
        ActionChains(page).send_keys(Keys.TAB).perform()
        focus = run(page, FOCUSED)
        if focus is None:
            break
        place, style, width, contrast, on_screen = focus
        assert style != "none" and width >= 2 and contrast >= LEAST_OF_FOCUS and on_screen, focus
        reached.append(place)
    assert reached == controls
    assert len(controls) > 40


def press(driver: WebDriver, selector: str, key: str) -> None:
    run(driver, "document.querySelector(arguments[0]).focus()", selector)
    ActionChains(driver).send_keys(key).perform()


def test_the_keyboard_works_every_control(page: WebDriver) -> None:
    ActionChains(page).send_keys(Keys.TAB, Keys.ENTER).perform()
    assert run(page, "return location.hash") == "#found"
    press(page, "#theme", Keys.ENTER)
    assert run(page, "return document.documentElement.dataset.theme") == "dark"
    press(page, "#theme", Keys.SPACE)
    assert run(page, "return document.documentElement.dataset.theme") == "light"
    press(page, "summary", Keys.ENTER)
    assert run(page, "return document.querySelector('details').open") is True
    press(page, "th button", Keys.ENTER)
    assert run(page, "return document.querySelector('th').ariaSort") == "ascending"
    press(page, "#unfold", Keys.ENTER)
    assert run(page, "return [...document.querySelectorAll('details')].every((d) => d.open)") is True
    press(page, "#unfold", Keys.ENTER)
    assert run(page, "return [...document.querySelectorAll('details')].some((d) => d.open)") is False


COLUMN = """
const table = document.querySelectorAll("table")[arguments[0]];
const head = [...table.tHead.rows[0].cells].findIndex((c) => c.textContent === arguments[1]);
if (arguments[2]) table.tHead.rows[0].cells[head].querySelector("button").click();
return [...table.tBodies[0].rows].map((row) => {
  const held = row.cells[head].querySelector("[data-at]") ?? row.cells[head];
  if (!held.dataset.at) return held.textContent;
  return held.dataset.value === undefined ? null : Number(held.dataset.value);
});
"""


@pytest.mark.parametrize("column", ["vector", "strength", "rate", "difference", "p", "notes"])
def test_a_click_sorts_a_column_and_another_turns_it_round(page: WebDriver, column: str) -> None:
    unfold(page)
    before = run(page, COLUMN, 0, column, False)
    rows = run(page, "return [...document.querySelector('table').tBodies[0].rows].map((r) => r.textContent)")
    filled = sorted(value for value in before if value not in (None, ""))
    empty = [value for value in before if value in (None, "")]
    assert run(page, COLUMN, 0, column, True) == filled + empty
    assert run(page, COLUMN, 0, column, True) == filled[::-1] + empty
    again = run(page, "return [...document.querySelector('table').tBodies[0].rows].map((r) => r.textContent)")
    assert sorted(again) == sorted(rows)


@pytest.mark.parametrize("width", [360, 768, 1200])
def test_the_page_does_not_scroll_sideways(page: WebDriver, width: int) -> None:
    look(page, "light", width=width)
    unfold(page)
    assert run(page, "return document.documentElement.scrollWidth") <= width
    wide = run(
        page,
        "return [...document.querySelectorAll('body *')].filter((e) => !e.closest('.scroll, .skip') && "
        "e.checkVisibility() && e.getBoundingClientRect().right > innerWidth + 1)"
        ".map((e) => e.outerHTML.slice(0, 80))",
    )
    assert wide == []


def test_a_telephone_gets_figures_of_its_own_size(page: WebDriver) -> None:
    width = (
        "const i = document.querySelector('figure.rates img');"
        "return [i.currentSrc, i.naturalWidth, i.clientWidth]"
    )
    wide, *_ = run(page, width)
    look(page, "light", width=360)
    page.refresh()
    narrow, natural, shown = run(page, width)
    assert narrow != wide
    assert shown / natural > 0.85  # so that what is printed at 8 points can be read


def test_paper_is_white_and_has_no_buttons_whatever_the_screen_was(page: WebDriver) -> None:
    look(page, "dark")
    run(page, "document.getElementById('theme').click(); document.getElementById('theme').click()")
    assert run(page, "return document.documentElement.dataset.theme") == "dark"
    look(page, "dark", width=690, media="print")
    assert run(page, CONTRAST + "return ratio(behind(document.body), {r: 255, g: 255, b: 255})") == 1
    assert run(page, "return getComputedStyle(document.querySelector('figure img')).filter") == "none"
    shown = (
        "return [...document.querySelectorAll('.tools, nav, .skip, details:not([open])')]"
        ".filter((e) => e.checkVisibility()).length"
    )
    assert run(page, shown) == 0
    unfold(page)
    assert run(page, "return document.documentElement.scrollWidth") <= 690
    seen, poor = run(page, TEXTS, LEAST_CONTRAST, LEAST_OF_LARGE)
    assert seen > 500 and poor == []
    pdf = base64.b64decode(page.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})["data"])
    assert pdf.startswith(b"%PDF") and pdf.count(b"/Type /Page\n") + pdf.count(b"/Type /Page ") > 2


def test_headings_images_and_regions_have_names(page: WebDriver) -> None:
    unfold(page)
    levels = run(
        page, "return [...document.querySelectorAll('h1, h2, h3, h4')].map((h) => Number(h.tagName[1]))"
    )
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    nameless = (
        "return [...document.querySelectorAll('img, [role=region], button, a')]"
        ".filter((e) => !(e.alt || e.ariaLabel || e.textContent.trim())).length"
    )
    assert run(page, nameless) == 0
    ids = run(page, "return [...document.querySelectorAll('[id]')].map((e) => e.id)")
    assert len(ids) == len(set(ids))


def test_each_figure_has_a_table(page: WebDriver) -> None:
    counts = run(
        page,
        "return [...document.querySelectorAll('figure')]"
        ".map((f) => f.querySelectorAll('details table').length)",
    )
    assert len(counts) > 8 and min(counts) >= 1


def wait(ready: Callable[[], Any], seconds: float = 90) -> Any:
    """What `ready` returns as soon as that is true."""
    until = time.monotonic() + seconds
    while not (found := ready()):
        if time.monotonic() > until:
            pytest.fail("it did not come in time")
        time.sleep(0.2)
    return found


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


def open_first_run(driver: WebDriver, page: str) -> str:
    """Follow the first link to a run from the page; the text of the viewer once it shows a transcript."""
    look(driver, "light")
    driver.get(page)
    before = set(driver.window_handles)
    run(driver, "const a = document.querySelector('.quote a'); a.closest('details').open = true; a.focus()")
    ActionChains(driver).send_keys(Keys.ENTER).perform()
    [opened] = wait(lambda: set(driver.window_handles) - before)
    driver.switch_to.window(opened)
    try:
        text: str = wait(
            lambda: "keycard" in (shown := run(driver, "return document.body.innerText")) and shown
        )
        return text
    finally:
        driver.close()
        driver.switch_to.window(before.pop())


@contextmanager
def viewing(logs: Path, port: int, home: Path) -> Iterator[None]:
    """A real `inspect view` of the logs, with a home of its own."""
    arguments = ["view", "start", "--log-dir", str(logs), "--port", str(port)]
    environment = {"HOME": str(home), "XDG_DATA_HOME": str(home), "PATH": "/usr/bin:/bin"}
    started = subprocess.Popen(
        [sys.executable, "-m", "inspect_ai", *arguments], env=environment, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait(lambda: answers(port) or started.poll())
        assert started.poll() is None
        yield
    finally:
        started.terminate()
        started.wait(timeout=30)


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


def page_for(viewer: str, written: Written, folder: Path) -> Path:
    """The page as `--viewer` would have made it, without its figures drawn once more."""
    found = Report.model_validate_json(written.numbers.read_text("utf-8"))
    text = written.page.read_text("utf-8").replace(ADDRESS, viewer)
    assert text.count(f'href="{viewer}#/logs/') == sum(
        len(s.quotes) for f in found.families for s in f.settings
    )
    page = folder / "report.html"
    page.write_text(text, "utf-8")
    return page


def test_a_link_opens_the_very_run_in_inspect_view(
    driver: WebDriver, written: Written, logs: Path, tmp_path: Path
) -> None:
    port = free_port()
    page = page_for(f"http://127.0.0.1:{port}/", written, tmp_path)
    with viewing(logs, port, tmp_path):
        assert first_quoted(written) in open_first_run(driver, page.as_uri())


def test_a_link_opens_the_very_run_in_a_bundle_beside_the_page(
    driver: WebDriver, written: Written, logs: Path, tmp_path: Path
) -> None:
    page_for("viewer/", written, tmp_path)
    arguments = ["view", "bundle", "--log-dir", str(logs), "--output-dir", str(tmp_path / "viewer")]
    command = [sys.executable, "-m", "inspect_ai", *arguments]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    handler = functools.partial(Silent, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        text = open_first_run(driver, f"http://127.0.0.1:{server.server_port}/report.html")
        server.shutdown()
    assert first_quoted(written) in text


class Silent(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, format: str, *args: Any) -> None:
        del format, args


def first_quoted(written: Written) -> str:
    """The id of the run that the page quotes first, as the viewer shows it."""
    found = Report.model_validate_json(written.numbers.read_text("utf-8"))
    quote = found.families[0].settings[0].quotes[0]
    assert quote.vector == "baseline"
    return f"{found.families[0].family}/{quote.scenario}/{quote.variant}/none"
