//! Sends a schedule's requests, each at its intended time, regardless of earlier ones.
//!
//! A separate thread keeps the schedule and the client has its own runtime: a busy service must not slow down arrivals,
//! and the waiting it causes must show in the latencies.

use std::{
    io,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use domain::{CommentId, PostId};
use indicatif::ProgressBar;
use parking_lot::RwLock;
use tokio::{
    runtime::{self, Runtime},
    sync::{Semaphore, mpsc},
};

use crate::{
    arrivals::{Action, Arrival, Pick},
    client::{ClientError, HttpClient},
    report::Latencies,
};

/// Maximum concurrent requests; an arrival beyond that is an error. Far above the needs of a service that keeps up.
const MAX_UNDER_WAY: usize = 10_000;
/// Page size.
const PAGE: u32 = 20;
/// Users react to one of this many newest posts.
const NEWEST: usize = 200;

/// Access tokens of the users.
#[derive(Debug)]
pub struct Tokens {
    /// One per user, in the order of the users.
    pub users: Vec<String>,
    /// The famous author's.
    pub famous: String,
}

/// The posts to react to.
#[derive(Debug)]
pub struct Reactable {
    /// The one post that many like.
    pub hot: PostId,
    /// All posts, in the order of their answers; not empty in runs with likes or comments.
    pub posts: RwLock<Vec<PostId>>,
}

/// The author of a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Author {
    /// An index in the list of users.
    User(usize),
    /// The famous author.
    Famous,
}

/// A post that was answered 201.
#[derive(Debug, Clone, Copy)]
pub struct Published {
    /// The post.
    pub post: PostId,
    /// The author.
    pub author: Author,
    /// The intended start of the request.
    pub intended: Instant,
}

/// The results of a schedule.
#[derive(Debug)]
pub struct Answers {
    /// Reads, from the intended start.
    pub reads: Latencies,
    /// Posts, from the intended start.
    pub posts: Latencies,
    /// Likes, from the intended start.
    pub likes: Latencies,
    /// Comments, from the intended start.
    pub comments: Latencies,
    /// Posts that were answered 201.
    pub published: Vec<Published>,
    /// Likes that were answered 204: the post, and the index of the user. May contain repetitions.
    pub liked: Vec<(PostId, usize)>,
    /// Comments that were answered 201, and their posts.
    pub commented: Vec<(PostId, CommentId)>,
    /// Requests that failed.
    pub errors: u64,
    /// The error of the first of these.
    pub first_error: Option<ClientError>,
    /// From the first intended start to the last answer.
    pub elapsed: Duration,
}

/// The effect of a request.
enum Done {
    Read,
    Published(PostId, Author),
    Liked(PostId, usize),
    Commented(PostId, CommentId),
}

/// The end of a request.
#[derive(Debug)]
pub struct Timed<T> {
    /// The intended start.
    pub intended: Instant,
    /// The end.
    pub ended: Instant,
    /// The outcome; `None` if it was never sent, as too many requests were unanswered.
    pub outcome: Option<T>,
}

/// Sends a request for each item of a schedule at its time after the start, and waits for all of them. Returns the start,
/// and the outcomes in the order of their ends. Blocks.
///
/// # Errors
/// If the client's runtime cannot be created.
pub fn open_loop<A, T, F>(
    schedule: Vec<(Duration, A)>,
    request: impl Fn(A) -> F,
    progress: &ProgressBar,
) -> io::Result<(Instant, Vec<Timed<T>>)>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let runtime = runtime::Builder::new_multi_thread().worker_threads(1).thread_name("client").enable_all().build()?;
    let (answers, mut answered) = mpsc::unbounded_channel();
    let under_way = Arc::new(Semaphore::new(MAX_UNDER_WAY));
    let start = Instant::now();
    for (at, item) in schedule {
        let intended = start + at;
        thread::sleep(intended.saturating_duration_since(Instant::now()));
        dispatch(&runtime, &under_way, intended, request(item), answers.clone());
        progress.inc(1);
    }
    drop(answers);
    let mut all = Vec::new();
    while let Some(answer) = answered.blocking_recv() {
        all.push(answer);
    }
    Ok((start, all))
}

fn dispatch<T: Send + 'static>(
    runtime: &Runtime,
    under_way: &Arc<Semaphore>,
    intended: Instant,
    request: impl Future<Output = T> + Send + 'static,
    answers: mpsc::UnboundedSender<Timed<T>>,
) {
    // The receiver outlives every sender.
    let end = move |outcome| drop(answers.send(Timed { intended, ended: Instant::now(), outcome }));
    let Ok(permit) = Arc::clone(under_way).try_acquire_owned() else { return end(None) };
    runtime.spawn(async move {
        end(Some(request.await));
        drop(permit);
    });
}

/// Sends every request of the schedule and waits for all answers. Blocks.
///
/// # Errors
/// If the client's runtime cannot be created.
pub fn drive(
    client: &HttpClient,
    tokens: &Arc<Tokens>,
    reactable: &Arc<Reactable>,
    schedule: Vec<Arrival>,
    progress: &ProgressBar,
) -> io::Result<Answers> {
    let request = |action| {
        let (tokens, reactable) = (Arc::clone(tokens), Arc::clone(reactable));
        let request = Request { client: client.clone(), tokens, reactable, action };
        async move { request.send().await }
    };
    let schedule = schedule.into_iter().map(|arrival| (arrival.at, arrival.action)).collect();
    let (start, answers) = open_loop(schedule, request, progress)?;
    let mut sum = Answers::none();
    for answer in answers {
        sum.take_in(answer, start);
    }
    Ok(sum)
}

struct Request {
    client: HttpClient,
    tokens: Arc<Tokens>,
    reactable: Arc<Reactable>,
    action: Action,
}

/// The length of a typical post.
const POST_TEXT: &str = "A post of a mixed run, about as long as what people write on an ordinary day.";
const COMMENT_TEXT: &str = "A comment of a mixed run, about as long as most are.";

impl Request {
    async fn send(&self) -> Result<Done, Option<ClientError>> {
        let (client, users) = (&self.client, &self.tokens.users);
        match self.action {
            Action::Read(user) => client.feed(&users[user], PAGE, None).await.map(|_page| Done::Read),
            Action::Publish(user) => self.publish(&users[user], Author::User(user)).await,
            Action::PublishFamous => self.publish(&self.tokens.famous, Author::Famous).await,
            Action::LikeHot(user) => self.like(user, self.reactable.hot).await,
            Action::Like(user, pick) => self.like(user, self.picked(pick).ok_or(None)?).await,
            Action::Comment(user, pick) => {
                let post = self.picked(pick).ok_or(None)?;
                client.comment(&users[user], post, COMMENT_TEXT).await.map(|comment| Done::Commented(post, comment))
            }
        }
        .map_err(Some)
    }

    async fn publish(&self, token: &str, author: Author) -> Result<Done, ClientError> {
        let post = self.client.publish(token, POST_TEXT).await?;
        self.reactable.posts.write().push(post);
        Ok(Done::Published(post, author))
    }

    async fn like(&self, user: usize, post: PostId) -> Result<Done, ClientError> {
        self.client.like(&self.tokens.users[user], post).await.map(|()| Done::Liked(post, user))
    }

    fn picked(&self, pick: Pick) -> Option<PostId> {
        pick.of(&self.reactable.posts.read(), NEWEST)
    }
}

impl Answers {
    /// Successful requests.
    pub fn answered(&self) -> u64 {
        [&self.reads, &self.posts, &self.likes, &self.comments].iter().map(|latencies| latencies.count()).sum()
    }

    fn none() -> Self {
        Self {
            reads: Latencies::new(),
            posts: Latencies::new(),
            likes: Latencies::new(),
            comments: Latencies::new(),
            published: Vec::new(),
            liked: Vec::new(),
            commented: Vec::new(),
            errors: 0,
            first_error: None,
            elapsed: Duration::ZERO,
        }
    }

    fn take_in(&mut self, answer: Timed<Result<Done, Option<ClientError>>>, start: Instant) {
        self.elapsed = self.elapsed.max(answer.ended - start);
        let latency = answer.ended.saturating_duration_since(answer.intended);
        match answer.outcome.unwrap_or(Err(None)) {
            Ok(Done::Read) => self.reads.record(latency),
            Ok(Done::Published(post, author)) => {
                self.posts.record(latency);
                self.published.push(Published { post, author, intended: answer.intended });
            }
            Ok(Done::Liked(post, user)) => {
                self.likes.record(latency);
                self.liked.push((post, user));
            }
            Ok(Done::Commented(post, comment)) => {
                self.comments.record(latency);
                self.commented.push((post, comment));
            }
            Err(error) => {
                self.errors += 1;
                self.first_error = self.first_error.take().or(error);
            }
        }
    }
}
