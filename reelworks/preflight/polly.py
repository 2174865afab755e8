"""Check that Polly speaks with the default voice."""

from cdk.settings import DeploymentSettings
from reelworks.finding import Finding
from reelworks.preflight.account import Account, CallFailed

# Of the voice and its engine; other errors have nothing to do with the settings.
_SETTINGS = frozenset({"ValidationException", "EngineNotSupportedException", "InvalidParameterValue"})


def voice(account: Account, settings: DeploymentSettings) -> Finding:
    what = f"Voice {settings.voice} ({settings.voice_engine})"
    try:
        answer = account.call(
            "polly",
            "synthesize_speech",
            Text="Yes.",
            VoiceId=settings.voice,
            Engine=settings.voice_engine,
            OutputFormat="mp3",
        )
        with account.calling():
            if not answer["ContentType"].startswith("audio/"):
                raise ValueError(f"sound must be audio; got {answer['ContentType']}")
    except CallFailed as error:
        if error.code in _SETTINGS:
            listing = f"aws polly describe-voices --engine {settings.voice_engine} --region {account.region}"
            todo = f"set voice and voice_engine in cdk.json to a voice of {listing}"
            return Finding(what, False, False, str(error), todo, warning=True)
        return account.unknown(what, error, "polly:SynthesizeSpeech")
    return Finding(what, True, False, "it speaks")
