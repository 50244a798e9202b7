"""The pretrained networks there are: what they know, whose they are, and where their weights come from.

No weights come with this package. Those of musicnn, and of the VGG that was published with it, are in the
wheel of that name, which is installed without what it asks for: its requirements are of 2019, and only its
checkpoints are read.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipelines.errors import UserError

Weights = Mapping[str, np.ndarray]  # by name, as the checkpoint has them

_WHEEL = "musicnn"
_INSTALL = "pip install --no-deps musicnn==0.1.0"
_REINSTALL = f"{_INSTALL} --force-reinstall"
_DATA, _INDEX = ".data-00000-of-00001", ".index"  # a checkpoint without a prefix


@dataclass(frozen=True)
class Network:
    """A pretrained network.

    Attributes:
        name: What users call it, and the feature it makes.
        checkpoint: Its folder in the wheel.
        digests: SHA-256 of the checkpoint's files, by name.
        tags: What its outputs mean, in order.
        trained_on: The data set it learnt from.
        citation: Who made it, and where they describe it.
        licence: Licence of the weights.
    """

    name: str
    checkpoint: str
    digests: Mapping[str, str]
    tags: tuple[str, ...]
    trained_on: str
    citation: str = (
        "J. Pons and X. Serra, musicnn: pre-trained convolutional neural networks for music audio tagging, "
        "late-breaking/demo session of ISMIR 2019"
    )
    licence: str = "ISC, Music Technology Group, Universitat Pompeu Fabra"

    def weights(self) -> dict[str, np.ndarray]:
        """Read its weights.

        Raises:
            UserError: If the wheel is missing, of another version, or damaged.
        """
        from tensorflow.compat.v1.train import NewCheckpointReader

        folder = self._folder()
        reader = NewCheckpointReader(f"{folder}/")
        names = reader.get_variable_to_shape_map()
        return {
            name: reader.get_tensor(name) for name in names if not name.rpartition("/")[2].startswith("Adam")
        }

    def check(self) -> None:
        """Refuse a network whose weights are not there.

        Raises:
            UserError: As `weights`.
        """
        self._folder()

    def _folder(self) -> Path:
        found = importlib.util.find_spec(_WHEEL)
        if found is None or not found.submodule_search_locations:
            raise UserError(f"{self.name}: its weights come with another package; get them with {_INSTALL}")
        folder = Path(next(iter(found.submodule_search_locations))) / self.checkpoint
        for name, digest in self.digests.items():
            file = folder / name
            if not file.is_file():
                raise UserError(f"{file}: missing, so this is another musicnn; get it with {_INSTALL}")
            if hashlib.sha256(file.read_bytes()).hexdigest() != digest:
                raise UserError(f"{file}: damaged, or of another version; get it again with {_REINSTALL}")
        return folder


_MTT_TAGS = (
    *("guitar", "classical", "slow", "techno", "strings", "drums", "electronic", "rock", "fast", "piano"),
    *("ambient", "beat", "violin", "vocal", "synth", "female", "indian", "opera", "male", "singing"),
    *(
        "vocals",
        "no vocals",
        "harpsichord",
        "loud",
        "quiet",
        "flute",
        "woman",
        "male vocal",
        "no vocal",
        "pop",
    ),
    *("soft", "sitar", "solo", "man", "classic", "choir", "voice", "new age", "dance", "male voice"),
    *("female vocal", "beats", "harp", "cello", "no voice", "weird", "country", "metal", "female voice"),
    "choral",
)
_MSD_TAGS = (
    *("rock", "pop", "alternative", "indie", "electronic", "female vocalists", "dance", "00s"),
    *("alternative rock", "jazz", "beautiful", "metal", "chillout", "male vocalists", "classic rock", "soul"),
    *("indie rock", "Mellow", "electronica", "80s", "folk", "90s", "chill", "instrumental", "punk", "oldies"),
    *("blues", "hard rock", "ambient", "acoustic", "experimental", "female vocalist", "guitar", "Hip-Hop"),
    *("70s", "party", "country", "easy listening", "sexy", "catchy", "funk", "electro", "heavy metal"),
    *("Progressive rock", "60s", "rnb", "indie pop", "sad", "House", "happy"),
)

_MTT = "MagnaTagATune (E. Law et al., 2009), 19,000 clips of 29 s from the label Magnatune"
_MSD = "200,000 songs of the Million Song Dataset (T. Bertin-Mahieux et al., 2011), with tags of Last.fm"

NETWORKS: dict[str, Network] = {
    network.name: network
    for network in (
        Network(
            name="musicnn-mtt",
            checkpoint="MTT_musicnn",
            digests={
                _DATA: "041f3935e981a65cea739842d30c188d3a7d2adf4410955c8668eb3de4a5acab",
                _INDEX: "da2d7bb670b2b31e9bc441bb1bd75eca31b5b061f963cc1f9630c1aff3238f57",
            },
            tags=_MTT_TAGS,
            trained_on=_MTT,
        ),
        Network(
            name="musicnn-msd",
            checkpoint="MSD_musicnn",
            digests={
                _DATA: "8579734ee6388f799ed0def4bbd0d1fdcbeaf213ef2a9dc860917bd76a303de6",
                _INDEX: "87f3e0f3550c8d3bafc840374003e5c8af5eeb5ecf6add61af09a7822d3282c8",
            },
            tags=_MSD_TAGS,
            trained_on=_MSD,
        ),
        Network(
            name="vgg-mtt",
            checkpoint="MTT_vgg",
            digests={
                _DATA: "458f5c8bcecc086a3bba3dce83809df6da6e0a3560a59ddd84711bf3d5fd8303",
                _INDEX: "4b0d3d2d02bbe0919c063c1fb74bfa9018ac3517e362d681b07444d4207a5f5f",
            },
            tags=_MTT_TAGS,
            trained_on=_MTT,
        ),
        Network(
            name="vgg-msd",
            checkpoint="MSD_vgg",
            digests={
                _DATA: "9683d756b8311146534f333502ebf4a2a78a3e320c54ab0411dff6186d8375fc",
                _INDEX: "50e499238457558bba9f34f8b84d4afb8279afd43520cdf0a4fdf805a49c9ca3",
            },
            tags=_MSD_TAGS,
            trained_on=_MSD,
        ),
    )
}


def network_named(name: str, models: Path) -> Network | None:
    """The network that a user means by a name: none where a folder, or a model in `models`, is called so."""
    there = Path(name).exists() or (models / name).exists()
    return None if there else NETWORKS.get(name)
