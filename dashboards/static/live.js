// Keeps a page current: follows the hub's events, fetches the page's <main> again, and lets ages tick.
// Every page works without it.

const words = document.body.dataset;
const STALE_AFTER = 15_000;
const LEAST_BETWEEN = 1_000;
// The hub's clock is the one that counts: how far this one is ahead of it.
const ahead = Date.now() - Number(words.now);

const SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
const fill = (text, value) => text.split("{}").join(value);

function largest(ms) {
  if (ms < MINUTE) return fill(words.s, Math.floor(ms / SECOND));
  if (ms < HOUR) return fill(words.m, Math.floor(ms / MINUTE));
  if (ms < DAY) return fill(words.h, Math.floor(ms / HOUR));
  return fill(words.d, Math.floor(ms / DAY));
}

function span(ms) {
  const rest = ms < HOUR ? 0 : ms < DAY ? Math.floor((ms % HOUR) / MINUTE) * MINUTE : Math.floor((ms % DAY) / HOUR) * HOUR;
  return rest ? `${largest(ms)} ${largest(rest)}` : largest(ms);
}

function told(form, ms, now) {
  if (form === "ago") return fill(words.ago, largest(Math.max(0, now - ms)));
  if (form === "for") return span(Math.max(0, now - ms));
  return fill(ms >= now ? words.left : words.over, span(Math.abs(ms - now)));
}

function tick() {
  const now = Date.now() - ahead;
  for (const time of document.querySelectorAll("time[data-form]")) {
    const ms = Number(time.dataset.ms);
    const text = told(time.dataset.form, ms, now);
    if (time.textContent !== text) time.textContent = text;
    if (time.dataset.form === "left") time.classList.toggle("past", ms < now);
  }
}

// What a person has opened, closed, typed or focused survives a swap, as far as the new page still has it.

const fields = (root) => root.querySelectorAll("input[id]:not([type=hidden]), textarea[id], select[id]");
const held = (field) => (field.type === "checkbox" || field.type === "radio" ? "checked" : "value");
const typed = (field) => field.tagName === "SELECT" || field.type === "checkbox"
  || (field.type === "radio" ? field.checked !== field.defaultChecked : field.value !== field.defaultValue);

function handle(element) {
  if (element.id) return `#${CSS.escape(element.id)}`;
  const named = (name, of) => of.hasAttribute(name) ? `[${name}="${CSS.escape(of.getAttribute(name))}"]` : `:not([${name}])`;
  if (element.tagName === "A") return `a${named("href", element)}`;
  if (element.tagName === "BUTTON") return `form${named("action", element.form)} button${named("formaction", element)}${named("value", element)}`;
  if (element.tagName === "SUMMARY") return `#${CSS.escape(element.parentElement.id)} > summary`;
  return null;
}

function swap(page) {
  const main = document.querySelector("main");
  const fresh = page.querySelector("main");
  if (!fresh) return;
  const said = main.querySelector(".answer")?.textContent;
  const opened = [...main.querySelectorAll("details[id]")].map((details) => [details.id, details.open]);
  const chosen = [...main.querySelectorAll("input[type=file][id]")].filter((field) => field.files.length > 0);
  const written = [...fields(main)].filter((field) => field.type !== "file" && typed(field)).map((field) => [field.id, field[held(field)]]);
  const focused = main.contains(document.activeElement) && document.activeElement !== main ? document.activeElement : null;
  const where = focused && handle(focused);
  const marked = focused && "selectionStart" in focused ? [focused.selectionStart, focused.selectionEnd] : null;
  const [x, y] = [window.scrollX, window.scrollY];

  main.replaceChildren(...fresh.childNodes);
  const lamp = page.querySelector("#lamp");
  if (lamp) document.getElementById("lamp")?.replaceWith(lamp);

  for (const [id, open] of opened) document.getElementById(id)?.toggleAttribute("open", open);
  for (const [id, value] of written) {
    const field = document.getElementById(id);
    if (field) field[held(field)] = value;
  }
  // A file cannot be chosen again by a script: the field itself stays.
  for (const field of chosen) document.getElementById(field.id)?.replaceWith(field);
  const again = where && main.querySelector(where);
  if (again) {
    again.focus({ preventScroll: true });
    if (marked && "setSelectionRange" in again) again.setSelectionRange(...marked);
  }
  window.scrollTo(x, y);
  tick();
  keeping ? keeping.sayKept() : keep();
  const answer = main.querySelector(".answer")?.textContent;
  if (answer && answer !== said) document.getElementById("said").textContent = answer;
}

// What became of the last action is told once, and not again by a reload or from a bookmark.
const here = new URL(location.href);
if (here.searchParams.has("notice")) {
  here.searchParams.delete("notice");
  history.replaceState(null, "", here);
}

let fetching = false, wanted = false, timer = 0, last = 0;

function refresh() {
  wanted = true;
  if (timer || fetching || document.hidden) return;
  timer = setTimeout(load, Math.max(0, last + LEAST_BETWEEN - Date.now()));
}

async function load() {
  timer = 0;
  fetching = true;
  wanted = false;
  last = Date.now();
  try {
    const answer = await fetch(location.href, { headers: { "X-Fragment": "main" }, cache: "no-store" });
    // Signed out meanwhile, or the page is gone: the whole document says so better.
    if (answer.redirected || (answer.status >= 400 && answer.status < 500)) return location.reload();
    if (answer.ok) swap(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    wanted = true; // the stale banner is up by then, and the next event tries again
  } finally {
    fetching = false;
  }
  if (wanted && !stale()) refresh();
}

let heard = Date.now(), source = null;
const stale = () => Date.now() - heard > STALE_AFTER;

function hear() {
  const missed = stale() || wanted;
  heard = Date.now();
  document.getElementById("stale").hidden = true;
  if (missed) { keeping?.sendKept(); refresh(); }
}

function connect() {
  source?.close();
  source = new EventSource(words.events);
  source.addEventListener("open", hear);
  source.addEventListener("heartbeat", hear);
  source.addEventListener("changed", () => { hear(); refresh(); });
  source.addEventListener("reload", () => {
    hear();
    if ([...fields(document)].some(typed)) refresh(); else location.reload();
  });
}

function watch() {
  tick();
  if (!stale()) return;
  document.getElementById("stale").hidden = false;
  // A browser gives up for good when the hub answers with an error; start again every few seconds.
  if (source?.readyState === EventSource.CLOSED && Math.floor(Date.now() / SECOND) % 5 === 0) connect();
}

if (words.events) {
  connect();
  setInterval(watch, SECOND);
  document.addEventListener("visibilitychange", () => { if (!document.hidden && wanted) refresh(); });
  addEventListener("pagehide", () => source?.close());
  addEventListener("pageshow", (event) => { if (event.persisted) { connect(); refresh(); } });
}

// A second press of a button that is already on its way does nothing.
document.addEventListener("submit", (event) => {
  if (event.target.dataset.sent) return event.preventDefault();
  event.target.dataset.sent = "1";
  setTimeout(() => delete event.target.dataset.sent, 5_000);
});

// Forms that keep what cannot be sent need more, on every page as long as something is kept.
let keeping = null;

async function keep() {
  const kept = Object.keys(localStorage).some((key) => key.startsWith("kept "));
  if (keeping || !(kept || document.querySelector("form.keeps"))) return;
  keeping = await import("./kept.js");
  keeping.beginKeeping(swap);
}

keep();
