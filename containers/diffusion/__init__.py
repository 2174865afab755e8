"""Engine server for diffusers' video models: a clip request in, an MP4 out, over SageMaker's contract."""

VERSION = "0.2.0"
