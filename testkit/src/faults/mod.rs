//! Port wrappers that misbehave as the cloud does, or count. They wrap any `Arc<dyn Store>` or `Arc<dyn Queue>`.
//!
//! - [`FaultyStore`], [`FaultyQueue`]: throttle, fail before or after the work is done, leave parts of batches undone,
//!   deliver twice; by the dice of a seed, so that the same calls in the same order meet the same faults.
//! - [`LateStore`]: makes some transactions only after they were answered as failed.
//! - [`ConflictingStore`]: turns some transactions away as if another one held their items.
//! - [`StaleStore`]: answers every read not asked consistent from the past.
//! - [`GuardedStore`]: asks before it writes a batch: for faults that befall certain writes.
//! - [`SlowStore`]: takes its time over each call.
//! - [`CountingStore`], [`CountingQueue`]: how many calls and entries.

mod conflicting;
mod counting;
mod dice;
mod guarded;
mod late;
mod queue;
mod slow;
mod stale;
mod store;

pub use conflicting::ConflictingStore;
pub use counting::{CountingQueue, CountingStore, QueueCounts, ReadsByKind, StoreCounts};
pub use dice::{FaultCounts, FaultSwitch};
pub use guarded::GuardedStore;
pub use late::LateStore;
pub use queue::{FaultyQueue, QueueFaults};
pub use slow::SlowStore;
pub use stale::StaleStore;
pub use store::{FaultyStore, StoreFaults};
