"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const root = document.documentElement;

  // Light or dark: the system's wish until the reader says otherwise.
  const theme = $("theme");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
  const label = () => { theme.textContent = isDark() ? "Light" : "Dark"; };
  theme.hidden = false;
  theme.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; label(); });
  dark.addEventListener("change", label);
  label();

  // The filter. What is searched is what is shown, read once when it is first needed.
  const form = $("filter");
  const fields = { q: $("q"), b: $("f-boundary"), v: $("f-verdict"), s: $("f-severity"), t: $("f-tool") };
  const probes = [...document.querySelectorAll("details.p")].map((element) => ({
    element,
    trials: [...element.querySelectorAll("details.t")].map((trial) => ({ element: trial })),
  }));
  const total = probes.reduce((sum, probe) => sum + probe.trials.length, 0);
  const own = (probe) => probe.text ??= [...probe.element.children]
    .flatMap((child) => child.matches(".body") ? [...child.children].filter((part) => !part.matches("details")) : [child])
    .map((part) => part.textContent).join(" ").toLowerCase();
  const text = (trial) => trial.text ??= trial.element.textContent.toLowerCase();
  const set = (element, hidden) => { if (element.hidden !== hidden) element.hidden = hidden; };

  const apply = () => {
    const q = fields.q.value.trim().toLowerCase();
    const [b, v, s, t] = [fields.b.value, fields.v.value, fields.s.value, fields.t.value];
    let shown = 0, trials = 0;
    for (const probe of probes) {
      const data = probe.element.dataset;
      let any = false;
      if ((!b || data.b === b) && (!s || data.s === s)) {
        const named = !q || own(probe).includes(q);
        for (const trial of probe.trials) {
          const fits = (!v || trial.element.dataset.v === v) && (!t || trial.element.dataset.t === t)
            && (named || text(trial).includes(q));
          set(trial.element, !fits);
          if (fits) { any = true; trials += 1; }
        }
        if (!probe.trials.length) any = named && !t && (!v || data.v === v);
      }
      set(probe.element, !any);
      if (any) shown += 1;
    }
    $("nothing").hidden = shown > 0;
    const all = shown === probes.length && trials === total;
    $("shown").textContent = all
      ? `${probes.length} probes, ${total} trials`
      : `${shown} of ${probes.length} probes, ${trials} of ${total} trials`;
  };
  let waiting = 0;
  const soon = () => { clearTimeout(waiting); waiting = setTimeout(apply, 80); };
  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(apply));
  fields.q.addEventListener("input", soon);
  for (const name of ["b", "v", "s", "t"]) fields[name].addEventListener("change", apply);
  apply();

  // A cell of the matrix sets the filter.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-boundary]");
    if (!link) return;
    fields.q.value = fields.v.value = fields.s.value = "";
    fields.b.value = link.dataset.boundary;
    fields.t.value = link.dataset.tool ?? "";
    apply();
  });

  // An address opens what it names, whatever the filter hides.
  const arrive = () => {
    const hash = location.hash.slice(1);
    if (!hash) return;
    let target = $(hash);
    if (!target) { try { target = $(decodeURIComponent(hash)); } catch { return; } }
    if (!target) return;
    if (target.closest("[hidden]")) { form.reset(); apply(); }
    for (let at = target; at; at = at.parentElement) if (at instanceof HTMLDetailsElement) at.open = true;
    document.querySelector(".here")?.classList.remove("here");
    (target.querySelector(":scope > summary") ?? target).classList.toggle("here", target instanceof HTMLDetailsElement);
    target.scrollIntoView({ block: "start", behavior: "instant" });
    // Once more when what stands above has its real height.
    requestAnimationFrame(() => target.scrollIntoView({ block: "start", behavior: "instant" }));
    target.querySelector(":scope > summary")?.focus({ preventScroll: true });
  };
  addEventListener("hashchange", arrive);
  arrive();

  // What is opened can be linked to.
  $("list").addEventListener("click", (event) => {
    const summary = event.target.closest("summary");
    if (summary && !summary.parentElement.open) history.replaceState(null, "", "#" + summary.parentElement.id);
  });

  const typing = (element) => element.matches("input, select, textarea");
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") { form.reset(); apply(); document.activeElement?.blur(); return; }
    if (typing(event.target)) return;
    if (event.key === "/") { event.preventDefault(); form.scrollIntoView({ block: "start", behavior: "instant" }); fields.q.focus({ preventScroll: true }); fields.q.select(); return; }
    const step = { j: 1, k: -1 }[event.key];
    if (!step) return;
    const stops = probes.filter((probe) => !probe.element.hidden)
      .flatMap((probe) => [probe.element, ...(probe.element.open ? probe.trials.map((trial) => trial.element) : [])])
      .filter((element) => !element.hidden).map((element) => element.firstElementChild);
    const at = stops.indexOf(document.activeElement);
    const next = stops[at < 0 ? (step > 0 ? 0 : stops.length - 1) : Math.min(Math.max(at + step, 0), stops.length - 1)];
    next?.focus();
    next?.scrollIntoView({ block: "nearest", behavior: "instant" });
  });
})();
