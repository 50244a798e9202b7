"""The map: one page, in which names are text whatever is in them."""

import html.parser
import json
import re

import numpy as np
import pytest

from keras_mir.similar.__main__ import main

EVIL = '</script><img src=x onerror="alert(1)">&.ogg'


class Page(html.parser.HTMLParser):
    """The tags of a page, what they ask for, and the text of its scripts and lists."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.texts = [], [], {}
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.links += [value for name, value in attributes if name in ("src", "href")]

    def handle_data(self, data):
        self.texts.setdefault(self.tags[-1] if self.tags else "", []).append(data)


@pytest.fixture
def page_of(tmp_path, capsys):
    def page_of(vectors, *arguments):
        file = tmp_path / "maps" / "map.html"
        assert main([*map(str, arguments), "--in", str(vectors), "--map", str(file)]) == 0
        assert capsys.readouterr().err == f"map  {file}\n"
        return Page(file.read_text())

    return page_of


def test_songs_are_where_their_neighbours_are(page_of, write_vectors, tmp_path):
    random = np.random.default_rng(0)
    groups = [random.normal(size=(20, 8)) * 0.1 + random.normal(size=8) * 3 for _ in range(3)]
    vectors = write_vectors(np.concatenate(groups), genre=["Rock"] * 20 + ["Jazz"] * 20 + [None] * 20)
    page = page_of(vectors, tmp_path / "music" / "00000.ogg", "--top", 5, "--csv")
    songs = json.loads(page.texts["script"][0])
    assert [song["name"] for song in songs] == [f"{number:05}.ogg" for number in range(60)]
    assert songs[0] | {"x": 0, "y": 0} == {
        "x": 0,
        "y": 0,
        "name": "00000.ogg",
        "link": "../music/00000.ogg",
        "about": "1:00, 100 BPM",
        "genre": 2,
        "marked": True,
    }
    assert sum(song["marked"] for song in songs) == 6
    assert "".join(page.texts["li"]).split("\n")[0] == "no genreJazzRock"
    places = np.array([[song["x"], song["y"]] for song in songs])
    assert places.min() == 0
    assert places.max() == 1
    nearest = np.argsort(np.linalg.norm(places[:, None] - places[None], axis=-1), axis=1)[:, 1:4]
    assert (nearest // 20 == np.arange(60)[:, None] // 20).mean() > 0.95


def test_names_are_text_and_nothing_is_from_elsewhere(page_of, write_vectors, tmp_path):
    vectors = write_vectors(np.eye(3), [EVIL, "ä #?.ogg", "b.ogg"], genre=[EVIL, "x", "y"])
    page = page_of(vectors)
    assert page.tags.count("img") == 0
    assert page.tags.count("script") == 2
    assert page.links == []
    assert EVIL in page.texts["li"]
    songs = json.loads(page.texts["script"][0])
    assert songs[0]["name"] == EVIL.rpartition("/")[2]
    assert songs[2]["link"] == "../music/%C3%A4%20%23%3F.ogg"
    assert not re.search(r"https?:|//[a-z]", (tmp_path / "maps" / "map.html").read_text())


@pytest.mark.parametrize("genres", [[b"\xff", None, b"Jazz"], [1.5, 2.0, None], [["Jazz"], None, []]])
def test_a_column_of_anything_may_be_called_genre(page_of, write_vectors, genres):
    assert len(json.loads(page_of(write_vectors(np.eye(3), genre=genres)).texts["script"][0])) == 3


@pytest.mark.parametrize("count", [1, 2, 4])
def test_few_songs_are_a_map(page_of, write_vectors, count):
    page = page_of(write_vectors(np.eye(4)[:count]))
    assert len(json.loads(page.texts["script"][0])) == count
