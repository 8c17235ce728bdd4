/* Folds after a prediction: closed on arrival, opened by links into them, by search, by one switch, and in print. */
document.addEventListener("DOMContentLoaded", () => {
  const folds = [...document.querySelectorAll("details.fold")];
  const reveal = (node) => {
    for (let d = node && node.closest("details"); d; d = d.parentElement.closest("details")) d.open = true;
  };
  const target = () => location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const follow = () => { const node = target(); if (node) { reveal(node); node.scrollIntoView(); } };
  for (const fold of folds) fold.open = false;
  follow();
  addEventListener("hashchange", follow);
  // the theme loads the search engine everywhere, and so keeps Sphinx from marking what was searched for
  if (!document.getElementById("search-results")) SphinxHighlight.highlightSearchWords();
  setTimeout(() => { for (const hit of document.querySelectorAll(".highlighted")) reveal(hit); }, 300);

  if (folds.length) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "open-all";
    const label = () => { button.textContent = folds.every((f) => f.open) ? "Close all predictions" : "Open all predictions"; };
    button.addEventListener("click", () => {
      const open = !folds.every((f) => f.open);
      for (const fold of folds) fold.open = open;
    });
    for (const fold of folds) fold.addEventListener("toggle", label);
    label();
    document.querySelector("article h1")?.after(button);
  }

  // which self-checks are answered is kept in this browser, and nowhere else: {page: {all: 3, tries: {check: wrong ones so far}, check: wrong ones}}
  const checks = [...document.querySelectorAll(".selfcheck[data-check]")];
  const pageOf = (url) => url.split(/[?#]/)[0].split("/").slice(-2).join("/");
  const here = pageOf(location.pathname);
  let kept = {};
  try { kept = JSON.parse(localStorage.getItem("selfchecks")) ?? {}; } catch { /* no storage: progress lasts as long as the page */ }
  const score = document.createElement("p");
  score.className = "score";
  score.setAttribute("role", "status");
  const show = () => {
    const done = checks.filter((c) => kept[here]?.[c.dataset.check] !== undefined);
    for (const c of done) c.classList.add("done");
    score.textContent = `Self-checks answered: ${done.length} of ${checks.length}, ${done.filter((c) => kept[here][c.dataset.check] === 0).length} at once.`;
    for (const link of document.querySelectorAll(".bd-sidebar-primary a.internal")) {
      const { all, tries, ...answered } = kept[pageOf(link.href)] ?? {};
      link.classList.toggle("answered", all > 0 && Object.keys(answered).length >= all);
    }
  };
  const keep = (change) => {
    kept[here] = { ...kept[here], ...change };
    try { localStorage.setItem("selfchecks", JSON.stringify(kept)); } catch { /* as above */ }
  };
  for (const check of checks) {
    const name = check.dataset.check;
    for (const choice of check.querySelectorAll(":scope > details")) {
      choice.querySelector("summary").addEventListener("click", () => {  // not "toggle": printing opens all
        if (choice.open || check.classList.contains("done")) return;
        const wrong = kept[here]?.tries?.[name] ?? 0;
        if (choice.classList.contains("wrong")) { keep({ tries: { ...kept[here]?.tries, [name]: wrong + 1 } }); return; }
        keep({ all: checks.length, [name]: wrong });
        show();
      });
    }
  }
  checks.at(-1)?.after(score);
  show();

  // an equation wider than a phone scrolls: also by keyboard
  const scrollable = () => {
    for (const m of document.querySelectorAll("mjx-container[display=true]")) {
      if (m.scrollWidth > m.clientWidth) m.tabIndex = 0;
      else m.removeAttribute("tabindex");
    }
  };
  addEventListener("load", () => window.MathJax?.startup?.promise?.then(scrollable));
  addEventListener("resize", scrollable);

  let before = new Map();
  addEventListener("beforeprint", () => {
    before = new Map([...document.querySelectorAll("article details:not(.hide)")].map((d) => [d, d.open]));
    for (const d of before.keys()) d.open = true;
  });
  addEventListener("afterprint", () => { for (const [d, open] of before) d.open = open; });
});
