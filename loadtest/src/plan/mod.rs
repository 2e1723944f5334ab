//! `loadtest plan`: the load, the monthly cost and the delivery times of a service of any size, computed from what each
//! act takes.
//!
//! In reading order: [`options`]: users, rates and settings. [`distribution`]: the followers of authors. [`acts`]: what
//! each act takes. [`hits`]: what caches save. [`model`]: the load of a service, and its price. [`delivery`]: times to
//! deliver. [`phases`]: the phases of growth with the bottleneck of each. [`report`]: the tables, also those of
//! docs/scale.md. [`check`]: a measured run beside the plan.

#![expect(clippy::cast_precision_loss, reason = "numbers of users and requests, far below 2^52")]

pub mod acts;
pub mod check;
pub mod delivery;
pub mod distribution;
pub mod hits;
pub mod model;
pub mod options;
pub mod phases;
pub mod report;
