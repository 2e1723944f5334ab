//! `loadtest pages`: latencies of feed pages that cost more than a plain one: with authors whose posts are merged when
//! the page is read, past the window in which entries are kept, and after dormancy.
//!
//! The service is otherwise idle; requests are sequential, and kinds of pages that are compared alternate. Every page is
//! compared with the posts that it must show.
//!
//! In reading order: [`people`] draws readers, authors and their posts and plants them; [`report`] prints.

pub mod people;
pub mod report;

use std::time::{Duration, Instant};

use domain::PostId;
use indicatif::ProgressBar;

use self::{
    people::{Group, People},
    report::{PagesReport, PulledStep},
};
use crate::{
    chart::Chart,
    client::{FeedPage, HttpClient},
    error::LoadtestError,
    options::PagesOptions,
    progress,
    report::{Latencies, P50P99Max, rounded},
    service::{Changes, Service},
    target::Target,
};

/// Posts per page.
pub const PAGE: u32 = 20;
/// Authors whom a reader of ordinary pages follows.
const AUTHORS: usize = 50;
/// How many of them are pulled.
pub(crate) const PULLED: [usize; 3] = [0, 5, 20];
/// Posts of each of them: enough for several pages.
const POSTS_EACH: usize = 2;
/// The age of posts past the window.
const BEYOND_WINDOW: Duration = Duration::from_hours(24 * 100);
/// Pages past the window, after the first.
const PAGES_BEYOND: usize = 10;
/// Authors whom a dormant reader follows.
const DORMANT_AUTHORS: usize = 100;
/// The age of the oldest post that a dormant reader has missed.
const MISSED: Duration = Duration::from_hours(24 * 20);

/// Runs the scenario.
///
/// # Errors
/// If a request fails. Wrong pages are in the report instead.
pub async fn run(options: &PagesOptions) -> Result<PagesReport, LoadtestError> {
    let target = Target::prepare(&options.places.stores).await?;
    let service = Service::start(&options.places, &target, Changes::Applied).await?;
    let people = plant(&service, options).await?;
    let mut measured = Measured::default();
    measured.pulled(&service, &people, options.rounds).await?;
    measured.beyond(&service, &people.beyond).await?;
    measured.dormant(&service, &people.dormant).await?;
    service.stop().await?;
    Ok(measured.report(options))
}

async fn plant(service: &Service, options: &PagesOptions) -> Result<People, LoadtestError> {
    let (now, readers) = (service.services().clock.now(), options.readers as usize);
    let recent = |authors, pulled| Group::draw(readers, authors, POSTS_EACH, now.minus(MISSED), pulled);
    let people = People {
        pulled: PULLED.map(|pulled| recent(AUTHORS, pulled)),
        beyond: Group::draw(readers, options.followees as usize, 1, now.minus(BEYOND_WINDOW), 0).without_entries(),
        dormant: recent(DORMANT_AUTHORS, 0).without_entries(),
    };
    people.plant(service).await?;
    Ok(people)
}

/// The latencies and wrong pages of all kinds.
#[derive(Default)]
struct Measured {
    pulled: [Latencies; PULLED.len()],
    pulled_wrong: [u64; PULLED.len()],
    beyond_first: Latencies,
    beyond_next: Latencies,
    beyond_wrong: u64,
    dormant: Latencies,
    dormant_wrong: u64,
}

impl Measured {
    /// First pages, in turn by readers with different numbers of pulled authors.
    async fn pulled(&mut self, service: &Service, people: &People, rounds: u32) -> Result<(), LoadtestError> {
        let readers = people.pulled.iter().map(|group| group.readers.len()).sum::<usize>();
        let progress = progress::bar("pulled authors", u64::from(rounds) * readers as u64);
        for _ in 0..rounds {
            for (kind, group) in people.pulled.iter().enumerate() {
                for reader in 0..group.readers.len() {
                    let mut walk = Walk::new(service, group, reader, &progress);
                    let (latency, is_right) = walk.page().await?;
                    self.pulled[kind].record(latency);
                    self.pulled_wrong[kind] += u64::from(!is_right);
                }
            }
        }
        Ok(())
    }

    /// The first page past the window, and those after it.
    async fn beyond(&mut self, service: &Service, group: &Group) -> Result<(), LoadtestError> {
        let progress = progress::bar("past the window", (group.readers.len() * (1 + PAGES_BEYOND)) as u64);
        for reader in 0..group.readers.len() {
            let mut walk = Walk::new(service, group, reader, &progress);
            let (latency, is_right) = walk.page().await?;
            self.beyond_first.record(latency);
            self.beyond_wrong += u64::from(!is_right);
            for _ in 0..PAGES_BEYOND {
                if walk.is_at_end() {
                    break;
                }
                let (latency, is_right) = walk.page().await?;
                self.beyond_next.record(latency);
                self.beyond_wrong += u64::from(!is_right);
            }
        }
        Ok(())
    }

    /// The first page after dormancy.
    async fn dormant(&mut self, service: &Service, group: &Group) -> Result<(), LoadtestError> {
        let progress = progress::bar("after dormancy", group.readers.len() as u64);
        for reader in 0..group.readers.len() {
            let (latency, is_right) = Walk::new(service, group, reader, &progress).page().await?;
            self.dormant.record(latency);
            self.dormant_wrong += u64::from(!is_right);
        }
        Ok(())
    }

    fn report(&self, options: &PagesOptions) -> PagesReport {
        let p99 = |kind: usize| self.pulled[kind].quantile_ms(0.99);
        let step = |(kind, authors): (usize, usize)| PulledStep {
            authors,
            page_ms: P50P99Max::from(&self.pulled[kind]),
            p99_ratio: if p99(0) > 0.0 { rounded(p99(kind) / p99(0)) } else { 0.0 },
            wrong_pages: self.pulled_wrong[kind],
        };
        let others = [
            ("past the window, first", &self.beyond_first),
            ("past the window, following", &self.beyond_next),
            ("after dormancy", &self.dormant),
        ];
        let pulled = ["none pulled", "5 pulled", "20 pulled"].into_iter().zip(&self.pulled);
        PagesReport {
            readers: options.readers,
            followees: options.followees,
            pulled: PULLED.into_iter().enumerate().map(step).collect(),
            beyond_first_ms: P50P99Max::from(&self.beyond_first),
            beyond_next_ms: P50P99Max::from(&self.beyond_next),
            beyond_wrong_pages: self.beyond_wrong,
            dormant_ms: P50P99Max::from(&self.dormant),
            dormant_wrong_pages: self.dormant_wrong,
            charts: vec![
                Chart::latencies("Feed page, 50 authors", pulled),
                Chart::latencies("Rebuilt feed pages", others),
            ],
        }
    }
}

/// A reader who goes through their feed page by page.
struct Walk<'a> {
    client: HttpClient,
    token: String,
    /// The posts not seen yet, newest first.
    left: &'a [PostId],
    cursor: Option<String>,
    progress: &'a ProgressBar,
}

impl<'a> Walk<'a> {
    fn new(service: &Service, group: &'a Group, reader: usize, progress: &'a ProgressBar) -> Self {
        let token = service.token(group.readers[reader]);
        Self { client: service.client(), token, left: &group.newest_first, cursor: None, progress }
    }

    const fn is_at_end(&self) -> bool {
        self.left.is_empty()
    }

    /// Reads the next page: the latency, and whether it shows the next posts.
    async fn page(&mut self) -> Result<(Duration, bool), LoadtestError> {
        let started = Instant::now();
        let body = self.client.feed(&self.token, PAGE, self.cursor.as_deref()).await?;
        let latency = started.elapsed();
        let page = FeedPage::decode(&body)?;
        let (next, left) = self.left.split_at((PAGE as usize).min(self.left.len()));
        let is_right = page.items.iter().map(|post| post.post_id).eq(next.iter().copied());
        // Without a cursor nothing follows, and the walk begins no second time.
        (self.left, self.cursor) = (if page.next_cursor.is_some() { left } else { &[] }, page.next_cursor);
        self.progress.inc(1);
        Ok((latency, is_right))
    }
}
