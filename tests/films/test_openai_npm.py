"""The unmodified `openai` npm package makes, edits and extends films."""

from pathlib import Path

from tests.cloud.deployment import png
from tests.films.clients import ENGINE, SIZE, documented, run_node
from tests.films.conftest import Cloud
from tests.films.looking import look_at

PROGRAM = """
import assert from "node:assert/strict";
import { createReadStream, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import OpenAI from "openai";

const [engine, size, image] = process.argv.slice(2);
const client = new OpenAI();
async function made(video) {
  while (["queued", "in_progress"].includes(video.status)) {
    await new Promise((wake) => setTimeout(wake, 300));
    video = await client.videos.retrieve(video.id);
  }
  assert.equal(video.status, "completed", JSON.stringify(video));
  return video;
}
async function refused(promise, status, param) {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof OpenAI.APIError, String(error));
    assert.deepEqual([error.status, error.param], [status, param], error.message);
    return true;
  });
}

// Typed as the client types it, with fields of our own: a number, a boolean, an object.
let video = await client.videos.create({
  prompt: "A red circle moves to the right", model: engine, size, seconds: "1",
  seed: 3, enhance: false, steps: 4,
});
assert.equal(video.seconds, "1");
assert.equal(video.size, size);
assert.equal(video.seed, 3);
video = await made(video);
const film = await client.videos.downloadContent(video.id);
await writeFile("film.mp4", Buffer.from(await film.arrayBuffer()));
const thumbnail = await client.videos.downloadContent(video.id, { variant: "thumbnail" });
assert.equal(thumbnail.headers.get("content-type"), "image/webp");

const remixed = await client.videos.remix(video.id, { prompt: "Make it blue" });
assert.equal(remixed.remixed_from_video_id, video.id);
const edited = await client.videos.edit({ prompt: "Make it green", video: { id: video.id } });
const longer = await client.videos.extend({ prompt: "It stops", seconds: "1", video: { id: video.id } });
assert.equal(longer.seconds, "2");
for (const other of [remixed, edited, longer]) await made(other);

const first = [];
for await (const found of client.videos.list({ limit: 2 })) first.push(found.id);
for (const made of [video, remixed, edited, longer]) assert.ok(first.includes(made.id));

// An image as a stream, which is sent in chunks without a length, and as a data URL.
const review = ["storyboard"];
const image_url = `data:image/png;base64,${readFileSync(image).toString("base64")}`;
for (const input_reference of [createReadStream(image), { image_url }]) {
  const shown = await client.videos.create({
    prompt: "A circle", model: "cogvideox-nano-i2v", size, seconds: "4", input_reference,
  });
  assert.equal((await client.videos.delete(shown.id)).deleted, true);
}
const waiting = await client.videos.create({ prompt: "", topic: "Kites", scenes: 1, model: engine, review });
assert.deepEqual(waiting.review.requested, review);
assert.equal((await client.videos.delete(waiting.id)).deleted, true);

await refused(client.videos.create({ prompt: "x", model: engine, size: "1x1" }), 400, "size");
await refused(client.videos.create({ prompt: "x", model: engine, seconds: "0" }), 400, "seconds");
await refused(client.videos.retrieve(waiting.id), 404, "id");
assert.ok((await client.models.list()).data.some((model) => model.id === engine));
"""


def test_a_program_makes_and_derives_films(cloud: Cloud, tmp_path: Path) -> None:
    image = tmp_path / "circle.png"
    image.write_bytes(png(2))
    run_node(cloud, PROGRAM, tmp_path, ENGINE, SIZE, image)
    seen = look_at(tmp_path / "film.mp4", scale=1)
    assert (f"{seen.width}x{seen.height}", len(seen.frames)) == (SIZE, 8)
    assert seen.motion() > 0.1


def test_the_documented_example(cloud: Cloud, tmp_path: Path) -> None:
    run_node(cloud, documented(cloud, "OpenAI for Node.js"), tmp_path)
    assert len(look_at(tmp_path / "fox.mp4").frames) == 8
