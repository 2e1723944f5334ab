//! The result of `loadtest pages`.

use std::fmt;

use serde::Serialize;

use super::PAGE;
use crate::{
    chart::Chart,
    report::{P50P99Max, Report, Row, cells, write_table},
};

/// The result of `loadtest pages`. Latencies are those of `GET /v1/feed`, from sending the request to the end of its
/// answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PagesReport {
    /// Readers of each kind.
    pub readers: u32,
    /// Authors followed by readers past the window.
    pub followees: u32,
    /// First pages of readers who follow 50 authors, by the number of those whose posts are merged at read time.
    pub pulled: Vec<PulledStep>,
    /// The first page past the window, which materialises entries.
    pub beyond_first_ms: P50P99Max,
    /// The pages after that.
    pub beyond_next_ms: P50P99Max,
    /// Pages past the window that were not the posts expected.
    pub beyond_wrong_pages: u64,
    /// The first page after dormancy, of readers who follow 100 authors.
    pub dormant_ms: P50P99Max,
    /// Pages after dormancy that were not the posts expected.
    pub dormant_wrong_pages: u64,
    /// Distributions.
    #[serde(skip)]
    pub charts: Vec<Chart>,
}

/// Pages with a number of pulled authors.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PulledStep {
    /// Authors whose posts are merged at read time.
    pub authors: usize,
    /// First pages.
    pub page_ms: P50P99Max,
    /// The 99th percentile relative to that without pulled authors.
    pub p99_ratio: f64,
    /// Pages that were not the posts expected.
    pub wrong_pages: u64,
}

const PULLED_NAMES: [(&str, &str); super::PULLED.len()] =
    [("none pulled", "none: p99 ratio"), ("5 pulled", "5: p99 ratio"), ("20 pulled", "20: p99 ratio")];

impl PagesReport {
    fn rows(&self) -> Vec<Row> {
        let three = |ms: P50P99Max| format!("{:.2} / {:.2} / {:.2} ms", ms.p50, ms.p99, ms.max);
        let mut rows: Vec<Row> = vec![("readers", self.readers.to_string(), "of each kind")];
        for (step, (name, ratio)) in self.pulled.iter().zip(PULLED_NAMES) {
            rows.push((name, three(step.page_ms), "p50 / p99 / max, of 50 authors"));
            rows.push((ratio, format!("{:.2}", step.p99_ratio), "relative to none pulled"));
        }
        rows.extend([
            ("followees", self.followees.to_string(), "of the readers past the window"),
            ("materialising page", three(self.beyond_first_ms), "p50 / p99 / max, the first past the window"),
            ("page past the window", three(self.beyond_next_ms), "p50 / p99 / max, after that one"),
            ("after dormancy", three(self.dormant_ms), "p50 / p99 / max, 100 authors, first page"),
            ("wrong pages", self.wrong_pages().to_string(), "that did not show the posts expected"),
        ]);
        rows
    }

    fn wrong_pages(&self) -> u64 {
        self.pulled.iter().map(|step| step.wrong_pages).sum::<u64>()
            + self.beyond_wrong_pages
            + self.dormant_wrong_pages
    }
}

impl fmt::Display for PagesReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_table(f, &self.rows())
    }
}

impl Report for PagesReport {
    fn table(&self) -> Vec<Vec<String>> {
        cells(&self.rows())
    }

    fn charts(&self) -> &[Chart] {
        &self.charts
    }

    fn faults(&self) -> Vec<String> {
        let pulled = self.pulled.iter().map(|step| (format!("with {} pulled authors", step.authors), step.wrong_pages));
        let others = [
            ("past the window".to_owned(), self.beyond_wrong_pages),
            ("after dormancy".to_owned(), self.dormant_wrong_pages),
        ];
        let wrong = pulled.chain(others).filter(|(_, wrong)| *wrong > 0);
        wrong.map(|(kind, wrong)| format!("{wrong} pages {kind} did not show the next {PAGE} posts")).collect()
    }
}
