//! Readers with the authors whom they follow, and these authors' posts.

use std::{sync::Arc, time::Duration};

use data::{Activity, Db, DeliveryModes, Readers, Transaction};
use domain::{IdGenerator, Post, PostId, PostText, Timestamp, UserId};
use ports::store::StoreError;

use super::PULLED;
use crate::{
    error::LoadtestError,
    plant, progress,
    seed::{ROWS_PER_EDGE, ROWS_PER_USER, Seeder},
    service::Service,
};

/// Time between two posts.
const BETWEEN: Duration = Duration::from_secs(1);
/// The age of accounts and follows: more than that of any post.
const AGE: Duration = Duration::from_hours(24 * 120);
const POST_TEXT: &str = "A post of the page test, about as long as what people write on an ordinary day.";

/// Readers who all follow the same authors.
#[derive(Debug)]
pub struct Group {
    /// The readers.
    pub readers: Vec<UserId>,
    /// The posts that a reader's feed must show.
    pub newest_first: Vec<PostId>,
    authors: Vec<UserId>,
    /// Authors, evenly spread among all, whose posts are not delivered but merged when a page is read.
    pulled: usize,
    /// Whether the other authors' posts are delivered.
    has_entries: bool,
}

impl Group {
    /// New users, and posts from `from` on, by each author in turn.
    pub fn draw(readers: usize, authors: usize, posts_each: usize, from: Timestamp, pulled: usize) -> Self {
        let new_users = |count| (0..count).map(|_| UserId::random()).collect();
        let (ids, mut time) = (IdGenerator::new(), from);
        let mut posts = Vec::new();
        for _ in 0..authors * posts_each {
            time = time.plus(BETWEEN);
            posts.push(ids.next_post_id(time));
        }
        posts.reverse();
        Self {
            readers: new_users(readers),
            newest_first: posts,
            authors: new_users(authors),
            pulled,
            has_entries: true,
        }
    }

    /// The same group, whose feeds hold no entries: they have expired, or were not delivered.
    #[must_use]
    pub fn without_entries(self) -> Self {
        Self { has_entries: false, ..self }
    }

    /// The place of a post's author.
    fn author_of(&self, place: usize) -> usize {
        (self.newest_first.len() - 1 - place) % self.authors.len()
    }

    fn posts(&self, text: &PostText) -> Vec<Post> {
        let post = |(place, post_id): (usize, &PostId)| Post {
            post_id: *post_id,
            author_id: self.authors[self.author_of(place)],
            text: text.clone(),
            media: Vec::new(),
        };
        self.newest_first.iter().enumerate().map(post).collect()
    }

    const fn is_pulled(&self, author: usize) -> bool {
        author * self.pulled % self.authors.len() < self.pulled
    }

    /// The delivered posts.
    fn entries(&self) -> Vec<PostId> {
        let posts = self.newest_first.iter().enumerate().filter(|_| self.has_entries);
        posts.filter(|(place, _)| !self.is_pulled(self.author_of(*place))).map(|(_, post)| *post).collect()
    }
}

/// All groups.
#[derive(Debug)]
pub struct People {
    /// Readers of ordinary pages, by the number of their pulled authors.
    pub pulled: [Group; PULLED.len()],
    /// Readers whose authors have only old posts.
    pub beyond: Group,
    /// Readers who were absent for long.
    pub dormant: Group,
}

impl People {
    /// Writes users, follows, posts and entries.
    ///
    /// # Errors
    /// If the store fails.
    ///
    /// # Panics
    /// Never: the text is valid.
    pub async fn plant(&self, service: &Service) -> Result<(), LoadtestError> {
        let text = PostText::parse(POST_TEXT).expect("a short text");
        let groups = || self.pulled.iter().chain([&self.beyond, &self.dormant]);
        self.plant_users(service).await.map_err(LoadtestError::Seed)?;
        let posts = groups().flat_map(|group| group.posts(&text)).collect();
        plant::posts(service, posts).await.map_err(LoadtestError::Seed)?;
        let feeds = groups().flat_map(|group| group.readers.iter().map(|reader| (*reader, group.entries()))).collect();
        plant::feeds(service, feeds).await.map_err(LoadtestError::Seed)?;
        self.plant_modes(service).await.map_err(LoadtestError::Seed)?;
        let _spinner = progress::spinner("counting edges and posts");
        service.drain().await;
        Ok(())
    }

    /// Makes posts of the pulled authors pulled, from each group's oldest post on.
    async fn plant_modes(&self, service: &Service) -> Result<(), StoreError> {
        let db = Db::from(Arc::clone(&service.services().store));
        let readers = Readers::new(db.clone());
        for group in &self.pulled {
            let since = *group.newest_first.last().expect("a group has posts");
            let pulled = group.authors.iter().enumerate().filter(|(place, _)| group.is_pulled(*place));
            for (_, author) in pulled {
                for writes in [DeliveryModes::promotion(*author, since), DeliveryModes::pull(*author, since)] {
                    let _new_users_have_no_mode = Transaction::from(writes).commit(&db).await?;
                }
                for reader in &group.readers {
                    readers.merge_from(*reader, *author, since).await?;
                }
            }
        }
        Ok(())
    }

    /// All follows are older than the posts. A seeded user was last active when the account was created, with a feed that is
    /// complete as it is, so the accounts of dormant readers are old, and those of readers past the window too.
    async fn plant_users(&self, service: &Service) -> Result<(), StoreError> {
        let groups = || self.pulled.iter().chain([&self.beyond, &self.dormant]);
        let awake = || self.pulled.iter().flat_map(|group| &group.readers);
        let old = || [&self.beyond, &self.dormant].into_iter().flat_map(|group| &group.readers).copied();
        let active = || groups().flat_map(|group| &group.authors).chain(awake()).copied();
        let edges = || {
            groups().flat_map(|group| {
                group.readers.iter().flat_map(|reader| group.authors.iter().map(|author| (*reader, *author)))
            })
        };
        let users = active().count() + old().count();
        let rows = users as u64 * ROWS_PER_USER + edges().count() as u64 * ROWS_PER_EDGE;
        let (services, progress) = (service.services(), progress::bar("seeding", rows));
        let now = services.clock.now();
        let seeder = |time| Seeder::new(Arc::clone(&services.store), time, progress.clone());
        seeder(now).users(active()).await?;
        seeder(now.minus(AGE)).users(old()).await?;
        seeder(now.minus(AGE)).edges(edges()).await?;
        self.read_today(service).await
    }

    /// Makes the readers past the window active.
    async fn read_today(&self, service: &Service) -> Result<(), StoreError> {
        let (readers, now) = (Readers::new(Arc::clone(&service.services().store)), service.services().clock.now());
        for reader in &self.beyond.readers {
            let was = readers.activity(*reader).await?;
            let _new_users_do_not_read =
                readers.put_active(*reader, &was, &Activity { active_at: Some(now), ..was }).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_authors_as_asked_are_pulled() {
        for pulled in [0, 1, 5, 20, 50] {
            let group = Group::draw(1, 50, 1, Timestamp::from_millis(1_000_000), pulled);
            assert_eq!((0..50).filter(|author| group.is_pulled(*author)).count(), pulled);
        }
    }

    #[test]
    fn pulled_authors_posts_are_not_delivered() {
        let group = Group::draw(2, 5, 3, Timestamp::from_millis(1_000_000), 2);
        let text = PostText::parse("A post").unwrap();
        let posts = group.posts(&text);
        assert_eq!(posts.len(), 15);
        assert!(posts.is_sorted_by(|newer, older| newer.post_id > older.post_id));
        let pulled = |post: &Post| [group.authors[0], group.authors[3]].contains(&post.author_id);
        let delivered: Vec<PostId> = posts.iter().filter(|post| !pulled(post)).map(|post| post.post_id).collect();
        assert_eq!((group.entries(), delivered.len()), (delivered.clone(), 9));
        assert_eq!(group.without_entries().entries(), []);
    }
}
