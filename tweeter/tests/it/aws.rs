//! The whole service on the DynamoDB and SQS APIs, as implemented by dynoxide and rustack.

use std::time::Duration;

use crate::support::{ApiClient, hooks, in_time};
use data::{
    Feeds,
    messages::{FeedJob, FeedJobTag, V1},
};
use domain::{Clock, PostId, UserId};
use ports::queue::{OutgoingMessage, Queue, QueueDepth, QueueName, QueueSettings};
use tempfile::TempDir;
use testkit::engines;
use tweeter::{
    Application, Config, DataDir, Handle, Stores, TestHooks,
    aws::{self, AwsClients, AwsError, AwsOptions},
    dead_letters::Selection,
    operator::{Answer, Operator, Question},
};
use worker::RetryPauses;

/// Two engines and their clients.
struct Cloud {
    clients: AwsClients,
    options: AwsOptions,
}

impl Cloud {
    async fn start() -> Self {
        let dynamo = engines::dynamo().await;
        let sqs = engines::sqs(|_| QueueSettings::default()).await;
        let options = AwsOptions { tables: dynamo.tables, fair_queues: false, ..AwsOptions::named("") };
        Self { clients: AwsClients::of(dynamo.client, sqs.client), options }
    }

    async fn operator(&self, question: &Question) -> Operator {
        aws::operator(&self.clients, &self.options, question).await.unwrap()
    }

    async fn ask(&self, question: Question) -> Answer {
        self.operator(&question).await.answer(question, Clock::System.now()).await
    }

    /// Creates all four queues, without a service.
    async fn queue(&self) -> impl Queue {
        aws::queues(&self.clients, &self.options, &QueueName::ALL).await.unwrap()
    }

    async fn put(&self, queue: QueueName, body: &str) {
        let message = OutgoingMessage { body: body.to_owned(), group: "alice".to_owned(), delay: Duration::ZERO };
        assert_eq!(self.queue().await.send(queue, vec![message]).await.unwrap(), []);
    }
}

/// A service on the engines.
struct CloudApp {
    handle: Handle,
    client: ApiClient,
    dir: TempDir,
}

impl CloudApp {
    async fn start(cloud: &Cloud) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), cloud, quick()).await
    }

    async fn start_in(dir: TempDir, cloud: &Cloud, hooks: TestHooks) -> Self {
        let config = Config {
            stores: Stores::Aws(cloud.options.clone()),
            ..Config::on_free_port(DataDir::Path(dir.path().join("data")))
        };
        let hooks = TestHooks { aws_clients: Some(cloud.clients.clone()), ..hooks };
        let handle = Application::build(config, hooks).await.unwrap().spawn();
        let client = ApiClient::new(format!("http://{}", handle.address()));
        Self { handle, client, dir }
    }

    async fn drain(&self) {
        in_time(self.handle.drain()).await;
    }

    async fn stop(self) -> TempDir {
        in_time(self.handle.stop()).await.unwrap();
        self.dir
    }

    async fn depth_of(&self, queue: QueueName) -> QueueDepth {
        self.handle.services().queue.depth(queue).await.unwrap()
    }

    async fn wait_for_dead_letters(&self, queue: QueueName, number: u64) {
        in_time(async {
            while self.depth_of(queue).await.visible < number {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
    }
}

/// SQS delays are whole seconds, so immediate retries have no delay.
fn quick() -> TestHooks {
    TestHooks { retry_pauses: RetryPauses { first: Duration::ZERO, longest: Duration::ZERO }, ..hooks() }
}

fn job_for(reader: &str, post: &str, author: &str) -> String {
    let (post_id, author_id): (PostId, UserId) = (post.parse().unwrap(), author.parse().unwrap());
    FeedJob { tag: FeedJobTag::Deliver, v: V1, post_id, author_id, followers: vec![reader.parse().unwrap()] }.encode()
}

#[tokio::test]
async fn a_delivered_post_survives_a_restart() {
    let cloud = Cloud::start().await;
    let app = CloudApp::start(&cloud).await;
    let (alice, bob) = (app.client.register("alice").await, app.client.register("bob").await);
    app.client.follow(&bob, &alice).await;
    app.client.post(&alice, "hello").await;
    app.drain().await;
    assert_eq!(app.client.feed(&bob, "").await.expect(200).texts(), ["hello"]);

    let app = CloudApp::start_in(app.stop().await, &cloud, quick()).await;
    assert_eq!(app.client.feed(&bob, "").await.expect(200).texts(), ["hello"], "the token is still valid");
}

#[tokio::test]
async fn two_processes_work_on_the_same_stores() {
    let cloud = Cloud::start().await;
    let first = CloudApp::start_in(tempfile::tempdir().unwrap(), &cloud, TestHooks { workers: false, ..quick() }).await;
    let (alice, bob) = (first.client.register("alice").await, first.client.register("bob").await);
    first.client.follow(&bob, &alice).await;
    first.client.post(&alice, "by one, delivered by the other").await;

    let second = CloudApp::start(&cloud).await;
    second.drain().await;
    assert_eq!(first.client.feed(&bob, "").await.expect(200).texts(), ["by one, delivered by the other"]);
}

#[tokio::test]
async fn a_start_respects_leases_of_other_processes() {
    let cloud = Cloud::start().await;
    let first = CloudApp::start_in(tempfile::tempdir().unwrap(), &cloud, TestHooks { workers: false, ..quick() }).await;
    let alice = first.client.register("alice").await;
    first.client.post(&alice, "under way").await;
    let announced = first.depth_of(QueueName::PostQ).await.visible;

    let second =
        CloudApp::start_in(tempfile::tempdir().unwrap(), &cloud, TestHooks { workers: false, ..quick() }).await;
    second.client.health().await.expect(200);
    assert_eq!((announced, second.depth_of(QueueName::PostQ).await.visible), (1, 1));
}

#[tokio::test]
async fn a_poison_message_is_dead_lettered_and_redriven() {
    let cloud = Cloud::start().await;
    let app = CloudApp::start(&cloud).await;
    cloud.put(QueueName::JobQ, "no job").await;
    app.wait_for_dead_letters(QueueName::JobDlq, 1).await;

    let look = Question::Look { queue: "JobQ".to_owned(), ids: vec![], limit: 10 };
    let Answer::Letters(letters) = cloud.ask(look).await else { panic!("no letters") };
    assert_eq!(letters.iter().map(|letter| letter.body.as_str()).collect::<Vec<_>>(), ["no job"]);
    assert_eq!(letters[0].group, "alice");

    let id = letters[0].message_id.clone();
    let redrive = Question::Redrive { queue: "JobQ".to_owned(), ids: vec![id] };
    let Answer::Redriven(redriven) = cloud.ask(redrive).await else { panic!("not redriven") };
    assert_eq!((redriven.from.as_str(), redriven.to.as_str(), redriven.messages), ("JobDLQ", "JobQ", 1));
    app.wait_for_dead_letters(QueueName::JobDlq, 1).await;
}

#[tokio::test]
async fn dead_letters_are_delivered_when_they_are_redriven() {
    let cloud = Cloud::start().await;
    let app = CloudApp::start(&cloud).await;
    let (alice, bob) = (app.client.register("alice").await, app.client.register("bob").await);
    app.client.follow(&bob, &alice).await;
    let post = app.client.post(&alice, "late").await;
    app.drain().await;
    let feeds = Feeds::new(app.handle.services().store.clone());
    feeds.remove_of_reader(bob.user_id.parse().unwrap(), &[post.parse().unwrap()]).await.unwrap();
    assert_eq!(app.client.feed(&bob, "").await.expect(200).texts(), Vec::<&str>::new());
    for _ in 0..12 {
        cloud.put(QueueName::JobDlq, &job_for(&bob.user_id, &post, &alice.user_id)).await;
    }

    let Answer::Redriven(redriven) = cloud.ask(Question::Redrive { queue: "JobDLQ".to_owned(), ids: vec![] }).await
    else {
        panic!("not redriven")
    };
    assert_eq!(redriven.messages, 12);
    app.drain().await;
    assert_eq!(app.depth_of(QueueName::JobDlq).await, QueueDepth::default());
    assert_eq!(app.client.feed(&bob, "").await.expect(200).texts(), ["late"]);
}

#[tokio::test]
async fn redriving_a_missing_dead_letter_moves_nothing() {
    let cloud = Cloud::start().await;
    cloud.put(QueueName::JobDlq, "stays").await;
    let question = Question::Redrive { queue: "JobQ".to_owned(), ids: vec!["nobody".to_owned()] };
    let Answer::Refused(refusal) = cloud.ask(question).await else { panic!("not refused") };
    assert_eq!(refusal.message, "no message nobody in JobDLQ");
    let left = cloud.queue().await;
    assert_eq!(left.depth(QueueName::JobDlq).await.unwrap().visible, 1);
    let dead_letters =
        tweeter::dead_letters::DeadLetters { queue: &left, name: QueueName::JobDlq, patience: Duration::ZERO };
    assert_eq!(dead_letters.look(&Selection::All, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_missing_table_is_named_with_its_remedy() {
    let cloud = Cloud::start().await;
    let elsewhere = AwsOptions { queues: cloud.options.queues.clone(), ..AwsOptions::named("nowhere-") };
    let no_table = AwsOptions { prefix: String::new(), ..elsewhere.clone() };
    let no_queue = AwsOptions { tables: cloud.options.tables.clone(), ..elsewhere };
    let failure = async |options| aws::open(&cloud.clients, &options).await.unwrap_err();

    let error = failure(no_table).await;
    assert!(matches!(&error, AwsError::NoTable { name, .. } if name.starts_with("nowhere-")), "{error}");
    let error = failure(no_queue).await.to_string();
    assert!(error.contains("nowhere-") && error.contains("tweeter setup --store aws"), "{error}");
}
