//! Port wrappers that inject the faults of cloud services, or count. They wrap any `Arc<dyn Store>` or `Arc<dyn
//! Queue>`.
//!
//! - [`HookedStore`], [`HookedQueue`]: run a test's hook around each call, to delay it, fail it, or run other code.
//! - [`FaultyStore`], [`FaultyQueue`]: throttle, fail before or after the work is done, leave parts of batches undone,
//!   deliver twice; at random from a seed, so that the same calls in the same order meet the same faults.
//! - [`LateStore`]: applies some transactions only after they were answered as failed.
//! - [`ConflictingStore`]: refuses some transactions as if another one held their items.
//! - [`GatedStore`]: holds single writes until the test lets them through.
//! - [`StaleStore`]: answers every eventually consistent read with stale data.
//! - [`CountingStore`], [`CountingQueue`]: count calls and entries.

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
