// A song in the browser: decoded and drawn here, answered by TF Serving's REST API.
//
// Asking needs nothing but that API (see `ask`), so this is an example of a client, too. The
// spectrogram is computed here and not on the server: it is there before the first answer is, the
// song needn't be sent for it, and a server need not know how to draw.

const USUAL_RATE = 44100; // Hz
const MOST_RATE = 48000; // a higher one costs time and adds nothing that models hear
const WINDOW_SECONDS = 30; // what a model answers for
const MOST_WINDOWS = 10; // asked about at once: 70 MB of JSON, and servers have limits
const LONGEST_MINUTES = 60; // an hour takes more than a gigabyte once it is decoded
const RECORDING_SECONDS = 120;
const SILENCE = 2 ** -16; // what never gets above it has nothing to analyse

const FFT_SECONDS = 2048 / 22050; // about, as it is a power of two
const BANDS = 128;
const TOP_HZ = 11025;
const RANGE_DB = 80;
const MOST_COLUMNS = 1400;
const COLUMNS_A_SECOND = 43;

const LINES = 5; // of a curve: more cannot be told apart

/** What a person can read and mend. */
class Problem extends Error {}

const find = (id) => document.getElementById(id);
const player = find("player");
const slider = find("seek");
const other = find("other"); // plays songs that sound alike
let played = null; // the button of the last one

// The one on the page: name, stop (an AbortController), how many parts were asked about and are done;
// once it is decoded, samples, rate and seconds.
let song = null;
let asking = Promise.resolve(); // one request at a time: each uses the whole machine
let recorder = null;
let library = { songs: 0 }; // the table with which songs are compared, if the server was given one

// ---- small things

/** An element with properties, and what it holds. */
function element(tag, properties, ...content) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...content);
  return made;
}

/** A name in parts, between which a line may end: after underscores. */
const breakable = (name) => name.split(/(?<=_)/).flatMap((part, i) => (i ? [element("wbr"), part] : [part]));

/** An element of a drawing, with attributes, and what it holds. */
function drawing(tag, attributes, ...content) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...content);
  return made;
}

/** A number beside a plot, a share of the way along: from the left, or from the bottom. */
function tick(text, side, share) {
  const made = element("span", {}, text);
  made.style[side] = `${100 * share}%`;
  return made;
}

const percent = (value) => `${(100 * value).toFixed(1)}\u00a0%`;
const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const pause = () => new Promise((resolve) => setTimeout(resolve));

function say(text) {
  find("status").textContent = text;
}

function complain(text) {
  find("problem").textContent = text;
  find("problem").hidden = !text;
}

/** Run what may fail; what is no Problem is a bug, and the console gets it. */
async function attempt(work, report = complain) {
  try {
    await work();
  } catch (error) {
    if (error.name === "AbortError") return; // another song came
    say("");
    report(error instanceof Problem ? error.message : `this page failed (${error}); reload it`);
    if (!(error instanceof Problem)) console.error(error);
  }
}

/** Do one of the steps to an answer; browsers show how long each took among the page's timings. */
async function timed(step, work) {
  const start = performance.now();
  try {
    return await work();
  } finally {
    performance.measure(step, { start });
  }
}

// ---- the server

async function request(path, options) {
  let response, text;
  try {
    response = await fetch(path, options);
    text = await response.text();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem("the server does not answer; see whether it still runs, then try again");
  }
  let answer;
  try {
    answer = JSON.parse(text);
  } catch {
    throw new Problem(`the server answered with HTTP ${response.status} and no JSON; see its log`);
  }
  if (!response.ok) throw new Problem(answer.error ?? `HTTP ${response.status}`);
  return answer;
}

// What has probabilities, of genres or of tags, and the output with their names.
const LIKELY = { probabilities: "classes", tag_probabilities: "tags" };
const MOST_TAGS = 10; // that are shown

const likely = (outputs) => Object.keys(LIKELY).filter((name) => name in outputs);

const modelPath = (name) => `v1/models/${encodeURIComponent(name)}`;

async function listModels() {
  library = await request("v1/similar");
  const { models } = await request("v1/models");
  const isServed = ({ model_version_status: all }) => all.some(({ state }) => state === "AVAILABLE");
  const described = await Promise.all(models.filter(isServed).map(async ({ name }) => {
    const { model_spec, metadata } = await request(`${modelPath(name)}/metadata`);
    const { audio } = metadata.signature_def.signature_def;
    const kind = audio && likely(audio.outputs).join();
    return { name, version: model_spec.version, sound: Boolean(audio), kind };
  }));
  described.sort((one, other) => other.sound - one.sound);
  for (const model of described) {
    const box = element("input", { type: "checkbox", value: model.name, disabled: !model.sound });
    // One of each kind to begin with.
    box.checked = model === described.find((other) => other.sound && other.kind === model.kind);
    box.addEventListener("change", () => (box.checked ? enqueue(model.name) : cardOf(model.name)?.remove()));
    const about = model.sound ? `version ${model.version}` : "takes no sound; export it again";
    find("models").append(
      element("label", {}, box, element("span", {}, model.name), element("small", {}, about)),
    );
  }
  if (!described[0]?.sound) {
    throw new Problem(described.length
      ? "no served model has the signature 'audio'; export one again, then reload this page"
      : "no model is served yet; export one with keras_mir.fit, then reload this page");
  }
}

const wantedModels = () => [...document.querySelectorAll("#models input:checked")].map((box) => box.value);

/** A WAV file of one channel of 32-bit floats, which keep what 16 bits would clip. */
function wav(samples, rate) {
  const size = samples.byteLength;
  const format = [
    Uint32Array.of(16), // bytes of this chunk
    Uint16Array.of(3, 1), // floats, of one channel
    Uint32Array.of(rate, 4 * rate), // and bytes a second
    Uint16Array.of(4, 32), // bytes a frame, bits a sample
  ];
  const parts = ["RIFF", Uint32Array.of(36 + size), "WAVEfmt ", ...format, "data", Uint32Array.of(size)];
  return new Blob([...parts, samples], { type: "audio/wav" });
}

function base64(blob) {
  return new Promise((resolve) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.readAsDataURL(blob);
  });
}

async function post(path, content, signal) {
  const body = await timed("pack", () => JSON.stringify(content));
  return timed("ask", () => request(path, { method: "POST", body, signal }));
}

/** Samples as requests hold them. */
async function sound(samples, rate) {
  return { b64: await timed("encode", () => base64(wav(samples, rate))) };
}

/** A model's outputs for samples, by name. */
async function ask(model, samples, rate, signal) {
  const inputs = { audio: [await sound(samples, rate)] };
  const { outputs } = await post(`${modelPath(model)}:predict`, { signature_name: "audio", inputs }, signal);
  const missing = ["error", "windows", "window_starts"].filter((name) => !(name in outputs));
  if (missing.length) {
    throw new Problem(`the answer is without ${missing.join(", ")}; export the model again`);
  }
  const first = Object.fromEntries(Object.entries(outputs).map(([name, batch]) => [name, batch[0]]));
  if (first.error) throw new Problem(first.error);
  return first;
}

/** Where to cut, in samples: a few windows at a time, none of them short. As `keras_mir.predict` does. */
function cut({ samples, rate }) {
  const most = MOST_WINDOWS * WINDOW_SECONDS * rate;
  const parts = [];
  let start = 0;
  while (samples.length - start > most) {
    const end = start + most - WINDOW_SECONDS * rate;
    parts.push([start, end]);
    start = end;
  }
  parts.push([start, samples.length]);
  // Silent parts of a song that is not silent have nothing to say.
  const isHeard = (sample) => sample > SILENCE || sample < -SILENCE;
  const heard = parts.filter(([from, to]) => samples.subarray(from, to).some(isHeard));
  return heard.length ? heard : parts.slice(0, 1);
}

/** What a model says of a part, head by head; times in seconds from the start of the song. */
function read(outputs, from, to) {
  const starts = outputs.window_starts.slice(0, outputs.windows).map((start) => from + start);
  const targets = Object.keys(outputs).filter((name) => `window_${name}` in outputs && !(name in LIKELY));
  const readHead = (kind, names, valuesAt) => ({
    kind,
    names,
    windows: starts.map((start, i) => ({ start, end: starts[i + 1] ?? to, values: valuesAt(i) })),
    // Older exports, and pretrained networks, have none.
    thresholds: kind === "tag_probabilities" ? outputs.tag_thresholds : undefined,
  });
  const heads = likely(outputs).map((kind) => readHead(kind, outputs[LIKELY[kind]], (i) => outputs[`window_${kind}`][i]));
  if (targets.length) {
    heads.push(readHead(undefined, targets, (i) => targets.map((name) => outputs[`window_${name}`][i])));
  }
  const beats = (outputs.beat_times ?? []).slice(0, outputs.beat_counts).map((time) => from + time);
  const windows = starts.length;
  return { heads, windows, beats, tempo: outputs.tempo ?? 0, note: outputs.note ?? "" };
}

/** The answer for a song from those for its parts. */
function join(answers) {
  const withBeat = answers.filter(({ tempo }) => tempo > 0);
  const tempos = withBeat.flatMap(({ tempo, windows }) => Array(windows).fill(tempo));
  return {
    heads: answers[0].heads.map((_, head) => joinHead(answers.map(({ heads }) => heads[head]))),
    beats: answers.flatMap(({ beats }) => beats),
    tempo: tempos.length ? mean(tempos) : 0,
    note: answers[0].note,
  };
}

/** The same of a head; genres and tags from the likeliest on. */
function joinHead(answers) {
  const { kind, thresholds } = answers[0];
  const found = answers.flatMap((answer) => answer.windows);
  const means = answers[0].names.map((_, i) => mean(found.map((window) => window.values[i])));
  const order = [...means.keys()];
  if (kind) order.sort((one, other) => means[other] - means[one]);
  if (kind === "tag_probabilities") order.splice(MOST_TAGS);
  const inOrder = (all) => order.map((i) => all[i]);
  const [names, values] = [answers[0].names, means].map(inOrder);
  const given = thresholds && order.map((i) => means[i] >= thresholds[i]);
  const windows = found.map((window) => ({ ...window, values: inOrder(window.values) }));
  return { kind, names, values, given, windows };
}

function showProgress() {
  const bar = find("progress");
  const { asked, done } = song ?? { asked: 0, done: 0 };
  bar.hidden = done === asked;
  bar.max = asked;
  if (asked > 1) bar.value = done;
  else bar.removeAttribute("value"); // nobody knows how far it is
}

/**
 * Ask about the song on the page part by part, after what is being asked already.
 *
 * `card` is where the answer goes, `wanted` whether it is still, `askPart` gives the answer for a part, `show`
 * gets them all, and `report` a problem.
 */
function inTurn(who, wanted, askPart, show, report) {
  const about = song;
  const parts = cut(about);
  const answers = [];
  const isWanted = () => song === about && wanted();
  const done = (count) => {
    about.done += count;
    showProgress();
  };
  about.asked += parts.length;
  showProgress();
  const work = async () => {
    const { name, samples, rate, stop } = about;
    for (const [from, to] of parts) {
      if (!isWanted()) return;
      say(`Asking ${who} about ${name} …`);
      answers.push(await askPart(samples.subarray(from, to), rate, stop.signal, from / rate, to / rate));
      done(1);
    }
    if (isWanted()) await show(answers, stop.signal);
  };
  asking = asking.then(() => attempt(work, (message) => isWanted() && report(message)))
    .finally(() => done(parts.length - answers.length));
}

function enqueue(model) {
  if (!song?.samples) return; // all that are wanted are asked once it is decoded
  const card = addAnswer(model);
  const askPart = async (samples, rate, signal, from, to) => read(await ask(model, samples, rate, signal), from, to);
  const show = (answers) => {
    const answer = join(answers);
    return timed("show", () => {
      showAnswer(card, answer);
      if (answer.beats.length) showBeats(answer);
      say(summary(model, answer));
    });
  };
  inTurn(model, () => card.isConnected, askPart, show, (message) => showFailure(card, `${model}: ${message}`));
}

/** Ask which songs of the server's table sound like the one on the page. */
function enqueueSimilar() {
  if (!library.songs) return;
  const askPart = async (samples, rate, signal) => post("v1/similar", { audio: await sound(samples, rate) }, signal);
  const show = async (answers, signal) => {
    const windows = answers.reduce((sum, answer) => sum + answer.windows, 0);
    const share = ({ embedding, windows: some }) => embedding.map((value) => (value * some) / windows);
    const embedding = answers.map(share).reduce((sum, part) => sum.map((value, i) => value + part[i]));
    const { songs } = answers.length === 1 ? answers[0] : await post("v1/similar", { embedding }, signal);
    if (song?.stop.signal === signal) showSimilar(songs);
  };
  inTurn(library.model, () => true, askPart, show, showNoSimilar);
}

// ---- the song

async function open(blob, name) {
  song?.stop.abort();
  const opened = { name, asked: 0, done: 0, stop: new AbortController() };
  song = opened;
  showProgress();
  complain("");
  player.pause();
  find("song").hidden = true;
  find("answers").replaceChildren();
  find("similar").hidden = true;
  other.pause();
  await attempt(async () => {
    say(`Decoding ${name} …`);
    Object.assign(opened, await timed("decode", () => decode(blob, name)));
    if (song !== opened) return;
    showSong(blob);
    if (!wantedModels().length) say("Choose a model to ask.");
    wantedModels().forEach(enqueue);
    enqueueSimilar();
    await timed("draw", () => drawMel(opened));
  }, (message) => {
    if (song !== opened) return;
    song = null;
    complain(message);
  });
}

async function decode(blob, name) {
  const refuse = (problem) => {
    throw new Problem(`${name}: ${problem}`);
  };
  const seconds = await statedLength(blob);
  if (seconds > 60 * LONGEST_MINUTES) refuse(`longer than ${LONGEST_MINUTES} minutes; cut it first`);
  const bytes = await blob.arrayBuffer().catch(() => refuse("cannot be read; choose a file"));
  const buffer = await new OfflineAudioContext(1, 1, rateOf(bytes)).decodeAudioData(bytes)
    .catch(() => refuse("this browser cannot decode it; convert it to WAV, FLAC or MP3"));
  const mono = new Float32Array(buffer.length);
  for (let channel = 0; channel < buffer.numberOfChannels; channel++) {
    buffer.getChannelData(channel).forEach((sample, i) => { mono[i] += sample / buffer.numberOfChannels; });
  }
  return { samples: mono, rate: buffer.sampleRate, seconds: buffer.duration };
}

/** The rate to decode to, in Hz: the file's own where its header says so, as resampling twice is heard. */
function rateOf(bytes) {
  const view = new DataView(bytes.slice(0, 4096));
  const text = (at, size) => String.fromCharCode(...new Uint8Array(view.buffer.slice(at, at + size)));
  let rate = USUAL_RATE;
  if (text(0, 4) === "RIFF") {
    let at = 12;
    while (at + 16 <= view.byteLength && text(at, 4) !== "fmt ") at += 8 + view.getUint32(at + 4, true);
    if (at + 16 <= view.byteLength) rate = view.getUint32(at + 12, true);
  } else if (text(0, 4) === "fLaC" && view.byteLength > 22) {
    rate = view.getUint32(18) >>> 12;
  } else if (text(0, 4) === "OggS" && text(29, 6) === "vorbis" && view.byteLength > 44) {
    rate = view.getUint32(40, true);
  }
  return rate >= 8000 && rate <= MOST_RATE ? rate : USUAL_RATE; // no browser need know others
}

/** In seconds, from the file's header; NaN or infinite if that says nothing. */
function statedLength(blob) {
  return new Promise((resolve) => {
    const probe = new Audio();
    const done = (seconds) => {
      URL.revokeObjectURL(probe.src);
      resolve(seconds);
    };
    probe.preload = "metadata";
    probe.onloadedmetadata = () => done(probe.duration);
    probe.onerror = () => done(NaN);
    probe.src = URL.createObjectURL(blob);
  });
}

async function record() {
  if (recorder) {
    if (recorder.state === "recording") recorder.stop();
    return;
  }
  complain("");
  if (!navigator.mediaDevices) {
    throw new Problem("browsers record only on pages from localhost or over https");
  }
  recorder = { state: "starting" };
  try {
    // As it sounds: what makes speech clearer spoils music.
    const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    recorder = new MediaRecorder(await navigator.mediaDevices.getUserMedia({ audio }));
    recorder.start();
  } catch (error) {
    recorder = null;
    throw new Problem(`the microphone cannot be used: ${error.message}`);
  }
  const { stream } = recorder;
  const button = find("record");
  const pieces = [];
  const started = performance.now();
  const count = () => {
    const seconds = (performance.now() - started) / 1000;
    button.textContent = `Stop (${clock(seconds)})`;
    if (seconds >= RECORDING_SECONDS && recorder.state === "recording") recorder.stop();
  };
  const ticking = setInterval(count, 250);
  recorder.ondataavailable = ({ data }) => pieces.push(data);
  recorder.onstop = () => {
    clearInterval(ticking);
    stream.getTracks().forEach((track) => track.stop());
    button.textContent = "Record";
    button.classList.remove("live");
    const { mimeType } = recorder;
    recorder = null;
    open(new Blob(pieces, { type: mimeType }), "Recording");
  };
  count();
  button.classList.add("live");
  say(`Recording; it stops by itself after ${RECORDING_SECONDS / 60} minutes.`);
}

function showSong(blob) {
  find("title").textContent = song.name;
  find("facts").textContent = clock(song.seconds);
  find("beats").firstElementChild.setAttribute("d", "");
  find("grid").firstElementChild.setAttribute("d", "");
  find("song").hidden = false;
  // What was recorded has no length in its header, without which browsers cannot seek.
  URL.revokeObjectURL(player.src);
  player.src = URL.createObjectURL(song.name === "Recording" ? wav(song.samples, song.rate) : blob);
  slider.setAttribute("aria-busy", "true"); // until it is drawn
  slider.setAttribute("aria-valuemax", song.seconds.toFixed(1));
  showPosition();
  announcePosition();
  find("pitch").replaceChildren(...[500, 1000, 2000, 4000, 8000].map((hz) =>
    tick(hz < 1000 ? `${hz} Hz` : `${hz / 1000} kHz`, "bottom", mel(hz) / mel(TOP_HZ))));
  drawTime(find("time"));
}

function showBeats({ beats, tempo }) {
  const { seconds } = song;
  const facts = [clock(seconds), `${tempo.toFixed(0)} beats per minute`, `${beats.length} beats`];
  find("facts").textContent = facts.join(" · ");
  const lines = beats.map((time) => `M${time} 0V1`).join("");
  const apart = slider.clientWidth / beats.length; // pixels
  for (const id of ["beats", "grid"]) {
    find(id).setAttribute("viewBox", `0 0 ${seconds} 1`);
    // Through the picture only where they don't hide it.
    find(id).firstElementChild.setAttribute("d", id === "beats" || apart > 8 ? lines : "");
  }
  find("beats").classList.toggle("dense", apart < 4);
}

// ---- the mel spectrogram

/** Slaney's scale: even below 1 kHz, logarithmic above. */
function mel(hz) {
  return hz < 1000 ? (3 * hz) / 200 : 15 + (27 * Math.log(hz / 1000)) / Math.log(6.4);
}

function hertz(m) {
  return m < 15 ? (200 * m) / 3 : 1000 * 6.4 ** ((m - 15) / 27);
}

/** For each band its first bin and the weights from there on: triangles of equal area. */
function melFilters(fftSize, rate) {
  const step = mel(TOP_HZ) / (BANDS + 1);
  const edges = Array.from({ length: BANDS + 2 }, (_, i) => (hertz(i * step) * fftSize) / rate); // in bins
  return Array.from({ length: BANDS }, (_, band) => {
    const [low, centre, high] = edges.slice(band, band + 3);
    const first = Math.ceil(low);
    const weights = [];
    for (let bin = first; bin <= Math.min(high, fftSize / 2); bin++) {
      weights.push(Math.min((bin - low) / (centre - low), (high - bin) / (high - centre)) / (high - low));
    }
    return { first, weights };
  });
}

/** The power in each bin of frames of a power of two: Stockham's FFT (Cochran and others, 1967). */
function makeSpectrum(size) {
  const turn = (2 * Math.PI) / size;
  const cosine = Float64Array.from({ length: size / 2 }, (_, i) => Math.cos(turn * i));
  const sine = Float64Array.from({ length: size / 2 }, (_, i) => -Math.sin(turn * i));
  let re = new Float64Array(size), im = new Float64Array(size);
  let nextRe = new Float64Array(size), nextIm = new Float64Array(size);
  return (frame) => {
    re.set(frame);
    im.fill(0);
    for (let stride = 1; stride < size; stride *= 2) {
      for (let turned = 0; turned < size / 2; turned += stride) {
        const c = cosine[turned], s = sine[turned];
        for (let a = turned; a < turned + stride; a++) {
          const b = a + size / 2, to = a + turned;
          const x = re[a] - re[b], y = im[a] - im[b];
          nextRe[to] = re[a] + re[b];
          nextIm[to] = im[a] + im[b];
          nextRe[to + stride] = x * c - y * s;
          nextIm[to + stride] = x * s + y * c;
        }
      }
      [re, nextRe, im, nextIm] = [nextRe, re, nextIm, im];
    }
    return re.subarray(0, size / 2 + 1).map((value, bin) => value ** 2 + im[bin] ** 2);
  };
}

/** From black over violet and orange to pale yellow, ever lighter: 256 colours of 4 bytes. */
function colours() {
  const stops = "#000004 #1c1044 #4f127b #812581 #b5367a #e55064 #fb8761 #fec287 #fcfdbf".split(" ");
  const context = element("canvas", { width: 256, height: 1 }).getContext("2d");
  const gradient = context.createLinearGradient(0, 0, 256, 0);
  stops.forEach((colour, i) => gradient.addColorStop(i / (stops.length - 1), colour));
  context.fillStyle = gradient;
  context.fillRect(0, 0, 256, 1);
  return context.getImageData(0, 0, 256, 1).data;
}

async function drawMel(drawn) {
  const { samples, rate, seconds } = drawn;
  const columns = Math.max(1, Math.min(MOST_COLUMNS, Math.ceil(seconds * COLUMNS_A_SECOND)));
  const canvas = find("mel");
  canvas.width = columns;
  canvas.height = BANDS;
  const size = 2 ** Math.round(Math.log2(FFT_SECONDS * rate));
  const spectrum = makeSpectrum(size);
  const filters = melFilters(size, rate);
  const hann = Float64Array.from({ length: size }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / size));
  const decibels = new Float32Array(columns * BANDS);
  for (let column = 0; column < columns; column++) {
    const start = Math.round(((column + 0.5) / columns) * samples.length) - size / 2;
    const power = spectrum(hann.map((weight, i) => weight * (samples[start + i] ?? 0)));
    filters.forEach(({ first, weights }, band) => {
      const sum = weights.reduce((sum, weight, i) => sum + weight * power[first + i], 0);
      decibels[column * BANDS + band] = 10 * Math.log10(Math.max(sum, 1e-10));
    });
    if (column % 64 === 63) {
      await pause(); // the page goes on answering
      if (song !== drawn) return;
    }
  }
  const loudest = decibels.reduce((most, value) => Math.max(most, value), -Infinity);
  const palette = colours();
  const context = canvas.getContext("2d");
  const image = context.createImageData(columns, BANDS);
  for (let column = 0; column < columns; column++) {
    for (let band = 0; band < BANDS; band++) {
      const share = 1 + (decibels[column * BANDS + band] - loudest) / RANGE_DB;
      const at = 4 * ((BANDS - 1 - band) * columns + column);
      const colour = 4 * Math.round(255 * Math.max(0, share));
      image.data.set(palette.subarray(colour, colour + 4), at);
    }
  }
  context.putImageData(image, 0, 0);
  slider.removeAttribute("aria-busy");
}

/** Ticks below a plot, as many as there is room for. */
function drawTime(axis) {
  const { seconds } = song;
  const room = Math.max(2, axis.clientWidth / 70);
  const step = [0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600].find((size) => seconds / size <= room) ?? 1200;
  const count = Math.floor(seconds / step) + 1;
  const times = Array.from({ length: count }, (_, i) => i * step);
  axis.replaceChildren(...times.map((time) =>
    tick(seconds > 120 ? clock(time) : `${time} s`, "left", time / seconds)));
}

// ---- answers

/** The tags that reach their thresholds, in words. */
const givenTags = ({ names, given }) => names.filter((_, i) => given[i]).join(", ") || "none of its tags";

function said(head) {
  const { kind, names, values, given } = head;
  if (given) return givenTags(head);
  if (kind) return `${names[0]}, ${percent(values[0])}`;
  return names.map((name, i) => `${name} ${values[i].toFixed(2)}`).join(", ");
}

function summary(model, { heads, tempo }) {
  return `${model}: ${heads.map(said).join("; ")}${tempo > 0 ? `; ${tempo.toFixed(0)} beats per minute` : ""}.`;
}

function addAnswer(model) {
  const card = find("answer").content.firstElementChild.cloneNode(true);
  card.dataset.model = model;
  card.setAttribute("aria-label", `Answer of ${model}`);
  card.setAttribute("aria-busy", "true");
  card.querySelector("h3").textContent = model;
  card.querySelector(".verdict").append(element("small", {}, "…"));
  find("answers").append(card);
  return card;
}

const cardOf = (model) => document.querySelector(`.answer[data-model="${CSS.escape(model)}"]`);

function showFailure(card, message) {
  const problem = element("p", { className: "problem" });
  problem.setAttribute("role", "alert");
  card.querySelector(".verdict").replaceWith(problem);
  card.removeAttribute("aria-busy");
  problem.textContent = message; // after it is there, so that it is read out
}

// What heads are of, by their outputs.
const HEADS = { probabilities: "Genre", tag_probabilities: "Tags", undefined: "Affect" };

function showAnswer(card, { heads, note }) {
  card.querySelector(".note").textContent = note;
  heads.forEach((head, rank) => {
    const part = rank ? addHead(card) : card;
    if (heads.length > 1) part.querySelector(".verdict").before(element("h4", { className: "of" }, HEADS[head.kind]));
    showHead(part, head);
  });
  card.removeAttribute("aria-busy");
}

/** Room in an answer for one more head, as the first has it. */
function addHead(card) {
  const copy = find("answer").content.firstElementChild.cloneNode(true);
  copy.querySelectorAll("h3, .note").forEach((once) => once.remove());
  const part = element("div", { className: "head" }, ...copy.children);
  card.append(part);
  return part;
}

function showHead(card, answer) {
  const { kind, names, values, given, windows } = answer;
  const format = kind ? percent : (value) => value.toFixed(2);
  const all = windows.flatMap((window) => window.values);
  const scale = { low: Math.min(0, ...all), high: kind ? 1 : Math.max(1, ...all) };
  const verdict = card.querySelector(".verdict");
  if (given) {
    verdict.replaceChildren(givenTags(answer));
  } else if (kind) {
    verdict.replaceChildren(names[0], " ", element("small", {}, percent(values[0])));
  } else {
    verdict.remove();
    const [low, high] = [scale.low, scale.high].map((end) => +end.toFixed(2));
    card.querySelector(".scale").textContent = `Bars from ${low} to ${high}.`;
  }
  const place = (value) => (value - scale.low) / (scale.high - scale.low);
  card.querySelector(".bars").replaceChildren(...values.map((value, rank) => {
    const fill = element("span", { className: "fill" });
    const from = place(Math.min(0, value));
    fill.style.left = `${100 * from}%`;
    fill.style.width = `${100 * (place(Math.max(0, value)) - from)}%`;
    const track = element("span", { className: "track" }, fill);
    track.setAttribute("aria-hidden", "true");
    const name = element("span", { className: "name" }, ...breakable(names[rank]));
    const number = element("span", { className: "value" }, format(value));
    const first = given ? given[rank] : !kind || rank === 0;
    return element("li", { className: first ? "first" : "" }, name, track, number);
  }));
  if (windows.length > 1) showCurve(card, answer, scale, format);
}

function showCurve(card, { kind, names, windows }, scale, format) {
  const { seconds } = song;
  const { low } = scale;
  const highest = Math.max(...windows.flatMap((window) => window.values));
  const high = kind ? [0.25, 0.5].find((top) => highest <= top) ?? 1 : scale.high;
  const height = (value) => 1 - (value - low) / (high - low);
  const line = (number, d) => drawing("path", { class: `line line${number}`, d });
  const svg = card.querySelector(".curve svg");
  svg.setAttribute("viewBox", `0 0 ${seconds} 1`);
  svg.append(drawing("path", { class: "rule", d: `M0 0H${seconds}M0 .5H${seconds}` }));
  names.slice(0, LINES).forEach((name, i) => {
    let path = "", end = NaN;
    for (const window of windows) {
      path += `${window.start === end ? "L" : "M"}${window.start} ${height(window.values[i])}H${window.end}`;
      end = window.end;
    }
    svg.append(line(i, path));
    const sample = drawing("svg", { viewBox: "0 0 24 8", "aria-hidden": "true" }, line(i, "M0 4H24"));
    card.querySelector(".legend").append(element("li", {}, sample, name));
  });
  card.querySelector(".axis.up").append(...[0, 0.5, 1].map((share) => {
    const value = low + share * (high - low);
    return tick(kind ? `${100 * value} %` : value.toFixed(1), "bottom", share);
  }));
  const heads = ["from", ...names].map((name) => element("th", { scope: "col" }, name));
  const rows = windows.map(({ start, values }) => element(
    "tr", {}, element("th", { scope: "row" }, clock(start)),
    ...values.map((value) => element("td", {}, format(value))),
  ));
  const table = card.querySelector("table");
  table.createTHead().insertRow().append(...heads);
  table.createTBody().append(...rows);
  card.querySelector(".over-time").hidden = false;
  drawTime(card.querySelector(".axis.along"));
}

// ---- songs that sound alike

const about = ({ duration, tempo }) => [clock(duration), ...(tempo > 0 ? [`${tempo.toFixed(0)} BPM`] : [])].join(" · ");

function showSimilar(songs) {
  const rows = songs.map((near, rank) => {
    const name = element("span", { className: "name" }, near.path, element("small", {}, about(near)));
    const fill = element("span", { className: "fill" });
    fill.style.left = "0";
    fill.style.width = `${100 * Math.max(0, near.similarity)}%`;
    const track = element("span", { className: "track" }, fill);
    track.setAttribute("aria-hidden", "true");
    const value = element("span", { className: "value" }, near.similarity.toFixed(3));
    const button = near.audio ? playButton(near) : element("span");
    return element("li", { className: rank ? "" : "first" }, button, name, track, value);
  });
  showCard({ rows, hint: `The cosine of vectors by ${library.model}; the nearest of ${library.songs} songs.` });
  say(songs.length ? `Sounds like ${songs[0].path}.` : "");
}

function showNoSimilar(problem) {
  showCard({ rows: [], problem: `${library.model}: ${problem}` });
}

function showCard({ rows, hint = "", problem = "" }) {
  const card = find("similar");
  card.querySelector(".bars").replaceChildren(...rows);
  card.querySelector(".hint").textContent = hint;
  card.querySelector(".problem").hidden = !problem;
  card.hidden = false;
  card.querySelector(".problem").textContent = problem;
}

function playButton({ path, audio }) {
  const button = element("button", { type: "button", className: "play" }, "▶\ufe0e");
  button.setAttribute("aria-label", `Play ${path}`);
  button.setAttribute("aria-pressed", "false");
  button.addEventListener("click", () => {
    const plays = button.getAttribute("aria-pressed") === "true";
    other.pause();
    if (plays) return;
    player.pause();
    complain("");
    played = button;
    other.src = `.${audio}`; // the page may stand below a proxy's folder
    other.play().catch(({ name }) => {
      if (name !== "AbortError") complain(`${path}: not there any more, or of a kind that this browser does not play`);
    });
  });
  return button;
}

function showPlayed() {
  for (const button of document.querySelectorAll(".play")) {
    const plays = button === played && !other.paused;
    button.setAttribute("aria-pressed", plays);
    button.textContent = plays ? "❚❚" : "▶\ufe0e";
  }
}

// ---- listening

function showPosition() {
  const share = song?.seconds ? Math.min(1, player.currentTime / song.seconds) : 0;
  document.documentElement.style.setProperty("--at", share);
}

// Not while it plays: a screen reader would talk all the time.
function announcePosition() {
  if (!song?.seconds) return;
  slider.setAttribute("aria-valuenow", player.currentTime.toFixed(1));
  slider.setAttribute("aria-valuetext", `${clock(player.currentTime)} of ${clock(song.seconds)}`);
}

const still = matchMedia("(prefers-reduced-motion: reduce)");

function follow() {
  showPosition();
  if (!player.paused && !still.matches) requestAnimationFrame(follow);
}

function seek(seconds) {
  if (!song?.seconds) return;
  player.currentTime = Math.max(0, Math.min(song.seconds - 0.05, seconds));
  showPosition();
}

function seekByPointer(event) {
  const field = event.target.closest?.(".field");
  if (!field || event.button !== 0) return;
  const { left, width } = field.getBoundingClientRect();
  seek(((event.clientX - left) / width) * song.seconds);
}

/** How far a key goes, in seconds. */
const STEPS = {
  ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10,
  Home: -Infinity, End: Infinity,
};

// ---- what people do

slider.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key in STEPS) seek(player.currentTime + STEPS[event.key]);
  else if (event.key === " ") player.paused ? player.play() : player.pause();
  else return;
  event.preventDefault();
});
document.addEventListener("pointerdown", seekByPointer);
player.addEventListener("play", () => other.pause());
for (const name of ["play", "pause"]) other.addEventListener(name, showPlayed);
player.addEventListener("play", follow);
player.addEventListener("timeupdate", showPosition);
for (const name of ["seeked", "pause"]) player.addEventListener(name, announcePosition);
slider.addEventListener("focus", announcePosition);
addEventListener("resize", () => {
  if (song?.seconds) document.querySelectorAll(".axis.along").forEach(drawTime);
});

function openFirst([file]) {
  if (file) open(file, file.name);
}

find("file").addEventListener("change", ({ target }) => {
  openFirst(target.files);
  target.value = ""; // the same file may be chosen again
});
find("record").addEventListener("click", () => attempt(record));
addEventListener("dragover", (event) => {
  event.preventDefault();
  find("entrance").classList.add("over");
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) find("entrance").classList.remove("over");
});
addEventListener("drop", (event) => {
  event.preventDefault();
  find("entrance").classList.remove("over");
  openFirst(event.dataTransfer.files);
});

attempt(listModels);
