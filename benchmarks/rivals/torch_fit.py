"""What a student would write with PyTorch for the same job as `fit lstm-beat-mel`, as a script.

Reads the beat-synchronous features, trains for so many epochs with a check on the validation clips
after each, evaluates the test clips, and writes weights, a report and the pictures.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from sklearn.metrics import ConfusionMatrixDisplay, accuracy_score, classification_report
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence
from torch.utils.data import DataLoader

from benchmarks.rivals.course_loader import read

mpl.use("Agg")
N_MELS = 128
Item = tuple[torch.Tensor, int]
Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


class Classifier(nn.Module):  # type: ignore[misc, unused-ignore]
    """Two bidirectional LSTM layers, dropout between, a dense layer on the last states."""

    def __init__(self, mean: torch.Tensor, deviation: torch.Tensor, units: int, n_classes: int) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)
        self.lstm = nn.LSTM(N_MELS, units, 2, batch_first=True, bidirectional=True, dropout=0.3)
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(2 * units, n_classes)

    def forward(self, features: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        scaled = (features - self.mean) / self.deviation
        packed = pack_padded_sequence(scaled, lengths, batch_first=True, enforce_sorted=False)
        _, (states, _) = self.lstm(packed)
        return self.head(self.dropout(torch.cat([states[-2], states[-1]], dim=1)))


def collate(items: Sequence[Item]) -> Batch:
    """A batch, padded to its longest."""
    features = nn.utils.rnn.pad_sequence([features for features, _ in items], batch_first=True)
    lengths = torch.tensor([len(features) for features, _ in items])
    return features, lengths, torch.tensor([label for _, label in items])


def load(folder: Path, part: str) -> tuple[list[torch.Tensor], list[str]]:
    """The mel bands and genres of a part of the data set."""
    with (folder / f"{part}_labels.txt").open() as file:
        rows = list(csv.reader(file, delimiter="\t"))[1:]
    paths = [folder / part / f"{name.partition('.')[0]}.fused.full.npy.gz" for name, _ in rows]
    features = [torch.from_numpy(np.ascontiguousarray(read(path)[:, :N_MELS])) for path in paths]
    return features, [genre for _, genre in rows]


def evaluate(model: Classifier, batches: DataLoader[Item]) -> tuple[list[int], list[int]]:
    """True and predicted classes."""
    model.eval()
    truth, found = [], []
    with torch.no_grad():
        for features, lengths, labels in batches:
            truth += labels.tolist()
            found += model(features, lengths).argmax(dim=1).tolist()
    return truth, found


def main() -> None:
    """Train, evaluate and write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--units", type=int, default=128)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    folder = arguments.data / "fma_genre_spectrograms_beat"
    features, genres = load(folder, "train")
    test_features, test_genres = load(folder, "test")
    classes = sorted(set(genres))
    labels = [classes.index(genre) for genre in genres]
    order = np.random.default_rng(0).permutation(len(features))
    held_out = len(features) // 3
    data: list[Item] = [(features[i], labels[i]) for i in order]
    test: list[Item] = list(zip(test_features, [classes.index(genre) for genre in test_genres], strict=True))
    train = DataLoader(data[held_out:], 32, shuffle=True, collate_fn=collate)
    validation = DataLoader(data[:held_out], 32, collate_fn=collate)
    everything = torch.cat([features for features, _ in data[held_out:]])
    model = Classifier(everything.mean(dim=0), everything.std(dim=0), arguments.units, len(classes))
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    history, best = [], -1.0
    arguments.out.mkdir(parents=True, exist_ok=True)
    for _ in range(arguments.epochs):
        model.train()
        for batch, lengths, targets in train:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(batch, lengths), targets).backward()
            optimizer.step()
        accuracy = float(accuracy_score(*evaluate(model, validation)))
        history.append(accuracy)
        if accuracy > best:
            best = accuracy
            torch.save(model.state_dict(), arguments.out / "model.pt")
    model.load_state_dict(torch.load(arguments.out / "model.pt"))
    truth, found = evaluate(model, DataLoader(test, 32, collate_fn=collate))
    report = classification_report(
        truth, found, labels=range(len(classes)), target_names=classes, output_dict=True, zero_division=0
    )
    (arguments.out / "report.json").write_text(json.dumps({"history": history, "test": report}))
    from matplotlib import pyplot

    figure, axes = pyplot.subplots()
    axes.plot(history)
    figure.savefig(arguments.out / "curves.png")
    ConfusionMatrixDisplay.from_predictions(truth, found).figure_.savefig(arguments.out / "confusion.png")


if __name__ == "__main__":
    main()
