/* Takes the place of the theme's script of the same name. Debian ships that one as an ES module that
 * the page loads as a plain script, so that it stops at its first line. This one does the part that
 * is needed: the button that cycles light, dark and the reader's preference. */
(function () {
  "use strict";
  const order = ["auto", "light", "dark"];

  function remembered() {
    try {
      return localStorage.getItem("theme") || "auto";
    } catch (error) {
      return "auto"; /* Storage is refused to pages opened as files in some browsers. */
    }
  }

  function show(theme) {
    document.body.dataset.theme = theme;
    try {
      localStorage.setItem("theme", theme);
    } catch (error) {
      /* Then the choice lasts as long as the page. */
    }
  }

  function start() {
    show(remembered());
    for (const button of document.getElementsByClassName("theme-toggle")) {
      button.addEventListener("click", function () {
        const now = order.indexOf(document.body.dataset.theme);
        show(order[(now + 1) % order.length]);
      });
    }
    document.documentElement.classList.remove("no-js");
  }

  document.addEventListener("DOMContentLoaded", start);
})();
