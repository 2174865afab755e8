"""The PC's cloud: the AWS that `reel up` runs in one process on one port.

    server/     takes every request: the guard, and the dispatcher that finds who answers
    services/   the AWS services that it answers itself: Bedrock, Polly, SageMaker, CodeBuild
    backends/   what works behind them: text, voice, image, and engine servers for clips
    director/   the rule-based director, which writes where there is no text model
    processes/  how programs are started, and end with the cloud
    lifecycle/  up, down, restart: the process, its lock, the deployment of the template

home.py (where the state lies), settings.py (what the user set), deployment_record.py (what is deployed),
addresses.py, aws.py and errors.py are shared by all of them.
"""
