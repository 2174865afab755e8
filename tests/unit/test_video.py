import pytest
from pydantic import ValidationError

from lambdas.domain import keys
from lambdas.domain.stages import CLOSED, NEXT, Stage, stages_before
from lambdas.domain.video import execution_name, seconds_worked, video_id
from lambdas.domain.video_parts import ClipProgress, ClipState, StageEntry
from tests.factories import a_request, a_video


def test_every_stage_has_successors_and_closed_ones_only_a_new_attempt() -> None:
    assert set(NEXT) == set(Stage)
    for stage in Stage:
        assert (NEXT[stage] == {Stage.QUEUED}) == (stage in CLOSED)
        if stage not in CLOSED:
            assert {Stage.FAILED, Stage.CANCELLED, Stage.QUEUED, stage} <= NEXT[stage]


def test_a_film_is_published_before_it_is_completed() -> None:
    assert stages_before(Stage.COMPLETED) == {Stage.PUBLISHING}


def test_progress_grows_with_stages_and_clips() -> None:
    def clips(done: int) -> list[ClipProgress]:
        states = [ClipState.DONE] * done + [ClipState.WAITING] * (4 - done)
        return [ClipProgress(state=state, seconds=6) for state in states]

    way = [a_video(stage=Stage.QUEUED), a_video(stage=Stage.PLANNING)]
    way += [a_video(stage=Stage.RENDERING, clips=clips(done)) for done in range(5)]
    way += [
        *(a_video(stage=Stage.ASSEMBLING, clips=clips(4), assembled=done) for done in (0, 20, 50, 100)),
        *(a_video(stage=stage, clips=clips(4)) for stage in (Stage.PUBLISHING, Stage.COMPLETED)),
    ]
    progress = [video.progress for video in way]
    assert progress == sorted(progress)
    assert (progress[0], progress[-1]) == (0, 100)


def test_a_fingerprint_depends_on_the_request() -> None:
    assert a_request().fingerprint() == a_request().fingerprint()
    assert a_request().fingerprint() != a_request(seed=1).fingerprint()


def test_ids_are_deterministic_and_per_tenant() -> None:
    assert video_id("acme", "key") == video_id("acme", "key")
    assert len({video_id("acme", "key"), video_id("acme", "other"), video_id("zeta", "key")}) == 3


def test_names_fit_the_services_limits() -> None:
    identifier = video_id("acme", "key")
    assert len(keys.inference_id(identifier, 999, "f" * 64)) <= 64  # SageMaker's InferenceId
    assert len(keys.inference_asked_again(keys.inference_id(identifier, 999, "f" * 64), 9999)) <= 64
    assert len(execution_name(identifier, 1000)) <= 80  # Step Functions' execution names
    partition, _ = keys.inference_item(keys.inference_id(identifier, 7, "f" * 64))
    assert partition == keys.inference_partition(identifier)


@pytest.mark.parametrize("tenant", ["", "-a", "A", "a/b", "a" * 64, "a#b", "ä"])
def test_tenant_names_cannot_escape_their_part_of_a_key(tenant: str) -> None:
    with pytest.raises(ValidationError):
        a_video(tenant=tenant)


def test_the_record_survives_the_journal() -> None:
    video = a_video(clips=[ClipProgress(seconds=6.125)])
    assert type(video).model_validate_json(video.model_dump_json()) == video


def test_a_film_s_time_counts_from_its_last_request_without_waits_for_the_user() -> None:
    way = [
        (Stage.QUEUED, 0),
        (Stage.PLANNING, 10_000),
        (Stage.FAILED, 20_000),
        (Stage.QUEUED, 100_000),  # the second attempt
        (Stage.PLANNING, 101_000),
        (Stage.REVIEWING, 105_000),
        (Stage.RENDERING, 999_000),
        (Stage.COMPLETED, 1_009_000),
    ]
    history = [StageEntry(stage=stage, at_ms=at_ms) for stage, at_ms in way]
    video = a_video(stage=Stage.COMPLETED, history=history, updated_ms=1_009_000)
    assert seconds_worked(video) == 15


def test_a_film_s_time_lasts_until_its_last_change() -> None:
    history = [StageEntry(stage=Stage.PLANNING, at_ms=1000), StageEntry(stage=Stage.RENDERING, at_ms=3000)]
    assert seconds_worked(a_video(stage=Stage.RENDERING, history=history, updated_ms=4500)) == 3.5


def test_each_attempt_has_an_execution_of_its_own() -> None:
    id_ = video_id("acme", "nonce")
    names = [execution_name(id_, attempt) for attempt in (1, 2, 3)]
    assert names == [id_, f"{id_}-2", f"{id_}-3"]
