"""The PC's cloud: the AWS services that `reel up` runs in one process on one port.

    server/     accepts every request: the guard, and the dispatcher that picks who answers
    services/   AWS services implemented here: Bedrock, Polly, SageMaker, CodeBuild
    backends/   the implementations behind them: text, voice, image, and engine servers for clips
    director/   the rule-based director, which writes when there is no text model
    processes/  starting programs, and stopping them with the cloud
    lifecycle/  up, down, restart: the process, its lock, the deployment of the template

All of them share home.py (where state is stored), settings.py (the user's settings), deployment_record.py
(what is deployed), addresses.py, aws.py and errors.py.
"""
