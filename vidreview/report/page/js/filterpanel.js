"use strict";
// The form beside the list: every change filters at once.
(function (app) {
  const { h, $ } = app, { name, plural, shorten } = app.text, times = app.times;
  let model, state, changed;

  function counted(of) {
    const counts = new Map();
    for (let i = 0; i < model.total; i++) counts.set(of(i), (counts.get(of(i)) || 0) + 1);
    return counts;
  }

  function boxes(title, set, values, extra) {
    return h("fieldset", {}, h("legend", {}, title), h("div", { class: "options" +
      (values.length > 8 ? " many" : "") }, ...values.map(([value, label, number]) =>
      h("label", { class: "check" }, h("input", {
        type: "checkbox", checked: set.has(value), "data-value": String(value),
        on: { change: (event) => { if (event.target.checked) set.add(value); else set.delete(value); changed(); } },
      }), h("span", { class: "cut" }, label), number === null ? null
        : h("span", { class: "soft right" }, app.text.count(number))))), extra);
  }

  function field(key, label, type, hint) {
    const input = h("input", {
      type: type || "text", id: "f-" + key, value: state[key], placeholder: hint, autocomplete: "off",
        spellcheck: "false", "aria-describedby": "w-" + key,
      on: { input: () => { state[key] = input.value; changed(); } },
    });
    return h("label", { class: "field" }, h("span", {}, label), input,
      h("span", { class: "wrong", id: "w-" + key, hidden: true }));
  }

  function choice(id, label, values, now, change) {
    return h("label", { class: "field" }, h("span", {}, label), h("select",
      { id, on: { change: (event) => change(event.target.value) } },
      ...values.map(([value, words]) => h("option", { value, selected: value === now }, words))));
  }

  function timePart() {
    const stream = state.base === "stream";
    const bases = times.BASES.filter(([base]) => model.has(base)).map(([base, label]) => [base, label + " time"]);
    return h("fieldset", {}, h("legend", {}, "Time"),
      choice("f-base", "Which clock", bases, state.base, (value) => { state.base = value; renew(); changed(); }),
      field("from", "From", "text", stream ? "HH:MM:SS" : "YYYY-MM-DD HH:MM"),
        field("to", "To", "text", stream ? "HH:MM:SS" : "YYYY-MM-DD HH:MM"),
      stream ? null : h("div", { class: "two" }, field("dayfrom", "Daily from", "text", "HH:MM"),
        field("dayto", "to", "text", "HH:MM")));
  }

  function exhibitPart() {
    const values = [["", "all exhibits"], ...model.facts.exhibits.map((exhibit, k) => [String(k),
      shorten(exhibit.name, 60)])];
    const now = state.exhibit.size === 1 ? String([...state.exhibit][0]) : "";
    return h("fieldset", {}, h("legend", {}, "Exhibit"), choice("f-exhibit", "Exhibit", values, now, (value) => {
      state.exhibit = new Set(value === "" ? [] : [Number(value)]);
      changed();
    }));
  }

  function regionPart() {
    const drawn = state.region;
    return h("fieldset", {}, h("legend", {}, "Region of the picture"),
      drawn ? h("p", { class: "soft" }, "Drawn on ", name(model.facts.cameras[drawn.camera].name, 40)) : null,
      h("div", { class: "two" }, h("button", { type: "button", id: "f-region",
        on: { click: () => app.region.open(model, state, () => { renew(); changed(); }) } },
        drawn ? "Draw again…" : "Draw a region…"),
        drawn ? h("button", { type: "button", on: { click: () => { state.region = null; renew(); changed(); } } },
          "Remove") : null));
  }

  function renew() {
    const byClass = counted((i) => model.events[i].class), byLabel = counted((i) => model.events[i].label),
      byCamera = counted((i) => model.streamOf(i).camera);
    const labels = [...byLabel].filter(([label]) => label && !app.CLASSES.includes(label)).sort();
    const cameras = model.facts.cameras.map((camera, k) => [k, name(camera.name, 60), byCamera.get(k) || 0]);
    $("filters").replaceChildren(...[
      field("q", "Search", "search", "number, name, note (/)"),
      boxes("Class", state.class, app.CLASSES.map((each) => [each, app.kind({ class: each }), byClass.get(each) || 0])),
      labels.length ? boxes("Label", state.label, labels.map(([label, number]) => [label, label, number])) : null,
      boxes("Review", state.review, app.STATES.map((each) => [each,
        h("span", {}, app.sign({ state: each }), " ", each), null]), h("label", { class: "check" }, h("input", {
        type: "checkbox", id: "f-here", checked: state.here,
          on: { change: (event) => { state.here = event.target.checked; changed(); } },
      }), "marked in this session")),
      cameras.length > 1 ? boxes("Camera", state.camera, cameras) : null,
      timePart(),
      h("fieldset", {}, h("legend", {}, "Duration and score"), h("div", { class: "two" },
        field("min", "At least, s", "text", "0"), field("max", "At most, s", "text", "∞")),
        field("score", "Score at least", "text", "0 to 1")),
      model.facts.exhibits.length > 1 ? exhibitPart() : null,
      model.facts.cameras.some((camera) => camera.streams.length) ? regionPart() : null,
    ].filter(Boolean));
  }

  // Says below each field what is wrong with it, and above the list what a filter cannot judge.
  function tell(result) {
    for (const input of $("filters").querySelectorAll("input[id^='f-']")) {
      const why = result.wrong[input.id.slice(2)], place = $("w-" + input.id.slice(2));
      if (!place) continue;
      input.setAttribute("aria-invalid", why ? "true" : "false");
      place.textContent = why || "";
      place.hidden = !why;
    }
    const left = [];
    const base = times.BASES.find(([each]) => each === state.base)[1].toLowerCase();
    if (result.left.time) left.push(plural(result.left.time, "event") + " left out: their " + base +
      " time is unknown.");
    if (result.left.score) left.push(plural(result.left.score, "event") +
      " of class motion left out: they have no score.");
    $("left-out").textContent = left.join(" ");
    $("left-out").hidden = !left.length;
    const said = app.filters.words(model, state);
    $("said").textContent = said.length ? "Filtered by " + said.join("; ") + "." : "All events of the report.";
    $("reset").hidden = !said.length;
    $("filter-count").textContent = said.length ? String(said.length) : "";
  }

  app.panel = {
    start: (given, initial, change) => {
      model = given;
      state = initial;
      changed = change;
      renew();
    },
    use: (next) => { state = next; renew(); },
    tell,
  };
})(window.vidreview);
