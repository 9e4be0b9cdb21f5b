"use strict";
// Four times, kept apart: stream, displayed, corrected, UTC. A wall clock is in milliseconds since 1970, as if it were
// UTC.
(function (app) {
  const two = (n) => String(n).padStart(2, "0");
  const BASES = [
    ["shown", "Displayed", "what the recorder's own clock showed"],
    ["corrected", "Corrected", "displayed time less the recorder's error, in its zone"],
    ["utc", "UTC", "coordinated universal time"],
    ["stream", "Stream", "from the stream's first presented frame"],
  ];

  function milliseconds(value) {
    if (value === null || value === undefined) return NaN;
    if (typeof value === "number") return value;
    const text = /(Z|[+-]\d\d:?\d\d)$/.test(value) ? value : value + "Z";
    return Date.parse(text.replace(" ", "T"));
  }

  // Seconds as HH:MM:SS.mmm; truncated, so that no shown time lies after the one that is meant.
  function stream(seconds, digits) {
    if (!Number.isFinite(seconds)) return "unknown";
    const places = digits === undefined ? 3 : digits;
    const whole = Math.floor(Math.abs(seconds) * 1000 + 1e-6);
    const text = two(Math.floor(whole / 3600000)) + ":" + two(Math.floor(whole / 60000) % 60) + ":" +
      two(Math.floor(whole / 1000) % 60);
    return (seconds < 0 ? "−" : "") + text + (places ? "." + String(whole % 1000).padStart(3, "0").slice(0, places)
      : "");
  }

  function day(ms) {
    if (!Number.isFinite(ms)) return "unknown";
    const at = new Date(ms);
    return at.getUTCFullYear() + "-" + two(at.getUTCMonth() + 1) + "-" + two(at.getUTCDate());
  }

  function clock(ms, digits) {
    if (!Number.isFinite(ms)) return "unknown";
    return stream(((ms % 86400000) + 86400000) % 86400000 / 1000, digits);
  }

  function wall(ms, digits) {
    return Number.isFinite(ms) ? day(ms) + " " + clock(ms, digits) : "unknown";
  }

  function length(seconds) {
    if (!Number.isFinite(seconds)) return "unknown";
    if (seconds < 60) return seconds.toFixed(1) + " s";
    const whole = Math.round(seconds);
    if (whole < 3600) return Math.floor(whole / 60) + " min " + two(whole % 60) + " s";
    return Math.floor(whole / 3600) + " h " + two(Math.floor(whole / 60) % 60) + " min";
  }

  function bound(seconds) {
    return Number.isFinite(seconds) && seconds !== null ? "± " + Number(seconds.toFixed(3)) + " s" : "bound unknown";
  }

  // "12.5", "1:02:03.5" or "2026-03-14 15:00" as a number in the unit of the base; NaN where it is none of them.
  function parse(text, base) {
    const tidy = text.trim();
    if (base === "stream") {
      if (/^\d+(\.\d+)?$/.test(tidy)) return Number(tidy);
      const parts = /^(\d+):(\d\d)(?::(\d\d(?:\.\d+)?))?$/.exec(tidy);
      return parts ? Number(parts[1]) * 3600 + Number(parts[2]) * 60 + Number(parts[3] || 0) : NaN;
    }
    const parts = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?::(\d\d(?:\.\d+)?))?)?Z?$/.exec(tidy);
    return parts ? Date.parse(parts[1] + "T" + (parts[2] || "00:00") + ":" + (parts[3] || "00") + "Z") : NaN;
  }

  // Minutes and seconds of a time of day, in milliseconds.
  function parseOfDay(text) {
    const parts = /^(\d\d):(\d\d)(?::(\d\d))?$/.exec(text.trim());
    return parts ? (Number(parts[1]) * 60 + Number(parts[2])) * 60000 + Number(parts[3] || 0) * 1000 : NaN;
  }

  // Round steps for an axis: the smallest that leaves `most` labels or fewer. Milliseconds.
  const STEPS = [100, 200, 500, 1000, 2000, 5000, 10000, 15000, 30000, 60000, 120000, 300000, 600000, 900000, 1800000,
    3600000, 7200000, 10800000, 21600000, 43200000, 86400000, 172800000, 604800000, 2419200000, 7257600000,
      31536000000];
  function step(range, most) {
    return STEPS.find((each) => range / each <= most) ||
      STEPS[STEPS.length - 1] * Math.ceil(range / most / STEPS[STEPS.length - 1]);
  }

  app.times = { BASES, milliseconds, stream, day, clock, wall, length, bound, parse, parseOfDay, step };
})(window.vidreview);
