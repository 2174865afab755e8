"""Check what this PC has to run Reelworks, what is missing, and which command installs it."""

import os
from collections.abc import Mapping

from lambdas.domain.engines import CATALOGUE, Renderer
from reelworks.cloud.backends.voice.piper import voice_files
from reelworks.cloud.errors import CloudError
from reelworks.cloud.home import Home
from reelworks.cloud.settings import Settings
from reelworks.doctor.comfyui import comfyui, workflows
from reelworks.doctor.engines import engine_finding
from reelworks.doctor.images import stills
from reelworks.doctor.machine import cloud, disk, gpu, node, python, settings_file, torch
from reelworks.doctor.relays import relays
from reelworks.doctor.text import text_models
from reelworks.doctor.voice import piper, served_voices, voice_finding
from reelworks.finding import Finding


def examine() -> list[Finding]:
    """Return all findings, required ones first."""
    home = Home.locate()
    checks = [python(), node(), disk(home), settings_file(home), cloud(home), torch(), gpu()]
    engines = [
        engine_finding(name, home)
        for name, engine in CATALOGUE.items()
        if engine.renderer is Renderer.ENDPOINT and not engine.workflow
    ]
    return checks + backends(home, os.environ) + engines


def backends(home: Home, environment: Mapping[str, str]) -> list[Finding]:
    """Return findings about the text, voice and image backends. Empty if the settings are invalid, which
    `settings_file` reports."""
    try:
        settings = Settings.load(home, environment)
    except CloudError:
        return []
    return [
        *text_models(settings, home),
        *(voice_finding(name, model) for name, model in voice_files(settings.speech.voices).items()),
        *served_voices(settings.speech),
        piper(settings, home),
        stills(settings.stills, home),
        comfyui(settings, home),
        *workflows(settings, home),
        *relays(settings),
    ]
