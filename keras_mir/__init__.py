"""Music genre recognition and affect regression with Keras 3 and tf.data.

The commands are `keras-mir prepare`, `keras-mir fit` and so on; see `keras_mir/__main__.py`.
Importing the package imports nothing heavy.
"""

from keras_mir.command_line.name_clash import refuse_name_clash
from keras_mir.command_line.quiet import import_tensorflow_quietly

__version__ = "0.1.0"
__all__ = ["__version__"]

refuse_name_clash()
import_tensorflow_quietly()
