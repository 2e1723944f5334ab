//! Adds up a scan in bounded memory: one row per user or post, spilled to files when there are too many.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufReader, BufWriter, Read, Seek, Write},
    mem,
};

use data::{Counted, Counter};
use domain::{PostId, UserId};
use uuid::Uuid;

use super::verdict::Suspect;

/// Maximum rows in memory: about 150 MB.
pub const MAX_ROWS: usize = 1_000_000;
/// Number of files that rows are spilled to. Each is added up separately at the end, so memory stays within
/// [`MAX_ROWS`] up to 64 million users and posts, and grows by a 64th of any excess.
const PARTS: usize = 64;
/// Counters of one row.
const COUNTERS: usize = 3;
/// Bytes of a row in a file: kind, id, flags, counters.
const ROW_BYTES: usize = 1 + 16 + 1 + 2 * COUNTERS * 8;

/// The totals of one user or post. Two rows of the same one are added.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Row {
    /// Whether the user or post exists.
    pub exists: bool,
    /// Whether it has notifications.
    pub has_inbox: bool,
    /// The number of its edges, in the order of [`Counted::counters`].
    pub counted: [i64; COUNTERS],
    /// The stored counts, in the same order.
    pub kept: [i64; COUNTERS],
}

impl Row {
    /// The edges of one counter.
    pub fn counted_mut(&mut self, counter: Counter) -> &mut i64 {
        &mut self.counted[place_of(counter)]
    }

    /// The stored count of one counter.
    pub fn kept_mut(&mut self, counter: Counter) -> &mut i64 {
        &mut self.kept[place_of(counter)]
    }

    fn add(&mut self, other: Self) {
        self.exists |= other.exists;
        self.has_inbox |= other.has_inbox;
        for place in 0..COUNTERS {
            self.counted[place] += other.counted[place];
            self.kept[place] += other.kept[place];
        }
    }
}

/// The position of a counter among those of its user or post.
const fn place_of(counter: Counter) -> usize {
    match counter {
        Counter::Followers | Counter::Likes => 0,
        Counter::Following | Counter::Comments => 1,
        Counter::Posts => 2,
    }
}

type Rows = HashMap<Counted, Row>;

/// The totals of a part of the users and posts.
#[derive(Debug, Default)]
pub struct Part {
    /// Existing users.
    pub users: u64,
    /// Existing posts.
    pub posts: u64,
    /// Numbers to check closely; all others are right.
    pub suspects: Vec<Suspect>,
}

/// Adds up rows.
#[derive(Debug)]
pub struct Tally {
    rows: Rows,
    max_rows: usize,
    spill: Option<Spill>,
    next_part: usize,
}

impl Tally {
    /// An empty tally that holds up to `max_rows` in memory.
    pub fn new(max_rows: usize) -> Self {
        Self { rows: Rows::new(), max_rows, spill: None, next_part: 0 }
    }

    /// The row of a user or post.
    pub fn row(&mut self, of: Counted) -> &mut Row {
        self.rows.entry(of).or_default()
    }

    /// Spills the rows when there are too many. Call it regularly.
    ///
    /// # Errors
    /// When the temporary files cannot be written.
    pub async fn make_room(&mut self) -> io::Result<()> {
        if self.rows.len() >= self.max_rows { self.spill().await } else { Ok(()) }
    }

    async fn spill(&mut self) -> io::Result<()> {
        let (rows, spill) = (mem::take(&mut self.rows), self.spill.take());
        let spill = blocking(move || {
            let mut spill = spill.map_or_else(Spill::create, Ok)?;
            spill.write(&rows)?;
            Ok(spill)
        })
        .await?;
        self.spill = Some(spill);
        Ok(())
    }

    /// The totals, one part at a time, after all rows were added. `None` after the last.
    ///
    /// # Errors
    /// When the temporary files cannot be read or written.
    pub async fn next_part(&mut self, inboxes: bool) -> io::Result<Option<Part>> {
        if self.spill.is_none() {
            let is_first = mem::replace(&mut self.next_part, 1) == 0;
            return Ok(is_first.then(|| Part::of(&mem::take(&mut self.rows), inboxes)));
        }
        if !self.rows.is_empty() {
            self.spill().await?;
        }
        let Some(mut spill) = self.spill.take().filter(|_| self.next_part < PARTS) else { return Ok(None) };
        let part = self.next_part;
        let (spill, rows) = blocking(move || {
            let rows = spill.read(part)?;
            Ok((spill, rows))
        })
        .await?;
        (self.spill, self.next_part) = (Some(spill), part + 1);
        Ok(Some(Part::of(&rows, inboxes)))
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

impl Part {
    fn of(rows: &Rows, inboxes: bool) -> Self {
        let mut part = Self::default();
        for (subject, row) in rows {
            match subject {
                _ if !row.exists => {}
                Counted::User(_) => part.users += 1,
                Counted::Post(_) => part.posts += 1,
            }
            part.suspects.extend(suspects(*subject, row, inboxes));
        }
        part.suspects.sort_unstable();
        part
    }
}

fn suspects(subject: Counted, row: &Row, inboxes: bool) -> impl Iterator<Item = Suspect> {
    let wrong = subject.counters().iter().filter(|counter| {
        let place = place_of(**counter);
        row.exists && row.counted[place] != row.kept[place]
    });
    let inbox = match subject {
        Counted::User(user) if inboxes && row.has_inbox => Some(Suspect::Inbox(user)),
        _ => None,
    };
    wrong.map(|counter| Suspect::Count(subject, *counter)).chain(inbox).collect::<Vec<_>>().into_iter()
}

/// Rows in unnamed files, which the system removes when the process ends.
#[derive(Debug)]
struct Spill(Vec<BufWriter<File>>);

impl Spill {
    fn create() -> io::Result<Self> {
        (0..PARTS).map(|_| Ok(BufWriter::new(tempfile::tempfile()?))).collect::<io::Result<_>>().map(Self)
    }

    fn write(&mut self, rows: &Rows) -> io::Result<()> {
        rows.iter().try_for_each(|(subject, row)| self.0[part_of(*subject)].write_all(&encoded(*subject, row)))
    }

    fn read(&mut self, part: usize) -> io::Result<Rows> {
        let file = &mut self.0[part];
        file.flush()?;
        let file = file.get_mut();
        file.rewind()?;
        let (mut file, mut rows, mut bytes) = (BufReader::new(file), Rows::new(), [0; ROW_BYTES]);
        loop {
            match file.read_exact(&mut bytes) {
                Ok(()) => {
                    let (subject, row) = decoded(&bytes);
                    rows.entry(subject).or_default().add(row);
                }
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(rows),
                Err(error) => return Err(error),
            }
        }
    }
}

/// The last byte of an id is random.
fn part_of(subject: Counted) -> usize {
    usize::from(subject.as_uuid().as_bytes()[15]) % PARTS
}

fn encoded(subject: Counted, row: &Row) -> [u8; ROW_BYTES] {
    let mut bytes = [0; ROW_BYTES];
    bytes[0] = u8::from(matches!(subject, Counted::Post(_)));
    bytes[1..17].copy_from_slice(subject.as_uuid().as_bytes());
    bytes[17] = u8::from(row.exists) | u8::from(row.has_inbox) << 1;
    for (place, number) in row.counted.iter().chain(&row.kept).enumerate() {
        bytes[18 + 8 * place..26 + 8 * place].copy_from_slice(&number.to_le_bytes());
    }
    bytes
}

fn decoded(bytes: &[u8; ROW_BYTES]) -> (Counted, Row) {
    let mut id = [0; 16];
    id.copy_from_slice(&bytes[1..17]);
    let id = Uuid::from_bytes(id);
    let subject =
        if bytes[0] == 0 { Counted::User(UserId::from_uuid(id)) } else { Counted::Post(PostId::from_uuid(id)) };
    let number = |place: usize| {
        let mut number = [0; 8];
        number.copy_from_slice(&bytes[18 + 8 * place..26 + 8 * place]);
        i64::from_le_bytes(number)
    };
    let (counted, kept) = (std::array::from_fn(number), std::array::from_fn(|place| number(COUNTERS + place)));
    (subject, Row { exists: bytes[17] & 1 != 0, has_inbox: bytes[17] & 2 != 0, counted, kept })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn all_parts(mut tally: Tally) -> (u64, u64, Vec<Suspect>) {
        let mut all = Part::default();
        while let Some(part) = tally.next_part(true).await.unwrap() {
            all.users += part.users;
            all.posts += part.posts;
            all.suspects.extend(part.suspects);
        }
        all.suspects.sort();
        (all.users, all.posts, all.suspects)
    }

    #[tokio::test]
    async fn spilled_rows_add_up_as_in_memory() {
        let subjects: Vec<Counted> = (0..400_u128)
            .map(|number| {
                let id = Uuid::from_u128(number);
                if number % 3 == 0 {
                    Counted::Post(PostId::from_uuid(id))
                } else {
                    Counted::User(UserId::from_uuid(id))
                }
            })
            .collect();
        let mut results = Vec::new();
        for max_rows in [usize::MAX, 7] {
            let mut tally = Tally::new(max_rows);
            for (subject, place) in subjects.iter().chain(&subjects).zip(0_i64..) {
                let row = tally.row(*subject);
                (row.exists, row.has_inbox) = (true, place % 5 == 0);
                row.counted[0] += 1;
                row.counted[1] -= place % 2;
                if place >= 400 {
                    row.kept[0] += if place % 10 == 0 { 3 } else { 2 };
                    row.kept[1] = -2 * (place % 2);
                }
                tally.make_room().await.unwrap();
            }
            results.push(all_parts(tally).await);
        }
        assert_eq!(results[0], results[1]);
        let (users, posts, suspects) = &results[0];
        assert_eq!((users, posts), (&266, &134));
        assert_eq!(suspects.iter().filter(|suspect| matches!(suspect, Suspect::Count(..))).count(), 40);
    }
}
