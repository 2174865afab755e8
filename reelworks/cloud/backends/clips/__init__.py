"""Clip backends: the engine servers that this PC can start, as processes behind SageMaker's contract."""
