// Dark or light as the system is, until somebody chooses. No module: it runs before anything shows.

(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const kept = (() => {
    try {
      return localStorage.getItem("geogaze-theme");
    } catch {
      return null; // a browser that keeps nothing
    }
  })();
  const system = () => (dark.matches ? "dark" : "light");
  document.documentElement.dataset.theme = kept ?? system();
  if (!kept) dark.addEventListener("change", () => (document.documentElement.dataset.theme = system()));
})();
