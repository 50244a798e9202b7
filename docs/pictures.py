"""Draw the README's pictures: `python docs/pictures.py`, from the repository's root."""

from pathlib import Path

from keras_mir.evaluate import figures
from pipelines.extraction.features import features
from pipelines.synthetic.render import render_clip

GENRE, SEED = "Rock", 3
HERE = Path(__file__).parent


def main() -> None:
    """One clip of the synthetic corpus, frame by frame and beat by beat."""
    clip = render_clip(GENRE, SEED)
    made = features(clip.audio, 22050)
    title = f"synthetic {GENRE.lower()}, {clip.tempo:.0f} beats a minute"
    picture = figures.spectrogram(made.fused, made.spec, beats=made.beats, title=title)
    figures.save(picture, HERE / "clip.png")
    picture = figures.spectrogram(
        made.beat_fused,
        made.spec,
        beats=made.beats,
        synced=True,
        frames=made.fused.shape[1],
        title="the median between beats",
    )
    figures.save(picture, HERE / "clip_by_beat.png")


if __name__ == "__main__":
    main()
