"""Genre, tags and affect of one data set as one table, in which a clip may lack some."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipelines.datasets.joined import joined
from pipelines.datasets.load import load_examples
from pipelines.errors import UserError
from pipelines.spec import FeatureSpec

LABELS = """\
id,genre,tags,calm,artist
a,Rock,live;loud,0.1,X
b,Jazz,,0.2,Y
c,,live,,X
d,Rock,loud,0.4,Z
"""


@pytest.fixture
def parts(tmp_path, save_features, make_fused):
    """The same folder, read for each task."""
    (tmp_path / "labels.csv").write_text(LABELS)
    for number, name in enumerate("abcd"):
        save_features(tmp_path / f"{name}.npy", make_fused(8, number).astype(np.float32))
    return {
        task: load_examples(tmp_path, task, prefer_synced=False, targets=("calm",))
        for task in ("genre", "tags", "affect")
    }


def test_every_clip_has_what_labels_there_are(parts):
    examples = joined(parts)
    table = examples.table.set_index("id").loc[list("abcd")]
    assert examples.tasks == ("genre", "tags", "affect")
    assert (examples.tags, examples.targets) == (("live", "loud"), ("calm",))
    assert table["genre"].tolist() == ["Rock", "Jazz", "", "Rock"]
    assert table["tags"].tolist() == [("live", "loud"), None, ("live",), ("loud",)]
    assert table["calm"].isna().tolist() == [False, False, True, False]
    assert table["calm"].dropna().tolist() == [0.1, 0.2, 0.4]
    assert table["artist"].tolist() == ["X", "Y", "X", "Z"]
    has = {task: examples.has_labels(task).sum() for task in examples.tasks}
    assert has == {"genre": 3, "tags": 3, "affect": 3}
    assert len(examples.labelled()) == 4


def test_one_task_alone_is_left_as_it_is(parts):
    assert joined({"tags": parts["tags"]}) is parts["tags"]


def test_parts_of_two_datasets_are_refused(parts):
    moved = parts["tags"].table.assign(split=["test", "", ""])
    with pytest.raises(
        UserError, match="'a' is tested on for one task and trained on for another; prepare the data again"
    ):
        joined({**parts, "tags": replace(parts["tags"], table=moved)})
    for change in ({"synced": True}, {"spec": FeatureSpec(n_mels=64)}):
        with pytest.raises(UserError, match="the features of its tags clips are not made as those of the"):
            joined({**parts, "tags": replace(parts["tags"], **change)})


def test_a_column_that_some_tasks_have_not_is_that_of_the_others(parts):
    for task in ("genre", "affect"):
        parts[task] = replace(parts[task], table=parts[task].table.drop(columns="artist"))
    artists = joined(parts).table.set_index("id")["artist"]
    assert artists.loc[list("abcd")].tolist() == ["X", "", "X", "Z"]
