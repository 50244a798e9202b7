#!/usr/bin/env bash
# A playlist that goes on from a song: examples/playlist_from_song.sh MUSIC SONG [MODEL] > next.m3u8
# Started again, only songs that are new are listened to. Needs pip install '.[parquet]'.
set -euo pipefail
music=${1:?folder of music} song=${2:?a song, of the folder or not} model=${3:-musicnn-mtt}

python -m keras_mir.embed "$music" --model "$model" --out vectors.parquet >&2
python -m keras_mir.similar "$song" --in vectors.parquet --playlist 20
