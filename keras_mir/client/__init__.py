"""A client for TF Serving, and for the stand-in of `keras_mir.serve`, over REST or gRPC.

    with ServingClient("localhost:8501", "genres") as client:
        answers = client.predict({"features": features, "lengths": lengths})

`AsyncServingClient` is the same for programs that await.

REST needs NumPy and urllib3; gRPC needs `tensorflow-serving-api`, and with it TensorFlow.
"""

from keras_mir.client.asynchronous import AsyncServingClient
from keras_mir.client.client import FileAnswer, ServingClient
from keras_mir.client.codec import ModelMetadata, Signature, TensorInfo, VersionStatus
from keras_mir.client.errors import ServingError

__all__ = [
    "AsyncServingClient",
    "FileAnswer",
    "ModelMetadata",
    "ServingClient",
    "ServingError",
    "Signature",
    "TensorInfo",
    "VersionStatus",
]
