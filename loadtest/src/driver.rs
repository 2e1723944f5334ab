//! Sends a schedule's requests, each at its time, whatever becomes of the others.
//!
//! The schedule is kept by a thread of its own, and the client has its own runtime: a service that is busy must not
//! slow down the arrivals, and what it makes the client wait for must show in the latencies.

use std::{
    io,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use indicatif::ProgressBar;
use shared::domain::PostId;
use tokio::{
    runtime::{self, Runtime},
    sync::{Semaphore, mpsc},
};

use crate::{
    arrivals::{Action, Arrival},
    client::{ClientError, HttpClient},
    report::Latencies,
};

/// Requests under way at once; one that arrives beyond is an error. Far above what a service that keeps up needs.
const MAX_UNDER_WAY: usize = 10_000;
/// Items of a page.
const PAGE: u32 = 20;

/// Access tokens of those who act.
#[derive(Debug)]
pub struct Tokens {
    /// One a user, in the order of the users.
    pub users: Vec<String>,
    /// The famous author's.
    pub famous: String,
}

/// Who wrote a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Author {
    /// A place in the list of users.
    User(usize),
    /// The famous author.
    Famous,
}

/// A post that was answered 201.
#[derive(Debug, Clone, Copy)]
pub struct Published {
    /// The post.
    pub post: PostId,
    /// Who wrote it.
    pub author: Author,
    /// When it was to be sent.
    pub intended: Instant,
}

/// What became of a schedule.
#[derive(Debug)]
pub struct Answers {
    /// Reads, from the intended start.
    pub reads: Latencies,
    /// Posts, from the intended start.
    pub posts: Latencies,
    /// Posts that were answered 201.
    pub published: Vec<Published>,
    /// Requests that failed.
    pub errors: u64,
    /// What the first of these failed with.
    pub first_error: Option<ClientError>,
    /// From the first intended start to the last answer.
    pub elapsed: Duration,
}

/// One request's end. `outcome`: the post that was made, if it was to make one; `Err(None)`: never sent.
struct Answer {
    action: Action,
    intended: Instant,
    ended: Instant,
    outcome: Result<Option<PostId>, Option<ClientError>>,
}

/// Sends every request of the schedule and waits for all answers. Blocks.
pub fn drive(
    client: &HttpClient,
    tokens: &Arc<Tokens>,
    schedule: Vec<Arrival>,
    progress: &ProgressBar,
) -> io::Result<Answers> {
    let runtime = runtime::Builder::new_multi_thread().worker_threads(1).thread_name("client").enable_all().build()?;
    let (answers, mut answered) = mpsc::unbounded_channel();
    let under_way = Arc::new(Semaphore::new(MAX_UNDER_WAY));
    let start = Instant::now();
    for arrival in schedule {
        let intended = start + arrival.at;
        thread::sleep(intended.saturating_duration_since(Instant::now()));
        let request = Request { client: client.clone(), tokens: Arc::clone(tokens), action: arrival.action, intended };
        dispatch(&runtime, &under_way, request, answers.clone());
        progress.inc(1);
    }
    drop(answers);
    let mut sum = Answers::none();
    while let Some(answer) = answered.blocking_recv() {
        sum.take_in(answer, start);
    }
    Ok(sum)
}

fn dispatch(runtime: &Runtime, under_way: &Arc<Semaphore>, request: Request, answers: mpsc::UnboundedSender<Answer>) {
    let Ok(permit) = Arc::clone(under_way).try_acquire_owned() else {
        // The receiver outlives every sender.
        let _ = answers.send(request.answer(Err(None)));
        return;
    };
    runtime.spawn(async move {
        let outcome = request.send().await.map_err(Some);
        let _ = answers.send(request.answer(outcome));
        drop(permit);
    });
}

struct Request {
    client: HttpClient,
    tokens: Arc<Tokens>,
    action: Action,
    intended: Instant,
}

impl Request {
    async fn send(&self) -> Result<Option<PostId>, ClientError> {
        let text = "A post of a mixed run, about as long as what people write on an ordinary day.";
        match self.action {
            Action::Read(user) => self.client.feed(&self.tokens.users[user], PAGE, None).await.map(|_page| None),
            Action::Publish(user) => self.client.publish(&self.tokens.users[user], text).await.map(Some),
            Action::PublishFamous => self.client.publish(&self.tokens.famous, text).await.map(Some),
        }
    }

    fn answer(&self, outcome: Result<Option<PostId>, Option<ClientError>>) -> Answer {
        Answer { action: self.action, intended: self.intended, ended: Instant::now(), outcome }
    }
}

impl Answers {
    fn none() -> Self {
        Self {
            reads: Latencies::new(),
            posts: Latencies::new(),
            published: Vec::new(),
            errors: 0,
            first_error: None,
            elapsed: Duration::ZERO,
        }
    }

    fn take_in(&mut self, answer: Answer, start: Instant) {
        self.elapsed = self.elapsed.max(answer.ended - start);
        let latency = answer.ended.saturating_duration_since(answer.intended);
        match answer.outcome {
            Ok(None) => self.reads.record(latency),
            Ok(Some(post)) => {
                self.posts.record(latency);
                let author = match answer.action {
                    Action::Publish(user) | Action::Read(user) => Author::User(user),
                    Action::PublishFamous => Author::Famous,
                };
                self.published.push(Published { post, author, intended: answer.intended });
            }
            Err(error) => {
                self.errors += 1;
                self.first_error = self.first_error.take().or(error);
            }
        }
    }
}
