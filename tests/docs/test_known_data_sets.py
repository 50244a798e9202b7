"""The commands that prepare known data sets, each in a folder with a miniature of what it names."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import pytest

from tests.docs.blocks import blocks_run_by
from tests.pipelines.datasets.test_audio_data_sets import MINIATURES, touch

pytestmark = pytest.mark.docs

LINES = [line for block in blocks_run_by(__file__) for line in block.text.splitlines()]
KINDS = {
    "fma_small": "fma",
    "genres": "gtzan",
    "mtg-jamendo": "mtg-jamendo",
    "magnatagatune": "magnatagatune",
    "MEMD_audio": "deam",
    "clips_45seconds": "emomusic",
    "emotifymusic": "emotify",
}
LISTS = {
    "TRAIN": ["blues/blues.00001.wav", "jazz/jazz.00054.au"],
    "VALID": ["blues/blues.00002.wav", "jazz/jazz.00055.wav"],
    "TEST": ["blues/blues.00000.wav", "jazz/jazz.00056.wav"],
}


def unpack(words: list[str], folder: Path) -> None:
    """The data set's miniature, as the command's words name its places."""
    (folder / "miniature").mkdir()
    sound, table = MINIATURES[KINDS[words[0]]](folder / "miniature")
    if words[0] == "emotifymusic" and table:  # a split wants ten for a clip of each genre to test on
        with table.open("a") as rows:
            for number in range(2, 6):
                touch(sound, f"classical/{number}.mp3", f"rock/{number}.mp3")
                for track, genre in ((number, "classical"), (number + 100, "rock")):
                    rows.write(f"{track},{genre},0,0,1,0,0,0,0,0,0,4,0,0,41,0,Dutch\n")
    sound.rename(folder / words[0])
    if table:
        labels = folder / words[words.index("--labels") + 1]
        shutil.copytree(table.parent, labels.parent, dirs_exist_ok=True)
        for split in ("train", "validation", "test"):  # MTG-Jamendo's tables, of which there are several sets
            if table.name == "autotagging-train.tsv":
                old = labels.with_name(f"autotagging-{split}.tsv")
                old.rename(labels.with_name(labels.name.replace("train", split)))
    else:
        for name, clips in LISTS.items():
            touch(folder / words[0], *clips)
            (folder / name).write_text("\n".join(clips) + "\n")


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.partition("prepare ")[2].split(" --out")[0])
def test_a_known_data_set_is_prepared(line, tmp_path, monkeypatch):
    import soundfile

    from keras_mir.prepare.__main__ import main
    from pipelines.synthetic.render import render_clip

    words = shlex.split(line)
    assert words[:3] == ["python", "-m", "keras_mir.prepare"]
    words = words[3:]
    if words[0] == "--mirdata":
        core = pytest.importorskip("mirdata.core")
        files = [name for names in LISTS.values() for name in names]
        touch(tmp_path / words[3] / "genres", *files)
        tracks = {Path(name).stem: {"audio": [f"genres/{name}", ""]} for name in files}
        nothing = {"beats": [None, None], "tempo": [None, None]}
        index = {"version": "1.0", "tracks": {name: track | nothing for name, track in tracks.items()}}
        (tmp_path / "index.json").write_text(json.dumps(index))
        monkeypatch.setattr(core.Index, "get_path", lambda _: str(tmp_path / "index.json"))
    else:
        unpack(words, tmp_path)
    for number, path in enumerate(sorted(tmp_path.rglob("*.*"))):
        if path.suffix in (".wav", ".au", ".mp3"):
            soundfile.write(path, render_clip("Rock", number, 2.0).audio, 22050)
    monkeypatch.chdir(tmp_path)
    assert main([*words, "--jobs", "1"]) == 0  # other processes would take longer to start
    assert (tmp_path / "DATA/examples.csv").is_file()
