"""What engine servers share: SageMaker's container contract over HTTP. Knows no engine."""
