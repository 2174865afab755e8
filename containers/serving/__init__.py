"""SageMaker's container contract over HTTP, shared by the engine servers. Independent of any engine."""
