//! The phases of growth, and the resource that ends each.

use domain::limits;

use super::{
    acts,
    delivery::Pipeline,
    hits::{self, STORY_SECONDS},
    model::{Load, Service},
};
use crate::cost::prices;

/// Requests a second of one node of 2 cores at which feed reads stay under 50 ms: README.md, Measured, `loadtest mixed
/// --find-rate`.
const NODE_REQUESTS: f64 = 2_750.0;
/// Feed entries a second of that node in a fan-out to a million: README.md, Measured, `loadtest fanout`.
const NODE_ENTRIES: f64 = 393_000.0;
/// Seconds from a post's answer to the first entry in one process, p50 and p99: README.md, Measured, `loadtest mixed`.
const NODE_FIRST_ENTRY: [f64; 2] = [0.002, 0.05];
/// Write units a second of a new on-demand table (DynamoDB Developer Guide: on-demand capacity mode).
const NEW_TABLE_WRITES: f64 = 4_000.0;
/// Read units a second of a new on-demand table (the same page).
const NEW_TABLE_READS: f64 = 12_000.0;
/// Write units a second of one on-demand table by default quota (DynamoDB Developer Guide: quotas).
const TABLE_QUOTA: f64 = 40_000.0;
/// Read units a second of one partition (DynamoDB Developer Guide: best practices for partition keys).
const PARTITION_READS: f64 = 3_000.0;
/// Write units a second of one partition (the same page).
const PARTITION_WRITES: f64 = 1_000.0;
/// Concurrent executions of an account by default (Lambda Developer Guide: quotas).
const LAMBDA_CONCURRENCY: f64 = 1_000.0;
/// Requests a second of an account by default (API Gateway Developer Guide: quotas).
const API_REQUESTS: f64 = 10_000.0;
/// Instances of follow-fetcher and of job-handler: the defaults of template.yaml (a test compares).
const QUEUE_CONCURRENCY: f64 = 10.0;
/// Copies of an author's hot items once authors are sharded.
const COPIES: f64 = 16.0;
/// The share of the raised quotas that is in use in the busiest hour.
const RAISED_USE: f64 = 0.5;
/// Seconds from a post's answer to the first entry on AWS, p50 and p99: two messages and two functions of the assumed
/// durations, with a cold start of each at the 99th percentile.
const AWS_FIRST_ENTRY: [f64; 2] = [0.2, 1.0];
/// Daily users beyond the population of the earth.
const EVERYBODY: f64 = 1e10;
/// Halvings of the interval in which the largest size lies.
const HALVINGS: u32 = 50;

/// A phase of growth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// One process on 2 cores.
    OneNode,
    /// The template as it is, in a new account.
    AwsDefaults,
    /// Tables warmed and quotas raised as far as needed.
    Raised,
    /// Hot items of large authors in copies, and more shards. Not built.
    ShardedAuthors,
}

/// A demand in the busiest hour, and what a phase offers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Resource {
    /// Its name.
    pub name: &'static str,
    /// The demand.
    pub demand: f64,
    /// The capacity.
    pub capacity: f64,
}

impl Resource {
    /// The share in use; above 1 it does not suffice.
    pub fn usage(&self) -> f64 {
        self.demand / self.capacity
    }
}

impl Phase {
    /// All phases in order.
    pub const ALL: [Self; 4] = [Self::OneNode, Self::AwsDefaults, Self::Raised, Self::ShardedAuthors];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OneNode => "one node, 2 cores",
            Self::AwsDefaults => "AWS defaults",
            Self::Raised => "warmed tables, raised quotas",
            Self::ShardedAuthors => "sharded authors",
        }
    }

    /// The use of the resources that this phase limits.
    pub fn resources(self, load: &Load) -> Vec<Resource> {
        match self {
            Self::OneNode => on_one_node(load),
            Self::AwsDefaults => [in_a_new_account(load), of_partitions(load, 1.0)].concat(),
            Self::Raised => of_partitions(load, 1.0),
            Self::ShardedAuthors => of_partitions(load, COPIES),
        }
    }

    /// The resource with the least to spare.
    ///
    /// # Panics
    /// Never: every phase limits a resource.
    pub fn bottleneck(self, load: &Load) -> Resource {
        let most = self.resources(load).into_iter().max_by(|one, other| one.usage().total_cmp(&other.usage()));
        most.expect("every phase limits a resource")
    }

    /// Whether all resources suffice.
    pub fn holds(self, load: &Load) -> bool {
        self.bottleneck(load).usage() <= 1.0
    }

    /// The first phase on AWS that suffices.
    pub fn on_aws(load: &Load) -> Option<Self> {
        Self::ALL[1..].iter().copied().find(|phase| phase.holds(load))
    }

    /// The most daily users of a service of this kind, and the bottleneck there. At most 10^10.
    pub fn largest(self, service: &Service) -> (f64, Resource) {
        let load = |daily: f64| Service { daily, ..*service }.load();
        let (mut low, mut high) = (1.0_f64, EVERYBODY);
        for _ in 0..HALVINGS {
            let middle = (low * high).sqrt();
            if self.holds(&load(middle)) { low = middle } else { high = middle }
        }
        (low, self.bottleneck(&load(low)))
    }

    /// The pipeline that delivers the posts of a load.
    pub fn pipeline(self, load: &Load) -> Pipeline {
        let fetched = 1_000.0 / prices::FOLLOW_FETCHER_MS_PER_1000_FOLLOWERS * 1_000.0;
        let aws = |capacity: f64| Pipeline { capacity, one_fan_out: fetched, first_entry: AWS_FIRST_ENTRY };
        match self {
            Self::OneNode => {
                Pipeline { capacity: NODE_ENTRIES, one_fan_out: NODE_ENTRIES, first_entry: NODE_FIRST_ENTRY }
            }
            Self::AwsDefaults => aws(NEW_TABLE_WRITES.min(QUEUE_CONCURRENCY * entries_per_handler())),
            Self::Raised | Self::ShardedAuthors => {
                aws(TABLE_QUOTA.max(load.at_peak(load.day.feed_writes) / RAISED_USE))
            }
        }
    }
}

/// Entries a second of one instance of job-handler.
fn entries_per_handler() -> f64 {
    (limits::MAX_QUEUE_BATCH * limits::FOLLOWERS_PER_JOB) as f64 * 1_000.0 / prices::JOB_HANDLER_MS
}

fn on_one_node(load: &Load) -> Vec<Resource> {
    let requests = load.at_peak(load.day.requests());
    vec![
        Resource { name: "requests a second", demand: requests, capacity: NODE_REQUESTS },
        Resource { name: "feed entries a second", demand: load.at_peak(load.deliveries), capacity: NODE_ENTRIES },
    ]
}

fn in_a_new_account(load: &Load) -> Vec<Resource> {
    let (day, peak) = (&load.day, |a_day: f64| load.at_peak(a_day));
    let fetchers = day.post_batches * prices::FOLLOW_FETCHER_MS
        + day.fanned_out / 1_000.0 * prices::FOLLOW_FETCHER_MS_PER_1000_FOLLOWERS;
    let handlers = day.job_turns * prices::JOB_HANDLER_MS / 1_000.0;
    vec![
        Resource { name: "writes on Feed", demand: peak(day.feed_writes), capacity: NEW_TABLE_WRITES },
        Resource { name: "writes on Social", demand: peak(day.other_writes), capacity: NEW_TABLE_WRITES },
        Resource { name: "reads on Feed", demand: peak(day.feed_reads), capacity: NEW_TABLE_READS },
        Resource { name: "reads on Social", demand: peak(day.other_reads), capacity: NEW_TABLE_READS },
        Resource {
            name: "follow-fetcher's concurrency",
            demand: peak(fetchers / 1_000.0),
            capacity: QUEUE_CONCURRENCY,
        },
        Resource { name: "job-handler's concurrency", demand: peak(handlers), capacity: QUEUE_CONCURRENCY },
        Resource { name: "Lambda's concurrency", demand: load.concurrency(), capacity: LAMBDA_CONCURRENCY },
        Resource { name: "API requests a second", demand: peak(day.requests()), capacity: API_REQUESTS },
    ]
}

/// Limits of single items and partitions, which no quota raises; with this many copies of each.
fn of_partitions(load: &Load, copies: f64) -> Vec<Resource> {
    let rates = load.service.acts;
    let peak = |acts_each: f64| load.at_peak(load.service.daily * acts_each);
    let largest = load.buckets.first().map_or(0.0, |bucket| bucket.followers) / load.service.users();
    // For a while the newest post of the largest author is on the page of each follower; instances cache it.
    let (instances, pages) = load.instances();
    let shown = pages * largest;
    let hot_post = instances * shown * (1.0 - hits::share(shown, hits::POST_SECONDS)) * acts::EVENTUAL;
    // Each instance reads the story again when its copy is too old.
    let hot_story = instances * acts::EVENTUAL / STORY_SECONDS;
    let shards = |shards: u8| f64::from(shards) * PARTITION_WRITES * copies;
    vec![
        Resource { name: "reads of the hottest post", demand: hot_post, capacity: PARTITION_READS * copies },
        Resource { name: "reads of a pulled author's posts", demand: hot_story, capacity: PARTITION_READS * copies },
        Resource {
            name: "writes on the outbox",
            demand: peak(rates.posts) * acts::OUTBOX_WRITES,
            capacity: shards(limits::OUTBOX_SHARDS),
        },
        Resource {
            name: "writes on open backfills",
            demand: peak(rates.follows) * acts::BACKFILL_WRITES,
            capacity: shards(limits::TASK_SHARDS),
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::options::tests::defaults;

    #[test]
    fn queue_concurrency_is_the_templates_default() {
        let template = include_str!("../../../template.yaml");
        for parameter in ["FollowFetcherConcurrency", "JobHandlerConcurrency"] {
            let (_, after) = template.split_once(&format!("\n  {parameter}:\n")).unwrap();
            let default = after.lines().find_map(|line| line.trim().strip_prefix("Default: ")).unwrap();
            assert_eq!(default.parse(), Ok(QUEUE_CONCURRENCY), "{parameter}");
        }
    }

    #[test]
    fn a_phase_holds_up_to_its_largest_size() {
        let service = defaults().services()[0];
        for phase in Phase::ALL {
            let (daily, _) = phase.largest(&service);
            let holds = |factor: f64| phase.holds(&Service { daily: daily * factor, ..service }.load());
            assert!(holds(0.9), "{phase:?} at {daily}");
            assert!(!holds(1.1) || daily > 0.9 * EVERYBODY, "{phase:?} at {daily}");
        }
    }
}
