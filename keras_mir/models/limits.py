"""What sound an exported model answers to, in numbers; importing them imports nothing."""

WINDOW_SECONDS = 30.0  # longer audio is cut into pieces of this length
MIN_SECONDS = 0.5  # one beat at 120 BPM
MAX_SECONDS = 1200.0  # of one clip in a request; memory grows with it
SILENCE = 2.0**-16  # half the last bit of 16-bit audio; what never gets above it is silent
