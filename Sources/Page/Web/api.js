// Requests to the HTTP API, and the kinds of their errors. No other part of the page uses the network.

const TOKEN_KEY = "weir.token";

/** Takes a token from the address (`#token=…`), stores it for this tab, and removes it from the address. */
export function takeToken() {
  const found = /^#token=(.+)$/.exec(location.hash);
  if (!found) return;
  sessionStorage.setItem(TOKEN_KEY, decodeURIComponent(found[1]));
  history.replaceState(history.state, "", location.pathname + location.search);
}

/** Stores a token that the user entered. */
export function setToken(token) {
  sessionStorage.setItem(TOKEN_KEY, token);
}

function headers() {
  const token = sessionStorage.getItem(TOKEN_KEY);
  return token ? {Authorization: `Bearer ${token}`} : {};
}

/** Returns the URL of a request. */
export function address(path, params = {}) {
  const url = new URL(`api/v1/${path}`, document.baseURI);
  for (const name in params)
    if (params[name] !== undefined && params[name] !== "") url.searchParams.set(name, params[name]);
  return url.href;
}

/** The error of a request. `kind`: `connection`, `permission`, `filter`, `missing`, `busy`, `answer`. */
export class RequestError extends Error {
  constructor(kind, message, detail = {}) {
    super(message);
    this.kind = kind;
    Object.assign(this, detail);
  }
}

/** Sends a request and returns the JSON response. */
export async function get(path, params, signal) {
  const response = await send(path, params, signal);
  try {
    return await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new RequestError("answer", "The answer is not JSON. Is this address served by weir ui?");
  }
}

/** Sends a text and returns the JSON response. */
export async function post(path, params, text, type, signal) {
  const response = await send(path, params, signal, {method: "POST", body: text, headers: {"Content-Type": type}});
  return await response.json();
}

async function send(path, params, signal, more = {}) {
  let response;
  try {
    response = await fetch(
      address(path, params),
      {...more, signal, headers: {...headers(), ...more.headers}, cache: "no-store", credentials: "same-origin"}
    );
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new RequestError("connection", "weir ui does not answer.");
  }
  if (!response.ok) throw await failure(response);
  return response;
}

async function failure(response) {
  let error = {};
  try {
    error = (await response.json()).error ?? {};
  } catch {
    // Some error responses are not from the API, such as those of a proxy.
  }
  const message =
    typeof error.message === "string" ? error.message : `The server answered with status ${response.status}.`;
  const detail = {parameter: error.parameter, offset: error.offset, length: error.length, status: response.status};
  const needsToken = response.status === 401 || (response.status === 403 && !/^foreign_/.test(error.code));
  if (needsToken) return new RequestError("permission", message, detail);
  if (error.code === "bad_filter") return new RequestError("filter", message, detail);
  if (response.status === 404) return new RequestError("missing", message, detail);
  if (response.status === 429 || response.status === 503) return new RequestError("busy", message, detail);
  return new RequestError("answer", message, detail);
}

/** Reads a stream of JSON lines and calls `handle(value)` for each, until the server or the signal ends it. */
export async function stream(path, params, signal, handle) {
  const response = await send(path, params, signal);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const {value, done} = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines)
      if (line.trim()) handle(JSON.parse(line));
  }
}

/** Downloads the response to a request as a file with this name. */
export async function download(path, params, name) {
  const response = await send(path, params);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await response.blob());
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
