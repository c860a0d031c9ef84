// As much of a document as the page needs, for tests without a browser: elements, attributes, listeners, an address.

class FakeNode {
  constructor() {
    this.parentNode = null;
    this.childNodes = [];
  }
  get firstChild() {
    return this.childNodes[0] ?? null;
  }
  get nextSibling() {
    const siblings = this.parentNode?.childNodes ?? [];
    return siblings[siblings.indexOf(this) + 1] ?? null;
  }
  get isConnected() {
    for (let node = this; node; node = node.parentNode)
      if (node === globalThis.document.body) return true;
    return false;
  }
  appendChild(node) {
    return this.insertBefore(node, null);
  }
  insertBefore(node, before) {
    node.remove();
    const at = before === null ? this.childNodes.length : this.childNodes.indexOf(before);
    if (at < 0) throw new Error("insertBefore: the node is no child");
    this.childNodes.splice(at, 0, node);
    node.parentNode = this;
    return node;
  }
  remove() {
    if (!this.parentNode) return;
    const siblings = this.parentNode.childNodes;
    siblings.splice(siblings.indexOf(this), 1);
    this.parentNode = null;
  }
}

class FakeText extends FakeNode {
  constructor(data) {
    super();
    this.data = data;
  }
  get textContent() {
    return this.data;
  }
}

export class FakeElement extends FakeNode {
  constructor(tag) {
    super();
    this.tagName = tag;
    this.attributes = new Map();
    this.listeners = undefined;
    this.types = new Set();
    this.clientWidth = 1000;
    this.dataset = {};
    this.style = {setProperty() {}, removeProperty() {}};
  }
  get textContent() {
    return this.childNodes.map((node) => node.textContent).join("");
  }
  setAttribute(name, value) {
    if (typeof value !== "string") throw new Error(`${name} is no text`);
    this.attributes.set(name, value);
  }
  removeAttribute(name) {
    this.attributes.delete(name);
  }
  getAttribute(name) {
    return this.attributes.get(name) ?? null;
  }
  addEventListener(type) {
    this.types.add(type);
  }
  removeEventListener(type) {
    this.types.delete(type);
  }
  getBoundingClientRect() {
    return {left: 0, top: 0, width: 1000, height: 100};
  }
  focus() {}
  closest() {
    return null;
  }
  /** The descendants for which a test is true, in order. */
  * all(test) {
    for (const node of this.childNodes) {
      if (!(node instanceof FakeElement)) continue;
      if (test(node)) yield node;
      yield* node.all(test);
    }
  }
  hasClass(name) {
    return (this.attributes.get("class") ?? "").split(" ").includes(name);
  }
  /** Calls the listener of a type. */
  fire(type, event = {}) {
    const listener = this.listeners?.[type];
    if (!listener) throw new Error(`${this.tagName} does not listen to ${type}`);
    listener({
      type,
      button: 0,
      currentTarget: this,
      target: this,
      preventDefault() {},
      stopPropagation() {},
      ...event,
    });
  }
}

/** Installs a document with an address instead of a browser's; `frames()` runs the callbacks of the next frame. */
export function install(address) {
  const frames = [];
  const body = new FakeElement("body");
  const app = body.appendChild(new FakeElement("div"));
  const storage = () => {
    const kept = new Map();
    return {getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value)};
  };
  const url = new URL(address);
  const location = {search: url.search, hash: url.hash, pathname: url.pathname};
  const visit = (state, title, next) => {
    const at = new URL(next, `${url.origin}${location.pathname}`);
    Object.assign(location, {search: at.search, hash: at.hash, pathname: at.pathname});
  };
  Object.assign(globalThis, {
    document: {
      body,
      baseURI: `${url.origin}${url.pathname}`,
      hidden: false,
      activeElement: null,
      title: "",
      documentElement: new FakeElement("html"),
      createElement: (tag) => new FakeElement(tag),
      createElementNS: (space, tag) => new FakeElement(tag),
      createTextNode: (text) => new FakeText(text),
      getElementById: (id) => (id === "app" ? app : null),
      querySelector: () => null,
      querySelectorAll: () => [],
      addEventListener() {},
    },
    location,
    history: {state: {}, pushState: visit, replaceState: visit},
    localStorage: storage(),
    sessionStorage: storage(),
    addEventListener() {},
    requestAnimationFrame: (work) => frames.push(work),
    scrollTo() {},
    scrollY: 0,
    getSelection: () => "",
    ResizeObserver: class {
      constructor(work) {
        this.work = work;
      } observe() {
        frames.push(() => this.work());
      }
    },
  });
  return {
    app,
    location,
    frames() {
      const count = frames.length;
      for (const work of frames.splice(0)) work();
      return count;
    },
  };
}
