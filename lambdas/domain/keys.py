"""Every S3 key and table key, as functions.

Input bucket                      Output bucket
  drop/{tenant}/…   drop folder     drop/{tenant}/…          the film or error beside a dropped object
  uploads/{tenant}/ first frames    artifacts/{tenant}/…     clips, films and their parts by content
    uses/  users/     which video     uses/  users/            uses which of them
                                      heirs/                   which video is made from which
  requests/…        engine requests videos/{tenant}/{id}/…   delivered files
  characters/…      characters, which don't expire
  incoming/…        files sent ahead of the requests that name them
  descriptions/…    what a text model saw in their pictures
                                    engine/…                 output of the endpoints
                                    records/…                the journal for rebuilding the table
"""

DROP_PREFIX = "drop/"
UPLOADS_PREFIX = "uploads/"
ARTIFACTS_PREFIX = "artifacts/"
CHARACTERS_PREFIX = "characters/"
DESCRIPTIONS_PREFIX = "descriptions/"
INCOMING_PREFIX = "incoming/"
RECORDS_PREFIX = "records/"
VIDEO_RECORDS_PREFIX = RECORDS_PREFIX + "videos/"
KEY_RECORDS_PREFIX = RECORDS_PREFIX + "keys/"
WEBHOOK_RECORDS_PREFIX = RECORDS_PREFIX + "webhooks/"
TENANT_RECORDS_PREFIX = RECORDS_PREFIX + "tenants/"
ENGINE_OUTPUT_PREFIX = "engine/out/"
ENGINE_FAILURE_PREFIX = "engine/failed/"


# --- notes of who uses what is stored by content, in the same bucket


def shared_name(key: str) -> str:
    """Return the name of what is stored by content under a key: its kind and hash, without the extension.
    What has the same name is used, and deleted, together."""
    return key.split("/", 2)[2].partition(".")[0]


def shared_files(prefix: str, tenant: str, name: str) -> str:
    """Return how the keys of what has a `shared_name` begin. `prefix`: UPLOADS_PREFIX or ARTIFACTS_PREFIX."""
    return f"{prefix}{tenant}/{name}."


def uses(prefix: str, tenant: str, name: str) -> str:
    """Return the prefix of the notes about what has a `shared_name`."""
    return f"{prefix}{tenant}/uses/{name}/"


def used_by(prefix: str, tenant: str, video_id: str) -> str:
    """Return the prefix of a video's list of what it uses."""
    return f"{prefix}{tenant}/users/{video_id}/"


def heirs(tenant: str, video_id: str) -> str:
    """Return the prefix of the notes of the videos that are made from a video."""
    return f"{ARTIFACTS_PREFIX}{tenant}/heirs/{video_id}/"


def heir(tenant: str, video_id: str, made: str) -> str:
    return heirs(tenant, video_id) + made


# --- the input bucket


def upload(tenant: str, sha256: str, extension: str) -> str:
    return f"uploads/{tenant}/{sha256}.{extension}"


def incoming(tenant: str, file_id: str) -> str:
    return f"{INCOMING_PREFIX}{tenant}/{file_id}"


def incoming_ticket(tenant: str, file_id: str) -> str:
    """Return the key of what was said of a file before it was sent."""
    return f"{incoming(tenant, file_id)}.json"


def characters(tenant: str) -> str:
    """Return the prefix of a tenant's characters and their pictures."""
    return f"{CHARACTERS_PREFIX}{tenant}/"


def character(tenant: str, id_: str) -> str:
    return f"{characters(tenant)}{id_}.json"


def character_picture(tenant: str, id_: str, sha256: str) -> str:
    return f"{character_pictures(tenant, id_)}{sha256}.jpg"


def character_pictures(tenant: str, id_: str) -> str:
    """Return the prefix of a character's picture, and of any that a create left that was cut off."""
    return f"{characters(tenant)}{id_}-"


def description(tenant: str, id_: str, seen_hash: str) -> str:
    """Return the key of how a text model describes a character. `seen_hash`: of what it was shown."""
    return f"{DESCRIPTIONS_PREFIX}{tenant}/{id_}/{seen_hash}.json"


def descriptions(tenant: str, id_: str) -> str:
    return f"{DESCRIPTIONS_PREFIX}{tenant}/{id_}/"


def engine_request(inference_id: str) -> str:
    return f"requests/{inference_id}.json"


# --- the output bucket


def inference_of_output(key: str) -> str:
    """Return the inference whose output or failure an object is."""
    name = key.removeprefix(ENGINE_OUTPUT_PREFIX).removeprefix(ENGINE_FAILURE_PREFIX)
    return name.removesuffix("-error.out").removesuffix(".out")


def clip(tenant: str, key_hash: str) -> str:
    return f"artifacts/{tenant}/clips/{key_hash}.mp4"


def speech(tenant: str, sound: str) -> str:
    """`sound`: the hash of a sentence's MP3, or of a part of a recording, with its extension."""
    return f"artifacts/{tenant}/speech/{sound if '.' in sound else f'{sound}.mp3'}"


def speech_words(tenant: str, sentence_hash: str) -> str:
    """Return the key of the times of a sentence's words, which share its sound's name."""
    return f"artifacts/{tenant}/speech/{sentence_hash}.words.json"


def voice_sample(tenant: str, sample_hash: str) -> str:
    """Return the key of what a voice said to be heard. It is no video's, so it only expires."""
    return f"artifacts/{tenant}/samples/{sample_hash}.mp3"


def narration(tenant: str, narration_hash: str) -> str:
    return f"artifacts/{tenant}/narrations/{narration_hash}.json"


def narration_preview(tenant: str, narration_hash: str) -> str:
    """Return the key of the narration as one sound, to preview before the film is made."""
    return f"artifacts/{tenant}/narrations/{narration_hash}.m4a"


def still(tenant: str, still_hash: str) -> str:
    return f"artifacts/{tenant}/stills/{still_hash}.png"


def captions(tenant: str, film_hash: str, extension: str) -> str:
    """`extension`: vtt or srt."""
    return f"artifacts/{tenant}/films/{film_hash}.{extension}"


def film(tenant: str, film_hash: str) -> str:
    return f"artifacts/{tenant}/films/{film_hash}.mp4"


def quality(tenant: str, film_hash: str) -> str:
    return f"artifacts/{tenant}/films/{film_hash}.json"


def stems(tenant: str, film_hash: str) -> str:
    return f"artifacts/{tenant}/films/{film_hash}.zip"


def poster(tenant: str, film_hash: str) -> str:
    return f"artifacts/{tenant}/films/{film_hash}.webp"


def spritesheet(tenant: str, film_hash: str) -> str:
    return f"artifacts/{tenant}/films/{film_hash}.jpg"


def sound(tenant: str, sound_hash: str) -> str:
    return f"artifacts/{tenant}/sounds/{sound_hash}.m4a"


def conformed_clip(tenant: str, key_hash: str, format_hash: str) -> str:
    """Return the key of a clip converted to a film's format."""
    return f"artifacts/{tenant}/clips/{key_hash}-{format_hash[:16]}.mp4"


def joint(tenant: str, joint_hash: str) -> str:
    """Return the key of a re-encoded piece of a film: a transition, or the evened-out start of a clip."""
    return f"artifacts/{tenant}/joints/{joint_hash}.mp4"


def video_folder(tenant: str, video_id: str) -> str:
    return f"videos/{tenant}/{video_id}/"


def delivered(tenant: str, video_id: str, attempt: int) -> str:
    """Return the prefix of what an attempt delivers. No other writes there, so its film stays when the next
    one is published."""
    return video_folder(tenant, video_id) + f"films/{attempt}/"


def delivered_film(tenant: str, video_id: str, attempt: int, shape: str = "") -> str:
    """`shape`: the name of a further shape, such as 9x16."""
    return delivered(tenant, video_id, attempt) + f"{shape or 'film'}.mp4"


def delivered_thumbnail(tenant: str, video_id: str, attempt: int, shape: str = "") -> str:
    """`shape`: as for `delivered_film`."""
    return delivered(tenant, video_id, attempt) + f"{shape or 'thumbnail'}.webp"


def delivered_spritesheet(tenant: str, video_id: str, attempt: int) -> str:
    return delivered(tenant, video_id, attempt) + "spritesheet.jpg"


def delivered_captions(tenant: str, video_id: str, attempt: int, extension: str) -> str:
    return delivered(tenant, video_id, attempt) + f"captions.{extension}"


def storyboard(tenant: str, video_id: str, storyboard_hash: str) -> str:
    """Return the key of one version of the storyboard, as written or edited."""
    return video_folder(tenant, video_id) + f"storyboards/{storyboard_hash}.json"


def delivered_storyboard(tenant: str, video_id: str, attempt: int) -> str:
    """Return the key of the storyboard that the film was made from."""
    return delivered(tenant, video_id, attempt) + "storyboard.json"


def delivered_quality(tenant: str, video_id: str, attempt: int) -> str:
    return delivered(tenant, video_id, attempt) + "quality.json"


def delivered_stems(tenant: str, video_id: str, attempt: int) -> str:
    return delivered(tenant, video_id, attempt) + "stems.zip"


def delivered_manifest(tenant: str, video_id: str, attempt: int) -> str:
    return delivered(tenant, video_id, attempt) + "manifest.json"


def film_plan(tenant: str, video_id: str) -> str:
    return video_folder(tenant, video_id) + "plan.json"


def opinions(tenant: str, video_id: str) -> str:
    """Return the key of what a vision model says of the video's clips."""
    return video_folder(tenant, video_id) + "opinions.json"


def origin_plan(tenant: str, video_id: str) -> str:
    """Return the key of the snapshot of the source video's plan."""
    return video_folder(tenant, video_id) + "origin.json"


def video_record(tenant: str, video_id: str) -> str:
    return f"{VIDEO_RECORDS_PREFIX}{tenant}/{video_id}.json"


def key_record(key_hash: str) -> str:
    return f"{KEY_RECORDS_PREFIX}{key_hash}.json"


def webhooks_record(tenant: str) -> str:
    return f"{WEBHOOK_RECORDS_PREFIX}{tenant}.json"


def tenant_record(tenant: str) -> str:
    """Return the key of a tenant's own quotas."""
    return f"{TENANT_RECORDS_PREFIX}{tenant}.json"


def drop_result(dropped: str, extension: str) -> str:
    """Return the key of a dropped object's film (`mp4`), the film in a further shape (`9x16.mp4`), failure
    (`error.json`), note (`note.json`) or count of attempts (`attempts.json`)."""
    return f"{dropped}.{extension}"


# --- the tables: partition and sort key


def tenant_partition(tenant: str) -> str:
    return f"tenant#{tenant}"


VIDEO = "video"  # sort key of a video's record; those of its parts begin with it
FAILED_TRY = "failed"  # the sort keys of its failed tries begin with this


def video_partition(tenant: str, video_id: str) -> str:
    return f"{tenant_partition(tenant)}#{video_id}"


def video_in(partition: str) -> tuple[str, str]:
    """Return the tenant and the id of the video whose `video_partition` it is."""
    _, tenant, video_id = partition.split("#")
    return tenant, video_id


def video_item(tenant: str, video_id: str) -> tuple[str, str]:
    return video_partition(tenant, video_id), VIDEO


def part_sort_key(name: str, number: int) -> str:
    """Return the sort key of a clip by its index, of a narration or a still by its scene."""
    return f"{VIDEO}#{name}#{number:04d}"


def part_item(tenant: str, video_id: str, name: str, number: int) -> tuple[str, str]:
    return video_partition(tenant, video_id), part_sort_key(name, number)


def clip_budget_item(tenant: str, video_id: str, attempt: int) -> tuple[str, str]:
    """Return the item of what an attempt's clips may cost."""
    return video_partition(tenant, video_id), f"{VIDEO}#budget#{attempt:04d}"


def failed_try_item(tenant: str, video_id: str, at_ms: int, part: str) -> tuple[str, str]:
    """Return the item of a failed try at a part, such as `clip 3`. It is not read with the record."""
    return video_partition(tenant, video_id), f"{FAILED_TRY}#{at_ms:015d}#{part}"


def deleted_video_item(tenant: str, video_id: str) -> tuple[str, str]:
    """Return the item that remains of a deleted video: its place in the list and its last attempt."""
    return video_partition(tenant, video_id), "deleted"


def create_item(tenant: str, request_fingerprint: str) -> tuple[str, str]:
    """Return the item of a request's latest create without an Idempotency-Key, for a client's retry."""
    return tenant_partition(tenant), f"create#{request_fingerprint}"


QUOTA = "quota"  # sort key of what a tenant has in flight; that of what it uses in a month begins with it


def in_flight_item(tenant: str) -> tuple[str, str]:
    """Return the item that counts a tenant's films in flight and its requests."""
    return tenant_partition(tenant), QUOTA


def month_item(tenant: str, month: str) -> tuple[str, str]:
    """Return the item that counts a tenant's clips of each day and its money of the month."""
    return tenant_partition(tenant), f"{QUOTA}#{month}"


def usage_partition(month: str) -> str:
    return f"usage#{month}"


def usage_item(tenant: str, day: str, engine: str) -> tuple[str, str]:
    """Return the item that adds up the films of a tenant and an engine that ended on a day."""
    return usage_partition(day[:7]), f"{tenant}#{day}#{engine}"


def usage_in(sort_key: str) -> tuple[str, str, str]:
    """Return the tenant, day and engine of a `usage_item`."""
    tenant, day, engine = sort_key.split("#")
    return tenant, day, engine


# --- the table of API keys and tenants


def api_key_item(key_hash: str) -> tuple[str, str]:
    return f"key#{key_hash}", "key"


def tenant_quotas_item(tenant: str) -> tuple[str, str]:
    """Return the item with the quotas that a tenant has of its own."""
    return tenant_partition(tenant), "quotas"


def review_item(video_id: str) -> tuple[str, str]:
    """Return the item with the task token of a film that waits for its user."""
    return f"review#{video_id}", "review"


# --- the table of webhooks: partition and sort key


def webhooks_item(tenant: str) -> tuple[str, str]:
    """Return the item of a tenant's endpoints and their secrets."""
    return tenant_partition(tenant), "webhooks"


def deliveries_partition(tenant: str, endpoint: str) -> str:
    return f"{tenant_partition(tenant)}#{endpoint}"


def delivery_item(tenant: str, endpoint: str, delivery: str) -> tuple[str, str]:
    return deliveries_partition(tenant, endpoint), delivery


# --- the table of clips: partition and sort key


def inference_partition(video_id: str) -> str:
    return f"inferences#{video_id}"


def inference_item(inference_id: str) -> tuple[str, str]:
    """Return the item of an engine call. Its id starts with the video's (see `inference_id`)."""
    return inference_partition(inference_id.split(".")[0]), inference_id


def engine_partition(engine: str) -> str:
    return f"engine#{engine}"


def engine_item(engine: str) -> tuple[str, str]:
    """Return the item of an engine's calls in flight."""
    return engine_partition(engine), "engine"


def waiting_tenant_item(engine: str, tenant: str) -> tuple[str, str]:
    """Return the item of a tenant's place in the round of an engine's queue."""
    return engine_partition(engine), tenant_partition(tenant)


def tenant_of(tenant_key: str) -> str:
    """Return the tenant whose `tenant_partition` it is."""
    return tenant_key.removeprefix("tenant#")


def waiting_partition(engine: str, tenant: str) -> str:
    return f"waiting#{engine}#{tenant}"


def waiting_clip_item(
    engine: str, tenant: str, requested_ms: int, clip: int, inference_id: str
) -> tuple[str, str]:
    """Return the item of a clip in an engine's queue: a tenant's clips in the order of their requests."""
    return waiting_partition(engine, tenant), f"{requested_ms:015d}#{clip:04d}#{inference_id}"


def upkeep_page_item() -> tuple[str, str]:
    """Return the item that says where upkeep's next page of videos begins."""
    return "upkeep", "page"


def inference_id(video_id: str, clip_index: int, token_hash: str) -> str:
    """Return the id of an engine call; the same task token gives the same id.

    SageMaker allows 64 characters: 38 + 1 + 3 + 1 + 12.
    """
    return f"{inferences_of(video_id, clip_index)}{token_hash[:12]}"


def inferences_of(video_id: str, clip_index: int | None) -> str:
    """Return how the ids of a video's engine calls begin, or those of one of its clips."""
    return f"{video_id}." if clip_index is None else f"{video_id}.{clip_index:03d}."


def inference_asked_again(inference_id: str, number: int) -> str:
    """Return the id of an engine call that was asked again for the `number`th time, in place of another.

    With up to 9 characters more it stays within SageMaker's 64.
    """
    first = ".".join(inference_id.split(".")[:3])
    return f"{first}.{number}"
