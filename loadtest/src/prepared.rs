//! DynamoDB and SQS, ready for a run.

use tweeter::{
    aws::{AwsClients, AwsError, AwsOptions},
    setup,
};

/// Tables and queues, and clients of them.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// Clients with the region, the credentials and the endpoints that the SDK finds.
    pub clients: AwsClients,
    /// Names of the tables and queues.
    pub options: AwsOptions,
}

impl Prepared {
    /// Creates missing tables and queues.
    pub async fn make(options: AwsOptions) -> Result<Self, AwsError> {
        let clients = AwsClients::from_environment().await?;
        setup::on_aws(&clients, &options).await?;
        Ok(Self { clients, options })
    }
}
