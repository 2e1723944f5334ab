//! `loadtest dsb`: the mix of `DeathStarBench`'s socialNetwork, on a graph of the size of its Reed98 set, at the highest
//! rate that holds.
//!
//! 60% of the requests read the home timeline, 30% a user's timeline, and 10% compose a post of 256 characters; users are
//! drawn uniformly. A page has 10 posts, at a uniform offset of 0 to 100. The loop is open: requests are sent on time,
//! whether earlier ones are answered or not.
//!
//! In reading order: [`graph`] draws who follows whom; [`history`] writes the posts of before the run; [`timelines`]
//! knows the cursor of each offset; [`mix`] schedules and sends the requests; [`report`] prints.

pub mod graph;
pub mod history;
pub mod mix;
pub mod report;
pub mod timelines;

use std::{borrow::Cow, collections::HashMap, sync::Arc, time::Duration};

use domain::{PostId, UserId};
use rand::{SeedableRng as _, rngs::StdRng};
use tracing::warn;

use self::{
    graph::{FriendGraph, REED98},
    mix::{Answers, Mix, PAGE},
    report::{DsbReport, Step},
    timelines::Timelines,
};
use crate::{
    chart::{Chart, Series},
    error::LoadtestError,
    highest::Search,
    memory::PeakMemory,
    options::DsbOptions,
    progress,
    report::{Latencies, P50P99, P50P99P999, rounded},
    seed::{ROWS_PER_EDGE, ROWS_PER_USER, Seeder},
    service::{Changes, Service},
    target::Target,
    verify::{Verdict, check_feeds},
    yardstick,
};

/// Every run draws the same graph and, at a rate, the same requests; only the ids differ.
const SEED: u64 = 0x6473_6221;
/// Time limit for the fan-outs after the last answer, before missing entries are counted.
const PATIENCE: Duration = Duration::from_mins(2);

/// Runs the scenario.
///
/// # Errors
/// Failures other than failed requests and missing or duplicate entries; these are in the report.
///
/// # Panics
/// Never: every request has ended.
pub async fn run(options: &DsbOptions) -> Result<DsbReport, LoadtestError> {
    let world = Arc::new(World::prepare(options).await?);
    let page_bytes = world.page_bytes().await?;
    let constant = yardstick::constant(world.service.client(), page_bytes).await?;
    let (memory, recorder) = (PeakMemory::from_now(), world.service.record());
    let (mut search, mut steps, mut all) = (Rates::of(options), Vec::new(), Vec::new());
    while let Some(rate) = search.next() {
        let answers = World::send(&world, rate, options.seconds).await?;
        world.drained().await;
        let step = world.step(rate, options.seconds, &answers);
        search.note(step);
        steps.push(step);
        all.push(answers);
    }
    let (timeline, peak_rss_mb) = (recorder.finish(), memory.megabytes());
    let verdict = world.check(&all).await?;
    let world = Arc::into_inner(world).expect("every request has ended");
    world.service.stop().await?;

    let rate_held = steps.iter().filter(|step| step.holds).map(|step| step.rate).max().unwrap_or(0);
    let charts = charts(&steps, &all).into_iter().chain(timeline.charts()).collect();
    Ok(DsbReport {
        users: world.graph.users.len(),
        follows: world.graph.follows(),
        rate_held,
        constant_requests_per_second: constant,
        rate_ratio: rounded(f64::from(rate_held) / constant),
        page_bytes,
        steps,
        lost: verdict.missing,
        duplicates: verdict.duplicates,
        peak_rss_mb: peak_rss_mb.map(rounded),
        charts,
    })
}

/// The rates to try: the given one, or those of a search.
enum Rates {
    Search(Search),
    Once(Option<u32>),
}

impl Rates {
    fn of(options: &DsbOptions) -> Self {
        options.rate.map_or_else(|| Self::Search(Search::default()), |rate| Self::Once(Some(rate)))
    }

    fn next(&mut self) -> Option<u32> {
        match self {
            Self::Search(search) => search.next(),
            Self::Once(rate) => rate.take(),
        }
    }

    fn note(&mut self, step: Step) {
        if let Self::Search(search) = self {
            search.note(step.rate, step.holds);
        }
    }
}

/// A service with its users and their timelines.
struct World {
    service: Service,
    graph: FriendGraph,
    timelines: Timelines,
    tokens: Vec<String>,
}

impl World {
    async fn prepare(options: &DsbOptions) -> Result<Self, LoadtestError> {
        let size = REED98.scaled_to(options.users as usize);
        let graph = FriendGraph::draw(size, &mut StdRng::seed_from_u64(SEED));
        let target = Target::prepare(&options.places.stores).await?;
        let service = Service::start(&options.places, &target, Changes::Applied).await?;
        seed(&service, &graph).await?;
        let timelines = history::write(&service, &graph, options.history).await?;
        let tokens = graph.users.iter().map(|user| service.token(*user)).collect();
        let world = Self { service, graph, timelines, tokens };
        let _spinner = progress::spinner("counting edges and posts");
        world.service.drain().await;
        Ok(world)
    }

    /// The size of a full page.
    async fn page_bytes(&self) -> Result<usize, LoadtestError> {
        let client = self.service.client();
        let mut largest = 0;
        for token in self.tokens.iter().take(20) {
            largest = largest.max(client.feed(token, PAGE, None).await?.len());
        }
        Ok(largest)
    }

    /// Sends requests at this rate. A thread of its own keeps the schedule.
    async fn send(world: &Arc<Self>, rate: u32, seconds: u32) -> Result<Answers, LoadtestError> {
        let (mix, client) = (Mix { rate, seconds, users: world.graph.users.len() }, world.service.client());
        let schedule = mix.schedule(&mut StdRng::seed_from_u64(SEED));
        let (of_world, progress) = (Arc::clone(world), progress::bar("requests", schedule.len() as u64));
        let sending = move || mix::send(&of_world, &client, schedule, &progress);
        let answers = tokio::task::spawn_blocking(sending).await?.map_err(LoadtestError::Client)?;
        if let Some(error) = &answers.first_error {
            warn!(errors = answers.errors, %error, "{} requests failed; the first: {error}", answers.errors);
        }
        Ok(answers)
    }

    async fn drained(&self) {
        let _drained = tokio::time::timeout(PATIENCE, self.service.drain()).await;
    }

    fn step(&self, rate: u32, seconds: u32, answers: &Answers) -> Step {
        let mut delivery = Latencies::new();
        for published in &answers.published {
            if let (_, Some(last)) = self.service.observer().committed(published.post) {
                delivery.record(last.saturating_duration_since(published.intended));
            }
        }
        Step {
            rate,
            achieved: rounded(answers.per_second(seconds)),
            errors: answers.errors,
            read_ms: P50P99P999::from(&answers.reads),
            compose_ms: P50P99P999::from(&answers.composes),
            delivery_ms: P50P99::from(&delivery),
            holds: false,
        }
        .judged()
    }

    /// Compares the feeds with the answered posts.
    async fn check(&self, all: &[Answers]) -> Result<Verdict, LoadtestError> {
        let mut posts: HashMap<usize, Vec<PostId>> = HashMap::new();
        for published in all.iter().flat_map(|answers| &answers.published) {
            posts.entry(published.author).or_default().push(published.post);
        }
        let expected = self.graph.users.iter().enumerate().map(|(place, user)| {
            let authors = self.graph.friends[place].iter().chain([&place]);
            let expected: Vec<PostId> = authors.filter_map(|author| posts.get(author)).flatten().copied().collect();
            (*user, Cow::Owned(expected))
        });
        let progress = progress::bar("checking feeds", self.graph.users.len() as u64);
        let store = Arc::clone(&self.service.services().store);
        check_feeds(store, expected, &progress).await.map_err(LoadtestError::Read)
    }
}

async fn seed(service: &Service, graph: &FriendGraph) -> Result<(), LoadtestError> {
    let rows = graph.users.len() as u64 * ROWS_PER_USER + graph.follows() * ROWS_PER_EDGE;
    let services = service.services();
    let seeder = Seeder::new(Arc::clone(&services.store), services.clock.now(), progress::bar("seeding", rows));
    seeder.users(graph.users.iter().copied()).await.map_err(LoadtestError::Seed)?;
    let edges = graph.users.iter().zip(&graph.friends).flat_map(|(user, friends)| {
        friends.iter().map(|friend| (*user, graph.users[*friend])).collect::<Vec<(UserId, UserId)>>()
    });
    seeder.edges(edges).await.map_err(LoadtestError::Seed)
}

/// Latencies by rate, and distributions at the highest rate that held, if one did.
fn charts(steps: &[Step], all: &[Answers]) -> Vec<Chart> {
    let line = |name, of: fn(&Step) -> f64| {
        let mut points: Vec<(f64, f64)> = steps.iter().map(|step| (f64::from(step.rate), of(step))).collect();
        points.sort_by(|one, other| one.0.total_cmp(&other.0));
        Series { name, points }
    };
    let lines = [line("read p99", |step| step.read_ms.p99), line("delivery p99", |step| step.delivery_ms.p99)];
    let best = steps.iter().zip(all).filter(|(step, _)| step.holds).max_by_key(|(step, _)| step.rate);
    let series = best.map(|(_, best)| {
        let kinds = [("home timeline", &best.homes), ("user timeline", &best.stories), ("compose", &best.composes)];
        Chart::latencies("Latency at the highest rate that held", kinds)
    });
    std::iter::once(Chart::by_rate("Latency by rate", "99th percentile, ms", lines)).chain(series).collect()
}
