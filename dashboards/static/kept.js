// Forms that keep: what is filled in, and photos, stay on this device until the hub has taken them. Each is sent under a key of its own,
// so it is done once, however often that is tried. Pages work without it.

const KEPT = "kept ", DONE = ["saved", "lacking"];
const MOST = 30, LARGEST = 8 * 1024 * 1024, SIDE = 1600;

let opening = null, photos = [], sending = null, swap = () => {};

function base() {
  return opening ??= new Promise((done, failed) => {
    const request = indexedDB.open("kept", 1);
    request.onupgradeneeded = () => request.result.createObjectStore("photos", { keyPath: "id" });
    request.onsuccess = () => done(request.result);
    request.onerror = () => failed(request.error);
  });
}

// Done when it is on the disk, all of it or nothing.
async function within(mode, act) {
  const transaction = (await base()).transaction("photos", mode);
  const request = act(transaction.objectStore("photos"));
  return new Promise((done, failed) => {
    transaction.oncomplete = () => done(request?.result);
    transaction.onabort = () => failed(transaction.error);
  });
}

const read = async () => { photos = await within("readonly", (store) => store.getAll()).catch(() => photos); };

// A ULID, written as a UUID: ids sort by when they were made.
function ulid() {
  const time = Date.now().toString(16).padStart(12, "0");
  const random = [...crypto.getRandomValues(new Uint8Array(9))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(0, 3)}-8${random.slice(3, 6)}-${random.slice(6)}`;
}

// As large as the hub keeps it, where the browser can do that.
async function small(file) {
  try {
    const picture = await createImageBitmap(file);
    const canvas = document.createElement("canvas");
    const scale = Math.min(1, SIDE / Math.max(picture.width, picture.height));
    [canvas.width, canvas.height] = [picture.width, picture.height].map((side) => Math.max(1, Math.round(side * scale)));
    canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
    const jpeg = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.85));
    return jpeg && jpeg.size < file.size ? jpeg : file;
  } catch {
    return file;
  }
}

// Keeps the photos of a form; whether all of them have room.
async function keep(chosen, of, by) {
  if (!chosen.length) return true;
  await read();
  const all = [];
  for (const [name, file] of chosen) all.push({ id: ulid(), of, name, by, file: await small(file) });
  if (photos.length + all.length > MOST || all.some(({ file }) => file.size > LARGEST)) return false;
  return within("readwrite", (store) => { all.forEach((photo) => store.put(photo)); }).then(() => true, () => false);
}

function line(kind, words, after) {
  const shown = document.createElement("p");
  shown.className = `${kind} kept`;
  shown.setAttribute("role", "status");
  shown.textContent = words;
  after(shown);
  return shown;
}

// Says at each form what of it is still on this device.
export function sayKept() {
  const unsent = Object.keys(localStorage).filter((key) => key.startsWith(KEPT)).map((key) => key.slice(KEPT.length));
  for (const form of document.querySelectorAll("form.keeps")) {
    const of = form.action.replace(/[^/]*$/, ""), { kept, unkept, waits, refused, discard } = form.dataset;
    form.querySelectorAll(".kept").forEach((shown) => shown.remove());
    const its = photos.filter((photo) => photo.of === of);
    if (!sending && (unsent.some((address) => address.startsWith(of)) || its.some((photo) => !photo.refused))) {
      line("notice offline", form.dataset.lost ? `${kept} ${unkept}` : kept, (shown) => form.prepend(shown));
    }
    for (const field of form.querySelectorAll("input[type=file]")) {
      for (const [kind, words] of [["soft", waits], ["refused", refused]]) {
        const here = its.filter((photo) => photo.name === field.name && Boolean(photo.refused) === (kind === "refused"));
        if (!here.length) continue;
        const shown = line(kind, words.split("{}").join(here.length), (shown) => field.parentElement.after(shown));
        if (kind === "soft") continue;
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = discard;
        button.onclick = async () => {
          await within("readwrite", (store) => { here.forEach(({ id }) => store.delete(id)); });
          await read();
          sayKept();
        };
        shown.append(" ", button);
      }
    }
  }
}

// Whether it was taken or refused for good, and then what is shown next.
async function send(address, body) {
  const answer = await fetch(address, { method: "POST", headers: { Accept: "text/html" }, body }).catch(() => null);
  const there = answer?.redirected ? new URL(answer.url) : null;
  const over = Boolean(answer) && answer.status < 500 && there?.pathname !== "/sign-in";
  const show = async () => {
    if (there) return location.assign(there);
    if (over) swap(new DOMParser().parseFromString(await answer.text(), "text/html"));
  };
  return { over, taken: over && DONE.includes(there?.searchParams.get("notice")), show };
}

const isHere = (address) => new URL(address).pathname.startsWith(`${location.pathname}/`);

async function sendAll() {
  let next = null;
  const waits = new Set();
  await read();
  for (const photo of photos.filter((photo) => !photo.refused)) {
    const body = new FormData();
    for (const [name, value] of [["key", photo.id], ["by", photo.by]]) body.append(name, value);
    body.append(photo.name, photo.file, `${photo.id}.jpg`);
    const { over, taken, show } = await send(`${photo.of}save`, body);
    // The hub has it, or will never take it: that is for whoever took it to see.
    if (over) await within("readwrite", (store) => (taken ? store.delete(photo.id) : store.put({ ...photo, refused: true })));
    else waits.add(photo.of);
    if (over && isHere(photo.of)) next = show;
  }
  // A form is signed with its photos.
  for (const key of Object.keys(localStorage).filter((key) => key.startsWith(KEPT))) {
    const address = key.slice(KEPT.length), said = localStorage.getItem(key);
    if (waits.has(address.replace(/[^/]*$/, ""))) continue;
    const body = new FormData();
    for (const [name, value] of JSON.parse(said)) body.append(name, value);
    const { over, show } = await send(address, body);
    // What was filled in meanwhile stays to be sent.
    if (over && localStorage.getItem(key) === said) localStorage.removeItem(key);
    if (over && isHere(address)) next = show;
  }
  await read();
  return next;
}

export function sendKept() {
  return sending ??= sendAll().finally(() => { sending = null; sayKept(); }).then((next) => next?.());
}

export function beginKeeping(swaps) {
  swap = swaps;
  addEventListener("online", sendKept);
  sendKept();
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.classList.contains("keeps") || event.defaultPrevented) return;
  event.preventDefault();
  const address = new URL(event.submitter?.getAttribute("formaction") ?? form.getAttribute("action"), location.href).href;
  const body = new FormData(form);
  body.append("sent_at", String(Date.now()));
  const fields = [...body].filter(([, value]) => typeof value === "string");
  const chosen = [...body].filter(([, value]) => typeof value !== "string" && value.size > 0);
  const kept = await keep(chosen, address.replace(/[^/]*$/, ""), body.get("by") ?? "").catch(() => false);
  try {
    if (kept) {
      localStorage.setItem(KEPT + address, JSON.stringify(fields));
      form.querySelectorAll("input[type=file]").forEach((field) => { field.value = ""; });
      await sending;
      await sendKept();
      return;
    }
    // No room for photos here: they go with the form, or not at all.
    const { over, show } = await send(address, body);
    if (over) return await show();
    form.dataset.lost = "1";
    localStorage.setItem(KEPT + address, JSON.stringify(fields));
    sayKept();
  } finally {
    delete form.dataset.sent;
  }
});
