// What is pressed before the page is live is pressed again once it is. What is typed stays in its field, where the views
// read it; links, and forms that say where they lead, need no page that is alive.
(() => {
  const root = document.documentElement;
  const early = [];
  const keep = (pressed, again) => {
    pressed.setAttribute('aria-busy', 'true');
    early.push({ pressed, again });
  };
  const listeners = {
    click({ target }) {
      const button = target.closest('button[type=button]');
      if (button) keep(button, () => button.click());
    },
    change({ target }) {
      const { type, checked } = target;
      if (type !== 'checkbox' && type !== 'radio') return;
      keep(target, () => {
        // Coming alive may have set it back.
        if (target.checked === checked) target.dispatchEvent(new Event('change', { bubbles: true }));
        else target.click();
      });
    },
    // What is typed then is typed into the search.
    keydown(event) {
      const { key, target } = event;
      if (key !== '/' || event.ctrlKey || event.metaKey || event.altKey || target.closest('input, select, textarea')) return;
      const search = document.querySelector('main input[type=search]') ?? document.querySelector('header input[type=search]');
      if (!search) return;
      event.preventDefault();
      search.focus();
    },
    submit(event) {
      const { target: form, submitter } = event;
      if (form.hasAttribute('action')) return;
      event.preventDefault();
      keep(submitter ?? form, () => form.requestSubmit(submitter));
    },
  };
  const onceLive = new MutationObserver(() => {
    onceLive.disconnect();
    for (const [name, listener] of Object.entries(listeners)) document.removeEventListener(name, listener, true);
    for (const { pressed, again } of early) {
      pressed.removeAttribute('aria-busy');
      if (pressed.isConnected) again();
    }
  });
  onceLive.observe(root, { attributeFilter: ['data-hydrated'] });
  for (const [name, listener] of Object.entries(listeners)) document.addEventListener(name, listener, true);
})();
