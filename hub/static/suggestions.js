// Suggestions below a search box: the editable combobox with a list of WAI-ARIA's patterns.
// Without this file the box is a box.

const PAUSE = 150; // Milliseconds without a key before the server is asked.
const KEPT = 50; // Answers that are remembered.
const said = document.body.dataset;
let numbers = 0;

class Suggestions {
  constructor(box) {
    this.box = box;
    this.id = `suggestions-${++numbers}`;
    this.answers = new Map();
    this.chosen = -1;
    this.typed = box.value;
    this.list = document.createElement("ul");
    Object.assign(this.list, { id: this.id, className: "suggestions", hidden: true });
    this.list.setAttribute("role", "listbox");
    this.list.setAttribute("aria-label", said.suggestionsLabel);
    this.status = document.createElement("p");
    this.status.className = "visually-hidden";
    this.status.setAttribute("aria-live", "polite");
    box.form.append(this.list, this.status);
    for (const [name, value] of Object.entries({
      role: "combobox",
      "aria-autocomplete": "list",
      "aria-expanded": "false",
      "aria-controls": this.id,
    })) box.setAttribute(name, value);
    box.addEventListener("input", (event) => this.changed(event));
    box.addEventListener("compositionend", (event) => this.changed(event));
    box.addEventListener("keydown", (event) => this.pressed(event));
    box.addEventListener("blur", () => this.close());
    // Before the box loses the focus, which would close the list under the finger.
    this.list.addEventListener("pointerdown", (event) => event.preventDefault());
    this.list.addEventListener("click", (event) => this.take(event.target.closest("li")));
  }

  changed(event) {
    clearTimeout(this.timer);
    this.typed = this.box.value;
    if (event.isComposing) return; // Letters of a word that is not written yet.
    if (!this.typed.trim()) return this.close();
    this.timer = setTimeout(() => this.ask(this.typed), PAUSE);
  }

  async ask(text) {
    this.asking?.abort();
    this.asking = new AbortController();
    try {
      if (!this.answers.has(text)) {
        const address = `${this.box.dataset.suggestions}?${new URLSearchParams({ q: text })}`;
        const answer = await fetch(address, { signal: this.asking.signal });
        if (!answer.ok) return this.close();
        if (this.answers.size >= KEPT) this.answers.clear();
        this.answers.set(text, await answer.json());
      }
    } catch {
      return; // Out of reach, or something else was typed meanwhile: the box works as it is.
    }
    if (this.box.value === text && document.activeElement === this.box) {
      this.show(this.answers.get(text));
    }
  }

  show(found) {
    this.choose(-1);
    this.list.replaceChildren(...found.map((one, number) => this.option(one, number)));
    this.list.hidden = !found.length;
    this.box.setAttribute("aria-expanded", String(found.length > 0));
    this.status.textContent = said.suggestionsCount.replace("{count}", found.length);
  }

  option({ text, kind }, number) {
    const option = document.createElement("li");
    option.id = `${this.id}-${number}`;
    option.setAttribute("role", "option");
    option.setAttribute("aria-selected", "false");
    option.dataset.text = text;
    const shown = document.createElement("span");
    shown.textContent = text;
    option.append(shown);
    const label = { own: said.suggestionsOwn, unit: said.suggestionsUnit, tag: said.suggestionsTag };
    if (label[kind]) {
      const from = document.createElement("span");
      from.className = "suggestion-kind";
      from.textContent = label[kind];
      option.append(" ", from);
    }
    return option;
  }

  pressed(event) {
    if (event.isComposing) return;
    const count = this.list.hidden ? 0 : this.list.children.length;
    if (event.key === "Escape" && count) {
      event.preventDefault();
      this.box.value = this.typed;
      this.close();
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && !event.altKey) {
      event.preventDefault();
      if (!count) return this.typed.trim() ? this.ask(this.typed) : undefined;
      const step = event.key === "ArrowDown" ? 1 : -1;
      // One place more than there are suggestions: what was typed.
      this.choose(((this.chosen + 1 + step + count + 1) % (count + 1)) - 1);
    } else if (event.key === "Enter" && this.chosen >= 0) {
      event.preventDefault();
      this.take(this.list.children[this.chosen]);
    }
  }

  choose(number) {
    this.list.children[this.chosen]?.setAttribute("aria-selected", "false");
    this.chosen = number;
    const option = this.list.children[number];
    if (option) {
      option.setAttribute("aria-selected", "true");
      option.scrollIntoView({ block: "nearest" });
      this.box.setAttribute("aria-activedescendant", option.id);
    } else {
      this.box.removeAttribute("aria-activedescendant");
    }
  }

  take(option) {
    if (!option) return;
    this.box.value = option.dataset.text;
    this.close();
    this.box.form.requestSubmit();
  }

  close() {
    clearTimeout(this.timer);
    this.asking?.abort();
    this.choose(-1);
    this.list.hidden = true;
    this.box.setAttribute("aria-expanded", "false");
    this.status.textContent = "";
  }
}

for (const box of document.querySelectorAll("input[data-suggestions]")) new Suggestions(box);
