"""How an exported model takes long audio, in numbers; importing them imports nothing."""

WINDOW_SECONDS = 30.0  # longer audio is cut into pieces of this length
MAX_SECONDS = 1200.0  # of one clip in a request; memory grows with it
MAX_CLIPS = 65_536  # in a request
# Clips of a request times the longest of them: every answer is filled up to the longest one's.
MAX_BATCH_SECONDS = 256 * MAX_SECONDS
NO_NUMBER = "the model's answer is no number"
IMPOSSIBLE_LENGTH = "a length that cannot be: less than 1, or more than there is"
