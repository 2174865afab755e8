"""The voice backends that a user sets up, beside Piper."""

from reelworks.cloud.backends.voice.speech_server import SpeechServer
from reelworks.cloud.settings import Speech


def speech_servers(speech: Speech) -> list[SpeechServer]:
    return [
        SpeechServer(
            server.url,
            server.model,
            server.voices,
            server.language,
            api_key=server.api_key,
            seconds=server.timeout_seconds,
        )
        for server in speech.servers.values()
    ]
