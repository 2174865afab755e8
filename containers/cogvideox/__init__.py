"""The CogVideoX engine server: a clip request in, an MP4 out, on SageMaker's container contract."""
