//! The time from a post's answer to the entry in a follower's feed.
//!
//! Fair queues let posts share the capacity: to a post, the fan-outs of others look like a slower server (processor
//! sharing, M/G/1). Its rate is the share of the capacity that is free on average, and at most what one fan-out can
//! use. An entry waits for those of its post before it, so a random entry waits for a random part of its fan-out.

use serde::Serialize;

use super::model::Load;

/// Halvings of the interval in which a percentile lies.
const HALVINGS: u32 = 80;

/// The pipeline that delivers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pipeline {
    /// Entries per second in total.
    pub capacity: f64,
    /// Entries per second of one fan-out.
    pub one_fan_out: f64,
    /// Seconds to the first entry: p50 and p99.
    pub first_entry: [f64; 2],
}

/// Times to deliver, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Delivery {
    /// Half of the entries arrive within this time.
    pub p50: f64,
    /// 99% of the entries arrive within this time.
    pub p99: f64,
    /// The last entry of the largest fan-out.
    pub largest: f64,
}

impl Pipeline {
    /// Seconds in which a fan-out to this many readers is complete, beside others that write `busy` entries a second.
    /// `None` if their backlog grows.
    pub fn completes(&self, readers: f64, busy: f64) -> Option<f64> {
        let free = self.capacity - busy;
        (free > 0.0).then(|| self.first_entry[0] + readers / free.min(self.one_fan_out))
    }

    /// The delivery times of a load in its busiest hour. `None` if the backlog grows.
    pub fn delivers(&self, load: &Load) -> Option<Delivery> {
        let rate = self.capacity - load.at_peak(load.day.feed_writes);
        if rate <= 0.0 {
            return None;
        }
        let rate = rate.min(self.one_fan_out);
        let pushed = load.buckets.iter().filter(|bucket| !load.service.is_pulled(bucket));
        // By their entries: the entries of all posts, and of one.
        let fan_outs: Vec<(f64, f64)> =
            pushed.map(|bucket| (bucket.follows(), load.fan_out(bucket).entries().max(1.0))).collect();
        let largest = fan_outs.first().map_or(0.0, |(_, entries)| *entries);
        let waits = |share: f64| percentile(&fan_outs, share, largest) / rate;
        Some(Delivery {
            p50: self.first_entry[0] + waits(0.5),
            p99: self.first_entry[1] + waits(0.99),
            largest: self.first_entry[0] + largest / rate,
        })
    }
}

/// The number of entries written before an entry of its post that this share of all entries does not exceed.
fn percentile(fan_outs: &[(f64, f64)], share: f64, largest: f64) -> f64 {
    let all: f64 = fan_outs.iter().map(|(weight, _)| weight).sum();
    let within = |place: f64| fan_outs.iter().map(|(weight, size)| weight * (place / size).min(1.0)).sum::<f64>();
    let (mut low, mut high) = (0.0, largest);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if within(middle) < share * all { low = middle } else { high = middle }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_one_fan_out_is_its_median() {
        assert!((percentile(&[(7.0, 1_000.0)], 0.5, 1_000.0) - 500.0).abs() < 1e-6);
        // Two thirds of the entries come from the small fan-out, at once by comparison.
        let fan_outs = [(1.0, 1_000_000.0), (2.0, 1.0)];
        assert!(percentile(&fan_outs, 0.6, 1_000_000.0) <= 1.0);
        let late = percentile(&fan_outs, 0.99, 1_000_000.0);
        assert!((late - 970_000.0).abs() < 1.0, "{late}");
    }

    #[test]
    fn a_full_pipeline_never_completes() {
        let pipeline = Pipeline { capacity: 4_000.0, one_fan_out: 10_000.0, first_entry: [0.1, 0.2] };
        assert_eq!(pipeline.completes(1_000.0, 4_000.0), None);
        assert_eq!(pipeline.completes(1_000.0, 3_000.0), Some(1.1));
    }
}
