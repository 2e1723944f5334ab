//! The integration tests of this crate, in one binary.

mod bounded_work;
mod changes;
mod changes_on_embedded;
mod dynamodb_faults;
mod erasure;
mod fault_wrappers;
mod following;
mod live;
mod own_writes;
mod page_costs;
mod pipeline;
mod pipeline_faults;
mod queue_at_endpoint;
mod queue_on_embedded;
mod queue_on_sqs;
mod rate_limits;
mod recording;
mod setup;
mod signing_secret;
mod sqs_faults;
mod store_at_endpoint;
mod store_on_dynamodb;
mod store_on_embedded;
mod support;
mod traces;
mod warm_up;
