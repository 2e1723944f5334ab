//! The schedule of requests, fixed before the run and independent of its progress.

use std::time::Duration;

use rand::{Rng, RngExt as _};

/// The action of a request. Users are indexes in the list of users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Reads the user's feed.
    Read(usize),
    /// Publishes a post of the user.
    Publish(usize),
    /// Publishes a post of the famous author.
    PublishFamous,
    /// The user likes the one post that many like.
    LikeHot(usize),
    /// The user likes one of the newest posts.
    Like(usize, Pick),
    /// The user comments on one of the newest posts.
    Comment(usize, Pick),
}

/// A choice among the newest posts, drawn before their number is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pick(pub u32);

impl Pick {
    /// The chosen post among the `newest` last ones of `posts`.
    pub fn of<T: Copy>(self, posts: &[T], newest: usize) -> Option<T> {
        let newest = &posts[posts.len().saturating_sub(newest)..];
        let place = (self.0 as usize).checked_rem(newest.len())?;
        newest.get(place).copied()
    }
}

/// Likes per hundred other requests. With nine reads in ten requests that is one like per nine pages, or per 180 posts
/// seen: more than is typical. There are as many likes as posts, so that the counts and notifications of both are a
/// load.
pub const LIKES_PERCENT: u64 = 10;
/// Comments per hundred other requests: five likes per comment.
pub const COMMENTS_PERCENT: u64 = 2;
/// One of this many likes is of the post that many like.
pub const HOT_LIKE_EVERY: u64 = 5;

/// A scheduled request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// The intended start, relative to the beginning of the run.
    pub at: Duration,
    /// The action.
    pub action: Action,
}

/// The parameters of a schedule.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Load {
    /// Requests per second.
    pub rate: u32,
    /// The duration in seconds.
    pub seconds: u32,
    /// The share of reads.
    pub read_share: f64,
    /// The number of users.
    pub users: usize,
    /// Whether likes and comments are added.
    pub social: bool,
}

impl Load {
    /// Requests per second, including likes and comments.
    #[expect(clippy::cast_precision_loss, reason = "numbers of requests")]
    pub fn requests_per_second(&self) -> f64 {
        let percent = if self.social { 100 + LIKES_PERCENT + COMMENTS_PERCENT } else { 100 };
        f64::from(self.rate) * percent as f64 / 100.0
    }
}

/// Schedules `rate` requests per second at even intervals, the first of each second by the famous author. Likes and
/// comments are added at even intervals and do not change the other requests. Arrivals never wait for answers.
pub fn plan(load: Load, rng: &mut impl Rng) -> Vec<Arrival> {
    let mut arrivals = reads_and_posts(load, rng);
    if load.social {
        arrivals.extend(reactions(load, LIKES_PERCENT, |place| {
            if place % HOT_LIKE_EVERY == 0 {
                // All users once before any user a second time.
                let liker = usize::try_from(place / HOT_LIKE_EVERY).unwrap_or(usize::MAX);
                return Action::LikeHot(liker % load.users);
            }
            Action::Like(rng.random_range(0..load.users), Pick(rng.random()))
        }));
        arrivals.extend(reactions(load, COMMENTS_PERCENT, |_| {
            Action::Comment(rng.random_range(0..load.users), Pick(rng.random()))
        }));
        arrivals.sort_by_key(|arrival| arrival.at);
    }
    arrivals
}

/// Schedules `percent` reactions per hundred other requests, at least one, each in the middle of its share of the time.
fn reactions(load: Load, percent: u64, mut action: impl FnMut(u64) -> Action) -> Vec<Arrival> {
    let others = u64::from(load.rate) * u64::from(load.seconds);
    let count = (others * percent / 100).max(1);
    #[expect(clippy::cast_precision_loss, reason = "numbers of requests are far below 2^52")]
    let seconds_each = f64::from(load.seconds) / count as f64;
    (0..count)
        .map(|place| Arrival {
            #[expect(clippy::cast_precision_loss, reason = "places are far below 2^52")]
            at: Duration::from_secs_f64((place as f64 + 0.5) * seconds_each),
            action: action(place),
        })
        .collect()
}

fn reads_and_posts(load: Load, rng: &mut impl Rng) -> Vec<Arrival> {
    let count = u64::from(load.rate) * u64::from(load.seconds);
    let nanos_between = 1_000_000_000.0 / f64::from(load.rate);
    (0..count)
        .map(|place| Arrival {
            #[expect(clippy::cast_precision_loss, reason = "places are far below 2^52")]
            at: Duration::from_secs_f64(place as f64 * nanos_between / 1e9),
            action: if place % u64::from(load.rate) == 0 { Action::PublishFamous } else { action(load, rng) },
        })
        .collect()
}

fn action(load: Load, rng: &mut impl Rng) -> Action {
    let user = rng.random_range(0..load.users);
    if rng.random_bool(load.read_share) { Action::Read(user) } else { Action::Publish(user) }
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng as _, rngs::StdRng};

    use super::*;

    const LOAD: Load = Load { rate: 500, seconds: 4, read_share: 0.9, users: 100, social: false };

    fn planned(load: Load) -> Vec<Arrival> {
        plan(load, &mut StdRng::seed_from_u64(3))
    }

    #[test]
    fn arrivals_are_evenly_spread() {
        let arrivals = planned(LOAD);
        assert_eq!(arrivals.len(), 2_000);
        assert!(arrivals.iter().zip(0_u64..).all(|(arrival, place)| arrival.at == Duration::from_millis(2 * place)));
    }

    #[test]
    fn the_famous_author_posts_every_second() {
        let famous: Vec<Duration> =
            planned(LOAD).iter().filter(|arrival| arrival.action == Action::PublishFamous).map(|it| it.at).collect();
        assert_eq!(famous, [0, 1, 2, 3].map(Duration::from_secs));
    }

    #[test]
    fn reactions_do_not_change_other_arrivals() {
        let with = planned(Load { social: true, ..LOAD });
        let is_reaction = |action| matches!(action, Action::LikeHot(_) | Action::Like(..) | Action::Comment(..));
        let others: Vec<Arrival> = with.iter().filter(|arrival| !is_reaction(arrival.action)).copied().collect();
        assert_eq!(others, planned(LOAD));
        assert!(with.is_sorted_by_key(|arrival| arrival.at));
        let of = |which: fn(&Action) -> bool| with.iter().filter(|arrival| which(&arrival.action)).count();
        assert_eq!(of(|action| matches!(action, Action::LikeHot(_) | Action::Like(..))), 200);
        assert_eq!(of(|action| matches!(action, Action::Comment(..))), 40);
    }

    #[test]
    fn a_fifth_of_likes_share_one_post() {
        let mut likers: Vec<usize> = planned(Load { social: true, ..LOAD })
            .iter()
            .filter_map(|arrival| if let Action::LikeHot(user) = arrival.action { Some(user) } else { None })
            .collect();
        assert_eq!(likers.len(), 40);
        likers.sort_unstable();
        likers.dedup();
        assert_eq!(likers.len(), 40);
    }

    #[test]
    fn a_pick_is_one_of_the_newest() {
        let posts = [1, 2, 3, 4, 5];
        let picked: Vec<_> = (0..5).filter_map(|number| Pick(number).of(&posts, 2)).collect();
        assert_eq!(picked, [4, 5, 4, 5, 4]);
        assert_eq!(Pick(7).of(&posts, 100), Some(3));
        assert_eq!(Pick(7).of::<u8>(&[], 100), None);
    }

    #[test]
    fn reads_and_posts_have_the_requested_shares() {
        let reads = planned(LOAD).iter().filter(|arrival| matches!(arrival.action, Action::Read(_))).count();
        assert!((1_700..1_900).contains(&reads), "{reads}");
        for (read_share, expected) in [(0.0, 0), (1.0, 1_996)] {
            let arrivals = planned(Load { read_share, ..LOAD });
            assert_eq!(arrivals.iter().filter(|arrival| matches!(arrival.action, Action::Read(_))).count(), expected);
        }
    }
}
