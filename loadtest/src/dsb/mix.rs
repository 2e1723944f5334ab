//! The requests of the mix, their schedule, and their answers.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use domain::PostId;
use indicatif::ProgressBar;
use rand::{Rng, RngExt as _};

use super::World;
use crate::{
    client::{ClientError, HttpClient},
    driver::{self, Timed},
    report::Latencies,
};

/// Posts per page.
pub const PAGE: u32 = 10;
/// The largest offset of a page.
pub const MAX_OFFSET: u32 = 100;
/// The share of requests that read a home timeline.
const HOME_SHARE: f64 = 0.6;
/// The share of requests that read a user's timeline; the others compose.
const STORY_SHARE: f64 = 0.3;
/// 256 characters, as in the original.
pub const POST_TEXT: &str = "A post of the mix has two hundred and fifty-six characters, the default of the original, \
    which draws them from the alphabet. These are ordinary words, about as many as an unhurried writer would \
    need to tell friends about a day on which little had happened.";

/// A request. Users are indexes in the list of users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// A page of the user's home timeline at an offset.
    Home {
        /// The reader.
        user: usize,
        /// Newer posts to skip.
        offset: u32,
    },
    /// A page of another user's posts at an offset.
    Story {
        /// The reader.
        user: usize,
        /// The author.
        of: usize,
        /// Newer posts to skip.
        offset: u32,
    },
    /// A post of the user.
    Compose {
        /// The author.
        user: usize,
    },
}

/// The parameters of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mix {
    /// Requests per second.
    pub rate: u32,
    /// The duration in seconds.
    pub seconds: u32,
    /// The number of users.
    pub users: usize,
}

impl Mix {
    /// Requests at even intervals, each with its intended start.
    pub fn schedule(self, rng: &mut impl Rng) -> Vec<(Duration, Action)> {
        let each = Duration::from_secs(1) / self.rate;
        (0..self.rate * self.seconds).map(|place| (each * place, self.draw(rng))).collect()
    }

    fn draw(self, rng: &mut impl Rng) -> Action {
        let user = rng.random_range(0..self.users);
        let kind: f64 = rng.random();
        let offset = rng.random_range(0..=MAX_OFFSET);
        if kind < HOME_SHARE {
            Action::Home { user, offset }
        } else if kind < HOME_SHARE + STORY_SHARE {
            Action::Story { user, of: rng.random_range(0..self.users), offset }
        } else {
            Action::Compose { user }
        }
    }
}

/// A post that was answered 201.
#[derive(Debug, Clone, Copy)]
pub struct Published {
    /// The post.
    pub post: PostId,
    /// The index of its author.
    pub author: usize,
    /// The intended start of the request.
    pub intended: Instant,
}

/// The answers to a schedule, with latencies from the intended start.
#[derive(Debug, Default)]
pub struct Answers {
    /// Pages of both kinds.
    pub reads: Latencies,
    /// Pages of home timelines.
    pub homes: Latencies,
    /// Pages of users' timelines.
    pub stories: Latencies,
    /// Posts.
    pub composes: Latencies,
    /// Posts that were answered 201.
    pub published: Vec<Published>,
    /// Requests that failed, or were not sent because too many were unanswered.
    pub errors: u64,
    /// The error of the first of these.
    pub first_error: Option<ClientError>,
    /// From the first intended start to the last answer.
    elapsed: Duration,
}

impl Answers {
    /// Successful requests per second, until the last answer or the end of the schedule, whichever is later.
    #[expect(clippy::cast_precision_loss, reason = "numbers of requests")]
    pub fn per_second(&self, seconds: u32) -> f64 {
        let answered = self.reads.count() + self.composes.count();
        answered as f64 / self.elapsed.max(Duration::from_secs(seconds.into())).as_secs_f64()
    }

    fn take(&mut self, Timed { intended, ended, outcome }: Timed<Result<Done, ClientError>>) {
        let latency = ended.saturating_duration_since(intended);
        match outcome {
            Some(Ok(Done::Home)) => {
                self.reads.record(latency);
                self.homes.record(latency);
            }
            Some(Ok(Done::Story)) => {
                self.reads.record(latency);
                self.stories.record(latency);
            }
            Some(Ok(Done::Composed { post, author })) => {
                self.composes.record(latency);
                self.published.push(Published { post, author, intended });
            }
            Some(Err(error)) => {
                self.errors += 1;
                self.first_error.get_or_insert(error);
            }
            None => self.errors += 1,
        }
    }
}

/// The effect of a request.
enum Done {
    Home,
    Story,
    Composed { post: PostId, author: usize },
}

/// Sends every request of a schedule and waits for all answers. Blocks.
///
/// # Errors
/// If the client's runtime cannot be created.
pub(super) fn send(
    world: &Arc<World>,
    client: &HttpClient,
    schedule: Vec<(Duration, Action)>,
    progress: &ProgressBar,
) -> io::Result<Answers> {
    let request = |action| {
        let (world, client) = (Arc::clone(world), client.clone());
        async move { world.request(&client, action).await }
    };
    let (started, timed) = driver::open_loop(schedule, request, progress)?;
    let last = timed.iter().map(|answer| answer.ended).max().unwrap_or(started);
    let mut answers = Answers { elapsed: last.saturating_duration_since(started), ..Answers::default() };
    for answer in timed {
        answers.take(answer);
    }
    Ok(answers)
}

impl World {
    async fn request(&self, client: &HttpClient, action: Action) -> Result<Done, ClientError> {
        match action {
            Action::Home { user, offset } => {
                let cursor = self.timelines.feed_cursor(user, offset);
                client.feed(&self.tokens[user], PAGE, cursor.as_deref()).await?;
                Ok(Done::Home)
            }
            Action::Story { user, of, offset } => {
                let cursor = self.timelines.story_cursor(of, offset);
                client.story(&self.tokens[user], self.graph.users[of], PAGE, cursor.as_deref()).await?;
                Ok(Done::Story)
            }
            Action::Compose { user } => {
                let post = client.publish(&self.tokens[user], POST_TEXT).await?;
                self.timelines.add(user, post, &self.graph.friends[user]);
                Ok(Done::Composed { post, author: user })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng as _, rngs::StdRng};

    use super::*;

    #[test]
    fn a_post_has_256_characters() {
        assert_eq!(POST_TEXT.chars().count(), 256);
    }

    #[test]
    fn the_shares_and_offsets_are_deathstarbenchs() {
        let schedule = Mix { rate: 2_000, seconds: 5, users: 962 }.schedule(&mut StdRng::seed_from_u64(1));
        assert!(schedule.iter().zip(0_u32..).all(|((at, _), place)| *at == Duration::from_micros(500) * place));
        let count = |of: fn(&Action) -> bool| schedule.iter().filter(|(_, action)| of(action)).count();
        assert!((5_800..6_200).contains(&count(|action| matches!(action, Action::Home { .. }))));
        assert!((2_850..3_150).contains(&count(|action| matches!(action, Action::Story { .. }))));
        assert!((900..1_100).contains(&count(|action| matches!(action, Action::Compose { .. }))));
        for extreme in [0, MAX_OFFSET] {
            assert!(
                schedule.iter().any(|(_, action)| matches!(action, Action::Home { offset, .. } if *offset == extreme))
            );
        }
    }
}
