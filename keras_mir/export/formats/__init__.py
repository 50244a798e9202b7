"""A trained model in the file formats of other runtimes: LiteRT and ONNX."""
