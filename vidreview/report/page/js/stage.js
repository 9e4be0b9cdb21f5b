"use strict";
// The large picture of an event: best still, camera's background or viewing copy, with its path drawn over, never into,
// it.
(function (app) {
  const { h, s } = app, times = app.times;
  let model, event, stream, mode = "still", path = true, boxes = false, root = null, video = null, speed = 1;

  // Where a track touched the ground, for all the detector knows: the middle of its box's lower edge.
  const foot = (point) => [point[1] + point[3] / 2, point[2] + point[4]];

  function course(track, unit) {
    const line = track.path.map((point) => foot(point).join(",")).join(" ");
    const [ax, ay] = foot(track.path[0]), [bx, by] = foot(track.path[track.path.length - 1]);
    const parts = [];
    if (boxes) {
      for (const [, x, y, w, d] of track.path) parts.push(s("rect", { class: "box", x, y, width: w, height: d }));
    }
    if (path) {
      parts.push(s("polyline", { class: "halo", points: line }), s("polyline", { class: "course", points: line }));
      for (const point of track.path.slice(1, -1)) parts.push(s("circle",
        { class: "spot", cx: foot(point)[0], cy: foot(point)[1], r: unit * 0.4 }));
      parts.push(s("circle", { class: "begin", cx: ax, cy: ay, r: unit }),
        s("rect", { class: "finish", x: bx - unit, y: by - unit, width: unit * 2, height: unit * 2 }));
    }
    return s("g", { class: "k-" + track.class }, ...parts);
  }

  function overlay() {
    if (!path && !boxes) return null;
    const tracks = event.tracks.filter((track) => track.path.length);
    const unit = Math.max(stream.shown_width, stream.shown_height) / 110;
    return s("svg", {
      class: "overlay", viewBox: "0 0 " + stream.shown_width + " " + stream.shown_height, preserveAspectRatio: "none",
        role: "img",
      "aria-label": "Path of " + app.text.plural(tracks.length, "track") +
        ": a circle where it begins, a square where it ends",
    }, ...tracks.map((track) => course(track, unit)));
  }

  function about() {
    const track = event.tracks.find((each) => each.path.length);
    const size = track ? track.path[Math.floor(track.path.length / 2)] : null;
    return (event.label || event.class) + " on " + app.text.shorten(model.facts.cameras[stream.camera].name, 60) +
      ", stream time " + times.stream(event.peak_s, 1) + (size ? ", about " + size[3] + " by " + size[4] + " pixels"
        : "");
  }

  function picture(src, alt, width, height) {
    const image = h("img", { src, alt, decoding: "async", width, height });
    image.addEventListener("error", () => {
      image.replaceWith(h("p", { class: "lost" }, "The picture " + src +
        " cannot be read: it is missing or damaged. Compare the folder with report.json."));
    });
    return image;
  }

  // The recorder's clock may have been set within the stream: what it showed follows from the stretch that this is in.
  function clockOf(seconds) {
    const { segments, shown_start_ms: start } = stream.clock, pieces = segments || [];
    const piece = pieces.find((each) => seconds >= each.start_s && seconds < each.end_s) ||
      (pieces.length && seconds >= pieces[pieces.length - 1].end_s ? pieces[pieces.length - 1] : null);
    const shown = piece ? piece.shown_ms + (seconds - piece.start_s) * 1000 : pieces.length ? null
      : start === null ? null : start + seconds * 1000;
    const known = piece ? Number.isFinite(piece.shown_ms) : shown !== null;
    const wall = known ? ", displayed about " + times.wall(shown, 1) : "";
    return "stream " + times.stream(seconds) + wall;
  }

  function film() {
    const clip = event.clip;
    const word = h("p", { class: "reading soft" }, "Viewing copy, re-encoded. Evidence is the stream copy below.");
    video = h("video", {
      controls: true, preload: "metadata", playsinline: true, src: clip.src,
      "aria-label": "Viewing copy of " + event.id + ", re-encoded, without sound or with that of the exhibit",
      on: {
        timeupdate: () => { word.textContent = "Viewing copy, re-encoded · at " +
          clockOf(clip.start_s + video.currentTime); },
        error: () => {
          word.textContent = "This browser cannot play " + clip.src +
            ". Open that file in a player (VLC, mpv): it is H.264 in MP4.";
          word.classList.add("bad");
        },
      },
    });
    video.playbackRate = speed;
    return { view: video, word };
  }

  // What the scan kept of the object, where this report has no still: as large as it is, never enlarged.
  function kept(of) {
    const { best } = app.small(of);
    return !of.still && best && app.text.file(best.src) ? h("img", { src: best.src, width: best.w, height: best.h,
      class: "kept", decoding: "async", alt: app.KEPT + ": " + of.id + ", " + best.track + " at " +
      times.stream(best.at_s, 1) }) : null;
  }

  function content() {
    const still = event.still, back = app.text.file(stream.background);
    if (mode === "clip" && event.clip) return { ...film(), width: stream.shown_width, height: stream.shown_height };
    video = null;
    if (mode === "background" && back) {
      return {
        view: picture(back, "Background of " + about(), stream.shown_width, stream.shown_height), drawn: overlay(),
          width: stream.shown_width,
        height: stream.shown_height, word: (event.still ? "" : "No still" +
          (event.missing ? ": " + event.missing : " was made") + ". ") +
          "Background: a frame of this camera at " + times.stream(stream.background_s, 1) + ", with the event's path.",
      };
    }
    if (mode === "kept") {
      const { best } = app.small(event);
      return { view: kept(event), width: 16, height: 9, word: app.KEPT + ": the object alone, at " +
        clockOf(best.at_s) + ". No still: " + (event.missing || "none was made for this report") + "." };
    }
    if (still && app.text.file(still.src)) {
      return {
        view: picture(still.src, "Best still of " + about(), still.w, still.h), drawn: overlay(), width: still.w,
          height: still.h,
        word: "Best still, at " + clockOf(event.peak_s) + (still.damaged
          ? "; the decoder says that this frame is damaged" : "") +
          ". Viewing copy of the picture; lines are drawn by this page.",
      };
    }
    return { view: h("p", { class: "lost" }, "No picture: " + (event.missing || "none was made for this report") +
      "."), width: 16, height: 9, word: "" };
  }

  function tab(value, label, able) {
    return h("button", {
      type: "button", "aria-pressed": mode === value ? "true" : "false", disabled: !able,
        on: { click: () => turn(value) },
    }, label);
  }

  function toggle(label, on, change) {
    return h("label", { class: "check" }, h("input", { type: "checkbox", checked: on, on: { change } }), label);
  }

  function render() {
    const { view, drawn, width, height, word } = content();
    const frame = h("div", { class: "frame" }, view, drawn);
    frame.style.setProperty("--ratio", String(width / height));
    root.replaceChildren(
      h("div", { class: "tabs", role: "group", "aria-label": "What the large picture shows" },
        tab("still", "Still", Boolean(event.still)), kept(event) ? tab("kept", "Thumbnail", true) : null, tab("clip", "Viewing clip", Boolean(event.clip)),
        tab("background", "Background", Boolean(stream.background)), h("span", { class: "gap" }),
        toggle("Path", path, (change) => { path = change.target.checked; render(); }),
        toggle("Boxes", boxes, (change) => { boxes = change.target.checked; render(); })),
      frame, word instanceof Node ? word : h("p", { class: "reading soft" }, word));
  }

  function turn(to) {
    mode = to;
    render();
    return video;
  }

  function failed(error) {
    if (error.name !== "AbortError") app.say("The clip does not play: " + error.message, true);
  }

  // Seeks the viewing copy to a second of the stream and plays on from there.
  function seek(seconds) {
    if (!event.clip) {
      app.say(event.id + " has no viewing clip" + (event.missing ? ": " + event.missing : " in this report") + ".");
      return;
    }
    const player = mode === "clip" && video ? video : turn("clip");
    const go = () => {
      player.currentTime = Math.max(0, Math.min(seconds - event.clip.start_s, (player.duration || Infinity) - 0.01));
      player.play().catch(failed);
    };
    if (player.readyState >= 1) go();
    else player.addEventListener("loadedmetadata", go, { once: true });
  }

  function play() {
    if (mode !== "clip" || !video) {
      seek(event.clip ? event.clip.start_s : 0);
    } else if (video.paused) {
      video.play().catch(failed);
    } else {
      video.pause();
    }
  }

  function faster(by) {
    speed = Math.min(8, Math.max(0.25, speed * by));
    if (video) video.playbackRate = speed;
    app.say("Clips play at " + speed + " × the speed of the recording.");
  }

  function show(given, i) {
    model = given;
    event = model.events[i];
    stream = model.streamOf(i);
    mode = kept(event) ? "kept" : event.still || !app.text.file(stream.background) ? "still" : "background";
    root = h("div", { class: "stage" });
    render();
    return root;
  }

  app.stage = { show, kept, seek, play, faster, about: () => about(), stop: () => video && video.pause() };
})(window.vidreview);
