"use strict";
// Puts the parts together: which view is shown, which event is open, and the address that says both.
(function (app) {
  const { $ } = app, VIEWS = ["overview", "events", "synopsis", "record"];
  let model, state, view = "overview", result = null, later = 0, written = window.location.hash;

  function address() {
    const query = app.filters.encode(state, model), at = app.card.current();
    if (at >= 0 && view === "events") query.set("e", model.events[at].id);
    const text = query.toString();
    const hash = "#" + view + (text ? "?" + text : "");
    // Another view is a step that “Back” takes back; what is filtered or open within one is not.
    const before = window.location.hash;
    if (before !== written) return; // somebody typed another address: `follow` is about to read it
    if (/^#\w/.test(before) && !before.startsWith("#" + view)) history.pushState(null, "", hash);
    else history.replaceState(null, "", hash);
    written = window.location.hash;
  }

  function filter() {
    result = app.filters.select(model, state);
    $("sort").value = state.sort;
    $("down").setAttribute("aria-pressed", String(state.down));
    app.list.show(result.found);
    app.synopsis.show(result.found);
    app.panel.tell(result);
    $("count").textContent = app.text.count(result.found.length) + " of " + app.text.plural(model.total, "event");
    $("sheet-count").textContent = $("count").textContent;
    app.card.place();
    clearTimeout(later);
    later = setTimeout(address, 150); // browsers refuse an address that changes at every key
  }

  function chosen(i) {
    app.list.choose(i);
    $("spoken").textContent = model.events[i].id + ", " + (model.events[i].label || model.events[i].class) + ", " +
      app.marks.of(model.events[i].id).state;
  }

  function openEvent(i, quiet) {
    if (i === null || i === undefined) return;
    if (view !== "events") go("events");
    app.card.show(i);
    app.synopsis.current(i);
    chosen(i);
    if (!quiet) document.body.classList.add("reading-card");
    clearTimeout(later);
    later = setTimeout(address, 150);
    const next = app.list.beside(1), still = next === null ? null : model.events[next].still;
    if (still && app.text.file(still.src)) new Image().src = still.src; // so that stepping does not wait for the disc
  }

  function step(by) {
    const all = app.list.all();
    if (!all.length) return;
    let next = by === Infinity ? all[all.length - 1] : by === -Infinity ? all[0] : app.list.beside(by);
    if (next === null && Math.abs(by) > 1) next = by > 0 ? all[all.length - 1] : all[0];
    if (next === null) app.say(by > 0 ? "This is the last of the events shown."
      : "This is the first of the events shown.");
    else openEvent(next, !document.body.classList.contains("reading-card"));
  }

  function go(to) {
    view = VIEWS.includes(to) ? to : "overview";
    for (const each of VIEWS) $(each).hidden = each !== view;
    for (const link of document.querySelectorAll("nav a")) {
      if (link.getAttribute("href") === "#" + view) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    document.body.dataset.view = view;
    if (view === "synopsis") app.synopsis.layout();
    if (view === "overview") app.timeline.paint();
    if (view === "events") {
      app.list.appear();
      if (app.card.current() < 0 && result.found.length) openEvent(result.found[0], true);
    } else app.stage.stop();
    window.scrollTo(0, 0);
    address();
  }

  function progress() {
    const looked = app.marks.looked(), unsaved = app.marks.unsaved();
    $("progress").textContent = app.text.count(looked) + " of " + app.text.count(model.total) + " looked at";
    $("progress-bar").max = Math.max(1, model.total);
    $("progress-bar").value = looked;
    $("unsaved").textContent = unsaved ? String(unsaved) : "";
    $("save").setAttribute("aria-label", "Save marks to a file" + (unsaved
      ? ", " + app.text.plural(unsaved, "mark") + " not saved yet" : ""));
    $("save").classList.toggle("primary", unsaved > 0);
    $("who").textContent = app.marks.reviewer() ? app.text.shorten(app.marks.reviewer(), 24) : "Your name…";
  }

  // Asks for the reviewer's name once, then does what waited for it.
  function named(then, again) {
    if (app.marks.reviewer() && !again) {
      then();
      return;
    }
    const dialog = $("name");
    $("name-field").value = app.marks.reviewer();
    dialog.returnValue = "";
    dialog.showModal();
    dialog.onclose = () => {
      if (dialog.returnValue !== "ok" || !$("name-field").value.trim()) return;
      app.marks.setReviewer($("name-field").value);
      then();
    };
  }

  function mark(to, note) {
    const i = app.card.current() >= 0 && view === "events" ? app.card.current() : app.synopsis.chosen;
    if (i === undefined || i < 0) return;
    const event = model.events[i];
    named(() => {
      app.marks.set(event.id, to, note);
      $("spoken").textContent = event.id + " marked " + to;
      if (note === undefined && view === "events" && $("advance").checked) step(1);
    });
  }

  async function takeFile() {
    const [chosenFile] = $("load").files;
    $("load").value = "";
    if (!chosenFile) return;
    if (chosenFile.size > 100e6) {
      app.say(chosenFile.name + " is too large for a marks file.", true);
      return;
    }
    try {
      const done = app.marks.take(await chosenFile.text());
      const refused = [...done.refused].map(([why, number]) => number + " of " + why).join(", ");
      app.say(app.text.plural(done.taken, "mark") + " taken from " + chosenFile.name +
        (done.older ? "; " + done.older + " older than those here left" : "") +
        (refused ? "; not taken: " + refused : "") + (done.other ? "; it was made with another report" : "") + ".",
        Boolean(refused));
    } catch (error) {
      app.say(chosenFile.name + " cannot be read: " + error.message + ".", true);
    }
  }

  function read() {
    const [to, query] = window.location.hash.slice(1).split("?");
    const given = new URLSearchParams(query || "");
    state = app.filters.decode(given, model);
    return { to, event: model.byId.get(given.get("e")) };
  }

  function follow() {
    written = window.location.hash;
    const { to, event } = read();
    app.panel.use(state);
    filter();
    go(to);
    if (event !== undefined && view === "events") openEvent(event);
  }

  function themes() {
    const order = ["", "light", "dark"], root = document.documentElement;
    const kept = () => { try { return window.localStorage.getItem("vidreview:theme") || ""; } catch { return ""; } };
    const use = (theme) => {
      if (theme) root.dataset.theme = theme;
      else delete root.dataset.theme;
      $("theme").textContent = "◐ " + (theme || "auto");
      $("theme").setAttribute("aria-label", "Colours: " + (theme || "as the system has it") + ". Change");
    };
    use(order.includes(kept()) ? kept() : "");
    $("theme").addEventListener("click", () => {
      const next = order[(order.indexOf(root.dataset.theme || "") + 1) % order.length];
      use(next);
      try { window.localStorage.setItem("vidreview:theme", next); } catch { /* it lasts as long as the page */ }
    });
  }

  function listen() {
    for (const link of document.querySelectorAll("nav a")) {
      link.addEventListener("click", (event) => {
        event.preventDefault();
        go(link.getAttribute("href").slice(1));
      });
    }
    const sorts = Object.entries(app.filters.SORTS);
    $("sort").replaceChildren(...sorts.map(([value, words]) => app.h("option", { value }, words)));
    $("sort").addEventListener("change", () => {
      state.sort = $("sort").value;
      filter();
    });
    $("down").addEventListener("click", () => {
      state.down = !state.down;
      filter();
    });
    $("reset").addEventListener("click", () => {
      state = app.filters.blank(model);
      app.panel.use(state);
      filter();
    });
    $("filters-open").addEventListener("click", () => app.toggleFilters());
    $("save").addEventListener("click", () => (app.marks.here() ? named(app.marks.save)
      : app.say("No event is marked in this session yet: keys 1, 2, 3 mark the open event.")));
    $("who").addEventListener("click", () => named(() => {}, true));
    $("load").addEventListener("change", takeFile);
    window.addEventListener("hashchange", follow);
    document.addEventListener("error", (event) => {
      if (event.target instanceof HTMLImageElement) event.target.classList.add("unread");
    }, true);
  }

  function start() {
    themes();
    for (const each of VIEWS) $(each).hidden = true; // none is laid out before the one that is wanted
    if (window.matchMedia("(max-width: 900px)").matches) app.toggleFilters();
    for (const close of document.querySelectorAll("dialog .close")) close.addEventListener("click",
      () => close.closest("dialog").close());
    model = app.loadModel();
    if (!model.total) {
      $("empty").textContent = "This report holds no event. That says nothing of what happened: see the coverage, " +
        "the problems and the limits under Record.";
    }
    app.marks.start(model);
    const { to, event } = read();
    app.card.start(model, step);
    app.list.start(model, (i) => openEvent(i));
    app.synopsis.start(model, (i) => openEvent(i));
    app.panel.start(model, state, filter);
    app.timeline.start(model, (i) => openEvent(i));
    app.activity.start(model);
    app.printing.start(model);
    app.keys.start();
    listen();
    app.marks.listen(progress);
    progress();
    filter();
    go(to);
    if (event !== undefined && view === "events") openEvent(event);
    document.documentElement.dataset.ready = "yes";
  }

  app.view = () => view;
  app.state = () => state;
  app.go = go;
  app.step = step;
  app.mark = mark;
  app.chosen = (i) => { app.synopsis.chosen = i; chosen(i); };
  app.closeCard = () => { document.body.classList.remove("reading-card"); $("list").focus(); };
  app.showFilters = (shown) => {
    document.body.classList.toggle("no-filters", !shown);
    $("filters-open").setAttribute("aria-expanded", String(shown));
  };
  app.toggleFilters = () => app.showFilters(document.body.classList.contains("no-filters"));
  app.between = (base, low, high) => {
    const say = base === "stream" ? (ms) => app.times.stream(ms / 1000, 1) : (ms) => app.times.wall(ms, 0);
    state = app.filters.blank(model);
    Object.assign(state, { base, from: say(low), to: say(high) });
    app.panel.use(state);
    filter();
    go("events");
  };

  try {
    start();
  } catch (error) {
    for (const each of ["overview", "record"]) $(each).hidden = false;
    for (const each of ["events", "synopsis"]) $(each).hidden = true;
    app.say("This page cannot show the events: " + error.message +
      ". The facts below that need no script are whole; compare the folder with report.json.", true);
    document.documentElement.dataset.ready = "failed";
    console.error(error);
  }
})(window.vidreview);
