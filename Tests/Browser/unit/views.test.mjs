// Every page, drawn from the mock's answers without a browser.

import assert from "node:assert/strict";
import {spawn} from "node:child_process";
import {after, before, test} from "node:test";
import {fileURLToPath} from "node:url";

import {install} from "./document.mjs";

const VIEWS = ["overview", "flows", "graph", "policies", "timeline", "records"];
const PAIR = "view=flows&by=workload&from=workload%3Ayaobank%2Fcustomer-856cd6d9f5-*&to=workload%3Ayaobank%2F" +
  "database-69f6f4db5b-*&port=2379%2Ftcp";

// The page refreshes by timers; opening the next page stops those of the previous one.
const [real, interval] = [globalThis.setTimeout, globalThis.setInterval];
const timers = [];
globalThis.setTimeout = (...rest) => {
  const timer = real(...rest);
  timer.unref();
  timers.push(() => clearTimeout(timer));
  return timer;
};
globalThis.setInterval = (...rest) => {
  const timer = interval(...rest);
  timer.unref();
  timers.push(() => clearInterval(timer));
  return timer;
};

let server;
let base;
let number = 0;

before(async () => {
  const script = fileURLToPath(new URL("../mock_server.py", import.meta.url));
  server = spawn("/usr/bin/python3", ["-B", script, "--port", "0"], {stdio: ["ignore", "pipe", "inherit"]});
  base = await new Promise((resolve, reject) => {
    server.stdout.once("data", (data) => resolve(String(data).trim()));
    server.once("exit", () => reject(new Error("the mock server ended")));
  });
});
after(() => server.kill());

/** Opens an address with new modules, and waits until the page no longer changes. */
async function open(scenario, query) {
  const page = install(`${base}${scenario}/?${query}`);
  number += 1;
  for (const stop of timers.splice(0)) stop();
  await import(`../../../Sources/Page/Web/main.js?${number}`);
  page.settle = async () => {
    const deadline = Date.now() + 20_000;
    for (let quiet = 0; quiet < 4;) {
      await new Promise((resolve) => real(resolve, 15));
      const isBusy = page.frames() > 0 || [...page.app.all((one) => one.hasClass("skeleton"))].length > 0 ||
        [...page.app.all((one) => one.hasClass("stale"))].length > 0;
      quiet = isBusy ? 0 : quiet + 1;
      assert.ok(Date.now() < deadline, `${query}: still loading\n${page.app.textContent.slice(0, 600)}`);
    }
  };
  await page.settle();
  page.find = (name, text = "") => {
    const found = [...page.app.all((one) => one.hasClass(name) && one.textContent.includes(text))];
    assert.ok(found.length > 0, `no .${name} with “${text}”\n${page.app.textContent.slice(0, 1500)}`);
    return found[0];
  };
  return page;
}

for (const scenario of ["bank", "hostile", "forwarded", "empty"])
  for (const view of VIEWS)
    test(`${view} of ${scenario}`, async () => {
      const page = await open(scenario, `view=${view}`);
      const text = page.app.textContent;
      assert.ok(!/undefined|NaN|\[object/.test(text), text.match(/.{0,60}(undefined|NaN|\[object).{0,60}/)?.[0]);
      assert.ok(!/[\u202a-\u202e\u2066-\u2069\u200b\u001b]/.test(text));
      for (const tag of ["script", "iframe", "img"])
        assert.equal([...page.app.all((one) => one.tagName === tag)].length, 0);
      if (scenario === "empty") assert.match(text, /Nothing is recorded|weir run|Nothing needs attention/);
    });

test("one click leads from the overview to the reason", async () => {
  const page = await open("bank", "");
  page.find("row-link", "customer-").fire("click");
  await page.settle();
  const reason = page.find("reason-line").textContent;
  assert.match(
    reason, /DENY~ denied by the default of tier application because rule 0 .* requires port 80; it is 2379/
  );
  assert.match(page.find("trace").textContent, /If staged policies were enforced.*staged:customer-to-database/);
  assert.match(page.location.search, /from=workload/);
});

test("an address opens a pair", async () => {
  const page = await open("bank", PAIR);
  assert.match(page.find("ports-table").textContent, /2379\/tcp/);
  assert.match(page.find("checks").textContent, /destination port is 80; it is 2379/);
});

test("a pair that only a forwarding host reports has its explanation and its traffic", async () => {
  const page = await open("forwarded", "view=flows&from=network%3A-%2F203.0.113.80&to=network%3A-%2F10.9.8.7");
  assert.match(page.find("reason-line").textContent, /DENY denied by platform.forward rule 0/);
  assert.match(page.find("trace").textContent, /Forwarding host/);
  assert.match(page.find("ports-table").textContent, /2379\/tcpDENY2450[\d.]+ kB/);
});

test("the ring shows pods", async () => {
  const page = await open("bank", "view=flows&focus=workload%3Ayaobank%2Fdatabase-69f6f4db5b-*");
  assert.match(page.find("pair-table").textContent, /customer-…-bl2sn → yaobank\/database-…-wd2lr/);
});

test("more than 100,000 flows: the ring is folded, unfolded, and drawn whole", async () => {
  const page = await open("large", "view=flows&by=workload");
  const ribbons = () => [...page.app.all((one) => one.hasClass("ribbon") && one.tagName === "path")].length;
  assert.ok(ribbons() <= 200);
  page.find("arc", "other").fire("click");
  await page.settle();
  assert.ok(ribbons() > 1500);
  // A pointer over one ribbon changes that one, and redraws no other.
  const paths = [...page.app.all((one) => one.hasClass("ribbon") && one.tagName === "path")];
  const listeners = paths.map((one) => one.listeners.click);
  paths[0].fire("pointerenter");
  await page.settle();
  assert.ok(paths[0].hasClass("hot"));
  const changed = paths.filter((one, index) => one.listeners.click !== listeners[index]);
  assert.ok(changed.length <= 2, `${changed.length} of ${paths.length}`);
});

test("500 nodes are drawn as at most 150 boxes, and a group unfolds", async () => {
  const page = await open("large", "view=graph");
  const nodes = () => [...page.app.all((one) => one.hasClass("node") && one.tagName === "g")];
  const before = nodes().length;
  assert.ok(before <= 60);
  nodes().find((one) => one.hasClass("group")).fire("click");
  await page.settle();
  assert.ok(nodes().length > before);
});

test("a filter with an error is marked at its place", async () => {
  const page = await open("bank", `filter=${encodeURIComponent('source_nam == "x"')}`);
  assert.match(page.find("filter-error").textContent, /source_nam == "x".*did you mean/);
  assert.match(page.find("message").textContent, /The filter has an error/);
});

test("an open record shows its reason and its fields", async () => {
  const page = await open("bank", `view=records&filter=${encodeURIComponent('action == "deny"')}`);
  page.find("opens").fire("click");
  await page.settle();
  const text = page.find("record-detail").textContent;
  assert.match(text, /denied by/);
  for (const field of ["source_name_aggr", "num_flows_started", "policies"]) assert.ok(text.includes(field));
});

test("records can show process and domains, as visible text", async () => {
  const page = await open("hostile", "view=records&columns=process,domains");
  const cells =
    (name) => [...page.app.all((one) => one.hasClass(name) && one.tagName === "td")].map((one) => one.textContent);
  const domains = cells("col-domains");
  assert.ok(domains.some((text) => text.includes("‹U+202E›gnp.exe") && text.endsWith(", db.example")), domains[0]);
  assert.ok(cells("col-process").some((text) => text.includes("‹U+202E›gnp.exe")));
  assert.ok(!/[\u202a-\u202e\u200b\u001b]/.test(page.app.textContent));
  const bank = await open("bank", "view=records&columns=process,domains");
  assert.equal(bank.find("col-process", "–").textContent, "–");
});

test("a filter that hides all records shows their number", async () => {
  const page = await open("bank", `filter=${encodeURIComponent('source_namespace == "nowhere"')}`);
  assert.match(page.find("message").textContent, /The filter hides everything.*has [\d.]+k records/);
});
