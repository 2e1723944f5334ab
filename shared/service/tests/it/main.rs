//! The services on the real embedded stores, and on ports that fail.

mod bounded_work;
mod changes;
mod clocks;
mod erasure;
mod fan_out;
mod feed_caches;
mod feed_expiry;
mod following;
mod hybrid;
mod live;
mod media;
mod own_writes;
mod page_costs;
mod pipeline;
mod pipeline_faults;
mod protocol;
mod rate_limits;
mod read_units;
mod window;
