//! Inspects a database before fjall opens it. fjall starts with whatever it finds and treats missing parts as empty.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use lsm_tree::{AbstractTree as _, SequenceNumberCounter};
use tracing::{info, warn};

use super::{
    journal_files::{journals, path_of},
    journal_scan::{Batches, Behind, is_zero_from},
    manifest::{Manifest, ManifestError, Position, Sealed, Synced},
    open_error::{Damage, KEYSPACES, OpenError},
};

/// fjall's version marker, its folder of keyspaces, and the list of them in that folder.
const VERSION: &str = "version";
const LIST: u64 = 0;
/// The file without which fjall considers a keyspace unfinished and removes it.
const CURRENT: &str = "current";
/// Lock files, held during the inspection.
pub(super) const LOCKS: [&str; 2] = ["lock", "engine.lock"];
/// The prefix of a folder for damaged files; a number follows.
const SET_ASIDE: &str = "damaged-";

/// The known state of a database that fjall may open.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Its manifest; `None` for a new database or one from before manifests.
    manifest: Option<Manifest>,
    /// The content of its journals, by number.
    journals: BTreeMap<u64, Batches>,
}

impl Known {
    /// The manifest of the database after opening: with the same instance id and the current journals.
    pub fn into_manifest(self, keyspaces: BTreeMap<String, u64>, newest: u64) -> Manifest {
        let bytes = self.journals.get(&newest).map_or(0, |batches| batches.bytes);
        let sealed = |(number, Batches { bytes, newest })| Sealed { number, bytes, newest };
        let sealed = self.journals.into_iter().filter(|(number, _)| *number < newest).map(sealed).collect();
        let mut manifest = Manifest::new(keyspaces, Synced { number: newest, bytes }, sealed);
        if let Some(before) = self.manifest {
            manifest.instance = before.instance;
        }
        manifest
    }

    /// The content of the newest journal.
    pub fn batches(&self, number: u64) -> Batches {
        self.journals.get(&number).cloned().unwrap_or_default()
    }
}

/// Inspects the database in `folder`, whose locks the caller holds. Damage is an error, or with `accept_data_loss` it
/// is set aside and logged.
pub(super) fn inspect(folder: &Path, manifest: &Path, accept_data_loss: bool) -> Result<Known, OpenError> {
    let io_error = |error| OpenError::of_io(folder, error);
    let mut found = Inspection::of(folder, manifest)?;
    if accept_data_loss {
        found.open_keyspaces();
    }
    if found.damage.is_empty() {
        found.cut_torn_journal().map_err(io_error)?;
        return Ok(found.known);
    }
    if !accept_data_loss {
        return Err(OpenError::Damaged(folder.to_owned(), found.damage));
    }
    found.set_aside()
}

struct Inspection<'a> {
    folder: &'a Path,
    damage: Vec<Damage>,
    known: Known,
    /// The newest journal, and the position in it where an incomplete, unsynced batch begins.
    torn: Option<(u64, u64)>,
}

impl<'a> Inspection<'a> {
    fn of(folder: &'a Path, manifest: &Path) -> Result<Self, OpenError> {
        let io_error = |error| OpenError::of_io(folder, error);
        let mut found = Self { folder, damage: Vec::new(), known: Known::default(), torn: None };
        let position = Position::read(folder).map_err(io_error)?;
        let has_position = folder.join(super::manifest::POSITION).exists();
        match Manifest::read(manifest) {
            Ok(Some(manifest)) => {
                found.against(manifest, position).map_err(io_error)?;
            }
            Ok(None) => {
                if has_position {
                    found.damage.push(Damage::NoManifest);
                } else if folder.join(VERSION).exists() {
                    info!("The database is from a version without manifests; creating one");
                }
                found.read_journals().map_err(io_error)?;
            }
            Err(ManifestError::Io(error)) => return Err(io_error(error)),
            Err(error @ ManifestError::Unknown(_)) => {
                return Err(OpenError::Corrupt(manifest.to_owned(), error.into()));
            }
            Err(error @ ManifestError::Unreadable(_)) => {
                found.damage.push(Damage::Manifest(error.to_string()));
                found.read_journals().map_err(io_error)?;
            }
        }
        Ok(found)
    }

    fn against(&mut self, manifest: Manifest, position: Option<(uuid::Uuid, Synced)>) -> io::Result<()> {
        if position.is_some_and(|(instance, _)| instance != manifest.instance) {
            self.damage.push(Damage::OtherInstance);
        }
        for name in [VERSION, KEYSPACES] {
            if !self.folder.join(name).exists() {
                self.damage.push(Damage::Missing(name));
            }
        }
        let list = self.keyspace(LIST).join(CURRENT);
        if self.folder.join(KEYSPACES).exists() && !list.exists() {
            self.damage.push(Damage::Missing("keyspaces/0"));
        }
        for (name, number) in &manifest.keyspaces {
            if !self.keyspace(*number).join(CURRENT).exists() {
                self.damage.push(Damage::Keyspace { name: name.clone(), number: *number });
            }
        }
        self.read_journals()?;
        let claims: Vec<_> = position.map(|(_, synced)| synced).into_iter().chain([manifest.synced]).collect();
        self.check_journals(&manifest, &claims)?;
        if position.is_none() && self.torn.is_some() {
            self.damage.push(Damage::NoPosition);
        } else if position.is_none() && self.damage.is_empty() {
            warn!("Could not read the database's position; checked the journals up to the manifest's position only");
        }
        self.known.manifest = Some(manifest);
        Ok(())
    }

    /// Finds the keyspaces that the engine cannot open. Only if data loss is accepted: opening a keyspace removes
    /// unknown files, and a rejected database must stay unchanged.
    fn open_keyspaces(&mut self) {
        let Some(manifest) = &self.known.manifest else { return };
        let list = self.keyspace(LIST);
        if list.join(CURRENT).exists() && open_tree(&list).is_err() {
            self.damage.push(Damage::Missing("keyspaces/0"));
        }
        for (name, number) in &manifest.keyspaces {
            let folder = self.keyspace(*number);
            if folder.join(CURRENT).exists()
                && let Err(error) = open_tree(&folder)
            {
                let why = error.to_string();
                self.damage.push(Damage::KeyspaceUnreadable { name: name.clone(), number: *number, why });
            }
        }
    }

    fn keyspace(&self, number: u64) -> PathBuf {
        self.folder.join(KEYSPACES).join(number.to_string())
    }

    fn read_journals(&mut self) -> io::Result<()> {
        for number in journals(self.folder)? {
            let number = number?;
            let (batches, behind) = Batches::check(&File::open(path_of(self.folder, number))?)?;
            if behind == Behind::Torn && self.torn.is_none_or(|(torn, _)| torn < number) {
                self.torn = Some((number, batches.bytes));
            }
            self.known.journals.insert(number, batches);
        }
        Ok(())
    }

    /// Checks the journals against what is known to have been synced.
    fn check_journals(&mut self, manifest: &Manifest, claims: &[Synced]) -> io::Result<()> {
        let sealed: BTreeMap<u64, u64> = manifest.sealed.iter().map(|it| (it.number, it.bytes)).collect();
        // fjall creates the next journal before it writes to it, and never removes the newest.
        let newest_known = claims.iter().map(|it| it.number).chain(sealed.keys().map(|number| number + 1)).max();
        let newest = self.known.journals.keys().next_back().copied();
        let last = newest.max(newest_known).unwrap_or_default();
        let first = self.known.journals.keys().next().copied().unwrap_or(last);
        for journal in manifest.sealed.iter().filter(|it| it.number < first) {
            if !self.is_in_tables(journal)? {
                self.damage.push(Damage::JournalMissing(journal.number));
            }
        }
        for number in first..=last {
            let Some(batches) = self.known.journals.get(&number) else {
                self.damage.push(Damage::JournalMissing(number));
                continue;
            };
            let claimed = claims.iter().filter(|it| it.number == number).map(|it| it.bytes);
            let synced = claimed.chain(sealed.get(&number).copied()).max().unwrap_or_default();
            if batches.bytes < synced {
                self.damage.push(Damage::JournalCut { number, readable: batches.bytes, synced });
            } else if number < last && !is_zero_from(&File::open(path_of(self.folder, number))?, batches.bytes)? {
                // A journal with a successor was synced completely.
                self.damage.push(Damage::JournalHole { number, readable: batches.bytes });
            }
        }
        Ok(())
    }

    /// Whether tables hold everything of a missing journal: only then has fjall removed it.
    fn is_in_tables(&self, journal: &Sealed) -> io::Result<bool> {
        for (number, newest) in &journal.newest {
            let folder = self.keyspace(*number);
            if !folder.join(CURRENT).exists() {
                return Ok(false);
            }
            let persisted = open_tree(&folder)?.get_highest_persisted_seqno();
            if persisted.is_none_or(|persisted| persisted < *newest) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Truncates an incomplete, unacknowledged write left by a power loss, since fjall treats some of them as damage.
    fn cut_torn_journal(&self) -> io::Result<()> {
        let newest = self.known.journals.keys().next_back();
        match self.torn {
            // Without a known synced position, fjall decides.
            Some((number, bytes)) if self.known.manifest.is_some() && newest == Some(&number) => {
                info!("Truncated journal {number}.jnl at byte {bytes}, before incomplete writes");
                cut(&path_of(self.folder, number), bytes)
            }
            _ => Ok(()),
        }
    }

    /// Moves unusable files to a separate folder, so that fjall opens the rest.
    fn set_aside(mut self) -> Result<Known, OpenError> {
        let io_error = |error| OpenError::Unwritable(self.folder.to_owned(), error);
        let aside = new_folder(self.folder).map_err(io_error)?;
        for damage in &self.damage {
            warn!("The database is damaged; continuing, as data loss was accepted: {damage}");
        }
        let is_unusable = |damage: &Damage| matches!(damage, Damage::Missing(_));
        if self.damage.iter().any(is_unusable) {
            self.set_all_aside(&aside).map_err(io_error)?;
            return Ok(Known::default());
        }
        for damage in &self.damage {
            if let Damage::Keyspace { name, number } | Damage::KeyspaceUnreadable { name, number, .. } = damage {
                self.empty_keyspace(name, *number, &aside).map_err(io_error)?;
            }
        }
        let first = self.damage.iter().filter_map(Damage::journal).min();
        if let Some((number, readable)) = first {
            self.end_journals_at(number, readable, &aside).map_err(io_error)?;
        }
        // The instance id of another database is not kept.
        if self.damage.contains(&Damage::OtherInstance) {
            self.known.manifest = None;
        }
        // Succeeds only if the folder is empty: no file had to be moved.
        let _ = fs::remove_dir(&aside);
        sync(self.folder).map_err(io_error)?;
        Ok(self.known)
    }

    fn set_all_aside(&self, aside: &Path) -> io::Result<()> {
        for entry in fs::read_dir(self.folder)? {
            let name = entry?.file_name();
            let stays =
                LOCKS.map(OsStr::new).contains(&name.as_os_str()) || name.to_string_lossy().starts_with(SET_ASIDE);
            if !stays {
                fs::rename(self.folder.join(&name), aside.join(&name))?;
            }
        }
        warn!("No part of the database is usable; moved it to {}; starting with an empty one", aside.display());
        sync(self.folder)
    }

    /// Recreates an empty keyspace under the same number, so that fjall replays the journals into it.
    fn empty_keyspace(&self, name: &str, number: u64, aside: &Path) -> io::Result<()> {
        let folder = self.keyspace(number);
        if folder.exists() {
            fs::rename(&folder, aside.join(number.to_string()))?;
        }
        open_tree(&folder)?;
        warn!("Restored keyspace {name} from the journals only; older data in it is lost");
        Ok(())
    }

    /// Ends the journals at the first damage: each keyspace keeps a prefix of its writes, as after a power loss.
    fn end_journals_at(&mut self, first: u64, readable: Option<u64>, aside: &Path) -> io::Result<()> {
        let later: Vec<_> = self.known.journals.keys().copied().filter(|number| *number >= first).collect();
        for number in later {
            let path = path_of(self.folder, number);
            let length = fs::metadata(&path)?.len();
            let kept = readable.filter(|_| number == first);
            if let Some(bytes) = kept {
                fs::copy(&path, path_of(aside, number))?;
                cut(&path, bytes)?;
            } else {
                fs::rename(&path, path_of(aside, number))?;
                self.known.journals.remove(&number);
            }
            let from = kept.unwrap_or_default();
            warn!(
                "Discarded the writes in journal {number}.jnl after byte {from} of {length}; kept the file in {}",
                aside.display()
            );
        }
        Ok(())
    }
}

fn open_tree(folder: &Path) -> io::Result<lsm_tree::AnyTree> {
    let counters = (SequenceNumberCounter::default(), SequenceNumberCounter::default());
    lsm_tree::Config::new(folder, counters.0, counters.1)
        .open()
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

fn cut(journal: &Path, bytes: u64) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(journal)?;
    file.set_len(bytes)?;
    file.sync_all()
}

fn new_folder(folder: &Path) -> io::Result<PathBuf> {
    for number in 1_u32.. {
        let aside = folder.join(format!("{SET_ASIDE}{number}"));
        match fs::create_dir(&aside) {
            Ok(()) => return Ok(aside),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn sync(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}
