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

let song = null; // the one on the page: name, samples, rate, seconds, stop (an AbortController)
let asking = Promise.resolve(); // one request at a time: each uses the whole machine
let partsAsked = 0, partsDone = 0;
let recorder = null;

// ---- small things

function element(tag, text = "", className = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  made.className = className;
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

const modelPath = (name) => `v1/models/${encodeURIComponent(name)}`;

async function listModels() {
  const { models } = await request("v1/models");
  const isServed = ({ model_version_status: all }) => all.some(({ state }) => state === "AVAILABLE");
  const described = await Promise.all(models.filter(isServed).map(async ({ name }) => {
    const { model_spec, metadata } = await request(`${modelPath(name)}/metadata`);
    const { audio } = metadata.signature_def.signature_def;
    const genre = Boolean(audio?.outputs.probabilities);
    return { name, version: model_spec.version, sound: Boolean(audio), genre };
  }));
  described.sort((one, other) => other.sound - one.sound);
  for (const model of described) {
    const box = element("input");
    box.type = "checkbox";
    box.value = model.name;
    box.disabled = !model.sound;
    // One of each kind to begin with.
    box.checked = model === described.find((other) => other.sound && other.genre === model.genre);
    box.addEventListener("change", () => (box.checked ? enqueue(model.name) : removeAnswer(model.name)));
    const label = element("label");
    const about = model.sound ? `version ${model.version}` : "takes no sound; export it again";
    label.append(box, element("span", model.name), element("small", about));
    find("models").append(label);
  }
  if (!described.length) {
    throw new Problem("no model is served yet; export one with keras_mir.fit, then reload this page");
  }
  if (!described[0].sound) {
    throw new Problem("no served model has the signature 'audio'; export one again, then reload this page");
  }
}

const wantedModels = () => [...document.querySelectorAll("#models input:checked")].map((box) => box.value);

/** A WAV file of one channel of 32-bit floats, which keep what 16 bits would clip. */
function wav(samples, rate) {
  const header = new DataView(new ArrayBuffer(44));
  const text = (at, letters) => {
    [...letters].forEach((letter, i) => header.setUint8(at + i, letter.charCodeAt(0)));
  };
  text(0, "RIFF");
  header.setUint32(4, 36 + samples.byteLength, true);
  text(8, "WAVEfmt ");
  header.setUint32(16, 16, true); // bytes of this chunk
  header.setUint16(20, 3, true); // floats
  header.setUint16(22, 1, true); // channel
  header.setUint32(24, rate, true);
  header.setUint32(28, 4 * rate, true); // bytes a second
  header.setUint16(32, 4, true); // bytes a frame
  header.setUint16(34, 32, true); // bits
  text(36, "data");
  header.setUint32(40, samples.byteLength, true);
  return new Blob([header, samples], { type: "audio/wav" });
}

function base64(blob) {
  return new Promise((resolve) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.readAsDataURL(blob);
  });
}

/** A model's outputs for samples, by name. */
async function ask(model, samples, rate, signal) {
  const body = JSON.stringify({
    signature_name: "audio",
    inputs: { audio: [{ b64: await base64(wav(samples, rate)) }] },
  });
  const { outputs } = await request(`${modelPath(model)}:predict`, { method: "POST", body, signal });
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
  const window = WINDOW_SECONDS * rate;
  const parts = [];
  let start = 0;
  while (samples.length - start > MOST_WINDOWS * window) {
    parts.push([start, start + (MOST_WINDOWS - 1) * window]);
    start += (MOST_WINDOWS - 1) * window;
  }
  parts.push([start, samples.length]);
  // Silent parts of a song that is not silent have nothing to say.
  const isHeard = (sample) => sample > SILENCE || sample < -SILENCE;
  const heard = parts.filter(([from, to]) => samples.subarray(from, to).some(isHeard));
  return heard.length ? heard : parts.slice(0, 1);
}

/** What a model says of a part; times in seconds from the start of the song. */
function read(outputs, from, to) {
  const genre = "probabilities" in outputs;
  const names = genre ? outputs.classes : Object.keys(outputs).filter((name) => `window_${name}` in outputs);
  const starts = outputs.window_starts.slice(0, outputs.windows).map((start) => from + start);
  const windows = starts.map((start, i) => ({
    start,
    end: starts[i + 1] ?? to,
    values: genre ? outputs.window_probabilities[i] : names.map((name) => outputs[`window_${name}`][i]),
  }));
  const beats = (outputs.beat_times ?? []).slice(0, outputs.beat_counts).map((time) => from + time);
  return { genre, names, windows, beats, tempo: outputs.tempo ?? 0, note: outputs.note ?? "" };
}

/** The answer for a song from those for its parts. */
function join(answers) {
  const windows = answers.flatMap((answer) => answer.windows);
  const { genre, names, note } = answers[0];
  const values = names.map((_, i) => mean(windows.map((window) => window.values[i])));
  const withBeat = answers.filter(({ tempo }) => tempo > 0);
  const tempos = withBeat.flatMap(({ tempo, windows }) => windows.map(() => tempo));
  const beats = answers.flatMap((answer) => answer.beats);
  return { genre, names, values, windows, beats, tempo: tempos.length ? mean(tempos) : 0, note };
}

function showProgress() {
  const bar = find("progress");
  bar.hidden = partsDone === partsAsked;
  if (partsAsked > 1) {
    bar.max = partsAsked;
    bar.value = partsDone;
  } else {
    bar.removeAttribute("value"); // nobody knows how far it is
  }
}

/** Ask a model about the song on the page, after what is being asked already. */
function enqueue(model) {
  if (!song?.samples) return; // all that are wanted are asked once it is decoded
  const about = song;
  const parts = cut(about);
  const card = addAnswer(model);
  partsAsked += parts.length;
  showProgress();
  const wanted = () => song === about && card.isConnected;
  asking = asking.then(() => attempt(async () => {
    let left = parts.length;
    try {
      const answers = [];
      for (const [from, to] of parts) {
        if (!wanted()) return;
        say(`Asking ${model} about ${about.name} …`);
        const { samples, rate, stop } = about;
        const outputs = await ask(model, samples.subarray(from, to), rate, stop.signal);
        answers.push(read(outputs, from / rate, to / rate));
        left -= 1;
        partsDone += song === about;
        showProgress();
      }
      if (!wanted()) return;
      const answer = join(answers);
      showAnswer(card, answer, about.seconds);
      if (answer.beats.length) showBeats(answer, about.seconds);
      say(summary(model, answer));
    } finally {
      if (song === about) {
        partsDone += left;
        showProgress();
      }
    }
  }, (message) => {
    if (wanted()) showFailure(card, `${model}: ${message}`);
  }));
}

// ---- the song

async function open(blob, name) {
  song?.stop.abort();
  song = null;
  partsAsked = partsDone = 0;
  showProgress();
  complain("");
  player.pause();
  find("song").hidden = true;
  find("answers").replaceChildren();
  const opened = { name, stop: new AbortController() };
  song = opened;
  await attempt(async () => {
    say(`Decoding ${name} …`);
    Object.assign(opened, await decode(blob, name));
    if (song !== opened) return;
    showSong(blob);
    if (!wantedModels().length) say("Choose a model to ask.");
    wantedModels().forEach(enqueue);
    await drawMel(opened);
  }, (message) => {
    if (song !== opened) return;
    song = null;
    complain(message);
  });
}

async function decode(blob, name) {
  const seconds = await statedLength(blob);
  if (seconds > 60 * LONGEST_MINUTES) {
    throw new Problem(`${name}: longer than ${LONGEST_MINUTES} minutes; cut it first`);
  }
  let bytes, buffer;
  try {
    bytes = await blob.arrayBuffer();
  } catch {
    throw new Problem(`${name}: cannot be read; choose a file`);
  }
  try {
    buffer = await new OfflineAudioContext(1, 1, rateOf(bytes)).decodeAudioData(bytes);
  } catch {
    throw new Problem(`${name}: this browser cannot decode it; convert it to WAV, FLAC or MP3`);
  }
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
  recorder = { state: "starting" };
  complain("");
  try {
    if (!navigator.mediaDevices) {
      throw new Problem("browsers record only on pages from localhost or over https");
    }
    let stream;
    try {
      // As it sounds: what makes speech clearer spoils music.
      const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
      stream = await navigator.mediaDevices.getUserMedia({ audio });
    } catch (error) {
      throw new Problem(`the microphone cannot be used: ${error.message}`);
    }
    await recordFrom(stream);
  } catch (error) {
    recorder = null;
    throw error;
  }
}

function recordFrom(stream) {
  const button = find("record");
  const pieces = [];
  const started = performance.now();
  const count = () => {
    const seconds = (performance.now() - started) / 1000;
    button.textContent = `Stop (${clock(seconds)})`;
    if (seconds >= RECORDING_SECONDS && recorder.state === "recording") recorder.stop();
  };
  const ticking = setInterval(count, 250);
  recorder = new MediaRecorder(stream);
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
  recorder.start();
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
  const axis = find("pitch");
  axis.replaceChildren(...[500, 1000, 2000, 4000, 8000].map((hz) => {
    const tick = element("span", hz < 1000 ? `${hz} Hz` : `${hz / 1000} kHz`);
    tick.style.bottom = `${(100 * mel(hz)) / mel(TOP_HZ)}%`;
    return tick;
  }));
  drawTime(find("time"));
}

function showBeats({ beats, tempo }, seconds) {
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

/** An FFT of a power of two, in place (Cooley and Tukey, 1965). */
function makeFft(size) {
  const cosine = Float64Array.from({ length: size / 2 }, (_, i) => Math.cos((2 * Math.PI * i) / size));
  const sine = Float64Array.from({ length: size / 2 }, (_, i) => -Math.sin((2 * Math.PI * i) / size));
  const reversed = new Uint32Array(size);
  for (let i = 1; i < size; i++) reversed[i] = (reversed[i >> 1] >> 1) | (i & 1 ? size >> 1 : 0);
  return (re, im) => {
    for (let i = 0; i < size; i++) {
      const j = reversed[i];
      if (j > i) {
        [re[i], re[j]] = [re[j], re[i]];
        [im[i], im[j]] = [im[j], im[i]];
      }
    }
    for (let half = 1; half < size; half *= 2) {
      const step = size / (2 * half);
      for (let start = 0; start < size; start += 2 * half) {
        for (let k = 0; k < half; k++) {
          const a = start + k, b = a + half;
          const c = cosine[k * step], s = sine[k * step];
          const x = re[b] * c - im[b] * s, y = re[b] * s + im[b] * c;
          re[b] = re[a] - x;
          im[b] = im[a] - y;
          re[a] += x;
          im[a] += y;
        }
      }
    }
  };
}

/** From black over violet and orange to pale yellow, ever lighter: 256 colours. */
function colours() {
  const stops = [
    [0, 0, 4], [28, 16, 68], [79, 18, 123], [129, 37, 129], [181, 54, 122],
    [229, 80, 100], [251, 135, 97], [254, 194, 135], [252, 253, 191],
  ];
  return Array.from({ length: 256 }, (_, i) => {
    const at = (i / 255) * (stops.length - 1);
    const below = Math.min(Math.floor(at), stops.length - 2);
    return stops[below].map((value, c) => value + (at - below) * (stops[below + 1][c] - value));
  });
}

async function drawMel(drawn) {
  const { samples, rate, seconds } = drawn;
  const columns = Math.max(1, Math.min(MOST_COLUMNS, Math.ceil(seconds * COLUMNS_A_SECOND)));
  const canvas = find("mel");
  canvas.width = columns;
  canvas.height = BANDS;
  const size = 2 ** Math.round(Math.log2(FFT_SECONDS * rate));
  const fft = makeFft(size);
  const filters = melFilters(size, rate);
  const turn = (2 * Math.PI) / size;
  const hann = Float64Array.from({ length: size }, (_, i) => 0.5 - 0.5 * Math.cos(turn * i));
  const re = new Float64Array(size), im = new Float64Array(size);
  const decibels = new Float32Array(columns * BANDS);
  for (let column = 0; column < columns; column++) {
    const first = Math.round(((column + 0.5) / columns) * samples.length) - size / 2;
    for (let i = 0; i < size; i++) re[i] = hann[i] * (samples[first + i] ?? 0);
    im.fill(0);
    fft(re, im);
    filters.forEach(({ first, weights }, band) => {
      let power = 0;
      weights.forEach((weight, i) => { power += weight * (re[first + i] ** 2 + im[first + i] ** 2); });
      decibels[column * BANDS + band] = 10 * Math.log10(Math.max(power, 1e-10));
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
      image.data.set(palette[Math.round(255 * Math.max(0, share))], at);
      image.data[at + 3] = 255;
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
  const ticks = [];
  for (let time = 0; time <= seconds; time += step) {
    const tick = element("span", seconds > 120 ? clock(time) : `${time} s`);
    tick.style.left = `${(100 * time) / seconds}%`;
    ticks.push(tick);
  }
  axis.replaceChildren(...ticks);
}

// ---- answers

function summary(model, { genre, names, values, tempo }) {
  const best = values.indexOf(Math.max(...values));
  const said = genre
    ? `${names[best]}, ${percent(values[best])}`
    : names.map((name, i) => `${name} ${values[i].toFixed(2)}`).join(", ");
  return `${model}: ${said}${tempo > 0 ? `; ${tempo.toFixed(0)} beats per minute` : ""}.`;
}

function addAnswer(model) {
  const card = find("answer").content.firstElementChild.cloneNode(true);
  card.dataset.model = model;
  card.setAttribute("aria-label", `Answer of ${model}`);
  card.setAttribute("aria-busy", "true");
  card.querySelector("h3").textContent = model;
  card.querySelector(".verdict").append(element("small", "…"));
  find("answers").append(card);
  return card;
}

function removeAnswer(model) {
  document.querySelector(`.answer[data-model="${CSS.escape(model)}"]`)?.remove();
}

function showFailure(card, message) {
  const problem = element("p", "", "problem");
  problem.setAttribute("role", "alert");
  card.querySelector(".verdict").replaceWith(problem);
  card.removeAttribute("aria-busy");
  problem.textContent = message; // after it is there, so that it is read out
}

function showAnswer(card, answer, seconds) {
  const { genre, names, values, windows, note } = answer;
  const format = genre ? percent : (value) => value.toFixed(2);
  const order = names.map((_, i) => i);
  if (genre) order.sort((one, other) => values[other] - values[one]);
  const all = windows.flatMap((window) => window.values);
  const scale = { low: Math.min(0, ...all), high: genre ? 1 : Math.max(1, ...all) };
  const verdict = card.querySelector(".verdict");
  if (genre) {
    verdict.replaceChildren(names[order[0]], " ", element("small", percent(values[order[0]])));
  } else {
    verdict.remove();
    const [low, high] = [scale.low, scale.high].map((end) => +end.toFixed(2));
    card.querySelector(".scale").textContent = `Bars from ${low} to ${high}.`;
  }
  card.querySelector(".note").textContent = note;
  const place = (value) => (value - scale.low) / (scale.high - scale.low);
  card.querySelector(".bars").replaceChildren(...order.map((i, rank) => {
    const row = element("li", "", genre && rank > 0 ? "" : "first");
    const track = element("span", "", "track");
    const fill = element("span", "", "fill");
    fill.style.left = `${100 * place(Math.min(0, values[i]))}%`;
    fill.style.width = `${100 * (place(Math.max(0, values[i])) - place(Math.min(0, values[i])))}%`;
    track.setAttribute("aria-hidden", "true");
    track.append(fill);
    row.append(element("span", names[i], "name"), track, element("span", format(values[i]), "value"));
    return row;
  }));
  card.removeAttribute("aria-busy");
  if (windows.length > 1) showCurve(card, answer, order, scale, format, seconds);
}

function showCurve(card, { genre, names, windows }, order, scale, format, seconds) {
  const shown = order.slice(0, LINES);
  const { low } = scale;
  const highest = Math.max(...windows.flatMap((window) => window.values));
  const high = genre ? [0.25, 0.5].find((top) => highest <= top) ?? 1 : scale.high;
  const draw = (tag, className, d) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    made.setAttribute("class", className);
    made.setAttribute("d", d);
    return made;
  };
  const height = (value) => 1 - (value - low) / (high - low);
  const svg = card.querySelector(".curve svg");
  svg.setAttribute("viewBox", `0 0 ${seconds} 1`);
  svg.append(draw("path", "rule", `M0 0H${seconds}M0 .5H${seconds}`));
  card.querySelector(".legend").append(...shown.map((i, number) => {
    let path = "", end = NaN;
    for (const window of windows) {
      path += `${window.start === end ? "L" : "M"}${window.start} ${height(window.values[i])}H${window.end}`;
      end = window.end;
    }
    svg.append(draw("path", `line line${number}`, path));
    const entry = element("li", names[i]);
    const sample = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    sample.setAttribute("viewBox", "0 0 24 8");
    sample.setAttribute("aria-hidden", "true");
    sample.append(draw("path", `line line${number}`, "M0 4H24"));
    entry.prepend(sample);
    return entry;
  }));
  card.querySelector(".axis.up").append(...[0, 0.5, 1].map((share) => {
    const value = low + share * (high - low);
    const tick = element("span", genre ? `${100 * value} %` : value.toFixed(1));
    tick.style.bottom = `${100 * share}%`;
    return tick;
  }));
  const head = element("tr");
  head.append(...["from", ...order.map((i) => names[i])].map((name) => {
    const cell = element("th", name);
    cell.scope = "col";
    return cell;
  }));
  const rows = windows.map((window) => {
    const row = element("tr");
    const time = element("th", clock(window.start));
    time.scope = "row";
    row.append(time, ...order.map((i) => element("td", format(window.values[i]))));
    return row;
  });
  const table = card.querySelector("table");
  table.createTHead().append(head);
  table.createTBody().append(...rows);
  card.querySelector(".over-time").hidden = false;
  drawTime(card.querySelector(".axis.along"));
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

const KEYS = {
  ArrowLeft: () => seek(player.currentTime - 1),
  ArrowDown: () => seek(player.currentTime - 1),
  ArrowRight: () => seek(player.currentTime + 1),
  ArrowUp: () => seek(player.currentTime + 1),
  PageDown: () => seek(player.currentTime - 10),
  PageUp: () => seek(player.currentTime + 10),
  Home: () => seek(0),
  End: () => seek(Infinity),
  " ": () => (player.paused ? player.play() : player.pause()),
};

// ---- what people do

slider.addEventListener("keydown", (event) => {
  if (!(event.key in KEYS) || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  KEYS[event.key]();
});
document.addEventListener("pointerdown", seekByPointer);
player.addEventListener("play", follow);
player.addEventListener("timeupdate", showPosition);
for (const name of ["seeked", "pause"]) player.addEventListener(name, announcePosition);
slider.addEventListener("focus", announcePosition);
addEventListener("resize", () => {
  if (song?.seconds) document.querySelectorAll(".axis.along").forEach(drawTime);
});

find("file").addEventListener("change", ({ target }) => {
  const [file] = target.files;
  target.value = ""; // the same file may be chosen again
  if (file) open(file, file.name);
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
  const [file] = event.dataTransfer.files;
  if (file) open(file, file.name);
});

attempt(listModels);
