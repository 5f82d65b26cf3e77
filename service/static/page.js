// The page: a drawing, what the server is asked about it, and what is shown of the answer.
// Nothing here is loaded from anywhere else, and nothing is kept.

const byId = (id) => document.getElementById(id);
const server = document.body.dataset; // what this server takes

const PEN = 0.06; // width of the pen, as a share of the paper's side
const SENT_SIDE = 280; // pixels of the drawing that is sent: ten times the model's frame
const SHRUNK_SIDE = 2048; // pixels, at first, of a picture that is too large to be sent
const FRAME_SIDE = 28;

const ASK_AFTER = 150; // ms after the first change: asked while the pen still moves
const REST_AFTER = 500; // ms after the last change: the drawing is finished, for now
const PATIENCE = 15_000; // ms for an answer
const BACK_OFF = [1, 2, 4, 8]; // seconds between tries when the server does not say

const a = (digit) => (digit === 8 ? "an 8" : `a ${digit}`);

const REASONS = {
  blank: () => "There is nothing here to read.",
  too_much_ink: () => "There is too much ink to make out a digit. A thinner pen may help.",
  several_digits: () => "There seems to be more than one digit. It reads one at a time.",
  out_of_distribution: () => "This does not look like a digit.",
  low_confidence: (first, second) => `It could be ${a(first)} or ${a(second)}: too close to tell.`,
};

const HINTS = {
  low_contrast: "The ink is faint. A darker pen reads better.",
  touches_border: "It touches the edge, so part of it may be missing.",
  very_small: "It is very small. A larger one reads better.",
  inverted: "Dark ink on light paper: turned light on dark for the model.",
};

const GONE = "The server cannot be reached. Your drawing is kept.";
const BUSY = "The server has too much to do and asks to wait.";
const STARTING = "The server is not ready just now. Your drawing is kept.";

// -- the drawing ------------------------------------------------------------

// Everything that was done, so that all of it can be undone: strokes (points as shares of the
// paper's side), pictures and clearings. What lies on the paper is what came after the last
// clearing, or from the last picture on.
const marks = [];
let stroke = null; // the one under the pen
let revision = 0; // of what lies on the paper

const canvas = byId("canvas");

function onPaper() {
  const last = marks.findLastIndex((mark) => mark.kind !== "stroke");
  return marks.slice(marks[last]?.kind === "clear" ? last + 1 : Math.max(last, 0));
}

function paint(context, side, ink, scene) {
  Object.assign(context, { strokeStyle: ink, lineWidth: PEN * side, lineCap: "round" });
  context.lineJoin = "round";
  for (const mark of scene) {
    if (mark.kind === "picture") paintPicture(context, side, mark.image);
    else paintStroke(context, mark.points.map(([x, y]) => [x * side, y * side]));
  }
}

// A smooth line: curves from the middle of one piece to the middle of the next.
function paintStroke(context, points) {
  const [first, last] = [points[0], points.at(-1)];
  context.beginPath();
  context.moveTo(...first);
  for (let i = 1; i < points.length - 1; i += 1) {
    const [[x, y], [nextX, nextY]] = [points[i], points[i + 1]];
    context.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
  }
  context.lineTo(last[0] + 0.01, last[1]); // a line without any length would not be drawn
  context.stroke();
}

function paintPicture(context, side, image) {
  if (!image) return;
  const [width, height] = sizeOf(image);
  const scale = side / Math.max(width, height);
  const [w, h] = [width * scale, height * scale];
  context.drawImage(image, (side - w) / 2, (side - h) / 2, w, h);
}

function repaint() {
  const side = Math.round(canvas.clientWidth * window.devicePixelRatio);
  if (canvas.width !== side) canvas.width = canvas.height = side;
  const scene = onPaper();
  const sheet = scene.some((mark) => mark.kind === "picture"); // pictures lie on white
  byId("paper").classList.toggle("sheet", sheet);
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, side, side);
  paint(context, side, sheet ? "#000" : getComputedStyle(canvas).color, scene);
}

const toPNG = (from) => new Promise((resolve) => { from.toBlob(resolve, "image/png"); });

function blankSheet(width, height) {
  const sheet = Object.assign(document.createElement("canvas"), { width, height });
  return [sheet, sheet.getContext("2d")];
}

// What is sent: a picture as it came, anything that was drawn as black on white.
function toSend() {
  const scene = onPaper();
  if (scene.length === 1 && scene[0].kind === "picture") return scene[0].file;
  const [sheet, context] = blankSheet(SENT_SIDE, SENT_SIDE);
  context.fillStyle = "#fff";
  context.fillRect(0, 0, SENT_SIDE, SENT_SIDE);
  paint(context, SENT_SIDE, "#000", scene);
  return toPNG(sheet);
}

function changed() {
  revision += 1;
  repaint();
  const scene = onPaper();
  if (byId("trouble").hidden) say(""); // or the same words twice would be said once
  byId("invitation").hidden = scene.length > 0;
  byId("undo").setAttribute("aria-disabled", String(marks.length === 0));
  byId("clear").setAttribute("aria-disabled", String(scene.length === 0));
  canvas.setAttribute("aria-label", describe(scene));
  explaining?.abort();
  clearTimeout(resting);
  if (scene.length) askSoon(ASK_AFTER);
  else showNothing();
}

function describe(scene) {
  if (!scene.length) return "Paper to draw on, empty. Without a pen, open or paste a picture.";
  const strokes = scene.filter((mark) => mark.kind === "stroke").length;
  const drawn = strokes ? `${strokes} stroke${strokes > 1 ? "s" : ""}` : "";
  const picture = scene[0].kind === "picture" ? "a picture" : "";
  return `Paper with ${[picture, drawn].filter(Boolean).join(" and ")}`;
}

function put(mark) {
  forget();
  marks.push(mark);
  changed();
}

function undo() {
  if (!marks.length || stroke) return;
  forget();
  marks.pop();
  changed();
}

function clear() {
  if (onPaper().length && !stroke) put({ kind: "clear" });
}

// -- pictures ---------------------------------------------------------------

const sizeOf = (image) => [image.naturalWidth || SENT_SIDE, image.naturalHeight || SENT_SIDE];

async function openPicture(file) {
  const image = await decoded(file);
  const taken = server.types.split(" ").includes(file.type);
  if (!image && !taken) {
    tell("This browser cannot open that file as a picture. PNG and JPEG always work.");
    return;
  }
  const fits = file.size <= Number(server.maxBytes)
    && (!image || sizeOf(image)[0] * sizeOf(image)[1] <= Number(server.maxPixels));
  put({ kind: "picture", image, file: image && !(taken && fits) ? await shrunk(image) : file });
}

// The picture, or null where the browser cannot read it; the server may still have a word on it.
async function decoded(file) {
  const image = new Image();
  image.src = URL.createObjectURL(file);
  try {
    await image.decode();
    return image;
  } catch {
    return null;
  } finally {
    URL.revokeObjectURL(image.src);
  }
}

// As PNG, and as small as the server wants it.
async function shrunk(image) {
  const [width, height] = sizeOf(image);
  const fit = Math.sqrt(Number(server.maxPixels) / (width * height));
  let scale = Math.min(1, fit, SHRUNK_SIDE / Math.max(width, height));
  for (;;) {
    const size = [width, height].map((length) => Math.max(1, Math.floor(length * scale)));
    const [sheet, context] = blankSheet(...size);
    context.drawImage(image, 0, 0, ...size);
    const file = await toPNG(sheet);
    if (file.size <= Number(server.maxBytes) || Math.max(...size) <= FRAME_SIDE) return file;
    scale /= 2;
  }
}

// -- asking -----------------------------------------------------------------

let timer = null; // of the next question
let asking = null; // the question on its way: there is one at a time
let explaining = null;
let resting = null; // timer of the pen's rest
let answered = null; // what was last answered: {revision, prediction, version, requestId}
let notBefore = 0; // when the server may be asked again
let failures = 0; // in a row

class Trouble extends Error {
  constructor(text, wait = null) {
    super(text);
    this.wait = wait; // seconds until it is worth another try, or null: it is not
  }
}

function askSoon(wait) {
  if (timer !== null || asking) return;
  timer = setTimeout(ask, Math.max(wait, notBefore - Date.now()));
}

// What was asked so far is about something that is no longer there.
function forget() {
  clearTimeout(timer);
  timer = null;
  asking?.abort();
  asking = null;
}

async function ask() {
  timer = null;
  const mine = asking = new AbortController();
  const asked = revision;
  try {
    const answer = await post("predict", await toSend(), mine.signal);
    if (mine.signal.aborted) return;
    failures = 0;
    const { model: { version }, predictions: [prediction], request_id: requestId } = answer;
    answered = { revision: asked, prediction, version, requestId };
    showAnswer(prediction);
  } catch (trouble) {
    if (mine.signal.aborted) return;
    failures += 1;
    showTrouble(trouble);
  }
  asking = null;
  if (notBefore > Date.now() || asked !== revision) askSoon(ASK_AFTER);
  else rest();
}

function askNow() {
  notBefore = 0;
  forget();
  if (onPaper().length) ask();
}

// When pen and answer have come to rest: the answer is said once, and explained.
function rest() {
  clearTimeout(resting);
  if (answered?.revision !== revision) return;
  resting = setTimeout(() => {
    if (stroke || answered?.revision !== revision) return;
    say([byId("verdict").textContent, ...currentHints(answered.prediction)].join(" "));
    showCorrection(answered.prediction);
    explain();
  }, REST_AFTER);
}

async function explain() {
  const mine = explaining = new AbortController();
  try {
    const address = `explain?format=json&version=${answered.version}`; // of who gave the answer
    const answer = await post(address, await toSend(), mine.signal);
    if (!mine.signal.aborted) showExplanation(answer);
  } catch {
    byId("seen").hidden = true; // the answer stands without it
  }
}

async function post(address, body, signal) {
  const type = typeof body === "string" ? "application/json" : body.type;
  let response;
  let document;
  try {
    response = await fetch(address, {
      method: "POST",
      body,
      headers: { "Content-Type": type, Accept: "application/json" },
      signal: AbortSignal.any([signal, AbortSignal.timeout(PATIENCE)]),
    });
    document = await response.json().catch((error) => {
      if (response.ok) throw error;
    });
  } catch {
    throw new Trouble(GONE, backOff());
  }
  if (response.ok) return document;
  throw troubleOf(response, document ?? {});
}

function troubleOf({ status, headers }, { title, detail }) {
  if (status === 429) return new Trouble(BUSY, retryAfter(headers) ?? backOff());
  if (status === 503) return new Trouble(STARTING, retryAfter(headers) ?? backOff());
  if (status === 502 || status === 504) return new Trouble(GONE, backOff());
  if (detail) return new Trouble(`${title}: ${detail}.`);
  if (status === 413) return new Trouble("The picture is too large for this server.");
  return new Trouble(`The server failed, with status ${status}.`);
}

const backOff = () => BACK_OFF[Math.min(failures, BACK_OFF.length - 1)];

// Seconds, from either form of the header (RFC 9110, section 10.2.3).
function retryAfter(headers) {
  const value = headers.get("Retry-After");
  if (value === null) return null;
  const seconds = /^\d+$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return Number.isNaN(seconds) ? null : Math.max(seconds, 1);
}

// -- showing ----------------------------------------------------------------

const say = (text) => { byId("live").textContent = text; };

function element(name, className, text = "") {
  return Object.assign(document.createElement(name), { className, textContent: text });
}

const bars = Array.from({ length: 10 }, (_, digit) => {
  const row = element("li", "");
  const track = element("span", "track");
  const [share, value] = [element("span", "share"), element("span", "value")];
  track.append(share);
  row.append(element("span", "", String(digit)), track, value);
  byId("bars").append(row);
  return { row, share, value };
});

function percent(part) {
  const rounded = (100 * part).toFixed(1);
  return rounded === "100.0" ? "> 99.9 %" : `${rounded} %`; // nothing is certain
}

function showBars(probabilities, best) {
  bars.forEach(({ row, share, value }, digit) => {
    const part = probabilities?.[digit] ?? 0;
    row.classList.toggle("best", digit === best);
    share.style.setProperty("--part", part);
    value.textContent = probabilities ? percent(part) : "";
  });
}

function showNothing() {
  hideTrouble();
  clearAnswer("The answer appears here as you draw.");
}

function clearAnswer(words) {
  answered = null;
  byId("digit").textContent = "";
  byId("verdict").textContent = words;
  byId("reading").hidden = !words;
  for (const id of ["hints", "seen", "correction"]) byId(id).hidden = true;
  showBars(null, null);
}

function currentHints({ warnings }) {
  const drawn = onPaper().every((mark) => mark.kind === "stroke"); // its ground is ours
  return warnings.filter((name) => HINTS[name] && !(drawn && name === "inverted"))
    .map((name) => HINTS[name]);
}

function verdictOn({ digit, confidence, accepted, reason, probabilities }) {
  if (accepted) return `It is ${a(digit)}, ${percent(confidence).replace(">", "over")} sure.`;
  const [first, second] = [...probabilities.keys()]
    .sort((a, b) => probabilities[b] - probabilities[a]);
  return REASONS[reason]?.(first, second) ?? "It cannot read this.";
}

function showAnswer(prediction) {
  hideTrouble();
  byId("reading").hidden = false;
  byId("digit").textContent = prediction.accepted ? prediction.digit : "?";
  byId("digit").classList.toggle("unsure", !prediction.accepted);
  byId("verdict").textContent = verdictOn(prediction);
  const hints = currentHints(prediction);
  byId("hints").replaceChildren(...hints.map((text) => element("li", "", text)));
  byId("hints").hidden = hints.length === 0;
  showBars(prediction.probabilities, prediction.accepted ? prediction.digit : null);
  if (answered.requestId !== byId("correction").dataset.about) byId("correction").hidden = true;
}

function showExplanation({ predictions: [{ digit }], frame, importance, steps }) {
  paintGrid(byId("frame"), frame, (value) => [value, value, value, 255]);
  const largest = Math.max(...importance.flat().map(Math.abs)) || 1;
  const colours = ["--for", "--against"].map(channelsOf);
  paintGrid(byId("map"), importance, (value) => [
    ...colours[value > 0 ? 0 : 1], Math.round((230 * Math.abs(value)) / largest),
  ]);
  byId("for").textContent = `speaks for ${a(digit)}`;
  byId("steps").replaceChildren(...steps.map(({ did }) => element("li", "", did)));
  byId("preparation").hidden = steps.length === 0;
  byId("seen").hidden = false;
}

function paintGrid(on, grid, colour) {
  const pixels = Uint8ClampedArray.from(grid.flat().flatMap(colour));
  on.getContext("2d").putImageData(new ImageData(pixels, FRAME_SIDE, FRAME_SIDE), 0, 0);
}

function channelsOf(name) {
  const hex = getComputedStyle(document.body).getPropertyValue(name).trim();
  return [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
}

let ticking = null; // the countdown

// A notice beside the answer, shown and said.
function tell(text) {
  const isNew = byId("trouble").hidden || byId("trouble-text").textContent !== text;
  stopCountdown();
  byId("trouble-text").textContent = text;
  byId("trouble").hidden = false;
  if (isNew) say(text);
}

// In place of an answer.
function showTrouble({ message, wait }) {
  clearAnswer("");
  tell(message);
  byId("retry").hidden = false;
  if (wait === null) return;
  notBefore = Date.now() + 1000 * wait;
  const tick = () => {
    const left = Math.ceil((notBefore - Date.now()) / 1000);
    byId("countdown").textContent = left > 0 ? `Trying again in ${left} s.` : "Trying again …";
  };
  tick();
  ticking = setInterval(tick, 250);
}

function stopCountdown() {
  clearInterval(ticking);
  byId("countdown").textContent = "";
  byId("retry").hidden = true; // there is something to try again only when asking failed
}

function hideTrouble() {
  stopCountdown();
  if (!byId("trouble").hidden) say("");
  byId("trouble").hidden = true;
}

// -- "No, it is a ..." ------------------------------------------------------

const labels = bars.map((_, digit) => {
  const button = Object.assign(element("button", "", String(digit)), { type: "button" });
  button.addEventListener("click", () => correct(digit));
  byId("labels").append(button);
  return button;
});

function showCorrection({ digit, accepted, reason }) {
  if (!("feedback" in server) || reason === "blank") return;
  byId("correction").hidden = false;
  byId("correction").dataset.about = answered.requestId;
  byId("correction-title").textContent = accepted ? "No, it is a …" : "It is a …";
  labels.forEach((button, label) => { button.hidden = accepted && label === digit; });
  byId("labels").hidden = false;
  byId("thanks").hidden = true;
}

async function correct(label) {
  if (!answered) return;
  const body = JSON.stringify({ request_id: answered.requestId, label });
  let words = `Thank you: noted as ${a(label)}.`;
  try {
    await post("feedback", body, new AbortController().signal);
    byId("labels").hidden = true;
  } catch (trouble) {
    words = trouble.message;
  }
  byId("thanks").textContent = words;
  byId("thanks").hidden = false;
  byId("thanks").focus(); // the button is gone; this also says the words
}

// -- what a person does -----------------------------------------------------

function placeOf(event) {
  const box = canvas.getBoundingClientRect();
  return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
}

canvas.addEventListener("pointerdown", (event) => {
  if (!event.isPrimary || event.button !== 0) return;
  canvas.setPointerCapture(event.pointerId);
  stroke = { kind: "stroke", points: [placeOf(event)] };
  marks.push(stroke);
  changed();
});

canvas.addEventListener("pointermove", (event) => {
  if (!stroke || !event.isPrimary) return;
  const events = event.getCoalescedEvents?.() ?? [];
  stroke.points.push(...(events.length ? events : [event]).map(placeOf));
  changed();
});

for (const end of ["pointerup", "pointercancel"]) {
  canvas.addEventListener(end, (event) => {
    if (!event.isPrimary) return;
    stroke = null;
    rest();
  });
}

byId("undo").addEventListener("click", undo);
byId("clear").addEventListener("click", clear);
byId("retry").addEventListener("click", askNow);
window.addEventListener("online", askNow);

for (const [button, input] of [["open", "file"], ["photograph", "camera"]]) {
  byId(button).addEventListener("click", () => byId(input).click());
  byId(input).addEventListener("change", ({ target }) => {
    if (target.files.length) openPicture(target.files[0]);
    target.value = ""; // or the same file could not be chosen twice
  });
}

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "z") {
    event.preventDefault();
    undo();
  } else if (event.key === "Delete") clear();
});

document.addEventListener("paste", ({ clipboardData }) => {
  const picture = [...clipboardData.files].find((file) => file.type.startsWith("image/"));
  if (picture) openPicture(picture);
  else tell("There is no picture in the clipboard.");
});

document.addEventListener("dragover", (event) => {
  event.preventDefault();
  byId("paper").classList.add("welcome");
});

document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) byId("paper").classList.remove("welcome");
});

document.addEventListener("drop", (event) => {
  event.preventDefault();
  byId("paper").classList.remove("welcome");
  if (event.dataTransfer.files.length) openPicture(event.dataTransfer.files[0]);
  else tell("What was dropped is not a file.");
});

byId("show-map").addEventListener("change", ({ target }) => {
  byId("map").hidden = byId("legend").hidden = !target.checked;
});

new ResizeObserver(repaint).observe(canvas);
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
showNothing();
