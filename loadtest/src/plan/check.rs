//! A measured run of a small service beside its plan: units and requests of a population, and the time of a fan-out.

use std::fmt;

use rand::{SeedableRng as _, rngs::StdRng};
use serde::Serialize;

use super::{
    acts::{self, FanOut, Hits},
    delivery::Pipeline,
    hits,
};
use crate::{
    cost::{
        bill::Amounts,
        measure::{self, PopulationWork},
    },
    error::LoadtestError,
    fanout,
    graph::Graph,
    options::{FanoutOptions, Places, StackOptions},
    report::Report,
    table::{self, number},
};

/// Users of the population.
const USERS: usize = 400;
/// The graph's seed: every check draws the same edges.
const SEED: u64 = 12;
/// Followers of the fan-out that gives the rate, and of the one that is predicted.
const FOLLOWERS: [u64; 2] = [10_000, 100_000];
/// Posts of each, of whose times the mean is taken.
const POSTS: u64 = 5;

/// The result of `loadtest plan --check`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckReport {
    /// Users of the population, who post and read once.
    pub users: usize,
    /// Follows among them.
    pub follows: u64,
    /// The figures compared.
    pub figures: Vec<Figure>,
}

/// A figure of the plan, and of the run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// Its name.
    pub name: &'static str,
    /// The plan's.
    pub planned: f64,
    /// The run's.
    pub measured: f64,
    /// The plan's deviation from the run, as a share of it.
    pub error: f64,
}

impl Figure {
    fn new(name: &'static str, planned: f64, measured: f64) -> Self {
        Self { name, planned, measured, error: planned / measured - 1.0 }
    }
}

/// Measures and compares.
///
/// # Errors
/// Failures of the service under test.
pub async fn run() -> Result<CheckReport, LoadtestError> {
    let (graph, population) = measured_population(USERS).await?;
    let mut figures = compared(&graph, &population);
    let mut times = Vec::new();
    for followers in FOLLOWERS {
        times.push(fan_out_seconds(followers).await?);
    }
    figures.push(Figure::new("seconds of a fan-out to 100,000", predicted(times[0]), times[1]));
    Ok(CheckReport { users: graph.users.len(), follows: graph.edge_count(), figures })
}

/// Draws a population, and measures it.
async fn measured_population(users: usize) -> Result<(Graph, PopulationWork), LoadtestError> {
    let graph = Graph::draw(users, &mut StdRng::seed_from_u64(SEED));
    let population = measure::population(&graph).await?;
    Ok((graph, population))
}

/// The mean time of a fan-out in one process, from the request to the last entry, in seconds.
async fn fan_out_seconds(followers: u64) -> Result<f64, LoadtestError> {
    let (places, stack) = (Places::default(), StackOptions::default());
    let report = fanout::run(&FanoutOptions { followers, posts: POSTS, places, stack }).await?;
    Ok(followers as f64 / report.entries_per_second)
}

/// The time of the larger fan-out, at the rate of the smaller.
fn predicted(seconds: f64) -> f64 {
    let rate = FOLLOWERS[0] as f64 / seconds;
    let pipeline = Pipeline { capacity: rate, one_fan_out: rate, first_entry: [0.0; 2] };
    pipeline.completes(FOLLOWERS[1] as f64, 0.0).unwrap_or(f64::INFINITY)
}

fn compared(graph: &Graph, population: &PopulationWork) -> Vec<Figure> {
    let (planned, measured) = (planned_posts(graph), Amounts::from(&population.posts));
    let planned_reads = planned_reads(graph, population.reading.as_secs_f64());
    let measured_reads = Amounts::from(&population.reads);
    vec![
        Figure::new("posts: write units on Feed", planned.feed_writes, measured.feed_writes),
        Figure::new("posts: write units on Social", planned.other_writes, measured.other_writes),
        Figure::new("posts: read units", planned.units_read(), measured.units_read()),
        Figure::new("posts: SQS requests", planned.sqs_requests, measured.sqs_requests),
        Figure::new("posts: invocations", planned.invocations(), measured.invocations()),
        Figure::new("pages: read units", planned_reads.units_read(), measured_reads.units_read()),
        Figure::new("pages: bytes sent", planned_reads.answer_bytes, measured_reads.answer_bytes),
    ]
}

/// Followers of each author, the famous one last.
fn followers(graph: &Graph) -> Vec<usize> {
    let places: std::collections::HashMap<_, _> =
        graph.users.iter().chain([&graph.famous]).enumerate().map(|(place, user)| (*user, place)).collect();
    let mut followers = vec![0; places.len()];
    graph.edges().for_each(|(_, followee)| followers[places[&followee]] += 1);
    followers
}

/// Every user posts once.
fn planned_posts(graph: &Graph) -> Amounts {
    let followers = followers(graph);
    let asked: usize = followers.iter().sum();
    // The one process asks for each follower once.
    let hits = Hits { activity: 1.0 - graph.users.len() as f64 / asked as f64, ..Hits::default() };
    let per_message = domain::limits::FOLLOWERS_PER_JOB as f64;
    let mut sum = Amounts::default();
    for followers in followers {
        sum += acts::pushed_post(&FanOut { followers: followers as f64, dormant: 0.0, per_message }, &hits);
    }
    sum
}

/// Every user reads a page with one post of each of the newest 20 authors, the own one included.
fn planned_reads(graph: &Graph, seconds: f64) -> Amounts {
    let followees = graph.followees_by_user();
    let readers = || graph.users.iter().chain([&graph.famous]);
    let shown = |reader| followees.get(reader).map_or(1.0, |it| (it.len() as f64 + 1.0).min(acts::PAGE_POSTS));
    let lookups: f64 = readers().map(shown).sum();
    // Users post in order, so the last 20 of those followed are on a page: their profiles are looked up most.
    let each = lookups / readers().count() as f64 / seconds;
    let hits = Hits {
        profiles: hits::share(each, hits::PROFILE_SECONDS.min(seconds)),
        posts: hits::share(each, hits::POST_SECONDS.min(seconds)),
        ..Hits::default()
    };
    let mut sum = Amounts::default();
    readers().for_each(|reader| sum += acts::page(shown(reader), 0.0, &hits));
    sum
}

impl Report for CheckReport {
    fn table(&self) -> Vec<Vec<String>> {
        let header = ["", "planned", "measured", "error"].map(str::to_owned).to_vec();
        let row = |it: &Figure| {
            let figures = [it.planned, it.measured].map(|it| if it < 100.0 { format!("{it:.3}") } else { number(it) });
            [vec![it.name.to_owned()], figures.to_vec(), vec![format!("{:+.1}%", it.error * 100.0)]].concat()
        };
        std::iter::once(header).chain(self.figures.iter().map(row)).collect()
    }

    fn faults(&self) -> Vec<String> {
        Vec::new()
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let population = format!("{} users with {} follows, who post and read once each", self.users, self.follows);
        writeln!(f, "{}{population}; a fan-out's time is predicted from one to 10,000.", table::plain(&self.table()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::bill::Work;

    fn per_act(work: &Work) -> Amounts {
        let amounts = Amounts::from(work);
        amounts.times(1.0 / amounts.requests())
    }

    fn pushed(followers: f64, activity: f64) -> Amounts {
        let fan_out = FanOut { followers, dormant: 0.0, per_message: 25.0 };
        acts::pushed_post(&fan_out, &Hits { activity, ..Hits::default() })
    }

    /// Units per act as counted, on Feed and on the other tables.
    fn assert_same_units(planned: &Amounts, counted: &Amounts) {
        let units = |of: &Amounts| [of.feed_writes, of.other_writes, of.feed_reads, of.other_reads];
        let differ =
            units(planned).iter().zip(units(counted)).any(|(planned, counted)| (planned - counted).abs() > 1e-6);
        assert!(!differ, "planned {planned:?}, counted {counted:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_post_takes_the_units_of_the_plan() {
        let counted = per_act(&measure::post(60, 1).await.unwrap());
        // The process asks for each follower's activity once.
        assert_same_units(&pushed(60.0, 0.0), &counted);
        // Three jobs are sent, received and deleted in one to three batches each.
        let planned = pushed(60.0, 0.0).sqs_requests;
        assert!((planned..=planned + 6.0).contains(&counted.sqs_requests), "{planned}, {counted:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_page_takes_the_units_of_the_plan() {
        let counted = per_act(&measure::reads(25, 1, 1).await.unwrap());
        let planned = acts::page(20.0, 0.0, &Hits::default());
        assert_same_units(&planned, &counted);
        let difference = planned.answer_bytes / counted.answer_bytes - 1.0;
        assert!(difference.abs() < 0.05, "{planned:?} {counted:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn acts_take_the_units_of_the_plan() {
        assert_same_units(&acts::like(), &per_act(&measure::likes(10).await.unwrap()));
        assert_same_units(&acts::comment(), &per_act(&measure::comments(10).await.unwrap()));
        let counted = per_act(&measure::follows(30, 10).await.unwrap());
        assert_same_units(&acts::follow(30.0), &counted);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_post_takes_the_storage_of_the_plan() {
        let [few, more] = [measure::post(0, 1).await.unwrap(), measure::post(10, 1).await.unwrap()]
            .map(|work| work.usage.stored_bytes);
        let near = |planned: f64, stored: i64| {
            let stored = f64::from(i32::try_from(stored).unwrap());
            assert!((planned / stored - 1.0).abs() < 0.1, "{stored}");
        };
        near(acts::ENTRY_BYTES, (more - few) / 10);
        near(acts::POST_BYTES, few - (more - few) / 10);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_population_writes_what_the_plan_says() {
        let (graph, population) = measured_population(60).await.unwrap();
        let figures = compared(&graph, &population);
        for figure in &figures[..2] {
            assert!(figure.error.abs() < 1e-9, "{figure:?}");
        }
    }
}
