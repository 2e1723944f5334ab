//! Conditional writes: single writes and transactions.

use aws_sdk_dynamodb::{
    error::{BuildError, SdkError},
    operation::transact_write_items::TransactWriteItemsError,
    types::{
        CancellationReason, ConditionCheck, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
    },
};

use super::{
    DynamoStore,
    expression::Placeholders,
    value::{item_to_dynamo, key_to_dynamo},
};
use crate::error::{Fault, is_throttling};
use ports::store::{Changes, Condition, Item, Key, Outcome, StoreError, Table, Write};

/// The outcome of a single write: refused if its condition failed.
macro_rules! outcome {
    ($sent:expr) => {
        match $sent {
            Ok(_) => Ok(Outcome::Applied),
            Err(error)
                if error.as_service_error().is_some_and(|service| service.is_conditional_check_failed_exception()) =>
            {
                Ok(Outcome::Refused(vec![0]))
            }
            Err(error) => Err(Fault::from(error).into()),
        }
    };
}

impl DynamoStore {
    pub(super) async fn put(&self, table: &str, item: Item, condition: &Condition) -> Result<Outcome, StoreError> {
        let mut placeholders = Placeholders::default();
        let request = self
            .client
            .put_item()
            .table_name(table)
            .set_item(Some(item_to_dynamo(item)))
            .set_condition_expression(placeholders.condition(condition))
            .set_expression_attribute_names(placeholders.take_names())
            .set_expression_attribute_values(placeholders.take_values());
        outcome!(request.send().await)
    }

    pub(super) async fn update(
        &self,
        table: &str,
        key: Key,
        changes: Changes,
        condition: &Condition,
    ) -> Result<Outcome, StoreError> {
        let mut placeholders = Placeholders::default();
        let request = self
            .client
            .update_item()
            .table_name(table)
            .set_key(Some(key_to_dynamo(key)))
            .set_update_expression(placeholders.update(changes))
            .set_condition_expression(placeholders.condition(condition))
            .set_expression_attribute_names(placeholders.take_names())
            .set_expression_attribute_values(placeholders.take_values());
        outcome!(request.send().await)
    }

    pub(super) async fn delete(&self, table: &str, key: Key, condition: &Condition) -> Result<Outcome, StoreError> {
        let mut placeholders = Placeholders::default();
        let request = self
            .client
            .delete_item()
            .table_name(table)
            .set_key(Some(key_to_dynamo(key)))
            .set_condition_expression(placeholders.condition(condition))
            .set_expression_attribute_names(placeholders.take_names())
            .set_expression_attribute_values(placeholders.take_values());
        outcome!(request.send().await)
    }

    /// Makes one attempt of a transaction with the idempotency `token`.
    pub(super) async fn transact_once(
        &self,
        items: Vec<TransactWriteItem>,
        token: &str,
    ) -> Result<Outcome, StoreError> {
        let request = self.client.transact_write_items().set_transact_items(Some(items)).client_request_token(token);
        match request.send().await {
            Ok(_) => Ok(Outcome::Applied),
            Err(error) => cancelled(error),
        }
    }

    pub(super) fn transact_item(&self, table: Table, write: Write) -> Result<TransactWriteItem, StoreError> {
        let table = self.table(table)?;
        let item = TransactWriteItem::builder();
        let built = match write {
            Write::Put { item: stored, condition } => item.put(put_of(table, stored, &condition)?),
            Write::Update { key, changes, condition } => item.update(update_of(table, key, changes, &condition)?),
            Write::Delete { key, condition } => item.delete(delete_of(table, key, &condition)?),
            Write::Check { key, condition } => item.condition_check(check_of(table, key, &condition)?),
        };
        Ok(built.build())
    }
}

fn put_of(table: &str, item: Item, condition: &Condition) -> Result<Put, StoreError> {
    let mut placeholders = Placeholders::default();
    Put::builder()
        .table_name(table)
        .set_item(Some(item_to_dynamo(item)))
        .set_condition_expression(placeholders.condition(condition))
        .set_expression_attribute_names(placeholders.take_names())
        .set_expression_attribute_values(placeholders.take_values())
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::None)
        .build()
        .map_err(wrong_request)
}

fn update_of(table: &str, key: Key, changes: Changes, condition: &Condition) -> Result<Update, StoreError> {
    let mut placeholders = Placeholders::default();
    Update::builder()
        .table_name(table)
        .set_key(Some(key_to_dynamo(key)))
        .set_update_expression(placeholders.update(changes))
        .set_condition_expression(placeholders.condition(condition))
        .set_expression_attribute_names(placeholders.take_names())
        .set_expression_attribute_values(placeholders.take_values())
        .build()
        .map_err(wrong_request)
}

fn delete_of(table: &str, key: Key, condition: &Condition) -> Result<Delete, StoreError> {
    let mut placeholders = Placeholders::default();
    Delete::builder()
        .table_name(table)
        .set_key(Some(key_to_dynamo(key)))
        .set_condition_expression(placeholders.condition(condition))
        .set_expression_attribute_names(placeholders.take_names())
        .set_expression_attribute_values(placeholders.take_values())
        .build()
        .map_err(wrong_request)
}

fn check_of(table: &str, key: Key, condition: &Condition) -> Result<ConditionCheck, StoreError> {
    let mut placeholders = Placeholders::default();
    ConditionCheck::builder()
        .table_name(table)
        .set_key(Some(key_to_dynamo(key)))
        .condition_expression(placeholders.check(condition))
        .set_expression_attribute_names(placeholders.take_names())
        .set_expression_attribute_values(placeholders.take_values())
        .build()
        .map_err(wrong_request)
}

fn wrong_request(error: BuildError) -> StoreError {
    StoreError::Rejected(Box::new(error))
}

/// Classifies a cancelled transaction.
fn cancelled(error: SdkError<TransactWriteItemsError>) -> Result<Outcome, StoreError> {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() else {
        return Err(Fault::from(error).into());
    };
    match verdict(cancelled.cancellation_reasons()) {
        Verdict::Refused(places) => Ok(Outcome::Refused(places)),
        Verdict::Conflict => Err(StoreError::Conflict),
        Verdict::Throttled => Err(StoreError::Throttled),
        Verdict::Wrong => Err(StoreError::Rejected(Box::new(error))),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Refused(Vec<usize>),
    Conflict,
    Throttled,
    Wrong,
}

/// Combines the reasons, one per write, into a verdict. Permanent failures have precedence, then transient ones: while
/// one is pending, a failed condition is not final, as its item may be about to change.
fn verdict(reasons: &[CancellationReason]) -> Verdict {
    let (mut refused, mut conflict, mut throttled, mut wrong) = (Vec::new(), false, false, false);
    for (place, reason) in reasons.iter().enumerate() {
        match reason.code() {
            None | Some("None") => {}
            Some("ConditionalCheckFailed") => refused.push(place),
            Some("TransactionConflict") => conflict = true,
            Some(code) if is_throttling(code) => throttled = true,
            Some(_) => wrong = true,
        }
    }
    match (wrong, conflict, throttled) {
        (true, ..) => Verdict::Wrong,
        (_, true, _) => Verdict::Conflict,
        (_, _, true) => Verdict::Throttled,
        _ if refused.is_empty() => Verdict::Wrong,
        _ => Verdict::Refused(refused),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict_of(codes: &[&str]) -> Verdict {
        let reasons: Vec<_> = codes.iter().map(|code| CancellationReason::builder().code(*code).build()).collect();
        verdict(&reasons)
    }

    #[test]
    fn refused_lists_every_failed_condition() {
        let codes = ["None", "ConditionalCheckFailed", "None", "ConditionalCheckFailed"];
        assert_eq!(verdict_of(&codes), Verdict::Refused(vec![1, 3]));
    }

    #[test]
    fn a_transient_failure_outweighs_a_refusal() {
        assert_eq!(verdict_of(&["ConditionalCheckFailed", "TransactionConflict"]), Verdict::Conflict);
        assert_eq!(verdict_of(&["ConditionalCheckFailed", "ThrottlingError"]), Verdict::Throttled);
        assert_eq!(verdict_of(&["ProvisionedThroughputExceeded", "None"]), Verdict::Throttled);
    }

    #[test]
    fn a_permanent_failure_outweighs_all() {
        assert_eq!(verdict_of(&["ValidationError", "TransactionConflict"]), Verdict::Wrong);
        assert_eq!(verdict_of(&["ItemCollectionSizeLimitExceeded"]), Verdict::Wrong);
        assert_eq!(verdict_of(&[]), Verdict::Wrong);
    }
}
