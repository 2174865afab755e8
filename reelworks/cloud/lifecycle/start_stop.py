"""Start and stop the PC's cloud: `reel up` and `reel down`."""

import hashlib
import json
import os
import shutil
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.adapters.api_keys import ApiKeys, new_key
from lambdas.adapters.objects import Objects
from lambdas.adapters.signing_key import Secret
from lambdas.adapters.tenants import Tenants
from lambdas.adapters.webhooks import Webhooks
from lambdas.domain.engines import Workflow, added
from lambdas.domain.names import signing_secret
from lambdas.domain.prices import FREE
from lambdas.domain.scopes import Scope
from reelworks.cloud.addresses import address
from reelworks.cloud.aws import client
from reelworks.cloud.backends.clips.engine_servers import offered_engines, workflow_now
from reelworks.cloud.backends.text.interface import ANSWER_SECONDS
from reelworks.cloud.backends.voice.piper import BUNDLED
from reelworks.cloud.credentials import LOCAL_TENANT, Credentials, ensure_credentials
from reelworks.cloud.deployment_record import Deployment, Output, deployment_of, write_deployment
from reelworks.cloud.errors import CloudError
from reelworks.cloud.home import Home, write_private
from reelworks.cloud.lifecycle import process_lock
from reelworks.cloud.lifecycle.cloud_assembly import SOURCES, fingerprint, read_assembly, synthesize
from reelworks.cloud.lifecycle.cloud_status import Status, status
from reelworks.cloud.lifecycle.deploy import deploy
from reelworks.cloud.lifecycle.development_certificate import development_secret, is_current
from reelworks.cloud.lifecycle.environment import SETTINGS, cloud_environment
from reelworks.cloud.lifecycle.process_lock import Process
from reelworks.cloud.lifecycle.restart import repair_torn_objects, restore_videos
from reelworks.cloud.services.bedrock_guardrail import WORD_LIST
from reelworks.cloud.settings import Settings

PREFERRED_PORT = 4566  # the default of ministack and LocalStack
START_SECONDS = 120.0  # likewise, and its imports
_PATIENCE_SECONDS = 20.0  # a cloud that does not respond for so long hangs and is started again

# Code that the cloud's process runs or starts, in addition to the template's sources.
_CLOUD_SOURCES = ("reelworks/cloud", "containers")


def up(home: Home, port: int | None = None) -> Status:
    """Start the cloud with the checkout's code, unless it already runs with it, and restore its videos.

    `port` is required to be free; without it, the cloud takes the last run's port, else 4566, else any free
    one. Recovers from an interrupted `up` or a kill. Raises CloudError, with nothing left running, if it
    fails.
    """
    home.create()
    with process_lock.changing(home):
        settings = Settings.load(home, os.environ)
        workflow = workflow_now(home.folder, settings.comfyui)
        parameters = _parameters(home, settings, workflow)
        credentials = ensure_credentials(home)
        source = _source(home, settings, parameters, credentials)
        running = process_lock.running(home)
        if running is None or not _is_current(home, running, source, port):
            process_lock.stop(home, running)
            any_port = [process_lock.last_port(home) or PREFERRED_PORT, PREFERRED_PORT, 0]
            revision = workflow.revision if workflow else ""
            ports = [port] if port else any_port
            _bring_up(home, source, settings, credentials, parameters, revision, ports)
    return status(home)


def down(home: Home) -> Status:
    """Stop the cloud and all its processes. The buckets remain."""
    home.create()
    with process_lock.changing(home):
        process_lock.stop(home, process_lock.running(home))
    return status(home)


def _source(home: Home, settings: Settings, parameters: Mapping[str, str], credentials: Credentials) -> str:
    """Return the fingerprint of everything whose change requires a restart of the cloud."""
    sources = fingerprint(home.checkout, (*SOURCES, *_CLOUD_SOURCES))
    parts = [sources, parameters, settings.model_dump_json(), credentials.secret_access_key]
    all_of_it = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(all_of_it.encode()).hexdigest()


def _parameters(home: Home, settings: Settings, workflow: Workflow | None) -> dict[str, str]:
    """Return the template parameters for which this PC has its own values.

    Raises CloudError if an alias names an engine that this PC does not have.
    """
    offered = offered_engines(home.folder, settings.comfyui, settings.engines.relays)
    for alias, engine in settings.engines.aliases.items():
        if engine not in offered:
            raise CloudError(
                f"aliases.{alias} of [engines] must be one of this PC's engines: {', '.join(offered)}; "
                f"got {engine!r}.",
                advice=f"Change the alias in {home.settings}, or install the engine (reel doctor).",
            )
    words = settings.content_filter.words
    if words is not None and not words.is_file():
        raise CloudError(
            f"words of [content_filter] must be a text file; {words} is none.",
            advice=f"Create it, or change {home.settings}.",
        )
    return {
        "Engines": ",".join(offered),
        "AddedEngines": added(settings.engines.catalogue()),
        "ModelAliases": ",".join(f"{name}={engine}" for name, engine in settings.engines.aliases.items()),
        "TextSeconds": str(settings.text.timeout_seconds if settings.text else ANSWER_SECONDS),
        "Workflow": workflow.model_dump_json() if workflow else "",
        "Voice": BUNDLED,
        "VoiceEngine": "standard",
        "Prices": FREE.model_dump_json(),
        "Guardrail": WORD_LIST if words else "",
        "StudioSignIn": "link",
        "WebhooksToLoopback": str(settings.webhooks.loopback).lower(),
    }


def _is_current(home: Home, process: Process, source: str, port: int | None) -> bool:
    deployment = deployment_of(home, process.pid)
    return (
        deployment is not None
        and deployment.ready
        and deployment.source == source
        and port in (None, process.port)
        and process.answers(_PATIENCE_SECONDS)
    )


def _bring_up(
    home: Home,
    source: str,
    settings: Settings,
    credentials: Credentials,
    parameters: Mapping[str, str],
    workflow: str,
    ports: list[int],
) -> None:
    assembly = read_assembly(synthesize(home))
    process = _start(home, settings, credentials, ports)
    try:
        outputs = deploy(assembly, process.address, credentials, parameters)
        # The engines' endpoints, which restored videos call at once, are built from the outputs.
        deployment = Deployment(process.pid, source, outputs, ready=False, workflow=workflow)
        write_deployment(home, deployment)
        _register_local_tenant(home, process.address, credentials, outputs)
        _provide_signing_key(home, process.address, credentials, outputs)
        _restore_webhooks(process.address, credentials, outputs)
        restore_videos(process.address, credentials, outputs)
        write_deployment(home, replace(deployment, ready=True))
    except BaseException as error:
        process_lock.stop(home, process)
        if isinstance(error, (BotoCoreError, ClientError, OSError)):  # it was killed, or its disk is full
            raise CloudError(f"The cloud could not be set up: {error}") from error
        raise


def _start(home: Home, settings: Settings, credentials: Credentials, ports: list[int]) -> Process:
    """Start the process on the first free port of `ports`, with nothing deployed; wait until it responds."""
    shutil.rmtree(home.scratch, ignore_errors=True)
    home.create()
    home.make_private()
    repair_torn_objects(home.s3)
    if home.log.exists():
        home.log.replace(home.log.with_name(home.log.name + ".1"))
    with process_lock.hand_over(home) as lock, _listener(ports) as listener:
        base_url = address(listener.getsockname()[1])
        for fd in (lock, listener.fileno()):
            os.set_inheritable(fd, True)
        # Not Popen, which expects its caller to wait for the process.
        os.posix_spawn(
            sys.executable,
            [sys.executable, "-P", "-m", "reelworks.cloud", str(lock), str(listener.fileno())],
            cloud_environment(home, base_url, credentials, os.environ)
            | {SETTINGS: settings.model_dump_json()},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(home.log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,  # Ctrl-C in the terminal must not reach the cloud
        )
    until = time.monotonic() + START_SECONDS
    while (process := process_lock.running(home)) and time.monotonic() < until:
        if process.answers():
            return process
        time.sleep(process_lock.POLL_SECONDS)
    process_lock.stop(home, process)
    raise CloudError(f"The cloud did not start: {home.log.read_text(errors='replace')[-3000:].strip()}")


def _listener(ports: list[int]) -> socket.socket:
    """Listen on the first free port. Listening starts now, so a call made while the process starts waits
    instead of failing. Raises CloudError if no port is free."""
    for port in ports:
        listener = socket.socket()
        # The last run's connections may linger in TIME_WAIT; a port with a listener is still refused.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            listener.bind(("127.0.0.1", port))
            listener.listen(128)
            return listener
        listener.close()
    raise CloudError(
        f"Can't listen on port {ports[-1]} of 127.0.0.1.",
        advice="Choose another port, or stop the program that uses it.",
    )


def _restore_webhooks(base_url: str, credentials: Credentials, outputs: Mapping[str, str]) -> None:
    journal = Objects(client("s3", base_url, credentials), outputs[Output.OUTPUT_BUCKET])
    Webhooks(client("dynamodb", base_url, credentials), outputs[Output.WEBHOOKS_TABLE], journal).restore_all()


def _register_local_tenant(
    home: Home, base_url: str, credentials: Credentials, outputs: Mapping[str, str]
) -> None:
    """Register the API key of the PC's user, which is generated once and stays the same, and restore the
    other keys and the tenants' quotas from their journal."""
    if not home.key_file.exists():
        write_private(home.key_file, new_key())
    journal = Objects(client("s3", base_url, credentials), outputs[Output.OUTPUT_BUCKET])
    api_keys = ApiKeys(client("dynamodb", base_url, credentials), outputs[Output.API_KEYS_TABLE], journal)
    api_keys.restore_all()
    Tenants(client("dynamodb", base_url, credentials), outputs[Output.API_KEYS_TABLE], journal).restore_all()
    # A PC's user is its operator, too.
    api_keys.register(home.key_file.read_text(), LOCAL_TENANT, "this PC", tuple(Scope))


def _provide_signing_key(
    home: Home, base_url: str, credentials: Credentials, outputs: Mapping[str, str]
) -> None:
    """Give the cloud the key that signs films, which is made once and kept until it is about to expire."""
    secret = Secret.model_validate_json(home.signing_key.read_text()) if home.signing_key.exists() else None
    if secret is None or not is_current(secret):
        secret = development_secret()
        write_private(home.signing_key, secret.model_dump_json())
    client("secretsmanager", base_url, credentials).create_secret(
        Name=signing_secret(outputs[Output.ENDPOINT_PREFIX]), SecretString=secret.model_dump_json()
    )
