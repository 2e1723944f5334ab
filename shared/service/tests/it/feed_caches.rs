//! Content of other users is cached for a moment; the readers' own changes show at once.

use std::sync::Arc;

use data::Users;
use domain::{DisplayName, PageLimit, PostView, UserId, limits};
use service::{feeds::FeedService, likes::LikeService, posts::PostService, rates::RateLimiter, views::PostViews};
use service_testkit::{Embedded, pipeline::Pipeline};
use testkit::faults::CountingStore;

/// Alice with a post, and Bob, who follows her; both read through one cache.
struct Two {
    pipeline: Pipeline,
    counting: Arc<CountingStore>,
    feeds: FeedService,
    stories: PostService,
    alice: UserId,
    bob: UserId,
}

impl Two {
    async fn with_a_post(home: &Embedded) -> Self {
        let pipeline = home.pipeline(20);
        let [alice, bob] = [pipeline.user("alice").await, pipeline.user("bob").await];
        pipeline.graph.follow(bob, alice, home.clock.now()).await.unwrap();
        pipeline.post(alice, "hello").await;
        pipeline.drain().await;
        let counting = Arc::new(CountingStore::new(home.store.clone()));
        let views = PostViews::new(counting.clone(), &home.clock);
        let feeds = FeedService::new(counting.clone(), views.clone(), home.clock.clone());
        let stories = PostService::new(counting.clone(), RateLimiter::off()).with_stories(views);
        let two = Self { pipeline, counting, feeds, stories, alice, bob };
        for reader in [alice, bob] {
            assert_eq!(two.feed(reader).await.len(), 1);
        }
        two
    }

    /// The feed of a reader, which for these two shows the same as Alice's story.
    async fn feed(&self, reader: UserId) -> Vec<PostView> {
        let feed = self.feeds.page(reader, None, PageLimit::default()).await.unwrap().items;
        let story = self.stories.story(reader, self.alice, None, PageLimit::default()).await.unwrap().items;
        let posts =
            |views: &[PostView]| views.iter().map(|view| (view.post.post_id, view.liked_by_me)).collect::<Vec<_>>();
        assert_eq!(posts(&feed), posts(&story));
        feed
    }

    async fn names(&self, reader: UserId) -> Vec<String> {
        let feed = self.feeds.page(reader, None, PageLimit::default()).await.unwrap().items;
        feed.iter().map(|view| view.author.display_name.as_str().to_owned()).collect()
    }
}

#[tokio::test]
async fn a_deletion_shows_to_others_within_seconds() {
    let home = Embedded::open();
    let two = Two::with_a_post(&home).await;
    let post = two.feed(two.alice).await[0].post.post_id;
    two.pipeline.posts.delete(two.alice, post, home.clock.now()).await.unwrap();
    assert_eq!(two.feed(two.alice).await, [], "gone for its author at once");
    home.clock.advance(limits::POST_TTL);
    assert_eq!(two.feed(two.bob).await, []);
}

#[tokio::test]
async fn an_edit_shows_to_others_within_seconds() {
    let home = Embedded::open();
    let two = Two::with_a_post(&home).await;
    let name = DisplayName::parse("New name").unwrap();
    assert!(Users::new(home.store.clone()).update(two.alice, Some(&name), None).await.unwrap().is_applied());
    assert_eq!(two.names(two.alice).await, ["New name"], "her own at once");
    assert_ne!(two.names(two.bob).await, ["New name"]);
    home.clock.advance(limits::PROFILE_TTL);
    assert_eq!(two.names(two.bob).await, ["New name"]);
}

#[tokio::test]
async fn own_likes_and_unfollows_show_at_once() {
    let home = Embedded::open();
    let two = Two::with_a_post(&home).await;
    let (post, now) = (two.feed(two.bob).await[0].post.post_id, home.clock.now());
    let likes = LikeService::new(home.store.clone(), RateLimiter::off());
    likes.like(two.bob, post, now).await.unwrap();
    assert!(two.feed(two.bob).await[0].liked_by_me);
    likes.unlike(two.bob, post, now).await.unwrap();
    assert!(!two.feed(two.bob).await[0].liked_by_me);
    two.pipeline.graph.unfollow(two.bob, two.alice, now).await.unwrap();
    assert!(two.feeds.page(two.bob, None, PageLimit::default()).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn a_repeated_page_reads_no_posts_of_others() {
    let home = Embedded::open();
    let two = Two::with_a_post(&home).await;
    two.counting.take_reads();
    two.feeds.page(two.bob, None, PageLimit::default()).await.unwrap();
    let kinds: Vec<String> = two.counting.take_reads().into_keys().collect();
    assert_eq!(kinds, ["query LIKES", "query READER", "query feed"]);
}
