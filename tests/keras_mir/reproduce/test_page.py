"""Whether the page and its Markdown twin say all there is, safely, and lead to the commands."""

import itertools
import re
from dataclasses import replace
from html.parser import HTMLParser
from math import nan
from pathlib import Path
from urllib.parse import unquote

import pytest

from keras_mir.recipes.duration import duration
from keras_mir.reproduce.page import render, write_page
from keras_mir.reproduce.run import make_tables
from keras_mir.reproduce.wording import MINUS, UNDEFINED, difference, published, score

VOID = ("meta", "img")


class Page(HTMLParser):
    """What a page holds; fails where tags are not closed in order."""

    def __init__(self, html):
        super().__init__()
        self.ids, self.links, self.images, self.headings, self.words = [], [], [], [], []
        self.commands = {}  # text of every <pre> by its id
        self._open = []
        self.feed(html)
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if "id" in attributes:
            self.ids.append(attributes["id"])
        if tag == "a":
            self.links.append([attributes["href"], ""])
        if tag == "img":
            self.images.append(attributes)
        if tag not in VOID:
            self._open.append((tag, attributes))

    def handle_endtag(self, tag):
        assert self._open.pop()[0] == tag

    def handle_data(self, data):
        tag, attributes = self._open[-1] if self._open else ("", {})
        if tag == "style":
            return
        self.words.append(data)
        if tag == "a":
            self.links[-1][1] += data
        if tag == "pre":
            self.commands[attributes["id"]] = data
        if tag in ("h1", "h2", "h3"):
            self.headings.append((tag, data.strip()))

    @property
    def text(self):
        return " ".join("".join(self.words).split())


def markdown(results):
    return render("index.md", results, Path())


@pytest.fixture
def page_of(page_folder):
    return lambda results: Page(render("index.html", results, page_folder))


def test_every_link_leads_somewhere_and_every_id_is_one(page_of, results_of):
    page = page_of(results_of())
    assert len(page.ids) == len(set(page.ids))
    targets = {href[1:] for href, _ in page.links if href.startswith("#")}
    assert targets <= set(page.ids)
    assert {href for href, _ in page.links if not href.startswith("#")} == {"index.md", "results.json"}


def test_a_number_leads_to_the_command_that_made_it(page_of, results_of):
    page = page_of(results_of())
    # 5c on beat-chroma: .20 and .22, in the overview and as accuracy in table 3.
    leads = {page.commands[href[1:]] for href, text in page.links if text == ".210 ± .014"}
    assert leads == {"python -m keras_mir.fit paper-5c-beat-chroma --data 'my <music>' --seed 0"}


def test_every_run_and_seed_has_its_command(page_of, results_of):
    results = results_of()
    commands = page_of(results).commands.values()
    for experiment in results.experiments:
        for run in experiment.runs:
            assert run.command in commands
    assert results.command in commands
    assert len(commands) == len(set(commands))


def test_the_page_needs_nothing_but_itself(page_folder, results_of):
    html = render("index.html", results_of(), page_folder)
    page = Page(html)
    assert all(image["src"].startswith("data:image/png;base64,") for image in page.images)
    assert not re.search(r"<script|<link|@import|url\(|https?://", html)


def test_pictures_have_size_and_words_and_the_figure_they_stand_for(page_of, results_of):
    page = page_of(results_of())
    (image,) = page.images
    assert image["alt"] == "Mel of <Rock> & Jazz"
    assert (image["width"], image["height"]) == ("192", "96")  # 300 x 150 at 150 dpi, of 96 in CSS
    assert "Stands for Fig 1 of the paper. Mel of <Rock> & Jazz" in page.text
    assert "figures/gone.png is not there any more" in page.text


def test_names_from_outside_are_no_markup(page_folder, results_of):
    html = render("index.html", results_of(), page_folder)
    assert "<emotify>" not in html
    assert "&lt;emotify&gt;" in html
    assert "'my &lt;music&gt;'" in html.replace("&#39;", "'")


@pytest.mark.parametrize("is_course", [True, False])
def test_published_values_are_shown_on_the_reports_data_only(page_folder, results_of, is_course):
    results = results_of(is_course)
    html = render("index.html", results, page_folder)
    assert ('class="published">.7639<' in html) == is_course
    assert ("*.7639*" in markdown(results)) == is_course
    reason = "The paper's numbers are not shown: they are of its own data set"
    assert (reason in Page(html).text) != is_course


@pytest.mark.parametrize(
    ("synthetic", "said"), [(True, "none; this package generated the music"), (False, "not stated")]
)
def test_music_that_no_licence_is_known_of(page_of, results_of, synthetic, said):
    results = results_of()
    dataset = {**results.dataset, "licence": "", "synthetic": synthetic}
    assert f"Licence {said}" in page_of(replace(results, dataset=dataset)).text


def test_data_split_seeds_versions_machine_and_time_are_stated(page_of, results_of):
    text = page_of(results_of()).text
    for fact in (
        "for research & study",
        "1,537 train, 768 validation, 575 test clips. Course split, seed 420; test clips are the data set",
        "10 classes: Blues,",
        "3 targets: valence, energy, danceability",
        "Seeds 0, 1 ",
        "python 3.11.7, librosa not installed",
        "Linux x86_64, 2 cores",
        "2026-01-05 21:24:00",
        "1 h 7 min",
    ):
        assert fact in text


def test_what_failed_and_what_is_left_to_do_stands_at_the_top(page_of, results_of):
    results = results_of()
    top = page_of(results).text.split("Data and method")[0]
    assert "Experiment 5c, paper-5c-beat-fused-seed1: loss became NaN | epoch 3" in top
    assert "Experiment 9, paper-9-transfer-energy-seed1" in top
    assert "Run the same command again" in top
    text = markdown(results).split("## Data and method")[0]
    assert r"loss became NaN \| epoch 3" in text


def test_a_trial_and_synthetic_music_say_so_first(page_of, results_of):
    results = results_of(quick=True)
    synthetic = replace(results, dataset={**results.dataset, "synthetic": True})
    for text in (page_of(synthetic).text, markdown(synthetic)):
        assert "its numbers mean nothing" in text
        assert "The music is synthetic" in text
        assert "In a trial run these answers mean nothing." in text
    plain = page_of(results_of()).text
    assert "trial" not in plain
    assert "synthetic" not in plain


def test_nothing_is_said_to_fail_where_nothing_did(page_of, results_of):
    results = results_of()
    good = replace(results, experiments=(results.experiments[1],), tables=(), comparisons=())
    assert "failed" not in page_of(good).text


def test_tables_stand_with_their_experiment_and_ours_are_told_from_the_papers(page_of, results_of):
    text = page_of(results_of(is_course=True)).text
    experiment_6 = text.split("6. Class by class")[2].split("8. Affect, one model per target")[
        0
    ]  # after the contents
    assert re.findall(r"Table \d(?:, our variant)?\.", experiment_6) == [
        "Table 1.",
        "Table 2.",
        "Table 3.",
        "Table 4.",
        "Table 1, our variant.",
        "Table 2, our variant.",
    ]
    assert "Table 6." in text.split("8. Affect, one model per target")[2].split("9. Transfer")[0]


def test_tables_of_5c_stand_there_if_experiment_6_was_not_asked_for(page_of, results_of):
    results = results_of()
    outcomes = tuple(one for one in results.experiments if one.id != "6")
    without = replace(results, experiments=outcomes, tables=make_tables(outcomes, ""))
    assert "Table 1." in page_of(without).text


def test_a_cell_of_fewer_seeds_says_so(page_of, results_of):
    assert ".450 (1 of 2 seeds)" in page_of(results_of()).text


def test_undefined_correlations_are_dashes(page_of, results_of):
    page = page_of(results_of(seeds=(1,)))
    assert [text for _, text in page.links if text == UNDEFINED][:2] == [UNDEFINED] * 2
    assert "Spearman undefined" in page.text
    assert "nan" not in page.text.lower().replace("loss became nan", "")


def test_headings_go_down_one_level_at_a_time(page_of, results_of):
    levels = [int(tag[1]) for tag, _ in page_of(results_of()).headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_answers_are_there_with_their_verdict_first(page_of, results_of):
    results = results_of()
    page = page_of(results).text.replace("\N{NO-BREAK SPACE}", " ")
    assert "The paper's settings. Yes: accuracy of beat-mel is .510 ± .014 and of mel .410 ± .014" in page
    assert "The paper's settings. **Yes:** accuracy of beat-mel is .510" in markdown(results)


def test_markdown_links_lead_somewhere(results_of):
    text = markdown(results_of())
    anchors = re.findall(r'<a id="([^"]+)">', text)
    assert len(anchors) == len(set(anchors))
    targets = set(re.findall(r"\]\(#([^)]+)\)", text))
    assert targets
    assert targets <= set(anchors)


def test_markdown_pictures_are_files_beside_it(results_of):
    text = markdown(results_of())
    sources = re.findall(r"!\[[^\n]*\]\(([^)]+)\)", text)
    assert [unquote(source) for source in sources] == ["figures/1 full.png", "figures/gone.png"]
    assert " " not in sources[0]


def test_markdown_tables_are_whole(results_of):
    blocks = re.findall(r"(?:^\|.*\n)+", markdown(results_of(is_course=True)), re.MULTILINE)
    assert len(blocks) > 8
    for block in blocks:
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(widths) == 1


def test_markdown_and_page_have_the_same_numbers(page_of, results_of):
    results = results_of(is_course=True)
    number = re.compile(rf"{MINUS}?\.\d{{3}} ± \.\d{{3}}")
    page = page_of(results).text.replace("\N{NO-BREAK SPACE}", " ")
    assert sorted(number.findall(page)) == sorted(number.findall(markdown(results)))


def test_all_three_files_are_written_whole(page_folder, results_of):
    results = results_of()
    write_page(results, page_folder)
    results.write(page_folder)
    files = {path.name: path.stat().st_size for path in page_folder.iterdir() if path.is_file()}
    assert set(files) == {"index.html", "index.md", "results.json"}
    assert all(files.values())


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (score(0.5832), ".583"),
        (score(-0.0123), f"{MINUS}.012"),
        (score(1.0), "1.000"),
        (score(-0.0001), ".000"),
        (score(nan), UNDEFINED),
        (difference(0.07), "+.070"),
        (difference(-0.07), f"{MINUS}.070"),
        (published(0.4), ".40"),
        (published(0.69407), ".69407"),
        (duration(3.14), "3.1 s"),
        (duration(9.96), "10 s"),
        (duration(59.99), "1 min 0 s"),
        (duration(7500), "2 h 5 min"),
    ],
)
def test_numbers_are_written_alike(written, expected):
    assert written == expected
