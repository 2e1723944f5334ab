//! The duration of a follow: 500 in a row by one account, of authors with more posts than a follow backfills, over HTTP
//! against a separate process. A measurement: it fails if a follow backfills too little, never because of time.
//!
//! `cargo test --release -p tweeter --test it follow_latency -- --ignored --nocapture`

use std::time::Duration;

use tokio::time::Instant;

use crate::support::{ApiClient, TestApp, hooks, process::Server};
use data::{Feeds, Posts, Users};
use domain::{Bio, DisplayName, Handle, Post, PostText, Profile, User, UserId};
use ports::store::{BatchWrite, Item, Store, Table, Write, batch_write_all};

const AUTHORS: usize = 500;
const POSTS: usize = 120;

/// Creates an author and their posts, as if published long ago.
async fn author(app: &TestApp, number: usize) -> UserId {
    let services = app.services();
    let (handle, now) = (Handle::parse(&format!("author_{number}")).unwrap(), services.clock.now());
    let user = User { user_id: UserId::random(), display_name: DisplayName::from(&handle), handle, avatar: None };
    let author = user.user_id;
    let profile = Profile { user, bio: Bio::default(), created_at: now };
    let mut items = vec![(Table::Social, Users::profile_item(&profile))];
    for _ in 0..POSTS {
        let text = PostText::parse("old").unwrap();
        let post = Post { post_id: services.ids.next_post_id(now), author_id: author, text, media: Vec::new() };
        let writes = Posts::creation(&post).and(Feeds::own_entry(author, post.post_id));
        items.extend(writes.into_iter().map(|(table, write)| (table, item_of(write))));
    }
    for table in [Table::Social, Table::Feed] {
        let of_table: Vec<_> = items.iter().filter(|(of, _)| *of == table).map(|(_, item)| item.clone()).collect();
        for chunk in of_table.chunks(25) {
            put_all(services.store.as_ref(), table, chunk).await;
        }
    }
    author
}

fn item_of(write: Write) -> Item {
    match write {
        Write::Put { item, .. } => item,
        other => panic!("{other:?} makes nothing"),
    }
}

async fn put_all(store: &dyn Store, table: Table, items: &[Item]) {
    let puts = items.iter().cloned().map(BatchWrite::Put).collect();
    assert_eq!(batch_write_all(store, table, puts).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn five_hundred_follows_in_a_row() {
    let app = TestApp::start_with(hooks()).await;
    let bob = app.register("bob").await;
    let mut authors = Vec::new();
    for number in 0..AUTHORS {
        authors.push(author(&app, number).await);
    }
    let stopped = app.stop().await;
    let server = Server::start(&stopped.data_dir(), &[]);
    let client = ApiClient::new(format!("http://{}", server.address));
    let mut times = Vec::new();
    for author in authors {
        let started = Instant::now();
        client.try_follow(&bob, &author.to_string()).await.expect(204);
        times.push(started.elapsed());
    }
    let started = Instant::now();
    let page = client.feed(&bob, "?limit=100").await.expect(200);
    let read = started.elapsed();
    assert_eq!(page.items().len(), 100);
    assert_eq!(client.whole_feed(&bob, 100).await.len(), AUTHORS * 100);
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() * percent).div_ceil(100) - 1];
    let mean = times.iter().sum::<Duration>() / u32::try_from(times.len()).unwrap();
    #[expect(clippy::print_stdout, reason = "it prints its measurements")]
    {
        println!(
            "{AUTHORS} follows, {POSTS} posts each: p50 {:?}, p99 {:?}, max {:?}, mean {mean:?}; the next feed page {read:?}",
            at(50),
            at(99),
            at(100)
        );
    }
}
