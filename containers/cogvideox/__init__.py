"""The CogVideoX engine server: a clip request in, an MP4 out, on SageMaker's container contract."""

VERSION = "0.1.0"
