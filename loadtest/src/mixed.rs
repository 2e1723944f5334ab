//! `loadtest mixed`: many users read and post at a fixed rate, and with `--social` like and comment.

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use domain::{PostId, UserId};
use parking_lot::RwLock;
use rand::{SeedableRng as _, rngs::StdRng};
use tracing::warn;

use crate::{
    arrivals::{self, Load},
    chart::Chart,
    driver::{self, Answers, Author, Reactable, Tokens},
    error::LoadtestError,
    graph::Graph,
    memory::PeakMemory,
    options::MixedOptions,
    progress,
    reactions::{Accepted, Checker, Has},
    report::{Latencies, MixedReport, P50P99, P50P99P999, SocialReport, rounded},
    seed::{ROWS_PER_EDGE, ROWS_PER_USER, Seeder},
    service::{Changes, Service},
    target::Target,
    timeline::Recorder,
    verify::{Verdict, check_feeds},
    yardstick::{self, Yardstick},
};

/// Every run draws the same graph and the same schedule; only the ids differ.
const SEED: u64 = 0x7477_6565_7465_7221;

/// Time limit for the fan-outs after the last answer, before missing entries are counted.
const PATIENCE: Duration = Duration::from_mins(2);

/// Posts published before the first likes and comments.
const POSTS_BEFORE: usize = 20;

/// Runs the scenario.
///
/// # Errors
/// Failures other than failed requests and missing or duplicate entries, likes or counts; these are in the report.
pub async fn run(options: &MixedOptions) -> Result<MixedReport, LoadtestError> {
    // The future holds two loads and their answers, too large for the caller's stack.
    Box::pin(measure(options)).await
}

async fn measure(options: &MixedOptions) -> Result<MixedReport, LoadtestError> {
    let run = Run::prepare(options).await?;
    let yardstick = run.yardstick().await?;
    let (memory, recorder) = (PeakMemory::from_now(), run.record());
    let without =
        if options.compare { Some(run.send(Load { social: false, ..load_of(options) }).await?) } else { None };
    let answers = run.send(load_of(options)).await?;
    let counted = run.drained().await;
    let deliveries = run.deliveries(&answers);
    let (timeline, peak_rss_mb) = (recorder.finish(), memory.megabytes());
    let idle = P50P99::from(&run.idle_reads().await?);

    let published = published_by(&run.graph, without.iter().chain([&answers]));
    let verdict = check(&run.service, &run.graph, &published).await?;
    let social =
        if options.social { Some(run.social(&answers, without.as_ref(), counted, &published).await?) } else { None };
    run.stop().await?;
    let (load, read_ms) = (load_of(options), P50P99P999::from(&answers.reads));
    Ok(MixedReport {
        rate_asked: rounded(load.requests_per_second()),
        rate_achieved: rounded(rate_achieved(&answers, options.seconds)),
        errors: answers.errors + without.map_or(0, |answers| answers.errors),
        read_ms,
        post_ms: P50P99P999::from(&answers.posts),
        delivery_ms: P50P99::from(&deliveries),
        lost: verdict.missing,
        duplicates: verdict.duplicates,
        peak_rss_mb: peak_rss_mb.map(rounded),
        idle_read_ms: idle,
        read_p99_over_idle: rounded(read_ms.p99 / idle.p99),
        constant_requests_per_second: yardstick.constant_requests_per_second,
        floor_entries_per_second: yardstick.floor_entries_per_second,
        social,
        charts: std::iter::once(latencies(&answers, &deliveries)).chain(timeline.charts()).collect(),
    })
}

fn latencies(answers: &Answers, deliveries: &Latencies) -> Chart {
    let requests = [
        ("reads", &answers.reads),
        ("posts", &answers.posts),
        ("likes", &answers.likes),
        ("comments", &answers.comments),
    ];
    Chart::latencies("Latency", requests.into_iter().chain([("deliveries", deliveries)]))
}

/// The load of a whole run.
pub(crate) fn load_of(options: &MixedOptions) -> Load {
    Load {
        rate: options.rate,
        seconds: options.seconds,
        read_share: options.read_share,
        users: options.users as usize,
        social: options.social,
    }
}

/// A service with its users, and the posts they react to.
pub(crate) struct Run {
    target: Target,
    service: Service,
    graph: Graph,
    reactable: Arc<Reactable>,
}

impl Run {
    /// Starts a service and seeds its users.
    pub(crate) async fn prepare(options: &MixedOptions) -> Result<Self, LoadtestError> {
        let graph = Graph::draw(options.users as usize, &mut StdRng::seed_from_u64(SEED));
        let target = Target::prepare(&options.places.stores).await?;
        if options.social {
            target.applies_changes()?;
        }
        let service = Service::start(&options.places, &target, Changes::Applied).await?;
        seed(&service, &graph).await?;
        Ok(Self { reactable: Arc::new(prepare(&service, &graph, options.social).await?), target, service, graph })
    }

    /// Baselines of the machine. The baseline of the store writes to the famous author's followers.
    pub(crate) async fn yardstick(&self) -> Result<Yardstick, LoadtestError> {
        self.drained().await;
        let readers = Arc::new(self.graph.users.clone());
        yardstick::measure(&self.target, &readers, self.service.client()).await
    }

    /// Starts recording throughput and queue depth.
    pub(crate) fn record(&self) -> Recorder {
        self.service.record()
    }

    /// Latencies of an idle service: see [`yardstick::idle_reads`].
    pub(crate) async fn idle_reads(&self) -> Result<Latencies, LoadtestError> {
        let tokens = self.graph.users.iter().map(|user| self.service.token(*user)).collect();
        yardstick::idle_reads(self.service.client(), tokens).await
    }

    /// Times from each post's intended start to its last follower's entry, without posts of authors who have no
    /// followers.
    pub(crate) fn deliveries(&self, answers: &Answers) -> Latencies {
        let mut latencies = Latencies::new();
        for published in &answers.published {
            if let (_, Some(last)) = self.service.observer().committed(published.post) {
                latencies.record(last.saturating_duration_since(published.intended));
            }
        }
        latencies
    }

    /// Checks that the feeds hold every post of these answers exactly once.
    pub(crate) async fn check(&self, answers: &[Answers]) -> Result<Verdict, LoadtestError> {
        check(&self.service, &self.graph, &published_by(&self.graph, answers.iter())).await
    }

    /// Stops the service.
    pub(crate) async fn stop(self) -> Result<(), LoadtestError> {
        self.service.stop().await
    }

    /// Sends the requests of a load after all earlier work is done.
    pub(crate) async fn send(&self, load: Load) -> Result<Answers, LoadtestError> {
        // Earlier work must not affect the latencies.
        self.drained().await;
        let schedule = arrivals::plan(load, &mut StdRng::seed_from_u64(SEED));
        send_all(&self.service, &self.graph, &self.reactable, schedule).await
    }

    /// Waits until no work is in progress, and returns the duration. Waits forever if a message is lost; the check
    /// counts it.
    pub(crate) async fn drained(&self) -> Duration {
        let started = Instant::now();
        let _drained = tokio::time::timeout(PATIENCE, self.service.drain()).await;
        started.elapsed()
    }

    /// Checks likes, comments and counts.
    async fn social(
        &self,
        answers: &Answers,
        without: Option<&Answers>,
        counted: Duration,
        published: &HashMap<UserId, Vec<PostId>>,
    ) -> Result<SocialReport, LoadtestError> {
        let perhaps_posts = answers.errors + without.map_or(0, |answers| answers.errors);
        let (accepted, mut has) = (self.accepted(answers), self.has(published, perhaps_posts));
        // Not as themselves: seeded users have no e-mail address, which the own profile shows.
        let famous: HashMap<UserId, Has> = has.remove_entry(&self.graph.famous).into_iter().collect();
        let checker = |user| Checker::new(self.service.client(), self.service.token(user));
        let (by_famous, by_user) = (checker(self.graph.famous), checker(self.graph.users[0]));
        let progress = progress::bar("checking counts", (accepted.len() + has.len()) as u64);
        let verdict = by_famous.posts(&accepted, &progress).await?;
        let verdict = verdict.and(by_famous.users(&has, &progress).await?);
        let verdict = verdict.and(by_user.users(&famous, &progress).await?);
        let read_p99 = |answers: &Answers| answers.reads.quantile_ms(0.99);
        Ok(SocialReport {
            likes: answers.likes.count(),
            hot_likes: answers.liked.iter().filter(|(post, _)| *post == self.reactable.hot).count() as u64,
            comments: answers.comments.count(),
            like_ms: P50P99P999::from(&answers.likes),
            comment_ms: P50P99P999::from(&answers.comments),
            lost: verdict.lost,
            duplicates: verdict.duplicates,
            counts_checked: verdict.counts_checked,
            counts_off: verdict.counts_off,
            counted_after_ms: rounded(counted.as_secs_f64() * 1e3),
            read_ms_without: without.map(|without| P50P99P999::from(&without.reads)),
            read_p99_ratio: without.map(|without| rounded(read_p99(answers) / read_p99(without))),
        })
    }

    /// Expected likes and comments of every post, including posts without any.
    fn accepted(&self, answers: &Answers) -> HashMap<PostId, Accepted> {
        let posts = self.reactable.posts.read();
        let all = posts.iter().chain([&self.reactable.hot]);
        let mut accepted: HashMap<PostId, Accepted> = all.map(|post| (*post, Accepted::default())).collect();
        for (post, user) in &answers.liked {
            accepted.entry(*post).or_default().likers.insert(self.graph.users[*user]);
        }
        for (post, comment) in &answers.commented {
            accepted.entry(*post).or_default().comments.insert(*comment);
        }
        accepted
    }

    /// Expected counts of each user: the seeded edges and the answered posts.
    fn has(&self, published: &HashMap<UserId, Vec<PostId>>, perhaps_posts: u64) -> HashMap<UserId, Has> {
        let all = self.graph.users.iter().chain([&self.graph.famous]);
        let mut has: HashMap<UserId, Has> = all.map(|user| (*user, Has { perhaps_posts, ..Has::default() })).collect();
        for (follower, followee) in self.graph.edges() {
            has.entry(follower).or_default().following += 1;
            has.entry(followee).or_default().followers += 1;
        }
        let before = posts_before(&self.graph);
        let authors = published.iter().map(|(author, posts)| (*author, posts.len() as u64));
        for (author, posts) in authors.chain(before.map(|author| (author, 1))) {
            has.entry(author).or_default().posts += posts;
        }
        has
    }
}

/// Authors who publish before the run: that of the post that many like, and others.
fn posts_before(graph: &Graph) -> impl Iterator<Item = UserId> {
    std::iter::once(graph.famous).chain(graph.users.iter().take(POSTS_BEFORE).copied())
}

/// Waits until the seeded edges are counted, and publishes posts to react to if the run has reactions.
async fn prepare(service: &Service, graph: &Graph, social: bool) -> Result<Reactable, LoadtestError> {
    {
        let _spinner = progress::spinner("counting seeded edges");
        service.drain().await;
    }
    let mut posts = Vec::new();
    for author in posts_before(graph).filter(|_| social) {
        posts.push(service.client().publish(&service.token(author), "A post from before the run.").await?);
    }
    // Unused if nothing was published, as then there are no reactions.
    let hot =
        posts.first().copied().unwrap_or_else(|| service.services().ids.next_post_id(service.services().clock.now()));
    posts.retain(|post| *post != hot);
    Ok(Reactable { hot, posts: RwLock::new(posts) })
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
    reactable: &Arc<Reactable>,
    schedule: Vec<arrivals::Arrival>,
) -> Result<Answers, LoadtestError> {
    let users = graph.users.iter().map(|user| service.token(*user)).collect();
    let tokens = Arc::new(Tokens { users, famous: service.token(graph.famous) });
    let (client, progress) = (service.client(), progress::bar("requests", schedule.len() as u64));
    let reactable = Arc::clone(reactable);
    let driving = tokio::task::spawn_blocking(move || driver::drive(&client, &tokens, &reactable, schedule, &progress));
    let answers = driving.await?.map_err(LoadtestError::Client)?;
    if let Some(error) = &answers.first_error {
        warn!(errors = answers.errors, %error, "{} requests failed; the first: {error}", answers.errors);
    }
    Ok(answers)
}

#[expect(clippy::cast_precision_loss, reason = "numbers of requests")]
pub(crate) fn rate_achieved(answers: &Answers, seconds: u32) -> f64 {
    let time = answers.elapsed.max(Duration::from_secs(u64::from(seconds)));
    answers.answered() as f64 / time.as_secs_f64()
}

async fn check(
    service: &Service,
    graph: &Graph,
    posts: &HashMap<UserId, Vec<PostId>>,
) -> Result<Verdict, LoadtestError> {
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

/// Answered posts, by author.
fn published_by<'a>(graph: &Graph, answers: impl Iterator<Item = &'a Answers>) -> HashMap<UserId, Vec<PostId>> {
    let mut posts: HashMap<UserId, Vec<PostId>> = HashMap::new();
    for published in answers.flat_map(|answers| &answers.published) {
        let author = match published.author {
            Author::User(place) => graph.users[place],
            Author::Famous => graph.famous,
        };
        posts.entry(author).or_default().push(published.post);
    }
    posts
}
