//! `loadtest mixed`: many users read and post at a fixed rate.

use std::{borrow::Cow, collections::HashMap, sync::Arc, time::Duration};

use rand::{SeedableRng as _, rngs::StdRng};
use shared::domain::{PostId, UserId};
use tracing::warn;

use crate::{
    arrivals::{self, Load},
    driver::{self, Answers, Author, Tokens},
    error::LoadtestError,
    graph::Graph,
    ground::Ground,
    memory::PeakMemory,
    observe::Observer,
    options::MixedOptions,
    progress,
    report::{Latencies, MixedReport, P50P99, P50P99P999, rounded},
    seed::{ROWS_PER_EDGE, ROWS_PER_USER, Seeder},
    service::Service,
    verify::{Verdict, check_feeds},
};

/// Every run draws the same graph and the same schedule; only the ids differ.
const SEED: u64 = 0x7477_6565_7465_7221;

/// How long the fan-outs may take after the last answer before the run goes on to count what is missing.
const PATIENCE: Duration = Duration::from_mins(2);

/// Runs the scenario to its end.
///
/// # Errors
/// When something fails that is not a request, a missing or a doubled entry; these are in the report.
pub async fn run(options: &MixedOptions) -> Result<MixedReport, LoadtestError> {
    let mut rng = StdRng::seed_from_u64(SEED);
    let graph = Graph::draw(options.users as usize, &mut rng);
    let service = Service::start(&options.places, &Ground::prepare(&options.places.stores).await?).await?;
    seed(&service, &graph).await?;

    let memory = PeakMemory::from_now();
    let schedule = arrivals::plan(load_of(options), &mut rng);
    let answers = send_all(&service, &graph, schedule).await?;
    // Without end when an entry is missing for good; the check below counts it.
    let _drained = tokio::time::timeout(PATIENCE, service.drain()).await;
    let deliveries = deliveries(&answers, service.observer());
    let peak_rss_mb = memory.megabytes();

    let verdict = check(&service, &graph, &answers).await?;
    service.stop().await?;
    Ok(MixedReport {
        rate_asked: f64::from(options.rate),
        rate_achieved: rounded(rate_achieved(&answers, options.seconds)),
        errors: answers.errors,
        read_ms: P50P99P999::from(&answers.reads),
        post_ms: P50P99P999::from(&answers.posts),
        delivery_ms: P50P99::from(&deliveries),
        lost: verdict.missing,
        duplicates: verdict.duplicates,
        peak_rss_mb: peak_rss_mb.map(rounded),
    })
}

fn load_of(options: &MixedOptions) -> Load {
    Load { rate: options.rate, seconds: options.seconds, read_share: options.read_share, users: options.users as usize }
}

async fn seed(service: &Service, graph: &Graph) -> Result<(), LoadtestError> {
    let users = graph.users.len() as u64 + 1;
    let progress = progress::bar("seeding", users * ROWS_PER_USER + graph.edge_count() * ROWS_PER_EDGE);
    let services = service.services();
    let seeder = Seeder::new(Arc::clone(&services.store), services.clock.now(), progress);
    let users = std::iter::once(graph.famous).chain(graph.users.iter().copied());
    seeder.users(users).await.map_err(LoadtestError::Seed)?;
    seeder.edges(graph.edges()).await.map_err(LoadtestError::Seed)
}

async fn send_all(
    service: &Service,
    graph: &Graph,
    schedule: Vec<arrivals::Arrival>,
) -> Result<Answers, LoadtestError> {
    let users = graph.users.iter().map(|user| service.token(*user)).collect();
    let tokens = Arc::new(Tokens { users, famous: service.token(graph.famous) });
    let (client, progress) = (service.client(), progress::bar("requests", schedule.len() as u64));
    let driving = tokio::task::spawn_blocking(move || driver::drive(&client, &tokens, schedule, &progress));
    let answers = driving.await?.map_err(LoadtestError::Client)?;
    if let Some(error) = &answers.first_error {
        warn!(errors = answers.errors, %error, "{} requests failed; the first: {error}", answers.errors);
    }
    Ok(answers)
}

#[expect(clippy::cast_precision_loss, reason = "numbers of requests")]
fn rate_achieved(answers: &Answers, seconds: u32) -> f64 {
    let answered = answers.reads.count() + answers.posts.count();
    let time = answers.elapsed.max(Duration::from_secs(u64::from(seconds)));
    answered as f64 / time.as_secs_f64()
}

/// From each post's intended start to its last follower's entry. Posts of authors without followers have none.
fn deliveries(answers: &Answers, observer: &Observer) -> Latencies {
    let mut latencies = Latencies::new();
    for published in &answers.published {
        if let (_, Some(last)) = observer.committed(published.post) {
            latencies.record(last.saturating_duration_since(published.intended));
        }
    }
    latencies
}

async fn check(service: &Service, graph: &Graph, answers: &Answers) -> Result<Verdict, LoadtestError> {
    let posts = posts_by_author(graph, answers);
    let followees = graph.followees_by_user();
    let expected = graph.users.iter().map(|user| {
        let followees = followees.get(user).into_iter().flatten();
        let expected: Vec<PostId> = followees.filter_map(|author| posts.get(author)).flatten().copied().collect();
        (*user, Cow::Owned(expected))
    });
    let progress = progress::bar("checking feeds", graph.users.len() as u64);
    let store = Arc::clone(&service.services().store);
    check_feeds(store, expected, &progress).await.map_err(LoadtestError::Read)
}

fn posts_by_author(graph: &Graph, answers: &Answers) -> HashMap<UserId, Vec<PostId>> {
    let mut posts: HashMap<UserId, Vec<PostId>> = HashMap::new();
    for published in &answers.published {
        let author = match published.author {
            Author::User(place) => graph.users[place],
            Author::Famous => graph.famous,
        };
        posts.entry(author).or_default().push(published.post);
    }
    posts
}
