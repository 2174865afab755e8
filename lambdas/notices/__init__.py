"""Functions that SNS invokes with notices of finished engine calls."""
