//! The page of `--report`: the figures as a table, and charts. One self-contained HTML file, which is also well-formed
//! XML, for light and dark themes.

use std::fmt::Write as _;

use plotters::style::RGBColor;

use crate::{
    chart::{Chart, ChartError, GRID, INK, SERIES_COLOURS},
    report::Report,
};

/// Colours of the series in a light theme and in a dark one, for those of [`SERIES_COLOURS`].
const THEMES: [(&str, &str); SERIES_COLOURS.len()] = [
    ("#1f6fb4", "#6cb2f0"),
    ("#c2571a", "#f0995f"),
    ("#2a8a4a", "#6ed08d"),
    ("#7d4fb3", "#bf9bed"),
    ("#b8304f", "#f0819a"),
    ("#6b6b1f", "#cfcf6b"),
];

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1d2430; --dim: #5b6675; --grid: #dfe4ea; --paper: #ffffff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --dim: #a3adba; --grid: #343c48; --paper: #14181f; } }
body { background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; margin: 0 auto;
  max-width: 56rem; padding: 1.5rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; }
code { overflow-wrap: anywhere; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
td { border-bottom: 1px solid var(--grid); padding: .2rem 1rem .2rem 0; text-align: right; }
td:first-child, td:last-child { text-align: left; }
.scroll { overflow-x: auto; }
figure { margin: 2rem 0; } figcaption { font-weight: 600; }
.legend { color: var(--dim); font-weight: 400; margin-right: 1rem; white-space: nowrap; }
.key { display: inline-block; height: .7rem; margin-right: .35rem; width: .7rem; }
.note { color: var(--dim); }
svg { height: auto; max-width: 100%; }
";

/// The page of a report. `command` is the command line that made it.
///
/// # Errors
/// If a chart cannot be drawn.
pub fn of(report: &impl Report, command: &str) -> Result<String, ChartError> {
    let charts: String =
        report.charts().iter().filter(|chart| !chart.is_empty()).map(figure).collect::<Result<_, _>>()?;
    let (command, version) = (escaped(command), env!("CARGO_PKG_VERSION"));
    let cores = std::thread::available_parallelism().map_or_else(|_| "unknown".to_owned(), |cores| cores.to_string());
    Ok(format!(
        "<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>Load test: {command}</title>\n\
         <style>{STYLE}{}</style>\n</head>\n<body>\n<h1>Load test</h1>\n<p><code>{command}</code></p>\n\
         <p class=\"note\">Version {version}, {cores} cores.</p>\n<h2>Figures</h2>\n{}\n{charts}</body>\n</html>\n",
        colours(),
        table(&report.table()),
    ))
}

/// Rules that replace the placeholders in charts and colour the legends.
fn colours() -> String {
    let mut rules = format!(
        "svg text {{ fill: var(--ink); }} {} {{ stroke: var(--ink); }} {} {{ stroke: var(--grid); }}\n",
        attribute("stroke", INK),
        attribute("stroke", GRID)
    );
    for (number, (placeholder, (light, dark))) in SERIES_COLOURS.into_iter().zip(THEMES).enumerate() {
        let (stroke, fill) = (attribute("stroke", placeholder), attribute("fill", placeholder));
        // Writing to a string does not fail.
        let _ = writeln!(
            rules,
            ":root {{ --s{number}: {light}; }} @media (prefers-color-scheme: dark) {{ :root {{ --s{number}: {dark}; }} }} \
             {stroke} {{ stroke: var(--s{number}); }} {fill} {{ fill: var(--s{number}); }} \
             .k{number} {{ background: var(--s{number}); }}"
        );
    }
    rules
}

/// The selector of elements whose attribute has this colour, as the drawing library writes it.
fn attribute(name: &str, colour: RGBColor) -> String {
    format!("svg [{name}=\"{}\"]", hex(colour))
}

fn hex(RGBColor(red, green, blue): RGBColor) -> String {
    format!("#{red:02X}{green:02X}{blue:02X}")
}

fn table(rows: &[Vec<String>]) -> String {
    let mut table = "<div class=\"scroll\"><table>\n".to_owned();
    for row in rows {
        let cells: Vec<String> = row.iter().map(|cell| escaped(cell)).collect();
        table.extend(["<tr><td>", &cells.join("</td><td>"), "</td></tr>\n"]);
    }
    table + "</table></div>"
}

fn figure(chart: &Chart) -> Result<String, ChartError> {
    let legend = |(number, name): (usize, &str)| {
        format!("<span class=\"legend\"><span class=\"key k{number}\"></span>{}</span>", escaped(name))
    };
    let legends: String = chart.series().iter().map(|series| series.name).enumerate().map(legend).collect();
    let title = escaped(chart.title());
    let svg = chart.svg()?.replacen("<svg ", &format!("<svg role=\"img\" aria-label=\"{title}\" "), 1);
    Ok(format!("<figure>\n<figcaption>{title}<br/>{legends}</figcaption>\n{svg}</figure>\n"))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use std::{fmt, time::Duration};

    use roxmltree::{Document, Node, ParsingOptions};
    use serde::Serialize;

    use super::*;
    use crate::{chart::Series, report::Latencies};

    #[derive(Serialize)]
    struct Sample {
        #[serde(skip)]
        charts: Vec<Chart>,
    }

    impl fmt::Display for Sample {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            Ok(())
        }
    }

    impl Report for Sample {
        fn table(&self) -> Vec<Vec<String>> {
            vec![vec!["a <b>".to_owned(), "1 & 2".to_owned(), "\"quoted\"".to_owned()]]
        }

        fn charts(&self) -> &[Chart] {
            &self.charts
        }

        fn faults(&self) -> Vec<String> {
            Vec::new()
        }
    }

    fn document(page: &str) -> Document<'_> {
        Document::parse_with_options(page, ParsingOptions { allow_dtd: true, ..ParsingOptions::default() }).unwrap()
    }

    fn sample() -> Sample {
        let mut latencies = Latencies::new();
        for millis in 1..1_000 {
            latencies.record(Duration::from_millis(millis));
        }
        let line = |name, value| Series { name, points: (0..50).map(|at| (f64::from(at), value)).collect() };
        let charts = vec![
            Chart::latencies("Latency", [("reads & posts", &latencies), ("none", &Latencies::new())]),
            Chart::over_time("Throughput", "per second", [line("entries", 9e5), line("requests", 4e3)]),
            Chart::over_time("Queue depth", "messages", [line("waiting", 0.0)]),
        ];
        Sample { charts }
    }

    fn elements<'a>(document: &'a Document<'_>, name: &'static str) -> impl Iterator<Item = Node<'a, 'a>> {
        document.descendants().filter(move |node| node.tag_name().name() == name)
    }

    /// Whether a line is a series and not an axis or a tick.
    fn is_series(line: &Node<'_, '_>) -> bool {
        let stroke = line.attribute("stroke").unwrap_or_default();
        SERIES_COLOURS.iter().any(|colour| hex(*colour) == stroke)
    }

    #[test]
    fn a_page_shows_command_figures_and_lines() {
        let page = of(&sample(), "loadtest fanout --json 'a&b'").unwrap();
        let document = document(&page);
        assert_eq!(elements(&document, "svg").count(), 2, "a chart of zeros is left out");
        assert_eq!(elements(&document, "polyline").filter(is_series).count(), 3, "one line per series");
        let text: String = document.descendants().filter_map(|node| node.text()).collect();
        let figures = ["loadtest fanout --json 'a&b'", "a <b>", "1 & 2", "\"quoted\""];
        let legends = ["reads & posts", "entries", "requests", "latency, ms", "per second", "99.9%"];
        for shown in figures.into_iter().chain(legends) {
            assert!(text.contains(shown), "{shown}: {text}");
        }
        assert!(!text.contains("Queue depth"));
    }

    #[test]
    fn a_page_refers_to_no_other_file() {
        let page = of(&sample(), "loadtest").unwrap();
        assert!(!page.contains("href") && !page.contains("src=") && !page.contains("url("), "{page}");
    }
}
