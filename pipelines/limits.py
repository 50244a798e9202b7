"""What counts as sound; importing it imports nothing."""

MIN_SECONDS = 0.5  # one beat at 120 BPM; less holds nothing to synchronise to
SILENCE = 2.0**-16  # half the last bit of 16-bit audio; what never gets above it is silent
# 32-bit integers that somebody wrote as floats are below it; of samples of 1e20 the power is no float32.
MAX_LEVEL = 2.0**32
# Of the loudest channel; channels of which a mix to mono leaves less are each other's inverse.
CANCELLED = 2.0**-10
CANCELS = "silent when mixed to mono: its channels cancel each other"
TOO_LONG = "too long for this machine's memory; cut it into pieces"
MIN_RATE, MAX_RATE = 1_000, 768_000  # Hz
MAX_CHANNELS = 32
MAX_FRAMES = 1 << 20  # about 6.7 hours at 43 frames a second; a header that claims more is refused

# This and more, in a header, is what programs write that do not know the size of the sound yet.
OPEN_SIZE = 0x7FFFF000
