"""The Lambda functions, which do the work of each step.

api/        the REST API            tasks/    the state machine's states, one module each
intake/     requests, drop folder   notices/  SNS notices: an engine finished a clip
upkeep/     repairs lost events     builds/   work that takes too long for a function
studio/     serves the studio's files
production/ code that the tasks share
adapters/   the only users of boto3
domain/     rules and documents; media/ and animatic/ are libraries without AWS
"""
