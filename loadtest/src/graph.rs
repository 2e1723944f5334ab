//! The follow graph of a mixed run: numbers of followees follow a Zipf distribution, followees are drawn uniformly.

use std::collections::{HashMap, HashSet};

use domain::UserId;
use rand::{Rng, RngExt as _};

/// Mean number of followees.
pub const MEAN_FOLLOWEES: f64 = 50.0;
/// Followers of the famous author.
pub const FAMOUS_FOLLOWERS: usize = 10_000;

/// A Zipf distribution over `1..=max`: `k` has a probability proportional to `k` to the power of `-s`.
#[derive(Debug)]
pub struct Zipf {
    /// `cumulative[k - 1]`: the probability of at most `k`.
    cumulative: Vec<f64>,
}

impl Zipf {
    /// The distribution with this `mean`, or with half of `max` if that is less: up to that mean, `s` is not negative.
    /// `max` must be at least 1.
    pub fn with_mean(mean: f64, max: usize) -> Self {
        let max = max.max(1);
        let mean = mean.min(as_float(max).midpoint(1.0));
        // The mean decreases as `s` increases: bisect.
        let (mut low, mut high) = (0.0, 8.0);
        for _ in 0..60 {
            let s = f64::midpoint(low, high);
            if mean_of(&weights(s, max)) > mean { low = s } else { high = s }
        }
        let weights = weights(high, max);
        let total: f64 = weights.iter().sum();
        let mut sum = 0.0;
        let cumulative = weights.iter().map(|weight| {
            sum += weight / total;
            sum
        });
        Self { cumulative: cumulative.collect() }
    }

    /// Draws a number.
    pub fn draw(&self, rng: &mut impl Rng) -> usize {
        let point: f64 = rng.random();
        let below = self.cumulative.partition_point(|cumulative| *cumulative < point);
        below.min(self.cumulative.len() - 1) + 1
    }
}

fn weights(s: f64, max: usize) -> Vec<f64> {
    (1..=max).map(|k| as_float(k).powf(-s)).collect()
}

fn mean_of(weights: &[f64]) -> f64 {
    let total: f64 = weights.iter().sum();
    weights.iter().zip(1..).map(|(weight, k)| weight * as_float(k)).sum::<f64>() / total
}

#[expect(clippy::cast_precision_loss, reason = "numbers of users")]
fn as_float(number: usize) -> f64 {
    number as f64
}

/// The users of a mixed run, and in addition the famous author.
#[derive(Debug)]
pub struct Graph {
    /// The users who read and write.
    pub users: Vec<UserId>,
    /// The author with [`FAMOUS_FOLLOWERS`] followers, or all users if they are fewer.
    pub famous: UserId,
    /// For each user of `users`, the indexes of their followees.
    followees: Vec<Vec<u32>>,
}

impl Graph {
    /// Draws `users` users with new ids; the same `rng` state gives the same edges.
    ///
    /// # Panics
    /// If there are more than 2^32 users.
    pub fn draw(users: usize, rng: &mut impl Rng) -> Self {
        let counts = Zipf::with_mean(MEAN_FOLLOWEES, users.saturating_sub(1));
        let places = u32::try_from(users).expect("at most 2^32 users");
        Self {
            users: (0..users).map(|_| UserId::random()).collect(),
            famous: UserId::random(),
            followees: (0..places).map(|user| draw_followees(user, places, &counts, rng)).collect(),
        }
    }

    /// The number of edges.
    pub fn edge_count(&self) -> u64 {
        let drawn: usize = self.followees.iter().map(Vec::len).sum();
        (drawn + self.famous_followers().len()) as u64
    }

    /// All edges, as `(follower, followee)`.
    pub fn edges(&self) -> impl Iterator<Item = (UserId, UserId)> {
        let drawn = self.users.iter().zip(&self.followees).flat_map(|(follower, followees)| {
            followees.iter().map(|followee| (*follower, self.users[*followee as usize]))
        });
        drawn.chain(self.famous_followers().iter().map(|follower| (*follower, self.famous)))
    }

    /// The followees of each user.
    pub fn followees_by_user(&self) -> HashMap<UserId, Vec<UserId>> {
        let mut followees: HashMap<UserId, Vec<UserId>> = HashMap::with_capacity(self.users.len());
        for (follower, followee) in self.edges() {
            followees.entry(follower).or_default().push(followee);
        }
        followees
    }

    fn famous_followers(&self) -> &[UserId] {
        &self.users[..self.users.len().min(FAMOUS_FOLLOWERS)]
    }
}

/// Draws distinct users other than `user`.
fn draw_followees(user: u32, users: u32, counts: &Zipf, rng: &mut impl Rng) -> Vec<u32> {
    let count = counts.draw(rng).min(users.saturating_sub(1) as usize);
    let mut drawn = HashSet::with_capacity(count);
    while drawn.len() < count {
        let other = rng.random_range(0..users);
        if other != user {
            drawn.insert(other);
        }
    }
    let mut followees: Vec<u32> = drawn.into_iter().collect();
    followees.sort_unstable();
    followees
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng as _, rngs::StdRng};

    use super::*;

    fn exact_mean(zipf: &Zipf) -> f64 {
        // The mean is the sum over k >= 0 of the probability of exceeding k.
        1.0 + zipf.cumulative.iter().map(|at_most| 1.0 - at_most).sum::<f64>()
    }

    #[test]
    fn the_distribution_has_the_requested_mean() {
        for (mean, max) in [(50.0, 9_999), (50.0, 500), (3.0, 40)] {
            let found = exact_mean(&Zipf::with_mean(mean, max));
            assert!((found - mean).abs() < 0.01, "{mean} of {max}: {found}");
        }
    }

    #[test]
    fn few_users_halve_the_mean() {
        let found = exact_mean(&Zipf::with_mean(50.0, 9));
        assert!((found - 5.0).abs() < 0.01, "{found}");
    }

    #[test]
    fn few_users_follow_many() {
        let mut rng = StdRng::seed_from_u64(1);
        let zipf = Zipf::with_mean(50.0, 9_999);
        let mut drawn: Vec<usize> = (0..10_000).map(|_| zipf.draw(&mut rng)).collect();
        drawn.sort_unstable();
        assert!(drawn[5_000] < 10, "the median is {}", drawn[5_000]);
        assert!(drawn[9_990] > 1_000, "the ninth is {}", drawn[9_990]);
    }

    #[test]
    fn edges_are_distinct_and_without_self_follows() {
        let graph = Graph::draw(200, &mut StdRng::seed_from_u64(7));
        let edges: Vec<_> = graph.edges().collect();
        let distinct: HashSet<_> = edges.iter().collect();
        assert_eq!(edges.len(), distinct.len());
        assert_eq!(edges.len() as u64, graph.edge_count());
        assert!(edges.iter().all(|(follower, followee)| follower != followee));
        assert_eq!(edges.iter().filter(|(_, followee)| *followee == graph.famous).count(), 200);
    }
}
