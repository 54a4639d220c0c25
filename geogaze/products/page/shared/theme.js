// Dark or light as the system is, until somebody chooses. No module: it runs before anything shows.

(() => {
  const NAME = "geogaze-theme";
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const kept = () => {
    try {
      return localStorage.getItem(NAME);
    } catch {
      return null; // a browser that keeps nothing
    }
  };
  const show = () => (root.dataset.theme = kept() ?? (dark.matches ? "dark" : "light"));
  show();
  dark.addEventListener("change", show);
  addEventListener("storage", show); // chosen on the page around this one, or within it
  document.addEventListener("click", (event) => {
    if (!event.target.closest?.("#theme")) return;
    root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
    try {
      localStorage.setItem(NAME, root.dataset.theme);
    } catch {
      // It holds for this page.
    }
  });
})();
