//! The queue on SQS.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use aws_sdk_sqs::{
    Client,
    config::retry::RetryConfig,
    error::BuildError,
    types::{
        BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message,
        MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName, SendMessageBatchRequestEntry,
    },
};
use tracing::debug;

use super::{
    error::{Fault, bare, is_throttling},
    timeouts::timeouts,
};
use domain::{Timestamp, limits};
use ports::queue::{OutgoingMessage, Queue, QueueDepth, QueueError, QueueName, Receipt, ReceivedMessage};

/// The message attribute that holds the group if it is not sent as SQS's own.
const GROUP: &str = "group";

/// Error codes of SQS for a receipt whose message is not in flight: it is deleted or visible again. (A visibility
/// change of a deleted message fails with `InvalidParameterValue`; the values were validated before the call.)
const NOT_IN_FLIGHT: [&str; 3] = ["MessageNotInflight", "ReceiptHandleIsInvalid", "InvalidParameterValue"];

/// The queues' URLs. A function has only those that it uses.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueueUrls(BTreeMap<QueueName, String>);

impl QueueUrls {
    /// Adds a URL.
    #[must_use]
    pub fn with(mut self, queue: QueueName, url: impl Into<String>) -> Self {
        self.0.insert(queue, url.into());
        self
    }

    /// The URL of a queue, if known.
    pub fn get(&self, queue: QueueName) -> Option<&str> {
        self.0.get(&queue).map(String::as_str)
    }

    pub(super) fn url(&self, queue: QueueName) -> Result<&str, Fault> {
        self.get(queue).ok_or_else(|| Fault::wrong_call(format!("the queue {} has no configured URL", queue.name())))
    }
}

/// Differences between SQS and the engines that emulate it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SqsOptions {
    /// Whether a message's group is sent as its `MessageGroupId`, which makes SQS standard queues fair. Some engines
    /// accept it on FIFO queues only; for those the group is sent as a message attribute.
    pub fair_queues: bool,
}

impl Default for SqsOptions {
    fn default() -> Self {
        Self { fair_queues: true }
    }
}

/// The header by which a message sent in Lambda continues the sending invocation's trace. The SDK adds it
/// (`RecursionDetectionInterceptor`).
const TRACE_HEADER: &str = "x-amzn-trace-id";

/// [`Queue`] on SQS standard queues.
///
/// The SDK's retries are disabled; callers retry, with [`ports::queue::send_all`] and the like. SQS counts times in
/// whole seconds, so delays, waits and visibility timeouts are rounded up. A wait longer than
/// [`limits::MAX_RECEIVE_WAIT`] is shortened to it. A call for a queue without a known URL is rejected. The age of the
/// oldest message is not reported: SQS publishes it to CloudWatch only.
#[derive(Debug, Clone)]
pub struct SqsQueue {
    client: Client,
    urls: QueueUrls,
    options: SqsOptions,
    begins_traces: bool,
}

impl SqsQueue {
    /// A queue adapter for these URLs. Disables the client's retries.
    pub fn new(client: &Client, urls: QueueUrls, options: SqsOptions) -> Self {
        let config = client.config().to_builder().retry_config(RetryConfig::disabled()).build();
        Self { client: Client::from_conf(config), urls, options, begins_traces: false }
    }

    /// Starts a new trace for every message sent. Lambda counts along a trace how often a function triggers itself, and
    /// after about 16 times moves the message to the dead letters. That would be wrong for a sender that re-sends one
    /// copy of its message until it succeeds.
    #[must_use]
    pub const fn beginning_traces(mut self) -> Self {
        self.begins_traces = true;
        self
    }

    /// Makes one cheap call to open the connection; all queues share one endpoint. The result is ignored.
    pub async fn warm_connection(&self) {
        if let Some(queue) = self.urls.0.keys().next()
            && let Err(error) = self.depth(*queue).await
        {
            debug!(%error, "The warm-up call to SQS failed; the first event opens the connection if needed");
        }
    }

    fn entry(&self, place: usize, message: &OutgoingMessage) -> Result<SendMessageBatchRequestEntry, QueueError> {
        let mut entry = SendMessageBatchRequestEntry::builder().id(place.to_string()).message_body(&message.body);
        if !message.delay.is_zero() {
            entry = entry.delay_seconds(whole_seconds(message.delay, limits::MAX_MESSAGE_DELAY)?);
        }
        // A group id or an attribute must not be empty.
        if !message.group.is_empty() {
            entry = if self.options.fair_queues {
                entry.message_group_id(&message.group)
            } else {
                entry.message_attributes(GROUP, text_attribute(&message.group)?)
            };
        }
        entry.build().map_err(wrong_request)
    }
}

#[async_trait]
impl Queue for SqsQueue {
    async fn send(&self, queue: QueueName, messages: Vec<OutgoingMessage>) -> Result<Vec<OutgoingMessage>, QueueError> {
        let url = self.urls.url(queue)?;
        check_batch(messages.len())?;
        let bytes = messages.iter().map(|message| message.body.len()).sum::<usize>();
        if bytes > limits::MAX_MESSAGE_BYTES {
            return Err(Fault::wrong_call(format!(
                "{bytes} bytes in one batch; at most {} are allowed",
                limits::MAX_MESSAGE_BYTES
            ))
            .into());
        }
        let entries = messages.iter().enumerate().map(|(place, message)| self.entry(place, message));
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        let mut request = self.client.send_message_batch().queue_url(url).set_entries(Some(entries)).customize();
        if self.begins_traces {
            // Runs after the SDK's interceptors, one of which adds the header.
            request = request.mutate_request(|request| drop(request.headers_mut().remove(TRACE_HEADER)));
        }
        let answer = request.send().await.map_err(Fault::from)?;
        Ok(pick(messages, &worth_another_try(&answer.failed)?))
    }

    async fn receive(
        &self,
        queue: QueueName,
        max: usize,
        wait: Duration,
        visibility: Option<Duration>,
    ) -> Result<Vec<ReceivedMessage>, QueueError> {
        let url = self.urls.url(queue)?;
        check_batch(max)?;
        let visibility = visibility.map(|timeout| whole_seconds(timeout, limits::MAX_VISIBILITY)).transpose()?;
        let request = self
            .client
            .receive_message()
            .queue_url(url)
            .max_number_of_messages(i32::try_from(max).unwrap_or(i32::MAX))
            .wait_time_seconds(whole_seconds(wait.min(limits::MAX_RECEIVE_WAIT), limits::MAX_RECEIVE_WAIT)?)
            .set_visibility_timeout(visibility)
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .message_system_attribute_names(MessageSystemAttributeName::MessageGroupId)
            .message_attribute_names(GROUP);
        let patient = aws_sdk_sqs::config::Builder::new().timeout_config(timeouts(wait + limits::CALL_TIMEOUT));
        let answer = request.customize().config_override(patient).send().await.map_err(Fault::from)?;
        answer.messages.unwrap_or_default().into_iter().map(received).collect()
    }

    async fn delete(&self, queue: QueueName, receipts: Vec<Receipt>) -> Result<Vec<Receipt>, QueueError> {
        let url = self.urls.url(queue)?;
        check_batch(receipts.len())?;
        let entries = receipts.iter().enumerate().map(|(place, receipt)| {
            let entry = DeleteMessageBatchRequestEntry::builder().id(place.to_string()).receipt_handle(receipt);
            entry.build().map_err(wrong_request)
        });
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        let request = self.client.delete_message_batch().queue_url(url).set_entries(Some(entries));
        let answer = request.send().await.map_err(Fault::from)?;
        Ok(pick(receipts, &worth_another_try(&answer.failed)?))
    }

    async fn change_visibility(
        &self,
        queue: QueueName,
        changes: Vec<(Receipt, Duration)>,
    ) -> Result<Vec<Receipt>, QueueError> {
        let url = self.urls.url(queue)?;
        check_batch(changes.len())?;
        let entries = changes.iter().enumerate().map(|(place, (receipt, timeout))| {
            let entry = ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(place.to_string())
                .receipt_handle(receipt)
                .visibility_timeout(whole_seconds(*timeout, limits::MAX_VISIBILITY)?);
            entry.build().map_err(wrong_request)
        });
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        let request = self.client.change_message_visibility_batch().queue_url(url).set_entries(Some(entries));
        let mut failed = request.send().await.map_err(Fault::from)?.failed;
        failed.retain(|entry| !NOT_IN_FLIGHT.contains(&bare(&entry.code)));
        let receipts = changes.into_iter().map(|(receipt, _)| receipt).collect();
        Ok(pick(receipts, &worth_another_try(&failed)?))
    }

    async fn depth(&self, queue: QueueName) -> Result<QueueDepth, QueueError> {
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
        ];
        let request = self
            .client
            .get_queue_attributes()
            .queue_url(self.urls.url(queue)?)
            .set_attribute_names(Some(names.to_vec()));
        let attributes = request.send().await.map_err(Fault::from)?.attributes.unwrap_or_default();
        let [visible, in_flight, delayed] = names
            .map(|name| attributes.get(&name).and_then(|text| text.parse().ok()).ok_or_else(|| lacks(name.as_str())));
        Ok(QueueDepth { visible: visible?, in_flight: in_flight?, delayed: delayed?, oldest_age: None })
    }
}

/// SQS rejects these too, but not every emulation does.
fn check_batch(len: usize) -> Result<(), QueueError> {
    if (1..=limits::MAX_QUEUE_BATCH).contains(&len) {
        return Ok(());
    }
    Err(Fault::wrong_call(format!("{len} entries in one call; 1 to {} are allowed", limits::MAX_QUEUE_BATCH)).into())
}

/// Converts to whole seconds, rounded up so that nothing happens earlier than requested.
fn whole_seconds(time: Duration, most: Duration) -> Result<i32, QueueError> {
    if time > most {
        return Err(Fault::wrong_call(format!("{time:?} is longer than {most:?}")).into());
    }
    let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    i32::try_from(seconds).map_err(|error| QueueError::Rejected(Box::new(error)))
}

fn text_attribute(text: &str) -> Result<MessageAttributeValue, QueueError> {
    MessageAttributeValue::builder().data_type("String").string_value(text).build().map_err(wrong_request)
}

fn wrong_request(error: BuildError) -> QueueError {
    QueueError::Rejected(Box::new(error))
}

/// The indexes of failed entries that are worth a retry; an error if an entry can never succeed.
fn worth_another_try(failed: &[BatchResultErrorEntry]) -> Result<Vec<usize>, QueueError> {
    let rejected = failed.iter().find(|entry| entry.sender_fault && !is_throttling(&entry.code));
    if let Some(entry) = rejected {
        let why = entry.message.as_deref().unwrap_or("no reason given");
        return Err(Fault::wrong_call(format!("entry {}: {}: {why}", entry.id, entry.code)).into());
    }
    failed.iter().map(|entry| entry.id.parse().map_err(|_| lacks("the id of a failed entry"))).collect()
}

/// The elements at these indexes.
fn pick<T>(things: Vec<T>, places: &[usize]) -> Vec<T> {
    let things = things.into_iter().enumerate();
    things.filter(|(place, _)| places.contains(place)).map(|(_, thing)| thing).collect()
}

fn received(message: Message) -> Result<ReceivedMessage, QueueError> {
    let system = message.attributes.unwrap_or_default();
    let number = |name: MessageSystemAttributeName| system.get(&name).and_then(|text| text.parse::<u64>().ok());
    let receive_count = number(MessageSystemAttributeName::ApproximateReceiveCount);
    let sent_at = number(MessageSystemAttributeName::SentTimestamp);
    let group = system.get(&MessageSystemAttributeName::MessageGroupId).cloned();
    let carried = message.message_attributes.and_then(|mut attributes| attributes.remove(GROUP)?.string_value);
    Ok(ReceivedMessage {
        message_id: message.message_id.ok_or_else(|| lacks("MessageId"))?,
        receipt: message.receipt_handle.ok_or_else(|| lacks("ReceiptHandle"))?,
        body: message.body.ok_or_else(|| lacks("Body"))?,
        group: group.or(carried).unwrap_or_default(),
        receive_count: receive_count
            .and_then(|count| u32::try_from(count).ok())
            .ok_or_else(|| lacks("ApproximateReceiveCount"))?,
        sent_at: sent_at.map(Timestamp::from_millis).ok_or_else(|| lacks("SentTimestamp"))?,
    })
}

fn lacks(what: &str) -> QueueError {
    QueueError::Unavailable(format!("the answer lacks {what}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_round_up_to_whole_seconds() {
        let seconds = |millis| whole_seconds(Duration::from_millis(millis), limits::MAX_VISIBILITY).unwrap();
        assert_eq!([0, 1, 999, 1_000, 1_001].map(seconds), [0, 1, 1, 1, 2]);
    }

    #[test]
    fn a_time_beyond_the_limit_is_rejected() {
        let result = whole_seconds(limits::MAX_MESSAGE_DELAY + Duration::from_millis(1), limits::MAX_MESSAGE_DELAY);
        assert!(matches!(result, Err(QueueError::Rejected(_))));
    }
}
