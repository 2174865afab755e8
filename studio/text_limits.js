/** How long texts are, as the API counts them: in characters, in an engine's tokens, and in seconds of speech. */

export const LONGEST = { title: 200, prompt: 2_000, narration: 3_000, sample: 200 }; // characters
export const MOST_SCENES = 50;

const WORDS_PER_SECOND = 2.5;
const LEAD = 0.4,
  PAUSE = 0.25,
  TAIL = 0.6; // seconds of silence in a scene
const DENSE = /[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]/gu; // a letter is half a word

// Words that hardly occur in languages other than English, and words that others share, which count half.
const OWN = new Set(
  `the of and with from into onto its their his her our your through while this that these those are which as by between
  behind beneath beside toward towards across around against along among above below without within during before after
  over under near where when who whose each every both some other they she he it's there then they're upon beyond amid
  amidst out up down off has have being been were not but or if than all can will`.split(/\s+/),
);
const SHARED = new Set("a an in on is at to for it so be was do no we me i my one more like just".split(" "));
const ENGLISH_SHARE = 0.15;

const sentences = new Intl.Segmenter("en", { granularity: "sentence" });
const sentencesOf = (text) => [...sentences.segment(text)].map((one) => one.segment).filter((one) => /\S/.test(one));

/** A function of a text that remembers its answers: a screen counts all its texts again with each letter typed. */
function remembered(count) {
  const known = new Map();
  return (text) => {
    let found = known.get(text);
    if (found === undefined) {
      if (known.size > 1_000) known.clear();
      known.set(text, (found = count(text)));
    }
    return found;
  };
}

/** Characters as the API counts them: code points, without space around them. */
export const characters = remembered((text) => [...text.trim()].length);

/** About how many tokens an engine reads; rather too many than too few (lambdas/domain/prompts.py). */
export const estimateTokens = remembered((text) => {
  let tokens = 1;
  for (const sentence of sentencesOf(text.normalize("NFKC"))) {
    const lettersPerToken = _readsAsEnglish(sentence) ? 4 : 2;
    for (const word of sentence.split(/\s+/).filter(Boolean)) tokens += _wordTokens(word, lettersPerToken);
  }
  return tokens;
});

function _readsAsEnglish(text) {
  const letters = [...text].filter((one) => /\p{L}/u.test(one));
  const words =
    text
      .toLowerCase()
      .replaceAll("’", "'")
      .match(/\p{L}+(?:'\p{L}+)*/gu) ?? [];
  if (!words.length || letters.filter((one) => one < "\x80").length < 0.95 * letters.length) return false;
  const share = words.reduce((sum, word) => sum + (OWN.has(word) ? 1 : SHARED.has(word) ? 0.5 : 0), 0);
  return share / words.length >= ENGLISH_SHARE;
}

function _wordTokens(word, lettersPerToken) {
  const runs = word.match(/[A-Z]?[a-z]+|[A-Z]+|./gsu) ?? [];
  const joined = lettersPerToken > 2 && /^[A-Za-z]+$/.test(runs[0]) && runs[0] !== "a";
  return runs.reduce((sum, run) => sum + _runTokens(run, lettersPerToken), joined ? 0 : 1);
}

function _runTokens(run, lettersPerToken) {
  if (run.length === 1) return 1;
  if (run.length > 20 || !/[aeiouy]/i.test(run)) return run.length + 1;
  return run === run.toUpperCase() ? (run.length >> 1) + 1 : Math.ceil(run.length / lettersPerToken);
}

const PAUSES = /\[pause\s+(\d+(?:\.\d+)?)\s*(ms|s)\]/gi;

/** English words that take as long to speak as the text. */
export const spokenWords = remembered((text) => {
  const spaced = text
    .replace(PAUSES, " ")
    .replace(DENSE, " ")
    .split(/\s+/)
    .filter((word) => /[\p{L}\p{N}]/u.test(word)).length;
  return spaced + (text.match(DENSE)?.length ?? 0) / 2;
});

const _sentenceCount = remembered((text) => sentencesOf(text).length);

/** About how many seconds a scene with that narration must last, at a voice's speed; 0 if nothing is spoken. */
export function secondsToSpeak(text, speed = 1) {
  const words = spokenWords(text);
  if (!words) return 0;
  const asked = [...text.matchAll(PAUSES)].reduce((sum, [, n, unit]) => sum + n / (unit === "ms" ? 1000 : 1), 0);
  return LEAD + words / WORDS_PER_SECOND / speed + PAUSE * Math.max(0, _sentenceCount(text) - 1) + asked + TAIL;
}

/** How many words fit a scene of that length. */
export function wordsWithin(seconds, speed = 1) {
  return Math.max(0, Math.floor((seconds - LEAD - TAIL) * WORDS_PER_SECOND * speed));
}
