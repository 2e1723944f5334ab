//! Port wrappers that misbehave as the cloud does, or count. They wrap any `Arc<dyn Store>` or `Arc<dyn Queue>`.
//!
//! - [`HookedStore`], [`HookedQueue`]: whatever a test wants around the calls: delay, fail, or run something else.
//! - [`FaultyStore`], [`FaultyQueue`]: throttle, fail before or after the work is done, leave parts of batches undone,
//!   deliver twice; by the dice of a seed, so that the same calls in the same order meet the same faults.
//! - [`LateStore`]: makes some transactions only after they were answered as failed.
//! - [`ConflictingStore`]: refuses some transactions as if another one held their items.
//! - [`GatedStore`]: makes single writes when the test lets them through.
//! - [`StaleStore`]: answers every read not asked consistent from the past.
//! - [`CountingStore`], [`CountingQueue`]: how many calls and entries.

mod conflicting;
mod counting;
mod dice;
mod gated;
mod hooked;
mod late;
mod queue;
mod stale;
mod store;

pub use conflicting::ConflictingStore;
pub use counting::{CountingQueue, CountingStore, QueueCounts, ReadsByKind, StoreCounts};
pub use dice::{FaultCounts, FaultSwitch};
pub use gated::GatedStore;
pub use hooked::{HookedQueue, HookedStore, QueueCall, QueueHook, StoreCall, StoreHook};
pub use late::LateStore;
pub use queue::{FaultyQueue, QueueFaults};
pub use stale::StaleStore;
pub use store::{FaultyStore, StoreFaults};
