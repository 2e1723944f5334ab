// Runs before the first paint: the chosen colours, so that a dark page does not flash.
try {
  const theme = JSON.parse(localStorage.getItem("tweeter.theme") ?? "null");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // The system's colours.
}
