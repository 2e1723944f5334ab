//! Runs posts and reads in one process and counts.

use std::sync::Arc;

use local::{Application, Config, DataDir, Handle, Seams};
use shared::{
    domain::UserId,
    service::{fan_out::FanOutOptions, tokens::AccessTokens},
};

use super::{
    bill::Work,
    meter::{Meter, MeteredQueue, MeteredStore},
};
use crate::{
    error::LoadtestError,
    progress,
    seed::{ROWS_PER_EDGE, ROWS_PER_USER, Seeder},
    stack::api::ApiClient,
};

/// A post as people write them, about half as long as it may be: what is stored and sent grows with it.
const TEXT: &str = "A post of about the length that people write on an ordinary day, with a thought, a second one that \
                    leads somewhere else, and in the end a question to those who read it: what do you think of it, \
                    and what would you have written in its place?";
/// Items of a page.
const PAGE: u32 = 20;

/// A process with a meter around its ports, cut as it is on AWS.
struct Metered {
    handle: Handle,
    meter: Arc<Meter>,
    api: ApiClient,
}

/// `posts` posts to `followers` followers, each from its request to its last feed entry.
pub async fn post(followers: u64, posts: u64) -> Result<Work, LoadtestError> {
    let service = Metered::start().await?;
    let author = UserId::random();
    let readers: Vec<UserId> = (0..followers).map(|_| UserId::random()).collect();
    service.seed(&[author], &readers).await?;
    let before = service.meter.usage();
    for _ in 0..posts {
        service.publish(author).await?;
    }
    let usage = service.meter.usage() - &before;
    let answer_bytes = service.api.requests().answer_bytes;
    service.handle.stop().await?;
    Ok(Work { posts, followers, reads: 0, answer_bytes, usage })
}

/// `reads` reads of a feed's first page by someone who follows `authors`, each with `posts_each` posts.
pub async fn reads(authors: u32, posts_each: u32, reads: u64) -> Result<Work, LoadtestError> {
    let service = Metered::start().await?;
    let authors: Vec<UserId> = (0..authors).map(|_| UserId::random()).collect();
    let reader = UserId::random();
    service.seed(&authors, &[reader]).await?;
    for author in authors.iter().flat_map(|author| (0..posts_each).map(move |_| *author)) {
        service.publish(author).await?;
    }
    let (before, bytes_before) = (service.meter.usage(), service.api.requests().answer_bytes);
    for _ in 0..reads {
        service.api.feed(|| service.token(reader), PAGE, None).await?;
    }
    let usage = service.meter.usage() - &before;
    let answer_bytes = service.api.requests().answer_bytes - bytes_before;
    service.handle.stop().await?;
    Ok(Work { posts: 0, followers: 0, reads, answer_bytes, usage })
}

impl Metered {
    async fn start() -> Result<Self, LoadtestError> {
        let meter = Arc::new(Meter::default());
        let (of_store, of_queue) = (Arc::clone(&meter), Arc::clone(&meter));
        let seams = Seams {
            wrap_store: Some(Box::new(move |store| Arc::new(MeteredStore::new(store, Arc::clone(&of_store))))),
            wrap_queue: Some(Box::new(move |queue| Arc::new(MeteredQueue::new(queue, Arc::clone(&of_queue))))),
            // Pages as large as the store gives and no look at the queue's length, as on AWS.
            fan_out: FanOutOptions::default(),
            // The sweeper costs the same whatever is posted.
            sweep: false,
            ..Seams::default()
        };
        let handle = Application::build(Config::on_free_port(DataDir::Ephemeral), seams).await?.spawn();
        let url = format!("http://{}", handle.address()).parse().expect("an address of a socket is one of an API");
        Ok(Self { handle, meter, api: ApiClient::new(url)? })
    }

    async fn seed(&self, authors: &[UserId], readers: &[UserId]) -> Result<(), LoadtestError> {
        let services = self.handle.services();
        let (users, edges) = ((authors.len() + readers.len()) as u64, (authors.len() * readers.len()) as u64);
        let progress = progress::bar("seeding", users * ROWS_PER_USER + edges * ROWS_PER_EDGE);
        let seeder = Seeder::new(Arc::clone(&services.store), services.clock.now(), progress);
        let users = authors.iter().chain(readers).copied();
        seeder.users(users).await.map_err(LoadtestError::Seed)?;
        let edges = authors.iter().flat_map(|author| readers.iter().map(move |reader| (*reader, *author)));
        seeder.edges(edges).await.map_err(LoadtestError::Seed)
    }

    async fn publish(&self, author: UserId) -> Result<(), LoadtestError> {
        self.api.publish(&self.token(author), TEXT).await?;
        self.handle.drain().await;
        Ok(())
    }

    fn token(&self, user: UserId) -> String {
        let services = self.handle.services();
        let tokens: &AccessTokens = services.accounts.access_tokens();
        tokens.issue(user, services.clock.now())
    }
}

#[cfg(test)]
mod tests {
    use shared::{queue::QueueName, store::Table};

    use super::*;
    use crate::cost::units::Units;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_post_to_60_followers_takes_exactly_the_units_that_arithmetic_says() {
        let work = post(60, 1).await.unwrap();
        let usage = work.usage;
        // The author's entry by the transaction, twice as dear; the followers' in batches.
        assert_eq!(usage.tables[&Table::Feed], Units { writes: 2 + 60, read_halves: 0 });
        // Post, story and outbox entry in the transaction, and the removal of the last. Read are the author's profile,
        // eventually; the outbox entry; and 60 edges of 152 bytes: 9,120, three times 4 KB.
        assert_eq!(usage.tables[&Table::Social], Units { writes: 3 * 2 + 1, read_halves: 1 + 2 + 3 * 2 });
        assert_eq!(usage.tables.len(), 2);
        let batches = usage.batches_of(QueueName::JobQ);
        assert_eq!(usage.batches_of(QueueName::PostQ), 1);
        assert!((1..=3).contains(&batches), "three jobs, in {batches} batches");
        // Sent, received and deleted; the three jobs sent at once.
        assert_eq!(usage.sqs_requests, 3 + 1 + 2 * batches);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_feed_page_takes_two_read_units_an_entry_and_one_more() {
        let work = reads(3, 1, 2).await.unwrap();
        // A query; then for each of three: post and profile, eventually, and the edge.
        let each = 2 + 3 * (1 + 1 + 2);
        assert_eq!(work.usage.units(), Units { writes: 0, read_halves: 2 * each });
        assert_eq!((work.reads, work.usage.sqs_requests), (2, 0));
        assert!(work.answer_bytes > 2 * 3 * TEXT.len() as u64);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_a_post_leaves_behind_is_stored() {
        let [few, more] = [post(0, 1).await.unwrap(), post(10, 1).await.unwrap()].map(|work| work.usage.stored_bytes);
        // An entry: 76 bytes of key, author_id and its 36, and what DynamoDB adds to each item.
        assert_eq!(more - few, 10 * (76 + 9 + 36 + 100));
    }
}
