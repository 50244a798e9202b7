"""The page's files as the server sends them; `page_in_browser.py` tests what they do."""

from __future__ import annotations

import http.client
import re
from html.parser import HTMLParser

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

FILES = {"/": "text/html", "/page/page.css": "text/css", "/page/page.js": "text/javascript"}


@pytest.fixture(scope="module")
def root(put_version, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    put_version(folder)
    (folder / "secret.txt").write_text("for nobody")
    return folder


@pytest.fixture
def fetch(serving, root):
    """Asks for a path as it is, without a client that tidies it up."""
    with serving(root) as client:

        def ask(path, method="GET"):
            connection = http.client.HTTPConnection(client.server.rest_address, timeout=30)
            try:
                connection.request(method, path)
                response = connection.getresponse()
                return response, response.read().decode()
            finally:
                connection.close()

        yield ask


@pytest.mark.parametrize(("path", "kind"), FILES.items())
def test_each_file_has_its_type_and_may_load_nothing_from_elsewhere(fetch, path, kind):
    response, text = fetch(path)
    assert response.status == 200
    assert response.getheader("content-type") == f"{kind}; charset=utf-8"
    assert response.getheader("x-content-type-options") == "nosniff"
    policy = dict(rule.split(" ", 1) for rule in response.getheader("content-security-policy").split("; "))
    assert policy["default-src"] == "'none'"
    assert {source for sources in policy.values() for source in sources.split()} == {
        "'none'",
        "'self'",
        "blob:",
        "data:",
    }
    # The one address is a name of XML, which nobody loads.
    assert set(re.findall(r"https?://[^\s\"'`)]+", text)) <= {"http://www.w3.org/2000/svg"}


@pytest.mark.parametrize("path", FILES)
def test_a_head_is_the_answer_without_its_body(fetch, path):
    response, text = fetch(path, "HEAD")
    assert (response.status, text) == (200, "")
    assert response.getheader("content-length") == fetch(path)[0].getheader("content-length")


def test_the_page_names_its_files_and_no_others(fetch):
    found = []

    class Links(HTMLParser):
        def handle_starttag(self, tag, attributes):
            found.extend(value for name, value in attributes if name in ("src", "href"))
            assert not any(name == "style" or name.startswith("on") for name, _ in attributes), tag

    Links().feed(fetch("/")[1])
    assert [f"/{link}" for link in found if not link.startswith("data:")] == [
        "/page/page.css",
        "/page/page.js",
    ]


@pytest.mark.parametrize(
    "path",
    [
        "/page",
        "/page/",
        "/page/index.html",
        "/page/../page.py",
        "/page/%2e%2e/page.py",
        "/page/..%2f..%2fsecret.txt",
        "/page//etc/passwd",
        "/secret.txt",
        "//",
    ],
)
def test_no_other_file_can_be_had(fetch, path):
    response, text = fetch(path)
    assert response.status == 404
    assert response.getheader("content-type") == "application/json"
    assert "for nobody" not in text


def test_the_page_is_only_read(fetch):
    assert fetch("/", "POST")[0].status == 405


def test_the_api_goes_on_beside_it(fetch):
    assert '"AVAILABLE"' in fetch("/v1/models/toy")[1]
