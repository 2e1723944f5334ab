//! DynamoDB and SQS under the ports.
