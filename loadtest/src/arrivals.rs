//! When which request is to arrive: fixed before the run, whatever becomes of the requests before.

use std::time::Duration;

use rand::{Rng, RngExt as _};

/// What a request does, and on whose behalf: a place in the list of users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Reads the user's feed.
    Read(usize),
    /// Publishes a post of the user's.
    Publish(usize),
    /// Publishes a post of the famous author's.
    PublishFamous,
}

/// One request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Its intended start, from the beginning of the run.
    pub at: Duration,
    /// What it does.
    pub action: Action,
}

/// How much is to arrive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Load {
    /// Requests a second.
    pub rate: u32,
    /// For how many seconds.
    pub seconds: u32,
    /// Which share of the requests reads.
    pub read_share: f64,
    /// How many users there are.
    pub users: usize,
}

/// `rate` requests a second at even distances, the first of each second by the famous author. A new arrival never
/// waits for an answer.
pub fn plan(load: Load, rng: &mut impl Rng) -> Vec<Arrival> {
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

    const LOAD: Load = Load { rate: 500, seconds: 4, read_share: 0.9, users: 100 };

    fn planned(load: Load) -> Vec<Arrival> {
        plan(load, &mut StdRng::seed_from_u64(3))
    }

    #[test]
    fn arrivals_come_at_even_distances_over_the_whole_time() {
        let arrivals = planned(LOAD);
        assert_eq!(arrivals.len(), 2_000);
        assert!(arrivals.iter().zip(0_u64..).all(|(arrival, place)| arrival.at == Duration::from_millis(2 * place)));
    }

    #[test]
    fn the_famous_author_posts_at_each_full_second() {
        let famous: Vec<Duration> =
            planned(LOAD).iter().filter(|arrival| arrival.action == Action::PublishFamous).map(|it| it.at).collect();
        assert_eq!(famous, [0, 1, 2, 3].map(Duration::from_secs));
    }

    #[test]
    fn reads_and_posts_come_in_the_share_asked() {
        let reads = planned(LOAD).iter().filter(|arrival| matches!(arrival.action, Action::Read(_))).count();
        assert!((1_700..1_900).contains(&reads), "{reads}");
        for (read_share, expected) in [(0.0, 0), (1.0, 1_996)] {
            let arrivals = planned(Load { read_share, ..LOAD });
            assert_eq!(arrivals.iter().filter(|arrival| matches!(arrival.action, Action::Read(_))).count(), expected);
        }
    }
}
