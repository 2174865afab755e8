"""The functions: what each step does.

api/        the REST API            tasks/    the states of the machine, one module each
intake/     requests, drop folder   notices/  what SNS tells: a clip that an engine finished
upkeep/     repairs lost events     builds/   work too long for a function
production/ what the tasks share
adapters/   the only users of boto3
domain/     rules and documents; media/ and animatic/ are libraries without AWS
"""
