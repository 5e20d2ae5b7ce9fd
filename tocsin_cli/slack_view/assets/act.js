// Buttons, dialogs and commands of the live page: each asks the local Slack to tell the app, and shows what came of it.
(() => {
  const log = document.getElementById("log");
  const who = document.getElementById("who");
  const note = document.getElementById("only-you");
  const text = (tag, words) => { const made = document.createElement(tag); made.textContent = words; return made; };

  const send = async (path, body) => {
    const answer = await fetch(path, {
      method: "POST", headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ ...body, user: who.value }),
    });
    return answer.json();
  };

  const show = (answer) => {
    note.replaceChildren();
    const lines = answer.ephemeral || [];
    if (answer.error) { lines.push(answer.error); }
    if (answer.ok === false && !lines.length) { lines.push("⚠️ The app did not answer (status " + answer.status + ")."); }
    if (!lines.length) { note.hidden = true; return; }
    note.append(text("b", "Only visible to you"));
    lines.forEach((line) => note.append(text("p", line)));
    note.hidden = false;
  };

  const ask = (dialog) => {
    const box = document.createElement("dialog");
    box.className = "modal";
    const fields = {};
    const errors = {};
    box.append(text("h2", dialog.view.title.text));
    dialog.view.blocks.forEach((block) => {
      const label = text("label", block.label.text);
      let field;
      if (block.element.type === "static_select") {
        field = document.createElement("select");
        block.element.options.forEach((option) => {
          const made = text("option", option.text.text);
          made.value = option.value;
          field.append(made);
        });
      } else {
        field = document.createElement("input");
        field.maxLength = block.element.max_length || 3000;
      }
      field.name = block.block_id;
      fields[block.block_id] = field;
      errors[block.block_id] = text("p", "");
      errors[block.block_id].className = "wrong";
      label.append(field);
      box.append(label, errors[block.block_id]);
    });
    const submit = text("button", dialog.view.submit.text);
    const cancel = text("button", dialog.view.close.text);
    submit.className = "button primary";
    cancel.className = "button plain";
    cancel.onclick = () => box.remove();
    submit.onclick = async () => {
      submit.disabled = true;
      const values = Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.value]));
      const answer = await send("/api/submit", { view_id: dialog.view_id, values });
      submit.disabled = false;
      Object.entries(errors).forEach(([name, place]) => { place.textContent = (answer.errors || {})[name] || ""; });
      if (Object.keys(answer.errors || {}).length) { return; }
      box.remove();
      show(answer);
    };
    const row = document.createElement("div");
    row.className = "actions";
    row.append(submit, cancel);
    box.append(row);
    document.body.append(box);
    box.showModal();
  };

  log.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-action]");
    const article = button && button.closest("article");
    if (!article || button.closest(".edits")) { return; }
    if (button.dataset.confirm && !window.confirm(button.dataset.confirm)) { return; }
    button.disabled = true;
    const ts = article.id.slice(1);
    const answer = await send("/api/press", { ts, action_id: button.dataset.action, value: button.dataset.value || "" });
    button.disabled = false;
    show(answer);
    if (answer.dialog) { ask(answer.dialog); }
  });

  const command = document.getElementById("command");
  command.addEventListener("keydown", async (event) => {
    if (event.key !== "Enter" || !command.value.startsWith("/tocsin")) { return; }
    const typed = command.value.slice("/tocsin".length).trim();
    command.value = "";
    show(await send("/api/command", { text: typed }));
  });
})();
