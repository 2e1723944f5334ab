//! How many followers authors have: Zipf's law or a log-normal distribution, as buckets of authors of similar size.

use clap::ValueEnum;
use serde::Serialize;

/// Authors ranked one by one; the buckets below them widen by [`WIDENING`].
const RANKED_SINGLY: f64 = 32.0;
/// The ratio of a bucket's last rank to its predecessor's: within a bucket followers differ by about 2%.
const WIDENING: f64 = 1.03;
/// Standard deviations that bound every quantile of up to 10^12 users.
const WIDEST: f64 = 8.0;
/// Halvings of an interval of 16 deviations, to the precision of `f64`.
const HALVINGS: u32 = 60;

/// The shape of a distribution of followers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// The author of rank r has followers in proportion to r to the power of minus the exponent.
    Zipf,
    /// The logarithm of the number of followers is distributed normally.
    LogNormal,
}

/// A distribution of followers over authors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Distribution {
    /// Its shape.
    pub shape: Shape,
    /// Zipf's exponent, or the standard deviation of the logarithm.
    pub parameter: f64,
}

/// Authors with about the same number of followers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// The number of authors.
    pub authors: f64,
    /// The mean number of followers of each; below 1, most of them have none.
    pub followers: f64,
}

impl Bucket {
    /// Follows of all its authors.
    pub fn follows(&self) -> f64 {
        self.authors * self.followers
    }
}

impl Distribution {
    /// Spreads `follows` over `users`, largest author first. No author has more followers than there are users; what
    /// is cut off there goes to the others.
    pub fn buckets(self, users: f64, follows: f64) -> Vec<Bucket> {
        let edges = rank_edges(users.max(1.0));
        let bucket = |edge: &[f64]| Bucket { authors: edge[1] - edge[0], followers: self.weight(edge, users) };
        let weighted: Vec<Bucket> = edges.windows(2).map(bucket).collect();
        scaled(&weighted, follows, users)
    }

    /// The mean weight of the authors between two ranks.
    fn weight(self, edge: &[f64], users: f64) -> f64 {
        let sum = match self.shape {
            Shape::Zipf => power_integral(self.parameter, edge[0] + 0.5, edge[1] + 0.5),
            Shape::LogNormal => {
                // The share of all followers that authors above a quantile have.
                let held_above = |rank: f64| normal(self.parameter - upper_quantile(rank / users));
                held_above(edge[1]) - held_above(edge[0])
            }
        };
        sum / (edge[1] - edge[0])
    }
}

/// The ranks between buckets: 0, 1, 2, …, then in widening steps, up to `users`.
fn rank_edges(users: f64) -> Vec<f64> {
    let next = |rank: &f64| {
        let further = if *rank < RANKED_SINGLY { rank + 1.0 } else { (rank * WIDENING).ceil() };
        (*rank < users).then(|| further.min(users))
    };
    std::iter::successors(Some(0.0), next).collect()
}

/// The integral of x to the power of minus `exponent`.
fn power_integral(exponent: f64, from: f64, to: f64) -> f64 {
    let power = 1.0 - exponent;
    if power.abs() < 1e-9 { (to / from).ln() } else { (to.powf(power) - from.powf(power)) / power }
}

/// The probability of less than `deviations` in a standard normal distribution.
fn normal(deviations: f64) -> f64 {
    0.5 * libm::erfc(-deviations / std::f64::consts::SQRT_2)
}

/// The deviations exceeded with this probability.
fn upper_quantile(probability: f64) -> f64 {
    let (mut low, mut high) = (-WIDEST, WIDEST);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if normal(-middle) > probability { low = middle } else { high = middle }
    }
    high
}

/// Turns mean weights, largest first, into followers that add up to `follows`, at most `most` each.
fn scaled(weighted: &[Bucket], follows: f64, most: f64) -> Vec<Bucket> {
    let follows = follows.min(weighted.iter().map(|bucket| bucket.authors).sum::<f64>() * most);
    let mut capped = 0;
    loop {
        let (full, rest) = weighted.split_at(capped);
        let left = follows - full.iter().map(|bucket| bucket.authors * most).sum::<f64>();
        let scale = left / rest.iter().map(Bucket::follows).sum::<f64>();
        let over = rest.iter().take_while(|bucket| bucket.followers * scale > most).count();
        if over == 0 {
            let full = full.iter().map(|bucket| Bucket { followers: most, ..*bucket });
            let rest = rest.iter().map(|bucket| Bucket { followers: bucket.followers * scale, ..*bucket });
            return full.chain(rest).collect();
        }
        capped += over;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sum(buckets: &[Bucket], of: impl Fn(&Bucket) -> f64) -> f64 {
        buckets.iter().map(of).sum()
    }

    fn any_distribution() -> impl Strategy<Value = Distribution> {
        let zipf = (0.2..1.5).prop_map(|parameter| Distribution { shape: Shape::Zipf, parameter });
        zipf.boxed()
            .prop_union((0.5..3.5).prop_map(|parameter| Distribution { shape: Shape::LogNormal, parameter }).boxed())
    }

    proptest! {
        #[test]
        fn followers_add_up_to_the_follows(it in any_distribution(), users in 2.0..1e9, mean in 0.1..300.0) {
            let (users, follows) = (f64::round(users), f64::round(users) * f64::min(mean, users / 2.0));
            let buckets = it.buckets(users, follows);
            prop_assert!((sum(&buckets, |it| it.authors) / users - 1.0).abs() < 1e-9);
            prop_assert!((sum(&buckets, Bucket::follows) / follows - 1.0).abs() < 1e-6);
        }

        #[test]
        fn followers_fall_with_rank_within_bounds(it in any_distribution(), users in 2.0..1e9, mean in 0.1..300.0) {
            let users = f64::round(users);
            let buckets = it.buckets(users, users * f64::min(mean, users / 2.0));
            prop_assert!(buckets.iter().all(|it| (0.0..=users).contains(&it.followers)));
            prop_assert!(buckets.windows(2).all(|pair| pair[0].followers >= pair[1].followers * (1.0 - 1e-6)));
        }
    }

    #[test]
    fn ranks_follow_the_power_law() {
        let buckets = Distribution { shape: Shape::Zipf, parameter: 0.78 }.buckets(1e8, 1e10);
        // Ranks 11 and 22, whose midpoints differ by a factor of two.
        let ratio = buckets[10].followers / buckets[21].followers;
        assert!((ratio / 2.0_f64.powf(0.78) - 1.0).abs() < 0.01, "{ratio}");
    }

    #[test]
    fn the_median_is_that_of_a_log_normal() {
        let (sigma, users, mean) = (2.0_f64, 1e6, 100.0);
        let buckets = Distribution { shape: Shape::LogNormal, parameter: sigma }.buckets(users, users * mean);
        let mut rank = 0.0;
        let median = buckets.iter().find(|bucket| {
            rank += bucket.authors;
            rank >= users / 2.0
        });
        let expected = mean * (-sigma * sigma / 2.0).exp();
        let found = median.unwrap().followers;
        assert!((found / expected - 1.0).abs() < 0.1, "{found}, not {expected}");
    }
}
