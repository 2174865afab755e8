"""CogVideoX engine server: a clip request in, an MP4 out, over SageMaker's container contract."""

VERSION = "0.1.0"
