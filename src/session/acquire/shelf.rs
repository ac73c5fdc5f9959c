//! Stores proved blocks. A fault of the file system or the bucket that holds for every block is told apart from a fault of one block.

use super::{Proved, Refused, Stored};
use crate::{
    block::{RecordedBlock, RecordedState, check_recorded_body},
    cache::{Cache, CacheError},
    fetch::WitnessChoice,
};
use eyre::ensure;
use rustix::io::Errno;
use std::{
    io::{self, ErrorKind},
    time::Duration,
};

/// Attempts to store a block while the process may not open a further file.
const ATTEMPTS: u32 = 40;

/// Time between two attempts. Requests end in the meantime, and their files are closed.
const WAIT: Duration = Duration::from_millis(250);

/// The cache for new blocks, and the method that fetches them.
#[derive(Clone)]
pub(super) struct Shelf {
    pub(super) cache: Cache,
    pub(super) choice: WitnessChoice,
}

impl Shelf {
    /// Stores a block. `failed` are the errors of other nodes.
    pub(super) async fn store(
        self,
        Proved { recorded, header, list }: Proved,
        failed: Vec<String>,
    ) -> Result<Stored, Refused> {
        let assumed = match &recorded.state {
            RecordedState::Witness(_) => None,
            RecordedState::Flat(flat) => Some(flat.assumed.clone()),
        };
        let stored = Stored { assumed, list, header, failed };
        let put = async || {
            let (shelf, recorded) = (self.clone(), recorded.clone());
            tokio::task::spawn_blocking(move || shelf.put(&recorded)).await?
        };
        for _ in 1..ATTEMPTS {
            match put().await {
                Err(error) if write_error(&error).is_some_and(is_for_want_of_files) => {}
                done => return Ok(done.map(|()| stored)?),
            }
            tokio::time::sleep(WAIT).await;
        }
        Ok(put().await.map(|()| stored)?)
    }

    fn put(&self, recorded: &RecordedBlock) -> eyre::Result<()> {
        ensure!(!self.would_lose_a_proof(recorded), LOSES_PROOF);
        self.cache.put(recorded)?;
        self.cache.note_checked(recorded);
        Ok(())
    }

    /// Whether this block would replace a proved block in the cache by one without a proof. This happens if the node
    /// no longer returns proofs. [`WitnessChoice::Prestate`] allows it.
    fn would_lose_a_proof(&self, recorded: &RecordedBlock) -> bool {
        let is_flat = |recorded: &RecordedBlock| matches!(recorded.state, RecordedState::Flat(_));
        self.choice == WitnessChoice::Auto
            && is_flat(recorded)
            && self
                .cache
                .get(&recorded.id())
                .is_ok_and(|cached| !is_flat(&cached) && check_recorded_body(&cached).is_ok())
    }
}

const LOSES_PROOF: &str = "the node returned no proof, but the cached block is proved to the state root, so it is kept; \
                           --witness prestate replaces it";

/// Whether a block was not stored for a reason that holds for all further blocks, such as a full disk, or a bucket that
/// refuses requests or does not answer the retries.
pub(super) fn takes_no_block(refused: &Refused) -> bool {
    let Refused::Failed(error) = refused else { return false };
    if error.downcast_ref::<CacheError>().is_some_and(|error| error.bucket_fault().is_some()) {
        return true;
    }
    let kinds = [
        ErrorKind::StorageFull,
        ErrorKind::QuotaExceeded,
        ErrorKind::ReadOnlyFilesystem,
        ErrorKind::PermissionDenied,
    ];
    write_error(error).is_some_and(|error| kinds.contains(&error.kind()))
}

/// The system's error, if a block could not be written.
fn write_error(error: &eyre::Report) -> Option<&io::Error> {
    match error.downcast_ref() {
        Some(CacheError::Write { source, .. }) => Some(source),
        _ => None,
    }
}

/// Whether the process or the system has too many open files.
fn is_for_want_of_files(error: &io::Error) -> bool {
    [Errno::MFILE, Errno::NFILE]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(kind: ErrorKind) -> Refused {
        let (path, source) = ("/cache".into(), kind.into());
        CacheError::Write { path, source }.into()
    }

    #[test]
    fn a_full_disk_concerns_all_blocks_and_a_file_in_the_way_one() {
        for kind in [ErrorKind::StorageFull, ErrorKind::QuotaExceeded, ErrorKind::PermissionDenied]
        {
            assert!(takes_no_block(&refused(kind)), "{kind}");
        }
        assert!(!takes_no_block(&refused(ErrorKind::AlreadyExists)));
        let of_node: Refused = io::Error::from(ErrorKind::StorageFull).into();
        assert!(!takes_no_block(&of_node));
    }

    #[test]
    fn only_a_lack_of_files_may_pass() {
        for errno in [Errno::MFILE, Errno::NFILE] {
            assert!(is_for_want_of_files(&errno.into()));
        }
        assert!(!is_for_want_of_files(&Errno::NOSPC.into()));
    }
}
