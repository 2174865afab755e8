"""Functions that SNS calls with notices of what engines finished."""
