"""Music genre recognition and affect regression with Keras 3 and tf.data.

The commands are `python -m keras_mir.prepare`, `keras_mir.fit` and `keras_mir.evaluate`.
Importing the package imports nothing heavy.
"""

from keras_mir.version import __version__

__all__ = ["__version__"]
