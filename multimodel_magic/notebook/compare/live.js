// The live view of a comparison: panes, their buttons, the vote. The kernel holds the state; this
// draws it and says what was clicked. `html` is what safe_markdown wrote, all else is textContent.

const make = (tag, name, text) => {
  const node = document.createElement(tag);
  if (name) node.className = name;
  if (text !== undefined) node.textContent = text;
  return node;
};

// Lab's shortcuts of one key (A and B insert a cell, X cuts, D D deletes) must not strike at our
// controls; those with Ctrl, and Shift+Enter, are meant. Lab listens on the document, before us.
const guarded = root => event => {
  if (!root.contains(event.target)) return;
  const meant = event.ctrlKey || event.metaKey || event.altKey
    || (event.shiftKey && event.key === "Enter");
  event.target.toggleAttribute("data-lm-suppress-shortcuts", !meant);
};

const button = (name, label, act) => {
  const node = make("button", name, label);
  node.type = "button";
  node.addEventListener("click", () => { if (!isBusy(node)) act(); });
  return node;
};

// Not `disabled`: a button that is disabled while it has the focus drops it, and whoever works by
// keyboard is lost.
const isBusy = node => node.getAttribute("aria-disabled") === "true";
const busy = (node, is) => is
  ? node.setAttribute("aria-disabled", "true") : node.removeAttribute("aria-disabled");

const put = (node, text) => {
  if (node.textContent !== text) node.textContent = text;
};

const BUSY = "The kernel is busy: this happens when the cell ends. Interrupting it stops all now.";
const NOT_SAVED =
  "The notebook's own copy could not follow, because the page was opened anew since the cell ran. " +
  "The vote is recorded; %llm compare shows it in a new cell.";
const PATIENCE_MS = 1500;

// What stands below the live view, and what the notebook's file holds.
const twinOf = root =>
  root.closest(".jp-OutputArea-child")?.nextElementSibling?.querySelector(".mm-twin");

function paneView(place, send) {
  const root = make("div", "mm-pane");
  root.setAttribute("role", "group");
  const head = make("div", "mm-head");
  const title = make("span", "mm-title");
  title.setAttribute("role", "heading");
  title.setAttribute("aria-level", "4");
  const state = make("span", "mm-state");
  state.setAttribute("role", "status");
  head.append(title, state);
  const answer = make("div", "mm-answer mathjax_ignore tex2jax_ignore");
  answer.tabIndex = 0;
  answer.setAttribute("role", "region");
  const notices = make("div", "mm-notices");
  const foot = make("div", "mm-foot");
  const status = make("span", "mm-status");
  const elapsed = make("span", "mm-elapsed");
  elapsed.setAttribute("aria-hidden", "true");
  const words = make("div", "mm-words");
  words.append(status, elapsed);
  const hint = make("div", "mm-hint");
  hint.setAttribute("role", "status");
  let patience = null;
  const ask = (what, node, doing) => {
    busy(node, true);
    node.textContent = doing;
    send({ do: what, place });
    clearTimeout(patience);
    patience = setTimeout(() => { hint.textContent = BUSY; }, PATIENCE_MS);
  };
  const stop = button("mm-stop", "■ Stop", () => ask("stop", stop, "stopping…"));
  const retry = button("mm-retry", "↻ Retry", () => ask("retry", retry, "asking again…"));
  foot.append(words, stop, retry);
  root.append(head, answer, notices, foot, hint);

  let shown = {}, since = 0, typeset = true;
  // Only Lab typesets formulas, and only in its own outputs: what it made of the twin's is copied.
  const copyFormulas = () => {
    const twin = twinOf(root)?.querySelector(`[data-mm-answer="${place}-${shown.run}"]`);
    const formulas = [...(twin?.querySelectorAll(".mathjax_process") ?? [])];
    if (!formulas.length || !formulas.every(node => node.querySelector("mjx-container"))) return;
    answer.querySelectorAll(".mathjax_process").forEach((node, n) => {
      if (formulas[n]) node.replaceWith(formulas[n].cloneNode(true));
    });
    typeset = true;
  };
  const update = pane => {
    const held = root.contains(document.activeElement) && document.activeElement.tagName;
    root.setAttribute("aria-label", pane.title);
    root.dataset.state = pane.state;
    root.classList.toggle("mm-chosen", pane.chosen);
    put(title, pane.chosen ? `★ ${pane.title} · preferred` : pane.title);
    put(state, pane.mark);
    put(status, pane.status);
    answer.setAttribute("aria-label", `What ${pane.title} answers`);
    if (pane.html !== shown.html || pane.run !== shown.run) {
      const follow = answer.scrollHeight - answer.scrollTop - answer.clientHeight < 30;
      answer.innerHTML = pane.html;
      if (follow && pane.running) answer.scrollTop = answer.scrollHeight;
      if (!pane.running) answer.scrollTop = 0;
      typeset = !answer.querySelector(".mathjax_process");
    }
    answer.hidden = !pane.html;
    if (JSON.stringify(pane.notices) !== JSON.stringify(shown.notices)) {
      notices.replaceChildren(...pane.notices.map(text => make("div", "mm-notice", text)));
    }
    if (pane.run !== shown.run) since = performance.now();
    if (pane.run !== shown.run || pane.running !== shown.running) {
      clearTimeout(patience);
      put(hint, "");
      busy(stop, false);
      busy(retry, false);
      put(stop, "■ Stop");
      put(retry, "↻ Retry");
    }
    stop.hidden = !pane.running;
    retry.hidden = pane.running || !pane.retry;
    for (const node of [stop, retry]) {
      node.setAttribute("aria-label", `${node === stop ? "Stop" : "Retry"} ${pane.title}`);
    }
    // Whose button has just gone keeps a place to stand on.
    if (held === "BUTTON" && document.activeElement.tagName !== "BUTTON") {
      (retry.hidden ? (stop.hidden ? answer : stop) : retry).focus();
    }
    shown = pane;
    tick();
  };
  const tick = () => {
    const ms = performance.now() - since;
    put(elapsed, shown.running ? ` · ${(ms / 1000).toFixed(1)} s` : "");
    if (!typeset && !shown.running) copyFormulas();
  };
  return { root, update, tick, end: () => clearTimeout(patience) };
}

function voteView(send) {
  const root = make("div", "mm-vote");
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", "Your vote");
  const question = make("span", "mm-question");
  const choices = make("div", "mm-choices");
  const hint = make("div", "mm-hint");
  const said = make("div", "mm-verdict");
  said.setAttribute("role", "status");
  said.tabIndex = -1;
  root.append(question, choices, hint, said);
  let shown = "", keys = {}, patience = null, opened = false;
  const cast = choice => {
    for (const node of choices.children) busy(node, true);
    put(question, "Recording your vote…");
    send({ do: "vote", ...choice.vote });
    patience = setTimeout(() => { hint.textContent = BUSY; }, PATIENCE_MS);
  };
  const choiceButton = choice => {
    const node = button("mm-choice", choice.label, () => cast(choice));
    node.append(make("kbd", "", choice.key));
    node.setAttribute("aria-keyshortcuts", choice.key);
    node.disabled = !choice.open;
    keys[choice.key.toLowerCase()] = node;
    return node;
  };
  const update = vote => {
    const now = JSON.stringify(vote);
    if (now === shown) return;
    const held = root.contains(document.activeElement);
    shown = now;
    clearTimeout(patience);
    put(hint, "");
    keys = {};
    put(question, vote.question);
    question.hidden = !vote.question;
    choices.replaceChildren(...vote.choices.map(choiceButton));
    choices.hidden = vote.choices.length === 0;
    put(said, vote.verdicts.join("\n"));
    said.hidden = vote.verdicts.length === 0;
    root.hidden = !vote.question && said.hidden;
    if (held && !said.hidden) said.focus();
    if (opened && !said.hidden) patience = setTimeout(checkSaved, 2 * PATIENCE_MS, vote.verdicts);
    opened = true;
  };
  const checkSaved = verdicts => {
    const saved = twinOf(root)?.textContent;
    if (saved !== undefined && !verdicts.every(line => saved.includes(line))) {
      put(hint, NOT_SAVED);
    }
  };
  const key = event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const node = keys[event.key.toLowerCase()];
    if (!node || node.disabled || isBusy(node)) return;
    event.preventDefault();
    event.stopPropagation();
    node.focus();
    node.click();
  };
  return { root, update, key, end: () => clearTimeout(patience) };
}

function render({ model, el }) {
  const send = what => model.send(what);
  const root = make("div", "mm-live");
  root.setAttribute("role", "region");
  root.setAttribute("aria-label", "Comparison");
  const note = make("div", "mm-note");
  const grid = make("div", "mm-grid");
  const vote = voteView(send);
  const agreement = make("div", "mm-agreement mathjax_ignore tex2jax_ignore");
  const panes = [...Array(model.get("count")).keys()].map(place => paneView(place, send));
  grid.append(...panes.map(pane => pane.root));
  root.append(note, grid, vote.root, agreement);
  root.addEventListener("keydown", vote.key);
  const guard = guarded(root);
  window.addEventListener("keydown", guard, true);

  let agreed = "";
  const drawHead = () => {
    const head = model.get("head");
    put(note, head.note);
    note.hidden = !head.note;
    vote.update(head.vote);
    if (head.agreement !== agreed) {
      agreement.innerHTML = agreed = head.agreement;
    }
  };
  const drawn = panes.map((pane, place) => {
    const draw = () => pane.update(model.get(`pane${place}`));
    model.on(`change:pane${place}`, draw);
    draw();
    return draw;
  });
  model.on("change:head", drawHead);
  drawHead();
  const ticking = setInterval(() => panes.forEach(pane => pane.tick()), 100);
  el.append(root);
  return () => {
    clearInterval(ticking);
    window.removeEventListener("keydown", guard, true);
    [...panes, vote].forEach(view => view.end());
    model.off("change:head", drawHead);
    drawn.forEach((draw, place) => model.off(`change:pane${place}`, draw));
  };
}

export default { render };
