"""How an exported model takes long audio, in numbers; importing them imports nothing."""

WINDOW_SECONDS = 30.0  # longer audio is cut into pieces of this length
MAX_SECONDS = 1200.0  # of one clip in a request; memory grows with it
