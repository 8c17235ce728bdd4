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
    before = new Map([...document.querySelectorAll("article details")].map((d) => [d, d.open]));
    for (const d of before.keys()) d.open = true;
  });
  addEventListener("afterprint", () => { for (const [d, open] of before) d.open = open; });
});
