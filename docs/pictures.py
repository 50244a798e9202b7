"""Draw the README's pictures: `python docs/pictures.py`, from the repository's root."""

from pathlib import Path

from keras_mir.evaluate import figures
from pipelines.extraction.features import beat_synced, fused_spectrogram, track_beats
from pipelines.spec import FeatureSpec
from pipelines.synthetic.render import render_clip

GENRE, SEED = "Rock", 3
HERE = Path(__file__).parent


def main() -> None:
    """One clip of the synthetic corpus, frame by frame and beat by beat."""
    spec = FeatureSpec()
    clip = render_clip(GENRE, SEED)
    fused = fused_spectrogram(clip.audio, spec)
    beats = track_beats(clip.audio, spec)
    frames = fused.shape[1]
    title = f"synthetic {GENRE.lower()}, {clip.tempo:.0f} beats a minute"
    figures.save(figures.spectrogram(fused, spec, beats=beats, title=title), HERE / "clip.png")
    synced = beat_synced(clip.audio, beats, spec)
    picture = figures.spectrogram(
        synced, spec, beats=beats, synced=True, frames=frames, title="the median between beats"
    )
    figures.save(picture, HERE / "clip_by_beat.png")


if __name__ == "__main__":
    main()
