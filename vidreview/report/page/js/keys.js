"use strict";
// Keys for the whole page. None works while somebody types, and all single keys can be turned off.
(function (app) {
  const { $ } = app;
  let on = true, waiting = "";
  const STATES = { 1: "relevant", 2: "not relevant", 3: "unsure", 0: "unreviewed" };
  const VIEWS = { o: "overview", e: "events", s: "synopsis", r: "record" };

  const FIELDS = "input:not([type=checkbox]), textarea, select, dialog[open], [contenteditable]";
  const typing = (target) => target.closest(FIELDS);
  const pressing = (target) => target.closest("button, a, summary, label, video, input");

  function escape(event) {
    if (typing(event.target)) event.target.blur();
    else if (app.view() === "events") app.closeCard();
  }

  function search() {
    app.go("events");
    app.showFilters(true);
    $("f-q").focus();
    $("f-q").select();
  }

  function inEvents(event) {
    const key = event.key, ways = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1, PageDown: 10, PageUp: -10 };
    if (key in ways && !(key.length > 1 && event.target.closest("#card, #filters"))) return () => app.step(ways[key]);
    if ((key === "Home" || key === "End") && event.target.closest("#list")) return () => app.step(key === "Home"
      ? -Infinity : Infinity);
    if (key === " " && !pressing(event.target)) return () => app.stage.play();
    if (key === "n") return () => $("note") && $("note").focus();
    if (key === "[" || key === "]") return () => app.stage.faster(key === "]" ? 2 : 0.5);
    if (key === "f") return () => app.toggleFilters();
    if (key === "Enter" && event.target.closest("#list")) return () => $("card-title") && $("card-title").focus();
    return null;
  }

  function inSynopsis(event) {
    const ways = { ArrowRight: [1, false], l: [1, false], j: [1, false], ArrowLeft: [-1, false], h: [-1, false],
      k: [-1, false], ArrowDown: [1, true], ArrowUp: [-1, true] };
    if (event.key in ways) return () => app.synopsis.step(...ways[event.key]);
    if (event.key === "[" || event.key === "]") return () => app.synopsis.turn(event.key === "]" ? 1 : -1);
    return null;
  }

  function find(event) {
    const key = event.key, view = app.view();
    if (waiting === "g" && key in VIEWS) return () => app.go(VIEWS[key]);
    if (key in STATES && (view === "events" || view === "synopsis")) return () => app.mark(STATES[key]);
    if (key === "/") return search;
    if (key === "?") return () => $("help").showModal();
    if (key === "g") return () => {};
    return view === "events" ? inEvents(event) : view === "synopsis" ? inSynopsis(event) : null;
  }

  function pressed(event) {
    if (event.key === "Escape" && !document.querySelector("dialog[open]")) {
      escape(event);
      return;
    }
    if ((event.ctrlKey || event.metaKey) && event.key === "p") {
      event.preventDefault();
      app.printing.ask();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || typing(event.target)) return;
    if (!on && event.key.length === 1) return;
    const act = find(event);
    waiting = event.key === "g" ? "g" : "";
    if (!act) return;
    event.preventDefault();
    act();
  }

  app.keys = {
    start() {
      document.addEventListener("keydown", pressed);
      $("keys-on").addEventListener("change", () => { on = $("keys-on").checked; });
      $("help-open").addEventListener("click", () => $("help").showModal());
    },
  };
})(window.vidreview);
