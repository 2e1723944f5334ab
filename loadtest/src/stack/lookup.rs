//! Finds a deployed stack's tables, queues and signing secret from `CloudFormation`'s outputs. Region, credentials and
//! endpoints are found by the SDK.

use std::{collections::HashMap, sync::Arc};

use aws::{DynamoStore, QueueUrls, SqsOptions, SqsQueue, TableNames, config};
use aws_config::{BehaviorVersion, SdkConfig, retry::RetryConfig};
use aws_sdk_cloudformation::{self as cloudformation, operation::describe_stacks::DescribeStacksOutput};
use aws_sdk_secretsmanager as secretsmanager;
use ports::signing::TokenKeys;
use ports::{queue::QueueName, store::Table};
use service::tokens::AccessTokens;

use super::{Place, error::StackError};

/// The parts of a stack that a run needs.
#[derive(Debug, Clone)]
pub struct Stack {
    /// Its tables and queues.
    pub place: Place,
    /// Issues tokens as the stack does.
    pub tokens: AccessTokens,
}

/// The outputs of `template.yaml` that a run needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outputs {
    /// Names of the tables.
    pub tables: TableNames,
    /// URLs of the queues.
    pub queues: QueueUrls,
    /// The signing secret.
    pub secret_arn: String,
}

impl Stack {
    /// Looks a stack up by its name.
    pub async fn find(name: &str) -> Result<Self, StackError> {
        let loader = aws_config::defaults(BehaviorVersion::latest()).retry_config(RetryConfig::standard());
        let sdk = loader.load().await;
        if sdk.region().is_none() {
            return Err(StackError::NoRegion);
        }
        let outputs = Outputs::of_stack(&cloudformation::Client::new(&sdk), name).await?;
        let tokens = tokens(&secretsmanager::Client::new(&sdk), &outputs.secret_arn).await?;
        Ok(Self { place: place(&sdk, &outputs), tokens })
    }
}

fn place(sdk: &SdkConfig, outputs: &Outputs) -> Place {
    let store = DynamoStore::new(&config::dynamodb_client(sdk), outputs.tables.clone());
    let queue = SqsQueue::new(&config::sqs_client(sdk), outputs.queues.clone(), SqsOptions::default());
    Place { store: Arc::new(store), queue: Arc::new(queue) }
}

impl Outputs {
    /// Reads the outputs of the stack of this name.
    pub async fn of_stack(client: &cloudformation::Client, name: &str) -> Result<Self, StackError> {
        match client.describe_stacks().stack_name(name).send().await {
            Ok(answer) => Self::from_answer(name, &answer),
            Err(error) => Err(StackError::of_sdk("CloudFormation", &error)),
        }
    }

    fn from_answer(name: &str, answer: &DescribeStacksOutput) -> Result<Self, StackError> {
        let outputs = answer.stacks().iter().flat_map(cloudformation::types::Stack::outputs);
        let found: HashMap<&str, &str> =
            outputs.filter_map(|it| Some((it.output_key()?, it.output_value()?))).collect();
        let required = |output: &'static str| match found.get(output) {
            Some(value) => Ok((*value).to_owned()),
            None => Err(StackError::NoOutput { stack: name.to_owned(), output }),
        };
        let tables = [(Table::Auth, "AuthTable"), (Table::Social, "SocialTable"), (Table::Feed, "FeedTable")];
        let queues = [
            (QueueName::PostQ, "PostQUrl"),
            (QueueName::JobQ, "JobQUrl"),
            (QueueName::PostDlq, "PostDLQUrl"),
            (QueueName::JobDlq, "JobDLQUrl"),
        ];
        let (mut names, mut urls) = (TableNames::default(), QueueUrls::default());
        for (table, output) in tables {
            names = names.with(table, required(output)?);
        }
        for (queue, output) in queues {
            urls = urls.with(queue, required(output)?);
        }
        Ok(Self { tables: names, queues: urls, secret_arn: required("SigningSecretArn")? })
    }
}

/// Tokens signed with the current version of the secret.
async fn tokens(client: &secretsmanager::Client, secret_arn: &str) -> Result<AccessTokens, StackError> {
    let request = client.get_secret_value().secret_id(secret_arn).version_stage("AWSCURRENT");
    let answer = request.send().await.map_err(|error| StackError::of_sdk("Secrets Manager", &error))?;
    let secret = TokenKeys::parse_secret(answer.secret_string().unwrap_or_default())?;
    Ok(AccessTokens::new(&TokenKeys::new(secret)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUTS: [&str; 8] =
        ["PostQUrl", "JobQUrl", "PostDLQUrl", "JobDLQUrl", "AuthTable", "SocialTable", "FeedTable", "SigningSecretArn"];

    fn described<'a>(outputs: impl IntoIterator<Item = &'a str>) -> DescribeStacksOutput {
        let output = |key: &str| {
            cloudformation::types::Output::builder().output_key(key).output_value(format!("the-{key}")).build()
        };
        let stack =
            cloudformation::types::Stack::builder().set_outputs(Some(outputs.into_iter().map(output).collect()));
        DescribeStacksOutput::builder().stacks(stack.build()).build()
    }

    #[test]
    fn the_template_has_every_output_read() {
        let template = include_str!("../../../template.yaml");
        let (_, outputs) = template.split_once("\nOutputs:\n").unwrap();
        for output in OUTPUTS {
            assert!(outputs.contains(&format!("\n  {output}:\n")), "{output}");
        }
        assert!(Outputs::from_answer("tweeter", &described(OUTPUTS)).is_ok(), "no other output is required");
    }

    #[test]
    fn outputs_name_the_tables_and_queues() {
        let outputs = Outputs::from_answer("tweeter", &described(OUTPUTS)).unwrap();
        assert_eq!(outputs.tables.get(Table::Feed), Some("the-FeedTable"));
        assert_eq!(outputs.queues.get(QueueName::JobDlq), Some("the-JobDLQUrl"));
        assert_eq!(outputs.secret_arn, "the-SigningSecretArn");
    }

    #[test]
    fn a_missing_output_is_named() {
        for missing in OUTPUTS {
            let others = OUTPUTS.into_iter().filter(|output| *output != missing);
            let error = Outputs::from_answer("other", &described(others)).unwrap_err().to_string();
            assert_eq!(
                error,
                format!("the stack other has no output {missing}: it is not a stack of Tweeter's template.yaml")
            );
        }
    }
}
