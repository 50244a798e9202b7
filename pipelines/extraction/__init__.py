"""The reference features, with numpy and librosa."""
