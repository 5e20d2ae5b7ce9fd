"use strict";
// Follows the local Slack: asks for the channel anew when told that something changed (server-sent events),
// and every two seconds while it is not told anything. All HTML comes escaped from the server.
(() => {
  const log = document.getElementById("log");
  const live = document.getElementById("live");
  let busy = false;
  let again = false;
  let shown = null;

  const say = (state, words) => {
    live.className = "live " + state;
    live.textContent = words;
  };

  const refresh = async () => {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const answer = await fetch("/channel", { cache: "no-store" });
      if (!answer.ok) { throw new Error("status " + answer.status); }
      const html = await answer.text();
      if (html !== shown) {
        const known = new Set(Array.from(log.querySelectorAll("article"), (article) => article.id));
        const open = Array.from(log.querySelectorAll("details[open]"), (details) => details.id);
        const atEnd = window.innerHeight + window.scrollY >= document.body.scrollHeight - 120;
        log.innerHTML = html;
        open.forEach((id) => { const details = document.getElementById(id); if (details) { details.open = true; } });
        const arrived = Array.from(log.querySelectorAll("article")).filter((article) => !known.has(article.id));
        if (shown !== null) { arrived.forEach((article) => article.classList.add("fresh")); }
        if (arrived.length && atEnd && shown !== null) { window.scrollTo(0, document.body.scrollHeight); }
        shown = html;
      }
      say("on", "live");
    } catch (error) {
      say("off", "not connected");
    } finally {
      busy = false;
      if (again) { again = false; refresh(); }
    }
  };

  let polling = null;
  const poll = () => { if (polling === null) { polling = window.setInterval(refresh, 2000); } };
  if (!window.EventSource) { poll(); refresh(); return; }
  const events = new EventSource("/events");
  events.onopen = () => { window.clearInterval(polling); polling = null; };
  events.onmessage = refresh;
  events.onerror = () => { say("off", "not connected"); poll(); };
})();
