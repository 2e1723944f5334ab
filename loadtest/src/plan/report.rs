//! The plan as tables, as Markdown and as JSON.

use std::fmt;

use serde::Serialize;

use super::{
    acts,
    delivery::Delivery,
    model::{Load, Service},
    phases::Phase,
};
use crate::{
    cost::{bill::Bill, prices},
    report::Report,
    table::{self, number, thousands},
};

/// Thresholds compared.
const THRESHOLDS: [f64; 10] = [1e2, 1e3, 5e3, 1e4, 5e4, 1e5, 5e5, 1e6, 1e7, f64::INFINITY];

/// The result of `loadtest plan`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlanReport {
    /// Validity of the prices.
    pub prices: &'static str,
    /// The services, by their daily users.
    pub sizes: Vec<Size>,
    /// The phases of growth.
    pub phases: Vec<PhaseEnd>,
}

/// A service of one size.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Size {
    /// Daily users.
    pub daily: f64,
    /// Accounts.
    pub users: f64,
    /// Share of accounts that fan-out skips.
    pub dormant: f64,
    /// Followers of the largest author.
    pub largest_author: f64,
    /// Authors whose posts are pulled.
    pub pulled_authors: f64,
    /// Pulled authors whom a user follows, on average.
    pub pulled_followees: f64,
    /// Feed entries delivered per day.
    pub deliveries: f64,
    /// Read units of a feed page.
    pub page_reads: f64,
    /// Write units per day.
    pub writes: f64,
    /// Read units per day.
    pub reads: f64,
    /// SQS requests per day.
    pub sqs_requests: f64,
    /// Write units on Feed per second, in the busiest hour.
    pub peak_feed_writes: f64,
    /// Read units on Social per second, in the busiest hour.
    pub peak_social_reads: f64,
    /// Concurrent invocations of Lambda, in the busiest hour.
    pub concurrency: f64,
    /// The bill of a month, in US dollars.
    pub bill: Bill,
    /// Storage for a month, in US dollars: entries of the window, and posts of a year.
    pub storage_usd: f64,
    /// Bill and storage.
    pub usd_a_month: f64,
    /// The first phase on AWS that suffices.
    pub phase: Option<&'static str>,
    /// Times to deliver in that phase, in seconds.
    pub delivery: Option<Delivery>,
    /// Followers from which on posts are pulled.
    pub threshold: f64,
    /// The bill of a month with each threshold.
    pub thresholds: Vec<Threshold>,
    /// The cheapest of these thresholds; `None` (null) if nothing should be pulled.
    pub cheapest_threshold: Option<f64>,
}

/// The bill with a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Threshold {
    /// Followers from which on posts are pulled; `None` (null): none is.
    pub threshold: Option<f64>,
    /// Dollars per month.
    pub usd_a_month: f64,
    /// Pulled authors whom a user follows, on average: queries of a page.
    pub pulled_followees: f64,
    /// Seconds from a post's answer to the last entry of the largest fan-out. `None` (null): the backlog grows.
    pub last_entry: Option<f64>,
}

/// The end of a phase.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PhaseEnd {
    /// The phase.
    pub phase: &'static str,
    /// The most daily users.
    pub daily: f64,
    /// The resource that ends it.
    pub bottleneck: &'static str,
    /// Its capacity.
    pub capacity: f64,
}

impl Size {
    fn new(service: &Service) -> Self {
        let load = service.load();
        let thresholds = THRESHOLDS.map(|threshold| Threshold::new(service, threshold)).to_vec();
        let cheapest = thresholds.iter().min_by(|one, other| one.usd_a_month.total_cmp(&other.usd_a_month));
        Self {
            daily: service.daily,
            users: service.users(),
            dormant: load.dormant,
            largest_author: load.buckets.first().map_or(0.0, |bucket| bucket.followers),
            pulled_authors: load.pulled_authors,
            pulled_followees: load.pulled_followees,
            deliveries: load.deliveries,
            page_reads: acts::page(acts::PAGE_POSTS, load.pulled_followees, &load.hits).units_read(),
            writes: load.day.writes(),
            reads: load.day.units_read(),
            sqs_requests: load.day.sqs_requests,
            peak_feed_writes: load.at_peak(load.day.feed_writes),
            peak_social_reads: load.at_peak(load.day.other_reads),
            concurrency: load.concurrency(),
            bill: load.month(),
            storage_usd: load.storage(),
            usd_a_month: load.month_total(),
            phase: Phase::on_aws(&load).map(Phase::name),
            delivery: delivery(&load),
            threshold: service.threshold,
            cheapest_threshold: cheapest.and_then(|it| it.threshold),
            thresholds,
        }
    }
}

impl Threshold {
    fn new(service: &Service, threshold: f64) -> Self {
        let load = Service { threshold, ..*service }.load();
        Self {
            threshold: threshold.is_finite().then_some(threshold),
            usd_a_month: load.month_total(),
            pulled_followees: load.pulled_followees,
            last_entry: delivery(&load).map(|it| it.largest),
        }
    }
}

/// The times to deliver, in the first phase on AWS that suffices.
fn delivery(load: &Load) -> Option<Delivery> {
    Phase::on_aws(load)?.pipeline(load).delivers(load)
}

impl PlanReport {
    /// Plans these services. The phases are those of the first.
    pub fn new(services: &[Service]) -> Self {
        let end = |(phase, service): (Phase, &Service)| {
            let (daily, bottleneck) = phase.largest(service);
            PhaseEnd { phase: phase.name(), daily, bottleneck: bottleneck.name, capacity: bottleneck.capacity }
        };
        let first = services.iter().take(1);
        Self {
            prices: prices::VALIDITY,
            sizes: services.iter().map(Size::new).collect(),
            phases: first.flat_map(|service| Phase::ALL.map(|phase| (phase, service))).map(end).collect(),
        }
    }

    /// The tables of docs/scale.md.
    pub fn markdown(&self) -> String {
        let [sizes, thresholds, phases] = self.tables().map(|rows| table::markdown(&rows));
        format!("{sizes}\n{}\n\n{thresholds}\n{phases}", self.cheapest())
    }

    fn tables(&self) -> [Vec<Vec<String>>; 3] {
        [self.size_rows(), self.threshold_rows(), self.phase_rows()]
    }

    fn row(&self, name: &str, cell: impl Fn(&Size) -> String) -> Vec<String> {
        std::iter::once(name.to_owned()).chain(self.sizes.iter().map(cell)).collect()
    }

    fn size_rows(&self) -> Vec<Vec<String>> {
        let mut rows = vec![
            self.row("daily users", |it| short(it.daily)),
            self.row("accounts", |it| short(it.users)),
            self.row("largest author's followers", |it| short(it.largest_author)),
            self.row("pulled authors", |it| short(it.pulled_authors)),
            self.row("of these followed by a user", |it| number(it.pulled_followees)),
            self.row("feed entries a day", |it| short(it.deliveries)),
            self.row("read units of a feed page", |it| number(it.page_reads)),
            self.row("write units a day", |it| short(it.writes)),
            self.row("read units a day", |it| short(it.reads)),
            self.row("SQS requests a day", |it| short(it.sqs_requests)),
            self.row("peak: write units a second on Feed", |it| short(it.peak_feed_writes)),
            self.row("peak: read units a second on Social", |it| short(it.peak_social_reads)),
            self.row("peak: concurrent functions", |it| short(it.concurrency)),
        ];
        let lines = Bill::default().lines();
        rows.extend(
            lines
                .iter()
                .enumerate()
                .map(|(place, (name, _))| self.row(&format!("{name}, a month"), |it| usd(it.bill.lines()[place].1))),
        );
        rows.extend([
            self.row("storage, a month", |it| usd(it.storage_usd)),
            self.row("**total, a month**", |it| format!("**{}**", usd(it.usd_a_month))),
            self.row("a daily user, a month", |it| format!("${:.3}", it.usd_a_month / it.daily)),
            self.row("phase on AWS", |it| it.phase.unwrap_or("none").to_owned()),
            self.row("time to deliver, p50", |it| seconds(it.delivery.map(|it| it.p50))),
            self.row("time to deliver, p99", |it| seconds(it.delivery.map(|it| it.p99))),
            self.row("last entry of the largest fan-out", |it| seconds(it.delivery.map(|it| it.largest))),
        ]);
        rows
    }

    fn threshold_rows(&self) -> Vec<Vec<String>> {
        let mut rows = vec![self.row("posts are pulled from", |it| format!("{} daily users", short(it.daily)))];
        let places = self.sizes.first().map_or(0, |size| size.thresholds.len());
        rows.extend((0..places).map(|place| {
            let name = threshold_name(self.sizes[0].thresholds[place].threshold);
            self.row(&name, |it| cell(&it.thresholds[place], it.cheapest_threshold))
        }));
        rows
    }

    fn phase_rows(&self) -> Vec<Vec<String>> {
        let header = ["phase", "daily users at most", "bottleneck", "its capacity"].map(str::to_owned).to_vec();
        let row = |end: &PhaseEnd| {
            vec![end.phase.to_owned(), short(end.daily), end.bottleneck.to_owned(), number(end.capacity)]
        };
        std::iter::once(header).chain(self.phases.iter().map(row)).collect()
    }

    /// Names the cheapest thresholds.
    fn cheapest(&self) -> String {
        let each = self
            .sizes
            .iter()
            .map(|size| format!("{} with {} daily users", threshold_name(size.cheapest_threshold), short(size.daily)));
        format!("The cheapest threshold: {}.", each.collect::<Vec<_>>().join("; "))
    }
}

impl Report for PlanReport {
    /// One table below the other, each with its header.
    fn table(&self) -> Vec<Vec<String>> {
        let plain = |cell: String| cell.replace("**", "");
        self.tables().into_iter().flatten().map(|row| row.into_iter().map(plain).collect()).collect()
    }

    fn faults(&self) -> Vec<String> {
        Vec::new()
    }
}

impl fmt::Display for PlanReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [sizes, thresholds, phases] = self.tables().map(|rows| table::plain(&rows));
        writeln!(f, "{sizes}\n{thresholds}{}\n\n{phases}\nPrices: {}.", self.cheapest(), self.prices)
    }
}

/// A bill and the time of the largest fan-out, in bold if it is that of the cheapest threshold.
fn cell(it: &Threshold, cheapest: Option<f64>) -> String {
    let text = format!("{}, {}", usd(it.usd_a_month), seconds(it.last_entry));
    if it.threshold == cheapest { format!("**{text}**") } else { text }
}

fn threshold_name(threshold: Option<f64>) -> String {
    threshold.map_or("never".to_owned(), |it| format!("{} followers", number(it)))
}

/// Formats a large number with three digits and its power of a thousand.
fn short(number: f64) -> String {
    const NAMES: [&str; 5] = ["", " k", " M", " bn", " tn"];
    let mut power = 0;
    let mut rest = number;
    while rest >= 999.5 && power + 1 < NAMES.len() {
        rest /= 1_000.0;
        power += 1;
    }
    let places = if power == 0 || rest >= 99.95 { 0 } else { usize::from(rest.fract().abs() > 0.049) };
    format!("{rest:.places$}{}", NAMES[power])
}

/// Formats dollars without cents.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a bill, far below 2^64")]
fn usd(dollars: f64) -> String {
    format!("${}", thousands(dollars.round() as u64))
}

fn seconds(seconds: Option<f64>) -> String {
    match seconds {
        None => "backlog grows".to_owned(),
        Some(seconds) if seconds < 100.0 => format!("{seconds:.1} s"),
        Some(seconds) => format!("{} min", number((seconds / 60.0).round())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_are_shortened() {
        let texts = [0.0, 12.0, 1_000.0, 1_260.0, 999_600.0, 56_000_000.0, 1.25e10].map(short);
        assert_eq!(texts, ["0", "12", "1 k", "1.3 k", "1.0 M", "56 M", "12.5 bn"]);
    }

    /// `cargo run --release -p loadtest -- plan --markdown` prints the tables of docs/scale.md.
    #[test]
    fn scale_document_has_these_tables() {
        let document = include_str!("../../../docs/scale.md");
        let (_, after) = document.split_once("<!-- loadtest plan --markdown -->\n").unwrap();
        let (tables, _) = after.split_once("<!-- end -->").unwrap();
        let expected = PlanReport::new(&crate::plan::options::tests::defaults().services()).markdown();
        assert_eq!(tables.trim(), expected.trim(), "run `loadtest plan --markdown` and paste its output");
    }
}
