"""The site in a real browser, opened as files and without a network: `tox -e page`.

Its name keeps it out of the ordinary tests, which need no browser. CHROMIUM is the path of one;
without it, the one that `playwright install chromium` downloads is taken.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

WIDE, NARROW = 1280, 360  # pixels
Visit = Callable[..., Page]

BROKEN = (
    "[...document.images].filter(image => !image.complete || !image.naturalWidth).map(image => image.src)"
)

# What sticks out to the right, and is in nothing that scrolls.
STICKS_OUT = """() => {
  const scrolls = (part) => part && (/auto|scroll/.test(getComputedStyle(part).overflowX)
    || scrolls(part.parentElement));
  return [...document.querySelectorAll(".md-content *")]
    .filter((part) => part.getBoundingClientRect().right > innerWidth + 1 && !scrolls(part.parentElement))
    .map((part) => part.outerHTML.slice(0, 200));
}"""

# Texts whose contrast to what is behind them is below WCAG's 4.5.
PALE = """() => {
  const style = (part, name) => getComputedStyle(part)[name].match(/[\\d.]+/g).map(Number);
  const over = ([r, g, b, alpha = 1], lower) =>
    [r, g, b].map((value, i) => value * alpha + lower[i] * (1 - alpha));
  const behind = (part) => part
    ? over(style(part, "backgroundColor"), behind(part.parentElement)) : [255, 255, 255];
  const linear = (value) => value <= 10 ? value / 3295 : ((value / 255 + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.05 + 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const contrast = (part) => {
    const ground = behind(part);
    const [dark, bright] = [light(over(style(part, "color"), ground)), light(ground)].sort((a, b) => a - b);
    return bright / dark;
  };
  return [...document.querySelectorAll(".md-header *, .md-sidebar *, .md-content *")]
    .filter((part) => [...part.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
    .filter((part) => part.checkVisibility({opacityProperty: true, visibilityProperty: true}))
    .filter((part) => contrast(part) < 4.5)
    .map((part) => part.outerHTML.slice(0, 200));
}"""

# What the last key went to, and whether a reader sees it; of the palettes' hidden buttons the icon is seen.
FOCUS = """() => {
  const part = document.activeElement;
  const seen = part.name === "__palette" ? part.nextElementSibling : part;
  const {left, right, top, bottom} = seen.getBoundingClientRect();
  const shown = seen.checkVisibility({opacityProperty: true, visibilityProperty: true}) && bottom > top;
  const within = left > -1 && right > left && right < innerWidth + 1 && top > -1 && top < innerHeight;
  const name = (part.ariaLabel || part.textContent).trim();
  return {name, list: part.tagName === "DIV", seen: shown && within};
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM"), args=["--no-sandbox"]
        )
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, site) -> Iterator[Visit]:
    """Opens the first page; afterwards, that nothing failed or was complained of, and nobody was asked."""
    wrong: list[str] = []
    opened: list[Page] = []

    def failed(request: Any) -> None:
        if request.failure != "net::ERR_ABORTED":  # as what a page still loads when it is left
            wrong.append(f"{request.url}: {request.failure}")

    def requested(request: Any) -> None:
        if not request.url.startswith((f"{site.as_uri()}/", "data:")):
            wrong.append(request.url)

    def visit(width: int = WIDE, scheme: Any = "light") -> Page:
        page = browser.new_page(
            viewport={"width": width, "height": 800},
            color_scheme=scheme,
            reduced_motion="reduce",
            offline=True,
        )
        opened.append(page)
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("requestfailed", failed)
        page.on("request", requested)
        page.goto((site / "index.html").as_uri())
        return page

    yield visit
    for page in opened:
        page.close()
    assert wrong == []


@pytest.fixture(scope="module")
def addresses(site) -> list[str]:
    """Of all pages but the one that servers show for those they do not have."""
    return [path.as_uri() for path in sorted(Path(site).rglob("*.html")) if path.name != "404.html"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_whole_and_readable_as_the_reader_prefers_it(visit, addresses, scheme):
    page = visit(scheme=scheme)
    for address in addresses:
        page.goto(address)
        assert page.evaluate(BROKEN) == [], address
        assert page.evaluate(PALE) == [], address


def test_on_a_telephone_what_is_wide_scrolls_sideways_and_no_page_does(visit, addresses):
    page = visit(NARROW)
    for address in addresses:
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= NARROW, address
        assert page.evaluate(STICKS_OUT) == [], address


def test_the_search_leads_to_the_place(visit):
    page = visit()
    page.keyboard.press("/")
    page.keyboard.type("beat")
    expect(page.locator(".md-search-result__meta")).to_contain_text("matching documents")
    page.keyboard.press("ArrowDown")
    expect(page.locator(".md-search-result__link").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Layers", level=1)).to_be_in_viewport()
    page.get_by_role("textbox", name="Search").click()
    page.keyboard.type("models.config")
    page.locator(".md-search-result__link[href*='serving.html#']").first.click()
    page.wait_for_url("**/serving.html#*")
    place = page.evaluate("decodeURIComponent(location.hash.slice(1))")
    expect(page.locator(f"[id='{place}']")).to_be_in_viewport()


def test_a_palette_once_chosen_stays(visit):
    page = visit()
    colours = "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
    before = page.evaluate(colours)
    page.get_by_title("Dark").click()
    expect(page.locator("body")).to_have_attribute("data-md-color-scheme", "slate")
    dark = page.evaluate(colours)
    assert not set(before) & set(dark)
    page.get_by_role("link", name="Layers", exact=True).first.click()
    expect(page.get_by_role("heading", name="Layers", level=1)).to_be_visible()
    assert page.evaluate(colours) == dark
    page.get_by_title("Light").click()
    expect(page.locator("body")).to_have_attribute("data-md-color-scheme", "default")
    assert page.evaluate(colours) == before


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_with_keys_alone_one_sees_where_one_is_and_goes_on(visit, width):
    page = visit(width)
    passed: list[str] = []
    while passed[-1:] != ["Serving and operations"]:
        page.keyboard.press("Tab")
        if page.evaluate(FOCUS)["list"]:
            continue  # of what was found, and nothing is yet
        page.wait_for_function(f"({FOCUS})().seen", timeout=5000)
        passed.append(page.evaluate(FOCUS)["name"])
        assert len(passed) < 40, passed
    assert passed[0] == "Skip to content"
    assert {"Dark", "Search", "Your own music"} < set(passed)
    page.keyboard.press("Enter")
    page.wait_for_url("**/serving.html")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/serving.html#*")
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('.md-content').contains(document.activeElement)")
