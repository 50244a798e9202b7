"""Labels that are most likely wrong, by what models say that have not seen them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd


def suspicious_labels(
    ids: Sequence[str], labels: np.ndarray, probabilities: np.ndarray, classes: Sequence[str]
) -> pd.DataFrame:
    """Every clip with its label, what it was taken for, and how far the label is to be trusted.

    By cleanlab: C. G. Northcutt et al., "Confident Learning", JAIR 2021.

    Args:
        ids: Ids of the clips.
        labels: Class indices `(n,)`.
        probabilities: `(n, n_classes)`, by models that were trained without the clip.
        classes: Class names in index order.

    Returns:
        `id`, `label`, `predicted`, `label_quality`, from 0 to 1, and `likely_wrong`, the lowest
        quality first.
    """
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    names = np.array(classes, dtype=object)
    table = pd.DataFrame(
        {
            "id": ids,
            "label": names[labels],
            "predicted": names[probabilities.argmax(axis=1)],
            "label_quality": get_label_quality_scores(labels, probabilities),
            # As many as there are likely to be, those of the lowest quality.
            "likely_wrong": find_label_issues(
                labels, probabilities, filter_by="low_self_confidence", n_jobs=1
            ),
        }
    )
    return table.sort_values("label_quality", kind="stable", ignore_index=True)
