"""Playlists, of whatever files are called."""

from pathlib import Path

from keras_mir.similar.playlist import m3u8


def test_paths_that_would_be_taken_for_something_else():
    songs = [("/m/#1.ogg", 61.4), ("/m/deep/ä b.ogg", -1.0), ("/m/two\nlines.ogg", 3.0)]
    assert m3u8(songs, Path("/m")) == (
        "#EXTM3U\n"
        "#EXTINF:61,#1\n./#1.ogg\n"
        "#EXTINF:-1,ä b\ndeep/ä b.ogg\n"
        "#EXTINF:3,'two\\nlines'\nfile:///m/two%0Alines.ogg\n"
    )
    assert m3u8(songs[:1]) == "#EXTM3U\n#EXTINF:61,#1\n/m/#1.ogg\n"
