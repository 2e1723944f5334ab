//! The AWS adapters, on third-party engines and on canned responses.

mod blobs_at_endpoint;
mod blobs_on_s3;
mod dynamodb_faults;
mod fault_wrappers;
mod queue_at_endpoint;
mod queue_on_sqs;
mod recording;
mod s3_faults;
mod scan;
mod setup;
mod signing_secret;
mod sqs_faults;
mod store_at_endpoint;
mod store_on_dynamodb;
mod traces;
