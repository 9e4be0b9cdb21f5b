"use strict";
// Review marks of this browser: kept one by one, so that two windows never overwrite each other's, and saved to a file.
(function (app) {
  let model, prefix;
  let reviewer = "";
  const marks = new Map(); // event id → {state, note, at_utc, by, saved}
  const listeners = [];
  let kept = true; // whether this browser keeps marks over a reload

  const now = () => new Date().toISOString();
  const tell = (id) => listeners.forEach((each) => each(id));

  // Storage may be refused (private windows, policies) or full: marks then live in memory alone, and the page says so.
  function store(key, value) {
    try {
      if (value === null) window.localStorage.removeItem(prefix + key);
      else window.localStorage.setItem(prefix + key, value);
      return true;
    } catch (error) {
      if (kept) {
        app.say("This browser does not keep marks (" + error.name + "). They last until the page is closed: " +
          "use “Save marks” before that.", true);
      }
      kept = false;
      return false;
    }
  }

  function entry(text) {
    try {
      const value = JSON.parse(text);
      const good = value && app.STATES.includes(value.state) && typeof value.at_utc === "string" &&
        (value.note === null || typeof value.note === "string") && typeof value.by === "string";
      return good ? value : null;
    } catch {
      return null;
    }
  }

  function recall() {
    try {
      reviewer = window.localStorage.getItem(prefix + "reviewer") || "";
      for (let k = 0; k < window.localStorage.length; k++) {
        const key = window.localStorage.key(k);
        if (!key.startsWith(prefix + "mark:")) continue;
        const id = key.slice(prefix.length + 5), value = entry(window.localStorage.getItem(key));
        if (value && model.byId.has(id)) marks.set(id, value);
      }
    } catch (error) {
      kept = false;
      app.say("This browser does not keep marks (" + error.name + "). They last until the page is closed: " +
        "use “Save marks” before that.", true);
    }
  }

  // Another window marked something: take it over, and say so where this window had said something else.
  function heard(event) {
    if (event.key === null || !event.key.startsWith(prefix)) return;
    if (event.key === prefix + "reviewer") {
      reviewer = event.newValue || "";
      tell(null);
      return;
    }
    const id = event.key.slice(prefix.length + 5);
    if (!event.key.startsWith(prefix + "mark:") || !model.byId.has(id)) return;
    const before = marks.get(id), value = event.newValue === null ? null : entry(event.newValue);
    if (value) marks.set(id, value);
    else if (event.newValue === null) marks.delete(id);
    if (before && value && (before.state !== value.state || before.note !== value.note)) {
      app.say(id + " was “" + before.state + "” here and is now “" + value.state +
        "”: marked in another window at " +
        value.at_utc + ".", true);
    }
    tell(id);
  }

  function ofCase(id) {
    return model.events[model.byId.get(id)].review;
  }

  // What holds now: this session's mark, else what the case says.
  function of(id) {
    const mark = marks.get(id), recorded = ofCase(id);
    if (mark) return { state: mark.state, note: mark.note, by: mark.by, utc: mark.at_utc, here: true,
      saved: mark.saved };
    return { state: recorded.state, note: recorded.note, by: recorded.by, utc: recorded.utc, here: false, saved: true };
  }

  function set(id, state, note) {
    const before = marks.get(id), recorded = ofCase(id);
    const text = note === undefined ? of(id).note : note || null;
    const nothingSaid = state === recorded.state && state === "unreviewed" && text === recorded.note;
    // A mark that lies in a file already is taken back by another mark, not by forgetting it.
    if (nothingSaid && !(before && before.saved)) {
      marks.delete(id);
      store("mark:" + id, null);
    } else {
      const mark = { state, note: text, at_utc: now(), by: reviewer, saved: false };
      marks.set(id, mark);
      store("mark:" + id, JSON.stringify(mark));
    }
    tell(id);
  }

  function setReviewer(text) {
    reviewer = text.trim().slice(0, 200);
    store("reviewer", reviewer);
    tell(null);
  }

  // A file names one reviewer, so marks go into a file by whoever made them; those that came from a file stay in
  // theirs.
  function content(by) {
    const ids = [...marks.keys()].filter((id) => marks.get(id).by === by).sort((a,
      b) => model.byId.get(a) - model.byId.get(b));
    return {
      vidreview_marks: 1,
      report: model.facts.report.id,
      reviewer: by,
      saved_utc: now(),
      marks: ids.map((id) => {
        const mark = marks.get(id), event = model.events[model.byId.get(id)];
        return {
          event: id, exhibit_sha256: event.exhibit_sha256, stream: model.facts.streams[event.stream].stream,
          start_pts: event.start_pts, class: event.class, state: mark.state, note: mark.note, at_utc: mark.at_utc,
        };
      }),
    };
  }

  function download(value, name) {
    const blob = new Blob([JSON.stringify(value, null, 1) + "\n"], { type: "application/json" });
    const link = document.createElement("a");
    const url = URL.createObjectURL(blob);
    link.href = url;
    link.download = name;
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  }

  function save() {
    const names = new Set([...marks.values()].filter((mark) => !mark.saved).map((mark) => mark.by));
    if ([...marks.values()].some((mark) => mark.by === reviewer)) names.add(reviewer);
    const files = [];
    let number = 0;
    for (const by of names) {
      const value = content(by);
      const stamp = value.saved_utc.replace(/[-:]|\.\d+/g, "");
      files.push("marks_" + value.report.slice(0, 8) + "_" + stamp + (files.length ? "_" + (files.length + 1) : "") +
        ".json");
      download(value, files[files.length - 1]);
      number += value.marks.length;
    }
    for (const [id, mark] of marks) {
      mark.saved = true;
      store("mark:" + id, JSON.stringify(mark));
    }
    tell(null);
    app.say(app.text.plural(number, "mark") + " saved to " + files.join(" and ") +
      ". Take them into the case with: vidreview review import " + files.join(" "));
  }

  // Why a mark of a file cannot be used here, or null.
  function unfit(mark) {
    const at = mark && typeof mark.event === "string" ? model.byId.get(mark.event) : undefined;
    if (at === undefined) return "an event that is not in this report";
    const event = model.events[at];
    const same = mark.exhibit_sha256 === event.exhibit_sha256 && mark.start_pts === event.start_pts &&
      mark.class === event.class && mark.stream === model.facts.streams[event.stream].stream;
    if (!same) return "another event of that number";
    if (!app.STATES.includes(mark.state)) return "a state that is none";
    if (mark.note !== null && typeof mark.note !== "string") return "a note that is no text";
    return typeof mark.at_utc === "string" && Number.isFinite(Date.parse(mark.at_utc)) ? null : "no time";
  }

  // Takes marks of a file; the later mark of an event holds. Returns {taken, older, refused: Map reason → count}.
  function take(text) {
    const value = JSON.parse(text);
    if (!value || value.vidreview_marks !== 1 || !Array.isArray(value.marks)) throw new Error("it is no marks file");
    const result = { taken: 0, older: 0, refused: new Map(), other: value.report !== model.facts.report.id };
    for (const mark of value.marks) {
      const why = unfit(mark);
      if (why) {
        result.refused.set(why, (result.refused.get(why) || 0) + 1);
        continue;
      }
      const here = marks.get(mark.event);
      if (here && here.at_utc >= mark.at_utc) {
        result.older += 1;
        continue;
      }
      const taken = { state: mark.state, note: mark.note, at_utc: mark.at_utc, by: String(value.reviewer || ""),
        saved: true };
      marks.set(mark.event, taken);
      store("mark:" + mark.event, JSON.stringify(taken));
      result.taken += 1;
    }
    tell(null);
    return result;
  }

  function start(given) {
    model = given;
    prefix = "vidreview:" + model.facts.report.id.slice(0, 16) + ":";
    recall();
    window.addEventListener("storage", heard);
    window.addEventListener("beforeunload", (event) => {
      if ([...marks.values()].some((mark) => !mark.saved)) event.preventDefault();
    });
  }

  app.marks = {
    start, of, set, save, take, setReviewer,
    reviewer: () => reviewer,
    kept: () => kept,
    here: () => marks.size,
    unsaved: () => [...marks.values()].filter((mark) => !mark.saved).length,
    looked: () => model.events.reduce((sum, event) => sum + (of(event.id).state === "unreviewed" ? 0 : 1), 0),
    listen: (call) => listeners.push(call),
  };
})(window.vidreview);
